//! Everything that this program prints, to whoever may have gone away.
//!
//! The standard library's `print!` panics where nobody reads any more (`… | head -1`) or the disk behind it is full: in the
//! middle of a publication, then. The macros here have the same names and hide those in the whole program, so that
//! nothing has to be remembered at each call. Work goes on to its end; what could not be printed is told by the exit code.
//!
//! The status line is taken away while a line is printed, and `warning:` and `error:` get their colours here.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, OnceLock};

use anstream::AutoStream;
use indicatif::ProgressBar;

/// The first failure to print that is worth telling.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// The status line, while there is one.
static STATUS: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// How much is said, once it was decided.
static LOUDNESS: OnceLock<Loudness> = OnceLock::new();

/// Where a text goes: standard output or standard error.
pub enum Stream {
    Output,
    Errors,
}

/// How much is said, beside what a command is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loudness {
    /// Warnings and errors.
    Quiet,
    /// Stages, and how far they are.
    #[default]
    Usual,
    /// What the phases print as well.
    Verbose,
}

/// Decides how much is said, once.
pub fn set_loudness(loudness: Loudness) {
    // Whoever decides second has lost: there is one command line.
    let _ = LOUDNESS.set(loudness);
}

/// How much is said; [`Loudness::Usual`] before it was decided.
pub fn loudness() -> Loudness {
    LOUDNESS.get().copied().unwrap_or_default()
}

/// Shows a status line below everything that is printed from now on, or none any more.
pub fn set_status(bar: Option<ProgressBar>) {
    let before = std::mem::replace(&mut *locked(&STATUS), bar);
    if let Some(before) = before {
        before.finish_and_clear();
    }
}

/// Prints a text as well as it can.
pub fn say(stream: Stream, text: Arguments) {
    write(stream, text.to_string().as_bytes());
}

/// The same for bytes that somebody else wrote.
pub fn write(stream: Stream, bytes: &[u8]) {
    let result = beside_status(|| match stream {
        Stream::Output => {
            let mut output = io::stdout().lock();
            output.write_all(bytes).and_then(|()| output.flush())
        }
        Stream::Errors => write_errors(bytes),
    });
    record(result);
}

/// Remembers that something could not be printed.
pub fn record(result: io::Result<()>) {
    if let Err(error) = result {
        locked(&FAILED).get_or_insert(error);
    }
}

/// What could not be printed. That a reader has closed its end is its own will, and no failure.
pub fn failure() -> Option<io::Error> {
    locked(&FAILED).take().filter(|error| error.kind() != ErrorKind::BrokenPipe)
}

fn beside_status<T>(print: impl FnOnce() -> T) -> T {
    let status = locked(&STATUS).clone();
    match status {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// What goes to standard error is for people: whether they see it decides no exit code, because a lost terminal (EIO) is no
/// failure of the job.
fn write_errors(bytes: &[u8]) -> io::Result<()> {
    let _ = match painted(bytes) {
        Some(text) => AutoStream::auto(io::stderr()).write_all(text.as_bytes()),
        // As it is: what a command on another machine printed has colours of its own.
        None => io::stderr().write_all(bytes),
    };
    Ok(())
}

/// A message with its first word in colour; the stream takes the colour away again where none is wanted.
fn painted(bytes: &[u8]) -> Option<String> {
    use anstyle::{AnsiColor, Style};
    let words = [("error:", AnsiColor::Red), ("warning:", AnsiColor::Yellow)];
    words.iter().find_map(|(word, color)| {
        let rest = std::str::from_utf8(bytes).ok()?.strip_prefix(word)?;
        let style = Style::new().bold().fg_color(Some((*color).into()));
        Some(format!("{style}{word}{style:#}{rest}"))
    })
}

/// Whether a status line can be drawn on standard error: on a terminal that can move its cursor, and that a person looks at.
pub fn can_draw() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let unwatched = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty() && ci != "false");
    io::stderr().is_terminal() && !dumb && !unwatched
}

/// A panic elsewhere leaves plain data, which is as good as before.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

macro_rules! print {
    ($($text:tt)*) => { $crate::say::say($crate::say::Stream::Output, ::std::format_args!($($text)*)) };
}

macro_rules! println {
    () => { $crate::say::say($crate::say::Stream::Output, ::std::format_args!("\n")) };
    ($($text:tt)*) => {
        $crate::say::say($crate::say::Stream::Output, ::std::format_args!("{}\n", ::std::format_args!($($text)*)))
    };
}

macro_rules! eprintln {
    () => { $crate::say::say($crate::say::Stream::Errors, ::std::format_args!("\n")) };
    ($($text:tt)*) => {
        $crate::say::say($crate::say::Stream::Errors, ::std::format_args!("{}\n", ::std::format_args!($($text)*)))
    };
}

/// To standard error, unless `--quiet`: what a person who waits wants to know.
macro_rules! note {
    ($($text:tt)*) => {
        if $crate::say::loudness() != $crate::say::Loudness::Quiet {
            eprintln!($($text)*);
        }
    };
}

#[cfg(test)]
mod tests {
    use super::painted;

    #[test]
    fn only_the_first_word_of_a_message_has_a_colour() {
        assert_eq!(painted(b"warning: a mirror\n").unwrap(), "\u{1b}[1m\u{1b}[33mwarning:\u{1b}[0m a mirror\n");
        assert_eq!(painted(b"phase build: warning: x\n"), None);
        assert_eq!(painted(&[0xff, 0xfe]), None);
    }
}
