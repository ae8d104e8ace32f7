//! The Packages index (Debian policy 5.1, repository format).

use std::path::PathBuf;

use super::DebianError;
use crate::digest::Digest;

/// The packages of one component and architecture.
#[derive(Clone, Debug)]
pub struct Index {
    /// Digest of the uncompressed index.
    pub sha256: Digest,
    /// The uncompressed index, in the store (apt reads it in the base).
    pub path: PathBuf,
    packages: Vec<Package>,
}

/// One package of the index; only the fields that are needed here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// Package.
    pub name: String,
    /// Version.
    pub version: String,
}

impl Index {
    /// Parses the text of an index.
    pub fn parse(name: &str, text: &str) -> Result<Vec<Package>, DebianError> {
        todo!("{name} {text}")
    }
    /// All packages, as in the index.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }
}
