//! This program, to be started once more.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The file that this process runs, whatever has become of its path (proc(5)).
const FILE: &str = "/proc/self/exe";

/// A command that runs this very program. By its path it would be what lies there now: after a build in the meantime another
/// version, and while that is written none.
pub fn command() -> Command {
    let mut command = Command::new(FILE);
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    command
}
