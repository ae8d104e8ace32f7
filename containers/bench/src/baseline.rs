//! Upstream's own way: what everything else is measured against.
//!
//! It takes longer than all the rest together, so that its result is kept under the digest of what it depends on, and
//! it runs once on a machine. The tool's own part in a phase is left out of that digest on purpose: making this tool
//! faster must not cost an hour for a number that stays the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use engine::{transfer, volume};
use foundation::digest::Digest;
use foundation::progress::Event;
use foundation::store::Store;
use phases::record::PhaseRecord;
use pipeline::Builder;
use pipeline::budget::Budget;
use pipeline::records::{read_json, write_json};
use recipe::plan::PlannedPhase;

use super::error::BenchError;

/// What upstream's own way took, and what it made.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// What upstream's own way took.
    pub record: PhaseRecord,
    /// The file that lists what others can see of what it installs: `bin/exports` of the recipe printed it.
    pub exports: PathBuf,
}

/// The file, below `/build/out`, where the phase leaves that list.
const EXPORTS: &str = "exports";

/// The file with the figures, in the stage and in that of the phase.
const RECORD: &str = "record.json";

/// The phase that is upstream's own way, and those before it.
struct Course<'a> {
    phase: PlannedPhase,
    before: Vec<&'a PlannedPhase>,
}

/// Measures upstream's own way, or returns what an earlier run on this machine measured.
///
/// # Errors
/// The recipe does not describe upstream's own way, its phase or one before it fails or lists no exports, or the engine
/// does not do its part.
pub async fn baseline(builder: &Builder<'_>) -> Result<Baseline, BenchError> {
    let (engine, store, options, root, progress) =
        (builder.engine(), builder.store(), builder.options(), builder.root(), builder.progress());
    let Some(Course { phase, before }) = course(builder).await? else {
        return Err(BenchError::NoBaseline { recipe: options.recipe.name().to_owned() });
    };
    let key = phase.key;
    if let Some(found) = find(store, &key)? {
        progress.event(Event::StageCached { stage: phase.name, key: key.to_string() });
        return Ok(found);
    }
    let phases: Vec<&PlannedPhase> = before.into_iter().chain([&phase]).collect();
    let last = builder.phases(&phases).await?;
    let folder = store.stage("phase", &key).expect("a phase that has run is kept");
    let record: PhaseRecord = read_json(&folder.join(RECORD))?;
    let writer = store.begin("baseline", &key)?;
    if !transfer::download(engine, &root.image, last.volume(), &format!("/build/out/{EXPORTS}"), writer.path()).await? {
        let script = options.recipe.path(&Path::new("phases").join(&phase.name));
        return Err(BenchError::Script { script, why: format!("it left no /build/out/{EXPORTS}") });
    }
    write_json(&writer.path().join(RECORD), &record)?;
    writer.commit()?;
    volume::remove(engine, last.volume()).await?;
    find(store, &key).map(|found| found.expect("it was just written"))
}

/// Returns what was measured before; none if nothing was, or if the recipe does not describe upstream's own way.
///
/// # Errors
/// The recipe's files or the record of an earlier run cannot be read, or the engine does not answer.
pub async fn kept(builder: &Builder<'_>) -> Result<Option<Baseline>, BenchError> {
    match course(builder).await? {
        Some(course) => find(builder.store(), &course.phase.key),
        None => Ok(None),
    }
}

fn find(store: &Store, key: &Digest) -> Result<Option<Baseline>, BenchError> {
    let Some(folder) = store.stage("baseline", key) else { return Ok(None) };
    Ok(Some(Baseline { record: read_json(&folder.join(RECORD))?, exports: folder.join(EXPORTS) }))
}

/// What would be run; nothing where the recipe has no such phase.
async fn course<'a>(builder: &Builder<'a>) -> Result<Option<Course<'a>>, BenchError> {
    let (engine, options, build, inputs, root) =
        (builder.engine(), builder.options(), builder.build(), builder.inputs(), builder.root());
    let file = &options.recipe.file;
    let baseline: Option<&recipe::bench::BaselineSection> =
        file.bench.as_ref().and_then(|bench| bench.baseline.as_ref());
    let (Some(baseline), Some(phase)) = (baseline, options.recipe.baseline_phase()) else { return Ok(None) };
    let plan = inputs.plan();
    let before =
        1 + plan.phases().iter().position(|phase| phase.name == baseline.after).expect("looked over with the recipe");
    let before: Vec<&PlannedPhase> = plan.phases()[..before].iter().collect();
    let prepared: BTreeMap<_, _> = before.iter().map(|phase| (&phase.name, &phase.inputs)).collect();
    let own = inputs.recipe().phase_inputs(&phase)?;
    let jobs = Budget::of(engine, options, build).await?.jobs;
    let key = Digest::of_json(&(
        (root.digest, plan.source().sha256, prepared),
        (&phase.name, &own, &file.version, &file.build.environment),
        (jobs, engine.info().await?.cpus),
    ));
    let environment = before[before.len() - 1].environment.clone();
    Ok(Some(Course { phase: PlannedPhase { name: phase.name, key, inputs: own, environment }, before }))
}
