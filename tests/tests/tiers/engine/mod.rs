//! Tests that need a container engine.

mod bad_input;
mod bench;
mod check;
mod chime;
mod cluster;
mod farm;
mod install;
mod killed;
mod rebuild;
mod release;
mod sample;
mod signals;
