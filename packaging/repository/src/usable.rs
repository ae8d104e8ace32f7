//! Whether clients could use what is to be published, as far as one suite tells.

use std::collections::BTreeSet;
use std::path::PathBuf;

use apt::Indexed;
use apt::listed::{self, Listed};
use judges::index;

use super::gate::{Accepted, refused};
use super::{Refusal, Repository, RepositoryError, Staged, described};

/// A folder that the gate has let pass: where it is, its suite, and its packages.
pub(super) type Judged<'a> = (&'a PathBuf, String, Accepted, Vec<Listed>);

impl Repository {
    /// Lets the suites be judged as they would be with these packages.
    pub(super) fn check_usable(&self, staged: &Staged, accepted: &[Judged<'_>]) -> Result<(), RepositoryError> {
        let codenames: BTreeSet<&String> = accepted.iter().map(|(_, codename, ..)| codename).collect();
        for codename in codenames {
            let waiting = staged.get(codename).into_iter().flatten().cloned();
            let before = self.described(self.live_packages(codename)?.into_iter().chain(waiting).collect())?;
            let mut after = before.clone();
            for (_, _, found, listed) in accepted.iter().filter(|(_, of, ..)| of == codename) {
                let new = listed.iter().cloned().zip(found.packages.iter().map(|found| found.described.clone()));
                after.extend(new.filter(|(listed, _)| !before.iter().any(|(known, _)| known == listed)));
            }
            self.check_index(&before, &after)?;
        }
        Ok(())
    }

    /// Refuses an index in which something is wrong that was not wrong before.
    pub(super) fn check_index(&self, before: &[Indexed], after: &[Indexed]) -> Result<(), RepositoryError> {
        let temporary = self.folder.temporary();
        let found = index::worse(&temporary, &self.settings().architectures, before, after)
            .map_err(RepositoryError::io("have packages judged in", temporary))?;
        if found.is_empty() {
            return Ok(());
        }
        Err(refused(Refusal::Unusable { problems: found.iter().map(ToString::to_string).collect() }))
    }

    /// Packages in the order of an index, with what they say of themselves.
    pub(super) fn described(&self, mut packages: Vec<Listed>) -> Result<Vec<Indexed>, RepositoryError> {
        listed::sort(&mut packages);
        let read = |listed: Listed| {
            let described = described::of(&self.folder, &listed.path, &listed.sha256)?;
            Ok((listed, described))
        };
        packages.into_iter().map(read).collect()
    }
}
