//! Writing binary packages with cargo-deb, and the one pass over the control archive that adds what it leaves out.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::changelog::Changelog;
use crate::digest::Digest;
use crate::manifest::{Manifest, ManifestError};
use crate::split::Split;
use crate::target::Target;

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
}

/// Everything that packages are made from.
#[derive(Clone, Copy, Debug)]
pub struct Packing<'a> {
    /// The recipe's packages.
    pub manifest: &'a Manifest,
    /// The recipe's changelog; with the suffix `+local` where that applies.
    pub changelog: &'a Changelog,
    /// The target.
    pub target: &'a Target,
    /// The result of the phase `split`.
    pub split: &'a Split,
}

/// Packages cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// The manifest and the staged tree do not fit.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// cargo-deb refuses.
    #[error("cannot write the package {package}: {message}")]
    CargoDeb {
        /// The package.
        package: String,
        /// What cargo-deb said, with its causes.
        message: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The package is not what it should be.
    #[error("the package {package} cannot be made: {problem}")]
    Package {
        /// The package.
        package: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// Writes all packages of the recipe and their `-dbgsym` packages into `folder`, unsigned; sorted by name.
/// `progress` is told each package's name before it is written.
pub fn build_all(packing: &Packing<'_>, folder: &Path, progress: &dyn Fn(&str)) -> Result<Vec<BinaryPackage>, DebError> {
    let _ = (packing, folder, progress);
    todo!()
}
