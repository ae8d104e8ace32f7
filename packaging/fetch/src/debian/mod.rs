//! Debian's archive: verified indices and what a build root needs from them.
//!
//! ```text
//! Catalogue::fetch: of each suite Release::fetch (gpgv) -> Release::packages (by its digest)
//!   -> closure::base -> apt in that base -> closure::from_solution -> closure::lock
//! ```

pub mod catalogue;
pub mod changes;
pub mod closure;
pub mod index;
pub mod mirror;
pub mod release;
pub mod tracker;
pub mod version;

use foundation::address;
use foundation::config::ConfigError;
use foundation::failure::{Failure, Kind, Outcome};
use foundation::store::StoreError;
use mirror::Mirrors;
use recipe::root_lock::RootLock;

use crate::download::{DownloadError, Wanted};

/// A failure of reading Debian's archive, or of choosing packages from it.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// A file of the archive could not be downloaded.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The cache could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user's settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What is given as a mirror is not an address.
    #[error("{from}: '{}' is not a mirror's address", address::shown(url))]
    Mirror {
        /// The option or the file that has the address.
        from: String,
        /// The text that was given as the address.
        url: String,
    },
    /// The text is not a time stamp such as `20260712T000000Z`.
    #[error("--snapshot '{0}' is not a time stamp of the snapshot archive")]
    Snapshot(String),
    /// No InRelease could be used; each address with its reason.
    #[error("no InRelease file of {suite} can be used:\n{}", tried.iter().map(|tried| format!("  {tried}")).collect::<Vec<_>>().join("\n"))]
    Release {
        /// The suite, such as `bookworm`.
        suite: String,
        /// The addresses that were tried, each with its reason.
        tried: Vec<crate::download::Tried>,
        /// The reason that says most.
        reason: Unusable,
    },
    /// A suite does not have a component or an architecture.
    #[error("the suite {suite} of {archive} has no {what} {asked}; it has {has}")]
    SuiteLacks {
        /// The suite, such as `bookworm`.
        suite: String,
        /// The permanent archive that it belongs to.
        archive: String,
        /// What is asked for: `component` or `architecture`.
        what: &'static str,
        /// The one that it does not have.
        asked: String,
        /// Those that it has, with commas between them.
        has: String,
    },
    /// Two suites have other bytes under the same name and version.
    #[error("{package} is not the same file in two suites of the target:\n{places}")]
    Conflict {
        /// The package and its version.
        package: String,
        /// The suites, each with the path and the digest that it has.
        places: String,
    },
    /// The security tracker's data cannot be used.
    #[error("{}: {why}", path.display())]
    Tracker {
        /// The file with the data.
        path: std::path::PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// gpgv(1) cannot be started.
    #[error("cannot run gpgv, which checks Debian's signatures: {0}")]
    NoGpgv(std::io::Error),
    /// An index, or something in it, cannot be used.
    #[error("the index {name} cannot be used: {why}")]
    Index {
        /// The name of the index, such as `Packages`.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A dependency that nothing in the archive satisfies.
    #[error("{wanted_by} needs {dependency}, and no package of the target's suites provides that")]
    Unsatisfied {
        /// The package or the request that needs it.
        wanted_by: String,
        /// The dependency, in the syntax of `Depends` (Debian policy 7.1).
        dependency: String,
        /// The field of the target's file that it comes from; none where it is the recipe's.
        field: Option<&'static str>,
    },
    /// What is asked for is not there.
    #[error("{dependency} is asked for, and {suite} has no such package for {architecture}")]
    NotInSuite {
        /// The dependency, in the syntax of `Depends` (Debian policy 7.1).
        dependency: String,
        /// The suite.
        suite: String,
        /// The architecture.
        architecture: String,
        /// The field of the target's file that asks for it; none where the recipe does.
        field: Option<&'static str>,
    },
    /// What apt printed is not a plan that can be locked.
    #[error("what apt would install cannot be locked: {0}")]
    Solution(String),
}

impl DebianError {
    /// The field of the target's file that it is about, where it is about one, and the suite that has it.
    pub fn field(&self) -> Option<(&'static str, Option<&str>)> {
        match self {
            Self::Release { suite, reason: Unusable::Missing, .. } => Some(("suite", Some(suite))),
            Self::Release { suite, reason: Unusable::Untrusted, .. } => Some(("keyring", Some(suite))),
            Self::SuiteLacks { suite, what: "component", .. } => Some(("component", Some(suite))),
            Self::SuiteLacks { suite, .. } => Some(("name", Some(suite))),
            Self::Unsatisfied { field, .. } | Self::NotInSuite { field, .. } => field.map(|field| (field, None)),
            _ => None,
        }
    }
}

/// Why no InRelease of a suite can be used; of several reasons, the greatest says most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unusable {
    /// No address answers.
    Silent,
    /// An address answers, and does not have the suite.
    Missing,
    /// It was good once: `Valid-Until` is past.
    Expired,
    /// It is not signed as it should be, or is of something else.
    Untrusted,
}

/// What says which suite is asked for and whose keys have to sign it, as advice calls it.
#[derive(Clone, Copy, Debug)]
pub struct Advised {
    /// What says which suite.
    pub suite: &'static str,
    /// What has the keys.
    pub keyring: &'static str,
}

impl Advised {
    /// Of a target that has a file.
    pub const IN_FILE: Self = Self { suite: "the suite in the target's file", keyring: "the target's keyring" };
}

impl Failure for DebianError {
    fn outcome(&self) -> Outcome {
        self.outcome_advised(Advised::IN_FILE)
    }
}

impl DebianError {
    /// What kind of failure it is and what to do next, for somebody who says by these means what is asked for.
    pub fn outcome_advised(&self, advised: Advised) -> Outcome {
        match self {
            Self::Download(error) => error.outcome(),
            Self::Store(error) => error.outcome(),
            Self::Config(error) => error.outcome(),
            Self::Mirror { .. } => {
                Kind::Usage.next("write http:// or https://, a host and the archive's path, such as http://HOST/debian")
            }
            Self::Snapshot(_) => Kind::Usage.next("write YYYYMMDDTHHMMSSZ, such as 20260712T000000Z"),
            Self::Release { reason: Unusable::Untrusted, .. } => Kind::Verification.next(format!(
                "nothing of it was used: try another mirror with --mirror URL; if its keys are new ones, {} needs them",
                advised.keyring
            )),
            Self::Release { reason: Unusable::Expired, .. } => Kind::Verification.next(
                "nothing of it was used: try another mirror with --mirror URL; a suite that gets no updates any more is locked as \
                 it was with --snapshot TIME",
            ),
            Self::Release { reason: Unusable::Missing, .. } => Kind::Failed.next(format!(
                "correct {}; if the mirror has another archive only, name one of this archive with --mirror URL; a release that \
                 Debian has moved to https://archive.debian.org is locked as it was with --snapshot TIME, or from there with \
                 --mirror URL",
                advised.suite
            )),
            Self::Release { reason: Unusable::Silent, .. } => Kind::Failed.next(
                "check the network and http_proxy, https_proxy and no_proxy, or name another mirror with --mirror URL",
            ),
            Self::SuiteLacks { .. } => Kind::Input.next("correct it in the target's file"),
            Self::Conflict { .. } => Kind::Verification.next(
                "nothing was locked: find out which one is right, and give its suite a higher priority in the target's file",
            ),
            Self::Tracker { .. } => Kind::Input.next(
                "give --tracker what https://security-tracker.debian.org/tracker/data/json has: download it, as it is, to a file",
            ),
            Self::NoGpgv(_) => {
                Kind::Failed.next("install it with `apt-get install gpgv`; elsewhere it comes with GnuPG")
            }
            Self::Index { .. } => Kind::Failed.next("try another mirror with --mirror URL"),
            Self::Unsatisfied { .. } => Kind::Input.next(
                "correct the name in the recipe or in the target's `base`, or name the suite or component that has it as a further \
                 archive in the target's file",
            ),
            Self::NotInSuite { architecture, .. } => Kind::Input.next(format!(
                "correct the name in the recipe or in the target's `base`, or name the suite or component that has it as a further archive \
                 in the target's file; where only {architecture} lacks it, write `NAME [!{architecture}]`, or a section for this target in \
                 the recipe",
            )),
            Self::Solution(_) => Kind::Failed.next("run the same command again, or try another mirror with --mirror URL"),
        }
    }
}

/// The .debs of a lock, as files to download.
pub fn wanted(lock: &RootLock, mirrors: &Mirrors) -> Vec<Wanted> {
    let one = |deb: &recipe::root_lock::PinnedDeb| Wanted {
        name: deb.path.rsplit('/').next().unwrap_or(&deb.path).to_owned(),
        urls: {
            let (archive, snapshot) = lock.origin(mirrors.own(), deb);
            mirrors.of(archive).pinned(snapshot, &deb.path)
        },
        size: Some(deb.size),
        sha256: deb.sha256,
    };
    lock.packages.iter().map(one).collect()
}

#[cfg(test)]
mod catalogue_tests;
#[cfg(test)]
mod tests;
