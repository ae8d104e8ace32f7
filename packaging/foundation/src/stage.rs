//! Telling of stages.

use std::time::Instant;

use crate::progress::{Event, Progress};

/// A stage that runs: tells when it begins and how long it took.
pub struct Stage<'a> {
    progress: &'a dyn Progress,
    name: String,
    started: Instant,
}

impl<'a> Stage<'a> {
    /// Tells that the stage begins.
    pub fn start(progress: &'a dyn Progress, name: impl Into<String>) -> Self {
        let name = name.into();
        progress.event(Event::StageStarted { stage: name.clone() });
        Self { progress, name, started: Instant::now() }
    }

    /// Wall time since the stage began, in seconds.
    pub fn elapsed(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Tells that the stage has ended; returns its wall time in seconds.
    pub fn finish(self) -> f64 {
        let seconds = self.elapsed();
        self.progress.event(Event::StageFinished { stage: self.name, seconds });
        seconds
    }
}
