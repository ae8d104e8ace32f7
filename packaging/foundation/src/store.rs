//! The cache: downloads by their digest, results of stages by the digest of their inputs.
//!
//! ```text
//! blobs/sha256/ab/<hex>   files, read-only, named by their digest
//! stages/<kind>/<key>/    finished results, each renamed into place as a whole
//! partial/<hex>.part      downloads to be resumed
//! history/                what earlier runs took and were made from: it decides no byte
//! tmp/                    what is being written; left-overs of killed runs are removed under the lock
//! .lock                   who works here
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use crate::digest::{Digest, Hasher};
use crate::failure::{self, Failure, Kind, Outcome};

mod lock;
pub use lock::{Holder, StoreLock};

/// Something about the cache, or another folder that is written under a lock, went wrong.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Reading or writing failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb: `write`, `make the folder`.
        what: &'static str,
        /// The file or folder that it was attempted on.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The disk or the quota is exhausted.
    #[error("no space is left to write {}{}", path.display(), failure::free_now(*free))]
    Full {
        /// The file or folder that was to be written.
        path: PathBuf,
        /// What the file system still has for users without privileges, where that can be told.
        free: Option<crate::bytes::ByteSize>,
    },
    /// Content that is not what its digest says.
    #[error("{name} is not the file that was pinned, and was not used: its sha256 is {found}, pinned is {expected}")]
    Mismatch {
        /// What was to be added: a file's path, or words such as `the data`.
        name: String,
        /// The digest that the file was pinned with.
        expected: Digest,
        /// The digest of the content that was given.
        found: Digest,
    },
    /// A file of the cache was changed or damaged after it had been checked.
    #[error("{} was damaged in the cache and has been removed: its sha256 is {found}", path.display())]
    Damaged {
        /// The file of the cache, which has been removed.
        path: PathBuf,
        /// The digest of the content that it had.
        found: Digest,
    },
    /// A file is not in the cache.
    #[error("the cache {} has no file with the sha256 {digest}", root.display())]
    Missing {
        /// The digest that was asked for.
        digest: Digest,
        /// The folder of the cache.
        root: PathBuf,
    },
    /// Another process holds the lock of the folder.
    #[error(
        "{} is in use by process {} (`{}`, {}, since {})",
        path.display(), holder.pid, holder.command, holder.what, holder.started_text()
    )]
    Locked {
        /// The folder that is locked.
        path: PathBuf,
        /// The process that holds the lock.
        holder: Holder,
    },
    /// No environment variable says where the cache may be.
    #[error(
        "there is no folder for the cache: none of MESOS_PACKAGES_CACHE, XDG_CACHE_HOME and HOME is an absolute path"
    )]
    NoPlace,
}

impl Failure for StoreError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Io { source, .. } => {
                failure::of_place(source, "or put the cache elsewhere with MESOS_PACKAGES_CACHE=FOLDER")
            }
            Self::Full { .. } => Kind::Failed.next(
                "free some, or put the cache on another disk with MESOS_PACKAGES_CACHE=FOLDER; \
                 what was finished is kept, and the next run goes on from there",
            ),
            Self::Mismatch { .. } => Kind::Verification
                .next("get it from another place, and tell whoever gave it to you; if the pin is wrong, correct it"),
            Self::Damaged { .. } => Kind::Verification.next("run `cargo xtask fetch` to get it again"),
            Self::Missing { .. } => Kind::Failed.next("run `cargo xtask fetch`"),
            Self::Locked { .. } => Kind::Failed.next("wait for it, or end that process"),
            Self::NoPlace => Kind::Failed.next("set MESOS_PACKAGES_CACHE=FOLDER"),
        }
    }
}

impl StoreError {
    /// For `map_err`: an attempt on a path that failed; a full disk is told apart.
    pub fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                let free = failure::free_space(&path);
                Self::Full { path, free }
            }
            _ => Self::Io { what, path, source },
        }
    }
}

/// The cache: files under the SHA-256 digest of their content, and results of stages under the digest of their inputs.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// A file that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The SHA-256 digest of its content, which is its name in the store.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The path of the file. It can be read, and is not to be written.
    pub path: PathBuf,
}

impl Store {
    /// `$MESOS_PACKAGES_CACHE`, `$XDG_CACHE_HOME/mesos-packages` or `~/.cache/mesos-packages`.
    ///
    /// # Errors
    /// None of the three variables is an absolute path.
    pub fn default_dir() -> Result<PathBuf, StoreError> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("MESOS_PACKAGES_CACHE")
            .or_else(|| Some(absolute("XDG_CACHE_HOME")?.join("mesos-packages")))
            .or_else(|| Some(absolute("HOME")?.join(".cache/mesos-packages")))
            .ok_or(StoreError::NoPlace)
    }

    /// Opens the store in a folder (default: [`Store::default_dir`]), making it if needed.
    ///
    /// # Errors
    /// No place for the cache is known, or its folders cannot be made.
    pub fn open(dir: Option<&Path>) -> Result<Self, StoreError> {
        let root = match dir {
            Some(dir) => std::path::absolute(dir).map_err(StoreError::io("find", dir))?,
            None => Self::default_dir()?,
        };
        for folder in ["blobs/sha256", "stages", "partial", "tmp"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(StoreError::io("make the folder", path))?;
        }
        Ok(Self { root })
    }

    /// The folder that the store is in, as an absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the file with this digest is or would be.
    fn blob_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.to_string();
        self.root.join("blobs/sha256").join(&hex[..2]).join(hex)
    }

    /// Where a download of the file with this digest is kept until it is complete.
    pub fn part_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("partial").join(format!("{digest}.part"))
    }

    /// The file with this digest.
    ///
    /// Cheap: every blob carries a time stamp derived from its digest, which any write or truncation
    /// changes. A blob with another time stamp (damaged, or copied from another machine's cache) is
    /// hashed again and then either marked again or dropped. [`Store::verify`] always hashes.
    pub fn blob(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.blob_path(digest);
        let metadata = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
        if metadata.modified().ok() == Some(mark_of(digest)) {
            return Some(path);
        }
        match Digest::of_file(&path) {
            Ok(found) if found == *digest => {
                // In a cache that is not ours to write the file is good all the same.
                let _ = mark(&path, digest);
                Some(path)
            }
            Ok(_) => {
                let _ = fs::remove_file(&path);
                None
            }
            Err(_) => None,
        }
    }

    /// Adds everything that a reader gives. With `expected`, content with another digest is refused.
    ///
    /// # Errors
    /// The reader fails, the store cannot be written, or the content has another digest than `expected`. Nothing is
    /// added then.
    pub fn add(&self, reader: impl Read, expected: Option<Digest>) -> Result<Blob, StoreError> {
        self.add_named("the data", reader, expected)
    }

    /// Adds a copy of a file. With `expected`, a file with another digest is refused.
    ///
    /// # Errors
    /// The file cannot be read, the store cannot be written, or the file has another digest than `expected`. Nothing is
    /// added then.
    pub fn add_file(&self, path: &Path, expected: Option<Digest>) -> Result<Blob, StoreError> {
        let file = File::open(path).map_err(StoreError::io("read", path))?;
        self.add_named(&path.display().to_string(), file, expected)
    }

    fn add_named(&self, name: &str, mut reader: impl Read, expected: Option<Digest>) -> Result<Blob, StoreError> {
        let temp = self.temp_dir()?;
        let path = temp.path().join("blob");
        let mut file = File::create_new(&path).map_err(StoreError::io("write", &path))?;
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 1 << 18];
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(StoreError::io("read", name)(error)),
            };
            hasher.write_all(&buffer[..n]).expect("hashing does not fail");
            file.write_all(&buffer[..n]).map_err(StoreError::io("write", &path))?;
        }
        drop(file);
        let found = hasher.finish();
        match expected {
            Some(expected) if expected != found => Err(StoreError::Mismatch { name: name.to_owned(), expected, found }),
            _ => self.adopt(&path, found),
        }
    }

    /// Moves a file of the store's file system, whose digest was just computed, to its final name.
    ///
    /// # Errors
    /// The file is not there, is on another file system, or the store cannot be written.
    pub fn adopt(&self, from: &Path, digest: Digest) -> Result<Blob, StoreError> {
        let to = self.blob_path(&digest);
        let folder = to.parent().expect("blobs are in folders");
        fs::create_dir_all(folder).map_err(StoreError::io("make the folder", folder))?;
        let write = |error| StoreError::io("write", &to)(error);
        fs::set_permissions(from, fs::Permissions::from_mode(0o444)).map_err(write)?;
        mark(from, &digest).map_err(write)?;
        let file = File::open(from).map_err(write)?;
        file.sync_all().map_err(write)?;
        let size = file.metadata().map_err(write)?.len();
        fs::rename(from, &to).map_err(write)?;
        sync_folder(folder)?;
        Ok(Blob { digest, size, path: to })
    }

    /// Hashes a blob again; a bad one is dropped and is a verification error.
    ///
    /// # Errors
    /// The store has no such file, the file cannot be read, or its content has another digest. In the last case it has
    /// been removed from the store.
    pub fn verify(&self, digest: &Digest) -> Result<PathBuf, StoreError> {
        let path = self.blob_path(digest);
        let found = match Digest::of_file(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { digest: *digest, root: self.root.clone() });
            }
            Err(error) => return Err(StoreError::io("read", path)(error)),
        };
        if found == *digest {
            return Ok(path);
        }
        fs::remove_file(&path).map_err(StoreError::io("remove the damaged", &path))?;
        Err(StoreError::Damaged { path, found })
    }

    /// Drops a file that nothing needs any more.
    ///
    /// # Errors
    /// The file is there and cannot be removed. One that is not there is no error.
    pub fn forget_blob(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.blob_path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    fn stage_path(&self, kind: &str, key: &Digest) -> PathBuf {
        self.root.join("stages").join(kind).join(key.to_string())
    }

    /// The folder with the finished result of a stage, or none where the stage has to be done.
    pub fn stage(&self, kind: &str, key: &Digest) -> Option<PathBuf> {
        Some(self.stage_path(kind, key)).filter(|path| path.is_dir())
    }

    /// All finished results of stages of this kind, with their folders. What is called by no digest is not one.
    ///
    /// # Errors
    /// The folder of the kind is there and cannot be read.
    pub fn stages(&self, kind: &str) -> Result<Vec<(Digest, PathBuf)>, StoreError> {
        let folder = self.root.join("stages").join(kind);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(StoreError::io("read the folder", &folder))?,
        };
        let key = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()));
        let mut found: Vec<(Digest, PathBuf)> = entries.flatten().filter_map(key).collect();
        found.sort();
        Ok(found)
    }

    /// Starts a stage's result; nothing is visible until it is committed.
    ///
    /// # Errors
    /// The temporary folder of the result cannot be made.
    pub fn begin(&self, kind: &str, key: &Digest) -> Result<StageWriter, StoreError> {
        Ok(StageWriter { temp: self.temp_dir()?, to: self.stage_path(kind, key) })
    }

    /// Drops the result of a stage, so that it is made again.
    ///
    /// # Errors
    /// The result is there and cannot be moved away. A result that is not there is no error.
    pub fn forget_stage(&self, kind: &str, key: &Digest) -> Result<(), StoreError> {
        let path = self.stage_path(kind, key);
        let grave = self.temp_dir()?;
        match fs::rename(&path, grave.path().join("stage")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Drops the results of all stages of this kind, so that they are made again.
    ///
    /// # Errors
    /// The results are there and cannot be moved away. That there are none is no error.
    pub fn forget_stages(&self, kind: &str) -> Result<(), StoreError> {
        let path = self.root.join("stages").join(kind);
        let grave = self.temp_dir()?;
        match fs::rename(&path, grave.path().join("stages")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Tells this store from others on the same engine: part of the names of what is made there.
    pub fn id(&self) -> String {
        Digest::of(self.root.as_os_str().as_encoded_bytes()).short()
    }

    /// Free room of the file system that the store is on, in bytes, for users without privileges.
    ///
    /// # Errors
    /// The file system does not answer (`statvfs(3)`), for example because the store's folder was removed.
    pub fn free_space(&self) -> Result<u64, StoreError> {
        let found =
            rustix::fs::statvfs(&self.root).map_err(|error| StoreError::io("look at", &self.root)(error.into()))?;
        Ok(found.f_bavail * found.f_frsize)
    }

    /// A temporary folder in the store's file system, removed when it is dropped, and by the next
    /// holder of the lock when this process is killed.
    ///
    /// # Errors
    /// The folder cannot be made, or cannot be locked.
    pub fn temp_dir(&self) -> Result<TempDir, StoreError> {
        let tmp = self.root.join("tmp");
        loop {
            let path = tempfile::Builder::new()
                .prefix("w")
                .tempdir_in(&tmp)
                .map_err(StoreError::io("make a folder in", &tmp))?
                .keep();
            let handle = File::open(&path).map_err(StoreError::io("open", &path))?;
            flock(&handle, FlockOperation::LockExclusive)
                .map_err(|error| StoreError::io("lock", &path)(error.into()))?;
            // Between making and locking, a cleaner may have taken it for a left-over.
            let same = |found: fs::Metadata| {
                handle.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (found.dev(), found.ino()))
            };
            if fs::symlink_metadata(&path).is_ok_and(same) {
                return Ok(TempDir { path, _handle: handle });
            }
        }
    }

    /// Locks the store, waiting for another run; `waiting` is called about twice a second meanwhile.
    /// What killed runs left is removed.
    ///
    /// # Errors
    /// The file of the lock cannot be made, opened or written. That another process holds the lock is no error: it is
    /// waited for.
    pub fn lock(&self, what: &str, waiting: &mut dyn FnMut(&Holder)) -> Result<StoreLock, StoreError> {
        let lock = StoreLock::acquire(&self.root, what, waiting)?;
        self.clean();
        Ok(lock)
    }

    /// Locks the store without waiting. What killed runs left is removed.
    ///
    /// # Errors
    /// Another process holds the lock ([`StoreError::Locked`] says which), or the lock's file cannot be made, opened or
    /// written.
    pub fn try_lock(&self, what: &str) -> Result<StoreLock, StoreError> {
        let lock = StoreLock::try_acquire(&self.root, what)?;
        self.clean();
        Ok(lock)
    }

    /// Removes temporary folders whose owner is gone: the kernel released its lock, however it ended.
    fn clean(&self) {
        for entry in fs::read_dir(self.root.join("tmp")).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(handle) = File::open(&path) else { continue };
            if flock(&handle, FlockOperation::NonBlockingLockExclusive).is_ok() {
                remove(&path);
            }
        }
    }
}

/// The time stamp that says "this is as it was when its digest was computed". It lies in the years
/// 2001 to 2017, so no file that is written now has it by chance.
fn mark_of(digest: &Digest) -> SystemTime {
    let head = u64::from_str_radix(&digest.to_string()[..8], 16).expect("digests are hexadecimal");
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + head % 500_000_000)
}

fn mark(path: &Path, digest: &Digest) -> io::Result<()> {
    // Opened for reading: the file is read-only, and the owner may set its times all the same.
    File::open(path)?.set_modified(mark_of(digest))
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(StoreError::io("sync", path))
}

/// Removes a file or a folder with everything in it, also folders without write permission.
fn remove(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()) {
        let _ = fs::remove_file(path);
    } else if fs::remove_dir_all(path).is_err() {
        for entry in walkdir::WalkDir::new(path).into_iter().flatten() {
            if entry.file_type().is_dir() {
                let _ = fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700));
            }
        }
        let _ = fs::remove_dir_all(path);
    }
}

/// A temporary folder of the store, which is removed when the value is dropped.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
    /// The open folder, locked: this tells other processes that the owner lives.
    _handle: File,
}

impl TempDir {
    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// A stage's result while it is written; dropped without commit, it is removed.
#[derive(Debug)]
pub struct StageWriter {
    temp: TempDir,
    to: PathBuf,
}

impl StageWriter {
    /// The folder to write the result into.
    pub fn path(&self) -> &Path {
        self.temp.path()
    }

    /// Makes the result durable and visible, and returns its final folder. When another run was
    /// faster, its result stands: same key, same content.
    ///
    /// # Errors
    /// A file cannot be flushed to the disk, or the folder cannot be moved to its final place. Nothing is visible then.
    pub fn commit(self) -> Result<PathBuf, StoreError> {
        for entry in walkdir::WalkDir::new(self.path()).contents_first(true) {
            let entry = entry.map_err(|error| StoreError::io("read", self.path())(error.into()))?;
            if !entry.file_type().is_symlink() {
                sync_folder(entry.path())?;
            }
        }
        let folder = self.to.parent().expect("stages are in folders");
        fs::create_dir_all(folder).map_err(StoreError::io("make the folder", folder))?;
        // The temporary folder is private; a result can be read like anything else in the cache.
        fs::set_permissions(self.path(), fs::Permissions::from_mode(0o755))
            .map_err(StoreError::io("write", self.path()))?;
        match fs::rename(self.path(), &self.to) {
            Err(_) if self.to.is_dir() => {}
            renamed => renamed.map_err(StoreError::io("write", &self.to))?,
        }
        sync_folder(folder)?;
        Ok(self.to.clone())
    }
}

#[cfg(test)]
#[path = "store/tests.rs"]
mod tests;
