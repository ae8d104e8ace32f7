//! `cargo xtask doctor`: what this machine has, one line each, and what to do about what is missing.

use clap::Args;
use engine::{Engine, EngineInfo};
use fetch::debian::mirror::{Mirrors, UserConfig};
use foundation::bytes::ByteSize;
use foundation::failure::{AnyFailure, Kind, Message};
use foundation::store::Store;
use recipe::Recipe;
use recipe::root_lock::LockKind;
use schemars::JsonSchema;
use serde::Serialize;
use sign::gpg::DEVELOPMENT_FILE;

use crate::arguments::{Selection, block_on, installed};
use crate::terminal::print_json;

/// The arguments of `cargo xtask doctor`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Print it as JSON on one line
    #[arg(long)]
    json: bool,
}

/// Something that was looked for on this machine.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// Whether a build can go on with it.
    pub good: bool,
    /// What was looked for.
    pub what: &'static str,
    /// What was found, or what to do.
    pub found: String,
}

/// Looks for what a build needs on this machine, and prints a line about each.
///
/// # Errors
/// Something that a build needs is missing, or a file that says what it needs cannot be read.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let options = arguments.selection.options()?;
    let store = Store::open(None)?;
    let mut findings = Vec::new();
    let engine = block_on(&store, async || {
        Ok(match Engine::find().await {
            Ok(engine) => match engine.runs(options.target.name.architecture()) {
                Ok(()) => engine.info().await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        })
    })?;
    match &engine {
        Ok(info) => findings.extend(of_engine(info, &options.recipe)),
        Err(_) => findings.push(Finding {
            good: false,
            what: "engine",
            found: "none that can be used: the error below says why".into(),
        }),
    }
    findings.push(disk(&store, &options.recipe)?);
    let mirrors = Mirrors::discover(&options.mirrors, &UserConfig::read()?, &options.target)?;
    for addresses in mirrors.all() {
        findings.push(Finding {
            good: true,
            what: "mirror",
            found: match addresses.near.first() {
                Some(near) => format!("{near}, then {}", addresses.archive),
                None => format!("{} only: name a nearer one with --mirror", addresses.archive),
            },
        });
    }
    let lock = options.recipe.lock_path(&options.target, LockKind::BuildRoot);
    findings.push(Finding {
        good: lock.exists(),
        what: "lock",
        found: if lock.exists() {
            format!("{} for {}", options.recipe.name(), options.target.name)
        } else {
            format!("none for {}: run `cargo xtask lock --target {}`", options.target.name, options.target.name)
        },
    });
    findings.push(key(&store));
    for program in ["gpg", "gpgv", "git"] {
        let found = installed(program);
        findings.push(Finding {
            good: found,
            what: program,
            found: if found { "found".into() } else { format!("missing: `apt-get install {program}`") },
        });
    }
    if arguments.json {
        print_json(&findings);
    } else {
        print!("{}", table(&findings));
    }
    match engine {
        Err(error) => Err(error.into()),
        Ok(_) if findings.iter().any(|finding| !finding.good) => {
            Err(Message::new("something is missing", Kind::Failed.next("the lines above say what to do")).into())
        }
        Ok(_) => Ok(()),
    }
}

/// The findings for people, a line for each.
pub fn table(findings: &[Finding]) -> String {
    let line = |Finding { good, what, found }: &Finding| {
        format!("{} {what:<8} {found}\n", if *good { "ok     " } else { "MISSING" })
    };
    findings.iter().map(line).collect()
}

/// What the container engine offers, and whether that is enough for the recipe.
pub fn of_engine(info: &EngineInfo, recipe: &Recipe) -> Vec<Finding> {
    let place = if info.remote { "remote" } else { "local" };
    let memory = phases::usage::budget(info);
    let needed = recipe.file.build.machine.as_ref().map_or(0, |machine| machine.memory.0);
    vec![
        Finding {
            good: true,
            what: "engine",
            found: format!(
                "{} {}, API {}, {}, {place}, {}",
                info.name, info.version, info.api, info.storage_driver, info.endpoint
            ),
        },
        Finding { good: true, what: "cgroup", found: format!("version {}", info.cgroup_version) },
        Finding { good: true, what: "cores", found: info.cpus.to_string() },
        Finding {
            good: memory >= needed,
            what: "memory",
            found: if memory >= needed {
                format!("{}, of which a build takes {}", ByteSize(info.memory_bytes), ByteSize(memory))
            } else {
                format!(
                    "only {} to spare, {} needs {}: end other programs, or build elsewhere",
                    ByteSize(memory),
                    recipe.name(),
                    ByteSize(needed)
                )
            },
        },
    ]
}

fn disk(store: &Store, recipe: &Recipe) -> Result<Finding, AnyFailure> {
    let free = store.free_space()?;
    let needed = recipe.file.build.machine.as_ref().map_or(0, |machine| machine.disk.0);
    Ok(Finding {
        good: free >= needed,
        what: "disk",
        found: if free >= needed {
            format!("{} free for {}", ByteSize(free), store.root().display())
        } else {
            format!(
                "{} free for {}, {} needs {}: make room, `cargo xtask clean`, or point MESOS_PACKAGES_CACHE elsewhere",
                ByteSize(free),
                store.root().display(),
                recipe.name(),
                ByteSize(needed)
            )
        },
    })
}

fn key(store: &Store) -> Finding {
    let found = if store.root().join("development-key").join(DEVELOPMENT_FILE).exists() {
        "an UNTRUSTED DEVELOPMENT key; --key names one that others trust"
    } else {
        "none yet: a development key is made by the first build; --key names one that others trust"
    };
    Finding { good: true, what: "key", found: found.into() }
}
