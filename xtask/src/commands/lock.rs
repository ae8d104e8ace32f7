//! `cargo xtask lock`: pins the build root of a target, the node root of its clusters, or what its compile farms need.

use std::path::PathBuf;

use clap::Args;
use foundation::bytes::ByteSize;
use foundation::failure::{AnyFailure, Message};
use recipe::root_lock::LockKind;
use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::{Selection, Selections, block_on, engine, locked_store};
use crate::targets;
use crate::terminal::{Terminal, print_json};

/// The arguments of `cargo xtask lock`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selections,
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
    /// Print facts as JSON, one a line, on standard output
    #[arg(long)]
    json: bool,
}

/// What was locked.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Locked {
    /// The lock's file.
    lock: PathBuf,
    /// How many packages it pins.
    packages: usize,
    /// Their size together, in bytes.
    bytes: u64,
    /// The suite of Debian's archive, such as `bookworm`.
    suite: String,
    /// The time stamp in the permanent archive, such as `20260912T120000Z`.
    snapshot: String,
}

/// Makes a lock, writes it beside the recipe, and tells what it pins.
///
/// # Errors
/// `--offline` was given, Debian's archive cannot be had or trusted, or apt cannot solve the dependencies.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    if arguments.selection.common.offline {
        let text =
            "what a lock pins is what the archive has, and --offline leaves it unasked: run it without --offline";
        return Err(Message::usage(text).into());
    }
    targets::each(&arguments.selection, arguments.json, |selection| one(&arguments, selection))
}

/// Pins a target; returns the lock's path.
fn one(arguments: &Arguments, selection: &Selection) -> Result<PathBuf, AnyFailure> {
    let terminal = Terminal::new(arguments.json);
    let options = selection.options()?;
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
    let locked = Locked {
        packages: lock.packages.len(),
        bytes: lock.packages.iter().map(|deb| deb.size).sum(),
        suite: lock.suite,
        snapshot: lock.snapshot,
        lock: path,
    };
    if arguments.json {
        print_json(&locked);
    } else {
        let Locked { lock, packages, bytes, suite, snapshot } = &locked;
        println!("{}: {packages} packages, {}, of {suite} at {snapshot}", lock.display(), ByteSize(*bytes));
    }
    Ok(locked.lock)
}
