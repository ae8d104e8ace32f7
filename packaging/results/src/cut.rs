//! Cutting a result into parts, and putting it together again.
//!
//! Where it is cut follows from the bytes around the cut (FastCDC), so that what two results have in common is mostly in
//! parts of the same names, wherever it begins. A part is compressed by zstd (RFC 8878), and called by the SHA-256 digest of
//! the file that this gives.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fastcdc::v2020::{ChunkData, StreamCDC};
use foundation::digest::{Digest, Hasher};
use foundation::threads::for_all;
use statements::proof::result::Part;

use crate::error::ResultsError;
use crate::list::{ACCOUNT, Bundle, CONTENT, Entry, Is, List};
use crate::{Kind, part_path};

/// Sizes of parts before they are compressed, in bytes: the least, about the mean, and the most.
const LEAST: usize = 256 << 10;
const MEAN: usize = 1 << 20;
const MOST: usize = 4 << 20;

/// How many parts are compressed at once; as many are in memory.
const BATCH: usize = 32;

/// Fast, and the network is slower.
const LEVEL: i32 = 3;

/// No list is longer than that: ten million files.
const LONGEST_LIST: u64 = 2 << 30;

/// Cuts a result into parts, writes these below a folder at the paths that they have at a place, and returns the part that has the
/// list.
///
/// # Errors
/// A file of the result cannot be read or changes meanwhile, or the folder cannot be written.
pub fn cut(bundle: &Bundle, folder: &Path, threads: u32) -> Result<Part, ResultsError> {
    let failed = |error: io::Error| ResultsError::io("cut into", folder)(error);
    let mut parts = Vec::new();
    // The crate reads from something that is not empty.
    if bundle.size() > 0 {
        let mut chunks = StreamCDC::new(bundle.reader(), LEAST, MEAN, MOST);
        loop {
            let batch: Vec<ChunkData> =
                chunks.by_ref().take(BATCH).collect::<Result<_, _>>().map_err(|error| failed(error.into()))?;
            if batch.is_empty() {
                break;
            }
            let written = for_all(threads, &batch, |chunk, _| write(folder, &chunk.data));
            parts.extend(written.map_err(failed)?);
        }
    }
    let list = bundle.list(parts);
    let length: u64 = list.parts.iter().map(|part| part.length).sum();
    if length != bundle.size() {
        return Err(failed(io::Error::other("a file of the result was changed meanwhile")));
    }
    write(folder, &serde_json::to_vec(&list).expect("plain data")).map_err(failed)
}

/// Compresses bytes, and writes them under the name that follows from that.
fn write(folder: &Path, data: &[u8]) -> io::Result<Part> {
    let compressed = zstd::bulk::compress(data, LEVEL)?;
    let sha256 = Digest::of(&compressed);
    let path = folder.join(part_path(&sha256));
    fs::create_dir_all(path.parent().expect("parts are in folders"))?;
    if !path.exists() {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().expect("parts are in folders"))?;
        file.write_all(&compressed)?;
        file.persist(&path)?;
    }
    Ok(Part { sha256, size: compressed.len() as u64, length: data.len() as u64 })
}

/// Reads a part that was received and has its digest.
fn read(path: &Path, part: &Part, most: u64) -> io::Result<Vec<u8>> {
    if part.length > most {
        return Err(io::Error::other(format!("a part of {} bytes", part.length)));
    }
    let mut data = Vec::with_capacity(part.length as usize);
    // Whatever it says of itself, it gives no more than was signed.
    zstd::Decoder::new(File::open(path)?)?.take(part.length + 1).read_to_end(&mut data)?;
    if data.len() as u64 == part.length {
        return Ok(data);
    }
    Err(io::Error::other(format!("a part that gives other than the {} bytes that were stated", part.length)))
}

/// Reads a list from the part that has it.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub fn read_list(path: &Path, part: &Part) -> Result<List, String> {
    let text = read(path, part, LONGEST_LIST).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| format!("a list that is none: {error}"))
}

/// Puts a result of a kind together in a new folder, if its list is one that such a result may have: its content in one folder
/// there, the account in another. `path` has the file of each part. Every file has the digest that the list says, or there is an error.
///
/// # Errors
/// What is wrong with the result or with the folder, as the end of a sentence.
pub fn join(list: &List, kind: Kind, folder: &Path, path: &dyn Fn(&Digest) -> Option<PathBuf>) -> Result<(), String> {
    list.fits(kind)?;
    let mut bytes = Parts { rest: list.parts.iter(), path, data: Vec::new(), at: 0 };
    let said = |entry: &Entry, error: &dyn std::fmt::Display| format!("{}: {error}", entry.path);
    let mut links = Vec::new();
    for (entries, top) in [(&list.content, CONTENT), (&list.account, ACCOUNT)] {
        let top = folder.join(top);
        fs::create_dir(&top).map_err(|error| error.to_string())?;
        for entry in entries {
            let at = top.join(&entry.path);
            match &entry.is {
                Is::Folder => fs::create_dir_all(&at)
                    .and_then(|()| fs::set_permissions(&at, PermissionsExt::from_mode(0o755)))
                    .map_err(|error| said(entry, &error))?,
                // Last: nothing is written through one.
                Is::Link { target } => links.push((entry, at, target)),
                Is::File { sha256, size, executable } => {
                    let mode = if *executable { 0o755 } else { 0o644 };
                    let found = file(&mut bytes, &at, *size, mode).map_err(|error| said(entry, &error))?;
                    if found != *sha256 {
                        return Err(said(entry, &format!("its sha256 is {found}, stated is {sha256}")));
                    }
                }
            }
        }
    }
    for (entry, at, target) in links {
        parent(&at).and_then(|()| symlink(target, &at)).map_err(|error| said(entry, &error))?;
    }
    match bytes.next() {
        Ok(None) => Ok(()),
        Ok(Some(())) => Err("more bytes than its files have".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn parent(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path.parent().expect("it is in a folder"))
}

/// Writes the next file, which must not be there; returns its digest.
fn file(bytes: &mut Parts<'_>, path: &Path, size: u64, mode: u32) -> io::Result<Digest> {
    parent(path)?;
    let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
    let mut hasher = Hasher::default();
    let mut left = size;
    while left > 0 {
        if bytes.at == bytes.data.len() && bytes.next()?.is_none() {
            return Err(io::Error::other(format!("{left} bytes are missing at its end")));
        }
        let some = &bytes.data[bytes.at..];
        let some = &some[..some.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        file.write_all(some)?;
        hasher.write_all(some)?;
        bytes.at += some.len();
        left -= some.len() as u64;
    }
    // Whatever the umask is here.
    file.set_permissions(PermissionsExt::from_mode(mode))?;
    Ok(hasher.finish())
}

/// The bytes of all files, as far as they were read.
struct Parts<'a> {
    rest: std::slice::Iter<'a, Part>,
    path: &'a dyn Fn(&Digest) -> Option<PathBuf>,
    data: Vec<u8>,
    at: usize,
}

impl Parts<'_> {
    /// Reads the next part that has any bytes, if everything before was used.
    fn next(&mut self) -> io::Result<Option<()>> {
        while self.at == self.data.len() {
            let Some(part) = self.rest.next() else { return Ok(None) };
            let path = (self.path)(&part.sha256)
                .ok_or_else(|| io::Error::other(format!("the part {} is missing", part.sha256.short())))?;
            self.data = read(&path, part, MOST as u64)?;
            self.at = 0;
        }
        Ok(Some(()))
    }
}
