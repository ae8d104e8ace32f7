//! What a repository is called and what it has room for: `.repository/settings.toml`, written by `repo init`, and afterwards
//! the release engineer's to change. The next publication follows.

use std::collections::BTreeMap;
use std::path::Path;

use apt::Sum;
use apt::release::Release;
use deb::changelog::valid_package_name;
use foundation::config::read_toml;
use serde::{Deserialize, Serialize};

use super::{Keep, RepositoryError};

/// The settings of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The repository's name: a part of the names of its keyring package and of the files that clients take from its top.
    #[serde(default = "default_name")]
    pub name: String,
    /// `Origin` of the Release files, which clients pin by.
    pub origin: String,
    /// The field `Label` of the Release files, which clients can pin by, too.
    pub label: String,
    /// The field `Description` of the Release files: one line for people.
    pub description: String,
    /// Maintainer of the keyring package: `NAME <ADDRESS>`.
    pub maintainer: String,
    /// Where clients fetch from, for the `.sources` files: `https://HOST/PATH`. Without it, the folder itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The components. Packages go into the first one; those with debug symbols into `debug`, if there is one.
    pub components: Vec<String>,
    /// The architectures that the repository has packages for, without `all`.
    pub architectures: Vec<String>,
    /// How long clients trust a Release file, in days.
    pub valid_days: u32,
    /// Whether untested, local and development-signed packages are taken. Release files say so.
    #[serde(default)]
    pub development: bool,
    /// The suites of the repository; one at least.
    pub suite: Vec<Suite>,
}

/// One suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Suite {
    /// The codename of the suite, such as `bookworm`: the folder below `dists/`.
    pub codename: String,
    /// Its other name, such as `stable`; the codename where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which versions stay when something is published; all where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
}

impl Suite {
    /// `Suite` of the Release file.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.codename)
    }
}

/// The component of packages with debug symbols, where a repository has it.
pub const DEBUG: &str = "debug";

/// Folders that say where something is, not what: a repository there is not called after them.
const PLACES: [&str; 11] =
    ["apt", "deb", "debian", "html", "packages", "public", "repo", "repository", "srv", "ubuntu", "www"];

impl Settings {
    /// The name of a repository in this folder, unless another one is given: the folder's own. Where that says nothing, one
    /// for trials is still told from one that is not.
    pub fn name_for(folder: &Path, development: bool) -> String {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || "+.-".contains(c) { c } else { '-' }).collect();
        match name.trim_matches(|c: char| !c.is_ascii_alphanumeric()) {
            name if valid_package_name(name) && !PLACES.contains(&name) => name.to_owned(),
            _ if development => format!("{}-trial", default_name()),
            _ => default_name(),
        }
    }
}

/// That of the repositories that were made before they had names.
fn default_name() -> String {
    "mesos".into()
}

/// `Valid-Until` unless the settings say otherwise, in days.
pub const VALID_DAYS: u32 = 14;

impl Settings {
    /// Reads and checks the file.
    pub(super) fn read(path: &Path) -> Result<Self, RepositoryError> {
        let settings: Self = read_toml(path)?;
        settings.check()?;
        Ok(settings)
    }

    /// The text of the file.
    pub(super) fn text(&self) -> String {
        toml::to_string(self).expect("plain data serialises to TOML")
    }

    /// Everything here ends up in paths or in fields of one line.
    ///
    /// # Errors
    /// A value is not a line of text, is not one that Release files, paths or package names can have, or is there
    /// twice. The error names the setting.
    pub fn check(&self) -> Result<(), RepositoryError> {
        let wrong = |what, value: &str, problem: &str| {
            Err(RepositoryError::Setting { what, value: value.into(), problem: problem.into() })
        };
        let lines = [
            ("origin", &self.origin),
            ("label", &self.label),
            ("description", &self.description),
            ("maintainer", &self.maintainer),
        ];
        for (what, value) in lines {
            if value.trim().is_empty() || value.chars().any(char::is_control) {
                return wrong(what, value, "is not a line of text: write one");
            }
        }
        if !valid_package_name(&self.name) {
            return wrong(
                "name",
                &self.name,
                "cannot begin a package's name: lower-case letters, digits, + - and . do",
            );
        }
        if self.origin.contains(',') {
            return wrong("origin", &self.origin, "has a comma, which ends it in apt's preferences: leave it out");
        }
        if !self.maintainer.ends_with('>') || !self.maintainer.contains(" <") {
            return wrong("maintainer", &self.maintainer, "is not NAME <ADDRESS>");
        }
        let lists = [
            ("codename", self.suite.iter().map(|suite| &suite.codename).collect::<Vec<_>>()),
            ("suite", self.suite.iter().filter_map(|suite| suite.name.as_ref()).collect()),
            ("component", self.components.iter().collect()),
            ("architecture", self.architectures.iter().collect()),
        ];
        for (what, values) in lists {
            if what != "suite" && values.is_empty() {
                return wrong(what, "", "is missing: there has to be one at least");
            }
            for (i, value) in values.iter().enumerate() {
                if !is_name(value) {
                    return wrong(what, value, "is not a name: lower-case letters, digits and -._ make one");
                }
                if values[..i].contains(value) {
                    return wrong(what, value, "is there twice");
                }
            }
        }
        for suite in &self.suite {
            suite.keep.map_or(Ok(()), Keep::check)?;
            if self.suite.iter().any(|other| other.codename != suite.codename && other.codename == suite.name()) {
                return wrong(
                    "suite",
                    suite.name(),
                    "is the codename of another suite: each folder below dists/ is of one",
                );
            }
        }
        if self.architectures.iter().any(|architecture| architecture == "all") {
            return wrong("architecture", "all", "is in the index of every architecture: leave it out");
        }
        if !(1..=366).contains(&self.valid_days) {
            return wrong("valid-days", &self.valid_days.to_string(), "is not a number of days from 1 to 366");
        }
        match &self.uri {
            Some(uri) if !is_uri(uri) => {
                wrong("uri", uri, "is not where apt can fetch from: write https://HOST/PATH, http:// or file:///PATH")
            }
            _ => Ok(()),
        }
    }

    /// Where clients fetch from: the folder itself, where it is not known.
    pub(super) fn uri(&self, root: &Path) -> String {
        self.uri.clone().unwrap_or_else(|| format!("file://{}", root.display()))
    }

    /// What the Release of a suite says with these dates and files. That of a development repository says what it is.
    pub(super) fn release<'a>(
        &'a self,
        suite: &'a Suite,
        date: i64,
        valid_until: i64,
        files: &'a BTreeMap<String, Sum>,
    ) -> Release<'a> {
        let Self { label, description, .. } = self;
        let (label, description) = match self.development {
            true => (
                format!("{label} (UNTRUSTED DEVELOPMENT)"),
                format!("UNTRUSTED DEVELOPMENT repository, for trials only: {description}"),
            ),
            false => (label.clone(), description.clone()),
        };
        Release {
            origin: &self.origin,
            label,
            suite: suite.name(),
            codename: &suite.codename,
            description,
            uri: self.uri.as_deref(),
            architectures: &self.architectures,
            components: &self.components,
            date,
            valid_until,
            files,
        }
    }

    /// The codenames, for messages.
    pub fn codenames(&self) -> String {
        self.suite.iter().map(|suite| suite.codename.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b))
}

fn is_uri(text: &str) -> bool {
    let rest = ["https://", "http://", "file:///"].iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            name: "mesos".into(),
            origin: "Mesos packages".into(),
            label: "Mesos packages".into(),
            description: "Apache Mesos for Debian".into(),
            maintainer: "A <a@example.org>".into(),
            uri: Some("https://packages.example.org/mesos".into()),
            components: vec!["main".into(), DEBUG.into()],
            architectures: vec!["amd64".into()],
            valid_days: VALID_DAYS,
            development: false,
            suite: vec![Suite { codename: "bookworm".into(), name: Some("stable".into()), keep: None }],
        }
    }

    #[test]
    fn a_repository_is_called_after_its_folder() {
        for (folder, development, expected) in [
            ("/srv/mesos", false, "mesos"),
            ("/srv/Mesos_nightly/", false, "mesos-nightly"),
            ("/srv/www", false, "mesos"),
            ("/srv/www", true, "mesos-trial"),
            ("/tmp/.x", true, "mesos-trial"),
            ("/", false, "mesos"),
        ] {
            assert_eq!(Settings::name_for(Path::new(folder), development), expected, "{folder}");
        }
    }

    #[test]
    fn a_release_says_whether_it_is_for_trials() {
        let text = |development| {
            let settings = Settings { development, ..settings() };
            settings.release(&settings.suite[0], 0, 0, &BTreeMap::new()).text()
        };
        let development = text(true);
        for line in [
            "Label: Mesos packages (UNTRUSTED DEVELOPMENT)",
            "Description: UNTRUSTED DEVELOPMENT repository, for trials only: Apache Mesos for Debian",
        ] {
            assert!(development.lines().any(|found| found == line), "{line}\n{development}");
        }
        assert!(!text(false).contains("UNTRUSTED"));
    }

    #[test]
    fn what_is_written_is_read_and_mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, settings().text()).unwrap();
        assert_eq!(Settings::read(&file).unwrap(), settings());
        for (from, to, expected) in [
            ("\"bookworm\"", "\"../etc\"", "codename: '../etc' is not a name"),
            ("\"amd64\"", "\"all\"", "'all' is in the index of every"),
            ("[\"main\", \"debug\"]", "[\"main\", \"main\"]", "'main' is there twice"),
            ("[\"main\", \"debug\"]", "[]", "component: '' is missing"),
            ("valid-days = 14", "valid-days = 0", "valid-days: '0' is not a number of days"),
            ("https://", "ftp://", "uri: 'ftp://packages"),
            ("origin", "origins", "origins"),
            ("name = \"mesos\"", "name = \"Mesos/x\"", "cannot begin a package's name"),
            ("name = \"stable\"", "keep = { newest = 0 }", "keep: 'newest = 0' keeps nothing"),
            ("name = \"stable\"", "keep = { newset = 1 }", "newset"),
            ("origin = \"Mesos packages", "origin = \"Mesos, packages", "has a comma"),
            ("A <a@example.org>", "A", "is not NAME <ADDRESS>"),
            ("Apache Mesos for Debian", "a\\nDate: x", "is not a line of text"),
        ] {
            let text = settings().text();
            assert!(text.contains(from), "{text}");
            std::fs::write(&file, text.replace(from, to)).unwrap();
            let error = Settings::read(&file).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
