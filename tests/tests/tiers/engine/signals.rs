//! A run that is asked to end, by whatever signal: it stops its containers, and the same command continues it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use foundation::store::Store;
use tests::{Workshop, run, tool};

/// Starts the packaging of the sample with these signals as a terminal has them, or ignored.
fn start(workshop: &Workshop, dist: &Path, signals: &[&str]) -> Child {
    let usual = workshop.command(&[]);
    let mut command = Command::new("env");
    command.args(signals).arg(tool());
    command.args(["package", "--recipe", "sample", "--offline", "--no-cache", "--dist"]).arg(dist);
    for (name, value) in usual.get_envs() {
        value.map(|value| command.env(name, value));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the tool starts")
}

/// Reads what it says until it says `moment`; returns all of it, and what reads the rest.
fn until(child: &mut Child, moment: &str) -> (Vec<String>, std::io::Lines<BufReader<ChildStderr>>) {
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut said = Vec::new();
    while let Some(Ok(line)) = lines.next() {
        said.push(line);
        if said.last().is_some_and(|line| line.starts_with(moment)) {
            return (said, lines);
        }
    }
    panic!("the tool never said '{moment}': {said:?}");
}

fn send(signal: &str, child: &Child) {
    run(Command::new("kill").args([signal, &child.id().to_string()])).success();
}

/// The containers that runs with this cache have in the engine.
fn containers(workshop: &Workshop) -> Vec<String> {
    let id = Store::open(Some(&workshop.cache)).unwrap().id().to_owned();
    let ran = run(Command::new("docker").args(["ps", "--all", "--no-trunc", "--format", "{{.Labels}} {{.Mounts}}"]));
    ran.success().stdout.lines().filter(|line| line.contains(&id)).map(str::to_owned).collect()
}

/// Waits for the containers to be gone: seconds, and more where others use the disk as well.
fn none_is_left(workshop: &Workshop) {
    let started = std::time::Instant::now();
    while !containers(workshop).is_empty() {
        assert!(started.elapsed().as_secs() < 60, "{:?}", containers(workshop));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn every_signal_that_ends_a_run_stops_its_containers_and_loses_nothing() {
    // Of which this process may ignore some, as what a shell starts in the background does.
    let default = ["--default-signal=HUP,INT,QUIT,TERM"];
    let folder = tempfile::tempdir().unwrap();
    let dist = folder.path().join("dist");
    Workshop::shared().package_sample(&folder.path().join("reference"), &[]).success();
    let workshop = Workshop::with_build_root();
    for (signal, moment) in [("-HUP", "phase configure …"), ("-QUIT", "phase build …"), ("-TERM", "phase build …")]
    {
        let mut child = start(&workshop, &dist, &default);
        let (mut said, rest) = until(&mut child, moment);
        send(signal, &child);
        said.extend(rest.map_while(Result::ok));
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}: {said:?}");
        assert!(said.iter().any(|line| line.starts_with("interrupted:")), "{signal}: {said:?}");
        // What it was just asking of the engine when it ended is removed by its guard.
        none_is_left(&workshop);
        assert!(!dist.exists() || fs::read_dir(&dist).unwrap().next().is_none(), "half a result after {signal}");
    }
    // What nohup started goes on without its terminal.
    let mut child = start(&workshop, &dist, &["--default-signal=INT", "--ignore-signal=HUP"]);
    let (mut said, rest) = until(&mut child, "phase build …");
    send("-HUP", &child);
    said.extend(rest.map_while(Result::ok));
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said:?}");
    assert!(!said.iter().any(|line| line.starts_with("phase configure …")), "it began anew: {said:?}");
    assert!(dist.join("report.json").exists());
}

/// Killed without a chance to clean up (kill -9, no memory left), it leaves nothing in the engine all the same.
#[test]
fn nothing_in_the_engine_survives_the_tool() {
    let folder = tempfile::tempdir().unwrap();
    Workshop::shared().package_sample(&folder.path().join("reference"), &[]).success();
    let workshop = Workshop::with_build_root();
    let mut child = start(&workshop, &folder.path().join("dist"), &[]);
    let (_, rest) = until(&mut child, "phase configure …");
    while containers(&workshop).is_empty() {
        std::thread::yield_now();
    }
    send("-KILL", &child);
    child.wait().unwrap();
    drop(rest);
    none_is_left(&workshop);
}
