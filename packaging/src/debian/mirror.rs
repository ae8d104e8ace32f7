//! Where Debian's archive can be reached from this machine.

use std::path::PathBuf;

use serde::Deserialize;

use super::DebianError;
use crate::target::Target;

/// The user's settings: `$XDG_CONFIG_HOME/mesos-packages/config.toml` or `~/.config/…`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UserConfig {
    /// Debian mirrors, tried before the permanent archive: `https://…/debian`.
    #[serde(default)]
    pub mirrors: Vec<String>,
}

impl UserConfig {
    /// Where the file is looked for.
    pub fn path() -> Option<PathBuf> {
        todo!()
    }
    /// Reads it; there need not be one.
    pub fn read() -> Result<Self, DebianError> {
        todo!()
    }
}

/// Addresses of the archive, in the order to try. The sha256 decides, not the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrors {
    /// Mirrors of the current archive.
    pub near: Vec<String>,
    /// The permanent archive, without time stamp.
    pub archive: String,
}

impl Mirrors {
    /// `--mirror` first, then the user's settings, then the host's own apt configuration, then the permanent archive.
    pub fn discover(cli: Option<&str>, config: &UserConfig, target: &Target) -> Result<Self, DebianError> {
        let _ = config;
        todo!("{cli:?} {target:?}")
    }
    /// The addresses of a file below `pool/`, or an index by its digest.
    pub fn pinned(&self, snapshot: &str, path: &str) -> Vec<String> {
        todo!("{snapshot} {path}")
    }
}
