//! The recipe's `changelog`, in the format of Debian policy 4.4. Its newest entry gives the source name,
//! the version and the date that everything in a build is clamped to (`SOURCE_DATE_EPOCH`).

use std::path::{Path, PathBuf};

use foundation::date;
use foundation::failure::{self, Failure, Kind, Outcome};
use recipe::control;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// A changelog: its newest entry in parts, and the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changelog {
    /// The name of the source package.
    pub source: String,
    /// The version of the newest entry, such as `1.7.2-1`.
    pub version: String,
    /// The distributions it names, such as `bookworm`.
    pub distribution: String,
    /// The urgency that the entry names, such as `medium`.
    pub urgency: String,
    /// The entry's lines between the heading and the trailer, with their indentation.
    pub changes: String,
    /// Who signed the entry off: `Name <address>`.
    pub maintainer: String,
    /// The date as it is written there (RFC 2822).
    pub date: String,
    /// That date in seconds: `SOURCE_DATE_EPOCH`.
    pub epoch: i64,
    /// The text of the whole file.
    pub text: String,
}

/// A changelog that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChangelogError {
    /// The file cannot be read.
    #[error("cannot read the changelog {}: {source}", path.display())]
    Read {
        /// The file of the changelog.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Its newest entry is not in Debian's format.
    #[error("{}, line {line}: {problem}", path.display())]
    Format {
        /// The file of the changelog.
        path: PathBuf,
        /// The line that is wrong, counted from 1.
        line: usize,
        /// What is wrong in that line.
        problem: String,
    },
    /// Its newest entry is about something else than the recipe.
    #[error("{}, line {line}: {problem}", path.display())]
    Subject {
        /// The file of the changelog.
        path: PathBuf,
        /// The line of the newest entry's heading, counted from 1.
        line: usize,
        /// How the entry and the recipe differ.
        problem: String,
    },
}

impl Failure for ChangelogError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Read { source, .. } => failure::of_file(source),
            Self::Format { .. } => Kind::Input.next(
                "write the newest entry as Debian policy 4.4 has it, for instance:\n\
                 mesos (1.7.2-1) bookworm; urgency=medium\n\n  * What changed.\n\n \
                 -- Name <name@example.org>  Thu, 14 Mar 2024 12:00:00 +0000",
            ),
            Self::Subject { .. } => Kind::Input
                .next("write a new entry for what recipe.toml has, or correct recipe.toml, and run the command again"),
        }
    }
}

impl Changelog {
    /// Reads a changelog, and checks its newest entry (Debian policy 4.4, deb-changelog(5)).
    ///
    /// # Errors
    /// The file cannot be read, or its newest entry is not in Debian's format: the error names the line.
    pub fn read(path: &Path) -> Result<Self, ChangelogError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ChangelogError::Read { path: path.to_owned(), source })?;
        Self::parse(path, text)
    }

    /// Parses the text of a changelog that came from `path`.
    ///
    /// # Errors
    /// There is no entry, or the newest one is not in Debian's format: the error names the line.
    pub fn parse(path: &Path, text: String) -> Result<Self, ChangelogError> {
        let wrong = |line: usize, problem: &str| ChangelogError::Format {
            path: path.to_owned(),
            line: line + 1,
            problem: problem.to_owned(),
        };
        let mut lines = text.lines().enumerate().skip_while(|(_, line)| line.trim().is_empty());
        let (number, heading) = lines.next().ok_or_else(|| wrong(0, "there is no entry"))?;
        let bad = || wrong(number, "the heading is not 'SOURCE (VERSION) DISTRIBUTION; urgency=URGENCY'");
        let (source, rest) = heading.split_once(" (").ok_or_else(bad)?;
        let (version, rest) = rest.split_once(") ").ok_or_else(bad)?;
        let (distribution, options) = rest.split_once(';').ok_or_else(bad)?;
        let urgency = options.split(',').find_map(|option| option.trim().strip_prefix("urgency=")).ok_or_else(bad)?;
        control::package_name(source).map_err(|problem| wrong(number, &format!("'{source}' {problem}")))?;
        control::version(version).map_err(|problem| wrong(number, &format!("the version '{version}' {problem}")))?;
        if distribution.trim().is_empty() || control::one_line(distribution).is_err() {
            return Err(wrong(number, "there is no distribution, such as bookworm"));
        }
        if !URGENCIES.contains(&urgency.trim().to_ascii_lowercase().as_str()) {
            let urgencies = URGENCIES.join(", ");
            return Err(wrong(number, &format!("the urgency '{}' is none of {urgencies}", urgency.trim())));
        }
        let mut changes = String::new();
        for (number, line) in lines {
            if let Some(trailer) = line.strip_prefix(" -- ") {
                let (maintainer, date) = trailer.split_once(">  ").ok_or_else(|| {
                    wrong(number, "the trailer is not ' -- NAME <ADDRESS>  DATE' (two spaces before the date)")
                })?;
                let maintainer = format!("{maintainer}>");
                control::maintainer(&maintainer)
                    .map_err(|problem| wrong(number, &format!("'{maintainer}' {problem}")))?;
                let epoch = epoch_of(date.trim(), date::now())
                    .map_err(|problem| wrong(number, &format!("'{}' {problem}", date.trim())))?;
                return Ok(Self {
                    source: source.to_owned(),
                    version: version.to_owned(),
                    distribution: distribution.trim().to_owned(),
                    urgency: urgency.trim().to_owned(),
                    changes: changes.trim_matches('\n').to_owned(),
                    maintainer,
                    date: date.trim().to_owned(),
                    epoch,
                    text,
                });
            }
            if !line.trim().is_empty() && !line.starts_with("  ") {
                return Err(wrong(number, "a line of an entry begins with two spaces"));
            }
            if let Err(problem) = control::one_line(line) {
                return Err(wrong(number, &format!("the line {problem}")));
            }
            changes.push_str(line.trim_end());
            changes.push('\n');
        }
        Err(wrong(
            text.lines().count().saturating_sub(1),
            "the newest entry has no trailer line ' -- NAME <ADDRESS>  DATE'",
        ))
    }

    /// Whether this is the changelog of a source, such as `mesos`, in upstream's version, such as `1.7.2`, to which the packaging
    /// may have added something, as in `1.7.2+dfsg`.
    ///
    /// # Errors
    /// The newest entry is about another source package, or about another version of upstream.
    pub fn check_subject(&self, path: &Path, source: &str, upstream: &str) -> Result<(), ChangelogError> {
        let line = 1 + self.text.lines().take_while(|line| line.trim().is_empty()).count();
        let wrong = |problem: String| ChangelogError::Subject { path: path.to_owned(), line, problem };
        if self.source != source {
            return Err(wrong(format!("it is about {}, and recipe.toml is about {source}", self.source)));
        }
        let rest = self.upstream_version().strip_prefix(upstream);
        if rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with(['+', '~'])) {
            let version = &self.version;
            return Err(wrong(format!(
                "the version {version} is none of upstream's {upstream}, which recipe.toml has"
            )));
        }
        Ok(())
    }

    /// The same changelog for one release of a distribution: its newest entry has the release's suffix after the version, such
    /// as `~deb12u1`, and names its suite, such as `bookworm`.
    pub fn for_release(self, suffix: &str, suite: &str) -> Self {
        let version = format!("{}{suffix}", self.version);
        self.with_heading(version, suite.to_owned())
    }

    /// The same changelog with something appended to the newest version, such as `+local`.
    pub fn with_suffix(self, suffix: &str) -> Self {
        let (version, distribution) = (format!("{}{suffix}", self.version), self.distribution.clone());
        self.with_heading(version, distribution)
    }

    fn with_heading(mut self, version: String, distribution: String) -> Self {
        let parts = self.text.find(" (").and_then(|start| Some((start, start + self.text[start..].find(';')?)));
        let (start, end) = parts.expect("a changelog that was parsed has a heading");
        self.text.replace_range(start..end, &format!(" ({version}) {distribution}"));
        Self { version, distribution, ..self }
    }

    /// The upstream part of the version: without epoch and Debian revision (policy 5.6.12).
    pub fn upstream_version(&self) -> &str {
        let version = self.file_version();
        version.rsplit_once('-').map_or(version, |(upstream, _)| upstream)
    }

    /// The version without its epoch, as file names have it.
    pub fn file_version(&self) -> &str {
        self.version.split_once(':').map_or(&self.version, |(_, version)| version)
    }
}

/// Whether this is a package name (policy 5.6.1).
pub fn valid_package_name(name: &str) -> bool {
    control::package_name(name).is_ok()
}

/// The date of an entry in seconds. Packages are dated by it, and whoever installs them sees it.
fn epoch_of(date: &str, now: i64) -> Result<i64, String> {
    let parsed = OffsetDateTime::parse(date, &Rfc2822).map_err(|_| "is not a date as RFC 2822 has it".to_owned())?;
    let epoch = parsed.unix_timestamp();
    let day = parsed.weekday().to_string();
    if let Some((named, _)) = date.split_once(',')
        && !day.starts_with(named)
    {
        return Err(format!("is a {day}"));
    }
    if epoch < DEBIAN_BEGAN {
        return Err("is before there was a Debian".to_owned());
    }
    if epoch > now + DAY {
        return Err("is in the future, by this machine's clock".to_owned());
    }
    Ok(epoch)
}

/// 1993-08-16.
const DEBIAN_BEGAN: i64 = 745_459_200;

/// Somebody east of here may have it already.
const DAY: i64 = 86_400;

/// The urgencies that Debian knows (policy 5.6.17).
const URGENCIES: [&str; 5] = ["low", "medium", "high", "emergency", "critical"];

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "mesos (1:1.7.2~rc1-1) bookworm; urgency=medium\n\n  * One.\n\n    More.\n\n \
                        -- A B <a@example.org>  Wed, 04 Jun 2025 12:00:00 +0200\n\nmesos (1.0-1) x; urgency=low\n";

    fn parse(text: &str) -> Result<Changelog, String> {
        Changelog::parse(Path::new("changelog"), text.to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_newest_entry_counts() {
        let log = parse(TEXT).unwrap();
        assert_eq!((log.source.as_str(), log.version.as_str(), log.epoch), ("mesos", "1:1.7.2~rc1-1", 1_749_031_200));
        assert_eq!((log.upstream_version(), log.file_version()), ("1.7.2~rc1", "1.7.2~rc1-1"));
        assert_eq!(log.changes, "  * One.\n\n    More.");
        assert_eq!(log.maintainer, "A B <a@example.org>");
        let local = log.with_suffix("+local");
        assert_eq!(local.version, "1:1.7.2~rc1-1+local");
        assert!(
            local.text.starts_with("mesos (1:1.7.2~rc1-1+local) bookworm;") && local.text.contains("mesos (1.0-1) x")
        );
    }

    #[test]
    fn a_release_has_its_suffix_and_its_suite() {
        let log = parse(TEXT).unwrap().for_release("~deb13u1", "trixie");
        assert_eq!((log.version.as_str(), log.distribution.as_str()), ("1:1.7.2~rc1-1~deb13u1", "trixie"));
        let local = log.with_suffix("+local");
        assert_eq!((local.upstream_version(), local.file_version()), ("1.7.2~rc1", "1.7.2~rc1-1~deb13u1+local"));
        // The heading is as dpkg-parsechangelog(1) reads it, and everything below it is as it was.
        let rest = TEXT.split_once('\n').unwrap().1;
        assert_eq!(local.text, format!("mesos (1:1.7.2~rc1-1~deb13u1+local) trixie; urgency=medium\n{rest}"));
    }

    #[test]
    fn it_is_about_what_the_recipe_has() {
        let log = parse(TEXT).unwrap();
        let check = |source, upstream| {
            log.check_subject(Path::new("changelog"), source, upstream).map_err(|error| error.to_string())
        };
        assert_eq!((check("mesos", "1.7.2~rc1"), check("mesos", "1.7.2")), (Ok(()), Ok(())));
        let wrong = "changelog, line 1: the version 1:1.7.2~rc1-1 is none of upstream's 1.7, which recipe.toml has";
        assert_eq!(check("mesos", "1.7").unwrap_err(), wrong);
        assert!(check("mesos", "1.7.3").is_err() && check("meso", "1.7.2").unwrap_err().contains("about mesos"));
    }

    #[test]
    fn mistakes_have_a_line() {
        for (from, to, expected) in [
            ("mesos (1:", "mesos 1:", "line 1: the heading is not"),
            ("mesos", "Mesos!", "not a package name"),
            ("1:1.7.2~rc1-1", "x1", "the version 'x1' does not begin with a digit"),
            ("1:1.7.2~rc1-1", "1_0", "has characters beside"),
            ("urgency=medium", "medium", "line 1: the heading"),
            ("  * One.", "* One.", "line 3: a line of an entry begins with two spaces"),
            (".org>  Wed", ".org> Wed", "line 7: the trailer is not"),
            ("04 Jun", "44 Jun", "is not a date"),
            ("Wed, 04 Jun 2025", "Thu, 04 Jun 2025", "line 7: 'Thu, 04 Jun 2025 12:00:00 +0200' is a Wednesday"),
            ("Wed, 04 Jun 2025", "Thu, 04 Jun 1959", "before there was a Debian"),
            ("Wed, 04 Jun 2025", "Thu, 04 Jun 2099", "is in the future, by this machine's clock"),
            ("1:1.7.2~rc1-1", "1.7.2-", "nothing after its last -"),
            ("1:1.7.2~rc1-1", "x:1.7.2", "an epoch that is not a number"),
            ("1:1.7.2~rc1-1", "99999999999:1", "larger than dpkg can read"),
            ("bookworm;", ";", "line 1: there is no distribution"),
            ("=medium", "=soon", "the urgency 'soon' is none of low, medium"),
            (
                "A B <a@example.org>",
                "A B <a at example.org>",
                "line 7: 'A B <a at example.org>' is not `Name <address>`",
            ),
            ("  * One.", "  * One.\u{b}", "line 3: the line has the control character"),
            (" -- A", "  -- A", "a line of an entry"),
        ] {
            let error = parse(&TEXT.replacen(from, to, 1)).unwrap_err();
            assert!(
                error.starts_with("changelog, line ") && error.contains(expected),
                "{error}\n-- should contain: {expected}"
            );
        }
        assert!(parse("").unwrap_err().contains("there is no entry"));
        assert!(parse("a1 (1) x; urgency=low\n\n  * One.\n").unwrap_err().contains("no trailer"));
    }
}
