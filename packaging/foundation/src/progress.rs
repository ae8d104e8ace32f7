//! What the tool tells while it works: facts, which a terminal, a log or a machine shows in its way.

use schemars::JsonSchema;
use serde::Serialize;

/// One fact. With `--json` each is one line on standard output.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Something that the user may want to know, and need not act on.
    Note {
        /// The text of the note, for people.
        text: String,
    },
    /// Something that the user should act on, sooner or later.
    Warning {
        /// The text of the warning, for people.
        text: String,
    },
    /// A stage began to work.
    StageStarted {
        /// The name of the stage, as it is shown to people, such as `build root`.
        stage: String,
    },
    /// A stage's result was found under the digest of its inputs.
    StageCached {
        /// The name of the stage.
        stage: String,
        /// The SHA-256 digest of the stage's inputs: the key that the result is kept under.
        key: String,
    },
    /// A stage ended well.
    StageFinished {
        /// The name of the stage.
        stage: String,
        /// Wall time that the stage took, in seconds.
        seconds: f64,
    },
    /// How far the downloads of a run have come.
    Download {
        /// Files that are complete and checked.
        files: u64,
        /// Files that are wanted, with those that are already there.
        files_total: u64,
        /// Bytes that are there.
        bytes: u64,
        /// Bytes that are wanted, as far as the sizes are known.
        bytes_total: u64,
    },
    /// A phase of the build wrote a line to its log.
    PhaseLine {
        /// The name of the phase.
        phase: String,
        /// The line, without its end.
        line: String,
    },
    /// What a running phase uses, about once a second.
    PhaseUsage {
        /// The name of the phase.
        phase: String,
        /// Wall time since the phase began, in seconds.
        elapsed: f64,
        /// Wall time that the last run took, in seconds, where there was one.
        expected: Option<f64>,
        /// Share of the last run's log lines seen so far, in percent, where there was one.
        percent: Option<f64>,
        /// Memory that the phase uses now, in bytes.
        memory: u64,
        /// The limit of the phase's memory, in bytes.
        limit: u64,
        /// File that is being compiled, where it can be told from the log.
        current: Option<String>,
    },
    /// What a phase took, once it has ended well.
    PhaseFinished {
        /// The name of the phase.
        phase: String,
        /// Wall time in seconds, without the copying of volumes around it.
        wall: f64,
        /// CPU time of all its processes, in seconds.
        cpu: f64,
        /// Largest memory use in bytes, page cache included, by the cgroup's account.
        peak_memory: u64,
        /// Largest memory use in bytes without page cache, sampled about once a second.
        peak_rss: u64,
        /// How many jobs the phase was told to run at once (`make -jN`).
        jobs: u32,
        /// Files whose compiler was killed for memory and run again alone.
        killed_for_memory: Vec<String>,
    },
    /// How far upstream's tests are, about once a second for each shard.
    TestProgress {
        /// Wall time since the tests began, in seconds.
        elapsed: f64,
        /// Tests that are done, whatever their result.
        done: usize,
        /// Tests that are to be run.
        total: usize,
        /// Tests that did not pass so far.
        failed: usize,
        /// Shards (parts of the tests, each in a container of its own) that are running.
        shards: usize,
        /// Memory that the running shards use together, in bytes.
        memory: u64,
        /// The limit of all that may run at once, in bytes.
        limit: u64,
    },
    /// A test did not pass; it may be tried again.
    TestFailed {
        /// The name of the test program, as the recipe has it.
        program: String,
        /// The name of the test, as googletest prints it: `Suite.Test`.
        test: String,
        /// What happened to it: it failed, crashed or timed out.
        how: String,
    },
}

/// Receives what the tool tells while it works, and shows it: on a terminal, in a log, or as JSON.
pub trait Progress: Send + Sync {
    /// Shows one fact. It may be called by several threads at once.
    fn event(&self, event: Event);

    /// Shows a sentence as a note.
    fn note(&self, text: impl Into<String>)
    where
        Self: Sized,
    {
        self.event(Event::Note { text: text.into() });
    }
}

impl<P: Progress + ?Sized> Progress for &P {
    fn event(&self, event: Event) {
        (**self).event(event);
    }
}

/// A time for people: `0.05 s`, `4.2 s`, `3 min 05 s`, `1 h 02 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 if seconds < 0.995 => format!("{seconds:.2} s"),
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration(0.048), "0.05 s");
        assert_eq!(duration(4.24), "4.2 s");
        assert_eq!(duration(59.4), "59.4 s");
        assert_eq!(duration(185.0), "3 min 05 s");
        assert_eq!(duration(3725.0), "1 h 02 min");
    }
}
