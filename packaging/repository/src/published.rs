//! What the signed generation says of snapshots, for whoever takes them from a place. The signature of a snapshot alone tells only that
//! a key of the repository's history made it: that key may have been stolen since, and the record beside it is not signed at all.

use std::collections::BTreeMap;
use std::path::Path;

use apt::listed::Listed;
use foundation::digest::Digest;

use super::generation::{self, Generation};
use super::ledger::Ledger;
use super::snapshot::Snapshot;
use super::{RepositoryError, place};

/// What was published up to a generation.
pub(super) struct Published {
    /// What clients see of each suite.
    suites: BTreeMap<String, (u64, Digest)>,
    /// Every package that ever was.
    pub ledger: Ledger,
}

impl Published {
    /// That of a generation, whose files are below `top`.
    pub fn of(generation: &Generation, top: &Path) -> Result<Self, RepositoryError> {
        let path = top.join(generation::FILE);
        let wrong = |error: serde_json::Error| RepositoryError::State { path, problem: error.to_string() };
        let ledger = match generation.content(top, "ledger.json")? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(wrong)?,
            None => Ledger::default(),
        };
        Ok(Self { suites: generation.suites.clone(), ledger })
    }

    /// Whether a snapshot is of before the generation, or its own.
    pub fn covers(&self, codename: &str, number: u64) -> bool {
        self.suites.get(codename).is_none_or(|(live, _)| number <= *live)
    }

    /// Whether a snapshot may have this InRelease: the one that clients see has only one.
    pub fn allows(&self, codename: &str, number: u64, in_release: &[u8]) -> bool {
        self.suites.get(codename).is_none_or(|(live, sha256)| number != *live || Digest::of(in_release) == *sha256)
    }
}

/// A package of a snapshot that is not where packages belong, or was never published like that.
pub(super) fn foreign<'a>(published: Option<&Published>, snapshot: &'a Snapshot) -> Option<&'a Listed> {
    let published = published.filter(|one| one.covers(&snapshot.codename, snapshot.number));
    let known = |package: &Listed| {
        package.path.starts_with("pool/")
            && place::is_ours(&package.path)
            && published.is_none_or(|published| published.ledger.of(package) == Some(package.sha256))
    };
    snapshot.packages.iter().find(|package| !known(package))
}
