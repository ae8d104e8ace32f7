//! The governor beside every fixed `-j`, under memory caps.
//!
//! Each run works in a copy of what a phase left, without a compiler cache, and runs one command of the recipe. A
//! fixed `-j` has no governor, no second attempt and no mercy: it survives a cap if nothing was killed for memory. What
//! the files take is learned in a run of its own before, as an earlier build would have. What the phases before left is
//! kept: a second measurement starts at once.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use engine::copy;
use engine::names::{LABEL_KEY, LABEL_KIND};
use engine::transfer::Upload;
use engine::{Engine, volume};
use foundation::bytes::ByteSize;
use foundation::progress::Event;
use phases::PhaseError;
use phases::compile_memory::Figures;
use phases::phase::{self, PhaseSpec};
use pipeline::Builder;
use recipe::bench::GovernorBench;
use recipe::compile_memory::Known;
use recipe::plan::PlannedPhase;
use serde::Serialize;

use super::error::BenchError;

/// Jobs that the governor is asked for, and the largest fixed `-j`.
const JOBS: u32 = 8;
/// A fixed `-j` is given up when it has taken so many times what the governed run took: it is not the best one.
const PATIENCE: f64 = 3.0;
/// What has to be measured at least for that, in seconds.
const LEAST: f64 = 20.0;
/// Name of the phase that is run, also of the volume's kind.
const NAME: &str = "governor";

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The command succeeded, and nothing was killed.
    Done,
    /// Something was killed for memory.
    Killed,
    /// It took too long to be the best.
    GivenUp,
}

/// One run of the command.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    /// How many jobs make was told to run at once.
    pub jobs: u32,
    /// How the run ended.
    pub end: End,
    /// Wall time in seconds, from start to end.
    pub wall_seconds: f64,
    /// CPU time in seconds; 0 for a run that did not end by itself, of which it is not known.
    pub cpu_seconds: f64,
    /// Largest memory use in bytes without page cache, sampled about once a second.
    pub peak_rss: u64,
}

/// All runs under one memory cap.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cap {
    /// The memory cap in bytes.
    pub memory: u64,
    /// The run with the governor.
    pub governed: Run,
    /// The runs with each fixed `-j`, from 1 up.
    pub fixed: Vec<Run>,
}

/// What was measured of the memory governor.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GovernorReport {
    /// Name of the recipe.
    pub recipe: String,
    /// The command that was run.
    pub command: String,
    /// How many processors the engine's machine has.
    pub processors: u32,
    /// Each cap with its runs, in the order in which they were asked for.
    pub caps: Vec<Cap>,
}

impl Cap {
    /// The run with the fastest fixed `-j` that survives; none if none does.
    pub fn best(&self) -> Option<&Run> {
        let done = self.fixed.iter().filter(|run| run.end == End::Done);
        done.min_by(|one, other| one.wall_seconds.total_cmp(&other.wall_seconds))
    }

    /// Wall time with the governor as a share of that of the best fixed `-j`; none where either did not end well.
    pub fn ratio(&self) -> Option<f64> {
        let governed = &self.governed;
        self.best().filter(|_| governed.end == End::Done).map(|best| governed.wall_seconds / best.wall_seconds)
    }
}

impl GovernorReport {
    /// The report as a table for people.
    pub fn text(&self) -> String {
        let mut text = format!("{} processors, {}: {}\n", self.processors, self.recipe, self.command.trim());
        let mut line = |cap: &str, way: &str, run: &Run, more: &str| {
            let took = match run.end {
                End::Done => format!(
                    "{:>9.1} s {:>9.1} s {:>10}",
                    run.wall_seconds,
                    run.cpu_seconds,
                    ByteSize(run.peak_rss).to_string()
                ),
                End::Killed => format!("  killed for memory after {:.1} s", run.wall_seconds),
                End::GivenUp => format!("  given up after {:.1} s", run.wall_seconds),
            };
            writeln!(text, "{cap:<10} {way:<12} {took}{more}").expect("a String takes everything");
        };
        let head = format!("\n{:<10} {:<12} {:>11} {:>11} {:>10}\n", "cap", "", "wall", "CPU", "memory");
        for cap in &self.caps {
            let ratio = cap.ratio().map_or(String::new(), |ratio| format!("  {ratio:.2} of the best fixed -j"));
            line(
                &ByteSize(cap.memory).to_string(),
                &format!("governed -j{}", cap.governed.jobs),
                &cap.governed,
                &ratio,
            );
            for run in &cap.fixed {
                line("", &format!("-j{}", run.jobs), run, "");
            }
        }
        let at = text.find('\n').map_or(0, |at| at + 1);
        text.insert_str(at, &head);
        text
    }
}

/// Measures the command of the recipe under these memory caps.
///
/// # Errors
/// The recipe does not say what to run, a phase before fails, the command fails for another reason than memory, or the
/// engine does not do its part.
pub async fn run(builder: &Builder<'_>, caps: &[ByteSize]) -> Result<GovernorReport, BenchError> {
    let (engine, options, inputs) = (builder.engine(), builder.options(), builder.inputs());
    let recipe = &options.recipe;
    let Some(asked) = recipe.file.bench.as_ref().and_then(|bench| bench.governor.as_ref()) else {
        return Err(BenchError::NoGovernor { recipe: recipe.name().to_owned() });
    };
    let plan = inputs.plan();
    let last = plan.phases().iter().position(|phase| phase.name == asked.after).expect("looked over with the recipe");
    let phases: Vec<&PlannedPhase> = plan.phases()[..=last].iter().collect();
    let prepared = builder.phases(&phases).await?.volume().to_owned();
    let mut bed = Bed {
        builder,
        asked,
        phase: phases[last],
        prepared,
        known: inputs.known_memory().to_vec(),
        figures: Figures::default(),
    };
    let processors = engine.info().await?.cpus;
    let most = caps.iter().map(|cap| cap.0).max().unwrap_or(0);
    bed.run(most, JOBS, true, None).await?;
    let mut report =
        GovernorReport { recipe: recipe.name().to_owned(), command: asked.run.clone(), processors, caps: Vec::new() };
    for cap in caps {
        let governed = bed.run(cap.0, JOBS, true, None).await?;
        let patience = Duration::from_secs_f64(governed.wall_seconds.max(LEAST) * PATIENCE);
        let mut fixed = Vec::new();
        for jobs in 1..=JOBS {
            fixed.push(bed.run(cap.0, jobs, false, Some(patience)).await?);
        }
        report.caps.push(Cap { memory: cap.0, governed, fixed });
    }
    Ok(report)
}

/// What all runs have in common, and what they have learned.
struct Bed<'a> {
    builder: &'a Builder<'a>,
    asked: &'a GovernorBench,
    phase: &'a PlannedPhase,
    /// The volume that each works in a copy of.
    prepared: String,
    known: Vec<Known>,
    /// What compiling each file took so far.
    figures: Figures,
}

impl Bed<'_> {
    async fn run(
        &mut self,
        memory: u64,
        jobs: u32,
        governed: bool,
        patience: Option<Duration>,
    ) -> Result<Run, BenchError> {
        let (engine, store, options, inputs, root, progress) = (
            self.builder.engine(),
            self.builder.store(),
            self.builder.options(),
            self.builder.inputs(),
            self.builder.root(),
            self.builder.progress(),
        );
        let volume = engine::names::of_recipe(store, inputs.recipe().handle()) + NAME;
        let labels = [(LABEL_KIND, NAME), (LABEL_KEY, &self.phase.key.to_string())];
        copy::copy(engine, &root.image, &self.prepared, &volume, &labels, false).await?;
        let folder = store.temp_dir()?;
        let known: Vec<&Known> = self.known.iter().collect();
        let mut env = self.builder.environment(self.phase);
        env.insert("CCACHE_DISABLE".into(), "1".into());
        let compiles = "compile-memory";
        let spec = PhaseSpec {
            name: NAME.into(),
            image: root.image.clone(),
            volume: volume.clone(),
            cache_volume: None,
            script: format!("set -eu\n{}\n", self.asked.run).into_bytes(),
            uploads: vec![Upload::bytes("/build/governor/figures", self.figures.for_governor(&known), 0o644)],
            env,
            memory_bytes: memory,
            memory_per_job: governed.then_some(options.recipe.file.build.memory_per_job.0),
            jobs,
            pids_limit: 4096,
            cpus: None,
            circumstances: Default::default(),
            farm: None,
            timeout: patience,
            labels: Default::default(),
            log: folder.path().join("log"),
            downloads: vec![format!("/build/out/{compiles}")],
            download_dir: folder.path().to_owned(),
        };
        let log = spec.log.clone();
        let run = once(engine, spec).await;
        if let Ok(text) = std::fs::read_to_string(folder.path().join(compiles)) {
            self.figures.learn(&text, self.phase.key);
        }
        volume::remove(engine, &volume).await?;
        let run = run?.ok_or_else(|| {
            let text = std::fs::read(&log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            BenchError::Governor {
                run: self.asked.run.clone(),
                recipe: inputs.plan().recipe().to_owned(),
                tail: lines[lines.len().saturating_sub(20)..].join("\n"),
            }
        })?;
        progress.event(Event::Note {
            text: format!(
                "{} {}-j{jobs}: {:?} after {:.1} s",
                ByteSize(memory),
                if governed { "governed " } else { "" },
                run.end,
                run.wall_seconds
            ),
        });
        Ok(run)
    }
}

/// Runs a phase once. Nothing if it fails for another reason than memory.
async fn once(engine: &Engine, mut spec: PhaseSpec) -> Result<Option<Run>, PhaseError> {
    let jobs = spec.jobs;
    let begin = Instant::now();
    // What is killed with one job is not run again with fewer; the script is told the real number.
    spec.jobs = 1;
    spec.script = [format!("export JOBS={jobs}\n").as_bytes(), &spec.script].concat();
    let result = phase::run(engine, spec, &mut |_| ()).await;
    let unfinished =
        |end| Run { jobs, end, wall_seconds: begin.elapsed().as_secs_f64(), cpu_seconds: 0.0, peak_rss: 0 };
    match result {
        Err(PhaseError::OutOfMemory { .. }) => Ok(Some(unfinished(End::Killed))),
        Err(PhaseError::TimedOut { .. }) => Ok(Some(unfinished(End::GivenUp))),
        Err(error) => Err(error),
        Ok(record) if record.exit != 0 => Ok(None),
        Ok(record) => Ok(Some(Run {
            jobs,
            end: if record.killed_for_memory.is_empty() { End::Done } else { End::Killed },
            wall_seconds: record.wall,
            cpu_seconds: record.cpu,
            peak_rss: record.peak_rss,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trial::Trial;

    fn run(jobs: u32, end: End, wall_seconds: f64) -> Run {
        Run { jobs, end, wall_seconds, cpu_seconds: 2.0 * wall_seconds, peak_rss: 3 << 29 }
    }

    #[test]
    fn the_best_is_the_fastest_that_survives() {
        let fixed = vec![
            run(1, End::Done, 100.0),
            run(2, End::Done, 60.0),
            run(3, End::Killed, 10.0),
            run(4, End::GivenUp, 5.0),
        ];
        let mut cap = Cap { memory: 2 << 30, governed: run(8, End::Done, 63.0), fixed };
        assert_eq!(cap.best().map(|run| run.jobs), Some(2));
        let report =
            GovernorReport { recipe: "r".into(), command: "make\n".into(), processors: 2, caps: vec![cap.clone()] };
        let expected = "\
2 processors, r: make

cap                            wall         CPU     memory
2 GiB      governed -j8      63.0 s     126.0 s    1.5 GiB  1.05 of the best fixed -j
           -j1              100.0 s     200.0 s    1.5 GiB
           -j2               60.0 s     120.0 s    1.5 GiB
           -j3            killed for memory after 10.0 s
           -j4            given up after 5.0 s
";
        assert_eq!(report.text(), expected);
        cap.governed.end = End::Killed;
        assert_eq!(cap.ratio(), None);
    }

    /// With a container engine.
    mod engine {
        use super::*;

        #[tokio::test]
        async fn each_end_of_a_run_is_told_from_the_others() {
            let bench = Trial::new("ends").await;
            let run = async |script: &str, seconds: u64| {
                let mut spec = bench.spec(script);
                spec.jobs = 3;
                spec.timeout = Some(Duration::from_secs(seconds));
                once(&bench.engine, spec).await.unwrap()
            };
            let done = run("[ $JOBS = 3 ]; head -c 60M /dev/zero | tail -c 60M >/dev/null", 60).await.unwrap();
            assert_eq!((done.end, done.jobs), (End::Done, 3));
            assert!(done.wall_seconds > 0.0 && done.cpu_seconds > 0.0, "{done:?}");
            let killed = run("head -c 400M /dev/zero | tail -c 400M >/dev/null", 60).await.unwrap();
            assert_eq!((killed.end, killed.jobs), (End::Killed, 3));
            assert_eq!(run("sleep 30", 1).await.map(|run| run.end), Some(End::GivenUp));
            assert!(run("exit 1", 60).await.is_none());
            bench.done().await;
        }
    }
}
