//! Recipes, locks, plans, packages and signatures. Synchronous; knows no container engine.

pub mod config;
pub mod digest;
pub mod root_lock;
pub mod target;
