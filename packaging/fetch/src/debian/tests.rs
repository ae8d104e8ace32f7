//! A throw-away archive on loopback, signed by a throw-away key.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use foundation::digest::Digest;
use foundation::store::Store;
use recipe::root_lock::LockKind;
use recipe::target::Target;

use recipe::archives::{Priority, Suite};

use super::catalogue::{Catalogue, Section};
use super::closure::*;
use super::index::Index;
use super::mirror::Addresses;
use super::release::Release;
use super::*;
use crate::download::test_server::{Manner, Server};
use crate::download::tests::quick;
use crate::download::{DownloadEvent, Network};

/// The real target.
pub(super) fn target() -> Target {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../containers/targets");
    Target::read(&targets, &"debian-12/amd64".parse().unwrap()).unwrap()
}

const PACKAGES: &str = include_str!("testdata/Packages");

pub(super) struct Archive {
    pub(super) server: Server,
    pub(super) home: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) target: Target,
}

pub(super) fn gpg(home: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("gpg")
        .arg("--homedir")
        .arg(home)
        .args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""])
        .args(arguments)
        .output()
        .expect("gpg is needed for this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

impl Archive {
    pub(super) fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        for name in ["Right", "Wrong"] {
            let user = format!("{name} <{name}@example.org>");
            gpg(home.path(), &["--quick-generate-key", &user, "ed25519", "sign", "never"]);
        }
        std::fs::write(home.path().join("keyring.gpg"), gpg(home.path(), &["--export", "Right@example.org"])).unwrap();
        let store = Store::open(Some(&home.path().join("cache"))).unwrap();
        let mut target = target();
        target.keyring = "keyring.gpg".into();
        let server = Server::start();
        target.archive = server.url("/archive");
        Self { server, home, store, target }
    }

    fn text(&self, fields: &str) -> String {
        let packed = pack(PACKAGES);
        let entry = |content: &[u8], path: &str| format!(" {} {} {path}\n", Digest::of(content), content.len());
        format!(
            "Suite: oldstable\nCodename: bookworm\n{fields}SHA256:\n{}{}",
            entry(PACKAGES.as_bytes(), "main/binary-amd64/Packages"),
            entry(&packed, "main/binary-amd64/Packages.xz"),
        )
    }

    pub(super) fn sign(&self, who: &str, text: &str) -> Vec<u8> {
        let file = self.home.path().join("text");
        std::fs::write(&file, text).unwrap();
        let user = format!("{who}@example.org");
        gpg(self.home.path(), &["--output", "-", "--local-user", &user, "--clearsign", file.to_str().unwrap()])
    }

    fn suite(&self) -> Suite {
        self.target.suites().swap_remove(0)
    }

    fn addresses(&self) -> Addresses {
        Addresses { near: vec![self.server.url("/debian")], archive: self.target.archive.clone() }
    }

    /// Serves an InRelease at the near mirror.
    fn serve(&self, content: Vec<u8>) {
        self.server.on("/debian/dists/bookworm/InRelease", Manner::Good(content));
    }

    fn fetch(&self, snapshot: Option<&str>) -> (Result<Release, DebianError>, Vec<String>) {
        let warnings = Mutex::new(Vec::new());
        let listen = |event| {
            if let DownloadEvent::Warning(text) = event {
                warnings.lock().unwrap().push(text);
            }
        };
        let downloader = quick(Network::Online, &[]);
        let result = Release::fetch(
            &downloader,
            &self.store,
            &self.addresses(),
            (&self.suite(), self.home.path()),
            snapshot,
            &listen,
        );
        (result, warnings.into_inner().unwrap())
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // The agent that gpg started for this home ends with it.
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).status();
    }
}

pub(super) fn pack(text: &str) -> Vec<u8> {
    use std::io::Read;
    let mut packed = Vec::new();
    xz2::read::XzEncoder::new(text.as_bytes(), 0).read_to_end(&mut packed).unwrap();
    packed
}

const DATE: &str = "Date: Sat, 11 Jul 2020 10:16:37 UTC\n";

#[test]
fn a_good_release_and_its_index() {
    let archive = Archive::new();
    // Text around the signed part must not count.
    let mut content = b"Codename: evil\nDate: Sat, 11 Jul 2009 10:16:37 UTC\n\n".to_vec();
    content.extend(archive.sign("Right", &archive.text(DATE)));
    archive.serve(content.clone());
    let release = archive.fetch(None).0.unwrap();
    assert_eq!((release.codename.as_str(), release.snapshot.as_str()), ("bookworm", "20200712T101637Z"));
    assert_eq!(release.sha256, Digest::of(&content));

    let downloader = quick(Network::Online, &[]);
    let of = ("bookworm", "main", "amd64");
    let packages = || release.packages(&downloader, &archive.store, &archive.addresses(), of, &|_| ());
    // A mirror that is out of step has another file under the plain name, the right one is by-hash elsewhere.
    let packed = pack(PACKAGES);
    archive.server.on("/debian/dists/bookworm/main/binary-amd64/Packages.xz", Manner::Good(pack("Package: evil\n")));
    let error = packages().unwrap_err();
    assert_eq!(error.kind(), Kind::Verification, "{error}");
    archive.server.on(
        &format!("/archive/20200712T101637Z/dists/bookworm/main/binary-amd64/by-hash/SHA256/{}", Digest::of(&packed)),
        Manner::Good(packed),
    );
    let index = packages().unwrap();
    assert_eq!(index.sha256, Digest::of(PACKAGES));
    let asked = archive.server.requests().len();
    packages().unwrap();
    assert_eq!(archive.server.requests().len(), asked, "the second time it is in the store");
}

#[test]
fn a_release_that_cannot_be_trusted_is_refused_and_the_next_address_is_tried() {
    let archive = Archive::new();
    let good = archive.sign("Right", &archive.text(DATE));
    let changed = String::from_utf8(good.clone()).unwrap().replace("oldstable", "newstable").into_bytes();
    let mut both = archive.text(DATE).into_bytes();
    both.extend(b"\n");
    for (content, why, wrong) in [
        (archive.sign("Wrong", &archive.text(DATE)), "not signed by a key of the target's keyring", true),
        (changed, "its signature is wrong", true),
        (both, "no signature that can be checked", true),
        (
            archive.sign(
                "Right",
                &archive.text("Date: Sat, 11 Jul 2020 10:16:37 UTC\nValid-Until: Sat, 18 Jul 2020 10:16:37 UTC\n"),
            ),
            "it expired: Valid-Until is Sat, 18 Jul 2020",
            true,
        ),
        (archive.sign("Right", &archive.text("Date: Sat, 11 Jul 2120 10:16:37 UTC\n")), "in the future", true),
        (archive.sign("Right", &archive.text("")), "no field Date", true),
        (archive.sign("Right", &archive.text(DATE).replace("bookworm", "trixie")), "the release of 'trixie'", true),
        (
            archive.sign("Right", &archive.text(DATE).replace("SHA256:\n ", "SHA256:\n x")),
            "is not digest, size and path",
            true,
        ),
        (archive.sign("Right", &archive.text(DATE).replace("SHA256:", "MD5Sum:")), "no field SHA256", true),
        (b"<html>log in</html>".to_vec(), "a web page", false),
    ] {
        archive.serve(content);
        let (result, warnings) = archive.fetch(None);
        let error = result.unwrap_err();
        let text = error.message();
        assert!(
            text.contains(why) && text.contains("/debian/dists/bookworm/InRelease") && text.contains("--mirror"),
            "{why}: {text}"
        );
        assert_eq!(error.kind() == Kind::Verification, wrong, "{text}");
        assert!(warnings[0].contains(why), "{warnings:?}");
    }
    // The permanent archive as of a time stamp stands in; there Valid-Until counts as of then.
    let old = "Date: Sat, 11 Jul 2020 10:16:37 UTC\nValid-Until: Sat, 18 Jul 2020 10:16:37 UTC\n";
    archive.server.on(
        "/archive/20200713T000000Z/dists/bookworm/InRelease",
        Manner::Good(archive.sign("Right", &archive.text(old))),
    );
    let release = archive.fetch(Some("20200713T000000Z")).0.unwrap();
    assert_eq!(release.snapshot, "20200713T000000Z");
    assert!(archive.fetch(Some("yesterday")).0.unwrap_err().message().contains("YYYYMMDDTHHMMSSZ"));
}

#[test]
fn offline_there_is_no_release() {
    let archive = Archive::new();
    let downloader = quick(Network::Offline, &[]);
    let result = Release::fetch(
        &downloader,
        &archive.store,
        &archive.addresses(),
        (&archive.suite(), archive.home.path()),
        None,
        &|_| (),
    );
    assert!(result.unwrap_err().message().contains("cargo xtask fetch"));
    assert_eq!(archive.server.requests(), [""; 0]);
}

/// A release that nobody signed.
pub(super) fn release(codename: &str) -> Release {
    Release {
        codename: codename.into(),
        date: 1,
        valid_until: None,
        snapshot: "20200712T101637Z".into(),
        sha256: Digest::of("r"),
        priority: Priority::USUAL,
        components: "main".into(),
        architectures: "amd64".into(),
        files: std::collections::BTreeMap::new(),
    }
}

/// An index that nobody signed, of the target's nth suite.
pub(super) fn section(nth: usize, text: &str) -> Section {
    let suite = target().suites().swap_remove(nth);
    let index = Index::new(PathBuf::from("Packages"), Digest::of(text), Index::parse("Packages", text).unwrap());
    Section { release: release(&suite.name).into(), suite: suite.into(), component: "main".into(), index }
}

fn catalogue(text: &str) -> Catalogue {
    Catalogue::new(vec![section(0, text)])
}

pub(super) fn names(debs: &[recipe::root_lock::PinnedDeb]) -> Vec<String> {
    debs.iter().map(|deb| format!("{}={}{}", deb.name, deb.version, if deb.base { "*" } else { "" })).collect()
}

#[test]
fn the_base_is_the_closure_of_essential_required_and_apt() {
    let catalogue = catalogue(PACKAGES);
    let base = base(&catalogue, &target()).unwrap();
    // mawk answers base-files' `awk`, being required itself; of amail and exim4, which provide the same, the more
    // important one is taken; the second alternative answers where the first does not exist.
    assert_eq!(
        names(&base),
        ["apt=2.6*", "base-files=12.4*", "exim4=4.9*", "libc6=2.36-10*", "mawk=1.3*", "second=1*"]
    );

    let broken = PACKAGES.replace("libc6 (>= 2.36-9)", "libc6 (>= 2.40)");
    let error = super::closure::base(&self::catalogue(&broken), &target()).unwrap_err().message();
    assert!(error.contains("libc6 (>= 2.40)") && error.contains("apt 2.6"), "{error}");
}

#[test]
fn apts_solution_is_locked_and_locking_twice_gives_the_same_bytes() {
    let catalogue = catalogue(PACKAGES);
    let base = base(&catalogue, &target()).unwrap();
    let output = "Reading package lists...\n=== apt solution\nThe following NEW packages will be installed:\n  g++ tool\n\
        Inst tool (1.0 localhost [all])\nInst g++ (4:12.2 localhost [amd64]) []\nConf tool (1.0 localhost [all])\n=== end of solution\n";
    let all = from_solution(&catalogue, &base, output).unwrap();
    let expected = [
        "apt=2.6*",
        "base-files=12.4*",
        "exim4=4.9*",
        "g++=4:12.2",
        "libc6=2.36-10*",
        "mawk=1.3*",
        "second=1*",
        "tool=1.0",
    ];
    assert_eq!(names(&all), expected);
    let request = Digest::of("request");
    let one = lock("mesos", &target(), &catalogue, request, all.clone());
    let two = lock("mesos", &target(), &catalogue, request, all.into_iter().rev().collect());
    assert_eq!(one.to_toml(), two.to_toml());
    let mirrors = ["http://m.example/debian".to_owned()];
    let mirrors = Mirrors::discover(&mirrors, &mirror::UserConfig::default(), &target()).unwrap();
    let wanted = wanted(&one, &mirrors);
    assert_eq!(wanted[3].name, "g++_12.2_amd64.deb");
    let urls = &wanted[3].urls;
    assert_eq!(urls[0], "http://m.example/debian/pool/g++_12.2_amd64.deb");
    assert_eq!(
        urls.last().unwrap(),
        "https://snapshot.debian.org/archive/debian/20200712T101637Z/pool/g++_12.2_amd64.deb"
    );

    for (from, to, why) in [
        ("=== end of solution", "", "ends before the plan does"),
        ("Inst tool (1.0", "Inst tool (1.1", "does not have: Inst tool (1.1"),
        ("Inst tool (1.0", "Inst libc6 [2.36] (2.37", "replace a package of the base"),
        ("Conf tool", "Remv mawk", "remove a package of the base"),
    ] {
        let error = from_solution(&catalogue, &base, &output.replace(from, to)).unwrap_err().message();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_request_is_looked_over_before_apt_sees_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut section = section(0, PACKAGES);
    section.index.path = dir.path().join("Packages");
    std::fs::write(&section.index.path, PACKAGES).unwrap();
    let catalogue = Catalogue::new(vec![section]);
    let good = ["g++ (>= 4:10)", "a | tool (<< 2)", "awk:any", "libx-dev [linux-any]"].map(str::to_owned);
    let target = target();
    let base = base(&catalogue, &target).unwrap();
    let ask = |request: &[String]| solver_uploads(&catalogue, &base, request, &target);
    let uploads = ask(&good).unwrap();
    let text = |path: &str| {
        let upload = uploads.iter().find(|upload| upload.path == path).unwrap();
        String::from_utf8(upload.content.clone()).unwrap()
    };
    assert_eq!(text("/solver/request"), good.join("\n") + "\n");
    assert_eq!(text("/solver/archives/bookworm/main/Packages"), PACKAGES);
    assert_eq!(text("/solver/sources.list"), "deb [trusted=yes] file:/solver/archives/bookworm/main ./\n");
    assert_eq!(text("/solver/preferences"), "Package: *\nPin: release a=bookworm\nPin-Priority: 500\n\n");
    assert_eq!(text("/solver/architecture"), "amd64");
    // What is installed is the base, each in the version that was chosen.
    let status = text("/solver/status");
    assert_eq!(status.matches("Status: install ok installed\n\n").count(), base.len(), "{status}");
    assert!(status.contains("\nVersion: 2.36-10\n") && !status.contains("\nVersion: 2.36-9\n"), "{status}");
    for (wish, said) in [("python3", "python3"), ("tool (>= 2)", "tool (>= 2)"), ("x | tool (>= 2)", "x | tool (>= 2)")]
    {
        let error = ask(&[wish.to_owned()]).unwrap_err().message();
        assert!(error.contains(&format!("{said} is asked for, and bookworm has no such package for amd64")), "{error}");
    }
    // Only what the target's file asks for is told with its place there.
    let mut asking = target.clone();
    (asking.base, asking.machine) = (vec!["absent".into()], vec!["linux".into()]);
    for (wish, field) in [("absent", Some("base")), ("linux", Some("machine")), ("python3", None)] {
        let error = solver_uploads(&catalogue, &base, &[wish.to_owned()], &asking).unwrap_err();
        assert_eq!(error.field().map(|(field, _)| field), field, "{error}");
    }
    for bad in ["", "-o", "a, b", "a (> 1)", "a b", "a\nb", "$(x)"] {
        let error = ask(&[bad.to_owned()]).unwrap_err().message();
        assert!(error.contains("Build-Depends"), "{error}");
    }
}

#[test]
fn a_malformed_lock_is_refused_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("debian-12-amd64.lock");
    let catalogue = catalogue(PACKAGES);
    let request = Digest::of("request");
    let lock = lock("mesos", &target(), &catalogue, request, base(&catalogue, &target()).unwrap());
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        RootLock::read(&path, LockKind::BuildRoot, ("mesos", "mesos"), &target().name, request)
            .map_err(|error| error.message())
    };
    assert_eq!(read(&lock.to_toml()).unwrap().packages, lock.packages);
    for (from, to, why) in [
        ("snapshot =", "snapshut =", "snapshut"),
        ("size = ", "size = \"", "debian-12-amd64.lock"),
        ("sha256 = \"", "sha256 = \"x", "is not a sha256 digest"),
        ("recipe = \"mesos\"", "recipe = \"sample\"", "not for the recipe mesos"),
    ] {
        let error = read(&lock.to_toml().replace(from, to)).unwrap_err();
        assert!(error.contains(why) && error.contains("debian-12-amd64.lock"), "{error}");
    }
    let error =
        RootLock::read(&path, LockKind::NodeRoot, ("mesos", "mesos"), &target().name, Digest::of("more")).unwrap_err();
    assert!(error.message().contains("`cargo xtask lock --cluster --target"), "{error}");
}

/// With the real archive, where it can be reached: set MESOS_PACKAGES_TEST_ARCHIVE to `host` (the
/// host's own mirror) or to a mirror's address.
#[test]
fn the_real_archive() {
    let Ok(archive) = std::env::var("MESOS_PACKAGES_TEST_ARCHIVE") else {
        eprintln!("skipped: MESOS_PACKAGES_TEST_ARCHIVE is not set");
        return;
    };
    let target = target();
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../containers/targets");
    let given: Vec<String> = Some(archive).filter(|archive| archive != "host").into_iter().collect();
    let mirrors = Mirrors::discover(&given, &mirror::UserConfig::default(), &target).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    let downloader = crate::download::Downloader::new(Network::Online);
    let start = std::time::Instant::now();
    let on = |event| eprintln!("{event:?}");
    let catalogue = Catalogue::fetch(&downloader, &store, &mirrors, (&target, &targets), None, &on).unwrap();
    for section in catalogue.sections() {
        let (suite, release) = (&section.suite.name, &section.release);
        eprintln!("{suite} {}: {} packages", release.snapshot, section.index.packages().len());
    }
    let base = base(&catalogue, &target).unwrap();
    eprintln!("base {:?}: {} packages", start.elapsed(), base.len());
    let lock = lock("mesos", &target, &catalogue, Digest::of(""), base);
    let wanted = wanted(&lock, &mirrors);
    downloader.fetch_all(&store, &wanted, &|_| ()).unwrap();
    eprintln!("debs {:?}: {} bytes", start.elapsed(), wanted.iter().filter_map(|w| w.size).sum::<u64>());
}
