//! A package in a few words: what it is, and where a client finds it.

use fetch::debian::version;
use foundation::digest::Digest;
use serde::{Deserialize, Serialize};

/// A package, as an index lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Listed {
    /// The name of the package.
    pub name: String,
    /// The version of the package (Debian policy 5.6.12).
    pub version: String,
    /// The architecture of the package, such as `amd64` or `all`.
    pub architecture: String,
    /// The component that it is in, such as `main`.
    pub component: String,
    /// Where the pool has it, below the repository's folder.
    pub path: String,
    /// Size of the .deb file in bytes.
    pub size: u64,
    /// SHA-256 digest of the .deb file.
    pub sha256: Digest,
}

/// Sorts as indices have it: by name, then from the oldest to the newest version.
pub fn sort(packages: &mut Vec<Listed>) {
    packages.sort_by(|a, b| {
        (a.name.cmp(&b.name)).then_with(|| version::compare(&a.version, &b.version)).then_with(|| a.cmp(b))
    });
    packages.dedup();
}
