//! Finding the container engine and talking to it.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as ApiError;
use foundation::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::architecture::{self, Emulation};

/// An ordinary request that takes longer than this has no answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Importing and exporting gigabytes, or waiting for a phase: the answer may come after hours.
const LONG_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// How long an engine may take to say that it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A container engine that answered: Docker, or Podman through its compatible socket.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The client of the Engine API that is connected to it.
    pub docker: Docker,
    address: Address,
    /// The run whose label everything carries that is made through this value.
    pub run: String,
    /// Whether it is Podman, which does some things differently, and not Docker.
    pub podman: bool,
    /// The architecture of its machine, as Debian calls it; empty where it does not tell.
    pub(crate) architecture: String,
    /// Whether programs of other architectures are emulated.
    pub(crate) emulation: Emulation,
}

/// The address of an engine, and what it wants for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    /// The address as in DOCKER_HOST: `unix:///…`, `tcp://…`, `ssh://…`.
    host: String,
    /// Folder with `ca.pem`, `cert.pem` and `key.pem`, where the engine wants TLS.
    certificates: Option<PathBuf>,
}

/// What an engine says about itself.
#[derive(Clone, Debug, Serialize)]
pub struct EngineInfo {
    /// The name of the engine: `Docker` or `Podman`.
    pub name: String,
    /// The version of the engine, such as `20.10.24`.
    pub version: String,
    /// The version of the Engine API that was negotiated, such as `1.41`.
    pub api: String,
    /// The version of the control groups on the engine's machine: 1 or 2.
    pub cgroup_version: u8,
    /// How the engine stores images and containers, such as `overlay2`.
    pub storage_driver: String,
    /// How many processors containers may use.
    pub cpus: u32,
    /// Memory of the engine's machine, in bytes.
    pub memory_bytes: u64,
    /// Whether it runs on another machine (or a virtual one): this machine's free memory says nothing then.
    pub remote: bool,
    /// Address of the engine, such as `unix:///var/run/docker.sock`.
    pub endpoint: String,
}

/// An address to try, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    origin: String,
    address: Result<Address, String>,
}

impl Candidate {
    fn new(origin: &str, host: impl Into<String>) -> Self {
        Self { origin: origin.to_owned(), address: Ok(Address { host: host.into(), certificates: None }) }
    }
}

/// What to try.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    /// The one that the user named, and what to do where it does not answer.
    Named(Candidate, &'static str),
    /// The usual places, in order.
    Usual(Vec<Candidate>),
}

/// What to do where an address of the user's own leads nowhere.
const NEXT_HOST: &str = "start the engine there or correct DOCKER_HOST; without it the docker client's context and the usual sockets \
                         are tried";
/// The same of a context of the docker client.
const NEXT_CONTEXT: &str = "`docker context ls` shows which contexts there are, and `docker context use NAME` (or DOCKER_CONTEXT=NAME) \
                            chooses one; with `default` the usual sockets are tried";

/// The parts of the environment that say where an engine may be.
#[derive(Clone, Debug, Default)]
struct Environment {
    docker_host: Option<String>,
    docker_context: Option<String>,
    docker_config: Option<PathBuf>,
    home: Option<PathBuf>,
    runtime: Option<PathBuf>,
    certificates: Option<PathBuf>,
}

impl Environment {
    fn current() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let path = |name| text(name).map(PathBuf::from);
        let home = path("HOME");
        let docker_config = path("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
        Self {
            docker_host: text("DOCKER_HOST"),
            docker_context: text("DOCKER_CONTEXT"),
            certificates: text("DOCKER_TLS_VERIFY")
                .and_then(|_| path("DOCKER_CERT_PATH").or_else(|| docker_config.clone())),
            docker_config,
            home,
            runtime: path("XDG_RUNTIME_DIR"),
        }
    }

    /// Where the user named an engine, in the environment or by the docker client's context, only that: another one would be a
    /// surprise.
    fn choice(&self) -> Choice {
        if let Some(host) = &self.docker_host {
            let address = Address { host: host.clone(), certificates: self.certificates.clone() };
            return Choice::Named(Candidate { origin: "DOCKER_HOST".into(), address: Ok(address) }, NEXT_HOST);
        }
        let named = match self.docker_context.as_deref() {
            Some("default") => None,
            Some(name) => Some(self.context("DOCKER_CONTEXT", name)),
            None => self.current_context().map(|name| self.context("the docker client's current context", &name)),
        };
        match named {
            Some(candidate) => Choice::Named(candidate, NEXT_CONTEXT),
            None => Choice::Usual(self.sockets()),
        }
    }

    fn sockets(&self) -> Vec<Candidate> {
        let mut list = Vec::new();
        let mut socket =
            |origin, path: PathBuf| list.push(Candidate::new(origin, format!("unix://{}", path.display())));
        socket("default socket", "/var/run/docker.sock".into());
        if let Some(runtime) = &self.runtime {
            socket("rootless Docker", runtime.join("docker.sock"));
        }
        if let Some(home) = &self.home {
            socket("Docker Desktop", home.join(".docker/desktop/docker.sock"));
        }
        if let Some(runtime) = &self.runtime {
            socket("rootless Podman", runtime.join("podman/podman.sock"));
        }
        socket("Podman", "/run/podman/podman.sock".into());
        list
    }

    /// `currentContext` of the Docker client's `config.json`.
    fn current_context(&self) -> Option<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Config {
            current_context: Option<String>,
        }
        let text = std::fs::read(self.docker_config.as_ref()?.join("config.json")).ok()?;
        let config: Config = serde_json::from_slice(&text).ok()?;
        config.current_context.filter(|name| !name.is_empty() && name != "default")
    }

    /// A context as the Docker client stores it: `contexts/meta/SHA256-OF-NAME/meta.json`, with
    /// certificates in `contexts/tls/SHA256-OF-NAME/docker/`.
    fn context(&self, origin: &str, name: &str) -> Candidate {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Meta {
            endpoints: Endpoints,
        }
        #[derive(Deserialize)]
        struct Endpoints {
            docker: Endpoint,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Endpoint {
            host: String,
        }
        let origin = format!("{origin}, '{name}',");
        let Some(config) = &self.docker_config else {
            return Candidate { origin, address: Err("neither DOCKER_CONFIG nor HOME is set".into()) };
        };
        let id = Digest::of(name).to_string();
        let path = config.join("contexts/meta").join(&id).join("meta.json");
        let address = std::fs::read(&path)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such context".to_owned(),
                _ => error.to_string(),
            })
            .and_then(|text| serde_json::from_slice::<Meta>(&text).map_err(|error| error.to_string()))
            .map(|meta| Address {
                host: meta.endpoints.docker.host,
                certificates: Some(config.join("contexts/tls").join(&id).join("docker"))
                    .filter(|folder| folder.is_dir()),
            })
            .map_err(|why| format!("{why} ({})", path.display()));
        Candidate { origin, address }
    }
}

impl Address {
    fn connect(&self) -> Result<Docker, String> {
        if let Some(path) = self.host.strip_prefix("unix://") {
            // The client library reports a refused connection in general terms only.
            UnixStream::connect(path).map_err(|error| match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "permission denied: add yourself to the group docker, or use a rootless engine".to_owned()
                }
                _ => error.to_string(),
            })?;
        }
        // The client library would take the port for a part of the name.
        if let Some(place) = self.host.strip_prefix("ssh://")
            && let Some((_, port)) = place.trim_end_matches('/').rsplit_once(':')
            && port.chars().all(|digit| digit.is_ascii_digit())
        {
            return Err(format!(
                "a port cannot be given here: name it in ~/.ssh/config (Host NAME, HostName …, Port {port}), and use ssh://NAME"
            ));
        }
        let version = bollard::API_DEFAULT_VERSION;
        let seconds = REQUEST_TIMEOUT.as_secs();
        match &self.certificates {
            Some(folder) if !self.host.starts_with("unix://") && !self.host.starts_with("ssh://") => {
                Docker::connect_with_ssl(
                    &self.host,
                    &folder.join("key.pem"),
                    &folder.join("cert.pem"),
                    &folder.join("ca.pem"),
                    seconds,
                    version,
                )
            }
            _ => Docker::connect_with_host(&self.host),
        }
        .map_err(|error| explain(&error))
    }

    fn local(&self) -> bool {
        self.host.starts_with("unix://")
    }
}

impl Engine {
    /// Finds the engine that DOCKER_HOST or a context of the docker client names, or else the first one that answers: at the
    /// default socket, at the rootless socket, at Podman's sockets.
    ///
    /// # Errors
    /// The one that was named does not answer ([`Error::Named`]), or none does ([`Error::NoEngine`]): then the error says of each
    /// that was tried where it is and why it did not answer.
    pub async fn find() -> Result<Self, Error> {
        match Environment::current().choice() {
            Choice::Named(candidate, next) => Self::named(candidate, next).await,
            Choice::Usual(candidates) => Self::first(candidates).await,
        }
    }

    async fn named(Candidate { origin, address }: Candidate, next: &'static str) -> Result<Self, Error> {
        let named = |place: &str| format!("the container engine that {origin} names{place}");
        match address {
            Err(why) => Err(Error::Named { named: named(""), why, next }),
            Ok(address) => {
                let place = format!(", {},", address.host);
                Self::open(address).await.map_err(|why| Error::Named { named: named(&place), why, next })
            }
        }
    }

    async fn first(candidates: Vec<Candidate>) -> Result<Self, Error> {
        let mut tried = Vec::new();
        for Candidate { origin, address } in candidates {
            let (place, why) = match address {
                Err(why) => (String::new(), why),
                Ok(address) => match Self::open(address.clone()).await {
                    Ok(engine) => return Ok(engine),
                    Err(why) => (format!(" {}", address.host), why),
                },
            };
            tried.push(format!("  {origin}{place}: {why}"));
        }
        Err(Error::NoEngine { tried: tried.join("\n") })
    }

    async fn open(address: Address) -> Result<Self, String> {
        let docker = address.connect()?;
        let answer = tokio::time::timeout(PING_TIMEOUT, async {
            let docker = docker.negotiate_version().await?;
            let version = docker.version().await?;
            Ok::<_, ApiError>((docker, version))
        });
        let (docker, version) = match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(explain(&error)),
            Err(_) => return Err(format!("no answer within {} s", PING_TIMEOUT.as_secs())),
        };
        let architecture = architecture::of_go(version.arch.as_deref().unwrap_or_default());
        let podman = version
            .components
            .unwrap_or_default()
            .iter()
            .any(|component| component.name.to_ascii_lowercase().contains("podman"));
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let run = format!("{}-{}", std::process::id(), boot.trim());
        Ok(Self { docker, address, run, podman, architecture, emulation: Emulation::No })
    }

    /// The engine at an address.
    #[cfg(test)]
    pub(crate) async fn at(host: &str) -> Result<Self, String> {
        Self::open(Address { host: host.to_owned(), certificates: None }).await
    }

    /// The same engine on a connection of its own, for a thread with its own runtime; none if the engine is gone. A
    /// request may take 20 s.
    pub fn reconnected(&self) -> Option<Docker> {
        let docker = self.address.connect().ok()?;
        Some(docker.with_timeout(Duration::from_secs(20)))
    }

    /// The same engine, with a day of patience for requests that are answered only when gigabytes are through.
    pub fn patient(&self) -> Docker {
        self.docker.clone().with_timeout(LONG_TIMEOUT)
    }

    /// Everything that this engine makes from now on carries the label `org.mesos-packages.run=RUN`,
    /// so that [`crate::cleanup::cleanup`] finds what a killed run left behind.
    #[must_use]
    pub fn with_run(mut self, run: &str) -> Self {
        run.clone_into(&mut self.run);
        self
    }

    /// Asks the engine about itself and its machine.
    ///
    /// # Errors
    /// The connection is lost, or the engine refuses to answer.
    pub async fn info(&self) -> Result<EngineInfo, Error> {
        let doing = || "asking the engine about itself".to_owned();
        let info = self.docker.info().await.map_err(|error| self.error(doing(), error))?;
        let version = self.docker.version().await.map_err(|error| self.error(doing(), error))?;
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let same_kernel = version.kernel_version.as_deref().is_none_or(|theirs| theirs == kernel.trim());
        Ok(EngineInfo {
            name: if self.podman { "Podman" } else { "Docker" }.to_owned(),
            version: info.server_version.or(version.version).unwrap_or_default(),
            api: self.docker.client_version().to_string(),
            cgroup_version: match info.cgroup_version {
                Some(bollard::models::SystemInfoCgroupVersionEnum::_2) => 2,
                _ => 1,
            },
            storage_driver: info.driver.unwrap_or_default(),
            cpus: info.ncpu.and_then(|count| u32::try_from(count).ok()).unwrap_or(1).max(1),
            memory_bytes: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            // A socket may lead into a virtual machine; that has a kernel of its own.
            remote: !(self.address.local() && same_kernel),
            endpoint: self.address.host.clone(),
        })
    }

    /// Address of the engine, such as `unix:///var/run/docker.sock`.
    pub fn endpoint(&self) -> &str {
        &self.address.host
    }

    /// Says in our words what the client library reports. `doing` is what was attempted, such as `listing volumes`.
    pub fn error(&self, doing: String, error: ApiError) -> Error {
        match &error {
            ApiError::HyperResponseError { .. }
            | ApiError::HyperLegacyError { .. }
            | ApiError::IOError { .. }
            | ApiError::SocketNotFoundError(_)
            | ApiError::RequestTimeoutError => {
                Error::EngineGone { doing, endpoint: self.address.host.clone(), why: explain(&error) }
            }
            _ => {
                let mut why = explain(&error);
                if why.contains("no space left on device") {
                    why += "\nFree space where the engine keeps its data (`docker system df`, `docker system prune`), then run it again.";
                }
                if why.contains("exec format error") {
                    why += "\nIts machine does not run programs of this architecture, or does not hand them to an emulator in containers: \
                            `cat /proc/sys/fs/binfmt_misc/qemu-*` there says what it has.";
                }
                // Podman's name for what reaps the processes of a container whose parents are gone.
                if self.podman && (why.contains("container-init") || why.contains("catatonit")) {
                    why += "\nIt has no `catatonit`, the init process of Podman's containers: `apt-get install catatonit` on the engine's \
                            machine, then run it again.";
                }
                Error::Engine { doing, why }
            }
        }
    }
}

/// The error with its causes; the client library's own texts often leave out the cause.
fn explain(error: &ApiError) -> String {
    if let ApiError::DockerResponseServerError { message, status_code } = error {
        return if message.is_empty() { format!("status {status_code}") } else { message.trim().to_owned() };
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// Whether the engine says that there is no such thing, or that it is being removed already.
pub fn is_missing(error: &ApiError) -> bool {
    match error {
        ApiError::DockerResponseServerError { status_code: 404, .. } => true,
        ApiError::DockerResponseServerError { status_code: 409, message } => message.contains("already in progress"),
        // What Docker 20.10 says of a container whose removal has begun.
        ApiError::DockerResponseServerError { status_code: 500, message } => message.contains("is unexpectedly nil"),
        _ => false,
    }
}

/// Whether a unix socket exists and somebody listens on it.
pub fn listens(path: &Path) -> bool {
    UnixStream::connect(path).is_ok()
}

#[cfg(test)]
mod tests {
    use foundation::failure::Failure;

    use super::*;
    use crate::fake::Fake;

    fn hosts(environment: &Environment) -> Vec<String> {
        let candidates = match environment.choice() {
            Choice::Named(candidate, _) => vec![candidate],
            Choice::Usual(candidates) => candidates,
        };
        candidates
            .into_iter()
            .map(|candidate| candidate.address.map_or_else(|why| why, |address| address.host))
            .collect()
    }

    #[test]
    fn what_is_being_removed_counts_as_missing() {
        let said = |status_code, message: &str| {
            is_missing(&ApiError::DockerResponseServerError { status_code, message: message.into() })
        };
        assert!(said(404, "No such container: a") && said(409, "removal of container a is already in progress"));
        assert!(said(500, "RWLayer of container a is unexpectedly nil"));
        assert!(!said(409, "the volume is in use") && !said(500, "no space left on device"));
    }

    #[test]
    fn docker_host_is_the_only_one_where_it_is_set() {
        let environment = Environment { docker_host: Some("tcp://127.0.0.1:1".into()), ..Environment::default() };
        assert_eq!(hosts(&environment), ["tcp://127.0.0.1:1"]);
    }

    #[test]
    fn sockets_in_order() {
        let environment =
            Environment { home: Some("/home/a".into()), runtime: Some("/run/user/7".into()), ..Environment::default() };
        assert_eq!(
            hosts(&environment),
            [
                "unix:///var/run/docker.sock",
                "unix:///run/user/7/docker.sock",
                "unix:///home/a/.docker/desktop/docker.sock",
                "unix:///run/user/7/podman/podman.sock",
                "unix:///run/podman/podman.sock",
            ]
        );
    }

    #[test]
    fn contexts_as_the_docker_client_stores_them() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment { docker_config: Some(folder.path().to_owned()), ..Environment::default() };
        std::fs::write(folder.path().join("config.json"), r#"{"currentContext":"far","auths":{}}"#).unwrap();
        let broken = hosts(&environment);
        assert!(broken.len() == 1 && broken[0].starts_with("there is no such context ("), "{broken:?}");
        // sha256 of the name, as `docker context create far` makes it.
        let meta = folder.path().join("contexts/meta").join(Digest::of("far").to_string());
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"ssh://me@far","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        assert_eq!(hosts(&environment), ["ssh://me@far"]);
        let named = Environment { docker_context: Some("far".into()), ..environment.clone() };
        assert_eq!(hosts(&named), ["ssh://me@far"]);
        let usual = Environment { docker_context: Some("default".into()), ..environment };
        assert_eq!(hosts(&usual)[0], "unix:///var/run/docker.sock");
    }

    #[tokio::test]
    async fn podman_without_its_init_names_the_package() {
        let podman =
            r#"{"ApiVersion":"1.41","Arch":"amd64","Components":[{"Name":"Podman Engine","Version":"4.3.1"}]}"#;
        let fake = Fake::start("amd64", &[("/version", podman)]);
        let message = "container-init binary not found on the host: stat /usr/libexec/podman/catatonit: no such file or directory";
        let answer = ApiError::DockerResponseServerError { status_code: 500, message: message.into() };
        let text = fake.engine().await.error("making a container of x".into(), answer).message();
        assert!(text.contains("apt-get install catatonit"), "{text}");
    }

    #[tokio::test]
    async fn where_none_answers_it_says_what_was_tried_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join("dead.sock");
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        let candidates = vec![
            Candidate::new("default socket", format!("unix://{}", folder.path().join("none.sock").display())),
            Candidate::new("Podman", format!("unix://{}", dead.display())),
            Candidate::new("DOCKER_HOST", "carrier-pigeon://roof"),
            Candidate::new("DOCKER_HOST", "ssh://root@build2:2222"),
        ];
        let text = Engine::first(candidates).await.unwrap_err().message();
        for part in [
            "none.sock: No such file",
            "dead.sock: Connection refused",
            "carrier-pigeon://roof",
            "Port 2222",
            "apt-get install docker.io",
            "--setup",
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }
}
