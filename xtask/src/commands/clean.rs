//! `cargo xtask clean`: gives back the room that builds took.

use std::path::Path;

use clap::Args;
use engine::names::{KIND_COMPILER_CACHE, LABEL_KIND};
use engine::volume;
use foundation::failure::{AnyFailure, Message};
use foundation::store::Store;
use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::{block_on, engine, locked_store};
use crate::commands::bench::BENCH_FOLDER;
use crate::terminal::{Terminal, print_json};

/// The arguments of `cargo xtask clean`.
#[derive(Args)]
pub struct Arguments {
    /// Also remove the compiler caches, and forget build roots, node roots and what upstream's own way took
    #[arg(long)]
    all: bool,
    /// Print facts as JSON, one a line, on standard output
    #[arg(long)]
    json: bool,
}

/// What was removed beside the results of stages.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Cleaned {
    /// How many volumes of the engine.
    volumes: usize,
    /// Free room where the cache is, in bytes, now.
    free: u64,
}

/// Removes volumes from the engine and results from the cache, also those of rebuilds and measurements.
///
/// # Errors
/// No engine answers, somebody works in a store of a rebuild or measurement, or something cannot be removed.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(arguments.json);
    let (store, lock) = locked_store("clean", &terminal)?;
    let removed = block_on(&store, async || {
        let engine = engine(&store, &lock, false, &terminal).await?;
        let mut removed = 0;
        // Another cache's volumes on the same engine are not ours to remove; compiler caches are shared.
        let ours = engine::names::of_store(&store);
        for found in volume::list(&engine).await? {
            let compiler_cache = found.labels.get(LABEL_KIND).is_some_and(|kind| kind == KIND_COMPILER_CACHE);
            if found.name.starts_with(&ours) || (arguments.all && compiler_cache) {
                volume::remove(&engine, &found.name).await?;
                removed += 1;
            }
        }
        Ok(removed)
    })?;
    for work in stores(&store.root().join("rebuild"))? {
        clear(&work, &terminal)?;
        remove(work.root())?;
    }
    for work in stores(&store.root().join(BENCH_FOLDER))? {
        clear(&work, &terminal)?;
        // What upstream's own way took is kept otherwise: to measure it again takes longer than all the rest.
        if arguments.all {
            remove(work.root())?;
        }
    }
    pipeline::forget_results(&store)?;
    for kind in ["tests", "shard", "verdict"] {
        store.forget_stages(kind)?;
    }
    if arguments.all {
        for kind in ["build-root", "node-root"] {
            store.forget_stages(kind)?;
        }
    }
    terminal.finish();
    if arguments.json {
        print_json(&Cleaned { volumes: removed, free: store.free_space()? });
    } else {
        println!("removed {removed} volumes and the results of stages; dist is left alone");
    }
    Ok(())
}

/// The stores in a folder, of rebuilds or of measurements.
fn stores(folder: &Path) -> Result<Vec<Store>, AnyFailure> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| Ok(Store::open(Some(&entry.path()))?)).collect()
}

fn remove(folder: &Path) -> Result<(), Message> {
    std::fs::remove_dir_all(folder).map_err(Message::of_file("remove", folder))
}

/// Removes what was built in a store, unless somebody works there.
fn clear(work: &Store, terminal: &Terminal) -> Result<(), AnyFailure> {
    let lock = work.try_lock("clean")?;
    block_on(work, async || {
        let engine = engine(work, &lock, false, terminal).await?;
        Ok(pipeline::clear(&engine, work, None).await?)
    })
}
