//! A copy of what `cargo xtask target new` reads and writes of a checkout, for tests that change it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use foundation::digest::Digest;

use crate::{Ran, Workshop, judge, repository, run};

/// The copy: targets, pipelines, and the sample as the only recipe.
pub struct Checkout {
    folder: tempfile::TempDir,
}

impl Default for Checkout {
    fn default() -> Self {
        Self::new()
    }
}

impl Checkout {
    /// Copies them.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for path in ["containers/targets", "ci", "tests/fixtures/sample"] {
            let to = folder.path().join(path);
            fs::create_dir_all(to.parent().expect("below the folder")).expect("room");
            let from = repository().join(path).display().to_string();
            judge("cp", &["--recursive", &from, &to.display().to_string()], folder.path());
        }
        Self { folder }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path in it.
    pub fn join(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Every file with its digest.
    pub fn files(&self) -> BTreeMap<String, String> {
        let listed = judge("find", &[".", "-type", "f"], self.folder.path());
        let digest = |path: &str| Digest::of_file(&self.join(path)).expect("readable").to_string();
        listed.lines().map(|path| (path.to_owned(), digest(path))).collect()
    }

    /// The tool as a command that takes this copy for the checkout.
    pub fn command(&self, workshop: &Workshop, arguments: &[&str]) -> Command {
        let mut command = workshop.command(arguments);
        command.env("MESOS_PACKAGES_CHECKOUT", self.folder.path());
        command
    }

    /// Runs it.
    pub fn run(&self, workshop: &Workshop, arguments: &[&str]) -> Ran {
        run(&mut self.command(workshop, arguments))
    }
}
