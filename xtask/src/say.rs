//! Printing to whoever may have gone away.
//!
//! The standard library's `print!` panics where nobody reads any more (`… | head -1`) or the disk behind it is full: in the
//! middle of a publication, then. The macros here have the same names and hide those in the whole program, so that
//! nothing has to be remembered at each call. Work goes on to its end; what could not be printed is told by the exit code.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::Mutex;

/// The first failure to print that is worth telling.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Where it goes.
pub enum Stream {
    Output,
    Errors,
}

/// Prints it as well as it can.
pub fn say(stream: Stream, text: Arguments) {
    let result = match stream {
        Stream::Output => io::stdout().write_fmt(text).and_then(|()| io::stdout().flush()),
        Stream::Errors => io::stderr().write_fmt(text),
    };
    if let Err(error) = result {
        let mut failed = FAILED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        failed.get_or_insert(error);
    }
}

/// What could not be printed. That a reader has closed its end is its own will, and no failure.
pub fn failure() -> Option<io::Error> {
    let failed = FAILED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    failed.filter(|error| error.kind() != ErrorKind::BrokenPipe)
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
