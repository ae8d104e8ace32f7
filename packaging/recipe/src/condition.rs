//! What a recipe says for some targets alone: `[target."debian-11/*"]` in `recipe.toml`.
//!
//! A recipe that is read for a target has what concerns that one where all the rest is, and has forgotten the others. So
//! the plan of a target changes only by what is said for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RecipeError;
use crate::inherit::Inheritance;
use crate::line::{self, line_of, line_of_value};
use crate::recipe::{CHECK_PHASE, Recipe, RecipeFile, look_over_inputs, look_over_variables};
use crate::target::TargetName;

/// What holds beside the rest for the targets whose names the section's own name matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Condition {
    /// Build dependencies in addition, in the syntax of Debian's `Build-Depends` (policy 7.1).
    #[serde(default, deserialize_with = "crate::control::read_build_depends")]
    pub depends: Vec<String>,
    /// Build dependencies of `[build]` that these targets do without, spelled as they are there.
    #[serde(default)]
    pub without: Vec<String>,
    /// Packages on the nodes of a cluster in addition.
    #[serde(default, deserialize_with = "crate::control::read_build_depends")]
    pub cluster_depends: Vec<String>,
    /// Packages of `[cluster]` that nodes of these targets do without, spelled as they are there.
    #[serde(default)]
    pub cluster_without: Vec<String>,
    /// Variables for every phase. They take the place of those of the same name in `[build]`.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Recipe files or folders that a phase's script reads in addition, such as patches, by the phase's name.
    #[serde(default)]
    pub inputs: BTreeMap<String, Vec<PathBuf>>,
}

/// The pattern's matcher: `*` stands for a release or an architecture, or a part of one.
fn matcher(pattern: &str) -> Result<GlobMatcher, String> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build().map_err(|error| error.to_string())?;
    Ok(glob.compile_matcher())
}

/// Checks what can be checked without knowing a target. Returns the section that is wrong, and why.
pub(crate) fn look_over(file: &RecipeFile) -> Result<(), (String, String)> {
    let phases: Vec<&str> = file.phases.iter().map(|phase| phase.name.as_str()).chain([CHECK_PHASE]).collect();
    for (pattern, condition) in &file.targets {
        let wrong = |message: String| Err((pattern.clone(), message));
        if let Err(error) = matcher(pattern) {
            return wrong(error);
        }
        for (name, inputs) in &condition.inputs {
            if !phases.contains(&name.as_str()) || name == CHECK_PHASE && file.check.is_none() {
                return wrong(format!("inputs.{name}: there is no such phase ({})", phases.join(", ")));
            }
            if let Err(why) = look_over_inputs(inputs) {
                return wrong(format!("inputs.{name}: {why}"));
            }
        }
        if let Err(why) = look_over_variables(&condition.environment) {
            return wrong(format!("environment: {why}"));
        }
        if let Some(name) = condition.without.iter().find(|name| !file.build.depends.contains(name)) {
            return wrong(format!("without: \"{name}\" is not among the dependencies of [build]"));
        }
        let nodes = file.cluster.as_ref().map(|cluster| cluster.depends.as_slice()).unwrap_or_default();
        if let Some(name) = condition.cluster_without.iter().find(|name| !nodes.contains(name)) {
            return wrong(format!("cluster-without: \"{name}\" is not among the dependencies of [cluster]"));
        }
        if file.cluster.is_none() && !condition.cluster_depends.is_empty() {
            return wrong("cluster-depends: the recipe has no [cluster]".into());
        }
    }
    Ok(())
}

impl Recipe {
    /// The recipe as it is for one target: what `[target."…"]` says for it is where the rest is, and what is said for others
    /// is gone. For a recipe that is for a target already nothing changes.
    ///
    /// # Errors
    /// Two sections that match the target give a variable two values, or an input is named that is not there.
    pub fn for_target(mut self, target: &TargetName) -> Result<Self, RecipeError> {
        let name = target.to_string();
        let mut given: BTreeMap<String, (String, String)> = BTreeMap::new();
        for (pattern, condition) in std::mem::take(&mut self.file.targets) {
            let matches = matcher(&pattern).expect("looked over with the recipe").is_match(&name);
            if !matches {
                self.elsewhere.extend(condition.inputs.into_values().flatten());
                continue;
            }
            for (variable, value) in &condition.environment {
                if let Some((other, before)) = given.insert(variable.clone(), (pattern.clone(), value.clone()))
                    && before != *value
                {
                    let message = format!(
                        "environment: {variable} is \"{value}\" here and \"{before}\" in [target.\"{other}\"], and both are for {name}"
                    );
                    return Err(self.invalid_section(&pattern, &message));
                }
            }
            for (phase, inputs) in &condition.inputs {
                if let Some(input) = inputs.iter().find(|input| !self.has(input)) {
                    let message = format!("inputs.{phase}: the recipe has no file or folder {}", input.display());
                    return Err(self.invalid_section(&pattern, &message));
                }
            }
            condition.apply(&mut self.file);
        }
        self.look_over_files()?;
        Ok(self)
    }

    /// Refuses inputs that are not there, of phases, of the tests and of upstream's own way.
    fn look_over_files(&self) -> Result<(), RecipeError> {
        let RecipeFile { phases, check, bench, .. } = &self.file;
        let mut named: Vec<(String, &[&str], &[PathBuf])> = Vec::new();
        for phase in phases {
            named.push((format!("phase \"{}\": inputs", phase.name), &["phase", "inputs"], &phase.inputs));
        }
        if let Some(check) = check {
            named.push(("check.inputs".into(), &["check", "inputs"], &check.inputs));
        }
        if let Some(baseline) = bench.as_ref().and_then(|bench| bench.baseline.as_ref()) {
            named.push(("bench.baseline.inputs".into(), &["bench", "baseline", "inputs"], &baseline.inputs));
        }
        for (field, keys, inputs) in named {
            if let Some(input) = inputs.iter().find(|input| !self.has(input)) {
                let input = input.display().to_string();
                let line = |text: &str| line_of_value(text, keys, &input);
                let message = format!("{field}: the recipe has no file or folder {input}");
                return Err(line::invalid(&self.folder, self.inheritance.as_deref(), &line, &message));
            }
        }
        Ok(())
    }

    /// The names of the sections that hold for a target.
    pub fn sections(&self, target: &TargetName) -> Vec<String> {
        let holds =
            |pattern: &&String| matcher(pattern).expect("looked over with the recipe").is_match(target.to_string());
        self.file.targets.keys().filter(holds).map(|pattern| format!("[target.\"{pattern}\"]")).collect()
    }

    /// Refuses a section for targets that nobody has.
    ///
    /// # Errors
    /// The pattern of a section matches none of the known targets.
    pub fn look_over_targets(&self, known: &[TargetName]) -> Result<(), RecipeError> {
        let known: Vec<String> = known.iter().map(TargetName::to_string).collect();
        for pattern in self.file.targets.keys() {
            let matcher = matcher(pattern).expect("looked over with the recipe");
            if !known.iter().any(|name| matcher.is_match(name)) {
                let message = format!("there is no such target; the targets are {}", known.join(", "));
                return Err(self.invalid_section(pattern, &message));
            }
        }
        Ok(())
    }
}

impl Recipe {
    /// The error about a section, in whichever recipe has it.
    fn invalid_section(&self, pattern: &str, message: &str) -> RecipeError {
        invalid(&self.folder, self.inheritance.as_deref(), pattern, message)
    }
}

impl Condition {
    fn apply(self, file: &mut RecipeFile) {
        file.build.depends.retain(|name| !self.without.contains(name));
        file.build.depends.extend(self.depends);
        if let Some(cluster) = &mut file.cluster {
            cluster.depends.retain(|name| !self.cluster_without.contains(name));
            cluster.depends.extend(self.cluster_depends);
        }
        file.build.environment.extend(self.environment);
        for (name, inputs) in self.inputs {
            if name == CHECK_PHASE {
                file.check.iter_mut().for_each(|check| check.inputs.extend(inputs.clone()));
            }
            for phase in file.phases.iter_mut().filter(|phase| phase.name == name) {
                phase.inputs.extend(inputs.clone());
            }
        }
    }
}

/// The error about a section, in whichever recipe has it, of those that the one in `folder` inherits from.
pub(crate) fn invalid(folder: &Path, above: Option<&Inheritance>, pattern: &str, message: &str) -> RecipeError {
    let line = |text: &str| line_of(text, &["target", pattern]);
    line::invalid(folder, above, &line, &format!("[target.\"{pattern}\"]: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = r#"
name = "thing"
version = "1.0"
maintainer = "Someone <someone@example.org>"
homepage = "https://example.org"
[source]
directory = "upstream"
[build]
depends = ["g++", "default-jdk-headless"]
environment = { JAVA_HOME = "/usr/lib/jvm/default-java" }
[[phase]]
name = "build"
"#;

    const ELEVEN: &str = r#"
[target."debian-11/*"]
depends = ["openjdk-17-jdk-headless"]
without = ["default-jdk-headless"]
environment = { JAVA_HOME = "/usr/lib/jvm/java-17" }
inputs = { build = ["patches-11"] }
"#;

    fn folder_with(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("recipe.toml", text), ("phases/build", ""), ("patches-11/one", "")] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn read(text: &str, target: &str) -> Result<Recipe, String> {
        let folder = folder_with(text);
        let recipe = Recipe::read(folder.path()).and_then(|recipe| recipe.for_target(&target.parse().unwrap()));
        recipe.map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_said_for_one_target_holds_there_alone() {
        let text = format!("{RECIPE}{ELEVEN}");
        let eleven = read(&text, "debian-11/amd64").unwrap().file;
        assert_eq!(eleven.build.depends, ["g++", "openjdk-17-jdk-headless"]);
        assert_eq!(eleven.build.environment["JAVA_HOME"], "/usr/lib/jvm/java-17");
        assert_eq!(eleven.phases[0].inputs, [PathBuf::from("patches-11")]);
        let twelve = read(&text, "debian-12/amd64").unwrap().file;
        let without = read(RECIPE, "debian-12/amd64").unwrap().file;
        assert_eq!(serde_json::to_value(twelve).unwrap(), serde_json::to_value(without).unwrap());
    }

    #[test]
    fn files_and_lines_for_one_target_are_no_input_of_another() {
        let folder = folder_with(&format!("{RECIPE}{ELEVEN}"));
        let inputs = |target: &str| {
            let recipe = Recipe::read(folder.path()).unwrap().for_target(&target.parse().unwrap()).unwrap();
            (recipe.packing_inputs().unwrap(), recipe.phase_inputs(&recipe.file.phases[0]).unwrap())
        };
        let before = (inputs("debian-11/amd64"), inputs("debian-12/amd64"));
        assert!(before.0.1.contains_key("patches-11/one") && !before.1.1.contains_key("patches-11/one"));
        assert!(!before.0.0.contains_key("patches-11/one") && !before.1.0.contains_key("patches-11/one"));
        std::fs::write(folder.path().join("patches-11/one"), "changed").unwrap();
        let edited = format!("{RECIPE}{ELEVEN}").replace("java-17\"", "java-17-other\"");
        std::fs::write(folder.path().join("recipe.toml"), edited).unwrap();
        let after = (inputs("debian-11/amd64"), inputs("debian-12/amd64"));
        assert_ne!(after.0, before.0);
        assert_eq!(after.1, before.1, "an edit for one target rebuilds another");
    }

    /// Of what a section, or the tests, name as well, only what packing does not read is no part of it.
    #[test]
    fn what_packing_reads_stays_a_part_of_it_whoever_else_reads_it() {
        const MANIFEST: &str = r#"
[package.metadata.deb]
license-file = ["legal/copyright", "0"]
extended-description-file = "./texts/long"
maintainer-scripts = "scripts"
systemd-units = { unit-scripts = "units/" }
[package.metadata.deb.variants.thing]
assets = [
    { source = "stage/usr/bin/thing", dest = "usr/bin/", mode = "755" },
    { source = "config/one", dest = "etc/one", mode = "644" },
    { source = "man/*.8", dest = "usr/share/man/man8/", mode = "644" },
    { source = "links/two", dest = "etc/two", mode = "644" },
]
"#;
        let read = [
            "changelog",
            "config/one",
            "deb/Cargo.toml",
            "deb/thing/lintian-overrides",
            "legal/copyright",
            "links/two",
            "man/thing.8",
            "recipe.toml",
            "scripts/postinst",
            "systemd/thing.service",
            "targets/two",
            "texts/long",
            "units/thing.service",
        ];
        let check = "[check]\nafter = \"build\"\nmemory-per-shard = \"1GiB\"\nshards-per-processor = 1\ntest-seconds = 1\n\
                     program = [{ name = \"t\", path = \"t\" }]\n";
        let folders = "changelog config deb legal links man scripts systemd targets texts units patches-11/";
        let folders: Vec<_> = folders.split(' ').map(|name| format!("\"{name}\"")).collect();
        let inputs = format!("[{}]", folders.join(", "));
        for text in [
            format!("{RECIPE}{}", ELEVEN.replace("[\"patches-11\"]", &inputs)),
            format!("{RECIPE}{check}inputs = {inputs}\n"),
        ] {
            let folder = folder_with(&text);
            for name in read.iter().chain(&["config/other", "man/draft.txt", "targets/other"]) {
                let path = folder.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                if !["links/two", "recipe.toml"].contains(name) {
                    std::fs::write(path, if *name == "deb/Cargo.toml" { MANIFEST } else { name }).unwrap();
                }
            }
            std::os::unix::fs::symlink("../targets/two", folder.path().join("links/two")).unwrap();
            let recipe = Recipe::read(folder.path()).unwrap().for_target(&"debian-13/amd64".parse().unwrap()).unwrap();
            assert_eq!(recipe.packing_inputs().unwrap().into_keys().collect::<Vec<_>>(), read);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_named_with_its_line() {
        for (right, wrong, says) in [
            ("debian-11/*", "debian-11/[", "line 14: [target.\"debian-11/[\"]: "),
            (
                "without = [\"default-jdk",
                "without = [\"default-jre",
                "\"default-jre-headless\" is not among the dependencies",
            ),
            ("{ build =", "{ bild =", "inputs.bild: there is no such phase (build, check)"),
            ("{ build =", "{ check =", "inputs.check: there is no such phase"),
            ("\"patches-11\"", "\"../patches\"", "../patches is not a path inside the recipe's folder"),
            ("[\"patches-11\"]", "[\"\"]", "inputs.build: \"\" is not a path inside the recipe's folder"),
            ("\"patches-11\"", "\"recipe.toml\"", "inputs.build: recipe.toml is no input"),
            ("depends = [\"openjdk-17", "cluster-depends = [\"openjdk-17", "the recipe has no [cluster]"),
            ("depends = [\"openjdk-17", "depends = [\"openjdk (17", "has a ( without a )"),
            (
                "\"patches-11\"",
                "\"nowhere\"",
                "line 14: [target.\"debian-11/*\"]: inputs.build: the recipe has no file or folder nowhere",
            ),
            ("{ JAVA_HOME", "{ \"\"", "environment: \"\" is not a variable's name"),
            ("{ JAVA_HOME", "{ \"A B\"", "environment: \"A B\" is not a variable's name"),
            ("{ JAVA_HOME", "{ \"1A\"", "environment: \"1A\" is not a variable's name"),
            ("/usr/lib/jvm/java-17", "a\\u0000b", "environment: JAVA_HOME has a NUL character"),
            ("{ JAVA_HOME", "{ BUILD_TARGET", "environment: BUILD_TARGET is set by the tool"),
            ("{ JAVA_HOME", "{ VERSION", "environment: VERSION is set by the tool"),
            ("environment", "enviroment", "unknown field"),
        ] {
            let error = read(&format!("{RECIPE}{}", ELEVEN.replace(right, wrong)), "debian-11/amd64").unwrap_err();
            assert!(error.contains(says) && error.contains("recipe.toml"), "{says} is missing in: {error}");
        }
        let other = format!("{RECIPE}{}", ELEVEN.replace("\"patches-11\"", "\"nowhere\""));
        assert!(read(&other, "debian-12/amd64").is_ok(), "only the target that it concerns");
        let plain = format!("{RECIPE}inputs = [\n  \"patches-11/one\",\n  \"nowhere\",\n]\n");
        let error = read(&plain, "debian-12/amd64").unwrap_err();
        assert!(
            error.ends_with("recipe.toml: line 15: phase \"build\": inputs: the recipe has no file or folder nowhere"),
            "{error}"
        );
        let own = RECIPE.replace("JAVA_HOME =", "BUILD_X =");
        assert!(read(&own, "debian-12/amd64").unwrap_err().contains("build.environment: BUILD_X is set by the tool"));
        let twice = format!("{RECIPE}{ELEVEN}[target.\"*/amd64\"]\nenvironment = {{ JAVA_HOME = \"/opt\" }}\n");
        let error = read(&twice, "debian-11/amd64").unwrap_err();
        assert!(
            error.contains("JAVA_HOME is \"/usr/lib/jvm/java-17\" here and \"/opt\" in [target.\"*/amd64\"]"),
            "{error}"
        );
        assert!(read(&twice, "debian-12/amd64").is_ok());
    }

    #[test]
    fn a_section_for_a_target_that_nobody_has_is_refused() {
        let folder = folder_with(&format!("{RECIPE}{ELEVEN}"));
        let recipe = Recipe::read(folder.path()).unwrap();
        let known = ["debian-12/amd64", "debian-13/amd64"].map(|name| name.parse().unwrap());
        let error = recipe.look_over_targets(&known).unwrap_err().to_string();
        assert!(error.contains("line 14: [target.\"debian-11/*\"]: there is no such target; the targets are debian-12/amd64, debian-13/amd64"), "{error}");
        recipe.look_over_targets(&["debian-11/arm64".parse().unwrap()]).unwrap();
    }
}
