//! What each source file takes to compile: memory and CPU time, as the governor (`assets/governor.c`) measured it.
//!
//! It is no part of a plan, like the history of phases beside which it is kept: it decides when a compile starts, not
//! what is written. The first build on a machine knows what the recipe's `compile-memory` says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use packaging::compile_memory::Known;

use crate::usage::margin;

/// What a compile took. Nothing is 0: not measured yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Bytes of its largest process.
    pub(crate) usual: u64,
    /// The same with a compiler that was to be frugal.
    pub(crate) frugal: u64,
    /// CPU time in milliseconds.
    pub(crate) milliseconds: u64,
}

/// What is known of a phase's source files, by their path in the container.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures(BTreeMap<String, Figure>);

/// A file that cannot be compiled within a budget.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TooLarge {
    /// Its path, or the pattern in the recipe.
    pub(crate) file: String,
    /// Bytes that it takes at least.
    pub(crate) needed: u64,
    /// The smallest budget that has room for it.
    pub(crate) least: u64,
}

const MIB: u64 = 1 << 20;

impl Figures {
    /// Reads what [`Figures::text`] wrote; nothing where there is nothing.
    pub(crate) fn read(path: &Path) -> Self {
        let mut figures = Self::default();
        figures.learn(&std::fs::read_to_string(path).unwrap_or_default());
        figures
    }

    /// Takes up the governor's lines `BYTES FRUGAL-BYTES MILLISECONDS PATH`. A phase can write where they lie, so that
    /// others are passed over. What is measured now counts, whatever it was before.
    pub(crate) fn learn(&mut self, text: &str) {
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
                figure.frugal = frugal;
            }
            if milliseconds > 0 {
                figure.milliseconds = milliseconds;
            }
        }
    }

    /// The lines to keep.
    pub(crate) fn text(&self) -> String {
        self.lines(|bytes| bytes)
    }

    /// The lines that the governor gets: what is measured, then what the recipe knows, each with what a second compile
    /// may take more than the first.
    pub(crate) fn for_governor(&self, known: &[&Known]) -> String {
        let mut text = self.lines(expected);
        for Known { pattern, usual, frugal, .. } in known {
            let frugal = frugal.map_or(0, |frugal| expected(frugal.0));
            writeln!(text, "{} {frugal} 0 {pattern}", expected(usual.0)).expect("a String takes everything");
        }
        text
    }

    fn lines(&self, bytes: impl Fn(u64) -> u64) -> String {
        let mut text = String::new();
        for (path, Figure { usual, frugal, milliseconds }) in &self.0 {
            writeln!(text, "{} {} {milliseconds} {path}", bytes(*usual), bytes(*frugal))
                .expect("a String takes everything");
        }
        text
    }

    /// The file that is known to need more than this budget even with a frugal compiler; the largest, if several do.
    pub(crate) fn too_large(&self, known: &[&Known], budget: u64) -> Option<TooLarge> {
        // What was measured here is better than what the recipe knows of another machine.
        let measured = self.0.iter().map(|(path, figure)| (path.as_str(), figure.frugal));
        let of_recipe = known
            .iter()
            .filter(|known| !self.0.keys().any(|path| known.covers(path)))
            .map(|known| (known.pattern.as_str(), known.frugal.map_or(0, |frugal| frugal.0)));
        let (file, needed) = measured.chain(of_recipe).max_by_key(|(_, needed)| *needed)?;
        (needed > budget).then(|| TooLarge {
            file: file.to_owned(),
            needed,
            least: (needed + margin(needed)).div_ceil(256 * MIB) * 256 * MIB,
        })
    }
}

/// A file needs nearly the same every time; 0 stays unknown.
fn expected(measured: u64) -> u64 {
    if measured == 0 { 0 } else { measured + measured / 50 + 8 * MIB }
}

#[cfg(test)]
mod tests {
    use packaging::bytes::ByteSize;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn learned(text: &str) -> Figures {
        let mut figures = Figures::default();
        figures.learn(text);
        figures
    }

    fn known(pattern: &str, usual: u64, frugal: Option<u64>) -> Known {
        Known { phase: "build".into(), pattern: pattern.into(), usual: ByteSize(usual), frugal: frugal.map(ByteSize) }
    }

    #[test]
    fn the_last_measurement_counts_and_nonsense_does_not() {
        let figures = learned("100 0 7 /a b.cc\nhello\n1 2\n1 2 3 \n-5 0 0 /x\n0 60 9 /a b.cc\n90 0 8 /a b.cc\n");
        assert_eq!(figures.text(), "90 60 8 /a b.cc\n");
        assert_eq!(learned(&figures.text()), figures);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Figures::read(&folder.path().join("missing")), Figures::default());
    }

    #[test]
    fn the_governor_gets_what_was_measured_before_what_the_recipe_knows() {
        let text = learned("104857600 0 7 /a.cc\n").for_governor(&[&known("*/a.cc", 200 * MIB, None)]);
        let expected = |bytes: u64| bytes + bytes / 50 + 8 * MIB;
        assert_eq!(text, format!("{} 0 7 /a.cc\n{} 0 0 */a.cc\n", expected(100 * MIB), expected(200 * MIB)));
    }

    #[test]
    fn a_file_is_too_large_only_if_it_is_known_to_be() {
        let recipe = known("*/heavy.cc", 5 * GIB, Some(4 * GIB));
        let nothing = Figures::default();
        assert_eq!(nothing.too_large(&[&recipe], 4 * GIB), None);
        let found = nothing.too_large(&[&recipe], 3 * GIB).unwrap();
        assert_eq!((found.file.as_str(), found.needed, found.least), ("*/heavy.cc", 4 * GIB, 4 * GIB + 256 * MIB));
        // Measured here, it fits after all; the recipe's other files are still asked for.
        let measured = learned(&format!("{} {} 1 /src/heavy.cc\n", 5 * GIB, 2 * GIB));
        assert_eq!(measured.too_large(&[&recipe], 3 * GIB), None);
        assert_eq!(
            measured.too_large(&[&recipe, &known("*/b.cc", 9 * GIB, Some(8 * GIB))], 3 * GIB).unwrap().file,
            "*/b.cc"
        );
        // How much a frugal compiler takes is not known: it is tried.
        assert_eq!(learned(&format!("{} 0 1 /a.cc\n", 5 * GIB)).too_large(&[], GIB), None);
    }
}
