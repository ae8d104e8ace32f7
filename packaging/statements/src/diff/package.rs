//! One package, as far as it is compared.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use deb::archive::DebFile;
use foundation::digest::{Digest, Hasher};
use schemars::JsonSchema;
use serde::Serialize;
use tar::EntryType;

use crate::archives;
use crate::rebuild::unsigned;

/// Name and architecture: what makes two packages the same one in two folders.
pub(super) type Key = (String, String);

/// Which package it is, and how large.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its architecture, such as `amd64` or `all`.
    pub architecture: String,
    /// Its version.
    pub version: String,
    /// The file's name.
    pub file: String,
    /// Size of the .deb in bytes: what is downloaded.
    pub compressed: u64,
    /// What it takes when it is installed, in bytes, as its control file says in KiB (`Installed-Size`).
    pub installed: u64,
    /// Digest of the .deb.
    pub sha256: Digest,
    /// Digest of it without the members that sign it.
    pub unsigned_sha256: Digest,
}

/// What a package installs under a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct File {
    /// The path, without a `/` at its beginning.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Its permissions in octal digits, such as `755`.
    pub mode: String,
    /// User and group by name, such as `root:root`; by number where the archive has no names.
    pub owner: String,
    /// What a link leads to; null for everything else.
    pub target: Option<String>,
    /// Its size in bytes; 0 for what is no file.
    pub size: u64,
    /// Digest of its content; null for what is no file.
    pub sha256: Option<Digest>,
}

/// What something that a package installs is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// Another name of a file in the package.
    HardLink,
    /// Something else, such as a device.
    Other,
}

/// A package: what its control archive says, and where it lies.
pub(super) struct Contents {
    pub(super) path: PathBuf,
    pub(super) package: Package,
    pub(super) fields: BTreeMap<String, String>,
    pub(super) control: BTreeMap<String, Digest>,
}

impl Contents {
    /// Reads the control archive, and hashes the file.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let deb = DebFile::open(path)?;
        let mut control = BTreeMap::new();
        let mut text = String::new();
        for entry in archives::tar_named(&deb, "control.tar")?.entries()? {
            let mut entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            match archives::name(&entry)?.as_str() {
                "control" => drop(entry.read_to_string(&mut text)?),
                // It follows from the files.
                "md5sums" => {}
                name => drop(control.insert(name.to_owned(), Digest::of_reader(&mut entry)?.0)),
            }
        }
        let fields = fields(&text);
        let field = |name: &str| {
            let missing = || io::Error::new(io::ErrorKind::InvalidData, format!("its control file has no {name}"));
            fields.get(name).cloned().ok_or_else(missing)
        };
        let mut hasher = Hasher::default();
        unsigned(path, &mut hasher)?;
        let (sha256, compressed) = Digest::of_reader(std::fs::File::open(path)?)?;
        let package = Package {
            name: field("Package")?,
            architecture: field("Architecture")?,
            version: field("Version")?,
            file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            compressed,
            installed: fields.get("Installed-Size").and_then(|size| size.parse::<u64>().ok()).unwrap_or(0) << 10,
            sha256,
            unsigned_sha256: hasher.finish(),
        };
        Ok(Self { path: path.to_owned(), package, fields, control })
    }

    pub(super) fn key(&self) -> Key {
        (self.package.name.clone(), self.package.architecture.clone())
    }

    /// What it installs, by path, each with its date as a Unix time in seconds.
    pub(super) fn files(&self) -> io::Result<BTreeMap<String, (File, u64)>> {
        let deb = DebFile::open(&self.path)?;
        let mut files = BTreeMap::new();
        for entry in archives::tar_named(&deb, "data.tar")?.entries()? {
            let mut entry = entry?;
            let path = archives::name(&entry)?.trim_end_matches('/').to_owned();
            let header = entry.header();
            let kind = match header.entry_type() {
                EntryType::Regular | EntryType::Continuous => FileKind::File,
                EntryType::Directory => FileKind::Folder,
                EntryType::Symlink => FileKind::Link,
                EntryType::Link => FileKind::HardLink,
                _ => FileKind::Other,
            };
            let (mode, date) = (format!("{:o}", header.mode()? & 0o7777), header.mtime()?);
            let name = |name: Option<&[u8]>, number: u64| match name.unwrap_or_default() {
                [] => number.to_string(),
                name => String::from_utf8_lossy(name).into_owned(),
            };
            let user = name(header.username_bytes(), header.uid()?);
            let owner = format!("{user}:{}", name(header.groupname_bytes(), header.gid()?));
            let links = matches!(kind, FileKind::Link | FileKind::HardLink);
            let target = entry.link_name()?.filter(|_| links).map(|target| target.display().to_string());
            let (sha256, size) = match kind {
                FileKind::File => {
                    let (digest, size) = Digest::of_reader(&mut entry)?;
                    (Some(digest), size)
                }
                _ => (None, 0),
            };
            files.insert(path.clone(), (File { path, kind, mode, owner, target, size, sha256 }, date));
        }
        Ok(files)
    }
}

/// The fields of a control file (policy 5.1); continuation lines are kept as they are.
fn fields(text: &str) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut last = None;
    for line in text.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some(value) = last.as_ref().and_then(|last| fields.get_mut(last)) {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.insert(name.to_owned(), value.trim().to_owned());
            last = Some(name.to_owned());
        }
    }
    fields
}
