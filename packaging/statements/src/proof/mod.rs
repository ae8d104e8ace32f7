//! What is said about packages in a form that others' tools read, and signed: in-toto statements in DSSE envelopes.

pub mod attestation;
pub mod dsse;
pub mod intoto;
pub mod provenance;
pub mod result;
pub mod sbom;
