//! A local archive as source: every entry is looked over before anything of it is written.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use foundation::digest::Digest;
use foundation::store::{Store, StoreError};
use tar::EntryType;

use super::pack::{self, Packed};
use super::{Rules, SourceError, directory};

/// Packs what is in an archive. A single folder that holds everything is taken off.
pub(super) fn pack(store: &Store, path: &Path, rules: &Rules<'_>) -> Result<(Packed, Digest), SourceError> {
    let sha256 = Digest::of_file(path).map_err(|source| SourceError::Read { path: path.to_owned(), source })?;
    let key = pack::key(&("archive", sha256), rules);
    if let Some(packed) = pack::remembered(store, &key) {
        return Ok((packed, sha256));
    }
    let temp = store.temp_dir()?;
    let root = temp.path().join("tree");
    unpack(path, &root)?;
    let root = single_folder(&root)?.unwrap_or(root);
    let listing = directory::list(&root).map_err(|error| match error {
        // The archive's name says more than that of a temporary folder.
        SourceError::Unsafe { entry, why, .. } => {
            SourceError::Unsafe { source_name: path.display().to_string(), entry, why }
        }
        SourceError::NoSource { why, .. } => SourceError::NoSource { path: path.to_owned(), why },
        other => other,
    })?;
    let packed = pack::pack(store, &root, &listing.entries, rules)?;
    pack::remember(store, &key, &packed)?;
    Ok((packed, sha256))
}

/// Decompresses by content, not by name: a name can lie.
fn open(path: &Path) -> Result<Box<dyn Read>, SourceError> {
    let read = |source| SourceError::Read { path: path.to_owned(), source };
    let mut start = Vec::new();
    File::open(path).map_err(read)?.take(512).read_to_end(&mut start).map_err(read)?;
    let file = BufReader::with_capacity(1 << 18, File::open(path).map_err(read)?);
    let no = |why: &str| Err(SourceError::NoSource { path: path.to_owned(), why: why.to_owned() });
    match start.as_slice() {
        [0x1f, 0x8b, ..] => Ok(Box::new(flate2::read::MultiGzDecoder::new(file))),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Box::new(xz2::read::XzDecoder::new_multi_decoder(file))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(read)?)),
        [b'B', b'Z', b'h', ..] => no("bzip2 is not supported: repack it, `bzip2 -dc X | xz > X.tar.xz`"),
        [b'P', b'K', ..] => no("it is a zip archive"),
        tar if tar.get(257..262) == Some(b"ustar") => Ok(Box::new(file)),
        _ => no("it is not an archive of a known kind"),
    }
}

/// Unpacks an archive into a new folder. Refuses absolute paths, `..`, devices, and links that lead
/// out of it.
pub(super) fn unpack(path: &Path, to: &Path) -> Result<(), SourceError> {
    let write = |at: &Path| {
        let at = at.to_owned();
        move |error| SourceError::Store(StoreError::io("write", at)(error))
    };
    fs::create_dir_all(to).map_err(write(to))?;
    let broken = |error: io::Error| SourceError::NoSource {
        path: path.to_owned(),
        why: format!("it is damaged or cut off: {error}"),
    };
    let mut archive = tar::Archive::new(open(path)?);
    let mut links: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let mut kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            let mut records = Vec::new();
            entry.read_to_end(&mut records).map_err(broken)?;
            if let Some(key) = foreign_record(&records) {
                return Err(SourceError::Unsafe {
                    source_name: path.display().to_string(),
                    entry: "its global header".into(),
                    why: format!("has the record {key}, which is not understood here"),
                });
            }
            continue;
        }
        let name = entry.path().map_err(broken)?.into_owned();
        let refuse = |why: &str| SourceError::Unsafe {
            source_name: path.display().to_string(),
            entry: name.display().to_string(),
            why: why.to_owned(),
        };
        let inside = inside(&name).map_err(&refuse)?;
        if inside.as_os_str().is_empty() {
            continue;
        }
        if let Some(records) = entry.pax_extensions().map_err(broken)? {
            for record in records {
                let key = record.map_err(broken)?.key_bytes();
                if key.starts_with(b"GNU.sparse.") {
                    return Err(refuse(
                        "is a sparse file in the pax format, whose content is not read here: pack the tree without \
                         (`tar --no-read-sparse` on macOS and BSD, no --sparse with GNU tar)",
                    ));
                }
            }
        }
        // Archives from before POSIX have no other sign of a folder.
        if kind == EntryType::Regular && entry.path_bytes().ends_with(b"/") {
            kind = EntryType::Directory;
        }
        let at = to.join(&inside);
        let parent = at.parent().expect("it is below a folder").to_owned();
        if kind != EntryType::Directory && !seen.insert(inside.clone()) {
            return Err(refuse("is in the archive twice"));
        }
        fs::create_dir_all(&parent).map_err(|_| refuse("lies below something that is no folder"))?;
        match kind {
            EntryType::Directory => {
                fs::create_dir_all(&at).map_err(|_| refuse("is a folder and something else"))?;
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                // Symbolic links are made last, so nothing is written through one.
                let mode = if entry.header().mode().map_err(broken)? & 0o100 == 0 { 0o644 } else { 0o755 };
                let created = File::options().write(true).create_new(true).mode(mode).open(&at);
                let mut file = created.map_err(write(&at))?;
                let mut buffer = vec![0; 1 << 17];
                let mut first = inside.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"._"));
                loop {
                    let n = entry.read(&mut buffer).map_err(broken)?;
                    if n == 0 {
                        break;
                    }
                    if std::mem::take(&mut first) && buffer.starts_with(&APPLE_DOUBLE) {
                        return Err(refuse(
                            "is no file of the tree, but attributes that macOS added: pack it with COPYFILE_DISABLE=1",
                        ));
                    }
                    io::Write::write_all(&mut file, &buffer[..n]).map_err(write(&at))?;
                }
            }
            EntryType::Symlink => {
                let target = entry.link_name().map_err(broken)?.ok_or_else(|| refuse("is a link without a target"))?;
                if target.is_absolute() {
                    return Err(refuse(&format!("is a symbolic link to an absolute path, {}", target.display())));
                }
                links.push((at, target.into_owned()));
            }
            EntryType::Link => {
                let target = entry.link_name().map_err(broken)?.ok_or_else(|| refuse("is a link without a target"))?;
                let target = to
                    .join(self::inside(&target).map_err(|why| refuse(&format!("is a hard link whose target {why}")))?);
                fs::copy(&target, &at)
                    .map_err(|_| refuse("is a hard link to something that is not in the archive before it"))?;
            }
            EntryType::Block | EntryType::Char => return Err(refuse("is a device")),
            EntryType::Fifo => return Err(refuse("is a named pipe")),
            other => return Err(refuse(&format!("is of an unknown kind ({:?})", other.as_byte() as char))),
        }
    }
    for (at, target) in links {
        symlink(&target, &at).map_err(|_| SourceError::Unsafe {
            source_name: path.display().to_string(),
            entry: at.strip_prefix(to).unwrap_or(&at).display().to_string(),
            why: "is a symbolic link and something else".into(),
        })?;
    }
    Ok(())
}

/// What AppleDouble files begin with (RFC 1740, appendix B).
const APPLE_DOUBLE: [u8; 4] = [0, 5, 0x16, 7];

/// A record of a global pax header that says something of the files' names or content; git writes a comment.
fn foreign_record(records: &[u8]) -> Option<String> {
    const HARMLESS: [&[u8]; 8] = [b"comment", b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname"];
    let keys = tar::PaxExtensions::new(records).map(|record| record.map_or(&b"?"[..], |record| record.key_bytes()));
    keys.into_iter().find(|key| !HARMLESS.contains(key)).map(|key| String::from_utf8_lossy(key).into_owned())
}

/// The path of an entry if it stays inside.
fn inside(name: &Path) -> Result<PathBuf, &'static str> {
    let mut inside = PathBuf::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => inside.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err("leads out of the archive with `..`"),
            Component::RootDir | Component::Prefix(_) => return Err("is an absolute path"),
        }
    }
    Ok(inside)
}

fn single_folder(root: &Path) -> Result<Option<PathBuf>, SourceError> {
    let read = |source| SourceError::Read { path: root.to_owned(), source };
    let found: Vec<_> = fs::read_dir(root).map_err(read)?.collect::<Result<_, _>>().map_err(read)?;
    match found.as_slice() {
        [only] if only.file_type().map_err(read)?.is_dir() => Ok(Some(only.path())),
        _ => Ok(None),
    }
}
