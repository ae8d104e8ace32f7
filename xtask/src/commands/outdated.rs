//! `cargo xtask outdated`: which locks are behind the archive.

use std::path::PathBuf;

use clap::Args;
use foundation::failure::{AnyFailure, Kind, Message};
use pipeline::{Lag, TargetLag};
use recipe::target::{Target, TargetName};

use crate::arguments::{Common, Subject, locked_store, repository};
use crate::commands::lock::table;
use crate::terminal::{Terminal, print_json};

/// The arguments of `cargo xtask outdated`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Only this target, a distribution release and architecture; may be given more than once [default: every target that
    /// the recipe is locked for]
    #[arg(long, value_name = "RELEASE/ARCH")]
    target: Vec<TargetName>,
    /// Say as well which vulnerabilities the newer versions close: the file with the data of Debian's security tracker
    /// (https://security-tracker.debian.org/tracker/data/json)
    #[arg(long, value_name = "FILE")]
    tracker: Option<PathBuf>,
    /// Print it as JSON on one line
    #[arg(long)]
    json: bool,
}

/// Compares locks with the archives as they are now, and tells what is newer there.
///
/// # Errors
/// A lock is behind, which is an answer with an exit code of its own; or one cannot be used, or an archive cannot be had or
/// trusted, which outweighs it.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    if arguments.common.offline {
        let text = "what is newer is what the archive has, and --offline leaves it unasked: run it without --offline";
        return Err(Message::usage(text).into());
    }
    let terminal = Terminal::new(arguments.json);
    let (store, _held) = locked_store("outdated", &terminal)?;
    let (targets, named) = match arguments.target.is_empty() {
        true => (Target::names(&repository().join("containers/targets"))?, false),
        false => (arguments.target.clone(), true),
    };
    let (mut told, mut kinds) = (Vec::new(), Vec::new());
    for target in targets {
        let subject = Subject { common: arguments.common.clone(), target: target.clone() };
        let found = subject
            .options()
            .and_then(|options| Ok(pipeline::outdated(&store, &options, arguments.tracker.as_deref(), &terminal)?));
        match found {
            Ok(locks) if locks.is_empty() && !named => {}
            Ok(locks) => told.push(TargetLag { target, locks, error: None }),
            Err(failure) => {
                let text = failure.report().unwrap_or_default().trim_end().to_owned();
                eprintln!("{text}");
                told.push(TargetLag { target, locks: Vec::new(), error: Some(text) });
                kinds.push(failure.kind());
            }
        }
    }
    terminal.finish();
    if arguments.json {
        print_json(&told);
    } else {
        print!("{}", text(&told, &arguments.common.recipe));
    }
    if let Some(worst) = Kind::worst(kinds) {
        let text = "not every lock could be compared";
        return Err(Message::new(text, worst.next("what to do about it is said above")).into());
    }
    match told.iter().flat_map(|target| &target.locks).any(|lock| !lock.behind.is_empty()) {
        true => Err(Message::differs().into()),
        false => Ok(()),
    }
}

/// How far each lock is behind, for people.
pub fn text(all: &[TargetLag], recipe: &str) -> String {
    if all.is_empty() {
        return format!(
            "the recipe {recipe} is locked for no target yet: `cargo xtask lock --target TARGET --recipe {recipe}` does it for one\n"
        );
    }
    let mut text = String::new();
    for TargetLag { target, locks, error } in all {
        if locks.is_empty() && error.is_none() {
            text += &format!(
                "{target}: nobody has locked it yet: `cargo xtask lock --target {target} --recipe {recipe}` does\n"
            );
        }
        for Lag { of, packages, older, behind, .. } in locks {
            if !older.is_empty() {
                let suites = older.join(", ");
                text += &format!(
                    "{target}, {of}: the archive that answered is older than the lock ({suites}): ask another --mirror\n"
                );
            }
            text += &match behind.is_empty() {
                true => format!("{target}, {of}: all {packages} packages are those of the archive\n"),
                false => format!("{target}, {of} of {packages} packages:\n{}", table(behind)),
            };
        }
    }
    text
}
