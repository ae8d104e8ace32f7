//! A hermetic phase: one script in a container with no network, no privileges and a memory limit.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bollard::query_parameters::StatsOptionsBuilder;
use engine::container::Container;
use engine::transfer::{Upload, get, get_with, put};
use engine::{Engine, Error};
use farm::Access;
use foundation::bytes::ByteSize;
use foundation::date;
use foundation::progress::Event;
use futures_util::StreamExt;

use crate::circumstances::Circumstances;
use crate::error::PhaseError;
use crate::log::Log;
use crate::record::PhaseRecord;
use crate::samples::Samples;
use crate::surroundings::Surroundings;
use crate::usage::{PhaseEnd, in_use};

/// What runs a phase's script: it decides bytes. `memory.sh` and the governor do not, they decide when something runs.
pub const RUN_PHASE: &str = include_str!("../assets/run-phase.sh");
/// What stands before the compilers: it decides bytes as well.
pub const WRAPPER: &str = include_str!("../assets/compile-wrapper");
const MEMORY: &str = include_str!("../assets/memory.sh");
const GOVERNOR: &str = include_str!("../assets/governor.c");
const FRUGAL: &str = include_str!("../assets/frugal.c");
/// Where the driver leaves its report; removed before the script starts.
const REPORT: &str = "/build/out/.report";
/// In the note that a log has where a phase is run again with fewer jobs: what comes before it was made good.
pub const REPEATED: &str = "; running it again with ";
const MIB: u64 = 1 << 20;

/// What to run, and within which limits.
#[derive(Clone, Debug)]
pub struct PhaseSpec {
    /// Name of the phase, such as `build`.
    pub name: String,
    /// The name of the build root's image in the engine.
    pub image: String,
    /// Name of the volume mounted at `/build`.
    pub volume: String,
    /// Name of the volume mounted at `/ccache`, with the compiler cache; none for a phase without one.
    pub cache_volume: Option<String>,
    /// The script's text, for `/bin/sh`.
    pub script: Vec<u8>,
    /// Files put in place before it starts, below `/build`.
    pub uploads: Vec<Upload>,
    /// The whole environment; `PATH`, `HOME`, `TZ`, `LC_ALL`, `JOBS` and `MEMORY_…` are added where missing.
    pub env: BTreeMap<String, String>,
    /// Memory limit in bytes; swap is not available on top of it.
    pub memory_bytes: u64,
    /// Bytes that a compile is taken to need of whose file nothing is known; none for a phase that compiles nothing,
    /// and so needs no governor.
    pub memory_per_job: Option<u64>,
    /// How many jobs run at once; it is halved each time the kernel kills for memory.
    pub jobs: u32,
    /// How many processes and threads there may be at once.
    pub pids_limit: i64,
    /// How many processors it may use; none means all.
    pub cpus: Option<f64>,
    /// What differs from the usual, for a rebuild.
    pub circumstances: Circumstances,
    /// The way to a compile farm's workers, where compiles go.
    pub farm: Option<Access>,
    /// The longest time that it may run; none means no limit.
    pub timeout: Option<Duration>,
    /// Labels of the container, beside the run's.
    pub labels: BTreeMap<String, String>,
    /// File of this machine for the log.
    pub log: PathBuf,
    /// Paths below `/build/out` to fetch afterwards, also when the script failed; what is missing is skipped.
    pub downloads: Vec<String>,
    /// Folder of this machine for them; `/build/out/a/b` becomes `a/b` in it.
    pub download_dir: PathBuf,
}

/// What happens while a phase runs.
#[derive(Clone, Debug)]
pub enum PhaseEvent {
    /// The script printed this line, given without its line feed.
    Line(String),
    /// Memory (without page cache that could be given back) and CPU time so far; about once a second.
    Usage {
        /// Memory in use, in bytes.
        memory: u64,
        /// CPU time so far, in seconds.
        cpu: f64,
    },
    /// Something that this tool decided, such as a repeat with fewer jobs.
    Note(String),
}

/// Runs a phase, again with half as many jobs where memory ran out. A script that fails is no error here: the record
/// has its exit status. Dropping the future stops and removes the container.
///
/// # Errors
/// Memory ran out with one job too, the phase took longer than it may, somebody else removed or killed the container,
/// the engine fails or is lost, or a file of this machine (an upload, the log, a result) cannot be read or written.
pub async fn run(
    engine: &Engine,
    spec: PhaseSpec,
    event: &mut dyn FnMut(PhaseEvent),
) -> Result<PhaseRecord, PhaseError> {
    let begin = Instant::now();
    let mut log = Log::create(&spec.log)?;
    let mut record = PhaseRecord {
        name: spec.name.clone(),
        jobs: spec.jobs.max(1),
        started: Some(date::now()),
        limit: Some(spec.memory_bytes),
        log: spec.log.clone(),
        ..PhaseRecord::default()
    };
    let mut samples = Samples::default();
    loop {
        record.attempts += 1;
        let mut listen = |what: PhaseEvent| {
            if let PhaseEvent::Usage { memory, .. } = what {
                samples.add(begin.elapsed().as_secs_f64(), memory);
            }
            event(what);
        };
        let attempt = attempt(engine, &spec, record.jobs, &mut log, &mut listen).await?;
        record.wall = begin.elapsed().as_secs_f64();
        record.log_bytes = log.bytes;
        record.memory = samples.clone().finish();
        let lack = record.add(attempt);
        let Some(what) = lack else { return Ok(record) };
        let Lack::Together = what else { return Err(out_of_memory(&spec, what, record)) };
        if record.jobs == 1 {
            return Err(out_of_memory(&spec, what, record));
        }
        let before = record.jobs;
        record.jobs = before / 2;
        let note = format!(
            "phase {}: processes were killed for memory at {} ({before} jobs){REPEATED}{}",
            spec.name,
            ByteSize(spec.memory_bytes),
            record.jobs
        );
        log.line(&note)?;
        event(PhaseEvent::Note(note));
    }
}

/// What a phase did in one container.
#[derive(Default)]
struct Attempt {
    /// None if the driver itself was killed for memory.
    report: Option<PhaseEnd>,
    peak_rss: u64,
    cpu: f64,
}

/// Memory that was lacking.
enum Lack {
    /// With several jobs at once: fewer may do.
    Together,
    /// For one file, although it was compiled alone.
    Alone(String),
}

impl PhaseRecord {
    /// The event that tells what a phase that ended well has taken.
    pub fn finished(&self) -> Event {
        Event::PhaseFinished {
            phase: self.name.clone(),
            wall: self.wall,
            cpu: self.cpu,
            peak_memory: self.peak_memory,
            peak_rss: self.peak_rss,
            jobs: self.jobs,
            killed_for_memory: self.killed_for_memory.clone(),
        }
    }

    /// Takes up what an attempt did, and says whether it failed for lack of memory.
    fn add(&mut self, attempt: Attempt) -> Option<Lack> {
        self.peak_rss = self.peak_rss.max(attempt.peak_rss);
        let Some(report) = attempt.report else {
            self.exit = 137;
            self.cpu += attempt.cpu;
            return Some(Lack::Together);
        };
        self.exit = report.exit;
        self.cpu += report.cpu.unwrap_or(attempt.cpu);
        self.peak_memory = self.peak_memory.max(report.peak.unwrap_or(attempt.peak_rss));
        let handled = (report.together.len() + report.alone.len()) as u64;
        for file in report.together {
            if !self.killed_for_memory.contains(&file) {
                self.killed_for_memory.push(file);
            }
        }
        if report.exit == 0 {
            return None;
        }
        match report.alone.into_iter().next() {
            Some(file) => Some(Lack::Alone(file)),
            // Where every kill was made good by compiling again, the script failed for another reason.
            None if report.kills > handled => Some(Lack::Together),
            None => None,
        }
    }
}

fn out_of_memory(spec: &PhaseSpec, lack: Lack, record: PhaseRecord) -> PhaseError {
    let what = match lack {
        Lack::Alone(file) => file,
        Lack::Together => {
            format!("a process that the script starts (the end of its log, {}, may name it)", spec.log.display())
        }
    };
    PhaseError::OutOfMemory {
        phase: spec.name.clone(),
        what,
        budget: ByteSize(spec.memory_bytes).to_string(),
        hint: format!(
            ", such as `--memory {}`",
            String::from(ByteSize((spec.memory_bytes * 3 / 2).div_ceil(512 * MIB) * 512 * MIB))
        ),
        record: Box::new(record),
    }
}

async fn attempt(
    engine: &Engine,
    spec: &PhaseSpec,
    jobs: u32,
    log: &mut Log,
    event: &mut dyn FnMut(PhaseEvent),
) -> Result<Attempt, PhaseError> {
    let script = format!("/build/phase/{}", spec.name);
    let mut surroundings = Surroundings::of(spec, jobs);
    surroundings.environment.extend(spec.farm.iter().flat_map(|farm| farm.environment.clone()));
    let (run, more) = spec.circumstances.wrap(&script);
    let mut uploads = uploads(spec, &script, &surroundings.environment);
    uploads.extend(more);
    let mut body = surroundings.body(engine, &["/bin/sh", "/build/bin/run-phase.sh", &run, REPORT]);
    body.labels = Some(spec.labels.clone().into_iter().collect());
    body.host_config.get_or_insert_default().volumes_from =
        spec.farm.as_ref().map(|farm| vec![farm.volumes_from.clone()]);
    let container = Container::create(engine, "phase", body).await?;
    put(engine, &container, "/build", uploads, spec.circumstances.user()).await?;

    let mut done = Attempt::default();
    let mut output = container.start(&spec.name).await?;
    let docker = engine.patient();
    let mut stats = docker.stats(&container.id, Some(StatsOptionsBuilder::default().stream(true).build())).boxed();
    let limit = tokio::time::sleep(spec.timeout.unwrap_or(Duration::from_secs(u32::MAX.into())));
    let mut limit = std::pin::pin!(limit);
    let mut broken = None;
    loop {
        tokio::select! {
            piece = output.next() => match piece {
                Some(Ok(piece)) => log.write(piece.as_ref(), &mut |line| event(PhaseEvent::Line(line)))?,
                Some(Err(error)) => { broken = Some(error); break }
                None => break,
            },
            // The stream of figures ends by itself when the container does.
            Some(Ok(figures)) = stats.next() => {
                let (memory, cpu) = in_use(&figures);
                let memory = memory.unwrap_or(0);
                done.peak_rss = done.peak_rss.max(memory);
                done.cpu = done.cpu.max(cpu.unwrap_or(0.0));
                event(PhaseEvent::Usage { memory, cpu: done.cpu });
            }
            () = &mut limit => {
                container.kill().await;
                log.finish(&mut |line| event(PhaseEvent::Line(line)))?;
                return Err(PhaseError::TimedOut { phase: spec.name.clone(), after: spec.timeout.unwrap_or_default(), log: spec.log.clone() });
            }
        }
    }
    log.finish(&mut |line| event(PhaseEvent::Line(line)))?;
    let doing = format!("running the phase {}", spec.name);
    let state = match (container.ended(&spec.name).await, broken) {
        (Ok(state), _) => state,
        (Err(_), Some(error)) => return Err(engine.error(doing, error).into()),
        // However the waiting failed: what matters is what was going on.
        (Err(Error::EngineGone { endpoint, why, .. }), None) => {
            return Err(Error::EngineGone { doing, endpoint, why }.into());
        }
        (Err(error), None) => return Err(error.into()),
    };
    done.report = get_with(engine, &container, REPORT, |reader| read_report(reader, REPORT)).await?.flatten();
    let exit = state.exit_code.unwrap_or(-1);
    match &done.report {
        Some(report) if report.exit == exit => {}
        _ if state.oom_killed == Some(true) => done.report = None,
        // The driver always reports, unless it was killed, or could not be started at all.
        _ if exit == 137 || exit == 143 => {
            return Err(Error::KilledFromOutside { name: format!("the phase {}", spec.name), exit }.into());
        }
        _ => {
            return Err(Error::Engine {
                doing,
                why: format!(
                    "the phase left no report (exit {exit}). {}The log is {}",
                    state.error.unwrap_or_default(),
                    spec.log.display()
                ),
            }
            .into());
        }
    }
    for path in &spec.downloads {
        fetch(engine, &container, spec, path).await?;
    }
    container.remove().await?;
    Ok(done)
}

/// Reads the report of a phase or shard from the tar archive in which the engine sends it; none if there is none, or if
/// it is not such a report.
///
/// # Errors
/// What the engine sends is no tar archive, breaks off, or is no text.
pub fn read_report(reader: &mut dyn Read, path: &str) -> Result<Option<PhaseEnd>, Error> {
    let broken =
        |error: std::io::Error| Error::Archive { archive: format!("the archive of {path}"), why: error.to_string() };
    let mut archive = tar::Archive::new(reader);
    let Some(entry) = archive.entries().map_err(broken)?.next() else { return Ok(None) };
    let mut text = String::new();
    entry.map_err(broken)?.take(4 * MIB).read_to_string(&mut text).map_err(broken)?;
    Ok(PhaseEnd::parse(&text))
}

async fn fetch(engine: &Engine, container: &Container, spec: &PhaseSpec, path: &str) -> Result<(), Error> {
    let inside = Path::new(path)
        .strip_prefix("/build/out")
        .ok()
        .filter(|inside| inside.components().all(|part| matches!(part, std::path::Component::Normal(_))))
        .ok_or_else(|| Error::Request(format!("{path}: a phase leaves its results below /build/out")))?;
    // A file lands under its own name in the folder given; a folder's content in that folder.
    let parent = spec.download_dir.join(inside.parent().unwrap_or(Path::new("")));
    std::fs::create_dir_all(&parent).map_err(Error::io("create", &parent))?;
    let holder =
        tempfile::Builder::new().prefix(".fetch-").tempdir_in(&parent).map_err(Error::io("write to", &parent))?;
    if !get(engine, container, path, holder.path()).await? {
        return Ok(());
    }
    let target = spec.download_dir.join(inside);
    let single = holder.path().join(inside.file_name().unwrap_or_default());
    let from = if inside.as_os_str().is_empty() || !single.is_file() { holder.path() } else { &single };
    if target.is_dir() && from != single {
        for entry in std::fs::read_dir(from).map_err(Error::io("read", from))? {
            let entry = entry.map_err(Error::io("read", from))?;
            let to = target.join(entry.file_name());
            std::fs::rename(entry.path(), &to).map_err(Error::io("write", &to))?;
        }
        return Ok(());
    }
    std::fs::rename(from, &target).map_err(Error::io("write", &target))
}

fn uploads(spec: &PhaseSpec, script: &str, environment: &BTreeMap<String, String>) -> Vec<Upload> {
    let mut all = spec.uploads.clone();
    all.push(Upload::bytes(script, spec.script.clone(), 0o755));
    all.push(Upload::bytes("/build/bin/run-phase.sh", RUN_PHASE, 0o644));
    all.push(Upload::bytes("/build/bin/memory.sh", MEMORY, 0o644));
    if spec.memory_per_job.is_some() {
        all.push(Upload::bytes("/build/governor/governor.c", GOVERNOR, 0o644));
        all.push(Upload::bytes("/build/governor/frugal.c", FRUGAL, 0o644));
    }
    let mut names: Vec<String> = ["cc", "c++", "gcc", "g++"].map(str::to_owned).into();
    if let Some(triplet) = environment.get("DEB_HOST_GNU_TYPE") {
        // The names that configure tries first when it is told the host.
        names.extend([format!("{triplet}-gcc"), format!("{triplet}-g++")]);
    }
    all.extend(names.into_iter().map(|name| Upload::bytes(format!("/build/bin/{name}"), WRAPPER, 0o755)));
    all
}
