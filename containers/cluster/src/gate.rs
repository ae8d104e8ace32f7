//! The gate: the way from the loopback of the engine's machine to the masters' web interfaces. Their own network lets
//! nobody in, so a container that is in two networks hands connections on; it does nothing else. A virtual machine has a
//! way of its own.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{ContainerCreateBody, HostConfig, NetworkConnectRequest, PortBinding};
use bollard::query_parameters::{CreateContainerOptionsBuilder, InspectContainerOptions, StartContainerOptions};
use engine::Error;
use engine::container::isolated;

use super::ground::Ground;
use super::names::GATE as NAME;
use super::node::Place;
use super::record::{ClusterRecord, NodeRecord};

/// Opens a way to a port of each of these nodes, on a port of the loopback that the engine chooses; returns the
/// addresses, such as `http://127.0.0.1:32768/`, by node.
///
/// # Errors
/// The engine cannot make the container, put it into the cluster's network, or start it.
pub async fn open(ground: &Ground, record: &ClusterRecord, nodes: &[&str]) -> Result<BTreeMap<String, String>, Error> {
    if ground.is_machines() {
        let web = |node: &NodeRecord| match &node.place {
            Place::Machine(machine) => Some((node.name.clone(), format!("http://127.0.0.1:{}/", machine.web()?))),
            Place::Container(_) => None,
        };
        return Ok(record.nodes.iter().filter(|node| nodes.contains(&node.name.as_str())).filter_map(web).collect());
    }
    let (engine, names, image, port) = (&ground.engine, &ground.names, &ground.image, record.state.port);
    let fail = |error| engine.error("opening the way to the web interfaces".into(), error);
    let inside = |index: usize| format!("{}/tcp", usize::from(port) + index);
    let relay = |(index, node): (usize, &&str)| {
        // Names are looked up for each connection.
        format!("socat TCP-LISTEN:{},fork,reuseaddr TCP:{node}:{port} &\n", usize::from(port) + index)
    };
    let script: String = nodes.iter().enumerate().map(relay).collect::<String>() + "wait\n";
    let loopback = PortBinding { host_ip: Some("127.0.0.1".into()), host_port: None };
    let ports = (0..nodes.len()).map(|index| (inside(index), Some(vec![loopback.clone()])));
    let host = HostConfig {
        network_mode: Some("bridge".into()),
        port_bindings: Some(ports.collect()),
        cap_drop: Some(vec!["ALL".into()]),
        readonly_rootfs: Some(true),
        pids_limit: Some(256),
        ..isolated(engine)
    };
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(vec!["/bin/sh".into(), "-c".into(), script]),
        user: Some("65534:65534".into()),
        hostname: Some(NAME.into()),
        labels: Some(names.labels()),
        exposed_ports: Some((0..nodes.len()).map(inside).collect()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let container = names.container(NAME);
    let options = CreateContainerOptionsBuilder::default().name(&container).build();
    engine.docker.create_container(Some(options), body).await.map_err(fail)?;
    let connect = NetworkConnectRequest { container: container.clone(), endpoint_config: None };
    engine.docker.connect_network(&names.network(), connect).await.map_err(fail)?;
    engine.docker.start_container(&container, None::<StartContainerOptions>).await.map_err(fail)?;
    let found = engine.docker.inspect_container(&container, None::<InspectContainerOptions>).await.map_err(fail)?;
    let bound: HashMap<_, _> = found.network_settings.and_then(|settings| settings.ports).unwrap_or_default();
    let address = |index: usize| -> Option<String> {
        let binding = bound.get(&inside(index))?.as_ref()?.first()?;
        Some(format!("http://127.0.0.1:{}/", binding.host_port.as_ref()?))
    };
    Ok(nodes.iter().enumerate().filter_map(|(index, node)| Some(((*node).to_owned(), address(index)?))).collect())
}
