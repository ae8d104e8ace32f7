use foundation::failure::{Failure as _, Kind};
use sign::gpg::Gpg;
use sign::signer::{KeyForm, KeySource, Signer};
use sign::sums;

use super::*;
use crate::check::statement::{Resource, TestResult};
use crate::check::verdict::{Judged, Judgement, TestRecord, Verdict};
use crate::proof::intoto::Statement as AnyStatement;
use crate::proof::provenance::{BuildDefinition, Builder, Dependency, RunDetails};
use crate::proof::{dsse, sbom};

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

fn write_build_info(folder: &Path, gpg: &Gpg, debs: &[&str]) {
    let line = |deb: &&str| format!("\n {} 9 {deb}", Digest::of_file(&folder.join(deb)).unwrap());
    let text = format!("Format: 1.0\nChecksums-Sha256:{}\n", debs.iter().map(line).collect::<String>());
    sums::write_clear_signed(folder, "demo_1.0_amd64.buildinfo", &text, gpg, EPOCH).unwrap();
}

const PROVENANCE: &str = "demo_1.0_amd64.provenance.intoto.jsonl";

fn write_bill(folder: &Path, deb: &str, hash: Digest) {
    let bill = serde_json::json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": { "component": { "hashes": [{ "alg": "SHA-256", "content": hash }] } },
    });
    fs::write(folder.join(sbom::file_name(deb)), bill.to_string()).unwrap();
}

fn write_provenance(folder: &Path, gpg: &Gpg, debs: &[&str], files: &[&str]) {
    let file = |name: &&str| Dependency {
        name: Some((*name).to_owned()),
        digest: [("sha256".to_owned(), Digest::of_file(&folder.join(name)).unwrap().to_string())].into(),
        ..Dependency::default()
    };
    let provenance = Provenance {
        build_definition: BuildDefinition {
            build_type: "https://example.invalid/build/v1".into(),
            external_parameters: serde_json::json!({ "recipe": "demo" }),
            internal_parameters: serde_json::json!({}),
            resolved_dependencies: vec![],
        },
        run_details: RunDetails {
            builder: Builder { id: "https://example.invalid/builder".into(), version: BTreeMap::new() },
            byproducts: files.iter().map(file).collect(),
        },
    };
    let subjects = debs.iter().map(|name| Resource::new(*name, Digest::of_file(&folder.join(name)).unwrap()));
    let statement = AnyStatement::about(subjects.collect(), provenance);
    fs::write(folder.join(PROVENANCE), dsse::seal(&statement, gpg, EPOCH).unwrap()).unwrap();
}

/// Signs the list of all that is in the folder, but the list and what is never in it.
fn write_list(folder: &Path, gpg: &Gpg) {
    let never =
        [SUMS, SUMS_SIGNATURE, REPORT, REPORT_SIGNATURE, "logs/build.log", statement::FILE, statement::SIGNATURE];
    let all = WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    let names = all.map(|entry| entry.path().strip_prefix(folder).unwrap().to_owned());
    let files: Vec<PathBuf> = names.filter(|name| !never.iter().any(|never| name == Path::new(never))).collect();
    sums::write(folder, &files, gpg, EPOCH).unwrap();
}

/// A folder as `package` leaves it, though with other content. The list does not have the statement, so that only
/// the statement's own signature protects it.
fn dist(folder: &Path, gpg: &Gpg) {
    for deb in DEBS {
        fs::write(folder.join(deb), format!("content of {deb}")).unwrap();
    }
    sums::write_clear_signed(folder, "demo_1.0_amd64.changes", "Format: 1.8\n- dashed\n", gpg, EPOCH).unwrap();
    write_build_info(folder, gpg, &DEBS);
    fs::write(folder.join("key.gpg"), gpg.public_key(KeyForm::Binary).unwrap()).unwrap();
    fs::write(folder.join("key.asc"), gpg.public_key(KeyForm::Armored).unwrap()).unwrap();
    fs::create_dir(folder.join("debsig")).unwrap();
    fs::write(folder.join("debsig/demo.pol"), "policy").unwrap();
    for deb in DEBS {
        write_bill(folder, deb, Digest::of_file(&folder.join(deb)).unwrap());
    }
    write_provenance(folder, gpg, &DEBS, &["demo_1.0_amd64.buildinfo", "demo_1.0_amd64.cdx.json"]);
    write_list(folder, gpg);
    // What says how long things took has a signature of its own.
    fs::create_dir(folder.join(LOGS)).unwrap();
    fs::write(folder.join("logs/build.log"), "compiled\n").unwrap();
    let report = serde_json::json!({ "version": "1.0", "logs": { "build.log": Digest::of("compiled\n") }, "page": Digest::of("<p>") });
    let report = report.to_string();
    fs::write(folder.join(REPORT_PAGE), "<p>").unwrap();
    let signature = gpg.sign(sign::signer::SignatureForm::DetachedArmored, &mut report.as_bytes(), EPOCH).unwrap();
    fs::write(folder.join(REPORT), report).unwrap();
    fs::write(folder.join(REPORT_SIGNATURE), signature).unwrap();
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
        assert_eq!(error.kind(), Kind::Verification, "exit code 3: {error}");
        assert!(self.verify().is_ok(), "{name} is as before");
        error
    }
}

#[test]
fn an_untouched_folder() {
    let room = Room::new();
    let verified = room.verify().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((verified.files, verified.bills), (10, 2));
    assert_eq!(verified.provenance.as_ref().unwrap().run_details.byproducts.len(), 2);
    assert_eq!(verified.packages, DEBS.map(PathBuf::from));
    let signed =
        ["SHA256SUMS", "demo_1.0_amd64.buildinfo", "demo_1.0_amd64.changes", PROVENANCE, "test-result.json", REPORT];
    assert_eq!(verified.signed, signed.map(PathBuf::from));
    let key = room.gpg.key();
    let expected =
        Signatory { fingerprint: key.fingerprint.clone(), primary: key.primary.clone(), user_id: key.user_id.clone() };
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
        let text = error.message();
        assert!(text.contains(&expected.to_string()) && text.contains(&found.to_string()), "{text}");
    }
    for at in [0, 70, 200] {
        let error = room.after("SHA256SUMS", |path| flip(path, at));
        assert!(
            matches!(&error, VerifyError::Gpgv(GpgvError::Signature { path, .. }) if path.ends_with("SHA256SUMS")),
            "{error}"
        );
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
        let statement = matches!(&error, VerifyError::Gpgv(GpgvError::Signature { path, .. }) if path.ends_with("test-result.json"));
        assert!(statement, "byte {at}: {error}");
    }
    let signature = fs::read_to_string(room.path("test-result.json.asc")).unwrap();
    let start = signature.find("\n\n").unwrap() + 2;
    let letters = (start..signature.find("\n-----END").unwrap()).filter(|at| signature.as_bytes()[*at] != b'\n');
    for at in letters.step_by(7) {
        let error = room.after("test-result.json.asc", |path| flip(path, at));
        let statement = matches!(&error, VerifyError::Gpgv(GpgvError::Signature { path, .. }) if path.ends_with("test-result.json"));
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
        let (VerifyError::Missing { path, .. } | VerifyError::Gpgv(GpgvError::Missing { path, .. })) = &error else {
            panic!("{error}")
        };
        assert_eq!(*path, room.path(name));
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
                room.gpg.sign(sign::signer::SignatureForm::DetachedArmored, &mut text.as_bytes(), EPOCH).unwrap();
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
        matches!(&error, VerifyError::Gpgv(GpgvError::Signature { path, .. }) if path.ends_with("demo_1.0_amd64.changes")),
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
    assert!(
        matches!(room.verify(), Err(VerifyError::Dsse(DsseError::Statement { found, .. })) if found.contains("twice"))
    );
    let text = b"{}";
    let signature = room.gpg.sign(sign::signer::SignatureForm::DetachedArmored, &mut &text[..], EPOCH).unwrap();
    fs::write(room.path("test-result.json"), text).unwrap();
    fs::write(room.path("test-result.json.asc"), signature).unwrap();
    assert!(
        matches!(room.verify(), Err(VerifyError::Dsse(DsseError::Statement { found, .. })) if found.contains("_type"))
    );
}

#[test]
fn another_key_and_no_key() {
    let (room, other) = (Room::new(), Room::new());
    let error = verify(room.folder.path(), &other.keyring).unwrap_err();
    assert!(
        matches!(&error, VerifyError::Gpgv(GpgvError::Signature { found, .. }) if found.contains("another key")),
        "{error}"
    );
    assert_eq!(error.kind(), Kind::Verification);
    for (keyring, part) in [("key.asc", "gpg --dearmor"), ("missing.gpg", "missing.gpg")] {
        let error = verify(room.folder.path(), &room.path(keyring)).unwrap_err();
        assert!(error.kind() != Kind::Verification && error.message().contains(part), "{error}");
    }
    let error = verify(&room.path("nothing"), &room.keyring).unwrap_err();
    assert!(matches!(error, VerifyError::NoFolder { .. }) && error.kind() != Kind::Verification, "{error}");
    let empty = room.path("empty.gpg");
    fs::write(&empty, "").unwrap();
    for content in [&b""[..], b"garbage", b"\0\0\0\0\0\0\0\0"] {
        fs::write(&empty, content).unwrap();
        let error = verify(room.folder.path(), &empty).unwrap_err();
        assert!(error.kind() == Kind::Input && error.message().contains("has no public key"), "{error}");
    }
    // The folder comes first: its own key ring is not there either.
    let error = verify(&room.path("nothing"), &room.path("nothing/key.gpg")).unwrap_err();
    assert!(matches!(error, VerifyError::NoFolder { .. }), "{error}");
}

/// Whatever happens to a file, whether it is signed or signs: nobody takes the folder for good, and nothing breaks.
#[test]
fn every_file_in_twelve_ways() {
    let room = Room::new();
    let folder = room.folder.path();
    let first = room.verify().unwrap();
    let files = WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    let files: Vec<PathBuf> = files.map(walkdir::DirEntry::into_path).collect();
    assert_eq!(files.len(), 18);
    for (number, path) in files.iter().enumerate() {
        let before = fs::read(path).unwrap();
        let other = fs::read(&files[(number + 1) % files.len()]).unwrap();
        let (end, middle) = (before.len(), before.len() / 2);
        let with = |at: usize, bytes: &[u8]| [&before[..at], bytes, &before[at..]].concat();
        let mut flipped = before.clone();
        flipped[middle] ^= 0x20;
        let mut swapped = before.clone();
        swapped.swap(middle, middle - 1);
        let ways = [
            flipped,
            swapped,
            Vec::new(),
            before[..middle].to_vec(),
            before[1..].to_vec(),
            with(end, &before),
            // What stands around a signature, or in the head of its armor, says nothing to OpenPGP; it is another file all the same.
            with(end, b"\n"),
            with(before.iter().position(|byte| *byte == b'\n').map_or(middle, |line| line + 1), b"Comment: x\n"),
            with(0, b"\xff\xfe"),
            with(middle, b"\0"),
            other,
        ];
        for (way, content) in ways.iter().enumerate().filter(|(_, content)| **content != before) {
            fs::write(path, content).unwrap();
            let error = room.verify().expect_err(&format!("{} was changed in the way {way}", path.display()));
            assert!(!error.message().is_empty());
        }
        // Something else of its name.
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
        assert!(room.verify().is_err(), "{} is a folder", path.display());
        fs::remove_dir(path).unwrap();
        fs::write(path, &before).unwrap();
    }
    assert_eq!(room.verify().unwrap(), first);
}

/// The report and the logs are covered by a signature of their own: what they say differs from build to build.
#[test]
fn the_report_and_the_logs() {
    let room = Room::new();
    let log = room.path("logs/build.log");
    for (name, change) in [
        ("report.json", "{}"),
        ("report.json.asc", ""),
        ("report.html", "<p>all was well"),
        ("logs/build.log", "all was well\n"),
        ("logs/evil.log", "all was well\n"),
    ] {
        let error = room.after(name, |path| fs::write(path, change).unwrap());
        assert!(error.to_string().contains(name.trim_end_matches(".asc")), "{error}");
    }
    for name in ["report.json", "report.json.asc", "report.html", "logs/build.log"] {
        room.after(name, |path| fs::remove_file(path).unwrap());
    }
    // A folder without them is one as well.
    fs::remove_file(room.path("report.json")).unwrap();
    fs::remove_file(room.path("report.json.asc")).unwrap();
    fs::remove_file(log).unwrap();
    let error = room.verify().unwrap_err().to_string();
    assert!(error.contains("report.html is listed nowhere"), "{error}");
    fs::remove_file(room.path("report.html")).unwrap();
    room.verify().unwrap();
}

/// Nothing can be changed anywhere: every single byte, with one bit flipped.
#[test]
fn every_byte_of_what_is_said_about_packages() {
    let room = Room::new();
    let gpgv = Gpgv::new(&room.keyring).unwrap();
    // The signature of the list is checked once; everything after that, for every byte.
    let list = SignedList::open(room.folder.path(), &gpgv).unwrap();
    list.verify().unwrap();
    let (mut flipped, mut kinds) = (0, 0);
    for name in list.list.keys().filter(|name| !name.to_string_lossy().contains("key")) {
        let path = room.folder.path().join(name);
        let before = fs::read(&path).unwrap();
        for at in 0..before.len() {
            let mut bytes = before.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            let error = list.verify().expect_err("a byte was changed");
            assert_eq!(error.kind(), Kind::Verification, "{error}");
            assert!(error.to_string().starts_with(&path.display().to_string()), "byte {at}: {error}");
            flipped += 1;
        }
        fs::write(&path, before).unwrap();
        kinds += 1;
    }
    list.verify().unwrap();
    assert!(kinds == 8 && flipped > 2000, "{kinds} files, {flipped} bytes");
}

/// Files that are signed, each by itself and in the list, and do not belong together.
#[test]
fn signed_files_that_contradict_each_other() {
    let room = Room::new();
    let folder = room.folder.path();
    let first = Digest::of_file(&room.path(DEBS[0])).unwrap();
    let refused = |name: &str, part: &str| {
        write_list(folder, &room.gpg);
        let error = room.verify().unwrap_err();
        assert_eq!(error.kind(), Kind::Verification, "{error}");
        let text = error.message();
        assert!(text.starts_with(&room.path(name).display().to_string()) && text.contains(part), "{text}");
    };
    write_build_info(folder, &room.gpg, &DEBS[..1]);
    refused("demo_1.0_amd64.buildinfo", "found one on no demo_1.0_amd64.deb");
    write_build_info(folder, &room.gpg, &DEBS);
    let bills = DEBS.map(sbom::file_name);
    let files = ["demo_1.0_amd64.buildinfo", bills[0].as_str()];

    write_provenance(folder, &room.gpg, &DEBS[..1], &files);
    refused(PROVENANCE, "found one on no demo_1.0_amd64.deb");
    write_provenance(folder, &room.gpg, &DEBS, &files);
    write_build_info(folder, &room.gpg, &[DEBS[1], DEBS[0]]);
    refused(PROVENANCE, "of demo_1.0_amd64.buildinfo as SHA256SUMS has it");
    write_provenance(folder, &room.gpg, &DEBS, &files);
    write_list(folder, &room.gpg);
    room.verify().unwrap();

    write_bill(folder, DEBS[0], Digest::of("another package"));
    write_provenance(folder, &room.gpg, &DEBS, &files);
    refused(&bills[0], &format!("with SHA-256 {first}"));
    fs::write(room.path(&bills[0]), "{}").unwrap();
    write_provenance(folder, &room.gpg, &DEBS, &files);
    refused(&bills[0], "bomFormat CycloneDX");
    fs::remove_file(room.path(&bills[0])).unwrap();
    write_provenance(folder, &room.gpg, &DEBS, &files[..1]);
    refused(&bills[0], "is missing");
    write_bill(folder, DEBS[0], first);
    write_bill(folder, "other.deb", first);
    refused("other.cdx.json", "no such package");
    fs::remove_file(room.path("other.cdx.json")).unwrap();

    // An envelope that says other things of itself, or has a statement of another kind.
    let sealed = fs::read_to_string(room.path(PROVENANCE)).unwrap();
    let fingerprint = &room.gpg.key().fingerprint;
    for (from, to, part) in [
        (fingerprint.as_str(), "0000", "the key id 0000"),
        ("vnd.in-toto+json", "vnd.other+json", "vnd.other+json"),
        ("{\"payload\"", "{ \"payload\"", "one JSON value in one line"),
        ("\"payloadType\"", "\"more\":1,\"payloadType\"", "unknown field"),
    ] {
        assert!(sealed.contains(from));
        fs::write(room.path(PROVENANCE), sealed.replacen(from, to, 1)).unwrap();
        refused(PROVENANCE, part);
    }
    let rebuild = crate::proof::attestation::Rebuilt {
        plan: first.into(),
        left_out: vec![],
        compared: vec![],
        variations: vec![],
    };
    let other = dsse::seal(&AnyStatement::about(vec![], rebuild), &room.gpg, EPOCH).unwrap();
    fs::write(room.path(PROVENANCE), other).unwrap();
    refused(PROVENANCE, "https://slsa.dev/provenance/v1");
}
