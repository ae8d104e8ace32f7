//! The sample on Debian's Podman: the bytes that Docker makes, and nothing left of a run that is interrupted.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::podman::Podman;
use tests::{Workshop, digests, run};

/// What its engine has of containers, whatever they do.
fn containers(podman: &Podman) -> String {
    run(podman.command().args(["ps", "--all", "--format", "{{.ID}} {{.Status}} {{.Labels}}"])).success().stdout
}

#[test]
fn podman_makes_the_bytes_that_docker_makes() {
    let folder = tempfile::tempdir().unwrap();
    let (reference, dist) = (folder.path().join("reference"), folder.path().join("dist"));
    Workshop::shared().package_sample(&reference, &[]).success();
    let podman = Podman::start();
    let workshop = Workshop::fresh();
    let package = || {
        let dist = dist.display().to_string();
        let mut command = workshop.command(&["package", "--recipe", "sample", "--offline", "--dist", &dist]);
        command.env("DOCKER_HOST", podman.host());
        command
    };

    // Ctrl-C in the middle of it. Containers that end are `stopped` there for a moment.
    let mut child = package().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the tool starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let mut said = Vec::new();
    while !said.last().is_some_and(|line: &String| line.starts_with("phase build …")) {
        said.push(lines.next().unwrap_or_else(|| panic!("it never came to the build: {said:#?}")));
    }
    while !containers(&podman).contains("Up ") {
        std::thread::sleep(Duration::from_millis(100));
    }
    run(Command::new("kill").args(["-INT", &child.id().to_string()])).success();
    said.extend(lines);
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:#?}");
    assert!(said.iter().any(|line| line.starts_with("interrupted:")), "{said:#?}");
    let started = Instant::now();
    while !containers(&podman).is_empty() {
        assert!(started.elapsed().as_secs() < 30, "{}", containers(&podman));
        std::thread::sleep(Duration::from_millis(100));
    }

    // The same command goes on: the build root is found by its labels, and finished phases by theirs.
    let ran = run(&mut package()).success();
    for done in ["build root from", "phase configure …"] {
        assert!(!ran.stderr.contains(done), "made once more: {}", ran.stderr);
    }
    for extension in ["deb", "buildinfo", "changes", "jsonl"] {
        assert_eq!(digests(&reference, extension), digests(&dist, extension));
    }
    // Both engines were given the same root file system.
    let (docker, podman) = (Workshop::shared().build_roots(), workshop.build_roots());
    assert_eq!(podman.len(), 1);
    assert!(podman.iter().all(|(key, root)| docker.get(key) == Some(root)), "{docker:#?} {podman:#?}");
}
