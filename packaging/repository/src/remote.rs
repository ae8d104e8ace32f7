//! Copying a repository to where clients fetch from: a folder, an rsync server or an object store. rsync(1) and rclone(1) do
//! the work; the order is ours.
//!
//! A client must never be told of a file that is not there: packages go first, then indices by their digest (those of every
//! snapshot that is kept, for clients that have just read an earlier Release), indices by name, Release and
//! Release.gpg, InRelease; and only when all of that is there, what is no longer needed is removed. Links become files,
//! since object stores have none.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use super::snapshot::{self, Snapshot};
use super::{Repository, RepositoryError, files, indices, sources};

/// A place to copy to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A folder, or what rsync reaches: `/srv/www/mesos`, `user@host:path`, `rsync://host/module/path`.
    Rsync(String),
    /// What rclone reaches: `s3://bucket/path`, with AWS_ACCESS_KEY_ID and what else the environment has; or a remote of
    /// rclone's own configuration, `rclone:NAME:path`.
    Rclone(String),
}

impl FromStr for Remote {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim_end_matches('/');
        if let Some(path) = text.strip_prefix("s3://") {
            return match path.trim_end_matches('/') {
                "" => Err("s3:// needs a bucket".into()),
                path => Ok(Self::Rclone(format!(":s3:{path}"))),
            };
        }
        if let Some(remote) = trimmed.strip_prefix("rclone:") {
            return if remote.contains(':') {
                Ok(Self::Rclone(remote.into()))
            } else {
                Err(format!("'{text}' has no remote: write rclone:NAME:PATH"))
            };
        }
        if trimmed.starts_with('-') || text.is_empty() || (trimmed.contains("://") && !trimmed.starts_with("rsync://"))
        {
            return Err(format!(
                "'{text}' is none of /FOLDER, HOST:PATH, rsync://HOST/PATH, s3://BUCKET/PATH, rclone:NAME:PATH"
            ));
        }
        Ok(Self::Rsync(if trimmed.is_empty() { "/".into() } else { trimmed.into() }))
    }
}

impl std::fmt::Display for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Rsync(place) | Self::Rclone(place)) = self;
        f.write_str(place)
    }
}

/// What is compared to find out whether a file is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    /// The pool: a file of that name never changes, and reading all of it each time would take long.
    Size,
    /// Everything else.
    Content,
}

/// Whether files that are only there are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extra {
    Stays,
    Goes,
}

impl Repository {
    /// Copies everything that clients need. What is interrupted is completed by the next one.
    pub fn push(&mut self, remote: &Remote) -> Result<(), RepositoryError> {
        let temporary = self.folder.temporary();
        fs::create_dir_all(&temporary).map_err(RepositoryError::io("make the folder", &temporary))?;
        let export =
            tempfile::TempDir::new_in(&temporary).map_err(RepositoryError::io("make a folder in", &temporary))?;
        let steps = self.export(export.path())?;
        let pool = self.folder.path("pool");
        let below = |step: &Path, name: &str| (step.join(name), format!("{remote}/{name}"));
        remote.copy("copying the packages", &pool, &format!("{remote}/pool"), Compare::Size, Extra::Stays)?;
        for (what, step) in &steps {
            remote.copy(what, step, &remote.to_string(), Compare::Content, Extra::Stays)?;
        }
        let (from, to) = below(&export.path().join("all"), "dists");
        remote.copy("removing old indices", &from, &to, Compare::Content, Extra::Goes)?;
        remote.copy("removing old packages", &pool, &format!("{remote}/pool"), Compare::Size, Extra::Goes)
    }

    /// Makes a folder of links for each step, and one with all of them.
    fn export(&self, top: &Path) -> Result<Vec<(&'static str, PathBuf)>, RepositoryError> {
        let folder = &self.folder;
        let by_hash = ("copying indices by digest", top.join("1"));
        let by_name = ("copying indices", top.join("2"));
        let release = ("copying Release files", top.join("3"));
        let in_release = ("copying InRelease files", top.join("4"));
        let all = top.join("all");
        let put = |step: &Path, name: &str, target: &Path| -> Result<(), RepositoryError> {
            for place in [step.join(name), all.join(name)] {
                let parent = place.parent().expect("it is below a folder");
                let attempt = || -> std::io::Result<()> {
                    fs::create_dir_all(parent)?;
                    // Several snapshots have the same index.
                    if place.symlink_metadata().is_err() { symlink(target, &place) } else { Ok(()) }
                };
                attempt().map_err(RepositoryError::io("write the link", &place))?;
            }
            Ok(())
        };
        for suite in &folder.settings.suite {
            let codename = &suite.codename;
            let Some(live) = snapshot::live(folder, codename)? else { continue };
            for number in snapshot::numbers(folder, codename)? {
                let snapshot = Snapshot::read(folder, codename, number)?;
                for (path, (sha256, _)) in snapshot.files.iter().filter(|(path, _)| indices::is_packed(path)) {
                    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                    let target = folder.index(sha256);
                    put(&by_hash.1, &format!("dists/{codename}/{parent}/by-hash/SHA256/{sha256}"), &target)?;
                    if number == live {
                        put(&by_name.1, &format!("dists/{codename}/{path}"), &target)?;
                    }
                }
            }
            let tree = folder.snapshot(codename, live).join(snapshot::SUITE);
            for (step, name) in [(&release, "Release"), (&release, "Release.gpg"), (&in_release, "InRelease")] {
                put(&step.1, &format!("dists/{codename}/{name}"), &tree.join(name))?;
            }
        }
        for (name, content) in sources::contents(folder, &self.keys)? {
            let path = folder.path(&name);
            files::update(&folder.temporary(), &path, &content)?;
            put(&release.1, &name, &path)?;
        }
        Ok(vec![by_hash, by_name, release, in_release])
    }
}

impl Remote {
    fn copy(&self, what: &str, from: &Path, to: &str, compare: Compare, extra: Extra) -> Result<(), RepositoryError> {
        let mut command = match self {
            Self::Rsync(_) => rsync(from, to, compare, extra),
            Self::Rclone(_) => rclone(from, to, compare, extra),
        };
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |message| RepositoryError::Remote { what: format!("{what} to {self}"), message };
        let output = command.env("LC_ALL", "C").output().map_err(|error| {
            failed(format!("{program} cannot be run ({error}): install it with `apt-get install {program}`"))
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(3)..];
        Err(failed(format!("{program} says: {}", last.join("; "))))
    }
}

fn rsync(from: &Path, to: &str, compare: Compare, extra: Extra) -> Command {
    let mut command = Command::new("rsync");
    // Files appear under their names when they are whole. Folders above the target are made.
    command.args(["--recursive", "--copy-links", "--times", "--chmod=D755,F644", "--mkpath"]);
    if compare == Compare::Content {
        command.arg("--checksum");
    }
    if extra == Extra::Goes {
        command.arg("--delete-after");
    }
    command.arg("--").arg(format!("{}/", from.display())).arg(format!("{to}/"));
    command
}

fn rclone(from: &Path, to: &str, compare: Compare, extra: Extra) -> Command {
    let mut command = Command::new("rclone");
    command.arg(if extra == Extra::Goes { "sync" } else { "copy" });
    command.args(["--copy-links", "--delete-after"]);
    command.arg(if compare == Compare::Content { "--checksum" } else { "--size-only" });
    // Credentials come from the environment: rclone's own variables win over Amazon's.
    let default = |command: &mut Command, name: &str, value: &str| {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    };
    default(&mut command, "RCLONE_S3_ENV_AUTH", "true");
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].iter().find_map(|name| std::env::var(name).ok());
    match endpoint {
        Some(endpoint) => {
            default(&mut command, "RCLONE_S3_ENDPOINT", &endpoint);
            default(&mut command, "RCLONE_S3_PROVIDER", "Other");
        }
        None => default(&mut command, "RCLONE_S3_PROVIDER", "AWS"),
    }
    // rclone ends where it finds Amazon's name for that, and has one of its own.
    if let Some(bundle) = std::env::var_os("AWS_CA_BUNDLE") {
        command.env_remove("AWS_CA_BUNDLE");
        if std::env::var_os("RCLONE_CA_CERT").is_none() {
            command.env("RCLONE_CA_CERT", bundle);
        }
    }
    command.arg("--").arg(from).arg(to);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let rsync = |text: &str| Ok(Remote::Rsync(text.into()));
        assert_eq!("/srv/www/".parse::<Remote>(), rsync("/srv/www"));
        assert_eq!("me@host:www".parse::<Remote>(), rsync("me@host:www"));
        assert_eq!("rsync://host/module".parse::<Remote>(), rsync("rsync://host/module"));
        assert_eq!("s3://bucket/a/b".parse::<Remote>(), Ok(Remote::Rclone(":s3:bucket/a/b".into())));
        assert_eq!("rclone:mine:a".parse::<Remote>(), Ok(Remote::Rclone("mine:a".into())));
        for bad in ["", "--delete", "ftp://host/x", "https://host", "s3://", "rclone:mine"] {
            assert!(bad.parse::<Remote>().is_err(), "{bad}");
        }
    }
}
