//! Tests that need a container engine.

mod cleaning;
mod governor;
mod hermetic;
mod memory;
mod moving;
