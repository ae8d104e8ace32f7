//! Records that stages keep beside their results, and files that a reader sees whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use foundation::file::write_whole;
use foundation::store::{StageWriter, Store};
use recipe::plan::Plan;
use results::Taken;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// Reads a record, which [`write_json`] wrote, from a file.
///
/// # Errors
/// The file cannot be read, or has something else in it.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&text).map_err(|error| Error::io("understand", path)(std::io::Error::other(error)))
}

/// Writes a record to a file as JSON, as [`write_file`] does.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    write_file(path, &serde_json::to_vec_pretty(value).expect("plain data"))
}

/// Begins the result of a stage in place of one that is not used. Until then that is kept: another run may use it.
///
/// # Errors
/// The store cannot be written.
pub fn begin(store: &Store, stage: &str, key: &Digest) -> Result<StageWriter, Error> {
    store.forget_stage(stage, key)?;
    Ok(store.begin(stage, key)?)
}

/// In a stage that was taken from others, or made with something that was: from whom.
const TAKEN: &str = "taken.json";

/// From whom a stage, or what it was made with, was taken, if so.
///
/// # Errors
/// That is on record and cannot be read: it is not this machine's own then.
pub fn taken_in(stage: &Path) -> Result<Option<Taken>, Error> {
    let path = stage.join(TAKEN);
    if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
}

/// Records from whom a stage, or what it is made with, was taken.
///
/// # Errors
/// The file cannot be written.
pub fn write_taken(stage: &Path, taken: &Taken) -> Result<(), Error> {
    write_json(&stage.join(TAKEN), taken)
}

/// Where something is remembered of a stage, whatever its key: nothing that decides bytes.
pub fn history_path(store: &Store, plan: &Plan, stage: &str, extension: &str) -> PathBuf {
    let name = format!("{}-{}-{stage}.{extension}", plan.recipe(), plan.target().name.file_stem());
    store.root().join("history").join(name)
}

/// The folder of a store where what is kept of failed phases is.
pub fn failures(store: &Store) -> PathBuf {
    store.root().join("failed")
}

/// Keeps the log of a phase that failed where the next run does not remove it; returns where it is: the old place, if
/// it cannot be copied.
pub fn keep_log(store: &Store, phase: &str, key: &Digest, log: &Path) -> PathBuf {
    let folder = failures(store);
    let kept = folder.join(format!("{phase}-{}.log", key.short()));
    let _ = std::fs::create_dir_all(&folder);
    match std::fs::copy(log, &kept) {
        Ok(_) => kept,
        Err(_) => log.to_owned(),
    }
}

/// Writes a file so that a reader sees the old content or the new one, never a part.
///
/// # Errors
/// The file cannot be written; the old one stays then.
pub fn write_file(path: &Path, content: &[u8]) -> Result<(), Error> {
    write_whole(path, content).map_err(Error::io("write", path))
}

/// Copies logs into a new folder, each under its phase's name as `NAME.log`; returns these file names with the digests.
///
/// # Errors
/// The folder is there already or cannot be made, or a log cannot be read or written.
pub fn copy_logs(logs: &[(String, PathBuf)], to: &Path) -> Result<BTreeMap<String, Digest>, Error> {
    std::fs::create_dir(to).map_err(Error::io("make the folder", to))?;
    let mut copied = BTreeMap::new();
    for (name, log) in logs {
        let name = format!("{name}.log");
        let path = to.join(&name);
        std::fs::copy(log, &path).map_err(Error::io("write", &path))?;
        copied.insert(name, Digest::of_file(&path).map_err(Error::io("read", &path))?);
    }
    Ok(copied)
}

/// The logs that [`copy_logs`] put into a folder: phases' names and files, sorted by name.
///
/// # Errors
/// The folder cannot be read.
pub fn logs_in(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        logs.push((name, path));
    }
    logs.sort();
    Ok(logs)
}
