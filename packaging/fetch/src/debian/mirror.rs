//! Where Debian's archive can be reached from this machine.

use std::path::{Path, PathBuf};

use foundation::config::read_toml;
use foundation::folder;
use recipe::target::Target;
use serde::Deserialize;

use super::DebianError;

/// The user's settings: `$XDG_CONFIG_HOME/mesos-packages/config.toml` or `~/.config/…`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UserConfig {
    /// Mirrors, tried before the host's own: `https://…/debian`, `https://…/debian-security`.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// Places that results of others are taken from, as `--from` names them.
    #[serde(default)]
    pub from: Vec<String>,
    /// The key ring whose keys' statements count, as an absolute path. Development keys in it do not.
    #[serde(default)]
    pub trust: Option<PathBuf>,
    /// How many distinct keys have to state the same.
    #[serde(default)]
    pub require: Option<u32>,
}

impl UserConfig {
    /// The path of the settings, whether the file exists or not. None where no folder for settings is known.
    pub fn path() -> Option<PathBuf> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
        Some(base.join("mesos-packages/config.toml"))
    }

    /// Reads the settings. Without a file they are empty.
    ///
    /// # Errors
    /// The file is there and cannot be read, is not TOML, or has a field that is not known.
    pub fn read() -> Result<Self, DebianError> {
        match Self::path() {
            Some(path) if folder::has(&path) => Ok(read_toml(&path)?),
            _ => Ok(Self::default()),
        }
    }
}

/// Where this machine finds archives. The sha256 decides, not the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrors {
    /// Those of `--mirror`, then those of the user's settings, without a slash at the end.
    given: Vec<String>,
    /// Those of the host's own apt configuration.
    host: Vec<String>,
    /// The permanent archives of the target, its own first.
    archives: Vec<String>,
}

/// Addresses of one archive, in the order to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Mirrors of the archive as it is now, without a slash at the end.
    pub near: Vec<String>,
    /// The permanent archive, without a time stamp.
    pub archive: String,
}

impl Mirrors {
    /// `--mirror` first, then the user's settings, then the host's own apt configuration, then the
    /// permanent archive.
    ///
    /// # Errors
    /// An address that is given with `--mirror` or in the user's settings is not `http://` or `https://` and a host.
    pub fn discover(cli: &[String], config: &UserConfig, target: &Target) -> Result<Self, DebianError> {
        Self::with(cli, config, host_mirrors(Path::new("/etc/apt")), target)
    }

    fn with(cli: &[String], config: &UserConfig, host: Vec<String>, target: &Target) -> Result<Self, DebianError> {
        let file = || UserConfig::path().unwrap_or_default().display().to_string();
        let named = cli.iter().map(|url| (url, "--mirror".to_owned()));
        let configured = config.mirrors.iter().map(|url| (url, file()));
        let mut given = Vec::new();
        for (url, from) in named.chain(configured) {
            given.push(address(url).ok_or_else(|| DebianError::Mirror { from, url: url.clone() })?);
        }
        // What a mirror cannot be used by is apt's matter: `file:` and the like.
        let host = host.iter().filter_map(|url| address(url)).collect();
        let mut archives = Vec::new();
        for suite in target.suites() {
            if !archives.contains(&suite.archive) {
                archives.push(suite.archive);
            }
        }
        Ok(Self { given, host, archives })
    }

    /// The permanent archive of the target's own suite.
    pub fn own(&self) -> &str {
        &self.archives[0]
    }

    /// The addresses of each of the target's archives, its own first.
    pub fn all(&self) -> impl Iterator<Item = Addresses> {
        self.archives.iter().map(|archive| self.of(archive))
    }

    /// The addresses of an archive. A mirror is one of the archive whose name its path ends with: `debian`,
    /// `debian-security`, `ubuntu`. One that is given and ends with the name of none is the target's own archive's.
    pub fn of(&self, archive: &str) -> Addresses {
        let archive = archive.trim_end_matches('/');
        let own = archive == self.own();
        let of_another = |url: &str| self.archives.iter().any(|one| name(one) == name(url));
        let given = self.given.iter().filter(|url| name(url) == name(archive) || own && !of_another(url));
        let host = self.host.iter().filter(|url| name(url) == name(archive));
        let mut near: Vec<String> = Vec::new();
        for url in given.chain(host) {
            if !near.contains(url) {
                near.push(url.clone());
            }
        }
        Addresses { near, archive: archive.to_owned() }
    }
}

impl Addresses {
    /// The addresses of a file whose digest is known: below `pool/`, or an index by its digest.
    pub fn pinned(&self, snapshot: &str, path: &str) -> Vec<String> {
        // Epochs and versions carry characters such as `~` and `+`, which need no escape in a path.
        let mut urls: Vec<String> = self.near.iter().map(|base| format!("{base}/{path}")).collect();
        urls.push(format!("{}/{snapshot}/{path}", self.archive));
        urls
    }
}

/// An address of a mirror, without slashes at its end; none where it is not one of the web.
fn address(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let bad = rest.is_empty() || rest.starts_with('/') || rest.contains([' ', '?', '#']);
    (!bad).then(|| url.trim_end_matches('/').to_owned())
}

/// What an archive's address ends with: `debian`.
fn name(address: &str) -> &str {
    address.rsplit_once('/').map_or(address, |(_, name)| name)
}

/// The mirrors in apt's configuration (`sources.list(5)`): one-line and deb822 style.
fn host_mirrors(etc_apt: &Path) -> Vec<String> {
    let mut files = vec![etc_apt.join("sources.list")];
    let parts = std::fs::read_dir(etc_apt.join("sources.list.d")).into_iter().flatten().flatten();
    let mut parts: Vec<PathBuf> = parts.map(|entry| entry.path()).collect();
    parts.sort();
    files.extend(parts);
    let mut found: Vec<String> = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        found.extend(match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => one_line_uris(&text),
            Some("sources") => deb822_uris(&text),
            _ => continue,
        });
    }
    found
}

/// `deb [options] URI suite component…`.
fn one_line_uris(text: &str) -> Vec<String> {
    let mut uris = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t'])) else { continue };
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
            None => rest,
        };
        uris.extend(rest.split_whitespace().next().map(str::to_owned));
    }
    uris
}

fn deb822_uris(text: &str) -> Vec<String> {
    let mut uris = Vec::new();
    for paragraph in super::index::paragraphs(text) {
        let field = |name: &str| {
            let found = paragraph.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value.as_str())
        };
        let enabled = !matches!(field("Enabled").trim(), "no" | "false" | "0" | "off" | "without" | "disable");
        if enabled && field("Types").split_whitespace().any(|kind| kind == "deb") {
            uris.extend(field("URIs").split_whitespace().map(str::to_owned));
        }
    }
    uris
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::debian::tests::target;

    #[test]
    fn the_hosts_own_mirrors_are_found_and_others_left_out() {
        let etc = tempfile::tempdir().unwrap();
        let parts = etc.path().join("sources.list.d");
        std::fs::create_dir(&parts).unwrap();
        for (file, text) in [
            (
                etc.path().join("sources.list"),
                "# deb http://commented.example/debian x main\n\
                deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian/ bookworm main # why\n\
                deb-src http://source.example/debian bookworm main\n\
                deb http://ubuntu.example/ubuntu noble main\ndeb file:/srv/debian bookworm main\n",
            ),
            (
                parts.join("a.sources"),
                "# comment\nTypes: deb deb-src\nURIs: https://two.example/debian\n \
                http://three.example/linux/debian\n# comment inside\nSuites: bookworm\n\n\
                Types: deb\nEnabled: no\nURIs: http://off.example/debian\n\n\
                Types: deb\nURIs: http://security.example/debian-security\nSuites: x\n",
            ),
            (parts.join("b.list"), "deb http://one.example/debian bookworm-updates main\n"),
            (parts.join("c.sources.disabled"), "Types: deb\nURIs: http://disabled.example/debian\n"),
        ] {
            std::fs::write(file, text).unwrap();
        }
        let mirrors = Mirrors::with(&[], &UserConfig::default(), host_mirrors(etc.path()), &target()).unwrap();
        assert_eq!(
            mirrors.of(mirrors.own()).near,
            ["http://one.example/debian", "https://two.example/debian", "http://three.example/linux/debian"]
        );
        let security = "https://snapshot.debian.org/archive/debian-security";
        assert_eq!(mirrors.of(security).near, ["http://security.example/debian-security"]);
        assert_eq!(mirrors.of("https://snapshot.ubuntu.com/ubuntu/").near, ["http://ubuntu.example/ubuntu"]);
        assert_eq!(host_mirrors(Path::new("/nonexistent")), [""; 0]);
    }

    #[test]
    fn the_order_is_option_settings_host_archive() {
        let config = UserConfig { mirrors: vec!["http://conf.example/debian".into()], ..UserConfig::default() };
        let host = vec!["http://host.example/debian".into(), "http://conf.example/debian".into()];
        let given = ["http://cli.example/debian/", "http://cli.example/debian-security", "http://cli.example/copy"];
        let mirrors = Mirrors::with(&given.map(str::to_owned), &config, host, &target()).unwrap();
        assert_eq!(
            mirrors.of(mirrors.own()).pinned("20260712T000000Z", "pool/main/a/a_1+b~c.deb"),
            [
                "http://cli.example/debian/pool/main/a/a_1+b~c.deb",
                // Whose name says nothing is the own archive's.
                "http://cli.example/copy/pool/main/a/a_1+b~c.deb",
                "http://conf.example/debian/pool/main/a/a_1+b~c.deb",
                "http://host.example/debian/pool/main/a/a_1+b~c.deb",
                "https://snapshot.debian.org/archive/debian/20260712T000000Z/pool/main/a/a_1+b~c.deb",
            ]
        );
        let security = mirrors.of("https://snapshot.debian.org/archive/debian-security");
        assert_eq!(
            security.pinned("20260713T000000Z", "pool/a.deb"),
            [
                "http://cli.example/debian-security/pool/a.deb",
                "https://snapshot.debian.org/archive/debian-security/20260713T000000Z/pool/a.deb",
            ]
        );
        for bad in ["cli.example/debian", "http:///debian", "file:///srv/debian", "http://x/ y"] {
            let error = Mirrors::with(&[bad.into()], &config, vec![], &target()).unwrap_err().to_string();
            assert!(error.contains("--mirror") && error.contains(bad), "{error}");
        }
    }

    #[test]
    fn settings_refuse_unknown_names() {
        let error =
            foundation::config::parse_toml::<UserConfig>(Path::new("config.toml"), "mirror = \"x\"\n").unwrap_err();
        assert!(error.to_string().contains("mirrors"), "{error}");
    }
}
