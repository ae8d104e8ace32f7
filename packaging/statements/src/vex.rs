//! What is known of vulnerabilities in the packages: `vulnerabilities.toml` of a recipe, published as OpenVEX 0.2.0
//! (<https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md>), which scanners read beside their own data.
//!
//! A statement about a cherry-pick is not written down but found out: it is fixed only if every commit of the recipe that
//! names it is in the source that was built. A fix that was switched off, or that a local source lacks, makes the
//! packages affected.

use fetch::source::SourceOrigin;
use foundation::digest::Digest;
use recipe::cherry_pick::CherryPick;
use recipe::vulnerabilities::{Justification, Vulnerabilities, Vulnerability, VulnerabilityStatus};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What an OpenVEX document is made from.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Where the source that was built came from.
    pub origin: &'a SourceOrigin,
    /// The cherry-picks of the recipe, which fix vulnerabilities.
    pub picks: &'a [CherryPick],
    /// The package URLs of the binary packages that the document is about.
    pub products: &'a [String],
    /// The author of the document, `Name <address>`.
    pub author: &'a str,
    /// The date of the document, as a Unix time in seconds.
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

impl Document {
    /// Makes the document. The same input always gives the same bytes.
    pub fn new(known: &Vulnerabilities, subject: &Subject<'_>) -> Self {
        let statements: Vec<Statement> = known.all.iter().map(|one| Statement::new(one, subject)).collect();
        let timestamp = OffsetDateTime::from_unix_timestamp(subject.epoch).expect("an epoch is a time");
        let timestamp = timestamp.format(&Rfc3339).expect("a time of the common era");
        let content = Digest::of_json(&(subject.author, &timestamp, &statements));
        Self {
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

impl Statement {
    fn new(known: &Vulnerability, subject: &Subject<'_>) -> Self {
        let (status, found, action) = match known.status {
            VulnerabilityStatus::CherryPicked => cherry_picked(&known.name, subject),
            VulnerabilityStatus::Fixed => ("fixed", None, None),
            VulnerabilityStatus::NotAffected => ("not_affected", None, None),
            VulnerabilityStatus::Affected => ("affected", None, known.action.clone()),
            VulnerabilityStatus::UnderInvestigation => ("under_investigation", None, None),
        };
        let notes: Vec<&str> = found.as_deref().into_iter().chain(known.notes.as_deref()).collect();
        let subcomponents = known.component.iter().map(|purl| Subcomponent { id: purl.clone() }).collect::<Vec<_>>();
        let product = |purl: &String| Product { id: purl.clone(), subcomponents: subcomponents.clone() };
        Self {
            vulnerability: Named { name: known.name.clone(), description: known.description.clone() },
            products: subject.products.iter().map(product).collect(),
            status,
            status_notes: (!notes.is_empty()).then(|| notes.join(" ")),
            justification: known.justification,
            action_statement: action,
        }
    }
}

/// Status, notes and action by what is in the source.
fn cherry_picked(name: &str, subject: &Subject<'_>) -> (&'static str, Option<String>, Option<String>) {
    let picks: Vec<&CherryPick> =
        subject.picks.iter().filter(|pick| pick.fixes.iter().any(|fixed| fixed == name)).collect();
    let there = |pick: &CherryPick| subject.origin.cherry_picks().iter().any(|there| there.commit == pick.commit);
    let Some(missing) = picks.iter().find(|pick| !there(pick)) else {
        let commits: Vec<&str> = picks.iter().map(|pick| pick.commit.as_str()).collect();
        return ("fixed", Some(format!("Fixed by upstream's {}.", commits.join(", "))), None);
    };
    let notes = match &missing.disabled {
        Some(why) => format!("Upstream's {} was left out on purpose: {why}", missing.commit),
        None => format!("The source that was built lacks upstream's {}.", missing.commit),
    };
    ("affected", Some(notes), Some("Use packages that were built from the pinned source with this commit.".to_owned()))
}

/// The end of the names of these files.
pub const EXTENSION: &str = "openvex.json";

/// What a document says of one vulnerability, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VexFinding {
    /// The name of the vulnerability, such as `CVE-2019-5736`.
    pub name: String,
    /// What the vulnerability is, in a sentence.
    pub description: String,
    /// The status in words, such as `not affected`.
    pub status: String,
    /// Why the status is this one, and what users should do.
    pub notes: String,
}

/// Reads a document that [`text`] wrote. `None` where it is not one.
pub fn findings(document: &[u8]) -> Option<Vec<VexFinding>> {
    let document: serde_json::Value = serde_json::from_slice(document).ok()?;
    let finding = |statement: &serde_json::Value| {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let words = |name: &str| text(&statement[name]).replace('_', " ");
        let justification = Some(words("justification")).filter(|why| !why.is_empty()).map(|why| format!("{why}."));
        let notes =
            [justification.unwrap_or_default(), text(&statement["status_notes"]), text(&statement["action_statement"])];
        let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
        Some(VexFinding {
            name: statement["vulnerability"]["name"].as_str()?.to_owned(),
            description: text(&statement["vulnerability"]["description"]),
            status: words("status"),
            notes: notes.join(" "),
        })
    };
    document["statements"].as_array()?.iter().map(finding).collect()
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
