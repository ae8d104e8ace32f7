//! The errors of the rooms in `packaging/`.

use deb::DebError;
use deb::changelog::ChangelogError;
use deb::manifest::ManifestError;
use deb::split::SplitError;
use fetch::debian::{DebianError, Unusable};
use fetch::download::{DownloadError, FailedFile, Tried};
use fetch::source::{Deviation, SourceError};
use foundation::bytes::ByteSize;
use foundation::config::{ConfigError, parse_toml};
use foundation::digest::Digest;
use foundation::store::{Holder, StoreError};
use recipe::RecipeError;
use recipe::components::ComponentsError;
use recipe::quarantine::QuarantineError;
use recipe::root_lock::LockError;
use recipe::target::{TargetError, TargetName, look_over_suffix};
use sign::debsig::DebsigError;
use sign::gpgv::GpgvError;
use sign::signer::SignError;
use sign::sums::SumsError;
use statements::proof::dsse::DsseError;
use statements::rebuild::RebuildError;
use statements::verify::VerifyError;

use crate::{damaged, denied, digest, keep, messages, missing, misspelt, path, shown};

#[test]
fn foundation() {
    messages!(
        "foundation.StoreError",
        StoreError {
            Io: [
                StoreError::Io { what: "write", path: path("/cache/tmp/a"), source: denied() },
                StoreError::Io { what: "read", path: path("/cache/blobs/sha256/ab/abcd"), source: missing() },
            ],
            Full: [StoreError::Full { path: path("/cache/tmp/a"), free: Some(ByteSize(12 << 20)) }],
            Mismatch: [StoreError::Mismatch {
                name: "mesos-1.7.2.tar.gz".into(),
                expected: digest("pinned"),
                found: digest("other"),
            }],
            Damaged: [damaged()],
            Missing: [StoreError::Missing { digest: digest("pinned"), root: path("/cache") }],
            Locked: [StoreError::Locked {
                path: path("/cache"),
                holder: Holder {
                    pid: 4711,
                    what: "package mesos for debian-12/amd64".into(),
                    command: "xtask package".into(),
                    started: 1_800_000_000,
                },
            }],
            NoPlace: [StoreError::NoPlace],
        }
    );
    messages!(
        "foundation.ConfigError",
        ConfigError {
            Read: [ConfigError::Read { path: path("recipes/demo/recipe.toml"), source: missing() }],
            Parse: [misspelt(), unclosed(), not_a_size()],
        }
    );
    let text = shown("NotASize", "4 bananas".parse::<ByteSize>().unwrap_err())
        + &shown("NotADigest", "abc".parse::<Digest>().unwrap_err());
    keep("foundation.parsing", text);
}

/// A file whose syntax is wrong.
fn unclosed() -> ConfigError {
    parse_toml::<toml::Table>(&path("recipes/demo/recipe.toml"), "name = 'demo'\nmaintainer = 'Demo\n").unwrap_err()
}

/// A value that a type of ours refuses.
fn not_a_size() -> ConfigError {
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only its type counts")]
    struct Build {
        memory: ByteSize,
    }
    parse_toml::<Build>(&path("recipes/demo/recipe.toml"), "memory = '4 bananas'\n").unwrap_err()
}

#[test]
fn recipe() {
    let recipe_toml = || path("recipes/demo/recipe.toml");
    let target = |name: &str| name.parse::<TargetName>().unwrap();
    messages!(
        "recipe.RecipeError",
        RecipeError {
            Unknown: [RecipeError::Unknown {
                name: "meso".into(),
                looked: "mesos, sample and /home/me/meso/recipe.toml".into()
            }],
            Ambiguous: [RecipeError::Ambiguous {
                name: "demo".into(),
                folders: [path("packaging/demo"), path("tests/fixtures/demo")],
            }],
            Config: [misspelt().into()],
            Input: [RecipeError::Input {
                recipe: "demo".into(),
                path: path("recipes/demo/phases/build"),
                source: missing()
            }],
            Store: [damaged().into()],
            Restless: [RecipeError::Restless { folder: path("recipes/demo") }],
            LineEnds: [RecipeError::LineEnds { path: path("recipes/demo/phases/build"), line: 2 }],
            Invalid: [RecipeError::Invalid {
                path: recipe_toml(),
                message: "there is no [[phase]]: name at least one, with its script in phases/".into(),
            }],
        }
    );
    messages!(
        "recipe.LockError",
        LockError {
            Missing: [LockError::Missing {
                what: "build root",
                path: path("containers/targets/debian-12-amd64.lock"),
                command: "cargo xtask lock --target debian-12/amd64".into(),
            }],
            Config: [LockError::Config {
                error: misspelt(),
                command: "cargo xtask lock --target debian-12/amd64".into()
            }],
            Other: [LockError::Other {
                path: path("containers/targets/debian-12-amd64.lock"),
                found: "the recipe sample".into(),
                expected: "the recipe mesos".into(),
                command: "cargo xtask lock --target debian-12/amd64 --recipe mesos".into(),
            }],
        }
    );
    messages!(
        "recipe.ComponentsError",
        ComponentsError {
            Config: [misspelt().into()],
            Bundled: [ComponentsError::Bundled {
                path: path("recipes/demo/components.toml"),
                component: "zlib".into(),
                bundled: "3rdparty/zlib.tar.gz".into(),
            }],
            Package: [ComponentsError::Package {
                path: path("recipes/demo/components.toml"),
                component: "zlib".into(),
                package: "demo-x".into(),
                known: "demo, demo-dev".into(),
            }],
        }
    );
    messages!(
        "recipe.QuarantineError",
        QuarantineError {
            Config: [misspelt().into()],
            Invalid: [QuarantineError::Invalid {
                path: path("recipes/demo/quarantine.toml"),
                program: "demo-tests".into(),
                test: "Timer.Fires".into(),
                message: "expires = 2020-01-01 is more than a year away from its since".into(),
            }],
        }
    );
    messages!(
        "recipe.TargetError",
        TargetError {
            Unknown: [TargetError::Unknown {
                name: target("debian-13/amd64"),
                known: "debian-11/amd64, debian-12/amd64".into(),
                path: path("containers/targets/debian-13-amd64.toml"),
            }],
            Config: [misspelt().into()],
            Name: [TargetError::Name {
                path: path("containers/targets/debian-13-amd64.toml"),
                found: target("debian-12/amd64"),
                expected: target("debian-13/amd64"),
            }],
            FileName: [TargetError::FileName { path: path("containers/targets/debian_13.toml") }],
            Field: [TargetError::Field {
                path: path("containers/targets/debian-13-amd64.toml"),
                line: 38,
                why: "the component main of trixie-security was named before".into(),
            }],
            Suffix: [TargetError::Suffix {
                path: path("containers/targets/debian-13-amd64.toml"),
                line: 5,
                why: look_over_suffix("deb13u1").unwrap_err(),
            }],
            SameSuffix: [TargetError::SameSuffix {
                path: path("containers/targets/debian-13-amd64.toml"),
                line: 5,
                suffix: "~deb12u1".into(),
                other: path("containers/targets/debian-12-amd64.toml"),
            }],
            Taken: [TargetError::Taken {
                option: "--suite",
                value: "trixie".into(),
                other: path("containers/targets/debian-13-amd64.toml"),
            }],
            OutsideUsr: [TargetError::OutsideUsr {
                path: path("containers/targets/debian-11-amd64.toml"),
                line: 31,
                folder: "opt/systemd".into(),
            }],
        }
    );
    keep("recipe.parsing", shown("NotATarget", "debian".parse::<TargetName>().unwrap_err()));
}

fn tried(wrong: bool) -> Tried {
    Tried {
        url: "https://mirror.example.org/debian/pool/main/h/hello/hello_2.10-3_amd64.deb".into(),
        why: if wrong {
            format!("its sha256 is {}, expected {}", digest("other"), digest("pinned"))
        } else {
            "HTTP 404".into()
        },
        wrong,
    }
}

fn unusable(reason: Unusable, why: &str) -> DebianError {
    let url = "https://mirror.example.org/debian/dists/bookworm/InRelease".into();
    let tried = vec![Tried { url, why: why.into(), wrong: reason > Unusable::Missing }];
    DebianError::Release { suite: "bookworm".into(), tried, reason }
}

fn not_downloaded() -> DownloadError {
    DownloadError::Failed {
        files: vec![FailedFile { name: "hello_2.10-3_amd64.deb".into(), tried: vec![tried(false)] }],
    }
}

#[test]
fn fetch() {
    let failed =
        |tried| DownloadError::Failed { files: vec![FailedFile { name: "hello_2.10-3_amd64.deb".into(), tried }] };
    messages!(
        "fetch.DownloadError",
        DownloadError {
            Offline: [DownloadError::Offline { missing: (1..8).map(|n| format!("lib{n}.deb")).collect() }],
            Failed: [not_downloaded(), failed(vec![tried(true)]), failed(Vec::new()),],
            Store: [damaged().into()],
        }
    );
    messages!(
        "fetch.DebianError",
        DebianError {
            Download: [not_downloaded().into()],
            Store: [damaged().into()],
            Config: [misspelt().into()],
            Mirror: [DebianError::Mirror { from: "--mirror".into(), url: "mirror.example.org".into() }],
            Snapshot: [DebianError::Snapshot("yesterday".into())],
            Release: [
                unusable(Unusable::Silent, "it does not answer"),
                unusable(Unusable::Missing, "HTTP 404"),
                unusable(Unusable::Expired, "it expired: Valid-Until is Sat, 18 Jul 2026 10:16:37 +0000"),
                unusable(Unusable::Untrusted, "it is not signed by a key of the target's keyring"),
            ],
            SuiteLacks: [DebianError::SuiteLacks {
                suite: "noble-updates".into(),
                archive: "https://snapshot.ubuntu.com/ubuntu".into(),
                what: "component",
                asked: "universes".into(),
                has: "main, restricted, universe, multiverse".into(),
            }],
            Conflict: [DebianError::Conflict {
                package: "hello 2.10-3".into(),
                places: format!(
                    "  bookworm main: pool/main/h/hello/hello_2.10-3_amd64.deb, sha256 {}\n  \
                     bookworm-security main: pool/updates/main/h/hello/hello_2.10-3_amd64.deb, sha256 {}",
                    digest("one"),
                    digest("other")
                ),
            }],
            Tracker: [DebianError::Tracker {
                path: path("/home/me/tracker.json"),
                why: "it says nothing of noble".into()
            }],
            NoGpgv: [DebianError::NoGpgv(missing())],
            Index: [DebianError::Index {
                name: "main/binary-amd64/Packages.xz".into(),
                why: "the package hello has no SHA256".into()
            }],
            Unsatisfied: [DebianError::Unsatisfied {
                wanted_by: "the base".into(),
                dependency: "libfoo1 (>= 2)".into(),
                field: Some("suite"),
            }],
            NotInSuite: [DebianError::NotInSuite {
                dependency: "libfoo-dev (>= 2)".into(),
                suite: "trixie".into(),
                architecture: "arm64".into(),
                field: None,
            }],
            Solution: [DebianError::Solution("it says nothing between its marks".into())],
        }
    );
    messages!(
        "fetch.SourceError",
        SourceError {
            Store: [damaged().into()],
            Read: [SourceError::Read { path: path("/home/me/mesos"), source: denied() }],
            NoSource: [SourceError::NoSource { path: path("/home/me/mesos.zip"), why: "it is a zip archive".into() }],
            Unsafe: [SourceError::Unsafe {
                source_name: "/home/me/mesos".into(),
                entry: "run/socket".into(),
                why: "is a socket".into(),
            }],
            Pattern: [SourceError::Pattern { pattern: "3rdparty/[".into(), why: "unclosed character class".into() }],
            Bundled: [SourceError::Bundled {
                source_name: "the commit 3f2a".into(),
                deviations: vec![
                    Deviation::Bundled {
                        path: "3rdparty/a.tar.gz".into(),
                        expected: Some(digest("pinned")),
                        found: Some(digest("other"))
                    },
                    Deviation::Bundled {
                        path: "3rdparty/b.tar.gz".into(),
                        expected: Some(digest("pinned")),
                        found: None
                    },
                    Deviation::Bundled {
                        path: "3rdparty/c.tar.gz".into(),
                        expected: None,
                        found: Some(digest("other"))
                    },
                ],
            }],
            Git: [SourceError::Git { what: "cannot fetch".into(), why: "fatal: not a git repository".into() }],
            NoTag: [SourceError::NoTag {
                place: "/home/me/mesos".into(),
                tag: "1.7.4".into(),
                near: "it has 1.11.0, 1.7.3".into(),
            }],
            OtherCommit: [SourceError::OtherCommit {
                place: "/home/me/mesos".into(),
                tag: "1.7.3".into(),
                found: "5f617044".into(),
                expected: "0aa065f3".into(),
            }],
            CherryPick: [SourceError::CherryPick {
                commit: "68edd88d".into(),
                onto: "0aa065f3".into(),
                why: "it conflicts in src/master/master.cpp".into(),
            }],
            Unreachable: [
                SourceError::Unreachable { commit: "0aa065f3".into(), tried: vec![tried(false)] },
                SourceError::Unreachable { commit: "0aa065f3".into(), tried: Vec::new() },
            ],
        }
    );
}

fn no_package() -> ManifestError {
    ManifestError::Invalid {
        path: path("recipes/demo/deb/Cargo.toml"),
        problem: "there is no package: write one [package.metadata.deb.variants.NAME] for each".into(),
    }
}

#[test]
fn deb() {
    messages!(
        "deb.ChangelogError",
        ChangelogError {
            Read: [ChangelogError::Read { path: path("recipes/demo/deb/changelog"), source: missing() }],
            Format: [ChangelogError::Format {
                path: path("recipes/demo/deb/changelog"),
                line: 1,
                problem: "the version '1.7.2 1' has a space".into(),
            }],
            Subject: [ChangelogError::Subject {
                path: path("recipes/demo/deb/changelog"),
                line: 1,
                problem: "the version 1.7.1-1 is none of upstream's 1.7.2, which recipe.toml has".into(),
            }],
        }
    );
    messages!(
        "deb.ManifestError",
        ManifestError {
            Config: [misspelt().into()],
            Invalid: [no_package()],
            Read: [ManifestError::Read { path: path("/cache/stages/staged/abcd/usr"), source: denied() }],
        }
    );
    messages!(
        "deb.SplitError",
        SplitError {
            Manifest: [no_package().into()],
            Read: [SplitError::Read { path: path("/cache/stages/split/abcd/variables"), source: missing() }],
            Result: [SplitError::Result {
                path: path("/cache/stages/split/abcd/variables"),
                problem: "line 3 is not KEY=VALUE".into()
            }],
        }
    );
    messages!(
        "deb.DebError",
        DebError {
            Manifest: [no_package().into()],
            CargoDeb: [DebError::CargoDeb {
                package: "demo".into(),
                message: "the file usr/bin/demo is missing".into()
            }],
            Store: [damaged().into()],
            File: [DebError::File { what: "write", path: path("/srv/dist/demo_1.0_amd64.deb"), source: denied() }],
            Package: [DebError::Package { package: "demo".into(), problem: "its version 1:1.0 has an epoch".into() }],
        }
    );
}

pub(super) const KEY: &str = "6A38E98CAAABCF48B2969FECD2F0A3E872F16578";

pub(super) fn no_key() -> SignError {
    SignError::NoKey { key: "release@example.org".into(), place: "your key ring".into() }
}

pub(super) fn unsigned() -> GpgvError {
    GpgvError::Signature {
        path: path("/srv/dist/SHA256SUMS"),
        keyring: path("/etc/keys/release.gpg"),
        found: "it is signed with another key".into(),
    }
}

#[test]
fn sign() {
    messages!(
        "sign.SignError",
        SignError {
            NoGpg: [SignError::NoGpg { source: missing() }],
            NoKey: [no_key()],
            Unasked: [SignError::Unasked { key: KEY.into() }],
            Several: [SignError::Several {
                key: "release@example.org".into(),
                place: "your key ring".into(),
                found: [KEY, "AAABCF48"].map(|key| format!("{key} Release <release@example.org>")).into(),
            }],
            Passphrase: [SignError::Passphrase { key: KEY.into() }],
            Expired: [SignError::Expired { key: KEY.into() }],
            Unusable: [SignError::Unusable { key: KEY.into(), state: "is revoked".into() }],
            NotOne: [SignError::NotOne { place: "/run/secrets/key.asc".into(), count: 2 }],
            Local: [SignError::Local {
                version: "1.7.2-1+local".into(),
                user_id: "Release <release@example.org>".into()
            }],
            Gpg: [SignError::Gpg {
                what: "sign".into(),
                message: "gpg: signing failed: Inappropriate ioctl for device".into()
            }],
            File: [SignError::File { path: path("/run/secrets/key.asc"), source: denied() }],
        }
    );
    messages!(
        "sign.GpgvError",
        GpgvError {
            NoGpgv: [GpgvError::NoGpgv(missing())],
            File: [GpgvError::File { path: path("/etc/keys/release.gpg"), source: missing() }],
            Armored: [GpgvError::Armored { path: path("/etc/keys/release.asc") }],
            NoKeys: [GpgvError::NoKeys { path: path("/etc/keys/release.gpg") }],
            Missing: [GpgvError::Missing {
                path: path("/srv/dist/SHA256SUMS.asc"),
                because: "the file beside it has to be signed"
            }],
            NotOnly: [GpgvError::NotOnly { path: path("/srv/dist/SHA256SUMS.asc") }],
            Signature: [unsigned()],
        }
    );
    messages!(
        "sign.SumsError",
        SumsError {
            Sign: [no_key().into()],
            File: [SumsError::File { path: path("/srv/dist/SHA256SUMS"), source: denied() }],
        }
    );
    messages!(
        "sign.DebsigError",
        DebsigError {
            Sign: [no_key().into()],
            Format: [DebsigError::Format {
                path: path("/srv/dist/demo_1.0_amd64.deb"),
                problem: "it has no control.tar".into()
            }],
            Changed: [DebsigError::Changed {
                path: path("/cache/stages/packages/abcd/demo_1.0_amd64.deb"),
                expected: digest("written"),
                found: digest("other"),
            }],
            File: [DebsigError::File { path: path("/srv/dist/demo_1.0_amd64.deb"), source: denied() }],
        }
    );
}

fn no_envelope() -> DsseError {
    DsseError::Envelope { path: path("/srv/dist/provenance.intoto.jsonl"), found: "2 signatures".into() }
}

#[test]
fn statements() {
    messages!(
        "statements.DsseError",
        DsseError {
            Signature: [unsigned().into()],
            Envelope: [no_envelope()],
            Statement: [DsseError::Statement {
                path: path("/srv/dist/provenance.intoto.jsonl"),
                found: "missing field `subject` at line 1 column 20".into(),
            }],
        }
    );
    messages!(
        "statements.VerifyError",
        VerifyError {
            Gpgv: [unsigned().into()],
            Dsse: [no_envelope().into()],
            File: [VerifyError::File { path: path("/srv/dist/demo_1.0_amd64.deb"), source: denied() }],
            NoFolder: [VerifyError::NoFolder { path: path("/srv/dist") }],
            Missing: [VerifyError::Missing {
                path: path("/srv/dist/demo_1.0_amd64.deb"),
                because: "SHA256SUMS lists it"
            }],
            List: [VerifyError::List { path: path("/srv/dist/SHA256SUMS"), found: "../evil".into() }],
            Digest: [VerifyError::Digest {
                path: path("/srv/dist/demo_1.0_amd64.deb"),
                expected: digest("pinned"),
                found: digest("other"),
            }],
            Contradiction: [VerifyError::Contradiction {
                path: path("/srv/dist/demo_1.0_amd64.cdx.json"),
                expected: "specVersion 1.6".into(),
                found: "1.4".into(),
            }],
            Unlisted: [VerifyError::Unlisted { path: path("/srv/dist/evil_1.0_all.deb") }],
            Subject: [VerifyError::Subject {
                path: path("/srv/dist/test-result.json"),
                expected: "demo_1.0_amd64.deb with sha256 0a".into(),
                found: "no demo_1.0_amd64.deb".into(),
            }],
        }
    );
    messages!(
        "statements.RebuildError",
        RebuildError {
            File: [RebuildError::File { what: "read", path: path("/srv/dist"), source: missing() }],
            BuildInfo: [RebuildError::BuildInfo {
                folder: path("/srv/dist"),
                found: "2 .buildinfo files".into(),
                what: "the packages".into(),
            }],
            Field: [RebuildError::Field {
                path: path("/srv/dist/demo_1.0_amd64.buildinfo"),
                field: "Mesos-Packages-Plan".into()
            }],
            Digest: [RebuildError::Digest {
                path: path("/srv/dist/demo_1.0_amd64.deb"),
                expected: digest("pinned"),
                found: digest("other"),
            }],
            Plan: [RebuildError::Plan {
                path: path("/srv/dist/plan.json"),
                expected: digest("pinned"),
                found: digest("other")
            }],
            Download: [not_downloaded().into()],
        }
    );
}
