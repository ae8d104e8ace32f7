//! How progress is shown: a status line on a terminal, plain lines elsewhere, JSON for machines.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use foundation::bytes::ByteSize;
use foundation::progress::{Event, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

pub use foundation::progress::duration;

use crate::say::{self, Loudness};

/// Without a status line, a phase's usage is told this often.
const PLAIN_INTERVAL: Duration = Duration::from_secs(30);

/// Prints a value on one line of standard output, for programs.
pub fn print_json(value: &(impl Serialize + ?Sized)) {
    println!("{}", serde_json::to_string(value).expect("plain data"));
}

/// Shows events, in the form that the user can read best.
pub struct Terminal {
    form: Form,
    loudness: Loudness,
    /// When each phase was last told of, in the plain form.
    told: Mutex<BTreeMap<String, Instant>>,
}

enum Form {
    Bar(ProgressBar),
    Plain,
    Json,
}

impl Terminal {
    /// Chooses the form: JSON where asked for, a status line where one can be drawn, else plain lines.
    pub fn new(json: bool) -> Self {
        let loudness = say::loudness();
        let form = if json {
            Form::Json
        } else if loudness != Loudness::Quiet && say::can_draw() {
            let bar = ProgressBar::new_spinner();
            bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("a valid template"));
            bar.enable_steady_tick(Duration::from_millis(120));
            say::set_status(Some(bar.clone()));
            Form::Bar(bar)
        } else {
            Form::Plain
        };
        Self { form, loudness, told: Mutex::default() }
    }

    /// Takes the status line away, so that a table or an error can follow.
    pub fn finish(&self) {
        if let Form::Bar(_) = &self.form {
            say::set_status(None);
        }
    }

    fn due(&self, what: &str) -> bool {
        let mut told = self.told.lock().expect("no panic while held");
        let due = told.get(what).is_none_or(|last| last.elapsed() >= PLAIN_INTERVAL);
        if due {
            told.insert(what.to_owned(), Instant::now());
        }
        due
    }
}

impl Drop for Terminal {
    /// A command that fails early must not leave its status line beside the error.
    fn drop(&mut self) {
        self.finish();
    }
}

impl Progress for Terminal {
    fn event(&self, event: Event) {
        if self.loudness == Loudness::Quiet && !matches!(event, Event::Warning { .. }) {
            return;
        }
        if let Form::Json = &self.form {
            println!("{}", serde_json::to_string(&event).expect("an event is plain data"));
            return;
        }
        match (line(&event, self.loudness), &self.form) {
            (Line::Keep(text), _) => eprintln!("{text}"),
            (Line::Status(_, text), Form::Bar(bar)) => bar.set_message(text),
            (Line::Status(what, text), _) if self.due(&what) => eprintln!("{text}"),
            _ => {}
        }
    }
}

/// How an event is worded.
enum Line {
    /// Stays on the screen.
    Keep(String),
    /// Replaced by the next one about the same thing.
    Status(String, String),
    /// Not shown: it is in the log.
    Nothing,
}

fn line(event: &Event, loudness: Loudness) -> Line {
    match event {
        Event::PhaseLine { phase, line } if loudness == Loudness::Verbose => Line::Keep(format!("  {phase}: {line}")),
        Event::PhaseFinished { phase, wall, cpu, peak_memory, jobs, .. } if loudness == Loudness::Verbose => {
            Line::Keep(format!(
                "  {phase}: wall {}, CPU {}, peak {}, {jobs} at once",
                duration(*wall),
                duration(*cpu),
                ByteSize(*peak_memory)
            ))
        }
        Event::Note { text } => Line::Keep(text.clone()),
        Event::Warning { text } => Line::Keep(format!("warning: {text}")),
        Event::StageStarted { stage } => Line::Keep(format!("{stage} …")),
        Event::StageCached { stage, key } => Line::Keep(format!("{stage}: found under {}", &key[..12.min(key.len())])),
        Event::StageFinished { stage, seconds } => Line::Keep(format!("{stage}: done in {}", duration(*seconds))),
        Event::Download { files, files_total, bytes, bytes_total } => Line::Status(
            "download".into(),
            format!(
                "  downloading: {files} of {files_total} files, {} of {}",
                ByteSize(*bytes),
                ByteSize(*bytes_total)
            ),
        ),
        Event::TestProgress { elapsed, done, total, failed, shards, memory, limit } => Line::Status(
            "tests".into(),
            format!(
                "  tests: {done} of {total}, {failed} failed, {}, {shards} shards, memory {} of {}",
                duration(*elapsed),
                ByteSize(*memory),
                ByteSize(*limit)
            ),
        ),
        Event::TestFailed { program, test, how } => Line::Keep(format!("  {program} {test}: {how}")),
        Event::PhaseLine { .. } | Event::PhaseFinished { .. } => Line::Nothing,
        Event::PhaseUsage { phase, elapsed, expected, percent, memory, limit, current } => {
            let mut text = format!("  {phase}: {}", duration(*elapsed));
            if let Some(expected) = expected {
                text += &format!(" of about {}", duration(*expected));
            }
            if let Some(percent) = percent {
                text += &format!(", {percent:.0} %");
            }
            text += &format!(", memory {} of {}", ByteSize(*memory), ByteSize(*limit));
            if let Some(current) = current {
                text += &format!(", {current}");
            }
            Line::Status(phase.clone(), text)
        }
    }
}
