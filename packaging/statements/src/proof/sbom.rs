//! A bill of materials for each package: CycloneDX 1.6, JSON (ECMA-424, <https://cyclonedx.org/docs/1.6/json/>).
//!
//! It names the package by the digest of its file, upstream with the commits that were applied on it, and what is in the
//! package without being declared as a dependency. What the package depends on is in its control file, and not here:
//! the system chooses that when it installs. The time is the changelog's, so that the same build gives the same bytes.

use deb::binary_package::BinaryPackage;
use fetch::source::SourceOrigin;
use recipe::Recipe;
use recipe::components::{self, Components, License};
use recipe::plan::Plan;
use recipe::sources_lock::SourcesLock;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::vex::{self, deb_purl};

/// How the names of these files end, after the package's own name.
pub const EXTENSION: &str = "cdx.json";

/// The version of CycloneDX, the format of these files.
pub const SPEC_VERSION: &str = "1.6";

/// What the bill of a package is made from.
#[derive(Clone, Copy, Debug)]
pub struct Sbom<'a> {
    /// The recipe that was built.
    pub recipe: &'a Recipe,
    /// The plan that was built.
    pub plan: &'a Plan,
    /// Where the source came from.
    pub origin: &'a SourceOrigin,
    /// The archives that are bundled in the source, with their digests.
    pub lock: &'a SourcesLock,
    /// What `components.toml` says is in the packages beside upstream's own code.
    pub components: Option<&'a Components>,
}

/// The file name of a package's bill of materials.
pub fn file_name(package: &str) -> String {
    format!("{}.{EXTENSION}", package.strip_suffix(".deb").unwrap_or(package))
}

impl Sbom<'_> {
    /// The bill of a package, as it is distributed.
    pub fn of(&self, package: &BinaryPackage) -> Vec<u8> {
        let target = &self.plan.target();
        let BinaryPackage { name, version, architecture, .. } = package;
        // The same as in the statement on vulnerabilities: scanners bring both together by it.
        let purl = deb_purl(&target.vendor, name, version, architecture, target.name.release());
        let time =
            OffsetDateTime::from_unix_timestamp(self.plan.source_date_epoch()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let upstream = self.upstream();
        let others = self.others(package);
        let inside: Vec<&Value> = std::iter::once(&upstream).chain(&others).map(|one| &one["bom-ref"]).collect();
        let bill = json!({
            "$schema": format!("http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json"),
            "bomFormat": "CycloneDX",
            "specVersion": SPEC_VERSION,
            "serialNumber": vex::uuid(&package.sha256),
            "version": 1,
            "metadata": {
                "timestamp": time.format(&Rfc3339).unwrap_or_default(),
                "lifecycles": [{ "phase": "build" }],
                "tools": { "components": [{ "type": "application", "name": "mesos-packages", "version": env!("CARGO_PKG_VERSION") }] },
                "component": {
                    "type": if package.section.starts_with("lib") { "library" } else { "application" },
                    "bom-ref": purl,
                    "name": package.name,
                    "version": package.version,
                    "description": package.synopsis,
                    "purl": purl,
                    "hashes": [{ "alg": "SHA-256", "content": package.sha256 }],
                    "properties": [{ "name": "mesos-packages:plan", "value": self.plan.digest().to_string() }],
                },
            },
            "components": std::iter::once(&upstream).chain(&others).collect::<Vec<_>>(),
            "dependencies": [{ "ref": purl, "dependsOn": inside }],
        });
        let mut bytes = serde_json::to_vec_pretty(&bill).expect("plain data serialises to JSON");
        bytes.push(b'\n');
        bytes
    }

    fn upstream(&self) -> Value {
        let Recipe { file, .. } = self.recipe;
        let described = self.components.map(|components| &components.upstream);
        let purl =
            described.map_or_else(|| format!("pkg:generic/{}@{}", file.name, file.version), |up| up.purl.clone());
        let mut component = json!({
            "type": "application",
            "bom-ref": purl,
            "name": file.name,
            "version": file.version,
            "purl": purl,
            "externalReferences": [{ "type": "website", "url": file.homepage }],
            "hashes": [{ "alg": "SHA-256", "content": self.plan.source().sha256 }],
        });
        if let Some(described) = described {
            component["licenses"] = json!([{ "expression": described.license }]);
            if let Some(cpe) = &described.cpe {
                component["cpe"] = json!(cpe);
            }
        }
        let picks = self.origin.cherry_picks();
        if !picks.is_empty() {
            let commits: Vec<Value> = picks.iter().map(|pick| json!({ "uid": pick.commit })).collect();
            component["pedigree"] =
                json!({ "commits": commits, "notes": "Later commits of upstream, applied on this version." });
        }
        component
    }

    fn others(&self, package: &BinaryPackage) -> Vec<Value> {
        // Debug symbols are those of the package that they were taken out of.
        let name = package.name.strip_suffix("-dbgsym").unwrap_or(&package.name);
        let all = self.components.iter().flat_map(|components| &components.others);
        all.filter_map(|other| {
            let form = other.packages.get(name)?;
            let mut component = json!({
                "type": "library",
                "bom-ref": other.purl,
                "name": other.name,
                "purl": other.purl,
                "licenses": match &other.license {
                    License::Spdx(expression) => json!([{ "expression": expression }]),
                    License::Named { name } => json!([{ "license": { "name": name } }]),
                },
                "properties": [{ "name": "mesos-packages:form", "value": form.word() }],
            });
            if let Some(version) = &other.version {
                component["version"] = json!(version);
            }
            if let Some(cpe) = &other.cpe {
                component["cpe"] = json!(cpe);
            }
            if let Some(bundled) = &other.bundled {
                let pinned =
                    components::digest(self.lock, bundled).map(|digest| json!({ "alg": "SHA-256", "content": digest }));
                component["externalReferences"] = json!([{
                    "type": "source-distribution",
                    "url": bundled,
                    "comment": "in upstream's source",
                    "hashes": pinned.into_iter().collect::<Vec<_>>(),
                }]);
            }
            Some(component)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use deb::manifest;
    use foundation::digest::Digest;
    use recipe::frozen;
    use recipe::plan::{Parts, PlannedSource, Tool};
    use recipe::root_lock::{LockKind, RootLock};
    use recipe::target::Target;

    /// The bills of Mesos's packages, made of the recipe as it is.
    #[test]
    fn what_is_in_mesos() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        // As it is built from: with the version in the packages' names.
        let copy = tempfile::tempdir().unwrap();
        let folder = copy.path().join("mesos");
        let recipe = frozen::copy_to(&Recipe::read(&top.join("../mesos")).unwrap(), &folder).unwrap();
        let target = Target::read(&top.join("../../containers/targets"), &"debian-12/amd64".parse().unwrap()).unwrap();
        let request = recipe.request_digest(&target, LockKind::BuildRoot);
        let path = recipe.lock_path(&target, LockKind::BuildRoot);
        let root = RootLock::read(&path, LockKind::BuildRoot, ("mesos", "mesos"), &target.name, request).unwrap();
        let lock = SourcesLock::read(&folder.join("sources.lock")).unwrap();
        let origin =
            SourceOrigin::Git { commit: "0".repeat(40), tag: None, remotes: vec![], cherry_picks: recipe.picks() };
        let plan = Plan::new(Parts {
            recipe: &recipe,
            target: &target,
            lock: &root,
            source: PlannedSource { sha256: Digest::of("source"), origin: serde_json::Value::Null },
            version: "1.7.2-1".into(),
            source_date_epoch: 1_749_031_200,
            tool: Tool {
                assembler: Digest::of("a"),
                driver: Digest::of("d"),
                wrapper: Digest::of("w"),
                split: Digest::of("s"),
                packing: Digest::of("p"),
            },
        })
        .unwrap();
        let manifest = manifest::read(&folder).unwrap();
        let names: Vec<&str> = manifest.packages.iter().map(|package| package.name.as_str()).collect();
        let components = Components::read(&recipe.folder, &lock, &names).unwrap();
        let sbom = Sbom { recipe: &recipe, plan: &plan, origin: &origin, lock: &lock, components: components.as_ref() };
        let bill = |name: &str| -> Value {
            let package = BinaryPackage {
                name: name.into(),
                version: "1.7.2-1".into(),
                architecture: "amd64".into(),
                file: format!("{name}_1.7.2-1_amd64.deb"),
                sha256: Digest::of(name),
                size: 1,
                installed_size: 1,
                section: "net".into(),
                priority: "optional".into(),
                synopsis: "something".into(),
                debug: name.ends_with("-dbgsym"),
            };
            serde_json::from_slice(&sbom.of(&package)).unwrap()
        };
        let names = |bill: &Value| -> Vec<String> {
            let all = bill["components"].as_array().unwrap();
            all.iter().map(|component| component["name"].as_str().unwrap().to_owned()).collect()
        };
        let library = bill("libmesos-1.7.2");
        assert!(
            ["mesos", "boost", "grpc", "zookeeper", "c-ares"]
                .iter()
                .all(|name| names(&library).contains(&(*name).into()))
        );
        assert_eq!(names(&library), names(&bill("libmesos-1.7.2-dbgsym")));
        assert_eq!(names(&bill("libmesos-java")), ["mesos", "protobuf"]);
        let commits = library["components"][0]["pedigree"]["commits"].as_array().unwrap();
        assert_eq!(commits.len(), recipe.picks().len());
        let grpc = library["components"].as_array().unwrap().iter().find(|one| one["name"] == "grpc").unwrap();
        let archive = &grpc["externalReferences"][0]["hashes"][0]["content"];
        assert_eq!(archive, "f52f979fa8eb8d4f74e192d32c97915d124d6531b6d1300a158cdfbabbaca04a");
    }

    #[test]
    fn a_bill_lies_beside_its_package() {
        assert_eq!(file_name("a_1.0-1_all.deb"), "a_1.0-1_all.cdx.json");
    }
}
