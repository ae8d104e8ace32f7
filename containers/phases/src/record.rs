//! What a phase did, as data.

use std::path::PathBuf;

use farm::Shares;
use serde::{Deserialize, Serialize};

use crate::compiles::Compiles;
use crate::samples::Sample;

/// What a phase did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Name of the phase.
    pub name: String,
    /// Exit status of the script.
    pub exit: i64,
    /// Seconds from start to end, repeats included.
    pub wall: f64,
    /// CPU time in seconds, repeats included.
    pub cpu: f64,
    /// Largest memory use in bytes by the control group's own account; page cache counts there.
    pub peak_memory: u64,
    /// Largest memory use in bytes without page cache, sampled about once a second.
    pub peak_rss: u64,
    /// How many jobs ran at once in the last attempt.
    pub jobs: u32,
    /// How often the phase was run: more than once after memory ran out.
    pub attempts: u32,
    /// Source files whose compiler was killed for memory and was run again alone.
    pub killed_for_memory: Vec<String>,
    /// What the workers of the compile farm compiled, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub farm: Option<Shares>,
    /// Whether its programs were another architecture's than the machine's, and QEMU emulated it: the times say little then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emulated: bool,
    /// When it began, as a Unix time in seconds. None in a record of an earlier version of this tool, like what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<i64>,
    /// Bytes that it might use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Memory over time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<Sample>,
    /// What it compiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiles: Option<Compiles>,
    /// The file with the phase's log.
    pub log: PathBuf,
    /// Size of the log in bytes.
    pub log_bytes: u64,
}
