//! The container engine: connection, containers, volumes, transfers.

mod address;
pub mod architecture;
pub mod cleanup;
pub mod container;
pub mod copy;
mod engine;
mod error;
pub mod fake;
pub mod interactive;
pub mod list;
pub mod names;
pub mod once;
pub mod setup;
pub mod stream;
pub mod transfer;
pub mod volume;

pub use engine::{Engine, EngineInfo, is_missing, listens};
pub use error::Error;
