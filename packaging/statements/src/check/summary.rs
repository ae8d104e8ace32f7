//! A run as text for people: figures, what failed and why, and what to do about the quarantine.

use std::collections::BTreeMap;

use foundation::bytes::ByteSize;
use recipe::quarantine::{FILE, QuarantinedTest};
use serde::{Deserialize, Serialize};

use super::verdict::{CURABLE_AFTER, Judged, Judgement, TestOutcome, Verdict};

/// How many of the slowest tests are named.
const SLOWEST: usize = 10;

/// What a shard, one container that runs a part of the tests, took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShardFigures {
    /// The name of the shard.
    pub name: String,
    /// How many tests the shard executed.
    pub tests: usize,
    /// Wall time that the shard ran, in seconds.
    pub seconds: f64,
    /// The most memory that it had at a time, in bytes.
    pub peak_memory: u64,
    /// How often a program was started again, since it had crashed or hung.
    pub restarts: u32,
}

/// Writes a summary of a run for people: counts, failures, slow tests and what each shard took.
pub fn text(judgement: &Judgement, shards: &[ShardFigures], wall_seconds: f64) -> String {
    let mut text = counts(judgement);
    let heading = |verdict: Verdict| match verdict {
        Verdict::Failed => "failed",
        Verdict::TimedOut => "timed out",
        Verdict::Flaky => "flaky: failed among others, passed alone",
        _ => "quarantined: failed, and excused",
    };
    for verdict in [Verdict::Failed, Verdict::TimedOut, Verdict::Flaky, Verdict::Quarantined] {
        let tests = judgement.tests.iter().filter(|test| test.verdict == verdict);
        let rows = tests.map(|test| vec![name(test), test.note.clone().unwrap_or_default()]).collect();
        text += &section(heading(verdict), rows, false);
    }
    let entries = |entries: &[QuarantinedTest]| -> Vec<Vec<String>> {
        entries
            .iter()
            .map(|entry| {
                vec![format!("{}:{}", entry.program, entry.test), format!("until {}", entry.expires), entry.why()]
            })
            .collect()
    };
    text += &section(
        &format!("expired: nothing is excused; correct the tests, or look again and renew the entries in {FILE}"),
        entries(&judgement.expired),
        false,
    );
    text += &section(
        &format!("curable: passed every time, {CURABLE_AFTER} times or more; take the entries out of {FILE}"),
        entries(&judgement.curable),
        false,
    );
    text += &section(
        &format!("unused: no program has such a test; correct the entries in {FILE} or take them out"),
        entries(&judgement.unused),
        false,
    );
    text += &section("slowest", slowest(judgement), true);
    let mut rows: Vec<Vec<String>> = shards
        .iter()
        .map(|shard| {
            vec![
                shard.name.clone(),
                shard.tests.to_string(),
                seconds(shard.seconds),
                ByteSize(shard.peak_memory).to_string(),
                shard.restarts.to_string(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        rows.insert(0, ["", "tests", "time", "peak memory", "restarts"].map(str::to_owned).into());
    }
    text += &section("shards", rows, true);
    text + &format!("\n{}, {} wall time\n", conclusion(judgement), seconds(wall_seconds))
}

/// How many tests of which program have which verdict.
fn counts(judgement: &Judgement) -> String {
    let mut programs: BTreeMap<&str, BTreeMap<Verdict, usize>> = BTreeMap::new();
    for test in &judgement.tests {
        *programs.entry(&test.record.program).or_default().entry(test.verdict).or_default() += 1;
    }
    let row = |name: &str, counts: &BTreeMap<Verdict, usize>| -> Vec<String> {
        let counts: Vec<usize> =
            Verdict::ALL.iter().map(|verdict| counts.get(verdict).copied().unwrap_or_default()).collect();
        let total = counts.iter().sum::<usize>();
        [name.to_owned()].into_iter().chain(counts.iter().chain([&total]).map(usize::to_string)).collect()
    };
    let heads = Verdict::ALL.iter().map(ToString::to_string);
    let mut rows = vec![["program".to_owned()].into_iter().chain(heads).chain(["total".to_owned()]).collect()];
    rows.extend(programs.iter().map(|(name, counts)| row(name, counts)));
    rows.push(row("total", &judgement.counts()));
    table(&rows, true)
}

/// The tests whose longest execution took longest.
fn slowest(judgement: &Judgement) -> Vec<Vec<String>> {
    let longest = |test: &Judged| {
        let ran =
            test.record.executions.iter().filter(|execution| !matches!(execution.outcome, TestOutcome::Skipped { .. }));
        ran.map(|execution| execution.seconds).reduce(f64::max)
    };
    let mut tests: Vec<(f64, String)> =
        judgement.tests.iter().filter_map(|test| Some((longest(test)?, name(test)))).collect();
    tests.sort_by(|(a, a_name), (b, b_name)| b.total_cmp(a).then_with(|| a_name.cmp(b_name)));
    tests.truncate(SLOWEST);
    tests.into_iter().map(|(longest, name)| vec![name, seconds(longest)]).collect()
}

fn conclusion(judgement: &Judgement) -> String {
    if judgement.sound() {
        return "sound".into();
    }
    let (failures, expired) = (judgement.failures().count(), judgement.expired.len());
    let mut parts = Vec::new();
    match failures {
        0 => {}
        1 => parts.push("1 test failed".to_owned()),
        _ => parts.push(format!("{failures} tests failed")),
    }
    match expired {
        0 => {}
        1 => parts.push("1 entry of the quarantine has expired".to_owned()),
        _ => parts.push(format!("{expired} entries of the quarantine have expired")),
    }
    format!("NOT sound: {}", parts.join(", "))
}

fn name(test: &Judged) -> String {
    format!("{}:{}", test.record.program, test.record.test)
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

/// A heading and a table below it; nothing where there are no rows.
fn section(heading: &str, rows: Vec<Vec<String>>, right: bool) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let indented: String = table(&rows, right).lines().map(|line| format!("  {line}\n")).collect();
    format!("\n{heading}\n{indented}")
}

/// Aligned columns, all but the first one at the right where that is asked for.
fn table(rows: &[Vec<String>], right: bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(n, (cell, width))| {
            if n > 0 && right { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::verdict::{Execution, TestRecord, judge};
    use foundation::config::parse_toml;
    use recipe::quarantine::Quarantine;

    fn record(program: &str, test: &str, executions: &[(TestOutcome, f64, bool)]) -> TestRecord {
        let executions = executions
            .iter()
            .map(|(outcome, seconds, alone)| Execution {
                outcome: outcome.clone(),
                seconds: *seconds,
                alone: *alone,
                output: "not shown".into(),
            })
            .collect();
        TestRecord { program: program.into(), test: test.into(), executions }
    }

    fn entry(test: &str, expires: &str) -> String {
        format!(
            "[[quarantine]]\nprogram = \"stout-tests\"\ntest = \"{test}\"\nticket = \"MESOS-7\"\n\
             targets = [\"debian-12/amd64\"]\nseen = \"once\"\nexpires = {expires}\n"
        )
    }

    fn judged(records: Vec<TestRecord>, entries: &[String]) -> Judgement {
        let quarantine: Quarantine = parse_toml("quarantine.toml".as_ref(), &entries.concat()).unwrap();
        let today = time::Date::from_calendar_date(2026, time::Month::November, 23).unwrap();
        judge(records, &quarantine, &"debian-12/amd64".parse().unwrap(), today)
    }

    #[test]
    fn everything_that_a_run_can_have() {
        let passed = (TestOutcome::Passed, 0.5, false);
        let records = vec![
            record("mesos-tests", "A.Good", std::slice::from_ref(&passed)),
            record(
                "mesos-tests",
                "A.Bad",
                &[(TestOutcome::Failed, 12.34, false), (TestOutcome::KilledForMemory, 2.0, true)],
            ),
            record("mesos-tests", "Some.Late", &[(TestOutcome::TimedOut, 300.0, false)]),
            record("mesos-tests", "A.Shaky", &[(TestOutcome::Failed, 1.0, false), (TestOutcome::Passed, 1.0, true)]),
            record("mesos-tests", "A.Root", &[(TestOutcome::Skipped { why: "needs root".into() }, 0.0, false)]),
            record("stout-tests", "B.Known", &[(TestOutcome::Failed, 1.0, false)]),
            record("stout-tests", "B.Healed", &vec![passed; 10]),
            record("stout-tests", "B.Never", &[]),
        ];
        let entries = [
            entry("B.Known", "2027-05-31"),
            entry("B.Healed", "2027-05-31"),
            entry("B.Never", "2026-11-22"),
            entry("B.Gone", "2027-05-31"),
        ];
        let shard = |name: &str, peak_memory| ShardFigures {
            name: name.into(),
            tests: 4,
            seconds: 61.25,
            peak_memory,
            restarts: 1,
        };
        let text =
            text(&judged(records, &entries), &[shard("mesos-tests-1", 3 << 29), shard("stout-tests", 300)], 90.0);
        let expected = "\
program      passed  flaky  quarantined  skipped  failed  timed out  total
mesos-tests       1      1            0        1       1          1      5
stout-tests       1      0            1        1       0          0      3
total             2      1            1        2       1          1      8

failed
  mesos-tests:A.Bad  killed for memory, 2 of 2 executions failed, alone as well

timed out
  mesos-tests:Some.Late  timed out after 300 s

flaky: failed among others, passed alone
  mesos-tests:A.Shaky  failed, then passed alone

quarantined: failed, and excused
  stout-tests:B.Known  MESOS-7

expired: nothing is excused; correct the tests, or look again and renew the entries in quarantine.toml
  stout-tests:B.Never  until 2026-11-22  MESOS-7

curable: passed every time, 10 times or more; take the entries out of quarantine.toml
  stout-tests:B.Healed  until 2027-05-31  MESOS-7

unused: no program has such a test; correct the entries in quarantine.toml or take them out
  stout-tests:B.Gone  until 2027-05-31  MESOS-7

slowest
  mesos-tests:Some.Late  300.0 s
  mesos-tests:A.Bad       12.3 s
  mesos-tests:A.Shaky      1.0 s
  stout-tests:B.Known      1.0 s
  mesos-tests:A.Good       0.5 s
  stout-tests:B.Healed     0.5 s

shards
                 tests    time  peak memory  restarts
  mesos-tests-1      4  61.2 s      1.5 GiB         1
  stout-tests        4  61.2 s        300 B         1

NOT sound: 2 tests failed, 1 entry of the quarantine has expired, 90.0 s wall time
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_sound_run_is_short() {
        let tests: Vec<TestRecord> = (0..12)
            .map(|n| record("p", &format!("A.T{n:02}"), &[(TestOutcome::Passed, f64::from(n), false)]))
            .collect();
        let text = text(&judged(tests, &[]), &[], 3.0);
        assert!(text.ends_with("\nsound, 3.0 s wall time\n"), "{text}");
        let slowest: Vec<&str> = text.lines().filter(|line| line.starts_with("  p:")).collect();
        assert_eq!((slowest.len(), slowest[0], slowest[9]), (10, "  p:A.T11  11.0 s", "  p:A.T02   2.0 s"));
        for heading in ["failed\n ", "flaky:", "quarantined:", "expired", "curable", "unused", "shards"] {
            assert!(!text.contains(heading), "{heading} in {text}");
        }
    }
}
