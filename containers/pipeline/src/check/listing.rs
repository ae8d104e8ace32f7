//! Which tests there are: asked of the programs themselves, in the container that they will run in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Engine, Error};
use phases::shard::{TestRoom, ask, probe};
use recipe::{RootTests, TestProgram, test_filter};
use serde::{Deserialize, Serialize};
use statements::check::gtest;

/// The tests of a test program, as the program lists them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listing {
    /// The program's name in the recipe.
    pub program: String,
    /// Whether it was asked as root, and only of the tests that need it.
    pub root: bool,
    /// Tests to run, in the program's order.
    pub run: Vec<String>,
    /// Tests that do not run, and why.
    pub skipped: Vec<(String, String)>,
    /// What the program says of the machine: why it leaves tests out.
    pub notices: Vec<String>,
}

impl Listing {
    fn leave_out(&mut self, which: impl Fn(&str) -> bool, why: &str) {
        let (out, run): (Vec<_>, Vec<_>) = std::mem::take(&mut self.run).into_iter().partition(|test| which(test));
        self.run = run;
        self.skipped.extend(out.into_iter().map(|test| (test, why.to_owned())));
    }
}

/// A program that has nothing to say about its tests within this time hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Where a test program is in the container.
pub fn program_path(program: &TestProgram) -> PathBuf {
    Path::new("/build/work").join(&program.path)
}

/// Asks a program for its tests. `filter` is in googletest's syntax. `root` says which of the tests need root: with a
/// room for root, these and no others are meant; without, they are left out.
///
/// # Errors
/// The program does not end well within two minutes, lists no test at all, or the engine fails.
pub async fn list(
    engine: &Engine,
    room: &TestRoom,
    program: &TestProgram,
    filter: Option<&str>,
    root: Option<&RootTests>,
) -> Result<Listing, Error> {
    let path = program_path(program);
    let listed = ask(engine, room, &path, &["--gtest_list_tests"], LIMIT).await?;
    // Nothing is run, but the programs of Mesos print which tests they leave out on this machine.
    let probed = ask(engine, room, &path, &["--gtest_filter=-*"], LIMIT).await?;
    let rooted = |test: &str| root.is_some_and(|root| test_filter::matches(&root.filter, test));
    let mut listing = sort(&listed, &probed, |test| {
        filter.is_none_or(|filter| test_filter::matches(filter, test)) && (rooted(test) || room.root.is_none())
    });
    if room.root.is_none() {
        listing.leave_out(|test| rooted(test), "it needs root: --root");
    }
    if listing.run.is_empty() && listing.skipped.is_empty() && filter.is_none() && room.root.is_none() {
        return Err(Error::Request(format!(
            "{} lists no test: is it a googletest program? It printed:\n{}",
            path.display(),
            listed.lines().take(10).collect::<Vec<_>>().join("\n")
        )));
    }
    for need in root.filter(|_| room.root.is_some()).map_or(&[][..], |root| &root.needs) {
        let needy = |test: &str| test_filter::matches(&need.tests, test);
        if listing.run.iter().any(|test| needy(test)) && !probe(engine, room, &need.probe, LIMIT).await? {
            listing.leave_out(needy, &format!("this machine has {}", need.missing));
        }
    }
    listing.program = program.name.clone();
    listing.root = room.root.is_some();
    Ok(listing)
}

fn sort(listed: &str, probed: &str, wanted: impl Fn(&str) -> bool) -> Listing {
    let mut listing = Listing { notices: notices(probed), ..Listing::default() };
    let left_out = gtest::filtered_out(probed);
    for test in gtest::parse_list(listed).into_iter().filter(|test| wanted(test)) {
        if gtest::is_disabled(&test) {
            listing.skipped.push((test, "disabled by upstream".into()));
        } else if !left_out.contains(&test) {
            listing.run.push(test);
        }
    }
    for test in left_out.into_iter().filter(|test| wanted(test)) {
        let why = if gtest::is_disabled(&test) { "disabled by upstream".into() } else { reason(&test) };
        if !listing.skipped.iter().any(|(skipped, _)| *skipped == test) {
            listing.skipped.push((test, why));
        }
    }
    listing
}

/// The programs of Mesos sort tests by words in capitals in their names, such as `ROOT_CGROUPS_`.
fn reason(test: &str) -> String {
    let is_word = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let words: Vec<&str> = test.split(['.', '_', '/']).filter(is_word).collect();
    if words.is_empty() {
        "the program leaves it out on this machine".into()
    } else {
        format!("the program leaves it out on this machine, which is not fit for: {}", words.join(", "))
    }
}

/// Text between two lines of dashes.
fn notices(text: &str) -> Vec<String> {
    let mut notices: Vec<String> = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    for line in text.lines() {
        let ruler = line.len() >= 10 && line.bytes().all(|byte| byte == b'-');
        match (&mut open, ruler) {
            (None, true) => open = Some(Vec::new()),
            (Some(lines), true) => {
                if !lines.is_empty() {
                    notices.push(lines.join(" "));
                }
                open = None;
            }
            (Some(lines), false) => lines.push(line.trim()),
            (None, false) => {}
        }
    }
    notices.dedup();
    notices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_run_or_skipped_for_a_reason() {
        let listed = "A.\n  one\n  DISABLED_two\nB.\n  three\n";
        let probed = "\
-------------------------------------------------------------
No 'perf' command found
so no 'perf' tests will be run
-------------------------------------------------------------
Note: Google Test filter = *-*:C.ROOT_PERF_four:D.five:A.DISABLED_two:
[==========] Running 0 tests from 0 test cases.
";
        let listing = sort(listed, probed, |_| true);
        assert_eq!(listing.run, ["A.one", "B.three"]);
        let skipped: Vec<&str> = listing.skipped.iter().map(|(test, _)| test.as_str()).collect();
        assert_eq!(skipped, ["A.DISABLED_two", "C.ROOT_PERF_four", "D.five"]);
        assert!(listing.skipped[0].1.contains("upstream") && listing.skipped[1].1.ends_with("ROOT, PERF"));
        assert_eq!(listing.notices, ["No 'perf' command found so no 'perf' tests will be run"]);
        assert_eq!(sort(listed, probed, |test| test.starts_with("A.")).run, ["A.one"]);
    }
}
