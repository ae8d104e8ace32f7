//! What packages say of themselves, kept under their digest, so that a publication reads only what is new.

use std::path::PathBuf;

use apt::described::Described;
use foundation::digest::Digest;

use super::{Folder, RepositoryError, files};

/// What was kept of the package with this digest; none where another version of the tool kept something else.
fn kept(folder: &Folder, sha256: &Digest) -> Result<Option<Described>, RepositoryError> {
    match files::read_json(&place(folder, sha256)) {
        Err(RepositoryError::State { .. }) => Ok(None),
        other => other,
    }
}

/// Keeps what the package with this digest says.
pub(super) fn keep(folder: &Folder, sha256: &Digest, described: &Described) -> Result<(), RepositoryError> {
    if kept(folder, sha256)?.is_some() {
        return Ok(());
    }
    let text = serde_json::to_vec(described).expect("plain data serialises to JSON");
    files::write(&folder.temporary(), &place(folder, sha256), &text)
}

/// What was kept, or else what the pool's file says, which must have this digest.
pub(super) fn of(folder: &Folder, path: &str, sha256: &Digest) -> Result<Described, RepositoryError> {
    if let Some(found) = kept(folder, sha256)? {
        return Ok(found);
    }
    let file = folder.path(path);
    let wrong = |found: String| RepositoryError::Pool { path: file.clone(), expected: *sha256, found };
    let digest = Digest::of_file(&file).map_err(|error| wrong(error.to_string()))?;
    if digest != *sha256 {
        return Err(wrong(digest.to_string()));
    }
    let described = Described::read(&file).map_err(|error| wrong(error.to_string()))?;
    keep(folder, sha256, &described)?;
    Ok(described)
}

/// Where a package's description is kept.
pub(super) fn place(folder: &Folder, sha256: &Digest) -> PathBuf {
    let hex = sha256.to_string();
    folder.state().join("packages").join(&hex[..2]).join(format!("{hex}.json"))
}
