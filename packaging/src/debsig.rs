//! Origin signatures inside a .deb, as debsig-verify(1) checks them: the ar member `_gpgorigin` is a
//! detached signature over the members `debian-binary`, `control.tar.*` and `data.tar.*`, one after another.

use std::path::{Path, PathBuf};

use crate::deb::BinaryPackage;
use crate::signer::{SignError, Signer};

/// A package cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum DebsigError {
    /// gpg refuses.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The file is no .deb.
    #[error("{} is not a .deb as deb(5) has it: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Writes a signed copy of a package from the folder `from` into the folder `to`, and returns the package
/// with the new digest and size.
pub fn sign(package: &BinaryPackage, from: &Path, to: &Path, signer: &dyn Signer, epoch: i64) -> Result<BinaryPackage, DebsigError> {
    let _ = (package, from, to, signer, epoch);
    todo!()
}

/// The package's bytes without its signature: what a rebuild by somebody else compares with.
pub fn unsigned_digest(file: &Path) -> Result<crate::digest::Digest, DebsigError> {
    let _ = file;
    todo!()
}

/// Writes `debsig/policies/KEYID/NAME.pol` and `debsig/keyrings/KEYID/NAME.gpg` below `folder`, ready for
/// `/etc/debsig/policies` and `/usr/share/debsig/keyrings`. Returns the paths relative to `folder`.
pub fn write_policy(folder: &Path, name: &str, signer: &dyn Signer) -> Result<Vec<PathBuf>, DebsigError> {
    let _ = (folder, name, signer);
    todo!()
}
