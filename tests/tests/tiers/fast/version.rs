//! Another version of an upstream: the commands of the guide, on a small repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Workshop, repository, run, sample_copy};

/// The sample as a git repository with two releases, and a recipe of the first one.
struct Room {
    _folder: tempfile::TempDir,
    recipe: PathBuf,
    upstream: PathBuf,
    workshop: Workshop,
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null");
    git.args(["-c", "user.name=T", "-c", "user.email=t@example.org"]).args(arguments);
    run(&mut git).success().stdout.trim().to_owned()
}

impl Room {
    fn new() -> Self {
        let (folder, recipe) = sample_copy();
        let upstream = folder.path().join("git");
        fs::rename(recipe.join("upstream"), &upstream).unwrap();
        git(&upstream, &["init", "--quiet"]);
        let commit = |file: &str, text: &str, message: &str| {
            fs::write(upstream.join(file), text).unwrap();
            git(&upstream, &["add", "."]);
            git(&upstream, &["commit", "--quiet", "-m", message]);
            git(&upstream, &["rev-parse", "HEAD"])
        };
        let first = commit("bundled.tar", "one", "Release 1.0.0");
        git(&upstream, &["tag", "1.0.0"]);
        let fix = commit("fixed", "fixed\n", "A fix");
        let later = commit("later", "later\n", "A later one");
        git(&upstream, &["checkout", "--quiet", "--detach", "1.0.0"]);
        commit("news", "1.1.0\n", "News");
        git(&upstream, &["cherry-pick", &fix]);
        commit("bundled.tar", "two", "Release 1.1.0");
        git(&upstream, &["tag", "v1.1.0"]);
        let text = fs::read_to_string(recipe.join("recipe.toml")).unwrap();
        let source =
            format!("commit = '{first}'\ntag = '1.0.0'\ngit = ['https://sample.invalid/']\nbundled = ['*.tar']");
        let mut text = text.replacen("directory = \"upstream\"", &source, 1);
        for (commit, fixes) in [(&fix, "CVE-2020-11022"), (&later, "SAMPLE-2")] {
            text += &format!("\n[[cherry-pick]]\ncommit = '{commit}'\nreason = 'Why.'\nfixes = ['{fixes}']\n");
        }
        fs::write(recipe.join("recipe.toml"), text).unwrap();
        let known = "\n[[vulnerability]]\nname = 'CVE-2020-11022'\ndescription = 'x'\nstatus = 'cherry-picked'\n";
        let path = recipe.join("vulnerabilities.toml");
        let before = fs::read_to_string(&path).unwrap();
        fs::write(&path, before + known).unwrap();
        fs::write(recipe.join("sources.lock"), "").unwrap();
        Self { _folder: folder, recipe, upstream, workshop: Workshop::empty() }
    }

    fn made(&self) -> PathBuf {
        self.recipe.with_file_name("sample-1.1.0")
    }

    /// A command of the guide, with the names of this room.
    fn words(&self, command: &str) -> Vec<String> {
        let name = |word: &str| match word {
            "mesos" => self.recipe.display().to_string(),
            "mesos-1.7.3" => self.made().display().to_string(),
            "1.7.3" => "v1.1.0".to_owned(),
            "~/src/mesos" => self.upstream.display().to_string(),
            other => other.to_owned(),
        };
        command.split_whitespace().skip(2).map(name).collect()
    }

    fn run(&self, words: &[String]) -> tests::Ran {
        self.workshop.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

#[test]
fn the_commands_of_the_guide_make_a_recipe_whose_plan_resolves() {
    let room = Room::new();
    let guide = fs::read_to_string(repository().join("docs/src/guides/another-version.md")).unwrap();
    let commands: Vec<&str> =
        guide.lines().filter_map(|line| line.strip_prefix("    cargo xtask ").map(|_| line.trim())).collect();
    let [new, plan] = commands[..] else { panic!("{commands:?}") };
    let new = room.words(new);

    // What cannot be is refused, and nothing is left of it.
    let refused = |words: &[&str], says: &str| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let said = room.run(&words).stderr;
        assert!(said.contains(says), "{says} is missing in: {said}");
        assert!(!room.made().exists());
    };
    let with = |tag: &'static str, more: &[&'static str]| -> Vec<String> {
        let words = new.iter().map(|word| if word == "v1.1.0" { tag.to_owned() } else { word.clone() });
        words.chain(more.iter().map(|word| (*word).to_owned())).collect()
    };
    let refuse = |words: Vec<String>, says: &str| refused(&words.iter().map(String::as_str).collect::<Vec<_>>(), says);
    refuse(with("v1.2.0", &[]), "has no tag v1.2.0: it has v1.1.0, 1.0.0");
    refuse(with("v1.1.0", &["--commit", "0123456789012345678901234567890123456789"]), "not 0123456789");
    refuse(with("v1.1.0", &["--upstream-version", "x"]), "the version 'x' does not begin with a digit");
    refuse(with("v1.1.0", &["--upstream-version", "1.0.0"]), "the recipe sample makes sample 1.0.0 already");
    let entries = || fs::read_dir(room.recipe.parent().unwrap()).unwrap().count();
    assert_eq!(entries(), 2);

    let said = room.run(&new).success().stdout;
    for part in [
        "sample 1.1.0, commit ",
        "CVE-2020-11022: its commit ",
        " is the same change",
        "SAMPLE-2",
        "Fixed in this version, and no longer by a cherry-pick: CVE-2020-11022",
        "Bundled files: 1, see sources.lock",
        "run upstream's tests",
    ] {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }
    let made = room.made();
    let read = |name: &str| fs::read_to_string(made.join(name)).unwrap();
    assert!(read("changelog").starts_with("sample (1.1.0-1) "), "{}", read("changelog"));
    assert!(read("recipe.toml").contains("inherits = \"../sample\"\nversion = \"1.1.0\""), "{}", read("recipe.toml"));
    // printf two | sha256sum
    assert!(read("sources.lock").contains("3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"));
    let mut files: Vec<_> = fs::read_dir(&made).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["changelog", "recipe.toml", "sources.lock"]);
    assert_eq!(entries(), 3);
    let again = room.run(&new).stderr;
    assert!(again.contains("is there already"), "{again}");

    let plan = room.words(plan);
    let digest = room.run(&plan).success().stdout;
    assert_eq!(digest.trim().len(), 64, "{digest}");
    // A mistake in either of the manifests that are merged is told of the file and the line where it was written.
    let manifest = made.join("deb/Cargo.toml");
    fs::create_dir(made.join("deb")).unwrap();
    fs::write(&manifest, "# What differs.\n[package.metadata.deb.variants.sample]\ndepend = \"x\"\n").unwrap();
    room.run(&plan)
        .fails(1, &[&format!("{}: TOML parse error at line 3, column 1", manifest.display()), "`depend`", "`depends`"]);
    fs::write(&manifest, "[package.metadata.deb.variants.sample]\nsuggests = \"x\"\n").unwrap();
    let theirs = room.recipe.join("deb/Cargo.toml");
    let text = fs::read_to_string(&theirs).unwrap();
    fs::write(&theirs, text.replacen("maintainer =", "maintainers =", 1)).unwrap();
    let line = text.lines().position(|line| line.starts_with("maintainer =")).unwrap() + 1;
    let place = format!("{}: TOML parse error at line {line}, column 1", theirs.display());
    room.run(&plan).fails(1, &[&place.replace("sample-1.1.0/../", ""), "`maintainers`"]);
    fs::write(&theirs, text).unwrap();
    fs::remove_dir_all(made.join("deb")).unwrap();
    assert_eq!(room.run(&plan).success().stdout, digest);
    // An edit of what it overrides changes nothing, and any other edit does.
    let edit = |name: &str| {
        let path = room.recipe.join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text + "# edited\n").unwrap();
    };
    fs::write(room.recipe.join("changelog"), "no changelog\n").unwrap();
    assert_eq!(room.run(&plan).success().stdout, digest);
    edit("phases/build");
    assert_ne!(room.run(&plan).success().stdout, digest);
}

/// With two recipes of one name, a command would be about one of them without a word.
#[test]
fn the_name_of_a_recipe_that_is_there_is_refused() {
    let workshop = Workshop::empty();
    let new = ["recipe", "new", "chime", "--from", "mesos", "--tag", "1.7.3"];
    workshop.run(&new).fails(2, &["there is a recipe chime already, in ", "tests/fixtures/chime"]);
    assert!(!repository().join("packaging/chime").exists());
}
