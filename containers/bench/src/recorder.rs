//! What happens in a row, noted while it is told on.

use std::sync::Mutex;

use foundation::progress::{Event, Progress};
use pipeline::PhaseReport;
use serde::{Deserialize, Serialize};

/// What a stage took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageTime {
    /// The name of the stage.
    pub name: String,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Notes phases and stages, and hands every event on.
pub struct Recorder<'a> {
    to: &'a dyn Progress,
    noted: Mutex<Noted>,
}

/// What was noted, in the order of its end.
#[derive(Default)]
pub struct Noted {
    /// The phases that were run.
    pub phases: Vec<PhaseReport>,
    /// The stages that were made.
    pub stages: Vec<StageTime>,
}

impl<'a> Recorder<'a> {
    pub fn new(to: &'a dyn Progress) -> Self {
        Self { to, noted: Mutex::default() }
    }

    pub fn noted(self) -> Noted {
        self.noted.into_inner().expect("no panic while held")
    }
}

impl Progress for Recorder<'_> {
    fn event(&self, event: Event) {
        {
            let mut noted = self.noted.lock().expect("no panic while held");
            match &event {
                Event::PhaseFinished { phase, wall, cpu, peak_memory, peak_rss, jobs, killed_for_memory } => {
                    noted.phases.push(PhaseReport {
                        name: phase.clone(),
                        wall_seconds: *wall,
                        cpu_seconds: *cpu,
                        peak_memory: *peak_memory,
                        peak_rss: *peak_rss,
                        jobs: *jobs,
                        killed_for_memory: killed_for_memory.clone(),
                        ..PhaseReport::default()
                    });
                }
                Event::StageFinished { stage, seconds } => {
                    noted.stages.push(StageTime { name: stage.clone(), seconds: *seconds });
                }
                _ => {}
            }
        }
        self.to.event(event);
    }
}
