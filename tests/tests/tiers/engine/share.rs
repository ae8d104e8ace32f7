//! A second machine compiles nothing: it takes what the first one made, by a signed statement, and the bytes are the same.

use std::path::Path;
use std::process::Command;

use sign::gpg::Gpg;
use sign::signer::{KeyForm, KeySource, Signer as _};
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
    // A key that is not in the ring any more does not count for what was taken before, neither in the cache nor in `dist`.
    let stranger = Gpg::open(&KeySource::Development { state: out.path().join("stranger") }).unwrap();
    let other = path("other.gpg");
    std::fs::write(&other, stranger.public_key(KeyForm::Binary).unwrap()).unwrap();
    let by = |ring: &str| without_engine(&second, &[&package[..], &["--trust", ring]].concat());
    by(&other).fails(4, &["is not used: 0 of 1 keys that are required"]);
    assert!(by(&keyring).success().stdout.contains("nothing to do"));
    std::fs::remove_dir_all(&dist).unwrap();
    by(&other).fails(4, &["is not used: 0 of 1 keys that are required"]);
    assert!(by(&keyring).success().stdout.contains("stated by UNTRUSTED"));
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
    // Of what other tests found of the sample in that cache, if they did.
    let _ = std::fs::remove_dir_all(out.path().join("place/statements/verdict"));

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
    // It is no second witness of it, nor of what tests find that were compiled so.
    let (dist, results) = (path("second"), path("results"));
    let check = ["check", "--recipe", "sample", "--offline", "--dist", &dist, "--results", &results];
    let checked = second.run(&[&check[..], &from].concat()).success().stdout;
    assert!(checked.contains("tests ran for"), "{checked}");
    let told = second.run(&["share", &path("elsewhere"), "--recipe", "sample"]).success();
    assert!(told.stdout.contains("were made by others") && !out.path().join("elsewhere").exists(), "{}", told.stdout);
    // Whoever makes everything here makes it again, without that cache.
    package(&second, "own", &["--no-from"]).success();
    assert!(json(&out.path().join("own/report.json")).get("taken").is_none());
    assert_eq!(digests(&out.path().join("own"), "deb"), digests(&out.path().join("first"), "deb"));
}

#[test]
fn upstreams_tests_run_once_and_their_verdict_travels_with_the_packages() {
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name).display().to_string();
    let package = |dist: &str, more: &[&str]| {
        let arguments = ["package", "--check", "--recipe", "sample", "--offline", "--dist", dist];
        [&arguments, more].concat().iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>()
    };
    let run = |workshop: &Workshop, arguments: Vec<String>| {
        without_engine(workshop, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let first = Workshop::shared();
    let (place, keyring) = (path("place"), path("first/key.gpg"));
    let arguments = package(&path("first"), &[]);
    first.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).success();
    assert!(json(&out.path().join("first/report.json")).get("taken").is_none());
    let shared = first.run(&["share", &place, "--recipe", "sample"]).success();
    assert!(shared.stdout.contains("verdict "), "{}", shared.stdout);

    let second = Workshop::fresh();
    let from = ["--from", &place, "--trust", &keyring];
    let took = run(&second, package(&path("second"), &from)).success();
    assert!(took.stdout.contains("verdict ") && took.stdout.contains("stated by UNTRUSTED"), "{}", took.stdout);
    let text = |file: &str| std::fs::read_to_string(out.path().join(file)).unwrap();
    assert_eq!(text("second/check/junit.xml"), text("first/check/junit.xml"), "nothing of the run is lost");
    assert!(text("second/check/summary.txt").contains("The tests did not run here"));
    let report = json(&out.path().join("second/report.json"));
    let taken: Vec<&str> =
        report["taken"].as_array().unwrap().iter().map(|one| one["stage"].as_str().unwrap()).collect();
    assert_eq!(taken, ["packages", "verdict"]);
    let statement = &report["taken"][1]["builders"][0]["statement"];
    let said = json(&out.path().join("second/test-result.json"));
    let configuration = said["predicate"]["configuration"].as_array().unwrap();
    let named = configuration.iter().find(|one| one["digest"]["sha256"] == *statement).expect("the statement");
    assert!(named["name"].as_str().unwrap().starts_with("verdict stated by UNTRUSTED"), "{named}");
    assert_eq!(said["subject"], json(&out.path().join("first/test-result.json"))["subject"]);
    second.run(&["verify", &path("second")]).success();
    assert!(run(&second, package(&path("second"), &from)).success().stdout.contains("nothing to do"));
    let told = without_engine(&second, &["share", &path("elsewhere"), "--recipe", "sample"]).success();
    assert!(told.stdout.contains("were made by others") && !out.path().join("elsewhere").exists(), "{}", told.stdout);
    run(&second, package(&path("second"), &["--no-from"])).fails(4, &[]);

    // A release fetches first, and is made without a network.
    let third = Workshop::fresh();
    let fetch = [&["fetch", "--recipe", "sample", "--offline"], &from[..]].concat();
    let fetched = without_engine(&third, &fetch).success().stdout;
    assert!(fetched.contains("verdict "), "{fetched}");
    run(&third, package(&path("third"), &[])).success();
    // Verdicts are not the same bytes, and nobody is accused for that. They go with the versions that they are about.
    let compared = without_engine(&first, &[&["challenge", "--json"], &from[..]].concat()).success().stdout;
    assert!(!compared.contains("verdict\":\"different") && !compared.contains("\"stage\":\"verdict\""), "{compared}");
    let verdicts = || {
        let below = walkdir::WalkDir::new(out.path().join("place/statements/verdict")).into_iter().flatten();
        below.filter(|entry| entry.file_type().is_file()).count()
    };
    let prune = |versions| {
        let arguments =
            ["share", &place, "--recipe", "sample", "--prune", "--keep-days", "0", "--keep-versions", versions];
        without_engine(&first, &arguments).success();
        verdicts()
    };
    assert_eq!((prune("1"), prune("0")), (1, 0));
}
