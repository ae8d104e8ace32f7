//! What a cluster's parts are called in the engine, and how all of them are found again and removed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::{ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder};
use engine::list::{Listed, containers};
use engine::names::{LABEL_CLUSTER, LABEL_KIND, LABEL_RUN, of_cluster};
use engine::volume;
use engine::{Engine, Error, is_missing};
use foundation::store::Store;

use super::record::ClusterName;

/// The name of the gate among those of the nodes.
pub const GATE: &str = "gate";

/// The names of a cluster's parts in the engine.
#[derive(Clone, Debug)]
pub struct Names {
    store: String,
    name: String,
}

impl Names {
    /// The names of the parts of a cluster of this store.
    pub fn new(store: &Store, name: &ClusterName) -> Self {
        Self { store: store.id(), name: name.to_string() }
    }

    fn prefix(&self) -> String {
        of_cluster(&self.store, &self.name)
    }

    /// The name of the network.
    pub fn network(&self) -> String {
        self.prefix()
    }

    /// The name of the volume with the packages.
    pub fn volume(&self) -> String {
        self.prefix() + "-packages"
    }

    /// The name of a node's container.
    pub fn container(&self, node: &str) -> String {
        format!("{}-{node}", self.prefix())
    }

    fn label(&self) -> String {
        format!("{}/{}", self.store, self.name)
    }

    /// The labels by which everything of the cluster is found again.
    pub fn labels(&self) -> HashMap<String, String> {
        let labels = [
            (LABEL_CLUSTER, self.label()),
            (LABEL_KIND, "cluster".into()),
            // Containers have their image's labels as well: this must not pass for what the image's run left behind.
            (LABEL_RUN, format!("cluster/{}", self.label())),
        ];
        labels.map(|(label, value)| (label.to_owned(), value)).into()
    }

    /// Makes the network, in which the nodes see each other and nothing outside.
    ///
    /// # Errors
    /// The engine cannot make it, such as where it has no addresses left, or where there is one of that name.
    pub async fn make_network(&self, engine: &Engine) -> Result<(), Error> {
        let request = NetworkCreateRequest {
            name: self.network(),
            driver: Some("bridge".into()),
            internal: Some(true),
            labels: Some(self.labels()),
            ..NetworkCreateRequest::default()
        };
        let made = engine.docker.create_network(request).await;
        made.map(drop).map_err(|error| engine.error("making the cluster's network".into(), error))
    }

    /// Makes the volume of packages, empty.
    ///
    /// # Errors
    /// The engine does not answer, or cannot make it.
    pub async fn make_volume(&self, engine: &Engine) -> Result<(), Error> {
        volume::create(engine, &self.volume(), "cluster", &self.label()).await
    }

    /// Lists the nodes that the engine has, whether they run or not: pairs of a node's name and its container's.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn nodes(&self, engine: &Engine) -> Result<Vec<(String, String)>, Error> {
        let prefix = self.container("");
        let names = self.containers(engine).await?.into_iter().filter_map(|mut container| container.names.pop());
        let mut nodes: Vec<(String, String)> = names
            .filter_map(|name| {
                let container = name.trim_start_matches('/').to_owned();
                Some((container.strip_prefix(&prefix)?.to_owned(), container))
            })
            .filter(|(node, _)| node != GATE)
            .collect();
        nodes.sort();
        Ok(nodes)
    }

    async fn containers(&self, engine: &Engine) -> Result<Vec<Listed>, Error> {
        containers(engine, &format!("{LABEL_CLUSTER}={}", self.label())).await
    }

    /// Removes everything that the cluster has in the engine; returns how many containers, networks and volumes that
    /// were.
    ///
    /// # Errors
    /// The engine still refuses to remove something after 20 seconds, or is lost.
    pub async fn remove_all(&self, engine: &Engine) -> Result<usize, Error> {
        let started = Instant::now();
        let mut removed = 0;
        // The engine goes on with what it was told by a run that was cut short: a container may come into being while
        // its network is removed. Then all of it is tried again.
        loop {
            match self.remove_once(engine, &mut removed).await {
                Err(Error::Engine { .. }) if started.elapsed() < LINGERING => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                other => return other.map(|()| removed),
            }
        }
    }

    async fn remove_once(&self, engine: &Engine, removed: &mut usize) -> Result<(), Error> {
        let containers = self.containers(engine).await?;
        // One by one: Docker 20.10 loses count of a network's endpoints where several come or go at once, and then
        // refuses to remove the network until it is restarted.
        for Listed { id, .. } in containers {
            // Killed, not stopped: nothing that its first process could write is kept.
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            match engine.docker.remove_container(&id, Some(options)).await {
                Err(error) if is_missing(&error) => {}
                other => {
                    other.map_err(|error| engine.error("removing a node".into(), error))?;
                    *removed += 1;
                }
            }
        }
        let label = format!("{LABEL_CLUSTER}={}", self.label());
        let filters = HashMap::from([("label", vec![label.as_str()])]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let networks = engine.docker.list_networks(Some(options)).await;
        for network in networks.map_err(|error| engine.error("listing the cluster's networks".into(), error))? {
            let Some(id) = network.id else { continue };
            match engine.docker.remove_network(&id).await {
                Err(error) if !is_missing(&error) => {
                    let doing =
                        "removing the cluster's network (where it has no container any more, restart the engine)";
                    return Err(engine.error(doing.into(), error));
                }
                _ => *removed += 1,
            }
        }
        if volume::exists(engine, &self.volume()).await? {
            volume::remove(engine, &self.volume()).await?;
            *removed += 1;
        }
        Ok(())
    }
}

/// How long the engine may take to be done with what it was told before.
const LINGERING: Duration = Duration::from_secs(20);
