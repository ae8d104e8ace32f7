//! The main job: from a recipe and a target to signed packages, one stage after the other.
//!
//! Every stage's value has private fields and one way to come into being, from the value before it, so none can be
//! skipped; each result is kept under the digest of its inputs and found again, with the evidence of how it came to be.
//!
//! ```text
//! Inputs (plan) -> BuildRoot -> Built (phases) -> Staged -> Packed -> Published (signed, in dist)
//!                                  \\-> Checked (upstream's tests) ------^
//! ```
//!
//! # No stage can be skipped
//!
//! What is packed was staged, and what is signed was packed; this is the only way, and it compiles:
//!
//! ```no_run
//! use pipeline::{Builder, Error, Inputs, Job, Published, build_root, gather};
//! # use engine::Engine;
//! # use sign::signer::Signer;
//!
//! async fn all(job: Job<'_>, engine: &Engine, signer: &dyn Signer) -> Result<Published, Error> {
//!     let inputs = gather(job.store, job.options, job.progress)?;
//!     let root = build_root(engine, job.store, job.options, &inputs, job.progress).await?;
//!     let builder = Builder::new(job, engine, &inputs, &root);
//!     let staged = builder.staged().await?;
//!     let packed = staged.pack(&builder).await?;
//!     packed.publish(job, None, signer, 0.0)
//! }
//! ```
//!
//! A folder of files is no staged tree of a plan, so it cannot be packed:
//!
//! ```compile_fail,E0599
//! # use deb::staged::StagedTree;
//! # use pipeline::Builder;
//! async fn pack(tree: &StagedTree, builder: &Builder<'_>) {
//!     let _ = tree.pack(builder).await;
//! }
//! ```
//!
//! Nor can one be put together from its parts, or packages be said to be those of a plan:
//!
//! ```compile_fail,E0451
//! # use deb::staged::StagedTree;
//! # use pipeline::{built::BuildRecord, staged::Staged};
//! fn staged(tree: StagedTree, record: BuildRecord) -> Staged {
//!     Staged { tree, record, logs: "logs".into() }
//! }
//! ```
//!
//! ```compile_fail,E0451
//! # use pipeline::{Inputs, packed::{PackRecord, Packed}};
//! fn packed(inputs: &Inputs, record: PackRecord) -> Packed<'_> {
//!     Packed { inputs, folder: "packages".into(), record }
//! }
//! ```
//!
//! What is published are packages of a plan, and not whatever lies in a folder:
//!
//! ```compile_fail,E0599
//! # use std::path::Path;
//! # use pipeline::Job;
//! # use sign::signer::Signer;
//! fn publish(folder: &Path, job: Job<'_>, signer: &dyn Signer) {
//!     let _ = folder.publish(job, None, signer, 0.0);
//! }
//! ```
//!
//! And there is no builder without a build root:
//!
//! ```compile_fail,E0061
//! # use engine::Engine;
//! # use pipeline::{Builder, Inputs, Job};
//! fn builder<'a>(job: Job<'a>, engine: &'a Engine, inputs: &'a Inputs) -> Builder<'a> {
//!     Builder::new(job, engine, inputs)
//! }
//! ```

pub mod budget;
pub mod builder;
pub mod built;
pub mod challenge;
pub mod check;
mod clear;
pub mod compiler_cache;
mod error;
mod evidence;
pub mod explain;
pub mod failed_phase;
mod finished;
pub mod inputs;
mod job;
mod lock;
mod options;
pub mod packed;
mod publish;
pub mod rebuild;
pub mod records;
mod report;
mod report_page;
mod root;
pub mod share;
pub mod shell;
mod split;
pub mod staged;
pub mod version;
mod workers;

pub use budget::refuse_too_much;
pub use builder::Builder;
pub use clear::{STAGES, clear, forget_results};
pub use error::Error;
pub use inputs::{Inputs, gather};
pub use lock::{Lag, TargetLag, lock, outdated, upgrade};
pub use options::{Accepted, BuildOptions, CompilerCache, Job, Options, Others};
pub use publish::Published;
pub use report::{PackageReport, PackingReport, PhaseReport, Report};
pub use root::{build_root, fetch_cluster_files, fetch_debs, machine_disk, machine_root, node_root, worker_root};
