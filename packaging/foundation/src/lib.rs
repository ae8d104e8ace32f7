//! What every other room stands on: digests, the store, sizes, reading TOML, progress, kinds of failure.

pub mod address;
pub mod bytes;
pub mod config;
pub mod date;
pub mod digest;
pub mod failure;
pub mod file;
pub mod folder;
pub mod progress;
pub mod public;
pub mod random;
pub mod stage;
pub mod store;
pub mod threads;
