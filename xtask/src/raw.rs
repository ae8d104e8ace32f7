//! A terminal that hands on every key as it is, for a program elsewhere that has a terminal of its own.

use std::io;
use std::sync::Mutex;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// How the terminal was before, while it is raw.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// While there is one of these, the terminal at standard input is raw (cfmakeraw of termios(3)).
pub struct Raw;

impl Raw {
    /// Makes the terminal at standard input raw.
    ///
    /// # Errors
    /// Standard input is no terminal.
    pub fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        *BEFORE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(before);
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        leave();
    }
}

/// Makes the terminal what it was before, if it is raw: also for whoever ends this process from elsewhere.
pub fn leave() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take() {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &before);
    }
}

/// Columns and rows of the terminal at standard input.
pub fn size() -> Option<(u16, u16)> {
    tcgetwinsize(io::stdin()).ok().map(|size| (size.ws_col, size.ws_row)).filter(|(columns, _)| *columns > 0)
}
