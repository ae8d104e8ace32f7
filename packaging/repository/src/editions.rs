//! What clients know: each edition of the keyring package that was ever shown to them, and since when.
//!
//! A machine that is updated at least every [`SETTLED_DAYS`] days has one of the few editions that a suite had within that
//! time. So a Release has to be signed with what each of these accepts, and a key may go when none of them needs it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use apt::described::decompress;
use serde::{Deserialize, Serialize};

use super::keys::{self, Keys};
use super::snapshot::{self, Snapshot};
use super::{Folder, RepositoryError, files};
use deb::archive::DebFile;

/// How long clients have for an update, in days: who takes longer may find a repository that they cannot check.
pub const SETTLED_DAYS: u32 = 14;

/// One edition of the keyring package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Edition {
    /// The version of the keyring package.
    pub version: String,
    /// The key ring in the package, as bytes of OpenPGP.
    #[serde(with = "keys::hex")]
    pub ring: Vec<u8>,
    /// Since when the suites have it: codename to a Unix time in seconds.
    pub since: BTreeMap<String, i64>,
    /// Whether somebody has decided that clients which have nothing newer are on their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// All of them, the oldest first: `.repository/editions.json`. What is missing there is read from the snapshots that are
/// kept and from the packages in the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Editions(pub Vec<Edition>);

impl Editions {
    /// Reads them, with what the snapshots say that clients see now.
    ///
    /// # Errors
    /// The list, a snapshot or a keyring package in the pool cannot be read.
    pub fn read(folder: &Folder, keys: &Keys) -> Result<Self, RepositoryError> {
        let kept: Option<Self> = files::read_json(&folder.state().join("editions.json"))?;
        let lost = kept.is_none();
        let mut editions = kept.unwrap_or_default();
        for codename in folder.codenames()? {
            let live = snapshot::live(folder, &codename)?;
            let numbers = snapshot::numbers(folder, &codename)?.into_iter();
            for number in numbers.filter(|n| if lost { live.is_some_and(|live| *n <= live) } else { live == Some(*n) })
            {
                editions.shown(folder, keys, &Snapshot::read(folder, &codename, number)?)?;
            }
        }
        editions.0.sort_by_key(|edition| edition.since.values().min().copied());
        Ok(editions)
    }

    /// Writes the list, where it has changed.
    ///
    /// # Errors
    /// The list that is there cannot be read, or the new one cannot be written.
    pub fn write(&self, folder: &Folder) -> Result<(), RepositoryError> {
        let path = folder.state().join("editions.json");
        match files::read_json::<Self>(&path)? {
            Some(kept) if kept == *self => Ok(()),
            _ => files::write_json(&folder.temporary(), &path, self),
        }
    }

    /// Clients see this snapshot, or saw it.
    fn shown(&mut self, folder: &Folder, keys: &Keys, snapshot: &Snapshot) -> Result<(), RepositoryError> {
        let Some(package) = snapshot.packages.iter().find(|package| package.name == folder.settings.keyring()) else {
            return Ok(());
        };
        let known = self.0.iter().position(|edition| edition.version == package.version);
        let at = match known {
            Some(at) => at,
            None => {
                let path = folder.path(&package.path);
                let ring = match package.version == keys.version {
                    true => keys.ring(),
                    false => ring(&path, &folder.settings.ring())
                        .map_err(RepositoryError::io("read the key ring of", &path))?,
                };
                let version = package.version.clone();
                self.0.push(Edition { version, ring, since: BTreeMap::new(), given_up: false });
                self.0.len() - 1
            }
        };
        let since = self.0[at].since.entry(snapshot.codename.clone()).or_insert(snapshot.date);
        // It was dated by a clock that ran fast, and clients had not taken it.
        *since = (*since).min(snapshot.date);
        Ok(())
    }

    /// Until when a suite had this edition: `None` for the present one.
    pub fn until(&self, at: usize, codename: &str) -> Option<i64> {
        self.0[at + 1..].iter().find_map(|later| later.since.get(codename).copied())
    }

    /// What clients of a suite may have that were updated within so many days.
    pub fn held(&self, codename: &str, days: u32, now: i64) -> Vec<&Edition> {
        let from = now - i64::from(days) * 86_400;
        let held = |(at, edition): &(usize, &Edition)| {
            !edition.given_up
                && edition.since.contains_key(codename)
                && self.until(*at, codename).is_none_or(|until| until > from)
        };
        self.0.iter().enumerate().filter(held).map(|(_, edition)| edition).collect()
    }
}

/// The key ring in a keyring package.
fn ring(deb: &Path, name: &str) -> io::Result<Vec<u8>> {
    let file = DebFile::open(deb)?;
    let none = || io::Error::new(io::ErrorKind::InvalidData, "it has no key ring");
    let data = file.names().iter().position(|name| name.starts_with("data.tar")).ok_or_else(none)?;
    for entry in tar::Archive::new(decompress(&file.members[data].name, file.read(data)?)?).entries()? {
        let mut entry = entry?;
        if entry.path()?.to_string_lossy().trim_start_matches("./") == name {
            let mut ring = Vec::new();
            entry.read_to_end(&mut ring)?;
            return Ok(ring);
        }
    }
    Err(none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_have_what() {
        const DAY: i64 = 86_400;
        let edition = |version: &str, bookworm: i64, trixie: Option<i64>| Edition {
            version: version.into(),
            ring: vec![],
            since: std::iter::once(("bookworm".to_owned(), bookworm * DAY))
                .chain(trixie.map(|day| ("trixie".to_owned(), day * DAY)))
                .collect(),
            given_up: false,
        };
        let mut editions =
            Editions(vec![edition("1", 0, Some(0)), edition("2", 100, None), edition("3", 105, Some(105))]);
        let held = |editions: &Editions, codename: &str, days, day: i64| {
            let held = editions.held(codename, days, day * DAY);
            held.iter().map(|edition| edition.version.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(held(&editions, "bookworm", 14, 106), "1 2 3");
        assert_eq!(held(&editions, "bookworm", 14, 114), "2 3");
        assert_eq!(held(&editions, "bookworm", 14, 119), "3");
        assert_eq!(held(&editions, "bookworm", 0, 106), "3");
        // It went on with the first one for longer.
        assert_eq!(held(&editions, "trixie", 14, 118), "1 3");
        assert_eq!(held(&editions, "sid", 14, 118), "");
        editions.0[0].given_up = true;
        assert_eq!(held(&editions, "trixie", 14, 118), "3");
    }
}
