//! `cargo xtask package`: the main job.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use engine::Engine;
use farm::WorkerAddress;
use foundation::bytes::ByteSize;
use foundation::failure::{AnyFailure, Message};
use foundation::store::{Store, StoreLock};
use phases::circumstances::Circumstances;
use pipeline::check::CheckOptions;
use pipeline::{BuildOptions, CompilerCache, Job, Options, Published};
use results::Taken;
use sign::signer::{KeyKind, KeySource, Passphrase};

use crate::arguments::{Selection, Selections, block_on, emulating, engine, locked_store, repository, revision};
use crate::defaults::DEFAULTS;
use crate::targets;
use crate::terminal::{Terminal, duration, print_json};

/// The arguments of `cargo xtask package`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selections,
    #[command(flatten)]
    build: BuildArguments,
    /// Run upstream's tests first, and put nothing into dist that they find unsound
    #[arg(long)]
    check: bool,
}

/// How it is built, and what it is signed with.
#[derive(Args, Clone)]
pub struct BuildArguments {
    /// Install and start a container engine where none answers
    #[arg(long)]
    pub setup: bool,
    /// Memory that the build may use, such as 4GiB; the default is what the host can spare
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Jobs that make may start at once; each compile waits until there is memory for it. Two for each processor by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// Let QEMU run what is not of the architecture of the engine's machine, where its kernel does that (binfmt_misc)
    #[arg(long)]
    pub emulate: bool,
    /// Build without the compiler cache; the bytes are the same
    #[arg(long)]
    no_cache: bool,
    /// Compile with what a trusted builder's compiler cache at --from has, too. No second builder can confirm that, so packages
    /// made with it can be signed with a development key only
    #[arg(long, conflicts_with_all = ["no_cache", "no_from"])]
    from_cache: bool,
    /// Have files compiled by these machines, on which `cargo xtask worker` runs; JOBS at once each, or 4
    #[arg(long, value_name = "HOST[:PORT][/JOBS]", value_delimiter = ',')]
    workers: Vec<WorkerAddress>,
    #[command(flatten)]
    others: crate::others::OtherArguments,
    #[command(flatten)]
    key: KeyArguments,
    /// Folder for the packages; of several targets each has its own in it, FOLDER/RELEASE-ARCH. The default is dist/RELEASE-ARCH
    #[arg(long, value_name = "FOLDER")]
    dist: Option<PathBuf>,
    /// Print facts as JSON, one a line, on standard output
    #[arg(long)]
    pub json: bool,
}

/// The key that packages are signed with, as the user names it.
#[derive(Args, Clone)]
pub struct KeyArguments {
    /// Sign with this key of the GnuPG key ring (fingerprint, id or address)
    #[arg(long, value_name = "KEY", conflicts_with = "key_file")]
    key: Option<String>,
    /// Sign with the secret key in this file; its passphrase is read from MESOS_PACKAGES_KEY_PASSPHRASE
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl KeyArguments {
    /// Where the key is: the development key of this store unless one is named.
    pub fn source(&self, store: &Store) -> KeySource {
        match (self.key.clone(), self.key_file.clone()) {
            (Some(key), _) => KeySource::KeyRing { home: None, key },
            (None, Some(path)) => {
                KeySource::SecretFile { path, passphrase: std::env::var(PASSPHRASE).ok().map(Passphrase::new) }
            }
            (None, None) => development_key(store),
        }
    }
}

/// The key that this machine makes for itself, with its folder in the cache.
pub fn development_key(store: &Store) -> KeySource {
    KeySource::Development { state: store.root().join("development-key") }
}

impl BuildArguments {
    /// The engine that `--setup` promises, even where nothing has to be run in it.
    ///
    /// # Errors
    /// None can be started.
    pub async fn promised(
        &self,
        store: &Store,
        lock: &StoreLock,
        terminal: &Terminal,
    ) -> Result<Option<Engine>, engine::Error> {
        match self.setup {
            true => emulating(self.emulate, engine(store, lock, true, terminal).await?).await.map(Some),
            false => Ok(None),
        }
    }

    /// The engine, looked for once something has to be run: the promised one, or one that answers.
    ///
    /// # Errors
    /// No engine answers, or it has less memory than was asked for.
    pub async fn engine(
        &self,
        promised: Option<Engine>,
        build: &BuildOptions,
        store: &Store,
        lock: &StoreLock,
        terminal: &Terminal,
    ) -> Result<Engine, pipeline::Error> {
        let engine = match promised {
            Some(engine) => engine,
            None => emulating(self.emulate, engine(store, lock, false, terminal).await?).await?,
        };
        pipeline::refuse_too_much(&engine, build.memory, build.jobs, farm::jobs(&build.workers)).await?;
        Ok(engine)
    }

    /// These arguments as the pipeline understands them; the packages go to the usual folder of the target unless another
    /// one was named.
    ///
    /// # Errors
    /// Less memory was asked for than one compiler needs.
    pub fn options(self, store: &Store, of: &Selections, options: &Options) -> Result<BuildOptions, AnyFailure> {
        if let Some(memory) = self.memory.filter(|memory| *memory < LEAST_MEMORY) {
            let text = format!("--memory {memory} is too little to compile anything: {LEAST_MEMORY} is the least");
            return Err(Message::usage(text).into());
        }
        let key = self.key.source(store);
        let release = !matches!(key, KeySource::Development { .. });
        if self.from_cache && release {
            let text = "--from-cache is for trying things out: what a key of your own signs has to be confirmed by a second \
                        builder, and nobody can confirm a compiler cache";
            return Err(Message::usage(text).into());
        }
        let others = self.others.asked(release, options.network)?;
        if self.from_cache && others.taker().is_none() {
            let text =
                "--from-cache needs a place that has a compiler cache: name it with --from, or `from` in the settings";
            return Err(Message::usage(text).into());
        }
        Ok(BuildOptions {
            others,
            memory: self.memory,
            jobs: self.jobs,
            compiler_cache: match (self.no_cache, self.from_cache) {
                (true, _) => CompilerCache::None,
                (_, true) => CompilerCache::OfOthers,
                _ => CompilerCache::Shared,
            },
            circumstances: Circumstances::default(),
            workers: self.workers,
            dist: match self.dist {
                Some(dist) => of.share(&dist, &options.target.name),
                None => default_dist(options.recipe.handle(), &options.target.name.file_stem()),
            },
            key,
            revision,
        })
    }
}

/// The environment variable with the passphrase of `--key-file`.
pub const PASSPHRASE: &str = "MESOS_PACKAGES_KEY_PASSPHRASE";

/// The least memory that one compiler needs.
const LEAST_MEMORY: ByteSize = ByteSize(256 << 20);

/// Makes the packages, and prints a table of what came out, or that there was nothing to do.
///
/// # Errors
/// A stage fails: the error says which and what to do.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    targets::each(&arguments.selection, arguments.build.json, |selection| one(&arguments, selection))
}

/// Makes the packages of a target; returns where they are.
fn one(arguments: &Arguments, selection: &Selection) -> Result<PathBuf, AnyFailure> {
    let started = Instant::now();
    let json = arguments.build.json;
    let terminal = Terminal::new(json);
    let options = selection.options()?;
    let what = format!("package {} for {}", options.recipe.handle(), options.target.name);
    let (store, lock) = locked_store(&what, &terminal)?;
    let build = arguments.build.clone().options(&store, &arguments.selection, &options)?;
    let check = arguments.check.then(CheckOptions::default);
    let published = block_on(&store, async || {
        let promised = arguments.build.promised(&store, &lock, &terminal).await?;
        let find = async || arguments.build.engine(promised, &build, &store, &lock, &terminal).await;
        let job = Job { store: &store, options: &options, build: &build, progress: &terminal };
        Ok(job.package(find, check.as_ref()).await?)
    });
    terminal.finish();
    let published = published?;
    if json {
        print_json(&published.report);
    } else if published.unchanged {
        println!(
            "nothing to do: {} is what the plan {} leads to ({:.2} s)",
            published.folder.display(),
            published.report.plan.short(),
            started.elapsed().as_secs_f64()
        );
    } else {
        print!("{}", table(&published));
    }
    Ok(published.folder)
}

/// The folder where packages go unless the user says otherwise: `dist/RELEASE-ARCH`, for another recipe than the usual
/// one below `dist/RECIPE`.
pub fn default_dist(recipe: &str, target: &str) -> PathBuf {
    let dist = repository().join("dist");
    if recipe == DEFAULTS.recipe { dist.join(target) } else { dist.join(recipe).join(target) }
}

/// What others made of it, for people; nothing where this machine made all. What came from one place on the word of the same
/// builders is said together.
pub fn taken(taken: &[Taken]) -> String {
    let mut text = String::new();
    for group in taken.chunk_by(|one, next| {
        let keys = |taken: &Taken| taken.builders.iter().map(|by| by.key.clone()).collect::<Vec<_>>();
        one.place == next.place && keys(one) == keys(next)
    }) {
        let stages: Vec<String> = group.iter().map(|one| format!("{} {}", one.stage, one.inputs.short())).collect();
        text += &format!("\ntaken from {}: {}\n", group[0].place, stages.join(", "));
        for by in &group[0].builders {
            text += &format!("  stated by {} ({})\n", by.user_id, by.key);
        }
    }
    text
}

/// The packages, and what making them took, as a table for people.
pub fn table(published: &Published) -> String {
    let report = &published.report;
    let mut text = String::new();
    let width = report.packages.iter().map(|package| package.name.len()).max().unwrap_or(0).max(17);
    let packing = &report.packing;
    text += &format!("\n{:width$}  {:>10}  {:>9}  {:>9}  sha256\n", "package", "size", "written", "signed");
    for package in &report.packages {
        text += &format!(
            "{:width$}  {:>10}  {:>9}  {:>9}  {}\n",
            package.name,
            ByteSize(package.size).to_string(),
            duration(package.writing_seconds),
            duration(package.signing_seconds),
            package.sha256
        );
    }
    text += &format!(
        "{:width$}  {:>10}  {:>9}  {:>9}  threads: {}\n",
        "all, side by side",
        "",
        duration(packing.writing_seconds),
        duration(packing.signing_seconds),
        packing.threads
    );
    text += &format!("\n{:width$}  {:>12}  {:>12}  {:>11}  {:>11}\n", "phase", "wall", "CPU", "peak", "without cache");
    for phase in report.phases.iter().chain([&packing.split]) {
        text += &format!(
            "{:width$}  {:>12}  {:>12}  {:>11}  {:>11}\n",
            phase.name,
            duration(phase.wall_seconds),
            duration(phase.cpu_seconds),
            ByteSize(phase.peak_memory).to_string(),
            ByteSize(phase.peak_rss).to_string(),
        );
        for file in &phase.killed_for_memory {
            text += &format!("{:width$}  killed for memory, then compiled alone: {file}\n", "");
        }
    }
    text += &taken(&report.taken);
    if let Some(check) = &report.check {
        text += &format!("\nupstream's tests: {}\n", check.counts());
    }
    if !report.deviations.is_empty() {
        text += "\nthe source is not what the recipe asks for:\n";
    }
    for deviation in &report.deviations {
        text += &format!("  {deviation}\n");
    }
    text += &format!("\n{} in {}\n", published.folder.display(), duration(published.seconds));
    if report.key.kind == KeyKind::Development {
        text += "signed with an UNTRUSTED DEVELOPMENT key: build with --key for anything that others install\n";
    }
    text
}
