//! `cargo xtask rebuild`: builds again what was published, under other circumstances, and compares.

use std::path::{Path, PathBuf};

use clap::Args;
use fetch::download::{DownloadEvent, Downloader, Network};
use foundation::address;
use foundation::bytes::ByteSize;
use foundation::date;
use foundation::failure::{AnyFailure, Message};
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use phases::circumstances::{Aspect, Circumstances, WantedVariations};
use pipeline::rebuild::{Rebuild, attest};
use pipeline::{BuildOptions, CompilerCache};
use recipe::Recipe;
use recipe::target::TargetName;
use sign::gpg::Gpg;
use sign::signer::Signer;
use statements::rebuild::{PublishedBuild, download};

use crate::arguments::{Common, Selection, Subject, block_on, emulating, engine, locked_store, repository};
use crate::commands::package::KeyArguments;
use crate::defaults::{DEFAULTS, known_recipes};
use crate::terminal::{Terminal, print_json};

/// The arguments of `cargo xtask rebuild`.
#[derive(Args)]
pub struct Arguments {
    /// A folder of packages, a .deb with its .buildinfo beside it, or the address of one in an apt repository
    #[arg(value_name = "DIST|PACKAGE.deb|URL")]
    what: String,
    /// What differs between the two builds: +NAME and -NAME, separated by commas, change the default, which is all of
    /// cpus, memory, hostname, user, umask, time, timezone, locale, order, environment, kernel, jobs, cache
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, default_value = "+all")]
    vary: WantedVariations,
    /// Sign a statement that the packages were rebuilt, if they are the same
    #[arg(long)]
    attest: bool,
    #[command(flatten)]
    key: KeyArguments,
    /// Recipe, by name or path of its folder; the default is the one that the .buildinfo names
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// Target; the default is the one that the .buildinfo names
    #[arg(long, value_name = "RELEASE/ARCH")]
    target: Option<TargetName>,
    /// The local source tree or archive that the packages were built from, for a version that carries +local
    #[arg(long, value_name = "PATH")]
    source: Option<PathBuf>,
    /// Mirror to try first, such as https://mirror.example.org/debian; may be given more than once, also for a target's other
    /// archives (…/debian-security)
    #[arg(long = "mirror", value_name = "URL")]
    mirrors: Vec<String>,
    /// Use no network: whatever is not in the cache is an error
    #[arg(long)]
    offline: bool,
    /// Memory budget before it is varied, such as 4GiB; the default is what the host can spare
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Jobs that make may start at once, before they are varied; two for each processor by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// Let QEMU run what is not of the architecture of the engine's machine, where its kernel does that (binfmt_misc)
    #[arg(long)]
    emulate: bool,
    /// Folder in which it is built; the default is in the cache
    #[arg(long, value_name = "FOLDER")]
    work: Option<PathBuf>,
    /// Folder for report and statement; the default is dist/rebuild/RECIPE-TARGET
    #[arg(long, value_name = "FOLDER")]
    results: Option<PathBuf>,
    /// Install and start a container engine where none answers
    #[arg(long)]
    setup: bool,
    /// Print facts as JSON, one a line, on standard output
    #[arg(long)]
    json: bool,
}

/// Builds again, prints how the packages compare, and signs a statement about that where it was asked for.
///
/// # Errors
/// What is to be rebuilt cannot be had or was built from something else, the build fails, or a package differs.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(arguments.json);
    if arguments.vary.aspects.contains(&Aspect::User) && !arguments.vary.aspects.contains(&Aspect::Cache) {
        let text = "the compiler cache belongs to the usual user: with --vary -cache, write -user as well";
        return Err(Message::usage(text).into());
    }
    let (usual, usual_lock) = locked_store(&format!("rebuild {}", arguments.what), &terminal)?;
    let received = usual.temp_dir()?;
    let published = published(&arguments, received.path(), &terminal)?;
    let target = match (&arguments.target, &published.target) {
        (Some(target), _) | (None, Some(target)) => target.clone(),
        (None, None) => DEFAULTS.target.parse()?,
    };
    let options = Selection {
        subject: Subject {
            common: Common {
                recipe: arguments.recipe.clone().unwrap_or_else(|| recipe_of(&published.source, &published.version)),
                mirrors: arguments.mirrors.clone(),
                offline: arguments.offline,
            },
            target,
        },
        source: arguments.source.clone(),
    }
    .options()?;
    let name = format!("{}-{}", options.recipe.handle(), options.target.name.file_stem());
    let results = arguments.results.clone().unwrap_or_else(|| repository().join("dist/rebuild").join(&name));
    // Before the build: a wrong key must not be found out after an hour.
    let key = arguments.key.source(&usual);
    let signer = arguments.attest.then(|| Gpg::open(&key)).transpose()?;
    if let Some(signer) = &signer {
        signer.check_version(&published.version)?;
    }
    let place = arguments.work.clone().unwrap_or_else(|| usual.root().join("rebuild").join(&name));
    let work = Store::open(Some(&place))?;
    let work_lock = work.lock("rebuild", &mut |_| ())?;
    let build = BuildOptions {
        revision: crate::arguments::revision,
        // What others made proves nothing here.
        others: pipeline::Others::never(),
        memory: arguments.memory,
        jobs: arguments.jobs,
        compiler_cache: CompilerCache::Shared,
        circumstances: Circumstances::default(),
        workers: Vec::new(),
        dist: results.clone(),
        key,
    };
    let report = block_on(&work, async || {
        let engine = engine(&work, &work_lock, arguments.setup, &terminal).await?;
        let engine = emulating(arguments.emulate, engine).await?;
        pipeline::refuse_too_much(&engine, arguments.memory, arguments.jobs, 0).await?;
        let rebuild = Rebuild {
            engine: &engine,
            usual: &usual,
            work: &work,
            options: &options,
            build: &build,
            wanted: &arguments.vary,
            published: &published,
            results: &results,
            progress: &terminal,
        };
        Ok(rebuild.run(usual_lock).await?)
    });
    terminal.finish();
    let report = report?;
    if arguments.json {
        print_json(&report);
    } else {
        print!("{}", report.text());
        println!("\nreport in {}", results.display());
    }
    if report.different() > 0 {
        let (different, all) = (report.different(), report.packages.len());
        return Err(pipeline::Error::Differs { different, all, folder: results }.into());
    }
    if let Some(signer) = signer {
        let path = attest(&report, &published, &results, &signer, date::now())?;
        terminal.note(format!("statement of this rebuild, signed by {}: {}", signer.key().user_id, path.display()));
    }
    Ok(())
}

/// The name of the recipe that makes a source package in a version; where there are none or several, the package's own name.
fn recipe_of(source: &str, version: &str) -> String {
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    let makes = |recipe: &Recipe| {
        let rest = upstream.strip_prefix(recipe.file.version.as_str());
        recipe.name() == source && rest.is_some_and(|rest| rest.starts_with(['-', '+', '~']))
    };
    let read = |folder: &Path| Recipe::read(folder).is_ok_and(|recipe| makes(&recipe));
    let mut found = known_recipes().into_iter().filter(|(_, folder)| read(folder));
    match (found.next(), found.next()) {
        (Some((name, _)), None) => name,
        _ => source.to_owned(),
    }
}

/// Reads what is to be rebuilt; brings it first where it is an address.
fn published(arguments: &Arguments, received: &Path, terminal: &Terminal) -> Result<PublishedBuild, AnyFailure> {
    let what = &arguments.what;
    if what.starts_with("http://") || what.starts_with("https://") {
        if !what.ends_with(".deb") {
            return Err(Message::usage(format!(
                "{} is no address of a package: it has to end with .deb",
                address::shown(what)
            ))
            .into());
        }
        let network = if arguments.offline { Network::Offline } else { Network::Online };
        let target = arguments.target.clone().map_or_else(|| DEFAULTS.target.parse(), Ok)?;
        let tell = |event: DownloadEvent| {
            if let DownloadEvent::Warning(text) = event {
                terminal.event(Event::Warning { text });
            }
        };
        let deb = download(&Downloader::new(network), what, target.architecture(), received, &tell)?;
        return Ok(PublishedBuild::of_package(&deb)?);
    }
    let path = Path::new(what);
    if path.is_dir() {
        Ok(PublishedBuild::in_folder(path)?)
    } else if path.is_file() {
        Ok(PublishedBuild::of_package(path)?)
    } else {
        Err(Message::usage(format!("there is no folder or package {what}: name one that `cargo xtask package` made"))
            .into())
    }
}
