//! What a whole run of the tests found, before any quarantine: kept, shared with others as a verdict, and taken from them.
//!
//! No two runs print and take the same, so no builder confirms another one's bytes. What is required is that as many distinct
//! builders as are asked for ran the tests, and that none who is trusted found a failure that this machine's quarantine does not excuse.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use recipe::TestProgram;
use results::{Bundle, Key, Kind, Received, Taken, Taker};
use serde::{Deserialize, Serialize};
use statements::check::summary::ShardFigures;
use statements::check::verdict::{Judgement, TestRecord, judge};

use super::{CheckOptions, Checked, results::today, run_key};
use crate::error::Error;
use crate::inputs::Inputs;
use crate::options::Others;
use crate::records::{taken_in, write_json, write_taken};
use crate::stage::Stage;

/// The file that has them, here and in a result that is shared.
const FILE: &str = "verdict.json";

/// The form of the file. What a later version of this tool writes in another one is not for this version.
const FORM: u32 = 1;

/// Failing tests that are named where a verdict is not taken.
const NAMED: usize = 10;

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Findings {
    form: u32,
    /// Every test that the programs list, with all executions, in the order of the programs.
    tests: Vec<TestRecord>,
    /// What each shard took.
    shards: Vec<ShardFigures>,
    /// What the test programs said about the machine.
    notices: Vec<String>,
    /// Wall time of running the tests, in seconds.
    seconds: f64,
}

impl Findings {
    pub(super) fn new(tests: Vec<TestRecord>, shards: Vec<ShardFigures>, notices: Vec<String>, seconds: f64) -> Self {
        Self { form: FORM, tests, shards, notices, seconds }
    }

    /// The verdict under this machine's quarantine. `tests` is the digest of the phase that compiled them.
    pub(super) fn judged(self, inputs: &Inputs, key: Digest, tests: Digest) -> Checked {
        let plan = inputs.plan();
        Checked {
            key,
            tests,
            judgement: judge(self.tests, inputs.quarantine(), &plan.target().name, today()),
            shards: self.shards,
            notices: self.notices,
            seconds: self.seconds,
            judged_before: 0,
            taken: None,
            plan: plan.digest(),
        }
    }

    /// Keeps what this machine found, to be shared; nothing where the tests were compiled with what others made.
    pub(super) fn keep(&self, store: &Store, run: &Digest, compiled_with: &[Taken]) -> Result<(), Error> {
        forget(store, run)?;
        if compiled_with.is_empty() {
            let writer = store.begin(Kind::Verdict.name(), run)?;
            write_json(&writer.path().join(FILE), self)?;
            writer.commit()?;
        }
        Ok(())
    }

    /// Reads a file, which has to be about exactly these test programs; else what is wrong with it, as a part of a sentence.
    fn read(path: &Path, programs: &[TestProgram]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Form {
            form: u32,
        }
        let text = fs::read(path).map_err(|error| format!("{FILE} cannot be read: {error}"))?;
        let not_understood = |error| format!("{FILE} cannot be understood: {error}");
        let Form { form } = serde_json::from_slice(&text).map_err(not_understood)?;
        if form != FORM {
            return Err(format!("{FILE} has the form {form}, and this version of the tool reads the form {FORM}"));
        }
        let findings: Self = serde_json::from_slice(&text).map_err(not_understood)?;
        let wanted: BTreeSet<&str> = programs.iter().map(|program| program.name.as_str()).collect();
        let tested: BTreeSet<&str> = findings.tests.iter().map(|test| test.program.as_str()).collect();
        if let Some(missing) = wanted.difference(&tested).next() {
            return Err(format!("it has no test of {missing}, which the recipe names"));
        }
        if let Some(other) = tested.difference(&wanted).next() {
            return Err(format!("it has tests of '{other}', which the recipe does not name"));
        }
        match findings.tests.iter().find(|test| test.executions.is_empty()) {
            Some(test) => Err(format!("it does not say what became of {}:{}", test.program, test.test)),
            None => Ok(findings),
        }
    }
}

/// Forgets what a run found, here or elsewhere.
pub(super) fn forget(store: &Store, run: &Digest) -> Result<(), Error> {
    Ok(store.forget_stage(Kind::Verdict.name(), run)?)
}

/// What this machine has of the verdict on a run.
pub enum Kept {
    /// What it found by itself, as something to share.
    Own(Key, Bundle),
    /// What others found.
    OfOthers,
}

/// What this machine has of the verdict on a run with these options; none where there is none, or the recipe has no tests.
///
/// # Errors
/// It cannot be read.
pub fn kept(store: &Store, inputs: &Inputs, asked: &CheckOptions) -> Result<Option<Kept>, Error> {
    let Ok(run) = super::key(inputs, asked) else { return Ok(None) };
    let key = Key { kind: Kind::Verdict, inputs: run };
    let Some(stage) = store.stage(key.kind.name(), &run) else { return Ok(None) };
    Ok(Some(match taken_in(&stage)? {
        Some(_) => Kept::OfOthers,
        None => Kept::Own(key, Bundle::default().content(&stage.join(FILE), FILE)?),
    }))
}

/// The verdict of others: what was taken before, or what they state now, as it was asked for. None where the tests have to run here, or have
/// run here. What is wrong with a verdict or a place is told of, and leads to none.
///
/// # Errors
/// The store cannot be read or written, or a phase of the recipe cannot be planned.
pub fn of_others(
    store: &Store,
    others: &Others,
    inputs: &Inputs,
    asked: &CheckOptions,
    progress: &dyn Progress,
) -> Result<Option<Checked>, Error> {
    let recipe = inputs.recipe();
    let (Some((_, phase)), Some(check)) = (inputs.plan().check(recipe)?, &recipe.file.check) else { return Ok(None) };
    if !asked.is_whole() || asked.again {
        return Ok(None);
    }
    let key = Key { kind: Kind::Verdict, inputs: run_key(check, &phase.key, asked) };
    let weighing = Weighing { key, programs: &check.programs, inputs, tests: phase.key, progress };
    if let Some(stage) = store.stage(key.kind.name(), &key.inputs) {
        let Some(taken) = taken_in(&stage)? else { return Ok(None) };
        if others.accept(std::slice::from_ref(&taken))
            && let Some(checked) = weighing.sound(&stage, &taken)
        {
            progress.event(Event::StageCached { stage: "verdict of others".into(), key: key.inputs.to_string() });
            return Ok(Some(Checked { taken: Some(taken), ..checked }));
        }
        forget(store, &key.inputs)?;
    }
    match others.taker() {
        Some(taker) => weighing.take(store, taker),
        None => Ok(None),
    }
}

/// What verdicts of others are weighed by.
struct Weighing<'a> {
    key: Key,
    programs: &'a [TestProgram],
    inputs: &'a Inputs,
    /// Digest of the phase that compiles the tests.
    tests: Digest,
    progress: &'a dyn Progress,
}

impl Weighing<'_> {
    /// Asks for the verdicts of all who are trusted.
    fn take(&self, store: &Store, taker: &Taker) -> Result<Option<Checked>, Error> {
        let Self { key, progress, .. } = *self;
        let stage = Stage::start(progress, "verdict of others");
        let each = taker.each(store, &key, progress)?;
        let asked = each.len();
        let mut sound: Vec<(Checked, Received)> = Vec::new();
        let mut refused = false;
        for received in each {
            match self.judged(&received.content(), &received.taken) {
                Some(checked) if self.is_sound(&checked, &received.taken) => sound.push((checked, received)),
                Some(_) => refused = true,
                None => {}
            }
        }
        let enough = sound.len() >= taker.require() as usize;
        if !enough && !refused && asked > 0 {
            let text = format!("{key}: {} of {} keys that are required state a verdict", sound.len(), taker.require());
            progress.event(Event::Note { text });
        }
        let builders = sound.iter().flat_map(|(_, received)| received.taken.builders.clone()).collect();
        // The latest comes first.
        let taken = match sound.into_iter().next().filter(|_| enough && !refused) {
            None => None,
            Some((checked, received)) => {
                let taken = Taken { builders, ..received.taken.clone() };
                let writer = store.begin(key.kind.name(), &key.inputs)?;
                let (from, to) = (received.content().join(FILE), writer.path().join(FILE));
                fs::copy(&from, &to).map_err(Error::io("write", &to))?;
                write_taken(writer.path(), &taken)?;
                writer.commit()?;
                Some(Checked { taken: Some(taken), ..checked })
            }
        };
        stage.finish();
        Ok(taken)
    }

    /// The verdict in a folder, if nothing failed that is not excused.
    fn sound(&self, folder: &Path, taken: &Taken) -> Option<Checked> {
        self.judged(folder, taken).filter(|checked| self.is_sound(checked, taken))
    }

    /// The verdict in a folder; none where it cannot be used, which is told.
    fn judged(&self, folder: &Path, taken: &Taken) -> Option<Checked> {
        match Findings::read(&folder.join(FILE), self.programs) {
            Ok(findings) => Some(findings.judged(self.inputs, self.key.inputs, self.tests)),
            Err(why) => {
                let text = format!("{} of {} is not taken from {}: {why}", self.key, names(taken), taken.place);
                self.progress.event(Event::Warning { text });
                None
            }
        }
    }

    /// Whether no test failed that is not excused; else the builder and the tests are named. An entry of the quarantine that has expired is
    /// no fault of whoever ran the tests, and to run them here does not change it.
    fn is_sound(&self, checked: &Checked, taken: &Taken) -> bool {
        let Some(failed) = failed(&checked.judgement) else { return true };
        let text = format!(
            "{} of {} at {} is not sound, so none is taken and the tests run here: {failed}",
            self.key,
            names(taken),
            taken.place
        );
        self.progress.event(Event::Warning { text });
        false
    }
}

/// Who stated it.
fn names(taken: &Taken) -> String {
    taken.builders.iter().map(|by| format!("{} ({})", by.user_id, by.key)).collect::<Vec<_>>().join(" and ")
}

/// The tests that failed; none where none did that is not excused.
fn failed(judgement: &Judgement) -> Option<String> {
    let failures: Vec<String> = judgement
        .failures()
        .map(|test| {
            let how = test.note.as_deref().unwrap_or_default();
            format!("{}:{} ({how})", test.record.program, test.record.test)
        })
        .collect();
    let more = failures.len().saturating_sub(NAMED);
    let text = failures.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match (failures.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(text),
        (false, more) => Some(format!("{text} and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use statements::check::verdict::{Execution, TestOutcome};

    use super::*;

    fn program(name: &str) -> TestProgram {
        serde_json::from_value(serde_json::json!({ "name": name, "path": name })).unwrap()
    }

    fn findings() -> Findings {
        let execution = Execution { outcome: TestOutcome::Passed, seconds: 0.5, alone: false, output: "ü\n".into() };
        let test = |program: &str| TestRecord {
            program: program.into(),
            test: "A.b/0".into(),
            executions: vec![execution.clone()],
        };
        Findings::new(vec![test("one"), test("two")], Vec::new(), vec!["no perf".into()], 2.5)
    }

    #[test]
    fn what_is_read_is_what_was_found_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let programs = ["one", "two"].map(program);
        let read = |content: &[u8], programs: &[TestProgram]| {
            fs::write(&path, content).unwrap();
            Findings::read(&path, programs)
        };
        let good = serde_json::to_vec(&findings()).unwrap();
        assert_eq!(read(&good, &programs).unwrap(), findings());
        for length in [0, 1, good.len() / 2, good.len() - 1] {
            let why = read(&good[..length], &programs).unwrap_err();
            assert!(why.contains("cannot be understood"), "{length}: {why}");
        }
        let why = read(br#"{"form":2,"tests":"others"}"#, &programs).unwrap_err();
        assert!(why.contains("has the form 2, and this version of the tool reads the form 1"), "{why}");
        let why = read(&good, &["one", "two", "three"].map(program)).unwrap_err();
        assert!(why.contains("no test of three"), "{why}");
        // Names of programs become names of folders.
        let why = read(&good, &programs[..1]).unwrap_err();
        assert!(why.contains("tests of 'two', which the recipe does not name"), "{why}");
        let mut open = findings();
        open.tests[1].executions.clear();
        let why = read(&serde_json::to_vec(&open).unwrap(), &programs).unwrap_err();
        assert!(why.contains("what became of two:A.b/0"), "{why}");
    }
}
