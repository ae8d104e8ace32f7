//! Installing and starting an engine where none answers.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{Engine, Error, listens};

/// How long a daemon may take until it answers.
const PATIENCE: Duration = Duration::from_secs(90);
/// Lines of a log that an error shows.
const TAIL: usize = 20;

/// Returns the engine that answers, or installs Debian's `docker.io` and starts it: through systemd where that is PID
/// 1, else as a background daemon whose pid and log are kept in the folder `state`.
///
/// # Errors
/// The environment names an engine and that does not answer, root is needed, apt or the daemon fails, `state` cannot be
/// written, or the engine does not answer within 90 seconds of its start.
pub async fn setup(state: &Path, progress: &dyn Fn(&str)) -> Result<Engine, Error> {
    match Engine::find().await {
        Err(Error::NoEngine { .. }) => {}
        // Where the user named an engine, installing another one would not help.
        found_or_named => return found_or_named,
    }
    let dockerd = match program("dockerd") {
        Some(path) => path,
        None => {
            install(state, progress).await?;
            program("dockerd").ok_or_else(|| Error::Setup {
                step: "apt-get install docker.io".into(),
                why: "it ended well, but there is no dockerd in /usr/sbin or /usr/bin".into(),
                next: "install a container engine yourself, then run the same command again".into(),
            })?
        }
    };
    if Path::new("/run/systemd/system").is_dir() {
        with_systemd(progress).await
    } else {
        in_background(&dockerd, &["/var/run/docker.sock"], &[], state, progress).await
    }
}

fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The error for an ordinary user: what has to be typed to do this step as root.
fn as_root(step: &str) -> Error {
    Error::Setup {
        step: step.to_owned(),
        why: "it needs root".into(),
        next: format!("run `sudo {step}`, then the same command again; or use a rootless engine and set DOCKER_HOST"),
    }
}

async fn install(state: &Path, progress: &dyn Fn(&str)) -> Result<(), Error> {
    const STEP: &str = "apt-get install docker.io";
    if program("apt-get").is_none() {
        return Err(Error::Setup {
            step: "installing docker.io".into(),
            why: "this machine has no apt-get".into(),
            next: "install Docker or Podman with your distribution's tools, start it, then run the same command again"
                .into(),
        });
    }
    if !root() {
        return Err(as_root(STEP));
    }
    progress("installing docker.io with apt-get (a minute or two)");
    fs::create_dir_all(state).map_err(Error::io("create", state))?;
    let log = state.join("apt-get.log");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(["-q", "-y", "-o", "DPkg::Lock::Timeout=300"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    if run(apt(&["install", "--no-install-recommends", "docker.io"]), &log).await?.is_ok() {
        return Ok(());
    }
    // Lists that are old or missing are the usual reason.
    progress("refreshing apt's package lists");
    let result = match run(apt(&["update"]), &log).await? {
        Ok(()) => run(apt(&["install", "--no-install-recommends", "docker.io"]), &log).await?,
        failed => failed,
    };
    result.map_err(|why| Error::Setup {
        step: STEP.into(),
        why: format!("{why}. The end of {}:\n{}", log.display(), tail(&log)),
        next: "set apt right (`apt-get update` tells more), then run the same command again".into(),
    })
}

/// Runs a command with its output in a log; the inner error says how it ended.
async fn run(mut command: Command, log: &Path) -> Result<Result<(), String>, Error> {
    let file = File::options().append(true).create(true).open(log).map_err(Error::io("write", log))?;
    let copy = file.try_clone().map_err(Error::io("write", log))?;
    command.stdin(Stdio::null()).stdout(file).stderr(copy);
    let name = command.get_program().to_owned();
    let status = tokio::task::spawn_blocking(move || command.status())
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        .map_err(Error::io("run", name))?;
    Ok(if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) })
}

async fn with_systemd(progress: &dyn Fn(&str)) -> Result<Engine, Error> {
    const STEP: &str = "systemctl enable --now docker.service";
    if !root() {
        return Err(as_root(STEP));
    }
    progress("starting docker.service");
    let output = Command::new("systemctl")
        .args(["enable", "--now", "docker.service"])
        .output()
        .map_err(Error::io("run", "systemctl"))?;
    let failed = |why: String| Error::Setup {
        step: STEP.into(),
        why,
        next: "`journalctl -u docker.service` tells why; set it right, then run the same command again".into(),
    };
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    answers(None).await.map_err(failed)
}

/// Starts dockerd as a daemon of its own session, so that it outlives this tool and its terminal.
async fn in_background(
    dockerd: &Path,
    sockets: &[&str],
    arguments: &[&str],
    state: &Path,
    progress: &dyn Fn(&str),
) -> Result<Engine, Error> {
    if !root() {
        return Err(as_root("dockerd"));
    }
    fs::create_dir_all(state).map_err(Error::io("create", state))?;
    let (log, pid_file) = (state.join("dockerd.log"), state.join("dockerd.pid"));
    progress(&format!("starting {} in the background (log: {})", dockerd.display(), log.display()));
    let file = File::options().append(true).create(true).open(&log).map_err(Error::io("write", &log))?;
    let copy = file.try_clone().map_err(Error::io("write", &log))?;
    forget_dead(Path::new("/var/run/docker.pid"), "dockerd");
    forget_dead(Path::new("/var/run/docker/containerd/containerd.pid"), "containerd");
    // A session of its own: Ctrl-C in the terminal, and the terminal's end, are meant for us alone.
    // setsid(1) becomes the daemon, under the same pid.
    let mut command = Command::new("/usr/bin/setsid");
    command.arg(dockerd).args(arguments).stdin(Stdio::null()).stdout(file).stderr(copy).current_dir("/");
    let mut child = command.spawn().map_err(Error::io("start", dockerd))?;
    let written = pid_file.with_extension("pid.new");
    fs::write(&written, format!("{}\n", child.id())).map_err(Error::io("write", &written))?;
    fs::rename(&written, &pid_file).map_err(Error::io("write", &pid_file))?;
    progress("waiting for it to answer");
    answers(Some((&mut child, sockets))).await.map_err(|why| Error::Setup {
        step: format!("starting {}", dockerd.display()),
        why: format!("{why}. The end of {}:\n{}", log.display(), tail(&log)),
        next: "a container or a kernel without overlay, iptables or cgroups cannot run one: \
               set DOCKER_HOST to an engine elsewhere, or set right what the log says and run the same command again"
            .into(),
    })
}

/// A killed dockerd leaves its pid file, and a new one refuses to start while any process has that pid,
/// be it a zombie or a stranger. The same goes for its containerd, which dies with it: the new dockerd
/// would wait for it in vain.
fn forget_dead(pid_file: &Path, name: &str) {
    let Some(pid) = fs::read_to_string(pid_file).ok().and_then(|text| text.trim().parse::<u32>().ok()) else { return };
    // proc(5): `pid (comm) state …`
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let alive = stat.split_once(&format!("({name}) ")).is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']));
    if !alive {
        let _ = fs::remove_file(pid_file);
    }
}

/// Waits until the engine answers; the error is the reason why it never will.
async fn answers(mut daemon: Option<(&mut Child, &[&str])>) -> Result<Engine, String> {
    let begin = std::time::Instant::now();
    loop {
        if let Some((child, _)) = &mut daemon
            && let Ok(Some(status)) = child.try_wait()
        {
            return Err(format!("it ended at once with {status}"));
        }
        let ready = daemon.as_ref().is_none_or(|(_, sockets)| sockets.iter().any(|socket| listens(Path::new(socket))));
        let last = if ready {
            match Engine::find().await {
                Ok(engine) => return Ok(engine),
                Err(error) => error.to_string(),
            }
        } else {
            "nobody listens on its socket".to_owned()
        };
        if begin.elapsed() > PATIENCE {
            return Err(format!("it did not answer within {} s: {last}", PATIENCE.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(16 << 10)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| error.to_string());
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use foundation::failure::Failure;
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    #[test]
    fn the_pid_file_of_a_dead_daemon_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("docker.pid");
        // This process lives, but is no dockerd.
        fs::write(&file, std::process::id().to_string()).unwrap();
        forget_dead(&file, "dockerd");
        assert!(!file.exists());
        let fake = folder.path().join("dockerd");
        fs::copy("/bin/sleep", &fake).unwrap();
        let mut child = Command::new(&fake).arg("60").spawn().unwrap();
        fs::write(&file, child.id().to_string()).unwrap();
        forget_dead(&file, "dockerd");
        assert!(file.exists(), "it runs");
        child.kill().unwrap();
        // Waits until it has ended, and leaves it to be waited for: a zombie.
        let pid = rustix::process::Pid::from_child(&child);
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), ended).unwrap();
        forget_dead(&file, "dockerd");
        assert!(!file.exists(), "it is a zombie");
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_daemon_that_dies_shows_the_end_of_its_log() {
        let state = tempfile::tempdir().unwrap();
        let fake = state.path().join("dockerd");
        fs::write(&fake, "#!/bin/sh\ni=0; while [ $i -lt 50 ]; do i=$((i + 1)); echo line $i; done; echo 'failed: no overlay' >&2; exit 1\n").unwrap();
        fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let result = in_background(&fake, &["/nonexistent.sock"], &[], state.path(), &|_| ()).await;
        let text = result.unwrap_err().message();
        if !root() {
            assert!(text.contains("sudo dockerd"), "{text}");
            return;
        }
        assert!(
            text.contains("exit status: 1") && text.contains("failed: no overlay") && text.contains("DOCKER_HOST"),
            "{text}"
        );
        assert!(text.contains("line 50") && !text.contains("line 20\n"), "{text}");
        let pid = fs::read_to_string(state.path().join("dockerd.pid")).unwrap();
        assert!(pid.trim().parse::<u32>().is_ok(), "{pid}");
    }
}
