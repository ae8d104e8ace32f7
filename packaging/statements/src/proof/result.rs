//! "From these inputs I got this": a signed statement about the result of one stage of a build, which other machines may
//! take instead of doing the same again.
//!
//! The statement's subject is the result's content: what every builder gets from the same inputs. What is one builder's
//! own (times, memory, logs) is fetched with it and is not what is compared.

use foundation::digest::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::intoto::{DigestSet, Predicate, Resource, Statement};

/// The result of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageResult {
    /// The kind of stage, such as `packages`.
    pub stage: String,
    /// Digest of everything that the stage was given: the key under which the result is kept.
    pub inputs: DigestSet,
    /// The file at the place that lists what the result has, and of which parts it is put together.
    pub list: Part,
    /// What it is a result of, for people and for whoever decides how long it is kept.
    pub of: Subject,
    /// When the statement was made, as a Unix time in seconds.
    pub stated: i64,
}

/// What a result is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The recipe.
    pub recipe: String,
    /// The target, such as `debian-13/amd64`.
    pub target: String,
    /// The version of the packages.
    pub version: String,
}

/// A file at the place, which is called by the digest of what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// SHA-256 digest of the file, as it is at the place: compressed.
    pub sha256: Digest,
    /// Size of the file in bytes.
    pub size: u64,
    /// Size in bytes of what is compressed in it.
    pub length: u64,
}

impl Predicate for StageResult {
    const TYPE: &'static str = "https://mesos-packages.invalid/attestation/result/v1";
}

impl StageResult {
    /// The statement that this stage gave this content.
    pub fn about(self, content: Digest) -> Statement<Self> {
        Statement::about(vec![Resource::new(self.stage.clone(), content)], self)
    }
}

impl Statement<StageResult> {
    /// Digest of the content that the stage gave; none where the statement is about something else than one result.
    pub fn content(&self) -> Option<Digest> {
        match &self.subject[..] {
            [one] if one.name == self.predicate.stage => Some(one.digest.sha256),
            _ => None,
        }
    }
}

/// A result that another machine made, and why it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Taken {
    /// The kind of stage, such as `packages`.
    pub stage: String,
    /// Digest of the stage's inputs.
    pub inputs: Digest,
    /// Digest of the result's content.
    pub content: Digest,
    /// The place that it came from.
    pub place: String,
    /// Who stated that the inputs give this content, each by one signed statement; of a verdict, whose bytes no two have alike, who stated a
    /// sound one, the latest first: the content is that of the first.
    pub builders: Vec<StatedBy>,
}

/// Who made a statement about a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct StatedBy {
    /// Fingerprint of the primary key.
    pub key: String,
    /// Fingerprint of the subkey that signed, where it was not the primary key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subkey: Option<String>,
    /// The user id of the key, as the key ring has it.
    pub user_id: String,
    /// Digest of the file with the signed statement.
    pub statement: Digest,
}
