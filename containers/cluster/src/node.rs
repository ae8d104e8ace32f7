//! A node: a container in which systemd is the first process, or a virtual machine; and what is run in it.

use std::collections::BTreeMap;
use std::path::Path;

use bollard::container::LogOutput;
use bollard::exec::StartExecResults;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, ExecConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    NetworkingConfig,
};
use bollard::query_parameters::{CreateContainerOptionsBuilder, InspectContainerOptions, StartContainerOptions};
use engine::Engine;
use engine::container::mount;
use engine::once::Output;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use super::Error;
use super::machine::Machine;
use super::names::Names;
use super::record::NodeRecord;

const INIT: &str = include_str!("../assets/node-init.sh");

/// Lines of output that an error shows.
const TAIL: usize = 20;

/// What a node is made with.
pub struct NodeSpec<'a> {
    /// The name of the node root's image in the engine.
    pub image: &'a str,
    /// The node's name, also its host name.
    pub name: &'a str,
    /// The name of a volume, and the path where it is mounted, for reading only.
    pub volume: (&'a str, &'a str),
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In a container of the engine, of this name.
    Container(String),
    /// In a virtual machine of this host.
    Machine(Machine),
}

/// A node that runs.
#[derive(Clone, Debug)]
pub struct Node {
    /// The node's name, such as `master1`.
    pub name: String,
    home: Home,
}

/// The way to a node.
#[derive(Clone, Debug)]
enum Home {
    /// Over the engine, to the container of this name.
    Container(Engine, String),
    /// Over the network that the machine and this host alone have.
    Machine(Machine),
}

impl Node {
    /// Makes a node and starts it, in the cluster's network. Whether it boots is not waited for.
    ///
    /// # Errors
    /// The engine cannot make or start the container.
    pub async fn start(engine: &Engine, names: &Names, spec: &NodeSpec<'_>) -> Result<Self, engine::Error> {
        let container = names.container(spec.name);
        let (volume, path) = spec.volume;
        let mut repository = mount(volume, path);
        repository.read_only = Some(true);
        let tmpfs = [("/run", "mode=755"), ("/run/lock", "mode=1777"), ("/tmp", "exec,mode=1777")];
        let host = HostConfig {
            // systemd mounts; iptables on a node is what cuts its network; start-stop-daemon looks at the processes of
            // other users. Nothing else is given: not privileged.
            cap_add: Some(["NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"].map(str::to_owned).into()),
            // The engine's own filters refuse mount and what units ask of the kernel for their sandboxes.
            security_opt: Some(vec!["seccomp=unconfined".into(), "apparmor=unconfined".into()]),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            tmpfs: Some(tmpfs.map(|(path, options)| (path.to_owned(), options.to_owned())).into()),
            mounts: Some(vec![repository]),
            network_mode: Some(names.network()),
            // The engine answers for names of the cluster, and asks nobody else.
            dns: (!engine.podman).then(|| vec!["127.0.0.1".into()]),
            dns_search: (!engine.podman).then(|| vec![".".into()]),
            log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
            ..HostConfig::default()
        };
        let endpoint = EndpointSettings { aliases: Some(vec![spec.name.to_owned()]), ..EndpointSettings::default() };
        let body = ContainerCreateBody {
            image: Some(spec.image.to_owned()),
            hostname: Some(spec.name.to_owned()),
            entrypoint: Some(vec!["/bin/sh".into(), "-c".into(), INIT.into()]),
            cmd: Some(Vec::new()),
            // What systemd looks for (its CONTAINER_INTERFACE).
            env: Some(vec!["container=docker".into(), "LC_ALL=C.UTF-8".into()]),
            labels: Some(names.labels()),
            stop_signal: Some("SIGRTMIN+3".into()),
            host_config: Some(host),
            networking_config: Some(NetworkingConfig { endpoints_config: Some([(names.network(), endpoint)].into()) }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&container).build();
        let fail = |error| engine.error(format!("making the node {}", spec.name), error);
        engine.docker.create_container(Some(options), body).await.map_err(fail)?;
        let fail = |error| engine.error(format!("starting the node {}", spec.name), error);
        engine.docker.start_container(&container, None::<StartContainerOptions>).await.map_err(fail)?;
        Ok(Self::container(engine, spec.name, &container))
    }

    /// A node in a container that was started before.
    pub fn container(engine: &Engine, name: &str, container: &str) -> Self {
        Self { name: name.to_owned(), home: Home::Container(engine.clone(), container.to_owned()) }
    }

    /// A node in a virtual machine that was started before.
    pub fn machine(name: &str, machine: Machine) -> Self {
        Self { name: name.to_owned(), home: Home::Machine(machine) }
    }

    /// A node that was started before, by its record. Nobody is asked.
    pub fn of(engine: &Engine, record: &NodeRecord) -> Self {
        match &record.place {
            Place::Container(container) => Self::container(engine, &record.name, container),
            Place::Machine(machine) => Self::machine(&record.name, machine.clone()),
        }
    }

    /// Where the node is, for its record.
    pub fn place(&self) -> Place {
        match &self.home {
            Home::Container(_, container) => Place::Container(container.clone()),
            Home::Machine(machine) => Place::Machine(machine.clone()),
        }
    }

    /// The node as a virtual machine.
    ///
    /// # Errors
    /// It is a container.
    pub fn as_machine(&self) -> Result<&Machine, Error> {
        match &self.home {
            Home::Machine(machine) => Ok(machine),
            Home::Container(..) => Err(Error::Request(format!("{} is a container: this needs --vm", self.name))),
        }
    }

    /// Waits until commands can be run on the node.
    ///
    /// # Errors
    /// A machine does not answer within a quarter of an hour.
    pub async fn answers(&self) -> Result<(), Error> {
        match &self.home {
            Home::Container(..) => Ok(()),
            Home::Machine(machine) => machine.answers(None).await,
        }
    }

    /// Unpacks an uncompressed tar archive of this host into a folder of the node, which is a machine.
    ///
    /// # Errors
    /// The node is a container or does not answer, or the archive cannot be read or unpacked.
    pub async fn unpack(&self, archive: &Path, folder: &str) -> Result<(), Error> {
        self.as_machine()?.unpack(archive, folder).await
    }

    /// The address of a node in a container in a network of the engine; none while it has none.
    ///
    /// # Errors
    /// There is no such container, or the engine does not answer.
    pub async fn address(&self, network: &str) -> Result<Option<String>, engine::Error> {
        let Home::Container(engine, container) = &self.home else { return Ok(None) };
        let found = engine.docker.inspect_container(container, None::<InspectContainerOptions>).await;
        let found = found.map_err(|error| engine.error(format!("looking at the node {}", self.name), error))?;
        let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let address = networks.get(network).and_then(|endpoint| endpoint.ip_address.clone());
        Ok(address.filter(|address| !address.is_empty()))
    }

    /// Runs a command on the node, with these environment variables, gives every piece of its output to `output`, and
    /// returns its exit status.
    ///
    /// # Errors
    /// The node does not run, or the engine fails or is lost. Another exit status than 0 is no error.
    pub async fn stream(
        &self,
        command: &[&str],
        environment: &BTreeMap<String, String>,
        mut output: impl FnMut(LogOutput),
    ) -> Result<i64, Error> {
        let (engine, container) = match &self.home {
            Home::Container(engine, container) => (engine, container),
            Home::Machine(machine) => {
                let variables = environment.iter().map(|(name, value)| format!("{name}={value}"));
                let words = ["env".to_owned(), "LC_ALL=C.UTF-8".into()].into_iter().chain(variables);
                return machine.stream(words.chain(command.iter().map(|word| (*word).to_owned())), output).await;
            }
        };
        let fail = |error| engine.error(format!("running {} on {}", command.join(" "), self.name), error);
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.iter().map(|word| (*word).to_owned()).collect()),
            env: Some(environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            ..ExecConfig::default()
        };
        let docker = &engine.docker;
        let id = docker.create_exec(container, config).await.map_err(fail)?.id;
        let StartExecResults::Attached { output: mut pieces, input } =
            docker.start_exec(&id, None).await.map_err(fail)?
        else {
            return Ok(0);
        };
        while let Some(piece) = pieces.next().await {
            output(piece.map_err(fail)?);
        }
        // It has to live as long as the output, or the engine takes it for a hang-up.
        drop(input);
        Ok(docker.inspect_exec(&id).await.map_err(fail)?.exit_code.unwrap_or(-1))
    }

    /// Runs a shell script on the node and returns what it printed and how it ended.
    ///
    /// # Errors
    /// As for [`Node::stream`].
    pub async fn shell(&self, script: &str, environment: &BTreeMap<String, String>) -> Result<Output, Error> {
        let mut output = Output { exit: 0, stdout: Vec::new(), stderr: Vec::new() };
        let take = |piece: LogOutput| match piece {
            LogOutput::StdErr { message } => output.stderr.extend_from_slice(&message),
            other => output.stdout.extend_from_slice(other.as_ref()),
        };
        let exit = self.stream(&["/bin/sh", "-c", script], environment, take).await?;
        output.exit = exit;
        Ok(output)
    }

    /// Runs a shell script on the node that must succeed; returns its standard output. `step` says in errors what it
    /// does.
    ///
    /// # Errors
    /// The script ends with another status than 0, of which the error has the last lines; or as for [`Node::stream`].
    pub async fn step(
        &self,
        step: &str,
        script: &str,
        environment: &BTreeMap<String, String>,
    ) -> Result<String, Error> {
        let output = self.shell(script, environment).await?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.exit != 0 {
            let all = stdout + &String::from_utf8_lossy(&output.stderr);
            let (node, step) = (self.name.clone(), step.to_owned());
            return Err(Error::Step { node, step, exit: output.exit, tail: tail(&all) });
        }
        Ok(stdout)
    }
}

/// The last lines of an output, as many as errors show.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
