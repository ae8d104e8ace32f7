//! Clusters of the packages: containers with systemd, in which apt installs what was built, in a network of their own.
//!
//! ```text
//! recipe's [cluster] + node-root lock + dist -> prepare (node root, local repository) -> up -> ClusterRecord
//! ```
//!
//! Nothing of a cluster carries the label of a run: it stays when the run that made it ends, until it is removed by its
//! own label. What differs between recipes is data: see [`packaging::cluster`].

mod error;
mod gate;
mod layout;
mod masters;
mod names;
mod node;
mod record;
mod repository;
mod status;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use packaging::cluster::{Cluster, Nodes, Role};
use packaging::progress::Progress;
use packaging::recipe::CLUSTER_FOLDER;
use packaging::store::Store;

/// A piece of what a command on a node printed.
pub use bollard::container::LogOutput as Piece;
pub use error::Error;
pub use layout::Size;
pub use record::{ClusterName, ClusterRecord, NodeRecord, lock};
pub use status::{NodeStatus, Status, UnitStatus, exec, logs, status};

use crate::build_root::NodeRoot;
use crate::engine::Engine;
use crate::pipeline::{self, Options, Stage};
use layout::Place;
use names::Names;
use node::{Node, NodeSpec};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The cluster's name.
    pub name: ClusterName,
    /// How many masters and agents.
    pub size: Size,
    /// The folder with the packages.
    pub dist: PathBuf,
}

/// How long a node may take to boot.
const BOOT: Duration = Duration::from_secs(60);
/// How long what is started on a node may take to answer.
const READY: Duration = Duration::from_secs(60);
/// How long the masters may take to elect a leader, and the agents to register.
const ELECTION: Duration = Duration::from_secs(90);
/// How often is looked.
const INTERVAL: Duration = Duration::from_millis(200);

/// A cluster that is about to be made.
#[derive(Debug)]
pub struct Prepared {
    names: Names,
    cluster: Cluster,
    places: Vec<Place>,
    root: NodeRoot,
    /// The recipe's scripts, by role; what they have in common comes first.
    scripts: Vec<String>,
    record: ClusterRecord,
}

/// Brings the node root and the local repository. The caller holds the store's lock, and the cluster's.
pub async fn prepare(
    engine: &Engine,
    store: &Store,
    options: &Options,
    request: &Request,
    progress: &dyn Progress,
) -> Result<Prepared, Error> {
    let recipe = &options.recipe;
    let Some(cluster) = recipe.file.cluster.clone() else {
        return Err(pipeline::Error::NoCluster { recipe: recipe.name().to_owned() }.into());
    };
    if let Some(record) = ClusterRecord::find(store, &request.name)?.filter(|record| record.up) {
        return Err(Error::Exists { name: request.name.to_string(), recipe: record.recipe });
    }
    let places = layout::places(recipe.name(), &cluster, request.size)?;
    let debs = repository::packages(&request.dist, recipe.name())?;
    let scripts = cluster.roles.iter().map(|role| script(&recipe.folder, role)).collect::<Result<_, Error>>()?;
    let names = Names::new(store, &request.name);
    down(engine, store, &request.name).await?;
    let record = ClusterRecord {
        name: request.name.clone(),
        recipe: recipe.name().to_owned(),
        target: options.target.name.clone(),
        dist: request.dist.clone(),
        state: cluster.state.clone(),
        environment: layout::environment(&cluster, &places),
        up: false,
        nodes: Vec::new(),
        web: BTreeMap::new(),
    };
    record.save(store)?;
    let root = pipeline::node_root(engine, store, options, progress).await?;
    let stage = Stage::start(progress, format!("local repository of {} packages", debs.len()));
    repository::fill(engine, &names, &root.image, &debs).await?;
    stage.finish();
    Ok(Prepared { names, cluster, places, root, scripts, record })
}

/// What configures a node of this role: `cluster/environment` and `cluster/ROLE` of the recipe, where it has them.
fn script(recipe: &Path, role: &Role) -> Result<String, Error> {
    let mut script = "set -eu\n".to_owned();
    for name in ["environment", &role.name] {
        let path = recipe.join(CLUSTER_FOLDER).join(name);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read", path)(error)),
            Ok(text) => script += &text,
        }
    }
    Ok(script)
}

/// Makes the nodes, installs, configures, starts, and waits until a leader is elected and all agents are registered.
/// Returns the cluster and its leader's name.
pub async fn up(
    engine: &Engine,
    store: &Store,
    prepared: Prepared,
    progress: &dyn Progress,
) -> Result<(ClusterRecord, String), Error> {
    let Prepared { names, cluster, places, root, scripts, mut record } = prepared;
    let started = async {
        let stage = Stage::start(progress, format!("{} nodes boot", places.len()));
        names.make_network(engine).await?;
        let nodes = try_join_all(places.iter().map(|place| boot(engine, &names, &root, place))).await?;
        for (place, (node, address)) in places.iter().zip(&nodes) {
            let role = &cluster.roles[place.role];
            record.nodes.push(NodeRecord {
                name: node.name.clone(),
                role: role.name.clone(),
                kind: role.nodes,
                container: node.container.clone(),
                address: address.clone(),
                units: role.units.clone(),
            });
        }
        record.save(store)?;
        stage.finish();
        let stage = Stage::start(progress, "apt installs the packages");
        try_join_all(places.iter().zip(&nodes).map(|(place, (node, _))| {
            let packages = cluster.roles[place.role].packages.join(" ");
            install(node, packages)
        }))
        .await?;
        stage.finish();
        for (index, role) in cluster.roles.iter().enumerate() {
            let of_role: Vec<_> = places.iter().zip(&nodes).filter(|(place, _)| place.role == index).collect();
            if of_role.is_empty() {
                continue;
            }
            let stage = Stage::start(progress, format!("{} starts", role.units.join(" and ")));
            try_join_all(of_role.into_iter().map(|(place, (node, address))| {
                let mut environment = record.environment.clone();
                environment.extend([
                    ("NODE".to_owned(), node.name.clone()),
                    ("NUMBER".to_owned(), place.number.to_string()),
                    ("ADDRESS".to_owned(), address.clone()),
                ]);
                start(node, role, &scripts[index], environment)
            }))
            .await?;
            stage.finish();
        }
        let stage = Stage::start(progress, "the masters elect a leader and the agents register");
        let masters: Vec<&str> = record.of(Nodes::Masters).iter().map(|node| node.name.as_str()).collect();
        record.web = gate::open(engine, &names, &root.image, &masters, record.state.port).await?;
        let leader = elected(engine, &record, ELECTION).await?;
        stage.finish();
        record.up = true;
        record.save(store)?;
        Ok(leader)
    };
    match started.await {
        Ok(leader) => Ok((record, leader)),
        Err(why) => Err(Error::NotUp { name: record.name.to_string(), why: Box::new(why) }),
    }
}

/// Makes a node and waits until systemd has started all that it starts.
async fn boot(engine: &Engine, names: &Names, root: &NodeRoot, place: &Place) -> Result<(Node, String), Error> {
    let volume = names.volume();
    let spec = NodeSpec { image: &root.image, name: &place.name, volume: (&volume, repository::FOLDER) };
    let node = Node::start(engine, names, &spec).await?;
    let seconds = BOOT.as_secs();
    // The first process answers only after a moment; then `--wait` waits.
    let script = format!(
        "timeout {seconds} sh -c 'until systemctl is-system-running --wait | grep -q -E \"running|degraded\"; do sleep 0.1; done' 2>&1
        systemctl is-system-running && exit 0
        systemctl --no-pager --failed; exit 1"
    );
    node.step("booting", &script, &BTreeMap::new()).await?;
    let address = node.address(&names.network()).await?;
    let address = address.ok_or_else(|| Error::Step {
        node: place.name.clone(),
        step: "booting".into(),
        exit: 0,
        tail: "it has no address in the cluster's network: was its container removed?".into(),
    })?;
    Ok((node, address))
}

/// As an administrator would, and without questions.
async fn install(node: &Node, packages: String) -> Result<(), Error> {
    let environment = BTreeMap::from([("DEBIAN_FRONTEND".to_owned(), "noninteractive".to_owned())]);
    node.step("apt-get update", repository::CONFIGURE, &environment).await?;
    let install = format!("apt-get --quiet --yes install {packages} 2>&1");
    node.step(&format!("apt-get install {packages}"), &install, &environment).await?;
    Ok(())
}

async fn start(node: &Node, role: &Role, script: &str, environment: BTreeMap<String, String>) -> Result<(), Error> {
    node.step(&format!("{CLUSTER_FOLDER}/{} of the recipe", role.name), script, &environment).await?;
    let units = role.units.join(" ");
    // Not `enable --now`: systemctl hands the enabling of a SysV script on, and then starts nothing.
    let enable = format!("systemctl enable {units} && systemctl start {units}");
    node.step(
        &enable,
        &format!("{{ {enable}; }} 2>&1 || {{ systemctl --no-pager --full status {units}; exit 1; }}"),
        &environment,
    )
    .await?;
    if let Some(ready) = &role.ready {
        let waiting = format!(
            "deadline=$(($(date +%s) + {}))
            until said=$( ({ready}) 2>&1); do
                [ $(date +%s) -lt $deadline ] || {{ echo \"$said\"; exit 1; }}
                sleep 0.2
            done",
            READY.as_secs()
        );
        node.step(&format!("waiting until {units} answers"), &waiting, &environment).await?;
    }
    Ok(())
}

/// Waits until one master leads and all agents are registered with it; returns its name.
async fn elected(engine: &Engine, record: &ClusterRecord, limit: Duration) -> Result<String, Error> {
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

/// Removes a cluster, also one that was never finished; returns how many containers, networks and volumes it had.
pub async fn down(engine: &Engine, store: &Store, name: &ClusterName) -> Result<usize, Error> {
    let removed = Names::new(store, name).remove_all(engine).await?;
    ClusterRecord::forget(store, name)?;
    Ok(removed)
}
