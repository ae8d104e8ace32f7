//! How fast it is: upstream's own way against ours, on one machine.
//!
//! Source, downloads and build root come from the usual store; everything that is timed is made in a store of its own,
//! with a compiler cache of its own, so that nothing of an earlier build can be found there.

mod baseline;

use packaging::progress::Progress;
use packaging::store::{Store, StoreLock};

pub use baseline::{Baseline, baseline};

use super::build::Builder;
use super::{BuildOptions, Error, Options, build_root, gather};
use crate::engine::Engine;

/// What is measured, and where.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// Where source, downloads and build root come from.
    pub usual: &'a Store,
    /// Where it is built; the caller holds its lock.
    pub work: &'a Store,
    /// The recipe and target.
    pub options: &'a Options,
    /// Budget and key.
    pub build: &'a BuildOptions,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

impl Bench<'_> {
    /// Measures upstream's own way alone.
    pub async fn baseline(&self, usual_lock: StoreLock) -> Result<Baseline, Error> {
        let Self { engine, usual, work, options, progress, .. } = *self;
        let inputs = tokio::task::block_in_place(|| gather(usual, options, progress))?;
        let root = build_root(engine, usual, options, &inputs, progress).await?;
        drop(usual_lock);
        let build = BuildOptions { compiler_cache: false, ..self.build.clone() };
        baseline(&Builder { engine, store: work, options, build: &build, inputs: &inputs, root: &root, progress }).await
    }
}
