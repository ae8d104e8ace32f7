//! What is said about packages, in forms that others' tools read, and the checking of it.

mod archives;
pub mod check;
pub mod diff;
pub mod proof;
pub mod rebuild;
pub mod size;
pub mod verify;
pub mod vex;
