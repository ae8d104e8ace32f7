//! A pinned commit of a git repository.
//!
//! What was fetched is kept as a stage, a bare repository with just these commits, so that another
//! packing (a new changelog entry changes the time stamps) needs no network. git checks that content
//! belongs to a commit's id; this module checks that the id is the pinned one.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use foundation::digest::Digest;
use foundation::store::{Store, StoreError};
use recipe::cherry_pick::Pick;
use serde::Deserialize;

use super::{Rules, SourceError, SourceOrigin, SourceTree, archive, cherry_pick, directory, pack};
use crate::download::{Downloader, Network, Tried};

/// A commit that a recipe pins, and where to get it.
#[derive(Clone, Debug)]
pub struct GitPin {
    /// The commit: 40 hexadecimal digits.
    pub commit: String,
    /// The tag that names it, for remotes that do not serve a commit by its id.
    pub tag: Option<String>,
    /// The addresses of the repositories, tried in turn.
    pub remotes: Vec<String>,
    /// Later commits of the same repository to apply on it, in order.
    pub cherry_picks: Vec<Pick>,
}

/// The archive that keeps every public commit, by its id; the last resort.
const SOFTWARE_HERITAGE: &str = "https://archive.softwareheritage.org";

/// The source tree of the pin; without network when it is in the store. `say` gets lines about
/// what is tried and what did not work.
///
/// # Errors
/// The commit is not in the store and no repository has it, git fails, a later commit cannot be applied, a bundled file
/// is not the one in `sources.lock`, or the store cannot be written.
pub fn pinned(
    store: &Store,
    pin: &GitPin,
    rules: &Rules<'_>,
    network: Network,
    say: &dyn Fn(&str),
) -> Result<SourceTree, SourceError> {
    let downloader = Downloader::new(network);
    pinned_with(
        store,
        pin,
        rules,
        &downloader,
        &Heritage { url: SOFTWARE_HERITAGE, poll: Duration::from_secs(10) },
        say,
    )
}

fn pinned_with(
    store: &Store,
    pin: &GitPin,
    rules: &Rules<'_>,
    downloader: &Downloader,
    heritage: &Heritage<'_>,
    say: &dyn Fn(&str),
) -> Result<SourceTree, SourceError> {
    let identity = ("git", &pin.commit, &pin.cherry_picks);
    let key = pack::key(&identity, rules);
    let packed = match pack::remembered(store, &key) {
        Some(packed) => packed,
        None => {
            let repository = repository(store, pin, downloader, heritage, say)?;
            let temp = store.temp_dir()?;
            let tree = check_out(&repository, temp.path())?;
            let listing = directory::list(&tree).map_err(|error| match error {
                SourceError::Unsafe { entry, why, .. } => {
                    SourceError::Unsafe { source_name: format!("commit {}", pin.commit), entry, why }
                }
                other => other,
            })?;
            let packed = pack::pack(store, &tree, &listing.entries, rules)?;
            pack::remember(store, &key, &packed)?;
            packed
        }
    };
    packed.strict(&format!("commit {}", pin.commit))?;
    Ok(packed.tree(
        "",
        SourceOrigin::Git {
            commit: pin.commit.clone(),
            tag: pin.tag.clone(),
            remotes: pin.remotes.clone(),
            cherry_picks: pin.cherry_picks.clone(),
        },
    ))
}

const KIND: &str = "git";

/// The bare repository with the pin; its file `tree` has the id of the tree with the picks applied.
fn repository(
    store: &Store,
    pin: &GitPin,
    downloader: &Downloader,
    heritage: &Heritage<'_>,
    say: &dyn Fn(&str),
) -> Result<PathBuf, SourceError> {
    let key = Digest::of_json(&(1, &pin.commit, &pin.cherry_picks));
    if let Some(done) = store.stage(KIND, &key) {
        return Ok(done);
    }
    let mut tried = Vec::new();
    if downloader.network() == Network::Offline {
        return Err(SourceError::Unreachable { commit: pin.commit.clone(), tried });
    }
    let stage = store.begin(KIND, &key)?;
    let git = Git::init(stage.path())?;
    for commit in std::iter::once(&pin.commit).chain(pin.cherry_picks.iter().map(|pick| &pick.commit)) {
        fetch(&git, store, pin, commit, downloader, heritage, &mut tried, say)?;
    }
    let tree = apply(&git, store, pin)?;
    let path = stage.path().join("tree");
    std::fs::write(&path, tree).map_err(StoreError::io("write", path))?;
    Ok(stage.commit()?)
}

#[allow(clippy::too_many_arguments)]
fn fetch(
    git: &Git,
    store: &Store,
    pin: &GitPin,
    commit: &str,
    downloader: &Downloader,
    heritage: &Heritage<'_>,
    tried: &mut Vec<Tried>,
    say: &dyn Fn(&str),
) -> Result<(), SourceError> {
    // A commit that is applied needs its parent: the change is the difference of the two.
    let depth = if commit == pin.commit { 1 } else { 2 };
    for remote in &pin.remotes {
        say(&format!("getting commit {} from {remote}", &commit[..commit.len().min(12)]));
        let why = match git.fetch(remote, commit, depth) {
            Ok(()) => return Ok(()),
            Err(why) => why,
        };
        // Some servers give only what a name points to.
        let tag = pin.tag.as_deref().filter(|_| commit == pin.commit);
        let failed = match tag.map(|tag| (tag, git.fetch_tag(remote, tag))) {
            Some((_, Ok(found))) if found == commit => return Ok(()),
            Some((tag, Ok(found))) => Tried {
                url: remote.clone(),
                why: format!(
                    "its tag {tag} is commit {found}, not the pinned {commit}: the tag was moved, or this is another repository"
                ),
                wrong: true,
            },
            _ => Tried { url: remote.clone(), why, wrong: false },
        };
        say(&failed.to_string());
        tried.push(failed);
    }
    say(&format!("getting commit {} from the Software Heritage archive", &commit[..commit.len().min(12)]));
    match heritage.fetch(git, store, commit, depth, downloader, say)? {
        Ok(()) => Ok(()),
        Err(why) => {
            tried.push(Tried { url: heritage.url.to_owned(), why, wrong: false });
            Err(SourceError::Unreachable { commit: commit.to_owned(), tried: std::mem::take(tried) })
        }
    }
}

/// Applies the picks and returns the id of the resulting tree.
fn apply(git: &Git, store: &Store, pin: &GitPin) -> Result<String, SourceError> {
    if pin.cherry_picks.is_empty() {
        return git.run("read the commit", &["rev-parse", "--verify", &format!("{}^{{tree}}", pin.commit)]);
    }
    let temp = store.temp_dir()?;
    let work = temp.path().join("work");
    std::fs::create_dir(&work).map_err(StoreError::io("make the folder", &work))?;
    let git = git.at_work(&work, &temp.path().join("index"));
    git.run("check out", &["update-ref", "--no-deref", "HEAD", &pin.commit])?;
    git.run("check out", &["reset", "--quiet", "--hard", &pin.commit])?;
    cherry_pick::apply(&git, &pin.cherry_picks, &pin.commit)?;
    git.run("write the tree", &["write-tree"])
}

/// Writes the tree of a fetched pin into a new folder below `temp`.
fn check_out(repository: &Path, temp: &Path) -> Result<PathBuf, SourceError> {
    let note = repository.join("tree");
    let id = std::fs::read_to_string(&note).map_err(|source| SourceError::Read { path: note, source })?;
    let work = temp.join("tree");
    std::fs::create_dir(&work).map_err(StoreError::io("make the folder", &work))?;
    let git = Git::of(repository).at_work(&work, &temp.join("index"));
    git.run("check out", &["read-tree", id.trim()])?;
    git.run("check out", &["checkout-index", "--all", "--force"])?;
    Ok(work)
}

/// The repository that a folder is the work tree of.
pub(super) fn of_folder(folder: &Path) -> Option<Git> {
    let dir = folder.join(".git");
    dir.exists().then(|| Git::of(&dir))
}

/// No conversion of line ends or filters: a user's settings must not change the source.
const ISOLATED: [&str; 14] = [
    "-c",
    "core.autocrlf=false",
    "-c",
    "core.eol=lf",
    "-c",
    "core.attributesFile=/dev/null",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    // What git wants to know for a commit, even for one that is not kept.
    "-c",
    "user.name=-",
    "-c",
    "user.email=-",
];

/// A repository, with a work tree and an index where it has them.
pub(super) struct Git {
    dir: PathBuf,
    work: Option<(PathBuf, PathBuf)>,
}

impl Git {
    pub(super) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), work: None }
    }

    /// A new one without a work tree.
    pub(super) fn init(dir: &Path) -> Result<Self, SourceError> {
        let git = Self::of(dir);
        git.run("init", &["init", "--quiet", "--bare"])?;
        Ok(git)
    }

    /// A new one below `temp`, which reads the objects of another one and has nothing else of it: neither its settings nor
    /// what they would run.
    pub(super) fn borrowing(theirs: &Self, temp: &Path) -> Result<Self, SourceError> {
        let objects = theirs.run("find its objects", &["rev-parse", "--git-path", "objects"])?;
        let git = Self::init(&temp.join("git"))?;
        let write = |name: &str, content: &str| {
            let path = git.dir.join(name);
            let folder = path.parent().expect("below the repository");
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&path, content))
                .map_err(StoreError::io("write", &path))
        };
        write("objects/info/alternates", &format!("{objects}\n"))?;
        // What is in a folder is taken byte for byte, whatever the tree's own .gitattributes say.
        write("info/attributes", "* -text -filter -ident -working-tree-encoding\n")?;
        Ok(git)
    }

    /// The same one with a work tree, and an index that is kept in a file elsewhere.
    pub(super) fn at_work(&self, work: &Path, index: &Path) -> Self {
        Self { dir: self.dir.clone(), work: Some((work.to_owned(), index.to_owned())) }
    }

    /// The same one with another index, empty at first, beside its own.
    pub(super) fn with_index(&self, name: &str) -> Self {
        let work = self.work.as_ref().map(|(work, index)| (work.clone(), index.with_file_name(name)));
        Self { dir: self.dir.clone(), work }
    }

    /// git with the user's own settings, which decide how a server is reached: what it sends is checked by its id.
    fn command(&self) -> Command {
        let mut command = Command::new("git");
        for (variable, _) in std::env::vars_os() {
            let name = variable.to_string_lossy();
            // All others name repositories, or what is in them.
            let reaches = ["GIT_SSL_", "GIT_SSH", "GIT_HTTP_", "GIT_PROXY_", "GIT_TRACE", "GIT_CONFIG_"];
            if name.starts_with("GIT_") && !reaches.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(&variable);
            }
        }
        command
            .env("GIT_DIR", &self.dir)
            .env("LC_ALL", "C")
            // An object is what its id says, whatever refs/replace says.
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            // A question would wait for ever where nobody answers.
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "true")
            .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=15")
            .stdin(Stdio::null());
        if let Some((work, index)) = &self.work {
            command.env("GIT_WORK_TREE", work).env("GIT_INDEX_FILE", index).current_dir(work);
        }
        command
    }

    /// git with no settings but those of the repository itself: its filters, templates and hooks would change what is built.
    fn isolated(&self) -> Command {
        let mut command = self.command();
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_CONFIG")) {
            command.env_remove(variable);
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            // For git before 2.32, which does not know the second one.
            .env("HOME", "/dev/null")
            .env_remove("XDG_CONFIG_HOME")
            .args(ISOLATED);
        command
    }

    /// Runs git; `what` completes "cannot …".
    pub(super) fn run(&self, what: &str, arguments: &[&str]) -> Result<String, SourceError> {
        run(what, self.isolated().args(arguments))
    }

    /// The same with something to read.
    pub(super) fn run_with(
        &self,
        what: &str,
        arguments: &[&str],
        input: impl AsRef<[u8]>,
    ) -> Result<String, SourceError> {
        // A file, not a pipe: git answers while it still reads.
        let file = tempfile::tempfile().and_then(|mut file| {
            file.write_all(input.as_ref())?;
            file.rewind()?;
            Ok(file)
        });
        let failed =
            |error: std::io::Error| SourceError::Git { what: format!("cannot {what}"), why: error.to_string() };
        run(what, self.isolated().args(arguments).stdin(file.map_err(failed)?))
    }

    /// Runs git; returns its output, byte for byte.
    pub(super) fn bytes(&self, what: &str, arguments: &[&str]) -> Result<Vec<u8>, SourceError> {
        output(what, self.isolated().args(arguments))
    }

    /// Gets everything that a repository has.
    pub(super) fn fetch_all(&self, remote: &str) -> Result<(), SourceError> {
        let mut command = self.command();
        command.args(["-c", "gc.auto=0", "-c", "protocol.ext.allow=never", "-c", "core.hooksPath=/dev/null"]);
        command.args(["fetch", "--quiet", "--tags", "--end-of-options", remote, "+refs/heads/*:refs/heads/*"]);
        run(&format!("get {remote}"), &mut command).map(drop)
    }

    /// Takes the tags of another repository, whose objects it reads.
    pub(super) fn copy_refs(&self, theirs: &Self) -> Result<(), SourceError> {
        let list =
            theirs.run("list tags", &["for-each-ref", "--format=create %(refname) %(objectname)", "refs/tags"])?;
        self.run_with("take the tags", &["update-ref", "--stdin"], list + "\n").map(drop)
    }

    fn fetch(&self, remote: &str, commit: &str, depth: u32) -> Result<(), String> {
        self.fetch_ref(remote, &format!("{commit}:refs/pins/{commit}"), depth)
    }

    /// Fetches a tag; returns the commit that it names there.
    fn fetch_tag(&self, remote: &str, tag: &str) -> Result<String, String> {
        self.fetch_ref(remote, &format!("+refs/tags/{tag}:refs/pins/tag"), 1)?;
        self.run("read the tag", &["rev-parse", "--verify", "refs/pins/tag^{commit}"])
            .map_err(|error| error.to_string())
    }

    fn fetch_ref(&self, remote: &str, refspec: &str, depth: u32) -> Result<(), String> {
        let mut command = self.command();
        command
            .args([
                "-c",
                "http.lowSpeedLimit=1000",
                "-c",
                "http.lowSpeedTime=60",
                "-c",
                "gc.auto=0",
                "-c",
                "protocol.ext.allow=never",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args([
                "fetch",
                "--quiet",
                "--no-tags",
                "--depth",
                &depth.to_string(),
                "--end-of-options",
                remote,
                refspec,
            ]);
        run("fetch", &mut command).map(drop).map_err(reason)
    }
}

/// What git said, without who was asked.
pub(super) fn reason(error: SourceError) -> String {
    match error {
        SourceError::Git { why, .. } => why,
        other => other.to_string(),
    }
}

/// Runs git; returns its output, trimmed.
fn run(what: &str, command: &mut Command) -> Result<String, SourceError> {
    output(what, command).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Runs git; returns its output.
fn output(what: &str, command: &mut Command) -> Result<Vec<u8>, SourceError> {
    let failed = |why: String| SourceError::Git { what: format!("cannot {what}"), why };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("hint:")).collect();
    Err(failed(if lines.is_empty() { output.status.to_string() } else { lines.join("; ") }))
}

/// The Software Heritage archive's vault: asked for a commit, it prepares a bare repository.
struct Heritage<'a> {
    url: &'a str,
    poll: Duration,
}

#[derive(Deserialize)]
struct Cooking {
    status: String,
    #[serde(default)]
    progress_message: Option<String>,
    #[serde(default)]
    fetch_url: Option<String>,
}

/// The vault takes minutes for a large repository; more than this is not waited for.
const PATIENCE: u32 = 180;

impl Heritage<'_> {
    /// The outer error is this machine's, the inner one the archive's.
    fn fetch(
        &self,
        git: &Git,
        store: &Store,
        commit: &str,
        depth: u32,
        downloader: &Downloader,
        say: &dyn Fn(&str),
    ) -> Result<Result<(), String>, SourceError> {
        let temp = store.temp_dir()?;
        let packed = match self.download(commit, downloader, say) {
            Ok(packed) => packed,
            Err(why) => return Ok(Err(why)),
        };
        let file = temp.path().join("bare.tar");
        std::fs::write(&file, packed).map_err(StoreError::io("write", &file))?;
        let unpacked = temp.path().join("bare");
        if let Err(error) = archive::unpack(&file, &unpacked) {
            return Ok(Err(error.to_string()));
        }
        let found = walkdir::WalkDir::new(&unpacked).max_depth(2).into_iter().flatten();
        let mut repositories = found.filter(|entry| entry.path().join("objects").is_dir());
        let Some(bare) = repositories.next().map(walkdir::DirEntry::into_path) else {
            return Ok(Err("what it sent is not a git repository".into()));
        };
        // Only its objects are wanted: settings and hooks could make git run something.
        let write = |path: &Path| StoreError::io("write", path.to_owned());
        let _ = std::fs::remove_dir_all(bare.join("hooks"));
        let _ = std::fs::remove_file(bare.join("objects/info/alternates"));
        let config = bare.join("config");
        let settings =
            "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[uploadpack]\n\tallowAnySHA1InWant = true\n";
        std::fs::write(&config, settings).map_err(write(&config))?;
        Ok(git.fetch(&format!("file://{}", bare.display()), commit, depth))
    }

    fn download(&self, commit: &str, downloader: &Downloader, say: &dyn Fn(&str)) -> Result<Vec<u8>, String> {
        let address = format!("{}/api/1/vault/git-bare/swh:1:rev:{commit}/", self.url);
        let parse = |text: &[u8]| {
            serde_json::from_slice::<Cooking>(text).map_err(|error| format!("its answer cannot be read: {error}"))
        };
        let get = |url: &str, limit: u64| {
            downloader.get("the source", &[url.to_owned()], limit, &|_| ()).map(|(content, _)| content).map_err(
                |error| match error {
                    crate::download::DownloadError::Failed { files } => files
                        .into_iter()
                        .flat_map(|file| file.tried)
                        .map(|tried| tried.why)
                        .collect::<Vec<_>>()
                        .join("; "),
                    other => other.to_string(),
                },
            )
        };
        let mut cooking = parse(downloader.post(&address)?.as_bytes())?;
        for _ in 0..PATIENCE {
            match cooking.status.as_str() {
                "done" => {
                    let url = cooking.fetch_url.unwrap_or_else(|| format!("{address}raw/"));
                    return get(&url, 2 << 30);
                }
                "failed" => {
                    return Err(format!(
                        "it could not prepare the commit: {}",
                        cooking.progress_message.unwrap_or_default()
                    ));
                }
                status => say(&format!("the Software Heritage archive is preparing the commit ({status})")),
            }
            std::thread::sleep(self.poll);
            cooking = parse(&get(&address, 1 << 20)?)?;
        }
        Err("it was still preparing the commit after half an hour; try again later".into())
    }
}

#[cfg(test)]
#[path = "git_tests.rs"]
pub(super) mod tests;
