//! The errors of the apt repository and of the places that it is pushed to.

use crate::packaging::{KEY, no_key, unsigned};
use crate::{damaged, denied, digest, messages, misspelt, path};
use deb::DebError;
use foundation::bytes::ByteSize;
use places::PlaceError;
use repository::{Refusal, RepositoryError};
use results::ResultsError;
use statements::verify::VerifyError;

#[test]
fn repository() {
    let repo = || path("/srv/apt");
    let dist = || path("/srv/dist");
    let refused = |refusal: Refusal| RepositoryError::Refused(Box::new(refusal));
    messages!(
        "repository.Refusal",
        Refusal {
            DevelopmentKey: [Refusal::DevelopmentKey { dist: dist(), key: KEY.into() }],
            Local: [Refusal::Local { package: "demo_1.0+local_amd64.deb".into() }],
            Untested: [Refusal::Untested { dist: dist() }],
            TestsFailed: [Refusal::TestsFailed { dist: dist(), failed: 3 }],
            Empty: [Refusal::Empty { dist: dist() }],
            Differs: [Refusal::Differs {
                package: "demo_1.0_amd64.deb".into(),
                description: path("/srv/dist/demo_1.0_amd64.changes"),
                expected: "sha256 0a, 1200 bytes".into(),
                found: "sha256 0b, 1300 bytes".into(),
            }],
            Missing: [Refusal::Missing {
                package: "demo_1.0_amd64.deb".into(),
                description: path("/srv/dist/demo_1.0_amd64.changes")
            }],
            Description: [Refusal::Description { path: dist(), expected: "one .changes" }],
            NotAPackage: [Refusal::NotAPackage {
                path: path("/srv/dist/demo_1.0_amd64.deb"),
                problem: "it was changed while it was read".into()
            }],
            Architecture: [Refusal::Architecture {
                package: "demo_1.0_arm64.deb".into(),
                architecture: "arm64".into(),
                known: "amd64".into(),
            }],
            Unusable: [Refusal::Unusable {
                problems: vec![
                    "/srv/dist/demo_1.0_amd64.deb: its control file has no field Description".into(),
                    "demo_1.0_amd64.deb: dpkg says: 'Depends' field, reference to 'libc6': '>' is obsolete".into(),
                ]
            }],
            Statement: [Refusal::Statement {
                path: dist().join("demo.rebuild.AAAA.intoto.jsonl"),
                problem: "it is about none of the packages beside it".into(),
            }],
            Published: [Refusal::Published {
                package: "demo_1.0_amd64.deb".into(),
                published: digest("pinned"),
                found: digest("other")
            }],
        }
    );
    messages!(
        "repository.RepositoryError",
        RepositoryError {
            Io: [RepositoryError::Io { what: "write", path: path("/srv/apt/pool"), source: denied() }],
            Full: [RepositoryError::Full { path: path("/srv/apt/pool"), free: Some(ByteSize(12 << 20)) }],
            None: [RepositoryError::None { path: repo() }],
            Exists: [RepositoryError::Exists { path: repo() }],
            Setting: [RepositoryError::Setting {
                what: "--component",
                value: "Main".into(),
                problem: "is not a component of this repository, only main, debug".into(),
            }],
            Config: [misspelt().into()],
            ServerClock: [RepositoryError::ServerClock {
                uri: "https://packages.example.org/mesos".into(),
                now: "Sat, 28 Nov 2026 12:00:00 +0000".into(),
                theirs: "Thu, 26 Nov 2026 12:00:00 +0000".into(),
            }],
            CutOff: [
                RepositoryError::CutOff {
                    codename: "bookworm".into(),
                    version: "2026.11.14".into(),
                    accepted: "AAAA".into(),
                    own: "BBBB".into(),
                    newest: false,
                },
                RepositoryError::CutOff {
                    codename: "bookworm".into(),
                    version: "2026.11.28".into(),
                    accepted: "CCCC".into(),
                    own: "BBBB".into(),
                    newest: true,
                },
            ],
            Unsettled: [
                RepositoryError::Unsettled { codename: "bookworm".into(), since: None, ready: None, days: 14 },
                RepositoryError::Unsettled {
                    codename: "bookworm".into(),
                    since: Some("2026-11-20".into()),
                    ready: Some("2026-12-04".into()),
                    days: 14,
                },
            ],
            StandByUnknown: [
                RepositoryError::StandByUnknown { codename: "bookworm".into(), since: None, ready: None },
                RepositoryError::StandByUnknown {
                    codename: "bookworm".into(),
                    since: Some("Fri, 20 Nov 2026 12:00:00 +0000".into()),
                    ready: Some("Fri, 04 Dec 2026 12:00:00 +0000".into()),
                },
            ],
            ReleaseInfo: [RepositoryError::ReleaseInfo {
                codename: "bookworm".into(),
                field: "Label",
                from: "Mesos".into(),
                to: "Mesos packages".into(),
            }],
            State: [RepositoryError::State {
                path: path("/srv/apt/.repository/ledger.json"),
                problem: "it is missing".into()
            }],
            Lock: [damaged().into()],
            Sign: [no_key().into()],
            Verify: [VerifyError::NoFolder { path: dist() }.into()],
            Gpgv: [unsigned().into()],
            Keyring: [DebError::Package {
                package: "demo-archive-keyring".into(),
                problem: "its version is empty".into()
            }
            .into()],
            Refused: [refused(Refusal::Untested { dist: dist() })],
            Keys: [RepositoryError::Keys(
                "one key signs a repository, or two: give it with --key or --key-file".into()
            )],
            Codename: [RepositoryError::Codename {
                codename: "trixie".into(),
                known: "bookworm".into(),
                settings: path("/srv/apt/.repository/settings.toml"),
            }],
            NotThere: [
                RepositoryError::NotThere {
                    codename: "bookworm".into(),
                    package: "demo=1.2-1".into(),
                    known: "1.0-1, 1.1-1".into(),
                },
                RepositoryError::NotThere {
                    codename: "bookworm".into(),
                    package: "dmeo=1.0-1".into(),
                    known: String::new(),
                },
            ],
            Snapshot: [RepositoryError::Snapshot { codename: "bookworm".into(), number: 9, known: "1 to 4".into() }],
            Clock: [RepositoryError::Clock {
                codename: "bookworm".into(),
                now: "Thu, 01 Jan 2026 00:00:00 +0000".into(),
                live: "Fri, 02 Jan 2026 00:00:00 +0000".into(),
            }],
            Unsound: [RepositoryError::Unsound {
                path: repo(),
                problems: vec![
                    "pool/main/d/demo/demo_1.0_amd64.deb is missing".into(),
                    "dists/bookworm is no link".into()
                ],
            }],
            Served: [RepositoryError::Served {
                url: "https://packages.example.org/mesos".into(),
                problems: vec!["dists/bookworm/InRelease: clients cannot fetch it: HTTP 404".into()],
            }],
            Pool: [RepositoryError::Pool {
                path: path("/srv/apt/pool/main/d/demo/demo_1.0_amd64.deb"),
                expected: digest("pinned"),
                found: "no such file".into(),
            }],
            Occupied: [RepositoryError::Occupied {
                path: path("/srv/apt/pool/main/d/demo/demo_1.0_amd64.deb"),
                expected: digest("pinned"),
                found: digest("other"),
            }],
            Incomplete: [RepositoryError::Incomplete {
                path: repo(),
                problems: vec!["pool/main/d/demo/demo_1.0_amd64.deb is missing".into()],
            }],
            Remains: [RepositoryError::Remains { path: repo(), problem: ".repository/keys.json is missing".into() }],
            Unrecorded: [RepositoryError::Unrecorded { path: repo() }],
            Place: [foreign_place().into(), no_connection().into()],
        }
    );
}

fn foreign_place() -> PlaceError {
    PlaceError::Unfit {
        place: "deploy@apt.example.org:/srv/apt".into(),
        problem: "InRelease is there, and no record of whose it is".into(),
        next: "push to an empty place".into(),
    }
}

fn no_connection() -> PlaceError {
    PlaceError::Copy {
        what: "copying the pool (deploy@apt.example.org:/srv/apt)".into(),
        message: "rsync: connection unexpectedly closed".into(),
    }
}

#[test]
fn places() {
    messages!(
        "places.PlaceError",
        PlaceError {
            Io: [PlaceError::Io { what: "make a folder in", path: path("/tmp"), source: denied() }],
            Lock: [damaged().into()],
            Unfit: [foreign_place()],
            Held: [PlaceError::Held {
                place: "s3://builds/results".into(),
                problem: "ci@runner, process 7 has been pushing there since Mon, 23 Nov 2026 05:00:48 +0000 (61 min)"
                    .into(),
                next: "nothing was changed. Wait until that is done; if that run is gone, --break-lock 5f0c".into(),
                seconds: Some(3_660),
            }],
            Copy: [no_connection()],
        }
    );
}

#[test]
fn results() {
    let said = |by: &str, content: &str, place: &str| format!("{by} states {} at {place}", digest(content));
    messages!(
        "results.ResultsError",
        ResultsError {
            Disagreement: [ResultsError::Disagreement {
                what: "packages 3a362348030d".into(),
                one: said("One <one@example.org> (AAAA)", "one", "/srv/results"),
                other: said("Two <two@example.org> (BBBB)", "two", "s3://results/mesos"),
            }],
            TooFewKeys: [ResultsError::TooFewKeys { require: 2, keys: 1, keyring: path("builders.gpg") }],
            KeyRing: [sign::gpgv::GpgvError::NoKeys { path: path("builders.gpg") }.into()],
            Sign: [sign::signer::SignError::Expired { key: KEY.into() }.into()],
            Place: [foreign_place().into(), no_connection().into()],
            Store: [damaged().into()],
            Io: [ResultsError::Io { what: "read", path: path("/cache/stages/staged/ab"), source: denied() }],
            Name: [ResultsError::Name { path: path("/cache/stages/staged/ab/tree/x") }],
            OtherwiseStated: [ResultsError::OtherwiseStated {
                key: KEY.into(),
                place: "/srv/results".into(),
                what: "packages 3a362348030d".into(),
                stated: digest("one"),
                found: digest("two"),
            }],
        }
    );
}
