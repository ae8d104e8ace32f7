//! `cargo xtask`: the command line. What the commands do is in the crates `packaging` and
//! `containers`; here are arguments, progress and exit codes.
//!
//! Exit codes: 0 done, 1 failed, 2 usage, 3 a verification failed (digest, signature, rebuild
//! differs), 4 no container engine, 130 interrupted.

#![deny(clippy::print_stdout, clippy::print_stderr)]

// First: what it defines holds in everything below.
#[macro_use]
mod say;

mod arguments;
mod commands;
mod defaults;
mod guard;
mod manner;
mod reference;
mod signals;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fetch::debian::DebianError;
use fetch::download::DownloadError;
use fetch::source::SourceError;
use foundation::store::StoreError;
use repository::RepositoryError;
use statements::rebuild::RebuildError;
use statements::verify::VerifyError;

/// Builds Apache Mesos in hermetic containers and packages it for Debian.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    manner: manner::Manner,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build, package and sign: the main job
    Package(commands::package::Arguments),
    /// Run upstream's tests on the objects that are packaged
    Check(commands::check::Arguments),
    /// Measure how fast it is, against upstream's own way
    Bench(commands::bench::Arguments),
    /// Print the plan as JSON, with its digest, without building
    Plan(commands::plan::Arguments),
    /// Download sources and Debian packages into the cache; afterwards no network is needed
    Fetch(commands::fetch::Arguments),
    /// Pin the build root, with --cluster the nodes of a cluster, with --farm what a compile farm needs: write the target's lock
    Lock(commands::lock::Arguments),
    /// A cluster of the packages in containers with systemd: up, status, exec, logs, test, down
    #[command(subcommand)]
    Cluster(commands::cluster::Command),
    /// Check a folder of packages offline: digests, signatures, and what the tests said
    Verify(commands::verify::Arguments),
    /// Build again what was published, under other circumstances, and compare
    Rebuild(commands::rebuild::Arguments),
    /// A signed apt repository of packages: init, publish, refresh, rollback, rotate-key, verify and more
    #[command(subcommand)]
    Repo(commands::repo::Command),
    /// A release step by step, as the pipelines in ci/ do it: plan, fetch, package, rebuild, publish, verify
    Release(commands::release::Arguments),
    /// Compile for other machines' builds, as a worker of a compile farm, until Ctrl-C
    Worker(commands::worker::Arguments),
    /// Run the project's whole test suite
    Test(commands::test::Arguments),
    /// Say what was found on this machine and what is missing
    Doctor(commands::doctor::Arguments),
    /// Remove build roots, volumes and stage results that this tool made
    Clean(commands::clean::Arguments),
    /// Print what a shell needs to complete commands and options
    Completions(commands::completions::Arguments),
    /// Write the command line as man pages
    Man(commands::man::Arguments),
    /// Write the parts of the book's reference, and the schemas for editors, that follow from the code
    Docs(commands::docs::Arguments),
    /// Wait for the end of the process that started this one, and remove what it has in the engine
    #[command(hide = true, name = guard::COMMAND)]
    Guard(guard::Arguments),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help, the version, or a usage error.
        Err(told) => {
            say::record(told.print());
            return ended(Ok(u8::try_from(told.exit_code()).unwrap_or(2)));
        }
    };
    cli.manner.adopt();
    ended(run(cli.command))
}

/// Runs a command; returns the exit code.
fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Package(arguments) => commands::package::run(arguments).map(|()| 0),
        Command::Check(arguments) => commands::check::run(arguments).map(|()| 0),
        Command::Bench(arguments) => commands::bench::run(arguments).map(|()| 0),
        Command::Plan(arguments) => commands::plan::run(arguments).map(|()| 0),
        Command::Fetch(arguments) => commands::fetch::run(arguments).map(|()| 0),
        Command::Lock(arguments) => commands::lock::run(arguments).map(|()| 0),
        Command::Cluster(command) => commands::cluster::run(command),
        Command::Verify(arguments) => commands::verify::run(arguments).map(|()| 0),
        Command::Rebuild(arguments) => commands::rebuild::run(arguments).map(|()| 0),
        Command::Repo(command) => commands::repo::run(command).map(|()| 0),
        Command::Release(arguments) => commands::release::run(arguments),
        Command::Worker(arguments) => commands::worker::run(arguments).map(|()| 0),
        Command::Test(arguments) => commands::test::run(arguments).map(|()| 0),
        Command::Doctor(arguments) => commands::doctor::run(arguments).map(|()| 0),
        Command::Clean(arguments) => commands::clean::run(arguments).map(|()| 0),
        Command::Completions(arguments) => commands::completions::run(arguments).map(|()| 0),
        Command::Man(arguments) => commands::man::run(arguments).map(|()| 0),
        Command::Docs(arguments) => commands::docs::run(arguments).map(|()| 0),
        Command::Guard(arguments) => guard::run(arguments).map(|()| 0),
    }
}

/// The exit code, which says as well whether everything could be printed.
fn ended(result: anyhow::Result<u8>) -> ExitCode {
    match (result, say::failure()) {
        (Ok(0), Some(error)) => {
            failed(&anyhow::Error::new(error).context("everything was done, but what it says could not be printed"))
        }
        (Ok(code), _) => ExitCode::from(code),
        (Err(error), _) => failed(&error),
    }
}

/// Says why, and which exit code says so.
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(exit_code(error))
}

/// The code of the first cause that has one of its own.
fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<pipeline::Error>() {
            return error.exit_code();
        }
        if let Some(error) = cause.downcast_ref::<cluster::Error>() {
            return error.exit_code();
        }
        let verification = cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_verification)
            || cause.downcast_ref::<DownloadError>().is_some_and(DownloadError::is_verification)
            || cause.downcast_ref::<DebianError>().is_some_and(DebianError::is_verification)
            || cause.downcast_ref::<SourceError>().is_some_and(SourceError::is_verification)
            || cause.downcast_ref::<RebuildError>().is_some_and(RebuildError::is_verification)
            || cause.downcast_ref::<RepositoryError>().is_some_and(RepositoryError::is_verification)
            || cause.downcast_ref::<VerifyError>().is_some_and(VerifyError::is_verification);
        if verification {
            return 3;
        }
        if let Some(engine::Error::NoEngine { .. }) = cause.downcast_ref() {
            return 4;
        }
        if let Some(arguments::Usage(_)) = cause.downcast_ref() {
            return 2;
        }
    }
    1
}
