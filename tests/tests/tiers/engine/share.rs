//! A second machine compiles nothing: it takes what the first one made, by a signed statement, and the bytes are the same.

use std::path::Path;
use std::process::Command;

use tests::apt::Rsyncd;
use tests::schema::{answer, conforms};
use tests::{Ran, Workshop, digests, json, run};

/// A machine with no engine, where nothing can be built.
fn without_engine(workshop: &Workshop, arguments: &[&str]) -> Ran {
    let mut command: Command = workshop.command(arguments);
    run(command.env("DOCKER_HOST", "unix:///no-engine"))
}

#[test]
fn what_one_machine_made_the_next_one_takes() {
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name).display().to_string();
    let first = Workshop::shared();
    first.package_sample(Path::new(&path("first")), &[]).success();
    let place = path("place");
    // The same folder by way of a server of rsync's own protocol.
    let server = Rsyncd::new(out.path());
    let rsync = server.uri("place");
    let shared = first.run(&["share", &rsync, "--recipe", "sample"]).success();
    assert!(
        shared.stdout.contains("packages ") && shared.stdout.contains("UNTRUSTED DEVELOPMENT key"),
        "{}",
        shared.stdout
    );
    let again = first.run(&["share", &place, "--recipe", "sample"]).success();
    conforms("share", &[answer(&first.run(&["share", &place, "--recipe", "sample", "--json"]).success().stdout)]);
    assert!(again.stdout.contains("there already") && !again.stdout.contains(" of parts"), "{}", again.stdout);

    let second = Workshop::fresh();
    let (dist, keyring) = (path("second"), path("first/key.gpg"));
    let package = ["package", "--recipe", "sample", "--offline", "--dist", &dist];
    let from = [&package[..], &["--from", &place, "--trust", &keyring]].concat();
    // Nobody's word counts that was not asked for, and what is not taken has to be built.
    without_engine(&second, &[&package[..], &["--from", &place]].concat())
        .fails(2, &["nobody is named whose word counts"]);
    without_engine(&second, &[&from[..], &["--require", "2"]].concat()).fails(2, &["--require 2 can never be met"]);
    without_engine(&second, &package).fails(4, &[]);
    let by_rsync = [&package[..], &["--from", &rsync, "--trust", &keyring]].concat();
    let took = without_engine(&second, &by_rsync).success();
    assert_eq!(digests(Path::new(&dist), "deb"), digests(&out.path().join("first"), "deb"));
    assert!(took.stdout.contains("taken from ") && took.stdout.contains("stated by UNTRUSTED"), "{}", took.stdout);
    let report = json(&out.path().join("second/report.json"));
    let builder = report["taken"][0]["builders"][0].clone();
    assert_eq!(report["taken"][0]["stage"], "packages");
    assert_eq!(builder["key"], report["key"]["primary"], "the same development key");
    second.run(&["verify", &dist]).success();
    let challenge = ["challenge", "--from", &place, "--trust", &keyring, "--json"];
    let compared = without_engine(&first, &challenge).success().stdout;
    conforms("challenge", &[answer(&compared)]);
    // What others made is not this machine's to state, nor to keep where everything is to be made here.
    let told = without_engine(&second, &["share", &path("elsewhere"), "--recipe", "sample"]).success();
    assert!(told.stdout.contains("were made by others") && !out.path().join("elsewhere").exists(), "{}", told.stdout);
    without_engine(&second, &[&package[..], &["--no-from"]].concat()).fails(4, &[]);
}

#[test]
fn what_others_compiled_is_for_trying_out_and_never_for_a_release() {
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name).display().to_string();
    let first = Workshop::shared();
    let package = |workshop: &Workshop, dist: &str, more: &[&str]| {
        let dist = path(dist);
        workshop.run(&[&["package", "--recipe", "sample", "--offline", "--dist", &dist][..], more].concat())
    };
    package(&first, "first", &[]).success();
    let place = path("place");
    let shared = first.run(&["share", &place, "--recipe", "sample", "--compiler-cache"]).success();
    assert!(shared.stdout.contains("compiler-cache "), "{}", shared.stdout);
    // Only the cache is left to take.
    for kind in ["packages", "staged", "split", "package"] {
        std::fs::remove_dir_all(out.path().join("place/statements").join(kind)).unwrap();
    }

    let second = Workshop::with_build_root();
    let keyring = path("first/key.gpg");
    let from = ["--from", &place, "--trust", &keyring, "--from-cache"];
    package(&second, "second", &["--from-cache"]).fails(2, &["--from-cache needs a place"]);
    package(&second, "second", &[&from[..], &["--key", "release@example.org"]].concat())
        .fails(2, &["--from-cache is for trying things out"]);
    package(&second, "second", &from).success();
    assert_eq!(digests(&out.path().join("second"), "deb"), digests(&out.path().join("first"), "deb"));
    let report = json(&out.path().join("second/report.json"));
    assert_eq!(report["taken"][0]["stage"], "compiler-cache", "{report}");
    let compiles = |report: &serde_json::Value| {
        let phases = report["phases"].as_array().unwrap().iter();
        phases.map(|phase| phase["compiles"]["cache-hits"].as_u64().unwrap_or(0)).sum::<u64>()
    };
    assert!(compiles(&report) > 0, "nothing came from the cache: {report}");
    // It is no second witness of it.
    let told = second.run(&["share", &path("elsewhere"), "--recipe", "sample"]).success();
    assert!(told.stdout.contains("were made by others") && !out.path().join("elsewhere").exists(), "{}", told.stdout);
    // Whoever makes everything here makes it again, without that cache.
    package(&second, "own", &["--no-from"]).success();
    assert!(json(&out.path().join("own/report.json")).get("taken").is_none());
    assert_eq!(digests(&out.path().join("own"), "deb"), digests(&out.path().join("first"), "deb"));
}
