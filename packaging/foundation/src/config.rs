//! Reading TOML so that a mistake is reported with file, line and the valid names.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::failure::{self, Failure, Kind, Outcome};

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file that was to be read.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file is not what it should be. The parser's text carries line, column and valid names.
    #[error("{}: {message}", path.display())]
    Parse {
        /// The file that the text came from.
        path: PathBuf,
        /// The parser's explanation: line, column, excerpt and what would have been valid.
        message: String,
    },
}

impl Failure for ConfigError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Read { source, .. } => failure::of_file(source),
            Self::Parse { .. } => Kind::Input.next("correct this file and run the command again"),
        }
    }
}

/// Reads a TOML file. Types that are read this way refuse unknown fields.
///
/// # Errors
/// The file cannot be read, its text is not TOML, or a value, a field's name or a missing field does not fit `T`. The
/// message of the last two has the line, the column and an excerpt.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse_toml(path, &text)
}

/// Parses TOML text that came from `path`.
///
/// # Errors
/// The text is not TOML, or it does not fit `T`, for example because of a field that `T` does not have.
pub fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text)
        .map_err(|error| ConfigError::Parse { path: path.to_owned(), message: error.to_string().trim_end().to_owned() })
}
