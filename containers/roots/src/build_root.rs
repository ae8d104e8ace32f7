//! The build root: a root file system made of nothing but locked .debs. A cluster's node root is made the same way.
//!
//! The base packages are unpacked here, in Rust, into an archive that the engine imports; in a
//! container of it, without network, dpkg installs the same packages and all others. What comes out
//! is exported, normalised and imported again, under the digest of the normalised archive.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, Mount, MountType};
use engine::container::{Container, TemporaryImage, image_labels, import, isolated};
use engine::names::{self, LABEL_DIGEST, LABEL_KEY};
use engine::stream::{Failed, consume, pipe, pump};
use engine::transfer::{Content, Upload, put};
use engine::{Engine, Error};
use foundation::digest::Digest;
use recipe::root_lock::{LockKind, PinnedDeb, RootLock};
use recipe::target::Target;
use serde::{Deserialize, Serialize};

use crate::rootfs::{Normaliser, merge, verify};

/// The tool's own part in a root file system. The script is an input as it is; the number has to be raised when
/// this or `rootfs` make another root file system from the same lock.
pub const ASSEMBLY: [&str; 2] = ["assembly 2", SCRIPT];

const SCRIPT: &str = include_str!("../assets/assemble.sh");
/// The script that makes a cluster's node of such a root, sourced after the packages are installed.
pub const NODE_SCRIPT: &str = include_str!("../assets/node-root.sh");
/// The script that makes a virtual machine's root of a node's, sourced after that.
pub const MACHINE_SCRIPT: &str = include_str!("../assets/machine-root.sh");
/// Lines of output that an error shows.
const TAIL: usize = 30;

/// A root file system made of locked .debs, as an image in the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootImage {
    /// SHA-256 digest of its normalised tar: the same lock always gives the same.
    pub digest: Digest,
    /// The image's name in the engine. Its id is not stable, so nothing refers to that.
    pub image: String,
}

/// A root file system that compiles.
pub type BuildRoot = RootImage;

/// The root file system of a cluster's nodes.
pub type NodeRoot = RootImage;

/// The root file system of a cluster's virtual machines, with a kernel.
pub type MachineRoot = RootImage;

impl RootImage {
    /// Finds the root of this kind with this digest; none if the engine does not have it.
    ///
    /// # Errors
    /// The engine does not answer, or cannot say.
    pub async fn find(engine: &Engine, kind: LockKind, digest: Digest) -> Result<Option<Self>, Error> {
        let image = image_name(kind, &digest);
        let labels = image_labels(engine, &image).await?;
        let ours = labels.is_some_and(|labels| labels.get(LABEL_DIGEST) == Some(&digest.to_string()));
        Ok(ours.then_some(Self { digest, image }))
    }
}

/// The root's name in the names of images, as a label, and in the store: `build-root` or `node-root`.
pub fn slug(kind: LockKind) -> &'static str {
    match kind {
        LockKind::BuildRoot => "build-root",
        LockKind::NodeRoot => "node-root",
        LockKind::Machine => "machine-root",
        LockKind::Farm => "farm",
    }
}

fn image_name(kind: LockKind, digest: &Digest) -> String {
    names::image(slug(kind), &digest.short())
}

/// Makes the root file system of a lock, as an image in the engine, unless the engine has it. `debs` are the files of
/// all the lock's packages, and `progress` is told each step.
///
/// # Errors
/// A file is missing or not the one that the lock pins, a package cannot be unpacked or installed, or the engine does
/// not do its part.
pub async fn assemble(
    engine: &Engine,
    kind: LockKind,
    lock: &RootLock,
    target: &Target,
    debs: &[(PinnedDeb, PathBuf)],
    progress: &dyn Fn(&str),
) -> Result<RootImage, Error> {
    if let Some(missing) = lock.packages.iter().find(|pinned| !debs.iter().any(|(deb, _)| deb == *pinned)) {
        return Err(Error::Request(format!(
            "the file of {} {} is missing: run `cargo xtask fetch`",
            missing.name, missing.version
        )));
    }
    let (container, _image) = installed(engine, kind, target, lock.release_date, debs, progress).await?;
    let normaliser = Normaliser::new(&target.remove, lock.release_date)?;
    progress("hashing the root file system");
    let digest = digest(engine, &container, &normaliser).await?;
    if let Some(found) = RootImage::find(engine, kind, digest).await? {
        container.remove().await?;
        return Ok(found);
    }
    let image = image_name(kind, &digest);
    progress(&format!("importing {image}"));
    keep(engine, &container, normaliser, &image, slug(kind), &digest, &digest).await?;
    container.remove().await?;
    Ok(RootImage { digest, image })
}

/// Makes an image of the base packages alone, in which `cargo xtask lock` lets apt solve. `debs` need not be sorted;
/// all of them are installed. Times after `release_date` (Unix time in seconds) are set to it. The image is kept and
/// found again.
///
/// # Errors
/// As for [`assemble`].
pub async fn base_only(
    engine: &Engine,
    target: &Target,
    release_date: i64,
    debs: &[(PinnedDeb, PathBuf)],
    progress: &dyn Fn(&str),
) -> Result<RootImage, Error> {
    let mut digests: Vec<Digest> = debs.iter().map(|(deb, _)| deb.sha256).collect();
    digests.sort();
    let key = Digest::of_json(&(digests, &target.remove, &target.merged_folders, release_date, SCRIPT));
    let image = names::image("base", &key.short());
    if let Some(labels) = image_labels(engine, &image).await?
        && labels.get(LABEL_KEY) == Some(&key.to_string())
        && let Some(digest) = labels.get(LABEL_DIGEST).and_then(|text| text.parse().ok())
    {
        return Ok(RootImage { digest, image });
    }
    let debs: Vec<_> = debs.iter().map(|(deb, path)| (PinnedDeb { base: true, ..deb.clone() }, path.clone())).collect();
    let (container, _image) = installed(engine, LockKind::BuildRoot, target, release_date, &debs, progress).await?;
    let normaliser = Normaliser::new(&target.remove, release_date)?;
    let digest = digest(engine, &container, &normaliser).await?;
    keep(engine, &container, normaliser, &image, "base", &key, &digest).await?;
    container.remove().await?;
    Ok(RootImage { digest, image })
}

/// A container, ended, in which all packages are installed, and its image: Podman removes the containers of an image with it.
async fn installed(
    engine: &Engine,
    kind: LockKind,
    target: &Target,
    epoch: i64,
    debs: &[(PinnedDeb, PathBuf)],
    progress: &dyn Fn(&str),
) -> Result<(Container, TemporaryImage), Error> {
    progress(&format!("checking {} packages", debs.len()));
    let all = debs.to_vec();
    blocking(move || verify(&all)).await?;

    let base: Vec<_> = debs.iter().filter(|(deb, _)| deb.base).cloned().collect();
    if base.is_empty() {
        return Err(Error::Request(
            "no package of the lock is marked as base: make it again with `cargo xtask lock`".into(),
        ));
    }
    progress(&format!("unpacking the base ({} packages)", base.len()));
    let merging = target.clone();
    let image = TemporaryImage::import(engine, move |writer| merge(writer, &base, &merging)).await?;

    let mut host = isolated(engine);
    // In a volume without a name: it is not exported, and goes with the container.
    host.mounts = Some(vec![Mount { typ: Some(MountType::VOLUME), target: Some("/debs".into()), ..Mount::default() }]);
    let environment = [
        ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
    ];
    let mut command = vec!["-i".to_owned(), format!("SOURCE_DATE_EPOCH={epoch}")];
    command.extend(environment.iter().map(|(key, value)| format!("{key}={value}")));
    let scripts: &[(&str, &str)] = match kind {
        LockKind::BuildRoot | LockKind::Farm => &[("assemble.sh", SCRIPT)],
        LockKind::NodeRoot => &[("assemble.sh", SCRIPT), ("node-root.sh", NODE_SCRIPT)],
        LockKind::Machine => {
            &[("assemble.sh", SCRIPT), ("node-root.sh", NODE_SCRIPT), ("machine-root.sh", MACHINE_SCRIPT)]
        }
    };
    let sourced: Vec<String> = scripts.iter().map(|(name, _)| format!(". /debs/{name}")).collect();
    command.extend(["/bin/sh".to_owned(), "-c".into(), sourced.join("; ")]);
    let body = ContainerCreateBody {
        image: Some(image.name.clone()),
        entrypoint: Some(vec!["/usr/bin/env".into()]),
        cmd: Some(command),
        user: Some("0:0".into()),
        working_dir: Some("/".into()),
        hostname: Some("build".into()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let container = Container::create(engine, "build-root", body).await?;
    let mut uploads: Vec<Upload> =
        scripts.iter().map(|(name, content)| Upload::bytes(format!("/debs/{name}"), *content, 0o644)).collect();
    uploads.extend(debs.iter().map(|(deb, path)| {
        let folder = if deb.base { "base" } else { "rest" };
        let name = format!("{}_{}_{}.deb", deb.name, deb.version, deb.architecture);
        Upload { path: format!("/debs/{folder}/{name}"), content: Content::File(path.clone()), mode: 0o644 }
    }));
    put(engine, &container, "/debs", uploads, 0).await?;
    install(&container, kind, debs.len(), progress).await?;
    Ok((container, image))
}

/// Runs the container, whose script installs the packages, and tells how far it is.
async fn install(container: &Container, kind: LockKind, packages: usize, progress: &dyn Fn(&str)) -> Result<(), Error> {
    let mut tail: VecDeque<String> = VecDeque::new();
    let mut step = "starting".to_owned();
    let mut line = Vec::new();
    let (mut done, mut told) = (0, 0);
    let mut take = |bytes: &[u8]| {
        for byte in bytes {
            if *byte != b'\n' {
                line.push(*byte);
                continue;
            }
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            if let Some(name) = text.strip_prefix("=== ") {
                name.clone_into(&mut step);
                progress(name);
            }
            // Every package is unpacked once and set up once.
            if text.starts_with("Unpacking ") || text.starts_with("Setting up ") {
                done += 1;
                let percent = (done * 100 / (2 * packages).max(1)).min(99);
                if percent >= told + 20 {
                    told = percent / 20 * 20;
                    progress(&format!("{percent} %: {text}"));
                }
            }
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(text);
        }
    };
    let state = container.run(&format!("the {}", kind.noun()), |piece: LogOutput| take(piece.as_ref())).await?;
    match state.exit_code.unwrap_or(-1) {
        0 => Ok(()),
        exit if exit == 137 && state.oom_killed != Some(true) => {
            Err(Error::KilledFromOutside { name: format!("the {}", kind.noun()), exit })
        }
        exit => Err(Error::Root {
            what: kind.noun(),
            step,
            exit,
            tail: tail.make_contiguous().join("\n"),
            next: "where a package says that it depends on another one, the lock is incomplete: make it again with `cargo xtask lock`; \
                   otherwise a maintainer script does not work without network or services: name the package in an issue"
                .into(),
        }),
    }
}

async fn digest(engine: &Engine, container: &Container, normaliser: &Normaliser) -> Result<Digest, Error> {
    let docker = engine.patient();
    let normaliser = normaliser.clone();
    consume(docker.export_container(&container.id), move |reader| normaliser.digest(reader)).await.map_err(|failed| {
        match failed {
            Failed::Stream(error) => engine.error("exporting a root file system".into(), error),
            Failed::Reader(error) => error,
        }
    })
}

/// Imports a container's root file system. It is exported a second time for that: an archive of a gigabyte
/// never lies on this machine's disk, and its digest is known before the image gets its name.
async fn keep(
    engine: &Engine,
    container: &Container,
    normaliser: Normaliser,
    image: &str,
    kind: &str,
    key: &Digest,
    digest: &Digest,
) -> Result<(), Error> {
    let docker = engine.patient();
    let (sender, mut reader) = pipe();
    let labels = BTreeMap::from([(LABEL_KEY, key.to_string()), (LABEL_DIGEST, digest.to_string())]);
    let imported = import(engine, image, kind, &labels, move |writer| {
        normaliser.copy(&mut reader, writer)?;
        reader.drain()
    });
    match tokio::join!(pump(docker.export_container(&container.id), sender), imported) {
        (Some(error), _) => Err(engine.error("exporting a root file system".into(), error)),
        (None, imported) => imported,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
