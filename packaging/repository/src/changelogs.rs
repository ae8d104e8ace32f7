//! Changelogs for `apt-get changelog`: `changelogs/COMPONENT/m/mesos/mesos_1.7.2-1_changelog`, taken out of the packages. The path
//! is what apt makes of a package for `@CHANGEPATH@` (apt's source, `pkgAcqChangelog::URI`): of component, source package and
//! version. The Release says where they are (Debian repository format, "Changelogs").

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use foundation::digest::Digest;

use super::package::{self, Described};
use super::repair::below;
use super::settings::Settings;
use super::snapshot::Listed;
use super::{Folder, RepositoryError, files};

/// The folder below the repository.
pub(super) const FOLDER: &str = "changelogs";

/// `Changelogs` of a Release. Without the address that clients fetch from, nobody can say where they are.
pub(super) fn field(settings: &Settings) -> String {
    match &settings.uri {
        Some(uri) => format!("{}/{FOLDER}/@CHANGEPATH@_changelog", uri.trim_end_matches('/')),
        None => "no".to_owned(),
    }
}

/// Where the changelog of a package is, if it has one.
pub(super) fn path(package: &Listed) -> String {
    let folder = package.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder = folder.strip_prefix("pool/").unwrap_or(folder);
    let (source, version) = build(package);
    format!("{FOLDER}/{folder}/{source}_{version}_changelog")
}

/// Source package and version without its epoch: packages that share them share a changelog, also those that have none of
/// their own, such as debug symbols.
fn build(package: &Listed) -> (&str, &str) {
    let version = package.version.split_once(':').map_or(package.version.as_str(), |(_, version)| version);
    (package::source_of(&package.path), version)
}

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
            let described = Described::of(folder, &package.path, &package.sha256)?;
            let Some(sha256) = described.changelog else { continue };
            let deb = folder.path(&package.path);
            let text = package::changelog(&deb, &described.name).map_err(RepositoryError::io("read", &deb))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_that_apt_asks_for() {
        let listed = |path: &str, version: &str| Listed {
            name: "x".into(),
            version: version.into(),
            architecture: "all".into(),
            component: "main".into(),
            path: path.into(),
            size: 1,
            sha256: Digest::of(""),
        };
        // apt's own examples, in the comment at that function.
        for (pool, version, expected) in [
            ("pool/main/a/apt/libapt-pkg_1.1_amd64.deb", "1.1", "main/a/apt/apt_1.1"),
            ("pool/contrib/liba/libapt/libapt_2.0_amd64.deb", "3:2.0", "contrib/liba/libapt/libapt_2.0"),
        ] {
            assert_eq!(path(&listed(pool, version)), format!("changelogs/{expected}_changelog"));
        }
    }
}
