//! What `cargo xtask bench` measures of a recipe.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `cargo xtask bench` measures.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BenchSection {
    /// The source file that is edited, by its path in the source.
    pub source_file: PathBuf,
    /// The unit that is edited, by its path in the recipe's folder.
    pub unit: PathBuf,
    /// Upstream's own way, where there is a script of it.
    #[serde(default)]
    pub baseline: Option<BaselineSection>,
    /// What the memory governor is measured with.
    #[serde(default)]
    pub governor: Option<GovernorBench>,
}

/// Upstream's own way; its script is `phases/baseline`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BaselineSection {
    /// The phase whose result it starts from.
    pub after: String,
    /// Recipe files or folders that the script reads, beside those of the phases before.
    #[serde(default)]
    pub inputs: Vec<PathBuf>,
    /// What it installs and the packages' build leaves out on purpose.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// Files that are left out, and why.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LeftOut {
    /// Paths below the root as glob patterns: `*` stays within a folder, `**` does not.
    pub files: Vec<String>,
    /// Why they are left out.
    pub reason: String,
}

/// What the memory governor is measured with, beside each fixed `-j`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GovernorBench {
    /// The phase in a copy of whose result each measurement works.
    pub after: String,
    /// Shell commands that compile with `make -j"$JOBS"`.
    pub run: String,
}
