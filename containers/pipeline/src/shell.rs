//! A look into a phase that failed: a command in the same root, with the volume as the phase left it, and the same environment,
//! user and limits. There is no network, as there was none.

use engine::container::{Container, image_labels};
use engine::interactive::{FromTerminal, Piece, converse, with_terminal};
use engine::{Engine, volume};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::error::Error;
use crate::failed_phase::FailedPhase;

/// What a person at a terminal gets.
const SHELL: [&str; 2] = ["/bin/bash", "--norc"];

/// Runs a command there and gives every piece of its output to `output`; returns its exit status.
///
/// # Errors
/// The volume or the root is gone, or the engine does not do its part.
pub async fn run(
    engine: &Engine,
    failed: &FailedPhase,
    command: &[&str],
    mut output: impl FnMut(Piece),
) -> Result<i64, Error> {
    look(engine, failed).await?;
    let container = Container::create(engine, "shell", failed.surroundings.body(engine, command)).await?;
    let state = container.run(&what(failed), &mut output).await?;
    container.remove().await?;
    Ok(state.exit_code.unwrap_or(-1))
}

/// Runs a shell there for somebody at a terminal, until it ends; returns its exit status.
///
/// # Errors
/// As those of [`run`].
pub async fn open(
    engine: &Engine,
    failed: &FailedPhase,
    kind: &str,
    terminal: UnboundedReceiver<FromTerminal>,
    output: impl FnMut(&[u8]),
) -> Result<i64, Error> {
    look(engine, failed).await?;
    let mut surroundings = failed.surroundings.clone();
    surroundings.environment.insert("TERM".into(), kind.to_owned());
    let mut body = surroundings.body(engine, &SHELL);
    with_terminal(&mut body);
    let container = Container::create(engine, "shell", body).await?;
    let state = converse(engine, &container, &what(failed), terminal, output).await?;
    container.remove().await?;
    Ok(state.exit_code.unwrap_or(-1))
}

fn what(failed: &FailedPhase) -> String {
    format!("a look into the phase {}", failed.phase)
}

/// Whether everything is still there: the engine would make an empty volume of the same name.
async fn look(engine: &Engine, failed: &FailedPhase) -> Result<(), Error> {
    let phase = || failed.phase.clone();
    let surroundings = &failed.surroundings;
    if !volume::exists(engine, &surroundings.volume).await? {
        return Err(Error::FailedPhaseGone { phase: phase(), what: format!("volume {}", surroundings.volume) });
    }
    if image_labels(engine, &surroundings.image).await?.is_none() {
        return Err(Error::FailedPhaseGone { phase: phase(), what: format!("image {}", surroundings.image) });
    }
    Ok(())
}
