//! How long a build would take with other numbers of processors, from what is on record of one: when each compile ran, and
//! what CPU time and memory it took.
//!
//! The record tells what had to wait for what. Wherever no compile was running for a moment, everything after waited for
//! everything before: for a link, for a configure script, for javac. So a build is a chain of stretches in which nothing
//! compiles, as long with any number of processors, and of sets of compiles that can be side by side. The compiles of a
//! set are dealt to the processors, the longest first (Graham's list scheduling, which is at most a third longer than the
//! best). What make, libtool and the shell take between compiles is spread over them.
//!
//! That is too hopeful where a compile waited for another one of its own set, and too careful where a moment without a compile
//! was chance. The prediction for the number of processors that the record is of says how good it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use foundation::bytes::ByteSize;
use foundation::digest::Digest;
use foundation::progress::duration;
use foundation::store::Store;
use foundation::threads::processors;
use phases::record::PhaseRecord;
use pipeline::packed::{PackRecord, Packed};
use pipeline::{Inputs, Options, gather};
use serde::{Deserialize, Serialize};

use super::error::BenchError;
use super::plot::{self, Group, Plot};

/// What `bench-predicted.json` has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PredictedReport {
    /// The number of the format of this value: 1.
    pub format: u32,
    /// Name of the recipe.
    pub recipe: String,
    /// The packages' version.
    pub version: String,
    /// Name of the target, such as `debian-13/amd64`.
    pub target: String,
    /// Digest of the plan that the record is of.
    pub plan: Digest,
    /// How many processors this machine has, which the record is taken to be of.
    pub processors_here: u32,
    /// Seconds that the build on record took, from the first phase to the packages.
    pub measured_seconds: f64,
    /// CPU seconds of it.
    pub cpu_seconds: f64,
    /// The prediction for the processors of this machine.
    pub here: Predicted,
    /// The predictions that were asked for.
    pub predictions: Vec<Predicted>,
    /// Seconds with as many processors as can be used.
    pub least_seconds: f64,
    /// What is on the critical path then, in order.
    pub path: Vec<Step>,
}

/// What is predicted for a number of processors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Predicted {
    /// How many processors.
    pub processors: u32,
    /// Wall time in seconds, from the first phase to the packages.
    pub wall_seconds: f64,
    /// Most bytes that the compiles which run at once take.
    pub memory: u64,
}

/// A part of the critical path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// The phase.
    pub phase: String,
    /// What it is: a file that is compiled or linked, or up to which file nothing is.
    pub what: String,
    /// Whether a file is compiled or linked there.
    pub compiles: bool,
    /// How long it takes, in seconds.
    pub seconds: f64,
}

/// Something that one processor does.
#[derive(Clone, Debug, PartialEq)]
struct Job {
    what: String,
    seconds: f64,
    memory: u64,
}

/// A part of a build; the next one waits for all of it.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// As long with any number of processors.
    Alone { what: String, seconds: f64 },
    /// What can be side by side.
    Beside(Vec<Job>),
}

/// Predicts from what the store has on record of the plan that the options lead to.
///
/// # Errors
/// The inputs cannot be had, the plan's packages were not made here, or not from nothing.
pub fn predict(
    store: &Store,
    options: &Options,
    progress: &dyn foundation::progress::Progress,
    numbers: &[u32],
) -> Result<PredictedReport, BenchError> {
    let inputs = gather(store, options, progress)?;
    let unfit = |why: &'static str| BenchError::NoRecord { recipe: options.recipe.handle().to_owned(), why };
    let packed = Packed::find(store, &inputs)?.ok_or_else(|| unfit("it has not been packaged here yet"))?;
    let record = packed.record();
    if !record.build().taken().is_empty() {
        return Err(unfit("a part of it was taken from others"));
    }
    let compiles = || record.build().phases().iter().filter_map(|phase| phase.compiles.as_ref());
    if compiles().any(|compiles| compiles.cache_hits > 0) {
        return Err(unfit("a part of it came from the compiler cache"));
    }
    if compiles().flat_map(|compiles| &compiles.files).any(|file| file.ran > 0 && file.spans.is_empty()) {
        return Err(unfit("an earlier version of this tool did not note when each compile ran"));
    }
    Ok(report(&inputs, record, processors(), numbers))
}

fn report(inputs: &Inputs, record: &PackRecord, processors_here: u32, numbers: &[u32]) -> PredictedReport {
    let mut parts: Vec<(String, Part)> = Vec::new();
    for phase in record.build().phases() {
        parts.extend(of_phase(phase).into_iter().map(|part| (phase.name.clone(), part)));
    }
    let split = Part::Alone { what: "debug symbols and dependencies".into(), seconds: record.split().wall };
    parts.push(("split".into(), split));
    let packages = record.packages().iter().map(|written| Job {
        what: written.package.file.clone(),
        seconds: written.seconds,
        memory: 0,
    });
    parts.push(("packages".into(), Part::Beside(packages.collect())));

    let phases = record.build().phases().iter().chain([record.split()]);
    let (wall, cpu) = phases.fold((0.0, 0.0), |(wall, cpu), phase| (wall + phase.wall, cpu + phase.cpu));
    let path: Vec<Step> = parts.iter().filter_map(|(phase, part)| longest(phase, part)).collect();
    let plan = inputs.plan();
    PredictedReport {
        format: 1,
        recipe: plan.recipe().to_owned(),
        version: plan.version().to_owned(),
        target: plan.target().name.to_string(),
        plan: plan.digest(),
        processors_here,
        measured_seconds: wall + record.seconds(),
        cpu_seconds: cpu,
        here: with(&parts, processors_here),
        predictions: numbers.iter().map(|n| with(&parts, *n)).collect(),
        least_seconds: path.iter().map(|step| step.seconds).sum(),
        path,
    }
}

/// What a phase consists of.
fn of_phase(phase: &PhaseRecord) -> Vec<Part> {
    let files = phase.compiles.iter().flat_map(|compiles| &compiles.files);
    let mut runs: Vec<_> = files
        .flat_map(|file| {
            let seconds = file.seconds / f64::from(file.ran.max(1));
            file.spans.iter().map(move |span| (*span, Job { what: file.file.clone(), seconds, memory: file.memory }))
        })
        .collect();
    runs.sort_by(|(one, _), (other, _)| one.began.total_cmp(&other.began));
    let mut parts = Vec::new();
    // Up to where something was compiled.
    let mut end = 0.0;
    let mut beside: Vec<Job> = Vec::new();
    for (span, job) in runs {
        if span.began > end {
            parts.extend((!beside.is_empty()).then(|| Part::Beside(std::mem::take(&mut beside))));
            parts.push(Part::Alone {
                what: format!("nothing is compiled until {}", job.what),
                seconds: span.began - end,
            });
        }
        end = f64::max(end, span.ended);
        beside.push(job);
    }
    parts.extend((!beside.is_empty()).then_some(Part::Beside(beside)));
    let rest = (phase.wall - end).max(0.0);
    let what = if parts.is_empty() { "nothing is compiled" } else { "after the last compile" };
    parts.push(Part::Alone { what: what.into(), seconds: rest });

    let alone = |part: &Part| if let Part::Alone { seconds, .. } = part { *seconds } else { 0.0 };
    let idle: f64 = parts.iter().map(alone).sum();
    let of_compiles: f64 = jobs(&parts).map(|job| job.seconds).sum();
    let others = (phase.cpu - of_compiles - idle).max(0.0) / jobs(&parts).count().max(1) as f64;
    for part in &mut parts {
        if let Part::Beside(jobs) = part {
            jobs.iter_mut().for_each(|job| job.seconds += others);
        }
    }
    parts
}

fn jobs(parts: &[Part]) -> impl Iterator<Item = &Job> {
    parts.iter().flat_map(|part| if let Part::Beside(jobs) = part { jobs.as_slice() } else { &[] })
}

/// What is on the critical path of a part: the longest of what can be side by side.
fn longest(phase: &str, part: &Part) -> Option<Step> {
    let step =
        |what: &str, compiles, seconds| Step { phase: phase.to_owned(), what: what.to_owned(), compiles, seconds };
    match part {
        Part::Alone { what, seconds } => Some(step(what, false, *seconds)),
        Part::Beside(jobs) => {
            let longest = jobs.iter().max_by(|one, other| one.seconds.total_cmp(&other.seconds))?;
            Some(step(&longest.what, true, longest.seconds))
        }
    }
}

/// All parts, one after the other, with so many processors.
fn with(parts: &[(String, Part)], processors: u32) -> Predicted {
    let (mut wall_seconds, mut memory) = (0.0, 0);
    for (_, part) in parts {
        let (seconds, bytes) = match part {
            Part::Alone { seconds, .. } => (*seconds, 0),
            Part::Beside(jobs) => deal(jobs, processors),
        };
        wall_seconds += seconds;
        memory = memory.max(bytes);
    }
    Predicted { processors, wall_seconds, memory }
}

/// Deals jobs to processors, the longest first, each to the one that is free first. Returns when the last one has ended, and the most
/// memory that those running at once take.
fn deal(jobs: &[Job], processors: u32) -> (f64, u64) {
    // Heaps order whole numbers; a microsecond is fine enough.
    let mut jobs: Vec<(u64, u64)> = jobs.iter().map(|job| ((job.seconds * 1e6) as u64, job.memory)).collect();
    jobs.sort_by_key(|job| Reverse(*job));
    let mut free: BinaryHeap<Reverse<u64>> = (0..processors.max(1)).map(|_| Reverse(0)).collect();
    let mut changes: Vec<(u64, i128)> = Vec::new();
    let mut last = 0;
    for (length, memory) in jobs {
        let Reverse(from) = free.pop().expect("one processor at least");
        let until = from + length;
        free.push(Reverse(until));
        changes.extend([(from, i128::from(memory)), (until, -i128::from(memory))]);
        last = last.max(until);
    }
    // At one moment, what ends gives its memory back first.
    changes.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, change) in changes {
        now += change;
        most = most.max(now);
    }
    (last as f64 / 1e6, u64::try_from(most).unwrap_or(0))
}

/// So many parts of the path are told of.
const TOLD: usize = 12;

impl PredictedReport {
    /// The table and the critical path, for people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "\n{} {} for {}: {} on record, {} predicted for the {} processors here ({:.2} of it)\n",
            self.recipe,
            self.version,
            self.target,
            duration(self.measured_seconds),
            duration(self.here.wall_seconds),
            self.processors_here,
            self.here.wall_seconds / self.measured_seconds
        );
        text += &format!("\n{:>10}  {:>13}  {:>9}  {:>10}\n", "processors", "wall", "speed-up", "memory");
        let one = self.predictions.first().map_or(0.0, |first| first.wall_seconds);
        for Predicted { processors, wall_seconds, memory } in &self.predictions {
            text += &format!(
                "{processors:>10}  {:>13}  {:>9.2}  {:>10}\n",
                duration(*wall_seconds),
                one / wall_seconds,
                ByteSize(*memory).to_string()
            );
        }
        text +=
            &format!("{:>10}  {:>13}  {:>9.2}\n", "any number", duration(self.least_seconds), one / self.least_seconds);
        let share = |seconds: f64| seconds / self.least_seconds * 100.0;
        let alone: f64 = self.path.iter().filter(|step| !step.compiles).map(|step| step.seconds).sum();
        text += &format!(
            "\nThe critical path has {} parts. In {:.0} % of it nothing is compiled. Its longest parts:\n",
            self.path.len(),
            share(alone)
        );
        let mut steps: Vec<&Step> = self.path.iter().collect();
        steps.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        for Step { phase, what, seconds, .. } in steps.into_iter().take(TOLD) {
            text += &format!("{:>10}  {:>4.1} %  {phase}: {what}\n", duration(*seconds), share(*seconds));
        }
        text
    }

    /// The plot as an SVG picture: wall time by number of processors.
    pub fn svg(&self) -> String {
        let group = |label: String, seconds: f64| Group { label, seconds: vec![seconds] };
        let plural = |n: u32| if n == 1 { "1 processor".to_owned() } else { format!("{n} processors") };
        let mut groups = vec![group(format!("measured, {}", plural(self.processors_here)), self.measured_seconds)];
        groups.extend(self.predictions.iter().map(|one| group(plural(one.processors), one.wall_seconds)));
        groups.push(group("any number of processors".into(), self.least_seconds));
        plot::svg(&Plot {
            title: format!("Wall time by number of processors, {} {}", self.recipe, self.version),
            note: format!("{}, from the source to unsigned packages, predicted from one build on record", self.target),
            series: vec!["wall time".into()],
            groups,
        })
    }
}

#[cfg(test)]
mod tests {
    use phases::compiles::{Compile, Compiles, Span};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn job(what: &str, seconds: f64, memory: u64) -> Job {
        Job { what: what.into(), seconds, memory }
    }

    fn alone(what: &str, seconds: f64) -> Part {
        Part::Alone { what: what.into(), seconds }
    }

    /// Two seconds of configure, three files on two processors, a link of a second, and a second of installing.
    fn phase(cpu: f64) -> PhaseRecord {
        let file = |file: &str, seconds, memory, spans: &[(f64, f64)]| Compile {
            file: file.into(),
            seconds,
            memory,
            ran: spans.len() as u32,
            cached: 0,
            spans: spans.iter().map(|(began, ended)| Span { began: *began, ended: *ended }).collect(),
        };
        let files = vec![
            file("a.cc", 4.0, 100 * MIB, &[(2.0, 6.0)]),
            file("b.cc", 4.0, 50 * MIB, &[(2.0, 4.0), (4.0, 6.0)]),
            file("lib.so", 1.0, 10 * MIB, &[(6.5, 7.5)]),
        ];
        PhaseRecord {
            name: "build".into(),
            wall: 8.5,
            cpu,
            compiles: Some(Compiles { cache_hits: 0, cache_misses: 3, files }),
            ..PhaseRecord::default()
        }
    }

    #[test]
    fn a_moment_without_a_compile_is_where_everything_waits() {
        let together = vec![job("a.cc", 4.0, 100 * MIB), job("b.cc", 2.0, 50 * MIB), job("b.cc", 2.0, 50 * MIB)];
        let parts = [
            alone("nothing is compiled until a.cc", 2.0),
            Part::Beside(together),
            alone("nothing is compiled until lib.so", 0.5),
            Part::Beside(vec![job("lib.so", 1.0, 10 * MIB)]),
            alone("after the last compile", 1.0),
        ];
        // All of the CPU time is that of the compiles, and one processor's where nothing is compiled.
        assert_eq!(of_phase(&phase(9.0 + 3.5)), parts);
        let named: Vec<(String, Part)> = parts.into_iter().map(|part| ("build".to_owned(), part)).collect();
        let wall = |n| with(&named, n);
        assert_eq!(wall(1), Predicted { processors: 1, wall_seconds: 12.5, memory: 100 * MIB });
        assert_eq!(wall(2), Predicted { processors: 2, wall_seconds: 8.5, memory: 150 * MIB });
        assert_eq!(wall(128), Predicted { processors: 128, wall_seconds: 8.5, memory: 200 * MIB });
        let path: Vec<Step> = named.iter().filter_map(|(phase, part)| longest(phase, part)).collect();
        assert_eq!(path.iter().map(|step| step.seconds).sum::<f64>(), 8.5);
        assert_eq!((path[1].what.as_str(), path[1].compiles), ("a.cc", true));
        // What make and the shell took beside the compiles is a part of these.
        let busier = of_phase(&phase(9.0 + 3.5 + 4.0));
        assert_eq!(jobs(&busier).map(|job| job.seconds).collect::<Vec<_>>(), [5.0, 3.0, 3.0, 2.0]);
    }

    #[test]
    fn a_phase_that_compiles_nothing_is_as_long_with_any_number() {
        let phase = PhaseRecord { wall: 3.0, cpu: 5.0, ..PhaseRecord::default() };
        assert_eq!(of_phase(&phase), [alone("nothing is compiled", 3.0)]);
        assert_eq!(deal(&[], 4), (0.0, 0));
    }

    #[test]
    fn the_longest_are_dealt_first() {
        let jobs: Vec<Job> = [1.0, 1.0, 1.0, 1.0, 4.0].iter().map(|seconds| job("x", *seconds, 10)).collect();
        assert_eq!(deal(&jobs, 2), (4.0, 20));
        assert_eq!(deal(&jobs, 1), (8.0, 10));
        assert_eq!(deal(&jobs, 0), (8.0, 10), "there is always one");
    }
}
