//! End-to-end tests, in one program: it is linked once. The folder decides the tier, see `.config/nextest.toml`.
//!
//! - `fast` needs neither a container engine nor root nor a network: run while one writes.
//! - `engine` needs a container engine.
//! - `host` needs no engine, but root, servers on loopback, or linters from package registries.

mod engine;
mod fast;
mod host;
