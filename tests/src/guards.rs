//! What tests make outside of their own memory, each removed when it is dropped: also when the test panics.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::judge;

/// A file system in memory, mounted on a folder of its own. It takes root.
pub struct Disk(tempfile::TempDir);

impl Disk {
    /// Mounts one with these options of tmpfs(5), such as `size=1m` or `ro`.
    pub fn new(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().display().to_string();
        judge("mount", &["-t", "tmpfs", "-o", options, "tmpfs", &place], Path::new("/"));
        Self(folder)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: something that still looks into it must not keep it for ever.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// A GnuPG home; the agent that gpg starts for it ends with it.
pub struct GpgHome(tempfile::TempDir);

impl GpgHome {
    /// An empty one that only this user may enter.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
        Self(folder)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs gpg in it with a passphrase for the keys, and fails the test unless it is content; returns what it printed.
    #[track_caller]
    pub fn gpg(&self, passphrase: &str, arguments: &[&str]) -> String {
        let home = self.path().display().to_string();
        let options = ["--homedir", &home, "--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase];
        judge("gpg", &[options.as_slice(), arguments].concat(), self.path())
    }

    /// Puts the secret keys into a file of the home, for `--key-file`.
    pub fn export_secret(&self, passphrase: &str) -> PathBuf {
        let path = self.path().join("secret.asc");
        fs::write(&path, self.gpg(passphrase, &["--armor", "--export-secret-keys"])).expect("it is ours");
        path
    }
}

impl Default for GpgHome {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for GpgHome {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.path()).args(["--kill", "all"]).status();
    }
}
