//! A listed tree becomes one tar, the same bytes for the same content wherever it came from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use foundation::digest::{Digest, Hasher};
use foundation::store::{Store, StoreError};
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};
use tar::{EntryType, Header};

use super::directory::{Entry, Kind};
use super::{Deviation, Rules, SourceError, SourceOrigin, SourceTree};

/// What is remembered about a packed tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Remembered {
    tar: Digest,
    deviations: Vec<Deviation>,
}

/// A packed tree.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    digest: Digest,
    tar: PathBuf,
    deviations: Vec<Deviation>,
}

impl Packed {
    pub(super) fn tree(self, version_suffix: &str, origin: SourceOrigin) -> SourceTree {
        SourceTree {
            digest: self.digest,
            version_suffix: version_suffix.to_owned(),
            origin,
            tar: self.tar,
            deviations: self.deviations,
        }
    }

    /// For pinned sources: a deviation is an error.
    pub(super) fn strict(&self, source_name: &str) -> Result<(), SourceError> {
        if self.deviations.is_empty() {
            return Ok(());
        }
        Err(SourceError::Bundled { source_name: source_name.to_owned(), deviations: self.deviations.clone() })
    }
}

const KIND: &str = "source";
const NOTE: &str = "packed.json";

/// The key under which the packing of a tree, named by `identity`, is remembered.
pub(super) fn key(identity: &impl Serialize, rules: &Rules<'_>) -> Digest {
    // 1: the format of the tar. Raise it when the same tree is to give other bytes.
    Digest::of_json(&(1, identity, rules.epoch, rules.bundled, rules.lock))
}

/// A tree that was packed before.
pub(super) fn remembered(store: &Store, key: &Digest) -> Option<Packed> {
    let note = fs::read(store.stage(KIND, key)?.join(NOTE)).ok()?;
    let note: Remembered = serde_json::from_slice(&note).ok()?;
    Some(Packed { digest: note.tar, tar: store.blob(&note.tar)?, deviations: note.deviations })
}

pub(super) fn remember(store: &Store, key: &Digest, packed: &Packed) -> Result<(), SourceError> {
    let note = Remembered { tar: packed.digest, deviations: packed.deviations.clone() };
    // One whose tar is gone makes place.
    store.forget_stage(KIND, key)?;
    let stage = store.begin(KIND, key)?;
    let path = stage.path().join(NOTE);
    fs::write(&path, serde_json::to_vec(&note).expect("plain data")).map_err(StoreError::io("write", path))?;
    stage.commit()?;
    Ok(())
}

/// Packs a listed tree.
pub(super) fn pack(store: &Store, root: &Path, entries: &[Entry], rules: &Rules<'_>) -> Result<Packed, SourceError> {
    let temp = store.temp_dir()?;
    let path = temp.path().join("tar");
    let write = |error| SourceError::Store(StoreError::io("write", &path)(error));
    let file = File::create_new(&path).map_err(write)?;
    let mut tar = tar::Builder::new(BufWriter::with_capacity(1 << 18, Tee { file, hasher: Hasher::default() }));
    let patterns = patterns(rules.bundled)?;
    let pinned: BTreeMap<&str, Digest> =
        rules.lock.bundled.iter().map(|bundled| (bundled.path.as_str(), bundled.sha256)).collect();
    let mut found: BTreeMap<String, Digest> = BTreeMap::new();
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_mtime(rules.epoch.try_into().unwrap_or(0));
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        match &entry.kind {
            Kind::Folder => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(0o755);
                tar.append_data(&mut header, &entry.path, io::empty()).map_err(write)?;
            }
            Kind::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                tar.append_link(&mut header, &entry.path, target).map_err(write)?;
            }
            Kind::File { executable, size } => {
                header.set_entry_type(EntryType::Regular);
                header.set_mode(if *executable { 0o755 } else { 0o644 });
                header.set_size(*size);
                let from = root.join(&entry.path);
                let read = |source| SourceError::Read { path: from.clone(), source };
                let file = File::open(&from).map_err(read)?;
                let name = entry.path.to_string_lossy();
                let mut content = Counted { inner: file, hasher: None, count: 0, failed: None };
                if pinned.contains_key(&*name) || patterns.is_match(&entry.path) {
                    content.hasher = Some(Hasher::default());
                }
                let appended = tar.append_data(&mut header, &entry.path, (&mut content).take(*size));
                if let Some(error) = content.failed.take() {
                    return Err(read(error));
                }
                appended.map_err(write)?;
                let longer = content.read(&mut [0]).map_err(read)? > 0;
                if content.count != *size || longer {
                    return Err(read(io::Error::other("it changed while it was read; run the command again")));
                }
                if let Some(hasher) = content.hasher.take() {
                    found.insert(name.into_owned(), hasher.finish());
                }
            }
        }
    }
    let tee = tar.into_inner().map_err(write)?.into_inner().map_err(|error| write(error.into_error()))?;
    let blob = store.adopt(&path, tee.hasher.finish())?;
    let mut deviations = Vec::new();
    for (path, expected) in &pinned {
        if found.get(*path) != Some(expected) {
            deviations.push(Deviation::Bundled {
                path: (*path).to_owned(),
                expected: Some(*expected),
                found: found.get(*path).copied(),
            });
        }
    }
    for (path, digest) in &found {
        if !pinned.contains_key(path.as_str()) {
            deviations.push(Deviation::Bundled { path: path.clone(), expected: None, found: Some(*digest) });
        }
    }
    deviations.sort();
    Ok(Packed { digest: blob.digest, tar: blob.path, deviations })
}

fn patterns(bundled: &[String]) -> Result<GlobSet, SourceError> {
    let bad = |pattern: &str, error: globset::Error| SourceError::Pattern {
        pattern: pattern.to_owned(),
        why: error.to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for pattern in bundled {
        let glob = globset::GlobBuilder::new(pattern).literal_separator(true).build();
        let glob: Glob = glob.map_err(|error| bad(pattern, error))?;
        set.add(glob);
    }
    set.build().map_err(|error| bad(&bundled.join(", "), error))
}

struct Tee {
    file: File,
    hasher: Hasher,
}

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.write_all(&bytes[..n])?;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Tells errors of reading from those of writing, and hashes on the way.
struct Counted {
    inner: File,
    hasher: Option<Hasher>,
    count: u64,
    failed: Option<io::Error>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(n) => {
                self.count += n as u64;
                if let Some(hasher) = &mut self.hasher {
                    hasher.write_all(&buffer[..n])?;
                }
                Ok(n)
            }
            Err(error) => {
                let copy = io::Error::from(error.kind());
                self.failed = Some(error);
                Err(copy)
            }
        }
    }
}
