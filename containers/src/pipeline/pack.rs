//! Splitting the staged tree in the build root, and writing the unsigned packages.

use std::collections::BTreeMap;
use std::path::PathBuf;

use packaging::deb::{self, BinaryPackage, Packing, Step};
use packaging::digest::Digest;
use packaging::manifest;
use packaging::progress::Event;
use packaging::recipe::{Input, Recipe};
use packaging::split::{self, Split};
use packaging::staged::StagedTree;
use packaging::store::Store;

use super::build::{Builder, own};
use super::{Error, Inputs, Stage, keep_log, read_json, write_json};
use crate::phase::{self, PhaseEvent, PhaseSpec};
use crate::transfer::{self, Content, Upload};
use crate::volume;

/// Packages that were written, unsigned.
#[derive(Clone, Debug)]
pub struct Packages {
    /// The folder with the .debs.
    pub folder: PathBuf,
    /// The packages, sorted by name.
    pub packages: Vec<BinaryPackage>,
}

const LIST: &str = "packages.json";

/// Memory and jobs of the split phase: it reads and writes files, one at a time.
const SPLIT_MEMORY: u64 = 2 << 30;

fn key(inputs: &Inputs) -> Digest {
    Digest::of_json(&(&inputs.plan, packaging::code()))
}

/// The packages of this plan, if they were written before.
pub fn packed(store: &Store, inputs: &Inputs) -> Result<Option<Packages>, Error> {
    let key = key(inputs);
    let Some(folder) = store.stage("packages", &key) else { return Ok(None) };
    let packages = read_json(&folder.join(LIST))?;
    Ok(Some(Packages { folder, packages }))
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
    let stage = Stage::start(progress, "packages");
    let key = key(inputs);
    tokio::task::block_in_place(|| -> Result<_, Error> {
        let split = Split::read(&split_folder)?;
        let packing =
            Packing { manifest: &manifest, changelog: &inputs.changelog, target: &options.target, split: &split };
        let writer = store.begin("packages", &key)?;
        let say = |name: &str, step| {
            progress.event(match step {
                Step::Found(key) => Event::StageCached { stage: name.into(), key: key.to_string() },
                Step::Write => Event::Note { text: format!("  {name}") },
            });
        };
        let packages = deb::build_all(&packing, store, writer.path(), &say)?;
        check_unchanged(&options.recipe, &inputs.plan.packing)?;
        write_json(&writer.path().join(LIST), &packages)?;
        let folder = writer.commit()?;
        stage.finish();
        Ok(Packages { folder, packages })
    })
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
    let volume = format!("mesos-packages-{}-{}-split-{}", store.id(), inputs.plan.recipe, key.short());
    volume::remove(engine, &volume).await?;
    volume::create(engine, &volume, "split", &key.to_string()).await?;
    own(engine, &root.image, &volume, circumstances).await?;
    let writer = store.begin("split", key)?;
    let mut uploads =
        vec![Upload { path: "/build/stage".into(), content: Content::Directory(staged.folder.clone()), mode: 0o755 }];
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
        memory_bytes: circumstances.memory(SPLIT_MEMORY),
        memory_per_job: None,
        jobs: circumstances.jobs(1),
        pids_limit: 256,
        cpus: None,
        circumstances: circumstances.clone(),
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
    write_json(&writer.path().join("record.json"), &record)?;
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
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/sample");
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
