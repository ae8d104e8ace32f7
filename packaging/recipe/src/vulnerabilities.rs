//! What is known of vulnerabilities in the packages: `vulnerabilities.toml` of a recipe.

use std::collections::BTreeSet;
use std::path::Path;

use foundation::config::{ConfigError, read_toml};
use foundation::folder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cherry_pick::CherryPick;

/// Name of the file in a recipe's folder.
pub const FILE: &str = "vulnerabilities.toml";

/// What is known of vulnerabilities in the packages, for the statement in the format OpenVEX.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Vulnerabilities {
    /// The vulnerabilities, in the order in which they are published.
    #[serde(default, rename = "vulnerability")]
    pub all: Vec<Vulnerability>,
}

/// One vulnerability.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Vulnerability {
    /// `CVE-2020-11022`, or the ticket where there is no CVE.
    pub name: String,
    /// What it is, in a sentence.
    pub description: String,
    /// The package URL of the bundled part that it is in, where it is in one (<https://github.com/package-url/purl-spec>).
    #[serde(default)]
    pub component: Option<String>,
    /// Whether the packages are affected.
    pub status: VulnerabilityStatus,
    /// Why not; with `not-affected`, and only there.
    #[serde(default)]
    pub justification: Option<Justification>,
    /// How this is known.
    #[serde(default)]
    pub notes: Option<String>,
    /// What an administrator can do; with `affected`, and only there.
    #[serde(default)]
    pub action: Option<String>,
}

/// Whether the packages are affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VulnerabilityStatus {
    /// Not with the recipe's cherry-picks that name it.
    CherryPicked,
    /// The pinned source has the fix.
    Fixed,
    /// They never were.
    NotAffected,
    /// They are.
    Affected,
    /// Nobody has found out yet.
    UnderInvestigation,
}

/// Why the packages are not affected, in OpenVEX's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(serialize = "snake_case", deserialize = "kebab-case"))]
pub enum Justification {
    /// The component is not in them.
    ComponentNotPresent,
    /// The component is, that code is not.
    VulnerableCodeNotPresent,
    /// Nothing calls it.
    VulnerableCodeNotInExecutePath,
    /// It is called with nothing that an attacker decides.
    VulnerableCodeCannotBeControlledByAdversary,
    /// Something else stands in the way.
    InlineMitigationsAlreadyExist,
}

impl Vulnerabilities {
    /// Reads those of the recipe in `folder`, whose cherry-picks are `picks`; nothing where it has no such file.
    ///
    /// # Errors
    /// The file is not TOML of this form, or [`Vulnerabilities::look_over`] refuses what it says.
    pub fn read(folder: &Path, picks: &[CherryPick]) -> Result<Option<Self>, ConfigError> {
        let path = folder.join(FILE);
        if !folder::has(&path) {
            return Ok(None);
        }
        let read: Self = read_toml(&path)?;
        read.look_over(picks).map_err(|message| ConfigError::Parse { path, message })?;
        Ok(Some(read))
    }

    /// Checks that each is there once, says what its status needs, and agrees with the cherry-picks.
    ///
    /// # Errors
    /// A vulnerability is there twice, lacks what its status needs or has what its status does not have, contradicts
    /// the cherry-picks, or a CVE that a cherry-pick fixes is missing. The message names the vulnerability.
    pub fn look_over(&self, picks: &[CherryPick]) -> Result<(), String> {
        let fixes: BTreeSet<&str> = picks.iter().flat_map(|pick| pick.fixes.iter().map(String::as_str)).collect();
        let mut names = BTreeSet::new();
        for one in &self.all {
            let wrong = |why: &str| Err(format!("vulnerability {}: {why}", one.name));
            if !names.insert(one.name.as_str()) {
                return wrong("it is there twice");
            }
            if one.status == VulnerabilityStatus::CherryPicked && !fixes.contains(one.name.as_str()) {
                return wrong("its status is cherry-picked, but no [[cherry-pick]] of recipe.toml has it in `fixes`");
            }
            if (one.status == VulnerabilityStatus::NotAffected) != one.justification.is_some() {
                return wrong("`justification` belongs to the status not-affected, which needs it");
            }
            if (one.status == VulnerabilityStatus::Affected) != one.action.is_some() {
                return wrong("`action` belongs to the status affected, which needs it");
            }
            if one.status != VulnerabilityStatus::CherryPicked && one.notes.is_none() {
                return wrong("`notes` have to say how this is known");
            }
            if one.component.as_ref().is_some_and(|purl| !purl.starts_with("pkg:")) {
                return wrong("`component` is not a package URL, such as pkg:generic/libarchive@3.3.2");
            }
        }
        match fixes.iter().find(|id| id.starts_with("CVE-") && !names.contains(*id)) {
            Some(id) => Err(format!("a [[cherry-pick]] of recipe.toml fixes {id}, of which nothing is said here")),
            None => Ok(()),
        }
    }
}
