//! The reference: pages of the book and schemas for editors that follow from the code, so that they cannot say anything else.
//!
//! The command line's page comes from clap's definitions, those of the TOML files from the types that read them. A test
//! fails while what is kept in `docs/` is not what the code says.

mod command_line;
mod toml_page;

use std::path::{Path, PathBuf};

use clap::Command;
use foundation::failure::{AnyFailure, Message};
use recipe::RecipeFile;
use recipe::components::Components;
use recipe::quarantine::Quarantine;
use recipe::target::Target;
use recipe::vulnerabilities::Vulnerabilities;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use toml_page::TomlFile;

/// Says at the top of a page where it comes from.
const GENERATED: &str = "<!-- Written by `cargo xtask docs` from the code: change it there. -->\n\n";

/// Every generated file: its path below the checkout, and its content.
pub fn files(command: &Command) -> Vec<(PathBuf, String)> {
    let recipe = [
        toml_file::<RecipeFile>("recipe.toml", "recipe"),
        toml_file::<Quarantine>("quarantine.toml", "quarantine"),
        toml_file::<Components>("components.toml", "components"),
        toml_file::<Vulnerabilities>("vulnerabilities.toml", "vulnerabilities"),
    ];
    let target = [toml_file::<Target>("RELEASE-ARCH.toml", "target")];
    let pages = [
        ("command-line", command_line::page(command)),
        ("recipe", toml_page::page("The files of a recipe", &recipe)),
        ("target", toml_page::page("Target files", &target)),
    ];
    let mut files: Vec<(PathBuf, String)> = pages
        .into_iter()
        .map(|(name, text)| (format!("docs/src/reference/{name}.md").into(), GENERATED.to_owned() + &text))
        .collect();
    for file in recipe.iter().chain(&target) {
        let text = serde_json::to_string_pretty(&file.schema).expect("a schema is plain data");
        files.push((file.schema_path(), text + "\n"));
    }
    files
}

/// Writes those files that are not current; returns their paths, below the checkout.
///
/// # Errors
/// A folder or file of the checkout cannot be written.
pub fn write(top: &Path, command: &Command) -> Result<Vec<PathBuf>, AnyFailure> {
    let mut written = Vec::new();
    for (path, text) in stale(top, command) {
        let place = top.join(&path);
        let folder = place.parent().expect("a file is in a folder");
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&place, text))
            .map_err(Message::of(format!("cannot write {}", place.display())))?;
        written.push(path);
    }
    Ok(written)
}

fn stale(top: &Path, command: &Command) -> impl Iterator<Item = (PathBuf, String)> {
    let is_current =
        |(path, text): &(PathBuf, String)| std::fs::read_to_string(top.join(path)).is_ok_and(|kept| kept == *text);
    files(command).into_iter().filter(move |file| !is_current(file))
}

/// Draft 7: the newest that the TOML plugins of editors understand.
fn toml_file<T: JsonSchema>(name: &'static str, schema_name: &'static str) -> TomlFile {
    let schema: Schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    TomlFile { name, schema_name, schema: schema.into() }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::stale;
    use crate::Cli;
    use crate::arguments::repository;

    #[test]
    fn what_is_kept_in_docs_is_what_the_code_says() {
        let stale: Vec<_> = stale(&repository(), &Cli::command()).map(|(path, _)| path).collect();
        assert!(stale.is_empty(), "run `cargo xtask docs` and commit what it writes: {stale:?} are not current");
    }
}
