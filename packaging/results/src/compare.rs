//! Comparing what this machine made with what others state: who agrees, who does not, and what only one side knows.

use std::collections::BTreeMap;

use foundation::digest::Digest;
use foundation::progress::Progress;
use schemars::JsonSchema;
use serde::Serialize;

use crate::Key;
use crate::error::ResultsError;
use crate::take::{Found, Taker};

/// What came of the comparison of one result.
#[derive(Debug)]
pub struct Compared {
    /// What it is the result of.
    pub key: Key,
    /// Digest of the content that this machine made; none where it made none.
    pub ours: Option<Digest>,
    /// What others state, each key once for each content.
    pub theirs: Vec<Found>,
}

/// The outcome for one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everybody got the same.
    Same,
    /// Somebody got something else.
    Different,
    /// Nobody else states anything about it.
    OnlyHere,
    /// This machine has none of its own.
    OnlyThere,
}

impl Compared {
    /// The outcome.
    pub fn verdict(&self) -> Verdict {
        let differ = |content: Digest| self.theirs.iter().any(|found| found.content() != content);
        match (self.ours, self.theirs.first()) {
            (Some(ours), Some(_)) if differ(ours) => Verdict::Different,
            (Some(_), Some(_)) => Verdict::Same,
            (None, Some(first)) if differ(first.content()) => Verdict::Different,
            (None, Some(_)) => Verdict::OnlyThere,
            (_, None) => Verdict::OnlyHere,
        }
    }
}

/// Asks what others state about a result, and compares.
///
/// # Errors
/// A temporary folder cannot be made.
pub fn compare(
    taker: &Taker,
    key: Key,
    ours: Option<Digest>,
    progress: &dyn Progress,
) -> Result<Compared, ResultsError> {
    let mut once = BTreeMap::new();
    for found in taker.ask(&key, progress)? {
        once.entry((found.stated.by.primary.clone(), found.content())).or_insert(found);
    }
    Ok(Compared { key, ours, theirs: once.into_values().collect() })
}
