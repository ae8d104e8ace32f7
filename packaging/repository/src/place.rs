//! What a place that a repository is pushed to has, and whether this repository may replace it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use apt::changelog;
use deb::control::Paragraph;
use foundation::date;
use foundation::digest::Digest;
use foundation::failure::{Failure as _, Kind};
use places::PlaceError;
use places::told::Told;
use sign::gpgv::Gpgv;

use super::generation::{self, Generation};
use super::{Folder, Keys, RepositoryError, evidence, snapshot};

/// What a person may insist on.
#[derive(Clone, Debug, Default)]
pub struct PushOptions {
    /// Replace the generation with this name, `ID:NUMBER`, though this one does not descend from it.
    pub force_replace: Option<String>,
    /// Take over a place that a version of the tool pushed to which kept no record there.
    pub adopt: bool,
    /// Remove the lock with this id, whose run is gone.
    pub break_lock: Option<String>,
}

/// A place, with what is believed of what it tells.
pub(super) struct Place {
    told: Told,
    /// The generation that the place has, and whether its signature is good.
    generation: Option<Signed>,
}

impl Place {
    /// Takes what a place tells. `keys` decide whom to believe.
    ///
    /// # Errors
    /// A record at the place is not as this tool writes it, or gpgv cannot be run.
    pub fn of(told: Told, keys: &Keys) -> Result<Self, RepositoryError> {
        let generation = match told.generation()? {
            None => None,
            Some((path, bytes)) => Some(
                signed(&path, &bytes, &keys.trusted_ring())?
                    .ok_or_else(|| told.broken("repository/generation.asc is not as this tool writes it"))?,
            ),
        };
        if let Some(bad) = told.pushed.iter().find(|path| !is_ours(path)) {
            return Err(told.broken(&format!("repository/pushed.json has '{bad}', which no push puts there")).into());
        }
        Ok(Self { told, generation })
    }

    /// The paths of all files that pushes have put there.
    pub fn pushed(&self) -> &BTreeSet<String> {
        &self.told.pushed
    }

    /// Whether a file is at its top that no push has put there.
    pub fn is_foreign(&self, name: &str) -> bool {
        self.told.top.contains(name) && !self.told.pushed.contains(name)
    }

    /// Whether this repository, with these files to be put there, may replace what is there. Where that takes an option,
    /// `tell` is told what is going to be lost.
    ///
    /// # Errors
    /// The place has another repository, a generation that this one does not descend from, or something without a
    /// record, and the option that insists on it is not given.
    pub fn check(
        &self,
        folder: &Folder,
        ours: &Generation,
        files: &BTreeSet<String>,
        options: &PushOptions,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), RepositoryError> {
        let refuse = |problem: String, next: String| Err(self.unfit(problem, next));
        let Some((theirs, signed)) = &self.generation else {
            return self.check_unrecorded(folder, options);
        };
        // This copy's own past is known by its digest, whoever has the key now that signed it.
        let past = theirs.digest == ours.digest || ours.descends_from(theirs);
        let why = match signed {
            _ if past => return Ok(()),
            _ if theirs.repository != ours.repository => "it is another repository".to_owned(),
            Err(_) => "no key of this repository has signed that".to_owned(),
            Ok(()) if theirs.descends_from(ours) => {
                return refuse(
                    format!("{theirs}, is there, and this copy has only generation {}", ours.number),
                    format!(
                        "take it over with `cargo xtask repo recover {} --from {}`, then publish again",
                        folder.root().display(),
                        self.told.name
                    ),
                );
            }
            Ok(()) => format!(
                "somebody published from another copy: this one has a generation {} of its own, which does not follow",
                ours.number
            ),
        };
        let lost = self.lost(files);
        if options.force_replace.as_deref() == Some(&theirs.name_for_force()) {
            self.check_dates(folder)?;
            tell(&format!(
                "replacing {theirs} at {}, as asked with --force-replace. What clients lose:\n{lost}",
                self.told.name
            ));
            return Ok(());
        }
        refuse(
            format!("{theirs}, is there, and {why}"),
            format!(
                "nothing was changed. Continue that one: `cargo xtask repo clone {} NEWFOLDER`, and publish the packages \
                 there. To replace it all the same, --force-replace {}; clients then lose:\n{lost}",
                self.told.name,
                theirs.name_for_force()
            ),
        )
    }

    /// A place without a record: nothing of a repository is there, or what an older version pushed.
    fn check_unrecorded(&self, folder: &Folder, options: &PushOptions) -> Result<(), RepositoryError> {
        let there: Vec<&str> =
            ["dists", "pool", "snapshots"].into_iter().filter(|name| self.told.top.contains(*name)).collect();
        // What a push that was killed before its record was there has put.
        if there.is_empty() || !self.told.pushed.is_empty() {
            return Ok(());
        }
        let refuse = |problem: String, next: &str| Err(self.unfit(problem, next.to_owned()));
        let found = format!("{} is there, and no record of whose it is", there.join(" and "));
        if !options.adopt {
            return refuse(
                found,
                "nothing was changed. If an older version of this tool pushed this very repository there, --adopt checks \
                 that and takes it over; else give a place of its own",
            );
        }
        // It is this repository's, at a publication that it remembers: so nothing there is unknown here.
        for (codename, in_release) in &self.told.in_releases {
            let mut known = false;
            for number in snapshot::numbers(folder, codename)? {
                let path = folder.snapshot(codename, number).join(snapshot::SUITE).join("InRelease");
                known |= fs::read(&path).is_ok_and(|ours| ours == *in_release);
            }
            if !known {
                return refuse(
                    format!("{found}; the InRelease of {codename} is of no snapshot that this repository keeps"),
                    "nothing was changed: another copy of the repository, or somebody else, has published there",
                );
            }
        }
        match self.told.in_releases.is_empty() {
            true => refuse(found, "nothing was changed: no suite is there that could tell. Give a place of its own"),
            false => Ok(()),
        }
    }

    /// apt refuses a suite that is older than the one it has: what replaces another one must be younger.
    fn check_dates(&self, folder: &Folder) -> Result<(), RepositoryError> {
        for suite in &folder.settings.suite {
            let theirs = self.told.in_releases.get(&suite.codename).and_then(|bytes| release_date(bytes));
            let ours = snapshot::Snapshot::live(folder, &suite.codename)?.map(|live| live.date);
            if let (Some(theirs), Some(ours)) = (theirs, ours)
                && ours <= theirs
            {
                return Err(self.unfit(
                    format!(
                        "{} is dated {} there, and {} here: clients would refuse it as too old",
                        suite.codename,
                        date::text(theirs),
                        date::text(ours)
                    ),
                    "sign it anew with `cargo xtask repo refresh`, and push again".into(),
                ));
            }
        }
        Ok(())
    }

    fn unfit(&self, problem: String, next: String) -> RepositoryError {
        PlaceError::Unfit { place: self.told.name.clone(), problem, next }.into()
    }

    /// What is there and would not be afterwards, for people.
    fn lost(&self, files: &BTreeSet<String>) -> String {
        const SHOWN: usize = 20;
        let packages: Vec<&String> =
            self.told.pushed.iter().filter(|path| path.starts_with("pool/") && !files.contains(*path)).collect();
        let suites = self
            .told
            .in_releases
            .iter()
            .filter(|(codename, _)| self.told.pushed.contains(&format!("dists/{codename}/InRelease")));
        let mut lines: Vec<String> = suites
            .map(|(codename, bytes)| {
                let date = release_date(bytes).map_or_else(|| "an unknown date".to_owned(), date::text);
                format!("  the suite {codename} of {date}")
            })
            .collect();
        lines.extend(packages.iter().take(SHOWN).map(|path| format!("  {path}")));
        if packages.len() > SHOWN {
            lines.push(format!("  and {} packages more", packages.len() - SHOWN));
        }
        lines.join("\n")
    }
}

/// A generation, and whether one of one's keys has signed it, or why not.
type Signed = (Generation, Result<(), String>);

/// Reads one and checks its signature; `None` where it is no generation.
pub(super) fn signed(path: &Path, bytes: &[u8], ring: &[u8]) -> Result<Option<Signed>, RepositoryError> {
    let file = tempfile::NamedTempFile::new().map_err(RepositoryError::io("write", std::env::temp_dir()))?;
    fs::write(file.path(), ring).map_err(RepositoryError::io("write", file.path()))?;
    let digest = Digest::of(bytes);
    Ok(match Gpgv::new(file.path())?.trusted_text(path) {
        // Only what was signed is read.
        Ok(text) => Generation::parse(&text, digest).map(|generation| (generation, Ok(()))),
        Err(error) if error.kind() == Kind::Verification => {
            let text = generation::body(bytes);
            text.and_then(|text| Generation::parse(&text, digest))
                .map(|generation| (generation, Err(error.to_string())))
        }
        Err(error) => return Err(error.into()),
    })
}

/// `Date` of a clear-signed Release.
fn release_date(in_release: &[u8]) -> Option<i64> {
    date::parse(Paragraph::parse(&generation::body(in_release)?)?.get("Date")?)
}

/// Whether a path is one that a push could have put there. The list is not signed, and what is on it is removed.
pub(super) fn is_ours(path: &str) -> bool {
    let below = |name: &str| path.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    let known = ["dists", "pool", "snapshots", changelog::FOLDER, generation::STATE].iter().any(|name| below(name))
        || path == generation::FILE
        || evidence::is_path(path)
        || !path.contains('/');
    known && !path.chars().any(char::is_control) && !path.split('/').any(|part| matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_push_puts_there_may_be_removed() {
        for good in ["pool/main/d/demo/demo_1_all.deb", "dists/bookworm/InRelease", "mesos-bookworm.sources"] {
            assert!(is_ours(good), "{good}");
        }
        for bad in
            ["", "/etc/passwd", "pool/../../x", "pool//x", "repository/locks/x", "other/x", "pool/a\nb", "..", "pool"]
        {
            assert!(!is_ours(bad) || bad == "pool", "{bad}");
        }
    }
}
