//! Who compiled what in a phase.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the workers of a compile farm compiled, and what was left to the build itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shares {
    /// The addresses of the workers that compile with this build root.
    pub workers: Vec<String>,
    /// How many files the workers compiled.
    pub compiled_by_workers: usize,
    /// The files that were compiled in the build's own container, sorted.
    pub compiled_here: Vec<String>,
}

impl Shares {
    /// Reads lines `worker FILE` and `here FILE`, as `assets/farm/compile` writes them.
    pub fn read(text: &str, workers: Vec<String>) -> Self {
        let mut compiled_here: Vec<String> =
            text.lines().filter_map(|line| line.strip_prefix("here ")).map(str::to_owned).collect();
        compiled_here.sort();
        let compiled_by_workers = text.lines().filter(|line| line.starts_with("worker ")).count();
        Self { workers, compiled_by_workers, compiled_here }
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        let here = &self.compiled_here;
        write!(f, "{} files compiled by workers, {} here", self.compiled_by_workers, here.len())?;
        if !here.is_empty() {
            write!(f, ": {}", here[..here.len().min(SHOWN)].join(", "))?;
        }
        if here.len() > SHOWN {
            write!(f, " and {} more", here.len() - SHOWN)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_compiled_what() {
        let said = |text: &str| Shares::read(text, Vec::new()).to_string();
        assert_eq!(said("worker a.c\nworker b.c\n"), "2 files compiled by workers, 0 here");
        assert_eq!(said("here z.c\nworker b.c\n"), "1 files compiled by workers, 1 here: z.c");
        let many: String = (0..7).rev().map(|i| format!("here {i}.c\n")).collect();
        assert!(said(&many).ends_with("7 here: 0.c, 1.c, 2.c, 3.c, 4.c and 2 more"), "{}", said(&many));
    }
}
