//! Upstream's source: pinned, verified and turned into one normalised tar.

pub mod archive;
pub mod directory;
pub mod git;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::digest::Digest;
use crate::store::{Store, StoreError};

/// A source tree, ready to be uploaded.
#[derive(Clone, Debug)]
pub struct SourceTree {
    /// Digest of the tar: names the tree in the keys of stages.
    pub digest: Digest,
    /// `""`, or `+local` for what was given by `--source`.
    pub version_suffix: String,
    /// Where it came from; goes into the provenance.
    pub origin: Origin,
    /// Normalised, uncompressed tar in the store: sorted, one time stamp, uid and gid 0, modes 644 and 755, no `.git`.
    pub tar: PathBuf,
    /// Bundled files that are not as `sources.lock` pins them. Always empty for the pinned source.
    pub deviations: Vec<Deviation>,
}

/// Where a source tree came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Origin {
    /// The pinned commit.
    Git {
        /// The commit.
        commit: String,
        /// The tag that names it.
        tag: Option<String>,
        /// The pinned repositories.
        remotes: Vec<String>,
        /// Later commits that were applied on it, in order.
        cherry_picks: Vec<String>,
    },
    /// A folder beside the recipe.
    Recipe {
        /// Relative to the recipe.
        directory: String,
    },
    /// A local archive.
    LocalArchive {
        /// File name.
        name: String,
        /// Digest of the archive.
        sha256: Digest,
    },
    /// A local folder.
    LocalDirectory {
        /// The folder's own name (not its whole path, which says nothing elsewhere).
        name: String,
        /// The commit that is checked out there, if it is a git work tree.
        commit: Option<String>,
    },
}

/// `sources.lock`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourcesLock {
    /// The bundled files.
    #[serde(default)]
    pub bundled: Vec<Bundled>,
}

/// A bundled file and its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bundled {
    /// Path in the source tree.
    pub path: String,
    /// Digest.
    pub sha256: Digest,
}

impl SourcesLock {
    /// Reads it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        crate::config::read_toml(path)
    }
}

/// How a bundled file differs from its pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deviation {
    /// Path in the tree.
    pub path: String,
    /// The pinned digest; none for a file that matches `bundled` and is not in the lock.
    pub expected: Option<Digest>,
    /// What is there; none where it is missing.
    pub found: Option<Digest>,
}

/// What a source tree is checked against and made with.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// SOURCE_DATE_EPOCH: the time stamp of every entry of the tar.
    pub epoch: i64,
    /// The recipe's `bundled` glob patterns.
    pub bundled: &'a [String],
    /// The recipe's `sources.lock`.
    pub lock: &'a SourcesLock,
}

/// A source that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SourceError {
    /// Whether a commit or a digest was wrong.
    pub fn is_verification(&self) -> bool {
        todo!()
    }
}

/// `--source PATH`: a local folder or archive; the version carries `+local`.
pub fn local(store: &Store, path: &Path, rules: &Rules<'_>) -> Result<SourceTree, SourceError> {
    let _ = (store, rules);
    todo!("{path:?}")
}

/// A recipe's own `directory`.
pub fn recipe_directory(store: &Store, recipe: &Path, directory: &Path, rules: &Rules<'_>) -> Result<SourceTree, SourceError> {
    let _ = (store, rules);
    todo!("{recipe:?} {directory:?}")
}
