//! Memory and CPU: what a build may use, and what it did use.

use crate::engine::EngineInfo;

/// The memory that a build may take unless the user says otherwise: what the engine's machine can
/// spare while it stays usable.
pub fn budget(info: &EngineInfo) -> u64 {
    let _ = info;
    todo!()
}

/// How many jobs fit: one per processor, as long as each has `per_job` bytes.
pub fn jobs(info: &EngineInfo, memory_bytes: u64, per_job: u64) -> u32 {
    let _ = (info, memory_bytes, per_job);
    todo!()
}
