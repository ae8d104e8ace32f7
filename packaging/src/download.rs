//! Downloads: parallel, resumed, retried, from several addresses in turn, checked by digest.

use std::path::PathBuf;

use crate::digest::Digest;
use crate::store::{Store, StoreError};

/// Whether the network may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// It may.
    Online,
    /// `--offline`: whatever is not in the store is an error.
    Offline,
}

/// A file to have in the store.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What to call it in messages.
    pub name: String,
    /// Where it may be, in the order to try.
    pub urls: Vec<String>,
    /// Its size, if known.
    pub size: Option<u64>,
    /// Its digest: this decides, not the address.
    pub sha256: Digest,
}

/// What happens during downloads.
#[derive(Clone, Debug)]
pub enum Event {
    /// How far it is. Sent at most some ten times a second.
    Progress(Progress),
    /// An address did not work and the next one is tried; names the address and the reason.
    Warning(String),
}

/// How far downloads are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are there.
    pub bytes_done: u64,
    /// Bytes in all, as far as sizes are known.
    pub bytes_total: u64,
    /// Files that are there and checked.
    pub files_done: usize,
    /// Files in all.
    pub files_total: usize,
    /// The file that moved last.
    pub current: String,
}

/// A download that did not work.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DownloadError {
    /// Whether something was received that is not what was pinned.
    pub fn is_verification(&self) -> bool {
        todo!()
    }
}

/// Downloads files into the store.
#[derive(Debug)]
pub struct Downloader {
    network: Network,
}

impl Downloader {
    /// With time-outs and retries for real networks.
    pub fn new(network: Network) -> Self {
        Self { network }
    }
    /// Whether the network may be used.
    pub fn network(&self) -> Network {
        self.network
    }
    /// Brings all files into the store, several at a time. What is there is not downloaded.
    pub fn fetch_all(&self, store: &Store, wanted: &[Wanted], on: &(dyn Fn(Event) + Sync)) -> Result<(), DownloadError> {
        let _ = (store, on);
        todo!("{wanted:?}")
    }
    /// Brings one file into the store.
    pub fn fetch(&self, store: &Store, wanted: &Wanted, on: &(dyn Fn(Event) + Sync)) -> Result<PathBuf, DownloadError> {
        let _ = (store, on);
        todo!("{wanted:?}")
    }
    /// Downloads a small text whose digest is not known beforehand (InRelease), from the first
    /// address that gives it. Returns the content and the address.
    pub fn get(&self, name: &str, urls: &[String], limit: u64, on: &(dyn Fn(Event) + Sync)) -> Result<(Vec<u8>, String), DownloadError> {
        let _ = (on, limit);
        todo!("{name} {urls:?}")
    }
}
