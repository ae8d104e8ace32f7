//! What somebody who has only the public key can check of a `dist` folder, offline, with gpgv(1): that nothing in it
//! was changed, added or left out since it was signed, and what the tests said of exactly these packages.

pub(crate) mod gpgv;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use crate::check::statement::{self, Predicate, Statement};
use crate::digest::Digest;
use gpgv::Gpgv;
pub use gpgv::Key;

const SUMS: &str = "SHA256SUMS";
const SUMS_SIGNATURE: &str = "SHA256SUMS.asc";

/// What was found to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many files have the digest that the signed list names.
    pub files: usize,
    /// The packages among them.
    pub packages: Vec<PathBuf>,
    /// The files with a good signature: the list, each `.changes` and `.buildinfo`, the statement on the tests.
    pub signed: Vec<PathBuf>,
    /// What the tests said of these packages, where the folder has a statement.
    pub tests: Option<Predicate>,
    /// The keys that made the signatures.
    pub keys: Vec<Key>,
}

/// Something is not as it was signed, or cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// gpgv cannot be run.
    #[error("cannot run gpgv, which checks the signatures: {0}. Install it (`apt-get install gpgv`)")]
    NoGpgv(io::Error),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder is not there.
    #[error("there is no folder {}: build it with `cargo xtask package`, or give the path of one to verify", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The key ring is an armored key.
    #[error("{} is an armored key, and gpgv reads binary ones: convert it with `gpg --dearmor`, or use the key.gpg beside it", path.display())]
    Armored {
        /// The key ring.
        path: PathBuf,
    },
    /// A file that must be there is missing.
    #[error("{} is missing, or not a file: expected because {because}. {NEXT}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Why it must be there.
        because: &'static str,
    },
    /// A signature is not good.
    #[error("{}: expected a good signature by a key of {}, found that {found}. {NEXT}", path.display(), keyring.display())]
    Signature {
        /// The signed file.
        path: PathBuf,
        /// The key ring.
        keyring: PathBuf,
        /// What gpgv found.
        found: String,
    },
    /// The signed list is not what it should be.
    #[error("{}: expected lines of a sha256 digest and a path inside the folder, each path once, found {found}. {NEXT}", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// What is wrong.
        found: String,
    },
    /// A file is not the one that was signed.
    #[error("{}: expected sha256 {expected} as SHA256SUMS has it, found {found}. {NEXT}", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// The signed digest.
        expected: Digest,
        /// The file's.
        found: Digest,
    },
    /// The folder has a package that was not signed with the others.
    #[error("{}: expected no file of this kind that SHA256SUMS does not list, found this one. Remove it, or find out who put it there", path.display())]
    Unlisted {
        /// The file.
        path: PathBuf,
    },
    /// A signed statement cannot be taken out of its envelope.
    #[error("{}: expected a DSSE envelope with one in-toto statement and one signature, found {found}. {NEXT}", path.display())]
    Envelope {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// A statement is signed, and cannot be read.
    #[error("{}: expected an in-toto statement of the kind that the file's name says, found: {found}. {NEXT}", path.display())]
    Statement {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The statement on the tests is about other packages.
    #[error("{}: expected a statement on {expected}, found one on {found}: it is of another build. {NEXT}", path.display())]
    Subject {
        /// The statement.
        path: PathBuf,
        /// What the folder has.
        expected: String,
        /// What the statement has.
        found: String,
    },
}

const NEXT: &str =
    "Install nothing from this folder; get it again from whoever published it, and ask them if that does not help";

impl VerifyError {
    /// Whether something was found to be wrong, rather than this machine unable to check it.
    pub fn is_verification(&self) -> bool {
        !matches!(self, Self::NoGpgv(_) | Self::File { .. } | Self::NoFolder { .. } | Self::Armored { .. })
    }
}

/// Verifies the folder `dist` with the public keys in `keyring`.
pub fn verify(dist: &Path, keyring: &Path) -> Result<Verified, VerifyError> {
    if !dist.is_dir() {
        return Err(VerifyError::NoFolder { path: dist.to_owned() });
    }
    let gpgv = Gpgv::new(keyring)?;
    let mut verified = Verified { files: 0, packages: vec![], signed: vec![], tests: None, keys: vec![] };
    let sums = dist.join(SUMS);
    // The bytes that are verified are the ones that are used.
    let list = read(&sums, "it lists what was signed")?;
    let signature = dist.join(SUMS_SIGNATURE);
    verified.add(SUMS, gpgv.detached(&signature, &sums, &list)?);
    let list = parse(&sums, &list)?;
    refuse_unlisted(dist, &list)?;
    for (name, expected) in &list {
        let path = dist.join(name);
        let found = digest(&path)?;
        if found != *expected {
            return Err(VerifyError::Digest { path, expected: *expected, found });
        }
    }
    verified.files = list.len();
    let kind =
        |name: &Path, kinds: &[&str]| name.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known));
    for name in list.keys().filter(|name| kind(name, &["changes", "buildinfo"])) {
        verified.add(name, gpgv.clear_signed(&dist.join(name))?);
    }
    let packages: BTreeMap<&PathBuf, Digest> =
        list.iter().filter(|(name, _)| kind(name, &["deb"])).map(|(name, digest)| (name, *digest)).collect();
    // Either of them: whoever removes the statement alone does not get through.
    let (path, signature) = (dist.join(statement::FILE), dist.join(statement::SIGNATURE));
    if path.exists() || signature.exists() {
        let text = read(&path, "its signature is there")?;
        verified.add(statement::FILE, gpgv.detached(&signature, &path, &text)?);
        verified.tests = Some(tests(&path, &text, &packages)?);
    }
    verified.packages = packages.into_keys().cloned().collect();
    Ok(verified)
}

impl Verified {
    fn add(&mut self, name: impl Into<PathBuf>, key: Key) {
        self.signed.push(name.into());
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }
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

/// Reads the signed statement and makes sure that it is about these packages and no others.
fn tests(path: &Path, text: &[u8], packages: &BTreeMap<&PathBuf, Digest>) -> Result<Predicate, VerifyError> {
    let statement: Statement = serde_json::from_slice(text)
        .map_err(|error| VerifyError::Statement { path: path.to_owned(), found: error.to_string() })?;
    let mut subjects: BTreeMap<PathBuf, Digest> = BTreeMap::new();
    for subject in &statement.subject {
        if subjects.insert(PathBuf::from(&subject.name), subject.digest.sha256).is_some() {
            return Err(VerifyError::Statement {
                path: path.to_owned(),
                found: format!("{} is in it twice", subject.name),
            });
        }
    }
    let text = |name: &Path, digest: Option<&Digest>| match digest {
        Some(digest) => format!("{} with sha256 {digest}", name.display()),
        None => format!("no {}", name.display()),
    };
    for name in packages.keys().copied().chain(subjects.keys()) {
        let (expected, found) = (packages.get(name), subjects.get(name));
        if expected != found {
            let (expected, found) = (text(name, expected), text(name, found));
            return Err(VerifyError::Subject { path: path.to_owned(), expected, found });
        }
    }
    Ok(statement.predicate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::statement::{Resource, TestResult};
    use crate::check::verdict::{Judged, Judgement, TestRecord, Verdict};
    use crate::gpg::Gpg;
    use crate::signer::{KeyForm, KeySource, Signer};
    use crate::sums;

    const EPOCH: i64 = 1_749_031_200;
    const DEBS: [&str; 2] = ["demo-dbgsym_1.0_amd64.deb", "demo_1.0_amd64.deb"];

    fn development(state: &Path) -> Gpg {
        Gpg::open(&KeySource::Development { state: state.into() }).unwrap_or_else(|error| panic!("{error}"))
    }

    fn write_statement(folder: &Path, debs: &[&str], gpg: &Gpg) {
        let subjects = debs.iter().map(|name| Resource::new(*name, Digest::of_file(&folder.join(name)).unwrap()));
        let record = TestRecord { program: "demo-tests".into(), test: "A.B".into(), executions: vec![] };
        let judgement =
            Judgement { tests: vec![Judged { record, verdict: Verdict::Passed, note: None }], ..Judgement::default() };
        let configuration = vec![Resource::new("plan", Digest::of("plan"))];
        Statement::new(subjects.collect(), configuration, &judgement).write(folder, gpg, EPOCH).unwrap();
    }

    /// A folder as `package` leaves it, though with other content. The list does not have the statement, so that only
    /// the statement's own signature protects it.
    fn dist(folder: &Path, gpg: &Gpg) {
        for deb in DEBS {
            fs::write(folder.join(deb), format!("content of {deb}")).unwrap();
        }
        for name in ["demo_1.0_amd64.changes", "demo_1.0_amd64.buildinfo"] {
            sums::write_clear_signed(folder, name, &format!("Name: {name}\n- dashed\n"), gpg, EPOCH).unwrap();
        }
        fs::write(folder.join("key.gpg"), gpg.public_key(KeyForm::Binary).unwrap()).unwrap();
        fs::write(folder.join("key.asc"), gpg.public_key(KeyForm::Armored).unwrap()).unwrap();
        fs::create_dir(folder.join("debsig")).unwrap();
        fs::write(folder.join("debsig/demo.pol"), "policy").unwrap();
        let names = ["demo_1.0_amd64.changes", "demo_1.0_amd64.buildinfo", "key.gpg", "key.asc", "debsig/demo.pol"];
        let files: Vec<PathBuf> = names.iter().chain(&DEBS).map(PathBuf::from).collect();
        sums::write(folder, &files, gpg, EPOCH).unwrap();
        // What belongs to nobody: logs are written after the list.
        fs::write(folder.join("report.json"), "{}").unwrap();
        write_statement(folder, &DEBS, gpg);
    }

    /// Changes one byte of a file, to another one of the same kind.
    fn flip(file: &Path, at: usize) {
        let mut bytes = fs::read(file).unwrap();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        fs::write(file, bytes).unwrap();
    }

    struct Room {
        _state: tempfile::TempDir,
        folder: tempfile::TempDir,
        gpg: Gpg,
        keyring: PathBuf,
    }

    impl Room {
        fn new() -> Self {
            let (state, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let gpg = development(state.path());
            dist(folder.path(), &gpg);
            let keyring = state.path().join("trusted.gpg");
            fs::copy(folder.path().join("key.gpg"), &keyring).unwrap();
            Self { _state: state, folder, gpg, keyring }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn verify(&self) -> Result<Verified, VerifyError> {
            verify(self.folder.path(), &self.keyring)
        }

        /// What is said after a change, which is undone.
        fn after(&self, name: &str, change: impl FnOnce(&Path)) -> VerifyError {
            let path = self.path(name);
            let before = fs::read(&path).ok();
            change(&path);
            let error = self.verify().expect_err(name);
            match before {
                Some(before) => fs::write(&path, before).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            assert!(crate::verification::is_verification_failure(&error), "exit code 3: {error}");
            assert!(self.verify().is_ok(), "{name} is as before");
            error
        }
    }

    #[test]
    fn an_untouched_folder() {
        let room = Room::new();
        let verified = room.verify().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(verified.files, 7);
        assert_eq!(verified.packages, DEBS.map(PathBuf::from));
        let signed = ["SHA256SUMS", "demo_1.0_amd64.buildinfo", "demo_1.0_amd64.changes", "test-result.json"];
        assert_eq!(verified.signed, signed.map(PathBuf::from));
        let key = room.gpg.key();
        let expected =
            Key { fingerprint: key.fingerprint.clone(), primary: key.primary.clone(), user_id: key.user_id.clone() };
        assert_eq!(verified.keys, [expected]);
        let tests = verified.tests.unwrap();
        assert_eq!((tests.result, &tests.passed_tests[..]), (TestResult::Passed, &["demo-tests:A.B".to_owned()][..]));
        // Without a statement it is a folder as well.
        fs::remove_file(room.path("test-result.json")).unwrap();
        fs::remove_file(room.path("test-result.json.asc")).unwrap();
        assert_eq!(room.verify().unwrap().tests, None);
    }

    #[test]
    fn one_byte_of_a_package_or_of_the_list() {
        let room = Room::new();
        for deb in DEBS {
            let error = room.after(deb, |path| flip(path, 3));
            let VerifyError::Digest { path, expected, found } = &error else { panic!("{error}") };
            assert_eq!((path, *expected), (&room.path(deb), Digest::of(format!("content of {deb}"))));
            let text = error.to_string();
            assert!(text.contains(&expected.to_string()) && text.contains(&found.to_string()), "{text}");
        }
        for at in [0, 70, 200] {
            let error = room.after("SHA256SUMS", |path| flip(path, at));
            assert!(matches!(&error, VerifyError::Signature { path, .. } if path.ends_with("SHA256SUMS")), "{error}");
            assert!(error.to_string().contains("was changed after it had been signed"), "{error}");
        }
        let error = room.after("debsig/demo.pol", |path| fs::write(path, "other").unwrap());
        assert!(matches!(error, VerifyError::Digest { .. }), "{error}");
        let error = room.after("demo_1.0_amd64.changes", |path| flip(path, 60));
        assert!(matches!(error, VerifyError::Digest { .. }), "{error}");
    }

    #[test]
    fn one_byte_of_the_statement_or_of_its_signature() {
        let room = Room::new();
        let text = fs::read(room.path("test-result.json")).unwrap();
        for at in (0..text.len()).step_by(97).chain([text.len() - 1]) {
            let error = room.after("test-result.json", |path| flip(path, at));
            let statement = matches!(&error, VerifyError::Signature { path, .. } if path.ends_with("test-result.json"));
            assert!(statement, "byte {at}: {error}");
        }
        let signature = fs::read_to_string(room.path("test-result.json.asc")).unwrap();
        let start = signature.find("\n\n").unwrap() + 2;
        let letters = (start..signature.find("\n-----END").unwrap()).filter(|at| signature.as_bytes()[*at] != b'\n');
        for at in letters.step_by(7) {
            let error = room.after("test-result.json.asc", |path| flip(path, at));
            let statement = matches!(&error, VerifyError::Signature { path, .. } if path.ends_with("test-result.json"));
            assert!(statement, "byte {at}: {error}");
        }
    }

    #[test]
    fn what_is_added_or_left_out() {
        let room = Room::new();
        for name in ["evil_1.0_all.deb", "debsig/evil.deb", "evil.changes", "evil.buildinfo"] {
            let error = room.after(name, |path| fs::write(path, "evil").unwrap());
            assert!(matches!(&error, VerifyError::Unlisted { path } if *path == room.path(name)), "{error}");
        }
        for name in [DEBS[0], "key.asc", "SHA256SUMS", "SHA256SUMS.asc", "test-result.json", "test-result.json.asc"] {
            let error = room.after(name, |path| fs::remove_file(path).unwrap());
            assert!(matches!(&error, VerifyError::Missing { path, .. } if *path == room.path(name)), "{error}");
        }
    }

    #[test]
    fn signed_files_that_are_wrong_nevertheless() {
        let room = Room::new();
        let sums = fs::read_to_string(room.path("SHA256SUMS")).unwrap();
        let digest = Digest::of("x");
        for (text, found) in [
            (format!("{sums}{digest}  ../outside\n"), "outside"),
            (format!("{sums}{digest}  /etc/passwd\n"), "passwd"),
            (format!("{sums}{digest} *binary\n"), "binary"),
            (format!("{sums}{digest}\n"), "expected lines"),
            (format!("{sums}{}", sums.lines().next().unwrap()), "a second"),
            (String::new(), "nothing"),
        ] {
            let sign = |text: &str| {
                let signature =
                    room.gpg.sign(crate::signer::Form::DetachedArmored, &mut text.as_bytes(), EPOCH).unwrap();
                fs::write(room.path("SHA256SUMS"), text).unwrap();
                fs::write(room.path("SHA256SUMS.asc"), signature).unwrap();
            };
            sign(&text);
            let error = room.verify().unwrap_err();
            assert!(matches!(error, VerifyError::List { .. }) && error.to_string().contains(found), "{error}");
            sign(&sums);
            room.verify().unwrap();
        }
        // A file of this kind has to be signed itself, even where the list has its digest.
        let names = ["demo_1.0_amd64.changes", DEBS[0], DEBS[1], "demo_1.0_amd64.buildinfo"].map(PathBuf::from);
        fs::write(room.path("demo_1.0_amd64.changes"), "not signed\n").unwrap();
        sums::write(room.folder.path(), &names, &room.gpg, EPOCH).unwrap();
        let error = room.verify().unwrap_err();
        assert!(
            matches!(&error, VerifyError::Signature { path, .. } if path.ends_with("demo_1.0_amd64.changes")),
            "{error}"
        );
    }

    #[test]
    fn a_statement_on_other_packages() {
        let room = Room::new();
        let subject = |expected: &str, found: &str| {
            let error = room.verify().unwrap_err();
            assert!(matches!(error, VerifyError::Subject { .. }) && error.to_string().contains(expected), "{error}");
            assert!(error.to_string().contains(found), "{error}");
        };
        write_statement(room.folder.path(), &DEBS[..1], &room.gpg);
        subject("a statement on demo_1.0_amd64.deb with", "found one on no demo_1.0_amd64.deb");
        fs::write(room.path("other.deb"), "").unwrap();
        write_statement(room.folder.path(), &[DEBS[0], DEBS[1], "other.deb"], &room.gpg);
        fs::remove_file(room.path("other.deb")).unwrap();
        subject("a statement on no other.deb", "found one on other.deb with");
        // Both are signed, and are not of the same build.
        let first = fs::read(room.path(DEBS[1])).unwrap();
        fs::write(room.path(DEBS[1]), "another build").unwrap();
        write_statement(room.folder.path(), &DEBS, &room.gpg);
        fs::write(room.path(DEBS[1]), &first).unwrap();
        subject(&Digest::of(&first).to_string(), &Digest::of("another build").to_string());
        write_statement(room.folder.path(), &[DEBS[0], DEBS[1], DEBS[1]], &room.gpg);
        assert!(matches!(room.verify(), Err(VerifyError::Statement { found, .. }) if found.contains("twice")));
        let text = b"{}";
        let signature = room.gpg.sign(crate::signer::Form::DetachedArmored, &mut &text[..], EPOCH).unwrap();
        fs::write(room.path("test-result.json"), text).unwrap();
        fs::write(room.path("test-result.json.asc"), signature).unwrap();
        assert!(matches!(room.verify(), Err(VerifyError::Statement { found, .. }) if found.contains("_type")));
    }

    #[test]
    fn another_key_and_no_key() {
        let (room, other) = (Room::new(), Room::new());
        let error = verify(room.folder.path(), &other.keyring).unwrap_err();
        assert!(matches!(&error, VerifyError::Signature { found, .. } if found.contains("another key")), "{error}");
        assert!(error.is_verification());
        for (keyring, part) in [("key.asc", "gpg --dearmor"), ("missing.gpg", "missing.gpg")] {
            let error = verify(room.folder.path(), &room.path(keyring)).unwrap_err();
            assert!(!error.is_verification() && error.to_string().contains(part), "{error}");
        }
        let error = verify(&room.path("nothing"), &room.keyring).unwrap_err();
        assert!(matches!(error, VerifyError::NoFolder { .. }) && !error.is_verification(), "{error}");
        let empty = room.path("empty.gpg");
        fs::write(&empty, "").unwrap();
        assert!(verify(room.folder.path(), &empty).unwrap_err().is_verification());
    }
}
