//! `cargo xtask docs`: writes the pages and schemas that follow from the code.

use clap::{Args, CommandFactory};
use foundation::failure::AnyFailure;

use crate::arguments::repository;
use crate::{Cli, reference};

/// The arguments of `cargo xtask docs`: none.
#[derive(Args)]
pub struct Arguments {}

/// Writes the pages and schemas that are not current, and tells which.
///
/// # Errors
/// A file cannot be written.
pub fn run(_: Arguments) -> Result<(), AnyFailure> {
    let written = reference::write(&repository(), &Cli::command())?;
    for path in &written {
        println!("wrote {}", path.display());
    }
    if written.is_empty() {
        println!("nothing to do: what is in docs is what the code says");
    }
    Ok(())
}
