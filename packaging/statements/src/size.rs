//! What takes space in packages: by folder, and the largest files.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use deb::archive::DebFile;
use schemars::JsonSchema;
use serde::Serialize;

use crate::archives;

/// Folders are told apart by so many names of their path: `usr/lib/x86_64-linux-gnu`.
const DEPTH: usize = 3;

/// Files that are listed.
const FILES: usize = 5;

/// What takes space in a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PackageSize {
    /// The file's name.
    pub file: String,
    /// Size of the .deb in bytes: what is downloaded.
    pub compressed: u64,
    /// Bytes of its files when they are installed, without what the file system adds.
    pub installed: u64,
    /// The same by folder, the largest first.
    pub folders: Vec<(String, u64)>,
    /// The largest files, the largest first.
    pub files: Vec<(String, u64)>,
}

impl PackageSize {
    /// Reads a .deb (deb(5)).
    ///
    /// # Errors
    /// The file cannot be read, or is none.
    pub fn read(path: &Path) -> io::Result<Self> {
        let deb = DebFile::open(path)?;
        let mut folders: BTreeMap<String, u64> = BTreeMap::new();
        let mut files = Vec::new();
        for entry in archives::tar_named(&deb, "data.tar")?.entries()? {
            let entry = entry?;
            if entry.header().entry_type().is_file() {
                let name = archives::name(&entry)?;
                *folders.entry(folder(&name)).or_default() += entry.size();
                files.push((name, entry.size()));
            }
        }
        let mut folders: Vec<_> = folders.into_iter().collect();
        for list in [&mut folders, &mut files] {
            list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        }
        let installed = files.iter().map(|(_, size)| size).sum();
        files.truncate(FILES);
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { file, compressed: std::fs::metadata(path)?.len(), installed, folders, files })
    }
}

/// The first names of a file's folder.
fn folder(file: &str) -> String {
    let parent = file.rsplit_once('/').map_or("", |(parent, _)| parent);
    parent.split('/').take(DEPTH).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_dpkg_deb_made() {
        let work = tempfile::tempdir().unwrap();
        let tree = work.path().join("tree");
        for (name, size) in [("usr/lib/a/deep/one", 3000), ("usr/lib/a/two", 500), ("usr/bin/tool", 10), ("top", 1)] {
            let path = tree.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, vec![b'x'; size]).unwrap();
        }
        std::fs::create_dir(tree.join("DEBIAN")).unwrap();
        let control = "Package: demo\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: it\n";
        std::fs::write(tree.join("DEBIAN/control"), control).unwrap();
        let deb = work.path().join("demo_1_all.deb");
        for compression in ["xz", "gzip", "zstd", "none"] {
            let made = std::process::Command::new("dpkg-deb")
                .args(["--root-owner-group", &format!("-Z{compression}"), "--build"])
                .args([&tree, &deb])
                .output()
                .expect("dpkg-deb runs");
            assert!(made.status.success(), "{made:?}");
            let size = PackageSize::read(&deb).unwrap();
            assert_eq!((size.installed, size.compressed), (3511, std::fs::metadata(&deb).unwrap().len()));
            let folders: Vec<_> = size.folders.iter().map(|(name, size)| (name.as_str(), *size)).collect();
            assert_eq!(folders, [("usr/lib/a", 3500), ("usr/bin", 10), ("", 1)]);
            assert_eq!(size.files[0], ("usr/lib/a/deep/one".to_owned(), 3000));
        }
        std::fs::write(&deb, "none").unwrap();
        assert!(PackageSize::read(&deb).is_err());
    }
}
