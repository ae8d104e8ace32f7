//! `cargo xtask fetch`: everything that needs the network, ahead of the build.

use clap::Args;
use foundation::failure::AnyFailure;
use recipe::root_lock::LockKind;

use crate::arguments::{Selection, locked_store};
use crate::terminal::Terminal;

/// The arguments of `cargo xtask fetch`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Also the packages of the node root, which the nodes of a cluster are copies of
    #[arg(long)]
    cluster: bool,
    /// Also what a compile farm needs
    #[arg(long)]
    farm: bool,
}

/// Downloads packages and source into the cache.
///
/// # Errors
/// There is no lock, something cannot be downloaded, or it is not what is pinned.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(false);
    let options = arguments.selection.options()?;
    let (store, _lock) = locked_store("fetch", &terminal)?;
    // The packages first: they can be had even where upstream cannot be reached.
    let kinds = [
        Some(LockKind::BuildRoot),
        arguments.cluster.then_some(LockKind::NodeRoot),
        arguments.farm.then_some(LockKind::Farm),
    ];
    let mut debs = Vec::new();
    for kind in kinds.into_iter().flatten() {
        debs.extend(pipeline::fetch_debs(&store, &options, &options.lock(kind)?, &terminal)?);
    }
    // Most of what a node has is in the build root as well.
    debs.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    debs.dedup_by(|(a, _), (b, _)| a.path == b.path);
    let inputs = pipeline::gather(&store, &options, &terminal)?;
    terminal.finish();
    let size: u64 = debs.iter().map(|(deb, _)| deb.size).sum();
    println!(
        "{} Debian packages ({}) and the source {} are in {}",
        debs.len(),
        foundation::bytes::ByteSize(size),
        inputs.source().digest.short(),
        store.root().display()
    );
    Ok(())
}
