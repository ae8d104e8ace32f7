//! A hermetic phase: one script in a container with no network, no privileges and a memory limit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::Error;
use crate::transfer::Upload;

/// What to run, and within which limits.
#[derive(Clone, Debug)]
pub struct PhaseSpec {
    /// Name of the phase, such as `build`.
    pub name: String,
    /// The build root's image.
    pub image: String,
    /// Volume mounted at `/build`.
    pub volume: String,
    /// Volume mounted at `/ccache`.
    pub cache_volume: Option<String>,
    /// The script, for `/bin/sh`.
    pub script: Vec<u8>,
    /// Files put in place before it starts, below `/build`.
    pub uploads: Vec<Upload>,
    /// The whole environment; `PATH`, `HOME`, `TZ`, `LC_ALL`, `JOBS` and `MEMORY_BYTES` are added where missing.
    pub env: BTreeMap<String, String>,
    /// Memory limit; swap is not available on top of it.
    pub memory_bytes: u64,
    /// Jobs at once; fewer after the kernel killed for memory.
    pub jobs: u32,
    /// Processes and threads at once.
    pub pids_limit: i64,
    /// Processors; none means all.
    pub cpus: Option<f64>,
    /// Longest time to run; none means no limit.
    pub timeout: Option<Duration>,
    /// Labels of the container, beside the run's.
    pub labels: BTreeMap<String, String>,
    /// File on the host for the log.
    pub log: PathBuf,
    /// Paths below `/build/out` to fetch afterwards, also when the script failed; what is missing is skipped.
    pub downloads: Vec<String>,
    /// Folder of the host for them; `/build/out/a/b` becomes `a/b` in it.
    pub download_dir: PathBuf,
}

/// What happens while a phase runs.
#[derive(Clone, Debug)]
pub enum PhaseEvent {
    /// A line of output.
    Line(String),
    /// Memory (without page cache that could be given back) and CPU time so far; about once a second.
    Usage {
        /// Bytes in use.
        memory: u64,
        /// CPU seconds so far.
        cpu: f64,
    },
    /// Something that this tool decided, such as a repeat with fewer jobs.
    Note(String),
}

/// What a phase did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Name of the phase.
    pub name: String,
    /// Exit status of the script.
    pub exit: i64,
    /// Seconds from start to end, repeats included.
    pub wall: f64,
    /// CPU seconds, repeats included.
    pub cpu: f64,
    /// Largest memory use by the cgroup's own account; page cache counts there.
    pub peak_memory: u64,
    /// Largest memory use without page cache, sampled about once a second.
    pub peak_rss: u64,
    /// Jobs in the last attempt.
    pub jobs: u32,
    /// Attempts: more than one after memory ran out.
    pub attempts: u32,
    /// Source files whose compiler was killed for memory and was run again alone.
    pub killed_for_memory: Vec<String>,
    /// The log.
    pub log: PathBuf,
    /// Its size.
    pub log_bytes: u64,
}

/// Runs a phase. A script that fails is no error here: the record has its exit status.
/// Dropping the future stops and removes the container.
pub async fn run(engine: &Engine, spec: PhaseSpec, event: &mut dyn FnMut(PhaseEvent)) -> Result<PhaseRecord, Error> {
    let _ = (engine, spec, event);
    todo!()
}
