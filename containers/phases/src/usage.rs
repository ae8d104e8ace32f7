//! Memory and CPU: what a build may use, and what it did use.
//!
//! The control groups' two versions differ in the names of their figures. Inside a container
//! `assets/memory.sh` knows them, outside [`in_use`]; nothing else does.

use bollard::models::ContainerStatsResponse;
use engine::EngineInfo;
use foundation::bytes::ByteSize;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// The memory, in bytes, that a build may take unless the user says otherwise: what the engine's machine can spare
/// while it stays usable.
pub fn budget(info: &EngineInfo) -> u64 {
    let available = (!info.remote).then(available_memory).flatten();
    spare(info.memory_bytes, available)
}

fn spare(total: u64, available: Option<u64>) -> u64 {
    let reserve = (total / 8).max(GIB);
    // A machine that cannot be asked: that others use a quarter of it is a guess, which `--memory` overrules.
    let free = available.unwrap_or(total - total / 4).min(total);
    // Less than this cannot compile C++; the error of a phase says more than a limit of zero.
    (free.saturating_sub(reserve) / MIB * MIB).max(512 * MIB)
}

/// The memory, in bytes, that this machine has for new programs: `MemAvailable` of /proc/meminfo, see proc(5).
pub fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// How many jobs are wanted at once: more than there are processors, for the governor to choose from those that wait.
pub fn wanted_jobs(info: &EngineInfo) -> u32 {
    info.cpus.saturating_mul(2).max(1)
}

/// What was asked for and no build can have.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum TooMuch {
    /// More memory than the machine has.
    #[error(
        "--memory {} is more than the engine's machine has, which is {}: ask for less, or for nothing, and the build takes what \
         can be spared",
        ByteSize(*.asked), ByteSize(*.has)
    )]
    Memory {
        /// Bytes that were asked for.
        asked: u64,
        /// Bytes that the machine has.
        has: u64,
    },
    /// So many jobs that the machine would only start processes.
    #[error(
        "--jobs {asked} is more than {most}, {JOBS_PER_PROCESSOR} for each processor of the engine's machine and as many as the \
         workers take: processes that wait for a processor compile nothing sooner"
    )]
    Jobs {
        /// Jobs that were asked for.
        asked: u32,
        /// The most that may be asked for.
        most: u32,
    },
}

/// Jobs for each processor, beyond which more of them cannot help: most compiles wait for memory, not for each other.
const JOBS_PER_PROCESSOR: u32 = 32;

/// Says whether the engine's machine has the memory (in bytes) and the processors for the jobs that were asked for;
/// `beside` is how many jobs other machines take.
///
/// # Errors
/// More memory is asked for than the machine has, or more than 32 jobs for each of its processors. The error says what
/// may be asked for.
pub fn refuse_too_much(info: &EngineInfo, memory: Option<u64>, jobs: Option<u32>, beside: u32) -> Result<(), TooMuch> {
    if let Some(asked) = memory.filter(|asked| *asked > info.memory_bytes) {
        return Err(TooMuch::Memory { asked, has: info.memory_bytes });
    }
    let most = info.cpus.max(1).saturating_mul(JOBS_PER_PROCESSOR).saturating_add(beside);
    match jobs.filter(|asked| *asked > most) {
        Some(asked) => Err(TooMuch::Jobs { asked, most }),
        None => Ok(()),
    }
}

/// Bytes of a budget that the governor leaves free: for pages of code, pipes, and whatever nobody measures.
pub fn margin(memory_bytes: u64) -> u64 {
    (memory_bytes / 16).min(192 * MIB)
}

/// How many jobs fit where nobody governs them: one per processor, as long as each has `per_job` bytes.
pub fn jobs(info: &EngineInfo, memory_bytes: u64, per_job: u64) -> u32 {
    let fit = u32::try_from(memory_bytes / per_job.max(1)).unwrap_or(u32::MAX);
    fit.min(info.cpus).max(1)
}

/// Bytes in use that cannot be given back (anonymous and shared memory), and CPU seconds so far; each is none where the
/// engine does not tell it.
pub fn in_use(stats: &ContainerStatsResponse) -> (Option<u64>, Option<f64>) {
    let memory = stats.memory_stats.as_ref().and_then(|memory| {
        let figures = memory.stats.as_ref();
        let figure = |name: &str| figures.and_then(|figures| figures.get(name)).copied();
        match (figure("total_rss"), figure("anon")) {
            (Some(v1), _) => Some(v1 + figure("total_shmem").unwrap_or(0)),
            (None, Some(v2)) => Some(v2 + figure("shmem").unwrap_or(0)),
            (None, None) => memory.usage,
        }
    });
    let cpu = stats.cpu_stats.as_ref().and_then(|cpu| cpu.cpu_usage.as_ref()).and_then(|usage| usage.total_usage);
    (memory, cpu.map(|nanoseconds| nanoseconds as f64 / 1e9))
}

/// What `assets/run-phase.sh` wrote at the end of a phase.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhaseEnd {
    /// Exit status of the script.
    pub exit: i64,
    /// Largest memory use in bytes, page cache included; none where the kernel does not keep it.
    pub peak: Option<u64>,
    /// Number of processes that the kernel killed for memory.
    pub kills: u64,
    /// CPU time in seconds; none where the kernel does not keep it.
    pub cpu: Option<f64>,
    /// Files whose compiler was killed while others ran.
    pub together: Vec<String>,
    /// Files whose compiler was killed although it was alone.
    pub alone: Vec<String>,
}

impl PhaseEnd {
    /// Reads the lines `KEY VALUE` of a report; none if the text is not a whole report: phases can write where it lies.
    pub fn parse(text: &str) -> Option<Self> {
        let mut report = Self::default();
        let mut complete = false;
        for line in text.lines() {
            let (key, value) = line.split_once(' ')?;
            match key {
                "exit" => (report.exit, complete) = (value.parse().ok()?, true),
                "peak" => report.peak = Some(value.parse().ok()?),
                "kills" => report.kills = value.parse().ok()?,
                "cpu" => report.cpu = Some(value.parse::<u64>().ok()? as f64 / 1e6),
                "together" => report.together.push(value.to_owned()),
                "alone" => report.alone.push(value.to_owned()),
                _ => return None,
            }
        }
        complete.then_some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(cpus: u32) -> EngineInfo {
        EngineInfo {
            name: "Docker".into(),
            version: String::new(),
            api: "1.41".into(),
            cgroup_version: 1,
            storage_driver: "overlay2".into(),
            cpus,
            memory_bytes: 16 * GIB,
            remote: true,
            endpoint: String::new(),
        }
    }

    #[test]
    fn leaves_the_machine_usable() {
        assert_eq!(spare(16 * GIB, Some(12 * GIB)), 10 * GIB);
        assert_eq!(spare(4 * GIB, Some(3 * GIB)), 2 * GIB);
        assert_eq!(spare(2 * GIB, Some(GIB)), 512 * MIB);
        assert_eq!(budget(&info(4)), 10 * GIB);
    }

    #[test]
    fn jobs_follow_from_budget_and_processors() {
        assert_eq!(jobs(&info(4), 16 * GIB, 2 * GIB), 4);
        assert_eq!(jobs(&info(4), 5 * GIB, 2 * GIB), 2);
        assert_eq!(jobs(&info(4), GIB, 2 * GIB), 1);
        assert_eq!(jobs(&info(4), GIB, 0), 4);
    }

    #[test]
    fn more_than_the_machine_has_is_refused() {
        let machine = info(4);
        assert_eq!(refuse_too_much(&machine, None, None, 0), Ok(()));
        assert_eq!(refuse_too_much(&machine, Some(16 * GIB), Some(128), 0), Ok(()));
        assert_eq!(refuse_too_much(&machine, None, Some(200), 72), Ok(()));
        let memory = refuse_too_much(&machine, Some(16 * GIB + 1), None, 0).unwrap_err().to_string();
        assert!(memory.contains("which is 16 GiB"), "{memory}");
        let jobs = refuse_too_much(&machine, None, Some(999_999), 8).unwrap_err().to_string();
        assert!(jobs.starts_with("--jobs 999999 is more than 136, 32 for each"), "{jobs}");
        // What workers say of themselves cannot wrap.
        assert_eq!(refuse_too_much(&machine, None, Some(u32::MAX), u32::MAX), Ok(()));
    }

    /// Runs the shell's reading of control groups on forged ones: the machine of a test has only one version.
    fn shell(files: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/memory.sh");
        let script = format!(
            ". {driver}; cgroups={} own_kills=/nonexistent\n\
             for what in peak used refaults kills cpu; do cgroup $what; echo $what $number; done",
            folder.path().display()
        );
        let output = std::process::Command::new("/bin/sh").args(["-euc", &script]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn both_versions_of_control_groups() {
        let v1 = [
            ("memory/memory.max_usage_in_bytes", "1000\n"),
            (
                "memory/memory.stat",
                "rss 1\ntotal_cache 5\ntotal_rss 700\ntotal_shmem 20\ntotal_workingset_refault_file 9\n",
            ),
            ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
            ("cpuacct/cpuacct.usage", "2500000\n"),
        ];
        assert_eq!(shell(&v1), "peak 1000\nused 720\nrefaults 9\nkills 3\ncpu 2500\n");
        let v2 = [
            ("cgroup.controllers", "cpu memory pids\n"),
            ("memory.peak", "1000\n"),
            ("memory.stat", "anon 700\nfile 5\nshmem 20\nworkingset_refault_file 9\n"),
            ("memory.events", "low 0\noom 4\noom_kill 3\noom_group_kill 0\n"),
            ("cpu.stat", "usage_usec 2500\nuser_usec 2000\n"),
        ];
        assert_eq!(shell(&v2), "peak 1000\nused 720\nrefaults 9\nkills 3\ncpu 2500\n");
        // A kernel before 5.19 keeps no peak.
        assert!(shell(&[v2[0], v2[2]]).starts_with("peak\nused 720\n"));
    }

    #[test]
    fn reports() {
        let report =
            PhaseEnd::parse("exit 2\npeak 4096\nkills 1\ncpu 1500000\ntogether a b.cpp\nalone a b.cpp\n").unwrap();
        assert_eq!((report.exit, report.peak, report.kills, report.cpu), (2, Some(4096), 1, Some(1.5)));
        assert_eq!((report.together, report.alone), (vec!["a b.cpp".to_owned()], vec!["a b.cpp".to_owned()]));
        assert_eq!(PhaseEnd::parse("peak 1\n"), None);
        assert_eq!(PhaseEnd::parse("exit nonsense\n"), None);
        assert_eq!(PhaseEnd::parse("hello"), None);
    }
}
