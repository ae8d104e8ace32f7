//! What a new lock has otherwise than an old one, or the archive otherwise than a lock: package by package.

use std::collections::{BTreeMap, BTreeSet};

use recipe::archives::is_security;
use recipe::root_lock::{PinnedDeb, RootLock};
use schemars::JsonSchema;
use serde::Serialize;

use super::catalogue::{Catalogue, Entry};
use super::tracker::Tracker;
use super::version;

/// A package that is another one, is new, or is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// The name of the package.
    pub package: String,
    /// Its architecture.
    pub architecture: String,
    /// The version that is locked; null where it was not there before.
    pub old: Option<String>,
    /// The version that takes its place; null where none does.
    pub new: Option<String>,
    /// The suite that has the new version; null where there is none.
    pub suite: Option<String>,
    /// Whether that is a suite of security updates.
    pub security: bool,
    /// The vulnerabilities that the new version closes, as far as the security tracker's data were given.
    pub closes: Vec<String>,
}

/// Whether two packages are the same file. Where it comes from makes no difference: after a point release, what was a security
/// update is in the suite itself.
fn same(old: &PinnedDeb, new: &PinnedDeb) -> bool {
    (&old.version, &old.architecture, old.sha256, old.base) == (&new.version, &new.architecture, new.sha256, new.base)
}

/// What `new` has otherwise than `old`, sorted by package. It was chosen from `catalogue`.
pub fn between(old: &RootLock, new: &RootLock, catalogue: &Catalogue, tracker: Option<&Tracker>) -> Vec<Change> {
    fn by_name(lock: &RootLock) -> BTreeMap<&str, &PinnedDeb> {
        lock.packages.iter().map(|deb| (deb.name.as_str(), deb)).collect()
    }
    let (before, after) = (by_name(old), by_name(new));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let mut changes = Vec::new();
    for name in names {
        let change = match (before.get(name).copied(), after.get(name).copied()) {
            (Some(old), Some(new)) if same(old, new) => continue,
            (old, Some(new)) => {
                let entry = catalogue.find(name, &new.version);
                change(old, entry, catalogue, tracker)
            }
            (old, None) => change(old, None, catalogue, tracker),
        };
        changes.extend(change);
    }
    changes
}

/// What the archive has newer than a lock, and which packages of the lock it does not have any more; sorted by package.
pub fn behind(lock: &RootLock, catalogue: &Catalogue, tracker: Option<&Tracker>) -> Vec<Change> {
    let newer = |deb: &PinnedDeb| match catalogue.candidate(&deb.name) {
        None => change(Some(deb), None, catalogue, tracker),
        Some(entry) if version::compare(&deb.version, &entry.package.version).is_lt() => {
            change(Some(deb), Some(entry), catalogue, tracker)
        }
        Some(_) => None,
    };
    lock.packages.iter().filter_map(newer).collect()
}

/// One change; none where nothing stood there before and nothing does now.
fn change(
    old: Option<&PinnedDeb>,
    new: Option<Entry<'_>>,
    catalogue: &Catalogue,
    tracker: Option<&Tracker>,
) -> Option<Change> {
    let package = old.map(|deb| &deb.name).or(new.map(|entry| &entry.package.name))?;
    let architecture = new.map(|entry| &entry.package.architecture).or(old.map(|deb| &deb.architecture))?;
    let suite = new.map(|entry| entry.section.suite.name.clone());
    let closes = match (tracker, old, new) {
        (Some(tracker), Some(old), Some(new)) => closed(tracker, old, new, catalogue),
        _ => Vec::new(),
    };
    Some(Change {
        package: package.clone(),
        architecture: architecture.clone(),
        old: old.map(|deb| deb.version.clone()),
        new: new.map(|entry| entry.package.version.clone()),
        security: suite.as_deref().is_some_and(is_security),
        suite,
        closes,
    })
}

/// The vulnerabilities that a new version closes. The tracker knows source packages: what the old version was built from is in
/// the archive, or follows from the version where source and package have the same.
fn closed(tracker: &Tracker, old: &PinnedDeb, new: Entry<'_>, catalogue: &Catalogue) -> Vec<String> {
    let (source, new_version) = new.package.source();
    let old_version = match catalogue.find(&old.name, &old.version) {
        Some(known) => known.package.source().1,
        None if without_rebuild(&new.package.version) == new_version => without_rebuild(&old.version),
        None => return Vec::new(),
    };
    tracker.closed(source, old_version, new_version)
}

/// A version without what a rebuild of the same source adds to it: `+b1` (Debian developers' reference 5.10.2.1).
fn without_rebuild(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((source, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => source,
        _ => version,
    }
}
