//! The tool's own phase: debug symbols and dependencies of the staged tree, in the build root.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deb::split::{self, INPUT_FOLDER, Input, OUTPUT_FOLDER, STAGE_FOLDER, Split};
use deb::staged::StagedTree;
use engine::transfer::{self, Content, Upload};
use engine::volume;
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use phases::phase::{self, PhaseEvent, PhaseSpec};
use phases::record::PhaseRecord;
use results::{Bundle, Key, Kind, Taken};

use crate::budget::Budget;
use crate::builder::{Builder, own};
use crate::error::Error;
use crate::failed_phase::failed;
use crate::finished;
use crate::inputs::Inputs;
use crate::options::Others;
use crate::records::{begin, keep_log, read_json, taken_in, write_json, write_taken};
use crate::share;
use crate::staged::Staged;
use foundation::stage::Stage;

/// The kind of stage that has the result, and its record there.
const KIND: &str = "split";
const RECORD: &str = "record.json";
const LOG: &str = "log";

/// Memory of the split phase: for objcopy with one large library, and for each smaller file beside it.
const SPLIT_MEMORY: u64 = 2 << 30;
const SPLIT_MEMORY_BESIDE: u64 = 256 << 20;

/// What the script leaves: the files and folders of a result.
const OUTPUT: [&str; 4] = ["binaries", "debug", "stage", "substvars"];

/// What is left of a staged tree when it was split, the record of that, and from whom it was taken, if so.
pub type Splitting = (Split, PhaseRecord, Option<Taken>);

/// What a staged tree is split by, and the digest of all of it.
fn key(inputs: &Inputs, staged: &StagedTree, root: Digest) -> Result<(Vec<Input>, Digest), Error> {
    let split_inputs = split::inputs(inputs.manifest(), &staged.folder)?;
    let names: BTreeMap<&str, Digest> =
        split_inputs.iter().map(|input| (input.name, Digest::of(&input.content))).collect();
    let key = Digest::of_json(&(staged.digest, root, names, inputs.plan().source_date_epoch()));
    Ok((split_inputs, key))
}

/// What an earlier run has left, or what others have, as it was asked for; no engine is needed for that. None where the tree
/// has to be split.
///
/// # Errors
/// The tree does not fit the manifest, the store cannot be read or written, or two builders disagree.
pub fn find_or_take(
    store: &Store,
    others: &Others,
    inputs: &Inputs,
    staged: &Staged,
    progress: &dyn Progress,
) -> Result<Option<Splitting>, Error> {
    let (_, inputs) = key(inputs, staged.tree(), staged.record().build_root())?;
    if let Some(folder) = store.stage(KIND, &inputs) {
        let found = read(&folder)?;
        if others.accept(found.2.as_slice(), progress) {
            progress.event(Event::StageCached { stage: KIND.into(), key: inputs.to_string() });
            return Ok(Some(found));
        }
    }
    let Some(taker) = others.taker() else { return Ok(None) };
    let key = Key { kind: Kind::Split, inputs };
    share::take(store, taker, &key, progress, |received| {
        let writer = begin(store, KIND, &inputs)?;
        for name in OUTPUT {
            let (from, to) = (received.content().join(name), writer.path().join(name));
            std::fs::rename(&from, &to).map_err(Error::io("write", &to))?;
        }
        for name in [RECORD, LOG, finished::PACKED] {
            let (from, to) = (received.account().join(name), writer.path().join(name));
            std::fs::rename(&from, &to).map_err(Error::io("write", &to))?;
        }
        write_taken(writer.path(), &received.taken)?;
        // Complete, or not to be kept.
        read(writer.path())?;
        read(&writer.commit()?)
    })
}

/// The finished stage of a staged tree, with the key that it is shared under.
///
/// # Errors
/// A file cannot be read.
pub fn find(store: &Store, inputs: &Inputs, staged: &Staged) -> Result<Option<(Key, PathBuf)>, Error> {
    let (_, inputs) = key(inputs, staged.tree(), staged.record().build_root())?;
    Ok(store.stage(KIND, &inputs).map(|folder| (Key { kind: Kind::Split, inputs }, folder)))
}

/// What a stage has as something to share; none where it is not this machine's own. `packed` are the digests under which its
/// packages are.
///
/// # Errors
/// A file cannot be read.
pub fn bundle_in(stage: &Path, work: &Path, packed: &BTreeMap<String, Digest>) -> Result<Option<Bundle>, Error> {
    if taken_in(stage)?.is_some() {
        return Ok(None);
    }
    let mut bundle = Bundle::default();
    for name in OUTPUT {
        bundle = bundle.content(&stage.join(name), name)?;
    }
    for name in [RECORD, LOG] {
        bundle = bundle.account(&stage.join(name), name)?;
    }
    let path = work.join(format!("{KIND}-{}", finished::PACKED));
    write_json(&path, packed)?;
    Ok(Some(bundle.account(&path, finished::PACKED)?))
}

fn read(folder: &Path) -> Result<Splitting, Error> {
    Ok((Split::read(folder)?, read_json(&folder.join(RECORD))?, taken_in(folder)?))
}

/// Separates debug symbols and finds out dependencies of a staged tree, unless that was done before.
///
/// # Errors
/// The tree does not fit the manifest, the phase fails or does not fit into the memory, the engine does not do its
/// part, or the store cannot be written.
pub async fn split(builder: &Builder<'_>, staged: &Staged) -> Result<Splitting, Error> {
    let Builder { store, build, inputs, progress, .. } = *builder;
    if let Some(found) = tokio::task::block_in_place(|| find_or_take(store, &build.others, inputs, staged, progress))? {
        return Ok(found);
    }
    let staged = staged.tree();
    let (split_inputs, key) = tokio::task::block_in_place(|| key(inputs, staged, builder.root.digest))?;
    read(&run(builder, staged, &split_inputs, &key).await?)
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
    let writer = begin(store, KIND, key)?;
    let mut uploads =
        vec![Upload { path: STAGE_FOLDER.into(), content: Content::Directory(staged.folder.clone()), mode: 0o755 }];
    uploads.extend(split_inputs.iter().map(|input| Upload {
        path: format!("{}/{}", INPUT_FOLDER, input.name),
        content: Content::Bytes(input.content.clone()),
        mode: 0o644,
    }));
    let log = writer.path().join(LOG);
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
        return Err(failed("split", record.exit, keep_log(store, KIND, key, &log), None));
    }
    transfer::download(engine, &root.image, &volume, OUTPUT_FOLDER, writer.path()).await?;
    write_json(&writer.path().join(RECORD), &record)?;
    let folder = writer.commit()?;
    volume::remove(engine, &volume).await?;
    progress.event(record.finished());
    stage.finish();
    Ok(folder)
}
