//! The build root: a root file system made of nothing but locked .debs.

use std::path::PathBuf;

use packaging::digest::Digest;
use packaging::root_lock::{PinnedDeb, RootLock};
use packaging::target::Target;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::Error;

/// A root file system that compiles, as an image in the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRoot {
    /// Digest of its normalised tar: the same lock always gives the same.
    pub digest: Digest,
    /// The image's name in the engine. Its id is not stable, so nothing refers to that.
    pub image: String,
}

impl BuildRoot {
    /// The build root with this digest, if the engine has it.
    pub async fn find(engine: &Engine, digest: Digest) -> Result<Option<Self>, Error> {
        let _ = (engine, digest);
        todo!()
    }
}

/// Makes the build root of a lock. `debs` are the files of all the lock's packages.
pub async fn assemble(
    engine: &Engine,
    lock: &RootLock,
    target: &Target,
    debs: &[(PinnedDeb, PathBuf)],
    progress: &dyn Fn(&str),
) -> Result<BuildRoot, Error> {
    let _ = (engine, lock, target, debs, progress);
    todo!()
}

/// Makes an image of the base packages alone, in which `cargo xtask lock` lets apt solve.
/// `debs` need not be sorted; all of them are installed.
pub async fn base_only(
    engine: &Engine,
    target: &Target,
    release_date: i64,
    debs: &[(PinnedDeb, PathBuf)],
    progress: &dyn Fn(&str),
) -> Result<BuildRoot, Error> {
    let _ = (engine, target, release_date, debs, progress);
    todo!()
}
