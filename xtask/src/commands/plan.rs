//! `cargo xtask plan`: what would be built, as data.

use clap::Args;
use foundation::failure::AnyFailure;

use crate::arguments::{Selection, locked_store};
use crate::terminal::Terminal;

/// The arguments of `cargo xtask plan`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Print nothing but the plan digest
    #[arg(long)]
    digest: bool,
}

/// Prints the plan as JSON, or its digest.
///
/// # Errors
/// An input cannot be read, is not what it should be, or cannot be downloaded.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(false);
    let options = arguments.selection.options()?;
    let (store, _lock) = locked_store("plan", &terminal)?;
    let inputs = pipeline::gather(&store, &options, &terminal)?;
    terminal.finish();
    let digest = inputs.plan().digest();
    if arguments.digest {
        println!("{digest}");
    } else {
        let value = serde_json::json!({ "plan-digest": digest, "plan": inputs.plan() });
        println!("{}", serde_json::to_string_pretty(&value).expect("plain data"));
    }
    Ok(())
}
