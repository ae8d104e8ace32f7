//! The main job: from a recipe and a target to signed packages, one stage after the other.
//!
//! Every stage takes what the stage before it returned, so none can be skipped; each result is
//! kept under the digest of its inputs and found again.
//!
//! ```text
//! Inputs (plan) -> BuildRoot -> StagedTree (with the phases' records) -> Packages -> Published
//! ```

pub mod build;
pub mod check;
mod clear;
pub mod copy;
mod error;
pub mod inputs;
mod pack;
mod publish;
pub mod rebuild;
mod report;
mod root;
mod workers;

use std::path::{Path, PathBuf};
use std::time::Instant;

use build::Builder;
use check::{CheckOptions, Checked};
use engine::Engine;
use farm::WorkerAddress;
use fetch::download::Network;
use foundation::bytes::ByteSize;
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use phases::circumstances::Circumstances;
use recipe::Recipe;
use recipe::root_lock::{RootKind, RootLock};
use recipe::target::Target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sign::signer::KeySource;

pub use clear::{STAGES, clear};
pub use error::Error;
pub use inputs::{Inputs, gather};
pub use publish::Published;
pub use report::{PackageReport, PackingReport, PhaseReport, Report};
pub use root::{build_root, fetch_debs, lock, node_root, worker_root};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The recipe.
    pub recipe: Recipe,
    /// The target.
    pub target: Target,
    /// The folder of targets, with their locks and keyrings.
    pub targets: PathBuf,
    /// `--source`: a local tree or archive in place of the pinned source.
    pub source: Option<PathBuf>,
    /// Whether the network may be used.
    pub network: Network,
    /// `--mirror`.
    pub mirror: Option<String>,
}

impl Options {
    /// The lock of a root of this recipe and target.
    pub fn lock(&self, kind: RootKind) -> Result<RootLock, Error> {
        let Self { recipe, target, targets, .. } = self;
        let path = recipe.lock_path(targets, target, kind);
        Ok(RootLock::read(&path, kind, recipe.name(), &target.name, recipe.request_digest(target, kind))?)
    }
}

/// How it is built; nothing here changes the bytes.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Memory budget in bytes; none means what the host can spare.
    pub memory: Option<ByteSize>,
    /// Jobs at once; none means what budget and processors allow.
    pub jobs: Option<u32>,
    /// Where compiled objects are found and kept.
    pub compiler_cache: CompilerCache,
    /// What differs from the usual, for a rebuild.
    pub circumstances: Circumstances,
    /// Workers of a compile farm; none means that everything is compiled by the engine's machine.
    pub workers: Vec<WorkerAddress>,
    /// Where the packages go.
    pub dist: PathBuf,
    /// The key.
    pub key: KeySource,
}

/// Where compiled objects are found and kept, in a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompilerCache {
    /// In one that all builds with the same build root share.
    Shared,
    /// In one of the store's own, for figures that say nothing of earlier builds.
    Own,
    /// Nowhere: everything is compiled.
    None,
}

/// Runs the whole pipeline, with upstream's tests where that is asked for. The caller holds the store's lock.
pub async fn package(
    engine: Option<&Engine>,
    store: &Store,
    options: &Options,
    build_options: &BuildOptions,
    check_options: Option<&CheckOptions>,
    progress: &dyn Progress,
) -> Result<Published, Error> {
    let started = Instant::now();
    let inputs = tokio::task::block_in_place(|| gather(store, options, progress))?;
    Job { engine, roots: store, store, options, build: build_options, progress }
        .package(&inputs, check_options, started)
        .await
}

/// From inputs that are gathered to packages.
pub struct Job<'a> {
    pub engine: Option<&'a Engine>,
    /// Knows the build root.
    pub roots: &'a Store,
    /// Has everything else.
    pub store: &'a Store,
    pub options: &'a Options,
    pub build: &'a BuildOptions,
    pub progress: &'a dyn Progress,
}

impl Job<'_> {
    pub async fn package(
        &self,
        inputs: &Inputs,
        check_options: Option<&CheckOptions>,
        started: Instant,
    ) -> Result<Published, Error> {
        let Self { engine, roots, store, options, build, progress } = *self;
        let signer = tokio::task::block_in_place(|| publish::open_signer(build, inputs))?;
        let check_key = check_options.map(|asked| check::key(options, inputs, asked)).transpose()?;
        if let Some(published) = publish::up_to_date(options, inputs, signer.as_ref(), build, check_key)? {
            return Ok(published);
        }
        let found = pack::packed(store, inputs)?;
        let root = match engine {
            Some(engine) if found.is_none() || check_options.is_some() => {
                Some((engine, build_root(engine, roots, options, inputs, progress).await?))
            }
            _ => None,
        };
        let builder =
            root.as_ref().map(|(engine, root)| Builder { engine, store, options, build, inputs, root, progress });
        let packages = match (found, &builder) {
            (Some(found), _) => found,
            (None, None) => return Err(Error::EngineNeeded),
            (None, Some(builder)) => {
                let staged = builder.staged_tree().await?;
                pack::pack(builder, &staged).await?
            }
        };
        let checked = match (check_options, &builder) {
            (None, _) => None,
            (Some(_), None) => return Err(Error::EngineNeeded),
            (Some(asked), Some(builder)) => Some(check::sound(builder, asked).await?),
        };
        let seconds = started.elapsed().as_secs_f64();
        tokio::task::block_in_place(|| {
            let (packages, checked, signer) = (&packages, checked.as_ref(), signer.as_ref());
            publish::Publication { store, options, build, inputs, packages, checked, signer, progress }.publish(seconds)
        })
    }
}

/// Puts what upstream's tests found beside the packages, if those in `dist` are of the same plan and key.
pub fn attest(
    store: &Store,
    options: &Options,
    build: &BuildOptions,
    checked: &Checked,
    progress: &dyn Progress,
) -> Result<Option<PathBuf>, Error> {
    let inputs = gather(store, options, progress)?;
    let Some(packages) = pack::packed(store, &inputs)? else { return Ok(None) };
    if !build.dist.join(publish::REPORT).exists() {
        return Ok(None);
    }
    let signer = publish::open_signer(build, &inputs)?;
    let signer = signer.as_ref();
    if publish::up_to_date(options, &inputs, signer, build, None)?.is_none() {
        return Ok(None);
    }
    let checked = Some(checked);
    publish::Publication { store, options, build, inputs: &inputs, packages: &packages, checked, signer, progress }
        .publish(0.0)
        .map(|published| Some(published.folder))
}

/// Tells when a stage begins and how long it took.
pub struct Stage<'a> {
    progress: &'a dyn Progress,
    name: String,
    started: Instant,
}

impl<'a> Stage<'a> {
    pub fn start(progress: &'a dyn Progress, name: impl Into<String>) -> Self {
        let name = name.into();
        progress.event(Event::StageStarted { stage: name.clone() });
        Self { progress, name, started: Instant::now() }
    }

    pub fn elapsed(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    pub fn finish(self) -> f64 {
        let seconds = self.elapsed();
        self.progress.event(Event::StageFinished { stage: self.name, seconds });
        seconds
    }
}

/// Reads a record that [`write_json`] wrote.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&text).map_err(|error| Error::io("understand", path)(std::io::Error::other(error)))
}

/// Writes a record.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    write_file(path, &serde_json::to_vec_pretty(value).expect("plain data"))
}

/// Keeps the log of a phase that failed where the next run does not remove it; returns where it is.
pub fn keep_log(store: &Store, phase: &str, key: &Digest, log: &Path) -> PathBuf {
    let folder = store.root().join("failed");
    let kept = folder.join(format!("{phase}-{}.log", key.short()));
    let _ = std::fs::create_dir_all(&folder);
    match std::fs::copy(log, &kept) {
        Ok(_) => kept,
        Err(_) => log.to_owned(),
    }
}

/// Writes a file so that a reader sees the old content or the new one, never a part.
pub fn write_file(path: &Path, content: &[u8]) -> Result<(), Error> {
    let temporary = path.with_extension("part");
    std::fs::write(&temporary, content)
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(Error::io("write", path))
}
