//! From what is asked for to pinned .debs: a simple closure for the base, then apt itself inside it.

use super::index::Index;
use super::release::Release;
use super::DebianError;
use crate::digest::Digest;
use crate::root_lock::{PinnedDeb, RootLock};
use crate::target::Target;

/// The base in which apt runs: Essential, required, apt, the target's base and their dependencies;
/// sorted by name, all marked as base.
pub fn base(index: &Index, target: &Target) -> Result<Vec<PinnedDeb>, DebianError> {
    let _ = index;
    todo!("{target:?}")
}

/// A file to upload into the base's container before the solver runs.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Absolute path in the container.
    pub path: String,
    /// Content.
    pub content: Vec<u8>,
}

/// The POSIX shell script that lets apt solve in a container of the base: no network, as root,
/// read-only root works when `/tmp` is writable. It prints apt's plan between two marks.
pub fn solver_script() -> &'static str {
    todo!()
}

/// What [`solver_script`] reads: the index and the request.
pub fn solver_uploads(index: &Index, request: &[String]) -> Result<Vec<Upload>, DebianError> {
    let _ = index;
    todo!("{request:?}")
}

/// The whole build root: the base and what apt's output adds; sorted by name.
pub fn from_solution(index: &Index, base: &[PinnedDeb], apt_output: &str) -> Result<Vec<PinnedDeb>, DebianError> {
    let _ = index;
    todo!("{base:?} {apt_output}")
}

/// The lock's value.
pub fn lock(recipe: &str, target: &Target, release: &Release, index: &Index, request: Digest, packages: Vec<PinnedDeb>) -> RootLock {
    let _ = (release, index, packages);
    todo!("{recipe} {target:?} {request}")
}
