//! A binary package that was written, as data.

use foundation::digest::Digest;
use serde::{Deserialize, Serialize};

/// A binary package that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinaryPackage {
    /// The field `Package`: the package's name (Debian policy 5.6.1).
    pub name: String,
    /// The field `Version` (Debian policy 5.6.12).
    pub version: String,
    /// The field `Architecture`: the target's own, such as `amd64`, or `all`.
    pub architecture: String,
    /// File name: `NAME_VERSION_ARCHITECTURE.deb`.
    pub file: String,
    /// SHA-256 digest of the .deb file.
    pub sha256: Digest,
    /// Size of the .deb file in bytes.
    pub size: u64,
    /// The field `Installed-Size`: what the package takes on a disk, in KiB (Debian policy 5.6.20).
    pub installed_size: u64,
    /// The field `Section`, such as `net` (Debian policy 2.4).
    pub section: String,
    /// The field `Priority`, such as `optional` (Debian policy 2.5).
    pub priority: String,
    /// The first line of the field `Description` (Debian policy 5.6.13).
    pub synopsis: String,
    /// Whether it is a `-dbgsym` package, which has debug symbols and nothing else.
    pub debug: bool,
}

/// What is done about a package.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// It was written before, and is found under this digest.
    Found(Digest),
    /// It was not written before, and is being written now.
    Write,
    /// It was written; this took so many seconds of wall time.
    Written(f64),
}

/// A package that was written, and how long that took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// The package that was written.
    pub package: BinaryPackage,
    /// Wall time in seconds when it was written, without waiting for a thread.
    pub seconds: f64,
    /// How many threads compressed it when it was written.
    pub threads: u32,
}
