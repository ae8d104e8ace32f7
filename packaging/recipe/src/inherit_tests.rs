use std::collections::BTreeMap;

use foundation::store::Store;

use super::*;
use crate::Source;
use crate::frozen::freeze;
use crate::vulnerabilities::{Vulnerabilities, VulnerabilityStatus};

const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";
const THIRD: &str = "3333333333333333333333333333333333333333";

fn parent() -> String {
    format!(
        r#"name = "thing"
version = "1.0"
maintainer = "Someone <someone@example.org>"
homepage = "https://example.org"
[source]
commit = "{FIRST}"
tag = "1.0"
git = ["https://example.org/thing.git"]
bundled = ["3rdparty/*.tar.gz"]
[build]
depends = ["g++", "make"]
environment = {{ A = "a", B = "b" }}
[[phase]]
name = "build"
inputs = ["patches"]
[[cherry-pick]]
commit = "{FIRST}"
reason = "One."
fixes = ["CVE-2020-11022"]
[[cherry-pick]]
commit = "{SECOND}"
reason = "Two."
fixes = ["T-2"]
[target."debian-11/*"]
environment = {{ A = "eleven" }}
"#
    )
}

const KNOWN: &str = r#"[[vulnerability]]
name = "CVE-2020-11022"
description = "Something."
status = "cherry-picked"
notes = "Needs --enable-it."
[[vulnerability]]
name = "T-2"
description = "Something else."
status = "cherry-picked"
[[vulnerability]]
name = "CVE-2019-5736"
description = "Another."
status = "not-affected"
justification = "component-not-present"
notes = "There is none."
"#;

fn child() -> String {
    format!(
        r#"inherits = "../thing"
version = "1.1"
[source]
commit = "{THIRD}"
tag = "1.1"
[build]
environment = {{ B = "new", C = "c" }}
[without]
contained = ["{FIRST}"]
files = ["patches/old.patch"]
[[cherry-pick]]
commit = "{THIRD}"
reason = "Three."
"#
    )
}

/// Recipes beside each other: `thing`, and `thing-1.1`, which inherits from it.
struct Room(tempfile::TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        room.write("thing/recipe.toml", &parent());
        room.write("thing/changelog", "thing (1.0-1)\n");
        room.write("thing/phases/build", "make\n");
        room.write("thing/patches/series", "old.patch\nnew.patch\n");
        room.write("thing/patches/old.patch", "old");
        room.write("thing/patches/new.patch", "new");
        room.write("thing/deb/Cargo.toml", "name = \"libthing-${VERSION}\"\n");
        room.write("thing/components.toml", "purl = \"pkg:generic/thing@${VERSION}\"\n");
        room.write("thing/vulnerabilities.toml", KNOWN);
        room.write("thing-1.1/recipe.toml", &child());
        room.write("thing-1.1/changelog", "thing (1.1-1)\n");
        room.write("thing-1.1/patches/series", "new.patch\n");
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> Result<Recipe, String> {
        Recipe::read(&self.path(name))
            .map_err(|error| error.to_string().replace(&format!("{}/", self.0.path().display()), ""))
    }

    fn frozen(&self, name: &str) -> (Recipe, BTreeMap<String, String>) {
        let store = Store::open(Some(&self.path("store"))).unwrap();
        let frozen = freeze(&self.read(name).unwrap(), &store).unwrap();
        let read = |name: &String| std::fs::read_to_string(frozen.folder.join(name)).unwrap();
        let files = frozen.all_files().unwrap().into_keys().map(|name| (name.clone(), read(&name))).collect();
        (frozen, files)
    }
}

#[test]
fn it_has_what_it_says_and_all_the_rest_of_the_other() {
    let room = Room::new();
    let file = room.read("thing-1.1").unwrap().file;
    assert_eq!((file.name.as_str(), file.version.as_str()), ("thing", "1.1"));
    let Source::Git(git) = &file.source else { panic!("{file:?}") };
    assert_eq!((git.commit.as_str(), git.tag.as_str(), git.bundled.len()), (THIRD, "1.1", 1), "tables are merged");
    assert_eq!(file.build.depends, ["g++", "make"]);
    let environment: Vec<&str> = file.build.environment.values().map(String::as_str).collect();
    assert_eq!(environment, ["a", "new", "c"]);
    let picks: Vec<&str> = file.cherry_picks.iter().map(|pick| pick.commit.as_str()).collect();
    assert_eq!(picks, [SECOND, THIRD], "the other's without those that are named, then its own");
    assert!(file.targets.contains_key("debian-11/*"));
    // A list takes the place of the other's.
    room.write("thing-1.1/recipe.toml", &child().replace("[build]", "[build]\ndepends = [\"clang\"]"));
    assert_eq!(room.read("thing-1.1").unwrap().file.build.depends, ["clang"]);
}

/// The byte order mark that some editors write is TOML's own business, in whichever of the files it is.
#[test]
fn files_that_begin_with_a_mark_are_read_as_without_it() {
    let room = Room::new();
    let manifest = "[package]\nversion = \"1\"\n";
    for name in ["thing", "thing-1.1"] {
        room.write(&format!("{name}/deb/Cargo.toml"), manifest);
    }
    let (plain, files) = room.frozen("thing-1.1");
    for name in ["thing/recipe.toml", "thing/deb/Cargo.toml", "thing-1.1/recipe.toml", "thing-1.1/deb/Cargo.toml"] {
        let text = std::fs::read_to_string(room.path(name)).unwrap();
        room.write(name, &format!("\u{feff}{text}"));
        let (marked, marked_files) = room.frozen("thing-1.1");
        assert_eq!(serde_json::to_value(&marked.file).unwrap(), serde_json::to_value(&plain.file).unwrap(), "{name}");
        assert_eq!(marked_files, files, "{name}");
        room.read("thing-1.1").unwrap().manifest_as::<toml::Table>().unwrap();
    }
    // Its lines and columns are those of the text.
    room.write("thing-1.1/recipe.toml", &format!("\u{feff}{}", child().replace("tag = \"1.1\"", "tga = \"1.1\"")));
    let error = room.read("thing-1.1").unwrap_err();
    assert!(error.contains("at line 3, column 1"), "{error}");
}

#[test]
fn the_copy_in_the_store_is_a_recipe_like_any_other() {
    let room = Room::new();
    let recipe = room.read("thing-1.1").unwrap();
    let (frozen, files) = room.frozen("thing-1.1");
    assert!(frozen.inheritance.is_none() && !files["recipe.toml"].contains("inherits"));
    assert_eq!(serde_json::to_value(&frozen.file).unwrap(), serde_json::to_value(&recipe.file).unwrap());
    assert_eq!((frozen.name(), frozen.handle()), ("thing", "thing-1.1"));
    for (name, text) in [
        ("changelog", "thing (1.1-1)\n"),
        ("phases/build", "make\n"),
        ("patches/series", "new.patch\n"),
        ("patches/new.patch", "new"),
        ("deb/Cargo.toml", "name = \"libthing-1.1\"\n"),
        ("components.toml", "purl = \"pkg:generic/thing@1.1\"\n"),
    ] {
        assert_eq!(files[name], text, "{name}");
    }
    assert!(!files.contains_key("patches/old.patch"), "it was left out");
    // Its plan is the recipe's.
    assert_eq!(frozen.packing_inputs().unwrap(), recipe.packing_inputs().unwrap());
    assert_eq!(
        frozen.phase_inputs(&frozen.file.phases[0]).unwrap(),
        recipe.phase_inputs(&recipe.file.phases[0]).unwrap()
    );
    // And the other recipe is as it was.
    let (other, files) = room.frozen("thing");
    assert_eq!((other.handle(), files["recipe.toml"].clone()), ("thing", parent()));
    assert_eq!(files["deb/Cargo.toml"], "name = \"libthing-1.0\"\n");
}

#[test]
fn what_is_said_for_one_target_is_inherited_as_well() {
    let room = Room::new();
    let store = Store::open(Some(&room.path("store"))).unwrap();
    // As the pipeline does it: the recipe that is copied is one for a target already.
    let target = "debian-11/amd64".parse().unwrap();
    let recipe = room.read("thing-1.1").unwrap().for_target(&target).unwrap();
    let frozen = freeze(&recipe, &store).unwrap().for_target(&target).unwrap();
    assert_eq!(frozen.file.build.environment["A"], "eleven");
    let error = recipe.look_over_targets(&["debian-12/amd64".parse().unwrap()]);
    assert!(error.is_ok(), "for a target the sections are gone");
    let error = room.read("thing-1.1").unwrap().look_over_targets(&["debian-12/amd64".parse().unwrap()]).unwrap_err();
    assert!(error.to_string().contains("thing/recipe.toml: line 24: [target.\"debian-11/*\"]"), "{error}");
}

/// What an inherited phase reads, and is left out here, is told with the line that names it.
#[test]
fn an_inherited_input_that_is_not_there_is_told_with_its_file_and_line() {
    let room = Room::new();
    room.write("thing-1.1/recipe.toml", &child().replace("\"patches/old.patch\"", "\"patches\""));
    std::fs::remove_dir_all(room.path("thing-1.1/patches")).unwrap();
    let error =
        room.read("thing-1.1").unwrap().for_target(&"debian-12/amd64".parse().unwrap()).unwrap_err().to_string();
    let says = "thing/recipe.toml: line 15: phase \"build\": inputs: the recipe has no file or folder patches (as thing-1.1 inherits it)";
    assert!(error.ends_with(says), "{error}");
}

#[test]
fn a_folder_is_left_out_however_it_is_written() {
    let room = Room::new();
    for named in ["phases", "phases/", "phases//build", "phases/./build"] {
        room.write("thing-1.1/recipe.toml", &child().replace("patches/old.patch", named));
        let (_, files) = room.frozen("thing-1.1");
        assert!(!files.contains_key("phases/build"), "{named}: {:?}", files.keys());
    }
}

/// A section stands where somebody wrote it, whichever recipe no longer fits it.
#[test]
fn an_inherited_section_that_does_not_fit_is_named_where_it_stands() {
    let room = Room::new();
    room.write("thing/recipe.toml", &(parent() + "without = [\"g++\"]\n"));
    room.write("thing-1.1/recipe.toml", &child().replace("[build]", "[build]\ndepends = [\"clang\"]"));
    let error = room.read("thing-1.1").unwrap_err();
    let says = "thing/recipe.toml: line 24: [target.\"debian-11/*\"]: without: \"g++\" is not among the dependencies of [build]";
    assert!(error.starts_with(says) && error.contains("thing-1.1"), "{error}");
    // One of its own, in another spelling.
    room.write("thing-1.1/recipe.toml", &(child() + "[target.'debian-12/*']\nwithout = [\"cmake\"]\n"));
    let error = room.read("thing-1.1").unwrap_err();
    assert!(error.starts_with("thing-1.1/recipe.toml: line 14: [target.\"debian-12/*\"]"), "{error}");
}

#[test]
fn what_the_source_contains_is_fixed() {
    let room = Room::new();
    let (_, files) = room.frozen("thing-1.1");
    let known: Vulnerabilities = parse_toml(Path::new("x"), &files["vulnerabilities.toml"]).unwrap();
    assert_eq!(known.all[0].status, VulnerabilityStatus::Fixed);
    assert_eq!(
        known.all[0].notes.as_deref(),
        Some("The source has upstream's commit 111111111111. Needs --enable-it.")
    );
    assert_eq!(known.all[1].status, VulnerabilityStatus::CherryPicked, "its cherry-pick is still applied");
    assert_eq!(known.all[2].status, VulnerabilityStatus::NotAffected);
    known.look_over(&room.read("thing-1.1").unwrap().file.cherry_picks).unwrap();
    // One that is left out for another reason fixes nothing: somebody has to say how things are.
    room.write("thing-1.1/recipe.toml", &child().replace("contained", "cherry-picks"));
    let (frozen, files) = room.frozen("thing-1.1");
    assert_eq!(files["vulnerabilities.toml"], KNOWN);
    let error = Vulnerabilities::read(&frozen.folder, &frozen.file.cherry_picks).unwrap_err().to_string();
    assert!(error.contains("vulnerability CVE-2020-11022: its status is cherry-picked, but no"), "{error}");
    // A file of its own is taken as it is.
    room.write("thing-1.1/recipe.toml", &child());
    room.write("thing-1.1/vulnerabilities.toml", KNOWN);
    assert_eq!(room.frozen("thing-1.1").1["vulnerabilities.toml"], KNOWN);
}

#[test]
fn an_edit_of_what_is_overridden_changes_nothing_and_any_other_does() {
    let room = Room::new();
    let inputs = || {
        let recipe = room.read("thing-1.1").unwrap();
        (recipe.packing_inputs().unwrap(), recipe.phase_inputs(&recipe.file.phases[0]).unwrap())
    };
    let before = inputs();
    room.write("thing/changelog", "thing (1.0-2)\n");
    room.write("thing/patches/series", "new.patch\nother.patch\n");
    room.write("thing/patches/old.patch", "edited");
    room.write("thing/recipe.toml", &parent().replace("\"1.0\"", "\"1.0.1\"").replace("B = \"b\"", "B = \"edited\""));
    assert_eq!(inputs(), before);
    room.write("thing/phases/build", "make all\n");
    assert_ne!(inputs().1, before.1);
    room.write("thing/phases/build", "make\n");
    assert_eq!(inputs(), before);
    room.write("thing/recipe.toml", &parent().replace("A = \"a\"", "A = \"edited\""));
    assert_ne!(inputs().0, before.0);
}

#[test]
fn the_manifest_is_merged_as_well() {
    let room = Room::new();
    let manifest = "[package]\nversion = \"${VERSION}\"\n[variants.\"libthing-${VERSION}\"]\ndepends = \"a\"\nsection = \"libs\"\n";
    room.write("thing/deb/Cargo.toml", manifest);
    room.write(
        "thing-1.1/deb/Cargo.toml",
        "[variants.\"libthing-${VERSION}\"]\ndepends = \"b\"\nconflicts = \"libthing-1.0\"\n",
    );
    let (frozen, files) = room.frozen("thing-1.1");
    let read: toml::Table = files["deb/Cargo.toml"].parse().unwrap();
    assert_eq!(read["package"]["version"].as_str(), Some("1.1"));
    let library = &read["variants"]["libthing-1.1"];
    let field = |name: &str| library[name].as_str().unwrap().to_owned();
    assert_eq!([field("depends"), field("section"), field("conflicts")], ["b", "libs", "libthing-1.0"]);
    assert_eq!(frozen.packing_inputs().unwrap(), room.read("thing-1.1").unwrap().packing_inputs().unwrap());
    // What is wrong is told of the file and the line where somebody wrote it.
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Package {
        #[serde(rename = "depends")]
        _depends: String,
        #[serde(rename = "section")]
        _section: Option<String>,
        #[serde(rename = "conflicts")]
        _conflicts: Option<String>,
    }
    #[derive(Debug, serde::Deserialize)]
    struct Manifest {
        #[serde(rename = "variants")]
        _variants: BTreeMap<String, Package>,
    }
    let recipe = room.read("thing-1.1").unwrap();
    recipe.manifest_as::<Manifest>().unwrap();
    let says = |file: &str, text: &str, parts: &[&str]| {
        let path = room.path(file);
        let before = std::fs::read_to_string(&path).unwrap();
        room.write(file, text);
        let said = recipe.manifest_as::<Manifest>().unwrap_err().to_string();
        let path = format!("{}: TOML parse error at ", path.display());
        assert!(said.starts_with(&path) && parts.iter().all(|part| said.contains(part)), "{parts:?}: {said}");
        room.write(file, &before);
    };
    let own = "thing-1.1/deb/Cargo.toml";
    says(
        own,
        "\n\n[variants.\"libthing-${VERSION}\"]\nsuggests = \"b\"\n",
        &["line 4, column 1", "4 | suggests", "`depends`"],
    );
    says(own, "[variants.\"libthing-${VERSION}\"]\ndepends = 1\n", &["line 2, column 11", "invalid type: integer"]);
    says(own, "[variants.other]\nsection = \"b\"\n", &["line 1, column 1", "missing field `depends`"]);
    says(own, "\n[variants\n", &["line 2"]);
    says("thing/deb/Cargo.toml", &manifest.replace("section", "\nsectoin"), &["line 6, column 1", "`sectoin`"]);
    // One that is no TOML is left for the reader to complain of.
    room.write("thing-1.1/deb/Cargo.toml", "[variants\n");
    assert_eq!(room.frozen("thing-1.1").1["deb/Cargo.toml"], "[variants\n");
}

#[test]
fn a_lock_is_the_others_until_it_has_its_own() {
    let room = Room::new();
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../containers/targets");
    let target = crate::target::Target::read(&targets, &"debian-12/amd64".parse().unwrap()).unwrap();
    let lock = |name: &str| room.path(name).join("debian-12-amd64.lock");
    let kind = crate::root_lock::LockKind::BuildRoot;
    room.write("thing/debian-12-amd64.lock", "");
    let recipe = room.read("thing-1.1").unwrap();
    assert_eq!(recipe.lock_path(&target, kind), lock("thing"));
    assert_eq!(recipe.own_lock_path(&target, kind), lock("thing-1.1"));
    assert_eq!(recipe.request_digest(&target, kind), room.read("thing").unwrap().request_digest(&target, kind));
    room.write("thing-1.1/debian-12-amd64.lock", "");
    assert_eq!(recipe.lock_path(&target, kind), lock("thing-1.1"));
}

#[test]
fn a_recipe_inherits_from_one_that_inherits() {
    let room = Room::new();
    room.write("mine/recipe.toml", &format!("inherits = \"../thing-1.1\"\n[without]\ncontained = [\"{SECOND}\"]\n"));
    room.write("mine/patches/new.patch", "mine");
    let (frozen, files) = room.frozen("mine");
    assert_eq!((frozen.file.version.as_str(), frozen.handle()), ("1.1", "mine"));
    let picks: Vec<&str> = frozen.file.cherry_picks.iter().map(|pick| pick.commit.as_str()).collect();
    assert_eq!(picks, [THIRD]);
    assert_eq!((files["patches/series"].as_str(), files["patches/new.patch"].as_str()), ("new.patch\n", "mine"));
    assert!(!files.contains_key("patches/old.patch"));
    let known: Vulnerabilities = parse_toml(Path::new("x"), &files["vulnerabilities.toml"]).unwrap();
    assert!(known.all[..2].iter().all(|one| one.status == VulnerabilityStatus::Fixed));
}

#[test]
fn what_cannot_be_meant_is_named_with_file_and_line() {
    let room = Room::new();
    room.write("word/recipe.toml", "version = \"2\"\n\ninherits = \"thing\"\n");
    room.write("self/recipe.toml", "inherits = \"../self\"\n");
    room.write("one/recipe.toml", "# 1\ninherits = \"../two\"\n");
    room.write("two/recipe.toml", "inherits = \"../one\"\n");
    for (name, above) in [("2", "thing-1.1"), ("3", "deep-2"), ("4", "deep-3")] {
        room.write(&format!("deep-{name}/recipe.toml"), &format!("inherits = \"../{above}\"\n"));
    }
    room.write("alone/recipe.toml", &format!("{}[without]\nfiles = [\"x\"]\n", parent()));
    room.write("Mine/recipe.toml", "inherits = \"../thing\"\n");
    for (name, says) in [
        (
            "word",
            "word/recipe.toml: line 3: inherits = \"thing\": there is no recipe: word/thing/recipe.toml is missing; the recipe beside this one is \"../thing\"",
        ),
        ("self", "self/recipe.toml: line 1: inherits = \"../self\": a recipe cannot inherit from itself"),
        (
            "one",
            "two/recipe.toml: line 1: inherits = \"../one\": these recipes inherit from each other: one from two from one",
        ),
        (
            "deep-4",
            "line 1: inherits = \"../thing\": a recipe can have 3 others above it, and deep-4 has more (deep-4 from deep-3 from deep-2 from thing-1.1 from thing)",
        ),
        ("alone", "alone/recipe.toml: line 26: nothing is inherited that could be left out"),
        ("Mine", "Mine/recipe.toml: the folder \"Mine\" of a recipe that inherits is its name"),
    ] {
        let error = room.read(name).unwrap_err();
        assert!(error.contains(says), "{says} is missing in: {error}");
    }
    assert!(room.read("deep-3").is_ok());
    for (right, wrong, says) in [
        (
            FIRST,
            "4444444444444444444444444444444444444444",
            "line 9: without: the recipe thing has no cherry-pick 4444",
        ),
        ("patches/old", "patches/odd", "line 10: without: the recipe thing has no file patches/odd.patch"),
        ("patches/old.patch", "./patches", "line 10: without: \"./patches\" is not a path inside the recipe's folder"),
        ("patches/old.patch", "", "line 10: without: \"\" is not a path inside"),
        ("patches/old.patch", "../thing/patches", "line 10: without: \"../thing/patches\" is not a path inside"),
        ("patches/old.patch", "recipe.toml", "line 10: without: recipe.toml is always inherited"),
        ("contained = [", "contain = [", "line 9"),
        (
            "[\"1111",
            &format!("[\"{FIRST}\", \"1111"),
            "line 9: without: the cherry-pick 1111111111111111111111111111111111111111 is there twice",
        ),
        ("version = \"1.1\"", "version = \"v1.1\"", "at line 2, column 11"),
        ("tag = \"1.1\"", "tga = \"1.1\"", "at line 3, column 1"),
        (
            "commit = \"3333333333333333333333333333333333333333\"\nreason",
            "commit = \"33\"\nreason",
            "at line 12, column 10",
        ),
        (
            &format!("{THIRD}\"\nreason"),
            &format!("{SECOND}\"\nreason"),
            "the commit 2222222222222222222222222222222222222222 is there twice",
        ),
        ("inherits =", "inherits", "line 1"),
    ] {
        room.write("thing-1.1/recipe.toml", &child().replacen(right, wrong, 1));
        let error = room.read("thing-1.1").unwrap_err();
        assert!(error.contains(says) && error.starts_with("thing-1.1/recipe.toml"), "{says} is missing in: {error}");
    }
    // A mistake of the other recipe is told of that one.
    room.write("thing-1.1/recipe.toml", &child());
    room.write("thing/recipe.toml", &parent().replace("depends", "dependz"));
    let error = room.read("thing-1.1").unwrap_err();
    assert!(error.starts_with("thing/recipe.toml") && error.contains("line 11"), "{error}");
}
