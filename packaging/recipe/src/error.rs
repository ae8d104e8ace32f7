//! Why a recipe cannot be used.

use std::io;
use std::path::PathBuf;

use foundation::config::ConfigError;
use foundation::failure::{self, Failure, Kind, Outcome};
use foundation::store::StoreError;

/// A recipe that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// There is no recipe.toml.
    #[error("there is no recipe {name}: looked for {looked}")]
    Unknown {
        /// The name or the folder that was asked for.
        name: String,
        /// The places that were looked at, with commas between them.
        looked: String,
    },
    /// Two recipes have the name.
    #[error("two recipes are called {name}: {} and {}", folders[0].display(), folders[1].display())]
    Ambiguous {
        /// The name that was asked for.
        name: String,
        /// Their folders.
        folders: [PathBuf; 2],
    },
    /// recipe.toml cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file that the recipe names is not there or cannot be read.
    #[error("recipe {recipe}: cannot read {}: {source}", path.display())]
    Input {
        /// The name of the recipe, or its folder.
        recipe: String,
        /// The file or folder that cannot be read.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The store, which keeps the copy of the recipe, cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody edits the recipe all the time, so that no copy of it agrees with itself.
    #[error("the recipe in {} was changed each time that it was read", folder.display())]
    Restless {
        /// The folder of the recipe.
        folder: PathBuf,
    },
    /// A script has the line ends of Windows, with which no shell can run it.
    #[error("{}, line {line}: it ends with a carriage return, as on Windows, and a shell takes that for a part of the command", path.display())]
    LineEnds {
        /// The script, of a phase or of a cluster.
        path: PathBuf,
        /// The first such line, counted from 1.
        line: usize,
    },
    /// Something in recipe.toml makes no sense.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The file that is wrong: most often `recipe.toml`.
        path: PathBuf,
        /// What is wrong, and what would be right.
        message: String,
    },
}

impl Failure for RecipeError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Unknown { .. } => Kind::Input.next("give the name of a recipe or the path of its folder"),
            Self::Ambiguous { .. } => Kind::Input.next("give the path of the folder of the one that is meant, or rename the other"),
            Self::Config(error) => error.outcome(),
            Self::Input { source, .. } => failure::of_file(source),
            Self::Store(error) => error.outcome(),
            Self::Restless { .. } => Kind::Failed.next("run the command again when nothing writes there"),
            Self::LineEnds { .. } => Kind::Input.next(
                "check the recipe out without conversion: `git config core.autocrlf false`, then `git rm --cached -r . && git reset \
                 --hard`, or write `* -text` into its .gitattributes; a single file is converted with `sed -i 's/\\r$//' FILE`",
            ),
            Self::Invalid { .. } => Kind::Input.next("correct this file and run the command again"),
        }
    }
}
