//! `cargo xtask challenge`: whether others got from the same inputs what this machine got.

use std::path::PathBuf;

use clap::Args;
use foundation::failure::{AnyFailure, Message};
use pipeline::challenge::{Challenged, challenge};
use results::compare::Verdict;

use crate::arguments::{locked_store, repository};
use crate::others::OtherArguments;
use crate::terminal::{Terminal, print_json};

/// The arguments of `cargo xtask challenge`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    others: OtherArguments,
    /// Folder for what differs and diffoscope's reports on it; the default is dist/challenge
    #[arg(long, value_name = "FOLDER")]
    results: Option<PathBuf>,
    /// Print facts as JSON, one a line, on standard output
    #[arg(long)]
    json: bool,
}

/// Compares everything in the store that is the same for every builder with what others state.
///
/// # Errors
/// No place or key ring is named, a result cannot be read; or something differs, which is an answer with an exit code of its own.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(arguments.json);
    let (store, _lock) = locked_store("challenge", &terminal)?;
    let missing = || Message::usage("challenge compares with what others state: name the place with --from PLACE");
    let taker = arguments.others.taker(false)?.ok_or_else(missing)?;
    let results = arguments.results.unwrap_or_else(|| repository().join("dist/challenge"));
    let found = challenge(&store, &taker, &results, &terminal)?;
    terminal.finish();
    if arguments.json {
        print_json(&found);
    } else {
        print!("{}", text(&found));
    }
    if found.iter().any(|one| one.verdict == Verdict::Different) { Err(Message::differs().into()) } else { Ok(()) }
}

/// What was found, for people.
pub fn text(found: &[Challenged]) -> String {
    let mut text = String::new();
    for one in found {
        let verdict = match one.verdict {
            Verdict::Same => "same",
            Verdict::Different => "DIFFERENT",
            Verdict::OnlyHere => "only here",
            Verdict::OnlyThere => "only there",
        };
        text += &format!("{verdict:10}  {:8}  {:.12}\n", one.stage, one.inputs);
        if one.verdict == Verdict::Different {
            if let Some(ours) = &one.ours {
                text += &format!("    {ours:.12}  this machine\n");
            }
            for by in &one.theirs {
                text += &format!("    {:.12}  {} ({}) at {}\n", by.content, by.user_id, by.key, by.place);
            }
            for difference in &one.differences {
                text += &format!("    {} {}\n", difference.path, difference.what);
            }
        }
    }
    let count = |verdict| found.iter().filter(|one| one.verdict == verdict).count();
    text + &format!(
        "{} the same, {} different, {} only here, {} only there\n",
        count(Verdict::Same),
        count(Verdict::Different),
        count(Verdict::OnlyHere),
        count(Verdict::OnlyThere)
    )
}
