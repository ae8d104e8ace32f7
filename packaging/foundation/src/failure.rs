//! How the tool fails: what kind of failure it is, from which the exit code follows, a sentence, and the next step.
//!
//! Every error type of every room is a [`Failure`]. Its `Display` is the whole sentence: what failed and why, with what
//! the operating system or another program said of it. So nobody prints [`std::error::Error::source`] after it, which
//! would say the cause twice. The next step is apart from the sentence, because a sentence may become a part of
//! another one, and what to do about it belongs at the end.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use crate::bytes::ByteSize;

/// The kinds of failures. Each decides the exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The tool could not do its work: a build, the network, the disk.
    Failed,
    /// Something that was given cannot be used: a recipe, a lock or settings are wrong, or nothing has the name.
    Input,
    /// The arguments contradict each other or make no sense, whatever this machine has.
    Usage,
    /// A digest, a signature or a comparison says that something is not what it should be.
    Verification,
    /// Two things were compared as somebody asked, and differ: how is the answer, which was printed.
    Differs,
    /// No container engine answers where one is needed.
    NoEngine,
    /// The user pressed Ctrl-C, or a signal asked the process to end.
    Interrupted,
    /// A command that was run for the user ended with this status, and has itself said why.
    HandedOn(u8),
}

impl Kind {
    /// The exit code of the process. No other place decides one.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::Input => 1,
            Self::Usage => 2,
            Self::Verification | Self::Differs => 3,
            Self::NoEngine => 4,
            Self::Interrupted => 130,
            Self::HandedOn(status) => status,
        }
    }

    /// The worst of several: what was interrupted, then what must not be used, then what could not be done, and only then
    /// what was asked for in the wrong way.
    pub fn worst(kinds: impl IntoIterator<Item = Self>) -> Option<Self> {
        kinds.into_iter().max_by_key(|kind| match kind {
            Self::Interrupted => 6,
            Self::Verification => 5,
            Self::Failed | Self::Input => 4,
            Self::NoEngine => 3,
            Self::Usage => 2,
            Self::HandedOn(_) => 1,
            Self::Differs => 0,
        })
    }

    /// This kind of failure, where the sentence says all that there is to do.
    pub fn plain(self) -> Outcome {
        Outcome { kind: self, next: None }
    }

    /// This kind of failure, and what to do next: whole sentences, such as ``run `cargo xtask fetch` ``.
    pub fn next(self, step: impl Into<Cow<'static, str>>) -> Outcome {
        let next: Cow<'static, str> = step.into();
        Outcome { kind: self, next: (!next.is_empty()).then_some(next) }
    }
}

/// What a failure leads to: its kind, from which the exit code follows, and advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The kind of the failure.
    pub kind: Kind,
    /// What to do next, where the sentence does not already say so.
    pub next: Option<Cow<'static, str>>,
}

/// A failure that can end a command. An error that wraps another one has the outcome of what it wraps.
pub trait Failure: Error + Send + Sync + 'static {
    /// What kind it is and what to do next. An implementation has an arm for each variant, and none for the rest, so
    /// that a new variant does not compile before somebody has thought about it.
    fn outcome(&self) -> Outcome;

    /// The kind of this failure, which decides the exit code.
    fn kind(&self) -> Kind {
        self.outcome().kind
    }

    /// The sentence, and on a line of its own the next step.
    fn message(&self) -> String {
        match self.outcome().next {
            Some(next) => format!("{self}\nhelp: {next}"),
            None => self.to_string(),
        }
    }
}

impl<F: Failure + ?Sized> Failure for Box<F>
where
    Self: Error,
{
    fn outcome(&self) -> Outcome {
        (**self).outcome()
    }
}

/// What a command ends with that did not succeed: a failure of any room. It is no [`Error`] itself, so that `?` makes
/// it of everything that is a [`Failure`], and of nothing else.
#[derive(Debug)]
pub struct AnyFailure(Box<dyn Failure>);

impl AnyFailure {
    /// The kind of the failure, which decides the exit code.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// What is printed; none where somebody else has said it.
    pub fn report(&self) -> Option<String> {
        match self.kind() {
            Kind::HandedOn(_) | Kind::Differs => None,
            _ => Some(format!("error: {}\n", self.0.message())),
        }
    }
}

impl<F: Failure> From<F> for AnyFailure {
    fn from(failure: F) -> Self {
        Self(Box::new(failure))
    }
}

/// A failure that only the command line knows of, such as arguments that contradict each other.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Message {
    sentence: String,
    outcome: Outcome,
}

impl Message {
    /// Makes a failure of a whole sentence, without a full stop, and of what follows from it.
    pub fn new(sentence: impl Into<String>, outcome: Outcome) -> Self {
        Self { sentence: sentence.into(), outcome }
    }

    /// Arguments that contradict each other or make no sense.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::new(sentence, Kind::Usage.plain())
    }

    /// For `map_err`: an attempt that failed, and why.
    pub fn of<E: Display>(attempt: impl Display) -> impl FnOnce(E) -> Self {
        move |why| Self::new(format!("{attempt}: {why}"), Kind::Failed.plain())
    }

    /// For `map_err`: an attempt on a file that failed, such as `write`.
    pub fn of_file(attempt: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |why| Self::new(format!("cannot {attempt} {}: {why}", path.display()), of_file(&why))
    }

    /// What was compared differs, and how was printed.
    pub fn differs() -> Self {
        Self::new("they differ", Kind::Differs.plain())
    }

    /// A command that was run for the user ended with this status, and has itself said why.
    pub fn handed_on(status: u8) -> Self {
        Self::new(format!("exit status {status}"), Kind::HandedOn(status).plain())
    }
}

impl Failure for Message {
    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
}

/// What follows when the operating system refuses to read or write a file.
pub fn of_file(error: &io::Error) -> Outcome {
    of_place(error, "or name another place")
}

/// The same where it is known how to choose another place, such as `or name another folder with --dist`.
pub fn of_place(error: &io::Error, elsewhere: &str) -> Outcome {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => Kind::Failed
            .next(format!("make room {elsewhere}, and run the same command again: finished stages are kept")),
        PermissionDenied | ReadOnlyFilesystem => {
            Kind::Failed.next(format!("give this user the right to it, {elsewhere}"))
        }
        _ => Kind::Failed.plain(),
    }
}

/// What the file system of a path still has, where that can be told.
pub fn free_space(path: &Path) -> Option<ByteSize> {
    let system = path.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    Some(ByteSize(system.f_bavail * system.f_frsize))
}

/// The same as a part of a sentence, ` (free now: 12 MiB)`.
pub fn free_now(free: Option<ByteSize>) -> String {
    free.map_or_else(String::new, |free| format!(" (free now: {free})"))
}

/// What was found, each on a line of its own: the first ten, and how many more there are. Whoever has to mend thousands needs no
/// more of them to know what they are.
pub fn lines(found: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = found.iter().take(SHOWN).map(|one| format!("  {one}"));
    let more = found.len().checked_sub(SHOWN).filter(|more| *more > 0).map(|more| format!("  and {more} more"));
    shown.chain(more).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_first_are_shown() {
        let found = |count: usize| lines(&(1..=count).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(found(2), "  1\n  2");
        assert!(found(10).ends_with("\n  9\n  10"));
        assert!(found(5000).ends_with("\n  10\n  and 4990 more"));
    }

    #[test]
    fn a_cause_is_said_once_and_the_next_step_last() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read the list: {source}")]
        struct Unread {
            source: io::Error,
        }
        impl Failure for Unread {
            fn outcome(&self) -> Outcome {
                of_file(&self.source)
            }
        }
        let failure = AnyFailure::from(Unread { source: io::ErrorKind::PermissionDenied.into() });
        let expected = "error: cannot read the list: permission denied\n\
                        help: give this user the right to it, or name another place\n";
        assert_eq!(failure.report().as_deref(), Some(expected));
        assert_eq!(failure.kind().exit_code(), 1);
    }

    #[test]
    fn of_several_the_worst_decides() {
        let worst = |kinds: &[Kind]| Kind::worst(kinds.iter().copied());
        assert_eq!(worst(&[Kind::NoEngine, Kind::Verification, Kind::Failed]), Some(Kind::Verification));
        assert_eq!(worst(&[Kind::NoEngine, Kind::Input, Kind::Usage]), Some(Kind::Input));
        assert_eq!(worst(&[]), None);
    }

    #[test]
    fn a_status_that_is_handed_on_is_not_commented() {
        let failure = AnyFailure::from(Message::handed_on(42));
        assert_eq!((failure.report(), failure.kind().exit_code()), (None, 42));
        let failure = AnyFailure::from(Message::differs());
        assert_eq!((failure.report(), failure.kind().exit_code()), (None, 3), "an answer is no error");
    }
}
