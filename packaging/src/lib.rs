//! Recipes, locks, plans, packages and signatures. Synchronous; knows no container engine.

pub mod bytes;
pub mod config;
pub mod digest;
pub mod plan;
pub mod progress;
pub mod recipe;
pub mod root_lock;
pub mod target;
pub mod debian;
pub mod download;
pub mod source;
pub mod store;
pub mod verification;
pub mod buildinfo;
pub mod changelog;
pub mod changes;
pub mod deb;
pub mod debsig;
pub mod manifest;
pub mod signer;
pub mod split;
pub mod sums;
pub mod contents;
