//! `cargo xtask repo`: a signed apt repository in a folder.

mod consent;
mod keys;
pub mod output;
pub mod place;
mod remove;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use consent::ConsentArguments;
use foundation::date;
use foundation::failure::{AnyFailure, Kind, Message};
use keys::KeyArguments;
use place::Destination;
use recipe::Recipe;
use repository::{DEBUG, Look, PruneOptions, Publication, Repository, SETTLED_DAYS, Settings, Suite, VALID_DAYS};
use serde::Serialize;
use sign::gpgv;
use sign::signer::Signer;

use crate::defaults::{DEFAULTS, known_recipes};
use crate::terminal::print_json;

/// The commands of `cargo xtask repo`.
#[derive(Subcommand)]
pub enum Command {
    /// Make a repository in a new folder
    Init(InitArguments),
    /// Take packages into the pool; clients see them after the next publish
    Add(AddArguments),
    /// Take packages, and show clients a new snapshot with everything that was added
    Publish(PublishArguments),
    /// Sign anew, with the same packages, so that clients go on trusting the repository
    Refresh(SuitesArguments),
    /// Tell suites, snapshots and keys
    List(ListArguments),
    /// Tell what ends when and what needs a hand; exit code 1 if anything does
    Status(ListArguments),
    /// Show clients the packages of an earlier snapshot again
    Rollback(RollbackArguments),
    /// Take packages out of a suite
    Remove(remove::Arguments),
    /// Let a new key take over: first both sign, later the old one goes
    RotateKey(RotateArguments),
    /// Check every signature, index and package that is kept, offline; with --from what a web server gives clients
    Verify(VerifyArguments),
    /// Remove old snapshots, and what only they have
    Prune(PruneArguments),
    /// Copy it to where clients fetch from
    Push(place::PushArguments),
    /// Bring a repository from where it was pushed to into a new folder, to continue it there
    Clone(place::CloneArguments),
    /// Bring back what a repository's folder has lost, and what was published from another copy
    Recover(place::RecoverArguments),
}

/// The repository that a command is about.
#[derive(Args)]
pub struct Which {
    /// The repository's folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Print facts as JSON, one a line, on standard output
    #[arg(long)]
    json: bool,
}

impl Which {
    /// Tells a fact to a program or a person.
    fn tell<T: Serialize + ?Sized>(&self, fact: &T, text: impl FnOnce(&T) -> String) {
        match self.json {
            true => print_json(fact),
            false => print!("{}", text(fact)),
        }
    }
}

/// The arguments of `cargo xtask repo init`.
#[derive(Args)]
pub struct InitArguments {
    #[command(flatten)]
    which: Which,
    /// Codename of a suite, such as bookworm, with another name after a colon where it has one: bookworm:stable; may be given
    /// more than once
    #[arg(long, value_name = "CODENAME[:SUITE]", required = true)]
    codename: Vec<String>,
    /// Its name: a part of the names of its keyring package and of what clients save of it [default: the folder's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Component; may be given more than once. Debug symbols go into the component debug [default: main and debug]
    #[arg(long, value_name = "NAME")]
    component: Vec<String>,
    /// Architecture; may be given more than once
    #[arg(long, value_name = "NAME", default_value = "amd64")]
    architecture: Vec<String>,
    /// Where clients will fetch from, for the .sources files [default: the folder itself]
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// Origin of its Release files, which clients can pin by
    #[arg(long, value_name = "TEXT", default_value = "Mesos packages")]
    origin: String,
    /// Label, likewise
    #[arg(long, value_name = "TEXT", default_value = "Mesos packages")]
    label: String,
    /// Description, one line
    #[arg(long, value_name = "TEXT", default_value = "Apache Mesos for Debian")]
    description: String,
    /// Maintainer of the keyring package, NAME <ADDRESS> [default: that of the recipe]
    #[arg(long, value_name = "TEXT")]
    maintainer: Option<String>,
    /// How long clients trust what was signed, in days
    #[arg(long, value_name = "N", default_value_t = VALID_DAYS)]
    valid_days: u32,
    /// Public keys of the builders whose packages it takes, binary [default: the keys that sign the repository]
    #[arg(long, value_name = "FILE")]
    builders: Option<PathBuf>,
    /// Take untested, local and development-signed packages; its Release files say so
    #[arg(long)]
    allow_development: bool,
    #[command(flatten)]
    keys: KeyArguments,
}

/// Where packages belong, and who may have built them.
#[derive(Args)]
struct Packages {
    /// Codename of the suite [default: the Distribution of the .changes]
    #[arg(long, value_name = "CODENAME")]
    codename: Option<String>,
    /// Component [default: by the package's section]
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Public keys of the builders to trust, binary [default: those of the repository]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// Public keys of those whose statements on rebuilds are shown, binary [default: the builders']
    #[arg(long, value_name = "FILE")]
    rebuilders: Option<PathBuf>,
}

/// The arguments of `cargo xtask repo add`.
#[derive(Args)]
pub struct AddArguments {
    #[command(flatten)]
    which: Which,
    /// Folders that `cargo xtask package` wrote
    #[arg(value_name = "DIST", required = true)]
    dist: Vec<PathBuf>,
    #[command(flatten)]
    packages: Packages,
}

/// The arguments of `cargo xtask repo publish`.
#[derive(Args)]
pub struct PublishArguments {
    #[command(flatten)]
    which: Which,
    /// Folders that `cargo xtask package` wrote
    #[arg(value_name = "DIST")]
    dist: Vec<PathBuf>,
    #[command(flatten)]
    packages: Packages,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    consent: ConsentArguments,
    #[command(flatten)]
    destination: Destination,
}

/// The arguments of `cargo xtask repo refresh`.
#[derive(Args)]
pub struct SuitesArguments {
    #[command(flatten)]
    which: Which,
    /// Codename of a suite; may be given more than once [default: all]
    #[arg(long, value_name = "CODENAME")]
    codename: Vec<String>,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    consent: ConsentArguments,
    #[command(flatten)]
    destination: Destination,
}

/// The arguments of `cargo xtask repo rollback`.
#[derive(Args)]
pub struct RollbackArguments {
    #[command(flatten)]
    which: Which,
    /// Number of the snapshot whose packages clients shall see, as `repo list` tells it
    #[arg(value_name = "NUMBER")]
    number: u64,
    /// Codename of the suite, where there is more than one
    #[arg(long, value_name = "CODENAME")]
    codename: Option<String>,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    consent: ConsentArguments,
    #[command(flatten)]
    destination: Destination,
}

/// The arguments of `cargo xtask repo rotate-key`.
#[derive(Args)]
#[group(id = "step", required = true, multiple = false, args = ["new_key", "new_key_file", "finish", "stand_by", "emergency"])]
pub struct RotateArguments {
    #[command(flatten)]
    which: Which,
    /// The new key, in your key ring: signs beside the present one from now on
    #[arg(long, value_name = "KEY")]
    new_key: Option<String>,
    /// The new key's secret part in a file; its passphrase is in MESOS_PACKAGES_NEW_KEY_PASSPHRASE
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,
    /// Let the older key go: when all clients have the keyring package with both
    #[arg(long)]
    finish: bool,
    /// Public part of a key that stands by, as `gpg --export` writes it: clients trust it from now on, and it signs nothing
    /// before an emergency
    #[arg(long, value_name = "FILE")]
    stand_by: Option<PathBuf>,
    /// The present key was stolen or lost: let the stand-by key take over at once, which --key or --key-file may name
    #[arg(long)]
    emergency: bool,
    /// How many days every suite has to have had the key that stays before the older one goes
    #[arg(long = "for", value_name = "DAYS", default_value_t = SETTLED_DAYS)]
    days: u32,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    consent: ConsentArguments,
    #[command(flatten)]
    destination: Destination,
}

/// The arguments of `cargo xtask repo list` and `cargo xtask repo status`.
#[derive(Args)]
pub struct ListArguments {
    #[command(flatten)]
    which: Which,
}

/// The arguments of `cargo xtask repo verify`.
#[derive(Args)]
pub struct VerifyArguments {
    #[command(flatten)]
    which: Which,
    /// Public keys that clients trust, binary: what they see must be signed by one of them [default: the repository's own]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// Look at what clients get from this web server instead: https://HOST/PATH
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// With --from: do not fetch the packages, only what names them
    #[arg(long, requires = "from")]
    without_packages: bool,
}

/// The arguments of `cargo xtask repo prune`.
#[derive(Args)]
pub struct PruneArguments {
    #[command(flatten)]
    which: Which,
    /// How many states of each suite to keep; a refresh is none of its own [default: 10, or 0 with --days]
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Keep the states of the last so many days
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    #[command(flatten)]
    destination: Destination,
}

/// Runs one of these commands.
///
/// # Errors
/// The repository refuses or cannot be read or written, a key cannot sign, or a place cannot be reached: the error says
/// what to do. `status` fails where something needs a hand.
pub fn run(command: Command) -> Result<(), AnyFailure> {
    match command {
        Command::Init(arguments) => init(arguments),
        Command::Add(arguments) => {
            let mut repository = open(&arguments.which.folder, "repo add")?;
            add(&mut repository, &arguments.which, &arguments.dist, &arguments.packages)
        }
        Command::Publish(arguments) => publish(&arguments),
        Command::Refresh(arguments) => {
            let mut repository = open(&arguments.which.folder, "repo refresh")?;
            arguments.destination.check(&repository)?;
            let now = arguments.consent.apply(&mut repository)?;
            let signers = arguments.keys.signers(&repository)?;
            let published = repository.refresh(&arguments.codename, &borrowed(&signers), now)?;
            finish(&mut repository, &arguments.which, &published, &arguments.destination)
        }
        Command::List(arguments) => list(&arguments),
        Command::Status(arguments) => status(&arguments),
        Command::Rollback(arguments) => rollback(&arguments),
        Command::Remove(arguments) => remove::run(&arguments),
        Command::RotateKey(arguments) => rotate(&arguments),
        Command::Verify(arguments) => verify(&arguments),
        Command::Prune(arguments) => {
            let mut repository = open(&arguments.which.folder, "repo prune")?;
            let keep = arguments.keep.unwrap_or(if arguments.days.is_some() { 0 } else { 10 });
            let options = PruneOptions { keep, days: arguments.days.unwrap_or(0) };
            arguments.which.tell(&repository.prune(options, date::now())?, output::pruned);
            arguments.destination.push(&mut repository, &arguments.which)
        }
        Command::Push(arguments) => place::push(&arguments),
        Command::Clone(arguments) => place::clone(&arguments),
        Command::Recover(arguments) => place::recover(&arguments),
    }
}

fn init(arguments: InitArguments) -> Result<(), AnyFailure> {
    let maintainer = match arguments.maintainer {
        Some(maintainer) => maintainer,
        None => Recipe::find(&DEFAULTS.recipe, &known_recipes())?.file.maintainer,
    };
    let suite = |text: String| match text.split_once(':') {
        Some((codename, name)) => Suite { codename: codename.into(), name: Some(name.into()), keep: None },
        None => Suite { codename: text, name: None, keep: None },
    };
    let default = || vec!["main".to_owned(), DEBUG.to_owned()];
    let settings = Settings {
        name: match arguments.name {
            Some(name) => name,
            None => Settings::name_for(&arguments.which.folder, arguments.allow_development),
        },
        origin: arguments.origin,
        label: arguments.label,
        description: arguments.description,
        maintainer,
        uri: arguments.uri,
        components: if arguments.component.is_empty() { default() } else { arguments.component },
        architectures: arguments.architecture,
        valid_days: arguments.valid_days,
        development: arguments.allow_development,
        suite: arguments.codename.into_iter().map(suite).collect(),
    };
    let builders = match &arguments.builders {
        Some(path) => {
            let ring = std::fs::read(path)
                .map_err(|error| Message::usage(format!("cannot read {}: {error}", path.display())))?;
            gpgv::check_keyring(path, &ring)?;
            Some(ring)
        }
        None => None,
    };
    let signers = arguments.keys.first_signers(settings.development)?;
    let (repository, published) =
        Repository::init(&arguments.which.folder, &settings, &borrowed(&signers), builders.as_deref(), date::now())?;
    arguments.which.tell(&published[..], output::published);
    if !arguments.which.json {
        print!("{}", output::keys(&repository));
    }
    if settings.development {
        eprintln!("warning: this repository takes what nobody should trust, and its Release files say so");
    }
    Ok(())
}

/// Opens a repository; while somebody else works there, says who, and waits.
fn open(folder: &Path, what: &str) -> Result<Repository, AnyFailure> {
    let mut told = false;
    let repository = Repository::open(folder, what, &mut |holder| {
        if !told {
            eprintln!(
                "waiting: process {} works on this repository since {} ({})",
                holder.pid,
                holder.started_text(),
                holder.what
            );
            told = true;
        }
    })?;
    for repaired in repository.repaired() {
        eprintln!("repaired what an interrupted run has left: {repaired}");
    }
    Ok(repository)
}

fn borrowed(signers: &[Box<dyn Signer>]) -> Vec<&dyn Signer> {
    signers.iter().map(AsRef::as_ref).collect()
}

fn add(repository: &mut Repository, which: &Which, dist: &[PathBuf], packages: &Packages) -> Result<(), AnyFailure> {
    let Packages { codename, component, keyring, rebuilders } = packages;
    let (keyring, rebuilders) = (keyring.as_deref(), rebuilders.as_deref());
    let added = repository.add(dist, keyring, rebuilders, codename.as_deref(), component.as_deref())?;
    for added in &added {
        for overlooked in &added.overlooked {
            eprintln!("warning: taken into a development repository all the same: {overlooked}");
        }
    }
    which.tell(&added[..], output::added);
    Ok(())
}

fn publish(arguments: &PublishArguments) -> Result<(), AnyFailure> {
    let mut repository = open(&arguments.which.folder, "repo publish")?;
    arguments.destination.check(&repository)?;
    let now = arguments.consent.apply(&mut repository)?;
    // A wrong key must not be found out after the packages were copied.
    let signers = arguments.keys.signers(&repository)?;
    if !arguments.dist.is_empty() {
        add(&mut repository, &arguments.which, &arguments.dist, &arguments.packages)?;
    }
    let codenames: Vec<String> = arguments.packages.codename.iter().cloned().collect();
    let published = repository.publish(&codenames, &borrowed(&signers), now)?;
    finish(&mut repository, &arguments.which, &published, &arguments.destination)
}

fn rollback(arguments: &RollbackArguments) -> Result<(), AnyFailure> {
    let mut repository = open(&arguments.which.folder, "repo rollback")?;
    arguments.destination.check(&repository)?;
    let codename = one_suite(&repository, arguments.codename.as_ref())?;
    let now = arguments.consent.apply(&mut repository)?;
    let signers = arguments.keys.signers(&repository)?;
    let published = repository.rollback(&codename, arguments.number, &borrowed(&signers), now)?;
    finish(&mut repository, &arguments.which, &[published], &arguments.destination)
}

/// The suite that is meant: the only one needs no name.
fn one_suite(repository: &Repository, codename: Option<&String>) -> Result<String, AnyFailure> {
    match (codename, &repository.settings().suite[..]) {
        (Some(codename), _) => Ok(codename.clone()),
        (None, [only]) => Ok(only.codename.clone()),
        (None, _) => {
            let text = format!("--codename is needed: the repository has {}", repository.settings().codenames());
            Err(Message::usage(text).into())
        }
    }
}

fn rotate(arguments: &RotateArguments) -> Result<(), AnyFailure> {
    let mut repository = open(&arguments.which.folder, "repo rotate-key")?;
    arguments.destination.check(&repository)?;
    let now = arguments.consent.apply(&mut repository)?;
    let new = keys::new_signer(arguments.new_key.as_deref(), arguments.new_key_file.as_deref())?;
    let published = match (&new, &arguments.stand_by) {
        (Some(new), _) => {
            let signers = arguments.keys.signers(&repository)?;
            repository.begin_rotation(&borrowed(&signers), new.as_ref(), now)?
        }
        (None, Some(file)) => {
            let key = std::fs::read(file)
                .map_err(|error| Message::usage(format!("cannot read {}: {error}", file.display())))?;
            let signers = arguments.keys.signers(&repository)?;
            repository.publish_stand_by(&key, &borrowed(&signers), now)?
        }
        (None, None) if arguments.emergency => {
            let signer = arguments.keys.stand_by_signer(&repository)?;
            repository.emergency(signer.as_ref(), arguments.days, now)?
        }
        (None, None) => {
            let signers = arguments.keys.newest_signer(&repository)?;
            repository.finish_rotation(&borrowed(&signers), arguments.days, now)?
        }
    };
    if !arguments.which.json {
        print!("{}", output::keys(&repository));
    }
    finish(&mut repository, &arguments.which, &published, &arguments.destination)
}

fn list(arguments: &ListArguments) -> Result<(), AnyFailure> {
    let listing = repository::list(&arguments.which.folder)?;
    arguments.which.tell(&listing, output::listing);
    Ok(())
}

fn status(arguments: &ListArguments) -> Result<(), AnyFailure> {
    let status = repository::status(&arguments.which.folder, date::now())?;
    arguments.which.tell(&status, output::status);
    let sentence = match &status.needs[..] {
        [] => return Ok(()),
        [only] => format!("something needs a hand: {only}"),
        several => format!("{} things need a hand:\n  {}", several.len(), several.join("\n  ")),
    };
    Err(Message::new(sentence, Kind::Failed.plain()).into())
}

fn verify(arguments: &VerifyArguments) -> Result<(), AnyFailure> {
    let keyring = arguments.keyring.as_deref();
    if let Some(url) = &arguments.from {
        let look = Look { url, keyring, packages: !arguments.without_packages, now: date::now() };
        arguments.which.tell(&repository::verify_served(&arguments.which.folder, &look)?, output::served);
        return Ok(());
    }
    if keyring.is_none() {
        eprintln!(
            "warning: the keys are the repository's own. That proves that nothing was damaged, not who signed it: whoever replaces \
             the repository can replace them. Name what clients trust with --keyring FILE"
        );
    }
    let sound = repository::verify(&arguments.which.folder, keyring, date::now())?;
    arguments.which.tell(&sound, output::sound);
    Ok(())
}

/// Says what clients see now, and copies it where that was asked for.
fn finish(
    repository: &mut Repository,
    which: &Which,
    published: &[Publication],
    destination: &Destination,
) -> Result<(), AnyFailure> {
    which.tell(published, output::published);
    destination.push(repository, which)
}
