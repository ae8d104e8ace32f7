//! A volume, a folder and a small image for tests with a real container engine. Where none answers they fail, and say how to
//! get one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::container::{image_labels, import};
use engine::transfer::Upload;
use engine::{Engine, volume};
use phases::PhaseError;
use phases::phase::{PhaseEvent, PhaseSpec, run};
use phases::record::PhaseRecord;
use tar::{Builder, EntryType, Header};
use tokio::sync::OnceCell;

/// The programs that the scripts of these tests call.
const PROGRAMS: &[&str] = &[
    "sh", "env", "cat", "cp", "mkdir", "mv", "rm", "grep", "sleep", "flock", "id", "true", "tail", "head", "touch",
    "ls", "chmod", "wc", "stat",
];

/// Finds the engine, with a run of its own; panics where none answers.
pub async fn engine() -> Engine {
    match Engine::find().await {
        Ok(engine) => engine.with_run(&format!("test-{}", std::process::id())),
        Err(error) => panic!("these tests need a container engine.\n{error}"),
    }
}

/// Makes an image of this machine's own shell and a few programs, with the libraries that they load, and returns its
/// name: nothing to download, and made in a second. It has the folders and the user of a build root.
pub async fn image(engine: &Engine) -> &'static str {
    static ONCE: OnceCell<()> = OnceCell::const_new();
    const NAME: &str = "mesos-packages/test:2";
    ONCE.get_or_init(|| async {
        if image_labels(engine, NAME).await.unwrap().is_none() {
            import(engine, NAME, "test", &BTreeMap::new(), |writer| {
                root(writer);
                Ok(())
            })
            .await
            .unwrap();
        }
    })
    .await;
    NAME
}

fn root(writer: &mut impl std::io::Write) {
    let mut files: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for program in PROGRAMS {
        let found =
            ["/usr/bin", "/bin"].iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists());
        let found = found
            .unwrap_or_else(|| panic!("these tests put {program} into their image, and it is not in /usr/bin or /bin"));
        let output = Command::new("ldd").arg(&found).output().expect("ldd is part of libc-bin");
        let libraries = String::from_utf8_lossy(&output.stdout).into_owned();
        files.insert(format!("usr/bin/{program}").into(), found);
        for word in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
            let place = word.strip_prefix("/usr").unwrap_or(word);
            files.insert(format!("usr{place}").into(), word.into());
        }
    }
    let mut builder = Builder::new(writer);
    let mut folders: BTreeSet<PathBuf> =
        ["etc", "tmp", "proc", "sys", "dev", "usr/lib", "usr/lib64"].map(PathBuf::from).into();
    for path in files.keys() {
        folders.extend(path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).map(Path::to_owned));
    }
    let mut add = |path: &Path, kind, owner, mode, content: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content).unwrap();
    };
    for folder in &folders {
        // The engine gives the memory file system there the permissions of the folder.
        let mode = if folder == Path::new("tmp") { 0o1777 } else { 0o755 };
        add(folder, EntryType::Directory, 0, mode, &[]);
    }
    for folder in ["build", "ccache"] {
        add(Path::new(folder), EntryType::Directory, 1000, 0o755, &[]);
    }
    for (place, source) in &files {
        add(place, EntryType::Regular, 0, 0o755, &std::fs::read(source).unwrap());
    }
    add(
        Path::new("etc/passwd"),
        EntryType::Regular,
        0,
        0o644,
        b"root:x:0:0::/root:/bin/sh\nbuilder:x:1000:1000::/build/home:/bin/sh\n",
    );
    for link in ["bin", "lib", "lib64"] {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, link, format!("usr/{link}")).unwrap();
    }
    builder.finish().unwrap();
}

/// A volume and a folder of one test, removed with it.
pub struct Trial {
    /// The engine that the test uses.
    pub engine: Engine,
    /// The name of the volume in the engine.
    pub volume: String,
    /// The folder with logs and results.
    pub folder: tempfile::TempDir,
    /// The name of the image in the engine.
    pub image: &'static str,
}

impl Trial {
    /// Makes the volume and the folder; `name` tells them from those of other tests.
    pub async fn new(name: &str) -> Self {
        let engine = engine().await;
        let image = image(&engine).await;
        let volume = format!("mesos-packages-test-{}-{name}", std::process::id());
        volume::remove(&engine, &volume).await.unwrap();
        volume::create(&engine, &volume, "test", name).await.unwrap();
        Self { engine, volume, folder: tempfile::tempdir().unwrap(), image }
    }

    /// A phase with 256 MiB of memory and two minutes of time that runs this script.
    pub fn spec(&self, script: &str) -> PhaseSpec {
        PhaseSpec {
            circumstances: Default::default(),
            farm: None,
            name: "trial".into(),
            image: self.image.into(),
            volume: self.volume.clone(),
            cache_volume: None,
            script: format!("set -eu\n{script}").into_bytes(),
            uploads: Vec::new(),
            env: BTreeMap::new(),
            memory_bytes: 256 << 20,
            memory_per_job: None,
            jobs: 2,
            pids_limit: 200,
            cpus: None,
            timeout: Some(std::time::Duration::from_secs(120)),
            labels: BTreeMap::new(),
            log: self.folder.path().join("log"),
            downloads: Vec::new(),
            download_dir: self.folder.path().join("results"),
        }
    }

    /// Runs a phase, and returns its record and what it said meanwhile.
    ///
    /// # Errors
    /// As for [`phases::phase::run`].
    pub async fn run(&self, spec: PhaseSpec) -> Result<(PhaseRecord, Vec<PhaseEvent>), PhaseError> {
        let mut events = Vec::new();
        let record = run(&self.engine, spec, &mut |event| events.push(event)).await?;
        Ok((record, events))
    }

    /// Runs a script that must succeed, and returns what it printed.
    pub async fn output(&self, script: &str) -> String {
        let (record, _) = self.run(self.spec(script)).await.unwrap();
        let log = self.log();
        assert_eq!(record.exit, 0, "{log}");
        log
    }

    /// The log of the last phase.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Removes the volume, at the end of a test that passed.
    pub async fn done(self) {
        volume::remove(&self.engine, &self.volume).await.unwrap();
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // A test that failed did not come to `done`.
        let (engine, name) = (self.engine.clone(), self.volume.clone());
        engine::container::detached(move || async move {
            if let Some(docker) = engine.reconnected() {
                let _ = docker.remove_volume(&name, None::<bollard::query_parameters::RemoveVolumeOptions>).await;
            }
        });
    }
}

/// A stand-in for a compiler at `/build/fake/cc`. A source named `N-….c` costs N MiB for two seconds; once it has them,
/// there is a file `/build/full`.
pub fn fake_compiler() -> Upload {
    let script = r#"#!/bin/sh
for argument; do source=$argument; done
amount=${source##*/}
amount=${amount%%-*}
if { head -c "${amount}M" /dev/zero; touch /build/full; sleep 2; } | tail -c "${amount}M" >/dev/null; then
    echo "compiled $*"
else
    echo "cc: fatal error: Killed signal terminated program cc1plus" >&2
    exit 1
fi
"#;
    Upload::bytes("/build/fake/cc", script, 0o755)
}
