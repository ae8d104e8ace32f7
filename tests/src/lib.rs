//! End-to-end tests of the tool; what they share is here.
//!
//! The tests run the tool as a user does, on the sample recipe, and let Debian's own programs judge
//! what comes out. A program that is missing makes a test fail, not pass: `cargo xtask test --setup`
//! installs all of them.

pub mod apt;
pub mod browser;
pub mod checkout;
pub mod debian;
pub mod dist;
pub mod guards;
pub mod key;
pub mod linters;
pub mod pipelines;
pub mod podman;
pub mod report;
pub mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use recipe::target::Target;

/// The top folder of the checkout.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a folder of the checkout").to_owned()
}

/// The target that commands are about where none is named: what a newcomer builds, and so most tests.
pub fn default_target() -> Target {
    let defaults = fs::read_to_string(repository().join("packaging/defaults.toml")).expect("readable");
    let defaults: toml::Table = toml::from_str(&defaults).expect("TOML");
    let name = defaults["target"].as_str().expect("text").parse().expect("a target's name");
    Target::read(&repository().join("containers/targets"), &name).expect("a target")
}

/// The tool: what `cargo xtask test` hands over, else a fresh build.
pub fn tool() -> &'static Path {
    static TOOL: OnceLock<PathBuf> = OnceLock::new();
    TOOL.get_or_init(|| {
        if let Some(path) = std::env::var_os("MESOS_PACKAGES_TOOL") {
            return path.into();
        }
        let built =
            Command::new(env!("CARGO")).args(["build", "--package", "xtask"]).current_dir(repository()).status();
        assert!(built.expect("cargo runs").success(), "the tool cannot be built");
        repository().join("target/debug/xtask")
    })
}

/// A cache of its own, in which the tool runs.
pub struct Workshop {
    /// The cache's folder.
    pub cache: PathBuf,
    /// Removed with it.
    _folder: Option<tempfile::TempDir>,
}

/// What the tool did.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Runs a command while its clock is off by this, as faketime(1) has it.
pub fn run_off(off: &str, command: &Command) -> Ran {
    let mut faketime = Command::new("faketime");
    faketime.args(["-f", off]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => faketime.env(name, value),
            None => faketime.env_remove(name),
        };
    }
    run(&mut faketime)
}

impl Ran {
    /// Fails the test, with everything that the tool said, unless it succeeded.
    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the tool ended with this code and said all of these.
    #[track_caller]
    pub fn fails(self, code: i32, says: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        for text in says {
            assert!(self.stderr.contains(text), "'{text}' is not in:\n{}", self.stderr);
        }
        self
    }
}

impl Workshop {
    /// The cache that the tests share: packages are downloaded once, and the sample is built once.
    pub fn shared() -> Self {
        Self { cache: shared_cache(), _folder: None }
    }

    /// A cache with nothing but the downloads of the shared one: everything is built anew.
    pub fn fresh() -> Self {
        let shared = shared_cache();
        let parent = shared.parent().expect("in the target folder");
        let folder = tempfile::Builder::new().prefix("cache-").tempdir_in(parent).expect("room for a cache");
        let status = Command::new("cp")
            .args(["--archive", "--link"])
            .arg(shared.join("blobs"))
            .arg(folder.path().join("blobs"))
            .status()
            .expect("cp runs");
        assert!(status.success());
        // The same development key: only what is built anew may differ.
        let status = Command::new("cp")
            .arg("--archive")
            .arg(shared.join("development-key"))
            .arg(folder.path().join("development-key"))
            .status()
            .expect("cp runs");
        assert!(status.success());
        Self { cache: folder.path().to_owned(), _folder: Some(folder) }
    }

    /// The same, with the build roots that the shared one knows: everything in them is built anew. To make a root takes longer than to
    /// build the sample in it, and it is `fresh` in the tests that are about that.
    pub fn with_build_root() -> Self {
        let workshop = Self::fresh();
        workshop.take_build_roots();
        workshop
    }

    /// Takes over the build roots that the shared cache knows.
    pub fn take_build_roots(&self) {
        let stages = self.cache.join("stages");
        fs::create_dir_all(&stages).expect("room for stages");
        let known = shared_cache().join("stages/build-root");
        assert!(known.is_dir(), "whoever needs a build root has the sample packaged in the shared cache first");
        let status = Command::new("cp").arg("--archive").arg(known).arg(&stages).status().expect("cp runs");
        assert!(status.success());
    }

    /// An empty cache.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { cache: folder.path().to_owned(), _folder: Some(folder) }
    }

    /// What the cache has on record of build roots, by the digest of what each was made of.
    pub fn build_roots(&self) -> BTreeMap<String, serde_json::Value> {
        let folder = self.cache.join("stages/build-root");
        let roots = fs::read_dir(folder).expect("it has build roots").flatten();
        let name = |root: &fs::DirEntry| root.file_name().to_string_lossy().into_owned();
        roots.map(|root| (name(&root), json(&root.path().join("build-root.json")))).collect()
    }

    /// The tool as a command, to be changed before it runs.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tool());
        command
            .args(arguments)
            .env("MESOS_PACKAGES_CACHE", &self.cache)
            .env_remove("MESOS_PACKAGES_KEY_PASSPHRASE")
            .stdin(Stdio::null());
        command
    }

    /// Runs the tool.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// Packages the sample recipe into `dist`.
    pub fn package_sample(&self, dist: &Path, more: &[&str]) -> Ran {
        let dist = dist.display().to_string();
        let mut arguments = vec!["package", "--recipe", "sample", "--dist", &dist];
        arguments.extend(more);
        self.run(&arguments)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if self._folder.is_some() {
            // Its volumes in the engine.
            let _ = self.command(&["clean"]).output();
        }
    }
}

fn shared_cache() -> PathBuf {
    let cache = repository().join("target/tmp/shared-cache");
    fs::create_dir_all(&cache).expect("room for a cache");
    cache
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ran {
    let started = std::time::Instant::now();
    let output: Output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        seconds: started.elapsed().as_secs_f64(),
    }
}

/// Runs a judge and fails the test unless it is content.
#[track_caller]
pub fn judge(program: &str, arguments: &[&str], folder: &Path) -> String {
    let ran = run(Command::new(program).args(arguments).current_dir(folder));
    assert_eq!(ran.code, Some(0), "{program} {arguments:?}:\n{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// The files of a folder by name, with their digests.
pub fn digests(folder: &Path, extension: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the folder can be read").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == extension) {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.insert(name, foundation::digest::Digest::of_file(&path).expect("readable").to_string());
        }
    }
    assert!(!found.is_empty(), "{} has no .{extension} file", folder.display());
    found
}

/// A file in JSON.
pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// A copy of the sample recipe that a test may change.
pub fn sample_copy() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join("sample");
    let sample = repository().join("tests/fixtures/sample");
    let status = Command::new("cp").arg("--recursive").arg(&sample).arg(&copy).status().expect("cp runs");
    assert!(status.success());
    (folder, copy)
}

/// Replaces a text in a file, which has to have it.
#[track_caller]
pub fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {}", path.display());
    fs::write(path, text.replace(from, to)).unwrap();
}
