//! `cargo xtask man`: the command line as man pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use foundation::failure::{AnyFailure, Message};

use crate::Cli;

/// The arguments of `cargo xtask man`.
#[derive(Args)]
pub struct Arguments {
    /// Folder for the pages, such as ~/.local/share/man/man1; `man cargo-xtask` finds them there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Writes the man pages into the folder.
///
/// # Errors
/// The folder cannot be made or written.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let folder = &arguments.folder;
    // As cargo's own commands have their pages: `cargo-xtask-package(1)`.
    let command = Cli::command().name("cargo-xtask").bin_name("cargo xtask");
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .map_err(Message::of(format!("cannot write the man pages into {}", folder.display())))?;
    println!("wrote the man pages into {}: `man -l {}/cargo-xtask.1`", folder.display(), folder.display());
    Ok(())
}
