//! What is kept of a cluster in the store, so that later commands find it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::{fmt, fs};

use foundation::file::write_whole;
use foundation::store::{Store, StoreLock};
use recipe::cluster::{Nodes, State};
use recipe::target::TargetName;
use serde::{Deserialize, Serialize};

use super::Error;
use super::node::Place;

/// A cluster's name: it tells the clusters of a store apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterName(String);

impl FromStr for ClusterName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if text.is_empty() || text.len() > 20 || !plain {
            return Err(Error::Name(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// The node's name, such as `master1`.
    pub name: String,
    /// The name of its role in the recipe.
    pub role: String,
    /// What the role is among roles.
    pub kind: Nodes,
    /// Where it is. Flat, since records of before there were virtual machines have `container` here.
    #[serde(flatten)]
    pub place: Place,
    /// Its address in the cluster's network.
    pub address: String,
    /// The units of systemd that are started there.
    pub units: Vec<String>,
}

/// What is known of a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// The cluster's name.
    pub name: ClusterName,
    /// Name of the recipe.
    pub recipe: String,
    /// The target that its packages are for.
    pub target: TargetName,
    /// The folder that its packages came from.
    pub dist: PathBuf,
    /// How its masters tell what they know.
    pub state: State,
    /// The environment variables by which the recipe's scripts know the cluster.
    pub environment: BTreeMap<String, String>,
    /// Whether it is there to be tested, and for nobody else.
    pub test: bool,
    /// Whether it came up; else the run that was to make it failed or was killed.
    pub up: bool,
    /// The nodes, role by role.
    pub nodes: Vec<NodeRecord>,
    /// The masters' web interfaces on the loopback of the engine's machine, by the node's name.
    pub web: BTreeMap<String, String>,
}

const FILE: &str = "cluster.json";

/// The folder of what is kept of a cluster.
pub fn folder(store: &Store, name: &ClusterName) -> PathBuf {
    store.root().join("clusters").join(&name.0)
}

/// Locks the record of a cluster, so that nobody else makes or removes this cluster meanwhile. `what` says to others
/// why it is locked.
///
/// # Errors
/// Somebody else has the lock, of whom the error tells, or it cannot be written.
pub fn lock(store: &Store, name: &ClusterName, what: &str) -> Result<StoreLock, Error> {
    Ok(StoreLock::try_acquire(&folder(store, name), what)?)
}

impl ClusterRecord {
    /// Reads the record of a cluster, if there is one.
    ///
    /// # Errors
    /// There is one, and it cannot be read or understood.
    pub fn find(store: &Store, name: &ClusterName) -> Result<Option<Self>, Error> {
        let path = folder(store, name).join(FILE);
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| Error::io("understand", path)(std::io::Error::other(error))),
        }
    }

    /// Reads the record of a cluster that must be there.
    ///
    /// # Errors
    /// There is no such cluster, or as for [`ClusterRecord::find`].
    pub fn read(store: &Store, name: &ClusterName) -> Result<Self, Error> {
        Self::find(store, name)?.ok_or_else(|| Error::NoCluster { name: name.to_string() })
    }

    /// Writes the record in place of an earlier one. The caller holds the lock.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn save(&self, store: &Store) -> Result<(), Error> {
        let path = folder(store, &self.name).join(FILE);
        let text = serde_json::to_vec_pretty(self).expect("plain data");
        write_whole(&path, &text).map_err(Error::io("write", path))
    }

    /// Removes the record of a cluster; it is no error if there is none.
    ///
    /// # Errors
    /// The record cannot be removed.
    pub fn forget(store: &Store, name: &ClusterName) -> Result<(), Error> {
        let path = folder(store, name).join(FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// The nodes whose role is of this kind.
    pub fn of(&self, kind: Nodes) -> Vec<&NodeRecord> {
        self.nodes.iter().filter(|node| node.kind == kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use foundation::failure::{Failure as _, Kind};

    use super::*;

    #[test]
    fn names() {
        assert!("trial2".parse::<ClusterName>().is_ok());
        for bad in ["", "Trial", "a-b", "a/b", "abcdefghijklmnopqrstu"] {
            let error = bad.parse::<ClusterName>().unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{error}");
        }
    }
}
