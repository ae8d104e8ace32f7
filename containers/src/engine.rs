//! Finding the container engine and talking to it.

use serde::Serialize;

use crate::error::Error;

/// A container engine that answered: Docker, or Podman through its compatible socket.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) docker: bollard::Docker,
    pub(crate) endpoint: String,
    pub(crate) run: String,
}

/// What an engine says about itself.
#[derive(Clone, Debug, Serialize)]
pub struct EngineInfo {
    /// `Docker` or `Podman`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The API version that was negotiated.
    pub api: String,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// Such as `overlay2`.
    pub storage_driver: String,
    /// Processors that containers may use.
    pub cpus: u32,
    /// Memory of the engine's machine.
    pub memory_bytes: u64,
    /// Whether it runs on another machine (or a virtual one): this machine's free memory says nothing then.
    pub remote: bool,
    /// Its address.
    pub endpoint: String,
}

impl Engine {
    /// The first engine that answers: DOCKER_HOST, the Docker context, the default socket, the
    /// rootless socket, Podman's sockets.
    pub async fn find() -> Result<Self, Error> {
        todo!()
    }
    /// Everything that this engine makes from now on carries the label `org.mesos-packages.run=RUN`,
    /// so that [`crate::cleanup::cleanup`] finds what a killed run left behind.
    #[must_use]
    pub fn with_run(mut self, run: &str) -> Self {
        self.run = run.to_owned();
        self
    }
    /// What the engine says about itself.
    pub async fn info(&self) -> Result<EngineInfo, Error> {
        todo!()
    }
    /// Its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}
