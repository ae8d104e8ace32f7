//! Upstream's source: pinned, verified and turned into one normalised tar.
//!
//! A commit is checked out, an archive unpacked, a folder taken as it is; from there all go the same way:
//! `directory` lists the tree and refuses what must not be in one, `pack` writes the tar. Between the two,
//! `cherry_pick` applies what upstream repaired later.

mod archive;
pub mod cherry_pick;
mod commit;
mod directory;
pub mod git;
mod pack;
pub mod version;

use std::io;
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use foundation::failure::{self, Failure, Kind, Outcome};
use foundation::store::{Store, StoreError};
use recipe::cherry_pick::Pick;
use recipe::sources_lock::SourcesLock;
use serde::{Deserialize, Serialize};

use self::cherry_pick::Standing;
use self::commit::Checkout;
use crate::download::Tried;

/// A source tree, ready to be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTree {
    /// Digest of the tar: names the tree in the keys of stages.
    pub digest: Digest,
    /// `""`, or `+local` for what was given by `--source`.
    pub version_suffix: String,
    /// Where it came from; goes into the provenance.
    pub origin: SourceOrigin,
    /// Normalised, uncompressed tar in the store: sorted, one time stamp, uid and gid 0, modes 644 and 755, no `.git`.
    pub tar: PathBuf,
    /// How it differs from what the recipe asks for. Always empty for the pinned source, where that is an error.
    pub deviations: Vec<Deviation>,
}

/// Where a source tree came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum SourceOrigin {
    /// The pinned commit.
    Git {
        /// The commit: 40 hexadecimal digits.
        commit: String,
        /// The tag that names it, where the recipe gives one.
        tag: Option<String>,
        /// The addresses of the repositories, as the recipe has them.
        remotes: Vec<String>,
        /// Later commits that were applied on it, in order.
        cherry_picks: Vec<Pick>,
    },
    /// A folder beside the recipe.
    Recipe {
        /// The path of the folder, relative to the recipe.
        directory: String,
    },
    /// A local archive.
    LocalArchive {
        /// The file name of the archive, without its folder.
        name: String,
        /// SHA-256 digest of the archive.
        sha256: Digest,
    },
    /// A local folder.
    LocalDirectory {
        /// The folder's own name (not its whole path, which says nothing elsewhere).
        name: String,
        /// The commit that is checked out there, if it is a git work tree.
        commit: Option<String>,
        /// Whether the folder is something else than that commit: how is among the deviations.
        #[serde(default)]
        modified: bool,
        /// Later commits that the recipe asks for and that are in it: applied on it, or in its history already.
        cherry_picks: Vec<Pick>,
    },
}

impl SourceOrigin {
    /// The recipe's cherry-picks that are in the source.
    pub fn cherry_picks(&self) -> &[Pick] {
        match self {
            Self::Git { cherry_picks, .. } | Self::LocalDirectory { cherry_picks, .. } => cherry_picks,
            Self::Recipe { .. } | Self::LocalArchive { .. } => &[],
        }
    }
}

/// How a source differs from what the recipe asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged, rename_all = "kebab-case")]
pub enum Deviation {
    /// A bundled file is not as `sources.lock` pins it.
    Bundled {
        /// The path of the file in the source tree.
        path: String,
        /// The pinned digest; none for a file that matches `bundled` and is not in the lock.
        expected: Option<Digest>,
        /// The digest of the file that is there; none where it is missing.
        found: Option<Digest>,
    },
    /// A cherry-pick of the recipe is not in the source.
    CherryPick {
        /// The commit of the cherry-pick: 40 hexadecimal digits.
        commit: String,
        /// Why it could not be applied.
        why: String,
    },
    /// A local folder is not the commit that is checked out there.
    Commit {
        /// The commit that is checked out: 40 hexadecimal digits.
        commit: String,
        /// How the folder differs from the commit, in words.
        differs: String,
    },
    /// A local folder belongs to a repository that does not say which commit it is.
    Unknown {
        /// The name of the repository in the folder, such as `.git`.
        repository: String,
        /// Why the commit cannot be read.
        why: String,
    },
}

impl std::fmt::Display for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bundled { path, expected: Some(expected), found: Some(found) } => {
                write!(f, "{path} has sha256 {found}, pinned is {expected}")
            }
            Self::Bundled { path, expected: Some(_), found: None } => write!(f, "{path} is missing"),
            Self::Bundled { path, expected: None, .. } => write!(f, "{path} is not pinned"),
            Self::Commit { commit, differs } => write!(f, "the folder is not the commit {commit}: {differs}"),
            Self::Unknown { repository, why } => {
                write!(f, "which commit it is cannot be read from its {repository}: {why}")
            }
            Self::CherryPick { commit, why } => write!(f, "the fix {commit} is not in it: {why}"),
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
    /// The cache could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder that was to be read.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// What was given is neither a folder nor an archive of a known kind.
    #[error("{} cannot be used as a source: {why}", path.display())]
    NoSource {
        /// The path that was given.
        path: PathBuf,
        /// Why it is no source.
        why: String,
    },
    /// Something in it must not be in a source tree.
    #[error("{source_name} is refused as a source: its entry '{entry}' {why}")]
    Unsafe {
        /// The folder or archive, or the commit.
        source_name: String,
        /// The path of the entry in it.
        entry: String,
        /// What is wrong with the entry: the end of a sentence that begins with it.
        why: String,
    },
    /// A glob pattern of the recipe cannot be read.
    #[error("the pattern '{pattern}' under `bundled` in recipe.toml is not a glob pattern: {why}")]
    Pattern {
        /// The pattern as the recipe has it.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// Bundled files are not those that are pinned.
    #[error("{source_name} was not used: it does not have the bundled files that sources.lock pins:\n{}", deviations.iter().map(|d| format!("  {d}")).collect::<Vec<_>>().join("\n"))]
    Bundled {
        /// The folder of the recipe, or the commit, that was to be the source.
        source_name: String,
        /// The files that differ, with both digests.
        deviations: Vec<Deviation>,
    },
    /// git cannot be run, or failed on this machine.
    #[error("git {what}: {why}")]
    Git {
        /// What was attempted, as the message has it after `git`.
        what: String,
        /// Why it did not work, mostly in git's own words.
        why: String,
    },
    /// A repository does not have the tag of a version.
    #[error("{place} has no tag {tag}: {near}")]
    NoTag {
        /// The folder or address of the repository.
        place: String,
        /// The tag that was asked for.
        tag: String,
        /// Some of those that it has, in words.
        near: String,
    },
    /// The tag of a version is another commit than the one that was given.
    #[error("the tag {tag} of {place} is the commit {found}, not {expected}")]
    OtherCommit {
        /// The folder or address of the repository.
        place: String,
        /// The tag that was asked for.
        tag: String,
        /// The commit that it names.
        found: String,
        /// The commit that was given.
        expected: String,
    },
    /// A commit cannot be applied on the pinned one.
    #[error("the commit {commit} cannot be applied on {onto}: {why}")]
    CherryPick {
        /// The commit that was to be applied: 40 hexadecimal digits.
        commit: String,
        /// What it was to be applied on: the pinned commit, or a local source.
        onto: String,
        /// Why it cannot be applied.
        why: String,
    },
    /// The pinned source is not in the cache and cannot be had.
    #[error("cannot get the source, commit {commit}:\n{}{}",
            tried.iter().map(|tried| format!("  {tried}")).collect::<Vec<_>>().join("\n"),
            if tried.is_empty() { "  the network was not used (--offline), and it is not in the cache" } else { "" })]
    Unreachable {
        /// The pinned commit: 40 hexadecimal digits.
        commit: String,
        /// The repositories, each with its reason; empty when the network may not be used.
        tried: Vec<Tried>,
    },
}

impl Failure for SourceError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Store(error) => error.outcome(),
            Self::Read { source, .. } => failure::of_file(source),
            Self::NoSource { .. } => {
                Kind::Input.next("give a folder, or an archive .tar, .tar.gz, .tgz, .tar.xz or .tar.zst")
            }
            Self::Unsafe { .. } => Kind::Input.next("remove it from the tree and try again"),
            Self::Pattern { .. } => Kind::Input.next("correct recipe.toml and run the command again"),
            Self::Bundled { .. } => Kind::Verification
                .next("get the source again; if upstream changed them on purpose, correct sources.lock"),
            Self::Git { .. } => Kind::Failed
                .next("git 2.28 or later is needed to get the pinned source: `apt-get install git`, then run it again"),
            Self::NoTag { .. } => Kind::Input.next("give one of its tags, or `git fetch --tags` there first"),
            Self::OtherCommit { .. } => Kind::Input.next(
                "give the commit of the release as upstream announced it; if a tag was moved, find out why before you trust it",
            ),
            Self::CherryPick { .. } => Kind::Input.next(
                "give it `disabled = \"why\"` in recipe.toml, name files that may be left out of it in `without`, \
                 or carry it as a patch that was adapted",
            ),
            Self::Unreachable { tried, .. } => crate::download::kind_of(tried).next(
                "there are three ways on:\n  \
                 - run `cargo xtask fetch` on a machine that reaches one of these, and copy its cache here\n  \
                 - build a tree or archive that you have: `--source PATH`\n  \
                 - try the tool without upstream: `--recipe sample`",
            ),
        }
    }
}

/// `--source PATH`: a local folder or archive; the version carries `+local`. The recipe's `picks` are applied as far
/// as the folder is a git repository that has them.
///
/// # Errors
/// The path is neither a folder nor an archive of a known kind, something in it cannot be read or must not be in a
/// source tree (such as a link that leads out of it), git fails, or the store cannot be written.
pub fn local(store: &Store, path: &Path, picks: &[Pick], rules: &Rules<'_>) -> Result<SourceTree, SourceError> {
    let read = |source| SourceError::Read { path: path.to_owned(), source };
    let path = &path.canonicalize().map_err(read)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut deviations = Vec::new();
    let (packed, standing, origin) = if path.is_dir() {
        let Checkout { commit, modified, deviations: differs } = Checkout::of(store, path)?;
        deviations = differs;
        let standing = Standing::of(path, picks);
        let packed = standing.pack(store, path, rules)?;
        let cherry_picks = standing.present.clone();
        (packed, standing, SourceOrigin::LocalDirectory { name, commit, modified, cherry_picks })
    } else if path.is_file() {
        let (packed, sha256) = archive::pack(store, path, rules)?;
        (packed, Standing::none(picks, "the source is an archive"), SourceOrigin::LocalArchive { name, sha256 })
    } else {
        // A pipe would be waited for, perhaps for ever.
        return Err(SourceError::NoSource { path: path.clone(), why: "it is neither a folder nor a file".into() });
    };
    let mut tree = packed.tree("+local", origin);
    tree.deviations.extend(deviations);
    tree.deviations.extend(standing.missing);
    Ok(tree)
}

/// A recipe's own `directory`. Bundled files must be as `sources.lock` pins them.
///
/// # Errors
/// The folder is missing or cannot be read, something in it must not be in a source tree, a bundled file is not the one
/// in `sources.lock`, or the store cannot be written.
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
    Ok(packed.tree("", SourceOrigin::Recipe { directory: directory.display().to_string() }))
}

#[cfg(test)]
mod tests;
