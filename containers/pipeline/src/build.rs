//! The phases of the recipe, one volume each, and the staged tree that they end in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use deb::staged::StagedTree;
use engine::once::run_once_with_volumes;
use engine::transfer::{self, Content, Upload};
use engine::{Engine, volume};
use farm::Gateway;
use foundation::bytes::ByteSize;
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use phases::circumstances::{Aspect, Circumstances};
use phases::compile_memory::{Figures, TooLarge};
use phases::phase::{self, PhaseEvent, PhaseSpec};
use phases::record::PhaseRecord;
use phases::{PhaseError, usage};
use recipe::BASELINE_PHASE;
use recipe::compile_memory::{self, Known};
use recipe::plan::PlannedPhase;
use roots::build_root::BuildRoot;
use serde::{Deserialize, Serialize};

use super::{
    BuildOptions, CompilerCache, Error, Inputs, Options, Stage, copy, keep_log, read_json, workers, write_json,
};

/// Where the governor leaves what compiles took, below `/build/out`.
const COMPILES: &str = "compile-memory";

/// Label of the volumes that hold a phase's result.
const VOLUME_KIND: &str = "phase";

/// What the last run of a phase was like; only used to tell how far the present one is.
#[derive(Default, Serialize, Deserialize)]
struct History {
    seconds: f64,
    lines: u64,
}

/// Everything that a phase is run with.
pub struct Builder<'a> {
    pub engine: &'a Engine,
    pub store: &'a Store,
    pub options: &'a Options,
    pub build: &'a BuildOptions,
    pub inputs: &'a Inputs,
    pub root: &'a BuildRoot,
    pub progress: &'a dyn Progress,
}

impl Builder<'_> {
    /// Runs the phases that have no result yet and returns the staged tree.
    pub async fn staged_tree(&self) -> Result<StagedTree, Error> {
        let Self { engine, store, inputs, root, progress, .. } = *self;
        let key = inputs.plan.staged_key();
        if let Some(folder) = store.stage("staged", &key) {
            progress.event(Event::StageCached { stage: "staged tree".into(), key: key.to_string() });
            return tokio::task::block_in_place(|| read_staged(&folder));
        }
        let phases: Vec<&PlannedPhase> = inputs.plan.phases.iter().collect();
        let last = self.phases(&phases).await?;
        let stage = Stage::start(progress, "staged tree");
        let writer = store.begin("staged", &key)?;
        let folder = StagedTree::folder_in(writer.path());
        std::fs::create_dir(&folder).map_err(Error::io("make the folder", &folder))?;
        if !transfer::download(engine, &root.image, &last, "/build/stage", &folder).await? {
            return Err(engine::Error::Request(format!(
                "the phase {} of {} left no /build/stage: it has to install with DESTDIR=/build/stage",
                phases[phases.len() - 1].name,
                inputs.plan.recipe
            ))
            .into());
        }
        tokio::task::block_in_place(|| StagedTree::record(writer.path())).map_err(Error::io("hash", &folder))?;
        let folder = writer.commit()?;
        stage.finish();
        self.remove_old_volumes().await?;
        read_staged(&folder)
    }

    /// Runs those of these phases, each of which works on what the one before left, that have no result
    /// yet. Returns the volume of the last one's result.
    pub async fn phases(&self, phases: &[&PlannedPhase]) -> Result<String, Error> {
        let Self { engine, store, inputs, progress, .. } = *self;
        let mut first = 0;
        for (i, phase) in phases.iter().enumerate().rev() {
            if store.stage("phase", &phase.key).is_some()
                && volume::exists(engine, &volume_name(store, inputs, phase)).await?
            {
                progress.event(Event::StageCached { stage: phase.name.clone(), key: phase.key.to_string() });
                first = i + 1;
                break;
            }
        }
        if first < phases.len() {
            let budget = Budget::of(engine, self.options, self.build).await?;
            budget.tell(self.build, progress);
            let known = compile_memory::read(&self.options.recipe.folder)?;
            for phase in &phases[first..] {
                self.fits(phase, &known, &budget)?;
            }
            let farm = workers::open(self).await?;
            let runner = Runner { builder: self, budget, known, farm };
            for i in first..phases.len() {
                runner.run(phases[i], i.checked_sub(1).map(|before| phases[before])).await?;
            }
        }
        Ok(volume_name(store, inputs, phases[phases.len() - 1]))
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
            figures: if figures.exists() { figures } else { self.options.recipe.folder.join(compile_memory::FILE) },
        })
    }

    /// What is remembered of a phase, whatever its key: nothing that decides bytes.
    fn history_path(&self, phase: &PlannedPhase, extension: &str) -> PathBuf {
        let plan = &self.inputs.plan;
        let name = format!("{}-{}-{}.{extension}", plan.recipe, plan.target.name.file_stem(), phase.name);
        self.store.root().join("history").join(name)
    }

    fn figures_path(&self, phase: &PlannedPhase) -> PathBuf {
        self.history_path(phase, "compile-memory.json")
    }

    /// What compiling a phase's source files took. Whoever cannot read it does without.
    fn figures(&self, phase: &PlannedPhase) -> Figures {
        read_json(&self.figures_path(phase)).unwrap_or_default()
    }

    /// The compiler cache that is used: a varied build compiles everything itself.
    pub fn compiler_cache(&self) -> CompilerCache {
        if self.build.circumstances.varies(Aspect::Cache) { CompilerCache::None } else { self.build.compiler_cache }
    }

    /// The variables of a phase.
    pub fn environment(&self, phase: &PlannedPhase) -> BTreeMap<String, String> {
        let mut environment = phase.environment.clone();
        environment.insert("CCACHE_DIR".into(), "/ccache".into());
        // The compiler is part of the volume's name; its time stamp says nothing.
        environment.insert("CCACHE_COMPILERCHECK".into(), "content".into());
        environment.insert("CCACHE_MAXSIZE".into(), "10G".into());
        if self.compiler_cache() == CompilerCache::None {
            environment.insert("CCACHE_DISABLE".into(), "1".into());
        }
        environment
    }

    /// The volume of the compiler cache, where it is used.
    pub async fn cache_volume(&self) -> Result<Option<String>, engine::Error> {
        let name = match self.compiler_cache() {
            CompilerCache::None => return Ok(None),
            CompilerCache::Shared => format!("mesos-packages-ccache-{}", self.root.digest.short()),
            CompilerCache::Own => own_cache_volume(self.store),
        };
        volume::create(self.engine, &name, "ccache", &self.root.digest.to_string()).await?;
        Ok(Some(name))
    }

    /// Keeps the volumes of this plan but the last (the staged tree is kept in the store), and that of the
    /// compiled tests; removes those of earlier plans of the same recipe: they are gigabytes each.
    async fn remove_old_volumes(&self) -> Result<(), Error> {
        let Self { engine, store, inputs, .. } = *self;
        let phases = &inputs.plan.phases;
        let check = inputs.plan.check(&self.options.recipe)?.map(|(_, phase)| phase);
        let keep: Vec<String> =
            phases[..phases.len() - 1].iter().chain(&check).map(|phase| volume_name(store, inputs, phase)).collect();
        let prefix = volume_prefix(store, inputs);
        for found in volume::list(engine).await? {
            let ours = found.labels.get(volume::LABEL_KIND).is_some_and(|kind| kind == VOLUME_KIND);
            if ours && found.name.starts_with(&prefix) && !keep.contains(&found.name) {
                volume::remove(engine, &found.name).await?;
            }
        }
        Ok(())
    }
}

fn read_staged(stage: &Path) -> Result<StagedTree, Error> {
    StagedTree::in_stage(stage).map_err(Error::io("read", StagedTree::folder_in(stage)))
}

/// The volume of a phase's result.
fn volume_name(store: &Store, inputs: &Inputs, phase: &PlannedPhase) -> String {
    format!("{}{}-{}", volume_prefix(store, inputs), phase.name, phase.key.short())
}

/// The volume of a store's own compiler cache.
pub fn own_cache_volume(store: &Store) -> String {
    format!("mesos-packages-{}-ccache", store.id())
}

/// Volumes are not shared between stores: each removes what it no longer needs.
fn volume_prefix(store: &Store, inputs: &Inputs) -> String {
    format!("mesos-packages-{}-{}-", store.id(), inputs.plan.recipe)
}

/// Gives a new volume to whoever works in it, if that is not the user whom the image gives it to.
pub async fn own(
    engine: &Engine,
    image: &str,
    volume: &str,
    circumstances: &Circumstances,
) -> Result<(), engine::Error> {
    if !circumstances.varies(Aspect::User) {
        return Ok(());
    }
    // The engine gives a volume that is still empty to the image's user again, so something has to be in it.
    let script = format!("mkdir /build/out && chown {user}:{user} /build /build/out", user = circumstances.user());
    let volumes = [(volume, "/build")];
    let output = run_once_with_volumes(engine, image, script.as_bytes(), &[], &BTreeMap::new(), true, &volumes).await?;
    if output.exit != 0 {
        return Err(engine::Error::Engine {
            doing: format!("giving the volume {volume} to another user"),
            why: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(())
}

/// Memory and jobs of a run.
pub struct Budget {
    pub memory: u64,
    /// Jobs that fit where nobody governs them.
    pub jobs: u32,
    /// Jobs that are wanted; the governor lets as many compiles start as have room.
    pub wanted_jobs: u32,
    per_job: ByteSize,
    /// Processors of the engine's machine.
    pub cpus: u32,
}

impl Budget {
    pub async fn of(engine: &Engine, options: &Options, build: &BuildOptions) -> Result<Self, Error> {
        let info = engine.info().await?;
        let memory = build.memory.map_or_else(|| usage::budget(&info), |size| size.0);
        let per_job = options.recipe.file.build.memory_per_job;
        let varied = |jobs: u32| build.circumstances.jobs(jobs.max(1));
        Ok(Self {
            memory: build.circumstances.memory(memory),
            jobs: varied(build.jobs.unwrap_or_else(|| usage::jobs(&info, memory, per_job.0))),
            wanted_jobs: varied(build.jobs.unwrap_or_else(|| usage::wanted_jobs(&info))),
            per_job,
            cpus: info.cpus,
        })
    }

    fn tell(&self, build: &BuildOptions, progress: &dyn Progress) {
        let Self { memory, wanted_jobs: jobs, per_job, cpus, .. } = *self;
        let why = if build.memory.is_some() { "as asked for" } else { "what the host can spare" };
        progress.event(Event::Note {
            text: format!(
                "memory budget {} ({why}), {jobs} job{} wanted, {per_job} for a file of which nothing is known, {cpus} processors",
                ByteSize(memory),
                if jobs == 1 { "" } else { "s" },
            ),
        });
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
}

impl Runner<'_> {
    async fn run(&self, phase: &PlannedPhase, previous: Option<&PlannedPhase>) -> Result<(), Error> {
        let Builder { engine, store, inputs, root, progress, .. } = *self.builder;
        let circumstances = &self.builder.build.circumstances;
        let name = volume_name(store, inputs, phase);
        let stage = Stage::start(progress, format!("phase {}", phase.name));
        // A result without its volume (somebody pruned the engine) is none.
        store.forget_stage("phase", &phase.key)?;
        let mut uploads = self.uploads(phase)?;
        if let Some(previous) = previous {
            let previous = volume_name(store, inputs, previous);
            let foreign = circumstances.varies(Aspect::User);
            copy::copy(engine, &root.image, &previous, &name, VOLUME_KIND, &phase.key, foreign).await?;
        } else {
            volume::remove(engine, &name).await?;
            volume::create(engine, &name, VOLUME_KIND, &phase.key.to_string()).await?;
            own(engine, &root.image, &name, circumstances).await?;
            uploads.push(Upload {
                path: "/build/source".into(),
                content: Content::Tar(inputs.source.tar.clone()),
                mode: 0o755,
            });
        }
        let writer = store.begin("phase", &phase.key)?;
        let log = writer.path().join("log");
        let script_name = format!("phases/{}", phase.name);
        let script = self.input(&script_name, &phase.inputs[&script_name])?;
        let result = self.run_phase(phase, &name, script, uploads, &log, writer.path()).await;
        let record = match result {
            Ok(record) if record.exit == 0 => record,
            Ok(record) => {
                let error = self.failed(phase, &name, &record, &log).await;
                volume::remove(engine, &name).await?;
                return Err(error);
            }
            Err(error) => {
                keep_log(store, &phase.name, &phase.key, &log);
                // The engine may be the one that died: its leftovers are removed by the next run.
                let _ = volume::remove(engine, &name).await;
                return Err(error.into());
            }
        };
        write_json(&writer.path().join("record.json"), &record)?;
        writer.commit()?;
        progress.event(record.finished());
        stage.finish();
        Ok(())
    }

    /// The recipe's files that this phase and earlier ones read; the script comes by itself. They are
    /// read once and checked: a file that is edited during the build must not get under the old digest.
    fn uploads(&self, phase: &PlannedPhase) -> Result<Vec<Upload>, Error> {
        let read = |(path, input): (&String, &recipe::Input)| {
            let content = self.input(path, input)?;
            let mode = if input.executable { 0o755 } else { 0o644 };
            Ok(Upload { path: format!("/build/recipe/{path}"), content: Content::Bytes(content), mode })
        };
        phase.inputs.iter().map(read).collect()
    }

    fn input(&self, path: &str, input: &recipe::Input) -> Result<Vec<u8>, Error> {
        let file = self.builder.options.recipe.folder.join(path);
        let content = std::fs::read(&file).map_err(Error::io("read", &file))?;
        if Digest::of(&content) != input.sha256 {
            return Err(Error::Changed { path: file });
        }
        Ok(content)
    }

    async fn run_phase(
        &self,
        phase: &PlannedPhase,
        volume: &str,
        script: Vec<u8>,
        mut uploads: Vec<Upload>,
        log: &Path,
        folder: &Path,
    ) -> Result<PhaseRecord, PhaseError> {
        let cache_volume = self.builder.cache_volume().await?;
        let mut figures = self.builder.figures(phase);
        // Upstream's own way has no governor, and as many jobs as somebody with this machine would choose.
        let governed = phase.name != BASELINE_PHASE;
        let lines = figures.for_governor(&of_phase(&self.known, phase));
        uploads.push(Upload::bytes("/build/governor/figures", lines, 0o644));
        let farm = self.farm.as_ref().filter(|_| governed);
        // What the workers compile is wanted on top, unless somebody said how much is.
        let beside = farm.filter(|_| self.builder.build.jobs.is_none()).map_or(0, |farm| farm.jobs);
        let spec = PhaseSpec {
            name: phase.name.clone(),
            image: self.builder.root.image.clone(),
            volume: volume.to_owned(),
            cache_volume,
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
            downloads: [COMPILES, workers::COMPILED_BY].map(|name| format!("/build/out/{name}")).into(),
            download_dir: folder.to_owned(),
        };
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
        let took = folder.join(COMPILES);
        if let Ok(text) = std::fs::read_to_string(&took) {
            figures.learn(&text, phase.key);
            let _ = write_json(&self.builder.figures_path(phase), &figures);
            let _ = std::fs::remove_file(&took);
        }
        let shares = farm.and_then(|farm| workers::shares(farm, &folder.join(workers::COMPILED_BY)));
        if let Some(shares) = &shares {
            progress.event(Event::Note { text: format!("phase {}: {shares}", phase.name) });
        }
        let mut record = result?;
        record.farm = shares;
        if record.exit == 0 {
            let _ = write_json(&history_path, &History { seconds: record.wall, lines });
        }
        Ok(record)
    }

    /// The error of a script that failed, with what helps to understand it.
    async fn failed(&self, phase: &PlannedPhase, volume: &str, record: &PhaseRecord, log: &Path) -> Error {
        let kept = keep_log(self.builder.store, &phase.name, &phase.key, log);
        let text = std::fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let config_log = if lines.iter().rev().take(20).any(|line| line.contains("config.log")) {
            self.config_log(volume).await
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
    async fn config_log(&self, volume: &str) -> String {
        let Ok(folder) = tempfile::tempdir() else { return String::new() };
        let found = transfer::download(
            self.builder.engine,
            &self.builder.root.image,
            volume,
            "/build/work/config.log",
            folder.path(),
        )
        .await;
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
fn compiled_file(line: &str) -> Option<String> {
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
