//! Files into containers and volumes, and out of them; never by a mount of the user's folders,
//! so that a remote or rootless engine works the same.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder};
use tar::{Archive, Builder, EntryType, Header};

use crate::container::{Container, isolated, mount};
use crate::stream::{Failed, consume, produce};
use crate::{Engine, Error, is_missing};

/// Owner of everything in a volume, as number: the user `builder` of a build root.
pub const BUILDER: u64 = 1000;

/// Time stamp of everything that is uploaded (2001-09-09). One for all, so that the clock of the
/// machine cannot leak into a package, and make sees no generated file older than its source.
const UPLOAD_TIME: u64 = 1_000_000_000;

/// Something to put into a container or volume.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Absolute path inside of the container.
    pub path: String,
    /// What to put there.
    pub content: Content,
    /// Permissions of a file (`Bytes`, `File`), such as 0o644; folders and archives bring their own.
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

impl Upload {
    /// Makes a file of this content. `mode` is its permissions, such as 0o644.
    pub fn bytes(path: impl Into<String>, content: impl Into<Vec<u8>>, mode: u32) -> Self {
        Self { path: path.into(), content: Content::Bytes(content.into()), mode }
    }
}

/// Puts files into a volume, at paths below `/build`. `image` is any image with a folder `/build`; nothing is run in
/// it. Everything belongs to user and group 1000 afterwards.
///
/// # Errors
/// A path is not below `/build`, a file of this machine cannot be read or changes meanwhile, an archive has an entry
/// that leads out of its folder or is none of file, folder and link, or the engine refuses.
pub async fn upload(engine: &Engine, image: &str, volume: &str, uploads: &[Upload]) -> Result<(), Error> {
    let container = idle(engine, image, volume).await?;
    put(engine, &container, "/build", uploads.to_vec(), BUILDER).await?;
    container.remove().await
}

/// Fetches the folder or file `path` (absolute, below `/build`) of a volume into the existing folder `dest`: a folder's
/// content lands directly in `dest`, a file lands there under its name. Returns false if there is no such path.
///
/// # Errors
/// `dest` cannot be written, what the engine sends is no archive or has a name that leads out of it, or the engine
/// refuses. Nothing of a download that breaks off is left in `dest`.
pub async fn download(engine: &Engine, image: &str, volume: &str, path: &str, dest: &Path) -> Result<bool, Error> {
    let container = idle(engine, image, volume).await?;
    let found = get(engine, &container, path, dest).await?;
    container.remove().await?;
    Ok(found)
}

/// Fetches like [`download`], as an uncompressed tar archive written to the file `dest`, whose names start with the
/// last component of `path`. Returns false if there is no such path.
///
/// # Errors
/// As for [`download`]; the file `dest` stays then as it was.
pub async fn download_tar(engine: &Engine, image: &str, volume: &str, path: &str, dest: &Path) -> Result<bool, Error> {
    let container = idle(engine, image, volume).await?;
    let (origin, target) = (path.to_owned(), dest.to_owned());
    let found = get_with(engine, &container, path, move |reader| save(reader, &origin, &target)).await?;
    container.remove().await?;
    Ok(found.is_some())
}

/// A container that is never started: the way to a volume's files.
async fn idle(engine: &Engine, image: &str, volume: &str) -> Result<Container, Error> {
    let mut host = isolated(engine);
    host.readonly_rootfs = Some(true);
    host.mounts = Some(vec![mount(volume, "/build")]);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(vec!["/bin/true".into()]),
        user: Some(format!("{BUILDER}:{BUILDER}")),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    Container::create(engine, "transfer", body).await
}

/// Puts files below the folder `root` of a container. Folders on the way belong to `owner` too, unless that is 0
/// (root): in a root file system they mostly exist, and must keep their permissions.
///
/// # Errors
/// As for [`upload`], where `root` is the folder that each path has to be below.
pub async fn put(
    engine: &Engine,
    container: &Container,
    root: &'static str,
    uploads: Vec<Upload>,
    owner: u64,
) -> Result<(), Error> {
    let options = UploadToContainerOptionsBuilder::default().path(root).build();
    let (body, producer) = produce(move |writer| pack(writer, root, &uploads, owner));
    let docker = engine.patient();
    let sent = docker.upload_to_container(&container.id, Some(options), bollard::body_try_stream(body)).await;
    let produced = producer.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    match (sent, produced) {
        (Err(error), Ok(()) | Err(Error::Io { doing: "send to", .. })) => {
            Err(engine.error(format!("sending files to {root} in a container"), error))
        }
        (_, produced) => produced,
    }
}

/// Fetches a path from a container into the existing folder `dest`, as [`download`] does. Returns false if there is no
/// such path.
///
/// # Errors
/// As for [`download`].
pub async fn get(engine: &Engine, container: &Container, path: &str, dest: &Path) -> Result<bool, Error> {
    let (origin, target) = (path.to_owned(), dest.to_owned());
    Ok(get_with(engine, container, path, move |reader| unpack(reader, &origin, &target)).await?.is_some())
}

/// Has `read` read a path of a container as a tar archive, and returns what `read` does; none if there is no such path.
///
/// # Errors
/// `read` fails, or the engine refuses or is lost.
pub async fn get_with<T: Send + 'static>(
    engine: &Engine,
    container: &Container,
    path: &str,
    read: impl FnOnce(&mut dyn Read) -> Result<T, Error> + Send + 'static,
) -> Result<Option<T>, Error> {
    let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
    let docker = engine.patient();
    let stream = docker.download_from_container(&container.id, Some(options));
    match consume(stream, move |reader| read(reader)).await {
        Ok(value) => Ok(Some(value)),
        Err(Failed::Stream(error)) if is_missing(&error) => Ok(None),
        Err(Failed::Stream(error)) => Err(engine.error(format!("fetching {path} from a container"), error)),
        Err(Failed::Reader(error)) => Err(error),
    }
}

/// Writes uploads as one archive, with names relative to `root`.
fn pack(writer: &mut impl Write, root: &str, uploads: &[Upload], owner: u64) -> Result<(), Error> {
    let mut packer = Packer { builder: Builder::new(writer), made: std::collections::BTreeSet::new(), owner };
    for upload in uploads {
        let inside = Path::new(&upload.path)
            .strip_prefix(root)
            .ok()
            .filter(|path| path.components().all(|part| matches!(part, Component::Normal(_))))
            .ok_or_else(|| Error::Request(format!("{}: files can only be put below {root}", upload.path)))?;
        packer.add(inside, upload)?;
    }
    packer.builder.finish().map_err(Error::io("send to", "the engine"))
}

struct Packer<W: Write> {
    builder: Builder<W>,
    made: std::collections::BTreeSet<PathBuf>,
    owner: u64,
}

impl<W: Write> Packer<W> {
    fn header(&self, kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(self.owner);
        header.set_gid(self.owner);
        header.set_mtime(UPLOAD_TIME);
        header.set_size(size);
        header
    }

    fn folder(&mut self, path: &Path) -> Result<(), Error> {
        if path.as_os_str().is_empty() || !self.made.insert(path.to_owned()) {
            return Ok(());
        }
        self.parents(path)?;
        let mut header = self.header(EntryType::Directory, 0o755, 0);
        self.builder.append_data(&mut header, path, io::empty()).map_err(Error::io("send to", "the engine"))
    }

    fn parents(&mut self, path: &Path) -> Result<(), Error> {
        match path.parent() {
            Some(parent) if self.owner != 0 => self.folder(parent),
            _ => Ok(()),
        }
    }

    fn file(&mut self, path: &Path, mode: u32, size: u64, content: impl Read) -> Result<(), Error> {
        self.parents(path)?;
        let mut header = self.header(EntryType::Regular, mode, size);
        self.builder.append_data(&mut header, path, content).map_err(Error::io("send to", "the engine"))
    }

    fn link(&mut self, kind: EntryType, path: &Path, target: &Path) -> Result<(), Error> {
        self.parents(path)?;
        let mut header = self.header(kind, 0o777, 0);
        self.builder.append_link(&mut header, path, target).map_err(Error::io("send to", "the engine"))
    }

    fn host_file(&mut self, path: &Path, mode: u32, source: &Path) -> Result<(), Error> {
        let file = File::open(source).map_err(Error::io("read", source))?;
        let size = file.metadata().map_err(Error::io("read", source))?.len();
        // A file that shrinks while it is read would shift everything behind it: tar pads nothing by itself.
        let mut counted = Counted { inner: file.take(size), count: 0 };
        self.file(path, mode, size, &mut counted)?;
        if counted.count != size {
            return Err(Error::Archive {
                archive: source.display().to_string(),
                why: "it shrank while it was read; run the command again".into(),
            });
        }
        Ok(())
    }

    fn add(&mut self, inside: &Path, upload: &Upload) -> Result<(), Error> {
        match &upload.content {
            Content::Bytes(bytes) => self.file(inside, upload.mode, bytes.len() as u64, bytes.as_slice()),
            Content::File(source) => self.host_file(inside, upload.mode, source),
            Content::Directory(source) => self.directory(inside, source),
            Content::Tar(source) => self.archive(inside, source),
        }
    }

    /// Permissions are reduced to "executable or not": the umask of whoever checked the files out must
    /// not reach a package.
    fn directory(&mut self, inside: &Path, source: &Path) -> Result<(), Error> {
        use std::os::unix::fs::PermissionsExt;
        for entry in walkdir::WalkDir::new(source).sort_by_file_name() {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(source).to_owned();
                Error::io("read", path)(error.into())
            })?;
            let below = entry.path().strip_prefix(source).unwrap_or(entry.path());
            let path = if below.as_os_str().is_empty() { inside.to_owned() } else { inside.join(below) };
            let kind = entry.file_type();
            if kind.is_dir() {
                self.folder(&path)?;
            } else if kind.is_symlink() {
                let target = std::fs::read_link(entry.path()).map_err(Error::io("read", entry.path()))?;
                self.link(EntryType::Symlink, &path, &target)?;
            } else if kind.is_file() {
                let mode = entry
                    .metadata()
                    .map_err(|error| Error::io("read", entry.path())(error.into()))?
                    .permissions()
                    .mode();
                self.host_file(&path, if mode & 0o100 == 0 { 0o644 } else { 0o755 }, entry.path())?;
            } else {
                return Err(Error::Request(format!(
                    "{}: neither file, folder nor symlink; remove it",
                    entry.path().display()
                )));
            }
        }
        Ok(())
    }

    fn archive(&mut self, inside: &Path, source: &Path) -> Result<(), Error> {
        let name = source.display().to_string();
        let broken = |error: io::Error| Error::Archive { archive: name.clone(), why: error.to_string() };
        let file = File::open(source).map_err(Error::io("read", source))?;
        let mut archive = Archive::new(io::BufReader::with_capacity(1 << 20, file));
        self.folder(inside)?;
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = inside.join(safe(&entry.path().map_err(broken)?, &name)?);
            let mode = entry.header().mode().map_err(broken)?;
            match entry.header().entry_type() {
                EntryType::Directory => self.folder(&path)?,
                EntryType::Symlink => {
                    let target = entry.link_name().map_err(broken)?.unwrap_or_default().into_owned();
                    self.link(EntryType::Symlink, &path, &target)?;
                }
                EntryType::Link => {
                    let target = safe(&entry.link_name().map_err(broken)?.unwrap_or_default(), &name)?;
                    self.link(EntryType::Link, &path, &inside.join(target))?;
                }
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                    let size = entry.size();
                    self.file(&path, mode & 0o777 | 0o600, size, &mut entry)?;
                }
                EntryType::XGlobalHeader => {}
                kind => {
                    let why =
                        format!("{} is of the kind {kind:?}; only files, folders and links are taken", path.display());
                    return Err(Error::Archive { archive: name, why });
                }
            }
        }
        Ok(())
    }
}

struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.count += count as u64;
        Ok(count)
    }
}

/// Returns the name of an archive's entry, if it stays below the folder that the archive is unpacked in.
fn safe(path: &Path, archive: &str) -> Result<PathBuf, Error> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            _ => {
                return Err(Error::Archive {
                    archive: archive.to_owned(),
                    why: format!("the entry '{}' leads out of the archive's own folder", path.display()),
                });
            }
        }
    }
    Ok(clean)
}

/// Unpacks what the engine sent of `origin` into `dest`. It comes from a container in which foreign
/// code ran, so every name is checked, and no entry is written through a symlink.
fn unpack(reader: &mut dyn Read, origin: &str, dest: &Path) -> Result<(), Error> {
    let name = format!("the archive of {origin}");
    let broken = |error: io::Error| Error::Archive { archive: name.clone(), why: cause(&error) };
    // Beside the final names, so that a cut-off download leaves nothing that looks whole.
    let aside = tempfile::Builder::new().prefix(".download-").tempdir_in(dest).map_err(Error::io("write to", dest))?;
    let mut archive = Archive::new(reader);
    archive.set_preserve_permissions(true);
    archive.set_preserve_mtime(true);
    let mut is_folder = false;
    let mut first = None;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = safe(&entry.path().map_err(broken)?, &name)?;
        if entry.header().entry_type() == EntryType::Link {
            safe(&entry.link_name().map_err(broken)?.unwrap_or_default(), &name)?;
        }
        if first.is_none() {
            is_folder = entry.header().entry_type() == EntryType::Directory;
            first = path.components().next().map(|part| part.as_os_str().to_owned());
        }
        if !entry.unpack_in(aside.path()).map_err(broken)? {
            return Err(Error::Archive {
                archive: name,
                why: format!("the entry '{}' leads out of it", path.display()),
            });
        }
    }
    let Some(first) = first else { return Ok(()) };
    let top = aside.path().join(first);
    let moved = |from: &Path, name: &std::ffi::OsStr| {
        let to = dest.join(name);
        // Renaming replaces files, but no folder that has something in it.
        if to.is_dir() && !to.is_symlink() {
            std::fs::remove_dir_all(&to).map_err(Error::io("replace", &to))?;
        }
        std::fs::rename(from, &to).map_err(Error::io("write", &to))
    };
    if !is_folder {
        return moved(&top, top.file_name().unwrap_or_default());
    }
    for entry in std::fs::read_dir(&top).map_err(Error::io("read", &top))? {
        let entry = entry.map_err(Error::io("read", &top))?;
        moved(&entry.path(), &entry.file_name())?;
    }
    Ok(())
}

/// The innermost reason: the tar crate wraps its errors in texts that name only the temporary folder.
fn cause(error: &io::Error) -> String {
    let mut text = error.to_string();
    let mut inner = std::error::Error::source(error);
    while let Some(error) = inner {
        text = error.to_string();
        inner = error.source();
    }
    text
}

/// Saves what the engine sent as an archive, each name checked.
fn save(reader: &mut dyn Read, origin: &str, dest: &Path) -> Result<(), Error> {
    let name = format!("the archive of {origin}");
    let folder = dest.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io("write to", folder))?;
    {
        let mut tee = Tee { reader, writer: io::BufWriter::with_capacity(1 << 20, file.as_file_mut()) };
        let mut archive = Archive::new(&mut tee);
        let broken = |error: io::Error| Error::Archive { archive: name.clone(), why: error.to_string() };
        for entry in archive.entries().map_err(broken)? {
            let entry = entry.map_err(broken)?;
            safe(&entry.path().map_err(broken)?, &name)?;
            if entry.header().entry_type() == EntryType::Link {
                safe(&entry.link_name().map_err(broken)?.unwrap_or_default(), &name)?;
            }
        }
        io::copy(&mut tee, &mut io::sink()).map_err(Error::io("write", dest))?;
        tee.writer.flush().map_err(Error::io("write", dest))?;
    }
    file.persist(dest).map_err(|error| Error::io("write", dest)(error.error))?;
    Ok(())
}

struct Tee<'a, W> {
    reader: &'a mut dyn Read,
    writer: W,
}

impl<W: Write> Read for Tee<'_, W> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(out)?;
        self.writer.write_all(&out[..count])?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
