//! Copying a repository to where clients fetch from, to real servers of each kind.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tests::apt::{Client, Server};
use tests::dist::{Dist, TestKey};
use tests::{Ran, run, tool};

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
        run(&mut command)
    }

    fn publish(&self, version: &str, to: &str) -> Ran {
        let dist = self.folder.path().join(format!("dist-{version}"));
        Dist::new(version).write(&dist, &self.key);
        self.repo(&["publish", &dist.display().to_string(), "--to", to])
    }
}

/// rsync as a server on loopback.
struct Rsyncd {
    folder: tempfile::TempDir,
    process: Child,
    port: u16,
}

impl Rsyncd {
    fn new(module: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let top = folder.path().display();
        let configuration = format!(
            "address = 127.0.0.1\nport = {port}\nuse chroot = no\nlog file = {top}/log\npid file = {top}/pid\n\
             [www]\npath = {}\nread only = no\nuid = root\ngid = root\ntransfer logging = yes\nlog format = %o %f\n",
            module.display()
        );
        fs::write(folder.path().join("rsyncd.conf"), configuration).unwrap();
        let process = Command::new("rsync")
            .args(["--daemon", "--no-detach", "--config"])
            .arg(folder.path().join("rsyncd.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("rsync runs");
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "rsync does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { folder, process, port }
    }

    fn uri(&self) -> String {
        format!("rsync://127.0.0.1:{}/www/mesos", self.port)
    }

    /// What it received and removed, in order.
    fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        let words = |line: &str| Some(line.split("] ").nth(1)?.to_owned());
        log.lines().filter_map(words).filter(|line| line.starts_with("recv ") || line.starts_with("del.")).collect()
    }
}

impl Drop for Rsyncd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn rsync_gets_everything_in_the_order_that_clients_need() {
    let www = tempfile::tempdir().unwrap();
    let (web, rsync) = (Server::new(&www.path().join("mesos")), Rsyncd::new(www.path()));
    let room = Room::new(&web.uri());
    let ran = room.publish("1.0-1", &rsync.uri()).success();
    assert!(ran.stdout.contains(&format!("copied to {}", rsync.uri())), "{}", ran.stdout);
    // Somebody else's file beside it stays.
    fs::write(www.path().join("mesos/index.html"), "hello").unwrap();
    let client = Client::new(&www.path().join("mesos"));
    client.update().success();
    client.apt(&["install", "demo-tools"]).success();
    let old = fs::read(room.repository().join("dists/bookworm/main/binary-amd64/Packages.xz")).unwrap();
    let old = format!("by-hash/SHA256/{}", foundation::digest::Digest::of(old));

    let before = rsync.log().len();
    room.publish("1.1-1", &rsync.uri()).success();
    client.update().success();
    client.apt(&["dist-upgrade"]).success();
    assert_eq!(client.installed("demo").as_deref(), Some("1.1-1"));
    let rank = |line: &str| match line {
        line if line.starts_with("del.") => 5,
        line if line.contains("/pool/") => 0,
        line if line.contains("/by-hash/") => 1,
        line if line.ends_with("/InRelease") => 4,
        line if line.contains("/Release") || !line.contains("/dists/") => 3,
        _ => 2,
    };
    let log = rsync.log();
    let ranks: Vec<i32> = log[before..].iter().map(|line| rank(line)).collect();
    assert!(ranks.is_sorted(), "{:?}", &log[before..]);
    for kind in [0, 1, 2, 3, 4] {
        assert!(ranks.contains(&kind), "{:?}", &log[before..]);
    }
    // What was fetched already is not fetched again.
    assert!(!log[before..].iter().any(|line| line.contains("demo_1.0-1")), "{:?}", &log[before..]);
    // Whoever reads the earlier Release finds its indices, until that snapshot goes.
    let index = www.path().join("mesos/dists/bookworm/main/binary-amd64").join(old);
    assert!(index.is_file());
    assert!(fs::symlink_metadata(www.path().join("mesos/dists/bookworm")).unwrap().is_dir(), "no links");
    room.repo(&["prune", "--keep", "1", "--to", &rsync.uri()]).success();
    assert!(!index.exists());
    assert!(www.path().join("mesos/index.html").exists());
    client.update().success();
    // A server that is away: the repository is published all the same, and can be copied later.
    let uri = rsync.uri();
    drop(rsync);
    room.publish("1.2-1", &uri).fails(1, &["copying the packages", "rsync says", "cargo xtask repo push"]);
    let there = www.path().join("mesos").display().to_string();
    room.repo(&["push", "--to", &there]).success();
    client.update().success();
    assert_eq!(client.candidate("demo").as_deref(), Some("1.2-1"));
}

/// An S3 server that somebody has started, such as moto's: `S3_TEST_ENDPOINT=http://127.0.0.1:5000`, a bucket `mesos`,
/// `RCLONE_S3_ACL=public-read`, AWS_ENDPOINT_URL and credentials in the environment, rclone installed.
#[test]
#[ignore = "needs an S3 server"]
fn an_object_store_serves_clients() {
    let endpoint = std::env::var("S3_TEST_ENDPOINT").expect("S3_TEST_ENDPOINT");
    let room = Room::new(&format!("{endpoint}/mesos/debian"));
    let to = ["--to", "s3://mesos/debian"];
    room.publish("1.0-1", to[1]).success();
    let client = Client::new(&room.repository());
    client.update().success();
    client.apt(&["install", "demo-tools"]).success();
    room.publish("1.1-1", to[1]).success();
    client.update().success();
    client.apt(&["dist-upgrade"]).success();
    assert_eq!(client.installed("demo").as_deref(), Some("1.1-1"));
    room.repo(&["rollback", "2", "--to", to[1]]).success();
    room.repo(&["prune", "--keep", "1", "--to", to[1]]).success();
    let late = Client::new(&room.repository());
    late.update().success();
    assert_eq!(late.candidate("demo").as_deref(), Some("1.0-1"));
}
