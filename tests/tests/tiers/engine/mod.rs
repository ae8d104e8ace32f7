//! Tests that need a container engine.

mod bad_input;
mod bench;
mod check;
mod chime;
mod cluster;
mod explain;
mod failed_phase;
mod farm;
mod install;
mod killed;
mod new_target;
mod pockets;
mod podman;
mod rebuild;
mod release;
mod sample;
mod share;
mod signals;
