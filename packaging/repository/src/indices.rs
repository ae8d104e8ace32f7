//! The indices of a repository: each is a file in `indices/SHA256/`, named by its digest and shared by all snapshots:
//! `by-hash` in a snapshot is a link there, and so is each `Packages.xz`. So a client that read an earlier Release finds its
//! indices through the newer suite as well, as long as the earlier snapshot is kept.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use apt::Sum;
use apt::described::Described;
use apt::indices::{FORMS, compress, is_packed, texts};
use apt::listed::Listed;
use foundation::digest::Digest;
use foundation::public;

use super::settings::Settings;
use super::snapshot::Snapshot;
use super::{Folder, RepositoryError, described, files};

/// Writes the indices of these packages that are not there yet. Those of `before`, the snapshot that clients see now, are
/// not compressed again.
pub(super) fn write(
    folder: &Folder,
    packages: &[Listed],
    before: Option<&Snapshot>,
) -> Result<BTreeMap<String, Sum>, RepositoryError> {
    let mut described = Vec::with_capacity(packages.len());
    for package in packages {
        described.push(described::of(folder, &package.path, &package.sha256)?);
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
