//! The cluster that a recipe's packages make, as data: what its nodes are, run and answer.
//!
//! `[cluster]` of `recipe.toml`; the scripts beside it are `cluster/ROLE`, which write a node's configuration as an
//! administrator would, and `cluster/environment`, which is read before each of them.

use foundation::digest::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cluster that the packages make.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cluster {
    /// The distribution's packages on every node, in the syntax of Debian's `Build-Depends`: the node-root lock pins
    /// them. What the recipe's own packages depend on belongs here, because a node has no network to get it from.
    #[serde(deserialize_with = "crate::control::read_build_depends")]
    pub depends: Vec<String>,
    /// The roles, in the order in which their nodes are configured and started.
    #[serde(rename = "role")]
    pub roles: Vec<Role>,
    /// How a master tells what it knows of the cluster.
    pub state: State,
    /// What `cluster test` runs on the cluster and expects to end well.
    #[serde(default, rename = "framework")]
    pub frameworks: Vec<Framework>,
    /// The task that has to survive what `cluster test` does to the cluster.
    #[serde(default)]
    pub task: Option<Task>,
    /// Folders that purging packages which were at work leaves on purpose, with what is in them.
    #[serde(default)]
    pub kept_by_purge: Vec<String>,
    /// Pages of the leading master's web interface that are looked at in a browser.
    #[serde(default, rename = "page")]
    pub pages: Vec<Page>,
    /// Scenarios of the recipe's own.
    #[serde(default, rename = "scenario")]
    pub scenarios: Vec<Script>,
}

/// What a node is for. Its nodes are called `NAME1`, `NAME2`, …; `cluster/NAME` configures them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Role {
    /// Name of the role: lower-case letters, because it becomes a host name and a variable's name.
    pub name: String,
    /// How many nodes have this role.
    pub nodes: Nodes,
    /// What apt installs there.
    pub packages: Vec<String>,
    /// What systemd enables and starts there, once it is configured.
    pub units: Vec<String>,
    /// A shell command that succeeds on a node once what was started there answers.
    #[serde(default)]
    pub ready: Option<String>,
    /// How exposed each of the units may be, from 0 to 10, by `systemd-analyze security`; none to leave that open.
    #[serde(default)]
    pub exposure: Option<f64>,
}

/// How many nodes have a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nodes {
    /// As many as `--masters` says.
    Masters,
    /// As many as `--agents` says.
    Agents,
    /// As many as masters where there are several, none where there is one: what elects a leader among masters.
    Ensemble,
    /// One where frameworks are tested, else none: the machine of somebody who uses the cluster.
    Client,
}

/// A framework that runs on the cluster and ends.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Framework {
    /// What people call it.
    pub name: String,
    /// What apt installs for it, on the client and on the agents.
    #[serde(default)]
    pub packages: Vec<String>,
    /// A file that it needs and no package has. Where `fetch --cluster` has not brought it, the framework is left out.
    #[serde(default)]
    pub file: Option<PinnedFile>,
    /// Where there are several masters, the leading one is killed as soon as the framework has printed a line with this
    /// text; it has to come to a good end all the same.
    #[serde(default)]
    pub kill_leader_at: Option<String>,
    /// The shell command, run on the client after `cluster/environment`; it must succeed. `$FILE` is the path of the file.
    pub run: String,
}

/// A file from elsewhere. The digest decides whether it is the right one, not the address.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PinnedFile {
    /// Its address, whose last part is its name.
    pub url: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

impl PinnedFile {
    /// The file's name: the last part of its address.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().expect("splitting yields at least one part")
    }
}

/// A task that runs until it is ended.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Task {
    /// The shell command, run on the client after `cluster/environment`: it starts `$TASK`, a shell command itself, on
    /// any agent, in such a way that it survives a restart of the agent; and it goes on as long as the task does.
    pub run: String,
}

/// A scenario of the recipe's own: `cluster/scenarios/NAME`, a shell script that `cluster test` runs as root on a node made
/// for it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Script {
    /// The name, also that of the node.
    pub name: String,
    /// What is checked, for people.
    pub checks: String,
    /// What apt installs before.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Whether only a virtual machine can tell: the script is run with `--vm` and else left out.
    #[serde(default)]
    pub machine: bool,
}

/// A page of the web interface.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Page {
    /// The path, such as `/#/agents`.
    pub path: String,
    /// What it has to show, once its scripts have run and the cluster's task runs.
    #[serde(default)]
    pub shows: Vec<String>,
    /// Whether it has to show the address of every agent.
    #[serde(default)]
    pub agents: bool,
}

/// How a master tells what it knows of the cluster: JSON over HTTP, in which values are named by a JSON pointer
/// (RFC 6901).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct State {
    /// The port, which is also that of the web interface.
    pub port: u16,
    /// The path, such as `/state`.
    pub path: String,
    /// A value that only the leading master has; none where there is but one master.
    #[serde(default)]
    pub leads: Option<String>,
    /// The agents that are registered: their number, or a list of them.
    pub agents: String,
}

impl Cluster {
    /// Says what makes no sense.
    pub(crate) fn look_over(&self) -> Result<(), String> {
        for (i, role) in self.roles.iter().enumerate() {
            // It becomes a host name, and the name of a variable.
            let plain = !role.name.is_empty() && role.name.bytes().all(|byte| byte.is_ascii_lowercase());
            if !plain || self.roles[..i].iter().any(|other| other.name == role.name) {
                return Err(format!("role \"{}\": names have lower-case letters only, and are used once", role.name));
            }
        }
        for (nodes, name) in [(Nodes::Masters, "masters"), (Nodes::Agents, "agents")] {
            if self.roles.iter().filter(|role| role.nodes == nodes).count() != 1 {
                return Err(format!("role: exactly one of them has nodes = \"{name}\""));
            }
        }
        for role in &self.roles {
            if role.exposure.is_some_and(|exposure| !(0.0..=10.0).contains(&exposure)) {
                return Err(format!("role \"{}\": exposure is from 0 to 10", role.name));
            }
        }
        for (i, script) in self.scenarios.iter().enumerate() {
            // It becomes a host name and a folder.
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            let name = &script.name;
            let good = name.bytes().all(plain) && name.trim_matches('-') == name && !name.is_empty();
            if !good || self.scenarios[..i].iter().any(|other| other.name == *name) {
                return Err(format!(
                    "scenario \"{name}\": names have lower-case letters, and hyphens between them, and are used once"
                ));
            }
        }
        for framework in &self.frameworks {
            let Some(file) = &framework.file else { continue };
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-+._~".contains(&byte);
            let name = file.name();
            if !file.url.starts_with("https://") || name.is_empty() || name.starts_with('.') || !name.bytes().all(plain)
            {
                let (url, framework) = (&file.url, &framework.name);
                return Err(format!(
                    "framework \"{framework}\": file.url = \"{url}\": it has to start with https:// and to end in a plain file name"
                ));
            }
        }
        if let Some(page) = self.pages.iter().find(|page| !page.path.starts_with('/')) {
            return Err(format!("page.path = \"{}\": it has to start with /", page.path));
        }
        if let Some(path) = self.kept_by_purge.iter().find(|path| !path.starts_with('/') || path.ends_with('/')) {
            return Err(format!("kept-by-purge: \"{path}\" is no absolute path, or ends in /"));
        }
        if !self.state.path.starts_with('/') {
            return Err(format!("state.path = \"{}\": it has to start with /", self.state.path));
        }
        for pointer in self.state.leads.iter().chain([&self.state.agents]) {
            if !pointer.starts_with('/') {
                return Err(format!("state: \"{pointer}\" is not a JSON pointer: it has to start with /"));
            }
        }
        if (self.task.is_some() || !self.frameworks.is_empty()) && self.role(Nodes::Client).is_none() {
            return Err("framework, task: they run on a client, and no role has nodes = \"client\"".into());
        }
        let ensemble = self.role(Nodes::Ensemble).is_some();
        if ensemble != self.state.leads.is_some() {
            return Err("state.leads is needed where a role has nodes = \"ensemble\", and only there".into());
        }
        Ok(())
    }

    /// The first role with this number of nodes.
    pub fn role(&self, nodes: Nodes) -> Option<&Role> {
        self.roles.iter().find(|role| role.nodes == nodes)
    }
}
