//! Named volumes: where phases work, and the compiler cache.

use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::error::Error;

/// Label of the run that made something: what a dead run left is found by it.
pub const LABEL_RUN: &str = "org.mesos-packages.run";
/// Label of what something is for: `work`, `ccache`, `phase`, `temporary`.
pub const LABEL_KIND: &str = "org.mesos-packages.kind";
/// Label of the digest that something was made for.
pub const LABEL_KEY: &str = "org.mesos-packages.key";

/// A named volume and its labels.
#[derive(Clone, Debug)]
pub struct Volume {
    /// The name.
    pub name: String,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
}

/// Makes a volume; where it exists already, it is left as it is.
pub async fn create(engine: &Engine, name: &str, kind: &str, key: &str) -> Result<(), Error> {
    let _ = (engine, name, kind, key);
    todo!()
}

/// Whether there is a volume of that name.
pub async fn exists(engine: &Engine, name: &str) -> Result<bool, Error> {
    let _ = (engine, name);
    todo!()
}

/// Removes a volume; it is no error if there is none.
pub async fn remove(engine: &Engine, name: &str) -> Result<(), Error> {
    let _ = (engine, name);
    todo!()
}

/// All volumes that this tool made.
pub async fn list(engine: &Engine) -> Result<Vec<Volume>, Error> {
    let _ = engine;
    todo!()
}
