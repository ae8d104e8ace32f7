//! The indices of a suite: Packages and Contents (Debian repository format, "Packages Indices" and "Contents indices").
//!
//! An index is a file in `indices/SHA256/`, named by its digest and shared by all snapshots: `by-hash` in a snapshot is a
//! link there, and so is each `Packages.xz`. So a client that read an earlier Release finds its indices through the newer
//! suite as well, as long as the earlier snapshot is kept.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use deb::control::Paragraph;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use foundation::digest::Digest;
use foundation::public;
use xz2::read::XzDecoder;
use xz2::write::XzEncoder;

use super::package::Described;
use super::release::Sum;
use super::settings::Settings;
use super::snapshot::{Listed, Snapshot};
use super::{Folder, RepositoryError, files};

/// The compressed forms, and which indices come in them: Contents in gzip alone, which apt-file reads everywhere.
const FORMS: [(&str, &[&str]); 2] = [("gz", &["Packages", "Contents"]), ("xz", &["Packages"])];

/// Writes the indices of these packages that are not there yet. Those of `before`, the snapshot that clients see now, are
/// not compressed again.
pub(super) fn write(
    folder: &Folder,
    packages: &[Listed],
    before: Option<&Snapshot>,
) -> Result<BTreeMap<String, Sum>, RepositoryError> {
    let mut described = Vec::with_capacity(packages.len());
    for package in packages {
        described.push(Described::of(folder, &package.path, &package.sha256)?);
    }
    let described: Vec<(&Listed, &Described)> = packages.iter().zip(&described).collect();
    let Settings { components, architectures, .. } = &folder.settings;
    let mut listed = BTreeMap::new();
    for (path, kind, text) in texts(components, architectures, &described) {
        let sum = (Digest::of(&text), text.len() as u64);
        let unchanged = before.filter(|before| before.files.get(&path) == Some(&sum));
        for (extension, _) in FORMS.iter().filter(|(_, kinds)| kinds.contains(&kind)) {
            let packed = format!("{path}.{extension}");
            let known = unchanged.and_then(|before| before.files.get(&packed)).copied();
            let known = known.filter(|(sha256, _)| folder.index(sha256).exists());
            let sum = match known {
                Some(sum) => sum,
                None => keep(folder, &compress(extension, text.as_bytes()))?,
            };
            listed.insert(packed, sum);
        }
        // Named, though only its compressed forms are there: clients check what they unpacked.
        listed.insert(path, sum);
    }
    Ok(listed)
}

/// The indices' texts by path below the suite's folder, with their kind.
pub(super) fn texts(
    components: &[String],
    architectures: &[String],
    packages: &[(&Listed, &Described)],
) -> Vec<(String, &'static str, String)> {
    let mut texts = Vec::new();
    for component in components {
        for architecture in architectures {
            // Those for all architectures are in the index of each, and `all` is not among the Release's Architectures:
            // every client finds them, whether it knows of an index of their own or not.
            let mine: Vec<&(&Listed, &Described)> = packages
                .iter()
                .filter(|(listed, _)| listed.component == *component)
                .filter(|(listed, _)| listed.architecture == *architecture || listed.architecture == "all")
                .collect();
            let index: String =
                mine.iter().map(|(listed, package)| package.paragraph(&listed.path, &listed.sha256)).collect();
            texts.push((format!("{component}/binary-{architecture}/Packages"), "Packages", index));
            let contents = contents(mine.iter().map(|(_, package)| *package));
            texts.push((format!("{component}/Contents-{architecture}"), "Contents", contents));
        }
    }
    texts
}

/// Each path with the packages that have it, as `section/name`.
fn contents<'a>(packages: impl Iterator<Item = &'a Described>) -> String {
    let mut owners: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for package in packages {
        let owner = format!("{}/{}", package.section, package.name);
        for path in &package.files {
            let owners = owners.entry(path).or_default();
            // Versions of a package follow each other.
            if owners.last() != Some(&owner) {
                owners.push(owner.clone());
            }
        }
    }
    owners.into_iter().map(|(path, owners)| format!("{path:<55} {}\n", owners.join(","))).collect()
}

/// The same text always gives the same bytes: no name and no date in gzip's header.
fn compress(extension: &str, bytes: &[u8]) -> Vec<u8> {
    let pack = || -> io::Result<Vec<u8>> {
        if extension == "xz" {
            let mut encoder = XzEncoder::new(Vec::new(), 6);
            encoder.write_all(bytes)?;
            return encoder.finish();
        }
        let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
        encoder.write_all(bytes)?;
        encoder.finish()
    };
    pack().expect("writing to memory does not fail")
}

/// What a compressed index says; its name tells the form.
pub(super) fn unpack(path: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    match path.ends_with(".xz") {
        true => XzDecoder::new(bytes).read_to_end(&mut text)?,
        false => GzDecoder::new(bytes).read_to_end(&mut text)?,
    };
    Ok(text)
}

/// The packages that a Packages index of this path lists; `None` where it is none.
pub(super) fn listed(path: &str, text: &str) -> Option<Vec<Listed>> {
    let component = path.split('/').next().unwrap_or_default();
    let paragraphs = text.split("\n\n").filter(|text| !text.trim().is_empty());
    let one = |paragraph| {
        let fields = Paragraph::parse(paragraph)?;
        let field = |name: &str| fields.get(name).map(str::to_owned);
        Some(Listed {
            name: field("Package")?,
            version: field("Version")?,
            architecture: field("Architecture")?,
            component: component.to_owned(),
            path: field("Filename")?,
            size: field("Size")?.parse().ok()?,
            sha256: field("SHA256")?.parse().ok()?,
        })
    };
    paragraphs.map(one).collect()
}

/// Keeps an index under its digest.
fn keep(folder: &Folder, bytes: &[u8]) -> Result<Sum, RepositoryError> {
    let sum = (Digest::of(bytes), bytes.len() as u64);
    let path = folder.index(&sum.0);
    if !fs::metadata(&path).is_ok_and(|found| found.len() == sum.1) {
        files::write(&folder.temporary(), &path, bytes)?;
    }
    Ok(sum)
}

/// The links of a snapshot's folder `suite` (which may still be elsewhere) to its indices.
pub(super) fn link(suite: &Path, listed: &BTreeMap<String, Sum>) -> io::Result<()> {
    for (path, target) in links(listed) {
        let link = suite.join(&path);
        public::make_folder(link.parent().expect("it is below the suite"))?;
        symlink(target, link)?;
    }
    Ok(())
}

/// The links that a suite has: path below its folder to target.
pub(super) fn links(listed: &BTreeMap<String, Sum>) -> BTreeMap<String, PathBuf> {
    let mut links = BTreeMap::new();
    for (path, (sha256, _)) in listed {
        let (parent, name) = path.rsplit_once('/').expect("every index is in a component");
        // From the index's folder, in snapshots/CODENAME/NUMBER/suite/, up to the repository.
        let up = "../".repeat(4 + parent.split('/').count());
        links.insert(format!("{parent}/by-hash"), PathBuf::from(format!("{up}indices")));
        if is_packed(name) {
            links.insert(path.clone(), PathBuf::from(format!("by-hash/SHA256/{sha256}")));
        }
    }
    links
}

/// Where clients fetch an index by its digest, below the repository; `path` is its name below the suite's folder.
pub(super) fn by_hash(codename: &str, path: &str, sha256: &Digest) -> String {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    format!("dists/{codename}/{parent}/by-hash/SHA256/{sha256}")
}

/// Whether an index is one of the files, rather than what one of them unpacks to.
pub(super) fn is_packed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    FORMS.iter().any(|(extension, _)| name.rsplit_once('.').is_some_and(|(_, found)| found == *extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_and_xz_and_gzip_read_them() {
        let text = b"Package: x\n".repeat(1000);
        for (extension, program) in [("xz", "xz"), ("gz", "gzip")] {
            let packed = compress(extension, &text);
            assert_eq!(packed, compress(extension, &text));
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(format!("x.{extension}"));
            fs::write(&file, packed).unwrap();
            let output = std::process::Command::new(program).args(["--decompress", "--stdout"]).arg(&file).output();
            assert_eq!(output.unwrap().stdout, text);
        }
    }

    #[test]
    fn contents_name_each_package_once() {
        let package = |name: &str, files: &[&str]| Described {
            name: name.into(),
            version: "1".into(),
            architecture: "all".into(),
            source: name.into(),
            section: "utils".into(),
            control: String::new(),
            size: 0,
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            changelog: None,
        };
        let packages =
            [package("a", &["usr/bin/a", "etc/x y"]), package("a", &["usr/bin/a"]), package("b", &["usr/bin/a"])];
        let text = contents(packages.iter());
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.rsplitn(2, ' ').collect()).collect();
        assert_eq!((lines[0][0], lines[0][1].trim_end()), ("utils/a", "etc/x y"));
        assert_eq!((lines[1][0], lines[1][1].trim_end()), ("utils/a,utils/b", "usr/bin/a"));
    }
}
