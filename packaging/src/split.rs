//! The tool-owned phase `split`, which follows `install` in the build root: strips binaries, keeps their
//! debug symbols apart, and computes shared-library dependencies there, never on the host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::manifest::{Manifest, ManifestError};

/// The script: POSIX sh, run as `sh /build/recipe-split/split.sh`; reads `/build/stage` and
/// `/build/recipe-split/elf-files`, writes the folder `/build/out/split`.
pub const SCRIPT: &str = include_str!("../assets/split.sh");

/// Where [`inputs`] are uploaded to.
pub const INPUT_FOLDER: &str = "/build/recipe-split";

/// What is to be downloaded afterwards, as a folder (symbolic links and modes kept).
pub const OUTPUT_FOLDER: &str = "/build/out/split";

/// A file to upload into [`INPUT_FOLDER`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// File name.
    pub name: &'static str,
    /// Content.
    pub content: Vec<u8>,
}

/// The downloaded result of the phase.
#[derive(Clone, Debug)]
pub struct Split {
    /// The stripped tree.
    pub stage: PathBuf,
    /// The debug symbols: `usr/lib/debug/.build-id/xx/….debug`.
    pub debug: PathBuf,
    /// What was found in the binaries.
    pub binaries: Vec<Binary>,
    /// Substitution variables by package: `shlibs:Depends` and the like (deb-substvars(5)).
    pub substvars: BTreeMap<String, BTreeMap<String, String>>,
}

/// One ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The package it belongs to.
    pub package: String,
    /// Path in the staged tree.
    pub path: String,
    /// Its build id in hexadecimal digits.
    pub build_id: Option<String>,
    /// Its SONAME.
    pub soname: Option<String>,
    /// Whether its debug symbols were kept.
    pub debug: bool,
}

/// The phase cannot be prepared, or its result cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// The manifest and the staged tree do not fit.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The result is not what the script writes.
    #[error("{}: {problem}", path.display())]
    Result {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// The files to upload: the script and the list of ELF files by package. They, together with the staged
/// tree, are everything that the result depends on.
pub fn inputs(manifest: &Manifest, staged: &Path) -> Result<Vec<Input>, SplitError> {
    let _ = (manifest, staged);
    todo!()
}

impl Split {
    /// Reads the downloaded folder.
    pub fn read(folder: &Path) -> Result<Self, SplitError> {
        let _ = folder;
        todo!()
    }
}
