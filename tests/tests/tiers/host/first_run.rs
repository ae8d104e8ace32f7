//! The first `cargo xtask` after a clone compiles the tool for minutes, and says so from the first second on.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tests::repository;

/// cargo with the compilers that it has started, all stopped with this value.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn what_takes_long_is_said_at_once_also_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("cargo");
    command.args(["xtask", "doctor"]).current_dir(repository()).env("CARGO_TARGET_DIR", folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut cargo = Group(command.process_group(0).spawn().expect("cargo starts"));
    let mut lines = BufReader::new(cargo.0.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let said = lines.find(|line| line.trim_start().starts_with("Compiling "));
    assert!(said.is_some(), "cargo ended without a word of what it compiles");
    // Whoever waits has been told long before they wonder.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
