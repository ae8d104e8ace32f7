//! Why packages cannot be written.

use std::path::PathBuf;

use foundation::failure::{self, Failure, Kind, Outcome};
use foundation::store::StoreError;

use crate::manifest::ManifestError;

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
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
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

impl Failure for DebError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Manifest(error) => error.outcome(),
            Self::CargoDeb { .. } => Kind::Failed.plain(),
            Self::Store(error) => error.outcome(),
            Self::File { source, .. } => failure::of_file(source),
            Self::Package { .. } => Kind::Failed.plain(),
        }
    }
}
