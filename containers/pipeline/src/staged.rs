//! The staged tree: what the last phase installed, and how it came to be.

use std::path::Path;

use deb::staged::StagedTree;
use engine::transfer;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use recipe::plan::PlannedPhase;
use results::{Bundle, Key, Kind, Received};

use crate::builder::Builder;
use crate::built::{BuildRecord, Built};
use crate::error::Error;
use crate::inputs::Inputs;
use crate::options::Others;
use crate::records::{begin, copy_logs, logs_in, read_json, write_json};
use crate::share;
use foundation::stage::Stage;

/// The kind of stage that has it.
const STAGE: &str = "staged";

/// In the stage, beside the tree: how it came to be, and the logs of that.
const RECORD: &str = "build.json";

/// In a result that is shared, beside the tree: digest of the build root that it was made in.
const ROOT: &str = "build-root";

/// In such a result: the tree.
const TREE: &str = "tree";

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
        let writer = begin(store, STAGE, &key)?;
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

    /// The staged tree that a finished stage has.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(stage: &Path) -> Result<Self, Error> {
        let tree = StagedTree::in_stage(stage).map_err(Error::io("read", StagedTree::folder_in(stage)))?;
        Ok(Self { tree, record: read_json(&stage.join(RECORD))?, logs: stage.join(LOGS) })
    }
}

impl Staged {
    /// The staged tree of these inputs, if it was made before.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn find(store: &Store, inputs: &Inputs) -> Result<Option<Self>, Error> {
        let Some(folder) = store.stage(STAGE, &inputs.plan().staged_key()) else { return Ok(None) };
        // An earlier version of this tool left no record of how it came to be.
        if folder.join(RECORD).exists() { Self::read(&folder).map(Some) } else { Ok(None) }
    }

    /// The staged tree of these inputs: that of an earlier run, or that of others, as it was asked for.
    ///
    /// # Errors
    /// It cannot be read, the store cannot be written, or two builders disagree about it.
    pub fn find_or_take(
        store: &Store,
        others: &Others,
        inputs: &Inputs,
        progress: &dyn Progress,
    ) -> Result<Option<Self>, Error> {
        let key = Self::key(inputs);
        if let Some(found) = Self::find(store, inputs)?
            && others.accept(found.record.taken(), progress)
        {
            progress.event(Event::StageCached { stage: "staged tree".into(), key: key.inputs.to_string() });
            return Ok(Some(found));
        }
        let Some(taker) = others.taker() else { return Ok(None) };
        share::take(store, taker, &key, progress, |received| Self::receive(store, &key, received))
    }

    /// What it is shared under.
    pub(crate) fn key(inputs: &Inputs) -> Key {
        Key { kind: Kind::Staged, inputs: inputs.plan().staged_key() }
    }

    /// Keeps a tree that was received as if it had been made here.
    fn receive(store: &Store, key: &Key, received: Received) -> Result<Self, Error> {
        let (content, account) = (received.content(), received.account());
        let path = content.join(ROOT);
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let root = text.trim().parse().map_err(|_| share::not_as_stated(&path))?;
        let record: BuildRecord = read_json(&account.join(RECORD))?;
        let writer = begin(store, STAGE, &key.inputs)?;
        let folder = StagedTree::folder_in(writer.path());
        std::fs::rename(content.join(TREE), &folder).map_err(Error::io("write", &folder))?;
        StagedTree::record(writer.path()).map_err(Error::io("hash", &folder))?;
        copy_logs(&logs_in(&account.join(LOGS))?, &writer.path().join(LOGS))?;
        write_json(&writer.path().join(RECORD), &record.received(root, received.taken))?;
        Self::read(&writer.commit()?)
    }

    /// The tree as something to share; none where it is not this machine's own. `work` is a folder for what has to be written
    /// for that.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn bundle(&self, work: &Path) -> Result<Option<Bundle>, Error> {
        if !self.record.is_own() {
            return Ok(None);
        }
        let root = work.join(format!("{STAGE}-{ROOT}"));
        std::fs::write(&root, format!("{}\n", self.record.build_root())).map_err(Error::io("write", &root))?;
        let record = work.join(format!("{STAGE}-{RECORD}"));
        write_json(&record, &self.record)?;
        let bundle = Bundle::default().content(&self.tree.folder, TREE)?.content(&root, ROOT)?;
        Ok(Some(bundle.account(&record, RECORD)?.account(&self.logs, LOGS)?))
    }
}

impl Builder<'_> {
    /// Runs the phases that have no result yet and returns the staged tree.
    ///
    /// # Errors
    /// As those of [`Builder::phases`] and [`Staged::find_or_take`]; or the last phase installed nothing.
    pub async fn staged(&self) -> Result<Staged, Error> {
        let Self { store, build, inputs, progress, .. } = *self;
        if let Some(found) =
            tokio::task::block_in_place(|| Staged::find_or_take(store, &build.others, inputs, progress))?
        {
            return Ok(found);
        }
        let phases: Vec<&PlannedPhase> = inputs.plan().phases().iter().collect();
        let built = self.phases(&phases).await?;
        Staged::of(&built, self).await
    }
}
