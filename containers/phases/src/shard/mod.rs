//! A shard: some tests of a googletest program, in a container of their own.
//!
//! The container has no network but loopback, no privileges, the compiled tree read-only at `/build` and a
//! temporary folder of its own; it is thrown away with everything that the tests started. A test that
//! crashes the program or exceeds its time ends the container, and the rest goes on in a new one.

mod course;
pub mod split;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, HostConfigCgroupnsModeEnum, Mount};
use bollard::query_parameters::StatsOptionsBuilder;
use course::{Course, End};
use engine::container::{Container, isolated, limits, mount};
use engine::transfer::{BUILDER, Upload, get_with, put};
use engine::{Engine, Error};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use statements::check::verdict::{Execution, TestOutcome};

pub use course::TEAR_DOWN;

use crate::log::Log;
use crate::phase::read_report;
use crate::usage::in_use;

const MEMORY: &str = include_str!("../../assets/memory.sh");
/// What runs the tests of a shard one after the other.
pub const RUNNER: &str = include_str!("../../assets/run-shard.sh");
/// In the container's own temporary folder: the rest of it cannot be written.
const MEMORY_PATH: &str = "/tmp/.check/memory.sh";
const RUNNER_PATH: &str = "/tmp/.check/run-shard.sh";
const PREPARE_PATH: &str = "/tmp/.check/prepare.sh";
/// Part of the key of what tests found: raised when the container that they run in becomes another.
pub const ROOM: &str = "room 2";
const HOSTNAME: &str = "build";
const REPORT: &str = "/tmp/.check/report";

/// The container that test programs run in.
#[derive(Clone, Debug)]
pub struct TestRoom {
    /// The name of the build root's image in the engine.
    pub image: String,
    /// Name of the volume with the compiled tests.
    pub volume: String,
    /// Environment variables, beside `PATH`, `HOME`, `TZ` and `LC_ALL`.
    pub environment: BTreeMap<String, String>,
    /// Memory limit in bytes; swap is not available on top of it.
    pub memory_bytes: u64,
    /// For tests that need root; none means the user `builder`, without any capability.
    pub root: Option<RootRoom>,
}

/// What is different where tests are root.
#[derive(Clone, Debug)]
pub struct RootRoom {
    /// The capabilities (capabilities(7)) that they have, without `CAP_`.
    pub capabilities: Vec<String>,
    /// Devices that they may use beside the engine's usual ones, as `docker run --device-cgroup-rule` takes them.
    pub device_cgroup_rules: Vec<String>,
    /// Shell commands that are run before the program.
    pub prepare: String,
}

/// Which tests to run, and how.
#[derive(Clone, Debug)]
pub struct ShardSpec {
    /// Name of the shard, for messages.
    pub name: String,
    /// Path of the test program in the container, below `/build`.
    pub program: PathBuf,
    /// The tests to run, as `SUITE.NAME`.
    pub tests: Vec<String>,
    /// Whether these are all tests of the program: then it is started without a filter, as upstream does.
    pub whole: bool,
    /// Whether nothing else runs at the same time.
    pub alone: bool,
    /// The longest time that each test may take.
    pub test_limit: Duration,
    /// File of this machine for the log.
    pub log: PathBuf,
}

/// What happens while a shard runs.
#[derive(Clone, Debug)]
pub enum ShardEvent {
    /// A test ended.
    Ended {
        /// The test's name, as `SUITE.NAME`.
        test: String,
        /// How the test ended.
        outcome: TestOutcome,
    },
    /// Memory in use, in bytes, without page cache; about once a second.
    Memory(u64),
}

/// What a shard did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShardRecord {
    /// Each test and how it went, in the order in which they ended.
    pub executions: Vec<(String, Execution)>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// CPU time in seconds.
    pub cpu_seconds: f64,
    /// Largest memory use in bytes by the control group's own account.
    pub peak_memory: u64,
    /// Containers beyond the first: one for each test that ended its program.
    pub restarts: u32,
}

/// Runs the tests of a shard, in one container after the other until none is left. Tests that fail, crash or take too
/// long are no error here.
///
/// # Errors
/// The engine fails or is lost, somebody else killed or removed a container, or the log cannot be written.
pub async fn run(
    engine: &Engine,
    room: &TestRoom,
    spec: &ShardSpec,
    event: &mut (dyn FnMut(ShardEvent) + Send),
) -> Result<ShardRecord, Error> {
    let begin = Instant::now();
    let mut log = Log::create(&spec.log)?;
    let mut course = Course::new(spec.tests.clone(), spec.alone);
    let mut record = ShardRecord::default();
    loop {
        let arguments = [format!("--gtest_filter={}", course.filter(spec.whole)), "--gtest_color=no".into()];
        let used = attempt(engine, room, spec, &arguments, &mut course, &mut log, event).await?;
        record.cpu_seconds += used.cpu;
        record.peak_memory = record.peak_memory.max(used.peak);
        if course.done() {
            break;
        }
        record.restarts += 1;
        log.line(&format!("--- a new container for the {} tests that are left", course.left()))?;
    }
    record.executions = course.executions();
    record.seconds = begin.elapsed().as_secs_f64();
    Ok(record)
}

/// Runs a test program to its end and returns its output; for questions to it, not for tests.
///
/// # Errors
/// The program ends with another status than 0, of which the error has the last lines, or not within `limit`; or the
/// engine fails or is lost.
pub async fn ask(
    engine: &Engine,
    room: &TestRoom,
    program: &Path,
    arguments: &[&str],
    limit: Duration,
) -> Result<String, Error> {
    let (exit, output) = answer(engine, room, program, arguments, limit).await?;
    if exit == 0 {
        return Ok(output);
    }
    Err(Error::Request(format!(
        "{} {} ended with status {exit}. Its last lines:\n{}",
        program.display(),
        arguments.join(" "),
        last_lines(&output, 20)
    )))
}

/// Runs a shell command in the container that tests would run in, and says whether it ends with status 0.
///
/// # Errors
/// The command does not end within `limit`, or the engine fails or is lost.
pub async fn probe(engine: &Engine, room: &TestRoom, command: &str, limit: Duration) -> Result<bool, Error> {
    let (exit, _) = answer(engine, room, Path::new("/bin/sh"), &["-c", command], limit).await?;
    Ok(exit == 0)
}

/// The status that a program ends with, and its output.
async fn answer(
    engine: &Engine,
    room: &TestRoom,
    program: &Path,
    arguments: &[&str],
    limit: Duration,
) -> Result<(i64, String), Error> {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let what = format!("{} {}", program.display(), arguments.join(" "));
    let container = prepare(engine, room, program, &arguments).await?;
    let mut output = Vec::new();
    let ran = container.run(&what, |piece: LogOutput| output.extend_from_slice(piece.as_ref()));
    let state = match tokio::time::timeout(limit, ran).await {
        Ok(state) => state?,
        Err(_) => {
            return Err(Error::Request(format!("{what} did not end within {} s", limit.as_secs())));
        }
    };
    container.remove().await?;
    Ok((state.exit_code.unwrap_or(-1), String::from_utf8_lossy(&output).into_owned()))
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// What one container used.
#[derive(Default)]
struct Used {
    peak: u64,
    cpu: f64,
}

async fn attempt(
    engine: &Engine,
    room: &TestRoom,
    spec: &ShardSpec,
    arguments: &[String],
    course: &mut Course,
    log: &mut Log,
    event: &mut (dyn FnMut(ShardEvent) + Send),
) -> Result<Used, Error> {
    let container = prepare(engine, room, &spec.program, arguments).await?;
    let mut output = container.start(&spec.name).await?;
    let docker = engine.patient();
    let mut stats = docker.stats(&container.id, Some(StatsOptionsBuilder::default().stream(true).build())).boxed();
    let mut used = Used::default();
    let mut late = false;
    course.start();
    loop {
        // Between tests, too: a program may hang in what a suite sets up.
        let deadline = tokio::time::Instant::from_std(course.since() + spec.test_limit);
        tokio::select! {
            piece = output.next() => match piece {
                Some(Ok(piece)) => log.write(piece.as_ref(), &mut |line| course.line(&line, event))?,
                // A killed container ends its stream roughly; its state says what happened.
                Some(Err(_)) | None => break,
            },
            Some(Ok(figures)) = stats.next() => {
                let (memory, cpu) = in_use(&figures);
                used.peak = used.peak.max(memory.unwrap_or(0));
                used.cpu = used.cpu.max(cpu.unwrap_or(0.0));
                event(ShardEvent::Memory(memory.unwrap_or(0)));
            }
            () = tokio::time::sleep_until(deadline) => {
                late = true;
                container.kill().await;
                break;
            }
        }
    }
    log.finish(&mut |line| course.line(&line, event))?;
    let state = container.ended(&spec.name).await?;
    let report = if late {
        None
    } else {
        get_with(engine, &container, REPORT, |reader| read_report(reader, REPORT)).await?.flatten()
    };
    if let Some(report) = &report {
        used.peak = report.peak.unwrap_or(used.peak);
        used.cpu = report.cpu.unwrap_or(used.cpu);
    }
    let end = match &report {
        _ if late => End::Late,
        Some(report) if report.kills > 0 && report.exit == 137 => End::Memory,
        Some(report) => End::Exit(report.exit),
        None if state.oom_killed == Some(true) => End::Memory,
        None => {
            let exit = state.exit_code.unwrap_or(-1);
            return Err(Error::KilledFromOutside { name: spec.name.clone(), exit });
        }
    };
    course.ended(&end, event);
    container.remove().await?;
    Ok(used)
}

/// A container with everything in place, not started.
async fn prepare(engine: &Engine, room: &TestRoom, program: &Path, arguments: &[String]) -> Result<Container, Error> {
    let container = Container::create(engine, "shard", body(engine, room, program, arguments)).await?;
    let mut uploads = vec![Upload::bytes(MEMORY_PATH, MEMORY, 0o644), Upload::bytes(RUNNER_PATH, RUNNER, 0o644)];
    if let Some(root) = &room.root {
        uploads.push(Upload::bytes(PREPARE_PATH, root.prepare.as_str(), 0o644));
    }
    let owner = if room.root.is_some() { 0 } else { BUILDER };
    put(engine, &container, "/tmp", uploads, owner).await?;
    Ok(container)
}

fn body(engine: &Engine, room: &TestRoom, program: &Path, arguments: &[String]) -> ContainerCreateBody {
    let bytes = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut host = isolated(engine);
    host.memory = Some(bytes(room.memory_bytes));
    host.memory_swap = host.memory;
    host.pids_limit = Some(4096);
    // There is no name service, and libprocess looks up the host's own name.
    host.extra_hosts = Some(vec![format!("{HOSTNAME}:127.0.0.1")]);
    // Tests ask whether processes have gone: somebody has to reap those whose parents died.
    host.init = Some(true);
    // A test lifts the limit of core files, which only root could if it were a hard one.
    host.ulimits = Some(limits(engine, (0, -1)));
    let tree = Mount { read_only: Some(true), ..mount(&room.volume, "/build") };
    // On disk, not in memory: tests use extended attributes and measure files. It has no name, so it goes with the container.
    let temporary = Mount { source: None, ..mount("", "/tmp") };
    host.mounts = Some(vec![tree, temporary]);
    match &room.root {
        None => {
            host.cap_drop = Some(vec!["ALL".into()]);
            host.readonly_rootfs = Some(true);
        }
        // Mounts and namespaces, which the tests of isolation make, are what the engine's profiles forbid.
        Some(root) => {
            host.cap_drop = Some(vec!["ALL".into()]);
            host.cap_add = Some(root.capabilities.clone());
            host.device_cgroup_rules = Some(root.device_cgroup_rules.clone());
            host.security_opt = Some(vec!["seccomp=unconfined".into(), "apparmor=unconfined".into()]);
            // Engines let everybody send pings; the kernel's default is nobody, and tests count on it.
            host.sysctls = Some([("net.ipv4.ping_group_range".to_owned(), "1 0".to_owned())].into());
            // A container's /proc/sys is mounted again in the containers that the tests make.
            host.masked_paths = Some(vec![]);
            host.readonly_paths = Some(vec![]);
            // What tests of control groups make is below the container's own group, and goes with it.
            host.cgroupns_mode = Some(HostConfigCgroupnsModeEnum::PRIVATE);
        }
    }
    let user = if room.root.is_some() { 0 } else { BUILDER };
    let mut environment: BTreeMap<String, String> =
        [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/tmp"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    environment.extend(room.environment.clone());
    environment.insert("MEMORY_BYTES".into(), room.memory_bytes.to_string());
    // `env -i`: the engine and the image add variables of their own otherwise.
    let mut command = vec!["-i".to_owned()];
    command.extend(environment.iter().map(|(name, value)| format!("{name}={value}")));
    command.extend(["/bin/sh", RUNNER_PATH, MEMORY_PATH, REPORT].map(str::to_owned));
    command.push(program.display().to_string());
    command.extend(arguments.iter().cloned());
    ContainerCreateBody {
        image: Some(room.image.clone()),
        entrypoint: Some(vec!["/usr/bin/env".into()]),
        cmd: Some(command),
        user: Some(format!("{user}:{user}")),
        working_dir: program.parent().map(|folder| folder.display().to_string()),
        hostname: Some(HOSTNAME.into()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}
