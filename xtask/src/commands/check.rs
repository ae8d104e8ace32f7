//! `cargo xtask check`: upstream's test suite on the objects that are packaged.

use std::path::PathBuf;

use clap::Args;
use foundation::bytes::ByteSize;
use foundation::failure::{AnyFailure, Kind, Message};
use pipeline::check::{self, CheckOptions};
use pipeline::{BuildOptions, Job};
use results::Taken;
use serde::Serialize;
use statements::check::summary::ShardFigures;
use statements::check::verdict::{Judgement, Verdict};

use crate::arguments::{Selection, Selections, block_on, locked_store};
use crate::commands::package::BuildArguments;
use crate::targets;
use crate::terminal::{Terminal, duration, print_json};

/// The arguments of `cargo xtask check`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selections,
    #[command(flatten)]
    build: BuildArguments,
    /// Only these tests, in googletest's syntax, such as 'Master*:Slave*-*Recover*'
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Run the tests that need root as well, with the capabilities that the recipe gives them
    #[arg(long)]
    root: bool,
    /// As upstream's make check does: each program as a whole, one after the other
    #[arg(long, conflicts_with = "at_once")]
    serial: bool,
    /// Run what was judged before once more, here, also where others judged it
    #[arg(long)]
    again: bool,
    /// Shards at once; the default follows from memory, processors and the recipe
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    at_once: Option<u32>,
    /// Folder for the results; of several targets each has its own in it. The default is dist/check/RELEASE-ARCH
    #[arg(long, value_name = "FOLDER")]
    results: Option<PathBuf>,
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    judgement: &'a Judgement,
    /// From whom the verdict was taken; empty where the tests ran here.
    taken: &'a [Taken],
}

/// Runs upstream's tests, and writes and tells what they found.
///
/// # Errors
/// The tests cannot be run, results cannot be written, or a test fails that the quarantine does not excuse.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    targets::each(&arguments.selection, arguments.build.json, |selection| one(&arguments, selection))
}

/// Runs the tests of a target; returns where the results are.
fn one(arguments: &Arguments, selection: &Selection) -> Result<PathBuf, AnyFailure> {
    let terminal = Terminal::new(arguments.build.json);
    let options = selection.options()?;
    let what = format!("check {} for {}", options.recipe.handle(), options.target.name);
    let (store, lock) = locked_store(&what, &terminal)?;
    let json = arguments.build.json;
    let build: BuildOptions = arguments.build.clone().options(&store, &arguments.selection, &options)?;
    let asked = CheckOptions {
        filter: arguments.filter.clone(),
        root: arguments.root,
        serial: arguments.serial,
        again: arguments.again,
        at_once: arguments.at_once,
    };
    let results = match &arguments.results {
        Some(results) => arguments.selection.share(results, &options.target.name),
        None => check::results_beside(&build.dist),
    };
    let job = Job { store: &store, options: &options, build: &build, progress: &terminal };
    let checked = block_on(&store, async || {
        let promised = arguments.build.promised(&store, &lock, &terminal).await?;
        let find = async || arguments.build.engine(promised, &build, &store, &lock, &terminal).await;
        Ok(check::check(find, job, &asked).await?)
    });
    terminal.finish();
    let checked = checked?;
    check::write_folder(&checked, &results)?;
    // Of the whole suite only: a part of it says nothing about the packages.
    let whole = asked.is_whole();
    let attested = if whole { job.attest(&checked)? } else { None };
    if json {
        print_json(&Answer { judgement: &checked.judgement, taken: checked.taken.as_slice() });
    } else {
        print!(
            "{}",
            std::fs::read_to_string(results.join("summary.txt")).map_err(Message::of("cannot read the summary"))?
        );
        // The summary has said where they ran, if not here.
        if checked.taken.is_none() {
            print!("{}", conclusion(&checked.shards, checked.judged_before, checked.seconds));
        }
        println!("results in {}", results.display());
        match attested {
            Some(dist) => println!("statement on the packages in {}", dist.display()),
            None if whole => println!(
                "no packages of this build in {}: package --check makes and attests them",
                build.dist.display()
            ),
            None => {}
        }
    }
    if !checked.judgement.sound() {
        let counts = checked.judgement.counts();
        let sentence = format!(
            "{} tests failed, {} timed out, {} entries of quarantine.toml have expired",
            counts[&Verdict::Failed],
            counts[&Verdict::TimedOut],
            checked.judgement.expired.len(),
        );
        let next = format!("their logs are in {}", results.join("logs").display());
        return Err(Message::new(sentence, Kind::Failed.next(next)).into());
    }
    Ok(results)
}

/// What the run took, for people.
pub fn conclusion(shards: &[ShardFigures], judged_before: usize, seconds: f64) -> String {
    let peak = shards.iter().map(|shard| shard.peak_memory).max().unwrap_or(0);
    let mut text = format!("\ntests ran for {}, largest shard {}\n", duration(seconds), ByteSize(peak));
    if judged_before > 0 {
        text += &format!(
            "{} of {} shards were judged by an earlier run; --again runs them once more\n",
            judged_before,
            shards.len()
        );
    }
    text
}
