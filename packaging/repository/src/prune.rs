//! Removing what nobody needs any more: old snapshots, and the files that are in no other one.

use std::collections::BTreeSet;

use super::repair::sweep;
use super::snapshot::{self, Snapshot};
use super::{Repository, RepositoryError, files};

/// Which states of a suite stay: those that either rule keeps, and always the one that clients see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneOptions {
    /// How many states to keep, counted from the newest.
    pub keep: usize,
    /// How many days back to keep every state.
    pub days: u32,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Pruned {
    /// The snapshots that were removed.
    pub snapshots: Vec<PrunedSnapshot>,
    /// Snapshots that were to go, and stay for as long as a client may ask for what they name.
    pub held: Vec<PrunedSnapshot>,
    /// How many files of the pool and how many indices were removed, together.
    pub files: usize,
}

/// A snapshot that is removed, now or later.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PrunedSnapshot {
    /// The codename of its suite.
    pub codename: String,
    /// Its number.
    pub number: u64,
    /// Until when clients may ask for what it names, as a Unix time in seconds.
    pub valid_until: i64,
}

impl Repository {
    /// Removes the states that the options do not keep, with what only they have. Snapshots with the same packages are one state:
    /// a suite that is refreshed each day loses none by it, and of each state the newest snapshot stays.
    ///
    /// Whoever has fetched an InRelease may ask for what it names until it ends, by digest or by path; and a proxy may hand it out
    /// until then. So nothing goes that is named by one which has not ended.
    ///
    /// # Errors
    /// A snapshot cannot be read, or a file cannot be removed. What was removed before that stays away; the next run
    /// goes on.
    pub fn prune(&mut self, options: PruneOptions, now: i64) -> Result<Pruned, RepositoryError> {
        let from = now - i64::from(options.days) * 86_400;
        self.change(|repository| {
            let folder = &repository.folder;
            let mut pruned = Pruned::default();
            for codename in folder.codenames()? {
                let live = snapshot::live(folder, &codename)?;
                let mut states = BTreeSet::new();
                let mut kept: Vec<Snapshot> = Vec::new();
                for number in snapshot::numbers(folder, &codename)?.into_iter().rev() {
                    let snapshot = Snapshot::read(folder, &codename, number)?;
                    let new = states.insert(snapshot.content());
                    let wanted = new && (states.len() <= options.keep || snapshot.date > from);
                    let pruned_snapshot =
                        || PrunedSnapshot { codename: codename.clone(), number, valid_until: snapshot.valid_until };
                    let named = |other: &Snapshot| other.packages == snapshot.packages && other.files == snapshot.files;
                    if live == Some(number) || wanted {
                        kept.push(snapshot);
                    } else if snapshot.valid_until > now && !kept.iter().any(named) {
                        pruned.held.push(pruned_snapshot());
                        kept.push(snapshot);
                    } else {
                        files::retire(&folder.temporary(), &folder.snapshot(&codename, number))?;
                        pruned.snapshots.push(pruned_snapshot());
                    }
                }
            }
            pruned.files = sweep(folder)?;
            Ok(pruned)
        })
    }
}
