//! Places that a repository is copied to and comes back from: `--to PLACE`, `push`, `clone` and `recover`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use foundation::date;
use foundation::failure::AnyFailure;
use places::Remote;
use repository::{PushOptions, Recovered, Repository};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Which, open};

/// The place that clients fetch from, where one is named.
#[derive(Args)]
pub struct Destination {
    /// Copy it afterwards to /FOLDER, HOST:PATH, rsync://HOST/PATH, s3://BUCKET/PATH or rclone:NAME:PATH
    #[arg(long, value_name = "PLACE")]
    to: Option<Remote>,
}

/// The arguments of `cargo xtask repo push`.
#[derive(Args)]
pub struct PushArguments {
    #[command(flatten)]
    which: Which,
    /// Where to: /FOLDER, HOST:PATH, rsync://HOST/PATH, s3://BUCKET/PATH or rclone:NAME:PATH
    #[arg(long, value_name = "PLACE")]
    to: Remote,
    /// Replace what is there though this repository does not continue it: the refusal tells the name to give, and what
    /// clients lose
    #[arg(long, value_name = "ID:GENERATION")]
    force_replace: Option<String>,
    /// Take over a place that an older version of this tool pushed this repository to
    #[arg(long)]
    adopt: bool,
    /// Remove the lock of a push that is gone; the refusal tells its name
    #[arg(long, value_name = "LOCK")]
    break_lock: Option<String>,
}

/// The arguments of `cargo xtask repo clone`.
#[derive(Args)]
pub struct CloneArguments {
    /// Where it was pushed to: /FOLDER, HOST:PATH, rsync://HOST/PATH, s3://BUCKET/PATH or rclone:NAME:PATH
    #[arg(value_name = "PLACE")]
    place: Remote,
    #[command(flatten)]
    which: Which,
    /// Public keys to believe, binary [default: those that the place itself names]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
}

/// The arguments of `cargo xtask repo recover`.
#[derive(Args)]
pub struct RecoverArguments {
    #[command(flatten)]
    which: Which,
    /// A place that it was pushed to, for what the folder does not have any more
    #[arg(long, value_name = "PLACE")]
    from: Option<Remote>,
    /// Public keys to believe, binary [default: the repository's own]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
}

/// A place that has the repository now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Pushed {
    /// The place, as it was named.
    to: String,
}

impl Destination {
    /// Looks whether the repository could be pushed there: asked before anything is published, since a publication that
    /// cannot be pushed is one that the other publishers do not know.
    ///
    /// # Errors
    /// The place cannot be reached, or has something that this repository does not continue.
    pub fn check(&self, repository: &Repository) -> Result<(), AnyFailure> {
        match &self.to {
            Some(to) => Ok(repository.check_place(to, &PushOptions::default())?),
            None => Ok(()),
        }
    }

    /// Copies the repository there, if a place was given.
    ///
    /// # Errors
    /// As for [`Destination::check`]; or the copy fails.
    pub fn push(&self, repository: &mut Repository, which: &Which) -> Result<(), AnyFailure> {
        match &self.to {
            Some(to) => push_to(repository, which, to, &PushOptions::default()),
            None => Ok(()),
        }
    }
}

/// Runs `repo push`: copies a repository to a place.
///
/// # Errors
/// The place refuses or cannot be reached, somebody else pushes there, or it has something that this repository does
/// not continue.
pub fn push(arguments: &PushArguments) -> Result<(), AnyFailure> {
    let PushArguments { which, to, force_replace, adopt, break_lock } = arguments;
    let mut repository = open(&which.folder, "repo push")?;
    let options = PushOptions { force_replace: force_replace.clone(), adopt: *adopt, break_lock: break_lock.clone() };
    push_to(&mut repository, which, to, &options)
}

fn push_to(repository: &mut Repository, which: &Which, to: &Remote, options: &PushOptions) -> Result<(), AnyFailure> {
    repository.push(to, options, date::now(), &mut |text| eprintln!("{text}"))?;
    which.tell(&Pushed { to: to.to_string() }, |pushed| format!("copied to {}\n", pushed.to));
    Ok(())
}

/// Runs `repo clone`: brings a repository from a place into a new folder.
///
/// # Errors
/// The folder is not empty, or the place cannot be reached or has no repository that is signed as it should be.
pub fn clone(arguments: &CloneArguments) -> Result<(), AnyFailure> {
    if arguments.keyring.is_none() {
        eprintln!(
            "warning: the keys are the place's own. That proves that nothing was damaged, not who signed it: name what clients \
             trust with --keyring FILE"
        );
    }
    let recovered = repository::clone(&arguments.place, &arguments.which.folder, arguments.keyring.as_deref())?;
    arguments.which.tell(&Continued::of(&recovered), |_| text(&recovered));
    Ok(())
}

/// Runs `repo recover`: brings back what a repository's folder has lost.
///
/// # Errors
/// Something that is missing is nowhere to be had, or is not what was signed.
pub fn recover(arguments: &RecoverArguments) -> Result<(), AnyFailure> {
    let RecoverArguments { which, from, keyring } = arguments;
    let recovered = repository::recover(&which.folder, from.as_ref(), keyring.as_deref())?;
    which.tell(&Continued::of(&recovered), |_| text(&recovered));
    Ok(())
}

/// A repository that can be continued.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Continued {
    /// The number of the publication that the folder is at now; null where it was made by a version that counted none.
    publication: Option<u64>,
    /// User ids of the keys that vouch for it, by fingerprint.
    keys: BTreeMap<String, String>,
    /// What was done, one sentence each, for people.
    done: Vec<String>,
}

impl Continued {
    fn of(recovered: &Recovered) -> Self {
        Self {
            publication: recovered.generation.as_ref().map(|generation| generation.number),
            keys: recovered.keys.iter().cloned().collect(),
            done: recovered.done.clone(),
        }
    }
}

fn text(recovered: &Recovered) -> String {
    let mut text: String = recovered.done.iter().map(|line| format!("{line}\n")).collect();
    for (fingerprint, user_id) in &recovered.keys {
        text += &format!("signed by {fingerprint} {user_id}\n");
    }
    text + &match &recovered.generation {
        Some(generation) => format!("the repository is {generation}\n"),
        None => "the repository is of an older version: `cargo xtask repo publish` gives it an identity\n".to_owned(),
    }
}
