//! Arguments that several commands share, and what they stand for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use engine::Engine;
use fetch::download::Network;
use foundation::failure::{AnyFailure, Kind, Message};
use foundation::store::{Store, StoreLock};
use pipeline::Options;
use recipe::Recipe;
use recipe::target::{Target, TargetName};

use crate::defaults::{DEFAULTS, known_recipes};
use crate::guard;
use crate::raw;
use crate::say;
use crate::signals::Endings;
use crate::terminal::Terminal;

/// What is built, and from where.
#[derive(Args, Clone)]
pub struct Selection {
    #[command(flatten)]
    pub subject: Subject,
    /// Build this local source tree or archive instead of the pinned source; the version then carries +local
    #[arg(long, value_name = "PATH")]
    pub source: Option<PathBuf>,
}

/// The same for one target or several.
#[derive(Args, Clone)]
pub struct Selections {
    #[command(flatten)]
    pub common: Common,
    /// Target, a distribution release and architecture; may be given more than once, and they are done one after the other
    #[arg(long, value_name = "RELEASE/ARCH", default_value = DEFAULTS.target.as_str())]
    target: Vec<TargetName>,
    /// Build this local source tree or archive instead of the pinned source; the version then carries +local
    #[arg(long, value_name = "PATH")]
    source: Option<PathBuf>,
}

/// What it is about, and where Debian's packages come from.
#[derive(Args, Clone)]
pub struct Subject {
    #[command(flatten)]
    pub common: Common,
    /// Target, a distribution release and architecture
    #[arg(long, value_name = "RELEASE/ARCH", default_value = DEFAULTS.target.as_str())]
    pub target: TargetName,
}

/// What it is about whatever the target, and where Debian's packages come from.
#[derive(Args, Clone)]
pub struct Common {
    /// Recipe: the name of one in packaging/ or tests/fixtures/, or the path of a recipe's folder
    #[arg(long, value_name = "NAME", default_value = DEFAULTS.recipe.as_str())]
    pub recipe: String,
    /// Mirror to try first, such as https://mirror.example.org/debian; may be given more than once, also for a target's other
    /// archives (…/debian-security)
    #[arg(long = "mirror", value_name = "URL")]
    pub mirrors: Vec<String>,
    /// Use no network: whatever is not in the cache is an error
    #[arg(long)]
    pub offline: bool,
}

impl Selections {
    /// One for each target, in the order in which they were named; a second time counts for nothing.
    pub fn each(&self) -> Vec<Selection> {
        let mut found: Vec<Selection> = Vec::new();
        for target in &self.target {
            if !found.iter().any(|selection| selection.subject.target == *target) {
                let subject = Subject { common: self.common.clone(), target: target.clone() };
                found.push(Selection { subject, source: self.source.clone() });
            }
        }
        found
    }

    /// A folder that was named, or of several targets the one in it that is this one's.
    pub fn share(&self, folder: &Path, target: &TargetName) -> PathBuf {
        if self.each().len() > 1 { folder.join(target.file_stem()) } else { folder.to_owned() }
    }
}

impl Selection {
    /// Reads the recipe and the target that are named.
    ///
    /// # Errors
    /// There is no such recipe or target, or one of their files is not what it should be: the error names the line.
    pub fn options(&self) -> Result<Options, AnyFailure> {
        Ok(Options { source: self.source.clone(), ..self.subject.options()? })
    }
}

impl Subject {
    /// Reads the recipe and the target that are named; the source is the pinned one.
    ///
    /// # Errors
    /// As for [`Selection::options`].
    pub fn options(&self) -> Result<Options, AnyFailure> {
        let top = repository();
        let Common { recipe, mirrors, offline } = &self.common;
        let recipe = Recipe::find(recipe, &known_recipes())?;
        let targets = top.join("containers/targets");
        let target = Target::read(&targets, &self.target)?;
        recipe.look_over_targets(&Target::names(&targets)?)?;
        let recipe = recipe.for_target(&target.name)?;
        Ok(Options {
            recipe,
            target,
            targets,
            source: None,
            network: if *offline { Network::Offline } else { Network::Online },
            mirrors: mirrors.clone(),
        })
    }
}

/// The variable that names another checkout.
pub const CHECKOUT: &str = "MESOS_PACKAGES_CHECKOUT";

/// The top folder of the checkout whose recipes, targets and pipelines are taken: the one that `MESOS_PACKAGES_CHECKOUT` names, or
/// this one, since cargo runs the tool from its own source.
pub fn repository() -> PathBuf {
    if let Some(named) = std::env::var_os(CHECKOUT).filter(|named| !named.is_empty()) {
        return named.into();
    }
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder of the checkout").to_owned()
}

/// The revision of this tool: the commit that is checked out, with `-dirty` where files differ from it. None where it is no
/// git checkout. git's own settings have no say.
pub fn revision() -> Option<String> {
    let mut git = Command::new("git");
    // A hook of another repository that runs this tool has them set, and they would name that repository.
    for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        git.env_remove(variable);
    }
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").arg("-C").arg(repository());
    // A checkout that another user owns is looked at all the same: nothing of it is run.
    git.args(["-c", "safe.directory=*", "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty"]);
    let output = git.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Whether a program is in a folder of PATH.
pub fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Opens the cache and takes its lock; while another run holds it, says who, and waits.
///
/// # Errors
/// The cache cannot be made, or its lock cannot be taken.
pub fn locked_store(what: &str, terminal: &Terminal) -> Result<(Store, StoreLock), AnyFailure> {
    let store = Store::open(None)?;
    let lock = lock(&store, what, terminal)?;
    Ok((store, lock))
}

/// Takes a store's lock; while another run holds it, says who, and waits.
///
/// # Errors
/// The lock cannot be taken.
pub fn lock(store: &Store, what: &str, terminal: &Terminal) -> Result<StoreLock, AnyFailure> {
    use foundation::progress::Progress;
    let mut told = false;
    let lock = store.lock(what, &mut |holder| {
        if !told {
            terminal.note(format!(
                "waiting: process {} holds the cache since {} ({})",
                holder.pid,
                holder.started_text(),
                holder.what
            ));
            told = true;
        }
    })?;
    Ok(lock)
}

/// Finds the engine, and sets it up where that was asked for.
///
/// # Errors
/// No engine answers, or it cannot be set up: the error says what was tried.
pub async fn found_engine(store: &Store, setup: bool, terminal: &Terminal) -> Result<Engine, engine::Error> {
    use foundation::progress::Progress;
    if setup {
        engine::setup::setup(&store.root().join("engine"), &|text: &str| terminal.note(text)).await
    } else {
        Engine::find().await
    }
}

/// Finds the engine like [`found_engine`], and removes what a killed run left in it. Without the lock, that could be
/// what another run works with.
///
/// # Errors
/// As for [`found_engine`]; or what was left cannot be removed.
pub async fn engine(
    store: &Store,
    _held: &StoreLock,
    setup: bool,
    terminal: &Terminal,
) -> Result<Engine, engine::Error> {
    use foundation::progress::Progress;
    let engine = found_engine(store, setup, terminal).await?.with_run(&run_id(store));
    guarded(&run_id(store));
    for removed in leftovers(&engine, store).await? {
        terminal.note(format!("removed {removed}, which an earlier run left behind"));
    }
    Ok(engine)
}

/// The engine, with `--emulate` one in which other architectures than its own are emulated.
///
/// # Errors
/// The engine does not say where it runs.
pub async fn emulating(asked: bool, engine: Engine) -> Result<Engine, engine::Error> {
    if asked { engine.with_emulation().await } else { Ok(engine) }
}

/// Has what carries this run's label removed when this process ends, whatever ends it. Without that it is removed by the next
/// run, which may be long after.
pub fn guarded(run: &str) {
    if let Err(why) = guard::start(run) {
        let why = why.report().unwrap_or_default();
        let why = why.trim_start_matches("error: ").trim_end();
        eprintln!("warning: {why}: if this run is killed, its containers go on until the next one");
    }
}

/// Names everything that this run makes in the engine. Runs that share a cache follow each other,
/// so whoever holds the cache's lock may remove what carries the cache's name.
fn run_id(store: &Store) -> String {
    format!("{}-{}", store.id(), std::process::id())
}

async fn leftovers(engine: &Engine, store: &Store) -> Result<Vec<String>, engine::Error> {
    let prefix = store.id() + "-";
    engine::cleanup::cleanup(engine, |run| run.starts_with(&prefix)).await
}

/// Names what a worker of a compile farm makes: it does not hold the cache's lock, so the next run must not take it
/// for what an earlier one left.
pub fn worker_run(store: &Store) -> String {
    format!("worker-{}", run_id(store))
}

/// Removes what workers of this cache have in the engine: this process' own, or those of processes that are gone.
pub async fn remove_workers(engine: &Engine, store: &Store, own: bool) {
    let prefix = format!("worker-{}-", store.id());
    let this = worker_run(store);
    let gone = |process: &str| !Path::new("/proc").join(process).exists();
    let stale = |run: &str| if own { run == this } else { run.strip_prefix(&prefix).is_some_and(gone) };
    let _ = engine::cleanup::cleanup(engine, stale).await;
}

/// Removes what this very run has started in the engine.
pub async fn remove_own(engine: &Engine, store: &Store) {
    let own = run_id(store);
    let _ = engine::cleanup::cleanup(engine, |run| run == own).await;
}

/// Runs an async job of a run that holds the store's lock; on a signal that ends it (see `signals.rs`) removes the containers
/// that it started.
///
/// # Errors
/// `job` fails, or the worker threads cannot be started.
pub fn block_on<T>(store: &Store, job: impl AsyncFnOnce() -> Result<T, AnyFailure>) -> Result<T, AnyFailure> {
    let store = store.clone();
    let undo = |engine: Engine| async move { drop(leftovers(&engine, &store).await) };
    block_on_or(undo, job)
}

/// Runs an async job; on a signal that ends it undoes what it did.
///
/// # Errors
/// `job` fails, or the worker threads cannot be started. A signal that ends it does not return: the process exits with
/// the code of an interruption.
pub fn block_on_or<T, U: Future<Output = ()> + Send>(
    undo: impl FnOnce(Engine) -> U + Send + 'static,
    job: impl AsyncFnOnce() -> Result<T, AnyFailure>,
) -> Result<T, AnyFailure> {
    let ending = Arc::new(AtomicBool::new(false));
    runtime()?.block_on(async {
        let begun = ending.clone();
        let mut endings = Endings::new()?;
        tokio::spawn(async move {
            endings.next().await;
            begun.store(true, Ordering::Relaxed);
            say::set_status(None);
            raw::leave();
            eprintln!("interrupted: stopping what was started; run the same command again to continue");
            if let Ok(engine) = Engine::find().await {
                undo(engine).await;
            }
            std::process::exit(Kind::Interrupted.exit_code().into());
        });
        let result = job().await;
        // What it says now is only that its containers are gone.
        if ending.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        result
    })
}

/// Runs an async job that leaves nothing behind, whenever it ends.
///
/// # Errors
/// `job` fails, or the worker threads cannot be started.
pub fn wait_for<T>(job: impl AsyncFnOnce() -> Result<T, AnyFailure>) -> Result<T, AnyFailure> {
    runtime()?.block_on(job())
}

fn runtime() -> Result<tokio::runtime::Runtime, Message> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Message::of("cannot start the worker threads"))
}
