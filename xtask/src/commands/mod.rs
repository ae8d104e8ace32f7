//! One file per command.

pub mod bench;
pub mod check;
pub mod clean;
pub mod cluster;
pub mod completions;
pub mod diff;
pub mod docs;
pub mod doctor;
pub mod explain;
pub mod fetch;
pub mod lock;
pub mod man;
pub mod outdated;
pub mod package;
pub mod plan;
pub mod rebuild;
pub mod recipe;
pub mod release;
pub mod repo;
pub mod shell;
pub mod size;
pub mod target;
pub mod test;
pub mod verify;
pub mod worker;
