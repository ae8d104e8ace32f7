//! Removing what dead runs left in the engine.

use std::collections::HashMap;

use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder};

use crate::list::{Listed, containers};
use crate::names::{KIND_TEMPORARY, LABEL_KIND, LABEL_RUN};
use crate::{Engine, Error, is_missing};

/// Removes the containers and temporary images whose run label `stale` accepts; returns a line for people about each
/// thing that was removed. Volumes and build roots stay: they are what a later run continues from.
///
/// # Errors
/// The engine cannot list what it has, or refuses to remove something that it still has. What was removed before stays
/// removed.
pub async fn cleanup(engine: &Engine, stale: impl Fn(&str) -> bool) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    let is_stale = |labels: &HashMap<String, String>| labels.get(LABEL_RUN).is_some_and(|run| stale(run));

    for Listed { id, labels, .. } in containers(engine, LABEL_RUN).await? {
        if !is_stale(&labels) {
            continue;
        }
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match engine.docker.remove_container(&id, Some(options)).await {
            Err(error) if !is_missing(&error) => {
                return Err(engine.error("removing a left-over container".into(), error));
            }
            _ => removed.push(format!("container {} ({})", &id[..id.len().min(12)], labels[LABEL_RUN])),
        }
    }

    let temporary = format!("{LABEL_KIND}={KIND_TEMPORARY}");
    let filters = HashMap::from([("label", vec![temporary.as_str()])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let images = engine.docker.list_images(Some(options)).await;
    for image in images.map_err(|error| engine.error("listing images".into(), error))? {
        if !is_stale(&image.labels) {
            continue;
        }
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        match engine.docker.remove_image(&image.id, Some(options), None).await {
            Err(error) if !is_missing(&error) => return Err(engine.error("removing a left-over image".into(), error)),
            _ => removed.push(format!("image {} ({})", image.repo_tags.join(" "), image.labels[LABEL_RUN])),
        }
    }
    Ok(removed)
}
