//! What each stage was made from when it ran last, below `history/` of the cache: nothing that decides bytes.
//!
//! ```text
//! history/RECIPE-TARGET-STAGE.inputs.json
//! ```

use std::path::PathBuf;

use foundation::date;
use foundation::store::Store;
use recipe::plan::{Plan, PlannedPhase};
use serde::{Deserialize, Serialize};

use super::ingredients::{PACKAGES, StageInputs, stages, up_to};
use crate::inputs::Inputs;
use crate::records::{history_path, read_json, write_json};

/// The format of the file. One of another format is as good as none.
const FORMAT: u32 = 1;

/// What a stage was made from when it ran last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    format: u32,
    /// When it ended, as a Unix time in seconds.
    pub ended: i64,
    /// The stages that lead to it, in the order in which they run; it is the last of them.
    pub stages: Vec<StageInputs>,
}

impl LastRun {
    /// What is on record of a stage.
    pub fn read(store: &Store, plan: &Plan, stage: &str) -> Option<Self> {
        let found: Self = read_json(&path(store, plan, stage)).ok()?;
        (found.format == FORMAT && found.stages.last().is_some_and(|last| last.name == stage)).then_some(found)
    }

    /// Records that a stage has run, the last of these. Only what explains is lost where that fails: a disk that is full shows
    /// itself where it matters.
    fn write(store: &Store, plan: &Plan, stages: Vec<StageInputs>) {
        let Some(last) = stages.last() else { return };
        let path = path(store, plan, &last.name);
        let _ = std::fs::create_dir_all(path.parent().expect("in a folder"));
        let _ = write_json(&path, &Self { format: FORMAT, ended: date::now(), stages });
    }
}

/// Records that the last of these phases has run.
pub fn ran(store: &Store, inputs: &Inputs, phases: &[&PlannedPhase]) {
    LastRun::write(store, inputs.plan(), up_to(inputs, phases));
}

/// Records that packages were made.
pub fn packed(store: &Store, inputs: &Inputs) {
    LastRun::write(store, inputs.plan(), stages(inputs));
}

fn path(store: &Store, plan: &Plan, stage: &str) -> PathBuf {
    // No phase is called so: it would have no script.
    let stage = if stage == PACKAGES { ".packages" } else { stage };
    history_path(store, plan, stage, "inputs.json")
}
