//! What was verified, in short, for programs.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;
use sign::gpgv::Signatory;

use super::Verified;
use crate::check::statement::TestResult;

/// What was found to be right in a folder of packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// How many files have the digest that the signed list names.
    pub files: usize,
    /// The paths of the packages among them.
    pub packages: Vec<PathBuf>,
    /// The files with a good signature.
    pub signed: Vec<PathBuf>,
    /// From how many inputs the packages were built, as the provenance says; null where the folder has none.
    pub inputs: Option<usize>,
    /// How many packages have a bill of materials.
    pub bills: usize,
    /// What upstream's tests said of these packages; null where the folder has no statement.
    pub tests: Option<TestCounts>,
    /// The keys that made the signatures, each once.
    pub keys: Vec<Signatory>,
}

/// What upstream's tests said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TestCounts {
    /// The verdict on the whole.
    pub result: TestResult,
    /// How many tests passed.
    pub passed: usize,
    /// How many passed in the end, or are excused.
    pub warned: usize,
    /// How many failed.
    pub failed: usize,
}

impl Verified {
    /// The same in short.
    pub fn summary(&self) -> Summary {
        let tests = self.tests.as_ref().map(|tests| TestCounts {
            result: tests.result,
            passed: tests.passed_tests.len(),
            warned: tests.warned_tests.len(),
            failed: tests.failed_tests.len(),
        });
        let inputs = self.provenance.as_ref().map(|said| said.build_definition.resolved_dependencies.len());
        Summary {
            files: self.files,
            packages: self.packages.clone(),
            signed: self.signed.clone(),
            inputs,
            bills: self.bills,
            tests,
            keys: self.keys.clone(),
        }
    }
}
