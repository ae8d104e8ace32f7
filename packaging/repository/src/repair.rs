//! What an interrupted run has left: removed where clients do not see it, completed where they do.

use std::collections::BTreeSet;

use foundation::digest::Digest;

use super::keys::Keys;
use super::ledger::Ledger;
use super::publish::by_path;
use super::{Folder, RepositoryError, changelogs, described, evidence, files, snapshot, sources};

/// Brings everything into accord with the snapshots that clients see. Says what it did.
pub(super) fn repair(folder: &Folder, keys: &Keys) -> Result<Vec<String>, RepositoryError> {
    let mut done = Vec::new();
    clear_temporary(folder)?;
    for codename in folder.codenames()? {
        let live = snapshot::live(folder, &codename)?.unwrap_or(0);
        for number in snapshot::numbers(folder, &codename)?.into_iter().filter(|number| *number > live) {
            files::retire(&folder.temporary(), &folder.snapshot(&codename, number))?;
            done.push(format!("snapshot {number} of {codename} was not published yet: removed, publish again"));
        }
    }
    let removed = sweep(folder)?;
    if removed > 0 {
        done.push(format!("{removed} files that are in no snapshot: removed"));
    }
    let mut ledger = Ledger::read(folder)?;
    let mut staged = folder.staged()?;
    for codename in folder.codenames()? {
        if let Some(live) = snapshot::Snapshot::live(folder, &codename)? {
            ledger.add(&live.packages);
            if let Some(waiting) = staged.get_mut(&codename) {
                waiting.retain(|package| !live.packages.contains(package));
            }
        }
    }
    ledger.write(folder)?;
    staged.retain(|_, waiting| !waiting.is_empty());
    if staged != folder.staged()? {
        folder.write_staged(&staged)?;
    }
    sources::write(folder, keys)?;
    Ok(done)
}

/// Removes what was being written. Whoever has the lock knows that nobody writes.
pub(super) fn clear_temporary(folder: &Folder) -> Result<(), RepositoryError> {
    for name in files::names(&folder.temporary())? {
        files::remove(&folder.temporary().join(name))?;
    }
    Ok(())
}

/// Removes the files of pool and indices that no snapshot has, and what was kept of such packages. Returns how many
/// files of pool and indices that were.
pub(super) fn sweep(folder: &Folder) -> Result<usize, RepositoryError> {
    let snapshots = folder.all_snapshots()?;
    let staged = folder.staged()?;
    let packages = || snapshots.iter().flat_map(|snapshot| &snapshot.packages).chain(staged.values().flatten());
    let used = by_path(packages());
    let mut removed = 0;
    for path in below(folder, "pool")?.into_iter().filter(|path| !used.contains_key(path.as_str())) {
        let path = folder.path(&path);
        files::remove(&path)?;
        removed += 1;
        // Folders that are empty now, up to the pool.
        for parent in path.ancestors().skip(1).take_while(|parent| *parent != folder.path("pool")) {
            if std::fs::remove_dir(parent).is_err() {
                break;
            }
        }
    }
    let indices: BTreeSet<String> =
        snapshots.iter().flat_map(|snapshot| snapshot.files.values()).map(|(sha256, _)| sha256.to_string()).collect();
    for path in below(folder, "indices")? {
        if path.strip_prefix("indices/SHA256/").is_none_or(|name| !indices.contains(name)) {
            files::remove(&folder.path(&path))?;
            removed += 1;
        }
    }
    let digests: BTreeSet<Digest> = packages().map(|package| package.sha256).collect();
    changelogs::sweep(folder, packages())?;
    evidence::sweep(folder, &digests)?;
    let known: BTreeSet<_> = digests.iter().map(|sha256| described::place(folder, sha256)).collect();
    for path in below(folder, ".repository/packages")?.iter().map(|path| folder.path(path)) {
        if !known.contains(&path) {
            files::remove(&path)?;
        }
    }
    Ok(removed)
}

/// The files below a folder of the repository, relative to the repository.
pub(super) fn below(folder: &Folder, name: &str) -> Result<Vec<String>, RepositoryError> {
    let top = folder.path(name);
    if !top.exists() {
        return Ok(vec![]);
    }
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(&top).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(&top).to_owned();
            RepositoryError::io("read", path)(error.into())
        })?;
        if !entry.file_type().is_dir() {
            let path = entry.path().strip_prefix(folder.root()).expect("it is below the repository");
            found.push(path.to_string_lossy().into_owned());
        }
    }
    Ok(found)
}
