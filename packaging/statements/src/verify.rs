//! What somebody who has only the public key can check of a `dist` folder, offline, with gpgv(1): that nothing in it
//! was changed, added or left out since it was signed, and what the tests said of exactly these packages.

mod proofs;
mod summary;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use foundation::digest::Digest;
use foundation::failure::{self, Failure, Kind, Outcome};
use serde::Deserialize;
use sign::debsig;
use sign::gpgv::{Gpgv, GpgvError, Signatory, UNTRUSTED};
use walkdir::WalkDir;

use crate::check::statement::{self, Predicate, Statement};
use crate::proof::dsse::DsseError;
use crate::proof::provenance::Provenance;

pub use summary::{Summary, TestCounts};

/// The file name of the list that has the digests of all files.
pub const SUMS: &str = "SHA256SUMS";

/// The file name of the list's detached signature.
pub const SUMS_SIGNATURE: &str = "SHA256SUMS.asc";

/// What was found to be right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many files have the digest that the signed list names.
    pub files: usize,
    /// The digest of each of these files, by its path in the folder.
    pub digests: BTreeMap<PathBuf, Digest>,
    /// The paths of the packages among them.
    pub packages: Vec<PathBuf>,
    /// The files with a good signature: the list, each `.changes` and `.buildinfo`, the provenance, the statement on the
    /// tests.
    pub signed: Vec<PathBuf>,
    /// How they came to be, where the folder has a statement.
    pub provenance: Option<Provenance>,
    /// How many packages have a bill of materials.
    pub bills: usize,
    /// What the tests said of these packages, where the folder has a statement.
    pub tests: Option<Predicate>,
    /// The keys that made the signatures, each once.
    pub keys: Vec<Signatory>,
}

/// Something is not as it was signed, or cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A signature is missing or not good, or gpgv cannot be used.
    #[error(transparent)]
    Gpgv(#[from] GpgvError),
    /// A signed statement cannot be used.
    #[error(transparent)]
    Dsse(#[from] DsseError),
    /// A file of the folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file that cannot be read.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The folder does not exist.
    #[error("there is no folder {}", path.display())]
    NoFolder {
        /// The path that was given.
        path: PathBuf,
    },
    /// A file that must be there is missing.
    #[error("{} is missing, or not a file: expected because {because}", path.display())]
    Missing {
        /// The path where the file should be.
        path: PathBuf,
        /// Why the file must be there: the end of a sentence.
        because: &'static str,
    },
    /// The signed list has lines that are not a digest and a path inside the folder.
    #[error("{}: expected lines of a sha256 digest and a path inside the folder, each path once, found {found}", path.display())]
    List {
        /// The file of the list.
        path: PathBuf,
        /// What is wrong with the list.
        found: String,
    },
    /// A file is not the one that was signed.
    #[error("{}: expected sha256 {expected} as SHA256SUMS has it, found {found}", path.display())]
    Digest {
        /// The file that has another content.
        path: PathBuf,
        /// The digest in the signed list.
        expected: Digest,
        /// The digest that the file has.
        found: Digest,
    },
    /// A signed file says something else of another one.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Contradiction {
        /// The file that says something else.
        path: PathBuf,
        /// What follows from the other files.
        expected: String,
        /// What the file says.
        found: String,
    },
    /// The folder has a package that was not signed with the others.
    #[error("{} is listed nowhere that is signed, as every file of its kind must be", path.display())]
    Unlisted {
        /// The file that no signed file lists.
        path: PathBuf,
    },
    /// A statement is about other packages.
    #[error("{}: expected a statement on {expected}, found one on {found}: it is of another build", path.display())]
    Subject {
        /// The file of the statement.
        path: PathBuf,
        /// The packages that the folder has.
        expected: String,
        /// The packages that the statement is about.
        found: String,
    },
}

impl Failure for VerifyError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Gpgv(error) => error.outcome(),
            Self::Dsse(error) => error.outcome(),
            Self::File { source, .. } => failure::of_file(source),
            Self::NoFolder { .. } => {
                Kind::Input.next("build it with `cargo xtask package`, or give the path of one to verify")
            }
            Self::Missing { .. }
            | Self::List { .. }
            | Self::Digest { .. }
            | Self::Contradiction { .. }
            | Self::Subject { .. } => Kind::Verification.next(UNTRUSTED),
            Self::Unlisted { .. } => Kind::Verification.next("remove it, or find out who put it there"),
        }
    }
}

/// What was built from what, and how; its signature; and the folder of logs, of which it has the digests.
pub const REPORT: &str = "report.json";
/// The file name of the detached signature of [`REPORT`].
pub const REPORT_SIGNATURE: &str = "report.json.asc";
/// The same for people; [`REPORT`] has its digest.
pub const REPORT_PAGE: &str = "report.html";
/// The folder with the logs whose digests [`REPORT`] has.
pub const LOGS: &str = "logs";

/// Verifies the folder `dist` with the public keys in `keyring`.
///
/// # Errors
/// The folder is not there, the key ring cannot be used, a signature is missing or not good, a file is missing, has
/// another digest or is not listed, or two signed files contradict each other.
pub fn verify(dist: &Path, keyring: &Path) -> Result<Verified, VerifyError> {
    // Before the key ring, which may be the folder's own.
    if !dist.is_dir() {
        return Err(VerifyError::NoFolder { path: dist.to_owned() });
    }
    let gpgv = Gpgv::new(keyring)?;
    SignedList::open(dist, &gpgv)?.verify()
}

/// The same, and the origin signature in each package, as debsig-verify(1) checks it.
///
/// # Errors
/// [`verify`] fails, or a package has no origin signature, or one that is not good.
pub fn verify_with_packages(dist: &Path, keyring: &Path) -> Result<Verified, VerifyError> {
    let verified = verify(dist, keyring)?;
    let gpgv = Gpgv::new(keyring)?;
    for package in &verified.packages {
        debsig::check(&dist.join(package), &gpgv)?;
    }
    Ok(verified)
}

/// The list of digests, whose signature is good.
struct SignedList<'a> {
    dist: &'a Path,
    gpgv: &'a Gpgv,
    list: BTreeMap<PathBuf, Digest>,
    key: Signatory,
}

impl<'a> SignedList<'a> {
    fn open(dist: &'a Path, gpgv: &'a Gpgv) -> Result<Self, VerifyError> {
        let sums = dist.join(SUMS);
        // The bytes that are verified are the ones that are used.
        let list = read(&sums, "it lists what was signed")?;
        let key = gpgv.detached(&dist.join(SUMS_SIGNATURE), &sums, &list)?;
        let list = parse(&sums, &list)?;
        Ok(Self { dist, gpgv, list, key })
    }

    /// Checks what is listed: first that nothing was changed, then what each file says of the others.
    fn verify(&self) -> Result<Verified, VerifyError> {
        let Self { dist, gpgv, list, key } = self;
        refuse_unlisted(dist, list)?;
        for (name, expected) in list {
            let path = dist.join(name);
            let found = digest(&path)?;
            if found != *expected {
                return Err(VerifyError::Digest { path, expected: *expected, found });
            }
        }
        let mut verified = Verified { files: list.len(), digests: list.clone(), ..Verified::default() };
        verified.add(SUMS, key.clone());
        for name in self.named(&["changes", "buildinfo"]) {
            verified.add(name, gpgv.clear_signed(&dist.join(name))?);
        }
        let packages: Packages<'_> = self.named(&["deb"]).map(|name| (name, list[name])).collect();
        proofs::build_infos(self, &packages)?;
        proofs::provenance(self, &packages, &mut verified)?;
        verified.bills = proofs::bills(self, &packages)?;
        // Either of them: whoever removes the statement alone does not get through.
        let (path, signature) = (dist.join(statement::FILE), dist.join(statement::SIGNATURE));
        if path.exists() || signature.exists() {
            let text = read(&path, "its signature is there")?;
            verified.add(statement::FILE, gpgv.detached(&signature, &path, &text)?);
            let statement: Statement = serde_json::from_slice(&text)
                .map_err(|error| DsseError::Statement { path: path.clone(), found: error.to_string() })?;
            proofs::subjects(&path, &statement.subject, &packages)?;
            verified.tests = Some(statement.predicate);
        }
        let (path, signature) = (dist.join(REPORT), dist.join(REPORT_SIGNATURE));
        if path.exists() || signature.exists() {
            let text = read(&path, "its signature is there")?;
            verified.add(REPORT, gpgv.detached(&signature, &path, &text)?);
            reported(dist, &path, &text)?;
        } else if dist.join(REPORT_PAGE).exists() {
            return Err(VerifyError::Unlisted { path: dist.join(REPORT_PAGE) });
        }
        verified.packages = packages.into_keys().cloned().collect();
        Ok(verified)
    }

    /// The listed files whose names end with a dot and one of these.
    fn named(&self, endings: &'static [&'static str]) -> impl Iterator<Item = &PathBuf> {
        self.list.keys().filter(move |name| {
            let name = name.to_string_lossy();
            endings.iter().any(|ending| name.strip_suffix(ending).is_some_and(|stem| stem.ends_with('.')))
        })
    }
}

/// The packages by their files' names, with their digests.
type Packages<'a> = BTreeMap<&'a PathBuf, Digest>;

impl Verified {
    fn add(&mut self, name: impl Into<PathBuf>, key: Signatory) {
        self.signed.push(name.into());
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }
}

/// The page and the logs are those that the report has, and no others.
fn reported(dist: &Path, report: &Path, text: &[u8]) -> Result<(), VerifyError> {
    #[derive(Default, Deserialize)]
    struct Report {
        #[serde(default)]
        logs: BTreeMap<String, Digest>,
        page: Option<Digest>,
    }
    let wrong = |found: String| VerifyError::List { path: report.to_owned(), found };
    let listed: Report = serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
    let folder = dist.join(LOGS);
    let logs = listed.logs.iter().map(|(name, expected)| (folder.join(name), expected));
    for (path, expected) in logs.chain(listed.page.iter().map(|expected| (dist.join(REPORT_PAGE), expected))) {
        if !path.is_file() {
            return Err(VerifyError::Missing { path, because: "report.json lists it" });
        }
        let found = digest(&path)?;
        if found != *expected {
            let expected = format!("sha256 {expected} as {REPORT} has it");
            return Err(VerifyError::Contradiction { path, expected, found: found.to_string() });
        }
    }
    if listed.page.is_none() && dist.join(REPORT_PAGE).exists() {
        return Err(VerifyError::Unlisted { path: dist.join(REPORT_PAGE) });
    }
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        if !listed.logs.contains_key(&*entry.file_name().to_string_lossy()) {
            return Err(VerifyError::Unlisted { path: entry.path() });
        }
    }
    Ok(())
}

fn read(path: &Path, because: &'static str) -> Result<Vec<u8>, VerifyError> {
    if !path.is_file() {
        return Err(VerifyError::Missing { path: path.to_owned(), because });
    }
    fs::read(path).map_err(|source| VerifyError::File { path: path.to_owned(), source })
}

fn digest(path: &Path) -> Result<Digest, VerifyError> {
    // A pipe of that name would never end.
    if !path.is_file() {
        return Err(VerifyError::Missing { path: path.to_owned(), because: "SHA256SUMS lists it" });
    }
    Digest::of_file(path).map_err(|source| VerifyError::File { path: path.to_owned(), source })
}

/// Reads the list, as sha256sum(1) writes it for names without a line feed or backslash.
fn parse(path: &Path, text: &[u8]) -> Result<BTreeMap<PathBuf, Digest>, VerifyError> {
    let wrong = |found: String| VerifyError::List { path: path.to_owned(), found };
    let text = std::str::from_utf8(text).map_err(|_| wrong("bytes that are not UTF-8".into()))?;
    let mut list = BTreeMap::new();
    for line in text.lines() {
        let entry = line.split_once("  ").and_then(|(digest, name)| {
            let inside =
                !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            inside.then_some((PathBuf::from(name), digest.parse().ok()?))
        });
        let (name, digest) = entry.ok_or_else(|| wrong(format!("'{line}'")))?;
        if list.insert(name, digest).is_some() {
            return Err(wrong(format!("a second '{line}'")));
        }
    }
    if list.is_empty() { Err(wrong("nothing".into())) } else { Ok(list) }
}

/// A package, or a description of packages, that somebody has added would be installed or uploaded with the others.
fn refuse_unlisted(dist: &Path, list: &BTreeMap<PathBuf, Digest>) -> Result<(), VerifyError> {
    for entry in WalkDir::new(dist).sort_by_file_name() {
        let entry = entry.map_err(|error| VerifyError::File {
            path: error.path().unwrap_or(dist).to_owned(),
            source: error.into(),
        })?;
        let path = entry.path();
        let name = path.strip_prefix(dist).expect("walked below the folder");
        let counts = path.extension().is_some_and(|kind| kind == "deb" || kind == "changes" || kind == "buildinfo");
        if counts && !entry.file_type().is_dir() && !list.contains_key(name) {
            return Err(VerifyError::Unlisted { path: path.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
