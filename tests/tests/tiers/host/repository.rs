//! A repository with the real apt over a real web server: installing, upgrading, rolling back, new keys, and everything
//! that somebody on the way could try.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use foundation::digest::Digest;
use repository::{Repository, Settings, Suite};
use sign::signer::{SignatureForm, Signer};
use tests::apt::{Client, Server};
use tests::dist::{Dist, TestKey};
use tests::{Ran, judge, run, run_off, tool};

/// A repository that is served, with `demo` 1.0-1 for bookworm.
struct Site {
    key: TestKey,
    folder: tempfile::TempDir,
    server: Server,
}

impl Site {
    fn new() -> Self {
        let (key, folder) = (TestKey::new("Test Release"), tempfile::tempdir().unwrap());
        let server = Server::new(&folder.path().join("repository"));
        let site = Self { key, folder, server };
        let uri = site.server.uri();
        site.repo(&["init", "--codename", "bookworm:stable", "--codename", "trixie", "--uri", &uri]).success();
        site.publish("1.0-1");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    fn repo_with(&self, arguments: &[&str], keys: &[&TestKey]) -> Ran {
        let mut command = Command::new(tool());
        command.arg("repo").arg(arguments[0]).arg(self.repository()).args(&arguments[1..]);
        command.env("MESOS_PACKAGES_CACHE", self.path("cache"));
        for key in keys {
            command.arg("--key-file").arg(key.secret());
        }
        if arguments[0] == "prune" {
            // When nobody may ask any more for what old snapshots name.
            return run_off("+15d", &command);
        }
        run(&mut command)
    }

    fn repo(&self, arguments: &[&str]) -> Ran {
        self.repo_with(arguments, &[&self.key])
    }

    fn publish(&self, version: &str) {
        let dist = self.path(&format!("dist-{version}"));
        if !dist.exists() {
            Dist::new(version).write(&dist, &self.key);
        }
        self.repo(&["publish", &dist.display().to_string()]).success();
    }

    fn client(&self) -> Client {
        Client::new(&self.repository())
    }

    /// A copy in which the suite is a folder of files, as an attacker would have it.
    fn evil(&self) -> Evil {
        let top = tempfile::tempdir().unwrap();
        let copy = |from: &str, to: &str, links: &str| {
            let (from, to) = (self.repository().join(from).display().to_string(), top.path().join(to));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            judge("cp", &["--recursive", links, &from, &to.display().to_string()], top.path());
        };
        copy("pool", "pool", "--no-dereference");
        copy("dists/bookworm/", "dists/bookworm", "--dereference");
        Evil { top }
    }
}

struct Evil {
    top: tempfile::TempDir,
}

impl Evil {
    fn suite(&self, name: &str) -> PathBuf {
        self.top.path().join("dists/bookworm").join(name)
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.suite(name)).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(self.suite(name), text.replace(from, to)).unwrap();
    }

    /// Puts an index in the place of the real one, in every form and under every name that it had.
    fn replace_index(&self, change: &dyn Fn(String) -> String) {
        let folder = self.suite("main/binary-amd64");
        let path = folder.join("Packages.xz").display().to_string();
        let text = change(judge("xz", &["--decompress", "--stdout", &path], &folder));
        fs::write(folder.join("Packages"), text).unwrap();
        for (program, extension) in [("xz", "xz"), ("gzip", "gz")] {
            let path = folder.join(format!("Packages.{extension}"));
            let by_hash = folder.join(format!("by-hash/SHA256/{}", Digest::of_file(&path).unwrap()));
            judge(program, &["--keep", "--force", "Packages"], &folder);
            fs::copy(&path, by_hash).unwrap();
        }
    }

    /// Signs what is there with this key: the Release names the indices as they are.
    fn sign(&self, key: &TestKey) {
        let release = fs::read_to_string(self.suite("Release")).unwrap();
        let (head, list) = release.split_once("SHA256:\n").unwrap();
        let mut text = format!("{head}SHA256:\n");
        for line in list.lines() {
            let path = line.split_whitespace().nth(2).unwrap();
            match fs::read(self.suite(path)) {
                Ok(bytes) => text += &format!(" {} {} {path}\n", Digest::of(&bytes), bytes.len()),
                Err(_) => text += &format!("{line}\n"),
            }
            if let (Ok(bytes), Some((parent, _))) = (fs::read(self.suite(path)), path.rsplit_once('/')) {
                fs::write(self.suite(&format!("{parent}/by-hash/SHA256/{}", Digest::of(&bytes))), bytes).unwrap();
            }
        }
        let date = time(&text);
        fs::write(self.suite("InRelease"), key.gpg.sign(SignatureForm::Clear, &mut text.as_bytes(), date).unwrap())
            .unwrap();
        let detached = key.gpg.sign(SignatureForm::DetachedArmored, &mut text.as_bytes(), date).unwrap();
        fs::write(self.suite("Release.gpg"), detached).unwrap();
        fs::write(self.suite("Release"), text).unwrap();
    }
}

/// `Date` of a Release, as a Unix time in seconds.
fn time(release: &str) -> i64 {
    let date = release.lines().find_map(|line| line.strip_prefix("Date: ")).unwrap();
    judge("date", &["--date", date, "+%s"], Path::new("/")).trim().parse().unwrap()
}

/// Whatever the client tries, it is refused with one of these words, and nothing of it is installed.
#[track_caller]
fn refused(client: &Client, what: &str, says: &[&str]) {
    let update = client.update();
    let install = client.apt(&["install", "demo"]);
    let said = format!("{}{}{}{}", update.stdout, update.stderr, install.stdout, install.stderr);
    assert!(update.code != Some(0) || install.code != Some(0), "{what}: apt is content:\n{said}");
    assert!(says.iter().any(|text| said.contains(text)), "{what}: none of {says:?} is in:\n{said}");
    assert_eq!(client.installed("demo"), None, "{what}");
    assert!(!client.path("usr/share/demo").exists(), "{what}");
    assert!(
        client
            .path("var/cache/apt/archives")
            .read_dir()
            .unwrap()
            .flatten()
            .all(|entry| { !entry.file_name().to_string_lossy().ends_with(".deb") })
    );
}

#[test]
fn a_client_installs_upgrades_and_is_rolled_back() {
    let site = Site::new();
    let client = site.client();
    client.update().success();
    client.apt(&["install", "demo-tools"]).success();
    assert_eq!(client.installed("demo").as_deref(), Some("1.0-1"));
    assert_eq!(fs::read_to_string(client.path("usr/share/demo-tools/version")).unwrap(), "1.0-1\n");
    let requests = site.server.requests();
    assert!(requests.iter().any(|(path, status)| path.contains("/by-hash/SHA256/") && status == "200"), "{requests:?}");
    assert!(!requests.iter().any(|(path, _)| path.ends_with("/Packages.xz")), "{requests:?}");

    // A changelog of this version, of a package that has none itself, and of the keyring's.
    let changelog = client.apt(&["changelog", "demo-tools"]).success().stdout;
    assert!(changelog.contains("What is new in 1.0-1."), "{changelog}");
    let changelog = client.apt(&["changelog", "mesos-archive-keyring"]).success().stdout;
    assert!(changelog.contains(&site.key.fingerprint), "{changelog}");

    site.publish("1.1-1");
    client.update().success();
    let changelog = client.apt(&["changelog", "demo-tools=1.1-1"]).success().stdout;
    assert!(changelog.contains("What is new in 1.1-1."), "{changelog}");
    client.apt(&["dist-upgrade"]).success();
    assert_eq!(client.installed("demo-tools").as_deref(), Some("1.1-1"));

    // Nobody is downgraded behind their back, and whoever wants to can.
    site.repo(&["rollback", "2", "--codename", "bookworm"]).success();
    client.update().success();
    client.apt(&["dist-upgrade"]).success();
    assert_eq!(client.installed("demo-tools").as_deref(), Some("1.1-1"));
    client.apt(&["install", "--allow-downgrades", "demo=1.0-1", "demo-tools=1.0-1"]).success();
    assert_eq!(client.installed("demo-tools").as_deref(), Some("1.0-1"));
    let late = site.client();
    late.update().success();
    assert_eq!(late.candidate("demo").as_deref(), Some("1.0-1"));

    // Forward again; and signed anew, with no other index to fetch.
    site.repo(&["rollback", "3", "--codename", "bookworm"]).success();
    late.update().success();
    assert_eq!(late.candidate("demo").as_deref(), Some("1.1-1"));
    let before = site.server.requests().len();
    site.repo(&["refresh"]).success();
    late.update().success();
    let requests = site.server.requests();
    let fetched: Vec<_> = requests[before..].iter().filter(|(path, _)| path.contains("main")).collect();
    assert!(fetched.is_empty(), "{fetched:?}");
    site.repo_with(&["verify", "--keyring", &site.key.ring().display().to_string()], &[]).success();
}

/// What is built for two releases has the same version but for the releases' suffixes (`version-suffix` of a target).
#[test]
fn two_releases_share_a_repository_and_an_upgrade_finds_the_newer_packages() {
    let site = Site::new();
    let builds = [("bookworm", "1.0-2~deb12u1"), ("trixie", "1.0-2~deb13u1")].map(|(suite, version)| {
        let folder = site.path(suite);
        Dist { distribution: suite.into(), ..Dist::new(version) }.write(&folder, &site.key);
        folder.display().to_string()
    });
    site.repo(&["publish", &builds[0], &builds[1]]).success();
    let client = site.client();
    client.update().success();
    // Newer than what was published before versions had a suffix.
    client.apt(&["install", "--yes", "demo=1.0-1"]).success();
    client.apt(&["dist-upgrade", "--yes"]).success();
    assert_eq!(client.installed("demo").as_deref(), Some("1.0-2~deb12u1"));
    client.use_sources(&site.repository(), "trixie");
    client.update().success();
    client.apt(&["dist-upgrade", "--yes"]).success();
    assert_eq!(client.installed("demo").as_deref(), Some("1.0-2~deb13u1"));
    // A local build replaces what its own release has, and is replaced by the next one's.
    let order = ["1.0-1", "1.0-2~deb12u1", "1.0-2~deb12u1+local", "1.0-2~deb13u1", "1.0-2", "1.0-3~deb12u1"];
    for pair in order.windows(2) {
        judge("dpkg", &["--compare-versions", pair[0], "lt", pair[1]], site.folder.path());
    }
}

/// While one suite follows the other, every update of every client succeeds, and finds one of them whole.
#[test]
fn readers_never_see_a_mixture() {
    let site = Site::new();
    let index = site.repository().join("dists/bookworm/main/binary-amd64");
    let old = Digest::of_file(&index.join("Packages.xz")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = || {
            let client = site.client();
            let mut updates = 0;
            while !done.load(Ordering::Relaxed) || updates == 0 {
                client.update().success();
                assert_eq!(client.candidate("demo"), client.candidate("demo-tools"));
                updates += 1;
            }
            updates
        };
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(reader)).collect();
        for version in ["1.1-1", "1.2-1", "1.3-1", "1.4-1"] {
            site.publish(version);
        }
        done.store(true, Ordering::Relaxed);
        let updates: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert!(updates > 2, "{updates} updates");
    });
    // What somebody read in the first Release is there as long as that snapshot is kept.
    let by_hash = index.join(format!("by-hash/SHA256/{old}"));
    assert_eq!(Digest::of_file(&by_hash).unwrap(), old);
    site.repo_with(&["prune", "--keep", "2"], &[]).success();
    assert!(!by_hash.exists());
    let client = site.client();
    client.update().success();
    assert_eq!(client.candidate("demo").as_deref(), Some("1.4-1"));
}

#[test]
fn attacks_are_refused_by_apt() {
    let site = Site::new();
    let attack = |evil: &Evil, what: &str, says: &[&str]| {
        site.server.serve(evil.top.path());
        refused(&site.client(), what, says);
    };
    // It is not the copying that apt refuses.
    let evil = site.evil();
    site.server.serve(evil.top.path());
    site.client().update().success();

    let deb = evil.top.path().join("pool/main/d/demo/demo_1.0-1_all.deb");
    let mut bytes = fs::read(&deb).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&deb, bytes).unwrap();
    attack(&evil, "changed .deb", &["Hash Sum mismatch"]);

    let evil = site.evil();
    evil.replace_index(&|text| text.replace("Version: 1.0-1", "Version: 9.0-1"));
    attack(&evil, "changed Packages", &["Hash Sum mismatch", "unexpected size"]);

    let evil = site.evil();
    evil.edit("InRelease", "Label: Mesos", "Label: Other");
    attack(&evil, "changed InRelease", &["BADSIG", "invalid signature"]);
    fs::remove_file(evil.suite("InRelease")).unwrap();
    evil.edit("Release", "Label: Mesos", "Label: Other");
    attack(&evil, "changed Release", &["BADSIG", "invalid signature"]);

    let evil = site.evil();
    evil.replace_index(&|text| text.replace("Version: 1.0-1", "Version: 9.0-1"));
    let stranger = TestKey::new("Somebody Else");
    evil.sign(&stranger);
    attack(&evil, "another key", &["NO_PUBKEY"]);

    let evil = site.evil();
    fs::remove_file(evil.suite("InRelease")).unwrap();
    fs::remove_file(evil.suite("Release.gpg")).unwrap();
    attack(&evil, "missing signature", &["is not signed"]);

    // Signed with the stolen key, so that only the path is wrong.
    let evil = site.evil();
    fs::create_dir(site.path("outside")).unwrap();
    fs::copy(evil.top.path().join("pool/main/d/demo/demo_1.0-1_all.deb"), site.path("outside/x.deb")).unwrap();
    let outside = format!("Filename: ../../../../../../../..{}/x.deb", site.path("outside").display());
    evil.replace_index(&|text| text.replace("Filename: pool/main/d/demo/demo_1.0-1_all.deb", &outside));
    evil.sign(&site.key);
    attack(&evil, "path traversal in Filename", &["400  Bad Request", "404  Not Found"]);

    // The index of an earlier snapshot, under the digest of the present one.
    let old = site.repository().join("dists/bookworm/main/binary-amd64/Packages.xz");
    let old = fs::read(old).unwrap();
    site.publish("1.1-1");
    let evil = site.evil();
    let release = fs::read_to_string(evil.suite("Release")).unwrap();
    for line in release.lines().filter(|line| line.contains("main/binary-amd64/Packages.")) {
        let digest = line.split_whitespace().next().unwrap();
        fs::write(evil.suite(&format!("main/binary-amd64/by-hash/SHA256/{digest}")), &old).unwrap();
    }
    attack(&evil, "downgraded by-hash file", &["Hash Sum mismatch", "unexpected size"]);
}

/// A Release that is signed well, and is not the one that was asked for.
#[test]
fn replayed_and_exchanged_releases_are_refused() {
    let site = Site::new();
    let old = site.evil();
    let (client, fresh) = (site.client(), site.client());
    site.publish("1.1-1");
    client.update().success();
    // Older than what the client has: it goes on with what it has.
    site.server.serve(old.top.path());
    let _ = client.update();
    assert_eq!(client.candidate("demo").as_deref(), Some("1.1-1"));

    // Too old for whoever comes anew.
    let folder = site.path("expired");
    let settings = Settings {
        name: "mesos".into(),
        origin: "Mesos packages".into(),
        label: "Mesos packages".into(),
        description: "Apache Mesos for Debian".into(),
        maintainer: "Test <test@example.org>".into(),
        uri: Some(site.server.uri()),
        components: vec!["main".into()],
        architectures: vec!["amd64".into()],
        valid_days: 14,
        development: false,
        suite: vec![Suite { codename: "bookworm".into(), name: None, keep: None }],
    };
    let then = packaging_now() - 15 * 86_400;
    let signers: [&dyn Signer; 1] = [&site.key.gpg];
    let (mut expired, _) = Repository::init(&folder, &settings, &signers, None, then).unwrap();
    expired.add(&[site.path("dist-1.0-1")], None, None, None, None).unwrap();
    expired.publish(&[], &signers, then + 10).unwrap();
    // It has the lock until then.
    drop(expired);
    site.server.serve(&folder);
    refused(&fresh, "expired Release", &["is expired", "is not valid anymore"]);
    let error = repository::verify(&folder, None, packaging_now()).unwrap_err().to_string();
    assert!(error.contains("expired") && error.contains("repo refresh"), "{error}");
    // Signed anew, it is good.
    let mut expired = Repository::open(&folder, "a test", &mut |_| ()).unwrap();
    expired.refresh(&[], &signers, packaging_now()).unwrap();
    fresh.update().success();
    assert_eq!(fresh.candidate("demo").as_deref(), Some("1.0-1"));

    // The other suite's Release, which is newer and signed with the right key.
    site.server.serve(&site.repository());
    let client = site.client();
    client.update().success();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let dist = site.path("dist-1.0-1").display().to_string();
    site.repo(&["publish", &dist, "--codename", "trixie"]).success();
    let exchanged = tempfile::tempdir().unwrap();
    fs::create_dir(exchanged.path().join("dists")).unwrap();
    for name in ["snapshots", "indices", "pool"] {
        std::os::unix::fs::symlink(site.repository().join(name), exchanged.path().join(name)).unwrap();
    }
    let trixie = fs::read_link(site.repository().join("dists/trixie")).unwrap();
    std::os::unix::fs::symlink(trixie, exchanged.path().join("dists/bookworm")).unwrap();
    site.server.serve(exchanged.path());
    client.update().fails(100, &["changed its 'Codename' value from 'bookworm' to 'trixie'"]);
    assert_eq!(client.candidate("demo").as_deref(), Some("1.1-1"), "it goes on with what it has");
    // Who comes anew has nothing to compare with, and apt only warns; with the repository's pin it takes nothing.
    let fresh = site.client();
    let ran = fresh.update();
    assert!(ran.stderr.contains("(expected bookworm but got trixie)"), "{}", ran.stderr);
    let pin = fresh.path("etc/apt/preferences.d/mesos.pref");
    fs::copy(site.repository().join("mesos-bookworm.pref"), pin).unwrap();
    assert_eq!(fresh.candidate("demo"), None);
    fresh.apt(&["install", "demo"]).fails(100, &["no installation candidate"]);
    site.server.serve(&site.repository());
    fresh.apt(&["clean"]).success();
    judge("find", &[&fresh.path("var/lib/apt/lists").display().to_string(), "-type", "f", "-delete"], Path::new("/"));
    fresh.update().success();
    assert_eq!(fresh.candidate("demo").as_deref(), Some("1.1-1"));
}

fn packaging_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    now.as_secs().try_into().unwrap()
}

/// Both keys for a while, then the new one alone: who updated in between notices nothing.
#[test]
fn a_key_is_rotated_under_clients() {
    let site = Site::new();
    let new = TestKey::new("Next Release");
    let (follows, sleeps) = (site.client(), site.client());
    for client in [&follows, &sleeps] {
        client.update().success();
    }
    let secret = new.secret().display().to_string();
    site.repo_with(&["rotate-key", "--finish"], &[&site.key]).fails(1, &["there is none to let go"]);
    let ran = site.repo(&["rotate-key", "--new-key-file", &secret]).success();
    assert!(ran.stdout.contains(&new.fingerprint) && ran.stdout.contains(&site.key.fingerprint), "{}", ran.stdout);
    // Both signatures are good, for clients with either key, and from now on both are needed.
    let suite = site.repository().join("dists/bookworm");
    for (signed, more) in [("InRelease", None), ("Release.gpg", Some("Release"))] {
        let ring = site.repository().join("mesos-archive-keyring.gpg").display().to_string();
        let mut arguments = vec!["--keyring", &ring, signed];
        arguments.extend(more);
        judge("gpgv", &arguments, &suite);
    }
    site.repo(&["refresh"]).fails(1, &["signed with", &new.fingerprint, "give --key or --key-file for each"]);
    follows.update().success();
    follows.apt(&["dist-upgrade"]).success();
    let dist = site.path("dist-1.1-1");
    Dist::new("1.1-1").write(&dist, &site.key);
    site.repo_with(&["publish", &dist.display().to_string()], &[&new, &site.key]).success();
    follows.update().success();
    assert_eq!(follows.candidate("demo").as_deref(), Some("1.1-1"));
    let in_between = site.client();
    in_between.update().success();

    site.repo_with(&["rotate-key", "--finish"], &[&site.key]).fails(1, &["is signed with", &new.fingerprint]);
    let early = site.repo_with(&["rotate-key", "--finish"], &[&new]);
    early.fails(1, &["bookworm have the keyring package with both keys since", "finish from", "--for DAYS"]);
    site.repo_with(&["rotate-key", "--finish", "--for", "0"], &[&new]).success();
    for client in [&follows, &in_between] {
        client.update().success();
        client.apt(&["dist-upgrade"]).success();
        client.apt(&["install", "demo"]).success();
        client.update().success();
        // The old key is trusted no more.
        let ring = fs::read(client.path("usr/share/keyrings/mesos-archive-keyring.gpg")).unwrap();
        assert_eq!(ring, fs::read(new.ring()).unwrap());
    }
    sleeps.update().fails(100, &["NO_PUBKEY"]);
    site.repo_with(&["verify", "--keyring", &new.ring().display().to_string()], &[]).success();
    let old = site.key.ring().display().to_string();
    site.repo_with(&["verify", "--keyring", &old], &[]).fails(3, &["InRelease", "signed by another key"]);
}

/// Fields of every paragraph, by package and version.
fn paragraphs(index: &str) -> BTreeMap<(String, String), BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for paragraph in index.split("\n\n").filter(|text| !text.trim().is_empty()) {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        let mut last = String::new();
        for line in paragraph.lines() {
            if line.starts_with(' ') {
                *fields.get_mut(&last).unwrap() += &format!("\n{line}");
            } else {
                let (name, value) = line.split_once(':').unwrap();
                last = name.to_owned();
                fields.insert(last.clone(), value.trim().to_owned());
            }
        }
        all.insert((fields["Package"].clone(), fields["Version"].clone()), fields);
    }
    all
}

/// What other tools make of the same packages.
#[test]
fn other_tools_agree() {
    let site = Site::new();
    site.publish("1.1-1");
    let repository = site.repository();
    let suite = fs::canonicalize(repository.join("dists/bookworm")).unwrap();
    let packed = suite.join("main/binary-amd64/Packages.xz").display().to_string();
    let text = judge("xz", &["--decompress", "--stdout", &packed], &suite);
    let ours = paragraphs(&text);
    assert_eq!(ours.len(), 5);
    let gzip = suite.join("main/binary-amd64/Packages.gz").display().to_string();
    assert_eq!(judge("gzip", &["--decompress", "--stdout", &gzip], &suite), text);

    // apt-ftparchive over the pool: every field of ours, and of its own only weaker digests and SHA-512.
    let theirs = paragraphs(&judge("apt-ftparchive", &["packages", "pool/main"], &repository));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    let only_digests = |theirs: &BTreeMap<(String, String), BTreeMap<String, String>>, same_place: bool| {
        for (package, fields) in &ours {
            for (name, value) in fields.iter().filter(|(name, _)| same_place || *name != "Filename") {
                assert_eq!(theirs[package].get(name), Some(value), "{package:?} {name}");
            }
            let more = theirs[package].keys().filter(|name| !fields.contains_key(*name));
            for name in more {
                assert!(["MD5sum", "SHA1", "SHA512"].contains(&name.as_str()), "{package:?} {name}");
            }
        }
    };
    only_digests(&theirs, true);

    // reprepro keeps one version of each package: two suites for two versions.
    let other = site.path("reprepro");
    fs::create_dir_all(other.join("conf")).unwrap();
    let distribution = |name: &str| format!("Codename: {name}\nComponents: main\nArchitectures: amd64\n\n");
    fs::write(other.join("conf/distributions"), distribution("first") + &distribution("second")).unwrap();
    let mut theirs = BTreeMap::new();
    for (name, version) in [("first", "1.0-1"), ("second", "1.1-1")] {
        for package in ours.iter().filter(|((name, found), _)| found == version || name.ends_with("keyring")) {
            let path = repository.join(&package.1["Filename"]).display().to_string();
            let base = other.display().to_string();
            judge("reprepro", &["--basedir", &base, "--component", "main", "includedeb", name, &path], &other);
        }
        let index = fs::read_to_string(other.join(format!("dists/{name}/main/binary-amd64/Packages"))).unwrap();
        theirs.extend(paragraphs(&index));
    }
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    only_digests(&theirs, true);

    // apt-ftparchive's Release over the same files, with those unpacked that only their digests are published of.
    let copy = site.evil();
    let folder = copy.suite("");
    for index in
        ["main/binary-amd64/Packages", "debug/binary-amd64/Packages", "main/Contents-amd64", "debug/Contents-amd64"]
    {
        judge("gzip", &["--decompress", "--keep", &format!("{index}.gz")], &folder);
    }
    for name in ["InRelease", "Release", "Release.gpg", "main/by-hash", "debug/by-hash"] {
        let _ = fs::remove_file(folder.join(name)).or_else(|_| fs::remove_dir_all(folder.join(name)));
    }
    for component in ["main", "debug"] {
        fs::remove_dir_all(folder.join(component).join("binary-amd64/by-hash")).unwrap();
    }
    let theirs = judge("apt-ftparchive", &["release", "."], &folder);
    let list = |text: &str| -> BTreeMap<String, (String, String)> {
        let (_, list) = text.split_once("SHA256:\n").unwrap();
        let lines = list.lines().take_while(|line| line.starts_with(' '));
        let words = lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        words.map(|words| (words[2].clone(), (words[0].clone(), words[1].clone()))).collect()
    };
    let release = fs::read_to_string(suite.join("Release")).unwrap();
    let (ours, mut theirs) = (list(&release), list(&theirs));
    theirs.remove("Release");
    assert_eq!(ours, theirs);

    // Contents as apt-ftparchive writes them, but for the section, which it leaves out here, and white space.
    let ours = judge(
        "gzip",
        &["--decompress", "--stdout", &suite.join("main/Contents-amd64.gz").display().to_string()],
        &suite,
    );
    let theirs = judge("apt-ftparchive", &["contents", "pool/main"], &repository);
    let words = |text: &str| -> Vec<Vec<String>> {
        let mut lines: Vec<Vec<String>> =
            text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
        for line in &mut lines {
            let package = line.pop().unwrap();
            line.push(package.rsplit('/').next().unwrap().to_owned());
        }
        lines.sort();
        lines
    };
    assert_eq!(words(&ours), words(&theirs));

    // The keyring package is an ordinary package.
    judge("lintian", &["--allow-root", "--fail-on", "error,warning", "mesos-archive-keyring.deb"], &repository);
}
