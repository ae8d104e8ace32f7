//! How the packages came to be: an in-toto statement with SLSA's predicate "Provenance" v1
//! (<https://slsa.dev/spec/v1.0/provenance>), in a DSSE envelope.
//!
//! # Build type `https://mesos-packages.invalid/build/v1`
//!
//! `externalParameters` are what a user chooses: `recipe`, `version`, `target`, and `source` with its `kind` (`git` for
//! the pinned commit, `recipe`, `local-archive` or `local-directory`). `internalParameters` are `sourceDateEpoch` and the
//! digest `packing` of the code that writes packages; and `taken`, where results of other machines were used: the stage, the
//! digests of its inputs and its content, and for each builder who states that the key and the digest of the statement. `resolvedDependencies` are complete: the plan, whose file lies
//! beside the packages; the source as a normalised tar; its commit and those applied on it; the archives that it bundles;
//! every .deb of the build root, by its permanent address. `byproducts` are the files about the packages.
//!
//! There is no time in it: the same build with the same key gives the same bytes.

use std::collections::BTreeMap;

use fetch::source::SourceOrigin;
use foundation::digest::Digest;
use recipe::plan::Plan;
use recipe::root_lock::RootLock;
use recipe::sources_lock::SourcesLock;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::intoto::{Predicate, Resource, Statement};
use super::result::Taken;
use crate::vex::deb_purl;

/// What comes before the ending of these files' names.
pub const INFIX: &str = "provenance";

const BUILD_TYPE: &str = "https://mesos-packages.invalid/build/v1";
const BUILDER: &str = "https://mesos-packages.invalid/builder/v1";

/// The predicate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// What was built, and what from.
    pub build_definition: BuildDefinition,
    /// Who built it, and what came out beside the packages.
    pub run_details: RunDetails,
}

impl Predicate for Provenance {
    const TYPE: &'static str = "https://slsa.dev/provenance/v1";
}

/// `buildDefinition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// The kind of build, which the module's documentation describes.
    pub build_type: String,
    /// What a user chooses, such as recipe and target.
    pub external_parameters: Value,
    /// What follows from the version of the tool.
    #[serde(default)]
    pub internal_parameters: Value,
    /// Everything that the build read, each with its digest.
    #[serde(default)]
    pub resolved_dependencies: Vec<Dependency>,
}

/// `runDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// The tool that built.
    pub builder: Builder,
    /// Files about the packages that were made with them.
    #[serde(default)]
    pub byproducts: Vec<Dependency>,
}

/// The builder: this tool. Whoever holds the key that signs answers for where it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builder {
    /// An address that names the builder.
    pub id: String,
    /// The versions of the builder's parts, by their names.
    #[serde(default)]
    pub version: BTreeMap<String, String>,
}

/// in-toto's ResourceDescriptor, as far as provenance uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// The name of a file, or words for what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is, as an address that programs understand: a package URL or `git+https://…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Its digests by algorithm: `sha256`, or `gitCommit` (`spec/v1/digest_set.md`).
    pub digest: BTreeMap<String, String>,
    /// An address that it can be downloaded from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_location: Option<String>,
}

impl Dependency {
    fn sha256(digest: Digest) -> Self {
        Self { digest: BTreeMap::from([("sha256".into(), digest.to_string())]), ..Self::default() }
    }

    fn commit(remote: Option<&String>, commit: &str) -> Self {
        let uri = remote.map(|remote| format!("git+{remote}@{commit}"));
        Self { uri, digest: BTreeMap::from([("gitCommit".into(), commit.to_owned())]), ..Self::default() }
    }

    fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }
}

/// What provenance is made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The plan that was built.
    pub plan: &'a Plan,
    /// The name of the file that has the plan.
    pub plan_file: &'a str,
    /// Where the source came from.
    pub origin: &'a SourceOrigin,
    /// The archives that are bundled in the source, with their digests.
    pub sources: &'a SourcesLock,
    /// The packages of the build root.
    pub root: &'a RootLock,
    /// Files about the packages, each with its digest.
    pub byproducts: &'a [Resource],
    /// What was not built here, but taken from others by signed statements.
    pub taken: &'a [Taken],
}

/// The provenance of packages, which are named as they are distributed.
pub fn statement(facts: &Facts<'_>, packages: Vec<Resource>) -> Statement<Provenance> {
    let Facts { plan, plan_file, origin, sources, root, byproducts, taken } = *facts;
    let mut dependencies = vec![
        Dependency::sha256(plan.digest()).named(plan_file),
        Dependency::sha256(plan.source().sha256).named("source tree"),
    ];
    let remote = match origin {
        SourceOrigin::Git { commit, remotes, tag, .. } => {
            let name = tag.as_ref().map_or_else(|| "source".to_owned(), |tag| format!("source, tag {tag}"));
            dependencies.push(Dependency::commit(remotes.first(), commit).named(name));
            remotes.first()
        }
        SourceOrigin::LocalDirectory { commit: Some(commit), modified, .. } => {
            // What was built is in the source tree's digest.
            let name =
                if *modified { "commit that the local source was modified from" } else { "commit of the local source" };
            dependencies.push(Dependency::commit(None, commit).named(name));
            None
        }
        SourceOrigin::LocalArchive { name, sha256 } => {
            dependencies.push(Dependency::sha256(*sha256).named(name));
            None
        }
        SourceOrigin::LocalDirectory { .. } | SourceOrigin::Recipe { .. } => None,
    };
    let picks = origin.cherry_picks().iter();
    dependencies.extend(picks.map(|pick| Dependency::commit(remote, &pick.commit).named("applied on the source")));
    // A local source need not have what is pinned; what it has is in the source tree's digest.
    if matches!(origin, SourceOrigin::Git { .. }) {
        dependencies.extend(sources.bundled.iter().map(|file| Dependency::sha256(file.sha256).named(&file.path)));
    }
    let distribution = plan.target().name.release();
    dependencies.extend(root.packages.iter().map(|deb| {
        let (archive, snapshot) = root.origin(&plan.target().archive, deb);
        Dependency {
            uri: Some(deb_purl(&plan.target().vendor, &deb.name, &deb.version, &deb.architecture, distribution)),
            download_location: Some(format!("{archive}/{snapshot}/{}", deb.path)),
            ..Dependency::sha256(deb.sha256)
        }
    }));
    let mut internal = serde_json::json!({
        "sourceDateEpoch": plan.source_date_epoch(),
        "packing": deb::code::digest(),
    });
    if !taken.is_empty() {
        internal["taken"] = taken.iter().map(said).collect();
    }
    let predicate = Provenance {
        build_definition: BuildDefinition {
            build_type: BUILD_TYPE.into(),
            external_parameters: serde_json::json!({
                "recipe": plan.recipe(),
                "version": plan.version(),
                "target": plan.target().name.to_string(),
                "source": plan.source().origin,
            }),
            internal_parameters: internal,
            resolved_dependencies: dependencies,
        },
        run_details: RunDetails {
            builder: Builder {
                id: BUILDER.into(),
                version: BTreeMap::from([("mesos-packages".into(), env!("CARGO_PKG_VERSION").into())]),
            },
            byproducts: byproducts
                .iter()
                .map(|file| Dependency::sha256(file.digest.sha256).named(&file.name))
                .collect(),
        },
    };
    Statement::about(packages, predicate)
}

/// A result that others made, in the words of this format. Where it was found says nothing of what it is.
fn said(taken: &Taken) -> Value {
    let builder =
        |by: &super::result::StatedBy| serde_json::json!({ "key": by.key, "statement": { "sha256": by.statement } });
    serde_json::json!({
        "stage": taken.stage,
        "inputs": { "sha256": taken.inputs },
        "content": { "sha256": taken.content },
        "builders": taken.builders.iter().map(builder).collect::<Vec<_>>(),
    })
}

/// The name of the file for a `.buildinfo` with this stem.
pub fn file_name(stem: &str) -> String {
    format!("{stem}.{INFIX}.{}", super::dsse::EXTENSION)
}
