//! Pages for people who would rather look than read. Each is one file of HTML that needs no other: no script, no font, no
//! picture and no host but the one that it came from, which its Content-Security-Policy says to the browser as well.
//!
//! Nothing here reads a file or decides anything: whoever calls fills in these structures, and the templates show them.
//! Whatever text they are given, askama escapes it.

mod course;
pub mod report;
mod repository;
mod text;

pub use repository::{Build, File, Finding, Key, Origin, Package, Proof, Rebuild, Repository, Signing, Suite, Tests};
