//! The indices of a suite: Packages and Contents (Debian repository format, "Packages Indices" and "Contents indices").

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use deb::control::Paragraph;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use foundation::digest::Digest;
use xz2::read::XzDecoder;
use xz2::write::XzEncoder;

use crate::described::Described;
use crate::listed::Listed;

/// The compressed forms, by the extension of the file's name, and which indices come in them: Contents in gzip alone, which
/// apt-file reads everywhere.
pub const FORMS: [(&str, &[&str]); 2] = [("gz", &["Packages", "Contents"]), ("xz", &["Packages"])];

/// The indices' texts by path below the suite's folder, with their kind.
pub fn texts(
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

/// An index in one of its [`FORMS`]. The same text always gives the same bytes: no name and no date in gzip's header.
pub fn compress(extension: &str, bytes: &[u8]) -> Vec<u8> {
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
///
/// # Errors
/// The bytes are not compressed in this form, or are cut off.
pub fn unpack(path: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    match path.ends_with(".xz") {
        true => XzDecoder::new(bytes).read_to_end(&mut text)?,
        false => GzDecoder::new(bytes).read_to_end(&mut text)?,
    };
    Ok(text)
}

/// The packages that a Packages index of this path lists; `None` where it is none.
pub fn packages(path: &str, text: &str) -> Option<Vec<Listed>> {
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

/// Where clients fetch an index by its digest, below the repository; `path` is its name below the suite's folder.
pub fn by_hash(codename: &str, path: &str, sha256: &Digest) -> String {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    format!("dists/{codename}/{parent}/by-hash/SHA256/{sha256}")
}

/// Whether an index is one of the files, rather than what one of them unpacks to.
pub fn is_packed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    FORMS.iter().any(|(extension, _)| name.rsplit_once('.').is_some_and(|(_, found)| found == *extension))
}

#[cfg(test)]
mod tests {
    use std::fs;

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
