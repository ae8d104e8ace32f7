//! Packages that were written, unsigned.

use std::path::{Path, PathBuf};

use deb::binary_package::{Step, Written};
use deb::data::MEMORY_PER_THREAD;
use deb::packing::{self, Packing};
use foundation::progress::Event;
use foundation::store::Store;
use phases::record::PhaseRecord;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::builder::Builder;
use crate::built::BuildRecord;
use crate::error::Error;
use crate::explain;
use crate::inputs::Inputs;
use crate::records::{copy_logs, logs_in, read_json, write_json};
use crate::split::split;
use crate::stage::Stage;
use crate::staged::{LOGS, Staged};

/// The kind of stage that has them, under the plan's digest: it has everything that decides their bytes.
const STAGE: &str = "packages";

/// In the stage: what is known of the making of them.
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

impl Staged {
    /// Splits the tree and writes the packages.
    ///
    /// # Errors
    /// The tree does not fit the recipe's manifest, or something cannot be read or written.
    pub async fn pack<'a>(&self, builder: &Builder<'a>) -> Result<Packed<'a>, Error> {
        let Builder { store, options, inputs, progress, .. } = *builder;
        let (split, split_record) = split(builder, self.tree()).await?;
        let threads = threads(builder).await?;
        let plural = if threads == 1 { "" } else { "s" };
        let stage = Stage::start(progress, format!("packages ({threads} thread{plural})"));
        tokio::task::block_in_place(|| -> Result<_, Error> {
            let packing = Packing {
                manifest: inputs.manifest(),
                changelog: inputs.changelog(),
                target: &options.target,
                split: &split,
            };
            let writer = store.begin(STAGE, &inputs.plan().digest())?;
            let say = |name: &str, step| {
                let stage = name.to_owned();
                progress.event(match step {
                    Step::Found(key) => Event::StageCached { stage, key: key.to_string() },
                    Step::Write => Event::StageStarted { stage },
                    Step::Written(seconds) => Event::StageFinished { stage, seconds },
                });
            };
            let packages = packing::build_all(&packing, store, writer.path(), threads, &say)?;
            let record = PackRecord {
                packages,
                build: self.record().clone(),
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
        })
    }
}

/// How many threads compress: one per processor of this machine, or what `--jobs` says, as far as the memory budget
/// has room for them. It does not show in the bytes, which a rebuild with another number proves.
async fn threads(builder: &Builder<'_>) -> Result<u32, Error> {
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let jobs = builder.build.circumstances.jobs(builder.build.jobs.unwrap_or(processors));
    let memory = Budget::of(builder.engine, builder.options, builder.build).await?.memory;
    Ok(jobs.min((memory / MEMORY_PER_THREAD) as u32).max(1))
}
