//! `cargo xtask test`: the project's whole test suite, with the outside judges that it calls.

use clap::Args;
use foundation::failure::{AnyFailure, Kind, Message};
use foundation::store::Store;
use xshell::{Shell, cmd};

use crate::arguments::{found_engine, installed, repository, wait_for};
use crate::terminal::Terminal;

/// Arguments.
#[derive(Args)]
pub struct Arguments {
    /// Install what the tests need: Debian packages and a container engine
    #[arg(long)]
    setup: bool,
    /// Arguments for `cargo test`, such as a part of a test's name
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Programs that judge our output, and the Debian packages that have them.
const JUDGES: &[(&str, &str)] = &[
    ("apt-ftparchive", "apt-utils"),
    ("dash", "dash"),
    ("debsig-verify", "debsig-verify"),
    ("diffoscope", "diffoscope-minimal"),
    ("dpkg-deb", "dpkg"),
    ("dscverify", "devscripts"),
    ("g++", "g++"),
    ("git", "git"),
    ("gpg", "gpg"),
    ("gpg-agent", "gpg-agent"),
    ("gpgv", "gpgv"),
    ("lintian", "lintian"),
    ("man", "man-db"),
    ("nginx", "nginx"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("pip3", "python3-pip"),
    ("python3", "python3"),
    ("readelf", "binutils"),
    ("reprepro", "reprepro"),
    ("rsync", "rsync"),
    ("shellcheck", "shellcheck"),
    ("systemd-analyze", "systemd"),
    ("xz", "xz-utils"),
];

/// Runs the command.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let shell = Shell::new().map_err(Message::of("cannot find the present folder"))?;
    shell.change_dir(repository());
    judges(&shell, arguments.setup)?;
    let store = Store::open(None)?;
    let terminal = Terminal::new(false);
    // Without the cache's lock: a build may go on beside the tests.
    wait_for(async || Ok(found_engine(&store, arguments.setup, &terminal).await?))?;
    terminal.finish();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    cmd!(shell, "{cargo} fmt --all --check")
        .run()
        .map_err(Message::of("the code is not formatted: run `cargo fmt --all`"))?;
    cmd!(shell, "{cargo} clippy --workspace --all-targets --quiet -- -D warnings")
        .run()
        .map_err(Message::of("clippy has something to say"))?;
    // The end-to-end tests run the tool itself: this very program.
    let tool = std::env::current_exe().map_err(Message::of("cannot find this program's own file"))?;
    let rest = arguments.rest;
    cmd!(shell, "{cargo} test --workspace --no-fail-fast -- {rest...}")
        .env("MESOS_PACKAGES_TOOL", tool)
        .run()
        .map_err(Message::of("tests failed"))?;
    Ok(())
}

fn judges(shell: &Shell, setup: bool) -> Result<(), AnyFailure> {
    let missing: Vec<&str> =
        JUDGES.iter().filter(|(program, _)| !installed(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !setup {
        let missing = missing.join(" ");
        let next = format!("run `cargo xtask test --setup`, or `apt-get install {missing}`");
        return Err(Message::new("the tests need programs that are not installed", Kind::Failed.next(next)).into());
    }
    let names = missing.join(" ");
    eprintln!("installing {names}");
    cmd!(shell, "apt-get update --quiet --quiet")
        .run()
        .map_err(Message::of("apt-get update failed: --setup has to run as root"))?;
    cmd!(shell, "apt-get install --yes --quiet --quiet --no-install-recommends {missing...}")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
        .map_err(Message::of(format!("cannot install {names}: --setup has to run as root")))?;
    Ok(())
}
