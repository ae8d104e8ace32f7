//! What a cluster stands on: containers of the engine, or virtual machines of this host.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use engine::Engine;
use foundation::progress::{Event, Progress};
use foundation::stage::Stage;
use foundation::store::Store;
use futures_util::future::try_join_all;
use roots::build_root::{NodeRoot, RootImage};
use roots::disk::Disk;

use super::accelerator::Accelerator;
use super::draft::Draft;
use super::machine::{Machine, MachineSpec};
use super::names::Names;
use super::node::{Node, NodeSpec};
use super::record::{self, ClusterName};
use super::{Error, repository, seed};

/// How long a node may take to boot, once it answers.
const BOOT: Duration = Duration::from_secs(300);
/// The folder of a cluster's machines, in that of its record.
const MACHINES: &str = "machines";
/// The archive of packages, in that folder.
const PACKAGES: &str = "packages.tar";

/// What a cluster stands on.
#[derive(Clone, Debug)]
pub struct Ground {
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) names: Names,
    /// The image of the nodes' root: also for what is done with packages outside of nodes.
    pub(super) image: String,
    name: ClusterName,
    machines: Option<Machines>,
}

/// What is common to the virtual machines of a cluster.
#[derive(Clone, Debug)]
struct Machines {
    disk: Disk,
    accelerator: Accelerator,
    options: MachineOptions,
}

/// What virtual machines can be asked to be like.
#[derive(Clone, Debug)]
pub struct MachineOptions {
    /// The memory of each, in MiB.
    pub memory: u32,
    /// Further options of their kernel, such as `systemd.unified_cgroup_hierarchy=0`.
    pub kernel: String,
}

impl Ground {
    /// Containers, as copies of a node root.
    pub fn containers(engine: &Engine, store: &Store, name: &ClusterName, root: &NodeRoot) -> Self {
        Self::new(engine, store, name, root, None)
    }

    /// Virtual machines with copies of a disk, which was made of this root.
    ///
    /// # Errors
    /// There is no QEMU.
    pub async fn machines(
        engine: &Engine,
        store: &Store,
        name: &ClusterName,
        (root, disk): (&RootImage, Disk),
        options: MachineOptions,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let accelerator = Accelerator::find(&disk).await?;
        progress.event(Event::Note { text: format!("virtual machines by {}", accelerator.described()) });
        Ok(Self::new(engine, store, name, root, Some(Machines { disk, accelerator, options })))
    }

    fn new(engine: &Engine, store: &Store, name: &ClusterName, root: &RootImage, machines: Option<Machines>) -> Self {
        let names = Names::new(store, name);
        let (engine, store, name) = (engine.clone(), store.clone(), name.clone());
        Self { engine, store, names, image: root.image.clone(), name, machines }
    }

    /// Whether nodes are virtual machines.
    pub fn is_machines(&self) -> bool {
        self.machines.is_some()
    }

    /// Makes what nodes are put into: the network, and the local repository of packages.
    ///
    /// # Errors
    /// The engine cannot make the network, or the repository cannot be filled.
    pub async fn prepare(&self, draft: &Draft, progress: &dyn Progress) -> Result<(), Error> {
        let stage = Stage::start(progress, format!("local repository of {} packages", draft.debs.len()));
        if self.machines.is_none() {
            self.names.make_network(&self.engine).await?;
        }
        repository::fill(&self.engine, &self.names, &self.image, &draft.debs).await?;
        if self.machines.is_some() {
            let folder = self.folder();
            fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
            seed::make_keys(&folder).await?;
            repository::archive(&self.engine, &self.names, &self.image, &folder.join(PACKAGES)).await?;
        }
        stage.finish();
        Ok(())
    }

    /// Makes nodes, waits until systemd has started all that it starts there, and returns them with their addresses.
    ///
    /// # Errors
    /// A node cannot be made or started, or one does not boot in time, has a unit that failed, or has no address.
    pub async fn boot(&self, draft: &Draft, wanted: &[&str]) -> Result<Vec<(Node, String)>, Error> {
        let mut nodes = Vec::new();
        match &self.machines {
            None => {
                let volume = self.names.volume();
                // One by one, as they are removed: see there.
                for name in wanted {
                    let spec = NodeSpec { image: &self.image, name, volume: (&volume, repository::FOLDER) };
                    nodes.push(Node::start(&self.engine, &self.names, &spec).await?);
                }
            }
            Some(machines) => {
                let all = seed::neighbours(wanted);
                for own in &all {
                    nodes.push(self.machine(machines, draft.cluster.state.port, &all, own).await?);
                }
            }
        }
        let addresses = seed::neighbours(wanted);
        try_join_all(nodes.into_iter().zip(addresses).map(async |(node, neighbour)| {
            node.answers().await?;
            booted(&node).await?;
            let address = match &self.machines {
                None => node.address(&self.names.network()).await?,
                Some(_) => Some(neighbour.address),
            };
            let address = address.ok_or_else(|| Error::Wrong {
                node: node.name.clone(),
                step: "booting".into(),
                found: "it has no address in the cluster's network: was its container removed?".into(),
            })?;
            Ok((node, address))
        }))
        .await
    }

    async fn machine(
        &self,
        machines: &Machines,
        port: u16,
        all: &[seed::Neighbour],
        own: &seed::Neighbour,
    ) -> Result<Node, Error> {
        let folder = self.folder().join(&own.name);
        fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
        seed::write(&self.folder(), &folder, all, own, port)?;
        let (group, network) = self.network();
        let spec = MachineSpec {
            name: &own.name,
            folder,
            disk: &machines.disk,
            packages: &self.folder().join(PACKAGES),
            accelerator: &machines.accelerator,
            memory: machines.options.memory,
            mac: &own.mac,
            network: (&group, network),
            kernel_options: &machines.options.kernel,
        };
        Ok(Node::machine(&own.name, Machine::start(&spec).await?))
    }

    /// Lets nodes have higher versions of the packages, in a folder of their own that they do not take packages from unless
    /// they are told to.
    ///
    /// # Errors
    /// A package cannot be taken apart and put together again, or a node does not run.
    pub async fn add_next(&self, nodes: &[Node]) -> Result<(), Error> {
        repository::add_next(&self.engine, &self.names, &self.image).await?;
        if self.machines.is_some() {
            let path = self.folder().join("next.tar");
            repository::archive(&self.engine, &self.names, &self.image, &path).await?;
            for node in nodes {
                node.unpack(&path, "/srv").await?;
            }
        }
        Ok(())
    }

    /// All nodes of the cluster, whether it ever came up or not.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn nodes(&self) -> Result<Vec<Node>, Error> {
        if self.machines.is_some() {
            let machines = all_machines(&self.store, &self.name);
            return Ok(machines.into_iter().map(|(name, machine)| Node::machine(&name, machine)).collect());
        }
        let containers = self.names.nodes(&self.engine).await?;
        Ok(containers.iter().map(|(name, container)| Node::container(&self.engine, name, container)).collect())
    }

    fn folder(&self) -> PathBuf {
        folder(&self.store, &self.name)
    }

    /// Group and port on loopback that are the cluster's network: others for other clusters, as far as can be.
    fn network(&self) -> (String, u16) {
        let hash = self
            .names
            .network()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let [a, b, c, d, ..] = hash.to_be_bytes();
        (format!("239.192.{a}.{b}"), 20000 + u16::from_be_bytes([c, d]) % 10000)
    }
}

fn folder(store: &Store, name: &ClusterName) -> PathBuf {
    record::folder(store, name).join(MACHINES)
}

/// The machines of a cluster, by name.
fn all_machines(store: &Store, name: &ClusterName) -> Vec<(String, Machine)> {
    let entries = fs::read_dir(folder(store, name)).into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
    let named = |path: PathBuf| Some((path.file_name()?.to_str()?.to_owned(), Machine::of(&path)));
    let mut machines: Vec<_> = folders.filter_map(named).collect();
    machines.sort_by(|(a, _), (b, _)| a.cmp(b));
    machines
}

/// Ends all machines of a cluster, and removes what they had; returns how many of them ran.
///
/// # Errors
/// Their folder cannot be removed.
pub async fn end_machines(store: &Store, name: &ClusterName) -> Result<usize, Error> {
    let mut ended = 0;
    for (_, machine) in all_machines(store, name) {
        ended += usize::from(machine.end().await);
    }
    let folder = folder(store, name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", folder)(error)),
        _ => Ok(ended),
    }
}

/// Waits until systemd has started all that it starts on a node.
///
/// # Errors
/// That takes more than five minutes, a unit failed, or the node does not run.
pub async fn booted(node: &Node) -> Result<(), Error> {
    // The first process answers only after a moment; then `--wait` waits.
    let script = format!(
        "timeout {} sh -c 'until systemctl is-system-running --wait | grep -q -E \"running|degraded\"; do sleep 0.1; done' \
             2>/dev/null
        systemctl is-system-running && exit 0
        systemctl --no-pager --failed
        exit 1",
        BOOT.as_secs()
    );
    node.step("booting", &script, &BTreeMap::new()).await.map(drop)
}
