//! A recipe: what to build and how, as a folder of data.
//!
//! `recipe.toml` names the upstream, the build dependencies and the phases; beside it are the
//! Debian changelog, the phases' scripts, patches, the packages' manifest and what they install.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use foundation::digest::Digest;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bench::{BenchSection, LeftOut};
use crate::cherry_pick::{self, CherryPick, Pick};
use crate::cluster::Cluster;
use crate::condition::{self, Condition};
use crate::control;
use crate::error::RecipeError;
use crate::inherit::{self, Inheritance, Without};
use crate::line::{self, line_of, line_of_value};
use crate::root_lock::LockKind;
use crate::target::Target;

/// What is built, and how: `recipe.toml` in a recipe's folder.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RecipeFile {
    /// The recipe that this one inherits from: a folder, relative to this one's. This file then has what differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherits: Option<PathBuf>,
    /// What is left out of what is inherited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<Without>,
    /// Name of the recipe and of the source package.
    pub name: String,
    /// Upstream's version.
    #[serde(deserialize_with = "control::read_upstream_version")]
    pub version: String,
    /// Who answers for the packages, `Name <address>`.
    #[serde(deserialize_with = "control::read_maintainer")]
    pub maintainer: String,
    /// Upstream's home page.
    #[serde(deserialize_with = "control::read_homepage")]
    pub homepage: String,
    /// Where upstream's source comes from.
    pub source: Source,
    /// Later commits of upstream that are applied on the source, in order.
    #[serde(default, rename = "cherry-pick", skip_serializing_if = "Vec::is_empty")]
    pub cherry_picks: Vec<CherryPick>,
    /// What the build needs.
    pub build: Build,
    /// The phases, in order.
    #[serde(rename = "phase")]
    pub phases: Vec<Phase>,
    /// Upstream's test suite, where it is one of googletest programs.
    #[serde(default)]
    pub check: Option<Check>,
    /// The cluster that the packages make, where they make one.
    #[serde(default)]
    pub cluster: Option<Cluster>,
    /// What `cargo xtask bench` measures, where the recipe says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bench: Option<BenchSection>,
    /// What holds for some targets alone, by a pattern of their names such as `debian-11/*`, in which `*` is a release, an
    /// architecture or a part of one. An edit for one target costs no other one a build, as long as no package is made of the file.
    #[serde(default, rename = "target", skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, Condition>,
}

/// Where upstream's source comes from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Source {
    /// A commit of a git repository.
    Git(GitSource),
    /// A folder beside the recipe.
    Directory(DirectorySource),
}

/// A commit of a git repository.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GitSource {
    /// The commit, 40 hexadecimal digits: this is the pin.
    pub commit: String,
    /// The tag that names it, for remotes that do not serve a commit by its id.
    pub tag: String,
    /// The repositories, tried in turn.
    pub git: Vec<String>,
    /// Bundled files in the tree, as glob patterns, that `sources.lock` pins.
    #[serde(default)]
    pub bundled: Vec<String>,
}

/// A folder beside the recipe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DirectorySource {
    /// The folder, relative to the recipe.
    pub directory: PathBuf,
}

/// What the build needs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Build {
    /// Build dependencies, in the syntax of Debian's `Build-Depends` (policy 7.1).
    #[serde(deserialize_with = "control::read_build_depends")]
    pub depends: Vec<String>,
    /// Memory that a compile is taken to need, such as `2GiB`, where neither an earlier build nor `compile-memory` knows.
    #[serde(default = "default_memory_per_job")]
    pub memory_per_job: foundation::bytes::ByteSize,
    /// What a machine needs that builds it; `cargo xtask doctor` asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineNeeds>,
    /// Variables for every phase.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// What a machine needs that builds a recipe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineNeeds {
    /// Free disk that a build takes at its largest, with build root and downloads.
    pub disk: foundation::bytes::ByteSize,
    /// Memory below which some file cannot be compiled.
    pub memory: foundation::bytes::ByteSize,
}

fn default_memory_per_job() -> foundation::bytes::ByteSize {
    foundation::bytes::ByteSize(1 << 30)
}

/// One phase of the build; its script is `phases/NAME` in the recipe's folder.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Phase {
    /// Name of the phase and of its script: lower-case, each once.
    pub name: String,
    /// Recipe files or folders that the script reads, beside those of earlier phases.
    #[serde(default)]
    pub inputs: Vec<PathBuf>,
}

/// Upstream's test suite; the script that compiles it is `phases/check`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Check {
    /// The phase whose result the test programs are compiled in: with these objects, and no others.
    pub after: String,
    /// Recipe files or folders that the script reads, beside those of the phases before.
    #[serde(default)]
    pub inputs: Vec<PathBuf>,
    /// Memory limit of one shard; as many run at once as the budget has room for.
    pub memory_per_shard: foundation::bytes::ByteSize,
    /// Shards that run at once for each processor, where memory allows: tests mostly wait.
    pub shards_per_processor: u32,
    /// Seconds after which a test that has not ended is killed, with everything that it started.
    pub test_seconds: u64,
    /// Variables for the test programs.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The test programs, in order.
    #[serde(rename = "program")]
    pub programs: Vec<TestProgram>,
    /// The tests that need a root user, for `--root`.
    #[serde(default)]
    pub root: Option<RootTests>,
}

/// A googletest program.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TestProgram {
    /// The name that reports give it.
    pub name: String,
    /// Its path below `/build/work`; it is run in the folder that it is in.
    pub path: PathBuf,
}

/// Tests that need a root user.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RootTests {
    /// Which they are, in googletest's filter syntax.
    pub filter: String,
    /// The capabilities that they get, see capabilities(7), without `CAP_`.
    pub capabilities: Vec<String>,
    /// Devices that they may use beside an engine's usual ones, such as `c 10:200 rwm`: as the kernel's device control
    /// group has it.
    #[serde(default)]
    pub device_cgroup_rules: Vec<String>,
    /// Variables, beside those that all tests get.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Shell commands that each of their containers starts with.
    #[serde(default)]
    pub prepare: String,
    /// What some of them need of the machine, beyond what they find out themselves.
    #[serde(default, rename = "need")]
    pub needs: Vec<Need>,
}

/// Something that not every machine has. Where it is missing, the tests that need it are left out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Need {
    /// The tests, in googletest's filter syntax.
    pub tests: String,
    /// Shell command, run in the container that the tests would run in; it ends with 0 where they can.
    pub probe: String,
    /// What is missing where they cannot.
    pub missing: String,
}

/// Folder of the scripts that configure a cluster's nodes.
pub const CLUSTER_FOLDER: &str = "cluster";

/// Name of the phase that compiles the tests.
pub const CHECK_PHASE: &str = "check";

/// Name of the phase that is upstream's own way.
pub const BASELINE_PHASE: &str = "baseline";

/// Name of the recipe's description.
pub(crate) const FILE: &str = "recipe.toml";

/// A recipe that has been read and looked over.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The folder that the recipe is in.
    pub folder: PathBuf,
    /// What `recipe.toml` in that folder says.
    pub file: RecipeFile,
    /// Files and folders that only phases of other targets read, once the recipe is for a target.
    pub(crate) elsewhere: Vec<PathBuf>,
    /// What it has from another recipe, and what that one is.
    pub(crate) inheritance: Option<Box<Inheritance>>,
    /// See [`Recipe::handle`].
    pub(crate) handle: String,
    /// See [`Recipe::called`].
    pub(crate) called: String,
}

/// A file of the recipe, by its path in the recipe's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecipeInput {
    /// Digest of the content, or of the target of a symbolic link.
    pub sha256: Digest,
    /// Executable by its owner. The other permissions are not an input: they depend on a umask.
    pub executable: bool,
}

impl Recipe {
    /// Reads the recipe `name`: a folder's path, or the name of one of `known` (name and folder).
    ///
    /// # Errors
    /// Neither is `name` one of the known recipes nor a folder with a `recipe.toml`, it is the name of two, or the recipe cannot
    /// be read.
    pub fn find(name: &str, known: &[(String, PathBuf)]) -> Result<Self, RecipeError> {
        let mut called = known.iter().filter(|(known, _)| known == name).map(|(_, folder)| folder.clone());
        let folder = called.next().unwrap_or_else(|| PathBuf::from(name));
        if let Some(other) = called.next() {
            return Err(RecipeError::Ambiguous { name: name.to_owned(), folders: [folder, other] });
        }
        if !folder.join(FILE).is_file() {
            let mut looked = vec![folder.join(FILE).display().to_string()];
            looked.extend(known.iter().map(|(name, _)| format!("the recipe {name}")));
            return Err(RecipeError::Unknown { name: name.to_owned(), looked: looked.join(", ") });
        }
        Ok(Self { called: name.to_owned(), ..Self::read(&folder)? })
    }

    /// Reads and checks the `recipe.toml` in a folder.
    ///
    /// # Errors
    /// `recipe.toml` cannot be read, is not TOML of this form, or something in it makes no sense, such as a phase
    /// without a script. Or that is so in a recipe that it inherits from, or there is no such recipe.
    pub fn read(folder: &Path) -> Result<Self, RecipeError> {
        Self::read_below(folder, &[])
    }

    /// Reads a recipe, from which those in the folders `below` inherit.
    pub(crate) fn read_below(folder: &Path, below: &[PathBuf]) -> Result<Self, RecipeError> {
        let path = folder.join(FILE);
        let (file, inheritance) = inherit::read(folder, below)?;
        let above = inheritance.as_deref();
        let invalid = |message: String| Err(RecipeError::Invalid { path: path.clone(), message });
        let invalid_at = |keys: &[&str], message: String| {
            let line = |text: &str| line_of(text, keys);
            Err(line::invalid(folder, above, &line, &message))
        };
        let invalid_phase = |phase: &Phase, message: String| {
            let line = |text: &str| line_of_value(text, &["phase", "name"], &phase.name);
            Err(line::invalid(folder, above, &line, &format!("phase \"{}\": {message}", phase.name)))
        };
        let is_name = |text: &str| {
            text.len() > 1 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
        };
        if control::package_name(&file.name).is_err() {
            let message = format!(
                "name = \"{}\": a source package's name has lower-case letters, digits and + - . (Debian policy 5.6.1)",
                file.name
            );
            return invalid_at(&["name"], message);
        }
        if let Source::Git(git) = &file.source {
            if git.commit.len() != 40 || !git.commit.bytes().all(|b| b.is_ascii_hexdigit()) {
                let message =
                    format!("source.commit = \"{}\": the 40 hexadecimal digits of a commit are needed", git.commit);
                return invalid_at(&["source", "commit"], message);
            }
            if git.git.is_empty() {
                return invalid_at(&["source", "git"], "source.git is empty: name at least one repository".into());
            }
        }
        if let (Source::Directory(_), Some(pick)) = (&file.source, file.cherry_picks.first()) {
            return invalid(format!(
                "cherry-pick {}: a folder has no later commits; only a source with `commit` and `git` has",
                pick.commit
            ));
        }
        if let Err(message) = cherry_pick::look_over(&file.cherry_picks) {
            return invalid(message);
        }
        if file.phases.is_empty() {
            return invalid("there is no [[phase]]: name at least one, with its script in phases/".into());
        }
        for (i, phase) in file.phases.iter().enumerate() {
            if !is_name(&phase.name) || file.phases[..i].iter().any(|other| other.name == phase.name) {
                return invalid_phase(phase, "names are lower-case and used once".into());
            }
            if phase.name == CHECK_PHASE {
                return invalid_phase(phase, "describe upstream's tests in [check]".into());
            }
            if phase.name == BASELINE_PHASE {
                return invalid_phase(phase, "describe what is measured in [bench]".into());
            }
            if let Err(why) = look_over_inputs(&phase.inputs) {
                return invalid_phase(phase, format!("inputs: {why}"));
            }
        }
        if let Some(Err(message)) = file.check.as_ref().map(|check| check.look_over(&file.phases)) {
            return invalid_at(&["check"], format!("check.{message}"));
        }
        if let Some(Err(message)) = file.cluster.as_ref().map(Cluster::look_over) {
            return invalid_at(&["cluster"], format!("cluster.{message}"));
        }
        if let Some(Err(message)) = file.bench.as_ref().map(|bench| bench.look_over(&file.phases)) {
            return invalid_at(&["bench"], format!("bench.{message}"));
        }
        if let Err((pattern, message)) = condition::look_over(&file) {
            return Err(condition::invalid(folder, above, &pattern, &message));
        }
        if let Err(why) = look_over_variables(&file.build.environment) {
            return invalid_at(&["build", "environment"], format!("build.environment: {why}"));
        }
        let handle = match inheritance {
            Some(_) => inherit::look_over_name(&path, folder)?,
            None => file.name.clone(),
        };
        Ok(Self { folder: folder.to_owned(), elsewhere: Vec::new(), inheritance, called: handle.clone(), handle, file })
    }

    /// The name of the recipe, which is that of the source package.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// The name that tells it from others with the same packages: its folder's where it inherits, else its own.
    pub fn handle(&self) -> &str {
        &self.handle
    }

    /// What a command calls it: the name or folder that was given to [`Recipe::find`], so that a hint can be pasted.
    pub fn called(&self) -> &str {
        &self.called
    }

    /// The later commits that are to be applied on the source, in order.
    pub fn picks(&self) -> Vec<Pick> {
        self.file.cherry_picks.iter().filter_map(CherryPick::pick).collect()
    }

    /// Everything that a lock of this kind is asked to pin, beside Essential and required packages.
    pub fn request(&self, target: &Target, kind: LockKind) -> Vec<String> {
        let mut request = match kind {
            LockKind::BuildRoot => [target.base.as_slice(), &self.file.build.depends].concat(),
            // What only compiling needs has no place on a node.
            LockKind::NodeRoot => self.file.cluster.iter().flat_map(|cluster| cluster.depends.clone()).collect(),
            LockKind::Machine => [self.request(target, LockKind::NodeRoot), target.machine.clone()].concat(),
            LockKind::Farm => ["distcc", "socat"].map(str::to_owned).into(),
        };
        request.sort();
        request.dedup();
        request
    }

    /// The digest of the request, as the lock keeps it.
    pub fn request_digest(&self, target: &Target, kind: LockKind) -> Digest {
        Digest::of_json(&(&target.suite, &target.component, self.request(target, kind)))
    }

    /// Where this recipe's lock of this kind for a target is read: in its own folder, or where it has none in that of the
    /// recipe that it inherits from.
    pub fn lock_path(&self, target: &Target, kind: LockKind) -> PathBuf {
        self.path(Path::new(&Self::lock_name(target, kind)))
    }

    /// Where this recipe's lock of this kind for a target is written: in its own folder.
    pub fn own_lock_path(&self, target: &Target, kind: LockKind) -> PathBuf {
        self.folder.join(Self::lock_name(target, kind))
    }

    fn lock_name(target: &Target, kind: LockKind) -> String {
        let extension = match kind {
            LockKind::BuildRoot => "lock",
            LockKind::NodeRoot => "cluster.lock",
            LockKind::Machine => "vm.lock",
            LockKind::Farm => "farm.lock",
        };
        format!("{}.{extension}", target.name.file_stem())
    }

    /// The phase that compiles upstream's tests, where the recipe has some.
    pub fn check_phase(&self) -> Option<Phase> {
        let check = self.file.check.as_ref()?;
        Some(Phase { name: CHECK_PHASE.to_owned(), inputs: check.inputs.clone() })
    }

    /// The phase that is upstream's own way, where the recipe has one.
    pub fn baseline_phase(&self) -> Option<Phase> {
        let baseline = self.file.bench.as_ref()?.baseline.as_ref()?;
        Some(Phase { name: BASELINE_PHASE.to_owned(), inputs: baseline.inputs.clone() })
    }
}

impl Check {
    fn look_over(&self, phases: &[Phase]) -> Result<(), String> {
        is_phase(&self.after, phases)?;
        if self.programs.is_empty() {
            return Err("program is empty: name at least one googletest program".into());
        }
        if self.shards_per_processor == 0 || self.test_seconds == 0 {
            return Err("shards-per-processor and test-seconds have to be 1 or more".into());
        }
        look_over_inputs(&self.inputs).map_err(|why| format!("inputs: {why}"))?;
        let root = self.root.iter().map(|root| ("root.environment", &root.environment));
        for (field, variables) in root.chain([("environment", &self.environment)]) {
            variables.iter().try_for_each(look_over_variable).map_err(|why| format!("{field}: {why}"))?;
        }
        for (i, program) in self.programs.iter().enumerate() {
            if outside(std::slice::from_ref(&program.path)).is_some() {
                return Err(format!("program: {} is not a path below /build/work", program.path.display()));
            }
            if program.name.is_empty() || self.programs[..i].iter().any(|other| other.name == program.name) {
                return Err(format!("program: the name \"{}\" is empty or used twice", program.name));
            }
        }
        Ok(())
    }
}

impl BenchSection {
    fn look_over(&self, phases: &[Phase]) -> Result<(), String> {
        let inside = |field: &str, paths: &[PathBuf], folder: &str| match outside(paths) {
            Some(path) => Err(format!("{field}: {} is not a path inside the {folder}", path.display())),
            None => Ok(()),
        };
        inside("source-file", std::slice::from_ref(&self.source_file), "source")?;
        inside("unit", std::slice::from_ref(&self.unit), "recipe's folder")?;
        if let Some(governor) = &self.governor {
            is_phase(&governor.after, phases).map_err(|message| format!("governor.{message}"))?;
        }
        let Some(baseline) = &self.baseline else { return Ok(()) };
        is_phase(&baseline.after, phases).map_err(|message| format!("baseline.{message}"))?;
        look_over_inputs(&baseline.inputs).map_err(|why| format!("baseline.inputs: {why}"))?;
        for left_out in &baseline.left_out {
            left_out.matcher().map_err(|error| format!("baseline.left-out.files: {error}"))?;
        }
        Ok(())
    }
}

impl LeftOut {
    /// The patterns in `files` as one matcher, in which `*` does not match a `/`.
    ///
    /// # Errors
    /// One of the patterns is not a glob pattern.
    pub fn matcher(&self) -> Result<GlobSet, globset::Error> {
        let mut set = GlobSetBuilder::new();
        for pattern in &self.files {
            set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
        }
        set.build()
    }
}

/// Whether a phase that something comes after is one.
fn is_phase(after: &str, phases: &[Phase]) -> Result<(), String> {
    if phases.iter().any(|phase| phase.name == after) {
        return Ok(());
    }
    let names: Vec<&str> = phases.iter().map(|phase| phase.name.as_str()).collect();
    Err(format!("after = \"{after}\": name one of the phases ({})", names.join(", ")))
}

/// The first path that is not one of something in the folder: that leads out of it, or is the folder itself.
pub(crate) fn outside(paths: &[PathBuf]) -> Option<&PathBuf> {
    let inside = |path: &&PathBuf| {
        !path.as_os_str().is_empty() && path.components().all(|part| matches!(part, Component::Normal(_)))
    };
    paths.iter().find(|path| !inside(path))
}

/// Variables of a phase that the tool sets: what a script reads in them has to be true.
const SET_BY_THE_TOOL: [&str; 9] = [
    "DEB_HOST_ARCH",
    "DEB_HOST_GNU_TYPE",
    "DEB_HOST_MULTIARCH",
    "DEB_VERSION",
    "HOME",
    "JOBS",
    "MEMORY_BYTES",
    "SOURCE_DATE_EPOCH",
    "VERSION",
];

/// Refuses what cannot be the variables of a phase.
pub(crate) fn look_over_variables(variables: &BTreeMap<String, String>) -> Result<(), String> {
    variables.iter().try_for_each(look_over_variable)?;
    match variables.keys().find(|name| name.starts_with("BUILD_") || SET_BY_THE_TOOL.contains(&name.as_str())) {
        Some(name) => {
            Err(format!("{name} is set by the tool, as are all whose names begin with BUILD_: take another name"))
        }
        None => Ok(()),
    }
}

/// Refuses what cannot be a variable, or is none that a shell could read.
fn look_over_variable((name, value): (&String, &String)) -> Result<(), String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) || !name.bytes().all(good) {
        return Err(format!("\"{}\" is not a variable's name, which has letters, digits and _", name.escape_debug()));
    }
    match value.contains('\0') {
        true => Err(format!("{name} has a NUL character, which no variable can have")),
        false => Ok(()),
    }
}

/// Refuses what cannot be an input of a phase.
pub(crate) fn look_over_inputs(inputs: &[PathBuf]) -> Result<(), String> {
    if let Some(input) = outside(inputs) {
        let text = input.display().to_string();
        let text = if text.is_empty() { "\"\"" } else { &text };
        return Err(format!("{text} is not a path inside the recipe's folder"));
    }
    match inputs.iter().any(|input| input == Path::new(FILE)) {
        true => Err(format!("{FILE} is no input: a phase gets what it says as variables, such as VERSION")),
        false => Ok(()),
    }
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
