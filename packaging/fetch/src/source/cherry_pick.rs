//! Later commits of upstream that are applied on the pinned one: the backport queue.
//!
//! A recipe names each by its id, and git takes the change from the repository: nothing of it is copied into the
//! recipe. The pinned source always gets all of them. A local tree (`--source`) gets those that its own repository
//! has; of the others a deviation says that they are missing.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use foundation::store::{Store, StoreError};
use recipe::cherry_pick::Pick;

use super::directory::{self, Entry, Kind};
use super::git::{self, Git};
use super::pack::{self, Packed};
use super::{Deviation, Rules, SourceError};

/// Applies commits one after the other on what the index of `git` holds and its work tree shows. `onto` is its name.
pub(super) fn apply(git: &Git, picks: &[Pick], onto: &str) -> Result<(), SourceError> {
    for pick in picks {
        let failed = |why: String| SourceError::CherryPick { commit: pick.commit.clone(), onto: onto.to_owned(), why };
        let commit = if pick.without.is_empty() { pick.commit.clone() } else { reduced(git, pick).map_err(failed)? };
        // A commit is about the very files that it names: where one is missing it has to be looked at, not guessed.
        let done = git.run("apply it", &["-c", "merge.renames=false", "cherry-pick", "--no-commit", &commit]);
        if let Err(error) = done {
            let conflicts = git.run("list conflicts", &["diff", "--name-only", "--diff-filter=U"]).unwrap_or_default();
            return Err(failed(if conflicts.is_empty() {
                git::reason(error)
            } else {
                format!("it conflicts in {}", conflicts.lines().collect::<Vec<_>>().join(", "))
            }));
        }
    }
    Ok(())
}

/// A commit like the picked one, in which the files of `without` are as they were before it.
fn reduced(git: &Git, pick: &Pick) -> Result<String, String> {
    let changed = changed_files(git, &pick.commit)?;
    if let Some(path) = pick.without.iter().find(|path| !changed.contains(*path)) {
        return Err(format!("`without` names {path}, which it does not change"));
    }
    let git = git.with_index("without");
    let run = |arguments: &[&str]| git.run("leave files out of it", arguments).map_err(git::reason);
    let before = format!("{}^1", pick.commit);
    run(&["read-tree", &pick.commit])?;
    for path in &pick.without {
        let entry = run(&["ls-tree", &before, "--", path])?;
        run(&["update-index", "--force-remove", "--", path])?;
        if let Some((mode, id)) = entry.split_once('\t').and_then(|(entry, _)| entry.split_once(" blob ")) {
            run(&["update-index", "--add", "--cacheinfo", &format!("{mode},{id},{path}")])?;
        }
    }
    let tree = run(&["write-tree", "--missing-ok"])?;
    run(&["commit-tree", "-p", &before, "-m", "-", &tree])
}

/// The files that a commit changes, adds or removes.
pub(super) fn changed_files(git: &Git, commit: &str) -> Result<BTreeSet<String>, String> {
    let before = format!("{commit}^1");
    let names = git.run("read it", &["diff-tree", "-r", "-z", "--name-only", "--no-renames", &before, commit]);
    Ok(names.map_err(git::reason)?.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// The tree that a commit changes.
fn before(commit: &str) -> String {
    format!("{commit}^1^{{tree}}")
}

/// What a repository knows of the picks: asked for all of them at once, since this is asked in every run.
#[derive(Debug, Default)]
struct Known {
    /// Names of objects that it has: a commit's id, its tree's, and that of the tree before it.
    objects: BTreeSet<String>,
    /// The commits that are not in the history of what is checked out.
    outside: BTreeSet<String>,
}

impl Known {
    fn of(git: &Git, picks: &[Pick]) -> Self {
        let ids = || picks.iter().map(|pick| pick.commit.as_str());
        if picks.is_empty() {
            return Self::default();
        }
        let names: Vec<String> = ids().flat_map(|id| [id.to_owned(), format!("{id}^{{tree}}"), before(id)]).collect();
        // One line for each name, in their order: git-cat-file(1), BATCH OUTPUT.
        let found = git.run_with("look for commits", &["cat-file", "--batch-check"], &(names.join("\n") + "\n"));
        let found = found.unwrap_or_default();
        let objects = names.into_iter().zip(found.lines()).filter(|(_, line)| !line.ends_with(" missing"));
        let history: Vec<&str> =
            ["rev-list", "--ignore-missing"].into_iter().chain(ids()).chain(["--not", "HEAD"]).collect();
        let outside = match git.run("read the history", &history) {
            Ok(list) => list.lines().map(str::to_owned).collect(),
            // Nothing is checked out.
            Err(_) => ids().map(str::to_owned).collect(),
        };
        Self { objects: objects.map(|(name, _)| name).collect(), outside }
    }
}

/// What of the picks concerns a local tree.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// To be applied: its repository has them.
    apply: Vec<Pick>,
    /// Applied by this, or in the history of what is checked out.
    pub(super) present: Vec<Pick>,
    /// Those that it cannot get.
    pub(super) missing: Vec<Deviation>,
}

impl Standing {
    /// Nothing can be applied.
    pub(super) fn none(picks: &[Pick], why: &str) -> Self {
        let missing =
            picks.iter().map(|pick| Deviation::CherryPick { commit: pick.commit.clone(), why: why.to_owned() });
        Self { missing: missing.collect(), ..Self::default() }
    }

    /// Looks into a folder's repository, if it is one.
    pub(super) fn of(folder: &Path, picks: &[Pick]) -> Self {
        let Some(git) = git::of_folder(folder) else {
            return Self::none(picks, "the source is not a git repository");
        };
        let known = Known::of(&git, picks);
        let mut standing = Self::default();
        for pick in picks {
            let id = &pick.commit;
            if known.objects.contains(id) && !known.outside.contains(id) {
                standing.present.push(pick.clone());
            } else if [format!("{id}^{{tree}}"), before(id)].iter().all(|name| known.objects.contains(name)) {
                standing.present.push(pick.clone());
                standing.apply.push(pick.clone());
            } else {
                let why = "the source's git repository does not have it".to_owned();
                standing.missing.push(Deviation::CherryPick { commit: pick.commit.clone(), why });
            }
        }
        standing
    }

    /// Packs the folder with the commits applied. The folder itself is left as it is, with all that was changed in
    /// it and not committed.
    pub(super) fn pack(&self, store: &Store, folder: &Path, rules: &Rules<'_>) -> Result<Packed, SourceError> {
        if self.apply.is_empty() {
            return directory::pack(store, folder, rules);
        }
        let listing = directory::list(folder)?;
        let key = pack::key(&("picked directory", listing.fingerprint, &self.apply), rules);
        if let Some(packed) = pack::remembered(store, &key) {
            return Ok(packed);
        }
        let temp = store.temp_dir()?;
        let copy = temp.path().join("copy");
        copy_tree(folder, &listing.entries, &copy)?;
        self.apply_on(folder, &copy, temp.path())?;
        let packed = pack::pack(store, &copy, &directory::list(&copy)?.entries, rules)?;
        if listing.settled {
            pack::remember(store, &key, &packed)?;
        }
        Ok(packed)
    }

    /// Applies the commits on a copy of the folder. git works in a repository of its own, which only reads the objects
    /// of the folder's.
    fn apply_on(&self, folder: &Path, copy: &Path, temp: &Path) -> Result<(), SourceError> {
        let Some(theirs) = git::of_folder(folder) else { return Ok(()) };
        let onto = folder.display().to_string();
        let git = Git::borrowing(&theirs, temp)?.at_work(copy, &temp.join("index"));
        // The index has just the files that the commits are about. All others are neither looked at nor touched:
        // a change of bundled archives needs no hashing, and the folder's repository need not have them.
        let mut files = BTreeSet::new();
        for pick in &self.apply {
            files.extend(changed_files(&git, &pick.commit).map_err(|why| SourceError::CherryPick {
                commit: pick.commit.clone(),
                onto: onto.clone(),
                why,
            })?);
        }
        for file in files.iter().filter(|file| copy.join(file).symlink_metadata().is_ok()) {
            git.run("read a file", &["update-index", "--add", "--", file])?;
        }
        apply(&git, &self.apply, &onto)
    }
}

fn copy_tree(from: &Path, entries: &[Entry], to: &Path) -> Result<(), SourceError> {
    let write = |path: &Path| StoreError::io("write", path.to_owned());
    fs::create_dir(to).map_err(write(to))?;
    for entry in entries {
        let path: PathBuf = to.join(&entry.path);
        match &entry.kind {
            Kind::Folder => fs::create_dir(&path).map_err(write(&path))?,
            Kind::Link(target) => symlink(target, &path).map_err(write(&path))?,
            Kind::File { .. } => {
                let source = from.join(&entry.path);
                fs::copy(&source, &path).map_err(|error| SourceError::Read { path: source, source: error })?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "cherry_pick_tests.rs"]
mod tests;
