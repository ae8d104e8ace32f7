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
pub mod staged;
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
pub mod archive;
pub mod control;
pub mod data;
pub mod substvars;
pub(crate) mod deb_writer;
pub mod gpg;

/// The code that decides the packages' bytes: an input of packing like any other.
pub const CODE: &[&str] = &[
    include_str!("changelog.rs"),
    include_str!("control.rs"),
    include_str!("deb.rs"),
    include_str!("manifest.rs"),
    include_str!("split.rs"),
];
