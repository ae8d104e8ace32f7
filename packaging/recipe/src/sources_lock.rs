//! `sources.lock`: the files that upstream's source bundles, pinned by digest.

use std::path::Path;

use foundation::config::{ConfigError, read_toml};
use foundation::digest::Digest;
use serde::{Deserialize, Serialize};

/// What `sources.lock` says: the digests of archives that upstream ships inside its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourcesLock {
    /// The bundled files, each with its digest.
    #[serde(default)]
    pub bundled: Vec<Bundled>,
}

/// A bundled file and its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bundled {
    /// The path of the file in the source tree.
    pub path: String,
    /// SHA-256 digest of the file.
    pub sha256: Digest,
}

impl SourcesLock {
    /// Reads a `sources.lock`.
    ///
    /// # Errors
    /// The file is missing, cannot be read, or is not TOML of this form.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        read_toml(path)
    }
}
