//! Root file systems as tar archives: from .debs, and from what an engine exports.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use engine::Error;
use foundation::digest::{Digest, Hasher};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use recipe::root_lock::PinnedDeb;
use recipe::target::Target;
use tar::{Archive, Builder, EntryType, Header};

/// What belongs to a container and not to its image: made anew at every start, and by each engine in its own way.
const OF_THE_ENGINE: &[&str] = &[
    ".dockerenv",
    "run/.containerenv",
    ".run-once",
    "debs",
    "debs/**",
    "dev/**",
    "proc/**",
    "sys/**",
    "etc/hostname",
    "etc/hosts",
    "etc/resolv.conf",
    "etc/mtab",
];

/// Whether the engine changes the time of this folder, by putting something of [`OF_THE_ENGINE`] into it or over it.
fn of_the_engine(folder: &Path) -> bool {
    OF_THE_ENGINE.iter().any(|pattern| Path::new(pattern).parent() == Some(folder))
}

/// Checks that every file is the one that the lock pins: size and sha256.
///
/// # Errors
/// A file cannot be read, or is another one ([`Error::Verification`]).
pub fn verify(debs: &[(PinnedDeb, PathBuf)]) -> Result<(), Error> {
    for (deb, path) in debs {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let (found, size) = Digest::of_reader(file).map_err(Error::io("read", path))?;
        if found != deb.sha256 || size != deb.size {
            return Err(Error::Verification {
                path: path.clone(),
                name: deb.name.clone(),
                version: deb.version.clone(),
                expected: deb.sha256.to_string(),
                why: format!("its sha256 is {found} ({size} bytes, not {})", deb.size),
            });
        }
    }
    Ok(())
}

/// Writes the content of some .debs as one root file system, an uncompressed tar archive: enough to run dpkg in, which
/// then installs the same packages properly.
///
/// # Errors
/// A .deb cannot be read, has no archive of files or one of a kind that this tool does not know, or `writer` fails.
pub fn merge(writer: &mut impl Write, debs: &[(PinnedDeb, PathBuf)], target: &Target) -> Result<(), Error> {
    let links = &target.merged_folders;
    let mut merger = Merger { builder: Builder::new(writer), seen: BTreeSet::new(), links };
    for link in links {
        merger.folder(&Path::new("usr").join(link))?;
        let mut header = header(EntryType::Symlink, 0o777, 0, 0, 0);
        merger
            .builder
            .append_link(&mut header, link, format!("usr/{link}"))
            .map_err(Error::io("send to", "the engine"))?;
        merger.seen.insert(link.into());
    }
    // base-files knows the permissions of the common folders; the first to bring a folder decides.
    let (first, rest): (Vec<_>, Vec<_>) = debs.iter().partition(|(deb, _)| deb.name == "base-files");
    for (_, path) in first.into_iter().chain(rest) {
        merger.deb(path)?;
    }
    merger.builder.finish().map_err(Error::io("send to", "the engine"))
}

struct Merger<'a, W: Write> {
    builder: Builder<W>,
    seen: BTreeSet<PathBuf>,
    links: &'a [String],
}

impl<W: Write> Merger<'_, W> {
    fn folder(&mut self, path: &Path) -> Result<(), Error> {
        if path.as_os_str().is_empty() || !self.seen.insert(path.to_owned()) {
            return Ok(());
        }
        self.folder(path.parent().unwrap_or(Path::new("")))?;
        let mut header = header(EntryType::Directory, 0o755, 0, 0, 0);
        self.builder.append_data(&mut header, path, io::empty()).map_err(Error::io("send to", "the engine"))
    }

    /// Where a path of a package really is, with the links of merged folders followed.
    fn place(&self, path: &Path) -> PathBuf {
        let clean: PathBuf = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        match clean.components().next() {
            Some(Component::Normal(top)) if self.links.iter().any(|link| *top == **link) => {
                Path::new("usr").join(clean)
            }
            _ => clean,
        }
    }

    /// Adds the files of a .deb: an ar archive (deb(5)), whose member `data.tar.*` has them.
    fn deb(&mut self, path: &Path) -> Result<(), Error> {
        let broken = |error: io::Error| Error::Archive { archive: path.display().to_string(), why: error.to_string() };
        let file = File::open(path).map_err(Error::io("read", path))?;
        let mut members = ar::Archive::new(io::BufReader::with_capacity(1 << 20, file));
        while let Some(member) = members.next_entry() {
            let member = member.map_err(broken)?;
            let name = String::from_utf8_lossy(member.header().identifier()).trim_end_matches('/').to_owned();
            let data: Box<dyn Read> = match name.as_str() {
                "data.tar" => Box::new(member),
                "data.tar.gz" => Box::new(flate2::read::GzDecoder::new(member)),
                "data.tar.xz" => Box::new(xz2::read::XzDecoder::new_multi_decoder(member)),
                "data.tar.zst" => Box::new(zstd::stream::read::Decoder::new(member).map_err(broken)?),
                _ => continue,
            };
            return self.data(data).map_err(|error| match error {
                Error::Archive { why, .. } => Error::Archive { archive: path.display().to_string(), why },
                other => other,
            });
        }
        Err(Error::Archive {
            archive: path.display().to_string(),
            why: "it has no data.tar that this tool can read (gz, xz, zst)".into(),
        })
    }

    fn data(&mut self, data: impl Read) -> Result<(), Error> {
        let broken = |error: io::Error| Error::Archive { archive: String::new(), why: error.to_string() };
        let mut archive = Archive::new(data);
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = self.place(&entry.path().map_err(broken)?);
            // A file that two packages ship is dpkg's to judge, a moment later.
            if path.as_os_str().is_empty() || self.seen.contains(&path) {
                continue;
            }
            self.folder(path.parent().unwrap_or(Path::new("")))?;
            self.seen.insert(path.clone());
            let mut header = copy_header(entry.header(), i64::MAX).map_err(broken)?;
            let sent = match entry.header().entry_type() {
                EntryType::Symlink | EntryType::Link => {
                    let target = entry.link_name().map_err(broken)?.unwrap_or_default().into_owned();
                    let hard = entry.header().entry_type() == EntryType::Link;
                    let target = if hard { self.place(&target) } else { target };
                    self.builder.append_link(&mut header, &path, target)
                }
                _ => self.builder.append_data(&mut header, &path, &mut entry),
            };
            sent.map_err(Error::io("send to", "the engine"))?;
        }
        Ok(())
    }
}

fn header(kind: EntryType, mode: u32, uid: u64, gid: u64, mtime: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(uid);
    header.set_gid(gid);
    header.set_mtime(mtime);
    header.set_size(0);
    header
}

/// The parts of a header that matter: kind, permissions, numeric owner, a time no later than `latest`, size.
fn copy_header(from: &Header, latest: i64) -> io::Result<Header> {
    let mtime = from.mtime()?.min(u64::try_from(latest).unwrap_or(0));
    let mut new = header(from.entry_type(), from.mode()? & 0o7777, from.uid()?, from.gid()?, mtime);
    if from.entry_type().is_file() {
        new.set_size(from.size()?);
    }
    if matches!(from.entry_type(), EntryType::Char | EntryType::Block) {
        new.set_device_major(from.device_major()?.unwrap_or(0))?;
        new.set_device_minor(from.device_minor()?.unwrap_or(0))?;
    }
    Ok(new)
}

/// What is left out of a root file system, and the latest time stamp in it.
#[derive(Clone, Debug)]
pub struct Normaliser {
    remove: GlobSet,
    latest: i64,
}

impl Normaliser {
    /// Leaves out what matches `remove` (glob patterns), and sets time stamps after `latest` (Unix time in seconds) to it.
    ///
    /// # Errors
    /// A pattern cannot be parsed.
    pub fn new(remove: &[String], latest: i64) -> Result<Self, Error> {
        let mut set = GlobSetBuilder::new();
        for pattern in remove.iter().map(String::as_str).chain(OF_THE_ENGINE.iter().copied()) {
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            set.add(glob.map_err(|error| Error::Request(format!("`remove` of the target: {error}")))?);
        }
        let remove = set.build().map_err(|error| Error::Request(format!("`remove` of the target: {error}")))?;
        Ok(Self { remove, latest })
    }

    /// Reads an engine's export and writes the same root file system so that it is the same bytes every time:
    /// sizes, permissions, numeric owners and content are kept, times are cut at `latest` (which folders that the engine
    /// changes always have), extended attributes and names of owners are left out, and so is what matches `remove`. The order is the engine's, which walks
    /// folders by name.
    ///
    /// # Errors
    /// What `reader` gives is no tar archive or breaks off, `remove` matches the target of a hard link and not the
    /// link, or `writer` fails.
    pub fn copy(&self, reader: impl Read, writer: &mut impl Write) -> Result<(), Error> {
        let broken = |error: io::Error| Error::Archive {
            archive: "the export of the root file system".into(),
            why: error.to_string(),
        };
        let mut archive = Archive::new(reader);
        let mut builder = Builder::new(writer);
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path: PathBuf = entry
                .path()
                .map_err(broken)?
                .components()
                .filter(|part| matches!(part, Component::Normal(_)))
                .collect();
            if path.as_os_str().is_empty() || self.remove.is_match(&path) {
                continue;
            }
            let mut header = copy_header(entry.header(), self.latest).map_err(broken)?;
            if of_the_engine(&path) {
                header.set_mtime(u64::try_from(self.latest).unwrap_or(0));
            }
            let sent = match entry.header().entry_type() {
                EntryType::Symlink => {
                    let target = entry.link_name().map_err(broken)?.unwrap_or_default().into_owned();
                    builder.append_link(&mut header, &path, target)
                }
                EntryType::Link => {
                    let target = entry.link_name().map_err(broken)?.unwrap_or_default();
                    let target: PathBuf =
                        target.components().filter(|part| matches!(part, Component::Normal(_))).collect();
                    if self.remove.is_match(&target) {
                        return Err(Error::Archive {
                            archive: "the export of the root file system".into(),
                            why: format!(
                                "{} is a hard link to {}, which `remove` of the target leaves out; let `remove` match both or none",
                                path.display(),
                                target.display()
                            ),
                        });
                    }
                    builder.append_link(&mut header, &path, target)
                }
                _ => builder.append_data(&mut header, &path, &mut entry),
            };
            sent.map_err(Error::io("send to", "the engine"))?;
        }
        builder.finish().map_err(Error::io("send to", "the engine"))
    }

    /// Returns the digest of what [`Self::copy`] would write.
    ///
    /// # Errors
    /// As for [`Self::copy`].
    pub fn digest(&self, reader: impl Read) -> Result<Digest, Error> {
        // Hashing tar's small writes one by one costs more than the hash itself.
        let mut hasher = io::BufWriter::with_capacity(1 << 20, Hasher::default());
        self.copy(reader, &mut hasher)?;
        let hasher = hasher.into_inner().map_err(|error| Error::io("hash", "the build root")(error.into_error()))?;
        Ok(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entry = (&'static str, EntryType, &'static str, u64, u32);

    fn archive(entries: &[Entry]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, kind, content, mtime, mode) in entries {
            let mut header = header(*kind, *mode, 3, 4, *mtime);
            header.set_username("somebody").unwrap();
            if kind.is_file() {
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, content.as_bytes()).unwrap();
            } else if kind.is_dir() {
                builder.append_data(&mut header, path, io::empty()).unwrap();
            } else {
                builder.append_link(&mut header, path, content).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    fn listed(bytes: &[u8]) -> Vec<(String, u64, u32, String)> {
        Archive::new(bytes)
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let owner = format!(
                    "{}:{}{}",
                    header.uid().unwrap(),
                    header.gid().unwrap(),
                    header.username().unwrap().unwrap_or("")
                );
                (entry.path().unwrap().display().to_string(), header.mtime().unwrap(), header.mode().unwrap(), owner)
            })
            .collect()
    }

    #[test]
    fn what_differs_between_two_runs_is_left_out() {
        let long = "d/".repeat(60) + "file";
        let long: &'static str = long.leak();
        let entries = |now: u64, log: &'static str| {
            archive(&[
                (".dockerenv", EntryType::Regular, log, now, 0o755),
                // Made with the image by one engine, with the container by another.
                ("dev", EntryType::Directory, "", if now > 1000 { 60 } else { now }, 0o755),
                ("dev/console", EntryType::Regular, "", now, 0o600),
                ("etc/passwd", EntryType::Regular, "root", now, 0o644),
                ("usr/bin/su", EntryType::Regular, "su", 50, 0o4755),
                ("usr/bin/sg", EntryType::Link, "usr/bin/su", 50, 0o4755),
                (long, EntryType::Regular, "x", 50, 0o644),
                ("var/log", EntryType::Directory, "", now, 0o755),
                ("var/log/a/dpkg.log", EntryType::Regular, log, now, 0o644),
            ])
        };
        let normaliser = Normaliser::new(&["var/log/**".into()], 100).unwrap();
        let first = normaliser.digest(entries(1000, "one").as_slice()).unwrap();
        assert_eq!(first, normaliser.digest(entries(2000, "two, longer").as_slice()).unwrap());
        let mut bytes = Vec::new();
        normaliser.copy(entries(1000, "one").as_slice(), &mut bytes).unwrap();
        assert_eq!(Digest::of(&bytes), first);
        let expected = [
            ("dev", 100, 0o755),
            ("etc/passwd", 100, 0o644),
            ("usr/bin/su", 50, 0o4755),
            ("usr/bin/sg", 50, 0o4755),
            (long, 50, 0o644),
            ("var/log", 100, 0o755),
        ];
        let expected: Vec<_> =
            expected.map(|(path, time, mode)| (path.to_owned(), time, mode, "3:4".to_owned())).into();
        assert_eq!(listed(&bytes), expected);
    }

    #[test]
    fn a_link_to_something_removed_is_named() {
        let bytes =
            archive(&[("tmp/a", EntryType::Regular, "a", 1, 0o644), ("usr/a", EntryType::Link, "tmp/a", 1, 0o644)]);
        let error = Normaliser::new(&["tmp/**".into()], 100).unwrap().digest(bytes.as_slice()).unwrap_err().to_string();
        assert!(error.contains("usr/a is a hard link to tmp/a"), "{error}");
    }
}
