//! Results of stages that machines share, so that nobody does twice what somebody trusted has done.
//!
//! ```text
//! statements/KIND/INPUTS/KEY.intoto.jsonl   "from these inputs I got this content", one file per signer
//! parts/ab/SHA256                           pieces of results, compressed, each called by its own digest
//! repository/locks/ID.json                  who is writing at the moment
//! ```
//!
//! A result is listed ([`list`]), cut into parts where its content says so ([`cut`]), copied to a place and stated
//! ([`offer`]). It is taken from there only where enough keys of a key ring ([`trust`]) state the same content, and only
//! as that content ([`take`]). A place decides nothing: whatever it does, a result is the one that was signed, or is made
//! here as if there were no place.

pub mod compare;
pub mod cut;
pub mod error;
pub mod list;
pub mod offer;
pub mod prune;
mod seen;
pub mod source;
pub mod take;
pub mod trust;

pub use error::ResultsError;
pub use list::Bundle;
pub use source::Source;
pub use statements::proof::result::{StatedBy, Subject, Taken};
pub use take::{Received, Taker};
pub use trust::{KeyRing, Trust};

use foundation::digest::Digest;
use serde::{Deserialize, Serialize};

/// A kind of stage whose results are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The finished packages of a plan, unsigned.
    Packages,
    /// The staged tree: what the last phase installed.
    Staged,
    /// Debug symbols apart from what is shipped, and the dependencies of it.
    Split,
    /// One finished package, unsigned, of whatever plan.
    Package,
    /// The objects in the compiler cache of a build root. Each builder has others, so that nobody can confirm them.
    CompilerCache,
    /// What a whole run of upstream's tests found. No two runs print and take the same, so that none confirms the bytes of another;
    /// what each says of the tests can be compared.
    Verdict,
}

impl Kind {
    /// The kinds of which every builder has to get the same content, so that others can confirm it and two that disagree are an
    /// alarm. In the order in which a build wants them.
    pub const REPRODUCIBLE: [Self; 4] = [Self::Packages, Self::Staged, Self::Split, Self::Package];

    /// Whether every builder has to get the same content.
    pub fn is_reproducible(self) -> bool {
        Self::REPRODUCIBLE.contains(&self)
    }

    /// The folders of its content that have what a build installed: in these alone there may be symbolic links. Everything else of a
    /// result is read by whoever takes it, where a link would lead to files of that machine.
    pub fn installed(self) -> &'static [&'static str] {
        match self {
            Self::Staged => &["tree"],
            Self::Split => &["stage"],
            Self::Packages | Self::Package | Self::CompilerCache | Self::Verdict => &[],
        }
    }

    /// The name of the kind, as the store and a place call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Packages => "packages",
            Self::Staged => "staged",
            Self::Split => "split",
            Self::Package => "package",
            Self::CompilerCache => "compiler-cache",
            Self::Verdict => "verdict",
        }
    }
}

/// What a result is the result of: a kind of stage, and the digest of everything that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind of stage.
    pub kind: Kind,
    /// The digest of its inputs.
    pub inputs: Digest,
}

impl Key {
    /// The path of the statement about it by the owner of a primary key, below the top of a place.
    pub fn statement(&self, primary: &str) -> String {
        let extension = statements::proof::dsse::EXTENSION;
        format!("{STATEMENTS}/{}/{}/{primary}.{extension}", self.kind.name(), self.inputs)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.inputs.short())
    }
}

/// The folder of a place with the statements.
pub const STATEMENTS: &str = "statements";

/// The folder of a place with the parts of results.
pub const PARTS: &str = "parts";

/// The path of a part, below the top of a place.
pub fn part_path(sha256: &Digest) -> String {
    let hex = sha256.to_string();
    format!("{PARTS}/{}/{hex}", &hex[..2])
}

/// Whether a path of a place is that of a part. What has another name is somebody else's.
pub(crate) fn is_part(path: &str) -> bool {
    let sha256 = path.rsplit('/').next().and_then(|name| name.parse::<Digest>().ok());
    sha256.is_some_and(|sha256| part_path(&sha256) == path)
}

/// Whether a path of a place is that of a statement: of any kind, since a later version of the tool may know more of them.
pub(crate) fn is_statement(path: &str) -> bool {
    let extension = statements::proof::dsse::EXTENSION;
    let [STATEMENTS, kind, inputs, name] = path.split('/').collect::<Vec<_>>()[..] else { return false };
    let Some(key) = name.strip_suffix(extension).and_then(|name| name.strip_suffix('.')) else { return false };
    let is_kind = !kind.is_empty() && kind.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let is_key = key.len() >= 40 && key.chars().all(|c| c.is_ascii_digit() || ('A'..='F').contains(&c));
    is_kind && inputs.parse::<Digest>().is_ok_and(|digest| digest.to_string() == inputs) && is_key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_places_own_is_told_by_its_name() {
        let inputs = Digest::of("inputs");
        let (part, key) = (part_path(&inputs), Key { kind: Kind::CompilerCache, inputs });
        let statement = key.statement(&"0123456789ABCDEF".repeat(3)[..40]);
        assert!(is_part(&part) && !is_statement(&part));
        assert!(is_statement(&statement) && !is_part(&statement));
        let (hex, upper) = (inputs.to_string(), part.to_uppercase().replacen("PARTS", "parts", 1));
        for other in ["parts/gear.step", "statements/2024-01.pdf", &format!("parts/zz/{hex}"), &hex, &upper] {
            assert!(!is_part(other) && !is_statement(other), "{other}");
        }
        for other in [".jsonl", "/x.intoto.jsonl", "x"] {
            assert!(!is_statement(&statement.replace(".intoto.jsonl", other)), "{other}");
        }
    }
}
