//! Making locks, renewing them, and saying how far they are behind the archive.

use std::path::{Path, PathBuf};

use engine::Engine;
use fetch::debian::changes::{self, Change};
use fetch::debian::tracker::Tracker;
use foundation::progress::Progress;
use foundation::store::Store;
use recipe::root_lock::{LockKind, RootLock};
use recipe::target::TargetName;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::options::Options;
use crate::records::write_file;
use crate::root;

/// Makes the lock of a root of the archives as they were at `snapshot`, such as `20260712T000000Z`, or as they are now, writes
/// it, and returns its path and content.
///
/// # Errors
/// An archive cannot be reached or is not signed as it should be, apt cannot solve the dependencies, the recipe
/// has no cluster whose nodes would need a root, the engine does not do its part, or the lock cannot be written.
pub async fn lock(
    engine: &Engine,
    store: &Store,
    options: &Options,
    kind: LockKind,
    snapshot: Option<&str>,
    progress: &dyn Progress,
) -> Result<(PathBuf, RootLock), Error> {
    let (lock, _) = root::solved(engine, store, options, kind, snapshot, progress).await?;
    let path = write(options, kind, &lock)?;
    Ok((path, lock))
}

/// Renews a lock, and returns what changed as well. Where no package did, the file keeps its bytes, and so does everything
/// that was built with it. `tracker` is a file with the security tracker's data.
///
/// # Errors
/// There is no lock yet or it cannot be read, the tracker's data cannot be used, or as for [`lock`].
pub async fn upgrade(
    engine: &Engine,
    store: &Store,
    options: &Options,
    kind: LockKind,
    (snapshot, tracker): (Option<&str>, Option<&Path>),
    progress: &dyn Progress,
) -> Result<(PathBuf, RootLock, Vec<Change>), Error> {
    let path = options.recipe.lock_path(&options.target, kind);
    let old = options.any_lock(kind)?;
    // Now, not after some minutes of solving.
    let tracker = tracker.map(|path| Tracker::read(path, &options.target.suite)).transpose()?;
    let (new, catalogue) = root::solved(engine, store, options, kind, snapshot, progress).await?;
    let changes = changes::between(&old, &new, &catalogue, tracker.as_ref());
    if changes.is_empty() && old.request_sha256 == new.request_sha256 {
        return Ok((path, old, changes));
    }
    let path = write(options, kind, &new)?;
    Ok((path, new, changes))
}

fn write(options: &Options, kind: LockKind, lock: &RootLock) -> Result<PathBuf, Error> {
    let path = options.recipe.own_lock_path(&options.target, kind);
    write_file(&path, lock.to_toml().as_bytes())?;
    Ok(path)
}

/// How far a lock is behind the archive.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Lag {
    /// What the lock is of: `build root`, `node root` or `compile farm`.
    pub of: String,
    /// The lock's file.
    pub lock: PathBuf,
    /// How many packages it pins.
    pub packages: usize,
    /// The suites of which the archive has an older state than was locked: what they lack may only not be there yet.
    pub older: Vec<String>,
    /// The packages that the archive has newer, or not any more with these bytes.
    pub behind: Vec<Change>,
}

/// How far the locks of a target are behind.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TargetLag {
    /// The target.
    pub target: TargetName,
    /// Each of its locks; empty where nobody has locked it yet.
    pub locks: Vec<Lag>,
    /// Why the archive could not be asked; null where it was.
    pub error: Option<String>,
}

/// Compares the locks of a target that there are with the archives as they are now. No engine is needed: what apt would
/// choose beside these packages is not asked.
///
/// # Errors
/// A lock or the tracker's data cannot be used, or an archive cannot be reached or is not signed as it should be.
pub fn outdated(
    store: &Store,
    options: &Options,
    tracker: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Vec<Lag>, Error> {
    let Options { recipe, target, .. } = options;
    let mut locks = Vec::new();
    for kind in LockKind::ALL {
        let path = recipe.lock_path(target, kind);
        if path.exists() {
            locks.push((kind, options.any_lock(kind)?, path));
        }
    }
    if locks.is_empty() {
        return Ok(Vec::new());
    }
    let tracker = tracker.map(|path| Tracker::read(path, &target.suite)).transpose()?;
    let catalogue = root::catalogue(store, options, None, progress)?;
    let lag = |(kind, lock, path): (LockKind, RootLock, PathBuf)| {
        let older = changes::older(&lock, &catalogue);
        Lag {
            of: kind.noun().to_owned(),
            packages: lock.packages.len(),
            behind: changes::behind(&lock, &catalogue, &older, tracker.as_ref()),
            older,
            lock: path,
        }
    };
    Ok(locks.into_iter().map(lag).collect())
}
