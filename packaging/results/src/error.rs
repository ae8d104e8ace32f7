//! What can go wrong with shared results; each says what to do next.

use std::io;
use std::path::PathBuf;

use foundation::digest::Digest;
use foundation::failure::{self, Failure, Kind, Outcome};
use foundation::store::StoreError;
use places::PlaceError;
use sign::gpgv::GpgvError;
use sign::signer::SignError;

/// Results cannot be shared, or must not be taken.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// Two statements about the same inputs name different contents.
    #[error(
        "two signed statements disagree about what {what} gives, and neither result was taken:\n  {one}\n  {other}"
    )]
    Disagreement {
        /// The kind of stage and the digest of its inputs.
        what: String,
        /// Who says what, and where that is said.
        one: String,
        /// The same of somebody else, or of the same key at another place or time.
        other: String,
    },
    /// More keys are asked for than are trusted.
    #[error("--require {require} can never be met: {} has {keys} key{} that count{}", keyring.display(), if *keys == 1 { "" } else { "s" }, if *keys == 1 { "s" } else { "" })]
    TooFewKeys {
        /// How many keys have to state the same.
        require: u32,
        /// How many keys of the ring count.
        keys: usize,
        /// The key ring.
        keyring: PathBuf,
    },
    /// The key ring cannot be used.
    #[error(transparent)]
    KeyRing(#[from] GpgvError),
    /// gpg cannot read a key, or makes no signature.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A place cannot be written to.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file here cannot be used.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file whose name no other machine could write.
    #[error("{} cannot be shared: its name is not UTF-8", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// This key has stated something else about the same inputs.
    #[error(
        "the key {key} has already stated at {place} that {what} gives {stated}, and this machine got {found}: nothing was copied"
    )]
    OtherwiseStated {
        /// Fingerprint of the key.
        key: String,
        /// The place.
        place: String,
        /// The kind of stage and the digest of its inputs.
        what: String,
        /// The content that was stated.
        stated: Digest,
        /// The content that is here.
        found: Digest,
    },
}

impl Failure for ResultsError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Disagreement { .. } => Kind::Verification.next(
                "one of the two builders is broken or lies: find out which with `cargo xtask challenge`, take its key out of the key \
                 ring, and build here meanwhile with --no-from",
            ),
            Self::TooFewKeys { .. } => Kind::Usage
                .next("ask for fewer with --require, or trust more builders: `gpg --export KEY KEY > builders.gpg`"),
            Self::KeyRing(error) => error.outcome(),
            Self::Sign(error) => error.outcome(),
            Self::Place(PlaceError::Copy { .. }) => Kind::Failed.next(
                "nothing was stated that is not there as a whole: run the same command again when the cause is removed",
            ),
            Self::Place(error) => error.outcome(),
            Self::Store(error) => error.outcome(),
            Self::Io { source, .. } => failure::of_file(source),
            Self::Name { .. } => Kind::Failed.plain(),
            Self::OtherwiseStated { .. } => Kind::Verification.next(
                "one of the two builds was not what it should be: build again with `cargo xtask rebuild`, and compare with \
                 `cargo xtask challenge`",
            ),
        }
    }
}

impl ResultsError {
    /// For `map_err`: an attempt on a path that failed.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
