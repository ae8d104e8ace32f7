//! The compile farm of a run.

use std::path::Path;

use farm::{Answer, Gateway, Shares, WorkerAddress};
use foundation::progress::Event;
use recipe::root_lock::LockKind;

use crate::builder::Builder;
use crate::error::Error;
use crate::root::fetch_debs;

/// The file, below `/build/out`, where a phase leaves who compiled what.
pub const COMPILED_BY: &str = "compiled-by";

/// Opens the way to the workers that were asked for; none if none were. One that does not compile is told of, and done
/// without.
///
/// # Errors
/// No worker compiles, the lock of the farm's programs cannot be used, one of them cannot be downloaded, or the engine
/// does not do its part.
pub async fn open(builder: &Builder<'_>) -> Result<Option<Gateway>, Error> {
    let Builder { engine, store, options, build, root, progress, .. } = *builder;
    if build.workers.is_empty() {
        return Ok(None);
    }
    let lock = options.lock(LockKind::Farm)?;
    let debs = tokio::task::block_in_place(|| fetch_debs(store, options, &lock, progress))?;
    let gateway = Gateway::open(engine, root, &debs, &build.workers).await?;
    for (worker, answer) in &gateway.answers {
        let text = format!("worker {} {}", worker.endpoint(), answer.text());
        progress.event(match answer {
            Answer::Compiled => Event::Note { text },
            _ => Event::Warning { text },
        });
    }
    Ok(Some(gateway))
}

/// Reads who compiled what in a phase from the file that says so, and removes it; none where the phase compiled
/// nothing.
pub fn shares(gateway: &Gateway, path: &Path) -> Option<Shares> {
    let text = std::fs::read_to_string(path).ok()?;
    let _ = std::fs::remove_file(path);
    Some(Shares::read(&text, gateway.workers().map(WorkerAddress::endpoint).collect()))
}
