//! Why a phase did not end.

use std::path::PathBuf;
use std::time::Duration;

use foundation::failure::{Failure, Kind, Outcome};

use crate::record::PhaseRecord;

/// A phase that did not end by itself. A script that fails is none: its record has the exit status.
#[derive(Debug, thiserror::Error)]
pub enum PhaseError {
    /// The engine failed, or a file of this machine.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The memory budget is too small even for one job.
    #[error("in the phase {phase}, {what} needs more memory than the budget of {budget}, even alone")]
    OutOfMemory {
        /// Name of the phase, such as `build`.
        phase: String,
        /// The source file that was being compiled, or a description of what was killed.
        what: String,
        /// The phase's memory limit, written for people.
        budget: String,
        /// The end of the advice: the option with a value that may do.
        hint: String,
        /// What was measured until then.
        record: Box<PhaseRecord>,
    },
    /// A phase took longer than allowed.
    #[error("the phase {phase} was stopped after {} s, which is its time limit", after.as_secs())]
    TimedOut {
        /// Name of the phase, such as `build`.
        phase: String,
        /// The time that the phase was given.
        after: Duration,
        /// The file with the log so far.
        log: PathBuf,
    },
}

impl Failure for PhaseError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Engine(error) => error.outcome(),
            Self::OutOfMemory { hint, .. } => Kind::Failed.next(format!("run it again with a larger `--memory`{hint}")),
            Self::TimedOut { log, .. } => {
                Kind::Failed.next(format!("the end of its log, {}, tells what it waited for", log.display()))
            }
        }
    }
}
