//! Bad input: each gets an error that says what, why and what next, the right exit code, and leaves nothing behind.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tests::{Ran, Workshop, judge, sample_copy};

fn package(recipe: &Path, more: &[&str]) -> (tempfile::TempDir, Ran) {
    let out = tempfile::tempdir().unwrap();
    let recipe = recipe.display().to_string();
    let dist = out.path().join("dist").display().to_string();
    let mut arguments = vec!["package", "--recipe", &recipe, "--dist", &dist, "--offline"];
    arguments.extend(more);
    // The packages and the build root have to be there: these tests are about what comes after.
    let workshop = prepared();
    let ran = workshop.run(&arguments);
    let left: Vec<_> = fs::read_dir(out.path())
        .unwrap()
        .flatten()
        .flat_map(|e| fs::read_dir(e.path()).into_iter().flatten().flatten())
        .collect();
    if ran.code != Some(0) {
        assert!(left.is_empty(), "half-written: {left:?}");
    }
    (out, ran)
}

fn prepared() -> Workshop {
    let workshop = Workshop::shared();
    let out = tempfile::tempdir().unwrap();
    workshop.package_sample(&out.path().join("dist"), &[]).success();
    workshop
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {}", path.display());
    fs::write(path, text.replace(from, to)).unwrap();
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
fn a_malformed_lock() {
    let (_folder, recipe) = sample_copy();
    let lock = recipe.join("debian-12-amd64.lock");
    let text = fs::read_to_string(&lock).unwrap();
    let at = text.find("sha256 = \"").expect("a digest") + "sha256 = \"".len();
    fs::write(&lock, format!("{}zz{}", &text[..at], &text[at + 2..])).unwrap();
    package(&recipe, &[]).1.fails(1, &["debian-12-amd64.lock", "line", "is not a sha256 digest"]);
}

#[test]
fn a_patch_that_does_not_apply() {
    let (_folder, recipe) = sample_copy();
    let patches = recipe.join("patches");
    let patch = fs::read_dir(&patches)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "patch"));
    let patch = patch.expect("the sample has a patch");
    let text = fs::read_to_string(&patch).unwrap();
    // Context lines that the source does not have.
    let spoiled: Vec<String> = text
        .lines()
        .map(|line| if line.starts_with(' ') { format!("{line} never there") } else { line.into() })
        .collect();
    fs::write(&patch, spoiled.join("\n") + "\n").unwrap();
    package(&recipe, &[]).1.fails(1, &["phase bootstrap failed", "FAILED"]);
}

#[test]
fn a_configure_that_fails_shows_config_log() {
    let (_folder, recipe) = sample_copy();
    replace(
        &recipe.join("upstream/configure.ac"),
        "AC_OUTPUT",
        "AC_CHECK_LIB([nowhere], [nothing], [], [AC_MSG_ERROR([libnowhere is needed, see config.log])])\nAC_OUTPUT",
    );
    package(&recipe, &[])
        .1
        .fails(1, &["phase configure failed", "libnowhere is needed", "From config.log", "-lnowhere"]);
}

#[test]
fn a_compile_error_is_shown() {
    let (_folder, recipe) = sample_copy();
    let source = fs::read_dir(recipe.join("upstream/src")).unwrap().flatten().map(|e| e.path());
    let source = source.into_iter().find(|p| p.ends_with("heavy.cc")).expect("heavy.cc");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, text + "\nint broken = \"text\";\n").unwrap();
    package(&recipe, &[]).1.fails(1, &["phase build failed", "heavy.cc", "error: invalid conversion", ".log"]);
}

#[test]
fn no_engine_answers() {
    let workshop = Workshop::empty();
    let out = tempfile::tempdir().unwrap();
    let mut command =
        workshop.command(&["package", "--recipe", "sample", "--dist", &out.path().join("dist").display().to_string()]);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    tests::run(&mut command).fails(4, &["/nowhere/docker.sock", "apt-get install docker.io", "--setup"]);
}

#[test]
fn offline_without_the_packages() {
    let workshop = Workshop::empty();
    let out = tempfile::tempdir().unwrap();
    workshop.package_sample(&out.path().join("dist"), &["--offline"]).fails(1, &["--offline", "cargo xtask fetch"]);
}

#[test]
fn upstream_out_of_reach_names_the_ways_on() {
    let workshop = Workshop::empty();
    let out = tempfile::tempdir().unwrap();
    let dist = out.path().join("dist").display().to_string();
    let ran = workshop.run(&["package", "--offline", "--dist", &dist]);
    ran.fails(1, &["cargo xtask fetch", "--source", "--recipe sample"]);
}

#[test]
fn no_such_key() {
    let (_folder, recipe) = sample_copy();
    package(&recipe, &["--key", "0123456789ABCDEF0123456789ABCDEF01234567"])
        .1
        .fails(1, &["no secret key", "--list-secret-keys"]);
}

/// A GnuPG home with one key, `test@example.org`.
fn gpg_home(passphrase: &str) -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let name = home.path().display().to_string();
    let options = ["--homedir", &name, "--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase];
    let make = ["--quick-generate-key", "Test <test@example.org>", "ed25519", "sign", "never"];
    judge("gpg", &[options.as_slice(), make.as_slice()].concat(), home.path());
    (home, name)
}

#[test]
fn a_key_with_a_wrong_passphrase() {
    let (home, home_name) = gpg_home("right");
    let exported = tests::run(
        Command::new("gpg")
            .args(["--homedir", &home_name, "--batch", "--pinentry-mode", "loopback", "--passphrase", "right"])
            .args(["--armor", "--export-secret-keys"]),
    )
    .success();
    let _ = Command::new("gpgconf").args(["--homedir", &home_name, "--kill", "all"]).status();
    let file = home.path().join("secret.asc");
    fs::write(&file, exported.stdout).unwrap();
    let workshop = prepared();
    let out = tempfile::tempdir().unwrap();
    let arguments = [
        "package",
        "--recipe",
        "sample",
        "--offline",
        "--dist",
        &out.path().join("dist").display().to_string(),
        "--key-file",
        &file.display().to_string(),
    ];
    let wrong = tests::run(workshop.command(&arguments).env("MESOS_PACKAGES_KEY_PASSPHRASE", "wrong"));
    let wrong = wrong.fails(1, &["passphrase"]);
    assert!(!wrong.stderr.contains("wrong is") && !wrong.stderr.contains("BEGIN PGP"), "{}", wrong.stderr);
    tests::run(workshop.command(&arguments).env("MESOS_PACKAGES_KEY_PASSPHRASE", "right")).success();
}

#[test]
fn a_release_key_refuses_a_local_source() {
    let (home, home_name) = gpg_home("");
    let workshop = prepared();
    let (_folder, recipe) = sample_copy();
    let out = tempfile::tempdir().unwrap();
    let arguments = [
        "package",
        "--recipe",
        "sample",
        "--offline",
        "--dist",
        &out.path().join("dist").display().to_string(),
        "--source",
        &recipe.join("upstream").display().to_string(),
        "--key",
        "test@example.org",
    ];
    tests::run(workshop.command(&arguments).env("GNUPGHOME", home.path())).fails(1, &["signs no such build", "+local"]);
    let _ = Command::new("gpgconf").args(["--homedir", &home_name, "--kill", "all"]).status();
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
fn dist_that_is_a_file() {
    let workshop = prepared();
    let out = tempfile::tempdir().unwrap();
    let dist = out.path().join("dist");
    fs::write(&dist, "in the way").unwrap();
    workshop.package_sample(&dist, &["--offline"]).fails(1, &["dist"]);
    assert_eq!(fs::read_to_string(&dist).unwrap(), "in the way");
}

#[test]
fn a_read_only_dist() {
    let workshop = prepared();
    let out = tempfile::tempdir().unwrap();
    let mounted = out.path().display().to_string();
    // Root may write everywhere, but not on a read-only file system.
    judge("mount", &["--types", "tmpfs", "--options", "ro,size=1m", "tmpfs", &mounted], Path::new("/"));
    let ran = workshop.package_sample(&out.path().join("dist"), &["--offline"]);
    judge("umount", &[&mounted], Path::new("/"));
    ran.fails(1, &["dist", "Read-only file system", "--dist"]);
}

#[test]
fn a_full_disk() {
    let workshop = prepared();
    let out = tempfile::tempdir().unwrap();
    let mounted = out.path().display().to_string();
    judge("mount", &["--types", "tmpfs", "--options", "size=64k", "tmpfs", &mounted], Path::new("/"));
    let ran = workshop.package_sample(&out.path().join("dist"), &["--offline"]);
    let left = fs::read_dir(out.path()).unwrap().flatten().filter(|e| e.path().join("report.json").exists()).count();
    judge("umount", &[&mounted], Path::new("/"));
    ran.fails(1, &["No space left on device"]);
    assert_eq!(left, 0);
}

#[test]
fn too_little_memory_is_a_usage_error() {
    let (_folder, recipe) = sample_copy();
    package(&recipe, &["--memory", "1MiB"]).1.fails(2, &["256 MiB"]);
    package(&recipe, &["--memory", "many"]).1.fails(2, &["'many' is not a size"]);
}

#[test]
fn a_compiler_killed_for_memory_names_file_and_budget() {
    let (_folder, recipe) = sample_copy();
    // 3 GB for one file, alone, in a budget of 700 MiB.
    replace(&recipe.join("recipe.toml"), "SAMPLE_HEAVY = \"off\"", "SAMPLE_HEAVY = \"3000\"");
    package(&recipe, &["--memory", "700MiB", "--jobs", "2"]).1.fails(1, &["heavy.cc", "700 MiB", "--memory"]);
}

#[test]
fn a_file_that_is_known_not_to_fit_is_refused_before_the_build() {
    let (_folder, recipe) = sample_copy();
    // Another environment, so that there is something to build.
    replace(&recipe.join("recipe.toml"), "SAMPLE_HEAVY = \"off\"", "SAMPLE_HEAVY = \"160\"");
    fs::write(recipe.join("compile-memory"), "# In the real build.\nbuild */heavy.cc 3GiB 2GiB\n").unwrap();
    let says = ["the phase build compiles */heavy.cc", "2 GiB", "700 MiB", "--memory 2.2GiB", "compile-memory"];
    let ran = package(&recipe, &["--memory", "700MiB"]).1.fails(1, &says);
    assert!(!ran.stderr.contains("phase bootstrap"), "{}", ran.stderr);
    fs::write(recipe.join("compile-memory"), "build */heavy.cc 3GB\n").unwrap();
    package(&recipe, &[]).1.fails(1, &["compile-memory: line 1: '3GB' is not a size"]);
}
