//! Phases, memory, transfers and cleaning up with a real container engine. The module decides the tier, see
//! `.config/nextest.toml`.

mod engine;
