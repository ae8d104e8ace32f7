//! `components.toml` of a recipe: what others' work is in the packages without being a package of its own, because it was
//! compiled in, linked statically or copied. It decides no byte of a package, and so is no part of the plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use foundation::config::{ConfigError, read_toml};
use foundation::digest::Digest;
use foundation::failure::{Failure, Kind, Outcome};
use foundation::folder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sources_lock::SourcesLock;

/// The file's name in a recipe's folder.
pub const FILE: &str = "components.toml";

/// What others' work is in the packages without being a package of its own, for the bills of materials.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Components {
    /// Upstream itself, which is in every package.
    pub upstream: Upstream,
    /// What is in the packages beside it.
    #[serde(default, rename = "component")]
    pub others: Vec<Component>,
}

/// Upstream itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Upstream {
    /// Its licence, as an SPDX expression.
    pub license: String,
    /// Package URL (<https://github.com/package-url/purl-spec>), with the version.
    pub purl: String,
    /// Common Platform Enumeration 2.3 (NIST IR 7695), by which lists of vulnerabilities name it.
    #[serde(default)]
    pub cpe: Option<String>,
}

/// A third party's work.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Component {
    /// Name of the component, as its authors write it.
    pub name: String,
    /// Its version, where it has one.
    #[serde(default)]
    pub version: Option<String>,
    /// Its licence: an SPDX expression, or `{ name = "…" }` for one that SPDX does not list.
    pub license: License,
    /// Package URL.
    pub purl: String,
    /// Common Platform Enumeration.
    #[serde(default)]
    pub cpe: Option<String>,
    /// The archive in upstream's source that it comes from, as `sources.lock` names it.
    #[serde(default)]
    pub bundled: Option<String>,
    /// The binary packages that have it, and how.
    #[serde(rename = "in")]
    pub packages: BTreeMap<String, Form>,
}

/// A licence.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum License {
    /// An SPDX expression.
    Spdx(String),
    /// One that SPDX does not list.
    Named {
        /// Its name in `debian/copyright`.
        name: String,
    },
}

/// The form in which a component is in a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Its code is linked in.
    Linked,
    /// Templates and inline functions of its headers are compiled in.
    Inlined,
    /// Its files are in the package.
    Shipped,
}

impl Form {
    /// The word in `components.toml`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Inlined => "inlined",
            Self::Shipped => "shipped",
        }
    }
}

/// The components are not those of the source or of the packages.
#[derive(Debug, thiserror::Error)]
pub enum ComponentsError {
    /// The file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It names an archive that the source does not have.
    #[error("{}: the component {component} names the archive {bundled}, which sources.lock does not have", path.display())]
    Bundled {
        /// The `components.toml` that the name is in.
        path: PathBuf,
        /// The name of the component.
        component: String,
        /// The archive that the component names.
        bundled: String,
    },
    /// It names a package that is not made.
    #[error("{}: the component {component} names the package {package}, which is not made; the packages are {known}", path.display())]
    Package {
        /// The `components.toml` that the name is in.
        path: PathBuf,
        /// The name of the component.
        component: String,
        /// The name of the package that the component names.
        package: String,
        /// The names of the packages that are made, with commas between them.
        known: String,
    },
}

impl Failure for ComponentsError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Config(error) => error.outcome(),
            Self::Bundled { .. } => Kind::Input.next("correct this file or sources.lock"),
            Self::Package { .. } => Kind::Input.next("correct this file"),
        }
    }
}

impl Components {
    /// Reads the recipe's file; none where it has none. `packages` are the names of those that are made.
    ///
    /// # Errors
    /// The file is not TOML of this form, or it names an archive that `sources.lock` does not have, or a package that
    /// is not in `packages`.
    pub fn read(folder: &Path, lock: &SourcesLock, packages: &[&str]) -> Result<Option<Self>, ComponentsError> {
        let path = folder.join(FILE);
        if !folder::has(&path) {
            return Ok(None);
        }
        let components: Self = read_toml(&path)?;
        components.look_over(&path, lock, packages)?;
        Ok(Some(components))
    }

    fn look_over(&self, path: &Path, lock: &SourcesLock, packages: &[&str]) -> Result<(), ComponentsError> {
        for component in &self.others {
            if let Some(bundled) = component.bundled.as_ref().filter(|bundled| digest(lock, bundled).is_none()) {
                return Err(ComponentsError::Bundled {
                    path: path.to_owned(),
                    component: component.name.clone(),
                    bundled: bundled.clone(),
                });
            }
            if let Some(package) = component.packages.keys().find(|name| !packages.contains(&name.as_str())) {
                return Err(ComponentsError::Package {
                    path: path.to_owned(),
                    component: component.name.clone(),
                    package: package.clone(),
                    known: packages.join(", "),
                });
            }
        }
        Ok(())
    }
}

/// The pinned digest of an archive in upstream's source.
pub fn digest(lock: &SourcesLock, bundled: &str) -> Option<Digest> {
    lock.bundled.iter().find(|pinned| pinned.path == bundled).map(|pinned| pinned.sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_named() {
        let path = Path::new("components.toml");
        let read = |more: &str| -> Result<(), String> {
            let text = format!(
                "[upstream]\nlicense = 'MIT'\npurl = 'pkg:generic/x@1'\n[[component]]\nname = 'y'\nlicense = 'MIT'\npurl = 'pkg:generic/y@1'\n{more}"
            );
            let components: Components =
                foundation::config::parse_toml(path, &text).map_err(|error| error.to_string())?;
            components.look_over(path, &SourcesLock::default(), &["demo"]).map_err(|error| error.to_string())
        };
        assert_eq!(read("in = { demo = 'linked' }"), Ok(()));
        assert!(read("in = { other = 'linked' }").unwrap_err().contains("the package other, which is not made"));
        assert!(read("in = { demo = 'pasted' }").unwrap_err().contains("inlined"));
        assert!(read("in = {}\nbundled = 'y.tar'").unwrap_err().contains("y.tar, which sources.lock does not have"));
        assert!(read("in = {}\nversoin = '1'").unwrap_err().contains("versoin"));
    }
}
