//! "I rebuilt this": a signed statement that somebody built a plan again, under other circumstances, and got the very
//! packages that were published. A repository may ask for one, or for several by different keys, before it takes them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use serde::{Deserialize, Serialize};
use sign::gpgv::{Gpgv, GpgvError, Signatory};
use sign::signer::Signer;
use sign::sums::{SumsError, write_file};

use super::dsse::{self, DsseError};
use super::intoto::{DigestSet, Predicate, Resource, Statement};

/// What comes before the key's id in the names of these files.
const INFIX: &str = "rebuild";

/// That packages were rebuilt. The statement's subjects are the published files, as they are distributed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebuilt {
    /// SHA-256 digest of the plan that was built.
    pub plan: DigestSet,
    /// Members of the .deb that were left out of the comparison: the embedded signature, which nobody else can make.
    pub left_out: Vec<String>,
    /// The packages without these members: what was compared, and is the same.
    pub compared: Vec<Resource>,
    /// What differed from the usual circumstances of a build, in the rebuilder's own account.
    pub variations: Vec<Variation>,
}

/// A circumstance that was not the usual one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variation {
    /// The name of the circumstance, such as `time`.
    pub name: String,
    /// What a build usually sees on that machine.
    pub usual: String,
    /// What the build saw when it was done again.
    pub rebuilt: String,
}

impl Predicate for Rebuilt {
    const TYPE: &'static str = "https://mesos-packages.invalid/attestation/rebuild/v1";
}

/// Signs a statement and writes it into `folder`; `stem` is the name of the build's `.buildinfo` without the ending, and
/// `now` the time of the signature. The name has the key's id: statements of several rebuilders lie side by side.
///
/// # Errors
/// No signature is made, or the file cannot be written.
pub fn write(
    statement: &Statement<Rebuilt>,
    folder: &Path,
    stem: &str,
    signer: &dyn Signer,
    now: i64,
) -> Result<PathBuf, SumsError> {
    let fingerprint = &signer.key().fingerprint;
    let id = &fingerprint[fingerprint.len().saturating_sub(16)..];
    let path = folder.join(format!("{stem}.{INFIX}.{id}.{}", dsse::EXTENSION));
    let content = dsse::seal(statement, signer, now)?;
    write_file(&path, &content)?;
    Ok(path)
}

/// Whether a file has, by its name, a statement of a rebuilder.
pub fn is_attestation(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(dsse::EXTENSION).is_some_and(|rest| rest.contains(&format!(".{INFIX}.")))
}

/// Who rebuilt which packages, by signed statements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilds {
    /// Digest of a package as it is distributed, and fingerprints of the primary keys whose owners rebuilt it.
    by_package: BTreeMap<Digest, BTreeSet<String>>,
}

impl Rebuilds {
    /// Reads statements, each of which has to be signed by a key of `keyring` (binary, for gpgv).
    ///
    /// # Errors
    /// The key ring cannot be used, a file cannot be read, is not a statement on a rebuild, or is not signed by a key
    /// of the key ring.
    pub fn read(files: &[PathBuf], keyring: &Path) -> Result<Self, DsseError> {
        let gpgv = Gpgv::new(keyring)?;
        let mut rebuilds = Self::default();
        for path in files {
            let content = std::fs::read(path).map_err(|source| GpgvError::File { path: path.clone(), source })?;
            let (statement, key) = open(path, &content, &gpgv)?;
            for subject in statement.subject {
                rebuilds.by_package.entry(subject.digest.sha256).or_default().insert(key.primary.clone());
            }
        }
        Ok(rebuilds)
    }

    /// The primary keys whose owners rebuilt the package with this digest, each once however many statements and subkeys
    /// it has.
    pub fn of(&self, package: &Digest) -> BTreeSet<&str> {
        self.by_package.get(package).into_iter().flatten().map(String::as_str).collect()
    }
}

/// Reads one statement and checks its signature.
///
/// # Errors
/// The content is not an envelope with one statement on a rebuild, or is not signed by a key of the key ring.
pub fn open(path: &Path, content: &[u8], gpgv: &Gpgv) -> Result<(Statement<Rebuilt>, Signatory), DsseError> {
    dsse::open(path, content, gpgv)
}

#[cfg(test)]
mod tests {
    use super::*;
    use foundation::failure::{Failure as _, Kind};
    use sign::gpg::Gpg;
    use sign::signer::{KeyForm, KeySource};

    const NOW: i64 = 1_800_000_000;

    struct Rebuilder {
        _state: tempfile::TempDir,
        gpg: Gpg,
    }

    impl Rebuilder {
        fn new() -> Self {
            let state = tempfile::tempdir().unwrap();
            let gpg = Gpg::open(&KeySource::Development { state: state.path().into() }).unwrap();
            Self { _state: state, gpg }
        }

        fn attest(&self, folder: &Path, packages: &[&str]) -> PathBuf {
            let resources = packages.iter().map(|name| Resource::new(*name, Digest::of(name)));
            let variation = Variation { name: "time".into(), usual: "now".into(), rebuilt: "later".into() };
            let rebuild = Rebuilt {
                plan: Digest::of("plan").into(),
                left_out: vec!["_gpgorigin".into()],
                compared: vec![],
                variations: vec![variation],
            };
            write(&Statement::about(resources.collect(), rebuild), folder, "demo_1.0_amd64", &self.gpg, NOW).unwrap()
        }
    }

    #[test]
    fn who_rebuilt_what_is_counted_by_key() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Rebuilder::new(), Rebuilder::new());
        let keyring = folder.path().join("rebuilders.gpg");
        let keys = [&one, &other].map(|rebuilder| rebuilder.gpg.public_key(KeyForm::Binary).unwrap());
        std::fs::write(&keyring, keys.concat()).unwrap();
        let first = one.attest(folder.path(), &["a.deb", "b.deb"]);
        let second = other.attest(folder.path(), &["b.deb"]);
        assert!(is_attestation(&first) && is_attestation(&second) && first != second);
        assert!(!is_attestation(Path::new("demo_1.0_amd64.provenance.intoto.jsonl")));
        // The same statement under another name is not a second rebuilder.
        let copy = folder.path().join("demo_1.0_amd64.rebuild.copy.intoto.jsonl");
        std::fs::copy(&first, &copy).unwrap();
        let rebuilds = Rebuilds::read(&[first.clone(), second, copy], &keyring).unwrap();
        let count = |name: &str| rebuilds.of(&Digest::of(name)).len();
        assert_eq!((count("a.deb"), count("b.deb"), count("c.deb")), (1, 2, 0));
        // A key that nobody trusts.
        std::fs::write(&keyring, &keys[1]).unwrap();
        let error = Rebuilds::read(&[first], &keyring).unwrap_err();
        assert!(error.kind() == Kind::Verification && error.to_string().contains("another key"), "{error}");
    }

    #[test]
    fn no_byte_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let rebuilder = Rebuilder::new();
        let path = rebuilder.attest(folder.path(), &["a.deb"]);
        let keyring = folder.path().join("key.gpg");
        std::fs::write(&keyring, rebuilder.gpg.public_key(KeyForm::Binary).unwrap()).unwrap();
        let gpgv = Gpgv::new(&keyring).unwrap();
        let content = std::fs::read(&path).unwrap();
        assert_eq!(open(&path, &content, &gpgv).unwrap().0.predicate.variations[0].rebuilt, "later");
        // Each byte of the signature, and some of the payload.
        let signature = content.windows(5).position(|window| window == b"\"sig\"").unwrap();
        for at in (0..signature).step_by(11).chain(signature..content.len()) {
            let mut changed = content.clone();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            match open(&path, &changed, &gpgv) {
                Err(error) => {
                    assert!(error.kind() == Kind::Verification && error.to_string().contains("demo_1.0"), "{error}")
                }
                // OpenPGP leaves the hints at the end of a signature's header unsigned (RFC 4880, 5.2.3).
                Ok((statement, key)) => {
                    assert_eq!(statement.predicate.plan, Digest::of("plan").into(), "byte {at}");
                    assert_eq!(key.fingerprint, rebuilder.gpg.key().fingerprint, "byte {at}");
                }
            }
        }
    }
}
