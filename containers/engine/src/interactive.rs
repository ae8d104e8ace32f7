//! A container that a person at a terminal talks to.

pub use bollard::container::LogOutput as Piece;
use bollard::models::{ContainerCreateBody, ContainerState};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, ResizeContainerTTYOptionsBuilder, StartContainerOptions,
};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::container::Container;
use crate::{Engine, Error};

/// What comes from a person's terminal.
#[derive(Clone, Debug)]
pub enum FromTerminal {
    /// These bytes were typed.
    Typed(Vec<u8>),
    /// The terminal has so many columns and rows. It comes at the beginning and each time the size changes.
    Size(u16, u16),
}

/// Gives a container that is not made yet a terminal.
pub fn with_terminal(body: &mut ContainerCreateBody) {
    body.tty = Some(true);
    body.open_stdin = Some(true);
    body.stdin_once = Some(true);
    body.attach_stdin = Some(true);
    body.attach_stdout = Some(true);
    body.attach_stderr = Some(true);
}

/// Starts the container, sends it what comes from the terminal, gives its output to `output`, and waits for its end.
///
/// # Errors
/// The container cannot be started, or was removed by somebody else, or the engine is lost. An exit status other than 0
/// is no error.
pub async fn converse(
    engine: &Engine,
    container: &Container,
    what: &str,
    mut terminal: UnboundedReceiver<FromTerminal>,
    mut output: impl FnMut(&[u8]),
) -> Result<ContainerState, Error> {
    let fail = |error| engine.error(format!("starting the container of {what}"), error);
    let options = AttachContainerOptionsBuilder::default().stream(true).stdin(true).stdout(true).stderr(true).build();
    let docker = engine.patient();
    let mut attached = docker.attach_container(&container.id, Some(options)).await.map_err(fail)?;
    docker.start_container(&container.id, None::<StartContainerOptions>).await.map_err(fail)?;
    let mut open = true;
    loop {
        tokio::select! {
            piece = attached.output.next() => match piece {
                Some(Ok(piece)) => output(piece.as_ref()),
                // A container that was killed ends its stream roughly; its state says what happened.
                Some(Err(_)) | None => break,
            },
            said = terminal.recv(), if open => match said {
                Some(FromTerminal::Typed(typed)) => {
                    open = attached.input.write_all(&typed).await.is_ok() && attached.input.flush().await.is_ok();
                }
                Some(FromTerminal::Size(columns, rows)) => {
                    let size = ResizeContainerTTYOptionsBuilder::default().w(columns.into()).h(rows.into()).build();
                    // Lines that break at the wrong column are no reason to end.
                    let _ = docker.resize_container_tty(&container.id, size).await;
                }
                None => {
                    open = false;
                    let _ = attached.input.shutdown().await;
                }
            },
        }
    }
    container.ended(what).await
}
