//! Comparing packages that were published with those that a rebuild made.
//!
//! What is to be rebuilt is described by a `.buildinfo` (deb-buildinfo(5)), which lists the packages' checksums and names
//! the plan that they were built from.

mod difference;
mod published;

pub use difference::first_difference;
pub(crate) use published::checksums_in;
pub use published::{PublishedBuild, PublishedPackage, RebuildError, compared_plans, download, unsigned};
