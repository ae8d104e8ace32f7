//! Bad input that is found out before anything is built: each gets an error that says what, why and what next, the right exit
//! code, and leaves nothing behind. Nothing is in the cache and no engine answers, so each is refused before either is asked.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use engine::fake::Fake;
use foundation::digest::Digest;
use tests::{Ran, Workshop, default_target, judge, replace, sample_copy};

fn package(recipe: &Path, more: &[&str]) -> (tempfile::TempDir, Ran) {
    let out = tempfile::tempdir().unwrap();
    let (recipe, dist) = (recipe.display().to_string(), out.path().join("dist"));
    let shown = dist.display().to_string();
    let mut arguments = vec!["package", "--recipe", &recipe, "--dist", &shown, "--offline"];
    arguments.extend(more);
    let ran = Workshop::empty().run(&arguments);
    assert!(!dist.exists() || fs::read_dir(&dist).unwrap().next().is_none(), "half-written");
    (out, ran)
}

#[test]
fn unknown_field_in_a_recipe() {
    let (_folder, recipe) = sample_copy();
    replace(&recipe.join("recipe.toml"), "[build]\n", "[build]\ndependz = []\n");
    package(&recipe, &[]).1.fails(1, &["recipe.toml", "line", "dependz", "expected", "memory-per-job"]);
}

#[test]
fn wrong_type_in_a_recipe() {
    let (_folder, recipe) = sample_copy();
    replace(&recipe.join("recipe.toml"), "memory-per-job = \"200MiB\"", "memory-per-job = \"much\"");
    package(&recipe, &[]).1.fails(1, &["recipe.toml", "line", "'much' is not a size"]);
}

#[test]
fn a_lock_for_other_build_dependencies() {
    let (_folder, recipe) = sample_copy();
    replace(&recipe.join("recipe.toml"), "depends = [", "depends = [\"cmake\", ");
    package(&recipe, &[]).1.fails(1, &["other build dependencies", "cargo xtask lock"]);
}

#[test]
fn a_lock_for_another_recipe() {
    let (_folder, recipe) = sample_copy();
    replace(&recipe.join("recipe.toml"), "name = \"sample\"", "name = \"sample2\"");
    package(&recipe, &[]).1.fails(1, &["was made for the recipe sample", "cargo xtask lock"]);
}

#[test]
fn a_lock_needs_the_archive_and_verify_a_build() {
    let workshop = Workshop::empty();
    workshop.run(&["lock", "--recipe", "sample", "--offline"]).fails(2, &["run it without --offline"]);
    workshop.run(&["outdated", "--recipe", "sample", "--offline"]).fails(2, &["run it without --offline"]);
    workshop.run(&["lock", "--tracker", "tracker.json"]).fails(2, &["--upgrade"]);
    let dist = workshop.cache.join("dist").display().to_string();
    workshop.run(&["verify", &dist]).fails(1, &["there is no folder", "cargo xtask package"]);
}

#[test]
fn a_recipe_of_another_version_than_its_changelog() {
    let (_folder, recipe) = sample_copy();
    replace(&recipe.join("recipe.toml"), "version = \"1.0.0\"", "version = \"1.0.1\"");
    package(&recipe, &[]).1.fails(1, &["sample/changelog, line 1: the version 1.0.0-1 is none of upstream's 1.0.1"]);
}

#[test]
fn a_changelog_from_the_future() {
    let (_folder, recipe) = sample_copy();
    replace(&recipe.join("changelog"), "Wed, 04 Jun 2025", "Thu, 04 Jun 2099");
    package(&recipe, &[]).1.fails(1, &["sample/changelog, line 7", "is in the future"]);
}

#[test]
fn a_dependency_that_dpkg_would_refuse() {
    let (_folder, recipe) = sample_copy();
    replace(
        &recipe.join("deb/Cargo.toml"),
        "sample-agent (= ${binary:Version})\"",
        "sample-agent (= ${binary:Version}\"",
    );
    package(&recipe, &[]).1.fails(
        1,
        &[
            "sample/deb/Cargo.toml",
            "line 35",
            "'sample-agent (= ${binary:Version}' has a ( without a )",
            "correct this file",
        ],
    );
}

#[test]
fn a_malformed_lock() {
    let (_folder, recipe) = sample_copy();
    let name = default_target().name.file_stem() + ".lock";
    let lock = recipe.join(&name);
    let text = fs::read_to_string(&lock).unwrap();
    let at = text.find("sha256 = \"").expect("a digest") + "sha256 = \"".len();
    fs::write(&lock, format!("{}zz{}", &text[..at], &text[at + 2..])).unwrap();
    package(&recipe, &[]).1.fails(1, &[&name, "line", "is not a sha256 digest", "make it anew with `cargo xtask lock"]);
}

/// The sample is packaged with these variables, and nothing is left behind.
fn with_engine(variables: &[(&str, &str)], more: &[&str]) -> Ran {
    let workshop = Workshop::empty();
    let out = tempfile::tempdir().unwrap();
    let dist = out.path().join("dist").display().to_string();
    let mut command = workshop.command(&[&["package", "--recipe", "sample", "--dist", &dist], more].concat());
    command.env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT").envs(variables.iter().copied());
    tests::run(&mut command)
}

#[test]
fn an_engine_that_is_named_is_the_only_one_that_is_tried() {
    let says = ["DOCKER_HOST names, unix:///nowhere/docker.sock", "No such file", "no other", "correct DOCKER_HOST"];
    let named = [("DOCKER_HOST", "unix:///nowhere/docker.sock")];
    with_engine(&named, &[]).fails(4, &says);
    // Installing one would not help.
    with_engine(&named, &["--setup"]).fails(4, &says);
}

#[test]
fn a_docker_context_that_leads_nowhere_is_an_error() {
    let config = tempfile::tempdir().unwrap();
    let folder = config.path().display().to_string();
    let variables = [("DOCKER_CONFIG", folder.as_str()), ("DOCKER_CONTEXT", "gone")];
    let next = "docker context ls";
    with_engine(&variables, &[]).fails(4, &["DOCKER_CONTEXT, 'gone'", "there is no such context", next]);
    // As `docker context create` and `docker context use` write it.
    let meta = config.path().join("contexts/meta").join(Digest::of("far").to_string());
    fs::create_dir_all(&meta).unwrap();
    let text = r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///nowhere/far.sock"}}}"#;
    fs::write(meta.join("meta.json"), text).unwrap();
    fs::write(config.path().join("config.json"), r#"{"currentContext":"far"}"#).unwrap();
    let says = ["current context, 'far'", "unix:///nowhere/far.sock", "No such file", next];
    with_engine(&variables[..1], &[]).fails(4, &says);
}

#[test]
fn an_engine_on_another_architecture_is_an_error() {
    let fake = Fake::start("arm64", &[("/info", "{}"), ("/containers/json", "[]"), ("/images/json", "[]")]);
    let host = fake.host();
    let says = [&host, "runs arm64 programs", "amd64 ones are needed", "DOCKER_HOST", "--target"];
    with_engine(&[("DOCKER_HOST", &host)], &["--offline"]).fails(4, &says);
    let mut doctor = Workshop::empty().command(&["doctor"]);
    tests::run(doctor.env("DOCKER_HOST", &host)).fails(4, &says);
}

#[test]
fn upstream_out_of_reach_names_the_ways_on() {
    let workshop = Workshop::empty();
    let out = tempfile::tempdir().unwrap();
    let dist = out.path().join("dist").display().to_string();
    let ran = workshop.run(&["package", "--offline", "--dist", &dist]);
    ran.fails(1, &["cargo xtask fetch", "--source", "--recipe sample"]);
}

/// Files that a recipe need not have: one that is a link to nothing is not left out, and no package goes without its script.
#[test]
fn a_link_to_nothing_is_not_taken_for_absent() {
    for file in ["deb/sample-agent/postinst", "components.toml", "vulnerabilities.toml", "quarantine.toml"] {
        let (_folder, recipe) = sample_copy();
        let path = recipe.join(file);
        let _ = fs::remove_file(&path);
        symlink("/nowhere", &path).unwrap();
        package(&recipe, &[]).1.fails(1, &[file, "No such file"]);
    }
}

#[test]
fn no_such_key() {
    let (_folder, recipe) = sample_copy();
    package(&recipe, &["--key", "0123456789ABCDEF0123456789ABCDEF01234567"])
        .1
        .fails(1, &["no secret key", "--list-secret-keys"]);
}

#[test]
fn a_source_tree_with_an_absolute_link() {
    let (_folder, recipe) = sample_copy();
    symlink("/etc/passwd", recipe.join("upstream/link")).unwrap();
    package(&recipe, &[]).1.fails(1, &["link", "/etc/passwd"]);
}

#[test]
fn a_source_archive_that_leaves_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("top")).unwrap();
    fs::write(folder.path().join("evil"), "x").unwrap();
    fs::write(folder.path().join("top/a"), "x").unwrap();
    judge(
        "tar",
        &["--create", "--gzip", "--absolute-names", "--file", "a.tar.gz", "top/a", "top/../evil"],
        folder.path(),
    );
    let (_recipe_folder, recipe) = sample_copy();
    let archive = folder.path().join("a.tar.gz").display().to_string();
    package(&recipe, &["--source", &archive]).1.fails(1, &["a.tar.gz", "top/../evil"]);
}

#[test]
fn a_source_that_is_not_there() {
    let (_folder, recipe) = sample_copy();
    package(&recipe, &["--source", "/nowhere/mesos"]).1.fails(1, &["/nowhere/mesos"]);
}

#[test]
fn too_little_memory_is_a_usage_error() {
    let (_folder, recipe) = sample_copy();
    package(&recipe, &["--memory", "1MiB"]).1.fails(2, &["256 MiB"]);
    package(&recipe, &["--memory", "many"]).1.fails(2, &["'many' is not a size"]);
}

#[test]
fn a_cluster_that_cannot_be_is_refused() {
    let workshop = Workshop::empty();
    let up =
        |more: &[&str]| workshop.run(&[&["cluster", "up", "--recipe", "sample", "--name", "refused"], more].concat());
    up(&["--masters", "3"]).fails(2, &["sample has nothing that elects a leader", "ask for one master"]);
    up(&["--masters", "2"]).fails(2, &["odd number"]);
    up(&["--dist", "/nonexistent/dist"]).fails(1, &["/nonexistent/dist has no packages", "cargo xtask package"]);
    workshop.run(&["cluster", "up", "--name", "No/Name"]).fails(2, &["lower-case letters"]);
}

#[test]
fn folders_that_are_no_packages_are_not_compared() {
    let (workshop, empty) = (Workshop::empty(), tempfile::tempdir().unwrap());
    let (none, empty) = (workshop.cache.join("none").display().to_string(), empty.path().display().to_string());
    workshop.run(&["diff", &none, &empty]).fails(1, &["there is no folder", "cargo xtask package"]);
    workshop.run(&["diff", &empty, &none]).fails(1, &["there are no packages in", "cargo xtask package"]);
    workshop.run(&["diff", &empty]).fails(2, &["<NEW>"]);
}

#[test]
fn a_stage_that_is_none_is_not_explained() {
    let workshop = Workshop::empty();
    let explain = |more: &[&str]| workshop.run(&[&["explain", "--recipe", "sample", "--offline"], more].concat());
    explain(&["instal"])
        .fails(2, &["sample has no stage instal", "build root, bootstrap, configure, build, install, packages"]);
    let said = explain(&["build"]).success().stdout;
    let target = default_target().name;
    assert_eq!(said, format!("sample for {target} has never been built here: build runs\n"));
}

#[test]
fn of_several_targets_each_is_told() {
    let workshop = Workshop::empty();
    let out = tempfile::tempdir().unwrap();
    let dist = out.path().join("dist").display().to_string();
    let mut command = workshop.command(&["package", "--recipe", "sample", "--offline", "--dist", &dist]);
    command.args(["--target", "debian-12/amd64", "--target", "debian-99/amd64", "--target", "debian-12/amd64"]);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let ran = tests::run(&mut command)
        .fails(1, &["/nowhere/docker.sock", "no target debian-99/amd64", "2 of 2 targets failed"]);
    let rows: Vec<&str> = ran.stdout.lines().filter(|line| line.contains("FAILED")).collect();
    assert!(rows[0].starts_with("debian-12/amd64") && rows[0].ends_with("exit code 4"), "{}", ran.stdout);
    assert!(rows[1].starts_with("debian-99/amd64") && rows[1].ends_with("exit code 1"), "{}", ran.stdout);
    let digests = workshop.run(&["plan", "--recipe", "sample", "--offline", "--digest"]).success().stdout;
    assert_eq!(digests.trim().len(), 64);
}

/// A pipeline's log is read by others than whoever set the variable with the place.
#[test]
fn no_password_is_printed_back() {
    let workshop = Workshop::empty();
    for arguments in [
        &["package", "--from", "ftp://me:secret@host/x"][..],
        &["share", "ftp://me:secret@host/x"],
        &["package", "s3://me:secret@host/x"],
        &["release", "--form=https://me:secret@host/x"],
    ] {
        let ran = workshop.run(arguments).fails(2, &[]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains("secret") && !said.contains("me:"), "{arguments:?}: {said}");
    }
}
