//! Signatures, what is signed (.debs, checksums, .changes, .buildinfo, Releases), and what clients demand of a key.

pub mod buildinfo;
pub mod changes;
pub mod debsig;
pub mod gpg;
pub mod gpgv;
pub mod policy;
pub mod public_key;
pub mod several;
pub mod signer;
pub mod sums;
