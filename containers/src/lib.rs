//! The container engine, the build root, hermetic phases, and clusters of what was built. The only async code.

pub mod build_root;
pub mod circumstances;
pub mod cleanup;
pub mod cluster;
mod compile_memory;
mod container;
pub mod engine;
pub mod error;
pub mod farm;
mod log;
pub mod once;
pub mod phase;
pub mod pipeline;
mod rootfs;
pub mod setup;
pub mod shard;
mod stream;
pub mod transfer;
pub mod usage;
pub mod volume;

pub use error::Error;

#[cfg(test)]
mod engine_tests;
