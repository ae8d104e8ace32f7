//! A binary package that was written, as data.

use foundation::digest::Digest;
use serde::{Deserialize, Serialize};

/// A binary package that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinaryPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `amd64` or `all`.
    pub architecture: String,
    /// File name: `NAME_VERSION_ARCHITECTURE.deb`.
    pub file: String,
    /// Digest of the file.
    pub sha256: Digest,
    /// Size of the file in bytes.
    pub size: u64,
    /// `Installed-Size` in KiB.
    pub installed_size: u64,
    /// `Section`.
    pub section: String,
    /// `Priority`.
    pub priority: String,
    /// The first line of the description.
    pub synopsis: String,
    /// Whether it has debug symbols only.
    pub debug: bool,
}

/// What is done about a package.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// It was written before, and is found under this digest.
    Found(Digest),
    /// It is being written.
    Write,
    /// It was written, in so many seconds.
    Written(f64),
}

/// A package that was written, and how long that took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// The package.
    pub package: BinaryPackage,
    /// Wall time in seconds when it was written, without waiting for a thread.
    pub seconds: f64,
    /// How many threads compressed it then.
    pub threads: u32,
}
