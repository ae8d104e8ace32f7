//! What each source file takes to compile: memory and CPU time, as the governor (`assets/governor.c`) measured it.
//!
//! It is no part of a plan, like the history of phases beside which it is kept: it decides when a compile starts, not
//! what is written. The first build on a machine knows what the recipe's `compile-memory` says.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use foundation::digest::Digest;
use recipe::compile_memory::Known;
use serde::{Deserialize, Serialize};

use crate::usage::margin;

/// What the compile of a source file took. A figure of 0 is not measured yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// Bytes of memory of the compile's largest process.
    pub usual: u64,
    /// The same with a compiler that was told to be frugal; more than the budget where that was not enough.
    pub frugal: u64,
    /// CPU time of the compile in milliseconds.
    pub milliseconds: u64,
    /// Key of the phase when `frugal` was measured. With other flags that may be another figure: good enough to decide when
    /// a compile starts, not to refuse it.
    pub phase: Option<Digest>,
}

/// What is known of a phase's source files, by their path in the container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<String, Figure>);

/// A file that cannot be compiled within a budget.
#[derive(Clone, Debug, PartialEq)]
pub struct TooLarge {
    /// The file's path in the container, or the pattern of the recipe that covers it.
    pub file: String,
    /// Bytes of memory that it takes at least.
    pub needed: u64,
    /// The smallest memory budget, in bytes, that has room for it.
    pub least: u64,
}

const MIB: u64 = 1 << 20;

impl Figures {
    /// Takes up the lines `BYTES FRUGAL-BYTES MILLISECONDS PATH` that the governor (`assets/governor.c`) writes. A
    /// phase can write where they lie, so that other lines are passed over. What is measured now counts, whatever it
    /// was before.
    pub fn learn(&mut self, text: &str, phase: Digest) {
        for line in text.lines() {
            let mut words = line.splitn(4, ' ');
            let mut number = || words.next()?.parse::<u64>().ok();
            let (Some(usual), Some(frugal), Some(milliseconds)) = (number(), number(), number()) else { continue };
            let Some(path) = words.next().filter(|path| !path.is_empty()) else { continue };
            let figure = self.0.entry(path.to_owned()).or_default();
            if usual > 0 {
                figure.usual = usual;
            }
            if frugal > 0 {
                (figure.frugal, figure.phase) = (frugal, Some(phase));
            }
            if milliseconds > 0 {
                figure.milliseconds = milliseconds;
            }
        }
    }

    /// The files that something is known of.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Bytes and milliseconds that a file took the last time, where that was measured.
    pub fn usual(&self, path: &str) -> Option<(u64, u64)> {
        let Figure { usual, frugal, milliseconds, .. } = *self.0.get(path)?;
        Some((if usual > 0 { usual } else { frugal }, milliseconds))
    }

    /// The lines `BYTES MILLISECONDS PATTERN` that the governor gets: what is measured, then what the recipe knows. To
    /// each is added what a second compile may take more than the first.
    pub fn for_governor(&self, known: &[&Known]) -> String {
        let mut text = String::new();
        let mut line = |bytes: u64, milliseconds: u64, file: &str| {
            writeln!(text, "{} {milliseconds} {file}", bytes + bytes / 50 + 8 * MIB)
                .expect("a String takes everything");
        };
        for (path, Figure { usual, frugal, milliseconds, .. }) in &self.0 {
            // Of a frugal compiler's memory, the usual one takes half as much again.
            line(if *usual > 0 { *usual } else { frugal + frugal / 2 }, *milliseconds, path);
        }
        for Known { pattern, usual, .. } in known {
            line(usual.0, 0, pattern);
        }
        text
    }

    /// The file that is known to need more than this budget even with a frugal compiler, when the phase with this key
    /// is run; the largest, if several do.
    pub fn too_large(&self, known: &[&Known], phase: Digest, budget: u64) -> Option<TooLarge> {
        let measured = |figure: &Figure| figure.phase == Some(phase);
        // What was measured here is better than what the recipe knows of another machine.
        let better = |figure: &Figure| measured(figure) || (1..=budget).contains(&figure.usual);
        let of_recipe = known
            .iter()
            .filter(|known| !self.0.iter().any(|(path, figure)| better(figure) && known.covers(path)))
            .map(|known| (known.pattern.as_str(), known.frugal.map_or(0, |frugal| frugal.0)));
        let here = self.0.iter().filter(|(_, figure)| measured(figure));
        let measured = here.map(|(path, figure)| (path.as_str(), figure.frugal));
        let (file, needed) = measured.chain(of_recipe).max_by_key(|(_, needed)| *needed)?;
        (needed > budget).then(|| TooLarge {
            file: file.to_owned(),
            needed,
            least: (needed + margin(needed)).div_ceil(256 * MIB) * 256 * MIB,
        })
    }
}

#[cfg(test)]
mod tests {
    use foundation::bytes::ByteSize;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn key(number: u8) -> Digest {
        Digest::of([number])
    }

    fn learned(text: &str) -> Figures {
        let mut figures = Figures::default();
        figures.learn(text, key(1));
        figures
    }

    fn known(pattern: &str, usual: u64, frugal: Option<u64>) -> Known {
        Known { phase: "build".into(), pattern: pattern.into(), usual: ByteSize(usual), frugal: frugal.map(ByteSize) }
    }

    #[test]
    fn the_last_measurement_counts_and_nonsense_does_not() {
        let mut figures = learned("100 0 7 /a b.cc\nhello\n1 2\n1 2 3 \n-5 0 0 /x\n0 60 9 /a b.cc\n90 0 8 /a b.cc\n");
        let expected = Figure { usual: 90, frugal: 60, milliseconds: 8, phase: Some(key(1)) };
        assert_eq!(figures.0, BTreeMap::from([("/a b.cc".to_owned(), expected)]));
        let kept = serde_json::to_vec(&figures).unwrap();
        assert_eq!(serde_json::from_slice::<Figures>(&kept).unwrap(), figures);
        figures.learn("80 0 8 /a b.cc\n", key(2));
        assert_eq!(figures.0["/a b.cc"], Figure { usual: 80, ..expected });
    }

    #[test]
    fn the_governor_gets_what_was_measured_before_what_the_recipe_knows() {
        let text =
            learned("104857600 0 7 /a.cc\n0 104857600 9 /b.cc\n").for_governor(&[&known("*/a.cc", 200 * MIB, None)]);
        let more = |bytes: u64| bytes + bytes / 50 + 8 * MIB;
        let expected =
            format!("{} 7 /a.cc\n{} 9 /b.cc\n{} 0 */a.cc\n", more(100 * MIB), more(150 * MIB), more(200 * MIB));
        assert_eq!(text, expected);
    }

    #[test]
    fn a_file_is_too_large_only_if_it_is_known_to_be() {
        let recipe = known("*/heavy.cc", 5 * GIB, Some(4 * GIB));
        let nothing = Figures::default();
        assert_eq!(nothing.too_large(&[&recipe], key(1), 4 * GIB), None);
        let found = nothing.too_large(&[&recipe], key(1), 3 * GIB).unwrap();
        assert_eq!((found.file.as_str(), found.needed, found.least), ("*/heavy.cc", 4 * GIB, 4 * GIB + 256 * MIB));
        // Measured here, it fits after all; the recipe's other files are still asked for.
        let measured = learned(&format!("{} {} 1 /src/heavy.cc\n", 5 * GIB, 2 * GIB));
        assert_eq!(measured.too_large(&[&recipe], key(1), 3 * GIB), None);
        let other = known("*/b.cc", 9 * GIB, Some(8 * GIB));
        assert_eq!(measured.too_large(&[&recipe, &other], key(1), 3 * GIB).unwrap().file, "*/b.cc");
        // With other flags it may be different.
        assert_eq!(measured.too_large(&[], key(1), GIB).unwrap().file, "/src/heavy.cc");
        assert_eq!(measured.too_large(&[], key(2), GIB), None);
        let fits = learned(&format!("{} 0 1 /src/heavy.cc\n", 2 * GIB));
        assert_eq!(fits.too_large(&[&recipe], key(2), 3 * GIB), None);
        // How much a frugal compiler takes is not known: it is tried.
        assert_eq!(learned(&format!("{} 0 1 /a.cc\n", 5 * GIB)).too_large(&[], key(1), GIB), None);
    }
}
