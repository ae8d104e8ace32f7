//! Tests that need root, servers on loopback or linters from package registries, and no container engine.

mod book;
mod linters;
mod repository;
mod repository_faults;
mod repository_gate;
mod repository_keys;
mod repository_places;
mod repository_remote;
mod repository_time;
