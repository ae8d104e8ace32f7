//! What the signed files say of each other: provenance, bills of materials, `.buildinfo` and the statement on the tests are
//! about exactly these packages. Their own bytes are checked before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use serde_json::Value;

use super::{Packages, SignedList, Verified, VerifyError, read};
use crate::proof::dsse::{self, DsseError};
use crate::proof::intoto::{Resource, Statement};
use crate::proof::provenance::{self, Dependency, Provenance};
use crate::proof::sbom;
use crate::rebuild::checksums_in;

const LISTED: &str = "SHA256SUMS lists it";

/// Each `.buildinfo` lists packages of this folder, with their digests, and all of them are listed.
pub(super) fn build_infos(folder: &SignedList<'_>, packages: &Packages<'_>) -> Result<(), VerifyError> {
    let mut listed = BTreeMap::new();
    let mut last = None;
    for name in folder.named(&["buildinfo"]) {
        let path = folder.dist.join(name);
        let text = read(&path, LISTED)?;
        // A text of which nothing can be read lists nothing, which is not what the folder has.
        listed.extend(
            checksums_in(&String::from_utf8_lossy(&text)).into_iter().map(|(file, digest)| (file.into(), digest)),
        );
        last = Some(path);
    }
    match last {
        Some(path) => compare(&path, &listed, packages),
        None => Ok(()),
    }
}

/// The provenance, where the folder has one, is signed, is about these packages, and names the files beside it.
pub(super) fn provenance(
    folder: &SignedList<'_>,
    packages: &Packages<'_>,
    verified: &mut Verified,
) -> Result<(), VerifyError> {
    let ending = format!(".{}.{}", provenance::INFIX, dsse::EXTENSION);
    for name in folder.named(&[dsse::EXTENSION]).filter(|name| name.to_string_lossy().ends_with(&ending)) {
        let path = folder.dist.join(name);
        let (statement, key): (Statement<Provenance>, _) = dsse::open(&path, &read(&path, LISTED)?, folder.gpgv)?;
        verified.add(name, key);
        subjects(&path, &statement.subject, packages)?;
        let Provenance { build_definition, run_details } = &statement.predicate;
        for dependency in build_definition.resolved_dependencies.iter().chain(&run_details.byproducts) {
            beside(folder, &path, dependency)?;
        }
        verified.provenance = Some(statement.predicate);
    }
    Ok(())
}

/// A file that provenance names and that is in the folder is the same.
fn beside(folder: &SignedList<'_>, path: &Path, dependency: &Dependency) -> Result<(), VerifyError> {
    let Some((name, expected)) = dependency.name.as_ref().and_then(|name| folder.list.get_key_value(Path::new(name)))
    else {
        return Ok(());
    };
    let found = dependency.digest.get("sha256").map_or("none", String::as_str);
    if found == expected.to_string() {
        return Ok(());
    }
    Err(VerifyError::Contradiction {
        path: path.to_owned(),
        expected: format!("sha256 {expected} of {} as SHA256SUMS has it", name.display()),
        found: found.to_owned(),
    })
}

/// Either no package has a bill of materials, or each has one that is about it. Returns how many there are.
pub(super) fn bills(folder: &SignedList<'_>, packages: &Packages<'_>) -> Result<usize, VerifyError> {
    let bills: Vec<&PathBuf> = folder.named(&[sbom::EXTENSION]).collect();
    if bills.is_empty() {
        return Ok(0);
    }
    for (package, digest) in packages {
        let name = PathBuf::from(sbom::file_name(&package.to_string_lossy()));
        let path = folder.dist.join(&name);
        if !bills.contains(&&name) {
            return Err(VerifyError::Missing { path, because: "the other packages have bills of materials" });
        }
        let wrong =
            |expected: String, found: String| VerifyError::Contradiction { path: path.clone(), expected, found };
        let bill: Value =
            serde_json::from_slice(&read(&path, LISTED)?).map_err(|error| wrong("JSON".into(), error.to_string()))?;
        for (field, expected) in [("bomFormat", "CycloneDX"), ("specVersion", sbom::SPEC_VERSION)] {
            if bill[field] != expected {
                return Err(wrong(format!("{field} {expected}"), bill[field].to_string()));
            }
        }
        let hashes = &bill["metadata"]["component"]["hashes"];
        let hash = hashes.as_array().into_iter().flatten().find(|hash| hash["alg"] == "SHA-256");
        let found = hash.map_or(&Value::Null, |hash| &hash["content"]);
        if *found != digest.to_string() {
            return Err(wrong(format!("the bill of {} with SHA-256 {digest}", package.display()), found.to_string()));
        }
    }
    if bills.len() > packages.len() {
        let of = |bill: &&&PathBuf| {
            !packages.keys().any(|name| sbom::file_name(&name.to_string_lossy()) == bill.to_string_lossy())
        };
        let path = folder.dist.join(bills.iter().find(of).expect("there are more bills than packages"));
        return Err(VerifyError::Contradiction { path, expected: "a package".into(), found: "no such package".into() });
    }
    Ok(bills.len())
}

/// A statement is about these packages and no others.
pub(super) fn subjects(path: &Path, subjects: &[Resource], packages: &Packages<'_>) -> Result<(), VerifyError> {
    let mut found: BTreeMap<PathBuf, Digest> = BTreeMap::new();
    for subject in subjects {
        if found.insert(PathBuf::from(&subject.name), subject.digest.sha256).is_some() {
            let found = format!("{} is in it twice", subject.name);
            return Err(DsseError::Statement { path: path.to_owned(), found }.into());
        }
    }
    compare(path, &found, packages)
}

fn compare(path: &Path, found: &BTreeMap<PathBuf, Digest>, packages: &Packages<'_>) -> Result<(), VerifyError> {
    let text = |name: &Path, digest: Option<&Digest>| match digest {
        Some(digest) => format!("{} with sha256 {digest}", name.display()),
        None => format!("no {}", name.display()),
    };
    for name in packages.keys().copied().chain(found.keys()) {
        let (expected, found) = (packages.get(name), found.get(name));
        if expected != found {
            let (expected, found) = (text(name, expected), text(name, found));
            return Err(VerifyError::Subject { path: path.to_owned(), expected, found });
        }
    }
    Ok(())
}
