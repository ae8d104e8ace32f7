//! Debian's archive: verified indices and what a build root needs from them.

pub mod closure;
pub mod index;
pub mod mirror;
pub mod release;

use crate::download::{DownloadError, Wanted};
use crate::root_lock::RootLock;
use crate::store::StoreError;
use mirror::Mirrors;

/// Something about the archive went wrong.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// A download.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DebianError {
    /// Whether a signature or a digest was wrong.
    pub fn is_verification(&self) -> bool {
        todo!()
    }
}

/// The .debs of a lock, as files to download.
pub fn wanted(lock: &RootLock, mirrors: &Mirrors) -> Vec<Wanted> {
    let _ = mirrors;
    todo!("{lock:?}")
}
