//! The build root and a cluster's node root: their .debs, their locks, and the root file systems themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::Engine;
use engine::once::run_once;
use engine::transfer::{Content, Upload};
use fetch::debian::catalogue::Catalogue;
use fetch::debian::mirror::{Mirrors, UserConfig};
use fetch::debian::{self, closure};
use fetch::download::{DownloadEvent, Downloader, Wanted};
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use recipe::cluster::PinnedFile;
use recipe::plan::build_root_key;
use recipe::root_lock::{LockKind, PinnedDeb, RootLock};
use recipe::target::Target;
use roots::build_root as assembling;
use roots::build_root::{ASSEMBLY, BuildRoot, MachineRoot, NodeRoot, RootImage, slug};
use roots::disk::{self, Disk};

use crate::error::Error;
use crate::inputs::{Inputs, tool};
use crate::options::Options;
use crate::records::{read_json, write_json};
use foundation::stage::Stage;

/// Brings the .debs of a lock into the store, and returns each with the path of its file.
///
/// # Errors
/// A file cannot be downloaded from any mirror, is not the one that the lock pins, or the user's configuration cannot
/// be read.
pub fn fetch_debs(
    store: &Store,
    options: &Options,
    lock: &RootLock,
    progress: &dyn Progress,
) -> Result<Vec<(PinnedDeb, PathBuf)>, Error> {
    let mirrors = mirrors(options)?;
    download(store, options, &debian::wanted(lock, &mirrors), progress)?;
    lock.packages.iter().map(|deb| Ok((deb.clone(), store.verify(&deb.sha256)?))).collect()
}

/// Brings the files that the frameworks of the recipe's cluster need into the cache, and returns them.
///
/// # Errors
/// A file cannot be had from its address, or is another one.
pub fn fetch_cluster_files(
    store: &Store,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Vec<PinnedFile>, Error> {
    let frameworks = options.recipe.file.cluster.iter().flat_map(|cluster| &cluster.frameworks);
    let files: Vec<PinnedFile> = frameworks.filter_map(|framework| framework.file.clone()).collect();
    let wanted = |file: &PinnedFile| Wanted {
        name: file.name().to_owned(),
        urls: vec![file.url.clone()],
        size: Some(file.size),
        sha256: file.sha256,
    };
    download(store, options, &files.iter().map(wanted).collect::<Vec<_>>(), progress)?;
    Ok(files)
}

fn mirrors(options: &Options) -> Result<Mirrors, Error> {
    Ok(Mirrors::discover(&options.mirrors, &UserConfig::read()?, &options.target)?)
}

fn download(store: &Store, options: &Options, wanted: &[Wanted], progress: &dyn Progress) -> Result<(), Error> {
    let downloader = Downloader::new(options.network);
    downloader.fetch_all(store, wanted, &|event| tell(progress, event))?;
    Ok(())
}

fn tell(progress: &dyn Progress, event: DownloadEvent) {
    progress.event(match event {
        DownloadEvent::Progress(p) => Event::Download {
            files: p.files_done as u64,
            files_total: p.files_total as u64,
            bytes: p.bytes_done,
            bytes_total: p.bytes_total,
        },
        DownloadEvent::Warning(text) => Event::Warning { text },
        DownloadEvent::Retry(text) => Event::Note { text },
    });
}

/// Returns the build root of the plan: the one that the engine has, or a new one from the locked .debs.
///
/// # Errors
/// A .deb cannot be had, a package cannot be installed in the root, or the engine does not do its part.
pub async fn build_root(
    engine: &Engine,
    store: &Store,
    options: &Options,
    inputs: &Inputs,
    progress: &dyn Progress,
) -> Result<BuildRoot, Error> {
    let key = inputs.plan().build_root().key;
    root(engine, store, options, LockKind::BuildRoot, key, inputs.lock(), progress).await
}

/// Returns the same build root for a worker of a compile farm, which needs no source, and the .debs that it needs
/// beside it.
///
/// # Errors
/// As for [`build_root`]; or the lock of the build root or of the farm cannot be used.
pub async fn worker_root(
    engine: &Engine,
    store: &Store,
    options: &Options,
    progress: &dyn Progress,
) -> Result<(BuildRoot, Vec<(PinnedDeb, PathBuf)>), Error> {
    let farm = options.lock(LockKind::Farm)?;
    let lock = options.lock(LockKind::BuildRoot)?;
    let key = build_root_key(&lock, &options.target, &tool());
    let found = root(engine, store, options, LockKind::BuildRoot, key, &lock, progress).await?;
    let debs = tokio::task::block_in_place(|| fetch_debs(store, options, &farm, progress))?;
    Ok((found, debs))
}

/// Refuses a recipe of whose packages there is no cluster.
fn has_cluster(options: &Options) -> Result<(), Error> {
    match options.recipe.file.cluster {
        Some(_) => Ok(()),
        None => Err(Error::NoCluster { recipe: options.recipe.name().to_owned() }),
    }
}

/// Returns the node root of a cluster of the recipe's packages, as [`build_root`] does the build root.
///
/// # Errors
/// The recipe has no cluster, the lock of the node root cannot be used, or as for [`build_root`].
pub async fn node_root(
    engine: &Engine,
    store: &Store,
    options: &Options,
    progress: &dyn Progress,
) -> Result<NodeRoot, Error> {
    has_cluster(options)?;
    let lock = options.lock(LockKind::NodeRoot)?;
    let key = Digest::of_json(&(lock.content(), options.target.of_roots(), ASSEMBLY, assembling::NODE_SCRIPT));
    root(engine, store, options, LockKind::NodeRoot, key, &lock, progress).await
}

/// Returns the root file system of a cluster's virtual machines, as [`node_root`] does that of its containers.
///
/// # Errors
/// The target names no kernel, the lock of virtual machines cannot be used, or as for [`node_root`].
pub async fn machine_root(
    engine: &Engine,
    store: &Store,
    options: &Options,
    progress: &dyn Progress,
) -> Result<MachineRoot, Error> {
    has_cluster(options)?;
    if options.target.machine.is_empty() {
        return Err(Error::NoMachine { target: options.target.name.clone() });
    }
    let lock = options.lock(LockKind::Machine)?;
    let scripts = (ASSEMBLY, assembling::NODE_SCRIPT, assembling::MACHINE_SCRIPT);
    let key = Digest::of_json(&(lock.content(), options.target.of_roots(), scripts));
    root(engine, store, options, LockKind::Machine, key, &lock, progress).await
}

/// Returns the disk of a cluster's virtual machines: the one that the store has, or a new one from their root.
///
/// # Errors
/// The store cannot be written, or the engine does not do its part.
pub async fn machine_disk(
    engine: &Engine,
    store: &Store,
    root: &MachineRoot,
    progress: &dyn Progress,
) -> Result<Disk, Error> {
    let key = Digest::of_json(&(root.digest, disk::SCRIPT));
    if let Some(folder) = store.stage(MACHINE_DISK, &key) {
        progress.event(Event::StageCached { stage: "disk of virtual machines".into(), key: key.to_string() });
        return Ok(Disk::of(&folder));
    }
    let stage = Stage::start(progress, "disk of virtual machines");
    let writer = store.begin(MACHINE_DISK, &key)?;
    disk::write(engine, root, writer.path()).await?;
    let folder = writer.commit()?;
    stage.finish();
    Ok(Disk::of(&folder))
}

/// The kind of stage whose results are disks.
const MACHINE_DISK: &str = "machine-disk";

async fn root(
    engine: &Engine,
    store: &Store,
    options: &Options,
    kind: LockKind,
    key: Digest,
    lock: &RootLock,
    progress: &dyn Progress,
) -> Result<RootImage, Error> {
    let architecture = options.target.name.architecture();
    engine.runs(architecture)?;
    if engine.may_emulate() && engine.runs_itself(architecture) {
        let text = format!("--emulate changes nothing: the engine's machine runs {architecture} programs itself");
        progress.event(Event::Warning { text });
    }
    let (slug, noun) = (slug(kind), kind.noun());
    let record = format!("{slug}.json");
    let known: Option<RootImage> = store.stage(slug, &key).and_then(|folder| read_json(&folder.join(&record)).ok());
    if let Some(known) = &known
        && let Some(root) = RootImage::find(engine, kind, known.digest).await?
    {
        progress.event(Event::StageCached { stage: noun.into(), key: root.digest.to_string() });
        return Ok(root);
    }
    let stage = Stage::start(progress, format!("{noun} from {} packages", lock.packages.len()));
    let debs = tokio::task::block_in_place(|| fetch_debs(store, options, lock, progress))?;
    let say = |text: &str| progress.event(Event::Note { text: format!("  {text}") });
    let root = assembling::assemble(engine, kind, lock, &options.target, &debs, &say).await?;
    if let Some(known) = known.filter(|known| known.digest != root.digest) {
        progress.event(Event::Warning {
            text: format!(
                "the same lock gave the {noun} {} before and {} now: please report this",
                known.digest.short(),
                root.digest.short()
            ),
        });
        store.forget_stage(slug, &key)?;
    }
    if store.stage(slug, &key).is_none() {
        let writer = store.begin(slug, &key)?;
        write_json(&writer.path().join(&record), &root)?;
        writer.commit()?;
    }
    stage.finish();
    Ok(root)
}

/// Fetches what the archives of a target have (as of `snapshot`, such as `20260712T000000Z`, or as they are now), and says of
/// each suite what was verified.
///
/// # Errors
/// An archive cannot be reached, is not signed as it should be, or does not have what the target names.
pub(crate) fn catalogue(
    store: &Store,
    options: &Options,
    snapshot: Option<&str>,
    progress: &dyn Progress,
) -> Result<Catalogue, Error> {
    let downloader = Downloader::new(options.network);
    let on = |event: DownloadEvent| tell(progress, event);
    let target = (&options.target, options.targets.as_path());
    let catalogue = Catalogue::fetch(&downloader, store, &mirrors(options)?, target, snapshot, &on)
        .map_err(|error| options.in_target(error))?;
    for section in catalogue.sections() {
        let (suite, release) = (&section.suite, &section.release);
        if suite.components.first() == Some(&section.component) {
            let text = format!("{}: InRelease verified, snapshot {}", suite.name, release.snapshot);
            progress.event(Event::Note { text });
        }
    }
    Ok(catalogue)
}

/// The target whose apt solves, where the engine's machine does not run the wanted one's own: the same release on the machine's
/// architecture.
fn native(engine: &Engine, options: &Options) -> Result<Option<Options>, Error> {
    let wanted = &options.target.name;
    if engine.runs_itself(wanted.architecture()) {
        return Ok(None);
    }
    let missing =
        |why: String| Error::NoSolver { target: wanted.clone(), machine: engine.architecture().to_owned(), why };
    let name = wanted.on(engine.architecture()).map_err(|why| missing(why.to_string()))?;
    let target = Target::read(&options.targets, &name).map_err(|why| missing(why.to_string()))?;
    Ok(Some(Options { target, ..options.clone() }))
}

/// Makes the lock of a root, without writing it, and returns what it was chosen from with it: with verified indices, a pinned
/// base, and apt in it, which solves the rest.
///
/// # Errors
/// An archive cannot be reached or is not signed as it should be, apt cannot solve the dependencies, the recipe
/// has no cluster whose nodes would need a root, the engine's machine is of another architecture for which the release has no
/// target, or the engine does not do its part.
pub(crate) async fn solved(
    engine: &Engine,
    store: &Store,
    options: &Options,
    kind: LockKind,
    snapshot: Option<&str>,
    progress: &dyn Progress,
) -> Result<(RootLock, Catalogue), Error> {
    let Options { recipe, target, .. } = options;
    if matches!(kind, LockKind::NodeRoot | LockKind::Machine) && recipe.file.cluster.is_none() {
        return Err(Error::NoCluster { recipe: recipe.name().to_owned() });
    }
    let native = native(engine, options)?;
    let request = recipe.request(target, kind);
    let request_digest = recipe.request_digest(target, kind);
    let of = |options: &Options| -> Result<_, Error> {
        tokio::task::block_in_place(|| {
            let catalogue = catalogue(store, options, snapshot, progress)?;
            let base = closure::base(&catalogue, &options.target).map_err(|error| options.in_target(error))?;
            Ok((catalogue, base))
        })
    };
    let (catalogue, base) = of(options)?;
    let other = native.as_ref().map(|native| Ok::<_, Error>((native, of(native)?))).transpose()?;
    // Whose apt runs: the target's own, or that of the machine's architecture.
    let (solver, solvers, installed) = match &other {
        None => (options, &catalogue, &base),
        Some((native, (catalogue, base))) => (*native, catalogue, base),
    };
    let part = closure::lock(recipe.name(), &solver.target, solvers, request_digest, installed.clone());
    let debs = tokio::task::block_in_place(|| fetch_debs(store, solver, &part, progress))?;
    let stage = Stage::start(progress, format!("base of {} packages", debs.len()));
    let say = |text: &str| progress.event(Event::Note { text: format!("  {text}") });
    let root = assembling::base_only(engine, &solver.target, solvers.own().release.date, &debs, &say).await?;
    stage.finish();
    let stage = Stage::start(progress, format!("apt solves the dependencies of the {}", kind.noun()));
    let uploads: Vec<Upload> = closure::solver_uploads(&catalogue, &base, &request, target)
        .map_err(|error| options.in_target(error))?
        .into_iter()
        .map(|upload| Upload { path: upload.path, content: Content::Bytes(upload.content), mode: 0o644 })
        .collect();
    let script = closure::solver_script().as_bytes();
    let output = run_once(engine, &root.image, script, &uploads, &BTreeMap::new(), true).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.exit != 0 {
        let field = match kind {
            LockKind::BuildRoot => "build.depends in recipe.toml, or base in the target's file",
            LockKind::NodeRoot => "cluster.depends in recipe.toml",
            LockKind::Machine => "cluster.depends in recipe.toml, or machine in the target's file",
            LockKind::Farm => "what a compile farm needs (recipe::recipe)",
        };
        return Err(Error::Solve {
            what: kind.noun(),
            field,
            recipe: recipe.name().to_owned(),
            target: target.name.to_string(),
            output: format!("{}{}", text, String::from_utf8_lossy(&output.stderr)),
        });
    }
    let mut packages = closure::from_solution(&catalogue, &base, &text)?;
    if kind == LockKind::Farm {
        // Unpacked beside the build root, whose own libraries are found first.
        let root = options.lock(LockKind::BuildRoot)?;
        packages.retain(|deb| !root.packages.iter().any(|there| there.name == deb.name));
    }
    stage.finish();
    let lock = closure::lock(recipe.name(), target, &catalogue, request_digest, packages);
    Ok((lock, catalogue))
}
