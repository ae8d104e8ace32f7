//! What the tool tells while it works: facts, which a terminal, a log or a machine shows in its way.

use serde::Serialize;

/// One fact. With `--json` each is one line on standard output.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Something worth knowing.
    Note {
        /// The sentence.
        text: String,
    },
    /// Something that the user should act on, sooner or later.
    Warning {
        /// The sentence.
        text: String,
    },
    /// A stage began.
    StageStarted {
        /// The stage.
        stage: String,
    },
    /// A stage's result was found under the digest of its inputs.
    StageCached {
        /// The stage.
        stage: String,
        /// The digest.
        key: String,
    },
    /// A stage ended well.
    StageFinished {
        /// The stage.
        stage: String,
        /// Wall time in seconds.
        seconds: f64,
    },
    /// How far the downloads are.
    Download {
        /// Files done.
        files: u64,
        /// Files in all.
        files_total: u64,
        /// Bytes done.
        bytes: u64,
        /// Bytes in all, where known.
        bytes_total: u64,
    },
    /// A line of a phase's log.
    PhaseLine {
        /// The phase.
        phase: String,
        /// The line.
        line: String,
    },
    /// What a running phase uses, about once a second.
    PhaseUsage {
        /// The phase.
        phase: String,
        /// Wall time so far, in seconds.
        elapsed: f64,
        /// Wall time that the last run took, in seconds, where there was one.
        expected: Option<f64>,
        /// Share of the last run's log lines seen so far, in percent, where there was one.
        percent: Option<f64>,
        /// Memory in bytes.
        memory: u64,
        /// The limit in bytes.
        limit: u64,
        /// File that is being compiled, where it can be told from the log.
        current: Option<String>,
    },
    /// What a phase took, once it has ended well.
    PhaseFinished {
        /// The phase.
        phase: String,
        /// Wall time in seconds, without the copying of volumes around it.
        wall: f64,
        /// CPU time in seconds.
        cpu: f64,
        /// Largest memory use in bytes, page cache included, by the cgroup's account.
        peak_memory: u64,
        /// Largest memory use in bytes without page cache, sampled about once a second.
        peak_rss: u64,
        /// Jobs at once.
        jobs: u32,
        /// Files whose compiler was killed for memory and run again alone.
        killed_for_memory: Vec<String>,
    },
    /// How far upstream's tests are, about once a second for each shard.
    TestProgress {
        /// Wall time so far, in seconds.
        elapsed: f64,
        /// Tests done.
        done: usize,
        /// Tests in all.
        total: usize,
        /// Tests that failed so far.
        failed: usize,
        /// Shards that are running.
        shards: usize,
        /// Their memory together, in bytes.
        memory: u64,
        /// The limit of all that may run at once, in bytes.
        limit: u64,
    },
    /// A test did not pass; it may be tried again.
    TestFailed {
        /// The test program.
        program: String,
        /// The test.
        test: String,
        /// How: failed, crashed, timed out.
        how: String,
    },
}

/// Who is told.
pub trait Progress: Send + Sync {
    /// Takes one fact.
    fn event(&self, event: Event);

    /// Tells a sentence.
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
