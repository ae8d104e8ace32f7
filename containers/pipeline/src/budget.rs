//! Memory and jobs of a run.

use engine::Engine;
use foundation::bytes::ByteSize;
use foundation::progress::{Event, Progress};
use phases::usage;

use crate::error::Error;
use crate::options::{BuildOptions, Options};

/// Refuses memory and jobs that the engine's machine cannot have, before anything is built; `beside` is how many jobs
/// other machines take.
///
/// # Errors
/// More is asked for than the machine has, or the engine does not say what it has.
pub async fn refuse_too_much(
    engine: &Engine,
    memory: Option<ByteSize>,
    jobs: Option<u32>,
    beside: u32,
) -> Result<(), Error> {
    let info = engine.info().await?;
    Ok(usage::refuse_too_much(&info, memory.map(|size| size.0), jobs, beside)?)
}

/// How much memory and how many jobs a run may have.
pub struct Budget {
    /// Memory in bytes, for all that runs at once.
    pub memory: u64,
    /// How many jobs fit into it where nobody governs them.
    pub jobs: u32,
    /// How many jobs are wanted at once; the governor lets as many compiles start as have room.
    pub wanted_jobs: u32,
    /// Memory that a source file is taken to need of which nothing is known.
    pub per_job: ByteSize,
    /// How many processors the engine's machine has.
    pub cpus: u32,
}

impl Budget {
    /// The budget that was asked for; what was not asked for follows from what the engine's machine has.
    ///
    /// # Errors
    /// The engine does not say what its machine has.
    pub async fn of(engine: &Engine, options: &Options, build: &BuildOptions) -> Result<Self, Error> {
        let info = engine.info().await?;
        let memory = build.memory.map_or_else(|| usage::budget(&info), |size| size.0);
        let per_job = options.recipe.file.build.memory_per_job;
        let varied = |jobs: u32| build.circumstances.jobs(jobs.max(1));
        Ok(Self {
            memory: build.circumstances.memory(memory),
            jobs: varied(build.jobs.unwrap_or_else(|| usage::jobs(&info, memory, per_job.0))),
            wanted_jobs: varied(build.jobs.unwrap_or_else(|| usage::wanted_jobs(&info))),
            per_job,
            cpus: info.cpus,
        })
    }

    /// Tells how large the budget is, and why.
    pub fn tell(&self, build: &BuildOptions, progress: &dyn Progress) {
        let Self { memory, wanted_jobs: jobs, per_job, cpus, .. } = *self;
        let why = if build.memory.is_some() { "as asked for" } else { "what the host can spare" };
        progress.event(Event::Note {
            text: format!(
                "memory budget {} ({why}), {jobs} job{} wanted, {per_job} for a file of which nothing is known, {cpus} processors",
                ByteSize(memory),
                if jobs == 1 { "" } else { "s" },
            ),
        });
    }
}
