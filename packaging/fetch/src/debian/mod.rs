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
use foundation::store::StoreError;
use mirror::Mirrors;
use recipe::root_lock::RootLock;

use crate::download::{DownloadError, Wanted};

/// Something about the archive went wrong.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// A download.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user's settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A mirror's address that is none.
    #[error(
        "{from}: '{url}' is not a mirror's address: write http:// or https://, a host and the archive's path, such as http://HOST/debian"
    )]
    Mirror {
        /// The option or the file.
        from: String,
        /// What was given.
        url: String,
    },
    /// A time stamp that is none.
    #[error(
        "--snapshot '{0}' is not a time stamp of the snapshot archive: write YYYYMMDDTHHMMSSZ, such as 20260712T000000Z"
    )]
    Snapshot(String),
    /// No InRelease could be used; each address with its reason.
    #[error("no InRelease of {suite} can be used:\n{}\n{next}", tried.iter().map(|tried| format!("  {tried}")).collect::<Vec<_>>().join("\n"))]
    Release {
        /// The suite.
        suite: String,
        /// What was tried.
        tried: Vec<crate::download::Tried>,
        /// What to do.
        next: &'static str,
    },
    /// gpgv cannot be run.
    #[error(
        "cannot run gpgv, which checks Debian's signatures: {0}. Install it (`apt-get install gpgv`; elsewhere it comes with GnuPG)"
    )]
    NoGpgv(std::io::Error),
    /// An index, or something in it, cannot be used.
    #[error("the index {name} cannot be used: {why}. Try another mirror with --mirror URL")]
    Index {
        /// The index.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A dependency that nothing in the archive satisfies.
    #[error(
        "{wanted_by} needs {dependency}, and nothing in the suite satisfies that: correct the name in the recipe or in the target's `base`"
    )]
    Unsatisfied {
        /// Who needs it.
        wanted_by: String,
        /// What.
        dependency: String,
    },
    /// What apt printed is not a plan that can be locked.
    #[error("apt's solution cannot be locked: {0}")]
    Solution(String),
}

impl DebianError {
    /// Whether a signature or a digest was wrong.
    pub fn is_verification(&self) -> bool {
        match self {
            Self::Download(error) => error.is_verification(),
            Self::Store(error) => error.is_verification(),
            Self::Release { tried, .. } => tried.iter().any(|tried| tried.wrong),
            _ => false,
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
