//! A cluster before it is made: everything that it is made from has been read and looked over.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use foundation::store::Store;
use pipeline::Options;
use recipe::CLUSTER_FOLDER;
use recipe::cluster::{Cluster, Script};
use recipe::target::TargetName;

use super::layout::{self, Place, Size};
use super::record::{ClusterName, ClusterRecord};
use super::{Error, repository};

/// What cluster is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The cluster's name.
    pub name: ClusterName,
    /// How many nodes of each kind it has.
    pub size: Size,
    /// The folder with the packages.
    pub dist: PathBuf,
}

/// A cluster that is about to be made.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(super) name: ClusterName,
    pub(super) recipe: String,
    pub(super) target: TargetName,
    pub(super) dist: PathBuf,
    pub(super) cluster: Cluster,
    /// The packages of the local repository.
    pub(super) debs: Vec<PathBuf>,
    pub(super) places: Vec<Place>,
    test: bool,
    /// `cluster/environment` of the recipe: what all its scripts and commands begin with.
    preface: String,
    /// The text of `cluster/ROLE` of the recipe, for each role in their order.
    scripts: Vec<String>,
    /// The text of `cluster/scenarios/NAME` of the recipe, by name.
    scenarios: BTreeMap<String, String>,
}

impl Draft {
    /// Reads the recipe's data and looks for the packages of the cluster that `request` asks for.
    ///
    /// # Errors
    /// The recipe has no cluster or not the scripts that it names, a cluster of this size cannot be made, or the folder
    /// has no packages.
    pub fn new(options: &Options, request: &Request) -> Result<Self, Error> {
        let recipe = &options.recipe;
        let Some(cluster) = recipe.file.cluster.clone() else {
            return Err(pipeline::Error::NoCluster { recipe: recipe.name().to_owned() }.into());
        };
        let path = |name: &str| recipe.path(&Path::new(CLUSTER_FOLDER).join(name));
        let read = |name: &str| read(&path(name));
        let scenario = |script: &Script| {
            let path = path(&format!("scenarios/{}", script.name));
            let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            Ok((script.name.clone(), text))
        };
        Ok(Self {
            name: request.name.clone(),
            recipe: recipe.name().to_owned(),
            target: options.target.name.clone(),
            dist: request.dist.clone(),
            test: request.size.clients > 0,
            places: layout::places(recipe.name(), &cluster, request.size)?,
            debs: repository::packages(&request.dist, recipe.name())?,
            preface: read("environment")?,
            scripts: cluster.roles.iter().map(|role| read(&role.name)).collect::<Result<_, _>>()?,
            scenarios: cluster.scenarios.iter().map(scenario).collect::<Result<_, Error>>()?,
            cluster,
        })
    }

    /// Refuses to replace a cluster that is up, unless it is what a test that was killed has left.
    ///
    /// # Errors
    /// Such a cluster is up, or its record cannot be read.
    pub fn refuse_existing(&self, store: &Store) -> Result<(), Error> {
        match ClusterRecord::find(store, &self.name)?.filter(|record| record.up && !record.test) {
            Some(record) => Err(Error::Exists { name: self.name.to_string(), recipe: record.recipe }),
            None => Ok(()),
        }
    }

    /// A shell script as it is run on a node: after what all scripts of the recipe begin with.
    pub(super) fn script(&self, command: &str) -> String {
        format!("set -eu\n{}\n{command}", self.preface)
    }

    /// What configures a node of a role.
    pub(super) fn configure(&self, role: usize) -> String {
        self.script(&self.scripts[role])
    }

    /// The script of a scenario of the recipe's own.
    pub(super) fn scenario(&self, script: &Script) -> &str {
        &self.scenarios[&script.name]
    }

    /// What is kept of the cluster while it is not yet made.
    pub(super) fn record(&self) -> ClusterRecord {
        ClusterRecord {
            name: self.name.clone(),
            recipe: self.recipe.clone(),
            target: self.target.clone(),
            dist: self.dist.clone(),
            state: self.cluster.state.clone(),
            environment: layout::environment(&self.cluster, &self.places),
            test: self.test,
            up: false,
            nodes: Vec::new(),
            web: BTreeMap::new(),
        }
    }
}

/// Reads a script of the recipe; without such a file it is empty.
fn read(path: &Path) -> Result<String, Error> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(Error::io("read", path)),
    }
}
