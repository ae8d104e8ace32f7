//! Making a cluster: nodes, packages, configuration, units, and an election.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use engine::Engine;
use foundation::progress::Progress;
use foundation::stage::Stage;
use futures_util::future::try_join_all;
use recipe::CLUSTER_FOLDER;
use recipe::cluster::{Nodes, Role};

use super::draft::Draft;
use super::ground::Ground;
use super::node::Node;
use super::record::{ClusterRecord, NodeRecord};
use super::{Error, down, gate, masters, repository};

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
pub async fn up(ground: &Ground, draft: &Draft, progress: &dyn Progress) -> Result<(ClusterRecord, String), Error> {
    down(&ground.engine, &ground.store, &draft.name).await?;
    let mut record = draft.record();
    record.save(&ground.store)?;
    match make(ground, draft, &mut record, progress).await {
        Ok(leader) => Ok((record, leader)),
        Err(why) => Err(Error::NotUp { name: record.name.to_string(), why: Box::new(why) }),
    }
}

async fn make(
    ground: &Ground,
    draft: &Draft,
    record: &mut ClusterRecord,
    progress: &dyn Progress,
) -> Result<String, Error> {
    let store = &ground.store;
    let (roles, places) = (&draft.cluster.roles, &draft.places);
    ground.prepare(draft, progress).await?;
    let stage = Stage::start(progress, format!("{} nodes boot", places.len()));
    let wanted: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
    let nodes = ground.boot(draft, &wanted).await?;
    for (place, (node, address)) in places.iter().zip(&nodes) {
        record.nodes.push(NodeRecord {
            name: node.name.clone(),
            role: roles[place.role].name.clone(),
            kind: roles[place.role].nodes,
            place: node.place(),
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
    record.web = gate::open(ground, record, &masters).await?;
    let leader = elected(&ground.engine, record, ELECTION).await?;
    stage.finish();
    record.up = true;
    record.save(store)?;
    Ok(leader)
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
