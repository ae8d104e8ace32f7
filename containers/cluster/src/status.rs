//! Looking at a cluster, and into its nodes.

use std::collections::BTreeMap;

use bollard::container::LogOutput;
use engine::Engine;
use foundation::store::Store;
use schemars::JsonSchema;
use serde::Serialize;

use super::node::Node;
use super::record::{ClusterName, ClusterRecord, NodeRecord};
use super::{Error, masters};

/// A unit on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnitStatus {
    /// The unit's name, such as `mesos-master.service`.
    pub unit: String,
    /// What systemd says of it: `active`, `inactive`, `failed`…
    pub active: String,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NodeStatus {
    /// The node's name, such as `master1`.
    pub name: String,
    /// The name of its role in the recipe.
    pub role: String,
    /// Its address in the cluster's network.
    pub address: String,
    /// Its units; none at all where the node does not run.
    pub units: Vec<UnitStatus>,
    /// For a master that answers: whether it leads.
    pub leads: Option<bool>,
    /// For the leading master: how many agents are registered with it.
    pub agents: Option<u64>,
    /// For a master: the address of its web interface on the loopback of the engine's machine.
    pub web: Option<String>,
}

/// How a cluster is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    /// The cluster's name.
    pub name: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Name of the target, such as `debian-12/amd64`.
    pub target: String,
    /// Whether the run that made it came to its end.
    pub up: bool,
    /// Each node, role by role.
    pub nodes: Vec<NodeStatus>,
}

/// Looks at all nodes of a cluster.
///
/// # Errors
/// There is no such cluster, or its record cannot be read. That a node cannot be asked is no error: its units are left
/// out.
pub async fn status(engine: &Engine, store: &Store, name: &ClusterName) -> Result<Status, Error> {
    let record = ClusterRecord::read(store, name)?;
    let units = record.nodes.iter().map(|node| units(engine, node));
    let (view, units) = tokio::join!(masters::ask(engine, &record), futures_util::future::join_all(units));
    let answers: BTreeMap<_, _> = view.into_iter().filter_map(|(name, answer)| Some((name, answer?))).collect();
    let nodes = record.nodes.iter().zip(units).map(|(node, units)| {
        let answer = answers.get(&node.name);
        NodeStatus {
            name: node.name.clone(),
            role: node.role.clone(),
            address: node.address.clone(),
            units,
            leads: answer.map(|answer| answer.leads),
            agents: answer.filter(|answer| answer.leads).map(|answer| answer.agents),
            web: record.web.get(&node.name).cloned(),
        }
    });
    Ok(Status {
        name: record.name.to_string(),
        recipe: record.recipe.clone(),
        target: record.target.to_string(),
        up: record.up,
        nodes: nodes.collect(),
    })
}

/// The units of a node, as systemd says; none where it cannot be asked.
async fn units(engine: &Engine, node: &NodeRecord) -> Vec<UnitStatus> {
    let script = format!("systemctl is-active {} || :", node.units.join(" "));
    let output = Node::of(engine, node).shell(&script, &BTreeMap::new()).await;
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let unit = |(unit, active): (&String, &str)| UnitStatus { unit: unit.clone(), active: active.to_owned() };
    node.units.iter().zip(text.lines()).map(unit).collect()
}

/// Runs a command on a node, hands its output on as it comes, and returns its exit status.
///
/// # Errors
/// There is no such cluster or node, the node does not run, or the engine fails. Another exit status than 0 is no
/// error.
pub async fn exec(
    engine: &Engine,
    store: &Store,
    name: &ClusterName,
    node: &str,
    command: &[&str],
    output: impl FnMut(LogOutput),
) -> Result<i64, Error> {
    let record = ClusterRecord::read(store, name)?;
    let Some(found) = record.nodes.iter().find(|known| known.name == node) else {
        let nodes: Vec<&str> = record.nodes.iter().map(|known| known.name.as_str()).collect();
        let nodes = if nodes.is_empty() { "none".to_owned() } else { nodes.join(", ") };
        return Err(Error::NoNode { cluster: name.to_string(), node: node.to_owned(), nodes });
    };
    Node::of(engine, found).stream(command, &record.environment, output).await
}

/// Hands the journal of a node on, since it booted; returns the exit status of journalctl.
///
/// # Errors
/// As for [`exec`].
pub async fn logs(
    engine: &Engine,
    store: &Store,
    name: &ClusterName,
    node: &str,
    output: impl FnMut(LogOutput),
) -> Result<i64, Error> {
    exec(engine, store, name, node, &["journalctl", "--no-pager", "--output=short-iso-precise"], output).await
}
