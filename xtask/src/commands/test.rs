//! `cargo xtask test`: the project's whole test suite in tiers, with the outside judges that it calls.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use foundation::digest::Digest;
use foundation::failure::{AnyFailure, Kind, Message};
use foundation::store::Store;
use xshell::{Shell, cmd};

use crate::arguments::{found_engine, installed, repository, wait_for};
use crate::terminal::Terminal;

/// The arguments of `cargo xtask test`.
#[derive(Args)]
pub struct Arguments {
    /// Install what the tests need: Debian packages, cargo-nextest and, for the tier engine, a container engine
    #[arg(long)]
    setup: bool,
    /// Only the tests that need no container engine, root or network: the same as --tier fast
    #[arg(long, conflicts_with = "tiers")]
    fast: bool,
    /// Only this tier, more than once for several; without it formatting, clippy and all tiers
    #[arg(long = "tier", value_name = "TIER")]
    tiers: Vec<Tier>,
    /// Arguments for `cargo nextest run`, such as a part of a test's name
    #[arg(last = true)]
    rest: Vec<String>,
}

/// What tests need; each is a profile of `.config/nextest.toml`, which says which tests are of it and how long they may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Tier {
    /// Neither a container engine nor root nor a network
    Fast,
    /// Root, servers on loopback, linters from package registries, Debian's archive
    Host,
    /// A container engine
    Engine,
}

impl Tier {
    /// In the order in which they are run: who made a mistake is told early.
    const ALL: [Self; 3] = [Self::Fast, Self::Host, Self::Engine];

    /// The name of the tier's profile.
    fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Host => "host",
            Self::Engine => "engine",
        }
    }
}

/// A program that judges our output.
struct Judge {
    program: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    /// The tiers that call it.
    tiers: &'static [Tier],
}

const fn judge(program: &'static str, package: &'static str, tiers: &'static [Tier]) -> Judge {
    Judge { program, package, tiers }
}

const JUDGES: &[Judge] = &[
    judge("apt-cacher-ng", "apt-cacher-ng", &[Tier::Host]),
    judge("apt-ftparchive", "apt-utils", &[Tier::Host]),
    judge("apt-mirror", "apt-mirror", &[Tier::Host]),
    judge("aptly", "aptly", &[Tier::Host]),
    judge("catatonit", "catatonit", &[Tier::Engine]),
    judge("chromium-headless-shell", "chromium-headless-shell", &Tier::ALL),
    judge("dash", "dash", &Tier::ALL),
    judge("debmirror", "debmirror", &[Tier::Host]),
    judge("debsig-verify", "debsig-verify", &Tier::ALL),
    judge("diffoscope", "diffoscope-minimal", &[Tier::Engine]),
    judge("dose-debcheck", "dose-distcheck", &[Tier::Host]),
    judge("dpkg-deb", "dpkg", &Tier::ALL),
    judge("dscverify", "devscripts", &Tier::ALL),
    judge("faketime", "faketime", &[Tier::Host]),
    judge("g++", "g++", &Tier::ALL),
    judge("git", "git", &Tier::ALL),
    judge("gpg", "gpg", &Tier::ALL),
    judge("gpg-agent", "gpg-agent", &Tier::ALL),
    judge("gpgv", "gpgv", &Tier::ALL),
    judge("lintian", "lintian", &Tier::ALL),
    judge("man", "man-db", &Tier::ALL),
    judge("nginx", "nginx", &[Tier::Host]),
    judge("node", "nodejs", &[Tier::Host]),
    judge("npm", "npm", &[Tier::Host]),
    judge("pip3", "python3-pip", &Tier::ALL),
    judge("podman", "podman", &[Tier::Engine]),
    judge("python3", "python3", &Tier::ALL),
    judge("readelf", "binutils", &Tier::ALL),
    judge("reprepro", "reprepro", &[Tier::Host]),
    judge("rsync", "rsync", &[Tier::Host]),
    judge("runc", "runc", &[Tier::Engine]),
    judge("shellcheck", "shellcheck", &Tier::ALL),
    judge("systemd-analyze", "systemd", &Tier::ALL),
    judge("xz", "xz-utils", &Tier::ALL),
];

/// Runs the tiers that were asked for, all of them to their end, and prints how long each took.
///
/// # Errors
/// A program that the tests need is not installed, the tests do not compile, or one fails.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let tiers = match arguments.fast {
        true => vec![Tier::Fast],
        false => {
            Tier::ALL.into_iter().filter(|tier| arguments.tiers.is_empty() || arguments.tiers.contains(tier)).collect()
        }
    };
    let shell = Shell::new().map_err(Message::of("cannot find the present folder"))?;
    shell.change_dir(repository());
    judges(&shell, &tiers, arguments.setup)?;
    let nextest = nextest(&shell, arguments.setup)?;
    if tiers.contains(&Tier::Engine) {
        let store = Store::open(None)?;
        let terminal = Terminal::new(false);
        // Without the cache's lock: a build may go on beside the tests.
        wait_for(async || Ok(found_engine(&store, arguments.setup, &terminal).await?))?;
        terminal.finish();
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut times = Vec::new();
    let mut timed = |started: Instant, what: String, job: &mut dyn FnMut() -> Result<(), AnyFailure>| {
        let result = job();
        times.push((what, started.elapsed(), result.is_ok()));
        result
    };
    if tiers == Tier::ALL {
        timed(Instant::now(), "formatting and clippy".into(), &mut || {
            cmd!(shell, "{cargo} fmt --all --check")
                .run()
                .map_err(Message::of("the code is not formatted: run `cargo fmt --all`"))?;
            Ok(cmd!(shell, "{cargo} clippy --workspace --all-targets --quiet -- -D warnings")
                .run()
                .map_err(Message::of("clippy has something to say"))?)
        })?;
    }
    timed(Instant::now(), "compiling the tests".into(), &mut || {
        Ok(cmd!(shell, "{nextest} nextest run --workspace --no-run --cargo-quiet")
            .run()
            .map_err(Message::of("the tests do not compile"))?)
    })?;
    // The end-to-end tests run the tool itself: this very program.
    let tool = std::env::current_exe().map_err(Message::of("cannot find this program's own file"))?;
    let tier_command = |tier: Tier| {
        let (name, rest) = (tier.name(), &arguments.rest);
        let command =
            cmd!(shell, "{nextest} nextest run --workspace --cargo-quiet --profile {name} --no-tests pass {rest...}")
                .env("MESOS_PACKAGES_TOOL", &tool);
        match tier {
            Tier::Engine => command,
            // A test that asks for an engine all the same is in the wrong tier, and fails.
            Tier::Fast | Tier::Host => command.env("DOCKER_HOST", format!("unix:///no-engine-in-the-tier-{name}")),
        }
    };
    let mut failed = Vec::new();
    if tiers.contains(&Tier::Fast) {
        // nextest runs no examples of the documentation; those that must not compile are in the crate pipeline.
        let examples = cmd!(shell, "{cargo} test --quiet --package pipeline --doc");
        let ran = timed(Instant::now(), "examples in the docs".into(), &mut || {
            Ok(examples.run().map_err(Message::of("examples failed"))?)
        });
        if ran.is_err() {
            failed.push("fast, its examples");
        }
    }
    // Tests with an engine wait for it more than they compute, those of the tier host compute: they go side by side.
    let aside = match tiers.contains(&Tier::Host) && tiers.contains(&Tier::Engine) {
        true => Some(Tier::Host),
        false => None,
    };
    for &tier in tiers.iter().filter(|tier| Some(**tier) != aside) {
        let beside = match tier {
            Tier::Engine => aside.map(|tier| Aside::start(tier, tier_command(tier).into())).transpose()?,
            Tier::Fast | Tier::Host => None,
        };
        let ran = timed(Instant::now(), format!("tier {}", tier.name()), &mut || {
            Ok(tier_command(tier).run().map_err(Message::of("tests failed"))?)
        });
        if ran.is_err() {
            failed.push(tier.name());
        }
        if let Some(mut beside) = beside {
            let name = beside.tier.name();
            if timed(beside.started, format!("tier {name}"), &mut || beside.finish()).is_err() {
                failed.push(name);
            }
        }
    }
    for (what, time, passed) in &times {
        println!("{what:24} {:>9}{}", minutes(*time), if *passed { "" } else { "  FAILED" });
    }
    if !failed.is_empty() {
        let sentence = format!("tests failed in the tiers: {}", failed.join(", "));
        return Err(Message::new(sentence, Kind::Failed.plain()).into());
    }
    Ok(())
}

/// A tier that runs beside another one. What it says is shown when it has ended, so that lines of both are not mixed.
struct Aside {
    tier: Tier,
    started: Instant,
    process: Child,
    said: File,
}

impl Aside {
    fn start(tier: Tier, mut command: std::process::Command) -> Result<Self, AnyFailure> {
        let cannot = || Message::of("cannot make a file for what the tests say");
        let said = tempfile::tempfile().map_err(cannot())?;
        command.stdout(said.try_clone().map_err(cannot())?).stderr(said.try_clone().map_err(cannot())?);
        let process = command.stdin(Stdio::null()).spawn().map_err(Message::of("cannot run the tests"))?;
        eprintln!("the tier {} runs beside; what it says is shown at its end", tier.name());
        Ok(Self { tier, started: Instant::now(), process, said })
    }

    fn finish(&mut self) -> Result<(), AnyFailure> {
        let status = self.process.wait().map_err(Message::of("cannot wait for the tests"))?;
        let shown = self.said.rewind().and_then(|()| std::io::copy(&mut self.said, &mut std::io::stderr()));
        shown.map_err(Message::of("cannot show what the tests said"))?;
        match status.success() {
            true => Ok(()),
            false => Err(Message::new("tests failed", Kind::Failed.plain()).into()),
        }
    }
}

fn minutes(time: Duration) -> String {
    format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
}

/// cargo-nextest, as this machine has it or as `ci/linters` pins it: there as a wheel, since compiling it takes minutes.
fn nextest(shell: &Shell, setup: bool) -> Result<PathBuf, AnyFailure> {
    if installed("cargo-nextest") {
        return Ok("cargo-nextest".into());
    }
    let pinned = Path::new("ci/linters/nextest.txt");
    let digest = Digest::of_file(&repository().join(pinned))
        .map_err(Message::of("cannot read what pins cargo-nextest"))?
        .short();
    let folder = repository().join("target/tmp").join(format!("nextest-{digest}"));
    let program = folder.join("bin/cargo-nextest");
    if !program.is_file() {
        if !setup {
            let next = "run `cargo xtask test --setup`, or `cargo install cargo-nextest`";
            return Err(Message::new(
                "the tests are run by cargo-nextest, which is not installed",
                Kind::Failed.next(next),
            )
            .into());
        }
        eprintln!("installing cargo-nextest");
        // The name comes last: a run that was killed leaves nothing that looks whole.
        let half = folder.with_extension("half");
        shell.remove_path(&half).map_err(Message::of("cannot remove what an earlier run left"))?;
        cmd!(shell, "pip3 install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --requirement {pinned} --target {half}")
            .run()
            .map_err(Message::of("cannot install cargo-nextest: `cargo install cargo-nextest` has it as well"))?;
        std::fs::rename(&half, &folder).map_err(Message::of_file("rename", &half))?;
    }
    Ok(program)
}

fn judges(shell: &Shell, tiers: &[Tier], setup: bool) -> Result<(), AnyFailure> {
    let called = |judge: &&Judge| judge.tiers.iter().any(|tier| tiers.contains(tier));
    let missing: Vec<&str> =
        JUDGES.iter().filter(called).filter(|judge| !installed(judge.program)).map(|judge| judge.package).collect();
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
