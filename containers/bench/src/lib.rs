//! How fast it is: upstream's own way against ours, on one machine.
//!
//! The pinned source, downloads and build root come from the usual store; everything that is timed is made in a store of its
//! own, with a compiler cache of its own, so that nothing of an earlier build can be found there, and nobody's build finds
//! anything of this one. Only upstream's own way is kept; every other row is measured anew each time, from the state that it
//! says, so that a run which was killed costs nothing but its time.
//!
//! Wall time is that of the whole row, from reading the recipe to the signed packages. CPU time and memory are what the
//! phases' containers were charged with and what this process used itself; the engine's own share (copying volumes, moving
//! files in and out) is in the wall time alone.

mod baseline;
mod error;
mod exports;
mod governor;
pub mod growth;
mod machine;
mod plot;
pub mod predict;
mod process;
mod recorder;
mod report;
mod row;
mod rows;

use engine::Engine;
use exports::Exports;
use foundation::bytes::ByteSize;
use foundation::progress::Progress;
use foundation::store::Store;
use pipeline::{BuildOptions, Builder, CompilerCache, Job, Options, build_root, gather};
use rows::Bed;

pub use baseline::Baseline;
pub use error::BenchError;
pub use exports::{Comparison, Excused};
pub use governor::GovernorReport;
pub use growth::GrowthReport;
pub use machine::Machine;
pub use predict::PredictedReport;
pub use recorder::StageTime;
pub use report::{BenchReport, Measured};
pub use row::{Row, Rows};

/// What is measured, and where.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The engine to build with.
    pub engine: &'a Engine,
    /// The store that downloads and build root come from. The caller holds its lock to the end: another build at the
    /// same time would spoil the figures.
    pub usual: &'a Store,
    /// The store in which it is built; the caller holds its lock.
    pub work: &'a Store,
    /// What is built: recipe and target.
    pub options: &'a Options,
    /// Budget and key; where the packages go and which compiler cache is used is decided here.
    pub build: &'a BuildOptions,
    /// Who is told what happens.
    pub progress: &'a dyn Progress,
}

impl Bench<'_> {
    /// Measures the memory governor beside each fixed `-j`, under these memory caps.
    ///
    /// # Errors
    /// The inputs cannot be had, the recipe does not say what to run, that fails for another reason than memory, or the
    /// engine does not do its part.
    pub async fn governor(&self, caps: &[ByteSize]) -> Result<GovernorReport, BenchError> {
        let Self { engine, usual, work, options, progress, .. } = *self;
        let inputs = tokio::task::block_in_place(|| gather(usual, options, progress))?;
        let root = build_root(engine, usual, options, &inputs, progress).await?;
        let build = BuildOptions { compiler_cache: CompilerCache::None, ..self.build.clone() };
        let job = Job { store: work, options, build: &build, progress };
        let builder = Builder::new(job, engine, &inputs, &root);
        governor::run(&builder, caps).await
    }

    /// Measures these rows, and compares what is installed with upstream's own way where both were measured.
    ///
    /// # Errors
    /// The inputs cannot be had, the recipe does not say what to edit or does not describe upstream's own way, a build
    /// fails, or a row did not measure what it says. Differences from upstream's own way are no error: the report has
    /// them.
    pub async fn run(&self, rows: &Rows) -> Result<BenchReport, BenchError> {
        let Self { engine, usual, work, options, progress, .. } = *self;
        let mut bed = tokio::task::block_in_place(|| Bed::make(self, rows))?;
        let inputs = bed.inputs.clone();
        let root = build_root(engine, usual, options, &inputs, progress).await?;
        let machine = Machine::of(engine, &root.image).await?;
        let build = BuildOptions { compiler_cache: CompilerCache::None, ..self.build.clone() };
        let job = Job { store: work, options, build: &build, progress };
        let builder = Builder::new(job, engine, &inputs, &root);
        let baseline = match rows.contains(Row::Upstream) {
            true => Some(baseline::baseline(&builder).await?),
            false => baseline::kept(&builder).await?,
        };
        let mut measured: Vec<Measured> = baseline.iter().map(|found| Measured::of_baseline(&found.record)).collect();
        let mut ours = None;
        for row in rows.iter().filter(|row| *row != Row::Upstream) {
            let one = bed.measure(self, row).await?;
            progress.event(foundation::progress::Event::Note { text: one.line() });
            measured.push(one);
            if row == Row::Cold && baseline.is_some() {
                let staged = builder.staged().await?;
                ours = Some(exports::of_tree(engine, &root, inputs.recipe(), staged.tree()).await?);
            }
        }
        let comparison = match (&baseline, &ours) {
            (Some(baseline), Some(ours)) => {
                let upstream = Exports::read(&baseline.exports)?;
                let left_out = options.recipe.file.bench.as_ref().and_then(|bench| bench.baseline.as_ref());
                let left_out = left_out.map_or(&[][..], |baseline| &baseline.left_out);
                Some(Comparison::of(&upstream, ours, left_out))
            }
            _ => None,
        };
        pipeline::clear(engine, work, None).await?;
        Ok(BenchReport::new(&inputs, machine, measured, comparison))
    }
}
