//! Since when clients of a suite have seen each package: what rules go by that keep packages for some time. Snapshots alone do not
//! tell, since old ones are removed.

use std::collections::BTreeMap;

use apt::listed::Listed;
use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;
use super::{Folder, RepositoryError, files};

/// Its file below `.repository/`.
pub(super) const FILE: &str = "first-seen.json";

/// Codename and file name in the pool to a Unix time in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct FirstSeen(BTreeMap<String, BTreeMap<String, i64>>);

impl FirstSeen {
    /// Reads it. Where there is none yet, the snapshots that are kept tell what they can.
    ///
    /// # Errors
    /// The file, or a snapshot that is read in its place, is not as this tool writes it.
    pub fn read(folder: &Folder) -> Result<Self, RepositoryError> {
        if let Some(kept) = files::read_json(&folder.state().join(FILE))? {
            return Ok(kept);
        }
        let mut seen = Self::default();
        for snapshot in folder.all_snapshots()? {
            seen.add(&snapshot);
        }
        Ok(seen)
    }

    /// Clients see this snapshot from its date on.
    pub fn add(&mut self, snapshot: &Snapshot) {
        let suite = self.0.entry(snapshot.codename.clone()).or_default();
        for package in &snapshot.packages {
            let since = suite.entry(file_name(package).to_owned()).or_insert(snapshot.date);
            *since = (*since).min(snapshot.date);
        }
    }

    /// Writes it, where it has changed.
    ///
    /// # Errors
    /// What is there cannot be read, or the new file cannot be written.
    pub fn write(&self, folder: &Folder) -> Result<(), RepositoryError> {
        let path = folder.state().join(FILE);
        match files::read_json::<Self>(&path)? {
            Some(kept) if kept == *self => Ok(()),
            _ => files::write_json(&folder.temporary(), &path, self),
        }
    }

    /// Since when a package is seen in a suite; `None` where it never was.
    pub fn of(&self, codename: &str, package: &Listed) -> Option<i64> {
        self.0.get(codename)?.get(file_name(package)).copied()
    }
}

fn file_name(package: &Listed) -> &str {
    package.path.rsplit('/').next().unwrap_or(&package.path)
}
