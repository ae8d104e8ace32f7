//! The steps of the release pipelines, tried on the sample.

use std::fs;

use tests::{Workshop, run};

/// The steps of the pipelines on the sample, with a key and a repository for trials; and one that fails.
#[test]
fn a_dry_run_does_every_step_and_leaves_nothing() {
    let workshop = Workshop::shared();
    let temporary = tempfile::tempdir().unwrap();
    let dry_run = |recipe: &str| {
        let mut command = workshop.command(&["release", "--dry-run", "--recipe", recipe]);
        run(command.env("TMPDIR", temporary.path()))
    };
    let ran = dry_run("sample").success();
    for (number, step) in ["init", "plan", "fetch", "package", "rebuild", "publish", "verify"].iter().enumerate() {
        assert!(ran.stderr.contains(&format!("release: {} of 7, {step}: cargo xtask ", number + 1)), "{}", ran.stderr);
    }
    assert!(ran.stdout.contains("trixie: snapshot 2 (publish)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("nothing is published"), "{}", ran.stdout);
    let left = || fs::read_dir(temporary.path()).unwrap().count();
    assert_eq!(left(), 0);

    let (_folder, recipe) = tests::sample_copy();
    let phase = recipe.join("phases/bootstrap");
    fs::write(&phase, fs::read_to_string(&phase).unwrap() + "\nexit 7\n").unwrap();
    let ran = dry_run(&recipe.display().to_string()).fails(1, &["release: package ended with code 1"]);
    assert!(!ran.stderr.contains("rebuild: cargo xtask"), "{}", ran.stderr);
    assert_eq!(left(), 0);
}
