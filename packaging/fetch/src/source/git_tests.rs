use std::fs;
use std::sync::Mutex;

use foundation::failure::{Failure as _, Kind};
use recipe::sources_lock::{Bundled, SourcesLock};

use super::super::tests::{NONE, Place, listing, plain};
use super::*;
use crate::download::test_server::{Manner, Server};
use crate::download::tests::quick;

/// An upstream with a tagged release and three later commits: a fix, a fix elsewhere, a conflict.
pub(in crate::source) struct Upstream {
    pub(in crate::source) place: Place,
    pub(in crate::source) path: PathBuf,
    pub(in crate::source) release: String,
    pub(in crate::source) fix: String,
    pub(in crate::source) fix2: String,
    pub(in crate::source) conflict: String,
}

pub(in crate::source) fn picks(commits: &[&String]) -> Vec<Pick> {
    commits.iter().map(|commit| Pick { commit: (*commit).clone(), without: vec![] }).collect()
}

pub(in crate::source) fn git(path: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(path)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=master"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Upstream {
    pub(in crate::source) fn new() -> Self {
        let place = Place::new();
        let path = place.path("upstream");
        fs::create_dir(&path).unwrap();
        git(&path, &["init", "--quiet"]);
        let commit = |file: &str, content: &str| {
            fs::write(path.join(file), content).unwrap();
            git(&path, &["add", "."]);
            git(&path, &["commit", "--quiet", "-m", file]);
            git(&path, &["rev-parse", "HEAD"])
        };
        // Attributes that would change or drop files in `git archive` or a check-out.
        commit(".gitattributes", "dropped export-ignore\n*.txt text eol=crlf\nsubst export-subst\n");
        commit("dropped", "kept\n");
        commit("subst", "$Format:%H$\n");
        let lines = (1..20).map(|i| format!("line {i}\n")).collect::<String>();
        let release = commit("code", &lines);
        git(&path, &["tag", "1.0"]);
        commit("between", "not wanted\n");
        let fix = commit("code", &lines.replace("line 3\n", "line three\n"));
        let fix2 = commit("new", "new\n");
        commit("code", &lines.replace("line 15\n", "line fifteen\n"));
        let conflict = commit("code", &lines.replace("line 15\n", "line XV\n"));
        Self { place, path, release, fix, fix2, conflict }
    }

    fn url(&self) -> String {
        // Through upload-pack, as from a server; a plain path would ignore the depth.
        format!("file://{}", self.path.display())
    }

    fn pin(&self) -> GitPin {
        GitPin {
            commit: self.release.clone(),
            tag: Some("1.0".into()),
            remotes: vec![self.url()],
            cherry_picks: vec![],
        }
    }

    fn get(&self, pin: &GitPin, network: Network) -> Result<SourceTree, SourceError> {
        self.get_with(pin, network, "http://127.0.0.1:1").0
    }

    fn get_with(
        &self,
        pin: &GitPin,
        network: Network,
        heritage: &str,
    ) -> (Result<SourceTree, SourceError>, Vec<String>) {
        let said = Mutex::new(Vec::new());
        let heritage = Heritage { url: heritage, poll: Duration::from_millis(10) };
        let result = pinned_with(&self.place.store, pin, &plain(&NONE), &quick(network, &[]), &heritage, &|line| {
            said.lock().unwrap().push(line.to_owned());
        });
        (result, said.into_inner().unwrap())
    }
}

const RELEASE: [&str; 3] = [
    "644 .gitattributes \"dropped export-ignore\\n*.txt text eol=crlf\\nsubst export-subst\\n\"",
    "644 dropped \"kept\\n\"",
    "644 subst \"$Format:%H$\\n\"",
];

#[test]
fn the_pinned_commit_is_fetched_once() {
    let upstream = Upstream::new();
    let tree = upstream.get(&upstream.pin(), Network::Online).unwrap();
    let lines = listing(&tree.tar);
    assert_eq!([&lines[0], &lines[2], &lines[3]], RELEASE);
    assert_eq!((lines.len(), tree.version_suffix.as_str()), (4, ""));
    assert!(matches!(&tree.origin, SourceOrigin::Git { commit, .. } if *commit == upstream.release));

    fs::remove_dir_all(&upstream.path).unwrap();
    assert_eq!(upstream.get(&upstream.pin(), Network::Offline).unwrap(), tree);
    // Other time stamps are another tar, made without the network.
    let rules = Rules { epoch: 5, ..plain(&NONE) };
    let other = pinned(&upstream.place.store, &upstream.pin(), &rules, Network::Offline, &|_| ()).unwrap();
    assert_ne!(other.digest, tree.digest);
}

#[test]
fn later_commits_are_applied_in_order_without_what_lies_between() {
    let upstream = Upstream::new();
    let mut pin = upstream.pin();
    pin.cherry_picks = picks(&[&upstream.fix2, &upstream.fix]);
    let tree = upstream.get(&pin, Network::Online).unwrap();
    let lines = listing(&tree.tar).join("\n");
    assert!(lines.contains("line three") && lines.contains("644 new") && !lines.contains("between"), "{lines}");
    assert_ne!(tree.digest, upstream.get(&upstream.pin(), Network::Online).unwrap().digest);

    pin.cherry_picks = picks(&[&upstream.conflict]);
    let error = upstream.get(&pin, Network::Online).unwrap_err().message();
    for part in [upstream.conflict.as_str(), "cannot be applied", "conflicts in code", "disabled ="] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
}

#[test]
fn a_server_that_gives_only_names_is_asked_for_the_tag_and_a_moved_tag_is_noticed() {
    let upstream = Upstream::new();
    // Protocol 2 gives every commit; the one before it only what names point to, and an annotated tag
    // points to itself.
    git(&upstream.path, &["tag", "--force", "--annotate", "-m", "1.0", "1.0", &upstream.release]);
    let old = |name: &str| {
        let git = Git::init(&upstream.place.path(name)).unwrap();
        git.run("set", &["config", "protocol.version", "0"]).unwrap();
        git
    };
    let try_fetch = |git: &Git| {
        let (pin, mut tried) = (upstream.pin(), Vec::new());
        let heritage = Heritage { url: "http://127.0.0.1:1", poll: Duration::from_millis(10) };
        let downloader = quick(Network::Online, &[]);
        fetch(git, &upstream.place.store, &pin, &pin.commit, &downloader, &heritage, &mut tried, &|_| ())
    };
    let first = old("first");
    let refused = first.fetch(&upstream.url(), &upstream.release, 1).unwrap_err();
    assert!(refused.contains("unadvertised"), "{refused}");
    try_fetch(&first).unwrap();
    git(&upstream.path, &["tag", "--force", "1.0", &upstream.fix]);
    let error = try_fetch(&old("second")).unwrap_err();
    assert!(error.kind() == Kind::Verification && error.to_string().contains("the tag was moved"), "{error}");

    // The pinned commit is gone from the server, and its tag names another one.
    let mut pin = upstream.pin();
    pin.commit = "0123456789012345678901234567890123456789".into();
    pin.remotes.insert(0, "file:///nonexistent/upstream.git".into());
    let (result, said) = upstream.get_with(&pin, Network::Online, "http://127.0.0.1:1");
    let error = result.unwrap_err();
    let text = error.message();
    assert_eq!(error.kind(), Kind::Verification, "{text}");
    for part in [pin.remotes[0].as_str(), pin.remotes[1].as_str(), upstream.fix.as_str(), "the tag was moved"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert!(said.iter().any(|line| line.contains("/nonexistent")), "{said:?}");
}

#[test]
fn an_unreachable_upstream_names_every_remote_and_the_ways_on() {
    let upstream = Upstream::new();
    let mut pin = upstream.pin();
    pin.remotes = vec!["file:///nonexistent/a.git".into(), "http://127.0.0.1:1/b.git".into()];
    let error = upstream.get(&pin, Network::Online).unwrap_err();
    let text = error.message();
    for part in
        ["a.git", "b.git", "127.0.0.1:1: ", "cargo xtask fetch", "--source PATH", "--recipe sample", &pin.commit]
    {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert_ne!(error.kind(), Kind::Verification);
    // Nothing half-done is left, and offline says so without trying.
    assert_eq!(fs::read_dir(upstream.place.store.root().join("tmp")).unwrap().count(), 0);
    let text = upstream.get(&pin, Network::Offline).unwrap_err().message();
    assert!(text.contains("--offline") && text.contains("--source PATH"), "{text}");
    // A later remote that works is enough.
    pin.remotes.push(upstream.url());
    upstream.get(&pin, Network::Online).unwrap();
}

#[test]
fn the_software_heritage_archive_is_the_last_resort() {
    let upstream = Upstream::new();
    let bare = upstream.place.path("bare");
    git(&upstream.path, &["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    // Settings that would run something must not be used.
    let trap = upstream.place.path("trap");
    fs::write(
        bare.join("config"),
        format!(
            "[core]\nbare = true\nrepositoryformatversion = 0\nfsmonitor = touch {0}\nsshCommand = touch {0}\n",
            trap.display()
        ),
    )
    .unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(format!("swh:1:rev:{}.git", upstream.release), &bare).unwrap();
    let tar = builder.into_inner().unwrap();

    let server = Server::start();
    let path = format!("/api/1/vault/git-bare/swh:1:rev:{}/", upstream.release);
    let raw = server.on(&format!("{path}raw/"), Manner::Good(tar));
    let done = format!("{{\"status\":\"done\",\"fetch_url\":\"{raw}\",\"id\":1,\"progress_message\":null}}");
    server.on(&path, Manner::Good(done.into_bytes()));
    let mut pin = upstream.pin();
    pin.remotes = vec!["file:///nonexistent/a.git".into()];
    let (result, _) = upstream.get_with(&pin, Network::Online, &server.url(""));
    assert_eq!(listing(&result.unwrap().tar).len(), 4);
    assert!(!trap.exists());
    assert_eq!(server.requests(), [format!("POST {path}"), format!("GET {path}raw/")]);

    pin.commit = upstream.fix.clone();
    let path = format!("/api/1/vault/git-bare/swh:1:rev:{}/", upstream.fix);
    server.on(&path, Manner::Good(b"{\"status\":\"failed\",\"progress_message\":\"no such object\"}".to_vec()));
    let error = upstream.get_with(&pin, Network::Online, &server.url("")).0.unwrap_err().message();
    assert!(error.contains("no such object"), "{error}");
}

#[test]
fn bundled_files_of_the_pinned_commit_are_verified() {
    let upstream = Upstream::new();
    let lock = SourcesLock { bundled: vec![Bundled { path: "code".into(), sha256: Digest::of("other") }] };
    let rules = Rules { lock: &lock, ..plain(&NONE) };
    for _ in 0..2 {
        let error = pinned(&upstream.place.store, &upstream.pin(), &rules, Network::Online, &|_| ()).unwrap_err();
        assert!(error.kind() == Kind::Verification && error.to_string().contains("code has sha256"), "{error}");
    }
}

#[test]
fn a_local_work_tree_tells_its_commit() {
    let upstream = Upstream::new();
    let tree = crate::source::local(&upstream.place.store, &upstream.path, &[], &plain(&NONE)).unwrap();
    let head = git(&upstream.path, &["rev-parse", "HEAD"]);
    assert_eq!(
        tree.origin,
        SourceOrigin::LocalDirectory {
            name: "upstream".into(),
            commit: Some(head),
            modified: false,
            cherry_picks: vec![]
        }
    );
    assert_eq!(tree.deviations, []);
}

#[test]
fn a_work_tree_that_is_not_its_commit_says_so() {
    let upstream = Upstream::new();
    let head = git(&upstream.path, &["rev-parse", "HEAD"]);
    let path = |name: &str| upstream.path.join(name);
    let says = |differs: &[&str]| {
        let tree = crate::source::local(&upstream.place.store, &upstream.path, &[], &plain(&NONE)).unwrap();
        let SourceOrigin::LocalDirectory { commit, modified, .. } = &tree.origin else { panic!("{:?}", tree.origin) };
        assert_eq!((commit.as_deref(), *modified), (Some(head.as_str()), !differs.is_empty()), "{:?}", tree.deviations);
        let said = tree.deviations.iter().map(ToString::to_string).collect::<String>();
        for part in differs {
            assert!(said.contains(part), "{part} is missing in: {said}");
        }
    };
    says(&[]);
    let code = std::fs::read(path("code")).unwrap();
    std::fs::write(path("code"), "mine\n").unwrap();
    says(&["the folder is not the commit", &head, "one file was changed, added or missing (code)"]);
    // Whatever the index is told of it, and whatever the work tree ignores.
    git(&upstream.path, &["update-index", "--assume-unchanged", "code"]);
    says(&["(code)"]);
    std::fs::write(path("code"), code).unwrap();
    says(&[]);
    std::fs::write(path(".git/info/exclude"), "*.o\n").unwrap();
    std::fs::write(path("left.o"), "object").unwrap();
    says(&["(left.o)"]);
    std::fs::remove_file(path("left.o")).unwrap();
    // A filter of the user's settings or the repository's own neither runs nor hides anything.
    git(&upstream.path, &["config", "filter.trap.clean", "touch trapped; cat"]);
    std::fs::write(path(".git/info/attributes"), "code filter=trap\n").unwrap();
    says(&[]);
    assert!(!path("trapped").exists());
    git(&upstream.path, &["config", "--unset", "filter.trap.clean"]);
    // A submodule that nobody has fetched.
    git(&upstream.path, &["update-index", "--add", "--cacheinfo", &format!("160000,{head},part")]);
    git(&upstream.path, &["commit", "--quiet", "-m", "with a submodule"]);
    std::fs::create_dir(path("part")).unwrap();
    let head = git(&upstream.path, &["rev-parse", "HEAD"]);
    let tree = crate::source::local(&upstream.place.store, &upstream.path, &[], &plain(&NONE)).unwrap();
    let said = tree.deviations.iter().map(ToString::to_string).collect::<String>();
    assert!(said.contains(&format!("not the commit {head}: the submodule part is empty")), "{said}");
    // The repository itself, without a work tree.
    let error = crate::source::local(&upstream.place.store, &path(".git"), &[], &plain(&NONE)).unwrap_err();
    assert!(error.to_string().contains("a git repository without a work tree"), "{error}");
    std::fs::write(path(".git/HEAD"), "ref: refs/heads/gone\n").unwrap();
    let tree = crate::source::local(&upstream.place.store, &upstream.path, &[], &plain(&NONE)).unwrap();
    assert!(tree.deviations[0].to_string().contains("which commit it is cannot be read"), "{:?}", tree.deviations);
}
