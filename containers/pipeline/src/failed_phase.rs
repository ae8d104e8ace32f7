//! What helps to understand why a phase failed.

use std::path::Path;

use engine::transfer;
use phases::record::PhaseRecord;
use recipe::plan::PlannedPhase;

use crate::builder::Builder;
use crate::error::Error;
use crate::records::keep_log;

/// The error of a script that failed, with what helps to understand it.
pub async fn failed(
    builder: &Builder<'_>,
    phase: &PlannedPhase,
    volume: &str,
    record: &PhaseRecord,
    log: &Path,
) -> Error {
    let kept = keep_log(builder.store, &phase.name, &phase.key, log);
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let config_log = if lines.iter().rev().take(20).any(|line| line.contains("config.log")) {
        config_log(builder, volume).await
    } else {
        String::new()
    };
    Error::Phase {
        phase: phase.name.clone(),
        exit: record.exit,
        tail: relevant_lines(&lines).join("\n"),
        more: config_log,
        log: kept,
    }
}

/// The test that made configure stop, from config.log.
async fn config_log(builder: &Builder<'_>, volume: &str) -> String {
    let Ok(folder) = tempfile::tempdir() else { return String::new() };
    let found =
        transfer::download(builder.engine, &builder.root.image, volume, "/build/work/config.log", folder.path()).await;
    let Ok(text) = std::fs::read(folder.path().join("config.log")) else { return String::new() };
    if !matches!(found, Ok(true)) {
        return String::new();
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let end = lines
        .iter()
        .rposition(|line| line.starts_with("configure:") && line.contains("error:"))
        .unwrap_or(lines.len().saturating_sub(1));
    let excerpt: Vec<&str> = lines[end.saturating_sub(60)..=end.min(lines.len().saturating_sub(1))]
        .iter()
        .filter(|line| !line.starts_with("| #define"))
        .copied()
        .collect();
    format!("\nFrom config.log:\n{}", excerpt.join("\n"))
}

/// The lines around the first compile error, where there is one, then the last lines.
fn relevant_lines<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    const BEFORE: usize = 2;
    const AFTER: usize = 12;
    const LAST: usize = 15;
    let last = lines.len().saturating_sub(LAST);
    let error = lines.iter().position(|line| line.contains(": error:") || line.contains(": fatal error:"));
    let mut relevant = Vec::new();
    if let Some(at) = error.filter(|at| *at + AFTER < last) {
        relevant.extend(&lines[at.saturating_sub(BEFORE)..at + AFTER]);
        relevant.push("[…]");
    }
    relevant.extend(&lines[last..]);
    relevant
}

/// The source file that a compiler's command line is about.
pub fn compiled_file(line: &str) -> Option<String> {
    if !line.contains(" -c ") {
        return None;
    }
    let source = |word: &&str| [".c", ".cc", ".cpp", ".cxx"].iter().any(|end| word.ends_with(end));
    line.split_whitespace().rev().find(source).map(|word| {
        let word = word.rsplit('`').next().unwrap_or(word);
        word.trim_start_matches("/build/source/").trim_matches('\'').to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_of_a_compile_line() {
        let line = "libtool: compile:  c++ -DX -c /build/source/src/master/master.cpp  -fPIC -o .libs/master.o";
        assert_eq!(compiled_file(line).as_deref(), Some("src/master/master.cpp"));
        assert_eq!(compiled_file("make[2]: Entering directory '/build/work'"), None);
    }

    #[test]
    fn the_first_error_is_shown_even_when_much_follows() {
        let mut lines = vec!["ok"; 5];
        lines.push("main.cc:3:1: error: no");
        lines.extend(vec!["noise"; 100]);
        lines.push("make: *** [Makefile:1: all] Error 1");
        let shown = relevant_lines(&lines).join("\n");
        assert!(shown.contains("main.cc:3:1: error: no") && shown.ends_with("Error 1"), "{shown}");
        assert!(shown.lines().count() < 40, "{shown}");
    }
}
