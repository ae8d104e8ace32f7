//! Signatures, judged by gpgv and debsig-verify, and keys that cannot be used.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use deb::binary_package::BinaryPackage;
use foundation::digest::Digest;
use foundation::failure::Failure as _;
use sign::gpg::Gpg;
use sign::signer::{DEVELOPMENT_NAME, KeyForm, KeyKind, KeySource, Passphrase, SignError, SignatureForm, Signer};
use sign::{buildinfo, changes, debsig, sums};
use support::{Demo, command, judge, target, text, try_judge, write};

const EPOCH: i64 = 1_749_031_200;

/// A home of gpg with one key, whose agent ends with it.
struct Home(tempfile::TempDir);

impl Home {
    /// Makes a key at a date, with a passphrase where there is one; `expire` is as `Expire-Date` of gpg.
    fn new(name: &str, passphrase: &str, created: i64, expire: &str) -> Self {
        let home = Self(tempfile::Builder::new().prefix("h").tempdir_in("/tmp").unwrap());
        let protection =
            if passphrase.is_empty() { "%no-protection".into() } else { format!("Passphrase: {passphrase}") };
        let parameters = home.0.path().join("parameters");
        write(
            &parameters,
            &format!(
                "Key-Type: eddsa\nKey-Curve: Ed25519\nKey-Usage: sign\n{protection}\nName-Real: {name}\nExpire-Date: {expire}\n%commit\n"
            ),
        );
        let time = format!("--faked-system-time={created}!");
        judge(
            "gpg",
            &mut home.gpg([&time, "--pinentry-mode", "loopback", "--generate-key", parameters.to_str().unwrap()]),
        );
        home
    }

    fn gpg<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> std::process::Command {
        let mut gpg = command("gpg", ["--batch", "--no-tty", "--homedir", self.0.path().to_str().unwrap()]);
        gpg.args(arguments);
        gpg
    }

    /// The secret key in a file, as a CI system has it.
    fn secret(&self, passphrase: &str) -> PathBuf {
        let path = self.0.path().join("secret.asc");
        let phrase = self.0.path().join("phrase");
        write(&phrase, passphrase);
        let arguments = [
            "--yes",
            "--pinentry-mode",
            "loopback",
            "--passphrase-file",
            phrase.to_str().unwrap(),
            "--armor",
            "--output",
            path.to_str().unwrap(),
        ];
        judge("gpg", self.gpg(arguments).arg("--export-secret-keys"));
        path
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = command("gpgconf", ["--homedir".as_ref(), self.0.path().as_os_str()]).args(["--kill", "all"]).output();
    }
}

fn development(folder: &Path) -> Gpg {
    Gpg::open(&KeySource::Development { state: folder.join("state") }).unwrap_or_else(|error| panic!("{error}"))
}

fn gpgv(keyring: &Path, files: &[&Path]) -> std::process::Output {
    try_judge("gpgv", command("gpgv", ["--keyring".as_ref(), keyring.as_os_str()]).args(files))
}

#[test]
fn gpgv_accepts_every_form_and_the_bytes_are_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let (data, keyring) = (folder.path().join("data"), folder.path().join("key.gpg"));
    // More than any pipe holds, with lines that a clear signature has to escape.
    let content = "- dashed\nplain line\n".repeat(100_000);
    write(&data, &content);
    let mut first: Vec<Vec<u8>> = Vec::new();
    for round in 0..2 {
        let gpg = development(folder.path());
        assert_eq!(gpg.key().kind, KeyKind::Development);
        assert!(gpg.key().user_id.starts_with(DEVELOPMENT_NAME), "{:?}", gpg.key());
        fs::write(&keyring, gpg.public_key(KeyForm::Binary).unwrap()).unwrap();
        assert!(gpg.public_key(KeyForm::Armored).unwrap().starts_with(b"-----BEGIN PGP PUBLIC KEY BLOCK-----"));
        for (n, form) in [SignatureForm::Clear, SignatureForm::DetachedArmored, SignatureForm::DetachedBinary]
            .into_iter()
            .enumerate()
        {
            let signature = gpg.sign(form, &mut content.as_bytes(), EPOCH).unwrap();
            let file = folder.path().join("signature");
            fs::write(&file, &signature).unwrap();
            let files: &[&Path] = if form == SignatureForm::Clear { &[&file] } else { &[&file, &data] };
            let report = gpgv(&keyring, files);
            assert!(report.status.success(), "{form:?}: {}", text(&report));
            assert!(text(&report).contains("Signature made Wed Jun  4 10:00:00 2025"), "{}", text(&report));
            if form == SignatureForm::Clear {
                assert!(signature.starts_with(b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n- - dashed\n"));
            } else {
                let packets = judge("gpg", command("gpg", ["--list-packets"]).arg(&file));
                assert!(
                    packets.contains("algo 22") && packets.contains("digest algo 10"),
                    "Ed25519 and SHA-512: {packets}"
                );
            }
            if round == 0 {
                first.push(signature);
            } else {
                assert!(first[n] == signature, "{form:?} differs the second time");
            }
        }
    }
    let mut wrong = content;
    wrong.replace_range(0..1, "x");
    write(&data, &wrong);
    let signature = folder.path().join("signature");
    assert!(!gpgv(&keyring, &[&signature, &data]).status.success());
}

#[test]
fn the_development_key_is_made_once_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let first = development(folder.path()).key().clone();
    assert_eq!(development(folder.path()).key(), &first);
    let file = folder.path().join("state/development-key.asc");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(first.created, 1_550_188_800);
}

#[test]
fn a_handed_over_key_with_its_passphrase() {
    let home = Home::new("CI Key", "correct horse", EPOCH - 10, "0");
    let path = home.secret("correct horse");
    let open = |passphrase: Option<&str>| {
        Gpg::open(&KeySource::SecretFile { path: path.clone(), passphrase: passphrase.map(Passphrase::new) })
    };
    let gpg = open(Some("correct horse\n")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((gpg.key().kind, gpg.key().user_id.as_str()), (KeyKind::Release, "CI Key"));
    gpg.check_version("1.0-1").unwrap();
    let local = BinaryPackage { version: "1.0-1+local".into(), ..package() };
    let error = debsig::sign(&local, Path::new("unread"), Path::new("unwritten"), &gpg, EPOCH).unwrap_err().message();
    assert!(error.contains("'CI Key' signs no such build"), "{error}");
    for wrong in [Some("wrong"), None] {
        let error = open(wrong).unwrap_err();
        assert!(matches!(error, SignError::Passphrase { .. }), "{error}");
        assert!(!error.to_string().contains("wrong passphrase"), "{error}");
    }
    let text = fs::read_to_string(&path).unwrap();
    let source = KeySource::SecretText {
        name: "SIGNING_KEY".into(),
        text: Passphrase::new(text),
        passphrase: Some(Passphrase::new("correct horse")),
    };
    assert_eq!(Gpg::open(&source).unwrap().key(), gpg.key());
    let source =
        KeySource::SecretText { name: "SIGNING_KEY".into(), text: Passphrase::new("no key"), passphrase: None };
    let error = Gpg::open(&source).unwrap_err().message();
    assert!(error.contains("import the key from SIGNING_KEY") && !error.contains("no key"), "{error}");
}

#[test]
fn the_users_own_key_ring() {
    let home = Home::new("Release Key", "", EPOCH + 86_400, "0");
    let open = |key: &str| Gpg::open(&KeySource::KeyRing { home: Some(home.0.path().to_owned()), key: key.into() });
    let gpg = open("Release Key").unwrap_or_else(|error| panic!("{error}"));
    // A signature cannot be older than its key: it gets the key's date, which is as reproducible.
    let signature = home.0.path().join("s");
    fs::write(&signature, gpg.sign(SignatureForm::Clear, &mut &b"x\n"[..], EPOCH).unwrap()).unwrap();
    let keyring = home.0.path().join("k.gpg");
    fs::write(&keyring, gpg.public_key(KeyForm::Binary).unwrap()).unwrap();
    let report = gpgv(&keyring, &[&signature]);
    assert!(report.status.success() && text(&report).contains("Jun  5 10:00:00 2025"), "{}", text(&report));
    let error = open("nobody@example.org").unwrap_err();
    assert!(matches!(&error, SignError::NoKey { key, .. } if key == "nobody@example.org"), "{error}");
}

/// Nothing of the user's settings reaches what is signed: the bytes are those of a home without any.
#[test]
fn settings_of_the_user_change_no_signature() {
    let home = Home::new("Release Key", "", EPOCH - 86_400, "0");
    judge("gpg", &mut home.gpg(["--quick-generate-key", "--passphrase", "", "Other Key", "ed25519", "sign"]));
    let open = || Gpg::open(&KeySource::KeyRing { home: Some(home.0.path().to_owned()), key: "Release Key".into() });
    let sign = |form| open().unwrap().sign(form, &mut &b"text \n- dashed\n"[..], EPOCH).unwrap();
    const FORMS: [SignatureForm; 3] =
        [SignatureForm::Clear, SignatureForm::DetachedArmored, SignatureForm::DetachedBinary];
    let usual = FORMS.map(sign);
    for settings in [
        "default-sig-expire 1d\nask-sig-expire\n",
        "local-user \"Other Key\"\ndefault-key \"Other Key\"\n",
        "textmode\narmor\n",
        "sig-notation who@example.org=me\nsig-policy-url https://example.org/\n",
        "personal-digest-preferences SHA224\ncert-digest-algo SHA224\ncomment mine\nemit-version\n",
        "group \"Release Key\"=\"Other Key\"\n",
        "no-such-option\n",
    ] {
        write(&home.0.path().join("gpg.conf"), settings);
        assert!(FORMS.map(sign) == usual, "{settings}");
        assert!(!open().unwrap().public_key(KeyForm::Armored).unwrap().windows(4).any(|text| text == b"mine"));
    }
    // Something that stands in for gpg and signs otherwise is found out.
    let wrapper = home.0.path().join("gpg-wrapper");
    write(&wrapper, "#!/bin/sh\nexec gpg \"$@\" --digest-algo SHA256\n");
    judge("coreutils", &mut command("chmod", ["755".as_ref(), wrapper.as_os_str()]));
    let source = KeySource::KeyRing { home: Some(home.0.path().to_owned()), key: "Release Key".into() };
    let error = Gpg::open_with(&wrapper, &source).unwrap_err().to_string();
    assert!(error.contains("sign as it was told") || error.contains("gpg cannot"), "{error}");
    // Two keys match.
    judge("gpg", &mut home.gpg(["--quick-generate-key", "--passphrase", "", "Second Release Key", "ed25519", "sign"]));
    let error = open().unwrap_err();
    assert!(matches!(&error, SignError::Several { found, .. } if found.len() == 2), "{error}");
}

/// Where a passphrase is needed and nobody can be asked, that is what is said.
#[test]
fn a_passphrase_that_nobody_can_be_asked_for() {
    let home = Home::new("Release Key", "correct horse", EPOCH - 86_400, "0");
    write(&home.0.path().join("gpg-agent.conf"), "pinentry-program /nonexistent/pinentry\n");
    judge("gpg", command("gpgconf", ["--homedir".as_ref(), home.0.path().as_os_str()]).args(["--kill", "all"]));
    let source = KeySource::KeyRing { home: Some(home.0.path().to_owned()), key: "Release Key".into() };
    let error = Gpg::open(&source).unwrap_err();
    assert!(matches!(error, SignError::Unasked { .. }) && error.message().contains("GPG_TTY"), "{error}");
}

#[test]
fn keys_and_programs_that_cannot_be_used() {
    let home = Home::new("Old Key", "", 1_550_188_800, "1d");
    let path = home.secret("");
    let error = Gpg::open(&KeySource::SecretFile { path, passphrase: None }).unwrap_err();
    assert!(matches!(error, SignError::Expired { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let source = KeySource::Development { state: folder.path().into() };
    let error = Gpg::open_with(Path::new("/nonexistent/gpg"), &source).unwrap_err();
    assert!(matches!(error, SignError::NoGpg { .. }), "{error}");
    let source = KeySource::SecretFile { path: folder.path().join("missing"), passphrase: None };
    assert!(Gpg::open(&source).unwrap_err().message().contains("missing"));
}

#[test]
fn debsig_verify_accepts_signed_packages_and_no_others() {
    let demo = Demo::new();
    let split = demo.split(&demo.path("split"));
    let (unsigned, signed) = (demo.path("unsigned"), demo.path("signed"));
    let packages = demo.pack(&split, &unsigned, "");
    fs::create_dir_all(&signed).unwrap();
    let gpg = development(demo.folder.path());
    let files = debsig::write_policy(&signed, "demo-packages", &gpg).unwrap();
    let [policies, keyrings] = &files[..] else { panic!("{files:?}") };
    let verify = |deb: &Path| {
        // The folders that have one folder for each key.
        let folders = [policies, keyrings].map(|file| signed.join(file.parent().unwrap().parent().unwrap()));
        let mut debsig = command("debsig-verify", ["--policies-dir".as_ref(), folders[0].as_os_str()]);
        debsig.arg("--keyrings-dir").arg(&folders[1]).arg(deb);
        try_judge("debsig-verify", &mut debsig)
    };
    let mut all = Vec::new();
    for package in &packages {
        let result = debsig::sign(package, &unsigned, &signed, &gpg, EPOCH).unwrap();
        let path = signed.join(&result.file);
        assert_eq!(Digest::of_file(&path).unwrap(), result.sha256);
        assert_eq!(debsig::unsigned_digest(&path, EPOCH).unwrap(), package.sha256);
        let report = verify(&path);
        assert!(report.status.success() && text(&report).contains("Verified package"), "{}", text(&report));
        assert!(!verify(&unsigned.join(&package.file)).status.success());
        // The same bytes from the signed package as from the unsigned one.
        assert_eq!(debsig::sign(package, &signed, &signed, &gpg, EPOCH).unwrap(), result);
        all.push(result);
    }
    // A package that is not the one that was written and read back is not signed.
    let other = BinaryPackage { sha256: Digest::of("other"), ..packages[0].clone() };
    let error = debsig::sign(&other, &unsigned, &demo.path("x"), &gpg, EPOCH).unwrap_err();
    assert!(matches!(error, debsig::DebsigError::Changed { .. }), "{error}");
    // The project's own check agrees with debsig-verify.
    let keyring = signed.join(keyrings);
    let gpgv = sign::gpgv::Gpgv::new(&keyring).unwrap();
    for package in &all {
        debsig::check(&signed.join(&package.file), &gpgv).unwrap();
        assert!(debsig::check(&unsigned.join(&package.file), &gpgv).is_err());
    }
    // One bit of the data.
    let tools = signed.join(&all.iter().find(|package| package.name == "demo-tools").unwrap().file);
    let mut bytes = fs::read(&tools).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let broken = signed.join("broken.deb");
    fs::write(&broken, bytes).unwrap();
    let report = verify(&broken);
    assert!(!report.status.success(), "{}", text(&report));
    assert!(debsig::check(&broken, &gpgv).is_err());
    // dpkg, apt and lintian read signed packages like any other.
    judge("dpkg", &mut command("dpkg-deb", ["-x".as_ref(), tools.as_os_str(), demo.path("x").as_os_str()]));
    assert!(demo.path("x/usr/bin/demo").is_file());
    let mut apt = command("apt-get", ["--simulate", "--no-download", "install"]);
    let report = judge("apt", apt.args(all.iter().map(|package| signed.join(&package.file))));
    assert!(report.contains("Inst demo-tools (1:1.0-1 "), "{report}");
    let mut lintian = command("lintian", ["--allow-root", "--fail-on", "error,warning"]);
    judge("lintian", lintian.args(all.iter().map(|package| signed.join(&package.file))));
}

#[test]
fn changes_and_buildinfo_are_accepted() {
    let demo = Demo::new();
    let split = demo.split(&demo.path("split"));
    let folder = demo.path("dist");
    let packages = demo.pack(&split, &folder, "");
    let changelog = deb::changelog::Changelog::read(&demo.recipe().join("changelog")).unwrap();
    let gpg = development(demo.folder.path());
    let lock = lock();
    let environment = [("LC_ALL", "C.UTF-8"), ("HOME", "/build/home"), ("CXXFLAGS", "-O2 \"x\"")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let info = buildinfo::BuildInfo {
        changelog: &changelog,
        architecture: target().name.architecture().to_owned().leak(),
        vendor: "Debian",
        lock: &lock,
        environment: &environment,
        build_path: "/build/source",
        plan: Digest::of("plan"),
        target: &target().name,
        revision: Some("0123abc"),
    };
    let info_name = changes::file_name(&changelog, "amd64", "buildinfo");
    assert_eq!(info_name, "demo_1.0-1_amd64.buildinfo");
    let info_text = buildinfo::text(&info, &packages, &folder).unwrap();
    assert!(info_text.contains("Installed-Build-Depends:\n gcc (= 1:2),\n make (= 3)\n"), "{info_text}");
    assert!(info_text.contains("Environment:\n CXXFLAGS=\"-O2 \\\"x\\\"\"\n LC_ALL=\"C.UTF-8\"\n"), "{info_text}");
    sums::write_clear_signed(&folder, &info_name, &info_text, &gpg, EPOCH).unwrap();
    let changes_name = changes::file_name(&changelog, "amd64", "changes");
    let changes_text =
        changes::text(&changelog, "Demo Packages <demo@example.org>", "amd64", &packages, &folder).unwrap();
    assert!(changes_text.contains("\n .\n   * New upstream version.\n .\n     With a paragraph.\n"), "{changes_text}");
    sums::write_clear_signed(&folder, &changes_name, &changes_text, &gpg, EPOCH).unwrap();
    let files: Vec<PathBuf> =
        packages.iter().map(|package| PathBuf::from(&package.file)).chain([changes_name.clone().into()]).collect();
    sums::write(&folder, &files, &gpg, EPOCH).unwrap();

    let keyring = demo.path("key.gpg");
    fs::write(&keyring, gpg.public_key(KeyForm::Binary).unwrap()).unwrap();
    for files in [&[&info_name[..]][..], &[&changes_name], &["SHA256SUMS.asc", "SHA256SUMS"]] {
        let files: Vec<PathBuf> = files.iter().map(|file| folder.join(file)).collect();
        let report = gpgv(&keyring, &files.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        assert!(report.status.success(), "{}", text(&report));
    }
    judge("coreutils", command("sha256sum", ["--check", "--strict", "SHA256SUMS"]).current_dir(&folder));
    // Debian's own reader of .changes checks sizes and checksums; lintian follows them to every file.
    judge("devscripts", command("dscverify", ["--no-conf", "--no-sig-check"]).arg(&changes_name).current_dir(&folder));
    let mut lintian = command("lintian", ["--allow-root", "--fail-on", "error,warning"]);
    judge("lintian", lintian.arg(folder.join(&changes_name)));
    let Err(error) = sums::write(&folder, &["missing".into()], &gpg, EPOCH) else {
        panic!("a missing file was summed")
    };
    assert!(error.to_string().contains("missing"), "{error}");
}

fn package() -> BinaryPackage {
    BinaryPackage {
        name: "demo".into(),
        version: "1.0-1".into(),
        architecture: "all".into(),
        file: "demo_1.0-1_all.deb".into(),
        sha256: Digest::of("x"),
        size: 1,
        installed_size: 1,
        section: "utils".into(),
        priority: "optional".into(),
        synopsis: "a thing".into(),
        debug: false,
    }
}

fn lock() -> recipe::root_lock::RootLock {
    let digest = Digest::of("x");
    let deb = |name: &str, version: &str| recipe::root_lock::PinnedDeb {
        name: name.into(),
        version: version.into(),
        architecture: "amd64".into(),
        suite: None,
        path: "pool/x".into(),
        size: 1,
        sha256: digest,
        base: false,
    };
    recipe::root_lock::RootLock {
        version: 1,
        recipe: "demo".into(),
        target: target().name,
        suite: "bookworm".into(),
        snapshot: "20250601T000000Z".into(),
        release_date: 0,
        release_sha256: digest,
        packages_sha256: digest,
        request_sha256: digest,
        indices: Vec::new(),
        packages: vec![deb("gcc", "1:2"), deb("make", "3")],
    }
}

/// gpg takes the second in which it starts for no time that was asked for, and the next one may begin before it signs.
#[test]
fn a_signature_of_this_very_second_is_of_it() {
    let home = Home::new("Test", "", EPOCH, "0");
    let gpg = Gpg::open(&KeySource::SecretFile { path: home.secret(""), passphrase: None }).unwrap();
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    while now().subsec_millis() < 900 {
        std::thread::yield_now();
    }
    // gpg starts in this second, and is at it for longer.
    let (time, data) = (now().as_secs().cast_signed(), vec![0; 128 << 20]);
    gpg.sign(SignatureForm::DetachedBinary, &mut data.as_slice(), time).unwrap();
    assert!(now().as_secs().cast_signed() > time, "the test has no teeth: gpg was faster than the clock");
}
