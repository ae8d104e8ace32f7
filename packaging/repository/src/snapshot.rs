//! A publication: a numbered folder that never changes, and the link that makes one of them the suite that clients see.
//!
//! `dists/bookworm -> ../snapshots/bookworm/7/suite`: renaming another link over it is all that a publication changes.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use apt::Sum;
use apt::listed::Listed;
use foundation::digest::Digest;
use foundation::public;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{Folder, RepositoryError, files};

/// What a snapshot is and has, in its `snapshot.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Snapshot {
    /// The number of the snapshot, counted from 1 in each suite.
    pub number: u64,
    /// The codename of the suite.
    pub codename: String,
    /// The command that made it.
    pub made: Made,
    /// `Date` of its Release, as a Unix time in seconds.
    pub date: i64,
    /// The field `Valid-Until` of its Release, as a Unix time in seconds.
    pub valid_until: i64,
    /// Fingerprints of the primary keys that signed it.
    pub signed_by: Vec<String>,
    /// The packages that clients see with it, sorted by name and version.
    pub packages: Vec<Listed>,
    /// What its Release names: path below `dists/CODENAME/` to digest and size.
    pub files: BTreeMap<String, Sum>,
}

/// How a snapshot came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Made {
    /// It is the first one, or packages were added.
    Publish,
    /// The packages of the snapshot before, signed anew.
    Refresh,
    /// The packages are those of the earlier snapshot with this number.
    Rollback(u64),
    /// The keys that sign were changed, and with them the keyring package.
    RotateKey,
    /// Packages were taken out of the suite.
    Remove,
}

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Publish => f.write_str("publish"),
            Self::Refresh => f.write_str("refresh"),
            Self::Rollback(number) => write!(f, "rollback {number}"),
            Self::RotateKey => f.write_str("rotate-key"),
            Self::Remove => f.write_str("remove"),
        }
    }
}

/// The record's name in a snapshot's folder.
pub(super) const RECORD: &str = "snapshot.json";

/// The folder in it that clients see.
pub(super) const SUITE: &str = "suite";

/// What another machine needs of a snapshot: the rest of its folder is links.
pub(super) const FILES: [&str; 4] = [RECORD, "suite/InRelease", "suite/Release", "suite/Release.gpg"];

impl Snapshot {
    /// Reads a snapshot of a suite.
    pub(super) fn read(folder: &Folder, codename: &str, number: u64) -> Result<Self, RepositoryError> {
        let path = folder.snapshot(codename, number).join(RECORD);
        let missing = || RepositoryError::State { path: path.clone(), problem: "it is missing".into() };
        let snapshot: Self = files::read_json(&path)?.ok_or_else(missing)?;
        if snapshot.number != number || snapshot.codename != codename {
            let problem = format!("it is of snapshot {} of {}", snapshot.number, snapshot.codename);
            return Err(RepositoryError::State { path, problem });
        }
        Ok(snapshot)
    }

    /// The snapshot that clients of a suite see; `None` where nothing was published yet.
    pub(super) fn live(folder: &Folder, codename: &str) -> Result<Option<Self>, RepositoryError> {
        live(folder, codename)?.map(|number| Self::read(folder, codename, number)).transpose()
    }

    /// Packages and indices without what differs between a snapshot and its refresh.
    pub(super) fn content(&self) -> Digest {
        Digest::of_json(&self.packages)
    }
}

/// Gives a snapshot's folder that was made elsewhere its place, durable.
pub(super) fn settle(new: TempDir, place: &Path) -> Result<(), RepositoryError> {
    let attempt = || -> std::io::Result<()> {
        let parent = place.parent().expect("it is in a folder");
        public::make_folder(parent)?;
        for path in [new.path(), &new.path().join(SUITE)] {
            fs::set_permissions(path, Permissions::from_mode(0o755))?;
        }
        for entry in walkdir::WalkDir::new(new.path()) {
            let entry = entry?;
            if entry.file_type().is_dir() {
                files::sync_folder(entry.path())?;
            }
        }
        fs::rename(new.path(), place)?;
        files::sync_folder(parent)
    };
    attempt().map_err(RepositoryError::io("write", place))?;
    // It has another name now.
    let _ = new.keep();
    Ok(())
}

/// The number of the snapshot that clients of a suite see.
pub(super) fn live(folder: &Folder, codename: &str) -> Result<Option<u64>, RepositoryError> {
    let link = folder.live(codename);
    let target = match fs::read_link(&link) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(RepositoryError::io("read the link", &link))?,
    };
    let number = target.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok());
    match number {
        Some(number) if target == link_target(codename, number) => Ok(Some(number)),
        _ => Err(RepositoryError::State { path: link, problem: format!("it leads to {}", target.display()) }),
    }
}

/// Where the link of a suite leads.
pub(super) fn link_target(codename: &str, number: u64) -> PathBuf {
    PathBuf::from(format!("../snapshots/{codename}/{number}/{SUITE}"))
}

/// The numbers of a suite's snapshots, in order.
pub(super) fn numbers(folder: &Folder, codename: &str) -> Result<Vec<u64>, RepositoryError> {
    let names = files::names(&folder.snapshots(codename))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}
