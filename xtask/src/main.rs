//! `cargo xtask`: the command line. What the commands do is in the crates `packaging` and
//! `containers`; here are arguments, progress and exit codes.
//! Which exit code follows from which failure is said in [`foundation::failure`].

#![deny(clippy::print_stdout, clippy::print_stderr)]

// First: what it defines holds in everything below.
#[macro_use]
mod say;

mod arguments;
mod commands;
mod defaults;
mod guard;
mod itself;
mod manner;
mod others;
mod raw;
mod reference;
mod signals;
#[cfg(test)]
mod tables;
mod targets;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use foundation::address;
use foundation::failure::{AnyFailure, Message};

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
    /// Say why stages are run again: which of their inputs are others than the last time, and what is kept
    Explain(commands::explain::Arguments),
    /// Download sources and Debian packages into the cache; afterwards no network is needed
    Fetch(commands::fetch::Arguments),
    /// Pin the build root, with --cluster the node root of clusters, with --farm what a compile farm needs: write the target's lock
    Lock(commands::lock::Arguments),
    /// Say which locks are behind the archive, package by package, security updates marked; exit code 3 if any is
    Outdated(commands::outdated::Arguments),
    /// Make a new target, another release or architecture, like one that is there
    #[command(subcommand)]
    Target(commands::target::Command),
    /// A cluster of the packages in containers with systemd: up, status, exec, logs, test, down
    #[command(subcommand)]
    Cluster(commands::cluster::Command),
    /// Make a recipe of another version that inherits from one, and say what is left to do
    #[command(subcommand)]
    Recipe(commands::recipe::Command),
    /// Check a folder of packages offline: digests, signatures, and what the tests said
    Verify(commands::verify::Arguments),
    /// Say what takes space in each package: what is downloaded and installed, by folder, and the largest files
    Size(commands::size::Arguments),
    /// Say what differs between two folders of packages, in words; exit code 3 if anything does
    Diff(commands::diff::Arguments),
    /// Build again what was published, under other circumstances, and compare
    Rebuild(commands::rebuild::Arguments),
    /// A signed apt repository of packages: init, publish, refresh, rollback, rotate-key, verify and more
    #[command(subcommand)]
    Repo(commands::repo::Command),
    /// A release step by step, as the pipelines in ci/ do it: plan, fetch, package, rebuild, publish, verify
    Release(commands::release::Arguments),
    /// Open the container of a phase that failed, as it was and without network, for a look
    Shell(commands::shell::Arguments),
    /// Compile for other machines' builds, as a worker of a compile farm, until Ctrl-C
    Worker(commands::worker::Arguments),
    /// Run the project's whole test suite
    Test(commands::test::Arguments),
    /// Copy results of this machine to where others find them, each with a signed statement; remove what is old there
    Share(commands::share::Arguments),
    /// Compare what this machine made with what others state: same, different, or known to one side only; exit code 3 if anything
    /// differs
    Challenge(commands::challenge::Arguments),
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
            // What was typed may have a user and password in it, and be printed into a pipeline's public log.
            if told.use_stderr() {
                eprintln!("{}", address::shown(&told.render().to_string()).trim_end());
            } else {
                say::record(told.print());
            }
            let status = u8::try_from(told.exit_code()).unwrap_or(2);
            return ended(if status == 0 { Ok(()) } else { Err(Message::handed_on(status).into()) });
        }
    };
    cli.manner.adopt();
    ended(run(cli.command))
}

/// Runs a command.
fn run(command: Command) -> Result<(), AnyFailure> {
    match command {
        Command::Package(arguments) => commands::package::run(arguments),
        Command::Check(arguments) => commands::check::run(arguments),
        Command::Bench(arguments) => commands::bench::run(arguments),
        Command::Plan(arguments) => commands::plan::run(arguments),
        Command::Explain(arguments) => commands::explain::run(arguments),
        Command::Fetch(arguments) => commands::fetch::run(arguments),
        Command::Lock(arguments) => commands::lock::run(arguments),
        Command::Outdated(arguments) => commands::outdated::run(arguments),
        Command::Target(command) => commands::target::run(command),
        Command::Cluster(command) => commands::cluster::run(command),
        Command::Recipe(command) => commands::recipe::run(command),
        Command::Verify(arguments) => commands::verify::run(arguments),
        Command::Size(arguments) => commands::size::run(arguments),
        Command::Diff(arguments) => commands::diff::run(arguments),
        Command::Rebuild(arguments) => commands::rebuild::run(arguments),
        Command::Repo(command) => commands::repo::run(command),
        Command::Release(arguments) => commands::release::run(arguments),
        Command::Shell(arguments) => commands::shell::run(arguments),
        Command::Worker(arguments) => commands::worker::run(arguments),
        Command::Test(arguments) => commands::test::run(arguments),
        Command::Share(arguments) => commands::share::run(arguments),
        Command::Challenge(arguments) => commands::challenge::run(arguments),
        Command::Doctor(arguments) => commands::doctor::run(arguments),
        Command::Clean(arguments) => commands::clean::run(arguments),
        Command::Completions(arguments) => commands::completions::run(arguments),
        Command::Man(arguments) => commands::man::run(arguments),
        Command::Docs(arguments) => commands::docs::run(arguments),
        Command::Guard(arguments) => guard::run(arguments),
    }
}

/// Says why a command failed. The exit code says as well whether everything could be printed.
fn ended(result: Result<(), AnyFailure>) -> ExitCode {
    let result = result.and_then(|()| match say::failure() {
        None => Ok(()),
        Some(error) => Err(Message::of("everything was done, but what it says could not be printed")(error).into()),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(text) = error.report() {
                eprintln!("{}", text.trim_end());
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}
