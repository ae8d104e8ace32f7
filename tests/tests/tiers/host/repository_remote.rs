//! Copying a repository to where clients fetch from, to real servers of each kind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tests::apt::{Client, Rsyncd, Server};
use tests::dist::{Dist, TestKey};
use tests::{Ran, judge, run, run_off, tool};

struct Room {
    key: TestKey,
    folder: tempfile::TempDir,
}

impl Room {
    fn new(uri: &str) -> Self {
        let room = Self { key: TestKey::new("Test Release"), folder: tempfile::tempdir().unwrap() };
        room.repo(&["init", "--codename", "bookworm", "--uri", uri]).success();
        room
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn repo(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(tool());
        command.arg("repo").arg(arguments[0]).arg(self.repository()).args(&arguments[1..]);
        command.env("MESOS_PACKAGES_CACHE", self.folder.path().join("cache"));
        if !["push", "prune"].contains(&arguments[0]) {
            command.arg("--key-file").arg(self.key.secret());
        }
        if arguments[0] == "prune" {
            // When nobody may ask any more for what old snapshots name.
            return run_off("+15d", &command);
        }
        run(&mut command)
    }

    fn publish(&self, version: &str, to: &str) -> Ran {
        let dist = self.folder.path().join(format!("dist-{version}"));
        Dist::new(version).write(&dist, &self.key);
        self.repo(&["publish", &dist.display().to_string(), "--to", to])
    }
}

#[test]
fn rsync_gets_everything_in_the_order_that_clients_need() {
    let www = tempfile::tempdir().unwrap();
    let (web, rsync) = (Server::new(&www.path().join("mesos")), Rsyncd::new(www.path()));
    let room = Room::new(&web.uri());
    fs::create_dir(www.path().join("mesos")).unwrap();
    fs::write(www.path().join("mesos/index.html"), "hello").unwrap();
    let ran = room.publish("1.0-1", &rsync.uri("mesos")).success();
    assert!(ran.stdout.contains(&format!("copied to {}", rsync.uri("mesos"))), "{}", ran.stdout);
    // Somebody else's file beside it stays, also one with the name of the page that was there before.
    assert!(ran.stderr.contains("index.html of somebody else's"), "{}", ran.stderr);
    fs::write(www.path().join("mesos/notes.html"), "hello").unwrap();
    let client = Client::new(&www.path().join("mesos"));
    client.update().success();
    client.apt(&["install", "demo-tools"]).success();
    let old = fs::read(room.repository().join("dists/bookworm/main/binary-amd64/Packages.xz")).unwrap();
    let old = format!("by-hash/SHA256/{}", foundation::digest::Digest::of(old));

    let log = || {
        let mut log = rsync.log();
        // Who is at it, and what there is going to be, frames the rest.
        log.retain(|line| !line.contains("/locks/") && !line.ends_with("/pushed.json"));
        log
    };
    assert_eq!(fs::read_to_string(www.path().join("mesos/index.html")).unwrap(), "hello");
    fs::remove_file(www.path().join("mesos/index.html")).unwrap();
    let before = log().len();
    room.publish("1.1-1", &rsync.uri("mesos")).success();
    client.update().success();
    client.apt(&["dist-upgrade"]).success();
    assert_eq!(client.installed("demo").as_deref(), Some("1.1-1"));
    let rank = |line: &str| match line {
        line if line.starts_with("del.") => 7,
        line if line.ends_with("/index.html") => 6,
        line if ["/pool/", "/evidence/"].iter().any(|part| line.contains(part)) => 0,
        line if ["/by-hash/", "/snapshots/", "/changelogs/", "/repository/state/"]
            .iter()
            .any(|part| line.contains(part)) =>
        {
            1
        }
        line if line.ends_with("/repository/generation.asc") => 2,
        line if line.ends_with("/InRelease") => 5,
        line if line.contains("/Release") || !line.contains("/dists/") => 4,
        _ => 3,
    };
    let log = log();
    let ranks: Vec<i32> = log[before..].iter().map(|line| rank(line)).collect();
    assert!(ranks.is_sorted(), "{:?}", &log[before..]);
    for kind in [0, 1, 2, 3, 4, 5, 6] {
        assert!(ranks.contains(&kind), "{:?}", &log[before..]);
    }
    // What was fetched already is not fetched again.
    assert!(!log[before..].iter().any(|line| line.contains("demo_1.0-1")), "{:?}", &log[before..]);
    // Whoever reads the earlier Release finds its indices, until that snapshot goes.
    let index = www.path().join("mesos/dists/bookworm/main/binary-amd64").join(old);
    assert!(index.is_file());
    assert!(fs::symlink_metadata(www.path().join("mesos/dists/bookworm")).unwrap().is_dir(), "no links");
    room.repo(&["prune", "--keep", "1", "--to", &rsync.uri("mesos")]).success();
    assert!(!index.exists());
    assert!(www.path().join("mesos/notes.html").exists());
    client.update().success();
    // A server that is away: what others have published there cannot be known, so nothing is; without it, it can be.
    let uri = rsync.uri("mesos");
    drop(rsync);
    room.publish("1.2-1", &uri).fails(1, &["reading what is there", "rsync says", "cargo xtask repo push"]);
    let dist = room.folder.path().join("dist-1.2-1").display().to_string();
    room.repo(&["publish", &dist]).success();
    let there = www.path().join("mesos").display().to_string();
    room.repo(&["push", "--to", &there]).success();
    client.update().success();
    assert_eq!(client.candidate("demo").as_deref(), Some("1.2-1"));
}

/// Whatever the umask of who publishes: web servers run as somebody else. What was there already keeps its permissions.
#[test]
fn everybody_can_read_what_clients_fetch() {
    let room = Room { key: TestKey::new("Test Release"), folder: tempfile::tempdir().unwrap() };
    let path = |name: &str| room.folder.path().join(name);
    let name = |name: &str| path(name).display().to_string();
    let rsync = Rsyncd::new(room.folder.path());
    let repo = |arguments: &[&str], signs: bool| {
        let mut command = Command::new("sh");
        command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(tool()).arg("repo").args(arguments);
        if signs {
            command.arg("--key-file").arg(room.key.secret());
        }
        run(command.env("MESOS_PACKAGES_CACHE", path("cache"))).success()
    };
    let dist = path("dist");
    Dist::new("1.0-1").write(&dist, &room.key);
    let (repository, dist, place) = (name("above/repository"), dist.display().to_string(), name("above/place"));
    repo(&["init", &repository, "--codename", "bookworm:stable"], true);
    fs::create_dir(path("by-rsync")).unwrap();
    repo(&["publish", &repository, &dist], true);
    repo(&["push", &repository, "--to", &place], false);
    let shared = path("above/place/dists");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o2775)).unwrap();
    repo(&["refresh", &repository, "--to", &place], true);
    repo(&["push", &repository, "--to", &rsync.uri("by-rsync")], false);
    repo(&["clone", &place, &name("above/clone")], false);
    let hidden = judge(
        "find",
        &[
            "above",
            "by-rsync",
            "-name",
            ".repository",
            "-prune",
            "-o",
            "(",
            "-type",
            "d",
            "!",
            "-perm",
            "-755",
            "-o",
            "-type",
            "f",
            "!",
            "-perm",
            "-644",
            ")",
            "-print",
        ],
        room.folder.path(),
    );
    assert_eq!(hidden, "");
    assert_eq!(fs::metadata(&shared).unwrap().permissions().mode() & 0o7777, 0o2775);
}

/// An S3 server that somebody has started, such as moto's: `S3_TEST_ENDPOINT=http://127.0.0.1:5000`, a bucket `mesos`,
/// `RCLONE_S3_ACL=public-read`, AWS_ENDPOINT_URL and credentials in the environment, rclone installed.
#[test]
#[ignore = "needs an S3 server"]
fn an_object_store_serves_clients() {
    let endpoint = std::env::var("S3_TEST_ENDPOINT").expect("S3_TEST_ENDPOINT");
    // What an earlier run has left there is another repository.
    let path = format!("mesos/debian-{}", std::process::id());
    let room = Room::new(&format!("{endpoint}/{path}"));
    let to = ["--to", &format!("s3://{path}")];
    room.publish("1.0-1", to[1]).success();
    let client = Client::new(&room.repository());
    client.update().success();
    client.apt(&["install", "demo-tools"]).success();
    room.publish("1.1-1", to[1]).success();
    // What never changes may be kept for ever, and what a publication replaces may not.
    let packages = room.repository().join("dists/bookworm/main/binary-amd64/Packages.xz");
    let sha256 = foundation::digest::Digest::of_file(&packages).unwrap();
    let cached = |name: &str| {
        let url = format!("{endpoint}/{path}/{name}");
        let head = run(Command::new("curl").args(["--silent", "--fail", "--head", &url])).success().stdout;
        let field =
            |line: &str| line.to_ascii_lowercase().strip_prefix("cache-control: ").map(|value| value.trim().to_owned());
        head.lines().find_map(field).unwrap_or_else(|| panic!("{name}: {head}"))
    };
    for name in
        ["pool/main/d/demo/demo_1.1-1_all.deb", &format!("dists/bookworm/main/binary-amd64/by-hash/SHA256/{sha256}")]
    {
        assert_eq!(cached(name), "public, max-age=31536000, immutable", "{name}");
    }
    for name in [
        "dists/bookworm/InRelease",
        "dists/bookworm/Release",
        "dists/bookworm/main/binary-amd64/Packages.xz",
        "index.html",
    ] {
        assert_eq!(cached(name), "public, max-age=60, must-revalidate", "{name}");
    }
    client.update().success();
    client.apt(&["dist-upgrade"]).success();
    assert_eq!(client.installed("demo").as_deref(), Some("1.1-1"));
    room.repo(&["rollback", "2", "--to", to[1]]).success();
    room.repo(&["prune", "--keep", "1", "--to", to[1]]).success();
    let late = Client::new(&room.repository());
    late.update().success();
    assert_eq!(late.candidate("demo").as_deref(), Some("1.0-1"));
}
