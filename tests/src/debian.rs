//! Debian's releases as small roots with their own apt, from the mirror that this machine's apt uses. A root is made once a
//! day and shared by all tests, each of which works in a copy of links.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fetch::debian::mirror::{Mirrors, UserConfig};
use foundation::digest::Digest;
use foundation::store::StoreLock;

use crate::{judge, repository};

/// A release whose apt reads repositories in the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Debian 11.
    Bullseye,
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
    /// What becomes the next one.
    Sid,
}

/// What a client runs, with what that needs. The first one has the links of a merged `/usr`, where the release has them, and is
/// therefore unpacked first. apt brings what it checks signatures with, which differs.
const PACKAGES: [&str; 9] =
    ["base-files", "apt", "coreutils", "dash", "diffutils", "dpkg", "libc-bin", "libfaketime", "tar"];

/// What nobody reads here, and files that ask for programs that are not here.
const REMOVED: [&str; 7] = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/i18n",
    "usr/share/perl",
    "etc/apt/apt.conf.d/70debconf",
];

impl Release {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bullseye, Self::Bookworm, Self::Trixie, Self::Sid];

    /// Its codename.
    pub fn codename(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// Whether its apt knows `update --audit`.
    pub fn audits(self) -> bool {
        matches!(self, Self::Trixie | Self::Sid)
    }

    /// The root that the tests share: to be copied, never to be changed.
    pub fn root(self) -> PathBuf {
        let day = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 86_400;
        // Made anew when this file says otherwise than it did.
        let recipe = Digest::of(include_str!("debian.rs")).short();
        let name = format!("{day}-{recipe}");
        let folder = roots().join(self.codename());
        let root = folder.join(&name);
        if !root.is_dir() {
            let _lock = StoreLock::acquire(&folder, "a root for the tests", &mut |_| ()).unwrap();
            if !root.is_dir() {
                for old in fs::read_dir(&folder).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
                    fs::remove_dir_all(old.path()).unwrap();
                }
                let new = tempfile::tempdir_in(&folder).unwrap();
                self.make(new.path());
                // Under its name it is whole.
                fs::rename(new.path().join("root"), &root).unwrap();
            }
        }
        root
    }

    /// Makes the root in a folder. Nothing is configured: dpkg and apt need nothing of that.
    fn make(self, folder: &Path) {
        let root = folder.join("root");
        self.download(folder);
        fs::create_dir(&root).unwrap();
        let mut debs: Vec<PathBuf> =
            fs::read_dir(folder.join("archives")).unwrap().map(|e| e.unwrap().path()).collect();
        debs.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
        debs.sort_by_key(|path| !path.file_name().unwrap().to_string_lossy().starts_with(&format!("{}_", PACKAGES[0])));
        for deb in &debs {
            judge("dpkg-deb", &["--extract", &deb.display().to_string(), &root.display().to_string()], folder);
        }
        for name in REMOVED {
            let path = root.join(name);
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
        for name in ["dev", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log/apt"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        for (name, major, minor) in
            [("null", "1", "3"), ("zero", "1", "5"), ("random", "1", "8"), ("urandom", "1", "9")]
        {
            judge("mknod", &["--mode=666", &format!("dev/{name}"), "c", major, minor], &root);
        }
        // As a machine has them: apt fetches as a user who may do nothing else.
        fs::write(
            root.join("etc/passwd"),
            "root:x:0:0:root:/root:/bin/sh\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n",
        )
        .unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n").unwrap();
        if !root.join("bin/sh").exists() {
            symlink("dash", root.join("bin/sh")).unwrap();
        }
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Downloads the packages into `archives` with this machine's apt: its proxies and certificates count, its sources do not.
    fn download(self, folder: &Path) {
        for name in ["lists/partial", "archives/partial"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        fs::write(folder.join("status"), "").unwrap();
        let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
        let source = format!("deb [arch=amd64 signed-by={keyring}] {} {} main\n", mirror(), self.codename());
        fs::write(folder.join("sources.list"), source).unwrap();
        let top = folder.display();
        let options = [
            format!("Dir::Etc::sourcelist={top}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".into(),
            "Dir::Etc::preferencesparts=/dev/null".into(),
            format!("Dir::State::lists={top}/lists"),
            format!("Dir::State::status={top}/status"),
            format!("Dir::Cache={top}"),
            format!("Dir::Cache::archives={top}/archives"),
            "APT::Architecture=amd64".into(),
            "APT::Install-Recommends=false".into(),
            "APT::Sandbox::User=root".into(),
            "Acquire::Languages=none".into(),
            "Acquire::Retries=3".into(),
            // A mirror may be behind: it is their apt that is wanted, not their latest packages.
            "Acquire::Check-Valid-Until=false".into(),
        ];
        let options: Vec<&str> = options.iter().flat_map(|option| ["-o", option]).collect();
        judge("apt-get", &[&options[..], &["--quiet", "--error-on=any", "update"]].concat(), folder);
        let install = ["--quiet", "--yes", "--download-only", "install"];
        judge("apt-get", &[&options[..], &install, &PACKAGES].concat(), folder);
    }
}

/// On the disk of the tests, so that a copy is made of links.
fn roots() -> PathBuf {
    repository().join("target/tmp/roots")
}

/// A folder beside the roots.
pub(crate) fn beside_the_roots() -> tempfile::TempDir {
    fs::create_dir_all(roots()).unwrap();
    tempfile::Builder::new().prefix("client-").tempdir_in(roots()).unwrap()
}

/// The mirror that this machine's apt uses.
fn mirror() -> String {
    let target = crate::default_target();
    let mirrors = Mirrors::discover(&[], &UserConfig::read().unwrap(), &target).unwrap();
    mirrors.of(mirrors.own()).near.into_iter().next().expect("apt on this machine has a mirror of Debian in /etc/apt")
}
