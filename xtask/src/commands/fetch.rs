//! `cargo xtask fetch`: everything that needs the network, ahead of the build.

use std::path::PathBuf;

use clap::Args;
use foundation::bytes::ByteSize;
use foundation::digest::Digest;
use foundation::failure::AnyFailure;
use pipeline::share;
use recipe::root_lock::LockKind;
use results::Taken;
use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::{Selection, locked_store};
use crate::commands::package;
use crate::others::OtherArguments;
use crate::terminal::{Terminal, print_json};

/// The arguments of `cargo xtask fetch`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Also the packages of the node root, which the nodes of a cluster are copies of, and what its frameworks need
    #[arg(long)]
    cluster: bool,
    /// Also the packages of a cluster's virtual machines
    #[arg(long)]
    vm: bool,
    /// Also what a compile farm needs
    #[arg(long)]
    farm: bool,
    #[command(flatten)]
    others: OtherArguments,
    /// Print facts as JSON, one a line, on standard output
    #[arg(long)]
    json: bool,
}

/// What is in the cache now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Fetched {
    /// How many Debian packages.
    packages: usize,
    /// Their size together, in bytes.
    bytes: u64,
    /// The files that no package has, which frameworks of a cluster need, with --cluster.
    files: Vec<String>,
    /// Digest of the source tree.
    source: Digest,
    /// The cache's folder.
    cache: PathBuf,
    /// What others made of the plan, with --from.
    taken: Vec<Taken>,
}

/// Downloads packages and source into the cache.
///
/// # Errors
/// There is no lock, something cannot be downloaded, or it is not what is pinned.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(arguments.json);
    let options = arguments.selection.options()?;
    let others = arguments.others.asked(false, options.network)?;
    let (store, _lock) = locked_store("fetch", &terminal)?;
    // The packages first: they can be had even where upstream cannot be reached.
    let kinds = [
        Some(LockKind::BuildRoot),
        arguments.cluster.then_some(LockKind::NodeRoot),
        arguments.vm.then_some(LockKind::Machine),
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
    // Last: a cluster can be tried without them.
    let cluster = arguments.cluster.then(|| pipeline::fetch_cluster_files(&store, &options, &terminal)).transpose()?;
    let files: Vec<_> = cluster.unwrap_or_default();
    let taken = share::fetch(&store, &others, &inputs, &terminal)?;
    terminal.finish();
    let fetched = Fetched {
        packages: debs.len(),
        bytes: debs.iter().map(|(deb, _)| deb.size).sum(),
        files: files.iter().map(|file| file.name().to_owned()).collect(),
        source: inputs.source().digest,
        cache: store.root().to_owned(),
        taken,
    };
    if arguments.json {
        print_json(&fetched);
    } else {
        let Fetched { packages, bytes, files, source, cache, taken } = fetched;
        let (size, source) = (ByteSize(bytes), source.short());
        println!("{packages} Debian packages ({size}) and the source {source} are in {}", cache.display());
        for file in files {
            println!("{file} is there as well");
        }
        print!("{}", package::taken(&taken));
    }
    Ok(())
}
