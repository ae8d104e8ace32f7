//! Which commit a local folder has checked out, and whether the folder is that commit: everything in it is built, also what
//! was never committed, and whoever reads of a commit later takes it for what was built.

use std::fs;
use std::path::Path;

use foundation::store::Store;

use super::git::{self, Git};
use super::{Deviation, SourceError};

/// How many files are named.
const NAMED: usize = 3;

/// What is checked out in a folder.
#[derive(Debug, Default)]
pub(super) struct Checkout {
    /// The commit, if it is a git work tree.
    pub(super) commit: Option<String>,
    /// Whether the folder is something else.
    pub(super) modified: bool,
    /// How it differs.
    pub(super) deviations: Vec<Deviation>,
}

impl Checkout {
    /// Looks at a folder.
    ///
    /// # Errors
    /// It is a repository without a work tree, or git cannot be run.
    pub(super) fn of(store: &Store, folder: &Path) -> Result<Self, SourceError> {
        let Some(theirs) = git::of_folder(folder) else {
            // gitrepository-layout(5).
            if folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir() {
                return Err(SourceError::NoSource {
                    path: folder.to_owned(),
                    why: "it is a git repository without a work tree: clone it, and give the clone".into(),
                });
            }
            return Ok(Self::default());
        };
        let commit = match theirs.run("read the commit", &["rev-parse", "--verify", "HEAD^{commit}"]) {
            Ok(commit) => commit,
            Err(error) => {
                let deviation = Deviation::Unknown { repository: ".git".into(), why: git::reason(error) };
                return Ok(Self { deviations: vec![deviation], ..Self::default() });
            }
        };
        let differs = differences(store, &theirs, folder, &commit)?;
        let deviations = differs.map(|differs| Deviation::Commit { commit: commit.clone(), differs });
        Ok(Self { modified: deviations.is_some(), deviations: deviations.into_iter().collect(), commit: Some(commit) })
    }
}

/// In what a folder differs from a commit, in words. git compares every byte, with an index of its own: the folder's may
/// say of a file that it is not to be looked at.
fn differences(store: &Store, theirs: &Git, folder: &Path, commit: &str) -> Result<Option<String>, SourceError> {
    let temp = store.temp_dir()?;
    let git = Git::borrowing(theirs, temp.path())?.at_work(folder, &temp.path().join("index"));
    git.run("read the commit", &["update-ref", "--no-deref", "HEAD", commit])?;
    git.run("read the commit", &["read-tree", commit])?;
    let list =
        git.run("compare", &["status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal", "--ignored"])?;
    // Two letters, of which the first may be a space, a space, and the name.
    let names = list.split('\0').filter_map(|entry| entry.trim_start().split_once(' '));
    let names: Vec<&str> = names.map(|(_, name)| name.trim_start()).collect();
    let mut said = Vec::new();
    if !names.is_empty() {
        let more = if names.len() > NAMED { ", …" } else { "" };
        let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        said.push(format!("{} changed, added or missing ({shown}{more})", files(names.len())));
    }
    let index = git.run("list the submodules", &["ls-files", "--stage", "-z"])?;
    let submodules = index.split('\0').filter_map(|line| line.strip_prefix("160000 ")?.split_once('\t'));
    for (_, path) in submodules {
        if fs::read_dir(folder.join(path)).is_ok_and(|mut entries| entries.next().is_none()) {
            said.push(format!("the submodule {path} is empty"));
        }
    }
    Ok((!said.is_empty()).then(|| said.join("; ")))
}

fn files(count: usize) -> String {
    if count == 1 { "one file was".to_owned() } else { format!("{count} files were") }
}
