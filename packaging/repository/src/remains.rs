//! What is left of a repository after an accident. What is missing must not be taken for what never was: an empty ledger
//! would let published bytes be replaced, and without snapshots every package is one that nobody needs.

use std::path::Path;

use super::generation::{self, Generation};
use super::ledger::Ledger;
use super::{Folder, RepositoryError, snapshot};

/// What is in a folder that is no repository any more, or `None` where there never was one.
pub(super) fn of(root: &Path) -> Option<&'static str> {
    ["snapshots", "repository", ".repository/id"].into_iter().find(|name| root.join(name).exists())
}

/// Everything that the repository had when it was last published is there. Asked before anything is changed or repaired.
pub(super) fn check(folder: &Folder) -> Result<(), RepositoryError> {
    let damaged = |problem: String| Err(RepositoryError::Remains { path: folder.root().to_owned(), problem });
    let missing = |name: &str| damaged(format!("{name} is missing"));
    for name in ["keys.json", "ledger.json"] {
        if !folder.state().join(name).is_file() {
            return missing(&format!(".repository/{name}"));
        }
    }
    let ledger = Ledger::read(folder)?;
    let Some(generation) = Generation::read(folder)? else {
        let known = generation::id(folder).exists();
        return if known { missing(generation::FILE) } else { check_unrecorded(folder, &ledger) };
    };
    if generation.name != folder.settings.name {
        return damaged(format!(
            "its name is {} in .repository/settings.toml and {} in what clients have, whose keyring package is called after \
             it: write the old one there again",
            folder.settings.name, generation.name
        ));
    }
    for name in generation.state.keys() {
        if !folder.state().join(name).is_file() {
            return missing(&format!(".repository/{name}"));
        }
    }
    for (codename, (number, _)) in &generation.suites {
        match snapshot::live(folder, codename)? {
            None => return missing(&format!("dists/{codename}")),
            Some(live) if live < *number => {
                return damaged(format!("dists/{codename} leads to snapshot {live}, and {number} was published"));
            }
            Some(live) if !folder.snapshot(codename, live).join(snapshot::RECORD).is_file() => {
                return missing(&format!("snapshots/{codename}/{live}/{}", snapshot::RECORD));
            }
            Some(_) => {}
        }
    }
    let published = generation.content(folder.root(), "ledger.json")?;
    let published = published.and_then(|text| serde_json::from_slice::<Ledger>(&text).ok()).unwrap_or_default();
    match published.missing_in(&ledger) {
        Some(name) => damaged(format!(".repository/ledger.json does not have {name} as it was published")),
        None => Ok(()),
    }
}

/// The same for one that an older version of this tool has published: what its snapshots have is in its ledger.
fn check_unrecorded(folder: &Folder, ledger: &Ledger) -> Result<(), RepositoryError> {
    // A run that was killed may not have come to write it; the repair does.
    if folder.unfinished().exists() {
        return Ok(());
    }
    for snapshot in folder.all_snapshots()? {
        let lost = snapshot.packages.iter().find(|package| ledger.of(package) != Some(package.sha256));
        if let Some(package) = lost {
            let problem = format!(".repository/ledger.json does not have {} as it was published", package.path);
            return Err(RepositoryError::Remains { path: folder.root().to_owned(), problem });
        }
    }
    Ok(())
}
