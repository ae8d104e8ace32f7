//! Upstream's own way: what everything else is measured against.
//!
//! It takes longer than all the rest together, so that its result is kept under the digest of what it depends on, and
//! it runs once on a machine. The tool's own part in a phase is left out of that digest on purpose: making this tool
//! faster must not cost an hour for a number that stays the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use packaging::digest::Digest;
use packaging::plan::PlannedPhase;
use packaging::progress::Event;

use super::super::build::{Budget, Builder};
use super::super::{Error, read_json, write_json};
use crate::phase::PhaseRecord;
use crate::{transfer, volume};

/// What upstream's own way took, and what it made.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// Its figures.
    pub record: PhaseRecord,
    /// What others can see of what it installs: `bin/exports` of the recipe printed it.
    pub exports: PathBuf,
}

/// Where the phase leaves the list, below `/build/out`.
const EXPORTS: &str = "exports";

/// The result, from the store if it is there.
pub async fn baseline(builder: &Builder<'_>) -> Result<Baseline, Error> {
    const RECORD: &str = "record.json";
    let Builder { engine, store, options, build, inputs, root, progress } = *builder;
    let recipe = &options.recipe;
    let (Some(bench), Some(phase)) = (&recipe.file.bench, recipe.baseline_phase()) else {
        return Err(Error::NoBench { recipe: recipe.name().to_owned() });
    };
    let plan = &inputs.plan;
    let before =
        1 + plan.phases.iter().position(|phase| phase.name == bench.after).expect("looked over with the recipe");
    let before: Vec<&PlannedPhase> = plan.phases[..before].iter().collect();
    let prepared: BTreeMap<_, _> = before.iter().map(|phase| (&phase.name, &phase.inputs)).collect();
    let own = recipe.phase_inputs(&phase)?;
    let file = &recipe.file;
    let jobs = Budget::of(engine, options, build).await?.jobs;
    let key = Digest::of_json(&(
        (root.digest, plan.source.sha256, prepared),
        (&phase.name, &own, &file.version, &file.build.environment),
        (jobs, engine.info().await?.cpus),
    ));
    let find = || -> Result<Option<Baseline>, Error> {
        let Some(folder) = store.stage("baseline", &key) else { return Ok(None) };
        Ok(Some(Baseline { record: read_json(&folder.join(RECORD))?, exports: folder.join(EXPORTS) }))
    };
    if let Some(found) = find()? {
        progress.event(Event::StageCached { stage: phase.name, key: key.to_string() });
        return Ok(found);
    }
    let environment = before[before.len() - 1].environment.clone();
    let phase = PlannedPhase { name: phase.name, key, inputs: own, environment };
    let phases: Vec<&PlannedPhase> = before.into_iter().chain([&phase]).collect();
    let last = builder.phases(&phases).await?;
    let folder = store.stage("phase", &key).expect("a phase that has run is kept");
    let record: PhaseRecord = read_json(&folder.join(RECORD))?;
    let writer = store.begin("baseline", &key)?;
    if !transfer::download(engine, &root.image, &last, &format!("/build/out/{EXPORTS}"), writer.path()).await? {
        let why = format!("phases/{} of {} left no /build/out/{EXPORTS}", phase.name, recipe.name());
        return Err(crate::Error::Request(why).into());
    }
    write_json(&writer.path().join(RECORD), &record)?;
    writer.commit()?;
    volume::remove(engine, &last).await?;
    find().map(|found| found.expect("it was just written"))
}
