//! A folder as source: listed, looked over, fingerprinted.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use foundation::digest::{Digest, Hasher};
use foundation::store::Store;
use walkdir::WalkDir;

use super::pack::{self, Packed};
use super::{Rules, SourceError};

/// Something in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Relative to the tree.
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File { executable: bool, size: u64 },
    Link(PathBuf),
}

/// A listed tree.
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    /// Digest of what the file system says about every entry.
    pub(super) fingerprint: Digest,
    /// Every change is old enough that a later one must show another time stamp.
    pub(super) settled: bool,
}

/// Packs a folder. With nothing changed since the last time that costs one walk.
pub(super) fn pack(store: &Store, root: &Path, rules: &Rules<'_>) -> Result<Packed, SourceError> {
    let listing = list(root)?;
    let key = pack::key(&("directory", listing.fingerprint), rules);
    if let Some(packed) = pack::remembered(store, &key) {
        return Ok(packed);
    }
    let packed = pack::pack(store, root, &listing.entries, rules)?;
    if listing.settled {
        pack::remember(store, &key, &packed)?;
    }
    Ok(packed)
}

/// Lists a tree, sorted; `.git` is left out. Refuses what must not be in one.
pub(super) fn list(root: &Path) -> Result<Listing, SourceError> {
    // The clock of time stamps is coarse: of two changes within some milliseconds the second may not
    // show. What changed that recently is not remembered (git calls such files racy).
    let settled_before = SystemTime::now() - Duration::from_millis(100);
    let settled_before = settled_before.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut settled = true;
    let mut hasher = Hasher::default();
    let mut entries = Vec::new();
    let refuse = |path: &Path, why: &str| SourceError::Unsafe {
        source_name: root.display().to_string(),
        entry: path.display().to_string(),
        why: why.to_owned(),
    };
    let walk = WalkDir::new(root).min_depth(1).follow_links(false).into_iter();
    for entry in walk.filter_entry(|entry| entry.file_name() != ".git") {
        let failed = |error: walkdir::Error| {
            let path = error.path().unwrap_or(root).to_owned();
            SourceError::Read { path, source: error.into() }
        };
        let entry = entry.map_err(failed)?;
        let metadata = entry.metadata().map_err(failed)?;
        let path = entry.path().strip_prefix(root).expect("walked below the root").to_owned();
        let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
        settled &= changed < settled_before.try_into().unwrap_or(i128::MAX);
        let kind = if metadata.is_dir() {
            Kind::Folder
        } else if metadata.is_symlink() {
            let target = std::fs::read_link(entry.path());
            Kind::Link(target.map_err(|source| SourceError::Read { path: entry.path().to_owned(), source })?)
        } else if metadata.is_file() {
            Kind::File { executable: metadata.mode() & 0o100 != 0, size: metadata.len() }
        } else {
            let kind = metadata.file_type();
            let device = kind.is_block_device() || kind.is_char_device();
            let why = if device {
                "is a device"
            } else if kind.is_fifo() {
                "is a named pipe"
            } else {
                "is a socket"
            };
            return Err(refuse(&path, why));
        };
        // The change time as well: the modification time can be set back, and some tools do.
        let facts = [
            metadata.dev(),
            metadata.ino(),
            u64::from(metadata.mode()),
            metadata.len(),
            metadata.mtime().cast_unsigned(),
            metadata.mtime_nsec().cast_unsigned(),
            metadata.ctime().cast_unsigned(),
            metadata.ctime_nsec().cast_unsigned(),
        ];
        // A folder's size and times change with what is skipped in it; its entries speak for it.
        let facts = if kind == Kind::Folder { &facts[..2] } else { &facts[..] };
        let name = path.as_os_str().as_bytes();
        hasher.write_all(&(name.len() as u64).to_le_bytes()).expect("hashing does not fail");
        hasher.write_all(name).expect("hashing does not fail");
        for fact in facts {
            hasher.write_all(&fact.to_le_bytes()).expect("hashing does not fail");
        }
        entries.push((hasher.clone(), Entry { path, kind }));
        hasher = Hasher::default();
    }
    // By the bytes of the whole path, not in the file system's order.
    entries.sort_by(|(_, a), (_, b)| a.path.as_os_str().as_bytes().cmp(b.path.as_os_str().as_bytes()));
    let mut all = Hasher::default();
    for (one, _) in &entries {
        all.write_all(one.clone().finish().to_string().as_bytes()).expect("hashing does not fail");
    }
    let entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
    if !entries.iter().any(|entry| entry.kind != Kind::Folder) {
        return Err(SourceError::NoSource { path: root.to_owned(), why: "there is no file in it".into() });
    }
    let links = links(&entries);
    for entry in &entries {
        if let Kind::Link(target) = &entry.kind
            && let Some(why) = escapes(&entry.path, target, &links)
        {
            return Err(refuse(&entry.path, &why));
        }
    }
    Ok(Listing { entries, fingerprint: all.finish(), settled })
}

/// The symbolic links of a tree.
type Links<'a> = BTreeMap<&'a Path, &'a Path>;

fn links(entries: &[Entry]) -> Links<'_> {
    entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            Kind::Link(target) => Some((entry.path.as_path(), target.as_path())),
            _ => None,
        })
        .collect()
}

/// Why a symbolic link must not be in a tree: it leads out of it, directly or through other links.
/// A dangling link is harmless.
fn escapes(link: &Path, target: &Path, links: &Links<'_>) -> Option<String> {
    if target.is_absolute() {
        return Some(format!("is a symbolic link to an absolute path, {}", target.display()));
    }
    let mut at: Vec<&std::ffi::OsStr> = link.parent()?.iter().collect();
    let mut todo: Vec<Component<'_>> = target.components().rev().collect();
    let mut hops = 0;
    while let Some(part) = todo.pop() {
        match part {
            Component::ParentDir => {
                if at.pop().is_none() {
                    return Some(format!("is a symbolic link out of the tree, {}", target.display()));
                }
            }
            Component::Normal(name) => {
                at.push(name);
                let here: PathBuf = at.iter().collect();
                if let Some(next) = links.get(here.as_path()) {
                    hops += 1;
                    // A loop leads nowhere. An absolute link is refused by its own name.
                    if hops > 40 || next.is_absolute() {
                        return None;
                    }
                    at.pop();
                    todo.extend(next.components().rev());
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    None
}
