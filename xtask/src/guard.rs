//! What stops this run's containers when nothing else can: where the tool is killed (`kill -9`, no memory left), no code of its
//! own runs any more, and the engine does not know that nobody watches.
//!
//! So a second process of the tool waits for the first one's end, which it learns from a pipe that closes, however that
//! came. After a good end there is nothing left for it to remove.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Stdio};
use std::sync::Mutex;

use clap::Args;
use engine::Engine;
use foundation::failure::{AnyFailure, Message};

use crate::arguments::wait_for;
use crate::itself;

/// The pipes that close when this process ends.
static PIPES: Mutex<Vec<ChildStdin>> = Mutex::new(Vec::new());

/// The name of the command that is the second process; people need not know it.
pub const COMMAND: &str = "guard";

/// The arguments of the second process.
#[derive(Args)]
pub struct Arguments {
    /// The label of the run
    run: String,
}

/// Starts the second process for what carries this run's label.
///
/// # Errors
/// This program cannot be started again.
pub fn start(run: &str) -> Result<(), AnyFailure> {
    let mut command = itself::command();
    command.args([COMMAND, run]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C is for the first one, and must not end the second before its time.
    command.process_group(0);
    let mut child =
        command.spawn().map_err(Message::of("cannot start the process that stops what a killed run leaves"))?;
    let pipe = child.stdin.take().expect("it is a pipe");
    PIPES.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(pipe);
    Ok(())
}

/// Is the second process: waits for the end of the first, and removes what carries its label.
///
/// # Errors
/// No engine answers, or something cannot be removed. Nobody sees that.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let mut nothing = Vec::new();
    std::io::stdin().read_to_end(&mut nothing).map_err(Message::of("cannot wait for the other process"))?;
    wait_for(async || {
        let engine = Engine::find().await?;
        engine::cleanup::cleanup(&engine, |run| run == arguments.run).await?;
        Ok(())
    })
}
