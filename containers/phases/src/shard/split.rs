//! Which tests run together: pure, so that a run that was cut short finds the same shards again.

use serde::{Deserialize, Serialize};

/// Some tests of one program, which run one after the other in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shard {
    /// The program's name in the recipe.
    pub program: String,
    /// Whether they run as root.
    pub root: bool,
    /// Whether these are all tests of the program.
    pub whole: bool,
    /// The tests, in the program's order.
    pub tests: Vec<String>,
}

/// Expected seconds of a test that was never measured.
const UNKNOWN: f64 = 1.0;
/// Expected seconds that one shard should take at most: a run that is killed loses no more of each shard under way.
const SHARD_SECONDS: f64 = 40.0;

/// Splits the tests of a program into at least `least` shards (where there are as many tests) of about the same
/// expected time: the longest test first, each to the shard that has least so far. `seconds` says how long a test took
/// before.
pub fn split(
    program: &str,
    root: bool,
    tests: &[String],
    least: usize,
    seconds: impl Fn(&str) -> Option<f64>,
) -> Vec<Shard> {
    let mut expected: Vec<(usize, f64)> =
        tests.iter().enumerate().map(|(i, test)| (i, seconds(test).unwrap_or(UNKNOWN))).collect();
    let total: f64 = expected.iter().map(|(_, seconds)| seconds).sum();
    let count = ((total / SHARD_SECONDS).ceil() as usize).max(least).min(tests.len());
    expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut bins: Vec<(f64, Vec<usize>)> = vec![(0.0, Vec::new()); count];
    for (test, seconds) in expected {
        // Many tests take no measurable time, and starting one is not free.
        let least = bins.iter_mut().min_by(|a, b| a.0.total_cmp(&b.0)).expect("there are tests, so there are shards");
        least.0 += seconds.max(0.01);
        least.1.push(test);
    }
    // The longest first: a short one at the end leaves no processor waiting for long.
    bins.sort_by(|a, b| b.0.total_cmp(&a.0));
    bins.into_iter()
        .map(|(_, mut members)| {
            members.sort_unstable();
            Shard {
                program: program.to_owned(),
                root,
                whole: count == 1,
                tests: members.into_iter().map(|i| tests[i].clone()).collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("Suite.test{i:03}")).collect()
    }

    #[test]
    fn every_test_is_in_one_shard_and_shards_are_even() {
        let tests = names(500);
        let known = |name: &str| name.ends_with('7').then_some(5.0);
        let shards = split("program", false, &tests, 4, known);
        let mut all: Vec<String> = shards.iter().flat_map(|shard| shard.tests.clone()).collect();
        all.sort();
        assert_eq!(all, tests);
        let time = |shard: &Shard| shard.tests.iter().map(|test| known(test).unwrap_or(UNKNOWN)).sum::<f64>();
        let (longest, shortest) = (time(&shards[0]), time(shards.last().unwrap()));
        assert!(longest <= SHARD_SECONDS + 5.0 && longest - shortest <= 5.0, "{longest} {shortest}");
        assert!(shards.iter().all(|shard| shard.tests.is_sorted() && !shard.whole));
        assert_eq!(shards, split("program", false, &tests, 4, known));
    }

    #[test]
    fn few_tests() {
        assert!(split("program", false, &[], 4, |_| None).is_empty());
        assert_eq!(split("program", false, &names(2), 4, |_| None).len(), 2);
        let whole = split("program", true, &names(3), 1, |_| None);
        assert!(whole.len() == 1 && whole[0].whole && whole[0].root);
    }
}
