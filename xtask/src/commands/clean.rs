//! `cargo xtask clean`: gives back the room that builds took.

use clap::Args;
use containers::pipeline::rebuild;
use containers::volume;
use packaging::store::Store;

use crate::arguments::{block_on, engine, locked_store};
use crate::terminal::Terminal;

/// Arguments.
#[derive(Args)]
pub struct Arguments {
    /// Also remove the compiler caches, and forget the build roots and node roots
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let terminal = Terminal::new(false);
    let (store, lock) = locked_store("clean", &terminal)?;
    let removed = block_on(&store, async || {
        let engine = engine(&store, &lock, false, &terminal).await?;
        let mut removed = 0;
        // Another cache's volumes on the same engine are not ours to remove; compiler caches are shared.
        let ours = format!("mesos-packages-{}-", store.id());
        for found in volume::list(&engine).await? {
            let compiler_cache = found.labels.get(volume::LABEL_KIND).is_some_and(|kind| kind == "ccache");
            if found.name.starts_with(&ours) || (arguments.all && compiler_cache) {
                volume::remove(&engine, &found.name).await?;
                removed += 1;
            }
        }
        Ok(removed)
    })?;
    let rebuilds = store.root().join("rebuild");
    for entry in std::fs::read_dir(&rebuilds).into_iter().flatten().flatten() {
        let work = Store::open(Some(&entry.path()))?;
        let work_lock = work.try_lock("clean")?;
        block_on(&work, async || {
            let engine = engine(&work, &work_lock, false, &terminal).await?;
            Ok(rebuild::clear(&engine, &work).await?)
        })?;
        std::fs::remove_dir_all(entry.path())?;
    }
    let mut kinds = vec!["phase", "staged", "split", "package", "packages", "tests", "shard"];
    if arguments.all {
        kinds.extend(["build-root", "node-root"]);
    }
    for kind in kinds {
        store.forget_stages(kind)?;
    }
    terminal.finish();
    println!("removed {removed} volumes and the results of stages; dist is left alone");
    Ok(())
}
