//! `cargo xtask bench`: how fast it is.

use clap::Args;
use containers::pipeline::bench::Bench;
use packaging::store::Store;

use crate::arguments::{Selection, block_on, engine, locked_store};
use crate::commands::package::{BuildArguments, default_dist};
use crate::terminal::Terminal;

/// Arguments.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    build: BuildArguments,
    /// Only upstream's own way, which takes longer than all the rest; its figures are kept
    #[arg(long)]
    baseline: bool,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let terminal = Terminal::new(arguments.build.json);
    let options = arguments.selection.options()?;
    let name = format!("{}-{}", options.recipe.name(), options.target.name.file_stem());
    let (usual, usual_lock) = locked_store(&format!("bench {name}"), &terminal)?;
    let setup = arguments.build.setup;
    let build =
        arguments.build.options(&usual, default_dist(options.recipe.name(), &options.target.name.file_stem()))?;
    let work = Store::open(Some(&usual.root().join("bench").join(&name)))?;
    let work_lock = work.lock("bench", &mut |_| ())?;
    let found = block_on(&work, async || {
        let engine = engine(&work, &work_lock, setup, &terminal).await?;
        let bench = Bench {
            engine: &engine,
            usual: &usual,
            work: &work,
            options: &options,
            build: &build,
            progress: &terminal,
        };
        Ok(bench.baseline(usual_lock).await?)
    });
    terminal.finish();
    println!("{:?}", found?);
    Ok(())
}
