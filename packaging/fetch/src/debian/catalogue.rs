//! Everything that a target's packages can be chosen from: the indices of all its suites and components, and which version of a
//! package is the candidate.
//!
//! The candidate is apt's (apt_preferences(5)): the highest priority, then the highest version. An update that Ubuntu hands
//! out in phases (`Phased-Update-Percentage`) counts like any other: apt would decide by the identity of a machine, and a lock must
//! not depend on where it was made.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use foundation::store::Store;
use recipe::archives::{Priority, Suite};
use recipe::root_lock::{LockedIndex, PinnedDeb};
use recipe::target::Target;

use super::index::{ArchivePackage, Index};
use super::mirror::Mirrors;
use super::release::Release;
use super::{DebianError, version};
use crate::download::{DownloadEvent, Downloader};

/// One index: a component of a suite.
#[derive(Clone, Debug)]
pub struct Section {
    /// The suite, as the target names it.
    pub suite: Arc<Suite>,
    /// Its InRelease file, which was verified.
    pub release: Arc<Release>,
    /// The component.
    pub component: String,
    /// The packages of this component.
    pub index: Index,
}

/// All indices of a target; the first is of its own suite and component.
#[derive(Clone, Debug)]
pub struct Catalogue {
    sections: Vec<Section>,
    by_name: BTreeMap<String, Vec<Place>>,
    providers: HashMap<String, Vec<Place>>,
}

/// The number of a section, and of a package in it.
type Place = (usize, usize);

/// A package, and the index that has it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The index.
    pub section: &'a Section,
    /// The package.
    pub package: &'a ArchivePackage,
}

impl Section {
    /// How much apt prefers it: what the target says, else what the suite itself asks for.
    pub fn priority(&self) -> Priority {
        self.suite.priority.unwrap_or(self.release.priority)
    }
}

impl Catalogue {
    /// Fetches and verifies the InRelease of every suite of a target, and the index of each of its components. With `snapshot`
    /// (`20260712T000000Z`) all of them come from the permanent archives as of then.
    ///
    /// # Errors
    /// As for [`Release::fetch`] and [`Release::packages`], for any of the suites.
    pub fn fetch(
        downloader: &Downloader,
        store: &Store,
        mirrors: &Mirrors,
        (target, targets): (&Target, &Path),
        snapshot: Option<&str>,
        on: &(dyn Fn(DownloadEvent) + Sync),
    ) -> Result<Self, DebianError> {
        let mut sections = Vec::new();
        for suite in target.suites() {
            let addresses = mirrors.of(&suite.archive);
            let release = Release::fetch(downloader, store, &addresses, (&suite, targets), snapshot, on)?;
            let (suite, release) = (Arc::new(suite), Arc::new(release));
            for component in &suite.components {
                let of = (suite.name.as_str(), component.as_str(), target.name.architecture());
                let index = release.packages(downloader, store, &addresses, of, on)?;
                let (suite, release) = (Arc::clone(&suite), Arc::clone(&release));
                sections.push(Section { suite, release, component: component.clone(), index });
            }
        }
        Ok(Self::new(sections))
    }

    /// Makes a catalogue of indices, one at least; the first is the target's own.
    pub(super) fn new(sections: Vec<Section>) -> Self {
        let mut by_name: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        let mut providers: HashMap<String, Vec<Place>> = HashMap::new();
        for (s, section) in sections.iter().enumerate() {
            for (p, package) in section.index.packages().iter().enumerate() {
                by_name.entry(package.name.clone()).or_default().push((s, p));
                for name in &package.provides {
                    providers.entry(name.clone()).or_default().push((s, p));
                }
            }
        }
        Self { sections, by_name, providers }
    }

    /// The indices, in the order in which the target names them.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The index of the target's own suite and component.
    pub fn own(&self) -> &Section {
        &self.sections[0]
    }

    fn at(&self, (section, package): Place) -> Entry<'_> {
        let section = &self.sections[section];
        Entry { section, package: &section.index.packages()[package] }
    }

    /// Every version of a package that a suite has.
    pub(super) fn named(&self, name: &str) -> impl DoubleEndedIterator<Item = Entry<'_>> {
        self.by_name.get(name).into_iter().flatten().map(|place| self.at(*place))
    }

    /// The version of a package that apt would take. Of the same in several suites it is the one that the target names first.
    pub fn candidate(&self, name: &str) -> Option<Entry<'_>> {
        // Of equals, the last one is the greatest.
        self.named(name).rev().max_by(|a, b| {
            let priorities = a.section.priority().cmp(&b.section.priority());
            priorities.then_with(|| version::compare(&a.package.version, &b.package.version))
        })
    }

    /// The package with this name and exactly this version, of the suite with the highest priority that has it.
    pub fn find(&self, name: &str, version: &str) -> Option<Entry<'_>> {
        let entries = self.named(name).rev().filter(|entry| entry.package.version == version);
        entries.max_by_key(|entry| entry.section.priority())
    }

    /// The candidates that provide a virtual name, sorted by their own names.
    pub fn providers(&self, name: &str) -> Vec<Entry<'_>> {
        let mut found: Vec<Entry> = Vec::new();
        for place in self.providers.get(name).into_iter().flatten() {
            let entry = self.at(*place);
            let candidate = self.candidate(&entry.package.name);
            if candidate.is_some_and(|candidate| std::ptr::eq(candidate.package, entry.package)) {
                found.push(entry);
            }
        }
        found.sort_by(|a, b| a.package.name.cmp(&b.package.name));
        found
    }

    /// Makes the entry that a lock has for a package.
    ///
    /// # Errors
    /// The index has no SHA256 for this package, or another suite of the same priority has other bytes under the same name and
    /// version.
    pub fn pinned(&self, entry: Entry<'_>, base: bool) -> Result<PinnedDeb, DebianError> {
        let Entry { section, package } = entry;
        let sha256 = package.sha256.ok_or_else(|| DebianError::Index {
            name: format!("{} {}", section.suite.name, section.component),
            why: format!("the package {} has no SHA256", package.name),
        })?;
        let conflict = self.named(&package.name).find(|other| {
            (&other.package.version, &other.package.architecture) == (&package.version, &package.architecture)
                && other.package.sha256 != package.sha256
                && other.section.priority() == section.priority()
        });
        if let Some(other) = conflict {
            let told = |entry: Entry| {
                let digest = entry.package.sha256.map_or("none".into(), |digest| digest.to_string());
                format!(
                    "  {} {}: {}, sha256 {digest}",
                    entry.section.suite.name, entry.section.component, entry.package.path
                )
            };
            return Err(DebianError::Conflict {
                package: format!("{} {}", package.name, package.version),
                places: [told(entry), told(other)].join("\n"),
            });
        }
        let own = section.suite.name == self.own().suite.name;
        Ok(PinnedDeb {
            name: package.name.clone(),
            version: package.version.clone(),
            architecture: package.architecture.clone(),
            suite: (!own).then(|| section.suite.name.clone()),
            path: package.path.clone(),
            size: package.size,
            sha256,
            base,
        })
    }

    /// What a lock says of the indices beside the target's own.
    pub fn locked_indices(&self) -> Vec<LockedIndex> {
        let one = |section: &Section| LockedIndex {
            suite: section.suite.name.clone(),
            component: section.component.clone(),
            archive: section.suite.archive.clone(),
            snapshot: section.release.snapshot.clone(),
            release_date: section.release.date,
            release_sha256: section.release.sha256,
            packages_sha256: section.index.sha256,
        };
        self.sections.iter().skip(1).map(one).collect()
    }
}
