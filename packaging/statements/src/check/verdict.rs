//! What follows from the executions of the tests: passed, flaky, quarantined, failed.

use std::collections::BTreeMap;
use std::fmt;

use recipe::quarantine::{Quarantine, QuarantinedTest};
use recipe::target::TargetName;
use serde::{Deserialize, Serialize};
use time::Date;

/// How many passes, and no failure, make an entry of the quarantine curable.
pub const CURABLE_AFTER: usize = 10;

/// How one execution of a test ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TestOutcome {
    /// The test passed.
    Passed,
    /// The test failed, and the program went on to say so.
    Failed,
    /// The program ended while it was running.
    Crashed {
        /// The signal or exit code, such as `SIGSEGV`.
        how: String,
    },
    /// The test did not end within its time limit.
    TimedOut,
    /// The program was killed while it was running, since the container had no memory left.
    KilledForMemory,
    /// It was not executed.
    Skipped {
        /// What the test or the tool says why it was not executed.
        why: String,
    },
}

impl TestOutcome {
    /// Whether the test was executed and did not pass.
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Passed | Self::Skipped { .. })
    }
}

impl fmt::Display for TestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed => f.write_str("failed"),
            Self::Crashed { how } => write!(f, "crashed: {how}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::KilledForMemory => f.write_str("killed for memory"),
            Self::Skipped { why } => write!(f, "skipped: {why}"),
        }
    }
}

/// One execution of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Execution {
    /// How the execution ended.
    pub outcome: TestOutcome,
    /// Wall time that it took, in seconds.
    pub seconds: f64,
    /// Whether no other test ran on the machine at that time.
    pub alone: bool,
    /// The lines that the test printed.
    pub output: String,
}

/// All executions of a test, the first one first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TestRecord {
    /// The name of the test program, such as `mesos-tests`.
    pub program: String,
    /// The name of the test, `Suite.Name`.
    pub test: String,
    /// The executions in the order in which they were done.
    pub executions: Vec<Execution>,
}

/// What is said of a test after all of its executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every execution of it passed.
    Passed,
    /// It failed among others, then passed alone.
    Flaky,
    /// It failed, and an entry of `quarantine.toml` excuses it.
    Quarantined,
    /// It was not executed at all.
    Skipped,
    /// It failed, and nothing excuses it.
    Failed,
    /// It failed, at last since it did not end in time.
    TimedOut,
}

impl Verdict {
    /// Every verdict, in the order in which summaries list them.
    pub const ALL: [Self; 6] =
        [Self::Passed, Self::Flaky, Self::Quarantined, Self::Skipped, Self::Failed, Self::TimedOut];

    /// Whether a test with this verdict makes the whole run fail.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Flaky => "flaky",
            Self::Quarantined => "quarantined",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
        })
    }
}

/// A test with its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judged {
    /// The test with all of its executions.
    pub record: TestRecord,
    /// What is said of the test.
    pub verdict: Verdict,
    /// Why: how it failed, what excuses it, why it was skipped.
    pub note: Option<String>,
}

/// What is said of a whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judgement {
    /// Every test with its verdict, in the order of the records.
    pub tests: Vec<Judged>,
    /// Entries of the quarantine whose tests passed often enough to be taken out.
    pub curable: Vec<QuarantinedTest>,
    /// Entries of the quarantine whose last day has passed: they excuse nothing any more.
    pub expired: Vec<QuarantinedTest>,
    /// Entries that name a test which no program has.
    pub unused: Vec<QuarantinedTest>,
}

impl Judgement {
    /// How many tests have which verdict; every verdict is in it.
    pub fn counts(&self) -> BTreeMap<Verdict, usize> {
        let mut counts: BTreeMap<_, _> = Verdict::ALL.into_iter().map(|verdict| (verdict, 0)).collect();
        for test in &self.tests {
            *counts.entry(test.verdict).or_default() += 1;
        }
        counts
    }

    /// The tests that failed and are not excused.
    pub fn failures(&self) -> impl Iterator<Item = &Judged> {
        self.tests.iter().filter(|test| test.verdict.is_failure())
    }

    /// The tests that failed and are not excused, with how they did: so many of them by name, the others by their number. None where
    /// there are none.
    pub fn named_failures(&self, most: usize) -> Option<String> {
        let name = |test: &Judged| {
            let how = test.note.as_deref().unwrap_or_default();
            format!("{}:{} ({how})", test.record.program, test.record.test)
        };
        let named: Vec<String> = self.failures().take(most).map(name).collect();
        let more = self.failures().count() - named.len();
        let text = named.join(", ");
        (!named.is_empty()).then(|| if more > 0 { format!("{text} and {more} more") } else { text })
    }

    /// Whether nothing failed, and no entry of the quarantine is out of date.
    pub fn sound(&self) -> bool {
        self.failures().next().is_none() && self.expired.is_empty()
    }
}

/// Judges the tests of a run on a target. The records have to have every test that the programs list, also those that
/// were not executed: an entry of the quarantine that names none of them is reported.
pub fn judge(records: Vec<TestRecord>, quarantine: &Quarantine, target: &TargetName, today: Date) -> Judgement {
    let mut judgement = Judgement::default();
    for entry in quarantine.entries.iter().filter(|entry| entry.targets.contains(target)) {
        let named: Vec<&TestRecord> =
            records.iter().filter(|record| entry.names(&record.program, &record.test)).collect();
        if entry.is_expired(today) {
            judgement.expired.push(entry.clone());
        } else if named.is_empty() {
            judgement.unused.push(entry.clone());
        } else if is_curable(&named) {
            judgement.curable.push(entry.clone());
        }
    }
    judgement.tests = records
        .into_iter()
        .map(|record| {
            let entry =
                quarantine.entry_for(&record.program, &record.test, target).filter(|entry| !entry.is_expired(today));
            let (verdict, note) = verdict(&record.executions, entry);
            Judged { record, verdict, note }
        })
        .collect();
    judgement
}

/// Whether every test that an entry names and that was executed passed each time, and often enough.
fn is_curable(named: &[&TestRecord]) -> bool {
    let mut passes = named
        .iter()
        .map(|record| record.executions.iter().filter(|execution| execution.outcome == TestOutcome::Passed).count())
        .filter(|passes| *passes > 0)
        .peekable();
    let failed = named.iter().flat_map(|record| &record.executions).any(|execution| execution.outcome.is_failure());
    !failed && passes.peek().is_some() && passes.all(|passes| passes >= CURABLE_AFTER)
}

fn verdict(executions: &[Execution], entry: Option<&QuarantinedTest>) -> (Verdict, Option<String>) {
    let ran = || executions.iter().filter(|execution| !matches!(execution.outcome, TestOutcome::Skipped { .. }));
    if ran().next().is_none() {
        let why = executions.iter().rev().find_map(|execution| match &execution.outcome {
            TestOutcome::Skipped { why } => Some(why.clone()),
            _ => None,
        });
        return (Verdict::Skipped, why);
    }
    let Some(at) = executions.iter().rposition(|execution| execution.outcome.is_failure()) else {
        return (Verdict::Passed, None);
    };
    if let Some(entry) = entry {
        return (Verdict::Quarantined, Some(entry.why()));
    }
    let last = &executions[at];
    let passed_alone = |execution: &Execution| execution.alone && execution.outcome == TestOutcome::Passed;
    if executions[at..].iter().any(passed_alone) {
        return (Verdict::Flaky, Some(format!("{}, then passed alone", last.outcome)));
    }
    let failures = executions.iter().filter(|execution| execution.outcome.is_failure()).count();
    let mut note = last.outcome.to_string();
    if last.outcome == TestOutcome::TimedOut {
        note += &format!(" after {:.0} s", last.seconds);
    }
    if failures > 1 {
        note += &format!(", {failures} of {} executions failed", ran().count());
    }
    if last.alone {
        note += ", alone as well";
    }
    (if last.outcome == TestOutcome::TimedOut { Verdict::TimedOut } else { Verdict::Failed }, Some(note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use foundation::config::parse_toml;

    const TODAY: &str = "2026-11-23";

    fn executions(text: &str) -> Vec<Execution> {
        text.split_whitespace()
            .map(|word| {
                let (word, alone) = word.strip_suffix("!").map_or((word, false), |word| (word, true));
                let outcome = match word {
                    "pass" => TestOutcome::Passed,
                    "fail" => TestOutcome::Failed,
                    "crash" => TestOutcome::Crashed { how: "SIGSEGV".into() },
                    "late" => TestOutcome::TimedOut,
                    "memory" => TestOutcome::KilledForMemory,
                    "skip" => TestOutcome::Skipped { why: "needs root".into() },
                    other => panic!("{other}"),
                };
                Execution { outcome, seconds: 300.2, alone, output: String::new() }
            })
            .collect()
    }

    fn record(test: &str, text: &str) -> TestRecord {
        TestRecord { program: "mesos-tests".into(), test: test.into(), executions: executions(text) }
    }

    fn entry(test: &str, target: &str, expires: &str) -> String {
        format!(
            "[[quarantine]]\nprogram = \"mesos-tests\"\ntest = \"{test}\"\nticket = \"MESOS-1\"\ntargets = [\"{target}\"]\n\
             seen = \"once\"\nexpires = \"{expires}\"\n"
        )
    }

    fn judged(records: Vec<TestRecord>, entries: &[String]) -> Judgement {
        let quarantine: Quarantine = parse_toml("quarantine.toml".as_ref(), &entries.concat()).unwrap();
        let today = Date::parse(TODAY, &time::format_description::well_known::Iso8601::DATE).unwrap();
        judge(records, &quarantine, &"debian-12/amd64".parse().unwrap(), today)
    }

    #[test]
    fn without_an_entry() {
        for (text, verdict, note) in [
            ("", Verdict::Skipped, None),
            ("skip", Verdict::Skipped, Some("needs root")),
            ("pass", Verdict::Passed, None),
            ("pass skip pass!", Verdict::Passed, None),
            ("fail pass!", Verdict::Flaky, Some("failed, then passed alone")),
            ("fail fail! crash! pass!", Verdict::Flaky, Some("crashed: SIGSEGV, then passed alone")),
            ("late pass!", Verdict::Flaky, Some("timed out, then passed alone")),
            ("fail", Verdict::Failed, Some("failed")),
            ("fail pass", Verdict::Failed, Some("failed")),
            ("pass! fail", Verdict::Failed, Some("failed")),
            ("fail pass! fail", Verdict::Failed, Some("failed, 2 of 3 executions failed")),
            ("fail fail!", Verdict::Failed, Some("failed, 2 of 2 executions failed, alone as well")),
            ("late crash", Verdict::Failed, Some("crashed: SIGSEGV, 2 of 2 executions failed")),
            ("memory", Verdict::Failed, Some("killed for memory")),
            ("fail late!", Verdict::TimedOut, Some("timed out after 300 s, 2 of 2 executions failed, alone as well")),
        ] {
            let judgement = judged(vec![record("A.B", text)], &[]);
            let [test] = &judgement.tests[..] else { panic!() };
            assert_eq!((test.verdict, test.note.as_deref()), (verdict, note), "{text}");
            assert_eq!(judgement.sound(), !verdict.is_failure(), "{text}");
            assert_eq!(judgement.failures().count(), usize::from(verdict.is_failure()), "{text}");
        }
    }

    #[test]
    fn with_an_entry_in_force() {
        let many = "pass ".repeat(CURABLE_AFTER);
        for (text, verdict, note, curable) in [
            ("", Verdict::Skipped, None, false),
            ("skip", Verdict::Skipped, Some("needs root"), false),
            ("pass", Verdict::Passed, None, false),
            (&many, Verdict::Passed, None, true),
            (&many[5..], Verdict::Passed, None, false),
            (&format!("{many} fail"), Verdict::Quarantined, Some("MESOS-1"), false),
            ("fail pass!", Verdict::Quarantined, Some("MESOS-1"), false),
            ("late!", Verdict::Quarantined, Some("MESOS-1"), false),
            ("memory", Verdict::Quarantined, Some("MESOS-1"), false),
        ] {
            let judgement = judged(vec![record("A.B", text)], &[entry("A.B", "debian-12/amd64", TODAY)]);
            assert_eq!((judgement.tests[0].verdict, judgement.tests[0].note.as_deref()), (verdict, note), "{text}");
            assert_eq!(judgement.curable.len(), usize::from(curable), "{text}");
            assert!(judgement.sound() && judgement.expired.is_empty() && judgement.unused.is_empty(), "{text}");
        }
    }

    #[test]
    fn an_expired_entry_excuses_nothing() {
        let entries = [entry("A.*", "debian-12/amd64", "2026-11-22")];
        let judgement = judged(vec![record("A.B", "fail"), record("A.C", &"pass ".repeat(20))], &entries);
        assert_eq!(judgement.tests[0].verdict, Verdict::Failed);
        assert_eq!((judgement.expired.len(), judgement.curable.len(), judgement.unused.len()), (1, 0, 0));
        let judgement = judged(vec![record("A.B", "pass")], &entries);
        assert_eq!(judgement.failures().count(), 0);
        assert!(!judgement.sound(), "somebody has to look at the entry");
    }

    #[test]
    fn entries_of_other_targets_say_nothing() {
        let entries = [entry("A.B", "debian-13/amd64", TODAY), entry("Old.*", "debian-13/amd64", "2020-01-01")];
        let judgement = judged(vec![record("A.B", "fail")], &entries);
        assert_eq!(judgement.tests[0].verdict, Verdict::Failed);
        assert!(judgement.expired.is_empty() && judgement.unused.is_empty());
    }

    #[test]
    fn an_entry_for_several_is_curable_when_all_of_them_are() {
        let many = "pass ".repeat(CURABLE_AFTER);
        let entries = [entry("A.*", "debian-12/amd64", TODAY)];
        for (b, c, curable) in [(&many[..], &many[..], 1), (&many, "skip", 1), (&many, "pass", 0), (&many, "fail", 0)] {
            let judgement = judged(vec![record("A.B", b), record("A.C", c)], &entries);
            assert_eq!(judgement.curable.len(), curable, "{c}");
        }
    }

    #[test]
    fn an_entry_that_names_no_test_is_unused() {
        let entries = [entry("A.B", "debian-12/amd64", TODAY), entry("A.Renamed", "debian-12/amd64", TODAY)];
        let judgement = judged(vec![record("A.B", "skip")], &entries);
        let unused: Vec<&str> = judgement.unused.iter().map(|entry| entry.test.as_str()).collect();
        assert_eq!(unused, ["A.Renamed"]);
        assert!(judgement.sound(), "it does no harm");
    }

    #[test]
    fn failures_are_named_as_far_as_somebody_reads() {
        let records =
            ["A.B", "A.C", "A.D", "A.E"].map(|test| record(test, if test == "A.C" { "pass" } else { "fail" }));
        let judgement = judged(records.into(), &[]);
        let all = "mesos-tests:A.B (failed), mesos-tests:A.D (failed), mesos-tests:A.E (failed)";
        assert_eq!(judgement.named_failures(3).as_deref(), Some(all));
        assert_eq!(judgement.named_failures(1).unwrap(), "mesos-tests:A.B (failed) and 2 more");
        assert_eq!(judged(vec![record("A.C", "pass")], &[]).named_failures(3), None);
    }

    #[test]
    fn counts_have_every_verdict() {
        let judgement = judged(vec![record("A.B", "pass"), record("A.C", "pass"), record("A.D", "late")], &[]);
        let counts: Vec<(String, usize)> =
            judgement.counts().into_iter().map(|(verdict, count)| (verdict.to_string(), count)).collect();
        let expected =
            [("passed", 2), ("flaky", 0), ("quarantined", 0), ("skipped", 0), ("failed", 0), ("timed out", 1)];
        assert_eq!(counts, expected.map(|(verdict, count)| (verdict.to_owned(), count)));
    }

    #[test]
    fn a_record_as_json() {
        let record = record("A.B", "crash late! pass");
        let json = serde_json::to_string(&record).unwrap();
        assert!(
            json.contains(r#"{"outcome":{"kind":"crashed","how":"SIGSEGV"},"seconds":300.2,"alone":false"#),
            "{json}"
        );
        assert!(json.contains(r#"{"kind":"timed-out"}"#), "{json}");
        assert_eq!(serde_json::from_str::<TestRecord>(&json).unwrap(), record);
    }
}
