//! Another version of an upstream: what its git repository says of a tag, of the later commits that a recipe applies, and
//! of what is bundled. Nothing is built, and the repository is only read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use foundation::digest::Digest;
use foundation::store::{Store, StoreError, TempDir};
use globset::Glob;
use recipe::cherry_pick::Pick;

use super::SourceError;
use super::cherry_pick::{apply, changed_files};
use super::git::{self, Git};

/// A repository with the versions of an upstream.
pub struct Upstream {
    git: Git,
    temp: TempDir,
    place: String,
}

/// Two commits: the one whose recipe is known, and the one that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The commit that the recipe pins: 40 hexadecimal digits.
    pub from: &'a str,
    /// The other version's commit.
    pub to: &'a str,
    /// The glob patterns of what is bundled.
    pub bundled: &'a [String],
}

/// How it is with a later commit that a recipe applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The other version has it.
    Contained(How),
    /// It has not, and the commit can be applied.
    Applies,
    /// It has not, as far as can be seen, and the commit cannot be applied: why.
    Fails(String),
}

/// How it is known that a version has a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// The commit is one of its ancestors.
    History,
    /// One of its commits is the same change, by git-patch-id(1).
    SamePatch(String),
    /// One of its commits says that it was picked from this one, as `git cherry-pick -x` writes it.
    Said(String),
    /// One of its commits has the same subject, and nothing of this one could be applied any more.
    SameSubject(String),
    /// Applied on it, the commit changes nothing.
    Nothing,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History => write!(f, "it is in its history"),
            Self::SamePatch(commit) => write!(f, "its commit {} is the same change", short(commit)),
            Self::Said(commit) => write!(f, "its commit {} says that it was picked from it", short(commit)),
            Self::SameSubject(commit) => {
                write!(f, "its commit {} has the same subject, and this one does not apply", short(commit))
            }
            Self::Nothing => write!(f, "applied on it, it changes nothing"),
        }
    }
}

/// The first digits of a commit, as people write it.
pub fn short(commit: &str) -> &str {
    &commit[..commit.len().min(12)]
}

/// A commit between the two versions.
struct Between {
    commit: String,
    subject: String,
    message: String,
}

/// How it is with a patch of a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatchStanding {
    /// It can be applied.
    Applies,
    /// Its change is there already.
    Contained,
    /// It cannot be applied: git's words.
    Fails(String),
}

impl Upstream {
    /// Opens a folder that is a git repository, or gets all of the one at an address.
    ///
    /// # Errors
    /// There is no repository, or it cannot be got.
    pub fn open(store: &Store, place: &str) -> Result<Self, SourceError> {
        let temp = store.temp_dir()?;
        let folder = Path::new(place);
        let theirs = if folder.is_dir() {
            let bare = folder.join("objects").is_dir() && folder.join("refs").is_dir();
            let found = if bare { Some(Git::of(folder)) } else { git::of_folder(folder) };
            found.ok_or_else(|| SourceError::NoSource {
                path: folder.to_owned(),
                why: "it is not a git repository, which could say what this version contains".into(),
            })?
        } else if place.contains("://") || place.contains('@') {
            let git = Git::init(&temp.path().join("theirs"))?;
            git.fetch_all(place)?;
            git
        } else {
            return Err(SourceError::NoSource { path: folder.to_owned(), why: "there is no such folder".into() });
        };
        let git = Git::borrowing(&theirs, temp.path())?;
        git.copy_refs(&theirs)?;
        Ok(Self { git, temp, place: place.to_owned() })
    }

    /// The commit that a tag names; with `expected`, it has to be that one.
    ///
    /// # Errors
    /// There is no such tag, or it names another commit.
    pub fn tagged(&self, tag: &str, expected: Option<&str>) -> Result<String, SourceError> {
        let name = format!("refs/tags/{tag}^{{commit}}");
        let Ok(commit) = self.git.run("find the tag", &["rev-parse", "--verify", "--quiet", &name]) else {
            let all = self.git.run("list tags", &["tag", "--list", "--sort=-version:refname"])?;
            let alike = |known: &&str| tag.split(['.', '-']).next() == known.split(['.', '-']).next();
            // Those of the same series first.
            let (first, rest): (Vec<&str>, Vec<&str>) = all.lines().partition(alike);
            let near: Vec<&str> = first.into_iter().chain(rest).take(8).collect();
            let near = if near.is_empty() { "it has none".into() } else { format!("it has {}", near.join(", ")) };
            return Err(SourceError::NoTag { place: self.place.clone(), tag: tag.to_owned(), near });
        };
        match expected.filter(|expected| *expected != commit) {
            None => Ok(commit),
            Some(expected) => Err(SourceError::OtherCommit {
                place: self.place.clone(),
                tag: tag.to_owned(),
                found: commit,
                expected: expected.to_owned(),
            }),
        }
    }

    /// How it is with each of these commits, in the order in which they are applied, and with these patches after them.
    ///
    /// # Errors
    /// The repository does not have both versions, or git fails.
    pub fn standing(
        &self,
        step: Step<'_>,
        picks: &[Pick],
        patches: &[&Path],
    ) -> Result<(Vec<Standing>, Vec<PatchStanding>), SourceError> {
        let between = self.between(step)?;
        let ids = self.patch_ids(step, None)?;
        let mut found = Vec::new();
        for pick in picks {
            found.push(self.known(step, pick, &between, &ids)?);
        }
        let work = self.temp.path().join("work");
        let _ = std::fs::remove_dir_all(&work);
        std::fs::create_dir(&work).map_err(StoreError::io("make the folder", &work))?;
        let git = self.git.at_work(&work, &self.temp.path().join("index"));
        // Only what the changes are about: the repository need not have every large file.
        let mut files = BTreeSet::new();
        for (pick, _) in picks.iter().zip(&found).filter(|(_, found)| found.is_none()) {
            files.extend(changed_files(&git, &pick.commit).unwrap_or_default());
        }
        for patch in patches {
            let stat = git.run("read a patch", &["apply", "--numstat", "-z", &patch.display().to_string()]);
            let stat = stat.unwrap_or_default();
            files.extend(stat.split('\0').filter_map(|line| line.splitn(3, '\t').nth(2)).map(str::to_owned));
        }
        let list = self.git.run("list files", &["ls-tree", "-r", "-z", "--full-tree", step.to])?;
        let wanted =
            list.split('\0').filter(|line| line.split_once('\t').is_some_and(|(_, name)| files.contains(name)));
        let wanted: String = wanted.map(|line| format!("{line}\0")).collect();
        git.run("read files", &["read-tree", "--empty"])?;
        git.run_with("read files", &["update-index", "-z", "--index-info"], &wanted)?;
        git.run("write files", &["checkout-index", "--all", "--force", "--index"])?;

        let mut standing = Vec::new();
        for (pick, known) in picks.iter().zip(found) {
            standing.push(match known {
                Some(how) => Standing::Contained(how),
                None => try_pick(&git, pick, &between, step)?,
            });
        }
        let patches = patches.iter().map(|patch| try_patch(&git, patch)).collect();
        Ok((standing, patches))
    }

    /// The commits that are in the other version and not in the known one.
    fn between(&self, step: Step<'_>) -> Result<Vec<Between>, SourceError> {
        let arguments = ["log", "--no-merges", "--format=%H%x00%s%x00%B%x01", step.to, "--not", step.from];
        let log = self.git.run("list the commits between the two versions", &arguments)?;
        let parse = |entry: &str| {
            let mut parts = entry.trim_start().splitn(3, '\0').map(str::to_owned);
            Some(Between { commit: parts.next()?, subject: parts.next()?, message: parts.next()? })
        };
        Ok(log.split('\u{1}').filter_map(parse).collect())
    }

    /// What git-patch-id(1) says of the commits between the versions, or of one commit: the commits by id.
    fn patch_ids(&self, step: Step<'_>, one: Option<&str>) -> Result<BTreeMap<String, String>, SourceError> {
        // Archives are no change of code, and a repository need not have them.
        let without: Vec<String> =
            step.bundled.iter().map(|pattern| format!(":(exclude,glob){pattern}")).chain([".".to_owned()]).collect();
        let mut arguments = vec!["log", "--no-merges", "-p", "--full-index", "--no-ext-diff", "--no-textconv"];
        arguments.push("--format=commit %H");
        match one {
            Some(commit) => arguments.extend(["--max-count=1", commit]),
            None => arguments.extend([step.to, "--not", step.from]),
        }
        arguments.push("--");
        arguments.extend(without.iter().map(String::as_str));
        let log = self.git.bytes("read the changes between the two versions", &arguments)?;
        let ids = self.git.run_with("compare changes", &["patch-id", "--stable"], &log)?;
        let pair = |line: &str| line.split_once(' ').map(|(id, commit)| (id.to_owned(), commit.to_owned()));
        Ok(ids.lines().filter_map(pair).collect())
    }

    /// How it is known that the version has a commit, if it is, without trying.
    fn known(
        &self,
        step: Step<'_>,
        pick: &Pick,
        between: &[Between],
        ids: &BTreeMap<String, String>,
    ) -> Result<Option<How>, SourceError> {
        let ancestor = ["merge-base", "--is-ancestor", &pick.commit, step.to];
        if self.git.run("look into the history", &ancestor).is_ok() {
            return Ok(Some(How::History));
        }
        let own = self.patch_ids(step, Some(&pick.commit)).unwrap_or_default();
        if let Some(same) = own.keys().find_map(|id| ids.get(id)) {
            return Ok(Some(How::SamePatch(same.clone())));
        }
        let words = format!("cherry picked from commit {}", pick.commit);
        let said = between.iter().find(|one| one.message.contains(&words));
        Ok(said.map(|one| How::Said(one.commit.clone())))
    }

    /// The subject line of a commit.
    ///
    /// # Errors
    /// The repository does not have the commit.
    pub fn subject(&self, commit: &str) -> Result<String, SourceError> {
        self.git.run("read a commit", &["log", "--max-count=1", "--format=%s", commit])
    }

    /// The commits between the two versions that name one of these tickets, with their subjects.
    ///
    /// # Errors
    /// The repository does not have both versions.
    pub fn naming(&self, step: Step<'_>, tickets: &[String]) -> Result<Vec<(String, String)>, SourceError> {
        let named = |one: &Between| tickets.iter().any(|ticket| has_word(&one.message, ticket));
        let found = self.between(step)?.into_iter().filter(named);
        Ok(found.map(|one| (one.commit, one.subject)).collect())
    }

    /// The bundled files of the other version, each with its SHA-256 digest; none for one that the repository does not
    /// have. `digests` are those that are known of the files of the first version: what is the same there has them.
    ///
    /// # Errors
    /// A pattern is none, or git fails.
    pub fn bundled(
        &self,
        step: Step<'_>,
        digests: &BTreeMap<String, Digest>,
    ) -> Result<BTreeMap<String, Option<Digest>>, SourceError> {
        let mut set = globset::GlobSetBuilder::new();
        for pattern in step.bundled {
            let wrong =
                |error: globset::Error| SourceError::Pattern { pattern: pattern.clone(), why: error.to_string() };
            set.add(Glob::new(pattern).map_err(wrong)?);
        }
        let set =
            set.build().map_err(|error| SourceError::Pattern { pattern: "bundled".into(), why: error.to_string() })?;
        let files = |commit: &str| -> Result<BTreeMap<String, String>, SourceError> {
            let list = self.git.run("list files", &["ls-tree", "-r", "-z", "--full-tree", commit])?;
            // MODE blob ID<tab>NAME: git-ls-tree(1).
            let parse = |line: &str| {
                let (entry, name) = line.split_once('\t')?;
                let id = entry.split_once(" blob ")?.1;
                set.is_match(name).then(|| (name.to_owned(), id.trim().to_owned()))
            };
            Ok(list.split('\0').filter_map(parse).collect())
        };
        let (old, new) = (files(step.from)?, files(step.to)?);
        let digest = |(name, id): (String, String)| {
            let kept = digests.get(&name).filter(|_| old.get(&name) == Some(&id)).copied();
            let read = || self.git.bytes("read a file", &["cat-file", "blob", &id]).ok().map(Digest::of);
            let digest = kept.or_else(read);
            (name, digest)
        };
        Ok(new.into_iter().map(digest).collect())
    }
}

/// Whether a text has a word, such as `MESOS-96` and not `MESOS-9610`.
fn has_word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric();
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(inside) && !text[at + word.len()..].starts_with(inside))
}

/// Applies a commit on what is checked out, if it can be applied.
fn try_pick(git: &Git, pick: &Pick, between: &[Between], step: Step<'_>) -> Result<Standing, SourceError> {
    let tree = || git.run("write the tree", &["write-tree", "--missing-ok"]);
    let before = tree()?;
    match apply(git, std::slice::from_ref(pick), short(step.to)) {
        Ok(()) if tree()? == before => Ok(Standing::Contained(How::Nothing)),
        Ok(()) => Ok(Standing::Applies),
        Err(error) => {
            let _ = git.run("end it", &["cherry-pick", "--quit"]);
            git.run("go back", &["read-tree", "--reset", "-u", &before])?;
            let why = match error {
                SourceError::CherryPick { why, .. } => why,
                other => git::reason(other),
            };
            let subject = git.run("read a commit", &["log", "--max-count=1", "--format=%s", &pick.commit]);
            let same = subject.ok().and_then(|subject| between.iter().find(|one| one.subject == subject));
            Ok(same.map_or(Standing::Fails(why), |one| Standing::Contained(How::SameSubject(one.commit.clone()))))
        }
    }
}

/// Applies a patch on what is checked out, if it can be applied.
fn try_patch(git: &Git, patch: &Path) -> PatchStanding {
    let file = patch.display().to_string();
    let run =
        |more: &[&str]| git.run("apply it", &[&["apply", "--index", "--whitespace=nowarn"], more, &[&file]].concat());
    match run(&[]) {
        Ok(_) => PatchStanding::Applies,
        Err(_) if run(&["--reverse", "--check"]).is_ok() => PatchStanding::Contained,
        Err(error) => PatchStanding::Fails(git::reason(error)),
    }
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
