//! InRelease: fetched, verified with gpgv, parsed (Debian repository format).

use std::collections::BTreeMap;
use std::path::Path;

use super::index::Index;
use super::mirror::Mirrors;
use super::DebianError;
use crate::digest::Digest;
use crate::download::{Downloader, Event};
use crate::store::Store;
use crate::target::Target;

/// A verified InRelease.
#[derive(Clone, Debug)]
pub struct Release {
    /// The codename, such as `bookworm`.
    pub codename: String,
    /// `Date`, as a Unix time in seconds.
    pub date: i64,
    /// `Valid-Until`, likewise.
    pub valid_until: Option<i64>,
    /// The time stamp for the permanent archive.
    pub snapshot: String,
    /// Digest of the InRelease file.
    pub sha256: Digest,
    /// The indices: path to digest and size.
    pub files: BTreeMap<String, (Digest, u64)>,
}

impl Release {
    /// Fetches the suite's InRelease and verifies it with the target's keyring. With `snapshot`
    /// (`--snapshot 20260712T000000Z`) it comes from the permanent archive as of then.
    pub fn fetch(
        downloader: &Downloader,
        store: &Store,
        mirrors: &Mirrors,
        target: &Target,
        targets: &Path,
        snapshot: Option<&str>,
        on: &(dyn Fn(Event) + Sync),
    ) -> Result<Self, DebianError> {
        let _ = (downloader, store, mirrors, target, targets, snapshot, on);
        todo!()
    }
    /// Fetches the Packages index of the target's component and architecture, by its digest.
    pub fn packages(
        &self,
        downloader: &Downloader,
        store: &Store,
        mirrors: &Mirrors,
        target: &Target,
        on: &(dyn Fn(Event) + Sync),
    ) -> Result<Index, DebianError> {
        let _ = (downloader, store, mirrors, target, on);
        todo!()
    }
}
