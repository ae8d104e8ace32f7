//! What can go wrong with a place; each says what to do next.

use std::io;
use std::path::PathBuf;

use foundation::failure::{self, Failure, Kind, Outcome};
use foundation::store::StoreError;

/// Something about a place went wrong.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Reading or writing here failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb: `write`, `make the folder`.
        what: &'static str,
        /// The file or folder that it was attempted on.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The lock of what is copied cannot be shared with the program that copies.
    #[error(transparent)]
    Lock(#[from] StoreError),
    /// A place that must not be pushed to as it is, or cannot be fetched from.
    #[error("{place}: {problem}")]
    Unfit {
        /// The place, as it was given.
        place: String,
        /// What is wrong with the place.
        problem: String,
        /// What to do about it.
        next: String,
    },
    /// Somebody else is copying there.
    #[error("{place}: {problem}")]
    Held {
        /// The place, as it was given.
        place: String,
        /// Who it is.
        problem: String,
        /// What to do about it.
        next: String,
        /// For how many seconds, as that one's clock says; none where the lock cannot be read.
        seconds: Option<i64>,
    },
    /// Copying there or back failed.
    #[error("{what} failed: {message}")]
    Copy {
        /// What was attempted, as the start of a sentence.
        what: String,
        /// What rsync or rclone said.
        message: String,
    },
}

impl Failure for PlaceError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Io { source, .. } => failure::of_file(source),
            Self::Lock(error) => error.outcome(),
            Self::Unfit { next, .. } | Self::Held { next, .. } => Kind::Failed.next(next.clone()),
            Self::Copy { .. } => Kind::Failed
                .next("the repository itself is complete: run `cargo xtask repo push` when the cause is removed"),
        }
    }
}

impl PlaceError {
    /// For `map_err`: an attempt on a path that failed.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
