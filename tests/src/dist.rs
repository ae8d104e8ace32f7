//! Folders of signed packages as `cargo xtask package` leaves them, made in a moment: dpkg-deb writes the packages, and the
//! project's own code what belongs beside them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use foundation::digest::Digest;
use sign::gpg::Gpg;
use sign::signer::{KeyForm, KeySource, Signer};
use sign::sums::{self, Checksums};
use statements::check::statement::{Resource, Statement};
use statements::check::verdict::{Judged, Judgement, TestRecord, Verdict};

use crate::guards::GpgHome;
use crate::run;

/// 2025-06-04: what is signed here was signed then.
pub const EPOCH: i64 = 1_749_031_200;

/// An OpenPGP key of its own.
pub struct TestKey {
    home: GpgHome,
    /// Fingerprint of the primary key.
    pub fingerprint: String,
    /// Signs with it.
    pub gpg: Gpg,
}

impl TestKey {
    /// Makes a key with this name, as old as 2024.
    pub fn new(name: &str) -> Self {
        let home = GpgHome::new();
        let user_id = format!("{name} <{}@example.org>", name.to_lowercase().replace(' ', "-"));
        let time = ["--faked-system-time", "20240101T000000"];
        home.gpg("", &[&time[..], &["--quick-generate-key", &user_id, "ed25519", "sign", "never"]].concat());
        let path = home.export_secret("");
        let gpg = Gpg::open(&KeySource::SecretFile { path, passphrase: None }).unwrap();
        fs::write(home.path().join("public.gpg"), gpg.public_key(KeyForm::Binary).unwrap()).unwrap();
        Self { fingerprint: gpg.key().primary.clone(), home, gpg }
    }

    /// The secret part, for `--key-file`.
    pub fn secret(&self) -> PathBuf {
        self.home.path().join("secret.asc")
    }

    /// The public part, a binary key ring.
    pub fn ring(&self) -> PathBuf {
        self.home.path().join("public.gpg")
    }
}

/// A binary package to be made.
#[derive(Clone, Debug)]
pub struct Deb {
    /// Its name.
    pub name: String,
    /// `all` or an architecture.
    pub architecture: &'static str,
    /// The first line of its description.
    pub synopsis: String,
    /// `Section`.
    pub section: &'static str,
    /// Further fields, each with its line feed.
    pub fields: String,
    /// What becomes of its control file.
    pub edit: fn(String) -> String,
    /// Its files: path without a leading `/`, and content.
    pub files: Vec<(String, String)>,
}

impl Deb {
    /// A package for all architectures with one file.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            architecture: "all",
            synopsis: "package for tests".into(),
            section: "utils",
            fields: String::new(),
            edit: |control| control,
            files: vec![(format!("usr/share/{name}/text"), format!("of {name}\n"))],
        }
    }

    /// Writes it into a folder; returns the file's name.
    pub fn write(&self, folder: &Path, source: &str, version: &str) -> String {
        self.write_packed(folder, source, version, "xz")
    }

    /// The same with this compression, as dpkg-deb calls it.
    fn write_packed(&self, folder: &Path, source: &str, version: &str, compression: &str) -> String {
        let tree = tempfile::tempdir().unwrap();
        let control = format!(
            "Package: {}\nSource: {source}\nVersion: {version}\nArchitecture: {}\nMaintainer: Test <test@example.org>\n\
             Section: {}\nPriority: optional\n{}Description: {}\n It is small.\n .\n And has a paragraph.\n",
            self.name, self.architecture, self.section, self.fields, self.synopsis
        );
        let control = (self.edit)(control);
        for (path, content) in
            self.files.iter().map(|(path, content)| (path.as_str(), content)).chain([("DEBIAN/control", &control)])
        {
            let path = tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file =
            format!("{}_{}_{}.deb", self.name, version.split_once(':').map_or(version, |v| v.1), self.architecture);
        let mut command = Command::new("dpkg-deb");
        command
            .args(["--root-owner-group", &format!("-Z{compression}"), "--nocheck", "--build"])
            .arg(tree.path())
            .arg(folder.join(&file));
        run(command.env("SOURCE_DATE_EPOCH", EPOCH.to_string())).success();
        file
    }
}

/// A folder to be made.
#[derive(Clone, Debug)]
pub struct Dist {
    /// The source package.
    pub source: String,
    /// The version of all packages.
    pub version: String,
    /// `Distribution` of the `.changes`.
    pub distribution: String,
    /// The packages.
    pub debs: Vec<Deb>,
    /// What the tests said; `None` for no statement.
    pub tests: Option<Verdict>,
}

impl Dist {
    /// `demo` and `demo-tools` for bookworm, of one version, tests passed.
    pub fn new(version: &str) -> Self {
        let mut tools = Deb::new("demo-tools");
        tools.architecture = "amd64";
        tools.fields = "Depends: demo\n".into();
        tools.files.push(("usr/share/demo-tools/version".into(), format!("{version}\n")));
        let mut demo = Deb::new("demo");
        let changelog = format!("demo ({version}) bookworm; urgency=low\n\n  * What is new in {version}.\n");
        demo.files.push(("usr/share/doc/demo/changelog.Debian".into(), changelog));
        Self {
            source: "demo".into(),
            version: version.into(),
            distribution: "bookworm".into(),
            debs: vec![demo, tools],
            tests: Some(Verdict::Passed),
        }
    }

    /// Writes the folder.
    pub fn write(&self, folder: &Path, key: &TestKey) {
        self.write_signed(folder, &key.gpg, &|text| text);
    }

    /// The same with any signer, and with what `change` makes of the text of the `.changes`.
    pub fn write_signed(&self, folder: &Path, signer: &dyn Signer, change: &dyn Fn(String) -> String) {
        fs::create_dir_all(folder).unwrap();
        let files: Vec<String> = self.debs.iter().map(|deb| deb.write(folder, &self.source, &self.version)).collect();
        self.seal(folder, &files, signer, change);
    }

    /// So many packages that differ in nothing but their names, `demo-0000` and on: dpkg-deb writes one of them.
    pub fn write_many(&self, folder: &Path, count: usize, key: &TestKey) {
        fs::create_dir_all(folder).unwrap();
        let model = "demo-xxxx";
        // Without a file, which all of them would have.
        let fields = "Depends: libc6 (>= 2.36), zlib1g\n".into();
        let deb = Deb { fields, files: Vec::new(), ..Deb::new(model) };
        let file = deb.write_packed(folder, &self.source, &self.version, "none");
        let bytes = fs::read(folder.join(&file)).unwrap();
        fs::remove_file(folder.join(&file)).unwrap();
        // Nothing of it is compressed, and nothing that is summed up changes.
        let field = format!("Package: {model}\n").into_bytes();
        let at = bytes.windows(field.len()).position(|part| part == field).expect("it has that field");
        let one = |n: usize| {
            let name = format!("demo-{n:04}");
            let mut bytes = bytes.clone();
            bytes[at + 9..][..name.len()].copy_from_slice(name.as_bytes());
            let file = file.replace(model, &name);
            fs::write(folder.join(&file), bytes).unwrap();
            file
        };
        let files: Vec<String> = (0..count).map(one).collect();
        self.seal(folder, &files, &key.gpg, &|text| text);
    }

    /// Writes what belongs beside the packages.
    fn seal(&self, folder: &Path, files: &[String], signer: &dyn Signer, change: &dyn Fn(String) -> String) {
        let sum = |files: &[String]| {
            let line = |file: &String| {
                let sums = Checksums::of_file(&folder.join(file)).unwrap();
                format!("\n {} {} {file}", sums.sha256, sums.size)
            };
            files.iter().map(line).collect::<String>()
        };
        let head = format!("Source: {}\nArchitecture: all amd64\nVersion: {}\n", self.source, self.version);
        let stem = format!("{}_{}_amd64", self.source, self.version);
        let buildinfo = format!("{stem}.buildinfo");
        let text = format!("Format: 1.0\n{head}Checksums-Sha256:{}\n", sum(files));
        sums::write_clear_signed(folder, &buildinfo, &text, signer, EPOCH).unwrap();
        let listed = [files, std::slice::from_ref(&buildinfo)].concat();
        let text =
            format!("Format: 1.8\n{head}Distribution: {}\nChecksums-Sha256:{}\n", self.distribution, sum(&listed));
        sums::write_clear_signed(folder, &format!("{stem}.changes"), &change(text), signer, EPOCH).unwrap();
        fs::write(folder.join("key.gpg"), signer.public_key(KeyForm::Binary).unwrap()).unwrap();
        if let Some(verdict) = self.tests {
            let subject = |file: &String| Resource::new(file, Digest::of_file(&folder.join(file)).unwrap());
            let record = TestRecord { program: "demo-tests".into(), test: "A.B".into(), executions: vec![] };
            let tests = vec![Judged { record, verdict, note: None }];
            let judgement = Judgement { tests, ..Judgement::default() };
            let statement = Statement::new(files.iter().map(subject).collect(), vec![], &judgement);
            statement.write(folder, signer, EPOCH).unwrap();
        }
        let all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into()).collect();
        sums::write(folder, &all, signer, EPOCH).unwrap();
    }
}
