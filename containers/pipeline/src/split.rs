//! The tool's own phase: debug symbols and dependencies of the staged tree, in the build root.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deb::split::{self, INPUT_FOLDER, Input, OUTPUT_FOLDER, STAGE_FOLDER, Split};
use deb::staged::StagedTree;
use engine::transfer::{self, Content, Upload};
use engine::volume;
use foundation::digest::Digest;
use foundation::progress::Event;
use phases::phase::{self, PhaseEvent, PhaseSpec};
use phases::record::PhaseRecord;

use crate::budget::Budget;
use crate::builder::{Builder, own};
use crate::error::Error;
use crate::records::{keep_log, read_json, write_json};
use crate::stage::Stage;

/// The kind of stage that has the result, and its record there.
const KIND: &str = "split";
const RECORD: &str = "record.json";

/// Memory of the split phase: for objcopy with one large library, and for each smaller file beside it.
const SPLIT_MEMORY: u64 = 2 << 30;
const SPLIT_MEMORY_BESIDE: u64 = 256 << 20;

/// Separates debug symbols and finds out dependencies of a staged tree, unless that was done before; returns the result
/// and the record of making it.
///
/// # Errors
/// The tree does not fit the manifest, the phase fails or does not fit into the memory, the engine does not do its
/// part, or the store cannot be written.
pub async fn split(builder: &Builder<'_>, staged: &StagedTree) -> Result<(Split, PhaseRecord), Error> {
    let Builder { store, inputs, root, progress, .. } = *builder;
    let split_inputs = tokio::task::block_in_place(|| split::inputs(inputs.manifest(), &staged.folder))?;
    let names: BTreeMap<&str, Digest> =
        split_inputs.iter().map(|input| (input.name, Digest::of(&input.content))).collect();
    let key = Digest::of_json(&(staged.digest, root.digest, names, inputs.plan().source_date_epoch()));
    let folder = match store.stage(KIND, &key) {
        Some(folder) => {
            progress.event(Event::StageCached { stage: KIND.into(), key: key.to_string() });
            folder
        }
        None => run(builder, staged, &split_inputs, &key).await?,
    };
    Ok((Split::read(&folder)?, read_json(&folder.join(RECORD))?))
}

async fn run(
    builder: &Builder<'_>,
    staged: &StagedTree,
    split_inputs: &[Input],
    key: &Digest,
) -> Result<PathBuf, Error> {
    let Builder { engine, store, inputs, root, progress, .. } = *builder;
    let circumstances = &builder.build.circumstances;
    let stage = Stage::start(progress, "phase split");
    let budget = Budget::of(engine, builder.options, builder.build).await?;
    let fit = 1 + budget.memory.saturating_sub(SPLIT_MEMORY) / SPLIT_MEMORY_BESIDE;
    let jobs = builder.build.jobs.unwrap_or(budget.cpus).min(fit as u32).max(1);
    let volume = format!("{}split-{}", engine::names::of_recipe(store, inputs.recipe().handle()), key.short());
    volume::remove(engine, &volume).await?;
    volume::create(engine, &volume, "split", &key.to_string()).await?;
    own(engine, &root.image, &volume, circumstances).await?;
    let writer = store.begin(KIND, key)?;
    let mut uploads =
        vec![Upload { path: STAGE_FOLDER.into(), content: Content::Directory(staged.folder.clone()), mode: 0o755 }];
    uploads.extend(split_inputs.iter().map(|input| Upload {
        path: format!("{}/{}", INPUT_FOLDER, input.name),
        content: Content::Bytes(input.content.clone()),
        mode: 0o644,
    }));
    let log = writer.path().join("log");
    let spec = PhaseSpec {
        name: "split".into(),
        image: root.image.clone(),
        volume: volume.clone(),
        cache_volume: None,
        script: format!("exec sh {}/split.sh\n", INPUT_FOLDER).into_bytes(),
        uploads,
        env: inputs.plan().phases()[0].environment.clone(),
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
    let mut record = phase::run(engine, spec, &mut listen).await?;
    record.emulated = builder.emulated();
    if record.exit != 0 {
        volume::remove(engine, &volume).await?;
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        return Err(Error::Phase {
            phase: "split".into(),
            exit: record.exit,
            tail: lines[lines.len().saturating_sub(20)..].join("\n"),
            more: String::new(),
            log: keep_log(store, KIND, key, &log),
            kept: None,
        });
    }
    transfer::download(engine, &root.image, &volume, OUTPUT_FOLDER, writer.path()).await?;
    write_json(&writer.path().join(RECORD), &record)?;
    let folder = writer.commit()?;
    volume::remove(engine, &volume).await?;
    progress.event(record.finished());
    stage.finish();
    Ok(folder)
}
