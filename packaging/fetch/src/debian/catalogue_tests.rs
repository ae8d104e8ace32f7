//! An archive in Ubuntu's shape, on loopback: a suite and two pockets, two components, by-hash, phased updates. And which version
//! is the candidate, whatever the archive.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use foundation::digest::Digest;
use foundation::failure::Kind;
use recipe::archives::Priority;
use recipe::root_lock::{LockKind, RootLock};
use recipe::target::Target;

use super::catalogue::Catalogue;
use super::changes::{behind, between, older};
use super::closure::{base, from_solution, lock};
use super::mirror::{Mirrors, UserConfig};
use super::tests::{Archive, gpg, pack, section};
use super::tracker::Tracker;
use super::*;
use crate::download::Network;
use crate::download::test_server::Manner;
use crate::download::tests::quick;

/// The packages of each index: suite, component, and of each package the name, the version and further fields.
type Shape = BTreeMap<(&'static str, &'static str), Vec<(&'static str, &'static str, &'static str)>>;

fn ubuntu() -> Shape {
    let essential = "Essential: yes\nPriority: required\n";
    Shape::from([
        (
            ("noble", "main"),
            vec![("apt", "2.7.14", ""), ("libc6", "2.39-0ubuntu8", essential), ("make", "4.3", ""), ("gone", "1", "")],
        ),
        (("noble", "universe"), vec![("ccache", "4.9", "Depends: libhiredis (>= 1)\n"), ("libhiredis", "1.2", "")]),
        (
            ("noble-updates", "main"),
            vec![
                ("libc6", "2.39-0ubuntu8.6", "Essential: yes\nPhased-Update-Percentage: 10\n"),
                ("make", "4.3-1ubuntu1", "Phased-Update-Percentage: 0\n"),
            ],
        ),
        (("noble-updates", "universe"), vec![("ccache", "4.9.1", "Depends: libhiredis (>= 1)\n")]),
        (("noble-security", "main"), vec![("libc6", "2.39-0ubuntu8.4", "")]),
        (("noble-security", "universe"), vec![]),
    ])
}

fn text(packages: &[(&str, &str, &str)]) -> String {
    let mut text = String::new();
    for (name, version, fields) in packages {
        let file = format!("{name} {version}");
        let _ = writeln!(
            text,
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\n{fields}Filename: pool/{name}_{version}_amd64.deb\n\
             Size: {}\nSHA256: {}\n",
            file.len(),
            Digest::of(&file)
        );
    }
    text
}

/// The archive with a target of it, whose files are served at `/ubuntu`, by hash only.
fn served(shape: &Shape) -> Archive {
    let mut archive = Archive::new();
    let targets = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../containers/targets");
    let real = Target::read(&targets, &"ubuntu-24.04/amd64".parse().unwrap()).unwrap();
    archive.target = Target { keyring: "keyring.gpg".into(), archive: archive.server.url("/ubuntu"), ..real };
    let suites: std::collections::BTreeSet<&str> = shape.keys().map(|(suite, _)| *suite).collect();
    for suite in suites {
        let mut files = String::new();
        for ((_, component), packages) in shape.iter().filter(|((of, _), _)| *of == suite) {
            let (plain, folder) = (text(packages), format!("{component}/binary-amd64"));
            let packed = pack(&plain);
            for (content, name) in [(plain.as_bytes(), "Packages"), (&packed, "Packages.xz")] {
                let _ = writeln!(files, " {} {} {folder}/{name}", Digest::of(content), content.len());
            }
            let path = format!("/ubuntu/dists/{suite}/{folder}/by-hash/SHA256/{}", Digest::of(&packed));
            archive.server.on(&path, Manner::Good(packed));
        }
        let release = format!(
            "Origin: Ubuntu\nLabel: Ubuntu\nSuite: {suite}\nCodename: noble\nDate: Sat, 11 Jul 2020 10:16:37 UTC\n\
             Architectures: amd64 arm64 armhf i386\nComponents: main restricted universe multiverse\nAcquire-By-Hash: yes\n\
             SHA256:\n{files}"
        );
        let signed = archive.sign("Right", &release);
        archive.server.on(&format!("/ubuntu/dists/{suite}/InRelease"), Manner::Good(signed));
    }
    archive
}

fn fetch(archive: &Archive) -> Result<Catalogue, DebianError> {
    fetch_for(archive, &archive.target)
}

fn fetch_for(archive: &Archive, target: &Target) -> Result<Catalogue, DebianError> {
    let mirrors = Mirrors::discover(&[archive.server.url("/ubuntu")], &UserConfig::default(), target).unwrap();
    let target = (target, archive.home.path());
    Catalogue::fetch(&quick(Network::Online, &[]), &archive.store, &mirrors, target, None, &|_| ())
}

fn candidates(catalogue: &Catalogue, names: &[&str]) -> Vec<String> {
    let told = |name: &&str| {
        let entry = catalogue.candidate(name).unwrap();
        format!("{name} {} {}/{}", entry.package.version, entry.section.suite.name, entry.section.component)
    };
    names.iter().map(told).collect()
}

#[test]
fn a_lock_of_an_archive_in_ubuntus_shape() {
    let archive = served(&ubuntu());
    let catalogue = fetch(&archive).unwrap();
    // The highest version of all pockets, however far its phases have come: what is at 0 % counts, too.
    assert_eq!(
        candidates(&catalogue, &["libc6", "make", "ccache", "libhiredis", "gone"]),
        [
            "libc6 2.39-0ubuntu8.6 noble-updates/main",
            "make 4.3-1ubuntu1 noble-updates/main",
            "ccache 4.9.1 noble-updates/universe",
            "libhiredis 1.2 noble/universe",
            "gone 1 noble/main",
        ]
    );
    let base = base(&catalogue, &archive.target).unwrap();
    let solution = "=== apt solution\nInst libhiredis (1.2 noble [amd64])\n\
        Inst ccache (4.9.1 noble-updates, noble-security [amd64])\n=== end of solution\n";
    let packages = from_solution(&catalogue, &base, solution).unwrap();
    let request = Digest::of("request");
    let lock = || lock("sample", &archive.target, &catalogue, request, packages.clone());
    let toml = lock().to_toml();
    assert_eq!(toml, lock().to_toml());
    let path = archive.home.path().join("ubuntu-24.04-amd64.lock");
    std::fs::write(&path, &toml).unwrap();
    let read = RootLock::read(&path, LockKind::BuildRoot, ("sample", "sample"), &archive.target.name, request).unwrap();
    assert_eq!(read.version, 2);
    // Where each came from: the permanent address, and no mirror.
    let own = &archive.target.archive;
    let told: Vec<String> = read
        .packages
        .iter()
        .map(|deb| {
            let (archive, snapshot) = read.origin(own, deb);
            assert_eq!((archive, snapshot), (own.as_str(), "20200712T101637Z"));
            format!("{} {} {}", deb.name, deb.version, deb.suite.as_deref().unwrap_or("-"))
        })
        .collect();
    assert_eq!(
        told,
        ["apt 2.7.14 -", "ccache 4.9.1 noble-updates", "libc6 2.39-0ubuntu8.6 noble-updates", "libhiredis 1.2 -",]
    );
    let indices: Vec<String> =
        read.indices.iter().map(|index| format!("{}/{}", index.suite, index.component)).collect();
    assert_eq!(
        indices,
        [
            "noble/universe",
            "noble-updates/main",
            "noble-updates/universe",
            "noble-security/main",
            "noble-security/universe"
        ]
    );
    assert!(!toml.contains("/dists/") && toml.contains(own.as_str()));

    // Without its index a suite says nothing of where its packages are.
    let damaged = toml.replace("suite = \"noble-updates\"\ncomponent", "suite = \"noble-x\"\ncomponent");
    std::fs::write(&path, damaged).unwrap();
    let error =
        RootLock::read(&path, LockKind::BuildRoot, ("sample", "sample"), &archive.target.name, request).unwrap_err();
    assert!(error.message().contains("packages of noble-updates"), "{}", error.message());
}

#[test]
fn what_a_suite_lacks_is_said_with_what_it_has() {
    let archive = served(&ubuntu());
    let with = |change: &dyn Fn(&mut Target)| {
        let mut target = archive.target.clone();
        change(&mut target);
        let error = fetch_for(&archive, &target).unwrap_err();
        (error.message(), error.kind())
    };
    let own = &archive.target.archive;
    let (said, kind) = with(&|target| target.further[1].components.push("universes".into()));
    assert!(
        said.contains(&format!(
            "noble-updates of {own} has no component universes; it has main, restricted, universe, multiverse"
        )),
        "{said}"
    );
    assert_eq!(kind, Kind::Input);
    let (said, _) = with(&|target| target.name = "ubuntu-24.04/riscv64".parse().unwrap());
    assert!(
        said.contains(&format!("noble of {own} has no architecture riscv64; it has amd64, arm64, armhf, i386")),
        "{said}"
    );
    // It says that it has it, and does not list it.
    let (said, _) = with(&|target| target.further[1].components.push("restricted".into()));
    assert!(said.contains("restricted/binary-amd64/Packages") && said.contains("does not list it"), "{said}");
    let (said, kind) = with(&|target| target.further[1].suites.push("noble-gone".into()));
    assert!(said.contains("no InRelease file of noble-gone") && said.contains("HTTP 404"), "{said}");
    assert!(said.contains("archive.debian.org") && said.contains("--snapshot TIME"), "{said}");
    assert_eq!(kind, Kind::Failed);
    // A further archive's own keyring counts, and no other.
    std::fs::write(archive.home.path().join("other.gpg"), gpg(archive.home.path(), &["--export", "Wrong@example.org"]))
        .unwrap();
    let (said, kind) = with(&|target| target.further[1].keyring = Some("other.gpg".into()));
    assert!(said.contains("noble-updates: ") || said.contains("of noble-updates"), "{said}");
    assert!(said.contains("not signed by a key") && said.contains("other.gpg"), "{said}");
    assert_eq!(kind, Kind::Verification);
}

/// A pocket has the suite's codename: a mirror must not serve it in the suite's place, nor the other way round.
#[test]
fn a_pocket_is_not_taken_for_the_suite() {
    for (right, wrong) in [("noble", "noble-updates"), ("noble-security", "noble")] {
        let archive = served(&ubuntu());
        let release = format!("Suite: {wrong}\nCodename: noble\nDate: Sat, 11 Jul 2020 10:16:37 UTC\nSHA256:\n");
        archive.server.on(&format!("/ubuntu/dists/{right}/InRelease"), Manner::Good(archive.sign("Right", &release)));
        let said = fetch(&archive).unwrap_err().message();
        assert!(said.contains(&format!("({wrong}), not of '{right}'")), "{said}");
    }
}

#[test]
fn a_key_that_has_expired_signs_nothing() {
    let archive = served(&ubuntu());
    let home = archive.home.path();
    let past = ["--faked-system-time", "20200101T000000!"];
    let key = ["--quick-generate-key", "Old <Old@example.org>", "ed25519", "sign", "2020-02-01"];
    gpg(home, &[&past[..], &key].concat());
    std::fs::write(home.join("keyring.gpg"), gpg(home, &["--export", "Old@example.org"])).unwrap();
    std::fs::write(home.join("text"), "Suite: noble\n").unwrap();
    let sign = ["--output", "-", "--local-user", "Old@example.org", "--clearsign", home.join("text").to_str().unwrap()]
        .map(str::to_owned);
    let sign: Vec<&str> = sign.iter().map(String::as_str).collect();
    let signed = gpg(home, &[&past[..], &sign].concat());
    archive.server.on("/ubuntu/dists/noble/InRelease", Manner::Good(signed));
    let error = fetch(&archive).unwrap_err();
    assert!(error.message().contains("has expired or was revoked"), "{}", error.message());
    assert_eq!(error.kind(), Kind::Verification);
}

/// Debian 12 with its updates and security updates, none of them signed.
fn debian(own: &[(&str, &str, &str)], updates: &[(&str, &str, &str)], security: &[(&str, &str, &str)]) -> Catalogue {
    Catalogue::new(vec![section(0, &text(own)), section(1, &text(updates)), section(2, &text(security))])
}

#[test]
fn priorities_come_before_versions() {
    let packages = |updates: Priority| {
        let mut sections =
            vec![section(0, &text(&[("a", "1", ""), ("b", "1", "")])), section(1, &text(&[("a", "2", "")]))];
        let mut release = super::tests::release("bookworm-updates");
        release.priority = updates;
        sections[1].release = release.into();
        candidates(&Catalogue::new(sections), &["a", "b"])
    };
    assert_eq!(packages(Priority::USUAL), ["a 2 bookworm-updates/main", "b 1 bookworm/main"]);
    assert_eq!(packages(Priority::UPGRADES_ONLY), ["a 1 bookworm/main", "b 1 bookworm/main"]);
    // A package that only backports have is taken from there.
    let only = Catalogue::new(vec![section(0, ""), section(1, &text(&[("a", "2", "")]))]);
    assert_eq!(candidates(&only, &["a"]), ["a 2 bookworm-updates/main"]);
}

#[test]
fn the_same_version_in_two_suites_is_one_file_or_a_conflict() {
    let same = debian(&[("a", "1", "")], &[], &[("a", "1", "")]);
    assert_eq!(same.pinned(same.candidate("a").unwrap(), false).unwrap().suite, None, "the first that is named");
    let digest = Digest::of("other").to_string();
    let own = text(&[("a", "1", "")]);
    let other = own.replace(&Digest::of("a 1").to_string(), &digest);
    let conflict = Catalogue::new(vec![section(0, &own), section(1, ""), section(2, &other)]);
    let error = conflict.pinned(conflict.candidate("a").unwrap(), false).unwrap_err();
    let said = error.message();
    for part in
        ["a 1 is not the same file", "bookworm main: pool/a_1_amd64.deb", "bookworm-security main", &digest, "priority"]
    {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(error.kind(), Kind::Verification);
}

#[test]
fn what_changed_is_said_with_the_vulnerabilities_that_it_closes() {
    let old = debian(
        &[
            ("openssl", "3.0.1-1", ""),
            ("libssl3", "3.0.1-1+b1", "Source: openssl (3.0.1-1)\n"),
            ("old", "1", ""),
            ("same", "1", ""),
        ],
        &[],
        &[],
    );
    let new = debian(
        &[("same", "1", ""), ("young", "1", ""), ("openssl", "3.0.1-1", "")],
        &[("same", "1", "")],
        &[("openssl", "3.0.3-1", ""), ("libssl3", "3.0.3-1", "Source: openssl\n")],
    );
    let target = super::tests::target();
    let pin = |catalogue: &Catalogue, names: &[&str]| {
        let pin = |name: &&str| catalogue.pinned(catalogue.candidate(name).unwrap(), false).unwrap();
        lock("sample", &target, catalogue, Digest::of("request"), names.iter().map(pin).collect())
    };
    let before = pin(&old, &["openssl", "libssl3", "old", "same"]);
    let after = pin(&new, &["openssl", "libssl3", "same", "young"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tracker.json");
    let data = r#"{"openssl": {
        "CVE-2023-0001": {"scope": "remote", "releases": {
            "bookworm": {"status": "resolved", "fixed_version": "3.0.2-1", "urgency": "high", "repositories": {"bookworm": "3.0.1-1"}},
            "trixie": {"status": "resolved", "fixed_version": "3.0.1-1"}}},
        "CVE-2023-0002": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3.0.1-1"}}},
        "CVE-2023-0003": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3.0.4-1"}}},
        "CVE-2023-0004": {"releases": {"bookworm": {"status": "open"}}},
        "CVE-2023-0005": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "0"}}}},
        "linux": {"CVE-2024-1": {"releases": {"sid": {"status": "undetermined"}}}}}"#;
    std::fs::write(&path, data).unwrap();
    let tracker = Tracker::read(&path, "bookworm").unwrap();
    let told = |changes: &[changes::Change]| -> Vec<String> {
        let version = |version: &Option<String>| version.clone().unwrap_or("-".into());
        let one = |change: &changes::Change| {
            let suite = change.suite.as_deref().unwrap_or("-");
            let marked = if change.security { "!" } else { "" };
            format!(
                "{} {} {} {suite}{marked} {}",
                change.package,
                version(&change.old),
                version(&change.new),
                change.closes.join(" ")
            )
        };
        changes.iter().map(one).collect()
    };
    assert_eq!(
        told(&between(&before, &after, &new, Some(&tracker))),
        [
            "libssl3 3.0.1-1+b1 3.0.3-1 bookworm-security! CVE-2023-0001",
            "old 1 - - ",
            "openssl 3.0.1-1 3.0.3-1 bookworm-security! CVE-2023-0001",
            "young - 1 bookworm ",
        ]
    );
    let behind = |lock, catalogue| behind(lock, catalogue, &older(lock, catalogue), None);
    assert_eq!(
        told(&behind(&before, &new)),
        ["libssl3 3.0.1-1+b1 3.0.3-1 bookworm-security! ", "old 1 - - ", "openssl 3.0.1-1 3.0.3-1 bookworm-security! "]
    );
    assert_eq!(behind(&after, &new), []);
    // What is ahead of a mirror is not behind it, if that one is older than the lock; if not, it was taken back.
    let mut later = after.clone();
    later.release_date += 1;
    assert_eq!(older(&later, &old), ["bookworm"]);
    assert_eq!(told(&behind(&later, &old)), ["young 1 - - "]);
    assert_eq!(older(&after, &old), [""; 0]);
    assert_eq!(
        told(&behind(&after, &old)),
        ["libssl3 3.0.3-1 3.0.1-1+b1 bookworm ", "openssl 3.0.3-1 3.0.1-1 bookworm ", "young 1 - - "]
    );
    // A point release has taken the security update in.
    let updated = [("openssl", "3.0.3-1", ""), ("libssl3", "3.0.4-1", ""), ("old", "1", ""), ("same", "1", "")];
    let point = debian(&updated, &[], &[("openssl", "3.0.3-1", ""), ("libssl3", "3.0.3-1", "")]);
    assert_eq!(
        told(&behind(&before, &point)),
        ["libssl3 3.0.1-1+b1 3.0.4-1 bookworm! ", "openssl 3.0.1-1 3.0.3-1 bookworm! "]
    );
    // The same version with other bytes is another file.
    let all = text(&[("openssl", "3.0.1-1", ""), ("libssl3", "3.0.1-1+b1", ""), ("old", "1", ""), ("same", "1", "")]);
    let other = all.replace(&Digest::of("same 1").to_string(), &Digest::of("other").to_string());
    let other = Catalogue::new(vec![section(0, &other), section(1, ""), section(2, "")]);
    assert_eq!(told(&behind(&before, &other)), ["same 1 1 bookworm "]);

    for (text, release, why) in [
        ("[]", "bookworm", "not the security tracker's data"),
        ("<html>", "bookworm", "line 1 column 1"),
        (data, "noble", "it says nothing of noble"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Tracker::read(&path, release).unwrap_err().message();
        assert!(
            error.contains(why) && error.contains("tracker.json") && error.contains("tracker/data/json"),
            "{error}"
        );
    }
}
