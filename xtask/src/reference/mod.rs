//! The reference: pages of the book and schemas for editors that follow from the code, so that they cannot say anything else.
//!
//! The command line's page comes from clap's definitions, those of the TOML files from the types that read them. A test
//! fails while what is kept in `docs/` is not what the code says.

mod command_line;
mod json_page;
mod toml_page;

use std::path::{Path, PathBuf};

use clap::Command;
use foundation::failure::{AnyFailure, Message};
use json_page::Printed;
use recipe::RecipeFile;
use recipe::components::Components;
use recipe::quarantine::Quarantine;
use recipe::target::Target;
use recipe::vulnerabilities::Vulnerabilities;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use toml_page::TomlFile;

use crate::commands;
use crate::targets::Ended;

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
    let printed = printed();
    let pages = [
        ("command-line", command_line::page(command)),
        ("recipe", toml_page::page("The files of a recipe", &recipe)),
        ("target", toml_page::page("Target files", &target)),
        ("json", json_page::page(&printed)),
    ];
    let mut files: Vec<(PathBuf, String)> = pages
        .into_iter()
        .map(|(name, text)| (format!("docs/src/reference/{name}.md").into(), GENERATED.to_owned() + &text))
        .collect();
    for file in recipe.iter().chain(&target).chain(printed.iter().map(|printed| &printed.file)) {
        let text = serde_json::to_string_pretty(&file.schema).expect("a schema is plain data");
        files.push((file.schema_path(), text + "\n"));
    }
    files
}

/// Everything that commands print with `--json`, beside the files that they write.
fn printed() -> Vec<Printed> {
    use commands::repo::place;
    vec![
        of::<foundation::progress::Event>("Events", "event", &[]),
        of::<Vec<Ended>>(
            "Several targets",
            "targets",
            &["package --target A --target B", "check --target A --target B", "lock --target A --target B"],
        ),
        of::<pipeline::explain::Explanation>("Why stages are run again", "explain", &["explain"]),
        of::<commands::fetch::Fetched>("What was fetched", "fetch", &["fetch"]),
        of::<commands::lock::Locked>("What was locked", "lock", &["lock"]),
        of::<commands::target::Made>("A new target", "target-new", &["target new"]),
        of::<Vec<pipeline::TargetLag>>("Locks compared with the archive", "outdated", &["outdated"]),
        of::<statements::verify::Summary>("A folder that was verified", "verify", &["verify"]),
        of::<Vec<statements::size::PackageSize>>("Sizes", "size", &["size"]),
        of::<statements::diff::Comparison>("Two folders compared", "diff", &["diff"]),
        of::<Vec<commands::doctor::Finding>>("What a machine has", "doctor", &["doctor"]),
        of::<commands::share::Shared>("What was shared", "share", &["share"]),
        of::<Vec<pipeline::challenge::Challenged>>(
            "How a comparison with others came out",
            "challenge",
            &["challenge"],
        ),
        of::<commands::clean::Cleaned>("What was removed", "clean", &["clean"]),
        of::<cluster::Status>("A cluster", "cluster-status", &["cluster status", "cluster up"]),
        of::<Vec<cluster::Finding>>("What came of scenarios", "cluster-test", &["cluster test"]),
        of::<commands::cluster::Down>("A cluster that is gone", "cluster-down", &["cluster down"]),
        of::<repository::Listing>("A repository", "repo-list", &["repo list"]),
        of::<repository::RepositoryStatus>("How a repository is", "repo-status", &["repo status"]),
        of::<Vec<repository::Added>>("Packages taken into the pool", "repo-add", &["repo add", "repo publish DIST"]),
        of::<Vec<repository::Publication>>(
            "Publications",
            "repo-publish",
            &["repo init", "repo publish", "repo refresh", "repo rollback", "repo rotate-key"],
        ),
        of::<repository::Removed>("Packages taken out", "repo-remove", &["repo remove"]),
        of::<repository::Sound>("A repository that was verified", "repo-verify", &["repo verify"]),
        of::<repository::Served>("What a web server gives", "repo-verify-from", &["repo verify --from URL"]),
        of::<repository::Pruned>("Snapshots removed", "repo-prune", &["repo prune"]),
        of::<place::Pushed>("A copy", "repo-push", &["repo push", "repo publish --to PLACE"]),
        of::<place::Continued>("A repository brought back", "repo-recover", &["repo clone", "repo recover"]),
    ]
}

/// What is printed is described as it is written, which is not always what would be read.
fn of<T: JsonSchema>(name: &'static str, schema: &'static str, commands: &'static [&'static str]) -> Printed {
    let settings = SchemaSettings::draft07().for_serialize();
    let schema_of: Schema = settings.into_generator().into_root_schema_for::<T>();
    Printed { name, commands, file: TomlFile { name, schema_name: schema, folder: OUTPUT, schema: schema_of.into() } }
}

/// The folder of schemas of what is printed, in that of the files.
const OUTPUT: &str = "output/";

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
    TomlFile { name, schema_name, folder: "", schema: schema.into() }
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
