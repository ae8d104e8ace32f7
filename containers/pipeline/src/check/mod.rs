//! Upstream's test suite, run against the very objects that are packaged.
//!
//! The programs are compiled in a phase of their own, on a copy of what the phase before left; packages
//! never wait for it unless that is asked for. Their tests run in shards. What a shard found is kept like
//! any other stage's result, so a run that is killed goes on with the shards not yet judged. The
//! quarantine is applied afterwards: editing it runs nothing again. What a whole run found is shared with others.

mod listing;
mod results;
mod shared;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use engine::Engine;
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use futures_util::{StreamExt, stream};
use listing::{Listing, list, program_path};
use phases::shard::split::{Shard, split};
use phases::shard::{self, RootRoom, ShardEvent, ShardRecord, ShardSpec, TEAR_DOWN, TestRoom};
use phases::usage;
use recipe::Check;
use recipe::quarantine::Quarantine;
use serde::{Deserialize, Serialize};
use statements::check::findings::Findings;
use statements::check::summary::ShardFigures;
use statements::check::verdict::{CURABLE_AFTER, Execution, Judgement, TestOutcome, TestRecord};

use ::results::Taken;
pub use results::{log_path, results_beside, write, write_folder};
pub use shared::{Kept, is_of_others, kept, of_others};

use crate::builder::Builder;
use crate::error::Error;
use crate::inputs::{Inputs, gather};
use crate::options::{BuildOptions, Job};
use crate::records::{read_json, write_json};
use crate::root::build_root;
use foundation::stage::Stage;

/// Which tests are asked for, and how they are run.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Only these tests, in googletest's filter syntax; none means all.
    pub filter: Option<String>,
    /// Whether the tests that need root are run as well.
    pub root: bool,
    /// Whether the tests run as upstream's `make check` runs them: each program as a whole, one after the other,
    /// nothing twice.
    pub serial: bool,
    /// Whether what was judged before is judged again.
    pub again: bool,
    /// How many shards run at once; none means what memory and the recipe allow.
    pub at_once: Option<u32>,
}

impl CheckOptions {
    /// Whether the whole suite is asked for, as it decides about packages: a part of it says nothing about them.
    pub fn is_whole(&self) -> bool {
        self.filter.is_none() && !self.serial
    }
}

/// The verdict on upstream's tests, and what it rests on.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Digest of the compiled tests and of how they were run.
    pub key: Digest,
    /// Digest of the phase that compiled them.
    pub tests: Digest,
    /// The verdict on each test.
    pub judgement: Judgement,
    /// What each shard took.
    pub shards: Vec<ShardFigures>,
    /// What the test programs said about the machine: why they leave tests out.
    pub notices: Vec<String>,
    /// Wall time of running the tests in this run, or in that of others, in seconds.
    pub seconds: f64,
    /// How many shards an earlier run had judged.
    pub judged_before: usize,
    /// From whom it was taken, where the tests did not run here.
    pub taken: Option<Taken>,
    /// The plan whose objects were tested.
    plan: Digest,
}

impl Checked {
    /// Digest of the plan whose objects were tested.
    pub fn plan(&self) -> Digest {
        self.plan
    }
}

/// Compiles and runs upstream's tests, or takes the verdict of others. The engine is looked for when something has to run in it,
/// and not before. The caller holds the store's lock.
///
/// # Errors
/// The recipe has no tests, a phase before them fails, or the engine does not do its part. Tests that fail are no error.
pub async fn check(
    find_engine: impl AsyncFnOnce() -> Result<Engine, Error>,
    job: Job<'_>,
    asked: &CheckOptions,
) -> Result<Checked, Error> {
    let Job { store, options, build, progress } = job;
    let inputs = tokio::task::block_in_place(|| gather(store, options, progress))?;
    let verdict = || of_others(store, &build.others, &inputs, asked, progress);
    if let Some(checked) = tokio::task::block_in_place(verdict)? {
        return Ok(checked);
    }
    let engine = find_engine().await?;
    let root = build_root(&engine, store, options, &inputs, progress).await?;
    run(&Builder::new(job, &engine, &inputs, &root), asked).await
}

/// Does what [`check`] does, within a run that has made the first stages already.
///
/// # Errors
/// The recipe has no tests, a phase before them fails, or the engine does not do its part. Tests that fail are no
/// error.
pub async fn run(builder: &Builder<'_>, asked: &CheckOptions) -> Result<Checked, Error> {
    let Builder { store, inputs, .. } = *builder;
    let recipe = inputs.recipe();
    let (Some((before, phase)), Some(check)) = (inputs.plan().check(recipe)?, &recipe.file.check) else {
        return Err(Error::NoCheck { recipe: recipe.name().to_owned() });
    };
    let mut phases: Vec<_> = inputs.plan().phases()[..before].iter().collect();
    phases.push(&phase);
    let key = run_key(check, &phase.key, asked);
    // What was found of tests whose objects are not to be used says nothing of those that are compiled now.
    if asked.again || !builder.usable(&[&phase])? {
        store.forget_stage("tests", &key)?;
        shared::forget(store, &key)?;
    }
    let built = builder.phases(&phases).await?;
    let volume = built.volume().to_owned();
    let suite = Suite { builder, check, asked, volume, key, seconds: history(store, inputs) };
    let plan = suite.plan().await?;
    let (findings, judged_before) = suite.run(plan, inputs.quarantine()).await?;
    if asked.is_whole() {
        shared::keep(store, &key, &findings, built.record().taken())?;
    }
    let mut checked = Checked { judged_before, ..shared::judged(findings, inputs, key, phase.key) };
    if asked.is_whole() {
        remember(store, inputs, &checked.judgement);
    }
    if asked.filter.is_some() {
        // Of tests that were not asked for, nothing is known.
        checked.judgement.unused.clear();
    }
    Ok(checked)
}

/// Runs upstream's tests where they decide whether packages are published.
///
/// # Errors
/// As for [`run`]; and a test that is not excused failed, or an entry of the quarantine has expired. The results are
/// written then, and the error says where.
pub async fn sound(builder: &Builder<'_>, asked: &CheckOptions) -> Result<Checked, Error> {
    let checked = run(builder, asked).await?;
    refuse_unsound(&checked, builder.build)?;
    Ok(checked)
}

/// Refuses to have packages published that are not sound.
///
/// # Errors
/// A test that is not excused failed, or an entry of the quarantine has expired, as for [`sound`].
pub fn refuse_unsound(checked: &Checked, build: &BuildOptions) -> Result<(), Error> {
    if !checked.judgement.sound() {
        let results = results_beside(&build.dist);
        write_folder(checked, &results)?;
        return Err(Error::Unsound {
            failures: checked.judgement.failures().count(),
            expired: checked.judgement.expired.len(),
            results,
        });
    }
    Ok(())
}

/// The digest under which what a run with these options finds is kept: of the compiled tests and of how they are run.
///
/// # Errors
/// The recipe has no tests, or their phase cannot be planned.
pub fn key(inputs: &Inputs, asked: &CheckOptions) -> Result<Digest, Error> {
    let recipe = inputs.recipe();
    match (inputs.plan().check(recipe)?, &recipe.file.check) {
        (Some((_, phase)), Some(check)) => Ok(run_key(check, &phase.key, asked)),
        _ => Err(Error::NoCheck { recipe: recipe.name().to_owned() }),
    }
}

/// Everything that what the tests find depends on, as far as it is known here.
fn run_key(check: &Check, phase: &Digest, asked: &CheckOptions) -> Digest {
    let Check { memory_per_shard, test_seconds, environment, programs, root, .. } = check;
    let how = (memory_per_shard, test_seconds, environment, programs, root);
    Digest::of_json(&(phase, how, &asked.filter, asked.root, asked.serial, shard::RUNNER, shard::ROOM))
}

/// What a run is going to do; kept, because where it is split follows from measurements that change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TestPlan {
    listings: Vec<Listing>,
    shards: Vec<Shard>,
    /// Tells a run from an earlier one of the same tests.
    number: u64,
}

struct Suite<'a> {
    builder: &'a Builder<'a>,
    check: &'a Check,
    asked: &'a CheckOptions,
    volume: String,
    key: Digest,
    /// Seconds that each test took the last time, by `program:test`.
    seconds: BTreeMap<String, f64>,
}

impl Suite<'_> {
    fn room(&self, root: bool) -> TestRoom {
        let tests = self.check.root.as_ref().filter(|_| root);
        let mut environment = self.check.environment.clone();
        environment.extend(tests.map(|tests| tests.environment.clone()).unwrap_or_default());
        TestRoom {
            image: self.builder.root.image.clone(),
            volume: self.volume.clone(),
            environment,
            memory_bytes: self.check.memory_per_shard.0,
            root: tests.map(|tests| RootRoom {
                capabilities: tests.capabilities.clone(),
                device_cgroup_rules: tests.device_cgroup_rules.clone(),
                prepare: tests.prepare.clone(),
            }),
        }
    }

    /// The shards: those of a run that was cut short, or new ones.
    async fn plan(&self) -> Result<TestPlan, Error> {
        const PLAN: &str = "tests.json";
        let Builder { engine, store, progress, .. } = *self.builder;
        if let Some(folder) = store.stage("tests", &self.key) {
            return read_json(&folder.join(PLAN));
        }
        let stage = Stage::start(progress, "list of tests");
        let root = self.check.root.as_ref();
        let mut listings = Vec::new();
        for program in &self.check.programs {
            let filter = self.asked.filter.as_deref();
            listings.push(list(engine, &self.room(false), program, filter, root).await?);
        }
        if self.asked.root && root.is_some() {
            for (i, program) in self.check.programs.iter().enumerate() {
                let found = list(engine, &self.room(true), program, self.asked.filter.as_deref(), root).await?;
                // Whoever is not root leaves them out; root's own word on them counts.
                let theirs = |test: &String| !found.run.contains(test) && !found.skipped.iter().any(|(t, _)| t == test);
                listings[i].skipped.retain(|(test, _)| theirs(test));
                listings[i].run.retain(theirs);
                listings.push(found);
            }
        }
        let least = if self.asked.serial { 1 } else { 2 * self.at_once().await? };
        let shards = listings
            .iter()
            .flat_map(|listing| {
                let Listing { program, root, run, .. } = listing;
                if self.asked.serial {
                    // No limit on how much: as upstream does it.
                    return whole(program, *root, run);
                }
                split(program, *root, run, least, |test| self.seconds.get(&format!("{program}:{test}")).copied())
            })
            .collect();
        let number = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64);
        let plan = TestPlan { listings, shards, number };
        let writer = store.begin("tests", &self.key)?;
        write_json(&writer.path().join(PLAN), &plan)?;
        writer.commit()?;
        stage.finish();
        Ok(plan)
    }

    /// How many shards run at once.
    async fn at_once(&self) -> Result<usize, Error> {
        let info = self.builder.engine.info().await?;
        let budget = self.builder.build.memory.map_or_else(|| usage::budget(&info), |size| size.0);
        let room = (budget / self.check.memory_per_shard.0.max(1)).max(1) as usize;
        let wanted = match self.asked.at_once {
            Some(wanted) => wanted,
            None => info.cpus.saturating_mul(self.check.shards_per_processor),
        };
        Ok(room.min(wanted.max(1) as usize))
    }

    /// What the run finds, and how many shards an earlier one had judged.
    async fn run(&self, plan: TestPlan, quarantine: &Quarantine) -> Result<(Findings, usize), Error> {
        let Builder { progress, .. } = *self.builder;
        let begin = Instant::now();
        let at_once = if self.asked.serial { 1 } else { self.at_once().await? };
        let total = plan.shards.iter().map(|shard| shard.tests.len()).sum();
        progress.event(Event::Note {
            text: format!(
                "{total} tests in {} shards, {at_once} at once, {} each",
                plan.shards.len(),
                self.check.memory_per_shard
            ),
        });
        let stage = Stage::start(progress, "tests");
        let board = Board::new(progress, total, self.check.memory_per_shard.0.saturating_mul(at_once as u64));
        let mut figures = Vec::new();
        let mut records = Records::default();
        let mut judged_before = 0;
        let mut results = stream::iter(plan.shards.iter().enumerate())
            .map(|(i, shard)| {
                let name = format!("{} {}", shard.program, i + 1);
                let board = &board;
                let key = Digest::of_json(&(&self.key, plan.number, i, shard));
                async move { (i, self.shard(&name, shard, false, &key, board).await) }
            })
            .buffer_unordered(at_once);
        while let Some((i, result)) = results.next().await {
            let (record, found) = result?;
            judged_before += usize::from(found);
            let shard = &plan.shards[i];
            figures.push(ShardFigures {
                name: format!("{} {}{}", shard.program, i + 1, if shard.root { " (root)" } else { "" }),
                tests: record.executions.len(),
                seconds: record.seconds,
                peak_memory: record.peak_memory,
                restarts: record.restarts,
            });
            records.add(&shard.program, shard.root, record.executions);
        }
        drop(results);
        stage.finish();
        figures.sort_by(|a, b| a.name.cmp(&b.name));
        if !self.asked.serial {
            self.alone(&plan, &mut records, quarantine, &board).await?;
        }
        let seconds = begin.elapsed().as_secs_f64();
        for listing in &plan.listings {
            for (test, why) in &listing.skipped {
                let execution = Execution {
                    outcome: TestOutcome::Skipped { why: why.clone() },
                    seconds: 0.0,
                    alone: false,
                    output: String::new(),
                };
                records.add(&listing.program, listing.root, vec![(test.clone(), execution)]);
            }
        }
        let mut notices: Vec<String> = plan.listings.iter().flat_map(|listing| listing.notices.clone()).collect();
        notices.sort();
        notices.dedup();
        Ok((Findings::new(records.in_order(&plan.listings), figures, notices, seconds), judged_before))
    }

    /// Runs one shard, unless it was judged before; says which.
    async fn shard(
        &self,
        name: &str,
        shard: &Shard,
        alone: bool,
        key: &Digest,
        board: &Board<'_>,
    ) -> Result<(ShardRecord, bool), Error> {
        const RECORD: &str = "record.json";
        let Builder { engine, store, .. } = *self.builder;
        if let Some(folder) = store.stage("shard", key) {
            let record: ShardRecord = read_json(&folder.join(RECORD))?;
            board.found(&record);
            return Ok((record, true));
        }
        let writer = store.begin("shard", key)?;
        let program = self.check.programs.iter().find(|program| program.name == shard.program);
        let program = program_path(program.expect("the shards follow from the recipe's programs"));
        let spec = ShardSpec {
            name: name.to_owned(),
            program,
            tests: shard.tests.clone(),
            whole: shard.whole && self.asked.serial,
            alone,
            test_limit: Duration::from_secs(self.check.test_seconds),
            log: writer.path().join("log"),
        };
        let record = shard::run(engine, &self.room(shard.root), &spec, &mut |event| {
            board.event(&shard.program, name, event);
        })
        .await?;
        board.left(name);
        write_json(&writer.path().join(RECORD), &record)?;
        writer.commit()?;
        Ok((record, false))
    }

    /// Runs tests that failed once more while nothing else runs, and quarantined ones until they fail.
    async fn alone(
        &self,
        plan: &TestPlan,
        records: &mut Records,
        quarantine: &Quarantine,
        board: &Board<'_>,
    ) -> Result<(), Error> {
        // More than this have a cause that a second try does not take away.
        const MOST: usize = 60;
        let Builder { progress, options, .. } = *self.builder;
        let entry = |program: &str, test: &str| {
            quarantine.entry_for(program, test, &options.target.name).filter(|e| !e.is_expired(results::today()))
        };
        let ran =
            |record: &TestRecord| !record.executions.iter().all(|e| matches!(e.outcome, TestOutcome::Skipped { .. }));
        let failed = |record: &TestRecord| record.executions.iter().any(|e| e.outcome.is_failure());
        let again: Vec<(String, bool, String, usize)> = records
            .0
            .values()
            .filter(|(_, record)| ran(record) && record.test != TEAR_DOWN)
            .filter_map(|(root, record)| {
                let times = match (entry(&record.program, &record.test), failed(record)) {
                    (Some(_), false) => CURABLE_AFTER - 1,
                    (None, true) => 1,
                    _ => return None,
                };
                Some((record.program.clone(), *root, record.test.clone(), times))
            })
            .collect();
        if again.len() > MOST {
            let text = format!("{} tests are not tried alone, because there are so many", again.len());
            progress.event(Event::Warning { text });
            return Ok(());
        }
        if again.is_empty() {
            return Ok(());
        }
        let stage = Stage::start(progress, format!("{} tests alone", again.len()));
        for (program, root, test, times) in again {
            for time in 0..times {
                let shard = Shard { program: program.clone(), root, whole: false, tests: vec![test.clone()] };
                let key = Digest::of_json(&(&self.key, plan.number, "alone", time, &shard));
                let (record, _) = self.shard(&format!("{program} {test}"), &shard, true, &key, board).await?;
                let failed = record.executions.iter().any(|(_, execution)| execution.outcome.is_failure());
                // What the program finds when it is through is not the test's own.
                let own = record.executions.into_iter().filter(|(name, _)| *name == test).collect();
                records.add(&program, root, own);
                if failed {
                    break;
                }
            }
        }
        stage.finish();
        Ok(())
    }
}

fn whole(program: &str, root: bool, tests: &[String]) -> Vec<Shard> {
    let shard = Shard { program: program.to_owned(), root, whole: !root, tests: tests.to_vec() };
    if tests.is_empty() { Vec::new() } else { vec![shard] }
}

/// Executions by program and test, and whether they were as root.
#[derive(Default)]
struct Records(BTreeMap<(String, String), (bool, TestRecord)>);

impl Records {
    fn add(&mut self, program: &str, root: bool, executions: Vec<(String, Execution)>) {
        for (test, execution) in executions {
            let (_, record) = self
                .0
                .entry((program.to_owned(), test.clone()))
                .or_insert_with(|| (root, TestRecord { program: program.to_owned(), test, executions: Vec::new() }));
            record.executions.push(execution);
        }
    }

    /// The records in the order of programs and tests.
    fn in_order(mut self, listings: &[Listing]) -> Vec<TestRecord> {
        let mut records = Vec::new();
        for listing in listings {
            let skipped = listing.skipped.iter().map(|(test, _)| test);
            let tear_down = TEAR_DOWN.to_owned();
            for test in listing.run.iter().chain(skipped).chain([&tear_down]) {
                records.extend(self.0.remove(&(listing.program.clone(), test.clone())).map(|(_, record)| record));
            }
        }
        records
    }
}

/// What is told while the tests run.
struct Board<'a> {
    progress: &'a dyn Progress,
    total: usize,
    limit: u64,
    begin: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    failed: usize,
    /// Memory of each shard that runs.
    running: BTreeMap<String, u64>,
}

impl<'a> Board<'a> {
    fn new(progress: &'a dyn Progress, total: usize, limit: u64) -> Self {
        Self { progress, total, limit, begin: Instant::now(), state: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    fn event(&self, program: &str, shard: &str, event: ShardEvent) {
        match event {
            ShardEvent::Ended { test, outcome } => {
                let mut state = self.state();
                state.done += 1;
                state.failed += usize::from(outcome.is_failure());
                drop(state);
                if outcome.is_failure() {
                    let how = outcome.to_string();
                    self.progress.event(Event::TestFailed { program: program.to_owned(), test, how });
                }
            }
            ShardEvent::Memory(memory) => {
                self.state().running.insert(shard.to_owned(), memory);
                self.tell();
            }
        }
    }

    fn found(&self, record: &ShardRecord) {
        let mut state = self.state();
        state.done += record.executions.len();
        state.failed += record.executions.iter().filter(|(_, execution)| execution.outcome.is_failure()).count();
    }

    fn left(&self, shard: &str) {
        self.state().running.remove(shard);
        self.tell();
    }

    fn tell(&self) {
        let state = self.state();
        let event = Event::TestProgress {
            elapsed: self.begin.elapsed().as_secs_f64(),
            done: state.done.min(self.total),
            total: self.total,
            failed: state.failed,
            shards: state.running.len(),
            memory: state.running.values().sum(),
            limit: self.limit,
        };
        drop(state);
        self.progress.event(event);
    }
}

fn history_path(store: &Store, inputs: &Inputs) -> std::path::PathBuf {
    let plan = inputs.plan();
    store.root().join("history").join(format!("{}-{}-tests.json", plan.recipe(), plan.target().name.file_stem()))
}

/// How long each test took when it was last run; only used to make shards of equal length.
fn history(store: &Store, inputs: &Inputs) -> BTreeMap<String, f64> {
    read_json(&history_path(store, inputs)).unwrap_or_default()
}

fn remember(store: &Store, inputs: &Inputs, judgement: &Judgement) {
    let seconds: BTreeMap<String, f64> = judgement
        .tests
        .iter()
        .filter_map(|test| {
            let execution = test.record.executions.iter().find(|e| e.outcome == TestOutcome::Passed)?;
            Some((format!("{}:{}", test.record.program, test.record.test), execution.seconds))
        })
        .collect();
    let path = history_path(store, inputs);
    // Only an estimate: a disk that is full shows itself where it matters.
    let _ = std::fs::create_dir_all(path.parent().expect("in a folder"));
    let _ = write_json(&path, &seconds);
}
