//! The ar archive around a .deb (deb(5)): `debian-binary`, `control.tar.*`, `data.tar.*`, and at the end
//! what signs them. Members are found by offset, so large ones never go through memory.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use tempfile::NamedTempFile;

const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: usize = 60;

/// A member of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name of the member, without the blanks and the `/` that end it in the file.
    pub name: String,
    /// Where the member's bytes begin, as an offset from the start of the file.
    offset: u64,
    /// How many bytes the member has.
    pub size: u64,
}

impl Member {
    /// Everything of it in the file: its header, its bytes, and the byte that pads them to an even number.
    pub fn whole(&self) -> std::ops::Range<u64> {
        self.offset - HEADER as u64..self.offset + self.size + self.size % 2
    }
}

/// The members of a .deb.
#[derive(Clone, Debug)]
pub struct DebFile {
    /// The path of the .deb file.
    pub path: PathBuf,
    /// The members, in the order in which they stand in the file.
    pub members: Vec<Member>,
}

impl DebFile {
    /// Reads the headers. An error of kind `InvalidData` says what is wrong with the format.
    ///
    /// # Errors
    /// The file cannot be read, or is not an ar archive.
    pub fn open(path: &Path) -> io::Result<Self> {
        let wrong = |problem: &str| io::Error::new(io::ErrorKind::InvalidData, problem.to_owned());
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        let mut magic = [0; 8];
        file.read_exact(&mut magic).map_err(|_| wrong("it is too short for an ar archive"))?;
        if magic != *MAGIC {
            return Err(wrong("it is not an ar archive"));
        }
        let mut members = Vec::new();
        let mut position = MAGIC.len() as u64;
        while position < end {
            let mut header = [0; HEADER];
            file.seek(SeekFrom::Start(position))?;
            file.read_exact(&mut header).map_err(|_| wrong("a member's header is cut off"))?;
            let text = |range: std::ops::Range<usize>| std::str::from_utf8(&header[range]).unwrap_or("").trim_end();
            let size: u64 = text(48..58).parse().map_err(|_| wrong("a member's size is not a number"))?;
            if &header[58..] != b"`\n" {
                return Err(wrong("a member's header does not end as it should"));
            }
            let offset = position + HEADER as u64;
            if offset + size > end {
                return Err(wrong("its last member is cut off"));
            }
            members.push(Member { name: text(0..16).trim_end_matches('/').to_owned(), offset, size });
            position = offset + size + size % 2;
        }
        Ok(Self { path: path.to_owned(), members })
    }

    /// The names of the members, in order.
    pub fn names(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.name.as_str()).collect()
    }

    /// Reads the bytes of the n-th member, counted from 0.
    ///
    /// # Errors
    /// The file cannot be opened any more.
    pub fn read(&self, n: usize) -> io::Result<impl Read + use<>> {
        let member = &self.members[n];
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(member.offset))?;
        Ok(file.take(member.size))
    }
}

/// Writes an archive member by member; all belong to root and have the same date.
pub struct Writer<W: Write> {
    output: W,
    date: i64,
}

impl<W: Write> Writer<W> {
    /// Begins an archive, in which every member has this date (Unix time in seconds).
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn new(mut output: W, date: i64) -> io::Result<Self> {
        output.write_all(MAGIC)?;
        Ok(Self { output, date })
    }

    /// Adds a member of exactly `size` bytes.
    ///
    /// # Errors
    /// `data` cannot be read, gives more or fewer than `size` bytes, or the output cannot be written.
    pub fn member(&mut self, name: &str, size: u64, data: &mut dyn Read) -> io::Result<()> {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", self.date.max(0), 0, 0, "100644");
        assert_eq!(header.len(), HEADER, "member name {name}");
        self.output.write_all(header.as_bytes())?;
        if io::copy(data, &mut self.output)? != size {
            return Err(io::Error::other(format!("{name} changed while it was read")));
        }
        if size % 2 == 1 {
            self.output.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Ends the archive, and gives the output back.
    ///
    /// # Errors
    /// What is left cannot be written to the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}

/// Writes a .deb with what `members` adds, all of one date, and returns its digest and size. It is durable before it
/// appears under its name, in the place of what was there.
///
/// # Errors
/// `members` fails, or the folder of `path` cannot be written. What was there under this name stays then.
pub fn create_deb(
    path: &Path,
    date: i64,
    members: impl FnOnce(&mut Writer<BufWriter<&File>>) -> io::Result<()>,
) -> io::Result<(Digest, u64)> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let temporary = NamedTempFile::new_in(folder)?;
    let mut archive = Writer::new(BufWriter::new(temporary.as_file()), date)?;
    members(&mut archive)?;
    let file = archive.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    // A temporary file is private; a package is for everybody.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()?;
    let size = file.metadata()?.len();
    let sha256 = Digest::of_file(temporary.path())?;
    temporary.persist(path)?;
    Ok((sha256, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = Writer::new(File::create(file.path()).unwrap(), 7).unwrap();
        writer.member("odd", 3, &mut &b"abc"[..]).unwrap();
        writer.member("even", 2, &mut &b"de"[..]).unwrap();
        writer.finish().unwrap();
        let deb = DebFile::open(file.path()).unwrap();
        assert_eq!(deb.names(), ["odd", "even"]);
        let mut text = String::new();
        deb.read(0).unwrap().chain(deb.read(1).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "abcde");
    }

    #[test]
    fn a_deb_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.deb");
        let write = |content: &'static [u8], size| {
            create_deb(&path, 7, |archive| archive.member("debian-binary", size, &mut &content[..]))
        };
        let (sha256, size) = write(b"2.0\n", 4).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!((metadata.len(), metadata.permissions().mode() & 0o7777), (size, 0o644));
        // A second one that fails halfway leaves the first one alone, and nothing beside it.
        assert!(write(b"2", 4).is_err());
        assert_eq!(Digest::of_file(&path).unwrap(), sha256);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn refuses_what_is_cut_off() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for bytes in
            [&b"!<arch>\nx"[..], b"PK", b"!<arch>\nx               0           0     0     100644  9         `\nabc"]
        {
            std::fs::write(file.path(), bytes).unwrap();
            assert_eq!(DebFile::open(file.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
