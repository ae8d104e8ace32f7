//! `mesos-archive-keyring`: the public keys that sign the repository, as a package of the repository itself, so that
//! clients learn of a new key before the old one goes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

use deb::manifest::MultiArch;
use deb::writer::{Content, Package};
use flate2::{Compression, GzBuilder};
use foundation::threads::Stop;

use super::keys::Keys;
use super::ledger::Ledger;
use super::package::Described;
use super::snapshot::{Listed, Snapshot};
use super::{Folder, RepositoryError};

/// The package's name.
pub const KEYRING: &str = "mesos-archive-keyring";

/// Where it installs the key ring; `Signed-By` of the `.sources` files names it.
pub(super) const RING: &str = "usr/share/keyrings/mesos-archive-keyring.gpg";

/// Where the pool has the package with the present keys.
pub(super) fn path(folder: &Folder, keys: &Keys) -> String {
    let component = &folder.settings.components[0];
    format!("pool/{component}/m/{KEYRING}/{KEYRING}_{}_all.deb", keys.version)
}

/// The package with the present keys; it is written where the pool does not have it yet. Its version stands for the
/// keys: one that was published is never written again.
pub(super) fn put(folder: &Folder, keys: &Keys) -> Result<Listed, RepositoryError> {
    let path = path(folder, keys);
    let name = path.rsplit('/').next().expect("it is in a folder");
    let published = Ledger::read(folder)?.published(name);
    let sha256 = match published {
        Some(sha256) => sha256,
        None => write(folder, keys, &path)?,
    };
    // Another component was the first one when it was published.
    let path = if published.is_some() && !folder.path(&path).exists() {
        elsewhere(folder, keys)?.unwrap_or(path)
    } else {
        path
    };
    let described = Described::of(folder, &path, &sha256)?;
    Ok(Listed {
        name: described.name,
        version: described.version,
        architecture: described.architecture,
        component: path.split('/').nth(1).unwrap_or_default().to_owned(),
        path,
        size: described.size,
        sha256,
    })
}

fn elsewhere(folder: &Folder, keys: &Keys) -> Result<Option<String>, RepositoryError> {
    for suite in &folder.settings.suite {
        let live = Snapshot::live(folder, &suite.codename)?;
        let found = live.and_then(|live| {
            live.packages.into_iter().find(|package| package.name == KEYRING && package.version == keys.version)
        });
        if let Some(found) = found {
            return Ok(Some(found.path));
        }
    }
    Ok(None)
}

fn write(folder: &Folder, keys: &Keys, path: &str) -> Result<foundation::digest::Digest, RepositoryError> {
    let place = folder.path(path);
    let parent = place.parent().expect("it is in a folder");
    let new = tempfile::TempDir::new_in(folder.temporary())
        .map_err(RepositoryError::io("make a folder in", folder.temporary()))?;
    let written = package(folder, keys).write(new.path(), 1, &Stop::default())?;
    fs::create_dir_all(parent)
        .and_then(|()| fs::rename(new.path().join(&written.file), &place))
        .map_err(RepositoryError::io("write", &place))?;
    Ok(written.sha256)
}

fn package(folder: &Folder, keys: &Keys) -> Package {
    let settings = &folder.settings;
    let document = format!("usr/share/doc/{KEYRING}");
    let list: String =
        keys.signing.iter().map(|key| format!("\n  * {}\n    {}", key.fingerprint, key.user_id)).collect();
    let changelog = format!(
        "{KEYRING} ({}) {}; urgency=high\n\n  The keys that sign the repository:\n{list}\n\n -- {}  {}\n",
        keys.version,
        settings.suite[0].codename,
        settings.maintainer,
        super::release::date(keys.changed),
    );
    let copyright = format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: {KEYRING}\n\n\
         Files: *\nCopyright: {}\nLicense: public-domain\n Public keys are facts, and nobody's work.\n",
        settings.maintainer
    );
    let bytes = |bytes: Vec<u8>| Content::Bytes { bytes, mode: 0o644 };
    let warning = if settings.development { "\n\nUNTRUSTED DEVELOPMENT keys, for trials only." } else { "" };
    Package {
        name: KEYRING.into(),
        source: KEYRING.into(),
        version: keys.version.clone(),
        file_version: keys.version.clone(),
        epoch: keys.changed,
        architecture: "all".into(),
        multi_arch: Some(MultiArch::Foreign),
        maintainer: settings.maintainer.clone(),
        homepage: None,
        section: "misc".into(),
        priority: "optional".into(),
        relations: BTreeMap::new(),
        synopsis: "GnuPG keys of the repository with Mesos packages".into(),
        description: format!(
            "{}.\nThis package has the keys that sign the repository, and renews them when they change.{}",
            settings.description.trim_end_matches('.'),
            warning
        ),
        entries: BTreeMap::from([
            (RING.to_owned(), bytes(keys.ring())),
            (format!("{document}/copyright"), bytes(copyright.into_bytes())),
            (format!("{document}/changelog.gz"), bytes(gzip(changelog.as_bytes()))),
        ]),
        directories: vec![],
        conf_files: vec![],
        maintainer_scripts: None,
        systemd_units: None,
        looked_for: BTreeMap::new(),
        shlibs: vec![],
        triggers: vec![],
        build_ids: vec![],
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}
