//! Removing from a place what nobody needs any more: what is old, and of none of the latest versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use foundation::digest::Digest;
use places::PlaceError;
use places::transport::{Transport, leftover_of};
use statements::proof::dsse;
use statements::proof::intoto::Statement;
use statements::proof::result::StageResult;

use crate::cut::read_list;
use crate::error::ResultsError;
use crate::offer::Desk;
use crate::source::LONGEST;
use crate::trust::is_to_come;
use crate::{PARTS, STATEMENTS, is_part, is_statement, part_path};

/// No list is longer, compressed as it is: that of Mesos has some 100 kB.
const LONGEST_LIST: u64 = 64 << 20;

/// What stays.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Results that were stated in the last so many days.
    pub days: u32,
    /// And those of the latest so many versions of each recipe and target.
    pub versions: u32,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many statements, of how many that there were.
    pub statements: (usize, usize),
    /// How many parts, of how many that there were.
    pub parts: (usize, usize),
}

/// Which of these statements stay, by their paths.
pub fn kept(
    statements: &BTreeMap<String, Statement<StageResult>>,
    keep: Keep,
    now: i64,
) -> BTreeMap<&str, &StageResult> {
    // A time that is still to come tells nothing of an age.
    let stated = |one: &StageResult| if is_to_come(one.stated, now) { i64::MIN } else { one.stated };
    // A version is as new as the newest statement about it.
    let mut versions: BTreeMap<(&str, &str), BTreeMap<&str, i64>> = BTreeMap::new();
    for one in statements.values().map(|statement| &statement.predicate) {
        let of = &one.of;
        let known = versions.entry((&of.recipe, &of.target)).or_default().entry(&of.version).or_insert(i64::MIN);
        *known = (*known).max(stated(one));
    }
    let latest = |of: &statements::proof::result::Subject| {
        let known = &versions[&(of.recipe.as_str(), of.target.as_str())];
        let newer = known.values().filter(|stated| **stated > known[of.version.as_str()]).count();
        newer < keep.versions as usize
    };
    let young = |stated: i64| now.saturating_sub(stated) < i64::from(keep.days) * 86_400;
    let stays = |one: &StageResult| young(stated(one)) || latest(&one.of);
    statements
        .iter()
        .map(|(path, statement)| (path.as_str(), &statement.predicate))
        .filter(|(_, one)| stays(one))
        .collect()
}

impl Desk<'_> {
    /// Removes statements that are old and of none of the latest versions, then parts that no statement needs. Whoever can
    /// write there may do that, so signatures are not looked at. A statement whose list is gone goes as well. What is called
    /// as neither of them stays.
    ///
    /// # Errors
    /// The place is not there, is none for results, cannot be read or written to, or somebody else writes there.
    pub fn prune(&self, keep: Keep) -> Result<Pruned, ResultsError> {
        self.check_for_results()?;
        self.locked(|transport| {
            let folder = self.store.temp_dir()?;
            let mut names = transport.names_below("listing statements", STATEMENTS)?;
            names.retain(|name| is_statement(name));
            transport.get("reading statements", &names, Some(LONGEST), folder.path())?;
            let mut statements = BTreeMap::new();
            for name in &names {
                let text = fs::read(folder.path().join(name)).unwrap_or_default();
                if let Some(statement) = dsse::unchecked::<StageResult>(&text) {
                    statements.insert(name.clone(), statement);
                }
            }
            let mut stay = kept(&statements, keep, self.now);
            let lists: BTreeSet<String> = stay.values().map(|one| part_path(&one.list.sha256)).collect();
            let most = stay.values().map(|one| one.list.size).max().unwrap_or_default().min(LONGEST_LIST);
            transport.get("reading lists", &lists, Some(most), folder.path())?;
            let mut needed = BTreeSet::new();
            stay.retain(|_, one| {
                let path = folder.path().join(part_path(&one.list.sha256));
                let whole = Digest::of_file(&path).is_ok_and(|found| found == one.list.sha256);
                let Some(list) = whole.then(|| read_list(&path, &one.list).ok()).flatten() else { return false };
                needed.insert(part_path(&one.list.sha256));
                needed.extend(list.parts.iter().map(|part| part_path(&part.sha256)));
                true
            });
            // Statements first: none may name a part that is gone.
            let gone: BTreeSet<String> =
                names.iter().filter(|name| !stay.contains_key(name.as_str())).cloned().collect();
            transport.delete("removing statements", &gone)?;
            let (parts, others): (BTreeSet<String>, BTreeSet<String>) =
                transport.names_below("listing parts", PARTS)?.into_iter().partition(|name| is_part(name));
            let idle: BTreeSet<String> = parts.difference(&needed).cloned().collect();
            let left = others.into_iter().filter(|name| leftover_of(name).is_some_and(|part| is_part(&part)));
            transport.delete("removing parts", &left.chain(idle.iter().cloned()).collect())?;
            Ok(Pruned { statements: (gone.len(), names.len()), parts: (idle.len(), parts.len()) })
        })
    }

    /// That this is a place where results are kept: whoever mistypes its name shall learn so, and no file appear there.
    fn check_for_results(&self) -> Result<(), ResultsError> {
        let transport = Transport { remote: self.remote, lock: Some(self.lock), patience: None };
        let mut problem = "there is no such place";
        if let Some(top) = transport.names("looking for results")? {
            let has = |folder: &str, is: fn(&str) -> bool| -> Result<bool, ResultsError> {
                let names = if top.contains(folder) {
                    transport.names_below("looking for results", folder)?
                } else {
                    return Ok(false);
                };
                // Where all was removed, the folder is left.
                Ok(names.is_empty() || names.iter().any(|name| is(name)))
            };
            if has(STATEMENTS, is_statement)? || has(PARTS, is_part)? {
                return Ok(());
            }
            problem = "there are no results";
        }
        let next = "nothing was removed: name the place that `cargo xtask share` copied to".to_owned();
        Err(PlaceError::Unfit { place: self.remote.to_string(), problem: problem.to_owned(), next }.into())
    }
}

#[cfg(test)]
mod tests {
    use statements::proof::result::{Part, Subject};

    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn what_is_young_or_of_the_latest_versions_stays() {
        let one = |version: &str, recipe: &str, day: i64| {
            let sha256 = Digest::of(format!("{recipe} {version}"));
            let of = Subject { recipe: recipe.into(), target: "debian-13/amd64".into(), version: version.into() };
            let list = Part { sha256, size: 1, length: 1 };
            let result = StageResult { stage: "packages".into(), inputs: sha256.into(), list, of, stated: day * DAY };
            (format!("{recipe}-{version}-{day}"), result.about(sha256))
        };
        let all = BTreeMap::from([
            one("1", "demo", 1),
            one("2", "demo", 2),
            one("2", "demo", 50),
            one("3", "demo", 3),
            one("4", "demo", 95),
            one("1", "other", 1),
        ]);
        let kept = |days, versions| {
            let keep = Keep { days, versions };
            kept(&all, keep, 100 * DAY).into_keys().map(str::to_owned).collect::<Vec<_>>()
        };
        // Version 2 was stated again after version 3.
        assert_eq!(kept(10, 2), ["demo-2-2", "demo-2-50", "demo-4-95", "other-1-1"]);
        assert_eq!(kept(60, 0), ["demo-2-50", "demo-4-95"]);
        assert_eq!(kept(0, 1), ["demo-4-95", "other-1-1"]);
        assert_eq!(kept(1000, 0).len(), 6);
        assert_eq!(kept(0, 0), [""; 0]);
    }

    #[test]
    fn what_is_stated_in_the_future_is_the_oldest() {
        let one = |version: &str, stated: i64| {
            let sha256 = Digest::of(version);
            let of = Subject { recipe: "demo".into(), target: "debian-13/amd64".into(), version: version.into() };
            let list = Part { sha256, size: 1, length: 1 };
            let result = StageResult { stage: "packages".into(), inputs: sha256.into(), list, of, stated };
            (version.to_owned(), result.about(sha256))
        };
        let (now, day) = (100 * DAY, DAY);
        let all = BTreeMap::from([
            one("1", now - 50 * day),
            one("2", now - 40 * day),
            one("3", now + day),
            one("4", now + day + 1),
            one("5", i64::MAX),
            one("6", i64::MIN),
        ]);
        let kept = |days, versions| {
            kept(&all, Keep { days, versions }, now).into_keys().map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((kept(30, 0), kept(30, 2), kept(0, 3)), ("3".into(), "2 3".into(), "1 2 3".into()));
    }
}
