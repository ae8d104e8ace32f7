//! The engine's containers, listed without their states: Podman knows states that the client library does not (`stopped`, for as
//! long as it clears up behind a container that has ended), and one of them would make the whole list unreadable.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use serde::{Deserialize, Deserializer};

use crate::address::readdressed;
use crate::{Engine, Error};

/// A container, whatever it is doing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its names, each with a `/` before it.
    #[serde(default, deserialize_with = "or_none")]
    pub names: Vec<String>,
    /// Its labels.
    #[serde(default, deserialize_with = "or_none")]
    pub labels: HashMap<String, String>,
}

/// Engines write `null` where there is nothing.
fn or_none<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(value: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// All containers with this label, `NAME` or `NAME=VALUE`, whether they run or not.
///
/// # Errors
/// The engine refuses, or its answer is no list of containers.
pub async fn containers(engine: &Engine, label: &str) -> Result<Vec<Listed>, Error> {
    let doing = || "listing containers".to_owned();
    let filters = serde_json::json!({ "label": [label] }).to_string();
    let place = format!("/containers/json?all=true&filters={}", encoded(&filters));
    // The client library hands over the bytes of a container's export as they come, and of nothing else: so this asks for one, at
    // the list's address.
    let docker = readdressed(engine.docker.clone(), move |asked| {
        let version = asked.split("/containers/").next().unwrap_or_default();
        format!("{version}{place}")
    });
    let pieces: Vec<_> =
        docker.export_container("all").try_collect().await.map_err(|why| engine.error(doing(), why))?;
    serde_json::from_slice(&pieces.concat())
        .map_err(|why| Error::Engine { doing: doing(), why: format!("no list of containers ({why})") })
}

/// A text as a part of a query (RFC 3986, section 2.1).
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[tokio::test]
    async fn a_state_that_the_client_library_does_not_know_is_no_matter() {
        let answer = r#"[{"Id":"aa","Names":["/one"],"Image":"i","State":"stopped","Labels":{"l":"x"}},
                         {"Id":"bb","Names":null,"State":"running","Labels":null}]"#;
        let fake = Fake::start("amd64", &[("/containers/json", answer)]);
        let engine = fake.engine().await;
        let listed = containers(&engine, "l=x").await.unwrap();
        let ids: Vec<&str> = listed.iter().map(|container| container.id.as_str()).collect();
        assert_eq!(ids, ["aa", "bb"]);
        assert_eq!((listed[0].names[0].as_str(), listed[0].labels["l"].as_str()), ("/one", "x"));
        let asked = fake.asked();
        let last = asked.last().unwrap();
        assert!(last.ends_with("/containers/json?all=true&filters=%7B%22label%22%3A%5B%22l%3Dx%22%5D%7D"), "{last}");
    }
}
