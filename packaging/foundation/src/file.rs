//! Files that are written whole or not at all.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

/// Writes a file so that a reader sees the old content or the new one, never a part, whenever the process ends. The new one is
/// written beside it first, under its name and `.part`.
///
/// # Errors
/// The file cannot be written: the old one stays then, and nothing else.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().map(OsString::from).ok_or(io::ErrorKind::InvalidFilename)?;
    name.push(".part");
    let part = path.with_file_name(name);
    let written = fs::write(&part, content).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // There may be none, and what failed before is what the user has to know.
        let _ = fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_content_or_the_old_one_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        write_whole(&path, b"first").unwrap();
        write_whole(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        // What has the name is not to be replaced by a file.
        let taken = folder.path().join("taken");
        fs::create_dir_all(taken.join("inside")).unwrap();
        write_whole(&taken, b"third").unwrap_err();
        write_whole(&folder.path().join("missing/file"), b"fourth").unwrap_err();
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["record.json", "taken"]);
    }
}
