//! Phases, memory, transfers and cleaning up with a real container engine.

#[path = "engine/cleaning.rs"]
mod cleaning;
#[path = "engine/governor.rs"]
mod governor;
#[path = "engine/hermetic.rs"]
mod hermetic;
#[path = "engine/memory.rs"]
mod memory;
#[path = "engine/moving.rs"]
mod moving;
