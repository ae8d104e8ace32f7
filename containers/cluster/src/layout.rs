//! Which nodes a cluster has: pure data, from the recipe's roles and the numbers of masters and agents.

use std::collections::BTreeMap;

use recipe::cluster::{Cluster, Nodes, Role};

use super::Error;

/// How large a cluster is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Masters: an odd number, because half of an even one is no majority.
    pub masters: u32,
    /// How many agents.
    pub agents: u32,
    /// How many clients, from which frameworks are run: one where that is tried.
    pub clients: u32,
}

/// A node that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The node's name, also its host name: `master1`.
    pub name: String,
    /// The index of its role among the recipe's.
    pub role: usize,
    /// Its number among the nodes of its role, from 1.
    pub number: u32,
}

/// The most nodes, which are all on one machine: each is a container with a systemd of its own.
const MOST_NODES: u32 = 100;

/// Lays out the nodes of a cluster of this size, role by role.
///
/// # Errors
/// There are more than a hundred masters and agents, an even number of masters, or several where nothing of the recipe
/// elects a leader.
pub fn places(recipe: &str, cluster: &Cluster, size: Size) -> Result<Vec<Place>, Error> {
    let nodes = size.masters.saturating_add(size.agents);
    if nodes > MOST_NODES {
        return Err(Error::Request(format!(
            "{nodes} masters and agents are too many for one machine: at most {MOST_NODES} are made"
        )));
    }
    if size.masters.is_multiple_of(2) {
        return Err(Error::Request(format!(
            "{} masters are not better than {}: an election needs more than half of them, so ask for an odd number",
            size.masters,
            size.masters.max(2) - 1
        )));
    }
    if size.masters > 1 && cluster.role(Nodes::Ensemble).is_none() {
        return Err(Error::Request(format!(
            "{recipe} has nothing that elects a leader among masters: ask for one master"
        )));
    }
    let count = |role: &Role| match role.nodes {
        Nodes::Masters => size.masters,
        Nodes::Agents => size.agents,
        Nodes::Ensemble if size.masters > 1 => size.masters,
        Nodes::Ensemble => 0,
        Nodes::Client => size.clients,
    };
    let of_role = |(index, role): (usize, &Role)| -> Vec<Place> {
        let place = |number| Place { name: format!("{}{number}", role.name), role: index, number };
        (1..=count(role)).map(place).collect()
    };
    Ok(cluster.roles.iter().enumerate().flat_map(of_role).collect())
}

/// What the scripts of a recipe know of the cluster: for each role a variable with its nodes' names, `MASTERS` for
/// those of the role `master`.
pub fn environment(cluster: &Cluster, places: &[Place]) -> BTreeMap<String, String> {
    let names = |index: usize| -> Vec<&str> {
        places.iter().filter(|place| place.role == index).map(|place| place.name.as_str()).collect()
    };
    cluster.roles.iter().enumerate().map(|(index, role)| (variable(role), names(index).join(" "))).collect()
}

/// What the scripts know where a node is the whole cluster: master and agent in one, with nothing that elects.
pub fn alone(cluster: &Cluster, node: &str) -> BTreeMap<String, String> {
    let everything = |role: &Role| match role.nodes {
        Nodes::Masters | Nodes::Agents => node.to_owned(),
        Nodes::Ensemble | Nodes::Client => String::new(),
    };
    cluster.roles.iter().map(|role| (variable(role), everything(role))).collect()
}

fn variable(role: &Role) -> String {
    role.name.to_ascii_uppercase() + "S"
}

#[cfg(test)]
mod tests {
    use recipe::cluster::State;

    use super::*;

    fn cluster(roles: &[(&str, Nodes)]) -> Cluster {
        let role = |(name, nodes): &(&str, Nodes)| Role {
            name: (*name).to_owned(),
            nodes: *nodes,
            packages: Vec::new(),
            units: Vec::new(),
            ready: None,
            exposure: None,
        };
        Cluster {
            depends: Vec::new(),
            roles: roles.iter().map(role).collect(),
            state: State { port: 1, path: "/".into(), leads: None, agents: "/a".into() },
            frameworks: Vec::new(),
            task: None,
            kept_by_purge: Vec::new(),
            pages: Vec::new(),
            scenarios: Vec::new(),
        }
    }

    fn names(cluster: &Cluster, masters: u32, agents: u32) -> Vec<String> {
        places("thing", cluster, Size { masters, agents, clients: 0 })
            .unwrap()
            .into_iter()
            .map(|place| place.name)
            .collect()
    }

    #[test]
    fn an_ensemble_only_among_several_masters() {
        let cluster = cluster(&[("zk", Nodes::Ensemble), ("master", Nodes::Masters), ("agent", Nodes::Agents)]);
        assert_eq!(names(&cluster, 1, 1), ["master1", "agent1"]);
        assert_eq!(names(&cluster, 3, 1), ["zk1", "zk2", "zk3", "master1", "master2", "master3", "agent1"]);
        let places = places("thing", &cluster, Size { masters: 1, agents: 2, clients: 0 }).unwrap();
        let expected = [("AGENTS", "agent1 agent2"), ("MASTERS", "master1"), ("ZKS", "")];
        assert_eq!(
            environment(&cluster, &places),
            expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
        );
        let expected = [("AGENTS", "one"), ("MASTERS", "one"), ("ZKS", "")];
        assert_eq!(alone(&cluster, "one"), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn sizes_that_cannot_be() {
        let cluster = cluster(&[("master", Nodes::Masters), ("agent", Nodes::Agents)]);
        for (masters, says) in [
            (0, "odd number"),
            (u32::MAX, "at most 100"),
            (2, "2 masters are not better than 1"),
            (3, "ask for one master"),
        ] {
            let error = places("thing", &cluster, Size { masters, agents: 1, clients: 0 }).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
