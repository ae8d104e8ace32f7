//! Every package that was ever published, for ever: a version that clients may have must not come back with other bytes,
//! not even after all snapshots with it are gone.

use std::collections::BTreeMap;

use apt::listed::Listed;
use foundation::digest::Digest;
use serde::{Deserialize, Serialize};

use super::{Folder, RepositoryError, files};

/// What was published: file name in the pool, which has name, version and architecture, to digest.
///
/// One for the whole repository, not one for each suite: the pool has a single place for each of them, and a machine that
/// moves from one suite to the next would keep the other suite's build of the same version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Ledger(BTreeMap<String, Digest>);

impl Ledger {
    /// Every repository has one, from its beginning: one that is missing was lost.
    ///
    /// # Errors
    /// The file is missing, cannot be read, or is not as this tool writes it.
    pub fn read(folder: &Folder) -> Result<Self, RepositoryError> {
        let path = folder.state().join("ledger.json");
        let missing = || RepositoryError::State { path: path.clone(), problem: "it is missing".into() };
        files::read_json(&path)?.ok_or_else(missing)
    }

    /// Writes the ledger, where it has changed.
    ///
    /// # Errors
    /// What is there cannot be read, or the new file cannot be written.
    pub fn write(&self, folder: &Folder) -> Result<(), RepositoryError> {
        let path = folder.state().join("ledger.json");
        if files::read_json::<Self>(&path)?.as_ref() == Some(self) {
            return Ok(());
        }
        files::write_json(&folder.temporary(), &path, self)
    }

    /// The digest under which a file was published.
    pub fn published(&self, file_name: &str) -> Option<Digest> {
        self.0.get(file_name).copied()
    }

    /// The digest under which a package's file was published.
    pub fn of(&self, package: &Listed) -> Option<Digest> {
        self.published(package.path.rsplit('/').next().unwrap_or(&package.path))
    }

    /// A file of this one that the other one does not have, or has with another digest.
    pub fn missing_in(&self, other: &Self) -> Option<&str> {
        self.0.iter().find(|(name, sha256)| other.0.get(*name) != Some(sha256)).map(|(name, _)| name.as_str())
    }

    /// Takes in what another one has and this one does not.
    pub fn merge(&mut self, other: Self) {
        for (name, sha256) in other.0 {
            self.0.entry(name).or_insert(sha256);
        }
    }

    pub fn add<'a>(&mut self, packages: impl IntoIterator<Item = &'a Listed>) {
        for package in packages {
            let name = package.path.rsplit('/').next().unwrap_or(&package.path);
            self.0.entry(name.to_owned()).or_insert(package.sha256);
        }
    }
}
