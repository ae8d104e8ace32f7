//! Clocks that are wrong, names that change, and `repo status`: with the real tool at other times, a real web server and the
//! real apt.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tests::apt::{Client, Server};
use tests::dist::{Dist, TestKey};
use tests::{Ran, judge, run, tool};

/// A repository that is served.
struct Site {
    key: TestKey,
    folder: tempfile::TempDir,
    server: Server,
}

impl Site {
    fn new(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(&folder.path().join("repository"));
        let site = Self { key: TestKey::new("Test Release"), folder, server };
        let uri = site.server.uri();
        site.repo(&[&["init", "--codename", "bookworm:stable", "--uri", &uri], more].concat()).success();
        site
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Runs the tool now.
    fn repo(&self, arguments: &[&str]) -> Ran {
        self.repo_in("+0s", arguments)
    }

    /// Runs the tool when its clock is off by this, as faketime(1) has it.
    fn repo_in(&self, off: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new("faketime");
        command
            .args(["-f", off])
            .arg(tool())
            .arg("repo")
            .arg(arguments[0])
            .arg(self.repository())
            .args(&arguments[1..]);
        command.env("MESOS_PACKAGES_CACHE", self.folder.path().join("cache"));
        if !["status", "verify"].contains(&arguments[0]) {
            command.arg("--key-file").arg(self.key.secret());
        }
        run(&mut command)
    }

    fn client(&self) -> Client {
        Client::new(&self.repository())
    }

    fn live(&self) -> PathBuf {
        fs::read_link(self.repository().join("dists/bookworm")).unwrap()
    }

    fn setting(&self, from: &str, to: &str) {
        let path = self.repository().join(".repository/settings.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

#[test]
fn a_clock_that_runs_fast_is_found_and_there_is_a_way_out() {
    let site = Site::new(&[]);
    let (client, fast) = (site.client(), site.client());
    client.update().success();
    let before = site.live();
    for off in ["+2h", "-2h"] {
        let says = ["the server at http://127.0.0.1", "correct the one that is wrong", "--clock-is-right"];
        site.repo_in(off, &["refresh"]).fails(1, &says);
        site.repo_in(off, &["publish"]).fails(1, &says);
    }
    assert_eq!(site.live(), before);
    // Somebody insists.
    site.repo_in("+2d", &["refresh", "--clock-is-right"]).success();
    assert_ne!(site.live(), before);
    client.update().fails(100, &["not valid yet"]);
    site.repo(&["verify"]).fails(3, &["dists/bookworm: is dated", "in the future", "refresh --clock-is-right"]);
    site.repo(&["status"]).fails(1, &["bookworm: is dated", "in the future", "refresh --clock-is-right"]);
    site.repo(&["refresh"]).fails(1, &["is dated", "--clock-is-right"]);
    site.repo(&["refresh", "--clock-is-right"]).success();
    for client in [&client, &fast] {
        client.update().success();
    }
    site.repo(&["verify"]).success();
    site.repo(&["status"]).success();
    site.repo(&["refresh"]).success();
}

#[test]
fn status_says_what_needs_a_hand_in_time() {
    let site = Site::new(&[]);
    let dist = site.folder.path().join("dist");
    Dist::new("1.0-1").write(&dist, &site.key);
    site.repo(&["publish", &dist.display().to_string()]).success();
    let said = site.repo(&["status"]).success().stdout;
    for text in
        ["bookworm    snapshot 2 of 2 with 3 packages, valid until", &site.key.fingerprint, "no end", "3 packages"]
    {
        assert!(said.contains(text), "{text} is not in:\n{said}");
    }
    let json: serde_json::Value = serde_json::from_str(&site.repo(&["status", "--json"]).success().stdout).unwrap();
    assert_eq!(json["needs"], serde_json::json!([]));
    let live = &json["suites"]["bookworm"]["live"];
    assert_eq!(live["signed-with"], serde_json::json!([site.key.fingerprint]));
    assert_eq!(live["valid-until"].as_i64().unwrap() - live["date"].as_i64().unwrap(), 14 * 86_400);
    assert_eq!(json["keys"][0]["signs"], true);
    site.repo_in("+6d", &["status"]).success();
    let ran = site.repo_in("+8d", &["status", "--json"]).fails(1, &["bookworm: ends at", "let it run daily"]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["needs"].as_array().unwrap().len(), 1);
    site.repo_in("+15d", &["status"]).fails(1, &["bookworm: ended at", "repo refresh"]);
}

/// apt stops where a repository is called otherwise; its other names, architectures and changelogs.
#[test]
fn what_a_repository_is_called() {
    let site = Site::new(&["--architecture", "amd64", "--architecture", "arm64"]);
    let client = site.client();
    // By the other name, and only what this machine can use.
    let sources = client.path("etc/apt/sources.list.d/mesos.sources");
    let text = fs::read_to_string(&sources).unwrap();
    fs::write(&sources, text.replace("Suites: bookworm", "Suites: stable")).unwrap();
    let ran = client.update().success();
    assert!(!ran.stderr.contains("W:") && !ran.stderr.contains("N:"), "{}", ran.stderr);
    let requests = site.server.requests();
    let indices: Vec<_> = requests.iter().filter(|(path, _)| path.contains("/binary-")).collect();
    assert!(
        !indices.is_empty() && indices.iter().all(|(path, _)| path.contains("/stable/main/binary-amd64/")),
        "{indices:?}"
    );
    let release = fs::read_to_string(site.repository().join("dists/stable/InRelease")).unwrap();
    let changelogs = format!("\nChangelogs: {}/changelogs/@CHANGEPATH@_changelog\n", site.server.uri());
    assert!(release.contains(&changelogs) && !release.contains("\nSigned-By:"), "{release}");
    let dist = site.folder.path().join("dist");
    Dist::new("1.0-1").write(&dist, &site.key);
    site.repo(&["publish", &dist.display().to_string()]).success();
    client.update().success();

    // What apt does not ask about is published, and what it asks about is asked first.
    site.setting("Apache Mesos for Debian", "Mesos for everybody");
    site.repo(&["publish"]).success();
    client.update().success();
    let before = site.live();
    for (from, to, says) in [
        (
            "label = \"Mesos packages\"",
            "label = \"Our packages\"",
            "Label changes from 'Mesos packages' to 'Our packages'",
        ),
        ("origin = \"Mesos packages\"", "origin = \"Our packages\"", "Origin changes from"),
        ("name = \"stable\"", "name = \"oldstable\"", "Suite changes from 'stable' to 'oldstable'"),
    ] {
        site.setting(from, to);
        for command in ["publish", "refresh"] {
            site.repo(&[command]).fails(1, &[says, "--allow-releaseinfo-change", "Nothing was changed"]);
        }
        site.setting(to, from);
    }
    assert_eq!(site.live(), before);
    site.setting("label = \"Mesos packages\"", "label = \"Our packages\"");
    site.repo(&["publish", "--allow-releaseinfo-change"]).success();
    client.update().fails(100, &["changed its 'Label' value from 'Mesos packages' to 'Our packages'"]);
    client.apt(&["update", "--allow-releaseinfo-change", "--error-on=any"]).success();
    client.update().success();
    site.repo(&["refresh"]).success();
    // A name that no suite has any more leads nowhere.
    site.setting("name = \"stable\"", "name = \"oldstable\"");
    site.repo(&["status"]).fails(1, &["dists/oldstable: does not lead to bookworm"]);
    site.repo(&["publish", "--allow-releaseinfo-change"]).success();
    let names = judge("ls", &["dists"], &site.repository());
    assert_eq!(names, "bookworm\noldstable\n");
    site.repo(&["verify"]).success();
}
