//! The release pipelines of `ci/`: that each runs the tool's steps with arguments that the tool takes, and shows no secret. What
//! linters say is in `host/linters.rs`, and the same steps are tried on the sample in `engine/release.rs`.
//!
//! What is not judged: whether Jenkins takes the declarative syntax, which only a Jenkins server can tell. Its file is parsed
//! as Groovy, and its scripts are run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use tests::dist::TestKey;
use tests::pipelines::{self, Pipeline, Script, all, targets};
use tests::{Ran, repository, run, tool};

const SECRET: &str = "-----a-secret-key-----";
const PASSPHRASE: &str = "a-secret-passphrase";

/// A place in which a pipeline's scripts are run with a `cargo` that prints the command, as the tool understands it.
struct Runner {
    folder: tempfile::TempDir,
}

impl Runner {
    fn new() -> Self {
        let runner = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["bin", "home", "temp", "work"] {
            fs::create_dir(runner.path(name)).unwrap();
        }
        // What the command would find in the file of the key is kept.
        let cargo = "#!/bin/sh\n[ \"$1\" = xtask ] || exit 9\nshift\nbefore=\nfor word do\n\
                     [ \"$before\" != --key-file ] || { stat --format %a \"$word\"; cat \"$word\"; } >>\"$KEPT\"\n\
                     before=$word\ndone\nexec \"$TOOL\" \"$@\" --list\n";
        let path = runner.folder.path().join("bin/cargo");
        fs::write(&path, cargo).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let key = runner.folder.path().join("key");
        fs::write(&key, format!("{SECRET}\n")).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        runner
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The file of the key, as the pipeline hands it over.
    fn key(&self, pipeline: &Pipeline) -> String {
        self.path(if pipeline.file == "github.yml" { "temp/key" } else { "key" })
    }

    /// Runs a script; `share` is the place where results are shared, which need not be named.
    fn run(&self, pipeline: &Pipeline, script: &Script, target: &str, share: &str) -> Ran {
        let mut command = Command::new(pipeline.shell);
        command.args(["-euc", &script.text]).current_dir(self.path("work")).stdin(Stdio::null()).env_clear();
        command.env("PATH", format!("{}:{}", self.path("bin"), std::env::var("PATH").unwrap()));
        command.env("HOME", self.path("home")).env("TOOL", tool()).env("KEPT", self.path("kept"));
        if pipeline.file == "github.yml" {
            command.env("RUNNER_TEMP", self.path("temp"));
            for (name, value) in &script.variables {
                let value = match value.as_str() {
                    "${{ matrix.target }}" => target,
                    "${{ vars.MESOS_REPOSITORY }}" => "/srv/mesos",
                    "${{ vars.MESOS_PACKAGES_SHARE }}" => share,
                    "${{ secrets.MESOS_KEY }}" => SECRET,
                    "${{ secrets.MESOS_KEY_PASSPHRASE }}" => PASSPHRASE,
                    other => panic!("{name} is {other}"),
                };
                command.env(name, value);
            }
        } else {
            // What the comment at the top of the file tells the administrator to define.
            command.env("TARGET", target).env("MESOS_REPOSITORY", "/srv/mesos").env("MESOS_PACKAGES_SHARE", share);
            command.env("MESOS_KEY", self.path("key")).env("MESOS_PACKAGES_KEY_PASSPHRASE", PASSPHRASE);
        }
        run(&mut command)
    }
}

fn release(arguments: &[&str]) -> Ran {
    run(Command::new(tool()).arg("release").args(arguments))
}

/// The steps are the tool's, all of them, in its order, each with arguments that it takes. No secret is printed, and none is
/// left in a file.
#[test]
fn pipelines_run_the_steps_of_the_tool() {
    // The machines that they name are of one architecture.
    let targets: Vec<String> = targets().into_iter().filter(|name| name.ends_with("/amd64")).collect();
    assert!(!targets.is_empty());
    for pipeline in all() {
        for matrix in &pipeline.matrices {
            assert_eq!(
                *matrix, targets,
                "ci/{}: the targets are those of that architecture that Mesos is locked for",
                pipeline.file
            );
        }
        for (target, share, steps) in targets.iter().flat_map(|target| [(target, "", 6), (target, "/srv/share", 7)]) {
            let runner = Runner::new();
            let key = runner.key(&pipeline);
            let list = ["--list", "--target", target, "--key-file", &key, "--repository", "/srv/mesos"];
            let expected =
                run(Command::new(tool()).arg("release").args(list).env("MESOS_PACKAGES_SHARE", share)).success();
            assert_eq!(expected.stdout.lines().count(), steps, "{}", expected.stdout);
            assert_eq!(expected.stdout.contains("share /srv/share"), steps == 7, "{}", expected.stdout);
            let mut said = String::new();
            for script in &pipeline.scripts {
                let ran = runner.run(&pipeline, script, target, share).success();
                for secret in [SECRET, PASSPHRASE] {
                    assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "ci/{}", pipeline.file);
                }
                said += &ran.stdout;
            }
            assert_eq!(said, expected.stdout, "ci/{} and the tool have other steps", pipeline.file);
            let kept = fs::read_to_string(runner.path("kept")).unwrap();
            assert_eq!(kept, format!("600\n{SECRET}\n").repeat(3), "ci/{}", pipeline.file);
            assert_eq!(fs::read_dir(runner.path("temp")).unwrap().count(), 0, "ci/{} leaves the key", pipeline.file);
        }
    }
}

#[test]
fn secrets_reach_only_the_steps_that_sign() {
    let signs = |text: &str| text.contains("--key-file");
    let has_secret = |script: &&Script| script.variables.values().any(|value| value.contains("secrets."));
    let scripts = pipelines::github().scripts;
    assert_eq!(scripts.iter().filter(has_secret).count(), 2);
    assert!(scripts.iter().filter(has_secret).all(|script| signs(&script.text)));
    // Jenkins has them inside of `withCredentials` only.
    let mut depth = None;
    for line in pipelines::text("Jenkinsfile").lines() {
        let indent = line.len() - line.trim_start().len();
        match depth {
            None if line.contains("withCredentials") => depth = Some(indent),
            Some(outer) if line.trim() == "}" && indent == outer => depth = None,
            _ => assert_eq!(signs(line), depth.is_some() && line.trim().starts_with("sh "), "{line}"),
        }
    }
}

/// Least permissions, and actions by commit.
#[test]
fn github_is_given_little_and_trusts_commits_only() {
    let document = pipelines::yaml("github.yml");
    let permissions = document["permissions"].as_hash().unwrap();
    let given: Vec<_> = permissions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(given, [(Some("contents"), Some("read"))]);
    let mut uses = 0;
    for job in document["jobs"].as_hash().unwrap().values() {
        assert!(job["permissions"].is_badvalue(), "a job has permissions of its own");
        for step in job["steps"].as_vec().unwrap() {
            if let Some(action) = step["uses"].as_str() {
                let (_, commit) = action.split_once('@').expect(action);
                assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{action}");
                uses += 1;
                if action.starts_with("actions/checkout@") {
                    assert_eq!(step["with"]["persist-credentials"].as_bool(), Some(false));
                }
            }
        }
    }
    assert!(uses > 0);
}

#[test]
fn scripts_under_shellcheck() {
    let folder = tempfile::tempdir().unwrap();
    for pipeline in all() {
        for script in &pipeline.scripts {
            let path = folder.path().join("script");
            fs::write(&path, &script.text).unwrap();
            let shell = format!("--shell={}", pipeline.shell);
            tests::judge("shellcheck", &[&shell, &path.display().to_string()], folder.path());
        }
    }
}

#[test]
fn what_is_missing_is_said_before_the_first_step() {
    release(&[]).fails(2, &["--key", "--dry-run"]);
    release(&["--key", "nobody"]).fails(2, &["the step publish needs --repository", "repo init"]);
    release(&["--dry-run", "--key", "somebody"]).fails(2, &["--dry-run"]);
    // Whoever has no key, such as a pull request of a fork, states nothing.
    let share = ["release", "--step", "share", "--target", "debian-13/amd64"];
    run(Command::new(tool()).args(share).env("MESOS_PACKAGES_SHARE", "/srv/share"))
        .fails(2, &["a release needs a key"]);
    run(Command::new(tool()).args(share).env_remove("MESOS_PACKAGES_SHARE")).success();
    // A place in trouble is no reason to have no release.
    let key = TestKey::new("Test Builder");
    let mut command = Command::new(tool());
    command.args(share).arg("--key-file").arg(key.secret()).env("MESOS_PACKAGES_SHARE", "ftp://me:secret@nowhere");
    let ran = run(&mut command).success();
    assert!(ran.stderr.contains("warning: share ended with code 2"), "{}", ran.stderr);
    // Nor are too few builders, but nothing of theirs is taken.
    let checkout = tempfile::tempdir().unwrap();
    let path = |name: &str| checkout.path().join(name);
    for name in ["packaging", "containers", "Cargo.toml"] {
        std::os::unix::fs::symlink(repository().join(name), path(name)).unwrap();
    }
    fs::create_dir(path("ci")).unwrap();
    let ring = |keys: &[&TestKey]| {
        let keys: Vec<Vec<u8>> = keys.iter().map(|key| fs::read(key.ring()).unwrap()).collect();
        fs::write(path("ci/builders.gpg"), keys.concat()).unwrap();
        let mut fetch = Command::new(tool());
        fetch.args(["release", "--step", "fetch", "--list", "--target", "debian-13/amd64"]);
        run(fetch.env("MESOS_PACKAGES_SHARE", "/srv/share").env("MESOS_PACKAGES_CHECKOUT", checkout.path())).success()
    };
    let few = ring(&[&key]);
    assert!(!few.stdout.contains("--from") && few.stderr.contains("has 1 key that counts"), "{few:?}");
    let enough = ring(&[&key, &TestKey::new("Another Builder")]);
    assert!(enough.stdout.contains("--from /srv/share --trust") && enough.stderr.is_empty(), "{enough:?}");
    release(&["--step", "sign"]).fails(2, &["plan, fetch, package, share, rebuild, publish, verify"]);
    release(&["--list", "--key", "It's me", "--target", "debian-99/amd64", "--repository", "r"])
        .fails(1, &["debian-99"]);
}
