//! A key as a careful operator has it: the primary key only certifies, and subkeys sign, which are renewed from time to time.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sign::gpg::Gpg;
use sign::signer::KeySource;

use crate::judge;

/// Days as seconds.
pub const DAY: i64 = 86_400;

/// The key, with all its secret parts.
pub struct Key {
    home: tempfile::TempDir,
    /// Fingerprint of the primary key.
    pub primary: String,
    /// What stands for day 0, a Unix time in seconds: the present.
    pub base: i64,
    /// When gpg ran last: each time is a second later, so that what it signs has an order.
    last: Cell<i64>,
}

impl Key {
    /// A primary key without any subkey.
    pub fn new(algorithm: &str, usage: &str) -> Self {
        Self::with_options(&[], algorithm, usage)
    }

    /// The same with further options for gpg.
    pub fn with_options(options: &[&str], algorithm: &str, usage: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let base = now.as_secs().cast_signed();
        // Everything that a test does to a key was done within the last hour.
        let mut key = Self { home, primary: String::new(), base, last: Cell::new(base - 3600) };
        let make = ["--quick-generate-key", "Archive <archive@example.org>", algorithm, usage, "never"];
        key.gpg(&[options, &make].concat());
        key.primary = key.fingerprints().remove(0);
        key
    }

    /// The same with a first subkey that signs, and ends on this day.
    pub fn with_subkey(ends: i64) -> (Self, String) {
        let key = Self::new("ed25519", "cert");
        let subkey = key.add_subkey(ends);
        (key, subkey)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs gpg just before day 0.
    pub fn gpg(&self, arguments: &[&str]) -> String {
        self.last.set(self.last.get() + 5);
        let (home, time) = (self.home.path().display().to_string(), format!("{}!", self.last.get()));
        let options = ["--homedir", &home, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""];
        judge("gpg", &[&options, &["--faked-system-time", &time][..], arguments].concat(), self.home.path())
    }

    fn fingerprints(&self) -> Vec<String> {
        let listing = self.gpg(&["--with-colons", "--list-keys"]);
        listing
            .lines()
            .filter(|line| line.starts_with("fpr:"))
            .map(|line| line.split(':').nth(9).unwrap().into())
            .collect()
    }

    fn until(&self, day: i64) -> String {
        judge("date", &["--utc", &format!("--date=@{}", self.base + day * DAY), "+%Y%m%dT%H%M%S"], Path::new("/"))
            .trim()
            .into()
    }

    /// Adds a subkey that signs, and ends on this day.
    pub fn add_subkey(&self, ends: i64) -> String {
        self.gpg(&["--quick-add-key", &self.primary, "ed25519", "sign", &self.until(ends)]);
        self.fingerprints().pop().unwrap()
    }

    /// Moves the end of a subkey.
    pub fn set_end(&self, subkey: &str, day: i64) {
        let ends = self.until(day);
        self.gpg(&["--quick-set-expire", &self.primary, &ends, subkey]);
    }

    /// Revokes the subkey that was added first.
    pub fn revoke_first(&self) {
        let mut gpg = Command::new("gpg")
            .arg("--homedir")
            .arg(self.home.path())
            .args([
                "--no-tty",
                "--command-fd",
                "0",
                "--status-fd",
                "2",
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                "",
            ])
            .args(["--edit-key", &self.primary])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let answers = b"key 1\nrevkey\ny\n3\n\ny\nsave\n";
        std::io::Write::write_all(gpg.stdin.as_mut().unwrap(), answers).unwrap();
        assert!(gpg.wait().unwrap().success());
        assert!(self.gpg(&["--with-colons", "--list-keys"]).contains("\nsub:r:"));
    }

    /// Signs with what it has now.
    pub fn signer(&self) -> Gpg {
        self.export("all.asc", &["--export-secret-keys", &self.primary])
    }

    /// Signs with what a machine has to which only this subkey was given.
    pub fn signer_of(&self, subkey: &str) -> Gpg {
        self.export("subkey.asc", &["--export-secret-subkeys", &format!("{subkey}!")])
    }

    fn export(&self, name: &str, arguments: &[&str]) -> Gpg {
        let path = self.path(name);
        fs::write(&path, self.gpg(&[&["--armor"], arguments].concat())).unwrap();
        Gpg::open(&KeySource::SecretFile { path, passphrase: None }).unwrap()
    }

    /// Its secret part in a file, for `--key-file`.
    pub fn secret(&self) -> PathBuf {
        let path = self.path("secret.asc");
        fs::write(&path, self.gpg(&["--armor", "--export-secret-keys", &self.primary])).unwrap();
        path
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).status();
    }
}
