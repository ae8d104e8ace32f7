//! What a repository takes and what it refuses, and what is left when a run is interrupted.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use foundation::digest::Digest;
use sign::sums;
use statements::check::verdict::Verdict;
use tests::dist::{Deb, Dist, EPOCH, TestKey};
use tests::{Ran, judge, run, run_off, tool};
use walkdir::WalkDir;

/// A repository with a key of its own, in a folder with room beside it.
pub(super) struct Room {
    pub key: TestKey,
    pub folder: tempfile::TempDir,
}

impl Room {
    pub fn new() -> Self {
        Self::with(&[])
    }

    pub fn with(more: &[&str]) -> Self {
        let room = Self { key: TestKey::new("Test Release"), folder: tempfile::tempdir().unwrap() };
        let mut arguments = vec!["init", "--codename", "bookworm"];
        arguments.extend(more);
        room.repo(&arguments).success();
        room
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    /// `repo WHAT FOLDER …`, with the key where the command takes one.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tool());
        command.arg("repo").arg(arguments[0]).arg(self.repository()).args(&arguments[1..]);
        command.env("MESOS_PACKAGES_CACHE", self.path("cache"));
        if ["init", "publish", "refresh", "rollback", "remove"].contains(&arguments[0])
            && !arguments.contains(&"--key-file")
        {
            command.arg("--key-file").arg(self.key.secret());
        }
        command
    }

    pub fn repo(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// A folder of packages, signed with the room's key.
    pub fn dist(&self, name: &str, dist: &Dist) -> String {
        dist.write(&self.path(name), &self.key);
        self.path(name).display().to_string()
    }

    /// A folder with `demo` of this version.
    pub fn demo(&self, version: &str) -> String {
        self.dist(&format!("dist-{version}"), &Dist::new(version))
    }

    /// What clients see: every file and link, with its content.
    pub fn served(&self) -> BTreeMap<String, String> {
        served(&self.repository())
    }

    /// Refused, with these words; nothing has changed, and nothing is left.
    #[track_caller]
    pub fn refuses(&self, dist: &str, says: &[&str]) {
        self.refuses_with(dist, &[], says);
    }

    /// The same with further options.
    #[track_caller]
    pub fn refuses_with(&self, dist: &str, more: &[&str], says: &[&str]) {
        let before = everything(&self.repository());
        for what in ["add", "publish"] {
            self.repo(&[&[what, dist], more].concat()).fails(3, says);
            same(&before, &everything(&self.repository()));
        }
    }
}

#[track_caller]
fn same(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    let differ = |name: &&String| before.get(*name) != after.get(*name);
    let names: Vec<&String> = before.keys().chain(after.keys()).filter(differ).collect();
    assert!(names.is_empty(), "{names:?}");
}

fn served(repository: &Path) -> BTreeMap<String, String> {
    let mut found = everything(repository);
    found.retain(|name, _| !name.starts_with(".repository") && !name.starts_with("snapshots"));
    found
}

fn everything(repository: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in WalkDir::new(repository).into_iter().map(Result::unwrap) {
        let name = entry.path().strip_prefix(repository).unwrap().display().to_string();
        if entry.file_type().is_symlink() {
            found.insert(name, fs::read_link(entry.path()).unwrap().display().to_string());
        } else if entry.file_type().is_file() {
            found.insert(name, Digest::of_file(entry.path()).unwrap().to_string());
        }
    }
    found
}

#[test]
fn packages_that_are_good_are_published() {
    let room = Room::new();
    let first = room.demo("1.0-1");
    let ran = room.repo(&["add", &first]).success();
    assert!(ran.stdout.contains("2 new packages for bookworm"), "{}", ran.stdout);
    // In the pool, and not yet in an index.
    let packages = room.repository().join("dists/bookworm/main/binary-amd64/Packages.xz");
    let index = || judge("xz", &["--decompress", "--stdout", &packages.display().to_string()], room.folder.path());
    assert!(!index().contains("Package: demo\n"));
    assert!(room.repo(&["list"]).success().stdout.contains("not published yet: demo-tools 1.0-1 amd64"));
    let ran = room.repo(&["publish"]).success();
    assert!(ran.stdout.contains("bookworm: snapshot 2 (publish) with 3 packages, 2 new, 0 gone"), "{}", ran.stdout);
    assert!(index().contains("Filename: pool/main/d/demo/demo-tools_1.0-1_amd64.deb\n"));
    // The same again is no news, and no refusal.
    let before = room.served();
    let ran = room.repo(&["publish", &first]).success();
    assert!(ran.stdout.contains("nothing to publish, snapshot 2"), "{}", ran.stdout);
    same(&before, &room.served());
    // Warned tests are good enough, debug symbols have a component of their own, and older versions stay.
    let mut second = Dist::new("1:1.1-1");
    second.tests = Some(Verdict::Flaky);
    second.debs.push(Deb { section: "debug", ..Deb::new("demo-tools-dbgsym") });
    let second = room.dist("second", &second);
    room.repo(&["publish", &second]).success();
    assert!(room.repository().join("pool/debug/d/demo/demo-tools-dbgsym_1.1-1_all.deb").is_file());
    let versions = index().lines().filter(|line| line.starts_with("Version:")).count();
    assert_eq!(versions, 5, "{}", index());
    let ran = room.repo(&["verify", "--keyring", &room.key.ring().display().to_string()]).success();
    assert!(ran.stdout.contains("3 snapshots") && ran.stdout.contains("6 files"), "{}", ran.stdout);
    // Rolled back, and forward again.
    let ran = room.repo(&["rollback", "2"]).success();
    assert!(ran.stdout.contains("snapshot 4 (rollback 2) with 3 packages, 0 new, 3 gone"), "{}", ran.stdout);
    room.repo(&["rollback", "9"]).fails(1, &["bookworm has no snapshot 9, only 1, 2, 3, 4"]);
    room.repo(&["rollback", "3"]).success();
    room.repo(&["refresh"]).success();
    // States: empty, one version, two; the newest of each stays.
    let ran = room.repo(&["prune", "--keep", "1"]).success();
    assert!(ran.stdout.contains("removed 3 snapshots and 0 files"), "{}", ran.stdout);
    let ran = run_off("+15d", &room.command(&["prune", "--keep", "1"])).success();
    assert!(ran.stdout.contains("removed 2 snapshots and"), "{}", ran.stdout);
    room.repo(&["verify"]).success();
    assert_eq!(index().lines().filter(|line| line.starts_with("Version:")).count(), 5);
}

#[test]
fn refused_changed_after_signing() {
    let room = Room::new();
    let dist = room.demo("1.0-1");
    let deb = Path::new(&dist).join("demo_1.0-1_all.deb");
    let mut bytes = fs::read(&deb).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&deb, bytes).unwrap();
    room.refuses(&dist, &["demo_1.0-1_all.deb", "expected sha256"]);
}

#[test]
fn refused_another_signature() {
    let room = Room::new();
    let other = TestKey::new("Somebody Else");
    Dist::new("1.0-1").write(&room.path("other"), &other);
    let dist = room.path("other").display().to_string();
    room.refuses(&dist, &["SHA256SUMS", "signed by another key", "keys.gpg"]);
    // Unless that builder is trusted.
    room.repo(&["publish", &dist, "--keyring", &other.ring().display().to_string()]).success();
}

#[test]
fn refused_a_development_key_a_local_build_and_no_tests() {
    let room = Room::new();
    let development = TestKey::new("UNTRUSTED DEVELOPMENT KEY of a test");
    let ring = development.ring().display().to_string();
    let mut dist = Dist::new("1.0-1+local");
    dist.tests = None;
    dist.write(&room.path("dist"), &development);
    let folder = room.path("dist").display().to_string();
    let before = everything(&room.repository());
    room.repo(&["publish", &folder, "--keyring", &ring])
        .fails(3, &["_1.0-1+local_", "local build", "--allow-development"]);
    let mut of_source = Dist::new("1.0-1");
    of_source.tests = None;
    of_source.write(&room.path("source"), &development);
    let source = room.path("source").display().to_string();
    let says = ["signed with the development key", &development.fingerprint, "--allow-development"];
    room.repo(&["publish", &source, "--keyring", &ring]).fails(3, &says);
    let untested = room.dist("untested", &of_source);
    room.refuses(&untested, &["nothing says that these packages passed", "cargo xtask check"]);
    same(&before, &everything(&room.repository()));
    // Nor does a key that nobody trusts sign a repository.
    let secret = development.secret().display().to_string();
    room.repo(&["refresh", "--key-file", &secret]).fails(1, &["is a development key, which nobody can trust"]);

    // A repository that says what it is takes all of that, and says what it overlooks.
    let trials = Room { key: development, folder: tempfile::tempdir().unwrap() };
    trials.repo(&["init", "--codename", "bookworm", "--allow-development"]).success();
    let ran = trials.repo(&["publish", &folder]).success();
    for overlooked in ["local build", "development key", "nothing says"] {
        assert!(ran.stderr.contains(overlooked), "{}", ran.stderr);
    }
    let release = fs::read_to_string(trials.repository().join("dists/bookworm/InRelease")).unwrap();
    assert!(release.contains("\nLabel: Mesos packages (UNTRUSTED DEVELOPMENT)\n"), "{release}");
    assert!(release.contains("\nDescription: UNTRUSTED DEVELOPMENT repository"), "{release}");
    trials.repo(&["verify"]).success();
    // But not what failed.
    let mut failed = Dist::new("1.1-1");
    failed.tests = Some(Verdict::Failed);
    let failed = trials.dist("failed", &failed);
    trials.refuses(&failed, &["1 of upstream's tests failed on these packages"]);
}

#[test]
fn refused_failed_tests() {
    let room = Room::new();
    let mut dist = Dist::new("1.0-1");
    dist.tests = Some(Verdict::TimedOut);
    let dist = room.dist("dist", &dist);
    room.refuses(&dist, &["upstream's tests failed", "check/summary.txt"]);
}

#[test]
fn refused_a_version_with_other_bytes() {
    let room = Room::new();
    let first = room.demo("1.0-1");
    room.repo(&["publish", &first]).success();
    let mut other = Dist::new("1.0-1");
    other.debs[0].files[0].1 = "changed\n".into();
    let other = room.dist("other", &other);
    let says = ["demo_1.0-1_all.deb: this version is already published with other bytes", "new version"];
    room.refuses(&other, &says);
    // Nor when it is gone: somebody may have it.
    room.repo(&["rollback", "1"]).success();
    run_off("+15d", &room.command(&["prune", "--keep", "1"])).success();
    assert!(!room.repository().join("pool/main/d/demo").exists());
    room.refuses(&other, &says);
    room.repo(&["publish", &first]).success();
    // Of two folders at once neither is taken.
    let (a, mut b) = (room.demo("2.0-1"), Dist::new("2.0-1"));
    b.debs[0].files[0].1 = "changed\n".into();
    let b = room.dist("b", &b);
    let before = everything(&room.repository());
    room.repo(&["add", &a, &b]).fails(3, &["demo_2.0-1_all.deb"]);
    same(&before, &everything(&room.repository()));
}

#[test]
fn refused_what_changes_and_buildinfo_do_not_say() {
    let room = Room::new();
    let folder = room.path("dist");
    let write = |change: &dyn Fn(String) -> String| {
        let _ = fs::remove_dir_all(&folder);
        Dist::new("1.0-1").write_signed(&folder, &room.key.gpg, change);
        folder.display().to_string()
    };
    let without =
        |text: String| text.lines().filter(|line| !line.contains("demo_1")).map(|l| format!("{l}\n")).collect();
    room.refuses(&write(&without), &["demo_1.0-1_all.deb: expected no such package as in", "demo_1.0-1_amd64.changes"]);
    let digit = |text: String| {
        let at = text.find("demo_1.0-1_all").unwrap();
        let line = text[..at].rfind('\n').unwrap() + 2;
        let other = if text[line..].starts_with('0') { "1" } else { "0" };
        format!("{}{other}{}", &text[..line], &text[line + 1..])
    };
    room.refuses(&write(&digit), &["demo_1.0-1_all.deb: expected sha256", "demo_1.0-1_amd64.changes"]);
    let more = |text: String| format!("{} {} 7 more_1.0-1_all.deb\n", text, Digest::of("more"));
    room.refuses(&write(&more), &["demo_1.0-1_amd64.changes: expected more_1.0-1_all.deb"]);
    room.refuses(&write(&|text| text.replace("Source: demo", "Source: other")), &["built from demo", "is of other"]);
    let resign = |folder: &Path, remove: &str| {
        for name in ["SHA256SUMS", "SHA256SUMS.asc", remove] {
            fs::remove_file(folder.join(name)).unwrap();
        }
        let all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into()).collect();
        sums::write(folder, &all, &room.key.gpg, EPOCH).unwrap();
        folder.display().to_string()
    };
    write(&|text| text);
    room.refuses(&resign(&folder, "demo_1.0-1_amd64.changes"), &["expected one .changes that is signed"]);
    write(&|text| text);
    room.refuses(&resign(&folder, "demo_1.0-1_amd64.buildinfo"), &["expected one .buildinfo that is signed"]);
}

#[test]
fn refused_packages_that_deceive() {
    let room = Room::new();
    let with = |change: &dyn Fn(&mut Dist)| {
        let _ = fs::remove_dir_all(room.path("dist"));
        let mut dist = Dist::new("1.0-1");
        change(&mut dist);
        room.dist("dist", &dist)
    };
    let fields = |text: &'static str| move |dist: &mut Dist| dist.debs[0].fields = text.into();
    room.refuses(&with(&fields("Filename: ../../../../etc/passwd\n")), &["demo_1.0-1_all.deb", "the field Filename"]);
    room.refuses(&with(&fields("SHA256: 00\n")), &["the field SHA256"]);
    room.refuses(&with(&|dist| dist.debs[0].architecture = "i386"), &["its architecture is i386", "for amd64"]);
}

#[test]
fn wrong_use_is_explained() {
    let room = Room::new();
    let dist = room.demo("1.0-1");
    let elsewhere = room.path("elsewhere").display().to_string();
    let tool = |arguments: &[&str]| run(Command::new(tool()).args(arguments));
    tool(&["repo", "list", &elsewhere]).fails(1, &["is no repository", "cargo xtask repo init"]);
    tool(&["repo", "init", &elsewhere, "--codename", "bookworm"]).fails(2, &["a repository needs a key"]);
    let secret = room.key.secret().display().to_string();
    let init = |more: &[&str]| tool(&[&["repo", "init", &elsewhere, "--key-file", &secret], more].concat());
    init(&["--codename", "Book/worm"]).fails(1, &["codename: 'Book/worm' is not a name"]);
    init(&["--codename", "bookworm", "--uri", "packages"])
        .fails(1, &["uri: 'packages' is not where apt can fetch from"]);
    assert!(!room.path("elsewhere").exists());
    room.repo(&["init", "--codename", "bookworm"]).fails(1, &["is there already and not empty"]);
    room.repo(&["publish", &dist, "--codename", "trixie"]).fails(1, &["no codename 'trixie', only bookworm"]);
    room.repo(&["publish", &dist, "--component", "contrib"]).fails(1, &["'contrib' is no component", "main, debug"]);
    let mut other = Dist::new("1.0-1");
    other.distribution = "UNRELEASED".into();
    let other = room.dist("unreleased", &other);
    room.repo(&["publish", &other]).fails(1, &["Distribution: 'UNRELEASED'", "--codename"]);
    room.repo(&["publish", &other, "--codename", "bookworm"]).success();
    let stranger = TestKey::new("Somebody Else");
    let secret = stranger.secret().display().to_string();
    let says = ["this repository is signed with", &room.key.fingerprint, &stranger.fingerprint];
    room.repo(&["refresh", "--key-file", &secret]).fails(1, &says);
    // A setting that is misspelt.
    let settings = room.repository().join(".repository/settings.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("valid-days", "valid-weeks")).unwrap();
    room.repo(&["refresh"]).fails(1, &["settings.toml", "valid-weeks", "valid-days"]);
}

/// `verify` finds everything that somebody could change, in what is served and in what the tool keeps.
#[test]
fn verify_finds_every_change() {
    let room = Room::new();
    let dist = room.demo("1.0-1");
    room.repo(&["publish", &dist]).success();
    room.repo(&["refresh"]).success();
    room.repo(&["verify"]).success();
    let repository = room.repository();
    let kept = room.path("kept");
    judge("cp", &["--archive", &repository.display().to_string(), &kept.display().to_string()], room.folder.path());
    let changed = |what: &dyn Fn(&Path), says: &str| {
        what(&repository);
        let ran = room.repo(&["verify"]);
        assert!(ran.code == Some(3) || ran.code == Some(1), "{says}: {}", ran.stdout);
        assert!(ran.stderr.contains(says), "'{says}' is not in:\n{}", ran.stderr);
        fs::remove_dir_all(&repository).unwrap();
        judge("cp", &["--archive", &kept.display().to_string(), &repository.display().to_string()], room.folder.path());
    };
    let flip = |name: &'static str| {
        move |top: &Path| {
            let mut bytes = fs::read(top.join(name)).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            fs::write(top.join(name), bytes).unwrap();
        }
    };
    changed(&flip("pool/main/d/demo/demo_1.0-1_all.deb"), "pool/main/d/demo/demo_1.0-1_all.deb: expected sha256");
    changed(&flip("snapshots/bookworm/1/suite/Release"), "snapshots/bookworm/1: ");
    changed(&flip("snapshots/bookworm/3/suite/InRelease"), "snapshots/bookworm/3: ");
    changed(&flip("snapshots/bookworm/2/suite/Release.gpg"), "snapshots/bookworm/2: ");
    changed(&flip("mesos-archive-keyring.gpg"), "mesos-archive-keyring.gpg: is not as");
    changed(&|top| fs::write(top.join("pool/evil.deb"), "x").unwrap(), "pool/evil.deb: is in no snapshot");
    changed(&|top| fs::write(top.join("indices/SHA256/x"), "x").unwrap(), "indices/SHA256/x: is in no snapshot");
    changed(&|top| fs::write(top.join("snapshots/bookworm/2/suite/x"), "x").unwrap(), "suite/x is not of this");
    changed(&|top| fs::remove_file(top.join("pool/main/d/demo/demo_1.0-1_all.deb")).unwrap(), "is missing");
    let index = |top: &Path| {
        let index = fs::canonicalize(top.join("dists/bookworm/main/binary-amd64/Packages.xz")).unwrap();
        fs::write(index, "x").unwrap();
    };
    changed(&index, "expected");
    let live = |target: &'static str| {
        move |top: &Path| {
            fs::remove_file(top.join("dists/bookworm")).unwrap();
            symlink(target, top.join("dists/bookworm")).unwrap();
        }
    };
    changed(&live("../snapshots/bookworm/2/suite"), "dists/bookworm: does not lead to the newest");
    changed(&live("/etc"), "dists/bookworm");
    let link = |top: &Path| {
        let link = top.join("snapshots/bookworm/3/suite/main/binary-amd64/Packages.xz");
        fs::remove_file(&link).unwrap();
        symlink("/etc/passwd", link).unwrap();
    };
    changed(&link, "Packages.xz is not of this snapshot");
    // A description that the tool kept, and would have believed at the next publication.
    let description = |top: &Path| {
        for entry in WalkDir::new(top.join(".repository/packages")).into_iter().map(Result::unwrap) {
            if entry.file_type().is_file() {
                let text = fs::read_to_string(entry.path()).unwrap();
                fs::write(entry.path(), text.replace("Depends: demo", "Depends: evil")).unwrap();
            }
        }
        room.repo(&["refresh"]).success();
    };
    changed(&description, "main/binary-amd64/Packages is not what its packages lead to");
}
