//! What is asked for, and how it is built.

use std::path::PathBuf;

use farm::WorkerAddress;
use fetch::download::Network;
use foundation::bytes::ByteSize;
use foundation::progress::Progress;
use foundation::store::Store;
use phases::circumstances::Circumstances;
use recipe::Recipe;
use recipe::root_lock::{LockKind, RootLock};
use recipe::target::Target;
use results::Taker;
use sign::signer::KeySource;

use crate::error::Error;

/// What is asked for: what to build, for which target, from which source.
#[derive(Clone, Debug)]
pub struct Options {
    /// The recipe to build.
    pub recipe: Recipe,
    /// The target to build for.
    pub target: Target,
    /// The folder of targets, with their locks and keyrings.
    pub targets: PathBuf,
    /// `--source`: a local tree or archive in place of the pinned source.
    pub source: Option<PathBuf>,
    /// Whether the network may be used.
    pub network: Network,
    /// The addresses of mirrors that are tried first, from `--mirror`.
    pub mirrors: Vec<String>,
}

impl Options {
    /// Reads the lock of this kind for this recipe and target.
    ///
    /// # Errors
    /// There is no lock, it cannot be read, or the recipe or target has changed since it was made.
    pub fn lock(&self, kind: LockKind) -> Result<RootLock, Error> {
        let Self { recipe, target, .. } = self;
        let path = recipe.lock_path(target, kind);
        Ok(RootLock::read(
            &path,
            kind,
            (recipe.name(), recipe.called()),
            &target.name,
            recipe.request_digest(target, kind),
        )?)
    }

    /// Reads the lock of this kind, whatever was asked for when it was made.
    ///
    /// # Errors
    /// There is no lock, or it cannot be read.
    pub fn any_lock(&self, kind: LockKind) -> Result<RootLock, Error> {
        let Self { recipe, target, .. } = self;
        let path = recipe.lock_path(target, kind);
        Ok(RootLock::read_any(&path, kind, (recipe.name(), recipe.called()), &target.name)?)
    }
}

/// How it is built; nothing here changes the bytes.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The memory budget; none means what the host can spare.
    pub memory: Option<ByteSize>,
    /// How many jobs run at once; none means what budget and processors allow.
    pub jobs: Option<u32>,
    /// Where compiled objects are found and kept.
    pub compiler_cache: CompilerCache,
    /// What differs from the usual, for a rebuild.
    pub circumstances: Circumstances,
    /// Workers of a compile farm; none means that everything is compiled by the engine's machine.
    pub workers: Vec<WorkerAddress>,
    /// The folder where the packages go, such as `dist/debian-12-amd64`.
    pub dist: PathBuf,
    /// The key that signs.
    pub key: KeySource,
    /// Whether results of others are taken in place of making them.
    pub others: Others,
    /// Finds out the revision of the tool itself, which is written beside what it made.
    pub revision: fn() -> Option<String>,
}

/// Whether results of others are taken.
#[derive(Clone, Debug, Default)]
pub enum Others {
    /// None are asked for; what was taken before is used.
    #[default]
    Nobody,
    /// From places, where enough trusted keys state the same.
    Places(Taker),
    /// Everything is made here: what was taken before is not used either.
    Never,
}

impl Others {
    /// Who takes, where somebody does.
    pub fn taker(&self) -> Option<&Taker> {
        if let Self::Places(taker) = self { Some(taker) } else { None }
    }
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

/// What is asked for, where results are kept, and who is told. The caller holds the store's lock.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The store with the results of all stages.
    pub store: &'a Store,
    /// What is asked for: recipe, target and source.
    pub options: &'a Options,
    /// How it is built: what does not change the bytes.
    pub build: &'a BuildOptions,
    /// Who is told what happens.
    pub progress: &'a dyn Progress,
}
