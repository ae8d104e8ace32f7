//! Removing what a build made: stages, and volumes in the engine.

use engine::{Engine, volume};
use foundation::store::Store;

use crate::error::Error;
use crate::failed_phase;

/// The kinds of stages that a build has, from the first phase to the packages.
pub const STAGES: [&str; 5] = ["phase", "staged", "split", "package", "packages"];

/// Forgets the results of these stages, and what is kept of phases that failed.
pub fn forget_results(store: &Store) -> Result<(), Error> {
    for kind in STAGES {
        store.forget_stages(kind)?;
    }
    failed_phase::forget_all(store)
}

/// Forgets the results of these stages, and removes the volumes that were made for this store but for the one that is to be
/// kept.
pub async fn clear(engine: &Engine, store: &Store, keep: Option<&str>) -> Result<(), Error> {
    forget_results(store)?;
    let prefix = engine::names::of_store(store);
    for found in volume::list(engine).await? {
        if found.name.starts_with(&prefix) && keep != Some(found.name.as_str()) {
            volume::remove(engine, &found.name).await?;
        }
    }
    Ok(())
}
