//! What is proven of the packages: the signed statements that came with them, kept as `evidence/SHA256/NAME` for whoever wants
//! to check them, and what they say in short, for the page.
//!
//! A statement is read once, when it is taken in and its signature was checked. From then on its digest vouches for it:
//! `.repository/evidence.json` has it, which the signed generation names ([`super::generation`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use apt::Sum;
use foundation::digest::Digest;
use foundation::public;
use serde::{Deserialize, Serialize};
use sign::gpgv::Gpgv;
use statements::check::statement;
use statements::proof::attestation;
use statements::proof::dsse;
use statements::proof::provenance::{self, Provenance};
use statements::proof::sbom;
use statements::verify::{SUMS, SUMS_SIGNATURE, Verified};
use statements::vex::{self, VexFinding};

use super::gate::refused;
use super::repair::below;
use super::{Folder, Refusal, RepositoryError, files};

/// The name in `.repository/`.
pub(super) const NAME: &str = "evidence.json";

/// The folder of the statements.
pub(super) const FOLDER: &str = "evidence";

/// All builds whose packages are kept, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Evidence(pub Vec<Build>);

/// A build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Build {
    /// The SHA-256 digests of the packages of this build.
    pub packages: BTreeSet<Digest>,
    /// The statements: file name to digest and size.
    pub files: BTreeMap<String, Sum>,
    /// The keys that signed the packages.
    pub builders: Vec<Who>,
    /// The result of upstream's tests, where a statement has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Tests>,
    /// The source and the inputs, where a statement has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Who built it again with the same result, by the statement's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rebuilds: BTreeMap<String, Rebuild>,
    /// What is known of vulnerabilities, where something is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vulnerabilities: Option<Vec<VexFinding>>,
}

/// The owner of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Who {
    /// Fingerprint of the primary key, in hexadecimal digits.
    pub fingerprint: String,
    /// The user id of the key, such as `Demo Packages <demo@example.org>`.
    pub user_id: String,
}

/// What the tests said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Tests {
    /// How many tests passed.
    pub passed: usize,
    /// Those that are flaky, or failed and are excused.
    pub warned: Vec<String>,
    /// How many tests failed.
    pub failed: usize,
}

/// Where a build came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Origin {
    /// The source in a few words, such as `tag 1.7.2`.
    pub source: String,
    /// The commit that was built: 40 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// How many later commits were applied on it.
    pub applied: usize,
    /// How many inputs the build had in all.
    pub inputs: usize,
    /// SHA-256 digest of the plan, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

/// Somebody built it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Rebuild {
    /// The key that signed the statement.
    pub by: Who,
    /// What differed from the usual circumstances.
    pub variations: Vec<String>,
}

impl Evidence {
    /// Reads what is known of the builds; nothing where there is no file yet.
    ///
    /// # Errors
    /// The file is there and cannot be read, or is not as this tool writes it.
    pub fn read(folder: &Folder) -> Result<Self, RepositoryError> {
        Ok(files::read_json(&folder.state().join(NAME))?.unwrap_or_default())
    }

    fn write(&self, folder: &Folder) -> Result<(), RepositoryError> {
        let path = folder.state().join(NAME);
        match files::read_json::<Self>(&path)?.unwrap_or_default() == *self {
            true => Ok(()),
            false => files::write_json(&folder.temporary(), &path, self),
        }
    }

    /// The builds that have a package with this digest.
    pub fn of<'a>(&'a self, packages: &'a BTreeSet<Digest>) -> impl Iterator<Item = &'a Build> {
        self.0.iter().filter(move |build| !build.packages.is_disjoint(packages))
    }

    /// Takes in what came with a build. What is known of it already stays: another rebuilder may have been added.
    fn merge(&mut self, new: Build) {
        match self.0.iter_mut().find(|known| known.packages == new.packages) {
            Some(known) => {
                let mut merged = new;
                for (name, rebuild) in &known.rebuilds {
                    if !merged.rebuilds.contains_key(name) {
                        merged.rebuilds.insert(name.clone(), rebuild.clone());
                        merged.files.insert(name.clone(), known.files[name]);
                    }
                }
                *known = merged;
            }
            None => self.0.push(new),
        }
    }
}

impl Build {
    /// The paths of its statements below the repository, with name, digest and size.
    pub fn paths(&self) -> impl Iterator<Item = (String, &String, &Sum)> {
        self.files.iter().map(|(name, sum)| (path(name, &sum.0), name, sum))
    }

    /// The path of the statement whose name ends like this.
    pub fn path_of(&self, end: &str) -> Option<String> {
        self.paths().find(|(_, name, _)| name.ends_with(end)).map(|(path, ..)| path)
    }
}

fn path(name: &str, sha256: &Digest) -> String {
    format!("{FOLDER}/{sha256}/{name}")
}

/// What of a folder of packages is kept. The list of what was signed is, too: it vouches for what has no signature of its
/// own.
fn is_kept(name: &str) -> bool {
    const ENDINGS: [&str; 5] = [".changes", ".buildinfo", ".plan.json", ".provenance.intoto.jsonl", ".openvex.json"];
    [SUMS, SUMS_SIGNATURE, statement::FILE, statement::SIGNATURE].contains(&name)
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || name.ends_with(&format!(".{}", sbom::EXTENSION))
}

/// A name that can be in a path, in a URL and in a list of files as it is.
fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+~".contains(&b))
}

/// Reads what a verified folder proves of these packages.
pub(super) fn read(
    dist: &Path,
    verified: &Verified,
    packages: BTreeSet<Digest>,
    rebuilders: &Path,
) -> Result<Build, RepositoryError> {
    let mut build = Build {
        packages,
        files: BTreeMap::new(),
        builders: vec![],
        tests: None,
        origin: verified.provenance.as_ref().map(origin),
        rebuilds: BTreeMap::new(),
        vulnerabilities: None,
    };
    for key in &verified.keys {
        if !build.builders.iter().any(|known| known.fingerprint == key.primary) {
            build.builders.push(Who { fingerprint: key.primary.clone(), user_id: key.user_id.clone() });
        }
    }
    build.tests = verified.tests.as_ref().map(|tests| Tests {
        passed: tests.passed_tests.len(),
        warned: tests.warned_tests.clone(),
        failed: tests.failed_tests.len(),
    });
    for name in files::names(dist)?.into_iter().filter(|name| is_plain(name)) {
        let path = dist.join(&name);
        let rebuilt = attestation::is_attestation(Path::new(&name));
        if !(is_kept(&name) || rebuilt) || !path.is_file() {
            continue;
        }
        let bytes = fs::read(&path).map_err(RepositoryError::io("read", &path))?;
        let sum = (Digest::of(&bytes), bytes.len() as u64);
        let changed = |problem: &str| refused(Refusal::Statement { path: path.clone(), problem: problem.into() });
        match verified.digests.get(Path::new(&name)) {
            Some(listed) if *listed != sum.0 => return Err(changed("it was changed while it was read")),
            None if !rebuilt && ![SUMS, SUMS_SIGNATURE, statement::FILE, statement::SIGNATURE].contains(&&*name) => {
                // Nobody signed it.
                continue;
            }
            _ => {}
        }
        if rebuilt {
            let rebuild = rebuild(&path, &bytes, &build.packages, rebuilders)?;
            build.rebuilds.insert(name.clone(), rebuild);
        }
        if name.ends_with(vex::EXTENSION) {
            build.vulnerabilities = vex::findings(&bytes);
        }
        build.files.insert(name, sum);
    }
    Ok(build)
}

fn origin(provenance: &Provenance) -> Origin {
    let definition = &provenance.build_definition;
    let source = &definition.external_parameters["source"];
    let text = |name: &str| source[name].as_str().map(str::to_owned);
    let source_text = match (text("tag"), text("kind").as_deref()) {
        (Some(tag), _) => format!("Tag {tag}"),
        (None, Some("git")) => "Pinned commit".to_owned(),
        (None, Some("recipe")) => "Source of the recipe".to_owned(),
        _ => "Local source".to_owned(),
    };
    let dependencies = &definition.resolved_dependencies;
    let plan = dependencies.iter().find(|found| found.name.as_ref().is_some_and(|name| name.ends_with(".plan.json")));
    Origin {
        source: source_text,
        commit: text("commit"),
        applied: source["cherry-picks"].as_array().map_or(0, Vec::len),
        inputs: dependencies.len(),
        plan: plan.and_then(|plan| plan.digest.get("sha256").cloned()),
    }
}

/// A statement that these packages were rebuilt, by somebody whom we know.
fn rebuild(path: &Path, bytes: &[u8], packages: &BTreeSet<Digest>, known: &Path) -> Result<Rebuild, RepositoryError> {
    let wrong = |problem: String| refused(Refusal::Statement { path: path.to_owned(), problem });
    let (statement, key) =
        attestation::open(path, bytes, &Gpgv::new(known)?).map_err(|error| wrong(reason(path, &error)))?;
    let subjects: BTreeSet<Digest> = statement.subject.iter().map(|subject| subject.digest.sha256).collect();
    if subjects.is_disjoint(packages) {
        return Err(wrong("it is about none of the packages beside it".into()));
    }
    let variations = statement.predicate.variations.into_iter().map(|variation| variation.name).collect();
    Ok(Rebuild { by: Who { fingerprint: key.primary, user_id: key.user_id }, variations })
}

/// What an error says, without the file's name, which comes first already.
fn reason(path: &Path, error: &dsse::DsseError) -> String {
    let text = error.to_string();
    text.strip_prefix(&format!("{}: ", path.display())).map_or_else(|| text.clone(), str::to_owned)
}

/// Copies a build's statements, and remembers it. What is copied is what was read, or it is refused.
pub(super) fn take(folder: &Folder, dist: &Path, build: &Build) -> Result<(), RepositoryError> {
    for (path, name, (sha256, size)) in build.paths() {
        let place = folder.path(&path);
        if fs::metadata(&place).is_ok_and(|found| found.len() == *size) {
            continue;
        }
        let from = dist.join(name);
        let attempt = || -> std::io::Result<_> {
            public::make_folder(place.parent().expect("it is in a folder"))?;
            let file = tempfile::NamedTempFile::new_in(folder.temporary())?;
            let copied = files::copy(&from, file.as_file())?;
            file.as_file().set_permissions(Permissions::from_mode(0o644))?;
            file.as_file().sync_all()?;
            Ok((file, copied))
        };
        let (file, copied) = attempt().map_err(RepositoryError::io("write", &place))?;
        if copied != *sha256 {
            let problem = "it was changed while it was read".to_owned();
            return Err(refused(Refusal::Statement { path: from, problem }));
        }
        file.persist(&place).map_err(|error| RepositoryError::io("write", &place)(error.error))?;
    }
    let mut evidence = Evidence::read(folder)?;
    evidence.merge(build.clone());
    evidence.write(folder)
}

/// Forgets the builds of which no package is kept, and removes their statements.
pub(super) fn sweep(folder: &Folder, packages: &BTreeSet<Digest>) -> Result<(), RepositoryError> {
    let mut evidence = Evidence::read(folder)?;
    evidence.0.retain(|build| !build.packages.is_disjoint(packages));
    evidence.write(folder)?;
    for path in unknown(folder, &evidence)? {
        let path = folder.path(&path);
        files::remove(&path)?;
        if let Some(parent) = path.parent().filter(|parent| *parent != folder.path(FOLDER)) {
            // Another statement may be there.
            let _ = fs::remove_dir(parent);
        }
    }
    Ok(())
}

/// The files that are of no build.
fn unknown(folder: &Folder, evidence: &Evidence) -> Result<Vec<String>, RepositoryError> {
    let known: BTreeSet<String> = evidence.0.iter().flat_map(Build::paths).map(|(path, ..)| path).collect();
    Ok(below(folder, FOLDER)?.into_iter().filter(|path| !known.contains(path)).collect())
}

/// What is not as it should be.
pub(super) fn problems(folder: &Folder) -> Result<Vec<String>, RepositoryError> {
    let evidence = Evidence::read(folder)?;
    let mut problems: Vec<String> =
        unknown(folder, &evidence)?.into_iter().map(|path| format!("{path}: is of no build")).collect();
    for (path, _, (sha256, _)) in evidence.0.iter().flat_map(Build::paths) {
        let file: PathBuf = folder.path(&path);
        // A pipe of that name would never end.
        if !fs::symlink_metadata(&file).is_ok_and(|found| found.is_file()) {
            problems.push(format!("{path}: is missing, or not a file: add the packages once more"));
        } else if !Digest::of_file(&file).is_ok_and(|found| found == *sha256) {
            problems.push(format!("{path}: has another sha256 than its name says"));
        }
    }
    Ok(problems)
}

/// The name of a package's bill of materials.
pub(super) fn bill(package: &str) -> String {
    sbom::file_name(package)
}

/// How the name of the file with the provenance ends.
pub(super) fn provenance_end() -> String {
    format!(".{}.{}", provenance::INFIX, dsse::EXTENSION)
}

/// Whether a path is one of these, below a place.
pub(super) fn is_path(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts[..], [FOLDER, sha256, name] if sha256.parse::<Digest>().is_ok() && is_plain(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_folder() {
        for kept in [
            "demo_1_amd64.buildinfo",
            "demo_1_amd64.changes",
            "demo_1_all.cdx.json",
            "demo_1_amd64.openvex.json",
            "demo_1_amd64.provenance.intoto.jsonl",
            "test-result.json.asc",
            "SHA256SUMS",
        ] {
            assert!(is_kept(kept) && is_plain(kept), "{kept}");
        }
        for other in ["demo_1_all.deb", "report.json", "key.gpg", "x.json"] {
            assert!(!is_kept(other), "{other}");
        }
        assert!(!is_plain("a/b") && !is_plain("..") && !is_plain("a b.changes") && !is_plain("a\"><b>.changes"));
        assert!(is_path(&path("a.changes", &Digest::of(""))) && !is_path("evidence/x/a.changes"));
        assert!(!is_path(&path("..", &Digest::of(""))));
    }

    #[test]
    fn a_rebuilder_who_was_known_stays() {
        let who = |name: &str| Who { fingerprint: name.into(), user_id: name.into() };
        let build = |rebuilders: &[&str]| Build {
            packages: BTreeSet::from([Digest::of("deb")]),
            files: rebuilders.iter().map(|name| ((*name).to_owned(), (Digest::of(name), 1))).collect(),
            builders: vec![who("builder")],
            tests: None,
            origin: None,
            rebuilds: rebuilders
                .iter()
                .map(|name| ((*name).to_owned(), Rebuild { by: who(name), variations: vec![] }))
                .collect(),
            vulnerabilities: None,
        };
        let mut evidence = Evidence::default();
        evidence.merge(build(&["a", "b"]));
        evidence.merge(build(&["b", "c"]));
        assert_eq!(evidence.0, [build(&["a", "b", "c"])]);
        assert_eq!(evidence.of(&BTreeSet::from([Digest::of("deb")])).count(), 1);
        assert_eq!(evidence.of(&BTreeSet::from([Digest::of("other")])).count(), 0);
    }
}
