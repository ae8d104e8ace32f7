//! Why nothing was measured, or what was measured is not good.

use std::path::PathBuf;

use foundation::failure::{Failure, Kind, Outcome};

/// A measurement that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// What is measured did not end well itself.
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    /// The recipe does not say what is measured.
    #[error("the recipe {recipe} does not say what the bench is to edit")]
    NoBench {
        /// The recipe's name.
        recipe: String,
    },
    /// There is nothing to measure against.
    #[error("the recipe {recipe} does not describe upstream's own way, which row a measures")]
    NoBaseline {
        /// The recipe's name.
        recipe: String,
    },
    /// There is nothing to measure the governor with.
    #[error("the recipe {recipe} does not say what the memory governor is measured with")]
    NoGovernor {
        /// The recipe's name.
        recipe: String,
    },
    /// Nothing can be predicted from what is on record.
    #[error("nothing can be predicted of {recipe}: {why}")]
    NoRecord {
        /// The recipe's handle.
        recipe: String,
        /// Why.
        why: &'static str,
    },
    /// A row did not measure what it says.
    #[error("row {row} did not measure what it says, and its figures are thrown away: {why}")]
    Row {
        /// Letter of the row, from a to f.
        row: char,
        /// What happened instead.
        why: String,
        /// What the user can do about it.
        next: &'static str,
    },
    /// Something other than memory ended what the governor is measured with.
    #[error("`{run}`, with which the memory governor of {recipe} is measured, failed, and not for memory:\n{tail}")]
    Governor {
        /// The command that was run.
        run: String,
        /// The recipe's name.
        recipe: String,
        /// The last lines of its log.
        tail: String,
    },
    /// Fewer, more or other things are installed than in upstream's own way.
    #[error("what is installed differs from upstream's own way in {differences} places")]
    Unlike {
        /// In how many places.
        differences: usize,
    },
    /// A script of the recipe did not write what the bench reads.
    #[error("{}: {why}", script.display())]
    Script {
        /// The script, in the recipe's folder.
        script: PathBuf,
        /// What is wrong with what it did.
        why: String,
    },
}

impl Failure for BenchError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Pipeline(error) => error.outcome(),
            Self::NoBench { .. } => Kind::Input.next("name the files that are edited in [bench] of its recipe.toml"),
            Self::NoBaseline { .. } => {
                Kind::Input.next("describe it in [bench.baseline] of its recipe.toml, or leave the row out with --rows")
            }
            Self::NoGovernor { .. } => Kind::Input.next("describe it in [bench.governor] of its recipe.toml"),
            Self::NoRecord { .. } => Kind::Failed.next(
                "have everything compiled here once, and ask again: `cargo xtask clean`, then `cargo xtask package --no-cache --no-from`",
            ),
            Self::Row { next, .. } => Kind::Failed.next(*next),
            Self::Governor { .. } => Kind::Input.next("correct [bench.governor] of its recipe.toml"),
            Self::Unlike { .. } => Kind::Verification.next(
                "the table above says where: correct the build, or, where something is left out on purpose, say so and \
                 why in bench.baseline.left-out of recipe.toml",
            ),
            Self::Script { .. } => Kind::Input.next("correct this script"),
        }
    }
}

/// What the pipeline makes one failure of is one here as well.
macro_rules! through_the_pipeline {
    ($($error:ty),*) => {$(
        impl From<$error> for BenchError {
            fn from(error: $error) -> Self {
                Self::Pipeline(error.into())
            }
        }
    )*};
}

through_the_pipeline!(engine::Error, phases::PhaseError, foundation::store::StoreError, recipe::RecipeError);
