//! Making a cluster: nodes, packages, configuration, units, and an election.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use engine::Engine;
use foundation::progress::Progress;
use foundation::store::Store;
use futures_util::future::try_join_all;
use pipeline::Stage;
use recipe::CLUSTER_FOLDER;
use recipe::cluster::{Nodes, Role};
use roots::build_root::NodeRoot;

use super::draft::Draft;
use super::names::Names;
use super::node::{Node, NodeSpec};
use super::record::{ClusterRecord, NodeRecord};
use super::{Error, down, gate, masters, repository};

/// How long a node may take to boot.
const BOOT: Duration = Duration::from_secs(60);
/// How long what is started on a node may take to answer.
const READY: Duration = Duration::from_secs(60);
/// How long the masters may take to elect a leader, and the agents to register.
pub const ELECTION: Duration = Duration::from_secs(90);
/// How long is waited between two looks.
const INTERVAL: Duration = Duration::from_millis(200);

/// Makes a cluster in place of what is left of one of the same name, and waits until a leader is elected and all agents
/// are registered. Returns the cluster and its leader's name. The caller holds the cluster's lock.
///
/// # Errors
/// What is left of an earlier one cannot be removed, or the cluster does not come up ([`Error::NotUp`]): its nodes are
/// left then, for looking at them.
pub async fn up(
    engine: &Engine,
    store: &Store,
    draft: &Draft,
    root: &NodeRoot,
    progress: &dyn Progress,
) -> Result<(ClusterRecord, String), Error> {
    down(engine, store, &draft.name).await?;
    let mut record = draft.record();
    record.save(store)?;
    match make(engine, store, draft, root, &mut record, progress).await {
        Ok(leader) => Ok((record, leader)),
        Err(why) => Err(Error::NotUp { name: record.name.to_string(), why: Box::new(why) }),
    }
}

async fn make(
    engine: &Engine,
    store: &Store,
    draft: &Draft,
    root: &NodeRoot,
    record: &mut ClusterRecord,
    progress: &dyn Progress,
) -> Result<String, Error> {
    let names = Names::new(store, &draft.name);
    let (roles, places) = (&draft.cluster.roles, &draft.places);
    prepare(engine, &names, draft, root, progress).await?;
    let stage = Stage::start(progress, format!("{} nodes boot", places.len()));
    let wanted: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
    let nodes = boot(engine, &names, root, &wanted).await?;
    for (place, (node, address)) in places.iter().zip(&nodes) {
        record.nodes.push(NodeRecord {
            name: node.name.clone(),
            role: roles[place.role].name.clone(),
            kind: roles[place.role].nodes,
            container: node.container.clone(),
            address: address.clone(),
            units: roles[place.role].units.clone(),
        });
    }
    record.save(store)?;
    stage.finish();
    let stage = Stage::start(progress, "apt installs the packages");
    let installing = places.iter().zip(&nodes);
    try_join_all(installing.map(|(place, (node, _))| install(node, &roles[place.role].packages))).await?;
    stage.finish();
    for (index, role) in roles.iter().enumerate() {
        let of_role: Vec<_> = places.iter().zip(&nodes).filter(|(place, _)| place.role == index).collect();
        if of_role.is_empty() {
            continue;
        }
        let stage = Stage::start(progress, format!("the {}s start", role.name));
        try_join_all(of_role.into_iter().map(|(place, (node, address))| {
            let environment = environment(&record.environment, node, place.number, address);
            start(node, role, draft.configure(index), environment)
        }))
        .await?;
        stage.finish();
    }
    let stage = Stage::start(progress, "the masters elect a leader and the agents register");
    let masters: Vec<&str> = record.of(Nodes::Masters).iter().map(|node| node.name.as_str()).collect();
    record.web = gate::open(engine, &names, &root.image, &masters, record.state.port).await?;
    let leader = elected(engine, record, ELECTION).await?;
    stage.finish();
    record.up = true;
    record.save(store)?;
    Ok(leader)
}

/// Makes what nodes are put into: the network, and the local repository of packages.
///
/// # Errors
/// The engine cannot make the network, or the repository cannot be filled.
pub async fn prepare(
    engine: &Engine,
    names: &Names,
    draft: &Draft,
    root: &NodeRoot,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let stage = Stage::start(progress, format!("local repository of {} packages", draft.debs.len()));
    names.make_network(engine).await?;
    repository::fill(engine, names, &root.image, &draft.debs).await?;
    stage.finish();
    Ok(())
}

/// Makes nodes, waits until systemd has started all that it starts there, and returns them with their addresses.
///
/// # Errors
/// The engine cannot make or start a node, or one does not boot within a minute, has a unit that failed, or has no
/// address.
pub async fn boot(
    engine: &Engine,
    names: &Names,
    root: &NodeRoot,
    wanted: &[&str],
) -> Result<Vec<(Node, String)>, Error> {
    let volume = names.volume();
    let mut nodes = Vec::new();
    // One by one, as they are removed: see there.
    for name in wanted {
        let spec = NodeSpec { image: &root.image, name, volume: (&volume, repository::FOLDER) };
        nodes.push(Node::start(engine, names, &spec).await?);
    }
    try_join_all(nodes.into_iter().map(|node| booted(names, node))).await
}

async fn booted(names: &Names, node: Node) -> Result<(Node, String), Error> {
    // The first process answers only after a moment; then `--wait` waits.
    let script = format!(
        "timeout {} sh -c 'until systemctl is-system-running --wait | grep -q -E \"running|degraded\"; do sleep 0.1; done' \
             2>/dev/null
        systemctl is-system-running && exit 0
        systemctl --no-pager --failed
        exit 1",
        BOOT.as_secs()
    );
    node.step("booting", &script, &BTreeMap::new()).await?;
    let address = node.address(&names.network()).await?;
    let address = address.ok_or_else(|| Error::Wrong {
        node: node.name.clone(),
        step: "booting".into(),
        found: "it has no address in the cluster's network: was its container removed?".into(),
    })?;
    Ok((node, address))
}

/// Installs packages on a node as an administrator would, and without questions; returns what apt and dpkg said.
///
/// # Errors
/// apt-get fails, or the node does not run.
pub async fn install(node: &Node, packages: &[String]) -> Result<String, Error> {
    node.step("apt-get update", repository::CONFIGURE, &BTreeMap::new()).await?;
    apt(node, &format!("install {}", packages.join(" "))).await
}

/// Runs apt-get on a node, without questions: about a configuration file that the administrator has changed and a new
/// version brings anew, dpkg is told to keep what is there. Returns what was said.
///
/// # Errors
/// apt-get fails, or the node does not run.
pub async fn apt(node: &Node, arguments: &str) -> Result<String, Error> {
    let environment = BTreeMap::from([("DEBIAN_FRONTEND".to_owned(), "noninteractive".to_owned())]);
    let keep = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold";
    let script = format!("apt-get --quiet --yes {keep} {arguments} 2>&1");
    node.step(&format!("apt-get {arguments}"), &script, &environment).await
}

/// The environment variables by which a node's scripts know the cluster, and the node itself: `NODE`, `NUMBER`,
/// `ADDRESS`.
pub fn environment(
    cluster: &BTreeMap<String, String>,
    node: &Node,
    number: u32,
    address: &str,
) -> BTreeMap<String, String> {
    let own = [("NODE", node.name.clone()), ("NUMBER", number.to_string()), ("ADDRESS", address.to_owned())];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    cluster.clone().into_iter().chain(own).collect()
}

/// Configures a node for a role, and enables and starts what the role runs.
///
/// # Errors
/// The recipe's script fails, a unit does not start, or what it runs does not answer within a minute.
pub async fn start(
    node: &Node,
    role: &Role,
    configure: String,
    environment: BTreeMap<String, String>,
) -> Result<(), Error> {
    node.step(&format!("{CLUSTER_FOLDER}/{} of the recipe", role.name), &configure, &environment).await?;
    if role.units.is_empty() {
        return Ok(());
    }
    let units = role.units.join(" ");
    // Not `enable --now`: systemctl hands the enabling of a SysV script on, and then starts nothing.
    let enable = format!("systemctl enable {units} && systemctl start {units}");
    let script = format!("{{ {enable}; }} 2>&1 || {{ systemctl --no-pager --full status {units}; exit 1; }}");
    node.step(&enable, &script, &environment).await?;
    if role.ready.is_some() {
        ready(node, role).await?;
    }
    Ok(())
}

/// Waits until what was started on a node answers.
///
/// # Errors
/// It does not answer within a minute, or the node does not run.
pub async fn ready(node: &Node, role: &Role) -> Result<(), Error> {
    let waiting = format!(
        "deadline=$(($(date +%s) + {}))
        until said=$( ({}) 2>&1); do
            [ $(date +%s) -lt $deadline ] || {{ echo \"$said\"; exit 1; }}
            sleep 0.2
        done",
        READY.as_secs(),
        role.ready.as_deref().unwrap_or(":")
    );
    node.step(&format!("waiting until {} answers", role.units.join(" ")), &waiting, &BTreeMap::new()).await?;
    Ok(())
}

/// Waits until one master leads and all agents are registered with it; returns its name.
///
/// # Errors
/// That does not come about within `limit`.
pub async fn elected(engine: &Engine, record: &ClusterRecord, limit: Duration) -> Result<String, Error> {
    let agents = record.of(Nodes::Agents).len() as u64;
    let started = Instant::now();
    loop {
        let view = masters::ask(engine, record).await;
        if let Some((name, _)) = masters::leader(&view).filter(|(_, answer)| answer.agents == agents) {
            return Ok(name.to_owned());
        }
        if started.elapsed() > limit {
            return Err(Error::Late {
                what: format!("no master led all {agents} agents"),
                seconds: limit.as_secs(),
                found: masters::describe(&view),
            });
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
