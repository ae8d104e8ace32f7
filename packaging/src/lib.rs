//! Recipes, locks, plans, packages and signatures. Synchronous; knows no container engine.

pub mod archive;
pub mod buildinfo;
pub mod bytes;
pub mod changelog;
pub mod changes;
pub mod check;
pub mod cluster;
pub mod compile_memory;
pub mod config;
pub mod contents;
pub mod control;
pub mod data;
pub mod deb;
pub(crate) mod deb_writer;
pub mod debian;
pub mod debsig;
pub mod digest;
pub mod download;
pub(crate) mod finished;
pub mod gpg;
pub mod manifest;
pub mod plan;
pub mod progress;
pub mod proof;
pub mod rebuild;
pub mod recipe;
mod recipe_bench;
pub mod repository;
pub mod root_lock;
pub mod signer;
pub mod source;
pub mod split;
pub mod staged;
pub mod store;
pub mod substvars;
pub mod sums;
pub mod target;
pub mod threads;
pub mod verification;
pub mod verify;
pub mod vex;

/// The code that decides the packages' bytes: an input of packing like any other.
const CODE: &[&str] = &[
    include_str!("archive.rs"),
    include_str!("changelog.rs"),
    include_str!("contents.rs"),
    include_str!("control.rs"),
    include_str!("data.rs"),
    include_str!("deb.rs"),
    include_str!("deb_writer.rs"),
    include_str!("debsig.rs"),
    include_str!("manifest.rs"),
    include_str!("split.rs"),
    include_str!("substvars.rs"),
    // The versions of cargo-deb, liblzma and tar are in it.
    include_str!("../../Cargo.lock"),
];

/// The digest of [`CODE`].
pub fn code() -> digest::Digest {
    digest::Digest::of(CODE.concat())
}
