//! What a command is about where nothing names it, from `packaging/defaults.toml`; and the recipes that have a name here.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::arguments::repository;

/// What `packaging/defaults.toml` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Defaults {
    /// The name of the recipe that a command is about where none is named.
    pub recipe: String,
    /// The name of the target, such as `debian-12/amd64`, as text for clap.
    pub target: String,
}

/// The defaults as they were when this program was compiled.
pub static DEFAULTS: LazyLock<Defaults> = LazyLock::new(|| {
    toml::from_str(include_str!("../../packaging/defaults.toml")).expect("a test reads packaging/defaults.toml")
});

/// The recipes of this checkout by name: the folders that have a `recipe.toml`.
pub fn known_recipes() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for place in ["packaging", "tests/fixtures"] {
        for entry in std::fs::read_dir(repository().join(place)).into_iter().flatten().flatten() {
            if entry.path().join("recipe.toml").is_file() {
                found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_a_recipe_and_a_target_that_are_there() {
        let known = known_recipes();
        assert!(known.iter().any(|(name, _)| *name == DEFAULTS.recipe), "{known:?}");
        let target = DEFAULTS.target.parse().unwrap();
        recipe::target::Target::read(&repository().join("containers/targets"), &target).unwrap();
    }
}
