//! What is known of vulnerabilities in the packages: `vulnerabilities.toml` of a recipe, published as OpenVEX 0.2.0
//! (<https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md>), which scanners read beside their own data.
//!
//! A statement about a cherry-pick is not written down but found out: it is fixed only if every commit of the recipe that
//! names it is in the source that was built. A fix that was switched off, or that a local source lacks, makes the
//! packages affected.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::{ConfigError, read_toml};
use crate::digest::Digest;
use crate::recipe::Recipe;
use crate::source::Origin;
use crate::source::cherry_pick::CherryPick;

/// Name of the file in a recipe's folder.
pub const FILE: &str = "vulnerabilities.toml";

/// `vulnerabilities.toml`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Vulnerabilities {
    /// In the order in which they are published.
    #[serde(default, rename = "vulnerability")]
    pub all: Vec<Vulnerability>,
}

/// One vulnerability.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    pub status: Status,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Those of a recipe; nothing where it has no such file.
    pub fn read(recipe: &Recipe) -> Result<Option<Self>, ConfigError> {
        let path = recipe.folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let read: Self = read_toml(&path)?;
        read.look_over(&recipe.file.cherry_picks).map_err(|message| ConfigError::Parse { path, message })?;
        Ok(Some(read))
    }

    fn look_over(&self, picks: &[CherryPick]) -> Result<(), String> {
        let fixes: BTreeSet<&str> = picks.iter().flat_map(|pick| pick.fixes.iter().map(String::as_str)).collect();
        let mut names = BTreeSet::new();
        for one in &self.all {
            let wrong = |why: &str| Err(format!("vulnerability {}: {why}", one.name));
            if !names.insert(one.name.as_str()) {
                return wrong("it is there twice");
            }
            if one.status == Status::CherryPicked && !fixes.contains(one.name.as_str()) {
                return wrong("its status is cherry-picked, but no [[cherry-pick]] of recipe.toml has it in `fixes`");
            }
            if (one.status == Status::NotAffected) != one.justification.is_some() {
                return wrong("`justification` belongs to the status not-affected, which needs it");
            }
            if (one.status == Status::Affected) != one.action.is_some() {
                return wrong("`action` belongs to the status affected, which needs it");
            }
            if one.status != Status::CherryPicked && one.notes.is_none() {
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

/// What a document is made for.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Where the built source came from.
    pub origin: &'a Origin,
    /// The recipe's cherry-picks.
    pub picks: &'a [CherryPick],
    /// Package URLs of the binary packages.
    pub products: &'a [String],
    /// Who says it, `Name <address>`.
    pub author: &'a str,
    /// Unix time in seconds.
    pub epoch: i64,
}

/// An OpenVEX document. Its fields are those of the specification, in its order.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    #[serde(rename = "@context")]
    context: &'static str,
    #[serde(rename = "@id")]
    id: String,
    author: String,
    timestamp: String,
    version: u32,
    tooling: &'static str,
    statements: Vec<Statement>,
}

#[derive(Clone, Debug, Serialize)]
struct Statement {
    vulnerability: Named,
    products: Vec<Product>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    justification: Option<Justification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_statement: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Named {
    name: String,
    description: String,
}

#[derive(Clone, Debug, Serialize)]
struct Product {
    #[serde(rename = "@id")]
    id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subcomponents: Vec<Subcomponent>,
}

#[derive(Clone, Debug, Serialize)]
struct Subcomponent {
    #[serde(rename = "@id")]
    id: String,
}

impl Vulnerabilities {
    /// The document. The same input always gives the same bytes.
    pub fn document(&self, subject: &Subject<'_>) -> Document {
        let statements: Vec<Statement> = self.all.iter().map(|one| one.statement(subject)).collect();
        let timestamp = OffsetDateTime::from_unix_timestamp(subject.epoch).expect("an epoch is a time");
        let timestamp = timestamp.format(&Rfc3339).expect("a time of the common era");
        let content = Digest::of_json(&(subject.author, &timestamp, &statements));
        Document {
            context: "https://openvex.dev/ns/v0.2.0",
            id: uuid(&content),
            author: subject.author.to_owned(),
            timestamp,
            version: 1,
            tooling: "mesos-packages",
            statements,
        }
    }
}

impl Vulnerability {
    fn statement(&self, subject: &Subject<'_>) -> Statement {
        let (status, found, action) = match self.status {
            Status::CherryPicked => self.cherry_picked(subject),
            Status::Fixed => ("fixed", None, None),
            Status::NotAffected => ("not_affected", None, None),
            Status::Affected => ("affected", None, self.action.clone()),
            Status::UnderInvestigation => ("under_investigation", None, None),
        };
        let notes: Vec<&str> = found.as_deref().into_iter().chain(self.notes.as_deref()).collect();
        let subcomponents = self.component.iter().map(|purl| Subcomponent { id: purl.clone() }).collect::<Vec<_>>();
        let product = |purl: &String| Product { id: purl.clone(), subcomponents: subcomponents.clone() };
        Statement {
            vulnerability: Named { name: self.name.clone(), description: self.description.clone() },
            products: subject.products.iter().map(product).collect(),
            status,
            status_notes: (!notes.is_empty()).then(|| notes.join(" ")),
            justification: self.justification,
            action_statement: action,
        }
    }

    /// Status, notes and action by what is in the source.
    fn cherry_picked(&self, subject: &Subject<'_>) -> (&'static str, Option<String>, Option<String>) {
        let picks: Vec<&CherryPick> = subject.picks.iter().filter(|pick| pick.fixes.contains(&self.name)).collect();
        let there = |pick: &CherryPick| subject.origin.cherry_picks().iter().any(|there| there.commit == pick.commit);
        let Some(missing) = picks.iter().find(|pick| !there(pick)) else {
            let commits: Vec<&str> = picks.iter().map(|pick| pick.commit.as_str()).collect();
            return ("fixed", Some(format!("Fixed by upstream's {}.", commits.join(", "))), None);
        };
        let notes = match &missing.disabled {
            Some(why) => format!("Upstream's {} was left out on purpose: {why}", missing.commit),
            None => format!("The source that was built lacks upstream's {}.", missing.commit),
        };
        (
            "affected",
            Some(notes),
            Some("Use packages that were built from the pinned source with this commit.".to_owned()),
        )
    }
}

/// The package URL of a binary package of Debian's format.
pub fn deb_purl(vendor: &str, name: &str, version: &str, architecture: &str, distribution: &str) -> String {
    // In a version only + and ~ can stand that a package URL may not have bare; ~ may, by RFC 3986.
    let version = version.replace(':', "%3A").replace('+', "%2B");
    let name = name.replace('+', "%2B");
    format!("pkg:deb/{}/{name}@{version}?arch={architecture}&distro={distribution}", vendor.to_lowercase())
}

/// A UUID that names content: version 8 of RFC 9562.
pub(crate) fn uuid(content: &Digest) -> String {
    let hex = content.to_string();
    let variant = ["8", "9", "a", "b"][usize::from(hex.as_bytes()[16]) % 4];
    format!("urn:uuid:{}-{}-8{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// Writes the document's text, as it is published.
pub fn text(document: &Document) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(document).expect("plain data");
    text.push(b'\n');
    text
}

#[cfg(test)]
#[path = "vex_tests.rs"]
mod tests;
