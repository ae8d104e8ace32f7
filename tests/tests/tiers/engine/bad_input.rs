//! Bad input that only a build finds out: each gets an error that says what, why and what next, the right exit code, and leaves nothing behind.

use std::fs;
use std::path::Path;

use tests::guards::{Disk, GpgHome};
use tests::{Ran, Workshop, replace, sample_copy};

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
        .fails(1, &["phase configure failed", "libnowhere is needed", "From work/config.log", "-lnowhere"]);
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
fn offline_without_the_packages() {
    let workshop = Workshop::empty();
    let out = tempfile::tempdir().unwrap();
    workshop.package_sample(&out.path().join("dist"), &["--offline"]).fails(1, &["--offline", "cargo xtask fetch"]);
}

/// A GnuPG home with one key, `test@example.org`.
fn gpg_home(passphrase: &str) -> GpgHome {
    let home = GpgHome::new();
    home.gpg(passphrase, &["--quick-generate-key", "Test <test@example.org>", "ed25519", "sign", "never"]);
    home
}

#[test]
fn a_key_with_a_wrong_passphrase() {
    let home = gpg_home("right");
    let file = home.export_secret("right");
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
    let home = gpg_home("");
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
    // Root may write everywhere, but not on a read-only file system.
    let disk = Disk::new("ro,size=1m");
    let ran = workshop.package_sample(&disk.path().join("dist"), &["--offline"]);
    ran.fails(1, &["dist", "Read-only file system", "--dist"]);
}

#[test]
fn a_full_disk() {
    let workshop = prepared();
    let disk = Disk::new("size=64k");
    let ran = workshop.package_sample(&disk.path().join("dist"), &["--offline"]);
    let left = fs::read_dir(disk.path()).unwrap().flatten().filter(|e| e.path().join("report.json").exists()).count();
    ran.fails(1, &["No space left on device"]);
    assert_eq!(left, 0);
}

#[test]
fn more_than_the_machine_has_is_a_usage_error() {
    let (_folder, recipe) = sample_copy();
    // Another environment, so that there is something to build.
    replace(&recipe.join("recipe.toml"), "SAMPLE_HEAVY = \"off\"", "SAMPLE_HEAVY = \"160\"");
    package(&recipe, &["--memory", "4000TiB"]).1.fails(2, &["--memory 4000 TiB", "the engine's machine has"]);
    package(&recipe, &["--jobs", "999999"]).1.fails(2, &["--jobs 999999 is more than", "for each processor"]);
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
