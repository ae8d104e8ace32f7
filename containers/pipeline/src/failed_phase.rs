//! A phase that failed: what helps to understand why is kept below `failed/` of the cache, and its volume in the engine, until
//! the phase is run again.
//!
//! ```text
//! failed/PHASE-KEY.log         the log
//! failed/PHASE-KEY/            what it left in its volume: config.log of the folder that failed, and the like
//! failed/PHASE-KEY/phase.json  what it ran with
//! ```

use std::path::{Path, PathBuf};

use engine::volume;
use foundation::date;
use foundation::digest::Digest;
use foundation::store::Store;
use phases::first_error::FirstError;
use phases::record::PhaseRecord;
use phases::surroundings::Surroundings;
use recipe::plan::PlannedPhase;
use recipe::target::TargetName;
use serde::{Deserialize, Serialize};

use crate::builder::Builder;
use crate::error::Error;
use crate::evidence::Evidence;
use crate::records::{failures, keep_log, read_json, write_json};

/// In the folder of a failed phase: this value.
const RECORD: &str = "phase.json";

/// A phase that failed, and what it ran with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FailedPhase {
    /// The recipe, by the name that tells it from others with the same packages.
    pub recipe: String,
    /// The target that it was built for.
    pub target: TargetName,
    /// Name of the phase, such as `build`.
    pub phase: String,
    /// Digest of everything that the phase depends on.
    pub key: Digest,
    /// When it failed, as a Unix time in seconds.
    pub failed: i64,
    /// Root, volume, environment, user and limits; the volume is as the phase left it.
    pub surroundings: Surroundings,
}

impl FailedPhase {
    /// All failed phases that are on record in a store, the latest first.
    pub fn all(store: &Store) -> Vec<Self> {
        let folders = std::fs::read_dir(failures(store)).into_iter().flatten().flatten();
        let mut found: Vec<Self> = folders.filter_map(|entry| read_json(&entry.path().join(RECORD)).ok()).collect();
        found.sort_by_key(|failed| std::cmp::Reverse(failed.failed));
        found
    }

    /// The failed phase of this name, or of any; the latest, if there are several.
    ///
    /// # Errors
    /// No such phase is on record. The error has the names of those that are.
    pub fn find(store: &Store, phase: Option<&str>) -> Result<Self, Error> {
        let all = Self::all(store);
        let mut names: Vec<String> = all.iter().map(|failed| failed.phase.clone()).collect();
        names.sort();
        names.dedup();
        let wanted = |failed: &Self| phase.is_none_or(|phase| phase == failed.phase);
        all.into_iter()
            .find(wanted)
            .ok_or_else(|| Error::NoFailedPhase { phase: phase.map(str::to_owned), known: names.join(", ") })
    }

    fn folder(store: &Store, phase: &str, key: &Digest) -> PathBuf {
        failures(store).join(format!("{phase}-{}", key.short()))
    }
}

/// Forgets everything that is kept of failed phases in a store; their volumes go with its others.
pub(crate) fn forget_all(store: &Store) -> Result<(), Error> {
    let folder = failures(store);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// Forgets earlier failures of a phase that is run now, whatever they depended on, and removes their volumes, which may
/// be gigabytes.
///
/// # Errors
/// The engine cannot remove a volume, or a folder of the store cannot be removed.
pub async fn forget(builder: &Builder<'_>, phase: &PlannedPhase) -> Result<(), Error> {
    let (plan, recipe) = (builder.inputs.plan(), builder.inputs.recipe().handle());
    for failed in FailedPhase::all(builder.store) {
        if failed.recipe == recipe && failed.target == plan.target().name && failed.phase == phase.name {
            volume::remove(builder.engine, &failed.surroundings.volume).await?;
            let folder = FailedPhase::folder(builder.store, &failed.phase, &failed.key);
            std::fs::remove_dir_all(&folder).map_err(Error::io("remove", folder))?;
        }
    }
    Ok(())
}

/// What was kept of a failed phase, and where.
pub struct Kept {
    log: PathBuf,
    folder: PathBuf,
    evidence: Evidence,
}

/// Keeps what helps to understand why a phase failed that ran for so many seconds: its log, files from its volume, and
/// what it ran with.
///
/// # Errors
/// The store cannot be written. That the volume cannot be looked into is no error: less is kept then.
pub async fn keep(
    builder: &Builder<'_>,
    phase: &PlannedPhase,
    surroundings: &Surroundings,
    seconds: f64,
    log: &Path,
) -> Result<Kept, Error> {
    let Builder { engine, store, inputs, .. } = *builder;
    let log = keep_log(store, &phase.name, &phase.key, log);
    let folder = FailedPhase::folder(store, &phase.name, &phase.key);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
    let evidence = Evidence::find(engine, &surroundings.image, &surroundings.volume, seconds).await;
    evidence.keep(&folder).map_err(Error::io("write to", &folder))?;
    let failed = FailedPhase {
        recipe: inputs.recipe().handle().to_owned(),
        target: inputs.plan().target().name.clone(),
        phase: phase.name.clone(),
        key: phase.key,
        failed: date::now(),
        surroundings: surroundings.clone(),
    };
    write_json(&folder.join(RECORD), &failed)?;
    Ok(Kept { log, folder, evidence })
}

impl Kept {
    /// The error of a phase whose script failed: with the exit status, the lines of the log that matter, and where all
    /// is kept.
    pub fn error(self, record: &PhaseRecord) -> Error {
        failed(&record.name, record.exit, self.log, Some((self.folder, &self.evidence)))
    }
}

/// The error of a script that ended with this status: with the first error of its log, the last lines, and what was kept of it in
/// which folder.
pub(crate) fn failed(phase: &str, exit: i64, log: PathBuf, kept: Option<(PathBuf, &Evidence)>) -> Error {
    const LAST: usize = 15;
    let text = std::fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    Error::Phase {
        phase: phase.to_owned(),
        exit,
        first: FirstError::find(&lines, LAST),
        tail: lines[lines.len().saturating_sub(LAST)..].join("\n"),
        more: kept.as_ref().map_or_else(String::new, |(_, evidence)| evidence.shown()),
        log,
        kept: kept.map(|(folder, _)| folder),
    }
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

    /// As somebody reads it who has only the error.
    #[test]
    fn the_first_error_is_shown_even_when_much_follows() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let noise = "libtool: compile:  c++ -Werror -c error.cpp -o error.o\n".repeat(100);
        let make = "make: *** [Makefile:1: all] Error 1";
        let mut bytes = format!("ok\nmain.cc:3:1: error: no\n{noise}{make}\n").into_bytes();
        // A log need not be UTF-8.
        bytes.extend(b"\xff\n");
        std::fs::write(log.path(), bytes).unwrap();
        let said = failed("build", 2, log.path().to_owned(), None).to_string();
        let begin = format!(
            "the phase build failed with exit status 2. The first error, line 2 of {}:\nok\nmain.cc:3:1: error: no",
            log.path().display()
        );
        assert!(said.starts_with(&begin) && said.ends_with(&format!("{make}\n\u{fffd}")), "{said}");
        assert!(said.contains("\nIts last lines:\n") && said.lines().count() < 40, "{said}");
        std::fs::write(log.path(), format!("{make}\n")).unwrap();
        let said = failed("build", 2, log.path().to_owned(), None).to_string();
        assert_eq!(said, format!("the phase build failed with exit status 2. Its last lines:\n{make}"));
    }
}
