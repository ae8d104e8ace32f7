//! What is in folders, and copies of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Whether there is anything of this name: also what nobody can read, such as a link to nothing or what is in a closed folder. Who
/// reads a file that need not be there asks this first, and not whether it can be read: what cannot would be taken for absent.
pub fn has(path: &Path) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    !fs::symlink_metadata(path).is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

/// Copies a folder into `to`, which is made where it is missing: files with their permissions, and links as links.
///
/// # Errors
/// Something cannot be read or written; the path is what could not be copied.
pub fn copy(from: &Path, to: &Path) -> Result<(), (PathBuf, io::Error)> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.map_err(|error| {
            (error.path().unwrap_or(from).to_owned(), error.into_io_error().unwrap_or(io::ErrorKind::Other.into()))
        })?;
        let copy = to.join(entry.path().strip_prefix(from).expect("walked below the folder"));
        let kind = entry.file_type();
        let copied = if kind.is_dir() {
            fs::create_dir_all(&copy)
        } else if kind.is_symlink() {
            fs::read_link(entry.path()).and_then(|target| std::os::unix::fs::symlink(target, &copy))
        } else {
            fs::copy(entry.path(), &copy).map(drop)
        };
        copied.map_err(|error| (entry.path().to_owned(), error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_cannot_be_read_is_there() {
        let folder = tempfile::tempdir().unwrap();
        symlink("nowhere", folder.path().join("link")).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        for (name, there) in [("link", true), ("file", true), ("none", false), ("none/file", false), ("file/x", false)]
        {
            assert_eq!(has(&folder.path().join(name)), there, "{name}");
        }
    }

    #[test]
    fn files_folders_links_and_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("a/b"));
        fs::create_dir_all(from.join("empty/er")).unwrap();
        fs::write(from.join("script"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(from.join("script"), fs::Permissions::from_mode(0o750)).unwrap();
        symlink("nowhere", from.join("empty/link")).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("script")).unwrap(), "#!/bin/sh\n");
        assert_eq!(fs::metadata(to.join("script")).unwrap().permissions().mode() & 0o777, 0o750);
        assert_eq!(fs::read_link(to.join("empty/link")).unwrap(), Path::new("nowhere"));
        assert!(to.join("empty/er").is_dir());

        let (path, error) = copy(&folder.path().join("none"), &to).unwrap_err();
        assert!(path.ends_with("none") && error.kind() == io::ErrorKind::NotFound, "{path:?} {error}");
        fs::write(folder.path().join("file"), "").unwrap();
        let (path, _) = copy(&from, &folder.path().join("file")).unwrap_err();
        assert_eq!(path, from);
    }
}
