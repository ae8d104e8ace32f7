//! Upstream's source: pinned, verified and turned into one normalised tar.
//!
//! A commit is checked out, an archive unpacked, a folder taken as it is; from there all go the same way:
//! `directory` lists the tree and refuses what must not be in one, `pack` writes the tar.

mod archive;
mod directory;
pub mod git;
mod pack;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::digest::Digest;
use crate::download::Tried;
use crate::store::{Store, StoreError};

/// A source tree, ready to be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTree {
    /// Digest of the tar: names the tree in the keys of stages.
    pub digest: Digest,
    /// `""`, or `+local` for what was given by `--source`.
    pub version_suffix: String,
    /// Where it came from; goes into the provenance.
    pub origin: Origin,
    /// Normalised, uncompressed tar in the store: sorted, one time stamp, uid and gid 0, modes 644 and 755, no `.git`.
    pub tar: PathBuf,
    /// Bundled files that are not as `sources.lock` pins them. Always empty for the pinned source,
    /// where that is an error.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl std::fmt::Display for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, "{} has sha256 {found}, pinned is {expected}", self.path),
            (Some(_), None) => write!(f, "{} is missing", self.path),
            (None, _) => write!(f, "{} is not pinned", self.path),
        }
    }
}

/// What a source tree is checked against and made with.
#[derive(Clone, Copy, Debug)]
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
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// What was given is neither a folder nor an archive of a known kind.
    #[error("{} cannot be used as a source: {why}. Give a folder, or an archive .tar, .tar.gz, .tgz, .tar.xz or .tar.zst", path.display())]
    NoSource {
        /// What was given.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Something in it must not be in a source tree.
    #[error("{source_name} is refused as a source: its entry '{entry}' {why}. Remove it from the tree and try again")]
    Unsafe {
        /// The folder or archive.
        source_name: String,
        /// The entry.
        entry: String,
        /// What it is.
        why: String,
    },
    /// A glob pattern of the recipe.
    #[error("the pattern '{pattern}' under `bundled` in recipe.toml is not a glob pattern: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why not.
        why: String,
    },
    /// Bundled files are not those that are pinned.
    #[error("{source_name} does not have the bundled files that sources.lock pins:\n{}\nThe source was not used. \
             If upstream changed them on purpose, correct sources.lock", deviations.iter().map(|d| format!("  {d}")).collect::<Vec<_>>().join("\n"))]
    Bundled {
        /// Which source.
        source_name: String,
        /// The differences.
        deviations: Vec<Deviation>,
    },
    /// git cannot be run, or failed on this machine.
    #[error("git {what}: {why}. git 2.28 or later is needed to get the pinned source (`apt-get install git`)")]
    Git {
        /// The attempt.
        what: String,
        /// Why not.
        why: String,
    },
    /// A commit cannot be applied on the pinned one.
    #[error(
        "the commit {commit} cannot be applied on {onto}: {why}. Remove it from the recipe, or carry it as a patch that was adapted"
    )]
    CherryPick {
        /// The commit.
        commit: String,
        /// The pinned commit.
        onto: String,
        /// Why not.
        why: String,
    },
    /// The pinned source is not in the cache and cannot be had.
    #[error("cannot get the source, commit {commit}:\n{}{}\nWays on:\n  \
             - run `cargo xtask fetch` on a machine that reaches one of these, and copy its cache here\n  \
             - build a tree or archive that you have: `--source PATH`\n  \
             - try the tool without upstream: `--recipe sample`",
            tried.iter().map(|tried| format!("  {tried}")).collect::<Vec<_>>().join("\n"),
            if tried.is_empty() { "  the network was not used (--offline), and it is not in the cache" } else { "" })]
    Unreachable {
        /// The commit.
        commit: String,
        /// The repositories, each with its reason; empty when the network may not be used.
        tried: Vec<Tried>,
    },
}

impl SourceError {
    /// Whether a commit or a digest was wrong.
    pub fn is_verification(&self) -> bool {
        match self {
            Self::Store(error) => error.is_verification(),
            Self::Bundled { .. } => true,
            Self::Unreachable { tried, .. } => tried.iter().any(|tried| tried.wrong),
            _ => false,
        }
    }
}

/// `--source PATH`: a local folder or archive; the version carries `+local`.
pub fn local(store: &Store, path: &Path, rules: &Rules<'_>) -> Result<SourceTree, SourceError> {
    let read = |source| SourceError::Read { path: path.to_owned(), source };
    let path = &path.canonicalize().map_err(read)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (packed, origin) = if path.is_dir() {
        let commit = git::head_of(path);
        (directory::pack(store, path, rules)?, Origin::LocalDirectory { name, commit })
    } else {
        let (packed, sha256) = archive::pack(store, path, rules)?;
        (packed, Origin::LocalArchive { name, sha256 })
    };
    Ok(packed.tree("+local", origin))
}

/// A recipe's own `directory`. Bundled files must be as `sources.lock` pins them.
pub fn recipe_directory(
    store: &Store,
    recipe: &Path,
    directory: &Path,
    rules: &Rules<'_>,
) -> Result<SourceTree, SourceError> {
    let path = recipe.join(directory);
    let read = |source| SourceError::Read { path: path.clone(), source };
    let packed = directory::pack(store, &path.canonicalize().map_err(read)?, rules)?;
    packed.strict(&directory.display().to_string())?;
    Ok(packed.tree("", Origin::Recipe { directory: directory.display().to_string() }))
}

#[cfg(test)]
mod tests;
