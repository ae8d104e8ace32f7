//! The errors of the rooms in `containers/`.

use std::time::Duration;

use bench::{BenchError, Rows};
use cluster::ClusterName;
use deb::DebError;
use deb::changelog::ChangelogError;
use deb::manifest::ManifestError;
use deb::split::SplitError;
use farm::FarmError;
use fetch::debian::DebianError;
use fetch::download::DownloadError;
use fetch::source::SourceError;
use foundation::bytes::ByteSize;
use phases::PhaseError;
use phases::circumstances::{Aspect, WantedVariations};
use recipe::RecipeError;
use recipe::components::ComponentsError;
use recipe::quarantine::QuarantineError;
use recipe::root_lock::LockError;
use sign::debsig::DebsigError;
use sign::signer::SignError;
use sign::sums::SumsError;
use statements::rebuild::RebuildError;

use crate::{damaged, denied, digest, keep, messages, missing, misspelt, path, shown};

fn no_engine() -> engine::Error {
    engine::Error::NoEngine { tried: "  the default: /var/run/docker.sock: No such file or directory".into() }
}

#[test]
fn engine() {
    messages!(
        "engine.Error",
        engine::Error {
            NoEngine: [no_engine()],
            Named: [engine::Error::Named {
                named: "the container engine that DOCKER_HOST names, tcp://build.example.org:2376,".into(),
                why: "no answer within 10 s".into(),
                next: "start the engine there or correct DOCKER_HOST",
            }],
            Architecture: [engine::Error::Architecture {
                endpoint: "tcp://build.example.org:2376".into(),
                has: "arm64".into(),
                wants: "amd64".into(),
            }],
            NotEmulated: [engine::Error::NotEmulated {
                endpoint: "unix:///var/run/docker.sock".into(),
                has: "amd64".into(),
                wants: "arm64".into(),
                why: "there is no /proc/sys/fs/binfmt_misc/qemu-aarch64".into(),
            }],
            Setup: [engine::Error::Setup {
                step: "apt-get install docker.io".into(),
                why: "it ended with exit status 100".into(),
                next: "set apt right (`apt-get update` tells more), then run the same command again".into(),
            }],
            Engine: [engine::Error::Engine {
                doing: "making the volume demo".into(),
                why: "no space left on device".into()
            }],
            EngineGone: [engine::Error::EngineGone {
                doing: "starting the container of phase build".into(),
                endpoint: "/var/run/docker.sock".into(),
                why: "connection refused".into(),
            }],
            KilledFromOutside: [engine::Error::KilledFromOutside { name: "phase build".into(), exit: 137 }],
            Io: [engine::Error::Io { doing: "write", path: path("/cache/log"), source: denied() }],
            Verification: [engine::Error::Verification {
                path: path("/cache/blobs/sha256/ab/abcd"),
                name: "hello".into(),
                version: "2.10-3".into(),
                expected: digest("pinned").to_string(),
                why: format!("its sha256 is {} (7 bytes, not 9)", digest("other")),
            }],
            Archive: [engine::Error::Archive {
                archive: "hello_2.10-3_amd64.deb".into(),
                why: "it has no data.tar that this tool can read (gz, xz, zst)".into()
            }],
            Root: [engine::Error::Root {
                what: "build root",
                step: "dpkg --configure".into(),
                exit: 1,
                tail: "dpkg: dependency problems prevent configuration of hello".into(),
                next: "the lock is incomplete: make it again with `cargo xtask lock`".into(),
            }],
            Request: [engine::Error::Request("the file of hello 2.10-3 is missing: run `cargo xtask fetch`".into())],
        }
    );
}

fn no_worker() -> FarmError {
    FarmError::NoWorker {
        list: "  10.0.0.5:3632 does not answer: is `cargo xtask worker` running there, and the port open?".into(),
    }
}

#[test]
fn farm() {
    messages!("farm.FarmError", FarmError { Engine: [no_engine().into()], NoWorker: [no_worker()] });
}

fn timed_out() -> PhaseError {
    PhaseError::TimedOut { phase: "check".into(), after: Duration::from_secs(3600), log: path("/cache/logs/check") }
}

#[test]
fn phases() {
    messages!(
        "phases.PhaseError",
        PhaseError {
            Engine: [no_engine().into()],
            OutOfMemory: [PhaseError::OutOfMemory {
                phase: "build".into(),
                what: "src/master/master.cpp".into(),
                budget: "2 GiB".into(),
                hint: ", such as `--memory 3GiB`".into(),
                record: Box::default(),
            }],
            TimedOut: [timed_out()],
        }
    );
    keep("phases.parsing", shown("NotAnAspect", "+weather".parse::<WantedVariations>().unwrap_err()));
}

#[test]
fn pipeline() {
    use phases::first_error::FirstError;
    use pipeline::Error;
    let recipe = || "demo".to_owned();
    messages!(
        "pipeline.Error",
        Error {
            Containers: [no_engine().into()],
            Ended: [timed_out().into()],
            Results: [results::ResultsError::Name { path: path("/cache/stages/staged/ab/tree/x") }.into()],
            Farm: [no_worker().into()],
            TooMuch: [phases::usage::TooMuch::Memory { asked: 64 << 30, has: 24 << 30 }.into()],
            NoRecord: [Error::NoRecord { phase: "build".into() }],
            NoCheck: [Error::NoCheck { recipe: recipe() }],
            InRecipe: [Error::InRecipe {
                told: "packaging/mesos/quarantine.toml: the entry has no reason".into(),
                error: Box::new(QuarantineError::from(misspelt()).into()),
            }],
            Quarantine: [QuarantineError::from(misspelt()).into()],
            Components: [ComponentsError::from(misspelt()).into()],
            OtherTests: [Error::OtherTests { tested: digest("tested"), packed: digest("packed") }],
            Unsound: [Error::Unsound { failures: 3, expired: 1, results: path("dist/check/debian-12-amd64") }],
            Store: [damaged().into()],
            Recipe: [RecipeError::from(misspelt()).into()],
            Lock: [LockError::Config { error: misspelt(), command: "cargo xtask lock".into() }.into()],
            Config: [misspelt().into()],
            Changelog: [ChangelogError::Read { path: path("recipes/demo/deb/changelog"), source: missing() }.into()],
            Source: [SourceError::Unreachable { commit: "0aa065f3".into(), tried: Vec::new() }.into()],
            Debian: [DebianError::Snapshot("yesterday".into()).into()],
            InTarget: [Error::InTarget {
                place: "containers/targets/debian-12-amd64.toml, line 6".into(),
                error: Box::new(DebianError::SuiteLacks {
                    suite: "bookworm".into(),
                    archive: "https://archive.example.org/debian".into(),
                    what: "component",
                    asked: "universe".into(),
                    has: "main, contrib".into(),
                }),
            }],
            Download: [DownloadError::Offline { missing: vec!["hello_2.10-3_amd64.deb".into()] }.into()],
            Manifest: [ManifestError::from(misspelt()).into()],
            Split: [SplitError::Read { path: path("/cache/stages/split/abcd/variables"), source: missing() }.into()],
            Deb: [DebError::CargoDeb { package: "demo".into(), message: "the file usr/bin/demo is missing".into() }
                .into()],
            Sign: [SignError::NotOne { place: "/run/secrets/key.asc".into(), count: 2 }.into()],
            Debsig: [DebsigError::File { path: path("/srv/dist/demo_1.0_amd64.deb"), source: denied() }.into()],
            Sums: [SumsError::File { path: path("/srv/dist/SHA256SUMS"), source: denied() }.into()],
            TooLarge: [Error::TooLarge {
                phase: "build".into(),
                file: "src/master/master.cpp".into(),
                needed: ByteSize(3 << 30),
                budget: ByteSize(2 << 30),
                least: "3328MiB".into(),
                figures: path("recipes/demo/compile-memory"),
            }],
            Phase: [
                Error::Phase {
                    phase: "build".into(),
                    exit: 2,
                    first: None,
                    tail: "demo.cpp:3: error: expected ';'\nmake: *** [Makefile:3: demo.o] Error 1".into(),
                    more: String::new(),
                    log: path("/cache/failed/build-0123.log"),
                    kept: Some(path("/cache/failed/build-0123")),
                },
                Error::Phase {
                    phase: "build".into(),
                    exit: 2,
                    first: Some(FirstError {
                        line: 812,
                        excerpt: "ld: demo.o: in function `main':\ndemo.cpp:3: undefined reference to `nowhere()'"
                            .into(),
                    }),
                    tail: "make: *** [Makefile:3: all] Error 2".into(),
                    more: String::new(),
                    log: path("/cache/failed/build-0123.log"),
                    kept: Some(path("/cache/failed/build-0123")),
                },
            ],
            NoFailedPhase: [
                Error::NoFailedPhase { phase: None, known: String::new() },
                Error::NoFailedPhase { phase: Some("build".into()), known: String::new() },
                Error::NoFailedPhase { phase: Some("build".into()), known: "configure, install".into() },
            ],
            NoStage: [Error::NoStage {
                stage: "instal".into(),
                recipe: recipe(),
                known: "build root, build, packages".into()
            }],
            FailedPhaseGone: [Error::FailedPhaseGone { phase: "build".into(), what: "volume demo-build-0123".into() }],
            Io: [Error::Io { doing: "write", path: path("/srv/dist/report.json"), source: denied() }],
            Changed: [Error::Changed { path: path("/cache/stages/recipe/abcd/phases/build") }],
            NoCluster: [Error::NoCluster { recipe: recipe() }],
            NoMachine: [Error::NoMachine { target: "debian-13/arm64".parse().unwrap() }],
            Signed: [statements::verify::VerifyError::Missing {
                path: path("/srv/.dist.new/demo_1.0_amd64.deb"),
                because: "SHA256SUMS lists it",
            }
            .into()],
            Rebuild: [RebuildError::Field {
                path: path("/srv/dist/demo_1.0_amd64.buildinfo"),
                field: "Mesos-Packages-Plan".into()
            }
            .into()],
            OtherTool: [Error::OtherTool { revision: Some("97b0c4e".into()) }, Error::OtherTool { revision: None },],
            OtherPlan: [Error::OtherPlan {
                recorded: digest("pinned"),
                here: digest("other"),
                differences: "\n  source: 0a, here 0b".into(),
            }],
            NotVaried: [Error::NotVaried { aspect: Aspect::Hostname }],
            Differs: [Error::Differs { different: 1, all: 6, folder: path("dist/rebuild/demo-debian-12-amd64") }],
            Solve: [Error::Solve {
                what: "build root",
                field: "build.dependencies of recipe.toml",
                recipe: recipe(),
                target: "debian-12/amd64".into(),
                output: "E: Unable to locate package libfoo-dev".into(),
            }],
            NoSolver: [Error::NoSolver {
                target: "debian-13/arm64".parse().unwrap(),
                machine: "amd64".into(),
                why: "there is no target debian-13/amd64; the targets are debian-12/amd64".into(),
            }],
        }
    );
}

#[test]
fn cluster() {
    use cluster::Error;
    let name = || "trial".to_owned();
    messages!(
        "cluster.Error",
        Error {
            Pipeline: [pipeline::Error::NoCluster { recipe: "demo".into() }.into()],
            Engine: [no_engine().into()],
            Store: [damaged().into()],
            Request: [Error::Request(
                "there is no scenario failver for demo: scenarios are install, failover, purge".into()
            )],
            Name: ["a-b".parse::<ClusterName>().unwrap_err()],
            NoCluster: [Error::NoCluster { name: name() }],
            Exists: [Error::Exists { name: name(), recipe: "demo".into() }],
            NoProgram: [Error::NoProgram {
                program: "qemu-system-x86_64",
                package: "qemu-system-x86",
                why: "No such file or directory (os error 2)".into()
            }],
            NoPackages: [Error::NoPackages { dist: path("dist/debian-12-amd64"), recipe: "demo".into() }],
            NoNode: [Error::NoNode {
                cluster: name(),
                node: "master9".into(),
                nodes: "master1, agent1, agent2".into()
            }],
            Step: [Error::Step {
                node: "agent1".into(),
                step: "apt-get install demo".into(),
                exit: 100,
                tail: "E: Unable to locate package demo".into()
            }],
            Wrong: [Error::Wrong {
                node: "master1".into(),
                step: "electing a leader".into(),
                found: "two masters say that they lead".into()
            }],
            Several: [Error::Several(
                "agent1: purging failed with exit status 1\nagent2: purging failed with exit status 1".into()
            )],
            Late: [Error::Late {
                what: "no master led all 2 agents".into(),
                seconds: 60,
                found: "master1 leads 1 agent".into()
            }],
            NotUp: [
                Error::NotUp {
                    name: name(),
                    why: Box::new(Error::Late {
                        what: "no leader was elected".into(),
                        seconds: 60,
                        found: "master1 does not answer".into()
                    }),
                },
                Error::NotUp { name: name(), why: Box::new(no_engine().into()) },
            ],
            Io: [Error::Io { doing: "write", path: path("/cache/clusters/trial/record.json"), source: denied() }],
        }
    );
}

#[test]
fn bench() {
    let recipe = || "demo".to_owned();
    messages!(
        "bench.BenchError",
        BenchError {
            Pipeline: [no_engine().into()],
            NoBench: [BenchError::NoBench { recipe: recipe() }],
            NoBaseline: [BenchError::NoBaseline { recipe: recipe() }],
            NoGovernor: [BenchError::NoGovernor { recipe: recipe() }],
            NoRecord: [BenchError::NoRecord { recipe: recipe(), why: "it has not been packaged here yet" }],
            Row: [BenchError::Row {
                row: 'd',
                why: "one more statement in src/docs.cpp changed nothing that is installed".into(),
                next: "name a file in bench.source-file that is compiled into a package",
            }],
            Governor: [BenchError::Governor {
                run: "make objects".into(),
                recipe: recipe(),
                tail: "make: *** No rule to make target".into()
            }],
            Unlike: [BenchError::Unlike { differences: 4 }],
            Script: [BenchError::Script {
                script: path("recipes/demo/bench/exports"),
                why: "it failed with exit status 1: no stage".into()
            }],
        }
    );
    keep("bench.parsing", shown("NoRows", "xyz".parse::<Rows>().unwrap_err()));
}
