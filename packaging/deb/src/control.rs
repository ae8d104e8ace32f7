//! The control archive of a package (deb(5), policy 5.3): takes what cargo-deb wrote and adds what it leaves out.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use xz2::read::XzDecoder;
use xz2::write::XzEncoder;

/// The files of a control archive that are run.
pub const SCRIPTS: [&str; 5] = ["preinst", "postinst", "prerm", "postrm", "config"];

/// The order in which dpkg-gencontrol(1) writes the fields of a binary package.
const ORDER: [&str; 24] = [
    "Package",
    "Source",
    "Version",
    "Auto-Built-Package",
    "Architecture",
    "Maintainer",
    "Installed-Size",
    "Pre-Depends",
    "Depends",
    "Recommends",
    "Suggests",
    "Enhances",
    "Conflicts",
    "Breaks",
    "Replaces",
    "Provides",
    "Section",
    "Priority",
    "Multi-Arch",
    "Homepage",
    "Essential",
    "Tag",
    "Description",
    "Build-Ids",
];

/// One paragraph of a control file (policy 5.1); continuation lines are kept as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paragraph(BTreeMap<String, String>);

impl Paragraph {
    /// Parses the first paragraph of a text. `None` where a line is neither a field nor a continuation.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in text.lines().take_while(|line| !line.trim().is_empty()) {
            if line.starts_with([' ', '\t']) {
                let (_, value) = fields.last_mut()?;
                value.push('\n');
                value.push_str(line);
            } else {
                let (name, value) = line.split_once(':')?;
                fields.push((name.to_owned(), value.trim().to_owned()));
            }
        }
        Some(Self(fields.into_iter().collect()))
    }

    /// The value of the field with this name; none where there is no such field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets the value of a field; an empty value removes the field.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// The text of the paragraph, with the fields in the order in which dpkg writes them.
    pub fn render(&self) -> String {
        let rank = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
        let mut fields: Vec<(&String, &String)> = self.0.iter().collect();
        fields.sort_by_key(|(name, _)| (rank(name), name.as_str()));
        fields.into_iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }
}

/// The files of a control archive, by name.
#[derive(Clone, Debug, Default)]
pub struct ControlArchive {
    /// The content of each file by its name: `control`, `md5sums`, `postinst`, …
    pub files: BTreeMap<String, Vec<u8>>,
}

impl ControlArchive {
    /// Reads the archive `control.tar.xz` of a .deb.
    ///
    /// # Errors
    /// The input is not a tar archive compressed by xz, or it ends early.
    pub fn read(compressed: impl Read) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(XzDecoder::new(compressed)).entries()? {
            let mut entry = entry?;
            if entry.header().entry_type().is_dir() {
                continue;
            }
            let name = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.insert(name, content);
        }
        Ok(Self { files })
    }

    /// Adds a file of lines, or nothing where there are none.
    pub fn set_lines(&mut self, name: &str, lines: &[String]) {
        self.files.remove(name);
        if !lines.is_empty() {
            self.files.insert(name.to_owned(), (lines.join("\n") + "\n").into_bytes());
        }
    }

    /// Writes `control.tar.xz`: `control` first, the rest by name; the same content always gives the same bytes.
    ///
    /// # Errors
    /// The archive cannot be compressed. It is written to memory, so this does not happen in practice.
    pub fn write(&self, epoch: i64) -> io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(XzEncoder::new(Vec::new(), 6));
        let folder = header(tar::EntryType::Directory, 0o755, 0, epoch)?;
        append(&mut archive, folder, "./", "", &mut io::empty())?;
        let mut names: Vec<&String> = self.files.keys().collect();
        names.sort_by_key(|name| (*name != "control", name.as_str()));
        for name in names {
            let content = &self.files[name];
            let mode = if SCRIPTS.contains(&name.as_str()) { 0o755 } else { 0o644 };
            let file = header(tar::EntryType::Regular, mode, content.len() as u64, epoch)?;
            append(&mut archive, file, &format!("./{name}"), "", &mut &content[..])?;
        }
        archive.into_inner()?.finish()
    }
}

/// A tar header of root's, as dpkg-deb writes it.
pub(crate) fn header(kind: tar::EntryType, mode: u32, size: u64, epoch: i64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(epoch.max(0) as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_username("root")?;
    header.set_groupname("root")?;
    Ok(header)
}

/// Appends an entry whose name is kept as it is: tar::Builder would drop the `./` that dpkg's archives have.
/// Names and targets that do not fit get a GNU header of their own, as dpkg-deb writes it.
pub(crate) fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    mut header: tar::Header,
    name: &str,
    target: &str,
    data: &mut dyn Read,
) -> io::Result<()> {
    for (text, kind) in [(target, b'K'), (name, b'L')] {
        if text.len() >= 100 {
            let mut long = self::header(tar::EntryType::new(kind), 0o644, text.len() as u64 + 1, 0)?;
            long.as_gnu_mut().expect("made as a GNU header").name[..13].copy_from_slice(b"././@LongLink");
            long.set_cksum();
            archive.append(&long, text.as_bytes().chain(&b"\0"[..]))?;
        }
    }
    let slots = header.as_gnu_mut().expect("made as a GNU header");
    for (text, slot) in [(name, &mut slots.name), (target, &mut slots.linkname)] {
        let length = text.len().min(99);
        slot[..length].copy_from_slice(&text.as_bytes()[..length]);
    }
    header.set_cksum();
    archive.append(&header, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_reordered_and_nothing_is_lost() {
        let text = "Package: x\nDescription: a\n b\n .\n c\nDepends: y\nX-Own: 1\nVersion: 1\n";
        let mut paragraph = Paragraph::parse(text).unwrap();
        paragraph.set("Build-Ids", "ab");
        paragraph.set("Depends", "");
        assert_eq!(paragraph.render(), "Package: x\nVersion: 1\nDescription: a\n b\n .\n c\nBuild-Ids: ab\nX-Own: 1\n");
        assert_eq!(Paragraph::parse(" leading"), None);
    }

    #[test]
    fn archives_come_back() {
        let mut control = ControlArchive::default();
        control.files.insert("control".into(), b"Package: x\n".to_vec());
        control.set_lines("triggers", &["activate-noawait ldconfig".into()]);
        control.set_lines("conffiles", &[]);
        let bytes = control.write(12).unwrap();
        assert_eq!(bytes, control.write(12).unwrap());
        assert_eq!(ControlArchive::read(&bytes[..]).unwrap().files, control.files);
    }
}
