//! A report of a build, from a record of the sample's, for those who judge its page.

use statements::check::verdict::{Execution, Judged, Judgement, TestOutcome, TestRecord, Verdict};

use crate::{json, repository};

/// What would be a tag, an attribute, a script and the end of the log, wherever it came through, with characters that
/// terminals obey and browsers do not show.
pub const EVIL: &str =
    "\"'></pre><script>document.title='taken'</script><img src=x onerror=alert(1)>\0\x1b[31m\u{202e}";

/// The record of a build, as `report.json` has it.
pub fn record() -> serde_json::Value {
    json(&repository().join("tests/fixtures/report/report.json"))
}

/// What tests said, one of each verdict, and each of them hostile.
pub fn judgement() -> Judgement {
    let test = |verdict: Verdict| {
        let outcome = match verdict {
            Verdict::Passed => TestOutcome::Passed,
            Verdict::Skipped => TestOutcome::Skipped { why: EVIL.into() },
            Verdict::TimedOut => TestOutcome::TimedOut,
            Verdict::Failed | Verdict::Flaky | Verdict::Quarantined => TestOutcome::Failed,
        };
        let execution = Execution { outcome, seconds: 1.25, alone: false, output: format!("{verdict} said {EVIL}\n") };
        let record = TestRecord {
            program: format!("program{EVIL}"),
            test: format!("Test.{verdict}{EVIL}"),
            executions: vec![execution],
        };
        Judged { record, verdict, note: Some(format!("because {EVIL}")) }
    };
    Judgement { tests: Verdict::ALL.map(test).to_vec(), ..Judgement::default() }
}
