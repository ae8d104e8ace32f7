//! What a whole run of the tests found, before any quarantine: what machines share of it, and every verdict follows from.

use std::collections::BTreeSet;

use recipe::quarantine::Quarantine;
use recipe::target::TargetName;
use serde::{Deserialize, Serialize};
use time::Date;

use super::summary::ShardFigures;
use super::verdict::{Judgement, TestRecord, judge};

/// The form of the file. What a later version of this tool writes in another one is not for this version.
const FORM: u32 = 1;

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Findings {
    form: u32,
    tests: Vec<TestRecord>,
    /// What each shard took.
    pub shards: Vec<ShardFigures>,
    /// What the test programs said about the machine: why they leave tests out.
    pub notices: Vec<String>,
    /// Wall time of running the tests, in seconds.
    pub seconds: f64,
}

impl Findings {
    /// Puts together what a run found. `tests` has every test that the programs list, also those that were not executed.
    pub fn new(tests: Vec<TestRecord>, shards: Vec<ShardFigures>, notices: Vec<String>, seconds: f64) -> Self {
        Self { form: FORM, tests, shards, notices, seconds }
    }

    /// Reads them from JSON; they have to be about exactly these test programs.
    ///
    /// # Errors
    /// What is wrong with it, as a part of a sentence.
    pub fn read(text: &[u8], programs: &[&str]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Form {
            form: u32,
        }
        let not_understood = |error| format!("it cannot be understood: {error}");
        let Form { form } = serde_json::from_slice(text).map_err(not_understood)?;
        if form != FORM {
            return Err(format!("it has the form {form}, and this version of the tool reads the form {FORM}"));
        }
        let findings: Self = serde_json::from_slice(text).map_err(not_understood)?;
        let wanted: BTreeSet<&str> = programs.iter().copied().collect();
        let tested: BTreeSet<&str> = findings.tests.iter().map(|test| test.program.as_str()).collect();
        if let Some(missing) = wanted.difference(&tested).next() {
            return Err(format!("it has no test of {missing}, which the recipe names"));
        }
        if let Some(other) = tested.difference(&wanted).next() {
            return Err(format!("it has tests of '{other}', which the recipe does not name"));
        }
        match findings.tests.iter().find(|test| test.executions.is_empty()) {
            Some(test) => Err(format!("it does not say what became of {}:{}", test.program, test.test)),
            None => Ok(findings),
        }
    }

    /// What follows from them for a target under a quarantine.
    pub fn judge(&self, quarantine: &Quarantine, target: &TargetName, today: Date) -> Judgement {
        judge(self.tests.clone(), quarantine, target, today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::verdict::{Execution, TestOutcome};

    fn findings() -> Findings {
        let execution = Execution { outcome: TestOutcome::Passed, seconds: 0.5, alone: false, output: "ü\n".into() };
        let executions = vec![execution];
        let test = |program: &str| TestRecord {
            program: program.into(),
            test: "A.b/0".into(),
            executions: executions.clone(),
        };
        Findings::new(vec![test("one"), test("two")], Vec::new(), vec!["no perf".into()], 2.5)
    }

    #[test]
    fn what_is_read_is_what_was_found_or_nothing() {
        let good = serde_json::to_vec(&findings()).unwrap();
        let wrong = |text: &[u8], programs: &[&str], why: &str| {
            let said = Findings::read(text, programs).unwrap_err();
            assert!(said.contains(why), "{said}");
        };
        assert_eq!(Findings::read(&good, &["two", "one"]).unwrap(), findings());
        for length in [0, 1, good.len() / 2, good.len() - 1] {
            wrong(&good[..length], &["one", "two"], "cannot be understood");
        }
        let later = br#"{"form":2,"tests":"others"}"#;
        wrong(later, &["one", "two"], "has the form 2, and this version of the tool reads the form 1");
        wrong(&good, &["one", "two", "three"], "no test of three");
        // Names of programs become names of folders.
        wrong(&good, &["one"], "tests of 'two', which the recipe does not name");
        let mut open = findings();
        open.tests[1].executions.clear();
        wrong(&serde_json::to_vec(&open).unwrap(), &["one", "two"], "what became of two:A.b/0");
    }
}
