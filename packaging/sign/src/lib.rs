//! Signatures, and what is signed: .debs, checksums, .changes, .buildinfo.

pub mod buildinfo;
pub mod changes;
pub mod debsig;
pub mod gpg;
pub mod gpgv;
pub mod public_key;
pub mod signer;
pub mod sums;
