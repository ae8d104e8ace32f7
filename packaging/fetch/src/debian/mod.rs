//! Debian's archive: verified indices and what a build root needs from them.
//!
//! ```text
//! Release::fetch (gpgv) -> Release::packages (by its digest) -> closure::base -> apt in that base
//!   -> closure::from_solution -> closure::lock
//! ```

pub mod closure;
pub mod index;
pub mod mirror;
pub mod release;
pub mod version;

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
    #[error("{from}: '{url}' is not a mirror's address")]
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
    #[error("{wanted_by} needs {dependency}, and no package of the suite provides that")]
    Unsatisfied {
        /// The package or the request that needs it.
        wanted_by: String,
        /// The dependency, in the syntax of `Depends` (Debian policy 7.1).
        dependency: String,
    },
    /// What apt printed is not a plan that can be locked.
    #[error("what apt would install cannot be locked: {0}")]
    Solution(String),
}

impl Failure for DebianError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Download(error) => error.outcome(),
            Self::Store(error) => error.outcome(),
            Self::Config(error) => error.outcome(),
            Self::Mirror { .. } => {
                Kind::Usage.next("write http:// or https://, a host and the archive's path, such as http://HOST/debian")
            }
            Self::Snapshot(_) => Kind::Usage.next("write YYYYMMDDTHHMMSSZ, such as 20260712T000000Z"),
            Self::Release { tried, .. } => match crate::download::kind_of(tried) {
                Kind::Verification => Kind::Verification.next(
                    "nothing of it was used: try another mirror with --mirror URL; if its keys are new ones, the \
                     target's keyring needs them",
                ),
                kind => kind.next(
                    "check the network and http_proxy, https_proxy and no_proxy, or name another mirror with --mirror URL",
                ),
            },
            Self::NoGpgv(_) => {
                Kind::Failed.next("install it with `apt-get install gpgv`; elsewhere it comes with GnuPG")
            }
            Self::Index { .. } => Kind::Failed.next("try another mirror with --mirror URL"),
            Self::Unsatisfied { .. } => Kind::Input.next("correct the name in the recipe or in the target's `base`"),
            Self::Solution(_) => Kind::Failed.next("run the same command again, or try another mirror with --mirror URL"),
        }
    }
}

/// The .debs of a lock, as files to download.
pub fn wanted(lock: &RootLock, mirrors: &Mirrors) -> Vec<Wanted> {
    let one = |deb: &recipe::root_lock::PinnedDeb| Wanted {
        name: deb.path.rsplit('/').next().unwrap_or(&deb.path).to_owned(),
        urls: mirrors.pinned(&lock.snapshot, &deb.path),
        size: Some(deb.size),
        sha256: deb.sha256,
    };
    lock.packages.iter().map(one).collect()
}

#[cfg(test)]
mod tests;
