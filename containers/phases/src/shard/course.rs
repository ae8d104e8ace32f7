//! How far a shard is: what has run, what runs, what is left. Knows lines and ends, and no container.

use std::collections::VecDeque;
use std::time::Instant;

use statements::check::gtest::{Reader, Seen};
use statements::check::verdict::{Execution, TestOutcome};

use super::ShardEvent;

/// More of a test's output than this is not kept with it; the shard's log has all of it.
const LONGEST_OUTPUT: usize = 64 << 10;

/// How a container ended.
pub(super) enum End {
    /// It ended by itself, with the program's exit status.
    Exit(i64),
    /// The program was killed for memory.
    Memory,
    /// A test took too long, and the container was killed.
    Late,
}

pub(super) struct Course {
    /// The tests that are still to run, in the program's order.
    left: VecDeque<String>,
    done: Vec<(String, Execution)>,
    alone: bool,
    reader: Reader,
    /// The suite that the program is in.
    suite: Option<String>,
    /// When the running test, or the present container, started.
    since: Instant,
    /// Output of the running test, or of what is between tests.
    output: Output,
    /// Tests done when the present container started.
    before: usize,
    failed: bool,
    finished: bool,
}

impl Course {
    pub(super) fn new(tests: Vec<String>, alone: bool) -> Self {
        Self {
            left: tests.into(),
            done: Vec::new(),
            alone,
            reader: Reader::default(),
            suite: None,
            since: Instant::now(),
            output: Output::default(),
            before: 0,
            failed: false,
            finished: false,
        }
    }

    /// What the next container is to run, in googletest's filter syntax.
    pub(super) fn filter(&self, whole: bool) -> String {
        let names = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<Vec<_>>().join(":");
        match (whole, self.done.is_empty()) {
            (true, true) => "*".to_owned(),
            (true, false) => format!("-{}", names(&mut self.done.iter().map(|(test, _)| test))),
            (false, _) => names(&mut self.left.iter()),
        }
    }

    pub(super) fn done(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn left(&self) -> usize {
        self.left.len()
    }

    pub(super) fn since(&self) -> Instant {
        self.since
    }

    pub(super) fn executions(self) -> Vec<(String, Execution)> {
        self.done
    }

    /// Takes note that a new container has started.
    pub(super) fn start(&mut self) {
        self.reader = Reader::default();
        self.suite = None;
        self.since = Instant::now();
        self.output = Output::default();
        self.before = self.done.len();
        self.failed = false;
        self.finished = false;
    }

    /// Takes up a line of the program's output.
    pub(super) fn line(&mut self, line: &str, event: &mut (dyn FnMut(ShardEvent) + Send)) {
        if let Some(suite) = suite_start(line) {
            self.suite = Some(suite.to_owned());
        }
        let seen = self.reader.line(line);
        if matches!(seen, Some(Seen::Started(_))) {
            self.since = Instant::now();
            self.output = Output::default();
        }
        self.output.add(line);
        match seen {
            Some(Seen::Ended { test, passed, milliseconds }) => {
                self.failed |= !passed;
                let outcome = if passed { TestOutcome::Passed } else { TestOutcome::Failed };
                self.end(&test, outcome, milliseconds as f64 / 1000.0, event);
            }
            Some(Seen::Skipped(test)) => {
                let why = "it skipped itself; the shard's log has its reason".to_owned();
                self.end(&test, TestOutcome::Skipped { why }, 0.0, event);
            }
            Some(Seen::Finished) => self.finished = true,
            Some(Seen::Started(_)) | None => {}
        }
    }

    /// Takes note that the container has ended. Whatever is left goes to the next one, which has less to do than this
    /// one.
    pub(super) fn ended(&mut self, end: &End, event: &mut (dyn FnMut(ShardEvent) + Send)) {
        if let Some(test) = self.reader.running().map(str::to_owned) {
            self.end(&test, outcome(end), self.since.elapsed().as_secs_f64(), event);
        } else if self.finished {
            for test in std::mem::take(&mut self.left) {
                let outcome = TestOutcome::Skipped { why: "the program did not run it".into() };
                self.push(test, outcome, 0.0, event);
            }
            // What the program found when it was through: such as processes that tests have left behind.
            if !matches!(end, End::Exit(0)) && !self.failed {
                self.push(TEAR_DOWN.to_owned(), outcome(end), 0.0, event);
            }
        } else if let Some(suite) = self.suite.take() {
            // In what the suite sets up or takes down: none of its tests that are left can be run.
            let (of_suite, others) = std::mem::take(&mut self.left)
                .into_iter()
                .partition(|test| test.split_once('.').is_some_and(|(name, _)| name == suite));
            self.left = others;
            let of_suite: VecDeque<String> = of_suite;
            for test in of_suite {
                self.push(test, outcome(end), 0.0, event);
            }
        }
        // The same again would come to the same end.
        if self.done.len() == self.before {
            for test in std::mem::take(&mut self.left) {
                self.push(test, outcome(end), 0.0, event);
            }
        }
    }

    fn end(&mut self, test: &str, outcome: TestOutcome, seconds: f64, event: &mut (dyn FnMut(ShardEvent) + Send)) {
        // A test that was not asked for does not count; nor does one a second time.
        if let Some(at) = self.left.iter().position(|left| left == test) {
            self.left.remove(at);
            self.push(test.to_owned(), outcome, seconds, event);
        }
        self.since = Instant::now();
        self.output = Output::default();
    }

    fn push(&mut self, test: String, outcome: TestOutcome, seconds: f64, event: &mut (dyn FnMut(ShardEvent) + Send)) {
        let kept = !matches!(outcome, TestOutcome::Passed | TestOutcome::Skipped { .. });
        let output = if kept { self.output.text() } else { String::new() };
        event(ShardEvent::Ended { test: test.clone(), outcome: outcome.clone() });
        self.done.push((test, Execution { outcome, seconds, alone: self.alone, output }));
    }
}

/// The suite that begins with `[----------] 5 tests from SUITE`; the same line with a time ends it.
fn suite_start(line: &str) -> Option<&str> {
    let (count, rest) = line.strip_prefix("[----------] ")?.split_once(" from ")?;
    let is_count = count.ends_with("test") || count.ends_with("tests");
    let name = rest.split([',', ' ']).next()?;
    (is_count && !rest.ends_with("ms total)")).then_some(name)
}

/// Name under which a program's own failure is told, when each of its tests has passed.
pub const TEAR_DOWN: &str = "Environment.TearDown";

fn outcome(end: &End) -> TestOutcome {
    match end {
        End::Late => TestOutcome::TimedOut,
        End::Memory => TestOutcome::KilledForMemory,
        // A shell tells a signal by a status above 128.
        End::Exit(status) if *status > 128 => TestOutcome::Crashed { how: signal(status - 128) },
        End::Exit(status) => TestOutcome::Crashed { how: format!("the program ended with status {status}") },
    }
}

/// signal(7), for those that end programs by themselves.
fn signal(number: i64) -> String {
    let name = match number {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    };
    format!("signal {number}{name}")
}

/// The first and the last lines of an output.
#[derive(Default)]
struct Output {
    first: String,
    last: VecDeque<String>,
    last_bytes: usize,
    left_out: usize,
}

impl Output {
    fn add(&mut self, line: &str) {
        let half = LONGEST_OUTPUT / 2;
        let mut cut = line.len().min(half);
        while !line.is_char_boundary(cut) {
            cut -= 1;
        }
        let line = &line[..cut];
        if self.last.is_empty() && self.first.len() + line.len() < half {
            self.first += line;
            self.first.push('\n');
            return;
        }
        self.last.push_back(line.to_owned());
        self.last_bytes += line.len() + 1;
        while self.last_bytes > half {
            let Some(gone) = self.last.pop_front() else { break };
            self.last_bytes -= gone.len() + 1;
            self.left_out += 1;
        }
    }

    fn text(&self) -> String {
        let mut text = self.first.clone();
        if self.left_out > 0 {
            text += &format!("[… {} lines …]\n", self.left_out);
        }
        for line in &self.last {
            text += line;
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(tests: &[&str], lines: &str, end: &End) -> (Course, Vec<String>) {
        let mut course = Course::new(tests.iter().map(|test| (*test).to_owned()).collect(), false);
        let mut told = Vec::new();
        let mut event = |event: ShardEvent| {
            if let ShardEvent::Ended { test, .. } = event {
                told.push(test);
            }
        };
        course.start();
        for line in lines.lines() {
            course.line(line, &mut event);
        }
        course.ended(end, &mut event);
        (course, told)
    }

    fn outcomes(course: &Course) -> Vec<(&str, &TestOutcome)> {
        course.done.iter().map(|(test, execution)| (test.as_str(), &execution.outcome)).collect()
    }

    #[test]
    fn a_crash_names_the_test_and_leaves_the_rest() {
        let lines = "[ RUN      ] A.one\n[       OK ] A.one (5 ms)\n[ RUN      ] A.two\nabout to die";
        let (course, told) = ran(&["A.one", "A.two", "A.three"], lines, &End::Exit(139));
        assert_eq!(told, ["A.one", "A.two"]);
        let crashed = TestOutcome::Crashed { how: "signal 11 (SIGSEGV)".into() };
        assert_eq!(outcomes(&course), [("A.one", &TestOutcome::Passed), ("A.two", &crashed)]);
        assert_eq!(course.done[0].1.seconds, 0.005);
        assert!(course.done[1].1.output.contains("about to die") && !course.done[1].1.output.contains("A.one"));
        assert_eq!((course.filter(false), course.filter(true)), ("A.three".into(), "-A.one:A.two".into()));
    }

    #[test]
    fn what_a_program_leaves_out_is_skipped() {
        let lines = "[ RUN      ] A.one\n[  FAILED  ] A.one (5 ms)\n[==========] 1 test from 1 test case ran. (6 ms total)\n\
                     [  FAILED  ] A.one";
        let (course, _) = ran(&["A.one", "A.ROOT_two"], lines, &End::Exit(1));
        assert!(course.done());
        assert_eq!(outcomes(&course)[0], ("A.one", &TestOutcome::Failed));
        assert!(matches!(outcomes(&course)[1], ("A.ROOT_two", TestOutcome::Skipped { .. })));
    }

    #[test]
    fn a_program_that_fails_although_its_tests_passed() {
        let lines =
            "[ RUN      ] A.one\n[       OK ] A.one (5 ms)\n[==========] 1 test from 1 test case ran. (6 ms total)";
        let (course, _) = ran(&["A.one"], lines, &End::Exit(1));
        assert_eq!(outcomes(&course)[1].0, TEAR_DOWN);
        let (course, _) = ran(&["A.one"], lines, &End::Exit(0));
        assert_eq!(outcomes(&course), [("A.one", &TestOutcome::Passed)]);
    }

    #[test]
    fn a_program_that_never_comes_to_a_test_is_not_started_for_ever() {
        for end in [End::Exit(1), End::Late, End::Memory] {
            let (course, told) = ran(&["A.one", "A.two"], "cannot load libmesos.so", &end);
            assert!(course.done());
            assert_eq!(told, ["A.one", "A.two"]);
            assert!(course.done[1].1.output.contains("cannot load"), "{}", course.done[1].1.output);
        }
        // After some progress, it is.
        let (course, _) = ran(&["A.one", "A.two"], "[ RUN      ] A.one\n[       OK ] A.one (5 ms)", &End::Exit(1));
        assert!(!course.done());
    }

    #[test]
    fn a_crash_in_what_a_suite_sets_up_costs_that_suite() {
        let lines = "[----------] 1 test from A\n[ RUN      ] A.one\n[       OK ] A.one (5 ms)\n\
                     [----------] 1 test from A (5 ms total)\n[----------] 2 tests from B/1, where TypeParam = X\nno JVM";
        let (course, _) = ran(&["A.one", "B/1.two", "B/1.three", "C.four"], lines, &End::Exit(134));
        let crashed = TestOutcome::Crashed { how: "signal 6 (SIGABRT)".into() };
        assert_eq!(outcomes(&course)[1..], [("B/1.two", &crashed), ("B/1.three", &crashed)]);
        assert_eq!(course.filter(false), "C.four");
    }

    #[test]
    fn time_and_memory() {
        let lines = "[ RUN      ] A.one";
        let (course, _) = ran(&["A.one"], lines, &End::Late);
        assert_eq!(outcomes(&course), [("A.one", &TestOutcome::TimedOut)]);
        let (course, _) = ran(&["A.one"], lines, &End::Memory);
        assert_eq!(outcomes(&course), [("A.one", &TestOutcome::KilledForMemory)]);
    }

    #[test]
    fn a_long_output_keeps_its_two_ends() {
        let mut output = Output::default();
        for i in 0..100_000 {
            output.add(&format!("line {i}"));
        }
        let text = output.text();
        assert!(text.starts_with("line 0\n") && text.ends_with("line 99999\n") && text.len() <= LONGEST_OUTPUT + 100);
        assert!(text.contains("lines …]"));
    }
}
