//! What can go wrong with a repository; each says what to do next.

use std::io;
use std::path::PathBuf;

use deb::DebError;
use foundation::bytes::ByteSize;
use foundation::config::ConfigError;
use foundation::digest::Digest;
use foundation::failure::{self, Failure, Kind, Outcome};
use foundation::store::StoreError;
use places::PlaceError;
use sign::gpgv::GpgvError;
use sign::signer::SignError;
use sign::sums::SumsError;
use statements::verify::VerifyError;

use super::gate::Refusal;

/// Something about a repository went wrong. What clients see is what it was before.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Reading or writing failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb: `write`, `make the folder`.
        what: &'static str,
        /// The file or folder that it was attempted on.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The disk or the quota is exhausted.
    #[error("no space is left to write {}{}: what clients see has not changed", path.display(), failure::free_now(*free))]
    Full {
        /// The file or folder that was to be written.
        path: PathBuf,
        /// What the file system still has for users without privileges, where that can be told.
        free: Option<ByteSize>,
    },
    /// The folder is not a repository of this tool.
    #[error("{} is no repository", path.display())]
    None {
        /// The folder that was given.
        path: PathBuf,
    },
    /// The folder for a new repository has something in it.
    #[error("{} is there already and not empty", path.display())]
    Exists {
        /// The folder that was given.
        path: PathBuf,
    },
    /// A setting that cannot be used.
    #[error("{what}: '{value}' {problem}")]
    Setting {
        /// The option, or the field of the settings.
        what: &'static str,
        /// The value that was given.
        value: String,
        /// What is wrong with it, and what is right.
        problem: String,
    },
    /// The settings of the repository cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of the tool's own that it cannot read.
    #[error("{} is not as this tool writes it: {problem}", path.display())]
    State {
        /// The file that is not as it should be.
        path: PathBuf,
        /// What is wrong with the file.
        problem: String,
    },
    /// The lock of the repository cannot be taken.
    #[error(transparent)]
    Lock(#[from] StoreError),
    /// A key cannot be used, or makes no signature.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A `dist` folder, or a signature in the repository.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A signature in the repository is missing or not good.
    #[error(transparent)]
    Gpgv(#[from] GpgvError),
    /// The keyring package cannot be written.
    #[error(transparent)]
    Keyring(#[from] DebError),
    /// Packages that the repository does not take.
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// The keys that were handed over are not those of the repository.
    #[error("{0}")]
    Keys(String),
    /// No suite of the repository has this codename.
    #[error("the repository has no codename '{codename}', only {known}")]
    Codename {
        /// The codename that was asked for.
        codename: String,
        /// The codenames that there are, with commas between them.
        known: String,
        /// The file of the settings, which has the suites.
        settings: PathBuf,
    },
    /// The suite does not have this package, or not in this version.
    #[error("{codename} has no {package}{}", if known.is_empty() { String::new() } else { format!(", only version {known}") })]
    NotThere {
        /// The codename of the suite.
        codename: String,
        /// The package that was asked for, with its version.
        package: String,
        /// The versions of the package that the suite has, with commas between them.
        known: String,
    },
    /// The suite does not have a snapshot with this number.
    #[error("{codename} has no snapshot {number}, only {known}")]
    Snapshot {
        /// The codename of the suite.
        codename: String,
        /// The number that was asked for.
        number: u64,
        /// The numbers that there are, with commas between them.
        known: String,
    },
    /// apt refuses a Release that is older than the one it has.
    #[error(
        "the clock says {now}, but what clients have of {codename} is dated {live}, and they would refuse anything older"
    )]
    Clock {
        /// The codename of the suite.
        codename: String,
        /// The time of this machine, for people.
        now: String,
        /// The date of the snapshot that clients see, for people.
        live: String,
    },
    /// The clocks of this machine and of the web server differ, so one of them is wrong.
    #[error(
        "the clock says {now}, and the server at {uri} says {theirs}: correct the one that is wrong, since clients refuse what is \
         signed in their future. Nothing was changed; if this machine's clock is right, say so with --clock-is-right"
    )]
    ServerClock {
        /// The address that clients fetch from.
        uri: String,
        /// The time of this machine, for people.
        now: String,
        /// The time that the server tells, for people.
        theirs: String,
    },
    /// Clients could not check what these keys sign.
    #[error(
        "clients of {codename} that have the keyring package {version} accept {accepted}, and what was handed over can sign with {own}. \
         Nothing was changed. {}",
        if *newest {
            "Hand over a copy of the key that has the secret part of one of these: this one is older than what clients have".to_owned()
        } else {
            "Hand over the key with the secret part of one of these, or wait until clients have the newer package; if that cannot be, \
             --give-up-clients publishes all the same, and each of these machines needs the keyring package by hand".to_owned()
        }
    )]
    CutOff {
        /// The codename of the suite.
        codename: String,
        /// The version of the keyring package that these clients have.
        version: String,
        /// The keys that these clients accept, for people.
        accepted: String,
        /// The keys that can sign here, for people.
        own: String,
        /// Whether it is the newest of the keyring packages.
        newest: bool,
    },
    /// The older key is still needed: some clients may know no other.
    #[error(
        "clients of {codename} {}, and who has no package with both would be cut off: {}. Nothing was changed",
        since.as_ref().map_or_else(
            || "have no keyring package with both keys yet, signed by both".to_owned(),
            |since| format!("have the keyring package with both keys since {since} only"),
        ),
        ready.as_ref().map_or_else(
            || "run `cargo xtask repo refresh` with both keys first, and finish days later".to_owned(),
            |ready| format!("finish from {ready} on, when they have had {days} days, or say with --for DAYS how long all of yours need"),
        )
    )]
    Unsettled {
        /// The codename of the suite.
        codename: String,
        /// The day since which the suite has had both keys; none where it does not have them yet.
        since: Option<String>,
        /// The day from which the older key may go; none where the suite does not have both yet.
        ready: Option<String>,
        /// How many days clients have to update.
        days: u32,
    },
    /// The stand-by key cannot take over yet: some clients may not know it.
    #[error(
        "clients of {codename} {}, and who does not have it would be cut off: {}. Nothing was changed. Where waiting is worse, \
         --give-up-clients lets it take over now, and each of these machines needs the keyring package by hand",
        since.as_ref().map_or_else(
            || "have no keyring package with the stand-by key yet".to_owned(),
            |since| format!("have the stand-by key since {since} only"),
        ),
        ready.as_ref().map_or_else(
            || "publish it with `cargo xtask repo refresh`, while the present key is there".to_owned(),
            |ready| format!("it is safe from {ready} on"),
        )
    )]
    StandByUnknown {
        /// The codename of the suite.
        codename: String,
        /// The day since which the suite has had the key; none where it does not have it yet.
        since: Option<String>,
        /// The day from which it can take over; none where the suite does not have it yet.
        ready: Option<String>,
    },
    /// A name changes that apt has asked its users to trust, such as `Origin`.
    #[error(
        "{codename}: {field} changes from '{from}' to '{to}', and apt stops on every machine until its administrator has run \
         `apt-get update --allow-releaseinfo-change`. Nothing was changed: put it back in settings.toml, or publish all the same with \
         --allow-releaseinfo-change"
    )]
    ReleaseInfo {
        /// The codename of the suite.
        codename: String,
        /// The field of the Release file that changes.
        field: &'static str,
        /// The value that clients have.
        from: String,
        /// The value that the settings have now.
        to: String,
    },
    /// Verifying the repository has found problems.
    #[error("{} is not sound:\n{}", path.display(), failure::lines(problems))]
    Unsound {
        /// The folder of the repository.
        path: PathBuf,
        /// All problems, each as a sentence.
        problems: Vec<String>,
    },
    /// Clients get something else than what the repository has.
    #[error("clients of {url} do not get what this repository has:\n{}", failure::lines(problems))]
    Served {
        /// The address that clients fetch from.
        url: String,
        /// All problems, each as a sentence.
        problems: Vec<String>,
    },
    /// A file of the pool is missing or damaged.
    #[error("{}: expected sha256 {expected}, found {found}", path.display())]
    Pool {
        /// The path of the file in the pool.
        path: PathBuf,
        /// The digest that the repository has for it.
        expected: Digest,
        /// What is there instead, for people.
        found: String,
    },
    /// Something else has the place of a package in the pool.
    #[error(
        "{} is in the pool already with other bytes (sha256 {found}, and the package has {expected}), and what is in the pool is \
         never overwritten",
        path.display()
    )]
    Occupied {
        /// The path of the file in the pool.
        path: PathBuf,
        /// The digest of the package.
        expected: Digest,
        /// The digest of the file that is there.
        found: Digest,
    },
    /// Files that the repository's snapshots name are gone or damaged.
    #[error(
        "nothing was changed: files that clients are told of are not in {} as they should be:\n{}",
        path.display(), failure::lines(problems)
    )]
    Incomplete {
        /// The folder of the repository.
        path: PathBuf,
        /// What is wrong, one sentence for each file.
        problems: Vec<String>,
    },
    /// What a repository cannot be without is gone or damaged.
    #[error(
        "{} is what is left of a repository: {problem}",
        path.display()
    )]
    Remains {
        /// The folder of the repository.
        path: PathBuf,
        /// What is missing or damaged.
        problem: String,
    },
    /// What clients see is not in the generation that is signed.
    #[error(
        "what clients of {} see is in no signed generation: an older version of this tool published it, or a run that was \
         interrupted",
        path.display()
    )]
    Unrecorded {
        /// The folder of the repository.
        path: PathBuf,
    },
    /// A place that must not be pushed to as it is, or that files could not be copied to.
    #[error(transparent)]
    Place(PlaceError),
}

impl Failure for RepositoryError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Io { source, .. } => failure::of_file(source),
            Self::Full { .. } => Kind::Failed
                .next("free some, for instance with `cargo xtask repo prune`, and run the same command again"),
            Self::None { .. } => Kind::Input.next("make one with `cargo xtask repo init`, or give the path of one"),
            Self::Exists { .. } => Kind::Input.next("give the path of a new or empty folder"),
            Self::Setting { .. } => Kind::Input.plain(),
            Self::Config(error) => error.outcome(),
            Self::State { .. } => Kind::Failed.next(
                "put it back from a copy, or run `cargo xtask repo recover` on the repository",
            ),
            Self::Lock(error) => error.outcome(),
            Self::Sign(error) => error.outcome(),
            Self::Verify(error) => error.outcome(),
            Self::Gpgv(error) => error.outcome(),
            Self::Keyring(error) => error.outcome(),
            Self::Refused(error) => error.outcome(),
            Self::Keys(_) => Kind::Input.plain(),
            Self::Codename { settings, .. } => Kind::Input.next(format!(
                "give one of these with --codename, or add a [[suite]] to {}",
                settings.display()
            )),
            Self::NotThere { .. } => Kind::Input.next("`cargo xtask repo list --json` tells what each suite has"),
            Self::Snapshot { .. } => Kind::Input.next("`cargo xtask repo list` tells what each has"),
            Self::Clock { .. } => Kind::Failed.next(
                "correct the clock; if it is right, and was wrong when that was published, say so with --clock-is-right: \
                 clients whose clock was right had refused it",
            ),
            // Their sentences name what can be done, which depends on what was found.
            Self::ServerClock { .. }
            | Self::CutOff { .. }
            | Self::Unsettled { .. }
            | Self::StandByUnknown { .. }
            | Self::ReleaseInfo { .. } => Kind::Failed.plain(),
            Self::Unsound { .. } => Kind::Verification.next(
                "serve nothing of it before this is understood; `cargo xtask repo rollback` publishes an earlier snapshot \
                 that is sound",
            ),
            Self::Served { .. } => Kind::Verification.next(
                "`cargo xtask repo push` brings what is missing or damaged; what is still wrong then is a cache's: empty it, \
                 and let it keep nothing below dists/ but by-hash",
            ),
            Self::Pool { .. } => Kind::Verification.next(
                "put the file back from a copy, or with `cargo xtask repo recover FOLDER --from PLACE`",
            ),
            Self::Occupied { .. } => Kind::Failed.next(
                "`cargo xtask repo verify` tells whether clients know it; if they do not, remove it, else give the package a \
                 new version",
            ),
            Self::Incomplete { path, .. } => Kind::Verification.next(format!(
                "if they are on a disk that is not mounted, mount it; else `cargo xtask repo recover {} --from PLACE` brings \
                 back what a place that it was pushed to still has",
                path.display()
            )),
            Self::Remains { path, .. } => Kind::Failed.next(format!(
                "`cargo xtask repo recover {}` rebuilds it from what is signed there, with --from PLACE also from a place \
                 that it was pushed to",
                path.display()
            )),
            Self::Unrecorded { .. } => {
                Kind::Failed.next("run `cargo xtask repo publish` once, which signs that, and push again")
            }
            Self::Place(error) => error.outcome(),
        }
    }
}

impl RepositoryError {
    /// For `map_err`: an attempt on a path that failed; a full disk is told apart.
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                let free = failure::free_space(&path);
                Self::Full { path, free }
            }
            _ => Self::Io { what, path, source },
        }
    }
}

impl From<PlaceError> for RepositoryError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Io { what, path, source } => Self::io(what, path)(source),
            PlaceError::Lock(error) => Self::Lock(error),
            other => Self::Place(other),
        }
    }
}

impl From<SumsError> for RepositoryError {
    fn from(error: SumsError) -> Self {
        match error {
            SumsError::Sign(error) => Self::Sign(error),
            SumsError::File { path, source } => Self::io("use", path)(source),
        }
    }
}
