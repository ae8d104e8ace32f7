//! The verdict on a whole run, as machines share it: what the run found is kept, offered to others, and taken from them.
//!
//! No two runs print and take the same, so no builder confirms another one's bytes. What is required is that as many distinct
//! builders as are asked for ran the tests, and that none who is trusted found a failure that this machine's quarantine does not excuse.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use recipe::TestProgram;
use results::take::Latest;
use results::{Bundle, Key, Kind, Taken};
use statements::check::findings::Findings;

use super::{CheckOptions, Checked, results::today, run_key};
use crate::error::Error;
use crate::inputs::Inputs;
use crate::options::Others;
use crate::records::{taken_in, write_json, write_taken};
use foundation::stage::Stage;

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

/// Whether a verdict of others is in what was taken.
pub fn is_of_others(taken: &[Taken]) -> bool {
    taken.iter().any(|one| one.stage == Kind::Verdict.name())
}

/// The verdict of others: what they state now, where anybody is asked, and what was taken before, as far as it counts and they state
/// nothing else. None where the tests have to run here, or have run here. What is wrong with a verdict or a place is told of, and leads to none.
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
    let mut kept = Vec::new();
    if let Some(stage) = store.stage(key.kind.name(), &key.inputs) {
        let Some(taken) = taken_in(&stage)? else { return Ok(None) };
        if others.taker().is_some() || others.accept(std::slice::from_ref(&taken), progress) {
            for by in taken.builders.iter().filter(|by| others.counts(by)) {
                let folder = stage.join(&by.key);
                kept.extend(taken_in(&folder)?.map(|taken| (folder, taken)));
            }
        }
    }
    weighing.weigh(store, others, kept)
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
    /// Asks for the verdicts of all who are trusted, and weighs them with those that are kept. All that count are kept: they are weighed
    /// again by a later quarantine, and with what somebody states later.
    fn weigh(&self, store: &Store, others: &Others, mut kept: Vec<(PathBuf, Taken)>) -> Result<Option<Checked>, Error> {
        let Self { key, progress, .. } = *self;
        let stage = others.taker().map(|_| Stage::start(progress, "verdict of others"));
        let known: BTreeSet<Digest> = kept.iter().map(|(_, taken)| taken.builders[0].statement).collect();
        let said = others.taker().map(|taker| taker.each(store, &key, &known, progress)).transpose()?;
        let said = said.unwrap_or_default();
        // The latest comes first; of whom nothing is heard now, what was heard before goes on counting.
        let mut each = Vec::new();
        for one in &said {
            let before = kept.iter().position(|(_, taken)| taken.builders[0].key == one.by.key).map(|i| kept.remove(i));
            match &one.what {
                Some(Latest::Known) => each.extend(before),
                Some(Latest::New(received)) => each.push((received.content(), received.taken.clone())),
                None => {}
            }
        }
        each.append(&mut kept);
        let sound = self.sound(&each);
        if let Some(stage) = stage {
            stage.finish();
        }
        let (some, least) = (sound.as_ref().map(Vec::len), others.required() as usize);
        if some.is_some_and(|some| some < least) && !each.is_empty() {
            let text = format!("{key}: {} of {least} keys that are required state a verdict", some.unwrap_or(0));
            progress.event(Event::Note { text });
        }
        // What somebody says now goes before what was heard earlier, also where it is not enough.
        if sound.is_none() || !said.is_empty() && some < Some(least) {
            forget(store, &key.inputs)?;
        }
        let sound = sound.filter(|sound| sound.len() >= least).unwrap_or_default();
        let builders: Vec<_> = sound.iter().flat_map(|(_, (_, taken))| taken.builders.clone()).collect();
        let Some((_, (_, first))) = sound.first() else { return Ok(None) };
        let taken = Taken { builders, ..first.clone() };
        if taken.builders.iter().map(|by| by.statement).collect::<BTreeSet<_>>() == known {
            progress.event(Event::StageCached { stage: "verdict of others".into(), key: key.inputs.to_string() });
        } else {
            let writer = store.begin(key.kind.name(), &key.inputs)?;
            for (_, (content, taken)) in &sound {
                let folder = writer.path().join(&taken.builders[0].key);
                fs::create_dir(&folder).map_err(Error::io("make the folder", &folder))?;
                fs::copy(content.join(FILE), folder.join(FILE)).map_err(Error::io("write into", &folder))?;
                write_taken(&folder, taken)?;
            }
            write_taken(writer.path(), &taken)?;
            // What is kept was copied by now.
            forget(store, &key.inputs)?;
            writer.commit()?;
        }
        Ok(sound.into_iter().next().map(|(checked, _)| Checked { taken: Some(taken), ..checked }))
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
