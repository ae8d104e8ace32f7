//! `quarantine.toml`: tests of upstream that are known to fail now and then, or on some targets, each with what was
//! seen and the date from which it counts again. It is beside a recipe's `recipe.toml`.

use std::path::{Path, PathBuf};

use foundation::config::{ConfigError, read_toml};
use foundation::failure::{Failure, Kind, Outcome};
use foundation::folder;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use time::Date;
use time::format_description::well_known::Iso8601;

use crate::target::TargetName;
use crate::test_filter;
use crate::ticket::Ticket;

/// The file's name in a recipe's folder.
pub const FILE: &str = "quarantine.toml";

/// Upstream's tests that are excused: known to fail now and then, or on some targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Quarantine {
    /// The entries, in the file's order.
    #[serde(default, rename = "quarantine")]
    pub entries: Vec<QuarantinedTest>,
}

/// A test that is excused until a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct QuarantinedTest {
    /// The test program, such as `mesos-tests`.
    pub program: String,
    /// The test, `Suite.Name`, or a pattern with `*` for several.
    pub test: String,
    /// Upstream's ticket for it. This or `reason` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// Why it fails, where upstream has no ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The targets where it is excused.
    pub targets: Vec<TargetName>,
    /// What was seen, where and when.
    pub seen: String,
    /// The last day on which it is excused, as `2027-05-31`.
    #[serde(deserialize_with = "date", serialize_with = "date_text")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub expires: Date,
}

impl QuarantinedTest {
    /// The ticket, or else the reason.
    pub fn why(&self) -> String {
        let ticket = self.ticket.as_ref().map(ToString::to_string);
        ticket.or_else(|| self.reason.clone()).unwrap_or_default()
    }

    /// Whether it has ended by this day.
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires < today
    }

    /// Whether it is about this test of this program.
    pub fn names(&self, program: &str, test: &str) -> bool {
        self.program == program && test_filter::matches_pattern(&self.test, test)
    }
}

/// Reads a date, with quotes or as TOML's own.
fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    Date::parse(&text, &Iso8601::DATE)
        .ok()
        // ISO 8601 has more forms, such as 2027-W22-1.
        .filter(|date| date.to_string() == text)
        .ok_or_else(|| {
            serde::de::Error::custom(format!("'{text}' is not a date: write YEAR-MONTH-DAY, such as 2027-05-31"))
        })
}

fn date_text<S: serde::Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}

/// A quarantine file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The file cannot be read, or is not what it should be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An entry makes no sense.
    #[error("{}: the entry for {program} {test}: {message}", path.display())]
    Invalid {
        /// The `quarantine.toml` that the entry is in.
        path: PathBuf,
        /// The test program that the entry names.
        program: String,
        /// The test that the entry names.
        test: String,
        /// What is wrong and what instead.
        message: String,
    },
}

impl Failure for QuarantineError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Config(error) => error.outcome(),
            Self::Invalid { .. } => Kind::Input.next("correct this file and run the command again"),
        }
    }
}

impl Quarantine {
    /// Reads `quarantine.toml` in a recipe's folder. Where there is none, no test is excused.
    ///
    /// # Errors
    /// The file is there and cannot be read, is not TOML of this form, or an entry makes no sense, for example because
    /// it is there twice.
    pub fn read(folder: &Path) -> Result<Self, QuarantineError> {
        let path = folder.join(FILE);
        if !folder::has(&path) {
            return Ok(Self::default());
        }
        let quarantine: Self = read_toml(&path)?;
        for (n, entry) in quarantine.entries.iter().enumerate() {
            if let Some(message) = problem(entry, &quarantine.entries[..n]) {
                let (program, test) = (entry.program.clone(), entry.test.clone());
                return Err(QuarantineError::Invalid { path, program, test, message });
            }
        }
        Ok(quarantine)
    }

    /// The entry for a test on a target, whether it has expired or not. One that names exactly this test goes before
    /// one that names several.
    pub fn entry_for(&self, program: &str, test: &str, target: &TargetName) -> Option<&QuarantinedTest> {
        let entries =
            || self.entries.iter().filter(|entry| entry.targets.contains(target) && entry.names(program, test));
        entries().find(|entry| entry.test == test).or_else(|| entries().next())
    }
}

/// What is wrong with an entry; `earlier` are those before it.
fn problem(entry: &QuarantinedTest, earlier: &[QuarantinedTest]) -> Option<String> {
    if entry.program.trim().is_empty() {
        return Some("program is empty: name the test program".into());
    }
    let whole = entry.test.split_once('.').is_some_and(|(suite, name)| !suite.is_empty() && !name.is_empty());
    if !whole || entry.test.contains(char::is_whitespace) {
        return Some("test is not Suite.Name, or a pattern for that with *".into());
    }
    if entry.ticket.is_none() && entry.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
        return Some("ticket or reason is needed: name upstream's ticket, or say why it fails".into());
    }
    if entry.seen.trim().is_empty() {
        return Some("seen is empty: say what was seen, where and when".into());
    }
    if entry.targets.is_empty() {
        return Some("targets is empty: name the targets where it is excused, such as debian-13/amd64".into());
    }
    for (n, target) in entry.targets.iter().enumerate() {
        let twice = entry.targets[..n].contains(target)
            || earlier.iter().any(|other| {
                other.program == entry.program && other.test == entry.test && other.targets.contains(target)
            });
        if twice {
            return Some(format!("it is there twice for {target}: leave one of them"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[quarantine]]
program = "mesos-tests"
test = "SlaveTest.Flaky"
ticket = "MESOS-8343"
targets = ["debian-12/amd64", "debian-13/amd64"]
seen = "2 of 50 runs, 2 cores, 2026-05-30"
expires = "2027-05-31"

[[quarantine]]
program = "mesos-tests"
test = "Ldd*.*"
reason = "the parser wants the old header of ld.so.cache"
targets = ["debian-12/amd64"]
seen = "every run"
expires = 2026-12-31
"#;

    fn read(text: &str) -> Result<Quarantine, QuarantineError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        Quarantine::read(folder.path())
    }

    fn target(name: &str) -> TargetName {
        name.parse().unwrap()
    }

    #[test]
    fn a_missing_file_excuses_nothing() {
        assert_eq!(Quarantine::read(tempfile::tempdir().unwrap().path()).unwrap(), Quarantine::default());
        assert_eq!(read("").unwrap(), Quarantine::default());
    }

    #[test]
    fn entries_by_program_test_and_target() {
        let quarantine = read(GOOD).unwrap();
        let [flaky, ldd] = &quarantine.entries[..] else { panic!("{quarantine:?}") };
        assert_eq!((flaky.why(), flaky.expires.to_string()), ("MESOS-8343".into(), "2027-05-31".into()));
        assert_eq!((ldd.why(), ldd.expires.to_string()), (ldd.reason.clone().unwrap(), "2026-12-31".into()));
        for (program, test, name, entry) in [
            ("mesos-tests", "SlaveTest.Flaky", "debian-12/amd64", Some(flaky)),
            ("mesos-tests", "SlaveTest.Flaky", "debian-13/amd64", Some(flaky)),
            ("mesos-tests", "SlaveTest.Flaky", "debian-13/arm64", None),
            ("stout-tests", "SlaveTest.Flaky", "debian-12/amd64", None),
            ("mesos-tests", "SlaveTest.Flaky2", "debian-12/amd64", None),
            ("mesos-tests", "Ldd.BinSh", "debian-12/amd64", Some(ldd)),
            ("mesos-tests", "Ldd.BinSh", "debian-13/amd64", None),
        ] {
            assert_eq!(quarantine.entry_for(program, test, &target(name)), entry, "{program} {test} {name}");
        }
    }

    #[test]
    fn the_exact_entry_goes_first() {
        let exact = GOOD.split("[[quarantine]]").nth(1).unwrap().replace("SlaveTest.Flaky", "Ldd.BinSh");
        let quarantine = read(&format!("{GOOD}[[quarantine]]{exact}")).unwrap();
        let found = |test| quarantine.entry_for("mesos-tests", test, &target("debian-12/amd64")).unwrap();
        assert_eq!(found("Ldd.BinSh"), &quarantine.entries[2]);
        assert_eq!(found("Ldd.Other"), &quarantine.entries[1]);
    }

    #[test]
    fn the_last_day_still_counts() {
        let quarantine = read(GOOD).unwrap();
        let last = quarantine.entries[0].expires;
        assert!(!quarantine.entries[0].is_expired(last));
        assert!(quarantine.entries[0].is_expired(last.next_day().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        for (good, bad, parts) in [
            ("seen = \"2", "sean = \"2", &["line 7", "sean", "expires"][..]),
            ("seen = \"2 of 50 runs, 2 cores, 2026-05-30\"", "", &["line 2", "missing field `seen`"]),
            ("2 of 50 runs, 2 cores, 2026-05-30", " ", &["mesos-tests SlaveTest.Flaky", "seen is empty"]),
            ("MESOS-8343", "8343", &["line 5", "'8343'", "MESOS-8343"]),
            ("MESOS-8343", "MESOS 8343", &["line 5", "without blanks"]),
            ("\"2027-05-31\"", "\"2027-02-30\"", &["line 8", "'2027-02-30'", "2027-05-31"]),
            ("\"2027-05-31\"", "\"2027-W22-1\"", &["line 8", "not a date"]),
            ("\"2027-05-31\"", "20270531", &["line 8", "not a date"]),
            ("\"2027-05-31\"", "2027-05-31T10:00:00", &["line 8", "not a date"]),
            ("debian-13/amd64", "Debian", &["line 6", "RELEASE/ARCHITECTURE"]),
            ("debian-13/amd64", "debian-12/amd64", &["twice for debian-12/amd64"]),
            ("[\"debian-12/amd64\", \"debian-13/amd64\"]", "[]", &["targets is empty"]),
            ("ticket = \"MESOS-8343\"", "", &["ticket or reason"]),
            ("ticket = \"MESOS-8343\"", "reason = \"\"", &["ticket or reason"]),
            ("\"SlaveTest.Flaky\"", "\"*\"", &["Suite.Name"]),
            ("\"SlaveTest.Flaky\"", "\"Slave Test.Flaky\"", &["Suite.Name"]),
            ("\"Ldd*.*\"", "\"SlaveTest.Flaky\"", &["twice for debian-12/amd64"]),
        ] {
            assert!(GOOD.contains(good), "{good}");
            let error = read(&GOOD.replacen(good, bad, 1)).unwrap_err().to_string();
            assert!(error.contains(FILE), "{error}");
            for part in parts {
                assert!(error.contains(part), "{part} is missing for {bad}: {error}");
            }
        }
    }
}
