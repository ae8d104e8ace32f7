//! Writing files so that they are whole or not there, also after a power cut: a temporary name, `fsync(2)`, `rename(2)`.
//! Temporary files are all in one folder of the repository, so that what a killed run left is found and removed.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use foundation::digest::{Digest, Hasher};
use foundation::public;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RepositoryError;

/// Writes a file by way of the folder `temporary`, which must be on the same file system. Everybody may read it,
/// whatever the umask: web servers run as somebody else.
pub(super) fn write(temporary: &Path, path: &Path, bytes: &[u8]) -> Result<(), RepositoryError> {
    let attempt = || -> io::Result<()> {
        public::make_folder(path.parent().unwrap_or(Path::new(".")))?;
        let mut file = tempfile::NamedTempFile::new_in(temporary)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    attempt().map_err(RepositoryError::io("write", path))
}

/// Gives a whole file, with this digest, its name in the pool. What is there under that name stays: machines may have it,
/// and if it has other bytes that is an error. The name that it had is the caller's to remove.
pub(super) fn settle(file: &Path, path: &Path, sha256: &Digest) -> Result<(), RepositoryError> {
    match fs::hard_link(file, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = Digest::of_file(path).map_err(RepositoryError::io("read", path))?;
            match found == *sha256 {
                true => Ok(()),
                false => Err(RepositoryError::Occupied { path: path.to_owned(), expected: *sha256, found }),
            }
        }
        other => other.map_err(RepositoryError::io("write", path)),
    }
}

/// The same, unless the file has this content already.
pub(super) fn update(temporary: &Path, path: &Path, bytes: &[u8]) -> Result<(), RepositoryError> {
    if fs::read(path).is_ok_and(|found| found == bytes) { Ok(()) } else { write(temporary, path, bytes) }
}

/// Writes plain data as JSON.
pub(super) fn write_json(temporary: &Path, path: &Path, value: &impl Serialize) -> Result<(), RepositoryError> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data serialises to JSON");
    text.push(b'\n');
    write(temporary, path, &text)
}

/// Reads what [`write_json`] wrote; `None` where there is no such file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RepositoryError> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(RepositoryError::io("read", path))?,
    };
    let value = serde_json::from_slice(&text)
        .map_err(|error| RepositoryError::State { path: path.to_owned(), problem: error.to_string() })?;
    Ok(Some(value))
}

/// Copies a file and returns the digest of what was copied.
pub(super) fn copy(from: &Path, to: &File) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut input = File::open(from)?;
    let mut output = to;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let length = input.read(&mut buffer)?;
        if length == 0 {
            return Ok(hasher.finish());
        }
        Write::write_all(&mut hasher, &buffer[..length])?;
        Write::write_all(&mut output, &buffer[..length])?;
    }
}

/// Puts a symbolic link in the place of another one, in one rename.
pub(super) fn replace_link(temporary: &Path, link: &Path, target: &Path) -> Result<(), RepositoryError> {
    let attempt = || -> io::Result<()> {
        let folder = tempfile::TempDir::new_in(temporary)?;
        let new = folder.path().join("link");
        symlink(target, &new)?;
        let parent = link.parent().unwrap_or(Path::new("."));
        public::make_folder(parent)?;
        fs::rename(&new, link)?;
        sync_folder(parent)
    };
    attempt().map_err(RepositoryError::io("write the link", link))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Sets a file's date, which web servers hand to clients as `Last-Modified`.
pub(super) fn set_date(path: &Path, date: i64) -> io::Result<()> {
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(date.max(0) as u64);
    File::options().write(true).open(path)?.set_modified(date)
}

/// The names in a folder, sorted; none where there is no such folder.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, RepositoryError> {
    let failed = |error| RepositoryError::io("read the folder", folder)(error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        other => other.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| RepositoryError::io("read the folder", folder)(error))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Removes a file or folder; that it is gone already is as good.
pub(super) fn remove(path: &Path) -> Result<(), RepositoryError> {
    let folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let result = if folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(RepositoryError::io("remove", path)),
    }
}

/// Removes a folder in one step, as far as anybody can see: a run that is killed leaves no part of it under its name.
pub(super) fn retire(temporary: &Path, folder: &Path) -> Result<(), RepositoryError> {
    let attempt = || -> io::Result<()> {
        let aside = tempfile::TempDir::new_in(temporary)?;
        fs::rename(folder, aside.path().join("gone"))?;
        aside.close()
    };
    attempt().map_err(RepositoryError::io("remove", folder))
}
