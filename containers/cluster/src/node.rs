//! A node: a container in which systemd is the first process, and what is run in it.

use std::collections::BTreeMap;

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

use super::Error;
use super::names::Names;

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

/// A node that runs.
#[derive(Clone, Debug)]
pub struct Node {
    engine: Engine,
    /// The node's name, such as `master1`.
    pub name: String,
    /// The name of the node's container in the engine.
    pub container: String,
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
        Ok(Self { engine: engine.clone(), name: spec.name.to_owned(), container })
    }

    /// A node that was started before, by its name and that of its container. The engine is not asked.
    pub fn of(engine: &Engine, name: &str, container: &str) -> Self {
        Self { engine: engine.clone(), name: name.to_owned(), container: container.to_owned() }
    }

    /// The node's address in a network; none while it has none.
    ///
    /// # Errors
    /// There is no such container, or the engine does not answer.
    pub async fn address(&self, network: &str) -> Result<Option<String>, engine::Error> {
        let found = self.engine.docker.inspect_container(&self.container, None::<InspectContainerOptions>).await;
        let found = found.map_err(|error| self.engine.error(format!("looking at the node {}", self.name), error))?;
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
    ) -> Result<i64, engine::Error> {
        let fail = |error| self.engine.error(format!("running {} on {}", command.join(" "), self.name), error);
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.iter().map(|word| (*word).to_owned()).collect()),
            env: Some(environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            ..ExecConfig::default()
        };
        let docker = &self.engine.docker;
        let id = docker.create_exec(&self.container, config).await.map_err(fail)?.id;
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
    pub async fn shell(&self, script: &str, environment: &BTreeMap<String, String>) -> Result<Output, engine::Error> {
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
