//! Hermetic phases and shards of tests, and the governor of memory.

pub mod circumstances;
pub mod compile_memory;
pub mod compiles;
mod error;
pub mod first_error;
mod log;
pub mod phase;
pub mod record;
pub mod samples;
pub mod shard;
pub mod surroundings;
pub mod usage;

pub use error::PhaseError;
