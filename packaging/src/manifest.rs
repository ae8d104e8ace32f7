//! The manifest of a recipe's binary packages, `deb/Cargo.toml`: a cargo-deb manifest with one variant
//! per package, and our own table `[package.metadata.packaging]` for what cargo-deb has no field for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::ConfigError;

/// All binary packages of a recipe, as declared.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The recipe's folder.
    pub recipe: PathBuf,
    /// The packages, sorted by name.
    pub packages: Vec<PackageSpec>,
    /// Staged paths, as glob patterns, that no package ships.
    pub omit: Vec<String>,
    /// The `[package]` table, as it is handed to cargo-deb.
    pub(crate) package: toml::Table,
}

/// One binary package, as declared.
#[derive(Clone, Debug)]
pub struct PackageSpec {
    /// Its name.
    pub name: String,
    /// What goes into it, in the order of the manifest.
    pub assets: Vec<AssetRule>,
    /// Our own fields.
    pub extra: Extra,
    /// cargo-deb's fields, inherited ones included, without the assets.
    pub(crate) deb: toml::Table,
}

/// A rule that puts files or a link into a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssetRule {
    /// Files, by path or glob pattern.
    Files {
        /// Path or pattern, relative to the recipe's folder; `stage/…` is the staged tree.
        source: String,
        /// Path in the package, or a folder when it ends in `/` or the source is a pattern.
        dest: String,
        /// Permissions.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Path in the package.
        dest: String,
        /// What it points to.
        target: String,
    },
}

/// `[package.metadata.packaging.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Extra {
    /// The first line of the description (policy 5.6.13); else the crate's `description`.
    pub synopsis: Option<String>,
    /// `any` (the target's architecture) or `all`.
    #[serde(default)]
    pub architecture: Architecture,
    /// The field of the same name.
    pub multi_arch: Option<MultiArch>,
    /// The dependency that shared libraries in public folders cause (`shlibs` file); the default is
    /// `NAME (>= UPSTREAM-VERSION)`, as dh_makeshlibs has it.
    pub shlibs: Option<String>,
    /// Lines of the `triggers` file (deb-triggers(5)); the one for ldconfig is added by itself.
    #[serde(default)]
    pub triggers: Vec<String>,
    /// Empty folders that the package owns.
    #[serde(default)]
    pub directories: Vec<Directory>,
}

/// An empty folder that a package owns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Directory {
    /// Path in the package, without a leading `/`.
    pub path: String,
    /// Permissions in octal; the default is `755`.
    pub mode: Option<String>,
}

/// The kind of a package's architecture (policy 5.6.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// The target's architecture.
    #[default]
    Any,
    /// Independent of the architecture.
    All,
}

/// The field `Multi-Arch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MultiArch {
    /// Co-installable with itself from another architecture.
    Same,
    /// Serves packages of any architecture.
    Foreign,
    /// The dependent package decides.
    Allowed,
}

/// Every file of one package, resolved.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// By path in the package, without a leading `/`.
    pub entries: BTreeMap<String, Entry>,
}

/// One file or link of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Where its bytes are.
        origin: Origin,
        /// Permissions.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// What it points to.
        target: String,
    },
}

/// Where a file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The staged tree: the path in it.
    Stage(String),
    /// The recipe's folder: the path in it.
    Recipe(String),
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read or parsed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something in it is wrong.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// Reads `deb/Cargo.toml` of a recipe.
pub fn read(recipe: &Path) -> Result<Manifest, ManifestError> {
    let _ = recipe;
    todo!()
}

impl Manifest {
    /// Which file goes into which package, by package name. Fails when a staged file belongs to no package
    /// or to two, and when a rule matches nothing.
    pub fn resolve(&self, staged: &Path) -> Result<BTreeMap<String, Contents>, ManifestError> {
        let _ = staged;
        todo!()
    }
}
