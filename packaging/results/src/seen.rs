//! What trusted keys stated before, as this machine remembers it: a place that brings back an older statement, or a key
//! that says today something else than yesterday, is found out.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use foundation::digest::Digest;
use foundation::file::write_whole;
use foundation::store::{Store, StoreError};

use crate::Key;
use crate::error::ResultsError;
use crate::take::Found;

/// Contents by the fingerprints of primary keys.
type Seen = BTreeMap<String, Digest>;

fn path(store: &Store, key: &Key) -> PathBuf {
    store.root().join("history/stated").join(format!("{}-{}.json", key.kind.name(), key.inputs))
}

fn read(store: &Store, key: &Key) -> Result<Seen, ResultsError> {
    let path = path(store, key);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Seen::new()),
        Err(error) => Err(StoreError::io("read", path)(error).into()),
        // What cannot be read says nothing.
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
    }
}

/// An alarm if a key stated another content before.
pub(crate) fn agree(store: &Store, key: &Key, found: &[Found]) -> Result<(), ResultsError> {
    let seen = read(store, key)?;
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
    let mut seen = read(store, key)?;
    seen.extend(found.iter().map(|one| (one.stated.by.primary.clone(), one.content())));
    let path = path(store, key);
    let folder = path.parent().expect("it is in a folder");
    fs::create_dir_all(folder).map_err(StoreError::io("make the folder", folder))?;
    let content = serde_json::to_vec(&seen).expect("plain data");
    write_whole(&path, &content).map_err(StoreError::io("write", &path))?;
    Ok(())
}
