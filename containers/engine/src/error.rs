//! What can go wrong between this tool and the container engine, and what to do about it.

use std::path::PathBuf;

/// A failure of the engine, of the build root, or of a phase's container.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No container engine answers.
    #[error(
        "no container engine answers. Tried:\n{tried}\n\
         Install and start one with `apt-get install docker.io` (as root), let this tool do it with \
         `cargo xtask package --setup`, or point DOCKER_HOST to one that runs elsewhere."
    )]
    NoEngine {
        /// One line per endpoint: where it came from, its address, why it did not answer.
        tried: String,
    },
    /// An engine could not be installed or started.
    #[error("cannot set up a container engine: {step} failed: {why}\n{next}")]
    Setup {
        /// The step, such as `apt-get install docker.io`.
        step: String,
        /// The reason, with the last lines of the log where there is one.
        why: String,
        /// What to do.
        next: String,
    },
    /// The engine refused a request.
    #[error("{doing}: the container engine answered: {why}")]
    Engine {
        /// What was asked of it.
        doing: String,
        /// Its answer.
        why: String,
    },
    /// None of a compile farm's workers can be used.
    #[error(
        "no worker of the compile farm compiles:\n{list}\nSet that right, or build without --workers: the same bytes come out."
    )]
    NoWorker {
        /// One line per worker: its address, and what it did instead.
        list: String,
    },
    /// The connection to the engine broke.
    #[error(
        "{doing}: the connection to the container engine at {endpoint} was lost ({why}); its containers may be gone.\n\
         See that the engine runs (`docker info`, or `cargo xtask doctor`), then run the same command again: \
         finished stages are kept."
    )]
    EngineGone {
        /// What was going on.
        doing: String,
        /// The engine's address.
        endpoint: String,
        /// What the connection said.
        why: String,
    },
    /// Somebody else stopped the container.
    #[error(
        "the container of {name} was killed from outside (exit {exit}, not for memory).\n\
         Run the same command again: it continues from the last finished stage."
    )]
    KilledFromOutside {
        /// The phase or step.
        name: String,
        /// Its exit status.
        exit: i64,
    },
    /// A file of the host cannot be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, `create`…
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A .deb is not what the lock promises.
    #[error(
        "{path}: {why}. The lock pins {name} {version} as sha256 {expected}.\n\
         Remove the file and run `cargo xtask fetch` again.",
        path = path.display()
    )]
    Verification {
        /// The file.
        path: PathBuf,
        /// The package.
        name: String,
        /// Its version.
        version: String,
        /// The pinned digest.
        expected: String,
        /// What is wrong.
        why: String,
    },
    /// An archive cannot be read or holds what it must not.
    #[error("{archive}: {why}")]
    Archive {
        /// The archive, or where it came from.
        archive: String,
        /// What is wrong, and with which entry.
        why: String,
    },
    /// A build root or node root could not be made from its packages.
    #[error("the {what} cannot be made: {step} failed (exit {exit}). Its last lines:\n{tail}\n{next}")]
    Root {
        /// Build root or node root.
        what: &'static str,
        /// The step.
        step: String,
        /// Exit status of the step.
        exit: i64,
        /// The last lines of its output.
        tail: String,
        /// What to do.
        next: String,
    },
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Request(String),
}

impl Error {
    /// An error of the file system, named.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
