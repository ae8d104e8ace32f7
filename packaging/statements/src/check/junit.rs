//! A run as JUnit XML, which continuous integration systems show: the schema of Jenkins' xUnit plugin and of Maven
//! Surefire, whose `flakyFailure` and `rerunFailure` tell of repeated executions.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::verdict::{Execution, Judged, Judgement, TestOutcome, Verdict};

/// The document: one test suite for each program. A quarantined test is a skipped one there, since the format knows no
/// excuse; its output is in it nevertheless.
pub fn xml(judgement: &Judgement) -> String {
    let mut suites: BTreeMap<&str, (TestSuite, f64)> = BTreeMap::new();
    for test in &judgement.tests {
        let program = test.record.program.as_str();
        let (suite, seconds) = suites.entry(program).or_insert_with(|| (TestSuite::new(printable(program)), 0.0));
        suite.add_test_case(test_case(test));
        *seconds += test.record.executions.iter().map(|execution| execution.seconds).sum::<f64>();
    }
    let mut report = Report::new("check");
    report.set_time(duration(suites.values().map(|(_, seconds)| seconds).sum()));
    for (mut suite, seconds) in suites.into_values() {
        suite.set_time(duration(seconds));
        report.add_test_suite(suite);
    }
    report.to_string().expect("a report of text is written to memory")
}

fn test_case(test: &Judged) -> TestCase {
    let executions = &test.record.executions;
    let failures = || executions.iter().filter(|execution| execution.outcome.is_failure());
    // The execution whose time and output stand for the test.
    let shown = match test.verdict {
        Verdict::Passed | Verdict::Flaky | Verdict::Skipped => executions.last(),
        Verdict::Quarantined => failures().next_back(),
        Verdict::Failed | Verdict::TimedOut => failures().next(),
    };
    let note = test.note.as_deref().unwrap_or_default();
    let mut status = match test.verdict {
        Verdict::Passed | Verdict::Flaky => TestCaseStatus::success(),
        Verdict::Quarantined | Verdict::Skipped => TestCaseStatus::skipped(),
        Verdict::Failed | Verdict::TimedOut => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    match (test.verdict, shown) {
        (Verdict::Flaky, _) => {
            status.add_reruns(failures().map(rerun));
        }
        (Verdict::Quarantined, Some(execution)) => {
            status.set_message(printable(&format!("quarantined, {note}: {}", execution.outcome)));
        }
        (Verdict::Skipped, _) if !note.is_empty() => {
            status.set_message(printable(note));
        }
        (Verdict::Failed | Verdict::TimedOut, Some(execution)) => {
            status.set_message(printable(note)).set_type(kind(&execution.outcome));
            if !execution.output.is_empty() {
                status.set_description(printable(&execution.output));
            }
            status.add_reruns(failures().skip(1).map(rerun));
        }
        _ => {}
    }
    let (suite, name) = test.record.test.split_once('.').unwrap_or(("", &test.record.test));
    let mut case = TestCase::new(printable(name), status);
    case.set_classname(printable(&format!("{}.{suite}", test.record.program)));
    if let Some(execution) = shown {
        case.set_time(duration(execution.seconds));
        if test.verdict == Verdict::Quarantined {
            case.set_system_out(printable(&execution.output));
        }
    }
    case
}

fn rerun(execution: &Execution) -> TestRerun {
    let mut rerun = TestRerun::new(NonSuccessKind::Failure);
    rerun.set_time(duration(execution.seconds)).set_type(kind(&execution.outcome));
    let alone = if execution.alone { ", alone" } else { "" };
    rerun.set_message(printable(&format!("{}{alone}", execution.outcome)));
    if !execution.output.is_empty() {
        rerun.set_description(printable(&execution.output));
    }
    rerun
}

/// The outcome in one word, the same as in JSON.
fn kind(outcome: &TestOutcome) -> &'static str {
    match outcome {
        TestOutcome::Passed => "passed",
        TestOutcome::Failed => "failed",
        TestOutcome::Crashed { .. } => "crashed",
        TestOutcome::TimedOut => "timed-out",
        TestOutcome::KilledForMemory => "killed-for-memory",
        TestOutcome::Skipped { .. } => "skipped",
    }
}

/// A time that came from a program or a file: none is negative or infinite.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Text as XML 1.0 (2.2, "Characters") can have it, with every other character visible: quick-junit removes control
/// characters, and with an escape sequence that does not end all that follows. It removes tabs as well.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => printable.push('\n'),
            '\t' => printable.push_str("    "),
            '\r' => {}
            // Unicode's pictures of the control characters.
            '\0'..='\x1f' => printable.extend(char::from_u32(0x2400 + u32::from(char))),
            '\x7f' => printable.push('\u{2421}'),
            '\u{80}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => printable.push(char::REPLACEMENT_CHARACTER),
            _ => printable.push(char),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::verdict::TestRecord;

    fn execution(outcome: TestOutcome, seconds: f64, alone: bool, output: &str) -> Execution {
        Execution { outcome, seconds, alone, output: output.into() }
    }

    fn judged(program: &str, test: &str, verdict: Verdict, note: &str, executions: Vec<Execution>) -> Judged {
        let record = TestRecord { program: program.into(), test: test.into(), executions };
        Judged { record, verdict, note: (!note.is_empty()).then(|| note.into()) }
    }

    fn crash() -> TestOutcome {
        TestOutcome::Crashed { how: "SIGSEGV".into() }
    }

    /// Writes a report, makes sure that it is XML, and reads it back.
    fn round_trip(tests: Vec<Judged>) -> (String, Report) {
        let xml = xml(&Judgement { tests, ..Judgement::default() });
        for char in xml.chars() {
            let valid = matches!(char, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
            assert!(valid, "{char:?} is no character of XML");
        }
        let report = Report::deserialize_from_str(&xml).unwrap_or_else(|error| panic!("{error}\n{xml}"));
        (xml, report)
    }

    #[test]
    fn programs_are_suites_and_verdicts_are_counted() {
        let (_, report) = round_trip(vec![
            judged(
                "mesos-tests",
                "A.B",
                Verdict::Passed,
                "",
                vec![execution(TestOutcome::Passed, 1.5, false, "noise")],
            ),
            judged("mesos-tests", "P/A.C/0", Verdict::Skipped, "needs root", vec![]),
            judged(
                "stout-tests",
                "D.E",
                Verdict::Failed,
                "failed",
                vec![execution(TestOutcome::Failed, 0.25, false, "x")],
            ),
        ]);
        assert_eq!((report.tests, report.failures, report.errors, report.skipped), (3, 1, 0, 1));
        let names: Vec<&str> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
        assert_eq!(names, ["mesos-tests", "stout-tests"]);
        let [passed, skipped] = &report.test_suites[0].test_cases[..] else { panic!() };
        assert_eq!((passed.name.as_str(), passed.classname.as_deref()), ("B", Some("mesos-tests.A")));
        assert_eq!(passed.time, Some(Duration::from_millis(1500)));
        assert_eq!(passed.status, TestCaseStatus::success());
        assert_eq!((skipped.name.as_str(), skipped.classname.as_deref()), ("C/0", Some("mesos-tests.P/A")));
        assert_eq!(skipped.status, TestCaseStatus::skipped().set_message("needs root").clone());
    }

    #[test]
    fn failures_have_message_output_and_reruns() {
        let executions = vec![
            execution(crash(), 2.0, false, "first"),
            execution(TestOutcome::Passed, 1.0, false, "not shown"),
            execution(TestOutcome::TimedOut, 300.0, true, "second"),
        ];
        let (xml, report) =
            round_trip(vec![judged("p", "A.B", Verdict::TimedOut, "timed out after 300 s", executions)]);
        let case = &report.test_suites[0].test_cases[0];
        assert_eq!(case.time, Some(Duration::from_secs(2)));
        let TestCaseStatus::NonSuccess { kind, message, ty, description, reruns } = &case.status else { panic!() };
        assert_eq!(*kind, NonSuccessKind::Failure);
        assert_eq!(message.as_deref(), Some("timed out after 300 s"));
        assert_eq!((ty.as_deref(), description.as_deref()), (Some("crashed"), Some("first")));
        let [rerun] = &reruns.runs[..] else { panic!("{reruns:?}") };
        assert_eq!((rerun.message.as_deref(), rerun.ty.as_deref()), (Some("timed out, alone"), Some("timed-out")));
        assert_eq!(rerun.description.as_deref(), Some("second"));
        assert!(xml.contains("<rerunFailure ") && !xml.contains("not shown"), "{xml}");
        assert_eq!(report.time, Some(Duration::from_secs(303)));
    }

    #[test]
    fn a_flaky_test_is_a_success_with_its_failures() {
        let executions = vec![
            execution(TestOutcome::KilledForMemory, 2.0, false, "out"),
            execution(TestOutcome::Failed, 2.0, true, ""),
            execution(TestOutcome::Passed, 1.0, true, ""),
        ];
        let (xml, report) =
            round_trip(vec![judged("p", "A.B", Verdict::Flaky, "failed, then passed alone", executions)]);
        let TestCaseStatus::Success { flaky_runs } = &report.test_suites[0].test_cases[0].status else { panic!() };
        let messages: Vec<Option<&str>> = flaky_runs.iter().map(|run| run.message.as_deref()).collect();
        assert_eq!(messages, [Some("killed for memory"), Some("failed, alone")]);
        assert!(xml.contains("<flakyFailure "), "{xml}");
        assert_eq!((report.failures, report.skipped), (0, 0));
    }

    #[test]
    fn a_quarantined_test_is_skipped_with_its_ticket_and_output() {
        let executions =
            vec![execution(TestOutcome::Failed, 2.0, false, "why"), execution(TestOutcome::Passed, 1.0, true, "")];
        let (_, report) = round_trip(vec![judged("p", "A.B", Verdict::Quarantined, "MESOS-8343", executions)]);
        let case = &report.test_suites[0].test_cases[0];
        let message = "quarantined, MESOS-8343: failed";
        assert_eq!(case.status, TestCaseStatus::skipped().set_message(message).clone());
        assert_eq!(case.system_out.as_deref(), Some("why"));
    }

    #[test]
    fn whatever_a_test_prints_is_xml_and_nothing_is_lost() {
        let output =
            "a\0b\x08\x0b\x1b[31mred\x1b[0m ]]> <&\"' \x7f\u{85}\u{fffe}\u{ffff}\u{1f600}\tü\r\n\x1b]never ends\nlast";
        let name = "A.\x1b<B>&\"";
        let executions =
            vec![execution(TestOutcome::Failed, f64::NAN, false, output), execution(crash(), -1.0, true, output)];
        let (_, report) = round_trip(vec![judged("p\x01", name, Verdict::Failed, "\x02 <failed>", executions)]);
        let case = &report.test_suites[0].test_cases[0];
        assert_eq!(case.name.as_str(), "␛<B>&\"");
        assert_eq!(case.time, Some(Duration::ZERO));
        let TestCaseStatus::NonSuccess { message, description, reruns, .. } = &case.status else { panic!() };
        assert_eq!(message.as_deref(), Some("␂ <failed>"));
        let expected = "a␀b␈␋␛[31mred␛[0m ]]> <&\"' ␡\u{fffd}\u{fffd}\u{fffd}\u{1f600}    ü\n␛]never ends\nlast";
        assert_eq!(description.as_deref(), Some(expected));
        assert_eq!(reruns.runs[0].description.as_deref(), Some(expected));
        let all: String = (0..=0x2_ffff).filter_map(char::from_u32).collect();
        let executions = vec![execution(TestOutcome::Failed, 0.0, false, &all)];
        round_trip(vec![judged("p", "A.B", Verdict::Failed, &all, executions)]);
    }

    #[test]
    fn nothing_was_run() {
        let (_, report) = round_trip(vec![]);
        assert_eq!((report.tests, report.test_suites.len()), (0, 0));
    }
}
