//! The Release file (Debian repository format, "Release files").

use std::collections::BTreeMap;

use deb::control::Paragraph;
use foundation::date;

use crate::{Sum, changelog};

/// What a Release file says.
#[derive(Clone, Debug)]
pub struct Release<'a> {
    /// The field `Origin`, which clients pin by.
    pub origin: &'a str,
    /// The field `Label`, which clients can pin by, too.
    pub label: String,
    /// The field `Suite`: the other name of the suite, such as `stable`.
    pub suite: &'a str,
    /// The field `Codename`, such as `bookworm`.
    pub codename: &'a str,
    /// The field `Description`: one line for people.
    pub description: String,
    /// Where clients fetch from, where that is known; changelogs are there.
    pub uri: Option<&'a str>,
    /// The architectures that it has indices for, without `all`.
    pub architectures: &'a [String],
    /// The components of the suite.
    pub components: &'a [String],
    /// The field `Date`, as a Unix time in seconds.
    pub date: i64,
    /// The field `Valid-Until`, as a Unix time in seconds.
    pub valid_until: i64,
    /// Path below the suite's folder to digest and size.
    pub files: &'a BTreeMap<String, Sum>,
}

impl Release<'_> {
    /// The text. Only SHA-256: clients that knew nothing better would take MD5 for it, and their last one is long gone.
    pub fn text(&self) -> String {
        let Self { origin, label, suite, codename, description, .. } = self;
        let mut text = format!(
            "Origin: {origin}\nLabel: {label}\nSuite: {suite}\nCodename: {codename}\nDate: {}\nValid-Until: {}\n\
             Acquire-By-Hash: yes\nArchitectures: {}\nComponents: {}\nDescription: {description}\nChangelogs: {}\n\
             SHA256:\n",
            date::text(self.date),
            date::text(self.valid_until),
            self.architectures.join(" "),
            self.components.join(" "),
            changelog::field(self.uri),
        );
        for (path, (sha256, size)) in self.files {
            text += &format!(" {sha256} {size:>8} {path}\n");
        }
        text
    }
}

/// The files that a Release names, and when it is valid.
pub struct Parsed {
    /// The field `Codename`.
    pub codename: String,
    /// The field `Date`, as a Unix time in seconds.
    pub date: i64,
    /// The field `Valid-Until`, as a Unix time in seconds.
    pub valid_until: i64,
    /// The field `Components`.
    pub components: Vec<String>,
    /// The field `Architectures`.
    pub architectures: Vec<String>,
    /// Path below the suite's folder to digest and size.
    pub files: BTreeMap<String, Sum>,
}

impl Parsed {
    /// Reads a text that [`Release::text`] wrote; `None` where it is another one.
    pub fn parse(text: &str) -> Option<Self> {
        let paragraph = Paragraph::parse(text)?;
        let time = |name| date::parse(paragraph.get(name)?);
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
pub fn renamed(before: &str, after: &str) -> Option<(&'static str, String, String)> {
    let (before, after) = (Paragraph::parse(before)?, Paragraph::parse(after)?);
    let value = |of: &Paragraph, name| of.get(name).unwrap_or_default().to_owned();
    let both = NAMES.into_iter().map(|name| (name, value(&before, name), value(&after, name)));
    both.into_iter().find(|(_, before, after)| before != after)
}

/// Everything in a Release but its dates and its files.
pub fn head(text: &str) -> Vec<&str> {
    let lines = text.lines().take_while(|line| *line != "SHA256:");
    lines.filter(|line| !line.starts_with("Date: ") && !line.starts_with("Valid-Until: ")).collect()
}

#[cfg(test)]
mod tests {
    use foundation::digest::Digest;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let [components, architectures] = [["main", "debug"], ["amd64", "arm64"]].map(|names| names.map(str::to_owned));
        let files = BTreeMap::from([("main/binary-amd64/Packages".to_owned(), (Digest::of(""), 0))]);
        let release = Release {
            origin: "O",
            label: "L".into(),
            suite: "stable",
            codename: "bookworm",
            description: "D".into(),
            uri: None,
            architectures: &architectures,
            components: &components,
            date: 1_795_410_048,
            valid_until: 1_796_619_648,
            files: &files,
        };
        let text = release.text();
        for line in [
            "Label: L",
            "Suite: stable",
            "Description: D",
            "Date: Mon, 23 Nov 2026 05:00:48 +0000",
            "Valid-Until: Mon, 07 Dec 2026 05:00:48 +0000",
            "Changelogs: no",
            "Architectures: amd64 arm64",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let served = Release { uri: Some("https://x.example.org/y/"), ..release };
        let changelogs = "\nChangelogs: https://x.example.org/y/changelogs/@CHANGEPATH@_changelog\n";
        assert!(served.text().contains(changelogs));
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
