//! The local apt repository of a cluster: a volume with the packages of a `dist` folder and their index, which every
//! node sees as a folder. It is not signed: nodes are told to trust it (`[trusted=yes]`), because only this tool writes it.

use std::fs;
use std::path::{Path, PathBuf};

use bollard::container::LogOutput;
use bollard::models::ContainerCreateBody;
use engine::Engine;
use engine::container::{Container, isolated, mount};
use engine::transfer::{Content, Upload, get_with, put};

use super::Error;
use super::names::Names;
use super::node::tail;

/// The folder where nodes see it.
pub const FOLDER: &str = "/srv/packages";

/// A script that makes a node take packages from it, and from nowhere else: the node root has no other source.
pub const CONFIGURE: &str = "echo 'deb [trusted=yes] file:/srv/packages ./' >/etc/apt/sources.list.d/packages.list
apt-get --quiet update";

/// A script that makes a node take the next versions as well, which [`add_next`] makes.
pub const CONFIGURE_NEXT: &str = "for folder in packages packages/next; do
    echo \"deb [trusted=yes] file:/srv/$folder ./\"
done >/etc/apt/sources.list.d/packages.list
apt-get --quiet update";

/// What the next versions end with.
pub const NEXT: &str = "+next";

/// The files of the packages of a `dist` folder that an administrator's repository would have, sorted; debug symbols
/// are kept apart, as Debian does.
///
/// # Errors
/// The folder has no such package, is not there, or cannot be read.
pub fn packages(dist: &Path, recipe: &str) -> Result<Vec<PathBuf>, Error> {
    let none = || Error::NoPackages { dist: dist.to_owned(), recipe: recipe.to_owned() };
    let mut found: Vec<PathBuf> = match fs::read_dir(dist) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(none()),
        Err(error) => return Err(Error::io("read", dist)(error)),
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
    };
    found.retain(|path| path.extension().is_some_and(|kind| kind == "deb") && !name(path).contains("-dbgsym_"));
    found.sort();
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Makes the cluster's volume, fills it with these packages, and lets Debian's own apt-ftparchive write the index.
/// `image` is the node root.
///
/// # Errors
/// A package cannot be read, apt-ftparchive fails, or the engine does not do its part.
pub async fn fill(engine: &Engine, names: &Names, image: &str, debs: &[PathBuf]) -> Result<(), Error> {
    names.make_volume(engine).await?;
    let upload = |deb: &PathBuf| Upload {
        path: format!("{FOLDER}/{}", name(deb)),
        content: Content::File(deb.clone()),
        mode: 0o644,
    };
    let script = "cd /srv/packages && apt-ftparchive packages . >Packages.new && mv Packages.new Packages";
    work(engine, names, image, script, debs.iter().map(upload).collect()).await
}

/// Adds a file that is no package, in a folder of its own, and returns the path at which nodes see it.
///
/// # Errors
/// The file cannot be read, or the engine does not do its part.
pub async fn add_file(
    engine: &Engine,
    names: &Names,
    image: &str,
    name: &str,
    content: PathBuf,
) -> Result<String, Error> {
    let path = format!("{FOLDER}/files/{name}");
    let upload = Upload { path: path.clone(), content: Content::File(content), mode: 0o644 };
    work(engine, names, image, ":", vec![upload]).await?;
    Ok(path)
}

/// Writes the repository into an uncompressed tar archive of this host, whose names start with the folder's.
///
/// # Errors
/// The file cannot be written, or the engine does not do its part.
pub async fn archive(engine: &Engine, names: &Names, image: &str, dest: &Path) -> Result<(), Error> {
    let mut host = isolated(engine);
    host.mounts = Some(vec![mount(&names.volume(), FOLDER)]);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(vec!["/bin/true".into()]),
        labels: Some(names.labels()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let container = Container::create(engine, "cluster", body).await?;
    let path = dest.to_owned();
    get_with(engine, &container, FOLDER, move |reader| {
        let mut file = fs::File::create(&path).map_err(engine::Error::io("write", &path))?;
        std::io::copy(reader, &mut file).map_err(engine::Error::io("write", &path))
    })
    .await?;
    container.remove().await?;
    Ok(())
}

/// Adds a higher version of every package, in a folder of its own that nodes do not take packages from unless they are
/// told to.
///
/// # Errors
/// A package cannot be taken apart and put together again, or the engine does not do its part.
pub async fn add_next(engine: &Engine, names: &Names, image: &str) -> Result<(), Error> {
    let script = format!("SUFFIX={NEXT}\n{}", include_str!("../assets/next-version.sh"));
    work(engine, names, image, &script, Vec::new()).await
}

/// Runs a script in a container that may write the repository.
async fn work(engine: &Engine, names: &Names, image: &str, script: &str, uploads: Vec<Upload>) -> Result<(), Error> {
    let mut host = isolated(engine);
    host.mounts = Some(vec![mount(&names.volume(), FOLDER)]);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(["/bin/sh", "-c", script].map(str::to_owned).into()),
        labels: Some(names.labels()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let container = Container::create(engine, "cluster", body).await?;
    if !uploads.is_empty() {
        put(engine, &container, FOLDER, uploads, 0).await?;
    }
    let mut said = Vec::new();
    let state =
        container.run("the local repository", |piece: LogOutput| said.extend_from_slice(piece.as_ref())).await?;
    container.remove().await?;
    match state.exit_code.unwrap_or(-1) {
        0 => Ok(()),
        exit => Err(Error::Step {
            node: "the local repository".into(),
            step: "writing it".into(),
            exit,
            tail: tail(&String::from_utf8_lossy(&said)),
        }),
    }
}
