//! Named volumes: where phases work, and the compiler cache.

use std::collections::{BTreeMap, HashMap};

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder};

use crate::names::{LABEL_KEY, LABEL_KIND, LABEL_RUN};
use crate::{Engine, Error, is_missing};

/// A named volume and its labels.
#[derive(Clone, Debug)]
pub struct Volume {
    /// The volume's name in the engine.
    pub name: String,
    /// All labels of the volume: those of this tool, and others'.
    pub labels: BTreeMap<String, String>,
}

/// Makes a volume with the labels of our run, of `kind` and of `key`; where it exists already, it is left as it is.
///
/// # Errors
/// The engine does not answer, or cannot make it.
pub async fn create(engine: &Engine, name: &str, kind: &str, key: &str) -> Result<(), Error> {
    create_with(engine, name, &[(LABEL_KIND, kind), (LABEL_KEY, key)]).await
}

/// The same with any labels beside that of our run.
///
/// # Errors
/// As for [`create`].
pub async fn create_with(engine: &Engine, name: &str, labels: &[(&str, &str)]) -> Result<(), Error> {
    if exists(engine, name).await? {
        return Ok(());
    }
    let labels = [&[(LABEL_RUN, engine.run.as_str())], labels].concat();
    let request = VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
        ..VolumeCreateRequest::default()
    };
    let created = engine.docker.create_volume(request).await;
    created.map(drop).map_err(|error| engine.error(format!("making the volume {name}"), error))
}

/// Whether the engine has a volume of that name.
///
/// # Errors
/// The engine does not answer, or cannot say.
pub async fn exists(engine: &Engine, name: &str) -> Result<bool, Error> {
    match engine.docker.inspect_volume(name).await {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(engine.error(format!("looking for the volume {name}"), error)),
    }
}

/// Removes a volume; it is no error if there is none.
///
/// # Errors
/// The engine does not answer, or a container still uses the volume.
pub async fn remove(engine: &Engine, name: &str) -> Result<(), Error> {
    let options = RemoveVolumeOptionsBuilder::default().force(true).build();
    match engine.docker.remove_volume(name, Some(options)).await {
        Err(error) if !is_missing(&error) => Err(engine.error(format!("removing the volume {name}"), error)),
        _ => Ok(()),
    }
}

/// Lists all volumes that this tool made, of all stores.
///
/// # Errors
/// The engine does not answer.
pub async fn list(engine: &Engine) -> Result<Vec<Volume>, Error> {
    let filters = HashMap::from([("label", vec![LABEL_KIND])]);
    let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
    let answer = engine.docker.list_volumes(Some(options)).await;
    let found = answer.map_err(|error| engine.error("listing volumes".into(), error))?.volumes.unwrap_or_default();
    Ok(found
        .into_iter()
        .map(|volume| Volume { name: volume.name, labels: volume.labels.into_iter().collect() })
        .collect())
}
