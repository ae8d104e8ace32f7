//! `cargo xtask fetch`: everything that needs the network, ahead of the build.

use clap::Args;
use containers::pipeline;
use packaging::root_lock::RootKind;

use crate::arguments::{Selection, locked_store};
use crate::terminal::Terminal;

/// Arguments.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let terminal = Terminal::new(false);
    let options = arguments.selection.options()?;
    let (store, _lock) = locked_store("fetch", &terminal)?;
    // The packages first: they can be had even where upstream cannot be reached.
    let lock = options.lock(RootKind::Build)?;
    let debs = pipeline::fetch_debs(&store, &options, &lock, &terminal)?;
    let inputs = pipeline::gather(&store, &options, &terminal)?;
    terminal.finish();
    let size: u64 = debs.iter().map(|(deb, _)| deb.size).sum();
    println!(
        "{} Debian packages ({}) and the source {} are in {}",
        debs.len(),
        packaging::bytes::ByteSize(size),
        inputs.source.digest.short(),
        store.root().display()
    );
    Ok(())
}
