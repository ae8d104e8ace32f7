//! The disk of a virtual machine: a root file system as an image of ext4, with its kernel beside it.
//!
//! Written in a container of that very root, by its own mke2fs: whoever runs this needs no root on the host, and the owners
//! of files are right.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, Mount, MountType};
use engine::container::{Container, isolated};
use engine::transfer::get;
use engine::{Engine, Error};

use crate::build_root::MachineRoot;

/// The script that writes it. It is an input: another script makes another disk.
pub const SCRIPT: &str = include_str!("../assets/machine-disk.sh");

/// How large the disk is for the machine, in bytes. What nobody writes takes no room.
const SIZE: u64 = 8 << 30;

/// A disk and what boots it, as files of this host.
#[derive(Clone, Debug)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// The disk whose files are in a folder.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The image, which is not to be written to.
    pub fn image(&self) -> PathBuf {
        self.folder.join("machine/disk")
    }

    /// The kernel.
    pub fn kernel(&self) -> PathBuf {
        self.folder.join("machine/kernel")
    }

    /// The initial file system, with the drivers that find the disk.
    pub fn initrd(&self) -> PathBuf {
        self.folder.join("machine/initrd")
    }
}

/// Writes the disk of a root into a folder.
///
/// # Errors
/// The root has no kernel, the engine does not do its part, or the folder cannot be written.
pub async fn write(engine: &Engine, root: &MachineRoot, folder: &Path) -> Result<Disk, Error> {
    let mut host = isolated(engine);
    // In a volume without a name: it goes with the container.
    host.mounts = Some(vec![Mount { typ: Some(MountType::VOLUME), target: Some("/disk".into()), ..Mount::default() }]);
    let digest = root.digest.to_string();
    let hex: String = digest.chars().filter(char::is_ascii_hexdigit).rev().take(32).collect();
    let seed = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    let command = [
        "-i",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL=C.UTF-8",
        &format!("SEED={seed}"),
        "/bin/sh",
        "-c",
        SCRIPT,
    ]
    .map(str::to_owned);
    let body = ContainerCreateBody {
        image: Some(root.image.clone()),
        entrypoint: Some(vec!["/usr/bin/env".into()]),
        cmd: Some(command.into()),
        user: Some("0:0".into()),
        working_dir: Some("/".into()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let container = Container::create(engine, "machine-disk", body).await?;
    let mut said = Vec::new();
    let take = |piece: LogOutput| said.extend_from_slice(piece.as_ref());
    let state = container.run("the disk of virtual machines", take).await?;
    if let exit @ 1.. = state.exit_code.unwrap_or(-1).abs() {
        return Err(Error::Root {
            what: "disk of virtual machines",
            step: "writing it".into(),
            exit,
            tail: String::from_utf8_lossy(&said).trim_end().to_owned(),
            next: "make room for the engine, or lock other packages: `machine` in the target's file names them".into(),
        });
    }
    let made = folder.join("machine");
    std::fs::create_dir(&made).map_err(Error::io("make the folder", &made))?;
    get(engine, &container, "/disk/machine", &made).await?;
    container.remove().await?;
    let disk = Disk::of(folder);
    let image = disk.image();
    let file = OpenOptions::new().write(true).open(&image).map_err(Error::io("open", &image))?;
    file.set_len(SIZE).map_err(Error::io("enlarge", &image))?;
    Ok(disk)
}
