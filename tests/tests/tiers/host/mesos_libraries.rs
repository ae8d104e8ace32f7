//! The packages with Mesos' library, as the manifests declare them, installed over each other and side by side by the real dpkg.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use deb::manifest;
use recipe::{Recipe, frozen};
use tests::dist::Deb;
use tests::{Ran, repository, run};

/// Where the Java bindings and `MESOS_NATIVE_JAVA_LIBRARY` of frameworks look.
const JNI: &str = "usr/lib/x86_64-linux-gnu/jni/libmesos.so";

fn library(version: &str) -> String {
    format!("usr/lib/x86_64-linux-gnu/libmesos-{version}.so")
}

/// The packages of a recipe that have the library, of this version (such as `1.7.2-2~deb13u1`), with the files and the relations that
/// its manifest gives them.
fn packages(recipe: &str, version: &str, folder: &Path) -> Vec<PathBuf> {
    let copy = tempfile::tempdir().unwrap();
    // As it is built from: with what it inherits, and the version in the packages' names.
    let recipe = Recipe::read(&repository().join("packaging").join(recipe)).unwrap();
    let copied = copy.path().join("recipe");
    frozen::copy_to(&recipe, &copied).unwrap();
    let upstream = &recipe.file.version;
    let stage = copy.path().join("stage");
    for path in [JNI, &library(upstream)] {
        let path = stage.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let mut manifest = manifest::read(&copied).unwrap();
    let wanted = [format!("libmesos-{upstream}"), "libmesos-jni".to_owned()];
    manifest.packages.retain(|package| wanted.contains(&package.name));
    manifest.omit.clear();
    let contents = manifest.resolve(&stage).unwrap();
    manifest
        .packages
        .iter()
        .map(|package| {
            let relations = [
                ("Conflicts", &package.fields.conflicts),
                ("Breaks", &package.fields.breaks),
                ("Replaces", &package.fields.replaces),
            ];
            let relations = relations.into_iter().filter_map(|(name, field)| Some((name, field.as_ref()?.joined())));
            let mut deb = Deb::new(&package.name);
            deb.architecture = "amd64";
            deb.fields =
                relations.map(|(name, of)| format!("{name}: {}\n", of.replace("${binary:Version}", version))).collect();
            deb.files = contents[&package.name].entries.keys().map(|path| (path.clone(), String::new())).collect();
            folder.join(deb.write(folder, "mesos", version))
        })
        .collect()
}

/// The library's package as the first ones were: with the name for Java in it.
fn first(version: &str, folder: &Path) -> PathBuf {
    let mut deb = Deb::new("libmesos-1.7.2");
    deb.architecture = "amd64";
    deb.files = vec![(JNI.into(), String::new()), (library("1.7.2"), String::new())];
    folder.join(deb.write(folder, "mesos", version))
}

/// A machine with nothing on it.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for name in ["info", "updates"] {
            fs::create_dir_all(root.path().join("var/lib/dpkg").join(name)).unwrap();
        }
        fs::write(root.path().join("var/lib/dpkg/status"), "").unwrap();
        Self(root)
    }

    fn dpkg(&self, arguments: &[&str]) -> Ran {
        let mut dpkg = Command::new("dpkg");
        // What else they depend on, and the programs that dpkg calls, are not there.
        dpkg.arg(format!("--root={}", self.0.path().display())).args(["--force-depends", "--force-bad-path"]);
        run(dpkg.args(arguments))
    }

    fn install(&self, debs: &[PathBuf]) -> Ran {
        let debs: Vec<String> = debs.iter().map(|deb| deb.display().to_string()).collect();
        self.dpkg(&[&["--install"], &debs.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat())
    }

    /// The package that has a file, which is there.
    fn owner(&self, path: &str) -> String {
        assert!(self.0.path().join(path).exists(), "{path} is gone");
        let said = self.dpkg(&["--search", &format!("/{path}")]).success().stdout;
        said.split(':').next().unwrap().to_owned()
    }
}

#[test]
fn an_upgrade_takes_the_name_for_java_out_of_the_librarys_package() {
    let folder = tempfile::tempdir().unwrap();
    for before in ["1.7.2-1", "1.7.2-1~deb13u1"] {
        let machine = Machine::new();
        machine.install(&[first(before, folder.path())]).success();
        assert_eq!(machine.owner(JNI), "libmesos-1.7.2");
        let after = packages("mesos", "1.7.2-2~deb13u1", folder.path());
        // Alone it does not break what is there, and both orders of unpacking lose nothing.
        let jni = after.iter().find(|deb| deb.to_string_lossy().contains("libmesos-jni_")).unwrap().clone();
        machine.install(&[jni]).fails(1, &["breaks libmesos-1.7.2"]);
        assert_eq!(machine.owner(JNI), "libmesos-1.7.2");
        machine.install(&after).success();
        assert_eq!(
            (machine.owner(JNI), machine.owner(&library("1.7.2"))),
            ("libmesos-jni".into(), "libmesos-1.7.2".into())
        );
    }
}

#[test]
fn libraries_of_two_versions_are_installed_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::new();
    let old = packages("mesos", "1.7.2-2~deb13u1", folder.path());
    let new = packages("mesos-1.7.3", "1.7.3-1~deb13u1", folder.path());
    machine.install(&old).success();
    machine.install(&new).success();
    for version in ["1.7.2", "1.7.3"] {
        assert_eq!(machine.owner(&library(version)), format!("libmesos-{version}"));
    }
    assert_eq!(machine.owner(JNI), "libmesos-jni");

    // Not beside the first one, which has the name for Java: that one is upgraded or goes.
    let machine = Machine::new();
    machine.install(&[first("1.7.2-1~deb13u1", folder.path())]).success();
    machine.install(&new).fails(1, &["breaks libmesos-1.7.2"]);
    assert_eq!(machine.owner(JNI), "libmesos-1.7.2");
}
