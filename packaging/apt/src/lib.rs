//! What apt reads of a suite (Debian repository format, <https://wiki.debian.org/DebianRepository/Format>): packages as
//! indices have them, the indices, the Release that names those, and where changelogs are. All of it is text that follows
//! from packages and settings; whoever keeps it in a folder, signs it and serves it is elsewhere.

pub mod changelog;
pub mod described;
pub mod indices;
pub mod listed;
pub mod release;

use foundation::digest::Digest;

/// SHA-256 digest and size in bytes of a file, as a Release file has them.
pub type Sum = (Digest, u64);

/// A package as an index has it: where it is, and what it says of itself.
pub type Indexed = (listed::Listed, described::Described);
