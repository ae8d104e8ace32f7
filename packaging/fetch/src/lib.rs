//! What comes from outside, verified: downloads, upstream's source, the Debian archive.

pub mod debian;
pub mod download;
pub mod source;
