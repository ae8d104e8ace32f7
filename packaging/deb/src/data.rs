//! The data archive of a package (deb(5)): looked over after cargo-deb wrote it, since everything that dpkg will
//! unpack as root is in it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use foundation::digest::{Digest, Hasher};
use md5::{Digest as _, Md5};
use xz2::read::XzDecoder;
use xz2::stream::{Check, MtStreamBuilder};
use xz2::write::XzEncoder;

use crate::control::{append, header};
use crate::manifest::Directory;

/// What the data archive contains.
#[derive(Debug, Default)]
pub struct Data {
    /// Everything, by path without a leading `./` or trailing `/`.
    pub entries: BTreeMap<String, Item>,
}

/// A file, link or folder of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A regular file.
    File {
        /// Permissions, such as 0o644.
        mode: u32,
        /// Size in bytes.
        size: u64,
        /// MD5 in hexadecimal digits, for `md5sums` (deb-md5sums(5)).
        md5: String,
        /// Digest of the content, to compare with what was asked for.
        sha256: Digest,
    },
    /// A symbolic link.
    Link {
        /// The path that the link points to, as it is written in it.
        target: String,
    },
    /// A folder.
    Folder,
}

/// A file's content that is not in cargo-deb's archive.
pub struct Opened<'a> {
    /// Gives the bytes of the file.
    pub reader: Box<dyn Read + 'a>,
    /// How many bytes the reader gives.
    pub size: u64,
}

impl Data {
    /// Writes the archive that cargo-deb has laid out, with the headers that dpkg-deb would write: owned by root by
    /// number and name, dated `epoch`, the root folder first. The order is kept; each path must be there once, after its
    /// folder. For every file `open` is asked for its content, for every link `target` where it leads; without an answer it is
    /// what cargo-deb's archive has. Folders in `directories` are added.
    ///
    /// # Errors
    /// `layout` cannot be read, names a path twice, before its folder or in a form that a package cannot have, `open`
    /// or a reader fails, a file has another size than was said, or `output` cannot be written.
    pub fn write<'a>(
        layout: impl Read,
        open: &dyn Fn(&str) -> io::Result<Option<Opened<'a>>>,
        target: &dyn Fn(&str) -> Option<&'a str>,
        directories: &[Directory],
        epoch: i64,
        output: impl Write,
        compression: Compression,
    ) -> io::Result<Self> {
        let wrong = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
        let mut data = Self::default();
        let mut archive = tar::Builder::new(compression.encoder(output, BLOCK)?);
        let folder = |mode| header(tar::EntryType::Directory, mode, 0, epoch);
        append(&mut archive, folder(0o755)?, "./", "", &mut io::empty())?;
        for entry in tar::Archive::new(XzDecoder::new(layout)).entries()? {
            let mut entry = entry?;
            let path = name(&entry)?;
            let mode = entry.header().mode()?;
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            if !parent.is_empty() && data.entries.get(parent) != Some(&Item::Folder) {
                return Err(wrong(format!("{path} comes before its folder")));
            }
            let item = match entry.header().entry_type() {
                tar::EntryType::Directory => {
                    append(&mut archive, folder(0o755)?, &format!("./{path}/"), "", &mut io::empty())?;
                    Item::Folder
                }
                tar::EntryType::Symlink => {
                    let written = entry.link_name()?.ok_or_else(|| wrong(format!("{path} is a link to nothing")))?;
                    let written = written.to_str().ok_or_else(|| wrong(format!("{path}: its target is not UTF-8")))?;
                    let target = target(&path).unwrap_or(written).to_owned();
                    let head = header(tar::EntryType::Symlink, 0o777, 0, epoch)?;
                    append(&mut archive, head, &format!("./{path}"), &target, &mut io::empty())?;
                    Item::Link { target }
                }
                tar::EntryType::Regular => {
                    let size = entry.size();
                    let (inner, size): (Box<dyn Read + '_>, u64) = match open(&path)? {
                        Some(opened) => (opened.reader, opened.size),
                        None => (Box::new(&mut entry), size),
                    };
                    let mut reader = HashReader { inner, md5: Md5::new(), sha256: Hasher::default() };
                    let head = header(tar::EntryType::Regular, mode, size, epoch)?;
                    append(&mut archive, head, &format!("./{path}"), "", &mut reader)?;
                    let md5 = reader.md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                    Item::File { mode, size, md5, sha256: reader.sha256.finish() }
                }
                other => return Err(wrong(format!("{path} is neither file, link nor folder ({other:?})"))),
            };
            if data.entries.insert(path.clone(), item).is_some() {
                return Err(wrong(format!("{path} is there twice")));
            }
        }
        for (path, mode) in missing_folders(directories, &data)? {
            append(&mut archive, folder(mode)?, &format!("./{path}/"), "", &mut io::empty())?;
            data.entries.insert(path, Item::Folder);
        }
        archive.into_inner()?.finish()?.flush()?;
        Ok(data)
    }

    /// `Installed-Size` in KiB: policy 5.6.20, counted as dpkg-gencontrol(1) does.
    pub fn installed_size(&self) -> u64 {
        // One for the root folder.
        1 + self
            .entries
            .values()
            .map(|item| match item {
                Item::File { size, .. } => size.div_ceil(1024),
                Item::Link { target } => (target.len() as u64).div_ceil(1024),
                Item::Folder => 1,
            })
            .sum::<u64>()
    }
}

/// The folders to add, and those above them that are missing; sorted, so that each follows the one above it.
fn missing_folders(directories: &[Directory], present: &Data) -> io::Result<BTreeMap<String, u32>> {
    let mut modes: BTreeMap<String, u32> = BTreeMap::new();
    for directory in directories {
        let path = directory.path.trim_matches('/');
        for (end, _) in path.match_indices('/') {
            modes.entry(path[..end].to_owned()).or_insert(0o755);
        }
        modes.insert(path.to_owned(), directory.permissions().map_err(io::Error::other)?);
    }
    modes.retain(|path, _| !present.entries.contains_key(path));
    Ok(modes)
}

/// What dpkg-deb and `xz -6 --threads` take by themselves: three times the dictionary.
const BLOCK: u64 = 24 << 20;

/// Memory that each compressing thread needs, in bytes: the encoder of preset 6 has some 94 MiB, and there are a block of
/// input and two of output.
pub const MEMORY_PER_THREAD: u64 = 168 << 20;

/// How an archive is compressed: xz in blocks of a fixed size, so that any number of threads gives the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct Compression {
    /// The preset of xz(1), from 0 to 9.
    pub preset: u32,
    /// How many threads compress at once, one at least.
    pub threads: u32,
}

impl Compression {
    /// The preset that dpkg-deb uses by default (dpkg-deb(1)).
    pub const USUAL: u32 = 6;
    /// For debug symbols: their sections are compressed already, by objcopy, so that much work gains little. Mesos's,
    /// 95 MB: 49 s and 70.6 MB with preset 6, 14 s and 72.6 MB with this.
    pub const SYMBOLS: u32 = 0;

    /// How many threads an archive of this many bytes can use.
    pub fn useful_threads(size: u64) -> u32 {
        size.div_ceil(BLOCK).clamp(1, 64) as u32
    }

    fn encoder<W: Write>(self, output: W, block: u64) -> io::Result<XzEncoder<W>> {
        let stream = self.builder(block).encoder().map_err(io::Error::other)?;
        Ok(XzEncoder::new_stream(output, stream))
    }

    fn builder(self, block: u64) -> MtStreamBuilder {
        let mut builder = MtStreamBuilder::new();
        builder.threads(self.threads).block_size(block).preset(self.preset).check(Check::Crc64);
        builder
    }
}

fn name<R: Read>(entry: &tar::Entry<'_, R>) -> io::Result<String> {
    let path = entry.path()?;
    let text = path.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a name is not UTF-8"))?;
    let text = text.trim_start_matches("./").trim_end_matches('/');
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("the path {text} leaves the root folder")));
    }
    Ok(text.to_owned())
}

struct HashReader<R> {
    inner: R,
    md5: Md5,
    sha256: Hasher,
}

impl<R: Read> Read for HashReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.md5.update(&buffer[..length]);
        self.sha256.write_all(&buffer[..length])?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Compression = Compression { preset: Compression::USUAL, threads: 1 };

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(XzEncoder::new(Vec::new(), 1));
        for (path, content) in entries {
            let kind = if path.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular };
            let head = header(kind, 0o644, content.len() as u64, 99).unwrap();
            append(&mut archive, head, path, "", &mut &content[..]).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn headers_are_root_s_and_folders_are_added() {
        let long = format!("./a/{}", "x".repeat(120));
        let input = archive(&[("./a/", b""), ("./a/b", b"hello"), (&long, b"")]);
        let directories = [Directory { path: "a/d/e".into(), mode: Some("750".into()) }];
        let mut output = Vec::new();
        let data = Data::write(&input[..], &|_| Ok(None), &|_| None, &directories, 7, &mut output, PLAIN).unwrap();
        let (md5, sha256) = ("5d41402abc4b2a76b9719d911017c592".into(), Digest::of("hello"));
        assert_eq!(data.entries["a/b"], Item::File { mode: 0o644, size: 5, md5, sha256 });
        let mut found = Vec::new();
        for entry in tar::Archive::new(XzDecoder::new(&output[..])).entries().unwrap() {
            let entry = entry.unwrap();
            let head = entry.header();
            assert_eq!((head.uid().unwrap(), head.username().unwrap(), head.mtime().unwrap()), (0, Some("root"), 7));
            found.push((String::from_utf8(entry.path_bytes().to_vec()).unwrap(), head.mode().unwrap()));
        }
        let expected =
            [("./", 0o755), ("./a/", 0o755), ("./a/b", 0o644), (&long, 0o644), ("./a/d/", 0o755), ("./a/d/e/", 0o750)];
        assert_eq!(found, expected.map(|(path, mode)| (path.to_owned(), mode)));
        assert_eq!(data.installed_size(), 1 + 1 + 1 + 2);
    }

    #[test]
    fn the_number_of_threads_does_not_change_the_bytes() {
        // Four blocks and a part of one, of text that does not repeat.
        let text: Vec<u8> =
            (0..275_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).map(|b| b % 64).collect();
        for preset in [Compression::USUAL, Compression::SYMBOLS] {
            let compress = |threads| {
                let mut encoder = Compression { preset, threads }.encoder(Vec::new(), 1 << 18).unwrap();
                encoder.write_all(&text).unwrap();
                encoder.finish().unwrap()
            };
            let one = compress(1);
            assert!(one == compress(2) && one == compress(5), "preset {preset}");
            let mut back = Vec::new();
            XzDecoder::new(&one[..]).read_to_end(&mut back).unwrap();
            assert!(back == text, "preset {preset}");
        }
    }

    #[test]
    fn a_thread_takes_the_memory_that_is_reckoned_with() {
        let memory = |threads| Compression { preset: Compression::USUAL, threads }.builder(BLOCK).memusage();
        for threads in [1, 2, 8] {
            assert!(memory(threads) <= u64::from(threads) * MEMORY_PER_THREAD, "{threads}: {}", memory(threads));
        }
        assert_eq!([0, 1, BLOCK, BLOCK + 1].map(Compression::useful_threads), [1, 1, 1, 2]);
    }

    #[test]
    fn content_comes_from_where_it_lies() {
        let input = archive(&[("./a/", b""), ("./a/b", b""), ("./a/c", b"small")]);
        let open =
            |path: &str| Ok((path == "a/b").then(|| Opened { reader: Box::new(&b"from elsewhere"[..]), size: 14 }));
        let mut output = Vec::new();
        let data = Data::write(&input[..], &open, &|_| None, &[], 7, &mut output, PLAIN).unwrap();
        let mut texts = Vec::new();
        for entry in tar::Archive::new(XzDecoder::new(&output[..])).entries().unwrap() {
            let mut text = String::new();
            entry.unwrap().read_to_string(&mut text).unwrap();
            texts.push(text);
        }
        assert_eq!(texts, ["", "", "from elsewhere", "small"]);
        let Item::File { size, sha256, .. } = &data.entries["a/b"] else { panic!() };
        assert_eq!((*size, *sha256), (14, Digest::of("from elsewhere")));
        let full = |_: &str| Err(io::ErrorKind::StorageFull.into());
        assert!(Data::write(&input[..], &full, &|_| None, &[], 7, Vec::new(), PLAIN).is_err());
    }

    #[test]
    fn what_dpkg_must_not_unpack_is_refused() {
        for entries in [&[("./a/b", &b""[..])][..], &[("./a", b""), ("./a", b"")], &[("./../x", b"")]] {
            let input = archive(entries);
            assert!(
                Data::write(&input[..], &|_| Ok(None), &|_| None, &[], 7, Vec::new(), PLAIN).is_err(),
                "{entries:?}"
            );
        }
    }
}
