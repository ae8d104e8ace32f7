//! The suites that a target's packages come from: its own, and those that its file names beside it, such as updates, security
//! updates, backports, or another component of the same suite.
//!
//! The words are apt's: suites and components as in `sources.list(5)`, priorities as in `apt_preferences(5)`. A further suite
//! decides nothing by itself: what was taken from it is in the lock, and only the lock decides bytes.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::line;
use crate::target::{Target, TargetError};

/// Suites beside the target's own that packages are taken from: `[[further-archive]]`. What is left out is as for the target's
/// own suite.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FurtherArchive {
    /// The suites, named so that they never move: `["bookworm-updates"]`. Ubuntu calls them pockets. One whose name ends with
    /// `-security` has security updates.
    pub suites: Vec<String>,
    /// The components that packages are taken from, such as `["main", "universe"]`; without it the target's `component`.
    #[serde(default)]
    pub components: Vec<String>,
    /// The permanent archive, where it is another one: `https://snapshot.debian.org/archive/debian-security`.
    #[serde(default)]
    pub archive: Option<String>,
    /// The keyring that signs these suites, where it is another one, relative to the targets' folder.
    #[serde(default)]
    pub keyring: Option<PathBuf>,
    /// How much apt prefers these suites (apt_preferences(5)): of several versions, the one with the highest priority is taken,
    /// and among equals the newest. Without it what apt takes by itself: 500, and 100 where the suite says `NotAutomatic` and
    /// `ButAutomaticUpgrades`, as backports do.
    #[serde(default)]
    pub priority: Option<Priority>,
}

/// A priority of apt_preferences(5), from 1 to 1000: of versions below that, apt would take none, and above it would go back to
/// older ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schemars(with = "i64", extend("minimum" = 1, "maximum" = 1000))]
pub struct Priority(u16);

impl Priority {
    /// What a suite has that says nothing else.
    pub const USUAL: Self = Self(500);
    /// What a suite has that is `NotAutomatic` and `ButAutomaticUpgrades`: backports.
    pub const UPGRADES_ONLY: Self = Self(100);
    /// What a suite has that is `NotAutomatic`.
    pub const NOT_AUTOMATIC: Self = Self(1);

    /// The number, as preferences have it.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// The number is no priority that makes sense here.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a priority from 1 to 1000 (apt_preferences(5)): 500 is the usual one, 100 that of backports")]
pub struct NotAPriority(i64);

impl TryFrom<i64> for Priority {
    type Error = NotAPriority;
    fn try_from(number: i64) -> Result<Self, NotAPriority> {
        let fits = u16::try_from(number).ok().filter(|number| (1..=1000).contains(number));
        fits.map(Self).ok_or(NotAPriority(number))
    }
}

impl From<Priority> for i64 {
    fn from(priority: Priority) -> Self {
        priority.0.into()
    }
}

/// A suite of an archive, complete: one InRelease file, and the components that packages are taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suite {
    /// Its name below `dists/`.
    pub name: String,
    /// The components that packages are taken from.
    pub components: Vec<String>,
    /// The permanent archive, without a time stamp and without a slash at the end.
    pub archive: String,
    /// The keyring that signs it, relative to the targets' folder.
    pub keyring: PathBuf,
    /// The priority that the target's file gives it.
    pub priority: Option<Priority>,
}

/// Whether a suite has security updates, by its name: `bookworm-security`, `noble-security`.
pub fn is_security(suite: &str) -> bool {
    suite.ends_with("-security")
}

impl Target {
    /// The suites that packages come from: the target's own, then the further ones in the order of its file.
    pub fn suites(&self) -> Vec<Suite> {
        let mut suites = vec![self.own_suite()];
        for suite in self.further.iter().flat_map(|further| self.suites_of(further)) {
            match suites.iter_mut().find(|known| known.name == suite.name) {
                Some(known) => known.components.extend(suite.components),
                None => suites.push(suite),
            }
        }
        suites
    }

    fn own_suite(&self) -> Suite {
        Suite {
            name: self.suite.clone(),
            components: vec![self.component.clone()],
            archive: self.archive.trim_end_matches('/').to_owned(),
            keyring: self.keyring.clone(),
            priority: None,
        }
    }

    /// The suites of a section, with what it leaves out.
    fn suites_of(&self, further: &FurtherArchive) -> impl Iterator<Item = Suite> {
        let own = self.own_suite();
        let mut like = Suite {
            archive: further.archive.as_ref().map_or(own.archive, |archive| archive.trim_end_matches('/').to_owned()),
            keyring: further.keyring.clone().unwrap_or(own.keyring),
            priority: further.priority,
            ..own
        };
        if !further.components.is_empty() {
            like.components.clone_from(&further.components);
        }
        further.suites.iter().map(move |name| Suite { name: name.clone(), ..like.clone() })
    }

    /// The line of the section that names a suite.
    pub(crate) fn line_of_further(&self, text: &str, suite: &str) -> Option<usize> {
        let names = |further: &FurtherArchive| further.suites.iter().any(|name| name == suite);
        Some(line_of(text, self.further.iter().position(names)?))
    }

    /// Looks over the suites of a target, which was read from `text`.
    ///
    /// # Errors
    /// A section names no suite, a name or an address could not be one, a component of a suite is named twice, or a suite is
    /// named again with another archive, keyring or priority.
    pub(crate) fn look_over_archives(&self, path: &Path, text: &str) -> Result<(), TargetError> {
        for (field, looked) in
            [("suite", name(&self.suite)), ("component", name(&self.component)), ("archive", address(&self.archive))]
        {
            looked.map_err(|why| TargetError::Field {
                path: path.to_owned(),
                line: line::line_of(text, &[field]).unwrap_or(1),
                why: format!("{field} = {why}"),
            })?;
        }
        let mut known = vec![self.own_suite()];
        for (nth, further) in self.further.iter().enumerate() {
            look_over(further)
                .and_then(|()| self.suites_of(further).try_for_each(|suite| add(&mut known, suite)))
                .map_err(|why| TargetError::Field { path: path.to_owned(), line: line_of(text, nth), why })?;
        }
        Ok(())
    }
}

/// Whether a section is sound by itself.
fn look_over(further: &FurtherArchive) -> Result<(), String> {
    if further.suites.is_empty() {
        return Err("suites is empty".into());
    }
    further.suites.iter().chain(&further.components).try_for_each(|one| name(one))?;
    further.archive.iter().try_for_each(|one| address(one)).map_err(|why| format!("archive = {why}"))
}

/// Whether a text can be the name of a suite or component.
fn name(text: &str) -> Result<(), String> {
    if is_plain(text) { Ok(()) } else { Err(format!("'{text}' is not a name of a suite or component")) }
}

/// Whether a text can be an archive's address.
fn address(text: &str) -> Result<(), String> {
    match text.starts_with("http://") || text.starts_with("https://") {
        true => Ok(()),
        false => Err(format!("'{text}' is not an address that begins with https:// or http://")),
    }
}

/// Adds a suite to those that were named before it. A lock says by the suite's name where a package came from, so a name has
/// one meaning.
fn add(known: &mut Vec<Suite>, suite: Suite) -> Result<(), String> {
    let Some(before) = known.iter_mut().find(|before| before.name == suite.name) else {
        known.push(suite);
        return Ok(());
    };
    if let Some(twice) = suite.components.iter().find(|one| before.components.contains(one)) {
        return Err(format!("the component {twice} of {} was named before", suite.name));
    }
    if (&suite.archive, &suite.keyring, suite.priority) != (&before.archive, &before.keyring, before.priority) {
        return Err(format!("{} was named before with another archive, keyring or priority", suite.name));
    }
    before.components.extend(suite.components);
    Ok(())
}

/// Names become parts of addresses and of apt's own files.
fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// The line of the nth section of further archives.
fn line_of(text: &str, nth: usize) -> usize {
    #[derive(Deserialize)]
    struct Lines {
        #[serde(rename = "further-archive")]
        further: Vec<Spanned<toml::Table>>,
    }
    let lines: Option<Lines> = toml::from_str(text).ok();
    let start = lines.and_then(|lines| Some(lines.further.get(nth)?.span().start)).unwrap_or(0);
    text.get(..start).map_or(1, |before| before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "name = \"x-1/amd64\"\nvendor = \"X\"\nsuite = \"one\"\nversion-suffix = \"\"\ncomponent = \"main\"\n\
        keyring = \"x.gpg\"\nmultiarch = \"m\"\ngnu-type = \"g\"\narchive = \"https://a.example/x/\"\nmerged-folders = []\n\
        base = []\nremove = []\n\n";

    fn read(sections: &str) -> Result<Target, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x-1-amd64.toml"), TARGET.to_owned() + sections).unwrap();
        Target::read(folder.path(), &"x-1/amd64".parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_the_targets_own() {
        let target = read(
            "[[further-archive]]\nsuites = [\"one\"]\ncomponents = [\"universe\"]\n\n\
             [[further-archive]]\nsuites = [\"one-updates\", \"one-security\"]\ncomponents = [\"main\", \"universe\"]\n\n\
             [[further-archive]]\nsuites = [\"one-backports\"]\narchive = \"https://b.example/y\"\nkeyring = \"y.gpg\"\npriority = 100\n",
        );
        let target = target.unwrap();
        // What decides bytes is in the lock: a target with further archives is the same to a plan.
        let alone = Target { further: Vec::new(), ..target.clone() };
        assert_eq!(serde_json::to_string(&target).unwrap(), serde_json::to_string(&alone).unwrap());
        let told: Vec<String> = target
            .suites()
            .iter()
            .map(|suite| {
                let priority = suite.priority.map_or("-".into(), |priority| priority.number().to_string());
                let keyring = suite.keyring.display();
                format!("{} {} {} {keyring} {priority}", suite.name, suite.components.join("+"), suite.archive)
            })
            .collect();
        assert_eq!(
            told,
            [
                "one main+universe https://a.example/x x.gpg -",
                "one-updates main+universe https://a.example/x x.gpg -",
                "one-security main+universe https://a.example/x x.gpg -",
                "one-backports main https://b.example/y y.gpg 100",
            ]
        );
    }

    #[test]
    fn a_section_that_cannot_be_used_is_named_with_its_line() {
        let other = "[[further-archive]]\nsuites = [\"one-updates\"]\n";
        for (section, line, why) in [
            ("suites = []", 17, "suites is empty"),
            ("suites = [\"one\"]", 17, "the component main of one was named before"),
            ("suites = [\"two\", \"two\"]", 17, "the component main of two was named before"),
            ("suites = [\"one-updates\"]", 17, "the component main of one-updates was named before"),
            (
                "suites = [\"one-updates\"]\ncomponents = [\"x\"]\npriority = 400",
                17,
                "with another archive, keyring or priority",
            ),
            ("suites = [\"two/../three\"]", 17, "'two/../three' is not a name"),
            ("suites = [\"two\"]\narchive = \"/srv/x\"", 17, "'/srv/x' is not an address"),
            ("suites = [\"two\"]\npriority = 1001", 19, "1001 is not a priority from 1 to 1000"),
            ("suites = [\"two\"]\npriority = 0", 19, "0 is not a priority"),
            ("suites = [\"two\"]\npriorty = 5", 19, "unknown field `priorty`"),
        ] {
            let error = read(&format!("{other}\n[[further-archive]]\n{section}\n")).unwrap_err();
            assert!(error.contains(why) && error.contains(&format!("line {line}")), "{section}: {error}");
            assert!(error.contains("x-1-amd64.toml"), "{error}");
        }
    }
}
