//! `cargo xtask explain`: why stages are run again.

use clap::Args;
use foundation::failure::AnyFailure;
use pipeline::explain::{self, Change, Explained, Explanation, Kind, Why};

use crate::arguments::{Selection, locked_store};
use crate::terminal::{Terminal, print_json};

/// Values that are longer do not stand on one line.
const SHORT: usize = 40;

/// The arguments of `cargo xtask explain`.
#[derive(Args)]
pub struct Arguments {
    /// Only this stage: a phase, packages or check [default: all that lead to the packages]
    #[arg(value_name = "PHASE")]
    phase: Option<String>,
    #[command(flatten)]
    selection: Selection,
    /// Print it as JSON on one line
    #[arg(long)]
    json: bool,
}

/// Tells why stages are run again.
///
/// # Errors
/// An input cannot be read, or there is no such stage.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(arguments.json);
    let options = arguments.selection.options()?;
    let (store, _lock) = locked_store("explain", &terminal)?;
    let inputs = pipeline::gather(&store, &options, &terminal)?;
    let explanation = explain::explain(&store, &inputs, arguments.phase.as_deref())?;
    terminal.finish();
    if arguments.json {
        print_json(&explanation);
    } else {
        print!("{}", text(&explanation));
    }
    Ok(())
}

/// What the next run does, for people.
pub fn text(explanation: &Explanation) -> String {
    let Explanation { recipe, target, stages } = explanation;
    let of = format!("{recipe} for {target}");
    let all = match &stages[..] {
        [only] => only.stage.as_str(),
        _ => "every stage",
    };
    if explanation.is_kept() {
        return format!("{of}: nothing has changed, {all} is kept\n");
    }
    if explanation.is_new() {
        return format!("{of} has never been built here: {all} runs\n");
    }
    let width = stages.iter().map(|stage| stage.stage.len()).max().unwrap_or(0);
    let mut text = format!("{of}\n");
    for stage in stages {
        text += &format!("{:width$}  {}\n", stage.stage, why(stage));
        text.extend(stage.changes.iter().map(|change| format!("    {}\n", worded(change))));
    }
    text
}

fn why(stage: &Explained) -> String {
    match (stage.why, &stage.because_of) {
        (Why::Kept, _) => "kept".into(),
        (Why::Changed, _) if stage.changes.len() == 1 => "runs again: 1 input is another than the last time".into(),
        (Why::Changed, _) => format!("runs again: {} inputs are others than the last time", stage.changes.len()),
        (Why::Follows, Some(before)) => format!("runs again because of {before}"),
        (Why::Follows, None) => "runs again because of what is before it".into(),
        (Why::New, _) => "runs: it never has before".into(),
        (Why::Failed, _) => {
            "runs again: it failed the last time, and nothing that it is made from has changed since".into()
        }
        (Why::Gone, _) => "runs again: nothing has changed, but its result is gone from the cache".into(),
    }
}

fn worded(change: &Change) -> String {
    let Change { kind, name, old, new } = change;
    let is_text = matches!(kind, Kind::Variable | Kind::Target | Kind::Plan);
    let kind = match kind {
        Kind::File => "file",
        Kind::Package => "package",
        Kind::Source => "source",
        Kind::Variable => "variable",
        Kind::Target => "target",
        Kind::Tool => "tool",
        Kind::Plan => "plan",
        Kind::Stage => "stage",
    };
    let readable = |text: &str| text.len() <= SHORT && !text.is_empty();
    let what = match (old, new) {
        (None, _) => format!("{name} is new"),
        (_, None) => format!("{name} is gone"),
        (Some(old), Some(new)) if readable(old) && readable(new) => format!("{name} {old} -> {new}"),
        // Flags are long, and what they are is what somebody wants to know.
        (Some(old), Some(new)) if is_text => format!("{name}\n      was   {old}\n      is    {new}"),
        _ => format!("{name} is another"),
    };
    format!("{kind:<8}  {what}")
}
