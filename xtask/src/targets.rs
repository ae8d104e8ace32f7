//! A command for several targets: one after the other, and what became of each at the end, whatever became of the others.

use std::path::PathBuf;
use std::time::Instant;

use foundation::failure::{AnyFailure, Kind, Message};
use foundation::progress::Progress;
use recipe::target::TargetName;
use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::{Selection, Selections};
use crate::terminal::{Terminal, duration, print_json};

/// What became of one of several targets. The last line of `--json` is a list of these; before it stands what was made for each.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Ended {
    /// The target.
    pub target: TargetName,
    /// The exit code that it would have had alone: 0 where everything is done.
    pub exit_code: u8,
    /// What was said of its failure, and what to do next; null where there was none.
    pub error: Option<String>,
    /// Where its results are; null where it failed.
    pub place: Option<PathBuf>,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Does something for each target, and tells of several what became of each.
///
/// # Errors
/// It failed for one of them; of several failures, the worst decides the exit code.
pub fn each(
    selections: &Selections,
    json: bool,
    mut run: impl FnMut(&Selection) -> Result<PathBuf, AnyFailure>,
) -> Result<(), AnyFailure> {
    let selections = selections.each();
    if let [only] = &selections[..] {
        return run(only).map(drop);
    }
    let mut all = Vec::new();
    let mut kinds = Vec::new();
    for (nth, selection) in selections.iter().enumerate() {
        let target = &selection.subject.target;
        Terminal::new(json).note(format!("target {target}, {} of {}", nth + 1, selections.len()));
        let started = Instant::now();
        let result = run(selection);
        let mut ended = Ended {
            target: target.clone(),
            exit_code: 0,
            error: None,
            place: None,
            seconds: started.elapsed().as_secs_f64(),
        };
        match result {
            Ok(place) => ended.place = Some(place),
            Err(failure) => {
                ended.exit_code = failure.kind().exit_code();
                ended.error = failure.report().map(|text| text.trim_end().to_owned());
                // Now, and not only when the others are done.
                ended.error.iter().for_each(|text| eprintln!("{text}"));
                kinds.push(failure.kind());
            }
        }
        all.push(ended);
    }
    if json {
        print_json(&all);
    } else {
        print!("{}", table(&all));
    }
    match Kind::worst(kinds.iter().copied()) {
        None => Ok(()),
        Some(worst) => {
            let sentence = format!("{} of {} targets failed", kinds.len(), all.len());
            let next = "what to do about each is said above; the same command goes on where they stopped";
            Err(Message::new(sentence, worst.next(next)).into())
        }
    }
}

/// What became of each, for people.
pub fn table(all: &[Ended]) -> String {
    let width = all.iter().map(|one| one.target.to_string().len()).max().unwrap_or(0).max("target".len());
    let mut text = format!("\n{:<width$}  {:>12}  result\n", "target", "time");
    for Ended { target, exit_code, place, seconds, .. } in all {
        let result = match place {
            Some(place) => place.display().to_string(),
            None => format!("FAILED, exit code {exit_code}"),
        };
        text += &format!("{:<width$}  {:>12}  {result}\n", target.to_string(), duration(*seconds));
    }
    text
}
