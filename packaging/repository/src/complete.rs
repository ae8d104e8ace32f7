//! Whether everything that a repository names is there, with the right bytes. Asked before others are told of it: a pool
//! that is not mounted must not empty the place that it was copied to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use apt::Sum;
use foundation::digest::Digest;
use foundation::threads::processors;

use super::evidence::{Build, Evidence};
use super::snapshot::{self, Snapshot};
use super::{Folder, RepositoryError};

/// A file that is named by a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The path where the file belongs.
    pub path: PathBuf,
    /// The digest that the file has to have.
    pub sha256: Digest,
    /// The size that it then has, in bytes.
    pub size: u64,
    /// The file's path below a place that the repository was pushed to.
    pub remote: String,
}

/// The packages and indices that snapshots name, each once.
pub(super) fn named(folder: &Folder, snapshots: &[Snapshot]) -> Vec<Named> {
    let mut named = BTreeMap::new();
    for snapshot in snapshots {
        for package in &snapshot.packages {
            let path = folder.path(&package.path);
            let file = Named { path, sha256: package.sha256, size: package.size, remote: package.path.clone() };
            named.insert(file.path.clone(), file);
        }
        for (path, (sha256, size)) in snapshot.files.iter().filter(|(path, _)| apt::indices::is_packed(path)) {
            let remote = apt::indices::by_hash(&snapshot.codename, path, sha256);
            let file = Named { path: folder.index(sha256), sha256: *sha256, size: *size, remote };
            named.insert(file.path.clone(), file);
        }
    }
    named.into_values().collect()
}

/// What is proven of the packages of these snapshots.
pub(super) fn statements(folder: &Folder, snapshots: &[Snapshot]) -> Result<Vec<Named>, RepositoryError> {
    let packages: BTreeSet<Digest> =
        snapshots.iter().flat_map(|snapshot| &snapshot.packages).map(|package| package.sha256).collect();
    let evidence = Evidence::read(folder)?;
    let files = evidence.of(&packages).flat_map(Build::paths);
    let named = |(path, _, (sha256, size)): (String, _, &Sum)| Named {
        path: folder.path(&path),
        sha256: *sha256,
        size: *size,
        remote: path,
    };
    Ok(files.map(named).collect())
}

/// Those of them that are missing or have other bytes, with what was found. Everything is read.
pub(super) fn wanting(files: &[Named]) -> Vec<(&Named, String)> {
    let threads = processors() as usize;
    std::thread::scope(|scope| {
        let chunks = files.chunks(files.len().div_ceil(threads).max(1));
        let workers: Vec<_> = chunks
            .map(|chunk| {
                scope.spawn(move || chunk.iter().filter_map(|file| Some((file, wrong(file)?))).collect::<Vec<_>>())
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("it does not panic")).collect()
    })
}

fn wrong(file: &Named) -> Option<String> {
    // A pipe of that name would never end.
    if !fs::symlink_metadata(&file.path).is_ok_and(|found| found.is_file()) {
        return Some("no such file".into());
    }
    match Digest::of_file(&file.path) {
        Ok(found) if found == file.sha256 => None,
        Ok(found) => Some(format!("sha256 {found}, not {}", file.sha256)),
        Err(error) => Some(error.to_string()),
    }
}

/// Those of them that are not there at all: nothing is read.
pub(super) fn missing(files: &[Named]) -> Vec<&Named> {
    files.iter().filter(|file| !file.path.is_file()).collect()
}

/// An error that names what is wanting, if anything is: packages, indices, or a snapshot's own files.
pub(super) fn check(folder: &Folder) -> Result<(), RepositoryError> {
    let snapshots = folder.all_snapshots()?;
    let mut files = named(folder, &snapshots);
    files.extend(statements(folder, &snapshots)?);
    let mut problems: Vec<String> =
        wanting(&files).into_iter().map(|(file, found)| format!("{}: {found}", file.path.display())).collect();
    for snapshot in &snapshots {
        let place = folder.snapshot(&snapshot.codename, snapshot.number);
        let missing = snapshot::FILES.iter().map(|name| place.join(name)).filter(|path| !path.is_file());
        problems.extend(missing.map(|path| format!("{}: no such file", path.display())));
    }
    incomplete(folder, problems)
}

/// The error for files that are wanting.
pub(super) fn incomplete(folder: &Folder, problems: Vec<String>) -> Result<(), RepositoryError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(RepositoryError::Incomplete { path: folder.root().to_owned(), problems })
}
