//! The locks of the build root, of the node root and of virtual machines: every .deb of a root file system, pinned by
//! digest; and the compile farm's.

use std::path::{Path, PathBuf};

use foundation::config::{ConfigError, read_toml};
use foundation::digest::Digest;
use foundation::failure::{self, Failure, Kind, Outcome};
use serde::{Deserialize, Serialize};

use crate::target::TargetName;

/// What a lock pins. In commands and file names the node root goes by what it is for: `cargo xtask lock --cluster` makes its
/// lock, `TARGET.cluster.lock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// The build root: it compiles.
    BuildRoot,
    /// The node root: every node of a cluster is a copy of it.
    NodeRoot,
    /// The root file system of a cluster's virtual machines: what nodes have, with the kernel and what boots it.
    Machine,
    /// What a compile farm needs beside the build root. The build root itself stays as it is, and so does every plan.
    Farm,
}

impl LockKind {
    /// Every kind, the build root first: what a farm needs depends on it.
    pub const ALL: [Self; 4] = [Self::BuildRoot, Self::NodeRoot, Self::Machine, Self::Farm];

    /// What is pinned, in the words of messages.
    pub fn noun(self) -> &'static str {
        match self {
            Self::BuildRoot => "build root",
            Self::NodeRoot => "node root",
            Self::Machine => "virtual machine",
            Self::Farm => "compile farm",
        }
    }

    /// The command that makes the lock, as a user would type it.
    pub fn lock_command(self, recipe: &str, target: &TargetName) -> String {
        let option = match self {
            Self::BuildRoot => "",
            Self::NodeRoot => " --cluster",
            Self::Machine => " --vm",
            Self::Farm => " --farm",
        };
        format!("cargo xtask lock{option} --target {target} --recipe {recipe}")
    }
}

/// A lock: `TARGET.lock` (the build root), `TARGET.cluster.lock` (the node root), `TARGET.vm.lock` (virtual machines) or
/// `TARGET.farm.lock` in a recipe's folder, in TOML.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RootLock {
    /// The format of this file: 1 where all packages are of the target's own suite and component, else 2.
    pub version: u32,
    /// The recipe whose dependencies were solved.
    pub recipe: String,
    /// The target that the packages were chosen for.
    pub target: TargetName,
    /// The suite of Debian's archive, such as `bookworm`.
    pub suite: String,
    /// The time stamp in the permanent archive, such as `20260912T120000Z`.
    pub snapshot: String,
    /// `Date` of the InRelease file that was verified, as a Unix time in seconds.
    pub release_date: i64,
    /// SHA-256 digest of the InRelease file that the packages were chosen from.
    pub release_sha256: Digest,
    /// Digest of the uncompressed Packages index that it names.
    pub packages_sha256: Digest,
    /// Digest of what was asked for (a target's base, a recipe's dependencies): a lock for other wishes is stale.
    pub request_sha256: Digest,
    /// The further indices that the packages were chosen from: other suites, or other components of the same one.
    #[serde(default, rename = "index", skip_serializing_if = "Vec::is_empty")]
    pub indices: Vec<LockedIndex>,
    /// The packages, sorted by name.
    #[serde(rename = "package")]
    pub packages: Vec<PinnedDeb>,
}

impl RootLock {
    /// The format that a lock has.
    pub fn format(indices: &[LockedIndex]) -> u32 {
        if indices.is_empty() { 1 } else { 2 }
    }

    /// The permanent archive that a package comes from, `archive` being that of the target, and the time stamp there.
    pub fn origin<'a>(&'a self, archive: &'a str, deb: &PinnedDeb) -> (&'a str, &'a str) {
        let further = deb.suite.as_ref().and_then(|suite| self.indices.iter().find(|index| index.suite == *suite));
        further.map_or((archive, &self.snapshot), |index| (&index.archive, &index.snapshot))
    }

    /// What a root is made of; for whom it was solved, and when, makes no difference to it.
    pub fn content(&self) -> (&[PinnedDeb], i64) {
        (&self.packages, self.release_date)
    }
}

/// A further index that packages were chosen from: one component of a suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockedIndex {
    /// The suite, such as `bookworm-security`.
    pub suite: String,
    /// Its component, such as `main`.
    pub component: String,
    /// The permanent archive, without a time stamp: `https://snapshot.debian.org/archive/debian-security`.
    pub archive: String,
    /// The time stamp there, such as `20260912T120000Z`.
    pub snapshot: String,
    /// `Date` of the suite's InRelease file that was verified, as a Unix time in seconds.
    pub release_date: i64,
    /// SHA-256 digest of this InRelease file.
    pub release_sha256: Digest,
    /// Digest of the uncompressed Packages index that it names.
    pub packages_sha256: Digest,
}

/// One .deb of the root file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PinnedDeb {
    /// The name of the package (Debian policy 5.6.1).
    pub name: String,
    /// The version of the package (Debian policy 5.6.12).
    pub version: String,
    /// The architecture that the package is for: the target's own, such as `amd64`, or `all`.
    pub architecture: String,
    /// The suite that it comes from, where that is not the target's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// Path below the archive's root, `pool/main/…`.
    pub path: String,
    /// The size of the .deb file in bytes.
    pub size: u64,
    /// SHA-256 digest of the .deb file.
    pub sha256: Digest,
    /// Belongs to the base: unpacked first, configured before the rest (Essential, required, and their closure).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub base: bool,
}

/// A lock of a root that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file of the lock is missing.
    #[error("there is no lock of the {what}: {} is missing", path.display())]
    Missing {
        /// The words for what the lock is of, such as `build root`.
        what: &'static str,
        /// The path where the lock should be.
        path: PathBuf,
        /// The command that makes the lock.
        command: String,
    },
    /// The file of the lock cannot be read or parsed.
    #[error("{error}")]
    Config {
        /// What is wrong with the file.
        error: ConfigError,
        /// The command that makes the lock anew.
        command: String,
    },
    /// The lock was made for something else than what is built now.
    #[error("{path} was made for {found}, not for {expected}", path = path.display())]
    Other {
        /// The file of the lock.
        path: PathBuf,
        /// What the lock was made for.
        found: String,
        /// What is built now.
        expected: String,
        /// The command that makes the lock anew.
        command: String,
    },
}

impl Failure for LockError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Missing { command, .. } => Kind::Input.next(format!("make it with `{command}`")),
            Self::Config { error: ConfigError::Read { source, .. }, .. } => failure::of_file(source),
            Self::Config { command, .. } => Kind::Input.next(format!(
                "a lock is not written by hand: get it back with `git checkout`, or make it anew with `{command}`"
            )),
            Self::Other { command, .. } => Kind::Input.next(format!("make it anew with `{command}`")),
        }
    }
}

impl RootLock {
    /// Reads a lock and checks that it belongs to this recipe, target and request. The recipe is given by its name, and by what
    /// commands call it.
    ///
    /// # Errors
    /// The lock is missing, cannot be read, has another format, or was made for another recipe, another target or other
    /// dependencies.
    pub fn read(
        path: &Path,
        kind: LockKind,
        (recipe, called): (&str, &str),
        target: &TargetName,
        request: Digest,
    ) -> Result<Self, LockError> {
        let lock = Self::read_any(path, kind, (recipe, called), target)?;
        if lock.request_sha256 != request {
            let found = match kind {
                LockKind::BuildRoot => "other build dependencies",
                LockKind::NodeRoot => "other dependencies of nodes",
                LockKind::Machine => "other dependencies of virtual machines",
                LockKind::Farm => "other programs",
            };
            return Err(LockError::Other {
                path: path.to_owned(),
                found: found.into(),
                expected: "those that recipe and target ask for now".into(),
                command: kind.lock_command(called, target),
            });
        }
        Ok(lock)
    }

    /// Reads a lock like [`RootLock::read`], whatever was asked for when it was made.
    ///
    /// # Errors
    /// As for [`RootLock::read`], but for other dependencies.
    pub fn read_any(
        path: &Path,
        kind: LockKind,
        (recipe, called): (&str, &str),
        target: &TargetName,
    ) -> Result<Self, LockError> {
        let command = kind.lock_command(called, target);
        if !path.exists() {
            return Err(LockError::Missing { what: kind.noun(), path: path.to_owned(), command });
        }
        let lock: Self = read_toml(path).map_err(|error| LockError::Config { error, command: command.clone() })?;
        let other = |found: String, expected: String| {
            Err(LockError::Other { path: path.to_owned(), found, expected, command: command.clone() })
        };
        let format = Self::format(&lock.indices);
        if lock.version != format {
            return other(format!("lock format {}", lock.version), format!("lock format {format}"));
        }
        if lock.recipe != recipe {
            return other(format!("the recipe {}", lock.recipe), format!("the recipe {recipe}"));
        }
        if lock.target != *target {
            return other(format!("the target {}", lock.target), format!("the target {target}"));
        }
        let described = |suite: &&String| lock.indices.iter().any(|index| index.suite == **suite);
        let mut suites = lock.packages.iter().filter_map(|deb| deb.suite.as_ref());
        if let Some(suite) = suites.find(|suite| !described(suite)) {
            return other(format!("packages of {suite}"), "the suites that it describes".into());
        }
        Ok(lock)
    }

    /// The lock as TOML; the same lock always gives the same bytes.
    pub fn to_toml(&self) -> String {
        let head = "# Made by `cargo xtask lock`; do not edit. The sha256 decides, not the mirror.\n";
        head.to_owned() + &toml::to_string(self).expect("a lock is plain data")
    }
}
