//! Removing what nobody needs any more: old snapshots, and the files that are in no other one.

use std::collections::BTreeSet;

use super::repair::sweep;
use super::snapshot::{self, Snapshot};
use super::{Repository, RepositoryError, files};

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Snapshots, as suite and number.
    pub snapshots: Vec<(String, u64)>,
    /// Files of the pool and indices.
    pub files: usize,
}

impl Repository {
    /// Keeps the newest `keep` states of each suite, and removes the others with what only they have. Snapshots with the same
    /// packages are one state: a suite that is refreshed each day loses none by it, and of each state the newest snapshot
    /// stays.
    pub fn prune(&mut self, keep: usize) -> Result<Pruned, RepositoryError> {
        self.change(|repository| {
            let folder = &repository.folder;
            let mut pruned = Pruned::default();
            for codename in folder.codenames()? {
                let live = snapshot::live(folder, &codename)?;
                let mut states = BTreeSet::new();
                for number in snapshot::numbers(folder, &codename)?.into_iter().rev() {
                    let new = states.insert(Snapshot::read(folder, &codename, number)?.content());
                    if live == Some(number) || (new && states.len() <= keep) {
                        continue;
                    }
                    files::retire(&folder.temporary(), &folder.snapshot(&codename, number))?;
                    pruned.snapshots.push((codename.clone(), number));
                }
            }
            pruned.files = sweep(folder)?;
            Ok(pruned)
        })
    }
}
