//! `cargo xtask lock`: pins the build root of a target, the node root of its clusters, their virtual machines, or what its compile farms need.

use std::path::PathBuf;

use clap::Args;
use fetch::debian::changes::Change;
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
    /// Pin the root of a cluster's virtual machines, with its kernel, in TARGET.vm.lock, and leave the others as they are
    #[arg(long, conflicts_with_all = ["cluster", "farm"])]
    vm: bool,
    /// Pin what a compile farm needs beside the build root, and leave that as it is
    #[arg(long, conflicts_with = "cluster")]
    farm: bool,
    /// Lock the archive as of this time, such as 20260912T000000Z; the default is the archive as it is now
    #[arg(long, value_name = "TIME")]
    snapshot: Option<String>,
    /// Renew a lock that there is, and say which packages changed; where none did, the lock stays as it is
    #[arg(long)]
    upgrade: bool,
    /// Say as well which vulnerabilities the new versions close: the file with the data of Debian's security tracker
    /// (https://security-tracker.debian.org/tracker/data/json)
    #[arg(long, value_name = "FILE", requires = "upgrade")]
    tracker: Option<PathBuf>,
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
    /// With `--upgrade` the packages that changed; null without it.
    changes: Option<Vec<Change>>,
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
    let kind = match arguments {
        Arguments { cluster: true, .. } => LockKind::NodeRoot,
        Arguments { vm: true, .. } => LockKind::Machine,
        Arguments { farm: true, .. } => LockKind::Farm,
        _ => LockKind::BuildRoot,
    };
    let (store, held) = locked_store("lock", &terminal)?;
    let (path, lock, changes) = block_on(&store, async || {
        let engine = engine(&store, &held, arguments.setup, &terminal).await?;
        let snapshot = arguments.snapshot.as_deref();
        if arguments.upgrade {
            let from = (snapshot, arguments.tracker.as_deref());
            let renewed = pipeline::upgrade(&engine, &store, &options, kind, from, &terminal).await?;
            return Ok((renewed.0, renewed.1, Some(renewed.2)));
        }
        let (path, lock) = pipeline::lock(&engine, &store, &options, kind, snapshot, &terminal).await?;
        Ok((path, lock, None))
    })?;
    terminal.finish();
    let locked = Locked {
        packages: lock.packages.len(),
        bytes: lock.packages.iter().map(|deb| deb.size).sum(),
        suite: lock.suite,
        snapshot: lock.snapshot,
        lock: path,
        changes,
    };
    if arguments.json {
        print_json(&locked);
    } else {
        let Locked { lock, packages, bytes, suite, snapshot, changes } = &locked;
        if let Some(changes) = changes {
            print!("{}", table(changes));
        }
        println!("{}: {packages} packages, {}, of {suite} at {snapshot}", lock.display(), ByteSize(*bytes));
    }
    Ok(locked.lock)
}

/// Changes for people: a line for each package, and how many there are.
pub fn table(changes: &[Change]) -> String {
    let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "-".into());
    let rows: Vec<[String; 3]> = changes
        .iter()
        .map(|change| {
            let Change { package, old, new, suite, .. } = change;
            let from = suite.clone().unwrap_or_else(|| "gone".into());
            [package.clone(), format!("{} -> {}", version(old), version(new)), from]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (names, versions) = (width(0), width(1));
    let mut text = String::new();
    for (change, [name, version, from]) in changes.iter().zip(&rows) {
        let mut line = format!("  {name:<names$}  {version:<versions$}  {from}");
        if !change.closes.is_empty() {
            line += &format!(", closes {}", change.closes.join(", "));
        }
        text += &(line + "\n");
    }
    text + &summary(changes) + "\n"
}

/// How many changes there are.
fn summary(changes: &[Change]) -> String {
    let count = |test: &dyn Fn(&Change) -> bool| changes.iter().filter(|change| test(change)).count();
    let updated = count(&|change| change.old.is_some() && change.new.is_some());
    let security = count(&|change| change.security && change.old.is_some());
    let (added, removed) = (count(&|change| change.old.is_none()), count(&|change| change.new.is_none()));
    let closed: std::collections::BTreeSet<&String> = changes.iter().flat_map(|change| &change.closes).collect();
    let mut text = match changes.len() {
        0 => return "no package changed".into(),
        _ => format!(
            "{updated} of another version, {security} of them from security suites; {added} added, {removed} gone"
        ),
    };
    if !closed.is_empty() {
        text += &format!("; {} vulnerabilities closed", closed.len());
    }
    text
}
