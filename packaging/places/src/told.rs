//! What a place tells of itself. Nothing here is believed: it is what is there, and the reader's to judge.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::PlaceError;
use crate::transport::Transport;

/// The generation that the place has, which the repository signs.
pub const GENERATION: &str = "repository/generation.asc";

/// The list of what pushes have put there: nothing else is ever removed. It is written before anything is copied, with what
/// is going to be, and when all is done again with what is.
pub const PUSHED: &str = "repository/pushed.json";

/// Where the locks are.
pub const LOCKS: &str = "repository/locks";

/// A place, as it was when it was read.
#[derive(Debug)]
pub struct Told {
    /// The place as it was given, for messages.
    pub name: String,
    /// The names of files and folders at the top of the place.
    pub top: BTreeSet<String>,
    /// The paths of all files that pushes have put there, as the place has them: whoever can write there has chosen them.
    pub pushed: BTreeSet<String>,
    /// The content of each lock, by its file's name.
    pub locks: BTreeMap<String, Vec<u8>>,
    /// The InRelease of each suite there, by its name.
    pub in_releases: BTreeMap<String, Vec<u8>>,
    /// What was fetched, at the paths that it has there.
    folder: TempDir,
}

impl Told {
    /// Reads a place.
    ///
    /// # Errors
    /// rsync or rclone fails, or the list of what was pushed is not as this tool writes it. That there is no such place
    /// is no error.
    pub fn read(transport: &Transport) -> Result<Self, PlaceError> {
        let folder = tempfile::tempdir().map_err(PlaceError::io("make a folder in", std::env::temp_dir()))?;
        let top = transport.read(folder.path())?.unwrap_or_default();
        let name = transport.remote.to_string();
        let path = |below: &str| folder.path().join(below);
        let pushed = match bytes(&path(PUSHED))? {
            None => BTreeSet::new(),
            Some(text) => serde_json::from_slice(&text)
                .map_err(|_| broken(&name, "repository/pushed.json is not as this tool writes it"))?,
        };
        let mut locks = BTreeMap::new();
        for file in names(&path(LOCKS))? {
            let path = path(LOCKS).join(&file);
            locks.insert(file, fs::read(&path).map_err(PlaceError::io("read", &path))?);
        }
        let mut in_releases = BTreeMap::new();
        for codename in names(&path("dists"))? {
            if let Ok(bytes) = fs::read(path("dists").join(&codename).join("InRelease")) {
                in_releases.insert(codename, bytes);
            }
        }
        Ok(Self { name, top, pushed, locks, in_releases, folder })
    }

    /// The generation that the place has, and the file with it; `None` where it has none.
    ///
    /// # Errors
    /// What was fetched cannot be read.
    pub fn generation(&self) -> Result<Option<(PathBuf, Vec<u8>)>, PlaceError> {
        let path = self.folder.path().join(GENERATION);
        Ok(bytes(&path)?.map(|bytes| (path, bytes)))
    }

    /// The error for something at the place that this tool has not written like that.
    pub fn broken(&self, problem: &str) -> PlaceError {
        broken(&self.name, problem)
    }
}

fn broken(place: &str, problem: &str) -> PlaceError {
    PlaceError::Unfit {
        place: place.to_owned(),
        problem: problem.to_owned(),
        next: "look at it with its owner; `cargo xtask repo push` to another place works meanwhile".into(),
    }
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>, PlaceError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(PlaceError::io("read", path)),
    }
}

/// The names in a folder, sorted; none where there is no such folder.
fn names(folder: &Path) -> Result<BTreeSet<String>, PlaceError> {
    let attempt = || -> io::Result<BTreeSet<String>> {
        let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
        match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            other => other?.map(name).collect(),
        }
    };
    attempt().map_err(PlaceError::io("read the folder", folder))
}
