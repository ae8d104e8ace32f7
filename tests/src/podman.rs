//! Debian's Podman as a second engine: its service on a socket, with images and containers in a folder of its own.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{repository, run};

/// What a Podman may give its containers that is itself in a container, and the runtime that also manages control groups of
/// version 1 there.
const SETTINGS: &str = "[containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=32768:32768\"]\n\
                        [engine]\nruntime = \"runc\"\n";

/// A service, ended with everything that it has when this is dropped. It takes root.
pub struct Podman {
    folder: tempfile::TempDir,
    driver: &'static str,
    service: Option<Child>,
}

impl Podman {
    /// Starts one and waits until it listens.
    pub fn start() -> Self {
        let parent = repository().join("target/tmp");
        fs::create_dir_all(&parent).expect("room for images");
        let folder = tempfile::Builder::new().prefix("podman-").tempdir_in(parent).expect("room for images");
        fs::write(folder.path().join("containers.conf"), SETTINGS).expect("it is ours");
        let mut podman = Self { folder, driver: "overlay", service: None };
        // Where the folder is an overlay already; each container is a copy of its image then.
        if run(podman.command().arg("info")).code != Some(0) {
            podman.driver = "vfs";
        }
        let log = fs::File::create(podman.folder.path().join("log")).expect("it is ours");
        let mut command = podman.command();
        command.args(["system", "service", "--time", "0"]).arg(podman.host());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        podman.service = Some(command.spawn().expect("podman is installed"));
        let started = Instant::now();
        while UnixStream::connect(podman.socket()).is_err() {
            let log = || fs::read_to_string(podman.folder.path().join("log")).unwrap_or_default();
            assert!(started.elapsed() < Duration::from_secs(30), "podman does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        podman
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The client of the same images and containers, without arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new("podman");
        for (option, folder) in [("--root", "images"), ("--runroot", "running"), ("--tmpdir", "temporary")] {
            command.arg(option).arg(self.folder.path().join(folder));
        }
        command.args(["--storage-driver", self.driver, "--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
        command.env("CONTAINERS_CONF", self.folder.path().join("containers.conf"));
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.command().args(["rm", "--all", "--force", "--time", "0"]).output();
        if let Some(mut service) = self.service.take() {
            let _ = service.kill();
            let _ = service.wait();
        }
        // It mounts the folder of its layers on itself.
        let _ = Command::new("umount").arg("--recursive").arg(self.folder.path().join("images/overlay")).output();
    }
}
