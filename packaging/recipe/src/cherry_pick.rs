//! Later commits of upstream that a recipe names: the backport queue, as data. Applying them is the part of the crate
//! `fetch`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::ticket::Ticket;

/// A later commit of upstream; they are applied in the order in which they stand here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CherryPick {
    /// The commit: 40 hexadecimal digits.
    #[serde(deserialize_with = "commit_id")]
    pub commit: String,
    /// Why it is taken: what goes wrong without it.
    #[serde(deserialize_with = "text")]
    pub reason: String,
    /// What it fixes: `CVE-2020-11022`, or a ticket as its tracker writes it.
    #[serde(default, deserialize_with = "identifiers")]
    pub fixes: Vec<String>,
    /// Files that the commit changes and that stay as they are, such as tests of what is not there yet.
    #[serde(default)]
    pub without: Vec<String>,
    /// The switch: why it is not applied, where it is not.
    #[serde(default, deserialize_with = "some_text")]
    pub disabled: Option<String>,
}

impl CherryPick {
    /// What is to be applied of it; nothing if it is disabled.
    pub fn pick(&self) -> Option<Pick> {
        let pick = Pick { commit: self.commit.clone(), without: self.without.clone() };
        self.disabled.is_none().then_some(pick)
    }
}

/// A commit to apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pick {
    /// The commit.
    pub commit: String,
    /// Files that it changes and that stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

fn commit_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    if id.len() == 40 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(id);
    }
    let why = format!("`{id}` is not the id of a commit: all its 40 hexadecimal digits are needed, in lower case");
    Err(serde::de::Error::custom(why))
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(serde::de::Error::custom("say why, in a sentence")) } else { Ok(text) }
}

fn some_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    text(deserializer).map(Some)
}

fn identifiers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let all = Vec::<String>::deserialize(deserializer)?;
    match all.iter().find(|id| !is_identifier(id)) {
        None => Ok(all),
        Some(id) => {
            let why = format!(
                "`{id}` is neither a CVE (`CVE-2020-11022`) nor a ticket as its tracker writes it (`MESOS-9610`, `#123`)"
            );
            Err(serde::de::Error::custom(why))
        }
    }
}

/// Whether this is a CVE's id (CVE-YEAR-NUMBER with four or more digits, https://www.cve.org/About/Process) or a ticket.
fn is_identifier(id: &str) -> bool {
    let digits = |text: &str, least| text.len() >= least && text.bytes().all(|b| b.is_ascii_digit());
    match id.strip_prefix("CVE-") {
        Some(rest) => rest.split_once('-').is_some_and(|(year, number)| digits(year, 4) && digits(number, 4)),
        None => Ticket::try_from(id.to_owned()).is_ok(),
    }
}

/// The picks of a recipe, looked over: each once, and no path that leads out of the tree.
pub(crate) fn look_over(picks: &[CherryPick]) -> Result<(), String> {
    for (i, pick) in picks.iter().enumerate() {
        if picks[..i].iter().any(|other| other.commit == pick.commit) {
            return Err(format!("cherry-pick: the commit {} is there twice", pick.commit));
        }
        for path in &pick.without {
            if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(format!("cherry-pick {}: without = \"{path}\" is not a file of the tree", pick.commit));
            }
        }
    }
    Ok(())
}
