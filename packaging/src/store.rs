//! The cache: downloads by their digest, results of stages by the digest of their inputs.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Something about the cache went wrong.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Work in progress.
    #[error("{0}")]
    Todo(String),
}

impl StoreError {
    /// Whether content did not have the digest that was expected.
    pub fn is_verification(&self) -> bool {
        todo!()
    }
}

/// The content-addressed cache.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// A file in the store.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where it is.
    pub path: PathBuf,
}

impl Store {
    /// `$MESOS_PACKAGES_CACHE`, `$XDG_CACHE_HOME/mesos-packages` or `~/.cache/mesos-packages`.
    pub fn default_dir() -> Result<PathBuf, StoreError> {
        todo!()
    }
    /// Opens the store in a folder (default: [`Store::default_dir`]), making it if needed.
    pub fn open(dir: Option<&Path>) -> Result<Self, StoreError> {
        todo!("{dir:?}")
    }
    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The file with this digest. Cheap: a file that was changed since it was added is noticed by
    /// its time stamp, re-hashed, and dropped when it is bad.
    pub fn blob(&self, digest: &Digest) -> Option<PathBuf> {
        todo!("{digest}")
    }
    /// Adds what a reader gives.
    pub fn add(&self, reader: impl Read, expected: Option<Digest>) -> Result<Blob, StoreError> {
        let _ = reader;
        todo!("{expected:?}")
    }
    /// Adds a copy of a file.
    pub fn add_file(&self, path: &Path, expected: Option<Digest>) -> Result<Blob, StoreError> {
        todo!("{path:?} {expected:?}")
    }
    /// Hashes a blob again; a bad one is dropped and is a verification error.
    pub fn verify(&self, digest: &Digest) -> Result<PathBuf, StoreError> {
        todo!("{digest}")
    }
    /// The finished result of a stage: a folder.
    pub fn stage(&self, kind: &str, key: &Digest) -> Option<PathBuf> {
        todo!("{kind} {key}")
    }
    /// Starts a stage's result; nothing is visible until it is committed.
    pub fn begin(&self, kind: &str, key: &Digest) -> Result<StageWriter, StoreError> {
        todo!("{kind} {key}")
    }
    /// A temporary folder in the store's file system, removed when it is dropped, and by the next
    /// holder of the lock when this process is killed.
    pub fn temp_dir(&self) -> Result<TempDir, StoreError> {
        todo!()
    }
    /// Locks the store, waiting for another run; `waiting` is called about twice a second meanwhile.
    /// What killed runs left is removed.
    pub fn lock(&self, what: &str, waiting: &mut dyn FnMut(&Holder)) -> Result<StoreLock, StoreError> {
        let _ = waiting;
        todo!("{what}")
    }
    /// Locks the store, or says who holds it.
    pub fn try_lock(&self, what: &str) -> Result<StoreLock, StoreError> {
        todo!("{what}")
    }
}

/// A temporary folder of the store.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A stage's result while it is written; dropped without commit, it is removed.
#[derive(Debug)]
pub struct StageWriter {
    temp: TempDir,
}

impl StageWriter {
    /// The folder to write into.
    pub fn path(&self) -> &Path {
        self.temp.path()
    }
    /// Makes the result durable and visible, and returns its final folder.
    pub fn commit(self) -> Result<PathBuf, StoreError> {
        todo!()
    }
}

/// Who holds a lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// What it does, such as `package mesos for debian-12/amd64`.
    pub what: String,
    /// Its command line.
    pub command: String,
    /// When it took the lock, as a Unix time in seconds.
    pub started: i64,
}

/// An exclusive lock, held until it is dropped (or the process ends, in whatever way).
#[derive(Debug)]
pub struct StoreLock {
    _file: std::fs::File,
}

impl StoreLock {
    /// Locks any folder (such as `dist/…`) through the file `.lock` in it, waiting.
    pub fn acquire(dir: &Path, what: &str, waiting: &mut dyn FnMut(&Holder)) -> Result<Self, StoreError> {
        let _ = waiting;
        todo!("{dir:?} {what}")
    }
    /// Locks any folder, or says who holds it.
    pub fn try_acquire(dir: &Path, what: &str) -> Result<Self, StoreError> {
        todo!("{dir:?} {what}")
    }
}
