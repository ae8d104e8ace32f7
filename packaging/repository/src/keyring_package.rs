//! `NAME-archive-keyring`: the public keys that sign the repository, as a package of the repository itself, so that
//! clients learn of a new key before the old one goes.

use std::collections::BTreeMap;
use std::io::Write;

use apt::described::pool_folder;
use apt::listed::Listed;
use deb::manifest::MultiArch;
use deb::writer::{Content, Package};
use flate2::{Compression, GzBuilder};
use foundation::date;
use foundation::public;
use foundation::threads::Stop;

use super::keys::{Key, Keys};
use super::ledger::Ledger;
use super::settings::Settings;
use super::snapshot::Snapshot;
use super::{Folder, RepositoryError, described, files};

impl Settings {
    /// The name of the repository's keyring package. It is the repository's own, so that a machine may have the packages of
    /// several.
    pub fn keyring(&self) -> String {
        format!("{}-archive-keyring", self.name)
    }

    /// Where that package installs the key ring; `Signed-By` of the `.sources` files names it.
    pub fn ring(&self) -> String {
        format!("usr/share/keyrings/{}.gpg", self.keyring())
    }
}

/// Where the pool has the package with the present keys.
pub(super) fn path(folder: &Folder, keys: &Keys) -> String {
    let name = folder.settings.keyring();
    let folder = pool_folder(&folder.settings.components[0], &name);
    format!("{folder}/{name}_{}_all.deb", keys.version)
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
    let described = described::of(folder, &path, &sha256)?;
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
            live.packages
                .into_iter()
                .find(|package| package.name == folder.settings.keyring() && package.version == keys.version)
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
    let written = contents(folder, keys).write(new.path(), 1, &Stop::default())?;
    public::make_folder(parent).map_err(RepositoryError::io("make the folder", parent))?;
    files::settle(&new.path().join(&written.file), &place, &written.sha256)?;
    Ok(written.sha256)
}

fn contents(folder: &Folder, keys: &Keys) -> Package {
    let settings = &folder.settings;
    let keyring = settings.keyring();
    let document = format!("usr/share/doc/{keyring}");
    let list = |keys: &mut dyn Iterator<Item = &Key>| -> String {
        keys.map(|key| format!("\n  * {}\n    {}", key.fingerprint, key.user_id)).collect()
    };
    let signing = list(&mut keys.signing.iter());
    let stand_by = match &keys.stand_by {
        None => String::new(),
        some => format!("\n\n  The one that stands by, should they be lost:\n{}", list(&mut some.iter())),
    };
    let changelog = format!(
        "{keyring} ({}) {}; urgency=high\n\n  The keys that sign the repository:\n{signing}{stand_by}\n\n -- {}  {}\n",
        keys.version,
        settings.suite[0].codename,
        settings.maintainer,
        date::text(keys.changed),
    );
    let copyright = format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: {keyring}\n\n\
         Files: *\nCopyright: {}\nLicense: public-domain\n Public keys are facts, and nobody's work.\n",
        settings.maintainer
    );
    let bytes = |bytes: Vec<u8>| Content::Bytes { bytes, mode: 0o644 };
    let warning = if settings.development { "\n\nUNTRUSTED DEVELOPMENT keys, for trials only." } else { "" };
    Package {
        name: keyring.clone(),
        source: keyring,
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
            (settings.ring(), bytes(keys.ring())),
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
