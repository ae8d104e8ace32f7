//! `cargo xtask worker`: this machine compiles for builds on others.

use clap::Args;
use engine::Engine;
use farm::{Listen, Range, WorkerOptions};
use foundation::bytes::ByteSize;
use foundation::failure::AnyFailure;
use foundation::progress::Progress;
use foundation::store::Store;
use phases::usage;

use crate::arguments::{Subject, block_on_or, engine, guarded, locked_store, remove_workers, worker_run};
use crate::terminal::Terminal;

/// The arguments of `cargo xtask worker`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Address of this machine to listen at. Whoever reaches it may have code compiled, unasked and unencrypted: a private network's
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    listen: Listen,
    /// Only these addresses may ask, such as 10.0.0.0/24
    #[arg(long, value_name = "ADDRESS/BITS")]
    allow: Option<Range>,
    /// Files to compile at once; as many as there are processors, if there is memory for them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// Memory for all of them together, such as 8GiB; the default is what the host can spare
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Install and start a container engine where none answers
    #[arg(long)]
    setup: bool,
}

/// Compiles for others until it is ended.
///
/// # Errors
/// The build root cannot be had, the address cannot be listened at, or the worker's containers end by themselves.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(false);
    let options = arguments.subject.options()?;
    let store = Store::open(None)?;
    let undo = {
        let store = store.clone();
        |engine: Engine| async move { remove_workers(&engine, &store, true).await }
    };
    block_on_or(undo, async || {
        let (engine, root, debs) = {
            // Afterwards the cache is free: a build may go on beside a worker.
            let (store, held) = locked_store("worker", &terminal)?;
            let engine = engine(&store, &held, arguments.setup, &terminal).await?;
            pipeline::refuse_too_much(&engine, arguments.memory, arguments.jobs, 0).await?;
            remove_workers(&engine, &store, false).await;
            let (root, debs) = pipeline::worker_root(&engine, &store, &options, &terminal).await?;
            guarded(&worker_run(&store));
            (engine.with_run(&worker_run(&store)), root, debs)
        };
        let info = engine.info().await?;
        let memory = arguments.memory.map_or_else(|| usage::budget(&info), |size| size.0);
        let per_job = options.recipe.file.build.memory_per_job.0;
        let jobs = arguments.jobs.unwrap_or_else(|| usage::jobs(&info, memory, per_job));
        let work = WorkerOptions { listen: arguments.listen, jobs, memory, allow: arguments.allow };
        let listening = || {
            terminal.note(format!(
                "listening at {}: {jobs} files at once, {}, build root {}",
                arguments.listen.0,
                ByteSize(memory),
                root.digest.short()
            ));
        };
        let mut compiled = |job: &str| terminal.note(told(job));
        Ok(farm::serve(&engine, &root, &debs, &work, listening, &mut compiled).await?)
    })
}

/// What distccd says of a job, for people: `client: … COMPILE_OK exit:0 sig:0 core:0 ret:0 time:93ms COMPILER FILE`.
fn told(job: &str) -> String {
    let words: Vec<&str> = job.split_whitespace().collect();
    let after = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let file = words.last().copied().unwrap_or_default();
    let file = file.rsplit('/').next().unwrap_or_default().split(".farm").next().unwrap_or_default();
    match (words.contains(&"COMPILE_OK"), after("time:")) {
        (true, Some(time)) => format!("compiled {file} in {time}"),
        _ => format!("not compiled: {job}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compiled() {
        let job = "client: NOTSOCKET COMPILE_OK exit:0 sig:0 core:0 ret:0 time:284409ms /build/farm/root-b3/c++ /build/work/q.o.farm.ii";
        assert_eq!(told(job), "compiled q.o in 284409ms");
        let job = "client: NOTSOCKET COMPILE_ERROR exit:1 sig:0 core:0 ret:0 time:20ms /build/farm/root-b3/c++ /build/work/q.o.farm.ii";
        assert_eq!(told(job), format!("not compiled: {job}"));
    }
}
