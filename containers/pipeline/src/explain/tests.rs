//! Runs that are pretended: the results of stages are empty folders.

use std::path::{Path, PathBuf};

use fetch::download::Network;
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use recipe::Recipe;
use recipe::plan::PlannedPhase;
use recipe::target::Target;

use super::*;
use crate::inputs::gather;
use crate::options::Options;

struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event) {}
}

/// A copy of the sample, and a cache.
struct Trial {
    folder: tempfile::TempDir,
    store: Store,
}

impl Trial {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/sample");
        for entry in walkdir::WalkDir::new(&sample).into_iter().map(Result::unwrap) {
            let to = folder.path().join("sample").join(entry.path().strip_prefix(&sample).unwrap());
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(to).unwrap();
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
        let store = Store::open(Some(&folder.path().join("cache"))).unwrap();
        Self { folder, store }
    }

    fn recipe(&self) -> PathBuf {
        self.folder.path().join("sample")
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.recipe().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    fn inputs(&self) -> Inputs {
        let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../targets");
        let options = Options {
            recipe: Recipe::read(&self.recipe()).unwrap(),
            target: Target::read(&targets, &"debian-12/amd64".parse().unwrap()).unwrap(),
            targets,
            source: None,
            network: Network::Offline,
            mirrors: Vec::new(),
        };
        gather(&self.store, &options, &Silent).unwrap()
    }

    /// Does what a run would leave, up to this phase, or to the packages.
    fn run(&self, last: Option<&str>) {
        let inputs = self.inputs();
        let finish = |kind: &str, key: &Digest| drop(self.store.begin(kind, key).unwrap().commit().unwrap());
        let phases: Vec<&PlannedPhase> = inputs.plan().phases().iter().collect();
        finish("build-root", &inputs.plan().build_root().key);
        for nth in 0..phases.len() {
            if self.store.stage("phase", &phases[nth].key).is_none() {
                finish("phase", &phases[nth].key);
                ran(&self.store, &inputs, &phases[..=nth]);
            }
            if last == Some(phases[nth].name.as_str()) {
                return;
            }
        }
        finish("staged", &inputs.plan().staged_key());
        finish("packages", &inputs.plan().digest());
        packed(&self.store, &inputs);
    }

    fn explain(&self) -> Explanation {
        explain(&self.store, &self.inputs(), None).unwrap()
    }

    /// Each stage and why.
    fn why(&self) -> Vec<(String, Why)> {
        self.explain().stages.into_iter().map(|one| (one.stage, one.why)).collect()
    }
}

fn all(whys: [Why; 6]) -> Vec<(String, Why)> {
    let names = [BUILD_ROOT, "bootstrap", "configure", "build", "install", PACKAGES];
    names.map(str::to_owned).into_iter().zip(whys).collect()
}

#[test]
fn what_was_never_built_and_what_is_kept() {
    use Why::*;
    let trial = Trial::new();
    assert!(trial.explain().is_new());
    assert_eq!(trial.why(), all([New; 6]));
    trial.run(Some("configure"));
    assert_eq!(trial.why(), all([Kept, Kept, Kept, New, New, New]));
    assert!(!trial.explain().is_new());
    trial.run(None);
    assert!(trial.explain().is_kept());
    assert!(trial.explain().stages[1].last_run.is_some());
}

#[test]
fn a_file_of_a_phase_is_named_and_what_follows_from_it() {
    use Why::*;
    let trial = Trial::new();
    trial.run(None);
    let text = std::fs::read_to_string(trial.recipe().join("phases/build")).unwrap();
    std::fs::write(trial.recipe().join("phases/build"), format!("{text}# another\n")).unwrap();
    assert_eq!(trial.why(), all([Kept, Kept, Kept, Changed, Follows, Follows]));
    let explanation = trial.explain();
    let [change] = &explanation.stages[3].changes[..] else { panic!("{explanation:?}") };
    assert_eq!((change.kind, change.name.as_str()), (Kind::File, "phases/build"));
    assert!(change.old.is_some() && change.new.is_some() && change.old != change.new);
    assert_eq!(explanation.stages[4].because_of.as_deref(), Some("build"));
    // A run that ends after that phase: the next one is run for what was changed before, and it is told.
    trial.run(Some("build"));
    assert_eq!(trial.why(), all([Kept, Kept, Kept, Kept, Changed, Follows]));
    assert_eq!(trial.explain().stages[4].changes, std::slice::from_ref(change));
    trial.run(None);
    assert!(trial.explain().is_kept());
    // Back again: the volumes of the earlier results are gone, but not what was staged.
    std::fs::write(trial.recipe().join("phases/build"), text).unwrap();
    assert!(trial.explain().is_kept());
}

#[test]
fn what_only_packing_reads_compiles_nothing() {
    use Why::*;
    let trial = Trial::new();
    trial.run(None);
    trial.change("systemd/sample-agent.service", "[Unit]", "# another\n[Unit]");
    assert_eq!(trial.why(), all([Kept, Kept, Kept, Kept, Kept, Changed]));
    assert_eq!(trial.explain().stages[5].changes[0].name, "systemd/sample-agent.service");
}

#[test]
fn a_package_of_the_build_root_is_told_with_its_versions() {
    use Why::*;
    let trial = Trial::new();
    trial.run(None);
    let lock = std::fs::read_to_string(trial.recipe().join("debian-12-amd64.lock")).unwrap();
    let at = lock.find("name = \"make\"\nversion = \"").expect("make is in the build root");
    let version = lock[at..].lines().nth(1).unwrap().to_owned();
    trial.change("debian-12-amd64.lock", &format!("name = \"make\"\n{version}"), "name = \"make\"\nversion = \"9\"");
    assert_eq!(trial.why(), all([Changed, Follows, Follows, Follows, Follows, Follows]));
    let old = version.trim_start_matches("version = \"").trim_end_matches('"').to_owned();
    let change = Change { kind: Kind::Package, name: "make".into(), old: Some(old), new: Some("9".into()) };
    assert_eq!(trial.explain().stages[0].changes, [change]);
}

#[test]
fn a_variable_and_the_source_are_told_once() {
    let trial = Trial::new();
    trial.run(None);
    trial.change("recipe.toml", "SAMPLE_HEAVY = \"off\"", "SAMPLE_HEAVY = \"on\"");
    std::fs::write(trial.recipe().join("upstream/README.new"), "new\n").unwrap();
    let explanation = trial.explain();
    let told: Vec<(&str, Kind, &str)> = explanation
        .stages
        .iter()
        .flat_map(|stage| stage.changes.iter().map(|change| (stage.stage.as_str(), change.kind, change.name.as_str())))
        .collect();
    assert_eq!(
        told,
        [
            ("bootstrap", Kind::Source, "tree"),
            ("bootstrap", Kind::Variable, "SAMPLE_HEAVY"),
            (PACKAGES, Kind::File, "recipe.toml")
        ]
    );
}

#[test]
fn results_that_are_gone_and_stages_that_are_none() {
    use Why::*;
    let trial = Trial::new();
    trial.run(None);
    crate::forget_results(&trial.store).unwrap();
    assert_eq!(trial.why(), all([Kept, Gone, Follows, Follows, Follows, Follows]));
    let only = explain(&trial.store, &trial.inputs(), Some("build")).unwrap();
    assert_eq!(only.stages.iter().map(|one| one.stage.as_str()).collect::<Vec<_>>(), ["build"]);
    let error = explain(&trial.store, &trial.inputs(), Some("instal")).unwrap_err().to_string();
    assert!(error.contains("bootstrap, configure, build, install, packages"), "{error}");
    // What was written by a later version, or only in part, is as good as none.
    let path = history_path_of(&trial, "build");
    std::fs::write(path, "{\"format\":2").unwrap();
    assert_eq!(trial.explain().stages[3].why, New);
}

fn history_path_of(trial: &Trial, stage: &str) -> PathBuf {
    crate::records::history_path(&trial.store, trial.inputs().plan(), stage, "inputs.json")
}
