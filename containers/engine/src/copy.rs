//! Copying a volume, so that a phase that is cut short never spoils what the phase before it left.

use std::collections::BTreeMap;

use crate::once::run_once_with_volumes;
use crate::{Engine, Error, volume};

/// Makes the volume `to` with the content of `from`, and these labels. Ownership, permissions and
/// time stamps are kept: make decides by them. `foreign` is for files that do not belong to the usual user: only root
/// can keep that. What the volume `to` had before is lost.
///
/// # Errors
/// The engine refuses, the image has no cp, or there is no space for the copy. Then there is no volume `to`.
pub async fn copy(
    engine: &Engine,
    image: &str,
    from: &str,
    to: &str,
    labels: &[(&str, &str)],
    foreign: bool,
) -> Result<(), Error> {
    volume::remove(engine, to).await?;
    volume::create_with(engine, to, labels).await?;
    let script = b"cp --archive --reflink=auto /from/. /build/";
    let volumes = [(from, "/from"), (to, "/build")];
    let output = run_once_with_volumes(engine, image, script, &[], &BTreeMap::new(), foreign, &volumes).await?;
    if output.exit != 0 {
        volume::remove(engine, to).await?;
        return Err(Error::Engine {
            doing: format!("copying the volume {from}"),
            why: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(())
}
