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
    /// Whether a suite of security updates has it, or a version between the two.
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

/// What the archive has newer than a lock, and which packages of the lock it does not have any more, or not with these bytes;
/// sorted by package. Where the archive itself is older than the lock (`older` has suites: [`older`]), a package that it does not
/// have may only not be there yet.
pub fn behind(lock: &RootLock, catalogue: &Catalogue, older: &[String], tracker: Option<&Tracker>) -> Vec<Change> {
    let not_yet = !older.is_empty();
    let other = |deb: &PinnedDeb| {
        let candidate = catalogue.candidate(&deb.name);
        let newer = candidate.is_some_and(|entry| version::compare(&deb.version, &entry.package.version).is_lt());
        let there = catalogue.named(&deb.name).any(|entry| {
            let Some(sha256) = entry.package.sha256 else { return entry.package.version == deb.version };
            sha256 == deb.sha256
        });
        match newer || !(there || not_yet && candidate.is_some()) {
            true => change(Some(deb), candidate, catalogue, tracker),
            false => None,
        }
    };
    lock.packages.iter().filter_map(other).collect()
}

/// The suites of which the archive has an older state than the one that was locked: a mirror that lags behind, or has stopped.
pub fn older(lock: &RootLock, catalogue: &Catalogue) -> Vec<String> {
    let further = lock.indices.iter().map(|index| (index.suite.as_str(), index.release_date));
    let locked: BTreeMap<&str, i64> = further.chain([(lock.suite.as_str(), lock.release_date)]).collect();
    let is_older = |suite: &str, date: i64| locked.get(suite).is_some_and(|locked| date < *locked);
    let all = catalogue.sections().iter().map(|section| (section.suite.name.as_str(), section.release.date));
    let older: BTreeSet<&str> = all.filter(|(suite, date)| is_older(suite, *date)).map(|(suite, _)| suite).collect();
    older.into_iter().map(str::to_owned).collect()
}

/// Whether a suite of security updates has what takes a package's place, or a version between. The new version itself is often
/// in the release's own suite by then: a point release takes security updates in.
fn is_of_security(old: Option<&PinnedDeb>, new: Entry<'_>, catalogue: &Catalogue) -> bool {
    let up_to = |version: &str| version::compare(version, &new.package.version).is_le();
    let after = |version: &str| match old {
        Some(old) => version::compare(version, &old.version).is_gt(),
        None => version == new.package.version,
    };
    let of_security = catalogue.named(&new.package.name).filter(|entry| is_security(&entry.section.suite.name));
    of_security.map(|entry| entry.package.version.as_str()).any(|version| after(version) && up_to(version))
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
        security: new.is_some_and(|new| is_of_security(old, new, catalogue)),
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
