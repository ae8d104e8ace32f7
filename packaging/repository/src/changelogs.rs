//! Changelogs for `apt-get changelog`, taken out of the packages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use apt::changelog::{self, FOLDER, build, path};
use apt::described::Described;
use apt::listed::Listed;
use foundation::digest::Digest;

use super::repair::below;
use super::{Folder, RepositoryError, described, files};

/// Writes those that are missing.
pub(super) fn write(folder: &Folder, packages: &[Listed]) -> Result<(), RepositoryError> {
    let mut builds: BTreeMap<(&str, &str), Vec<&Listed>> = BTreeMap::new();
    for package in packages {
        builds.entry(build(package)).or_default().push(package);
    }
    for packages in builds.values() {
        let paths: BTreeSet<String> = packages.iter().map(|package| path(package)).collect();
        let missing: Vec<&String> = paths.iter().filter(|path| !folder.path(path).is_file()).collect();
        if missing.is_empty() {
            continue;
        }
        for package in packages {
            let described = described::of(folder, &package.path, &package.sha256)?;
            let Some(sha256) = described.changelog else { continue };
            let deb = folder.path(&package.path);
            let text = changelog::read(&deb, &described.name).map_err(RepositoryError::io("read", &deb))?;
            let Some(text) = text.filter(|text| Digest::of(text) == sha256) else { continue };
            for path in missing {
                files::write(&folder.temporary(), &folder.path(path), &text)?;
            }
            break;
        }
    }
    Ok(())
}

/// Removes those of which no package is kept.
pub(super) fn sweep<'a>(folder: &Folder, packages: impl Iterator<Item = &'a Listed>) -> Result<(), RepositoryError> {
    let known: BTreeSet<String> = packages.map(path).collect();
    for path in below(folder, FOLDER)?.into_iter().filter(|path| !known.contains(path)) {
        let path = folder.path(&path);
        files::remove(&path)?;
        for parent in path.ancestors().skip(1).take_while(|parent| *parent != folder.root()) {
            if fs::remove_dir(parent).is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// What is not as these packages have it.
pub(super) fn problems<'a>(
    folder: &Folder,
    packages: impl Iterator<Item = (&'a Listed, &'a Described)>,
) -> Result<Vec<String>, RepositoryError> {
    let mut paths = BTreeMap::new();
    let mut texts: BTreeMap<(&str, &str), BTreeSet<Digest>> = BTreeMap::new();
    for (package, described) in packages {
        paths.insert(path(package), build(package));
        texts.entry(build(package)).or_default().extend(described.changelog);
    }
    let mut problems = Vec::new();
    for (path, build) in &paths {
        let texts = &texts[build];
        let found = match fs::read(folder.path(path)) {
            Ok(text) => Some(Digest::of(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(RepositoryError::io("read", folder.path(path))(error)),
        };
        match found {
            None if texts.is_empty() => {}
            Some(found) if texts.contains(&found) => {}
            None => problems.push(format!("{path}: is missing: run `cargo xtask repo refresh`")),
            Some(_) => problems.push(format!("{path}: is not what its packages have")),
        }
    }
    let unknown = below(folder, FOLDER)?.into_iter().filter(|path| !paths.contains_key(path));
    problems.extend(unknown.map(|path| format!("{path}: is of no package")));
    Ok(problems)
}
