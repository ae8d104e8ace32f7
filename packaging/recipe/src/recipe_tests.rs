use super::*;
use crate::{compile_memory, quarantine};

fn folder_with(recipe: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    folder
}

const GOOD: &str = r#"
name = "thing"
version = "1.0"
maintainer = "Someone <someone@example.org>"
homepage = "https://example.org"
[source]
directory = "upstream"
[build]
depends = ["g++"]
[[phase]]
name = "build"
inputs = ["patches"]
"#;

#[test]
fn unknown_field_names_file_line_and_valid_names() {
    let folder = folder_with(&GOOD.replace("depends =", "dependz ="));
    let error = Recipe::read(folder.path()).unwrap_err().to_string();
    for part in ["recipe.toml", "line 9", "dependz", "memory-per-job"] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
}

#[test]
fn fields_of_control_files_are_judged_at_their_line() {
    for (right, wrong, line, says) in [
        ("Someone <", "Some\\none <", 4, "'Some\\none <someone@example.org>' is more than one line"),
        ("\"https://example.org\"", "\"example.org\"", 5, "'example.org' is no address"),
        ("version = \"1.0\"", "version = \"1:1.0\"", 3, "'1:1.0' has an epoch, which only the changelog has"),
        ("version = \"1.0\"", "version = \"v1.0\"", 3, "'v1.0' does not begin with a digit"),
        ("[\"g++\"]", "[\"g++ (>= 4\"]", 9, "'g++ (>= 4' has a ( without a )"),
        ("[\"g++\"]", "[\"g++, make\"]", 9, "write each as an item of its own"),
    ] {
        let error = Recipe::read(folder_with(&GOOD.replace(right, wrong)).path()).unwrap_err().to_string();
        assert!(error.contains(&format!("at line {line},")) && error.contains(says), "{error}");
    }
    // A pipe in the folder is not waited for.
    let folder = folder_with(GOOD);
    assert!(std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    let error = Recipe::read(folder.path()).unwrap().packing_inputs().unwrap_err().to_string();
    assert!(error.contains("pipe: it is neither a file, a link nor a folder"), "{error}");
}

#[test]
fn scripts_with_the_line_ends_of_windows_are_refused() {
    let folder = folder_with(GOOD);
    for name in ["phases/build", "cluster/master"] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "set -e\nmake\n").unwrap();
        let recipe = Recipe::read(folder.path()).unwrap();
        recipe.look_over_scripts().unwrap();
        std::fs::write(&path, "set -e\nmake\r\n").unwrap();
        let error = recipe.look_over_scripts().unwrap_err().to_string();
        assert!(error.contains(&format!("{name}, line 2: it ends with a carriage return")), "{error}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_makes_no_sense_is_told_with_its_line() {
    let git = format!("commit = \"{}\"\ntag = \"1.0\"\ngit = []", "1".repeat(40));
    for (right, wrong, says) in [
        ("name = \"thing\"", "name = \"Thing\"", "line 2: name = \"Thing\": a source package's name"),
        ("name = \"build\"", "name = \"Build\"", "line 11: phase \"Build\": names are lower-case"),
        ("name = \"build\"", "name = \"check\"", "line 11: phase \"check\": describe upstream's tests in [check]"),
        ("\"patches\"", "\"../x\"", "line 11: phase \"build\": inputs: ../x is not a path inside the recipe's folder"),
        (
            "[build]",
            "[build]\nenvironment = { VERSION = \"1\" }",
            "line 9: build.environment: VERSION is set by the tool",
        ),
        ("directory = \"upstream\"", &git.replacen("11", "x", 1), "line 7: source.commit = \"x1"),
        ("directory = \"upstream\"", &git, "line 9: source.git is empty"),
    ] {
        let error = Recipe::read(folder_with(&GOOD.replace(right, wrong)).path()).unwrap_err().to_string();
        assert!(error.contains(&format!("recipe.toml: {says}")), "{error}");
    }
}

const CHECK: &str = r#"
[check]
after = "build"
memory-per-shard = "1GiB"
shards-per-processor = 2
test-seconds = 60
[[check.program]]
name = "tests"
path = "src/tests"
"#;

#[test]
fn tests_that_cannot_be_run_are_refused() {
    assert!(Recipe::read(folder_with(&format!("{GOOD}{CHECK}")).path()).is_ok());
    for (right, wrong, says) in [
        ("after = \"build\"", "after = \"make\"", "after = \"make\": name one of the phases (build)"),
        ("path = \"src/tests\"", "path = \"/bin/sh\"", "/bin/sh is not a path below /build/work"),
        ("test-seconds = 60", "test-seconds = 0", "1 or more"),
        ("name = \"tests\"", "name = \"\"", "empty or used twice"),
        ("after =", "afterr =", "shards-per-processor"),
    ] {
        let recipe = format!("{GOOD}{}", CHECK.replace(right, wrong));
        let error = Recipe::read(folder_with(&recipe).path()).unwrap_err().to_string();
        assert!(error.contains(says), "{says} is missing in: {error}");
    }
    let named = GOOD.replace("name = \"build\"", "name = \"check\"");
    let error = Recipe::read(folder_with(&named).path()).unwrap_err().to_string();
    assert!(error.contains("[check]"), "{error}");
}

const BENCH: &str = r#"
[bench]
source-file = "src/main.cpp"
unit = "systemd/thing.service"
[bench.baseline]
after = "build"
inputs = ["bin"]
[[bench.baseline.left-out]]
files = ["usr/include/*.h"]
reason = "Nobody wants them."
"#;

#[test]
fn a_measurement_that_cannot_be_is_refused() {
    assert!(Recipe::read(folder_with(&format!("{GOOD}{BENCH}")).path()).is_ok());
    for (right, wrong, says) in [
        ("after = \"build\"", "after = \"make\"", "bench.baseline.after = \"make\": name one of the phases (build)"),
        ("src/main.cpp", "/src/main.cpp", "bench.source-file: /src/main.cpp is not a path inside the source"),
        ("systemd/thing", "../thing", "bench.unit: ../thing.service is not a path inside"),
        ("[\"bin\"]", "[\"../bin\"]", "bench.baseline.inputs: ../bin is not a path inside"),
        ("usr/include/*.h", "usr/include/[.h", "bench.baseline.left-out.files: error parsing glob 'usr/include/[.h'"),
        ("reason =", "because =", "expected `files` or `reason`"),
    ] {
        let error = Recipe::read(folder_with(&format!("{GOOD}{}", BENCH.replace(right, wrong))).path()).unwrap_err();
        assert!(error.to_string().contains(says), "{says} is missing in: {error}");
    }
}

#[test]
fn what_is_known_of_tests_decides_no_package() {
    let folder = folder_with(&format!("{GOOD}{CHECK}"));
    for file in ["phases/build", "phases/check", "patches/series", quarantine::FILE, compile_memory::FILE] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
    }
    let recipe = Recipe::read(folder.path()).unwrap();
    assert_eq!(recipe.packing_inputs().unwrap().into_keys().collect::<Vec<_>>(), ["recipe.toml"]);
    let phase = recipe.check_phase().unwrap();
    assert_eq!(recipe.phase_inputs(&phase).unwrap().into_keys().collect::<Vec<_>>(), ["phases/check"]);
}

const CLUSTER: &str = r#"
[cluster]
depends = ["systemd-sysv", "curl"]
[cluster.state]
port = 5050
path = "/state"
agents = "/agents"
[[cluster.role]]
name = "master"
nodes = "masters"
packages = ["thing-master"]
units = ["thing-master"]
[[cluster.role]]
name = "agent"
nodes = "agents"
packages = ["thing-agent"]
units = ["thing-agent"]
"#;

#[test]
fn what_a_cluster_is_made_of_decides_no_package() {
    let plain = folder_with(GOOD);
    let with = folder_with(&format!("{GOOD}{CHECK}{CLUSTER}"));
    std::fs::create_dir(with.path().join("cluster")).unwrap();
    std::fs::write(with.path().join("cluster/master"), "").unwrap();
    let inputs = |folder: &Path| Recipe::read(folder).unwrap().packing_inputs().unwrap();
    assert_eq!(inputs(plain.path()), inputs(with.path()));
    let other = folder_with(&GOOD.replace("example.org\"\n[", "example.com\"\n["));
    assert_ne!(inputs(plain.path()), inputs(other.path()));
}

#[test]
fn each_root_has_its_own_request_and_lock() {
    let folder = folder_with(&format!("{GOOD}{CLUSTER}"));
    let recipe = Recipe::read(folder.path()).unwrap();
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../containers/targets");
    let target = Target::read(&targets, &"debian-12/amd64".parse().unwrap()).unwrap();
    assert!(recipe.request(&target, LockKind::BuildRoot).contains(&"g++".to_owned()));
    assert_eq!(recipe.request(&target, LockKind::NodeRoot), ["curl", "systemd-sysv"]);
    let path = |kind| recipe.lock_path(&target, kind);
    assert_eq!(path(LockKind::BuildRoot), folder.path().join("debian-12-amd64.lock"));
    assert_eq!(path(LockKind::NodeRoot), folder.path().join("debian-12-amd64.cluster.lock"));
}

#[test]
fn a_cluster_that_cannot_be_is_refused() {
    for (right, wrong, says) in [
        ("name = \"agent\"", "name = \"agent-1\"", "\"agent-1\": names have lower-case letters only"),
        ("name = \"agent\"", "name = \"master\"", "used once"),
        ("nodes = \"agents\"", "nodes = \"masters\"", "exactly one of them has nodes = \"masters\""),
        ("nodes = \"agents\"", "nodes = \"two\"", "ensemble"),
        ("agents = \"/agents\"", "agents = \"agents\"", "\"agents\" is not a JSON pointer"),
        ("units = [\"thing-agent\"]", "units = []\nexposure = 11", "role \"agent\": exposure is from 0 to 10"),
        ("depends = ", "kept-by-purge = [\"var/lib\"]\ndepends = ", "kept-by-purge: \"var/lib\" is no absolute path"),
        ("[cluster.state]", "[[cluster.page]]\npath = \"agents\"\n[cluster.state]", "page.path = \"agents\""),
        (
            "[cluster.state]",
            "[[cluster.framework]]\nname = \"big\"\nrun = \"true\"\nfile = {url = \"https://example.org/a/..\", size = 1, \
             sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}\n[cluster.state]",
            "framework \"big\": file.url = \"https://example.org/a/..\": it has to start with https://",
        ),
        (
            "[cluster.state]",
            "[[cluster.scenario]]\nname = \"../security\"\nchecks = \"\"\n[cluster.state]",
            "scenario \"../security\": names have lower-case letters",
        ),
        ("path = \"/state\"", "path = \"/state\"\nleads = \"/leads\"", "nodes = \"ensemble\", and only there"),
    ] {
        let folder = folder_with(&format!("{GOOD}{}", CLUSTER.replace(right, wrong)));
        let error = Recipe::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains(says), "{says} is missing in: {error}");
    }
}

const PINNED: &str = r#"
[source]
commit = "1111111111111111111111111111111111111111"
tag = "1.0"
git = ["https://upstream.invalid/thing.git"]
"#;

const PICKS: &str = r#"
[[cherry-pick]]
commit = "2222222222222222222222222222222222222222"
reason = "A request crashes the server."
fixes = ["CVE-2020-11022", "MESOS-9610"]

[[cherry-pick]]
commit = "3333333333333333333333333333333333333333"
reason = "An archive writes outside of its folder."
without = ["src/tests/server_tests.cpp"]
"#;

fn with_picks(picks: &str) -> Result<Recipe, RecipeError> {
    let recipe = GOOD.replace("\n[source]\ndirectory = \"upstream\"\n", PINNED);
    Recipe::read(folder_with(&format!("{recipe}{picks}")).path())
}

#[test]
fn a_cherry_pick_is_switched_off_with_a_reason() {
    let picked = |picks: &str| {
        let picks = with_picks(picks).unwrap().picks();
        picks.into_iter().map(|pick| (pick.commit[..1].to_owned(), pick.without)).collect::<Vec<_>>()
    };
    let without = vec!["src/tests/server_tests.cpp".to_owned()];
    assert_eq!(picked(PICKS), [("2".to_owned(), vec![]), ("3".into(), without.clone())]);
    let disabled = PICKS.replace("fixes =", "disabled = \"Breaks the client.\"\nfixes =");
    assert_eq!(picked(&disabled), [("3".into(), without)]);
    // What is applied shows in the source; what is said about it decides nothing.
    let packing = |picks: &str| {
        let recipe = GOOD.replace("\n[source]\ndirectory = \"upstream\"\n", PINNED);
        let folder = folder_with(&format!("{recipe}{picks}"));
        Recipe::read(folder.path()).unwrap().packing_inputs().unwrap()
    };
    assert_eq!(packing(PICKS), packing(""));
}

#[test]
fn a_cherry_pick_that_cannot_be_meant_is_refused() {
    for (right, wrong, says) in [
        ("2222222222222222222222222222222222222222", "2222222", "all its 40 hexadecimal digits"),
        ("\"2222222222222222222222222222222222222222", "\"222222222222222222222222222222222222222G", "line 17"),
        ("reason = \"A request crashes the server.\"", "reason = \" \"", "say why"),
        ("fixes =", "disabled = \"\"\nfixes =", "say why"),
        ("CVE-2020-11022", "CVE-2020-1", "`CVE-2020-1` is neither a CVE"),
        ("MESOS-9610", "mesos 9610", "`mesos 9610` is neither a CVE"),
        ("fixes =", "fixs =", "expected one of `commit`, `reason`, `fixes`, `without`, `disabled`"),
        ("3333333333333333333333333333333333333333", "2222222222222222222222222222222222222222", "is there twice"),
        ("src/tests/server", "../server", "is not a file of the tree"),
    ] {
        let error = with_picks(&PICKS.replacen(right, wrong, 1)).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("recipe.toml"), "{says} is missing in: {error}");
    }
    let error = Recipe::read(folder_with(&format!("{GOOD}{PICKS}")).path()).unwrap_err().to_string();
    assert!(error.contains("a folder has no later commits"), "{error}");
}

#[test]
fn a_unit_file_is_read_by_packing_and_by_no_phase() {
    let folder = folder_with(GOOD);
    for file in ["phases/build", "patches/series", "systemd/thing.service", "upstream/main.c"] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
    }
    let recipe = Recipe::read(folder.path()).unwrap();
    let packing: Vec<_> = recipe.packing_inputs().unwrap().into_keys().collect();
    assert_eq!(packing, ["recipe.toml", "systemd/thing.service"]);
    let phase: Vec<_> = recipe.phase_inputs(&recipe.file.phases[0]).unwrap().into_keys().collect();
    assert_eq!(phase, ["patches/series", "phases/build"]);
}

#[test]
fn a_name_that_two_recipes_have_is_none() {
    let (one, other) = (folder_with(GOOD), folder_with(GOOD));
    let mut known = vec![("thing".to_owned(), one.path().to_owned()), ("else".to_owned(), other.path().to_owned())];
    assert_eq!(Recipe::find("thing", &known).unwrap().folder, one.path());
    known[1].0 = "thing".to_owned();
    let error = Recipe::find("thing", &known).unwrap_err().to_string();
    let (one, other) = (one.path().display().to_string(), other.path().display().to_string());
    assert_eq!(error, format!("two recipes are called thing: {one} and {other}"));
    assert!(Recipe::find(&other, &known).is_ok());
}
