//! `cargo xtask release`: a release from plan to published repository, step by step.
//!
//! A step is one command of this tool with its arguments, and [`Step`] is the only list of them. The pipelines in `ci/` call
//! each by name, a dry run calls all of them with a repository and a key for trials: so what the pipelines do can be tried on
//! any machine, and neither has a command that the other lacks.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Instant;

use clap::{Args, ValueEnum};
use foundation::address;
use foundation::failure::{AnyFailure, Kind, Message};
use results::{KeyRing, ResultsError, Taker};
use rustix::process::{Pid, Signal, kill_process};

use crate::arguments::{Subject, repository, wait_for};
use crate::commands::package::default_dist;
use crate::itself;
use crate::manner;
use crate::signals::Endings;
use crate::terminal::duration;

/// The arguments of `cargo xtask release`.
#[derive(Args)]
pub struct Arguments {
    /// Try all steps with a development key and a new repository in a temporary folder, and keep nothing
    #[arg(long, conflicts_with_all = ["step", "key", "key_file", "keyring", "repository", "to", "dist"])]
    dry_run: bool,
    /// Run this step only
    #[arg(long, value_enum, value_name = "NAME")]
    step: Option<Step>,
    /// Print the commands, and run none
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    subject: Subject,
    /// Sign with this key of the GnuPG key ring (fingerprint, id or address)
    #[arg(long, value_name = "KEY", conflicts_with = "key_file")]
    key: Option<String>,
    /// Sign with the secret key in this file; its passphrase is read from MESOS_PACKAGES_KEY_PASSPHRASE
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The apt repository, a folder that `cargo xtask repo init` made
    #[arg(long, value_name = "FOLDER")]
    repository: Option<PathBuf>,
    /// Public keys that clients trust, binary, to verify the repository with [default: the repository's own]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// Copy the repository afterwards to where clients fetch from, as `cargo xtask repo publish --to` does
    #[arg(long, value_name = "PLACE")]
    to: Option<String>,
    /// Folder for the packages; the default is that of `cargo xtask package`
    #[arg(long, value_name = "FOLDER")]
    dist: Option<PathBuf>,
    /// Install and start a container engine where none answers
    #[arg(long)]
    setup: bool,
}

/// The variable that names the place where machines share results.
const SHARE: &str = "MESOS_PACKAGES_SHARE";

/// The key ring of those who build, in the checkout: what they state about results counts for a release.
const BUILDERS: &str = "ci/builders.gpg";

/// The steps of a release, in their order.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Find and read every input, and tell the plan's digest
    Plan,
    /// Download what the build needs; the next step, which has a key, uses no network
    Fetch,
    /// Compile, run upstream's tests, package and sign
    Package,
    /// Copy what was made to where other machines find it, where MESOS_PACKAGES_SHARE names such a place
    Share,
    /// Build once more under other circumstances, and compare; needs no key
    Rebuild,
    /// Take the packages into the repository, and show clients a new snapshot
    Publish,
    /// Check every signature, index and package of the repository
    Verify,
}

/// What the steps need to know.
struct Release {
    /// Recipe, target and where packages come from, as arguments.
    subject: Vec<OsString>,
    offline: bool,
    setup: bool,
    dist: PathBuf,
    /// The signing key as arguments; none: the development key.
    key: Vec<OsString>,
    /// The repository's folder; none where it was not named.
    repository: Option<PathBuf>,
    keyring: Option<PathBuf>,
    to: Option<String>,
    /// The place where machines share results, from [`SHARE`].
    share: Option<String>,
    /// Only a trial: the development key is good enough, and results of the rebuild go into this folder.
    trial: Option<PathBuf>,
}

impl Step {
    fn all() -> &'static [Self] {
        Self::value_variants()
    }

    fn name(self) -> String {
        self.to_possible_value().expect("no step is hidden").get_name().to_owned()
    }

    /// The command, without the tool's own name.
    fn command(self, release: &Release) -> Result<Vec<OsString>, Message> {
        let mut command: Vec<OsString> = Vec::new();
        let setup = release.setup.then(|| "--setup".into());
        let offline = release.offline.then(|| "--offline".into());
        match self {
            Self::Plan => {
                command.extend(["plan", "--digest"].map(Into::into));
                command.extend(release.subject.iter().cloned());
                command.extend(offline);
            }
            Self::Fetch => {
                command.push("fetch".into());
                command.extend(release.subject.iter().cloned());
                command.extend(offline);
                // Where nobody is trusted, nothing is taken.
                let builders = release.builders().unwrap_or_else(|error| {
                    eprintln!("warning: nothing is taken from others, all is made here: {error}");
                    Vec::new()
                });
                if let Some(place) = release.share.as_ref().filter(|_| !builders.is_empty()) {
                    command.extend(["--from".into(), place.into()]);
                }
                command.extend(builders);
            }
            Self::Share => {
                command.push("share".into());
                command.extend(release.share.iter().map(Into::into));
                command.extend(release.subject.iter().cloned());
                command.extend(offline);
                command.extend(release.key()?);
            }
            Self::Package => {
                command.extend(["package", "--check", "--offline"].map(Into::into));
                command.extend(release.subject.iter().cloned());
                command.extend(["--dist".into(), release.dist.clone().into()]);
                // What was fetched counts by the keys that are good now.
                command.extend(release.builders().unwrap_or_default());
                command.extend(release.key()?);
                command.extend(setup);
            }
            Self::Rebuild => {
                command.extend(["rebuild".into(), release.dist.clone().into()]);
                command.extend(release.subject.iter().cloned());
                command.extend(offline);
                if let Some(folder) = &release.trial {
                    command.extend(["--results".into(), folder.join("rebuild").into()]);
                }
                command.extend(setup);
            }
            Self::Publish => {
                command.extend(["repo", "publish"].map(Into::into));
                command.extend([release.repository(self)?, release.dist.clone().into()]);
                command.extend(release.key()?);
                command.extend(release.to.iter().flat_map(|place| ["--to".into(), place.into()]));
            }
            Self::Verify => {
                command.extend(["repo", "verify"].map(Into::into));
                command.push(release.repository(self)?);
                command.extend(release.keyring.iter().flat_map(|file| ["--keyring".into(), file.into()]));
            }
        }
        Ok(command)
    }
}

impl Release {
    fn new(arguments: Arguments) -> Result<Self, AnyFailure> {
        let Arguments { subject, key, key_file, repository, keyring, to, dist, setup, .. } = arguments;
        // Now, not in the middle of it: a recipe or target that does not exist.
        let options = subject.options()?;
        let mut text: Vec<OsString> = vec!["--recipe".into(), subject.common.recipe.into()];
        text.extend(["--target".into(), subject.target.to_string().into()]);
        text.extend(subject.common.mirrors.iter().flat_map(|url| ["--mirror".into(), url.into()]));
        let key = match (key, key_file) {
            (Some(key), _) => vec!["--key".into(), key.into()],
            (None, Some(file)) => vec!["--key-file".into(), file.into()],
            (None, None) => Vec::new(),
        };
        let dist = dist.unwrap_or_else(|| default_dist(options.recipe.handle(), &options.target.name.file_stem()));
        Ok(Self {
            subject: text,
            offline: subject.common.offline,
            setup,
            dist,
            key,
            repository,
            keyring,
            to,
            share: std::env::var(SHARE).ok().filter(|place| !place.is_empty()),
            trial: None,
        })
    }

    /// The same in a folder where nothing matters.
    fn into_trial(self, folder: &Path) -> Self {
        let dist = folder.join("dist");
        Self {
            keyring: Some(dist.join("key.gpg")),
            dist,
            repository: Some(folder.join("repository")),
            trial: Some(folder.to_owned()),
            share: None,
            ..self
        }
    }

    /// Whose word counts, as arguments, where machines share results: what a release is made of needs two builders.
    fn builders(&self) -> Result<Vec<OsString>, ResultsError> {
        let ring = repository().join(BUILDERS);
        let Some(place) = self.share.as_ref().filter(|_| ring.exists()) else { return Ok(Vec::new()) };
        // What is no place is told by the step itself.
        Taker::new(place.parse().into_iter().collect(), &KeyRing::Named(ring.clone()), 2)?;
        Ok(vec!["--trust".into(), ring.into(), "--require".into(), "2".into()])
    }

    /// The signing key: whoever forgot it must not learn so from the repository's refusal, after the build.
    fn key(&self) -> Result<Vec<OsString>, Message> {
        if self.key.is_empty() && self.trial.is_none() {
            return Err(Message::usage("a release needs a key: give --key or --key-file, or try it with --dry-run"));
        }
        Ok(self.key.clone())
    }

    fn repository(&self, step: Step) -> Result<OsString, Message> {
        let missing = || {
            let step = step.name();
            Message::usage(format!("the step {step} needs --repository FOLDER: `cargo xtask repo init` makes one"))
        };
        self.repository.clone().map(Into::into).ok_or_else(missing)
    }

    /// Makes the repository of a trial, which takes what the development key signed.
    fn init(&self, codename: &str) -> Option<Vec<OsString>> {
        self.trial.as_ref()?;
        let folder = self.repository.clone()?;
        let mut command: Vec<OsString> = ["repo", "init"].map(Into::into).into();
        command.push(folder.into());
        command.extend(["--codename", codename, "--allow-development"].map(Into::into));
        Some(command)
    }
}

/// Runs the steps, each as a process of its own, or prints their commands. The exit code is that of the first step that
/// failed.
///
/// # Errors
/// Something is missing that a step needs, which is said before the first one runs, or a step fails.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let (list, step, dry_run) = (arguments.list, arguments.step, arguments.dry_run);
    let target = arguments.subject.options()?.target;
    let (codename, architecture) = (target.suite.clone(), target.name.architecture().to_owned());
    let folder = match dry_run {
        true => Some(
            tempfile::Builder::new().prefix("mesos-release-").tempdir().map_err(Message::of("no temporary folder"))?,
        ),
        false => None,
    };
    let mut release = Release::new(arguments)?;
    if let Some(folder) = &folder {
        release = release.into_trial(folder.path());
    }
    let steps = step.as_ref().map_or(Step::all(), std::slice::from_ref);
    if step == Some(Step::Share) && release.share.is_none() && !list {
        note!("nothing is shared: {SHARE} names no place");
        return Ok(());
    }
    let mut commands = Vec::new();
    if let Some(mut command) = release.init(&codename) {
        command.extend(["--architecture".into(), architecture.into()]);
        commands.push(("init".to_owned(), command));
    }
    // All of them first: what is missing for the last one is said before the first one runs.
    for step in steps.iter().filter(|step| **step != Step::Share || release.share.is_some()) {
        commands.push((step.name(), step.command(&release)?));
    }
    if list {
        for (name, command) in &commands {
            println!("{name:8} {}", shown(command));
        }
        return Ok(());
    }
    let share = Step::Share.name();
    // Of the step that may fail, the end is waited for.
    if let (Some(_), [(name, command)]) = (step, &commands[..])
        && *name != share
    {
        note!("release: {}", shown(command));
        let error = itself::command().args(manner::arguments()).args(command).exec();
        return Err(Message::of("cannot start this program once more")(error).into());
    }
    let mut times = Vec::new();
    for (number, (name, command)) in commands.iter().enumerate() {
        note!("release: {} of {}, {name}: {}", number + 1, commands.len(), shown(command));
        let started = Instant::now();
        let code = wait_for(async || finish(itself::command().args(manner::arguments()).args(command)).await)?;
        times.push((name.as_str(), started.elapsed().as_secs_f64()));
        // Sharing helps, and stops no release: but for the alarm that two builders disagree.
        let stops = [Kind::Verification, Kind::Interrupted].map(Kind::exit_code);
        if code != 0 && *name == share && !stops.contains(&code) {
            eprintln!(
                "warning: {name} ended with code {code}: others make again what is not there; the release goes on"
            );
        } else if code != 0 {
            eprintln!("release: {name} ended with code {code}; the steps after it were not run");
            return Err(Message::handed_on(code).into());
        }
    }
    print!("{}", table(&times, dry_run));
    Ok(())
}

/// What each step took, for people.
pub fn table(times: &[(&str, f64)], dry_run: bool) -> String {
    let mut text = format!("\n{:8}  {:>12}\n", "step", "wall");
    for (name, seconds) in times {
        text += &format!("{name:8}  {:>12}\n", duration(*seconds));
    }
    if dry_run {
        text += "\ndry run: every step passed, with an UNTRUSTED DEVELOPMENT key; nothing is published\n";
    }
    text
}

/// Runs a command to its end and tells its exit code. An interruption is the command's to handle, which stops what it
/// started; only then may this process end, too.
async fn finish(command: &mut Command) -> Result<u8, AnyFailure> {
    let mut endings = Endings::new()?;
    let mut child = command.spawn().map_err(Message::of("cannot run this program again"))?;
    let pid = Pid::from_child(&child);
    let mut ended = tokio::task::spawn_blocking(move || child.wait());
    let mut interrupted = false;
    loop {
        tokio::select! {
            status = &mut ended => {
                let status = status.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
                return Ok(code(status.map_err(Message::of("cannot wait for the step"))?, interrupted));
            }
            () = endings.next() => {
                interrupted = true;
                // From a terminal the command has had one as well, and takes no notice of the second. It may have ended just now.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
    }
}

fn code(status: ExitStatus, interrupted: bool) -> u8 {
    match status.code() {
        _ if interrupted => Kind::Interrupted.exit_code(),
        Some(code) => u8::try_from(code).unwrap_or(1),
        None => 1,
    }
}

/// A command as a shell would take it.
fn shown(command: &[OsString]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+=,".contains(c);
    let mut text = "cargo xtask".to_owned();
    for argument in command {
        let argument = address::shown(&argument.to_string_lossy());
        if !argument.is_empty() && argument.chars().all(plain) {
            text += &format!(" {argument}");
        } else {
            text += &format!(" '{}'", argument.replace('\'', r"'\''"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        let command = ["package", "--key", "It's <me@example.org>", ""].map(Into::into);
        assert_eq!(shown(&command), r"cargo xtask package --key 'It'\''s <me@example.org>' ''");
        let command = ["fetch", "--mirror", "http://me:secret@host/debian"].map(Into::into);
        assert_eq!(shown(&command), "cargo xtask fetch --mirror http://host/debian");
    }
}
