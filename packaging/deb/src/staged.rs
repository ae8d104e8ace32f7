//! The staged tree: what the install phase left in DESTDIR, as a folder of the host.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use serde::Serialize;
use walkdir::WalkDir;

/// A staged tree and its digest.
#[derive(Clone, Debug)]
pub struct StagedTree {
    /// The folder that the tree is in.
    pub folder: PathBuf,
    /// Digest of names, kinds, permissions and contents. Time stamps and owners do not count:
    /// packing sets them.
    pub digest: Digest,
}

#[derive(Serialize)]
enum Kind {
    Folder,
    File { sha256: Digest, executable: bool },
    Link { target: String },
}

/// In the stage that keeps a staged tree: the tree, and its digest.
const TREE: &str = "tree";
const DIGEST: &str = "tree.sha256";

impl StagedTree {
    /// The folder in a stage that has the staged tree.
    pub fn folder_in(stage: &Path) -> PathBuf {
        stage.join(TREE)
    }

    /// The tree of a finished stage, which nothing changes any more: its digest is the one that [`Self::record`] kept.
    /// Where there is none, the tree is hashed.
    ///
    /// # Errors
    /// There is no recorded digest, and the tree cannot be read.
    pub fn in_stage(stage: &Path) -> io::Result<Self> {
        let folder = Self::folder_in(stage);
        let recorded = std::fs::read_to_string(stage.join(DIGEST)).ok();
        match recorded.and_then(|text| text.trim().parse().ok()) {
            Some(digest) => Ok(Self { folder, digest }),
            None => Self::read(&folder),
        }
    }

    /// Keeps the tree's digest in a stage that is about to be finished.
    ///
    /// # Errors
    /// The tree cannot be read, or the digest cannot be written beside it.
    pub fn record(stage: &Path) -> io::Result<()> {
        let tree = Self::read(&Self::folder_in(stage))?;
        std::fs::write(stage.join(DIGEST), format!("{}\n", tree.digest))
    }

    /// Reads a staged tree, and computes its digest of names, contents, links and the executable bit.
    ///
    /// # Errors
    /// A folder, file or link of the tree cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut entries = Vec::new();
        for entry in WalkDir::new(folder).sort_by_file_name() {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let kind = if metadata.is_dir() {
                Kind::Folder
            } else if metadata.is_symlink() {
                Kind::Link { target: std::fs::read_link(entry.path())?.display().to_string() }
            } else {
                Kind::File {
                    sha256: Digest::of_file(entry.path())?,
                    executable: metadata.permissions().mode() & 0o111 != 0,
                }
            };
            let name = entry.path().strip_prefix(folder).expect("walked below the folder");
            entries.push((name.display().to_string(), kind));
        }
        Ok(Self { folder: folder.to_owned(), digest: Digest::of_json(&entries) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_and_mode_count_time_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "one").unwrap();
        let digest = || StagedTree::read(folder.path()).unwrap().digest;
        let first = digest();
        let time = std::time::SystemTime::UNIX_EPOCH;
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        assert_eq!(digest(), first);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let executable = digest();
        assert_ne!(executable, first);
        std::fs::write(&file, "two").unwrap();
        assert_ne!(digest(), executable);
    }

    #[test]
    fn a_stage_keeps_the_digest_of_its_tree() {
        let stage = tempfile::tempdir().unwrap();
        let folder = StagedTree::folder_in(stage.path());
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("file"), "one").unwrap();
        let hashed = StagedTree::read(&folder).unwrap().digest;
        let in_stage = || StagedTree::in_stage(stage.path()).unwrap();
        assert_eq!((in_stage().folder, in_stage().digest), (folder.clone(), hashed), "as an older version left it");
        StagedTree::record(stage.path()).unwrap();
        // The tree is not read again: that a file is gone does not show.
        std::fs::remove_file(folder.join("file")).unwrap();
        assert_eq!((in_stage().folder, in_stage().digest), (folder.clone(), hashed));
        // A record that is none is not believed.
        std::fs::write(stage.path().join(DIGEST), "").unwrap();
        assert_eq!(in_stage().digest, StagedTree::read(&folder).unwrap().digest);
    }
}
