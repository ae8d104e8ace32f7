//! `cargo xtask plan`: what would be built, as data.

use clap::Args;
use foundation::failure::AnyFailure;

use crate::arguments::{Selections, locked_store};
use crate::terminal::Terminal;

/// The arguments of `cargo xtask plan`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selections,
    /// Print nothing but the plan digest; of several targets each on a line, with the target after it
    #[arg(long)]
    digest: bool,
}

/// Prints the plan as JSON, or its digest.
///
/// # Errors
/// An input cannot be read, is not what it should be, or cannot be downloaded.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(false);
    let (store, _lock) = locked_store("plan", &terminal)?;
    let selections = arguments.selection.each();
    for selection in &selections {
        let inputs = pipeline::gather(&store, &selection.options()?, &terminal)?;
        terminal.finish();
        let digest = inputs.plan().digest();
        if !arguments.digest {
            let value = serde_json::json!({ "plan-digest": digest, "plan": inputs.plan() });
            println!("{}", serde_json::to_string_pretty(&value).expect("plain data"));
        } else if selections.len() == 1 {
            println!("{digest}");
        } else {
            println!("{digest}  {}", selection.subject.target);
        }
    }
    Ok(())
}
