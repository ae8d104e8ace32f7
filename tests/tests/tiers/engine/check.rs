//! Upstream's tests of the sample recipe: each kind of misbehaviour gets its verdict, a killed run goes on,
//! and what is said of the packages can be verified.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::{Ran, Workshop, digests, json, judge, sample_copy};

/// A copy of the sample whose test programs get these variables, and 3 s for each test.
fn recipe_with(variables: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let (folder, recipe) = sample_copy();
    let path = recipe.join("recipe.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("test-seconds = 10\n") && text.trim_end().ends_with("[check.environment]"), "{text}");
    let mut text = text.replace("test-seconds = 10\n", "test-seconds = 3\n");
    // Results are kept in the tests' shared cache: those of an earlier run of this file are not to be found.
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_nanos().to_string();
    for (name, value) in variables.iter().chain(&[("TEST_RUN", now.as_str())]) {
        text += &format!("{name} = \"{value}\"\n");
    }
    fs::write(path, text).unwrap();
    (folder, recipe)
}

fn check(recipe: &Path, results: &Path, more: &[&str]) -> Command {
    let (recipe, results) = (recipe.display().to_string(), results.display().to_string());
    // A dist of its own: what other tests package is not to be attested here.
    let mut arguments = vec!["check", "--recipe", &recipe, "--results", &results, "--dist", "/nonexistent/dist"];
    arguments.extend(more);
    Workshop::shared().command(&arguments)
}

/// Verdicts by test, as the tool prints them with --json.
fn verdicts(ran: &Ran) -> BTreeMap<String, (String, String)> {
    let line = ran.stdout.lines().rev().find(|line| line.contains("\"tests\":[")).expect("the judgement");
    let judgement: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    judgement["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| (text(&test["record"]["test"]), (text(&test["verdict"]), text(&test["note"]))))
        .collect()
}

#[test]
fn every_kind_of_misbehaviour_gets_its_verdict() {
    let (_folder, recipe) = recipe_with(&[
        ("SAMPLE_FAIL", "1"),
        ("SAMPLE_FLAKY", "1"),
        ("SAMPLE_HANG", "1"),
        ("SAMPLE_CRASH", "1"),
        ("SAMPLE_HUNGRY", "600"),
    ]);
    let out = tempfile::tempdir().unwrap();
    let results = out.path().join("results");
    // Few shards, so that the flaky test has company.
    let mut command = check(&recipe, &results, &["--json", "--at-once", "1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool starts");
    let process = child.id();
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let ran =
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr), seconds: 0.0 };
    let ran = ran.fails(1, &["3 tests failed", "1 timed out", "logs"]);
    let found = verdicts(&ran);
    for (test, verdict, note) in [
        ("Demand.Fails", "failed", "failed"),
        ("Demand.IsFlaky", "flaky", "then passed alone"),
        ("Demand.Hangs", "timed-out", "after 3 s"),
        ("Demand.Crashes", "failed", "SIGSEGV"),
        ("Demand.IsHungry", "failed", "killed for memory"),
        ("Demand.DISABLED_NeverRuns", "skipped", "disabled by upstream"),
    ] {
        let (v, n) = &found[test];
        assert!(v == verdict && n.contains(note), "{test}: {v}, {n}");
    }
    let others = found.iter().filter(|(test, _)| !test.starts_with("Demand."));
    assert!(others.clone().count() >= 20);
    for (test, (verdict, note)) in others {
        assert_eq!(verdict, "passed", "{test}: {note}");
    }
    for test in ["Fails", "IsFlaky", "Hangs", "Crashes", "IsHungry"] {
        assert!(results.join(format!("logs/sample-tests/Demand.{test}.log")).exists(), "{test}");
    }
    let log = fs::read_to_string(results.join("logs/sample-tests/Demand.Fails.log")).unwrap();
    assert_eq!(log.matches("demand_tests.cc").count(), 2, "in company and alone: {log}");
    judge("python3", &["-c", COUNT_JUNIT, "junit.xml", "31", "4"], &results);
    let summary = fs::read_to_string(results.join("summary.txt")).unwrap();
    assert!(summary.contains("Demand.Hangs") && summary.contains("MiB"), "{summary}");
    // Nothing that a hanging test started is left.
    let id = foundation::store::Store::open(Some(&Workshop::shared().cache)).unwrap().id();
    let run = format!("label=org.mesos-packages.run={id}-{process}");
    assert_eq!(judge("docker", &["ps", "--all", "--quiet", "--filter", &run], out.path()), "");
}

/// A parser that is not ours: so many test cases, so many of them with a failure.
const COUNT_JUNIT: &str = "import sys, xml.etree.ElementTree as t
cases = list(t.parse(sys.argv[1]).getroot().iter('testcase'))
failed = [c for c in cases if c.find('failure') is not None or c.find('error') is not None]
assert (len(cases), len(failed)) == (int(sys.argv[2]), int(sys.argv[3])), (len(cases), len(failed))";

fn quarantine(recipe: &Path, entries: &[(&str, &str)]) {
    let target = tests::default_target().name;
    let text: String = entries
        .iter()
        .map(|(test, expires)| {
            format!(
                "[[quarantine]]\nprogram = \"sample-tests\"\ntest = \"{test}\"\nreason = \"on demand\"\n\
                 targets = [\"{target}\"]\nseen = \"here\"\nexpires = \"{expires}\"\n"
            )
        })
        .collect();
    fs::write(recipe.join("quarantine.toml"), text).unwrap();
}

#[test]
fn roots_tests_run_where_the_machine_has_what_they_need() {
    let (_folder, recipe) = recipe_with(&[]);
    let out = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let mut arguments = vec!["--json", "--filter", "Demand.*"];
        arguments.extend(more);
        verdicts(&tests::run(&mut check(&recipe, &out.path().join("results"), &arguments)).success())
    };
    let found = run(&[]);
    for test in ["GivesFilesAway", "MakesControlGroups", "NeedsADevice"] {
        let (verdict, note) = &found[&format!("Demand.ROOT_{test}")];
        assert!(verdict == "skipped" && note.contains("--root"), "{test}: {verdict}, {note}");
    }
    let found = run(&["--root"]);
    for test in ["ROOT_GivesFilesAway", "ROOT_MakesControlGroups", "Fails"] {
        assert_eq!(found[&format!("Demand.{test}")].0, "passed", "{test}: {found:?}");
    }
    let (verdict, note) = &found["Demand.ROOT_NeedsADevice"];
    assert!(verdict == "skipped" && note.contains("no /dev/sample"), "{verdict}, {note}");
}

#[test]
fn quarantine_excuses_until_it_expires() {
    let (_folder, recipe) = recipe_with(&[("SAMPLE_FAIL", "1")]);
    let out = tempfile::tempdir().unwrap();
    let results = out.path().join("results");
    let run = || tests::run(&mut check(&recipe, &results, &["--json"]));
    run().fails(1, &["1 tests failed"]);
    quarantine(&recipe, &[("Demand.Fails", "2999-12-31"), ("Demand.Crashes", "2999-12-31")]);
    let ran = run().success();
    assert_eq!(verdicts(&ran)["Demand.Fails"].0, "quarantined");
    // The shards were kept: only the one that may be cured ran, nine times more.
    let summary = fs::read_to_string(results.join("summary.txt")).unwrap();
    assert!(summary.contains("Demand.Crashes"), "an entry that is not needed any more is reported: {summary}");
    quarantine(&recipe, &[("Demand.Fails", "2026-01-31")]);
    run().fails(1, &["1 tests failed", "1 entries of quarantine.toml have expired"]);
    fs::write(recipe.join("quarantine.toml"), "[[quarantine]]\ntset = 1\n").unwrap();
    run().fails(1, &["quarantine.toml", "tset", "expires"]);
}

#[test]
fn a_killed_run_goes_on_with_the_shards_not_yet_judged() {
    let (_folder, recipe) = recipe_with(&[("SAMPLE_HANG", "1")]);
    let out = tempfile::tempdir().unwrap();
    let results = out.path().join("results");
    let mut child = check(&recipe, &results, &["--json", "--at-once", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the tool starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut begun = false;
    for line in lines {
        let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        begun |= event["event"] == "test-progress" && event["done"].as_u64() > Some(15);
        if begun {
            break;
        }
    }
    assert!(begun, "no test ran");
    child.kill().expect("it still runs");
    child.wait().expect("it ends");
    assert!(!results.exists(), "half a result");
    let ran = tests::run(&mut check(&recipe, &results, &["--at-once", "1"])).fails(1, &["1 timed out"]);
    assert!(ran.stdout.contains("were judged by an earlier run"), "{}", ran.stdout);
    assert!(ran.stdout.contains("of 2 shards") && !ran.stdout.contains("2 of 2 shards"), "{}", ran.stdout);
    // And a run that was judged as a whole is not run again, unless that is asked for.
    let ran = tests::run(&mut check(&recipe, &results, &["--at-once", "1"])).fails(1, &["1 timed out"]);
    assert!(ran.stdout.contains("2 of 2 shards were judged by an earlier run"), "{}", ran.stdout);
}

#[test]
fn packages_carry_the_verdict_and_unsound_ones_are_not_published() {
    let workshop = Workshop::shared();
    let out = tempfile::tempdir().unwrap();
    let package = |recipe: &Path, dist: &Path| {
        let (recipe, dist) = (recipe.display().to_string(), dist.display().to_string());
        workshop.run(&["package", "--check", "--recipe", &recipe, "--dist", &dist])
    };
    let (_folder, failing) = recipe_with(&[("SAMPLE_FAIL", "1")]);
    let refused = out.path().join("refused");
    package(&failing, &refused).fails(1, &["1 of upstream's tests failed", "nothing was put into dist"]);
    assert!(fs::read_dir(&refused).map_or(0, Iterator::count) == 0, "packages were published");

    // Packages that are there already get the verdict from `check`, with the same bytes.
    let (_folder, good) = recipe_with(&[]);
    let later = out.path().join("later");
    let (recipe, folder) = (good.display().to_string(), later.display().to_string());
    workshop.run(&["package", "--recipe", &recipe, "--dist", &folder]).success();
    assert!(!later.join("test-result.json").exists());
    let said = workshop.run(&["check", "--recipe", &recipe, "--dist", &folder]).success().stdout;
    assert!(said.contains("statement on the packages in"), "{said}");
    workshop.run(&["verify", &folder]).success();

    let dist = out.path().join("dist");
    package(&good, &dist).success();
    assert_eq!(digests(&later, "deb"), digests(&dist, "deb"));
    assert_eq!(fs::read(later.join("test-result.json")).unwrap(), fs::read(dist.join("test-result.json")).unwrap());
    let again = package(&good, &dist).success();
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    judge("gpgv", &["--keyring", "./key.gpg", "test-result.json.asc", "test-result.json"], &dist);
    let statement = json(&dist.join("test-result.json"));
    assert_eq!(statement["predicate"]["result"], "PASSED");
    let debs = digests(&dist, "deb");
    for subject in statement["subject"].as_array().unwrap() {
        assert_eq!(debs[subject["name"].as_str().unwrap()], subject["digest"]["sha256"].as_str().unwrap());
    }
    assert_eq!(statement["subject"].as_array().unwrap().len(), debs.len());

    let verify = || workshop.run(&["verify", &dist.display().to_string()]);
    let said = verify().success().stdout;
    assert!(said.contains("PASSED"), "{said}");
    for file in [debs.keys().next().unwrap().as_str(), "test-result.json"] {
        let path = dist.join(file);
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&path, &changed).unwrap();
        verify().fails(3, &[file]);
        fs::write(&path, &whole).unwrap();
    }
    verify().success();
}
