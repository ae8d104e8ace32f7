//! `sources.lock`: the files that upstream's source bundles, pinned by digest.

use std::path::Path;

use foundation::config::{ConfigError, read_toml};
use foundation::digest::Digest;
use serde::{Deserialize, Serialize};

/// `sources.lock`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourcesLock {
    /// The bundled files.
    #[serde(default)]
    pub bundled: Vec<Bundled>,
}

/// A bundled file and its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bundled {
    /// Path in the source tree.
    pub path: String,
    /// Digest.
    pub sha256: Digest,
}

impl SourcesLock {
    /// Reads it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        read_toml(path)
    }
}
