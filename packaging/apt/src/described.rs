//! What an index says about a package, read from its .deb.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use deb::archive::DebFile;
use deb::changelog::valid_package_name;
use flate2::read::GzDecoder;
use foundation::digest::Digest;
use serde::{Deserialize, Serialize};
use xz2::read::XzDecoder;

use crate::changelog;

/// A package, as far as the indices need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// The field `Package`: the package's name (Debian policy 5.6.7).
    pub name: String,
    /// The field `Version` (Debian policy 5.6.12).
    pub version: String,
    /// The field `Architecture`: one architecture, or `all`.
    pub architecture: String,
    /// The name of the source package; the package's own where it names none.
    pub source: String,
    /// The field `Section`, such as `net` (Debian policy 2.4).
    pub section: String,
    /// The control file's fields as they are, one paragraph without its last line feed.
    pub control: String,
    /// Size of the .deb file in bytes.
    pub size: u64,
    /// The paths of what is not a folder, without a leading `./`.
    pub files: Vec<String>,
    /// Digest of its changelog, unpacked, where it has one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub changelog: Option<Digest>,
}

/// Fields that an index adds: a package that has them itself would say where it is and what its digest is.
const RESERVED: [&str; 7] = ["Filename", "Size", "MD5sum", "SHA1", "SHA256", "SHA512", "Status"];

impl Described {
    /// Reads a .deb (deb(5)). An error of kind `InvalidData` says what is wrong with it.
    ///
    /// # Errors
    /// The file cannot be read, is not a .deb, or its control file lacks a field that an index needs.
    pub fn read(deb: &Path) -> io::Result<Self> {
        let wrong = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
        let file = DebFile::open(deb)?;
        let member = |stem: &str| {
            let n =
                file.names().iter().position(|name| name.split_once(".tar").is_some_and(|(first, _)| first == stem));
            n.ok_or_else(|| wrong(format!("it has no {stem}.tar")))
        };
        if file.names().first() != Some(&"debian-binary") {
            return Err(wrong("its first member is not debian-binary".into()));
        }
        let mut control = None;
        let n = member("control")?;
        for entry in tar::Archive::new(decompress(&file.members[n].name, file.read(n)?)?).entries()? {
            let mut entry = entry?;
            if entry.path()?.to_string_lossy().trim_start_matches("./") == "control" {
                let mut text = String::new();
                entry.read_to_string(&mut text)?;
                control = Some(text);
            }
        }
        let control = control.ok_or_else(|| wrong("it has no control file".into()))?;
        let mut described = Self::new(&control, fs::metadata(deb)?.len(), vec![]).map_err(wrong)?;
        let n = member("data")?;
        let mut files = Vec::new();
        for entry in tar::Archive::new(decompress(&file.members[n].name, file.read(n)?)?).entries()? {
            let mut entry = entry?;
            if described.changelog.is_none() {
                described.changelog = changelog::within(&mut entry, &described.name)?.map(Digest::of);
            }
            if !entry.header().entry_type().is_dir() {
                let path = String::from_utf8(entry.path_bytes().into_owned());
                let path = path.map_err(|_| wrong("the name of a file in it is not UTF-8".into()))?;
                if path.contains('\n') {
                    return Err(wrong("the name of a file in it has a line feed".into()));
                }
                files.push(path.trim_start_matches("./").to_owned());
            }
        }
        files.sort();
        described.files = files;
        Ok(described)
    }

    /// Takes over a control file, the size of the .deb in bytes, and the paths in it; nothing is known of a changelog.
    ///
    /// # Errors
    /// The control file is not one paragraph, has a field that is the index's to write, has one twice, or lacks one that an
    /// index needs; or a value would not do as a part of a path. The sentence says what of it.
    pub fn new(control: &str, size: u64, files: Vec<String>) -> Result<Self, String> {
        let control = control.trim_matches('\n');
        let mut fields: Vec<(&str, &str)> = Vec::new();
        for line in control.lines() {
            if line.trim().is_empty() {
                return Err("its control file has more than one paragraph".into());
            }
            if line.starts_with([' ', '\t']) {
                continue;
            }
            let (name, value) =
                line.split_once(':').ok_or_else(|| format!("its control file has the line '{line}'"))?;
            if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
                return Err(format!("its control file has the field {name}, which is the index's to write"));
            }
            if fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                return Err(format!("its control file has the field {name} twice"));
            }
            fields.push((name, value.trim()));
        }
        let field = |name: &str| {
            let found = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
            found.filter(|value| !value.is_empty())
        };
        let needed = |name: &str| field(name).ok_or_else(|| format!("its control file has no field {name}"));
        let name = needed("Package")?;
        let version = needed("Version")?;
        let architecture = needed("Architecture")?;
        let source = field("Source").map_or(name, |source| source.split([' ', '(']).next().unwrap_or(source));
        // All of them become parts of a path.
        let plain = |text: &str, more: &[u8]| text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
        for (what, good, value) in [
            ("Package", valid_package_name(name), name),
            ("Source", valid_package_name(source), source),
            ("Version", plain(version, b".+-~:") && version.starts_with(|c: char| c.is_ascii_digit()), version),
            ("Architecture", plain(architecture, b"-"), architecture),
        ] {
            if !good {
                return Err(format!("its {what} '{value}' is not one that policy allows"));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: architecture.to_owned(),
            source: source.to_owned(),
            section: field("Section").unwrap_or("misc").to_owned(),
            control: control.to_owned(),
            size,
            files,
            changelog: None,
        })
    }

    /// `NAME_VERSION_ARCHITECTURE.deb`; the version without its epoch, as everywhere in Debian.
    pub fn file_name(&self) -> String {
        let version = self.version.split_once(':').map_or(self.version.as_str(), |(_, version)| version);
        format!("{}_{version}_{}.deb", self.name, self.architecture)
    }

    /// Where the pool has it: by component and source, as in Debian's own archive.
    pub fn pool_path(&self, component: &str) -> String {
        format!("{}/{}", pool_folder(component, &self.source), self.file_name())
    }

    /// Its paragraph in a Packages index, with the empty line that ends it (Debian repository format, "Packages Indices").
    pub fn paragraph(&self, path: &str, sha256: &Digest) -> String {
        format!("{}\nFilename: {path}\nSize: {}\nSHA256: {sha256}\n\n", self.control, self.size)
    }

    /// What it is, in one line: the first one of its description.
    pub fn synopsis(&self) -> &str {
        let line = self
            .control
            .lines()
            .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("Description")));
        line.map_or("", |(_, synopsis)| synopsis.trim())
    }

    /// Whether it has debug symbols only.
    pub fn is_debug(&self) -> bool {
        self.section == "debug" || self.section.ends_with("/debug")
    }
}

/// The folder of a source package in the pool. Debian sorts by the first letter, and libraries by four.
pub fn pool_folder(component: &str, source: &str) -> String {
    let letters = if source.starts_with("lib") { 4 } else { 1 };
    format!("pool/{component}/{}/{source}", source.get(..letters).unwrap_or(source))
}

/// The source package of a file in the pool, by its folder.
pub fn source_of(path: &str) -> &str {
    path.rsplit('/').nth(1).unwrap_or_default()
}

/// Undoes what dpkg-deb(1) may have compressed a member of a .deb with; its name tells.
///
/// # Errors
/// It is compressed in a way that nobody here knows.
pub fn decompress<'a>(name: &str, reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match name.rsplit_once(".tar").map_or("", |(_, kind)| kind) {
        "" => Box::new(reader),
        ".xz" => Box::new(XzDecoder::new(reader)),
        ".gz" => Box::new(GzDecoder::new(reader)),
        ".zst" => Box::new(zstd::Decoder::new(reader)?),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has the unknown member {name}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: &str = "Package: libdemo-1\nSource: libdemo (1.0)\nVersion: 2:1.0-1\nArchitecture: amd64\n\
                           Section: libs\nDescription: a\n b\n";

    #[test]
    fn fields_and_paths() {
        let package = Described::new(CONTROL, 7, vec![]).unwrap();
        assert_eq!(package.pool_path("main"), "pool/main/libd/libdemo/libdemo-1_1.0-1_amd64.deb");
        let digest = Digest::of("x");
        assert_eq!(
            package.paragraph("pool/x.deb", &digest),
            format!("{CONTROL}Filename: pool/x.deb\nSize: 7\nSHA256: {digest}\n\n")
        );
        assert!(!package.is_debug());
        assert!(Described::new(&CONTROL.replace("libs", "debug"), 7, vec![]).unwrap().is_debug());
    }

    #[test]
    fn what_would_deceive_a_client_is_refused() {
        for (from, to, expected) in [
            ("Section: libs", "filename: ../../etc/passwd", "field filename, which is the index's"),
            ("Section: libs", "SHA256: 00", "field SHA256"),
            ("Section: libs", "version: 9", "field version twice"),
            ("Section: libs", "", "more than one paragraph"),
            ("Section: libs", "nothing", "the line 'nothing'"),
            ("libdemo-1", "../../x", "Package '../../x' is not one"),
            ("libdemo (1.0)", "../x", "Source '../x' is not one"),
            ("2:1.0-1", "1/../2", "Version '1/../2'"),
            ("amd64", "am/d64", "Architecture"),
            ("Version: 2:1.0-1\n", "", "no field Version"),
        ] {
            let error = Described::new(&CONTROL.replace(from, to), 7, vec![]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
