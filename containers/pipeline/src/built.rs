//! The phases of the recipe, one container and one volume each, and what is on record of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use engine::names::{LABEL_KEY, LABEL_KIND, LABEL_TARGET};
use engine::transfer::{Content, Upload};
use engine::volume;
use farm::Gateway;
use foundation::bytes::ByteSize;
use foundation::digest::Digest;
use foundation::progress::Event;
use phases::PhaseError;
use phases::circumstances::Aspect;
use phases::compile_memory::TooLarge;
use phases::compiles::Compiles;
use phases::phase::{self, PhaseEvent, PhaseSpec};
use phases::record::PhaseRecord;
use phases::surroundings::Surroundings;
use recipe::BASELINE_PHASE;
use recipe::compile_memory::{self, Known};
use recipe::plan::PlannedPhase;
use results::Taken;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::builder::{Builder, VOLUME_KIND, own, volume_name};
use crate::compiler_cache::Cache;
use crate::error::Error;
use crate::failed_phase::{compiled_file, forget, keep};
use crate::records::{keep_log, read_json, taken_in, write_json, write_taken};
use crate::{explain, workers};
use foundation::stage::Stage;

/// The kind of stage that has a phase's record and log; the phase's result itself is a volume.
const STAGE: &str = "phase";

/// The files in such a stage.
const RECORD: &str = "record.json";
const LOG: &str = "log";

/// Where the governor leaves what compiles took, below `/build/out`.
const COMPILES: &str = "compile-memory";

/// Likewise, when each compile was.
const TIMES: &str = "compile-times";

/// Likewise ccache, what it had.
const CACHED: &str = "compiler-cache";

/// What the last run of a phase was like; only used to tell how far the present one is.
#[derive(Default, Serialize, Deserialize)]
struct History {
    seconds: f64,
    lines: u64,
}

/// How a staged tree came to be. It travels with the tree into the packages and what is said about them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuildRecord {
    build_root: Digest,
    phases: Vec<PhaseRecord>,
    /// What was not made here, nor by this machine before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    taken: Vec<Taken>,
}

impl BuildRecord {
    /// Digest of the root file system that it was built in.
    pub fn build_root(&self) -> Digest {
        self.build_root
    }

    /// What each phase did, in order, when its result was made.
    pub fn phases(&self) -> &[PhaseRecord] {
        &self.phases
    }

    /// What was taken from others on the way, instead of making it.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// Whether this machine made all of it by itself: only then is it this machine's to state.
    pub fn is_own(&self) -> bool {
        self.taken.is_empty()
    }

    /// The account of a builder from whom the result was taken; `build_root` is what was stated by all of them.
    pub(crate) fn received(self, build_root: Digest, taken: Taken) -> Self {
        Self { build_root, taken: vec![taken], ..self }
    }

    /// The same with something else that was taken.
    pub(crate) fn with_taken(mut self, taken: Vec<Taken>) -> Self {
        self.taken.extend(taken);
        self
    }
}

/// Phases that have run. Made by [`Builder::phases`] alone.
#[derive(Clone, Debug)]
pub struct Built {
    volume: String,
    record: BuildRecord,
    logs: Vec<(String, PathBuf)>,
}

impl Built {
    /// The name of the volume with the last phase's result.
    pub fn volume(&self) -> &str {
        &self.volume
    }

    /// How the phases went, when their results were made.
    pub fn record(&self) -> &BuildRecord {
        &self.record
    }

    /// The phases' names and the files with their logs, in order.
    pub fn logs(&self) -> &[(String, PathBuf)] {
        &self.logs
    }
}

impl Builder<'_> {
    /// Runs those of these phases, each of which works on what the one before left, that have no result yet.
    ///
    /// # Errors
    /// A phase fails, is known not to fit into the memory, or the engine does not do its part.
    pub async fn phases(&self, phases: &[&PlannedPhase]) -> Result<Built, Error> {
        let Self { engine, store, inputs, progress, .. } = *self;
        let mut first = 0;
        for (i, phase) in phases.iter().enumerate().rev() {
            // The ones before have to be on record as well: what is said of packages names all of them.
            if self.usable(&phases[..=i])? && volume::exists(engine, &volume_name(store, inputs, phase)).await? {
                progress.event(Event::StageCached { stage: phase.name.clone(), key: phase.key.to_string() });
                first = i + 1;
                break;
            }
        }
        if first < phases.len() {
            let budget = Budget::of(engine, self.options, self.build).await?;
            budget.tell(self.build, progress);
            let known = inputs.known_memory().to_vec();
            for phase in &phases[first..] {
                self.fits(phase, &known, &budget)?;
            }
            let farm = workers::open(self).await?;
            let cache = self.cache().await?;
            let runner = Runner { builder: self, budget, known, farm, cache };
            for i in first..phases.len() {
                runner.run(phases[i], i.checked_sub(1).map(|before| phases[before])).await?;
                explain::ran(store, inputs, &phases[..=i]);
            }
        }
        let stages = phases.iter().map(|phase| {
            let folder = store.stage(STAGE, &phase.key).ok_or_else(|| Error::NoRecord { phase: phase.name.clone() })?;
            Ok((phase.name.clone(), folder))
        });
        let stages: Vec<(String, PathBuf)> = stages.collect::<Result<_, Error>>()?;
        let records = stages.iter().map(|(_, folder)| read_json(&folder.join(RECORD)));
        let mut taken: Vec<Taken> = Vec::new();
        for (_, folder) in &stages {
            taken.extend(taken_in(folder)?.filter(|of_phase| !taken.contains(of_phase)));
        }
        Ok(Built {
            volume: volume_name(store, inputs, phases[phases.len() - 1]),
            record: BuildRecord { build_root: self.root.digest, phases: records.collect::<Result<_, Error>>()?, taken },
            logs: stages.into_iter().map(|(name, folder)| (name, folder.join(LOG))).collect(),
        })
    }

    /// Whether the results of all these phases are on record and may be used.
    pub(crate) fn usable(&self, phases: &[&PlannedPhase]) -> Result<bool, Error> {
        for phase in phases {
            let Some(folder) = self.store.stage(STAGE, &phase.key) else { return Ok(false) };
            if self.build.others.refusal(taken_in(&folder)?.as_slice()).is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a phase can be run within the budget, as far as that is known: better now than after an hour.
    fn fits(&self, phase: &PlannedPhase, known: &[Known], budget: &Budget) -> Result<(), Error> {
        let figures = self.figures_path(phase);
        let Some(TooLarge { file, needed, least }) =
            self.figures(phase).too_large(&of_phase(known, phase), phase.key, budget.memory)
        else {
            return Ok(());
        };
        Err(Error::TooLarge {
            phase: phase.name.clone(),
            file,
            needed: ByteSize(needed),
            budget: ByteSize(budget.memory),
            least: ByteSize(least).into(),
            figures: if figures.exists() { figures } else { self.options.recipe.path(Path::new(compile_memory::FILE)) },
        })
    }
}

/// What the recipe knows of the files that a phase compiles.
fn of_phase<'a>(known: &'a [Known], phase: &PlannedPhase) -> Vec<&'a Known> {
    known.iter().filter(|known| known.phase == phase.name).collect()
}

struct Runner<'a> {
    builder: &'a Builder<'a>,
    budget: Budget,
    known: Vec<Known>,
    farm: Option<Gateway>,
    cache: Cache,
}

impl Runner<'_> {
    async fn run(&self, phase: &PlannedPhase, previous: Option<&PlannedPhase>) -> Result<(), Error> {
        let Builder { engine, store, inputs, root, progress, .. } = *self.builder;
        let circumstances = &self.builder.build.circumstances;
        let name = volume_name(store, inputs, phase);
        let stage = Stage::start(progress, format!("phase {}", phase.name));
        // A result without its volume (somebody pruned the engine) is none.
        store.forget_stage(STAGE, &phase.key)?;
        forget(self.builder, phase).await?;
        let mut uploads = self.uploads(phase)?;
        let (key, target) = (phase.key.to_string(), inputs.plan().target().name.to_string());
        let labels = [(LABEL_KIND, VOLUME_KIND), (LABEL_KEY, &key), (LABEL_TARGET, &target)];
        if let Some(previous) = previous {
            let previous = volume_name(store, inputs, previous);
            let foreign = circumstances.varies(Aspect::User);
            engine::copy::copy(engine, &root.image, &previous, &name, &labels, foreign).await?;
        } else {
            volume::remove(engine, &name).await?;
            volume::create_with(engine, &name, &labels).await?;
            own(engine, &root.image, &name, circumstances).await?;
            uploads.push(Upload {
                path: "/build/source".into(),
                content: Content::Tar(inputs.source().tar.clone()),
                mode: 0o755,
            });
        }
        let writer = store.begin(STAGE, &phase.key)?;
        let log = writer.path().join(LOG);
        let script_name = format!("phases/{}", phase.name);
        let script = self.input(&script_name, &phase.inputs[&script_name])?;
        let spec = self.spec(phase, &name, script, uploads, &log, writer.path()).await?;
        let mut surroundings = Surroundings::of(&spec, spec.jobs);
        let started = Instant::now();
        let result = self.run_phase(phase, spec, writer.path()).await;
        let seconds = started.elapsed().as_secs_f64();
        let record = match result {
            Ok(record) if record.exit == 0 => record,
            Ok(record) => {
                surroundings.environment.insert("JOBS".into(), record.jobs.to_string());
                return Err(keep(self.builder, phase, &surroundings, seconds, &log).await?.error(&record));
            }
            Err(error @ (PhaseError::OutOfMemory { .. } | PhaseError::TimedOut { .. })) => {
                keep(self.builder, phase, &surroundings, seconds, &log).await?;
                progress.event(Event::Note { text: format!("`cargo xtask shell {}` opens it as it was", phase.name) });
                return Err(error.into());
            }
            Err(error) => {
                keep_log(store, &phase.name, &phase.key, &log);
                // The engine may be the one that died: its leftovers are removed by the next run.
                let _ = volume::remove(engine, &name).await;
                return Err(error.into());
            }
        };
        write_json(&writer.path().join(RECORD), &record)?;
        if let Some(taken) = &self.cache.taken {
            write_taken(writer.path(), taken)?;
        }
        writer.commit()?;
        progress.event(record.finished());
        stage.finish();
        Ok(())
    }

    /// The recipe's files that this phase and earlier ones read; the script comes by itself. They are
    /// read once and checked: a file that is edited during the build must not get under the old digest.
    fn uploads(&self, phase: &PlannedPhase) -> Result<Vec<Upload>, Error> {
        let read = |(path, input): (&String, &recipe::RecipeInput)| {
            let content = self.input(path, input)?;
            let mode = if input.executable { 0o755 } else { 0o644 };
            Ok(Upload { path: format!("/build/recipe/{path}"), content: Content::Bytes(content), mode })
        };
        phase.inputs.iter().map(read).collect()
    }

    /// A file of the recipe's copy, which is what the plan says unless somebody wrote into the store.
    fn input(&self, path: &str, input: &recipe::RecipeInput) -> Result<Vec<u8>, Error> {
        let file = self.builder.inputs.recipe().folder.join(path);
        let content = std::fs::read(&file).map_err(Error::io("read", &file))?;
        if Digest::of(&content) != input.sha256 {
            return Err(Error::Changed { path: file });
        }
        Ok(content)
    }

    /// What a phase is run with; what it leaves for others is fetched into `folder`.
    async fn spec(
        &self,
        phase: &PlannedPhase,
        volume: &str,
        script: Vec<u8>,
        mut uploads: Vec<Upload>,
        log: &Path,
        folder: &Path,
    ) -> Result<PhaseSpec, Error> {
        let figures = self.builder.figures(phase);
        // Upstream's own way has no governor, and as many jobs as somebody with this machine would choose.
        let governed = phase.name != BASELINE_PHASE;
        let lines = figures.for_governor(&of_phase(&self.known, phase));
        uploads.push(Upload::bytes("/build/governor/figures", lines, 0o644));
        let farm = self.farm.as_ref().filter(|_| governed);
        // What the workers compile is wanted on top, unless somebody said how much is.
        let beside = farm.filter(|_| self.builder.build.jobs.is_none()).map_or(0, |farm| farm.jobs);
        Ok(PhaseSpec {
            name: phase.name.clone(),
            image: self.builder.root.image.clone(),
            volume: volume.to_owned(),
            cache_volume: self.cache.volume.clone(),
            script,
            uploads,
            env: self.builder.environment(phase),
            memory_bytes: self.budget.memory,
            memory_per_job: governed.then_some(self.budget.per_job.0),
            jobs: if governed { self.budget.wanted_jobs + beside } else { self.budget.jobs },
            pids_limit: 4096,
            cpus: None,
            circumstances: self.builder.build.circumstances.clone(),
            farm: farm.map(Gateway::access),
            timeout: None,
            labels: BTreeMap::new(),
            log: log.to_owned(),
            downloads: [COMPILES, TIMES, CACHED, workers::COMPILED_BY].map(|name| format!("/build/out/{name}")).into(),
            download_dir: folder.to_owned(),
        })
    }

    async fn run_phase(&self, phase: &PlannedPhase, spec: PhaseSpec, folder: &Path) -> Result<PhaseRecord, PhaseError> {
        let mut figures = self.builder.figures(phase);
        let farm = self.farm.as_ref().filter(|_| phase.name != BASELINE_PHASE);
        let history_path = self.builder.history_path(phase, "json");
        let before: Option<History> = read_json(&history_path).ok();
        let started = Instant::now();
        let mut lines = 0;
        let mut current = None;
        let limit = self.budget.memory;
        let progress = self.builder.progress;
        let mut listen = |event: PhaseEvent| match event {
            PhaseEvent::Line(line) => {
                lines += 1;
                if let Some(file) = compiled_file(&line) {
                    current = Some(file);
                }
                progress.event(Event::PhaseLine { phase: phase.name.clone(), line });
            }
            PhaseEvent::Usage { memory, .. } => progress.event(Event::PhaseUsage {
                phase: phase.name.clone(),
                elapsed: started.elapsed().as_secs_f64(),
                expected: before.as_ref().map(|before| before.seconds),
                percent: before
                    .as_ref()
                    .filter(|before| before.lines > 0)
                    .map(|before| (lines as f64 / before.lines as f64 * 100.0).min(99.0)),
                memory,
                limit,
                current: current.clone(),
            }),
            PhaseEvent::Note(text) => progress.event(Event::Note { text }),
        };
        let result = phase::run(self.builder.engine, spec, &mut listen).await;
        // Only estimates: a disk that is full shows itself where it matters.
        let _ = std::fs::create_dir_all(history_path.parent().expect("in a folder"));
        // What was measured is as good if the script failed later.
        let [took, times, cached] = [COMPILES, TIMES, CACHED].map(|name| take(&folder.join(name)));
        let compiles = Compiles::read(&took, &times, &cached, &figures);
        if !took.is_empty() {
            figures.learn(&took, phase.key);
            let _ = write_json(&self.builder.figures_path(phase), &figures);
        }
        let shares = farm.and_then(|farm| workers::shares(farm, &folder.join(workers::COMPILED_BY)));
        if let Some(shares) = &shares {
            progress.event(Event::Note { text: format!("phase {}: {shares}", phase.name) });
        }
        let mut record = result?;
        record.farm = shares;
        record.emulated = self.builder.emulated();
        record.compiles = compiles;
        if record.exit == 0 {
            let _ = write_json(&history_path, &History { seconds: record.wall, lines });
        }
        Ok(record)
    }
}

/// The text of a file that a phase left, which is removed; nothing if there is none. A name need not be UTF-8.
fn take(path: &Path) -> String {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    text
}
