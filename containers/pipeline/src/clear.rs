//! Removing what a build made: stages, and volumes in the engine.

use engine::{Engine, volume};
use foundation::store::Store;

use crate::error::Error;
use crate::failed_phase;

/// The kinds of stages that a build has, from the first phase to the packages.
pub const STAGES: [&str; 5] = ["phase", "staged", "split", "package", "packages"];

/// Forgets the results of the stages [`STAGES`], and what is kept of phases that failed.
///
/// # Errors
/// A folder of the store cannot be removed.
pub fn forget_results(store: &Store) -> Result<(), Error> {
    for kind in STAGES {
        store.forget_stages(kind)?;
    }
    failed_phase::forget_all(store)
}

/// Does what [`forget_results`] does, and removes the volumes that were made for this store but for the one that is to
/// be kept.
///
/// # Errors
/// A folder of the store or a volume of the engine cannot be removed, such as one that a container still uses.
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
