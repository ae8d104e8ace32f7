//! Splitting the staged tree in the build root, and writing the unsigned packages.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deb::binary_package::{Step, Written};
use deb::data::MEMORY_PER_THREAD;
use deb::manifest;
use deb::packing::Packing;
use deb::split::{self, Split};
use deb::staged::StagedTree;
use engine::transfer::{self, Content, Upload};
use engine::volume;
use foundation::digest::Digest;
use foundation::progress::Event;
use foundation::store::Store;
use phases::phase::{self, PhaseEvent, PhaseSpec};
use phases::record::PhaseRecord;
use recipe::{Input, Recipe};
use serde::{Deserialize, Serialize};

use super::build::{Budget, Builder, own};
use super::{Error, Inputs, Stage, keep_log, read_json, write_json};

/// Packages that were written, unsigned.
#[derive(Clone, Debug)]
pub struct Packages {
    /// The folder with the .debs.
    pub folder: PathBuf,
    /// What is known of the making of them.
    pub record: PackRecord,
}

/// The packages, and what it took to make them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackRecord {
    /// The packages, sorted by name.
    pub packages: Vec<Written>,
    /// How the staged tree was split, when it was.
    pub split: PhaseRecord,
    /// Wall time in seconds of writing those packages that were not there yet.
    pub seconds: f64,
    /// Threads that wrote them.
    pub threads: u32,
}

const LIST: &str = "packages.json";
const SPLIT_RECORD: &str = "record.json";

/// Memory of the split phase: for objcopy with one large library, and for each smaller file beside it.
const SPLIT_MEMORY: u64 = 2 << 30;
const SPLIT_MEMORY_BESIDE: u64 = 256 << 20;

fn key(inputs: &Inputs) -> Digest {
    Digest::of_json(&(&inputs.plan, deb::code::digest()))
}

/// The packages of this plan, if they were written before.
pub fn packed(store: &Store, inputs: &Inputs) -> Result<Option<Packages>, Error> {
    let key = key(inputs);
    let Some(folder) = store.stage("packages", &key) else { return Ok(None) };
    let record = read_json(&folder.join(LIST))?;
    Ok(Some(Packages { folder, record }))
}

/// Splits and packs.
pub async fn pack(builder: &Builder<'_>, staged: &StagedTree) -> Result<Packages, Error> {
    let Builder { store, options, inputs, root, progress, .. } = *builder;
    let manifest = manifest::read(&options.recipe.folder)?;
    let split_inputs = tokio::task::block_in_place(|| split::inputs(&manifest, &staged.folder))?;
    let names: BTreeMap<&str, Digest> =
        split_inputs.iter().map(|input| (input.name, Digest::of(&input.content))).collect();
    let split_key = Digest::of_json(&(staged.digest, root.digest, names, inputs.plan.source_date_epoch));
    let split_folder = match store.stage("split", &split_key) {
        Some(folder) => {
            progress.event(Event::StageCached { stage: "split".into(), key: split_key.to_string() });
            folder
        }
        None => run_split(builder, staged, &split_inputs, &split_key).await?,
    };
    let split_record: PhaseRecord = read_json(&split_folder.join(SPLIT_RECORD))?;
    let threads = threads(builder).await?;
    let stage = Stage::start(progress, format!("packages ({threads} thread{})", if threads == 1 { "" } else { "s" }));
    let key = key(inputs);
    tokio::task::block_in_place(|| -> Result<_, Error> {
        let split = Split::read(&split_folder)?;
        let packing =
            Packing { manifest: &manifest, changelog: &inputs.changelog, target: &options.target, split: &split };
        let writer = store.begin("packages", &key)?;
        let say = |name: &str, step| {
            let stage = name.to_owned();
            progress.event(match step {
                Step::Found(key) => Event::StageCached { stage, key: key.to_string() },
                Step::Write => Event::StageStarted { stage },
                Step::Written(seconds) => Event::StageFinished { stage, seconds },
            });
        };
        let packages = deb::packing::build_all(&packing, store, writer.path(), threads, &say)?;
        check_unchanged(&options.recipe, &inputs.plan.packing)?;
        let record = PackRecord { packages, split: split_record, seconds: stage.elapsed(), threads };
        write_json(&writer.path().join(LIST), &record)?;
        let folder = writer.commit()?;
        stage.finish();
        Ok(Packages { folder, record })
    })
}

/// How many threads compress: one per processor of this machine, or what `--jobs` says, as far as the memory budget
/// has room for them. It does not show in the bytes, which a rebuild with another number proves.
async fn threads(builder: &Builder<'_>) -> Result<u32, Error> {
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let jobs = builder.build.circumstances.jobs(builder.build.jobs.unwrap_or(processors));
    let memory = Budget::of(builder.engine, builder.options, builder.build).await?.memory;
    Ok(jobs.min((memory / MEMORY_PER_THREAD) as u32).max(1))
}

/// Between the plan and the packing there may be an hour of compiling: packages from a recipe that was edited
/// meanwhile must not get under the digest of the old plan.
fn check_unchanged(recipe: &Recipe, planned: &BTreeMap<String, Input>) -> Result<(), Error> {
    let now = recipe.packing_inputs()?;
    match planned.keys().chain(now.keys()).find(|path| planned.get(*path) != now.get(*path)) {
        Some(path) => Err(Error::Changed { path: recipe.folder.join(path) }),
        None => Ok(()),
    }
}

async fn run_split(
    builder: &Builder<'_>,
    staged: &StagedTree,
    split_inputs: &[split::Input],
    key: &Digest,
) -> Result<PathBuf, Error> {
    let Builder { engine, store, inputs, root, progress, .. } = *builder;
    let circumstances = &builder.build.circumstances;
    let stage = Stage::start(progress, "phase split");
    let budget = Budget::of(engine, builder.options, builder.build).await?;
    let fit = 1 + budget.memory.saturating_sub(SPLIT_MEMORY) / SPLIT_MEMORY_BESIDE;
    let jobs = builder.build.jobs.unwrap_or(budget.cpus).min(fit as u32).max(1);
    let volume = format!("mesos-packages-{}-{}-split-{}", store.id(), inputs.plan.recipe, key.short());
    volume::remove(engine, &volume).await?;
    volume::create(engine, &volume, "split", &key.to_string()).await?;
    own(engine, &root.image, &volume, circumstances).await?;
    let writer = store.begin("split", key)?;
    let mut uploads = vec![Upload {
        path: split::STAGE_FOLDER.into(),
        content: Content::Directory(staged.folder.clone()),
        mode: 0o755,
    }];
    uploads.extend(split_inputs.iter().map(|input| Upload {
        path: format!("{}/{}", split::INPUT_FOLDER, input.name),
        content: Content::Bytes(input.content.clone()),
        mode: 0o644,
    }));
    let log = writer.path().join("log");
    let spec = PhaseSpec {
        name: "split".into(),
        image: root.image.clone(),
        volume: volume.clone(),
        cache_volume: None,
        script: format!("exec sh {}/split.sh\n", split::INPUT_FOLDER).into_bytes(),
        uploads,
        env: inputs.plan.phases[0].environment.clone(),
        memory_bytes: circumstances.memory(SPLIT_MEMORY + u64::from(jobs - 1) * SPLIT_MEMORY_BESIDE),
        memory_per_job: None,
        jobs: circumstances.jobs(jobs),
        pids_limit: 256,
        cpus: None,
        circumstances: circumstances.clone(),
        farm: None,
        timeout: None,
        labels: BTreeMap::new(),
        log: log.clone(),
        downloads: Vec::new(),
        download_dir: writer.path().to_owned(),
    };
    let mut listen = |event: PhaseEvent| {
        if let PhaseEvent::Note(text) = event {
            progress.event(Event::Note { text });
        }
    };
    let record = phase::run(engine, spec, &mut listen).await?;
    if record.exit != 0 {
        volume::remove(engine, &volume).await?;
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        return Err(Error::Phase {
            phase: "split".into(),
            exit: record.exit,
            tail: lines[lines.len().saturating_sub(20)..].join("\n"),
            more: String::new(),
            log: keep_log(store, "split", key, &log),
        });
    }
    transfer::download(engine, &root.image, &volume, split::OUTPUT_FOLDER, writer.path()).await?;
    write_json(&writer.path().join(SPLIT_RECORD), &record)?;
    let folder = writer.commit()?;
    volume::remove(engine, &volume).await?;
    progress.event(record.finished());
    stage.finish();
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_recipe_that_is_edited_meanwhile_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/sample");
        for entry in walkdir::WalkDir::new(&sample) {
            let entry = entry.unwrap();
            let to = folder.path().join(entry.path().strip_prefix(&sample).unwrap());
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(to).unwrap();
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
        let recipe = Recipe::read(folder.path()).unwrap();
        let planned = recipe.packing_inputs().unwrap();
        let changed = || match check_unchanged(&recipe, &planned) {
            Err(Error::Changed { path }) => Some(path),
            other => {
                other.unwrap();
                None
            }
        };
        assert_eq!(changed(), None);
        let unit = folder.path().join("systemd/sample-agent.service");
        let text = std::fs::read_to_string(&unit).unwrap();
        std::fs::write(&unit, format!("{text}# edited\n")).unwrap();
        assert_eq!(changed(), Some(unit.clone()));
        std::fs::write(&unit, text).unwrap();
        assert_eq!(changed(), None);
        let script = folder.path().join("deb/sample-agent/preinst");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert_eq!(changed(), Some(script), "a file that is new counts as well");
    }
}
