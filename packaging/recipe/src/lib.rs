//! What is built and for what: recipe, target, locks, and the plan that follows from them.

pub mod archives;
pub mod bench;
pub mod cherry_pick;
pub mod cluster;
pub mod compile_memory;
pub mod components;
pub mod condition;
pub mod control;
mod error;
mod files;
pub mod frozen;
pub mod inherit;
mod line;
pub mod matrices;
pub mod plan;
pub mod quarantine;
mod recipe;
pub mod root_lock;
pub mod sources_lock;
pub mod target;
pub mod test_filter;
pub mod ticket;
pub mod vulnerabilities;

pub use error::RecipeError;
pub use recipe::{
    BASELINE_PHASE, Build, CHECK_PHASE, CLUSTER_FOLDER, Check, DirectorySource, GitSource, MachineNeeds, Need, Phase,
    Recipe, RecipeFile, RecipeInput, RootTests, Source, TestProgram,
};
