//! What trusted keys stated before, as this machine remembers it: a place that brings back an older statement, or a key
//! that says today something else than yesterday, is found out.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use foundation::date;
use foundation::digest::Digest;
use foundation::file::write_whole;
use foundation::store::{Store, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Key;
use crate::error::ResultsError;
use crate::take::Found;
use crate::trust::is_to_come;

/// Contents by the fingerprints of primary keys.
type Seen = BTreeMap<String, Digest>;

fn path(store: &Store, key: &Key) -> PathBuf {
    store.root().join("history/stated").join(format!("{}-{}.json", key.kind.name(), key.inputs))
}

fn read<T: DeserializeOwned + Default>(store: &Store, key: &Key) -> Result<T, ResultsError> {
    let path = path(store, key);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(StoreError::io("read", path)(error).into()),
        // What cannot be read says nothing.
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
    }
}

/// An alarm if a key stated another content before.
pub(crate) fn agree(store: &Store, key: &Key, found: &[Found]) -> Result<(), ResultsError> {
    let seen: Seen = read(store, key)?;
    let other = |one: &&Found| seen.get(&one.stated.by.primary).is_some_and(|seen| *seen != one.content());
    match found.iter().find(other) {
        None => Ok(()),
        Some(one) => Err(ResultsError::Disagreement {
            what: key.to_string(),
            one: one.said(),
            other: format!(
                "the same key stated {} when this machine took it before (remembered in {})",
                seen[&one.stated.by.primary],
                path(store, key).display()
            ),
        }),
    }
}

/// Remembers what was stated about a result that was taken.
pub(crate) fn keep(store: &Store, key: &Key, found: &[Found]) -> Result<(), ResultsError> {
    let mut seen: Seen = read(store, key)?;
    seen.extend(found.iter().map(|one| (one.stated.by.primary.clone(), one.content())));
    write(store, key, &seen)
}

/// Of a kind that a builder makes anew and states again: remembers when each of these statements was made, and returns those that are
/// older than one of the same key that was found before, with the time of that one. What that one said is not undone by whoever brings
/// back an older one.
pub(crate) fn outdated(store: &Store, key: &Key, found: &[Found]) -> Result<BTreeMap<Digest, i64>, ResultsError> {
    let mut latest: BTreeMap<String, i64> = read(store, key)?;
    // An earlier version of this tool believed any date.
    let now = date::now();
    latest.retain(|_, time| !is_to_come(*time, now));
    for one in found {
        let latest = latest.entry(one.stated.by.primary.clone()).or_insert(one.stated());
        *latest = one.stated().max(*latest);
    }
    write(store, key, &latest)?;
    let older = |one: &Found| Some(latest[&one.stated.by.primary]).filter(|latest| one.stated() < *latest);
    Ok(found.iter().filter_map(|one| Some((one.file, older(one)?))).collect())
}

fn write(store: &Store, key: &Key, seen: &impl Serialize) -> Result<(), ResultsError> {
    let path = path(store, key);
    let folder = path.parent().expect("it is in a folder");
    fs::create_dir_all(folder).map_err(StoreError::io("make the folder", folder))?;
    let content = serde_json::to_vec(seen).expect("plain data");
    write_whole(&path, &content).map_err(StoreError::io("write", &path))?;
    Ok(())
}
