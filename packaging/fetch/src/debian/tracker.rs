//! What Debian's security tracker knows of a release: which version of a source package closes which vulnerability.
//!
//! The data are those of <https://security-tracker.debian.org/tracker/data/json>: source package, then vulnerability, then
//! `releases`, then codename, with `status` (`open`, `resolved` or `undetermined`) and, where it is resolved, `fixed_version`.
//! A fixed version `0` says that the release was never vulnerable.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

use super::{DebianError, version};

/// The vulnerabilities that are resolved in one release.
#[derive(Clone, Debug)]
pub struct Tracker {
    /// Source package, then vulnerability and the version that closes it.
    fixed: BTreeMap<String, Vec<(String, String)>>,
}

/// A vulnerability in a source package; only what is needed here.
#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default)]
    releases: BTreeMap<String, State>,
}

#[derive(Deserialize)]
struct State {
    status: String,
    fixed_version: Option<String>,
}

impl Tracker {
    /// Reads the tracker's data, as it publishes them, for a release, such as `bookworm`.
    ///
    /// # Errors
    /// The file cannot be read, is not of this form, or has nothing of the release.
    pub fn read(path: &Path, release: &str) -> Result<Self, DebianError> {
        let bad = |why: String| DebianError::Tracker { path: path.to_owned(), why };
        let file = File::open(path).map_err(|error| bad(error.to_string()))?;
        let all: BTreeMap<String, BTreeMap<String, Vulnerability>> = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| bad(format!("this is not the security tracker's data: {error}")))?;
        let mut known = false;
        let mut fixed: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for (source, vulnerabilities) in all {
            for (name, mut vulnerability) in vulnerabilities {
                let Some(state) = vulnerability.releases.remove(release) else { continue };
                known = true;
                if let ("resolved", Some(version)) = (state.status.as_str(), state.fixed_version) {
                    fixed.entry(source.clone()).or_default().push((name, version));
                }
            }
        }
        match known {
            true => Ok(Self { fixed }),
            false => Err(bad(format!("it says nothing of {release}"))),
        }
    }

    /// The vulnerabilities of a source package that the new version closes and the old one had, sorted.
    pub fn closed(&self, source: &str, old: &str, new: &str) -> Vec<String> {
        let closes = |fixed: &str| version::compare(old, fixed).is_lt() && version::compare(fixed, new).is_le();
        let all = self.fixed.get(source).into_iter().flatten();
        all.filter(|(_, fixed)| closes(fixed)).map(|(name, _)| name.clone()).collect()
    }
}
