//! A virtual machine: a process of QEMU on this host, which anybody may run, and its folder.
//!
//! It has two networks. Over the first one this tool talks with it, by ssh and through a port of loopback, and nothing else
//! comes in or out. The second one is the cluster's: packets that the machines' processes multicast on loopback.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use roots::disk::Disk;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::accelerator::Accelerator;
use super::seed::{CONTROL_ADDRESS, CONTROL_MAC, WEB_PORT};
use super::{Error, qmp};

/// The program that is a machine of this architecture.
pub const QEMU: &str = "qemu-system-x86_64";
/// How long a machine may take until it answers: an emulated processor is some thirty times slower, half a minute where the
/// host has nothing else to do, and more than five where it has.
const BOOT: Duration = Duration::from_secs(900);
/// The exit status by which ssh says that it has not reached the machine.
const UNREACHED: i32 = 255;
/// How long a machine's process may take to end once it has been told to; then it is killed.
const END: Duration = Duration::from_secs(10);
/// The file in a machine's folder with the number of its process.
const PROCESS: &str = "pid";
/// What the cluster's network is called in a machine's process.
const CLUSTER_NETWORK: &str = "cluster0";

/// What a machine is made with.
pub struct MachineSpec<'a> {
    /// The machine's name, also its host name.
    pub name: &'a str,
    /// Its folder, which has its seed and its keys.
    pub folder: PathBuf,
    /// The disk that it begins with.
    pub disk: &'a Disk,
    /// The archive of packages.
    pub packages: &'a Path,
    /// What runs its instructions.
    pub accelerator: &'a Accelerator,
    /// Its memory in MiB.
    pub memory: u32,
    /// The address of its card in the cluster's network.
    pub mac: &'a str,
    /// Group and port on loopback that are the cluster's network.
    pub network: (&'a str, u16),
    /// Further options of the kernel.
    pub kernel_options: &'a str,
}

/// A virtual machine that was started, by its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    folder: PathBuf,
}

/// How a machine boots again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// As its administrator asks for: everything is stopped in order.
    Reboot,
    /// As after a power cut: from one instruction to the next it is gone, and with it all that was not on the disk.
    PowerCut,
}

impl Machine {
    /// A machine that was started before, by its folder.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Starts a machine. Whether it boots is not waited for.
    ///
    /// # Errors
    /// Its folder cannot be written, or QEMU is not there or does not start.
    pub async fn start(spec: &MachineSpec<'_>) -> Result<Self, Error> {
        let (control, web) = (free_port()?, free_port()?);
        let machine = Self { folder: spec.folder.clone() };
        let path = machine.folder.join("config");
        fs::write(&path, config(control)).map_err(Error::io("write", &path))?;
        let path = machine.folder.join("web");
        fs::write(&path, web.to_string()).map_err(Error::io("write", &path))?;
        let (group, port) = spec.network;
        let text = |path: PathBuf| path.display().to_string();
        let drive = |file: String, more: &str| format!("file={},if=virtio,format=raw,{more}", file.replace(',', ",,"));
        let mut command = Command::new(QEMU);
        command.args(["-name", spec.name, "-machine", "q35", "-nodefaults", "-no-user-config", "-display", "none"]);
        command.args(spec.accelerator.arguments());
        command.args(["-smp", "1", "-m", &spec.memory.to_string()]);
        command.args(["-kernel", &text(spec.disk.kernel()), "-initrd", &text(spec.disk.initrd())]);
        let append = format!(
            "root=/dev/vda rootfstype=ext4 rw console=ttyS0 loglevel=4 panic=5 mitigations=off systemd.hostname={} {}",
            spec.name, spec.kernel_options
        );
        command.args(["-append", append.trim_end()]);
        // What is written goes into a file without a name, which ends with the process: a reboot or power cut keeps it.
        command.args(["-drive", &drive(text(spec.disk.image()), "snapshot=on,discard=unmap")]);
        command.args(["-drive", &drive("seed.tar".into(), "readonly=on")]);
        command.args(["-drive", &drive(text(spec.packages.to_owned()), "readonly=on")]);
        let forward = |port: u16, inside: u16| format!(",hostfwd=tcp:127.0.0.1:{port}-{CONTROL_ADDRESS}:{inside}");
        let user = format!("user,id=control0,restrict=on{}{}", forward(control, 22), forward(web, WEB_PORT));
        command.args([
            "-netdev",
            &user,
            "-device",
            &format!("virtio-net-pci,netdev=control0,mac={CONTROL_MAC},romfile="),
        ]);
        let lan = format!("socket,id={CLUSTER_NETWORK},mcast={group}:{port},localaddr=127.0.0.1");
        let card = format!("virtio-net-pci,netdev={CLUSTER_NETWORK},mac={},romfile=", spec.mac);
        command.args(["-netdev", &lan, "-device", &card, "-device", "virtio-rng-pci"]);
        command.args(["-serial", "file:console", "-qmp", "unix:qmp,server=on,wait=off", "-daemonize"]);
        // It leaves the folder for /, and its options tell it from a process that has its number later.
        command.args(["-pidfile", &text(machine.folder.join(PROCESS))]);
        command.current_dir(&machine.folder).env("TMPDIR", &machine.folder).stdin(Stdio::null());
        let output = command.output().await.map_err(|error| missing(QEMU, &error))?;
        succeeded(&format!("starting the machine {}", spec.name), &output)?;
        Ok(machine)
    }

    /// The port of loopback that leads to its web interface.
    pub fn web(&self) -> Option<u16> {
        fs::read_to_string(self.folder.join("web")).ok()?.parse().ok()
    }

    /// Runs a command on the machine, with these words, gives every piece of its output to `output`, and returns its exit
    /// status.
    ///
    /// # Errors
    /// The machine does not answer, or there is no ssh. Another exit status than 0 is no error.
    pub async fn stream(
        &self,
        words: impl IntoIterator<Item = String>,
        mut output: impl FnMut(LogOutput),
    ) -> Result<i64, Error> {
        let line: Vec<String> = words.into_iter().map(|word| quoted(&word)).collect();
        let mut child = self
            .ssh(&[&line.join(" ")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| missing("ssh", &error))?;
        let (mut out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let (mut from_out, mut from_err) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        let (mut more_out, mut more_err) = (true, true);
        let mut last = String::new();
        while more_out || more_err {
            tokio::select! {
                read = out.read(&mut from_out), if more_out => match read.unwrap_or(0) {
                    0 => more_out = false,
                    length => output(LogOutput::StdOut { message: from_out[..length].to_vec().into() }),
                },
                read = err.read(&mut from_err), if more_err => match read.unwrap_or(0) {
                    0 => more_err = false,
                    length => {
                        last = String::from_utf8_lossy(&from_err[..length]).trim_end().to_owned();
                        output(LogOutput::StdErr { message: from_err[..length].to_vec().into() });
                    }
                },
            }
        }
        match child.wait().await.map_err(|error| missing("ssh", &error))?.code() {
            Some(UNREACHED) | None => Err(self.wrong("talking with it", &last)),
            Some(code) => Ok(code.into()),
        }
    }

    /// Unpacks an uncompressed tar archive of this host into a folder of the machine.
    ///
    /// # Errors
    /// The archive cannot be read or unpacked, or the machine does not answer.
    pub async fn unpack(&self, archive: &Path, folder: &str) -> Result<(), Error> {
        let file = fs::File::open(archive).map_err(Error::io("read", archive))?;
        let line = format!("tar -x -C {} -f -", quoted(folder));
        let output = self.ssh(&[&line]).stdin(file).output().await.map_err(|error| missing("ssh", &error))?;
        succeeded("sending files to a machine", &output)
    }

    /// Waits until the machine answers, for a quarter of an hour at most; `before` is what told its last boot from others.
    ///
    /// # Errors
    /// It does not answer in that time: the error has the last lines of its console.
    pub async fn answers(&self, before: Option<&str>) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            if let Some(now) = self.boot().await
                && before != Some(now.as_str())
            {
                return Ok(());
            }
            if started.elapsed() > BOOT {
                let console = fs::read(self.folder.join("console")).unwrap_or_default();
                return Err(Error::Late {
                    what: format!("the machine {} did not answer", self.name()),
                    seconds: BOOT.as_secs(),
                    found: super::node::tail(&String::from_utf8_lossy(&console)),
                });
            }
            // What is left of a connection to the machine that was.
            self.hang_up().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// What tells a boot of the machine from others; none while it does not answer.
    async fn boot(&self) -> Option<String> {
        let mut ssh = self.ssh(&["cat /proc/sys/kernel/random/boot_id"]);
        let asked = tokio::time::timeout(Duration::from_secs(20), ssh.kill_on_drop(true).output());
        let output = asked.await.ok()?.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Lets the machine boot again, and waits until it answers.
    ///
    /// # Errors
    /// It does not answer before, or not within a quarter of an hour afterwards.
    pub async fn again(&self, how: Again) -> Result<(), Error> {
        let Some(before) = self.boot().await else { return Err(self.wrong("asking it", "it does not answer")) };
        match how {
            Again::Reboot => {
                // It may take its network away before ssh has said how the command ended.
                let _ = self.ssh(&["systemctl reboot"]).output().await;
            }
            Again::PowerCut => self.control("system_reset", serde_json::json!({})).await?,
        }
        self.hang_up().await;
        self.answers(Some(&before)).await
    }

    /// Plugs the machine into the cluster's network, or unplugs it.
    ///
    /// # Errors
    /// Its process does not answer.
    pub async fn plug(&self, plugged: bool) -> Result<(), Error> {
        self.control("set_link", serde_json::json!({ "name": CLUSTER_NETWORK, "up": plugged })).await
    }

    /// Ends the machine's process, by force if it does not listen; true if there was one.
    pub async fn end(&self) -> bool {
        let process = self.process();
        self.hang_up().await;
        let told = self.control("quit", serde_json::json!({})).await.is_ok();
        let Some(process) = process else { return told };
        let started = Instant::now();
        while self.is_process(process) && started.elapsed() < 2 * END {
            if !told || started.elapsed() > END {
                // It may have ended by itself at this moment.
                let _ = kill_process(process, Signal::KILL);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        true
    }

    /// The machine's process, while it runs.
    fn process(&self) -> Option<Pid> {
        let number = fs::read_to_string(self.folder.join(PROCESS)).ok()?;
        Pid::from_raw(number.trim().parse().ok()?).filter(|process| self.is_process(*process))
    }

    /// Whether a process is the machine's: it was given this very file for its number.
    fn is_process(&self, process: Pid) -> bool {
        let options = fs::read(format!("/proc/{}/cmdline", process.as_raw_nonzero())).unwrap_or_default();
        let own = self.folder.join(PROCESS);
        options.split(|byte| *byte == 0).any(|option| option == own.as_os_str().as_bytes())
    }

    async fn control(&self, command: &str, arguments: serde_json::Value) -> Result<(), Error> {
        let done = qmp::command(&self.folder, command, arguments).await;
        done.map_err(|error| self.wrong(&format!("telling its process to {command}"), &error.to_string()))
    }

    /// Ends the connection that commands share.
    async fn hang_up(&self) {
        let _ = self.ssh_with(&["-O", "exit"], &[]).stdin(Stdio::null()).output().await;
        let _ = fs::remove_file(self.folder.join("control"));
    }

    fn ssh(&self, command: &[&str]) -> Command {
        self.ssh_with(&[], command)
    }

    fn ssh_with(&self, options: &[&str], command: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        // Nothing of the user's own configuration; paths in this one are short, as sockets demand.
        ssh.args(["-F", "config"]).args(options).arg("machine").args(command).current_dir(&self.folder);
        ssh
    }

    fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn wrong(&self, step: &str, found: &str) -> Error {
        Error::Wrong { node: self.name(), step: step.to_owned(), found: found.to_owned() }
    }
}

/// The configuration of ssh for a machine.
fn config(port: u16) -> String {
    format!(
        "Host machine
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile key
    IdentitiesOnly yes
    UserKnownHostsFile known_hosts
    GlobalKnownHostsFile none
    HostKeyAlias machine
    StrictHostKeyChecking yes
    BatchMode yes
    LogLevel ERROR
    ConnectTimeout 15
    ServerAliveInterval 10
    ServerAliveCountMax 6
    ControlMaster auto
    ControlPath control
    ControlPersist 120
"
    )
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A port of loopback that nobody listens on.
fn free_port() -> Result<u16, Error> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(Error::io("find a free port of", "127.0.0.1"))
}

/// What to say where a program cannot be run.
pub fn missing(program: &'static str, error: &std::io::Error) -> Error {
    let package = match program {
        QEMU => "qemu-system-x86",
        _ => "openssh-client",
    };
    Error::NoProgram { program, package, why: error.to_string() }
}

/// Fails where a program of this host has failed.
pub fn succeeded(step: &str, output: &Output) -> Result<(), Error> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(Error::Wrong { node: "this host".into(), step: step.to_owned(), found: said })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that nobody can talk with is killed; one that only has the number of such a process is let be.
    #[tokio::test]
    async fn a_machine_that_does_not_listen_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::of(folder.path());
        let number = folder.path().join(PROCESS);
        let stands_in = |option: &Path| {
            let sleeps = ["-c", "while :; do sleep 0.1; done", "machine", "-pidfile"];
            let process = std::process::Command::new("sh").args(sleeps).arg(option).spawn().unwrap();
            // A process that has just been made has no options for a moment. QEMU writes its number itself, and later.
            let options = format!("/proc/{}/cmdline", process.id());
            while !fs::read(&options).unwrap().ends_with(b"pid\0") {
                std::thread::sleep(Duration::from_millis(1));
            }
            fs::write(&number, format!("{}\n", process.id())).unwrap();
            process
        };
        assert!(!machine.end().await);
        let mut foreign = stands_in(Path::new("/elsewhere/pid"));
        assert!(!machine.end().await);
        assert!(foreign.try_wait().unwrap().is_none());
        foreign.kill().unwrap();
        foreign.wait().unwrap();

        let mut own = stands_in(&number);
        assert!(machine.end().await);
        assert!(!own.wait().unwrap().success());
    }

    #[test]
    fn words_are_what_the_shell_takes_them_for() {
        for word in ["plain", "two words", "it's", "$HOME `id` \\ \" ; &", "", "a\nb"] {
            let script = format!("printf %s {}", quoted(word));
            let said = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
        }
    }
}
