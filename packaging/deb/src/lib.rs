//! The packing code: from a staged tree to unsigned .debs.
//!
//! ```text
//! StagedTree -> split (in the build root) -> Contents of each package, by the Manifest -> finished .debs
//! ```
//!
//! What decides the packages' bytes is here and nowhere else, so that the digest of this crate ([`code::digest`])
//! stands in the plan: packages that another version of it would write have another plan.

pub mod archive;
pub mod binary_package;
pub mod changelog;
pub mod code;
pub mod contents;
pub mod control;
pub mod data;
mod error;
mod fields;
mod finished;
pub mod link;
pub mod manifest;
pub mod packing;
pub mod read_back;
pub mod split;
pub mod staged;
pub mod substvars;
pub mod writer;

pub use error::DebError;
pub use writer::ORIGIN_SIGNATURE;
