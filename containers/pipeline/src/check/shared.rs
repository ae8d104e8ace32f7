//! The verdict on a whole run, as machines share it: what the run found is kept, offered to others, and taken from them.
//!
//! No two runs print and take the same, so no builder confirms another one's bytes. What is required is that as many distinct
//! builders as are asked for ran the tests, and that none who is trusted found a failure that this machine's quarantine does not excuse.

use std::fs;
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use recipe::TestProgram;
use results::{Bundle, Key, Kind, StatedBy, Taken, Taker};
use statements::check::findings::Findings;

use super::{CheckOptions, Checked, results::today, run_key};
use crate::error::Error;
use crate::inputs::Inputs;
use crate::options::Others;
use crate::records::{taken_in, write_json, write_taken};
use crate::stage::Stage;

/// The file that has them, here and in a result that is shared.
const FILE: &str = "verdict.json";

/// Failing tests that are named where a verdict is not taken.
const NAMED: usize = 10;

/// The verdict that follows from what a run found, under this machine's quarantine. `tests` is the digest of the phase that compiled them.
pub(super) fn judged(findings: Findings, inputs: &Inputs, key: Digest, tests: Digest) -> Checked {
    let plan = inputs.plan();
    Checked {
        key,
        tests,
        judgement: findings.judge(inputs.quarantine(), &plan.target().name, today()),
        shards: findings.shards,
        notices: findings.notices,
        seconds: findings.seconds,
        judged_before: 0,
        taken: None,
        plan: plan.digest(),
    }
}

/// Keeps what this machine found, to be shared; nothing where the tests were compiled with what others made.
pub(super) fn keep(store: &Store, run: &Digest, findings: &Findings, compiled_with: &[Taken]) -> Result<(), Error> {
    forget(store, run)?;
    if compiled_with.is_empty() {
        let writer = store.begin(Kind::Verdict.name(), run)?;
        write_json(&writer.path().join(FILE), findings)?;
        writer.commit()?;
    }
    Ok(())
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
        if others.accept(std::slice::from_ref(&taken)) {
            let of = |by: &StatedBy| Taken { builders: vec![by.clone()], ..taken.clone() };
            let each: Vec<_> = taken.builders.iter().map(|by| (stage.join(&by.key), of(by))).collect();
            let sound = weighing.sound(&each).filter(|sound| sound.len() == each.len());
            if let Some((checked, _)) = sound.into_iter().flatten().next() {
                progress.event(Event::StageCached { stage: "verdict of others".into(), key: key.inputs.to_string() });
                return Ok(Some(Checked { taken: Some(taken), ..checked }));
            }
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
    /// Asks for the verdicts of all who are trusted. All that count are kept: they are weighed again by a later quarantine.
    fn take(&self, store: &Store, taker: &Taker) -> Result<Option<Checked>, Error> {
        let Self { key, progress, .. } = *self;
        let stage = Stage::start(progress, "verdict of others");
        let received = taker.each(store, &key, progress)?;
        let each: Vec<_> = received.iter().map(|one| (one.content(), one.taken.clone())).collect();
        let sound = self.sound(&each);
        stage.finish();
        let Some(sound) = sound else { return Ok(None) };
        if sound.len() < taker.require() as usize {
            if !each.is_empty() {
                let (some, all) = (sound.len(), taker.require());
                let text = format!("{key}: {some} of {all} keys that are required state a verdict");
                progress.event(Event::Note { text });
            }
            return Ok(None);
        }
        let writer = store.begin(key.kind.name(), &key.inputs)?;
        let mut builders = Vec::new();
        for (_, (content, taken)) in &sound {
            let folder = writer.path().join(&taken.builders[0].key);
            fs::create_dir(&folder).map_err(Error::io("make the folder", &folder))?;
            fs::copy(content.join(FILE), folder.join(FILE)).map_err(Error::io("write into", &folder))?;
            builders.extend(taken.builders.clone());
        }
        // The latest comes first.
        let Some((checked, (_, taken))) = sound.into_iter().next() else { return Ok(None) };
        let taken = Taken { builders, ..taken.clone() };
        write_taken(writer.path(), &taken)?;
        writer.commit()?;
        Ok(Some(Checked { taken: Some(taken), ..checked }))
    }

    /// Those of these verdicts, in folders, that can be used, each by one builder; none at all where a test failed in one of them that
    /// is not excused. An entry of the quarantine that has expired is no fault of whoever ran the tests, and to run them here does not change it.
    fn sound<'e>(&self, each: &'e [(PathBuf, Taken)]) -> Option<Vec<(Checked, &'e (PathBuf, Taken))>> {
        let (mut sound, mut refused) = (Vec::new(), false);
        for one in each {
            let (folder, taken) = one;
            let Some(checked) = self.judged(folder, taken) else { continue };
            match checked.judgement.named_failures(NAMED) {
                None => sound.push((checked, one)),
                Some(failed) => {
                    refused = true;
                    let text = format!(
                        "{} of {} at {} is not sound, so none is taken and the tests run here: {failed}",
                        self.key,
                        name(taken),
                        taken.place
                    );
                    self.progress.event(Event::Warning { text });
                }
            }
        }
        (!refused).then_some(sound)
    }

    /// The verdict in a folder; none where it cannot be used, which is told.
    fn judged(&self, folder: &Path, taken: &Taken) -> Option<Checked> {
        let programs: Vec<&str> = self.programs.iter().map(|program| program.name.as_str()).collect();
        let text = fs::read(folder.join(FILE)).map_err(|error| format!("{FILE} cannot be read: {error}"));
        match text.and_then(|text| Findings::read(&text, &programs)) {
            Ok(findings) => Some(judged(findings, self.inputs, self.key.inputs, self.tests)),
            Err(why) => {
                let text = format!("{} of {} is not taken from {}: {why}", self.key, name(taken), taken.place);
                self.progress.event(Event::Warning { text });
                None
            }
        }
    }
}

/// Who stated it.
fn name(taken: &Taken) -> String {
    let by = &taken.builders[0];
    format!("{} ({})", by.user_id, by.key)
}
