//! The Release file (Debian repository format, "Release files").

use std::collections::BTreeMap;

use deb::control::Paragraph;
use foundation::digest::Digest;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::changelogs;
use super::settings::{Settings, Suite};

/// SHA-256 digest and size in bytes of a file, as a Release file has them.
pub type Sum = (Digest, u64);

/// What a Release file says.
#[derive(Clone, Debug)]
pub(super) struct Release<'a> {
    pub settings: &'a Settings,
    pub suite: &'a Suite,
    /// `Date` and `Valid-Until`, as Unix times in seconds.
    pub date: i64,
    pub valid_until: i64,
    /// Path below the suite's folder to digest and size.
    pub files: &'a BTreeMap<String, Sum>,
}

/// What the description of a development repository begins with.
pub(super) const DEVELOPMENT: &str = "UNTRUSTED DEVELOPMENT repository";

impl Release<'_> {
    /// The text. Only SHA-256: clients that knew nothing better would take MD5 for it, and their last one is long gone.
    pub fn text(&self) -> String {
        let Self { settings, suite, .. } = self;
        let (label, description) = if settings.development {
            let description = format!("{DEVELOPMENT}, for trials only: {}", settings.description);
            (format!("{} (UNTRUSTED DEVELOPMENT)", settings.label), description)
        } else {
            (settings.label.clone(), settings.description.clone())
        };
        let mut text = format!(
            "Origin: {}\nLabel: {label}\nSuite: {}\nCodename: {}\nDate: {}\nValid-Until: {}\nAcquire-By-Hash: yes\n\
             Architectures: {}\nComponents: {}\nDescription: {description}\nChangelogs: {}\nSHA256:\n",
            settings.origin,
            suite.name(),
            suite.codename,
            date(self.date),
            date(self.valid_until),
            settings.architectures.join(" "),
            settings.components.join(" "),
            changelogs::field(settings),
        );
        for (path, (sha256, size)) in self.files {
            text += &format!(" {sha256} {size:>8} {path}\n");
        }
        text
    }
}

/// The files that a Release names, and when it is valid.
pub(super) struct Parsed {
    pub codename: String,
    pub date: i64,
    pub valid_until: i64,
    pub components: Vec<String>,
    pub architectures: Vec<String>,
    pub files: BTreeMap<String, Sum>,
}

impl Parsed {
    /// Reads a text that [`Release::text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let paragraph = Paragraph::parse(text)?;
        let time = |name| parse_date(paragraph.get(name)?);
        let mut files = BTreeMap::new();
        for line in paragraph.get("SHA256")?.lines().filter(|line| !line.trim().is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [sha256, size, path] = words[..] else { return None };
            files.insert(path.to_owned(), (sha256.parse().ok()?, size.parse().ok()?)).is_none().then_some(())?;
        }
        let words = |name| Some(paragraph.get(name)?.split_whitespace().map(str::to_owned).collect());
        Some(Self {
            codename: paragraph.get("Codename")?.to_owned(),
            date: time("Date")?,
            valid_until: time("Valid-Until")?,
            components: words("Components")?,
            architectures: words("Architectures")?,
            files,
        })
    }
}

/// What a repository is called. apt stops when one of these has changed since its last update (apt-secure(8), "releaseinfo").
const NAMES: [&str; 4] = ["Origin", "Label", "Suite", "Codename"];

/// The first name that differs between two Release files, with both values.
pub(super) fn renamed(before: &str, after: &str) -> Option<(&'static str, String, String)> {
    let (before, after) = (Paragraph::parse(before)?, Paragraph::parse(after)?);
    let value = |of: &Paragraph, name| of.get(name).unwrap_or_default().to_owned();
    let both = NAMES.into_iter().map(|name| (name, value(&before, name), value(&after, name)));
    both.into_iter().find(|(_, before, after)| before != after)
}

/// Everything in a Release but its dates and its files.
pub(super) fn head(text: &str) -> Vec<&str> {
    let lines = text.lines().take_while(|line| *line != "SHA256:");
    lines.filter(|line| !line.starts_with("Date: ") && !line.starts_with("Valid-Until: ")).collect()
}

/// A Unix time in seconds as Release files have it: `Mon, 23 Nov 2026 05:00:48 +0000`.
pub fn date(time: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(time).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc2822).unwrap_or_default()
}

/// Reads such a date.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    Some(OffsetDateTime::parse(text, &Rfc2822).ok()?.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let settings = Settings {
            name: "mesos".into(),
            origin: "O".into(),
            label: "L".into(),
            description: "D".into(),
            maintainer: "A <a@x>".into(),
            uri: None,
            components: vec!["main".into(), "debug".into()],
            architectures: vec!["amd64".into(), "arm64".into()],
            valid_days: 14,
            development: true,
            suite: vec![Suite { codename: "bookworm".into(), name: None, keep: None }],
        };
        let files = BTreeMap::from([("main/binary-amd64/Packages".to_owned(), (Digest::of(""), 0))]);
        let release = Release {
            settings: &settings,
            suite: &settings.suite[0],
            date: 1_795_410_048,
            valid_until: 1_796_619_648,
            files: &files,
        };
        let text = release.text();
        for line in [
            "Label: L (UNTRUSTED DEVELOPMENT)",
            "Description: UNTRUSTED DEVELOPMENT repository, for trials only: D",
            "Date: Mon, 23 Nov 2026 05:00:48 +0000",
            "Valid-Until: Mon, 07 Dec 2026 05:00:48 +0000",
            "Changelogs: no",
            "Architectures: amd64 arm64",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let settings = Settings { uri: Some("https://x.example.org/y/".into()), ..settings.clone() };
        let changelogs = "\nChangelogs: https://x.example.org/y/changelogs/@CHANGEPATH@_changelog\n";
        assert!(Release { settings: &settings, ..release.clone() }.text().contains(changelogs));
        let parsed = Parsed::parse(&text).unwrap();
        assert_eq!(
            (parsed.codename.as_str(), parsed.date, parsed.valid_until),
            ("bookworm", 1_795_410_048, 1_796_619_648)
        );
        assert_eq!(parsed.files, files);
        assert!(Parsed::parse(&text.replace("SHA256:\n", "SHA256:\n x 1 y\n")).is_none());
        let twice = format!("{text}{}\n", text.lines().last().unwrap());
        assert!(Parsed::parse(&twice).is_none());
    }
}
