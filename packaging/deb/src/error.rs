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
    /// cargo-deb refuses to write the package.
    #[error("cannot write the package {package}: {message}")]
    CargoDeb {
        /// The name of the package.
        package: String,
        /// What cargo-deb says, with the causes of its error.
        message: String,
    },
    /// The cache cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was attempted: `read` or `write`.
        what: &'static str,
        /// The file that it was attempted on.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The package would not be what it should be.
    #[error("the package {package} cannot be made: {problem}")]
    Package {
        /// The name of the package.
        package: String,
        /// What is wrong, and what to do about it.
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
