//! Checksums of the files in a folder, as sha256sum(1), `.changes` and `.buildinfo` list them.

use std::path::{Path, PathBuf};

use crate::signer::{SignError, Signer};

/// Checksums cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SumsError {
    /// gpg refuses.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Writes `SHA256SUMS` over these files (paths relative to `folder`) and its signature `SHA256SUMS.asc`.
pub fn write(folder: &Path, files: &[PathBuf], signer: &dyn Signer, epoch: i64) -> Result<(), SumsError> {
    let _ = (folder, files, signer, epoch);
    todo!()
}

/// Writes a text file in `folder`, clear-signed: a `.changes` or `.buildinfo`.
pub fn write_clear_signed(folder: &Path, name: &str, text: &str, signer: &dyn Signer, epoch: i64) -> Result<(), SumsError> {
    let _ = (folder, name, text, signer, epoch);
    todo!()
}
