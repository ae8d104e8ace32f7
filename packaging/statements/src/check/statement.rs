//! What the tests say about packages, for whoever installs them: an in-toto Statement v1 with the predicate "Test
//! Result" v0.1 (<https://github.com/in-toto/attestation>: `spec/predicates/test-result.md`).
//!
//! The signature is apart from
//! it, in OpenPGP as everything else beside the packages, rather than in in-toto's own envelope.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sign::signer::{SignatureForm, Signer};
use sign::sums::{SumsError, write_file};

pub use crate::proof::intoto::Resource;

use super::verdict::{Judgement, Verdict};
use crate::proof::intoto;

/// The file name of the statement, beside the packages.
pub const FILE: &str = "test-result.json";

/// The file name of its detached signature (armored OpenPGP).
pub const SIGNATURE: &str = "test-result.json.asc";

/// An in-toto statement on the tests of packages.
pub type Statement = intoto::Statement<Predicate>;

impl intoto::Predicate for Predicate {
    const TYPE: &'static str = "https://in-toto.io/attestation/test-result/v0.1";
}

/// The predicate "Test Result". Tests are named `program:Suite.Name`; those that were skipped are in no list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    /// The result of the whole run.
    pub result: TestResult,
    /// What the run depended on, each with its digest.
    pub configuration: Vec<Resource>,
    /// The tests that passed in every execution.
    #[serde(default)]
    pub passed_tests: Vec<String>,
    /// The tests that are flaky, or failed and are excused.
    #[serde(default)]
    pub warned_tests: Vec<String>,
    /// The tests that failed, and that nothing excuses.
    #[serde(default)]
    pub failed_tests: Vec<String>,
}

/// A run's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TestResult {
    /// Every test that was run passed.
    Passed,
    /// The run is sound, and has flaky or excused tests.
    Warned,
    /// The run is not sound: a test failed, or an excuse has expired.
    Failed,
}

impl fmt::Display for TestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "PASSED",
            Self::Warned => "WARNED",
            Self::Failed => "FAILED",
        })
    }
}

impl Statement {
    /// What a run says about the packages `subjects`.
    pub fn new(subjects: Vec<Resource>, configuration: Vec<Resource>, judgement: &Judgement) -> Self {
        let named = |verdicts: &[Verdict]| {
            let tests = judgement.tests.iter().filter(|test| verdicts.contains(&test.verdict));
            let mut names: Vec<String> =
                tests.map(|test| format!("{}:{}", test.record.program, test.record.test)).collect();
            names.sort();
            names
        };
        let warned_tests = named(&[Verdict::Flaky, Verdict::Quarantined]);
        let result = match (judgement.sound(), warned_tests.is_empty()) {
            (false, _) => TestResult::Failed,
            (true, false) => TestResult::Warned,
            (true, true) => TestResult::Passed,
        };
        let predicate = Predicate {
            result,
            configuration,
            passed_tests: named(&[Verdict::Passed]),
            warned_tests,
            failed_tests: named(&[Verdict::Failed, Verdict::TimedOut]),
        };
        Self::about(subjects, predicate)
    }

    /// Writes the statement and its signature into a folder.
    ///
    /// # Errors
    /// The signer refuses the version of a package, no signature is made, or one of the two files cannot be written.
    pub fn write(&self, folder: &Path, signer: &dyn Signer, epoch: i64) -> Result<(), SumsError> {
        for subject in &self.subject {
            // A package's file name has its version.
            signer.check_version(&subject.name)?;
        }
        let mut text = serde_json::to_vec_pretty(self).expect("plain data serialises to JSON");
        text.push(b'\n');
        let signature = signer.sign(SignatureForm::DetachedArmored, &mut &text[..], epoch)?;
        write_file(&folder.join(FILE), &text)?;
        write_file(&folder.join(SIGNATURE), &signature)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::verdict::{Judged, TestRecord};
    use foundation::digest::Digest;

    fn judgement(tests: &[(&str, Verdict)]) -> Judgement {
        let tests = tests.iter().map(|(test, verdict)| Judged {
            record: TestRecord { program: "mesos-tests".into(), test: (*test).into(), executions: vec![] },
            verdict: *verdict,
            note: None,
        });
        Judgement { tests: tests.collect(), ..Judgement::default() }
    }

    #[test]
    fn the_specified_names_and_sorted_lists() {
        let subjects = vec![Resource::new("b.deb", Digest::of("b")), Resource::new("a.deb", Digest::of("a"))];
        let configuration = vec![Resource::new("plan", Digest::of("plan"))];
        let judgement = judgement(&[
            ("B.Passed", Verdict::Passed),
            ("A.Passed", Verdict::Passed),
            ("A.Quarantined", Verdict::Quarantined),
            ("A.Flaky", Verdict::Flaky),
            ("A.Skipped", Verdict::Skipped),
            ("A.Late", Verdict::TimedOut),
            ("A.Failed", Verdict::Failed),
        ]);
        let statement = Statement::new(subjects, configuration, &judgement);
        let expected = serde_json::json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [
                { "name": "a.deb", "digest": { "sha256": Digest::of("a").to_string() } },
                { "name": "b.deb", "digest": { "sha256": Digest::of("b").to_string() } },
            ],
            "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
            "predicate": {
                "result": "FAILED",
                "configuration": [{ "name": "plan", "digest": { "sha256": Digest::of("plan").to_string() } }],
                "passedTests": ["mesos-tests:A.Passed", "mesos-tests:B.Passed"],
                "warnedTests": ["mesos-tests:A.Flaky", "mesos-tests:A.Quarantined"],
                "failedTests": ["mesos-tests:A.Failed", "mesos-tests:A.Late"],
            },
        });
        assert_eq!(serde_json::to_value(&statement).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Statement>(expected).unwrap(), statement);
    }

    #[test]
    fn the_result_follows_from_the_verdicts() {
        let result = |judgement: &Judgement| Statement::new(vec![], vec![], judgement).predicate.result;
        assert_eq!(result(&judgement(&[("A.B", Verdict::Passed), ("A.C", Verdict::Skipped)])), TestResult::Passed);
        assert_eq!(result(&judgement(&[("A.B", Verdict::Passed), ("A.C", Verdict::Flaky)])), TestResult::Warned);
        assert_eq!(result(&judgement(&[("A.B", Verdict::Quarantined)])), TestResult::Warned);
        assert_eq!(result(&judgement(&[("A.B", Verdict::Flaky), ("A.C", Verdict::TimedOut)])), TestResult::Failed);
        let mut expired = judgement(&[("A.B", Verdict::Passed)]);
        let entry = "program = \"p\"\ntest = \"A.B\"\nreason = \"r\"\ntargets = []\nseen = \"s\"\nexpires = 2020-01-01";
        expired.expired.push(foundation::config::parse_toml("quarantine.toml".as_ref(), entry).unwrap());
        assert_eq!(result(&expired), TestResult::Failed);
    }

    #[test]
    fn other_statements_are_refused_and_unknown_fields_are_not() {
        let statement = serde_json::to_string(&Statement::new(vec![], vec![], &judgement(&[]))).unwrap();
        let read = |text: &str| serde_json::from_str::<Statement>(text);
        assert!(read(&statement.replacen('{', "{\"more\":1,", 1)).is_ok());
        let error = read(&statement.replace("Statement/v1", "Statement/v0.1")).unwrap_err().to_string();
        assert!(error.contains("https://in-toto.io/Statement/v1"), "{error}");
        let error = read(&statement.replace("test-result/v0.1", "vulns/v0.1")).unwrap_err().to_string();
        assert!(error.contains("https://in-toto.io/attestation/test-result/v0.1"), "{error}");
        assert!(read(&statement.replace("PASSED", "GREEN")).is_err());
    }
}
