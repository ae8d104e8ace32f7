//! What runs a machine's instructions: the processor, through KVM, or QEMU itself, which is some thirty times slower.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use roots::disk::Disk;
use tokio::process::Command;

use super::Error;
use super::machine::{QEMU, missing};

/// The device of KVM.
const DEVICE: &str = "/dev/kvm";
/// How long a kernel may take from its first instruction to the panic that is asked of it. A second is usual.
const PANIC: Duration = Duration::from_secs(10);

/// What runs a machine's instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor itself.
    Kvm,
    /// QEMU, and why.
    Emulation(String),
}

impl Accelerator {
    /// Finds out what this host can do. That the device is there says little, where the host is a virtual machine itself:
    /// the disk's own kernel is booted without a root file system, and has to come as far as to miss it.
    ///
    /// # Errors
    /// There is no QEMU.
    pub async fn find(disk: &Disk) -> Result<Self, Error> {
        if let Err(error) = std::fs::OpenOptions::new().read(true).write(true).open(DEVICE) {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => format!("there is no {DEVICE}"),
                _ => format!("{DEVICE} cannot be opened: {error}"),
            };
            return Ok(Self::Emulation(why));
        }
        let mut command = trial(&disk.kernel());
        let mut child = command.spawn().map_err(|error| missing(QEMU, &error))?;
        match tokio::time::timeout(PANIC, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(Self::Kvm),
            Ok(_) => Ok(Self::Emulation(format!("QEMU cannot use {DEVICE}"))),
            Err(_) => {
                let _ = child.kill().await;
                Ok(Self::Emulation(format!(
                    "a kernel under {DEVICE} came nowhere in {} s; is this host a virtual machine itself?",
                    PANIC.as_secs()
                )))
            }
        }
    }

    /// The arguments of QEMU.
    pub fn arguments(&self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Self::Emulation(_) => ["-accel", "tcg", "-cpu", "max,la57=off"],
        }
    }

    /// As a line for people.
    pub fn described(&self) -> String {
        match self {
            Self::Kvm => "KVM".into(),
            Self::Emulation(why) => format!("software emulation ({why})"),
        }
    }
}

/// A machine that ends by itself when its kernel finds no root file system.
fn trial(kernel: &Path) -> Command {
    let mut command = Command::new(QEMU);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-m", "256"]);
    command.args(Accelerator::Kvm.arguments()).arg("-kernel").arg(kernel).args(["-append", "panic=-1"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command
}
