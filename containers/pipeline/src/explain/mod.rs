//! Why a stage is run again: which of its inputs is another than the last time, without asking the engine.

mod history;
mod ingredients;

use foundation::store::Store;
use recipe::plan::Plan;
use recipe::target::TargetName;
use schemars::JsonSchema;
use serde::Serialize;

pub use history::{LastRun, packed, ran};
pub use ingredients::{BUILD_ROOT, Ingredient, Kind, PACKAGES, StageInputs};

use crate::error::Error;
use crate::failed_phase::FailedPhase;
use crate::inputs::Inputs;
use ingredients::{check_stages, stages};

/// What the next run does, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// The recipe.
    pub recipe: String,
    /// The target.
    pub target: TargetName,
    /// The stages in the order in which they run, or the one that was asked for.
    pub stages: Vec<Explained>,
}

impl Explanation {
    /// Whether nothing is run again.
    pub fn is_kept(&self) -> bool {
        self.stages.iter().all(|stage| stage.why == Why::Kept)
    }

    /// Whether none of the stages has ever run here.
    pub fn is_new(&self) -> bool {
        self.stages.iter().all(|stage| stage.last_run.is_none() && stage.why != Why::Kept)
    }
}

/// A stage, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Explained {
    /// Its name: `build root`, that of a phase, or `packages`.
    pub stage: String,
    /// Why it is run again, or that it is kept.
    pub why: Why,
    /// The stage that it is run again for; null where it is run for its own sake, or kept.
    pub because_of: Option<String>,
    /// When it ran last, as a Unix time in seconds; null where that is not on record.
    pub last_run: Option<i64>,
    /// Its inputs that are others than then. What a stage before it has told already is not told again.
    pub changes: Vec<Change>,
}

/// Why a stage is run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It is not: its result is there.
    Kept,
    /// An input of its own is another.
    Changed,
    /// A stage before it is run again, or was run since.
    Follows,
    /// It has not run here before.
    New,
    /// It failed the last time, with the very inputs of now.
    Failed,
    /// Nothing has changed, and its result is not in the cache any more: `cargo xtask clean` removes results.
    Gone,
}

/// An input that is another than the last time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// What kind of input it is.
    pub kind: Kind,
    /// Which one.
    pub name: String,
    /// What it was: a version or a text, or the digest where there is nothing to read; null where it was not there.
    pub old: Option<String>,
    /// What it is now; null where it is not there any more.
    pub new: Option<String>,
}

/// Says why the stages of a plan are run again, or one of them.
///
/// # Errors
/// There is no such stage, or a file of the recipe cannot be read.
pub fn explain(store: &Store, inputs: &Inputs, stage: Option<&str>) -> Result<Explanation, Error> {
    let main = stages(inputs);
    let check = check_stages(inputs)?;
    let names = || main.iter().chain(check.iter().filter_map(|stages| stages.last())).map(|stage| stage.name.clone());
    if let Some(asked) = stage.filter(|asked| !names().any(|name| name == *asked)) {
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(Error::NoStage { stage: asked.to_owned(), recipe: inputs.recipe().handle().to_owned(), known });
    }
    // Upstream's tests are no part of the way to the packages.
    let of_check = stage.is_some_and(|asked| !main.iter().any(|stage| stage.name == asked));
    let stages = check.filter(|_| of_check).unwrap_or(main);
    let mut explained = Cache { store, plan: inputs.plan() }.explain(&stages);
    explained.retain(|one| stage.is_none_or(|asked| asked == one.stage));
    Ok(Explanation {
        recipe: inputs.recipe().handle().to_owned(),
        target: inputs.plan().target().name.clone(),
        stages: explained,
    })
}

/// What is known of earlier runs.
struct Cache<'a> {
    store: &'a Store,
    plan: &'a Plan,
}

impl Cache<'_> {
    fn explain(&self, stages: &[StageInputs]) -> Vec<Explained> {
        let kept = self.kept(stages);
        let mut told: Vec<Change> = Vec::new();
        let mut explained: Vec<Explained> = Vec::new();
        for (nth, stage) in stages.iter().enumerate() {
            let last = self.last_run(stages, nth);
            let mut one = Explained {
                stage: stage.name.clone(),
                why: Why::Kept,
                because_of: None,
                last_run: last.as_ref().map(|last| last.ended),
                changes: Vec::new(),
            };
            if nth >= kept {
                let (changes, first) = last.as_ref().map(|last| changes(last, &stages[..=nth])).unwrap_or_default();
                one.changes = changes.into_iter().filter(|change| !told.contains(change)).collect();
                let before = explained.iter().find(|before| before.why != Why::Kept).map(|before| before.stage.clone());
                let before = before.or(first.filter(|first| *first != stage.name));
                (one.why, one.because_of) = match &last {
                    _ if self.failed(stage) => (Why::Failed, None),
                    None => (Why::New, None),
                    Some(_) if !one.changes.is_empty() => (Why::Changed, None),
                    Some(_) if before.is_some() => (Why::Follows, before),
                    Some(_) => (Why::Gone, None),
                };
                told.extend(one.changes.iter().cloned());
            }
            explained.push(one);
        }
        explained
    }

    /// How many stages from the first one on are kept: later ones do not need what comes before them.
    fn kept(&self, stages: &[StageInputs]) -> usize {
        let has = |kind, stage: &StageInputs| self.store.stage(kind, &stage.key).is_some();
        let mut phases = stages.len();
        if let Some(packages) = stages.last().filter(|last| last.name == PACKAGES) {
            phases -= 1;
            if has("packages", packages) {
                return stages.len();
            }
            // The staged tree is what packages are made from.
            if has("staged", &stages[phases - 1]) {
                return phases;
            }
        }
        // The volumes of a phase's earlier results are removed once a later one is there.
        let is_newest = |nth: usize| {
            self.last_run(stages, nth)
                .is_none_or(|last| last.stages.last().is_some_and(|last| last.key == stages[nth].key))
        };
        let on_record = stages[1..phases].iter().take_while(|phase| has("phase", phase)).count();
        let finished = (1..=on_record).rev().find(|nth| is_newest(*nth));
        finished.map_or_else(|| usize::from(has("build-root", &stages[0])), |nth| nth + 1)
    }

    /// What is on record of a stage. The build root is on record with the phases that were run in it.
    fn last_run(&self, stages: &[StageInputs], nth: usize) -> Option<LastRun> {
        if nth > 0 {
            return LastRun::read(self.store, self.plan, &stages[nth].name);
        }
        let mut last = LastRun::read(self.store, self.plan, &stages.get(1)?.name)?;
        last.stages.truncate(1);
        Some(last)
    }

    fn failed(&self, stage: &StageInputs) -> bool {
        FailedPhase::all(self.store).iter().any(|failed| failed.key == stage.key)
    }
}

/// What is another than when the last of these stages ran, and the first stage that it belongs to.
fn changes(last: &LastRun, stages: &[StageInputs]) -> (Vec<Change>, Option<String>) {
    let mut all: Vec<Change> = Vec::new();
    let mut first = None;
    let mut found = |stage: &str, change: Change| {
        first.get_or_insert_with(|| stage.to_owned());
        // Every phase has the same variables.
        if !all.contains(&change) {
            all.push(change);
        }
    };
    let stage_change = |name: &str, old: bool, new: bool| Change {
        kind: Kind::Stage,
        name: name.to_owned(),
        old: old.then(|| name.to_owned()),
        new: new.then(|| name.to_owned()),
    };
    for now in stages {
        match last.stages.iter().find(|then| then.name == now.name) {
            Some(then) => in_stage(then, now).into_iter().for_each(|change| found(&now.name, change)),
            None => found(&now.name, stage_change(&now.name, false, true)),
        }
    }
    for then in last.stages.iter().filter(|then| !stages.iter().any(|now| now.name == then.name)) {
        found(&then.name, stage_change(&then.name, true, false));
    }
    (all, first)
}

/// What is another in one stage.
fn in_stage(then: &StageInputs, now: &StageInputs) -> Vec<Change> {
    let same = |one: &Ingredient, other: &Ingredient| (one.kind, &one.name) == (other.kind, &other.name);
    let change = |old: Option<&Ingredient>, new: Option<&Ingredient>| {
        let named = old.or(new).expect("one of the two is there");
        // A digest says something only where all that can be read is the same.
        let readable = old.map(|old| &old.value) != new.map(|new| &new.value);
        let shown = |one: &Ingredient| match one.sha256 {
            Some(digest) if !readable || one.value.is_empty() => digest.to_string(),
            _ => one.value.clone(),
        };
        Change { kind: named.kind, name: named.name.clone(), old: old.map(shown), new: new.map(shown) }
    };
    let mut all = Vec::new();
    for new in &now.inputs {
        match then.inputs.iter().find(|old| same(old, new)) {
            Some(old) if old == new => {}
            old => all.push(change(old, Some(new))),
        }
    }
    let gone = then.inputs.iter().filter(|old| !now.inputs.iter().any(|new| same(old, new)));
    all.extend(gone.map(|old| change(Some(old), None)));
    all
}

#[cfg(test)]
mod tests;
