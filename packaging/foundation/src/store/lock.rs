//! Locks that say who holds them.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::StoreError;
use crate::address;
use crate::date;

/// The process that holds a lock, as it wrote itself into the file of the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The number of the process (PID). It is 0 where it cannot be told.
    pub pid: u32,
    /// What it does, such as `package mesos for debian-12/amd64`.
    pub what: String,
    /// Its command line, with the words separated by spaces.
    pub command: String,
    /// When it took the lock, as a Unix time in seconds.
    pub started: i64,
}

impl Holder {
    fn this_process(what: &str) -> Self {
        Self {
            pid: std::process::id(),
            what: address::shown(what),
            command: address::shown(&std::env::args().collect::<Vec<_>>().join(" ")),
            started: date::now(),
        }
    }

    /// When it took the lock, in UTC (RFC 3339).
    pub fn started_text(&self) -> String {
        OffsetDateTime::from_unix_timestamp(self.started)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok())
            .unwrap_or_else(|| "an unknown time".into())
    }

    fn read(path: &Path) -> Self {
        // The holder writes its name after it got the lock: for a moment there may be none.
        fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_else(|| Self {
            pid: 0,
            what: "unknown".into(),
            command: "unknown".into(),
            started: 0,
        })
    }
}

/// An exclusive lock (`flock(2)`), held until it is dropped or the process ends, in whatever way.
#[derive(Debug)]
pub struct StoreLock {
    file: File,
}

impl StoreLock {
    /// Locks any folder (such as `dist/…`) through the file `.lock` in it, waiting; `waiting` is
    /// called about twice a second meanwhile.
    ///
    /// # Errors
    /// The folder or the lock's file cannot be made, opened or written. That another process holds the lock is no
    /// error: it is waited for.
    pub fn acquire(dir: &Path, what: &str, waiting: &mut dyn FnMut(&Holder)) -> Result<Self, StoreError> {
        loop {
            match Self::try_acquire(dir, what) {
                Err(StoreError::Locked { holder, .. }) => {
                    waiting(&holder);
                    std::thread::sleep(Duration::from_millis(500));
                }
                other => return other,
            }
        }
    }

    /// Locks any folder without waiting. The folder is made where it is missing.
    ///
    /// # Errors
    /// Another process holds the lock ([`StoreError::Locked`] says which), or the folder or the lock's file cannot be
    /// made, opened or written.
    pub fn try_acquire(dir: &Path, what: &str) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(StoreError::io("make the folder", dir))?;
        let path = dir.join(".lock");
        let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(StoreError::io("open the lock", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(StoreError::Locked { path: dir.to_owned(), holder: Holder::read(&path) });
            }
            locked => locked.map_err(|error| StoreError::io("lock", &path)(error.into()))?,
        }
        let text = serde_json::to_vec(&Holder::this_process(what)).expect("plain data");
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(&text))
            .map_err(StoreError::io("write", &path))?;
        Ok(Self { file })
    }

    /// Makes a program hold the lock as well, as its standard input: it stays locked until both have ended, also where
    /// this process is killed first.
    ///
    /// # Errors
    /// The file of the lock cannot be opened a second time, for example because too many files are open.
    pub fn share_with(&self, command: &mut Command) -> Result<(), StoreError> {
        let copy = self.file.try_clone().map_err(StoreError::io("share the lock", ".lock"))?;
        command.stdin(copy);
        Ok(())
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // The file stays: removing it would let two runs lock two different files of the same name.
        let _ = self.file.set_len(0);
    }
}
