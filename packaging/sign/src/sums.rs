//! Checksums of the files in a folder, as sha256sum(1), `.changes` and `.buildinfo` list them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use foundation::failure::{self, Failure, Outcome};
use foundation::public;
use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::signer::{SignError, SignatureForm, Signer};

/// Checksums cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SumsError {
    /// gpg makes no signature.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A file cannot be read, or cannot be written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file that cannot be used.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl Failure for SumsError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Sign(error) => error.outcome(),
            Self::File { source, .. } => failure::of_file(source),
        }
    }
}

/// A file's checksums in hexadecimal digits, and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksums {
    /// MD5, which `.changes` still lists under `Files`.
    pub md5: String,
    /// SHA-1 digest, in hexadecimal digits.
    pub sha1: String,
    /// SHA-256 digest, in hexadecimal digits.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size: u64,
}

impl Checksums {
    /// Computes all digests of a file, which is read once.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn of_file(path: &Path) -> Result<Self, SumsError> {
        let (mut md5, mut sha1, mut sha256, mut size) = (Md5::new(), Sha1::new(), Sha256::new(), 0);
        let mut read = || -> io::Result<()> {
            let mut file = File::open(path)?;
            let mut buffer = vec![0; 1 << 16];
            loop {
                let length = file.read(&mut buffer)?;
                if length == 0 {
                    return Ok(());
                }
                md5.update(&buffer[..length]);
                sha1.update(&buffer[..length]);
                sha256.update(&buffer[..length]);
                size += length as u64;
            }
        };
        read().map_err(|source| SumsError::File { path: path.to_owned(), source })?;
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { md5: hex(&md5.finalize()), sha1: hex(&sha1.finalize()), sha256: hex(&sha256.finalize()), size })
    }
}

/// Writes `SHA256SUMS` over these files (paths relative to `folder`) and its signature `SHA256SUMS.asc`.
///
/// # Errors
/// One of the files cannot be read, no signature is made, or the list or its signature cannot be written.
pub fn write(folder: &Path, files: &[PathBuf], signer: &dyn Signer, epoch: i64) -> Result<(), SumsError> {
    let mut names: Vec<&PathBuf> = files.iter().collect();
    names.sort();
    names.dedup();
    let mut text = String::new();
    for name in names {
        let sums = Checksums::of_file(&folder.join(name))?;
        text += &format!("{}  {}\n", sums.sha256, name.display());
    }
    let signature = signer.sign(SignatureForm::DetachedArmored, &mut text.as_bytes(), epoch)?;
    write_file(&folder.join("SHA256SUMS"), text.as_bytes())?;
    write_file(&folder.join("SHA256SUMS.asc"), &signature)
}

/// Writes a text file in `folder`, clear-signed: a `.changes` or `.buildinfo`.
///
/// # Errors
/// No signature is made, or the file cannot be written.
pub fn write_clear_signed(
    folder: &Path,
    name: &str,
    text: &str,
    signer: &dyn Signer,
    epoch: i64,
) -> Result<(), SumsError> {
    let signed = signer.sign(SignatureForm::Clear, &mut text.as_bytes(), epoch)?;
    write_file(&folder.join(name), &signed)
}

/// Writes a file under a temporary name and renames it; everybody may read it, whatever the umask.
///
/// # Errors
/// The folder cannot be made, or the file cannot be written or renamed. What was there under this name stays then.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), SumsError> {
    let write = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        public::make_folder(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| SumsError::File { path: path.to_owned(), source })
}
