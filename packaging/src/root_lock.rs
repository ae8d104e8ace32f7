//! The build-root lock: every .deb of a target's build root, pinned by digest.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, read_toml};
use crate::digest::Digest;
use crate::target::TargetName;

/// `containers/targets/NAME.lock` (or `NAME.lock` in a recipe's folder), in TOML.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RootLock {
    /// The format of this file; this code reads and writes 1.
    pub version: u32,
    /// The recipe whose build dependencies were solved.
    pub recipe: String,
    /// The target that was solved for.
    pub target: TargetName,
    /// The suite, such as `bookworm`.
    pub suite: String,
    /// The time stamp in the permanent archive, such as `20260912T120000Z`.
    pub snapshot: String,
    /// `Date` of the InRelease file that was verified, as a Unix time in seconds.
    pub release_date: i64,
    /// Digest of that InRelease file.
    pub release_sha256: Digest,
    /// Digest of the uncompressed Packages index that it names.
    pub packages_sha256: Digest,
    /// Digest of what was asked for (base and build dependencies): a lock for other wishes is stale.
    pub request_sha256: Digest,
    /// The packages, sorted by name.
    #[serde(rename = "package")]
    pub packages: Vec<PinnedDeb>,
}

/// One .deb of the build root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PinnedDeb {
    /// Package name.
    pub name: String,
    /// Debian version.
    pub version: String,
    /// `amd64` or `all`.
    pub architecture: String,
    /// Path below the archive's root, `pool/main/…`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Digest of the file.
    pub sha256: Digest,
    /// Belongs to the base: unpacked first, configured before the rest (Essential, required, and their closure).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub base: bool,
}

/// A build-root lock that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// There is none.
    #[error("there is no build-root lock {}: make it with `cargo xtask lock --target {target} --recipe {recipe}`", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// The target.
        target: TargetName,
        /// The recipe.
        recipe: String,
    },
    /// It cannot be parsed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It was made for something else.
    #[error("{path} was made for {found}, not for {expected}: run `cargo xtask lock --target {target} --recipe {recipe}`", path = path.display())]
    Other {
        /// The lock.
        path: PathBuf,
        /// What it was made for.
        found: String,
        /// What is being built.
        expected: String,
        /// The target.
        target: TargetName,
        /// The recipe.
        recipe: String,
    },
}

impl RootLock {
    /// Reads a lock and checks that it belongs to this recipe, target and request.
    pub fn read(path: &Path, recipe: &str, target: &TargetName, request: Digest) -> Result<Self, LockError> {
        if !path.exists() {
            return Err(LockError::Missing {
                path: path.to_owned(),
                target: target.clone(),
                recipe: recipe.to_owned(),
            });
        }
        let lock: Self = read_toml(path)?;
        let other = |found: String, expected: String| {
            Err(LockError::Other {
                path: path.to_owned(),
                found,
                expected,
                target: target.clone(),
                recipe: recipe.to_owned(),
            })
        };
        if lock.version != 1 {
            return other(format!("lock format {}", lock.version), "lock format 1".into());
        }
        if lock.recipe != recipe {
            return other(format!("the recipe {}", lock.recipe), format!("the recipe {recipe}"));
        }
        if lock.target != *target {
            return other(format!("the target {}", lock.target), format!("the target {target}"));
        }
        if lock.request_sha256 != request {
            return other("other build dependencies".into(), "those that recipe and target ask for now".into());
        }
        Ok(lock)
    }

    /// The lock as TOML; the same lock always gives the same bytes.
    pub fn to_toml(&self) -> String {
        let head = "# Made by `cargo xtask lock`; do not edit. The sha256 decides, not the mirror.\n";
        head.to_owned() + &toml::to_string(self).expect("a lock is plain data")
    }
}
