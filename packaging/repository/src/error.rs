//! What can go wrong with a repository; each says what to do next.

use std::io;
use std::path::PathBuf;

use deb::DebError;
use foundation::bytes::ByteSize;
use foundation::config::ConfigError;
use foundation::digest::Digest;
use foundation::failure::{self, Failure, Kind, Outcome};
use foundation::store::StoreError;
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
        /// The attempt, such as `write`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The disk or the quota is exhausted.
    #[error("no space is left to write {}{}: what clients see has not changed", path.display(), failure::free_now(*free))]
    Full {
        /// The file or folder.
        path: PathBuf,
        /// What the file system still has.
        free: Option<ByteSize>,
    },
    /// There is no repository.
    #[error("{} is no repository", path.display())]
    None {
        /// The folder.
        path: PathBuf,
    },
    /// There is something else.
    #[error("{} is there already and not empty", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A setting that cannot be used.
    #[error("{what}: '{value}' {problem}")]
    Setting {
        /// The option or field.
        what: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it, and what is right.
        problem: String,
    },
    /// The repository's own files.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of the tool's own that it cannot read.
    #[error("{} is not as this tool writes it: {problem}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The lock.
    #[error(transparent)]
    Lock(#[from] StoreError),
    /// A key.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A `dist` folder, or a signature in the repository.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A signature in the repository.
    #[error(transparent)]
    Gpgv(#[from] GpgvError),
    /// The keyring package.
    #[error(transparent)]
    Keyring(#[from] DebError),
    /// Packages that the repository does not take.
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// The keys that were handed over are not those of the repository.
    #[error("{0}")]
    Keys(String),
    /// No such codename.
    #[error("the repository has no codename '{codename}', only {known}")]
    Codename {
        /// What was asked for.
        codename: String,
        /// What there is.
        known: String,
        /// The file of the settings.
        settings: PathBuf,
    },
    /// No such package.
    #[error("{codename} has no {package}{}", if known.is_empty() { String::new() } else { format!(", only version {known}") })]
    NotThere {
        /// The codename.
        codename: String,
        /// What was asked for.
        package: String,
        /// The versions of it that there are.
        known: String,
    },
    /// No such snapshot.
    #[error("{codename} has no snapshot {number}, only {known}")]
    Snapshot {
        /// The codename.
        codename: String,
        /// What was asked for.
        number: u64,
        /// What there is.
        known: String,
    },
    /// apt refuses a Release that is older than the one it has.
    #[error(
        "the clock says {now}, but what clients have of {codename} is dated {live}, and they would refuse anything older"
    )]
    Clock {
        /// The codename.
        codename: String,
        /// This machine's time.
        now: String,
        /// The live snapshot's.
        live: String,
    },
    /// One of two clocks is wrong.
    #[error(
        "the clock says {now}, and the server at {uri} says {theirs}: correct the one that is wrong, since clients refuse what is \
         signed in their future. Nothing was changed; if this machine's clock is right, say so with --clock-is-right"
    )]
    ServerClock {
        /// Where clients fetch from.
        uri: String,
        /// This machine's time.
        now: String,
        /// The server's.
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
        /// The suite.
        codename: String,
        /// Version of their keyring package.
        version: String,
        /// What they accept, for people.
        accepted: String,
        /// The keys that can sign.
        own: String,
        /// Whether it is the newest of the keyring packages.
        newest: bool,
    },
    /// The older key must not go yet.
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
        /// The suite.
        codename: String,
        /// Since when it has both.
        since: Option<String>,
        /// When the older key may go.
        ready: Option<String>,
        /// How long clients have, in days.
        days: u32,
    },
    /// The stand-by key cannot take over yet.
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
        /// The suite.
        codename: String,
        /// Since when it has the key.
        since: Option<String>,
        /// When it can take over.
        ready: Option<String>,
    },
    /// What the repository is called changes.
    #[error(
        "{codename}: {field} changes from '{from}' to '{to}', and apt stops on every machine until its administrator has run \
         `apt-get update --allow-releaseinfo-change`. Nothing was changed: put it back in settings.toml, or publish all the same with \
         --allow-releaseinfo-change"
    )]
    ReleaseInfo {
        /// The suite.
        codename: String,
        /// The field.
        field: &'static str,
        /// What clients have.
        from: String,
        /// What the settings say.
        to: String,
    },
    /// The repository is not what it says it is.
    #[error("{} is not sound:\n{}", path.display(), problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n"))]
    Unsound {
        /// The repository.
        path: PathBuf,
        /// Everything that is wrong.
        problems: Vec<String>,
    },
    /// Clients get something else than what the repository has.
    #[error("clients of {url} do not get what this repository has:\n{}", problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n"))]
    Served {
        /// Where they fetch from.
        url: String,
        /// Everything that is wrong.
        problems: Vec<String>,
    },
    /// A file of the pool is gone or damaged.
    #[error("{}: expected sha256 {expected}, found {found}", path.display())]
    Pool {
        /// The file.
        path: PathBuf,
        /// What the repository has it as.
        expected: Digest,
        /// What there is.
        found: String,
    },
    /// Something else has the place of a package in the pool.
    #[error(
        "{} is in the pool already with other bytes (sha256 {found}, and the package has {expected}), and what is in the pool is \
         never overwritten",
        path.display()
    )]
    Occupied {
        /// The file.
        path: PathBuf,
        /// The package's digest.
        expected: Digest,
        /// That of what is there.
        found: Digest,
    },
    /// Files that the repository's snapshots name are gone or damaged.
    #[error(
        "nothing was changed: files that clients are told of are not in {} as they should be:\n{}",
        path.display(), problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
    )]
    Incomplete {
        /// The repository.
        path: PathBuf,
        /// What is wrong, file by file.
        problems: Vec<String>,
    },
    /// What a repository cannot be without is gone or damaged.
    #[error(
        "{} is what is left of a repository: {problem}",
        path.display()
    )]
    Remains {
        /// The repository.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// What clients see is not in the generation that is signed.
    #[error(
        "what clients of {} see is in no signed generation: an older version of this tool published it, or a run that was \
         interrupted",
        path.display()
    )]
    Unrecorded {
        /// The repository.
        path: PathBuf,
    },
    /// A place that must not be pushed to as it is, or cannot be cloned.
    #[error("{place}: {problem}")]
    Place {
        /// The place.
        place: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        next: String,
    },
    /// Copying to where clients fetch from failed.
    #[error("{what} failed: {message}")]
    Remote {
        /// What was attempted.
        what: String,
        /// What the program said.
        message: String,
    },
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
            Self::Place { next, .. } => Kind::Failed.next(next.clone()),
            Self::Remote { .. } => Kind::Failed.next(
                "the repository itself is complete: run `cargo xtask repo push` when the cause is removed",
            ),
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

impl From<SumsError> for RepositoryError {
    fn from(error: SumsError) -> Self {
        match error {
            SumsError::Sign(error) => Self::Sign(error),
            SumsError::File { path, source } => Self::io("use", path)(source),
        }
    }
}
