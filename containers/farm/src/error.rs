//! Why a compile farm cannot be used.

use foundation::failure::{Failure, Kind, Outcome};

/// A compile farm that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FarmError {
    /// The engine or a container failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// None of the workers can be used.
    #[error("no worker of the compile farm compiles:\n{list}")]
    NoWorker {
        /// One line for each worker: its address, and what it did instead.
        list: String,
    },
}

impl Failure for FarmError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Engine(error) => error.outcome(),
            Self::NoWorker { .. } => {
                Kind::Failed.next("set that right, or build without --workers: the same bytes come out")
            }
        }
    }
}
