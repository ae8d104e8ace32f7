//! The staged tree: what the last phase installed, and how it came to be.

use std::path::Path;

use deb::staged::StagedTree;
use engine::transfer;
use foundation::progress::Event;
use recipe::plan::PlannedPhase;

use crate::builder::Builder;
use crate::built::{BuildRecord, Built};
use crate::error::Error;
use crate::records::{copy_logs, read_json, write_json};
use crate::stage::Stage;

/// The kind of stage that has it.
const STAGE: &str = "staged";

/// In the stage, beside the tree: how it came to be, and the logs of that.
const RECORD: &str = "build.json";

/// Name of the folder with the logs.
pub const LOGS: &str = "logs";

/// The staged tree of a plan. It comes from phases that have run, and from nowhere else.
#[derive(Clone, Debug)]
pub struct Staged {
    tree: StagedTree,
    record: BuildRecord,
    logs: std::path::PathBuf,
}

impl Staged {
    /// The tree: its folder and digest.
    pub fn tree(&self) -> &StagedTree {
        &self.tree
    }

    /// How the tree came to be: the phases that made it.
    pub fn record(&self) -> &BuildRecord {
        &self.record
    }

    /// The folder with the phases' logs.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Takes the tree out of the last phase's volume.
    async fn of(built: &Built, builder: &Builder<'_>) -> Result<Self, Error> {
        let Builder { engine, store, inputs, root, progress, .. } = *builder;
        let key = inputs.plan().staged_key();
        let stage = Stage::start(progress, "staged tree");
        let writer = store.begin(STAGE, &key)?;
        let folder = StagedTree::folder_in(writer.path());
        std::fs::create_dir(&folder).map_err(Error::io("make the folder", &folder))?;
        if !transfer::download(engine, &root.image, built.volume(), "/build/stage", &folder).await? {
            let last = built.record().phases().last().map(|phase| phase.name.clone()).unwrap_or_default();
            return Err(engine::Error::Request(format!(
                "the phase {last} of {} left no /build/stage: it has to install with DESTDIR=/build/stage",
                inputs.plan().recipe()
            ))
            .into());
        }
        tokio::task::block_in_place(|| StagedTree::record(writer.path())).map_err(Error::io("hash", &folder))?;
        copy_logs(built.logs(), &writer.path().join(LOGS))?;
        write_json(&writer.path().join(RECORD), built.record())?;
        let folder = writer.commit()?;
        stage.finish();
        builder.remove_old_volumes().await?;
        Self::read(&folder)
    }

    fn read(stage: &Path) -> Result<Self, Error> {
        let tree = StagedTree::in_stage(stage).map_err(Error::io("read", StagedTree::folder_in(stage)))?;
        Ok(Self { tree, record: read_json(&stage.join(RECORD))?, logs: stage.join(LOGS) })
    }
}

impl Builder<'_> {
    /// Runs the phases that have no result yet and returns the staged tree.
    ///
    /// # Errors
    /// As those of [`Builder::phases`]; or the last phase installed nothing.
    pub async fn staged(&self) -> Result<Staged, Error> {
        let Self { store, inputs, progress, .. } = *self;
        let key = inputs.plan().staged_key();
        if let Some(folder) = store.stage(STAGE, &key) {
            if folder.join(RECORD).exists() {
                progress.event(Event::StageCached { stage: "staged tree".into(), key: key.to_string() });
                return tokio::task::block_in_place(|| Staged::read(&folder));
            }
            // An earlier version of this tool left no record of how it came to be.
            store.forget_stage(STAGE, &key)?;
        }
        let phases: Vec<&PlannedPhase> = inputs.plan().phases().iter().collect();
        let built = self.phases(&phases).await?;
        Staged::of(&built, self).await
    }
}
