//! What a program of googletest 1.8, which Mesos 1.7 bundles, reads and prints: `googletest/docs/AdvancedGuide.md`
//! ("Running a Subset of the Tests") and, for the exact text, `ListTestsMatchingFilter` and
//! `PrettyUnitTestResultPrinter` in `googletest/src/gtest.cc`.

/// What precedes the filter in the note that a program prints where it does not run all of its tests.
const FILTER_NOTE: &str = "Note: Google Test filter = ";

/// The tests that `--gtest_list_tests` prints, as `Suite.Name`, in order. Other lines are ignored: programs also log.
pub fn parse_list(text: &str) -> Vec<String> {
    let mut suite = None;
    let mut tests = Vec::new();
    for line in text.lines() {
        // What follows are the parameters' values: they may be anything, on this one line.
        let line = line.split_once("  # ").map_or(line, |(line, _)| line).trim_end();
        match (line.strip_prefix("  "), line.strip_suffix('.')) {
            (Some(name), _) if is_identifier(name) => tests.extend(suite.map(|suite| format!("{suite}.{name}"))),
            (None, Some(name)) if is_identifier(name) => suite = Some(name),
            _ => {}
        }
    }
    tests
}

/// The tests that a program leaves out on this machine: the programs of Mesos append each of them to the negative part
/// of their filter (`src/tests/environment.cpp`) and print it. Entries with a wildcard were there before, and name no
/// test.
pub fn filtered_out(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.split_once(FILTER_NOTE)?.1.split_once('-'))
        .flat_map(|(_, negative)| negative.trim_end().split(':'))
        .filter(|name| !name.is_empty() && !name.contains(['*', '?']))
        .map(str::to_owned)
        .collect()
}

/// Whether a test, or its suite, is named `DISABLED_…`: listed, but run only where that is asked for.
pub fn is_disabled(name: &str) -> bool {
    let (suite, test) = name.split_once('.').unwrap_or((name, ""));
    [suite, test].iter().any(|part| part.starts_with("DISABLED_") || part.contains("/DISABLED_"))
}

/// What a line of a running program tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The test of this name, `Suite.Name`, has started.
    Started(String),
    /// The test that was running has ended.
    Ended {
        /// The name of the test, `Suite.Name`.
        test: String,
        /// Whether the test passed.
        passed: bool,
        /// How long it took as the program says; 0 where a parameter's text breaks the line before that.
        milliseconds: u64,
    },
    /// The test that was running has skipped itself (googletest 1.10 and later).
    Skipped(String),
    /// All tests have run; the program prints a summary next.
    Finished,
}

/// Follows the output of a running program, line by line.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    running: Option<String>,
}

impl Reader {
    /// What a line tells. A marker may follow other text, since the subprocesses of a test print without a line feed.
    pub fn line(&mut self, line: &str) -> Option<Seen> {
        line.match_indices('[').find_map(|(at, _)| self.marker(&line[at..]))
    }

    /// The name of the test that is running, where one is.
    pub fn running(&self) -> Option<&str> {
        self.running.as_deref()
    }

    fn marker(&mut self, text: &str) -> Option<Seen> {
        let (marker, rest) = text.split_at_checked("[ RUN      ] ".len())?;
        match marker {
            "[ RUN      ] " => {
                let name = test_name(rest)?.to_owned();
                self.running = Some(name.clone());
                Some(Seen::Started(name))
            }
            "[       OK ] " | "[  FAILED  ] " => {
                let test = self.end(rest)?;
                let milliseconds = milliseconds(rest).unwrap_or(0);
                Some(Seen::Ended { test, passed: marker == "[       OK ] ", milliseconds })
            }
            "[  SKIPPED ] " => self.end(rest).map(Seen::Skipped),
            // Not `Running 5 tests from 2 test cases.`
            "[==========] " if rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains(" ran.") => {
                self.running = None;
                Some(Seen::Finished)
            }
            _ => None,
        }
    }

    /// Ends the running test where it is the one that is named. Any other is one of the summary, or what a test prints.
    fn end(&mut self, rest: &str) -> Option<String> {
        let name = test_name(rest)?;
        self.running.take_if(|running| running == name)
    }
}

/// Names are C++ identifiers, with `/` before an instance's number or after its prefix.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'/'
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_name_byte)
}

/// The `Suite.Name` that a text begins with.
fn test_name(text: &str) -> Option<&str> {
    let end = text.bytes().position(|byte| !is_name_byte(byte) && byte != b'.').unwrap_or(text.len());
    let (suite, name) = text[..end].split_once('.')?;
    (is_identifier(suite) && is_identifier(name)).then_some(&text[..end])
}

/// The last `(12 ms)`: a parameter's text before it may look the same.
fn milliseconds(rest: &str) -> Option<u64> {
    rest.rsplit_once(" ms)")?.0.rsplit_once(" (")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As mesos-tests prints it: glog's lines, then what Mesos says about this machine, then the list.
    const LIST: &str = "\
WARNING: Logging before InitGoogleLogging() is written to STDERR
I1123 01:02:03.000000  4711 process.cpp:1109] libprocess is initialized on 127.0.0.1:5050 with 2 worker threads
Source directory: /build/source
-------------------------------------------------------------
The 'perf' command wasn't found so tests using it
  to sample will be disabled.
-------------------------------------------------------------
HTTPTest.
  ModelTask
  DISABLED_Later
DecoderTest/0.  # TypeParam = process::StreamingRequestDecoder
  Request
ContentType/SchedulerTest.
  Subscribe/0  # GetParam() = application/x-protobuf
  Subscribe/1  # GetParam() = a  # b. (3 ms)
I1123 01:02:03.000000  4711 process.cpp:1109] Something.
  TaskRunning/0  # GetParam() = application/json
";

    #[test]
    fn a_list_with_parameters_and_noise() {
        let expected = [
            "HTTPTest.ModelTask",
            "HTTPTest.DISABLED_Later",
            "DecoderTest/0.Request",
            "ContentType/SchedulerTest.Subscribe/0",
            "ContentType/SchedulerTest.Subscribe/1",
            "ContentType/SchedulerTest.TaskRunning/0",
        ];
        assert_eq!(parse_list(LIST), expected);
        assert_eq!(parse_list(""), [""; 0]);
        assert_eq!(parse_list("  Orphan\n"), [""; 0], "a test needs a suite");
    }

    #[test]
    fn tests_that_are_left_out_on_this_machine() {
        let text = "Source directory: /build/source\n\
            Note: Google Test filter = *-ROOT_*:DockerTest.ROOT_DOCKER_x:PerfTest.?:PerfTest.Version:\n\
            [==========] Running 3 tests from 1 test case.\n";
        assert_eq!(filtered_out(text), ["DockerTest.ROOT_DOCKER_x", "PerfTest.Version"]);
        assert_eq!(filtered_out("Note: Google Test filter = A.B:C.D\n"), [""; 0]);
        assert_eq!(filtered_out("Google Test filter - A.B:C.D\n"), [""; 0]);
        assert_eq!(filtered_out("noiseNote: Google Test filter = -A.B-C\r\n"), ["A.B-C"], "only the first dash counts");
    }

    #[test]
    fn disabled_suites_and_tests() {
        for name in [
            "DISABLED_A.B",
            "A.DISABLED_B",
            "Prefix/DISABLED_A.B/0",
            "Prefix/A.DISABLED_B/0",
            "DISABLED_A/0.B",
            "A/1.DISABLED_B",
        ] {
            assert!(is_disabled(name), "{name}");
        }
        for name in ["A.B", "A.NotDISABLED_B", "ADISABLED_.B", "Prefix/A.B/0", "A.disabled_B"] {
            assert!(!is_disabled(name), "{name}");
        }
    }

    /// Everything that is seen in an output.
    fn read(text: &str) -> Vec<Seen> {
        let mut reader = Reader::default();
        text.lines().filter_map(|line| reader.line(line)).collect()
    }

    fn started(test: &str) -> Seen {
        Seen::Started(test.into())
    }

    fn ended(test: &str, passed: bool, milliseconds: u64) -> Seen {
        Seen::Ended { test: test.into(), passed, milliseconds }
    }

    #[test]
    fn a_run_from_start_to_summary() {
        let text = "\
Note: Google Test filter = *-ROOT_*
[==========] Running 3 tests from 2 test cases.
[----------] Global test environment set-up.
[----------] 2 tests from A
[ RUN      ] A.Good
I1123 01:02:03.000000  4711 a.cpp:1] [ A.Good ]
[       OK ] A.Good (12 ms)
[ RUN      ] A.Bad
../../src/tests/a.cpp:10: Failure
Value of: false
[  FAILED  ] A.Bad (3 ms)
[----------] 2 tests from A (15 ms total)

[----------] 1 test from Prefix/B
[ RUN      ] Prefix/B.C/0
[  SKIPPED ] Prefix/B.C/0 (0 ms)
[----------] Global test environment tear-down
[==========] 3 tests from 2 test cases ran. (15 ms total)
[  PASSED  ] 1 test.
[  FAILED  ] 1 test, listed below:
[  FAILED  ] A.Bad

 1 FAILED TEST
";
        let expected = [
            started("A.Good"),
            ended("A.Good", true, 12),
            started("A.Bad"),
            ended("A.Bad", false, 3),
            started("Prefix/B.C/0"),
            Seen::Skipped("Prefix/B.C/0".into()),
            Seen::Finished,
        ];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn one_test_is_a_test_and_zero_are_tests() {
        assert_eq!(read("[==========] 1 test from 1 test case ran. (7 ms total)\n"), [Seen::Finished]);
        assert_eq!(read("[==========] 0 tests from 0 test cases ran.\n"), [Seen::Finished]);
        assert_eq!(read("[==========] Running 1 test from 1 test case.\n"), []);
    }

    #[test]
    fn the_parameter_of_a_failed_test_may_be_anything() {
        for (line, milliseconds) in [
            ("[  FAILED  ] P/A.B/1, where GetParam() = x (3 ms)", 3),
            ("[  FAILED  ] P/A.B/1, where GetParam() = (1 ms) [  FAILED  ] Q.R (4 ms)", 4),
            ("[  FAILED  ] P/A.B/1, where TypeParam = std::pair<int, int> and GetParam() = 7 (5 ms)\r", 5),
            ("[  FAILED  ] P/A.B/1, where GetParam() = first of two lines", 0),
            ("[  FAILED  ] P/A.B/1, where GetParam() = 99999999999999999999 (99999999999999999999 ms)", 0),
            ("[  FAILED  ] P/A.B/1", 0),
        ] {
            let text = format!("[ RUN      ] P/A.B/1\n{line}\nsecond (9 ms)\n[  FAILED  ] P/A.B/1 (8 ms)\n");
            assert_eq!(read(&text), [started("P/A.B/1"), ended("P/A.B/1", false, milliseconds)], "{line}");
        }
    }

    #[test]
    fn markers_follow_text_without_a_line_feed() {
        let text = "hello[ RUN      ] A.B\nä[1] out of 3 [x[       OK ] A.B (1 ms)\n{\"a\": [[==========] 1 test from 1 test case ran.";
        assert_eq!(read(text), [started("A.B"), ended("A.B", true, 1), Seen::Finished]);
    }

    #[test]
    fn only_the_running_test_ends() {
        let text = "[       OK ] A.B (1 ms)\n[ RUN      ] A.B/1\n[       OK ] A.B/10 (1 ms)\n[       OK ] A.B (1 ms)\n\
            [  FAILED  ] C.D (1 ms)\n[  SKIPPED ] C.D (1 ms)\n[       OK ] \n[  FAILED  ] 2 tests, listed below:\n";
        assert_eq!(read(text), [started("A.B/1")]);
        let mut reader = Reader::default();
        reader.line("[ RUN      ] A.B");
        assert_eq!(reader.running(), Some("A.B"));
        // The end of A.B was lost: what runs now is C.D.
        assert_eq!(reader.line("[ RUN      ] C.D"), Some(started("C.D")));
        assert_eq!(reader.line("[       OK ] A.B (1 ms)"), None);
        assert_eq!(reader.line("[       OK ] C.D (1 ms)"), Some(ended("C.D", true, 1)));
        assert_eq!(reader.running(), None);
    }
}
