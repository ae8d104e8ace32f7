//! The archives in a .deb, decompressed: whatever program wrote it, and not only as this tool packs.

use std::io::{self, BufReader, Read};

use deb::archive::DebFile;
use tar::Archive;

/// The n-th member as a tar archive; the ending of its name says how it is compressed (deb(5)).
///
/// # Errors
/// The file cannot be read.
pub(crate) fn tar(deb: &DebFile, n: usize) -> io::Result<Archive<Box<dyn Read>>> {
    let reader = BufReader::new(deb.read(n)?);
    let reader: Box<dyn Read> = match deb.members[n].name.rsplit_once('.') {
        Some((_, "xz")) => Box::new(xz2::read::XzDecoder::new_multi_decoder(reader)),
        Some((_, "zst")) => Box::new(zstd::stream::read::Decoder::new(reader)?),
        Some((_, "gz")) => Box::new(flate2::read::GzDecoder::new(reader)),
        _ => Box::new(reader),
    };
    Ok(Archive::new(reader))
}

/// The member that begins so, such as `data.tar`, as a tar archive.
///
/// # Errors
/// The file cannot be read, or has no such member.
pub(crate) fn tar_named(deb: &DebFile, start: &str) -> io::Result<Archive<Box<dyn Read>>> {
    let place = deb.members.iter().position(|member| member.name.starts_with(start));
    let place = place.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("it has no {start}")))?;
    tar(deb, place)
}

/// A path as people know it, without the `./` that dpkg's archives begin each with.
pub(crate) fn name<R: Read>(entry: &tar::Entry<'_, R>) -> io::Result<String> {
    Ok(entry.path()?.display().to_string().trim_start_matches("./").to_owned())
}
