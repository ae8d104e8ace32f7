//! Where two packages begin to differ, in words: for whoever has no diffoscope at hand, and for the first look.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use deb::archive::DebFile;
use foundation::digest::Digest;
use tar::Archive;

use crate::archives;

/// Bytes of context before and after the first one that differs.
const BEFORE: usize = 24;
const AFTER: usize = 40;

/// Says where the packages differ first, leaving out signatures (members whose names begin with `_`); none if nowhere.
///
/// # Errors
/// One of the files cannot be read, or is not a .deb.
pub fn first_difference(published: &Path, rebuilt: &Path) -> io::Result<Option<String>> {
    let (one, other) = (Package::open(published)?, Package::open(rebuilt)?);
    if one.names() != other.names() {
        return Ok(Some(format!("the members: {:?} published, {:?} rebuilt", one.names(), other.names())));
    }
    let mut members: Vec<_> = one.names().into_iter().zip(one.members.iter().zip(&other.members)).collect();
    // The files first: what the control archive says of them, such as md5sums, only follows.
    members.sort_by_key(|(name, _)| !name.starts_with("data."));
    for (name, (a, b)) in members {
        if one.digest(*a)? != other.digest(*b)? {
            let inside = if name.contains(".tar") { tars(&one, *a, &other, *b)? } else { None };
            let inside = inside.unwrap_or_else(|| "the same files, compressed in another way".into());
            return Ok(Some(format!("{name}: {inside}")));
        }
        if one.header(*a)? != other.header(*b)? {
            return Ok(Some(format!("{name}: its header in the ar archive, such as the date")));
        }
    }
    Ok(None)
}

/// A .deb and its members that count, by their place.
struct Package {
    deb: DebFile,
    members: Vec<usize>,
}

impl Package {
    fn open(path: &Path) -> io::Result<Self> {
        let deb = DebFile::open(path)?;
        let members = (0..deb.members.len()).filter(|n| !deb.members[*n].name.starts_with('_')).collect();
        Ok(Self { deb, members })
    }

    fn names(&self) -> Vec<&str> {
        self.members.iter().map(|n| self.deb.members[*n].name.as_str()).collect()
    }

    fn digest(&self, n: usize) -> io::Result<Digest> {
        Ok(Digest::of_reader(self.deb.read(n)?)?.0)
    }

    fn header(&self, n: usize) -> io::Result<Vec<u8>> {
        let member = &self.deb.members[n];
        let mut file = File::open(&self.deb.path)?;
        file.seek(SeekFrom::Start(member.whole().start))?;
        let mut bytes = Vec::new();
        file.take(member.whole().end - member.whole().start - member.size - member.size % 2).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn tar(&self, n: usize) -> io::Result<Archive<Box<dyn Read>>> {
        archives::tar(&self.deb, n)
    }

    fn listed(&self, n: usize) -> io::Result<Vec<Listed>> {
        self.tar(n)?.entries()?.map(|entry| Listed::of(&entry?)).collect()
    }
}

/// What the archive says of a file.
#[derive(PartialEq)]
struct Listed {
    path: String,
    facts: Vec<(&'static str, String)>,
}

impl Listed {
    fn of<R: Read>(entry: &tar::Entry<'_, R>) -> io::Result<Self> {
        let header = entry.header();
        let name = |name: Option<&[u8]>| String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        let link = entry.link_name()?.map_or_else(String::new, |link| link.display().to_string());
        let facts = vec![
            ("type", format!("{:?}", header.entry_type())),
            ("mode", format!("{:o}", header.mode()?)),
            ("owner", format!("{}:{}", header.uid()?, header.gid()?)),
            ("owner's name", format!("{}:{}", name(header.username_bytes()), name(header.groupname_bytes()))),
            ("time", header.mtime()?.to_string()),
            ("link's target", link),
        ];
        Ok(Self { path: archives::name(entry)?, facts })
    }
}

/// Where two tar archives differ; none if they have the same entries with the same content.
fn tars(one: &Package, a: usize, other: &Package, b: usize) -> io::Result<Option<String>> {
    let (published, rebuilt) = (one.listed(a)?, other.listed(b)?);
    let only = |these: &[Listed], those: &[Listed]| {
        these.iter().map(|listed| &listed.path).find(|path| !those.iter().any(|other| other.path == **path)).cloned()
    };
    if let Some(path) = only(&published, &rebuilt) {
        return Ok(Some(format!("{path} is in the published package only")));
    }
    if let Some(path) = only(&rebuilt, &published) {
        return Ok(Some(format!("{path} is in the rebuilt package only")));
    }
    if let Some((x, y)) = published.iter().zip(&rebuilt).find(|(x, y)| x.path != y.path) {
        return Ok(Some(format!("the order of the files: {} published, {} rebuilt", x.path, y.path)));
    }
    let (mut one, mut other) = (one.tar(a)?, other.tar(b)?);
    let contents = one.entries()?.zip(other.entries()?);
    for ((x, y), (from, to)) in published.iter().zip(&rebuilt).zip(contents) {
        if let Some(((fact, x_value), (_, y_value))) = x.facts.iter().zip(&y.facts).find(|(p, q)| p != q) {
            return Ok(Some(format!("{}: {fact} {x_value} published, {y_value} rebuilt", x.path)));
        }
        if let Some(place) = contents_differ(&mut BufReader::new(from?), &mut BufReader::new(to?))? {
            return Ok(Some(format!("{}: {place}", x.path)));
        }
    }
    Ok(None)
}

/// Where two contents differ.
fn contents_differ(one: &mut impl Read, other: &mut impl Read) -> io::Result<Option<String>> {
    let mut position = 0;
    // The end of the last block, so that there is something before a difference at the beginning of the next.
    let mut before = Vec::new();
    loop {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        one.take(1 << 16).read_to_end(&mut a)?;
        other.take(1 << 16).read_to_end(&mut b)?;
        if a == b {
            if a.is_empty() {
                return Ok(None);
            }
            position += a.len();
            before = a[a.len().saturating_sub(BEFORE)..].to_vec();
            continue;
        }
        let at = a.iter().zip(&b).position(|(x, y)| x != y).unwrap_or(a.len().min(b.len()));
        let excerpt = |bytes: &[u8]| {
            let all = [&before[..], bytes].concat();
            let at = before.len() + at;
            all[at.saturating_sub(BEFORE)..(at + AFTER).min(all.len())].escape_ascii().to_string()
        };
        return Ok(Some(format!(
            "content from byte {} on: \"{}\" published, \"{}\" rebuilt",
            position + at,
            excerpt(&a),
            excerpt(&b)
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deb::archive::create_deb;

    type Entry<'a> = (&'a str, u32, &'a str);

    fn tar(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, mode, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(*mode);
            header.set_size(content.len() as u64);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            builder.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn difference(one: &[Entry<'_>], other: &[Entry<'_>], dates: [i64; 2]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, entries: &[Entry<'_>], date, signature: &'static [u8]| {
            let path = folder.path().join(name);
            let data = tar(entries);
            create_deb(&path, date, |archive| {
                archive.member("debian-binary", 4, &mut &b"2.0\n"[..])?;
                archive.member("data.tar", data.len() as u64, &mut &data[..])?;
                archive.member("_gpgorigin", signature.len() as u64, &mut &signature[..])
            })
            .unwrap();
            path
        };
        first_difference(&write("a", one, dates[0], b"mine"), &write("b", other, dates[1], b"yours")).unwrap()
    }

    #[test]
    fn the_first_difference_is_named() {
        let usual: &[Entry<'_>] = &[("./usr/a", 0o644, "built on monday"), ("./usr/b", 0o755, "b")];
        let say = |other: &[Entry<'_>]| difference(usual, other, [0, 0]).unwrap_or_default();
        assert_eq!(difference(usual, usual, [0, 0]), None, "signatures do not count");
        let said = say(&[("./usr/a", 0o644, "built on sunday"), usual[1]]);
        assert_eq!(
            said,
            "data.tar: usr/a: content from byte 9 on: \"built on monday\" published, \"built on sunday\" rebuilt"
        );
        let said = say(&[("./usr/a", 0o644, "built on monday, again"), usual[1]]);
        assert!(said.contains("content from byte 15 on"), "{said}");
        assert_eq!(say(&[usual[0], ("./usr/b", 0o775, "b")]), "data.tar: usr/b: mode 755 published, 775 rebuilt");
        assert_eq!(say(&[usual[1], usual[0]]), "data.tar: the order of the files: usr/a published, usr/b rebuilt");
        assert_eq!(say(&usual[..1]), "data.tar: usr/b is in the published package only");
        assert_eq!(say(&[usual[0], usual[1], ("c", 0o644, "")]), "data.tar: c is in the rebuilt package only");
        assert_eq!(
            difference(usual, usual, [0, 1]).unwrap(),
            "data.tar: its header in the ar archive, such as the date"
        );
    }

    #[test]
    fn a_difference_far_into_a_file() {
        let long = "x".repeat((1 << 16) + 5);
        let (one, other) = (format!("{long}one"), format!("{long}two"));
        let said = contents_differ(&mut one.as_bytes(), &mut other.as_bytes()).unwrap().unwrap();
        assert!(said.starts_with("content from byte 65541 on: \"xxx") && said.contains("xone"), "{said}");
    }
}
