//! The page of a repository, and what is proven of its packages: what a browser, axe and html-validate say of it, that it
//! tells what clients see, and that the proofs go wherever the packages go.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use foundation::digest::Digest;
use sign::signer::Signer;
use statements::proof::attestation::{self, Rebuilt, Variation};
use statements::proof::intoto::{Resource, Statement};
use statements::proof::provenance::{BuildDefinition, Builder, Dependency, Provenance, RunDetails};
use statements::proof::{dsse, provenance, sbom};
use tests::apt::Server;
use tests::dist::{Deb, Dist, EPOCH, TestKey};
use tests::{Ran, browser, digests, run, run_off, tool};

/// What would be a tag, an attribute and a script, wherever it came through.
const EVIL: &str = "\"><script>document.title='taken'</script><img src=x onerror=alert(1)>";

struct Room {
    key: TestKey,
    rebuilder: TestKey,
    folder: tempfile::TempDir,
}

impl Room {
    fn new(uri: &str) -> Self {
        let (key, rebuilder) = (TestKey::new("Test Release"), TestKey::new("Bits & Bytes"));
        let room = Self { key, rebuilder, folder: tempfile::tempdir().unwrap() };
        let origin = ["--origin", "Tests & <b>trials</b>"];
        let suites = ["--codename", "bookworm:stable", "--codename", "trixie", "--uri", uri];
        room.repo(&[&["init"], &suites[..], &origin].concat()).success();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    fn repo(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(tool());
        command.arg("repo").arg(arguments[0]).arg(self.repository()).args(&arguments[1..]);
        command.env("MESOS_PACKAGES_CACHE", self.path("cache"));
        if !["push", "prune", "verify", "add"].contains(&arguments[0]) {
            command.arg("--key-file").arg(self.key.secret());
        }
        // Nothing that a client may still have goes before its time.
        if arguments[0] == "prune" { run_off("+15d", &command) } else { run(&mut command) }
    }

    /// A folder of packages with everything that can be proven of them.
    fn dist(&self, version: &str) -> PathBuf {
        let folder = self.path(&format!("dist-{version}"));
        fs::create_dir(&folder).unwrap();
        let stem = format!("demo_{version}_amd64");
        let finding = |name: &str, status: &str| serde_json::json!({ "vulnerability": { "name": name, "description": EVIL }, "products": [], "status": status, "status_notes": EVIL });
        let vex = serde_json::json!({ "statements": [finding("CVE-2000-1", "fixed"), finding(EVIL, "not_affected")] });
        fs::write(folder.join(format!("{stem}.openvex.json")), vex.to_string()).unwrap();
        let mut dist = Dist::new(version);
        dist.debs[0].synopsis = format!("package for tests {EVIL}");
        let mut symbols = Deb::new("demo-tools-dbgsym");
        symbols.section = "debug";
        dist.debs.push(symbols);
        let prove = |text: String| {
            let packages: Vec<Resource> =
                sha256(&folder).into_iter().map(|(name, sha256)| Resource::new(name, sha256)).collect();
            for package in &packages {
                let hashes = serde_json::json!([{ "alg": "SHA-256", "content": package.digest.sha256 }]);
                let bill = serde_json::json!({ "bomFormat": "CycloneDX", "specVersion": sbom::SPEC_VERSION,
                    "metadata": { "component": { "hashes": hashes } }, "components": [] });
                fs::write(folder.join(sbom::file_name(&package.name)), bill.to_string()).unwrap();
            }
            let statement = Statement::about(packages, came_from());
            let sealed = dsse::seal(&statement, &self.key.gpg, EPOCH).unwrap();
            fs::write(folder.join(provenance::file_name(&stem)), sealed).unwrap();
            text
        };
        dist.write_signed(&folder, &self.key.gpg, &prove);
        folder
    }

    /// Somebody says to have rebuilt it.
    fn attest(&self, dist: &Path, by: &dyn Signer) -> PathBuf {
        let packages = sha256(dist).into_iter().map(|(name, sha256)| Resource::new(name, sha256));
        let variation = Variation { name: "kernel".into(), usual: "a".into(), rebuilt: "b".into() };
        let rebuild = Rebuilt {
            plan: Digest::of("plan").into(),
            left_out: vec![],
            compared: vec![],
            variations: vec![variation],
        };
        attestation::write(&Statement::about(packages.collect(), rebuild), dist, "demo", by, EPOCH).unwrap()
    }

    fn page(&self) -> String {
        fs::read_to_string(self.repository().join("index.html")).unwrap()
    }
}

fn sha256(folder: &Path) -> BTreeMap<String, Digest> {
    digests(folder, "deb").into_iter().map(|(name, sha256)| (name, sha256.parse().unwrap())).collect()
}

fn came_from() -> Provenance {
    let commit = "f4bc6e2ab1d0c9e8f7a6b5c4d3e2f1a0b9c8d7e6";
    let source = serde_json::json!({ "kind": "git", "tag": "1.0", "commit": commit, "cherry-picks": [] });
    let digest = BTreeMap::from([("gitCommit".to_owned(), commit.to_owned())]);
    Provenance {
        build_definition: BuildDefinition {
            build_type: "x".into(),
            external_parameters: serde_json::json!({ "source": source }),
            internal_parameters: serde_json::Value::Null,
            resolved_dependencies: vec![Dependency { name: Some("source".into()), digest, ..Dependency::default() }],
        },
        run_details: RunDetails { builder: Builder { id: "x".into(), version: BTreeMap::new() }, byproducts: vec![] },
    }
}

#[test]
fn people_see_what_clients_see_and_what_is_proven() {
    let www = tempfile::tempdir().unwrap();
    let server = Server::new(www.path());
    let room = Room::new(&server.uri());
    let dist = room.dist("1.0-1");
    let dist_text = dist.display().to_string();
    room.attest(&dist, &room.rebuilder.gpg);
    // A statement by nobody that the builders vouch for is not shown as one.
    room.repo(&["publish", &dist_text]).fails(3, &["rebuild.", "signed by another key", "--rebuilders"]);
    let known = ["--rebuilders", &room.rebuilder.ring().display().to_string()];
    room.repo(&["publish", &dist_text, known[0], known[1]]).success();
    room.repo(&["publish", &dist_text, "--codename", "trixie", known[0], known[1]]).success();
    server.serve(&room.repository());

    let browser::Seen { text, links } = browser::look(&format!("{}/", server.uri()), www.path());
    for seen in [
        "bookworm (stable)",
        "apt-get update && apt-get install demo",
        &format!("curl -fsSLO {}/mesos-archive-keyring.deb", server.uri()),
        "Tests & <b>trials</b>",
        &format!("package for tests {EVIL}"),
        "1 passed",
        "Same bytes",
        "built again by Bits & Bytes",
        "commit f4bc6e2ab1d0",
        "1 fixed, 1 not affected",
        "Changelog",
        &room.key.fingerprint[..4],
        &sha256(&dist)["demo_1.0-1_all.deb"].to_string(),
    ] {
        assert!(text.contains(seen), "'{seen}' is not in:\n{text}");
    }
    // Each link leads to a file, or to a place on the page.
    assert!(links.len() > 20, "{links:?}");
    for link in links {
        let path = link.strip_prefix(&format!("{}/", server.uri())).unwrap();
        match path.strip_prefix('#') {
            Some(id) => assert!(room.page().contains(&format!("id=\"{id}\"")), "{id}"),
            None => assert!(room.repository().join(path).is_file(), "{path}"),
        }
    }
    browser::validate(&room.repository().join("index.html"), www.path());
}

#[test]
fn the_page_follows_what_is_live_and_proofs_go_with_their_packages() {
    let room = Room::new("https://packages.example.org");
    let dists = ["1.0-1", "1.1-1"].map(|version| room.dist(version));
    let publish = |dist: &Path| room.repo(&["publish", &dist.display().to_string()]).success();
    let there = room.path("www").display().to_string();
    publish(&dists[0]);
    assert!(room.page().contains("demo_1.0-1_all.deb") && !room.page().contains("demo_1.1-1_all.deb"));
    publish(&dists[1]);
    room.repo(&["rollback", "2", "--codename", "bookworm"]).success();
    assert!(room.page().contains("Snapshot 4,") && !room.page().contains("demo_1.1-1_all.deb"));
    room.repo(&["refresh"]).success();
    assert!(room.page().contains("Snapshot 5,"));
    room.repo(&["rollback", "3", "--codename", "bookworm"]).success();
    room.repo(&["verify"]).success();
    // What is proven later comes with the same packages.
    room.attest(&dists[1], &room.key.gpg);
    assert!(!room.page().contains("Same bytes"));
    room.repo(&["add", &dists[1].display().to_string()]).success();
    assert!(room.page().contains("Same bytes"));
    room.repo(&["verify"]).success();
    publish(&dists[1]);
    // In the order of everything else, and to whoever continues from there.
    room.repo(&["push", "--to", &there]).success();
    assert_eq!(fs::read_to_string(room.path("www/index.html")).unwrap(), room.page());
    let clone = room.path("clone");
    run(Command::new(tool()).args(["repo", "clone", &there]).arg(&clone)).success();
    assert_eq!(fs::read_to_string(clone.join("index.html")).unwrap(), room.page());
    run(Command::new(tool()).args(["repo", "verify"]).arg(&clone)).success();
    let statements = |top: &Path| {
        let folders = ["evidence", "changelogs"].map(|folder| walkdir::WalkDir::new(top.join(folder)));
        let files = folders.into_iter().flatten().flatten();
        let files = files.filter(|entry| entry.file_type().is_file());
        let mut names: Vec<String> = files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let all = statements(&room.repository());
    assert_eq!((statements(&room.path("www")), statements(&clone)), (all.clone(), all.clone()));
    for (ending, count) in [(".buildinfo", 2), ("demo_1.0-1_changelog", 2), ("demo_1.1-1_changelog", 2)] {
        assert_eq!(all.iter().filter(|name| name.ends_with(ending)).count(), count, "{ending} in {all:?}");
    }

    // What is not as it was is found: the page, and a proof that was exchanged, is missing, or that nobody has.
    let page = room.repository().join("index.html");
    fs::write(&page, room.page().replace("1 passed", "2 passed")).unwrap();
    room.repo(&["verify"]).fails(3, &["index.html: is not as this repository writes it"]);
    let (signer, sums) = (room.repository().join("evidence"), "SHA256SUMS");
    let file = walkdir::WalkDir::new(&signer).into_iter().flatten().find(|entry| entry.file_name() == sums).unwrap();
    let bytes = fs::read(file.path()).unwrap();
    fs::write(file.path(), "other").unwrap();
    fs::write(signer.join("more"), "other").unwrap();
    let changelog = room.repository().join("changelogs/main/d/demo/demo_1.0-1_changelog");
    fs::write(&changelog, "other").unwrap();
    let found = [
        "SHA256SUMS: has another sha256",
        "evidence/more: is of no build",
        "_changelog: is not what its packages have",
    ];
    room.repo(&["verify"]).fails(3, &found);
    fs::remove_file(changelog).unwrap();
    room.repo(&["push", "--to", &there]).fails(3, &["SHA256SUMS"]);
    fs::write(file.path(), bytes).unwrap();
    fs::remove_file(signer.join("more")).unwrap();
    // The next publication writes the page anew, and when the packages go, so do their proofs.
    room.repo(&["rollback", "2", "--codename", "bookworm"]).success();
    room.repo(&["prune", "--keep", "1", "--to", &there]).success();
    room.repo(&["verify"]).success();
    let left = statements(&room.repository());
    assert_eq!(statements(&room.path("www")), left);
    assert!(!left.is_empty() && left.iter().all(|name| !name.contains("1.1-1")), "{left:?}");
}
