//! What follows from the command line's and the files' definitions: completions, man pages, and schemas for editors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::linters::python;
use tests::{judge, repository, run, tool};
use walkdir::WalkDir;

/// What bash offers after `words`, the last of which is being typed. Another function for `cargo` was there before.
fn completed(words: &[&str]) -> Vec<String> {
    let script = "_cargo() { COMPREPLY=(from-cargo-itself); }\ncomplete -F _cargo cargo\nsource <(\"$TOOL\" completions bash)\n\
                  complete -p cargo | grep -q ' _cargo_or_xtask ' || exit 9\n\
                  COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))\n_cargo_or_xtask cargo \"${!#}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n\
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-euc", script, "bash"]).args(words).env("TOOL", tool());
    run(&mut bash).success().stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options_after_cargo_xtask() {
    assert_eq!(completed(&["cargo", "xtask", "pack"]), ["package"]);
    assert_eq!(completed(&["cargo", "xtask", "package", "--mem"]), ["--memory"]);
    assert_eq!(completed(&["cargo", "xtask", "repo", "rotate-key", "--new-key-f"]), ["--new-key-file"]);
    assert_eq!(completed(&["cargo", "bu"]), ["from-cargo-itself"]);
    assert_eq!(completed(&["cargo", "xtask"]), ["from-cargo-itself"]);
    // And every line of it is bash.
    let folder = tempfile::tempdir().unwrap();
    let script = run(Command::new(tool()).args(["completions", "bash"])).success().stdout;
    fs::write(folder.path().join("xtask"), script).unwrap();
    judge("bash", &["-n", "xtask"], folder.path());
}

#[test]
fn man_pages_please_man() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man/man1");
    run(Command::new(tool()).arg("man").arg(&pages)).success();
    let names: Vec<PathBuf> = fs::read_dir(&pages).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(names.len() > 30, "{names:?}");
    for page in &names {
        let mut man = Command::new("man");
        // As lintian calls it.
        man.args(["--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"]).arg(page);
        let ran = run(man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").env("MANROFFSEQ", "")).success();
        assert_eq!(ran.stderr, "", "{}", page.display());
    }
    let read = |name: &str| judge("man", &["-M", "share/man", name], folder.path());
    assert!(read("cargo-xtask").contains("cargo-xtask-package(1)"));
    assert!(read("cargo-xtask-package").contains("--memory"));
}

/// The TOML files of this checkout whose first line names a schema, with that schema.
fn with_schema() -> Vec<(PathBuf, PathBuf)> {
    let folders = ["packaging", "containers/targets", "tests/fixtures"].map(|folder| repository().join(folder));
    let files =
        folders.iter().flat_map(|folder| WalkDir::new(folder).into_iter().flatten()).map(|entry| entry.into_path());
    let named = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).filter_map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let schema = text.lines().next()?.strip_prefix("#:schema ")?.to_owned();
        let schema = path.parent().unwrap().join(schema);
        Some((path, schema))
    });
    named.collect()
}

fn validated(file: &Path, schema: &Path) -> tests::Ran {
    let schema = schema.display().to_string();
    python("check-jsonschema", &["--schemafile", &schema, &file.display().to_string()], &repository())
}

#[test]
fn the_files_are_what_their_schemas_say_and_mistakes_are_not() {
    let files = with_schema();
    let schemas: Vec<PathBuf> =
        fs::read_dir(repository().join("docs/schemas")).unwrap().flatten().map(|entry| entry.path()).collect();
    // What commands print has a folder of its own there.
    let schemas: Vec<PathBuf> = schemas.into_iter().filter(|path| path.is_file()).collect();
    for schema in &schemas {
        let used = files.iter().any(|(_, used)| used.canonicalize().unwrap() == schema.canonicalize().unwrap());
        assert!(used, "no file of the checkout names {}", schema.display());
    }
    for (file, schema) in &files {
        validated(file, schema).success();
    }
    let folder = tempfile::tempdir().unwrap();
    let (recipe, schema) = files.iter().find(|(file, _)| file.ends_with("sample/recipe.toml")).unwrap();
    let text = fs::read_to_string(recipe).unwrap();
    for (from, to) in [
        ("[build]\n", "[build]\ndependz = []\n"),
        ("\"200MiB\"", "\"much\""),
        ("nodes = \"masters\"", "nodes = \"kings\""),
    ] {
        assert!(text.contains(from), "{from} is not in the sample's recipe");
        let file = folder.path().join("recipe.toml");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        assert_eq!(validated(&file, schema).code, Some(1), "{to}");
    }
}
