//! `cargo xtask shell`: a look into the container of a phase that failed.

use std::io::{self, IsTerminal, Read};

use clap::Args;
use engine::interactive::{FromTerminal, Piece};
use foundation::failure::{AnyFailure, Message};
use pipeline::failed_phase::FailedPhase;
use pipeline::shell;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::arguments::{block_on, engine, locked_store};
use crate::raw;
use crate::say::{self, Stream};
use crate::terminal::Terminal;

/// The arguments of `cargo xtask shell`.
#[derive(Args)]
pub struct Arguments {
    /// The phase; the default is the one that failed last
    #[arg(value_name = "PHASE")]
    phase: Option<String>,
    /// Run this and end, instead of a shell for a terminal
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Opens a shell, or runs a command, where a phase failed. The exit status is that of the shell or command.
///
/// # Errors
/// No phase has failed, what it left is gone, there is no terminal for a shell, or the shell or command ends with
/// another status than 0.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let terminal = Terminal::new(false);
    let command: Vec<&str> = arguments.command.iter().map(String::as_str).collect();
    if command.is_empty() && !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        let text = "there is no terminal for a shell: say what is to be run with `cargo xtask shell PHASE -- COMMAND`";
        return Err(Message::usage(text).into());
    }
    let (store, lock) = locked_store("shell", &terminal)?;
    let failed = FailedPhase::find(&store, arguments.phase.as_deref())?;
    let status = block_on(&store, async || {
        let engine = engine(&store, &lock, false, &terminal).await?;
        terminal.finish();
        if !command.is_empty() {
            return Ok(shell::run(&engine, &failed, &command, hand_on).await?);
        }
        note!(
            "the phase {} of {} for {} as it failed, without network; what you change is gone with the phase's next run.\n\
             Its script is phase/{}. `exit` ends this shell.",
            failed.phase,
            failed.recipe,
            failed.target,
            failed.phase
        );
        let kind = std::env::var("TERM").unwrap_or_else(|_| "dumb".into());
        let typed = typed()?;
        let _raw = raw::Raw::enter().map_err(Message::of("cannot use the terminal"))?;
        Ok(shell::open(&engine, &failed, &kind, typed, |piece| say::write(Stream::Output, piece)).await?)
    })?;
    match status {
        0 => Ok(()),
        status => Err(Message::handed_on(u8::try_from(status).unwrap_or(1)).into()),
    }
}

fn hand_on(piece: Piece) {
    match piece {
        Piece::StdErr { message } => say::write(Stream::Errors, &message),
        other => say::write(Stream::Output, other.as_ref()),
    }
}

/// What is typed at our terminal, and its size.
fn typed() -> Result<UnboundedReceiver<FromTerminal>, AnyFailure> {
    let (sender, receiver) = unbounded_channel();
    let mut resized = signal(SignalKind::window_change()).map_err(Message::of("cannot wait for signals"))?;
    tell_size(&sender);
    let sizes = sender.clone();
    tokio::spawn(async move { while resized.recv().await.is_some() && tell_size(&sizes) {} });
    // A read that waits cannot be called off, so its thread ends with the process.
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = io::stdin().read(&mut buffer) {
            if sender.send(FromTerminal::Typed(buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

fn tell_size(sender: &UnboundedSender<FromTerminal>) -> bool {
    raw::size().is_none_or(|(columns, rows)| sender.send(FromTerminal::Size(columns, rows)).is_ok())
}
