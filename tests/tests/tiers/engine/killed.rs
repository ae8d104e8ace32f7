//! kill -9 of the tool or of a container at any moment, then the same command again: the same bytes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tests::{Workshop, digests, run};

/// Starts the packaging of the sample, and kills the tool when it says `moment`.
fn kill_at(workshop: &Workshop, dist: &Path, moment: &str) {
    let dist = dist.display().to_string();
    let mut child = workshop
        .command(&["package", "--recipe", "sample", "--offline", "--no-cache", "--dist", &dist])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the tool starts");
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut said = Vec::new();
    let mut reached = false;
    for line in lines.map_while(Result::ok) {
        reached = line.starts_with(moment);
        said.push(line);
        if reached {
            break;
        }
    }
    assert!(reached, "the tool never said '{moment}': {said:?}");
    child.kill().expect("it still runs");
    child.wait().expect("it ends");
}

#[test]
fn killed_at_five_moments() {
    let folder = tempfile::tempdir().unwrap();
    let reference = folder.path().join("reference");
    Workshop::shared().package_sample(&reference, &[]).success();
    let workshop = Workshop::with_build_root();
    let dist = folder.path().join("dist");
    for moment in ["phase configure …", "phase build …", "staged tree …", "phase split …", "signing with"] {
        kill_at(&workshop, &dist, moment);
        assert!(!dist.exists() || fs::read_dir(&dist).unwrap().next().is_none(), "half a result after '{moment}'");
    }
    let ran = workshop.package_sample(&dist, &["--offline", "--no-cache"]).success();
    assert!(!ran.stderr.contains("phase build …"), "finished stages were not kept: {}", ran.stderr);
    assert_eq!(digests(&reference, "deb"), digests(&dist, "deb"));
    assert_eq!(digests(&reference, "changes"), digests(&dist, "changes"));
    // Nothing of the killed runs is left: neither containers nor temporary folders.
    let temporary: Vec<_> = fs::read_dir(workshop.cache.join("tmp")).unwrap().flatten().collect();
    assert!(temporary.is_empty(), "{temporary:?}");
    let aside: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(aside.len(), 2, "{aside:?}");
}

#[test]
fn a_container_killed_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    let reference = folder.path().join("reference");
    Workshop::shared().package_sample(&reference, &[]).success();
    let workshop = Workshop::with_build_root();
    let dist = folder.path().join("dist");
    let mut child = workshop
        .command(&["package", "--recipe", "sample", "--offline", "--no-cache", "--dist", &dist.display().to_string()])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the tool starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("phase build …")), "the build phase never began");
    let volume =
        format!("mesos-packages-{}-sample-build-", foundation::store::Store::open(Some(&workshop.cache)).unwrap().id());
    let killed = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let listed =
            run(Command::new("docker").args(["ps", "--format", "{{.ID}} {{.Mounts}}", "--no-trunc"])).success();
        listed.stdout.lines().filter(|line| line.contains(&volume)).any(|line| {
            let id = line.split(' ').next().expect("an id");
            run(Command::new("docker").args(["kill", id])).code == Some(0)
        })
    });
    assert!(killed, "no container of the build phase was found");
    let rest: Vec<String> = lines.collect();
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(1), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("killed from outside")), "{rest:?}");
    workshop.package_sample(&dist, &["--offline", "--no-cache"]).success();
    assert_eq!(digests(&reference, "deb"), digests(&dist, "deb"));
}

#[test]
fn of_two_runs_at_once_the_second_waits_and_says_for_whom() {
    let workshop = Workshop::shared();
    let folder = tempfile::tempdir().unwrap();
    let store = foundation::store::Store::open(Some(&workshop.cache)).unwrap();
    let held = store.lock("a test of the lock", &mut |_| ()).unwrap();
    let mut child = workshop
        .command(&["package", "--recipe", "sample", "--dist", &folder.path().join("dist").display().to_string()])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let first = lines.next().expect("it says something");
    assert!(first.starts_with("waiting") && first.contains("a test of the lock"), "{first}");
    drop(held);
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
}
