//! What can go wrong between this tool and the container engine, and what to do about it.

use std::path::PathBuf;

use foundation::failure::{self, Failure, Kind, Outcome};

/// A failure of the engine, of the build root, or of a phase's container.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No container engine answers.
    #[error("no container engine answers; tried were:\n{tried}")]
    NoEngine {
        /// One line per endpoint: where it came from, its address, why it did not answer.
        tried: String,
    },
    /// The user named an engine, and that one does not answer. Another one would be a surprise, so none was tried.
    #[error("{named} does not answer, and no other container engine was tried: {why}")]
    Named {
        /// What named it, and where it should be: `the container engine that DOCKER_HOST names, unix:///…,`.
        named: String,
        /// The reason.
        why: String,
        /// What to do.
        next: &'static str,
    },
    /// The engine's machine is of another kind than what is built.
    #[error("the container engine at {endpoint} runs {has} programs, and {wants} ones are needed")]
    Architecture {
        /// The engine's address.
        endpoint: String,
        /// Its architecture, as Debian calls it.
        has: String,
        /// The target's.
        wants: String,
    },
    /// Programs of another architecture were to be emulated, and the kernel does not do it.
    #[error(
        "the container engine at {endpoint} runs {has} programs, and its kernel does not have {wants} ones emulated: {why}"
    )]
    NotEmulated {
        /// The engine's address.
        endpoint: String,
        /// Its architecture, as Debian calls it.
        has: String,
        /// The target's.
        wants: String,
        /// What is missing.
        why: String,
    },
    /// An engine could not be installed or started.
    #[error("cannot set up a container engine: {step} failed: {why}")]
    Setup {
        /// The step that failed, such as `apt-get install docker.io`.
        step: String,
        /// The reason, with the last lines of the log where there is one.
        why: String,
        /// What the user can do about it.
        next: String,
    },
    /// The engine refused a request.
    #[error("{doing} failed: the container engine answered: {why}")]
    Engine {
        /// What was asked of the engine, such as `listing volumes`.
        doing: String,
        /// The engine's answer.
        why: String,
    },

    /// The connection to the engine broke.
    #[error(
        "{doing} failed: the connection to the container engine at {endpoint} was lost ({why}), and its containers may be gone"
    )]
    EngineGone {
        /// What was attempted when it broke.
        doing: String,
        /// The engine's address, such as `unix:///var/run/docker.sock`.
        endpoint: String,
        /// What the client library says about the connection.
        why: String,
    },
    /// Somebody else killed or removed the container.
    #[error("the container of {name} was killed from outside (exit status {exit}, not for memory)")]
    KilledFromOutside {
        /// What the container did: a phase or another step.
        name: String,
        /// Exit status of the container: 137 after SIGKILL.
        exit: i64,
    },
    /// A file of the host cannot be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was attempted: `read`, `write`, `create`…
        doing: &'static str,
        /// The file or folder that it was attempted on.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A .deb is not what the lock promises.
    #[error(
        "{path} is not the package {name} {version} that the lock pins as sha256 {expected}: {why}",
        path = path.display()
    )]
    Verification {
        /// The path of the .deb file.
        path: PathBuf,
        /// The name of the package.
        name: String,
        /// The version that the lock pins.
        version: String,
        /// The sha256 digest that the lock pins, in hexadecimal.
        expected: String,
        /// How the file differs from that.
        why: String,
    },
    /// An archive cannot be read or holds what it must not.
    #[error("cannot use {archive}: {why}")]
    Archive {
        /// The path of the archive, or where it came from.
        archive: String,
        /// What is wrong, and with which entry.
        why: String,
    },
    /// A build root or node root could not be made from its packages.
    #[error("the {what} cannot be made: {step} failed with exit status {exit}. Its last lines:\n{tail}")]
    Root {
        /// What was to be made: `build root` or `node root`.
        what: &'static str,
        /// The step of its script that failed.
        step: String,
        /// Exit status of the script.
        exit: i64,
        /// The last lines of the script's output.
        tail: String,
        /// What the user can do about it.
        next: String,
    },
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Request(String),
}

impl Failure for Error {
    fn outcome(&self) -> Outcome {
        match self {
            Self::NoEngine { .. } => Kind::NoEngine.next(
                "install and start one with `apt-get install docker.io` (as root), let this tool do it with \
                 `cargo xtask package --setup`, or point DOCKER_HOST to one that runs elsewhere",
            ),
            Self::Named { next, .. } => Kind::NoEngine.next(*next),
            Self::Architecture { wants, .. } => Kind::NoEngine.next(format!(
                "point DOCKER_HOST or DOCKER_CONTEXT to an engine on a machine that is {wants}; or have {wants} programs emulated here with \
                 --emulate, which `package`, `check` and `rebuild` have, and which takes many times as long; or name a target of the \
                 engine's architecture with --target: `ls containers/targets` shows which there are",
            )),
            Self::NotEmulated { wants, .. } => Kind::NoEngine.next(format!(
                "as root, `apt-get install qemu-user-static`, by which systemd knows it, and `systemctl restart systemd-binfmt` if it was \
                 installed already; where systemd does not do that, `apt-get install qemu-user-static binfmt-support`, then \
                 `update-binfmts --enable {}`; or, without --emulate, point DOCKER_HOST or DOCKER_CONTEXT to an engine on a machine that is \
                 {wants}",
                crate::architecture::emulator(wants)
            )),
            Self::Setup { next, .. } => Kind::Failed.next(next.clone()),
            Self::Engine { .. } => Kind::Failed.next("`cargo xtask doctor` tells more about the engine"),
            Self::EngineGone { .. } => Kind::Failed.next(
                "see that the engine runs (`docker info`, or `cargo xtask doctor`), then run the same command again: \
                 finished stages are kept",
            ),
            Self::KilledFromOutside { .. } => {
                Kind::Failed.next("run the same command again: it continues from the last finished stage")
            }
            Self::Io { source, .. } => failure::of_file(source),
            Self::Verification { .. } => Kind::Verification.next("remove the file and run `cargo xtask fetch` again"),
            Self::Archive { .. } => Kind::Failed.plain(),
            Self::Root { next, .. } => Kind::Failed.next(next.clone()),
            Self::Request(_) => Kind::Failed.plain(),
        }
    }
}

impl Error {
    /// Makes the error of an operation on the file system, which says what was attempted on which path.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
