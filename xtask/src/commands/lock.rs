//! `cargo xtask lock`: pins the build root of a target, the node root of its clusters, or what its compile farms need.

use clap::Args;
use foundation::failure::{AnyFailure, Message};
use recipe::root_lock::LockKind;

use crate::arguments::{Selection, block_on, engine, locked_store};
use crate::terminal::Terminal;

/// The arguments of `cargo xtask lock`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Pin the node root of clusters in TARGET.cluster.lock, and leave the build root as it is: a new one would build everything anew
    #[arg(long)]
    cluster: bool,
    /// Pin what a compile farm needs beside the build root, and leave that as it is
    #[arg(long, conflicts_with = "cluster")]
    farm: bool,
    /// Lock the archive as of this time, such as 20260912T000000Z; the default is the archive as it is now
    #[arg(long, value_name = "TIME")]
    snapshot: Option<String>,
    /// Install and start a container engine where none answers
    #[arg(long)]
    setup: bool,
}

/// Makes a lock, writes it beside the recipe, and tells what it pins.
///
/// # Errors
/// `--offline` was given, Debian's archive cannot be had or trusted, or apt cannot solve the dependencies.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    if arguments.selection.subject.offline {
        let text =
            "what a lock pins is what the archive has, and --offline leaves it unasked: run it without --offline";
        return Err(Message::usage(text).into());
    }
    let terminal = Terminal::new(false);
    let options = arguments.selection.options()?;
    let kind = match (arguments.cluster, arguments.farm) {
        (true, _) => LockKind::NodeRoot,
        (_, true) => LockKind::Farm,
        _ => LockKind::BuildRoot,
    };
    let (store, held) = locked_store("lock", &terminal)?;
    let (path, lock) = block_on(&store, async || {
        let engine = engine(&store, &held, arguments.setup, &terminal).await?;
        Ok(pipeline::lock(&engine, &store, &options, kind, arguments.snapshot.as_deref(), &terminal).await?)
    })?;
    terminal.finish();
    let size: u64 = lock.packages.iter().map(|deb| deb.size).sum();
    println!(
        "{}: {} packages, {}, of {} at {}",
        path.display(),
        lock.packages.len(),
        foundation::bytes::ByteSize(size),
        lock.suite,
        lock.snapshot
    );
    Ok(())
}
