//! Files into containers and volumes, and out of them; never by a mount of the user's folders,
//! so that a remote or rootless engine works the same.

use std::path::{Path, PathBuf};

use crate::engine::Engine;
use crate::error::Error;

/// Something to put into a container or volume.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Absolute path inside.
    pub path: String,
    /// What to put there.
    pub content: Content,
    /// Permissions of a file (`Bytes`, `File`); folders and archives bring their own.
    pub mode: u32,
}

/// Where the content of an [`Upload`] comes from.
#[derive(Clone, Debug)]
pub enum Content {
    /// Bytes in memory: one file.
    Bytes(Vec<u8>),
    /// A file of the host.
    File(PathBuf),
    /// A folder of the host, with everything in it; `path` becomes this folder.
    Directory(PathBuf),
    /// An uncompressed tar archive of the host, unpacked into the folder `path`.
    Tar(PathBuf),
}

/// Puts files into a volume. `image` is any image with `/build`; nothing is run in it.
/// Everything belongs to 1000:1000 afterwards.
pub async fn upload(engine: &Engine, image: &str, volume: &str, uploads: &[Upload]) -> Result<(), Error> {
    let _ = (engine, image, volume, uploads);
    todo!()
}

/// Fetches the folder or file `path` (absolute, below `/build`) of a volume into the existing folder `dest`:
/// a folder's content lands directly in `dest`, a file lands there under its name.
/// False if there is no such path.
pub async fn download(engine: &Engine, image: &str, volume: &str, path: &str, dest: &Path) -> Result<bool, Error> {
    let _ = (engine, image, volume, path, dest);
    todo!()
}

/// Like [`download`], as an uncompressed tar archive written to the file `dest`, whose names start with
/// the last component of `path`. False if there is no such path.
pub async fn download_tar(engine: &Engine, image: &str, volume: &str, path: &str, dest: &Path) -> Result<bool, Error> {
    let _ = (engine, image, volume, path, dest);
    todo!()
}
