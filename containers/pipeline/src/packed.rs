//! Packages that were written, unsigned.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use deb::binary_package::{BinaryPackage, Step, Written};
use deb::data::MEMORY_PER_THREAD;
use deb::packing::{self, Packing};
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use foundation::threads::processors;
use phases::record::PhaseRecord;
use phases::usage;
use results::{Bundle, Key, Kind, Received};
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::builder::Builder;
use crate::built::BuildRecord;
use crate::error::Error;
use crate::explain;
use crate::finished;
use crate::inputs::Inputs;
use crate::options::{Job, Others};
use crate::records::{begin, copy_logs, logs_in, read_json, write_json};
use crate::share;
use crate::split::{self, Splitting, split};
use crate::staged::{LOGS, Staged};
use foundation::stage::Stage;

/// The kind of stage that has them, under the plan's digest: it has everything that decides their bytes.
const STAGE: &str = "packages";

/// In the stage: what is known of the making of them. Of a result that is shared, likewise, what every builder gets.
const RECORD: &str = "packages.json";

/// The packages of a plan, unsigned. They come from a staged tree, now or in an earlier run, and know what they were
/// made from.
#[derive(Clone, Debug)]
pub struct Packed<'a> {
    inputs: &'a Inputs,
    folder: PathBuf,
    record: PackRecord,
}

/// The packages that were written, and what it took to make them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackRecord {
    packages: Vec<Written>,
    build: BuildRecord,
    split: PhaseRecord,
    seconds: f64,
    threads: u32,
}

/// What every builder gets of a plan, beside the files themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Agreed {
    build_root: Digest,
    packages: Vec<BinaryPackage>,
}

impl PackRecord {
    /// The packages and how each was written, sorted by name.
    pub fn packages(&self) -> &[Written] {
        &self.packages
    }

    /// How the staged tree that is in them came to be.
    pub fn build(&self) -> &BuildRecord {
        &self.build
    }

    /// How the staged tree was split, when it was.
    pub fn split(&self) -> &PhaseRecord {
        &self.split
    }

    /// Wall time in seconds of writing those packages that were not there yet.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// How many threads wrote them at once.
    pub fn threads(&self) -> u32 {
        self.threads
    }
}

impl<'a> Packed<'a> {
    /// The packages of these inputs' plan, if they were written before.
    ///
    /// # Errors
    /// Their record cannot be read.
    pub fn find(store: &Store, inputs: &'a Inputs) -> Result<Option<Self>, Error> {
        let Some(folder) = store.stage(STAGE, &inputs.plan().digest()) else { return Ok(None) };
        let record = read_json(&folder.join(RECORD))?;
        Ok(Some(Self { inputs, folder, record }))
    }

    /// The packages of these inputs' plan: those that were written before, or those of others, as it was asked for.
    ///
    /// # Errors
    /// A record cannot be read, the store cannot be written, or two builders disagree about the packages.
    pub fn find_or_take(
        store: &Store,
        others: &Others,
        inputs: &'a Inputs,
        progress: &dyn Progress,
    ) -> Result<Option<Self>, Error> {
        if let Some(found) = Self::find(store, inputs)?
            && others.accept(found.record.build.taken(), progress)
        {
            return Ok(Some(found));
        }
        let Some(taker) = others.taker() else { return Ok(None) };
        let key = Self::key(inputs);
        share::take(store, taker, &key, progress, |received| Self::receive(store, inputs, received))
    }

    /// What they are shared under.
    pub(crate) fn key(inputs: &Inputs) -> Key {
        Key { kind: Kind::Packages, inputs: inputs.plan().digest() }
    }

    /// Keeps packages that were received as if they had been written here.
    fn receive(store: &Store, inputs: &'a Inputs, received: Received) -> Result<Self, Error> {
        let (content, account) = (received.content(), received.account());
        let agreed: Agreed = read_json(&content.join(RECORD))?;
        let record: PackRecord = read_json(&account.join(RECORD))?;
        let writer = begin(store, STAGE, &inputs.plan().digest())?;
        let mut packages = Vec::new();
        for package in agreed.packages {
            if package.version != inputs.plan().version() {
                return Err(share::not_as_stated(&content.join(&package.file)));
            }
            finished::keep(&package, &content, writer.path())?;
            let known = record.packages.iter().find(|known| known.package.file == package.file);
            let (seconds, threads) = known.map_or((0.0, 1), |known| (known.seconds, known.threads));
            packages.push(Written { package, seconds, threads });
        }
        let build = record.build.received(agreed.build_root, received.taken);
        let record = PackRecord { packages, build, ..record };
        copy_logs(&logs_in(&account.join(LOGS))?, &writer.path().join(LOGS))?;
        write_json(&writer.path().join(RECORD), &record)?;
        Ok(Self { inputs, folder: writer.commit()?, record })
    }

    /// The packages as something to share; none where they are not this machine's own. `work` is a folder for what has to be
    /// written for that.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn bundle(&self, work: &Path) -> Result<Option<Bundle>, Error> {
        bundle(&self.folder, work)
    }

    /// The inputs that they were made from.
    pub fn inputs(&self) -> &'a Inputs {
        self.inputs
    }

    /// The folder with the .debs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is known of the making of them.
    pub fn record(&self) -> &PackRecord {
        &self.record
    }

    /// The folder with the phases' logs.
    pub fn logs(&self) -> PathBuf {
        self.folder.join(LOGS)
    }
}

/// The packages in a stage as something to share; none where they are not this machine's own. `work` is a folder for what has
/// to be written for that.
///
/// # Errors
/// A file cannot be read or written.
pub fn bundle(stage: &Path, work: &Path) -> Result<Option<Bundle>, Error> {
    let record: PackRecord = read_json(&stage.join(RECORD))?;
    if !record.build.is_own() {
        return Ok(None);
    }
    let packages = record.packages.iter().map(|written| written.package.clone());
    let agreed = Agreed { build_root: record.build.build_root(), packages: packages.collect() };
    let path = work.join(format!("{STAGE}-{RECORD}"));
    write_json(&path, &agreed)?;
    let mut bundle = Bundle::default().content(&path, RECORD)?;
    for package in &agreed.packages {
        bundle = bundle.content(&stage.join(&package.file), &package.file)?;
    }
    Ok(Some(bundle.account(&stage.join(RECORD), RECORD)?.account(&stage.join(LOGS), LOGS)?))
}

impl Staged {
    /// Splits the tree and writes the packages.
    ///
    /// # Errors
    /// The tree does not fit the recipe's manifest, or something cannot be read or written.
    pub async fn pack<'a>(&self, builder: &Builder<'a>) -> Result<Packed<'a>, Error> {
        let splitting = split(builder, self).await?;
        let threads = threads(builder).await?;
        tokio::task::block_in_place(|| self.pack_split(builder.job(), builder.inputs, splitting, threads))
    }

    /// Writes the packages without an engine, if what the tree is split into is there or others have it.
    ///
    /// # Errors
    /// As those of [`Self::pack`]; or two builders disagree.
    pub fn pack_found<'a>(&self, job: Job<'_>, inputs: &'a Inputs) -> Result<Option<Packed<'a>>, Error> {
        match split::find_or_take(job.store, &job.build.others, inputs, self, job.progress)? {
            Some(splitting) => self.pack_split(job, inputs, splitting, host_threads(job)).map(Some),
            None => Ok(None),
        }
    }

    fn pack_split<'a>(
        &self,
        job: Job<'_>,
        inputs: &'a Inputs,
        (split, split_record, taken): Splitting,
        threads: u32,
    ) -> Result<Packed<'a>, Error> {
        let Job { store, options, build, progress } = job;
        let plural = if threads == 1 { "" } else { "s" };
        let stage = Stage::start(progress, format!("packages ({threads} thread{plural})"));
        let packing = Packing {
            manifest: inputs.manifest(),
            changelog: inputs.changelog(),
            target: &options.target,
            split: &split,
        };
        finished::forget_taken(store, &build.others)?;
        if let (Some(taker), Some(folder)) = (build.others.taker(), split.stage.parent()) {
            finished::take_all(store, taker, folder, progress)?;
        }
        let writer = begin(store, STAGE, &inputs.plan().digest())?;
        let of_others = Mutex::new(Vec::from_iter(taken));
        let say = |name: &str, step| {
            let stage = name.to_owned();
            if let Step::Found(key) = &step {
                of_others.lock().expect("no panic while held").extend(finished::taken(store, key));
            }
            progress.event(match step {
                Step::Found(key) => Event::StageCached { stage, key: key.to_string() },
                Step::Write => Event::StageStarted { stage },
                Step::Written(seconds) => Event::StageFinished { stage, seconds },
            });
        };
        let packages = packing::build_all(&packing, store, writer.path(), threads, &say)?;
        let record = PackRecord {
            packages,
            build: self.record().clone().with_taken(of_others.into_inner().expect("no panic while held")),
            split: split_record,
            seconds: stage.elapsed(),
            threads,
        };
        copy_logs(&logs_in(self.logs())?, &writer.path().join(LOGS))?;
        write_json(&writer.path().join(RECORD), &record)?;
        let folder = writer.commit()?;
        explain::packed(store, inputs);
        stage.finish();
        Ok(Packed { inputs, folder, record })
    }
}

/// The same as [`threads`] on this machine alone, of whose memory half is left to others.
fn host_threads(job: Job<'_>) -> u32 {
    let free = || usage::available_memory().unwrap_or(0) / 2;
    let memory = job.build.memory.map_or_else(free, |memory| memory.0);
    job.build.jobs.unwrap_or_else(processors).min((memory / MEMORY_PER_THREAD) as u32).max(1)
}

/// How many threads compress: one per processor of this machine, or what `--jobs` says, as far as the memory budget
/// has room for them. It does not show in the bytes, which a rebuild with another number proves.
async fn threads(builder: &Builder<'_>) -> Result<u32, Error> {
    let jobs = builder.build.circumstances.jobs(builder.build.jobs.unwrap_or_else(processors));
    let memory = Budget::of(builder.engine, builder.options, builder.build).await?.memory;
    Ok(jobs.min((memory / MEMORY_PER_THREAD) as u32).max(1))
}
