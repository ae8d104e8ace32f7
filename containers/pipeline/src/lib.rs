//! The main job: from a recipe and a target to signed packages, one stage after the other.
//!
//! Every stage's value has private fields and one way to come into being, from the value before it, so none can be
//! skipped; each result is kept under the digest of its inputs and found again, with the evidence of how it came to be.
//!
//! ```text
//! Inputs (plan) -> BuildRoot -> Built (phases) -> Staged -> Packed -> Published (signed, in dist)
//!                                  \\-> Checked (upstream's tests) ------^
//! ```

pub mod budget;
pub mod builder;
pub mod built;
pub mod check;
mod clear;
pub mod copy;
mod error;
mod failed_phase;
pub mod inputs;
mod job;
mod options;
pub mod packed;
mod publish;
pub mod rebuild;
pub mod records;
mod report;
mod root;
mod split;
mod stage;
pub mod staged;
mod workers;

pub use budget::refuse_too_much;
pub use builder::Builder;
pub use clear::{STAGES, clear};
pub use error::Error;
pub use inputs::{Inputs, gather};
pub use options::{BuildOptions, CompilerCache, Job, Options};
pub use publish::Published;
pub use report::{PackageReport, PackingReport, PhaseReport, Report};
pub use root::{build_root, fetch_debs, lock, node_root, worker_root};
pub use stage::Stage;
