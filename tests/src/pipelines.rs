//! The release pipelines of `ci/` as the systems that run them see them: scripts, their variables, and the targets.

use std::collections::BTreeMap;
use std::fs;

use yaml_rust2::{Yaml, YamlLoader};

use crate::repository;

/// A piece of shell that a pipeline runs, with a shell of its own.
#[derive(Debug)]
pub struct Script {
    /// The text.
    pub text: String,
    /// Its variables; empty where the system has them from elsewhere.
    pub variables: BTreeMap<String, String>,
}

/// A pipeline.
#[derive(Debug)]
pub struct Pipeline {
    /// Its file in `ci/`.
    pub file: &'static str,
    /// The shell that runs its scripts.
    pub shell: &'static str,
    /// In the order in which they are run.
    pub scripts: Vec<Script>,
    /// The targets of each of its matrices.
    pub matrices: Vec<Vec<String>>,
}

/// The text of a file in `ci/`.
pub fn text(file: &str) -> String {
    fs::read_to_string(repository().join("ci").join(file)).expect("readable")
}

/// The only document of a YAML file in `ci/`.
pub fn yaml(file: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(documents.len(), 1, "{file}");
    documents.remove(0)
}

/// All of them.
pub fn all() -> [Pipeline; 3] {
    [github(), gitlab(), jenkins()]
}

/// GitHub Actions: jobs are read in the order of the file; each needs the one before it.
pub fn github() -> Pipeline {
    let file = "github.yml";
    let document = yaml(file);
    let mut pipeline = Pipeline { file, shell: "bash", scripts: Vec::new(), matrices: Vec::new() };
    let mut before: Option<&str> = None;
    for (name, job) in document["jobs"].as_hash().expect("jobs") {
        assert_eq!(job["needs"].as_str(), before, "{file}: {name:?} does not wait for the job before it");
        before = name.as_str();
        pipeline.matrices.push(strings(&job["strategy"]["matrix"]["target"]));
        for step in job["steps"].as_vec().expect("steps") {
            if let Some(text) = step["run"].as_str() {
                let mut variables = map(&job["env"]);
                variables.extend(map(&step["env"]));
                pipeline.scripts.push(Script { text: text.to_owned(), variables });
            }
        }
    }
    pipeline
}

/// GitLab CI: jobs are run in the order of their stages. Each line of a script is run by the same shell, as if they were one
/// text.
pub fn gitlab() -> Pipeline {
    let file = "gitlab.yml";
    let document = yaml(file);
    let mut pipeline = Pipeline { file, shell: "bash", scripts: Vec::new(), matrices: Vec::new() };
    let jobs: Vec<&Yaml> =
        document.as_hash().expect("a map").values().filter(|value| !value["script"].is_badvalue()).collect();
    let stages = strings(&document["stages"]);
    for stage in &stages {
        for job in jobs.iter().filter(|job| job["stage"].as_str() == Some(stage)) {
            let base = job["extends"].as_str().expect("every job is one of a matrix");
            let matrix = &document[base]["parallel"]["matrix"];
            assert_eq!(matrix.as_vec().map(Vec::len), Some(1), "{file}");
            pipeline.matrices.push(strings(&matrix[0]["TARGET"]));
            let text = strings(&job["script"]).join("\n");
            pipeline.scripts.push(Script { text, variables: BTreeMap::new() });
        }
    }
    assert_eq!(pipeline.scripts.len(), jobs.len(), "{file}: a job is in no stage");
    pipeline
}

/// Jenkins: no program to be had here reads the declarative syntax as Jenkins does, so the scripts are found by their form,
/// one `sh '…'` a line.
pub fn jenkins() -> Pipeline {
    let file = "Jenkinsfile";
    let mut pipeline = Pipeline { file, shell: "sh", scripts: Vec::new(), matrices: Vec::new() };
    for line in text(file).lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        if let Some(script) = line.strip_prefix("sh ") {
            // In single quotes Groovy leaves `$` to the shell, so that no secret becomes a part of the command.
            let script = script.strip_prefix('\'').and_then(|script| script.strip_suffix('\''));
            let text = script.unwrap_or_else(|| panic!("{file}: not in single quotes: {line}")).to_owned();
            assert!(!text.contains(['\'', '\\']), "{file}: {line}");
            pipeline.scripts.push(Script { text, variables: BTreeMap::new() });
        } else if let Some(values) = line.strip_prefix("values ") {
            let values = values.split(',').map(|value| value.trim().trim_matches('\'').to_owned());
            pipeline.matrices.push(values.collect());
        } else {
            assert!(!line.contains("cargo "), "{file}: a command that is not sh '…': {line}");
        }
    }
    pipeline
}

/// The names of the targets that Mesos is locked for, sorted: they are built and released.
pub fn targets() -> Vec<String> {
    let locked = |name: &String| {
        let lock = format!("packaging/mesos/{}.lock", name.replace('/', "-"));
        repository().join(lock).exists()
    };
    all_targets().into_iter().filter(locked).collect()
}

/// The names of all targets, as their files have them, sorted; some may be locked for nothing yet.
pub fn all_targets() -> Vec<String> {
    let folder = repository().join("containers/targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("readable").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "toml") {
            let target: toml::Table = toml::from_str(&fs::read_to_string(entry.path()).unwrap()).unwrap();
            names.push(target["name"].as_str().expect("a name").to_owned());
        }
    }
    names.sort();
    names
}

fn strings(list: &Yaml) -> Vec<String> {
    let list = list.as_vec().unwrap_or_else(|| panic!("not a list: {list:?}"));
    list.iter().map(|item| item.as_str().expect("text").to_owned()).collect()
}

fn map(map: &Yaml) -> BTreeMap<String, String> {
    let text = |yaml: &Yaml| yaml.as_str().expect("text").to_owned();
    map.as_hash().into_iter().flatten().map(|(name, value)| (text(name), text(value))).collect()
}
