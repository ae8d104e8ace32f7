//! A machine that installs from a repository: the real apt and dpkg with a root of their own, and real servers.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::debian::{self, Release};
use crate::{Ran, judge, replace, run};

/// A free port on loopback, below those that the system gives to whoever connects somewhere: nobody takes it in between, and
/// apt-cacher-ng knows no higher ones.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Tests are processes of their own: each begins elsewhere.
        let next = std::process::id().wrapping_mul(16).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + next % 20_000).expect("it is below 30,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// nginx on loopback; it ends with this.
pub struct Server {
    folder: tempfile::TempDir,
    process: Child,
    port: u16,
}

impl Server {
    /// Serves a folder.
    pub fn new(root: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let top = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {top}/{name};\n"))
            .collect();
        let configuration = format!(
            "daemon off;\nuser root;\nworker_processes 1;\npid {top}/pid;\nerror_log {top}/error.log;\n\
             events {{ worker_connections 64; }}\nhttp {{\naccess_log {top}/access.log;\n{temporary}\
             server {{ listen 127.0.0.1:{port}; root {top}/www; }}\n}}\n"
        );
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let process = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(folder.path().join("nginx.conf"))
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx runs");
        let server = Self { folder, process, port };
        server.serve(root);
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "nginx does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Serves another folder from now on, under the same address.
    pub fn serve(&self, root: &Path) {
        let link = self.folder.path().join("www");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(root, link).unwrap();
    }

    /// Its address.
    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The paths that were asked for, with the status of the answer.
    pub fn requests(&self) -> Vec<(String, String)> {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        let parse = |line: &str| {
            let (_, rest) = line.split_once('"')?;
            let (request, rest) = rest.split_once('"')?;
            Some((request.split(' ').nth(1)?.to_owned(), rest.split(' ').nth(1)?.to_owned()))
        };
        log.lines().filter_map(parse).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The main process takes its worker with it.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// rsync as a server on loopback.
pub struct Rsyncd {
    folder: tempfile::TempDir,
    process: Child,
    port: u16,
}

impl Rsyncd {
    /// Lets everybody read and write a folder, as the module `www`.
    pub fn new(module: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let top = folder.path().display();
        let configuration = format!(
            "address = 127.0.0.1\nport = {port}\nuse chroot = no\nlog file = {top}/log\npid file = {top}/pid\n\
             [www]\npath = {}\nread only = no\nuid = root\ngid = root\ntransfer logging = yes\nlog format = %o %f\n",
            module.display()
        );
        fs::write(folder.path().join("rsyncd.conf"), configuration).unwrap();
        let process = Command::new("rsync")
            .args(["--daemon", "--no-detach", "--config"])
            .arg(folder.path().join("rsyncd.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("rsync runs");
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "rsync does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { folder, process, port }
    }

    /// The address of what is below that folder.
    pub fn uri(&self, name: &str) -> String {
        format!("rsync://127.0.0.1:{}/www/{name}", self.port)
    }

    /// What it received and removed, in order.
    pub fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        let words = |line: &str| Some(line.split("] ").nth(1)?.to_owned());
        log.lines().filter_map(words).filter(|line| line.starts_with("recv ") || line.starts_with("del.")).collect()
    }
}

impl Drop for Rsyncd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The one file at a repository's top whose name ends like this.
fn at_top(repository: &Path, end: &str) -> PathBuf {
    let files = fs::read_dir(repository).unwrap().map(|entry| entry.unwrap().path());
    let mut found = files.filter(|path| path.to_string_lossy().ends_with(end));
    let first = found.next().unwrap_or_else(|| panic!("no *{end} in {}", repository.display()));
    assert!(found.next().is_none(), "several *{end} in {}", repository.display());
    first
}

/// apt-cacher-ng on loopback, a cache between clients and servers; it ends with this.
pub struct Cacher {
    _folder: tempfile::TempDir,
    process: Child,
    port: u16,
}

impl Cacher {
    /// Lets clients through to this server. It goes to other ports than 80 only where it was told so, and hands out what apt
    /// fetches: with the pattern also what people fetch in the beginning.
    pub fn new(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let top = folder.path().display();
        let configuration = format!(
            "CacheDir: {top}/cache\nLogDir: {top}/log\nSocketPath: {top}/socket\nBindAddress: 127.0.0.1\nPort: {port}\n\
             AllowUserPorts: {}\nForeGround: 1\nSupportDir: /usr/lib/apt-cacher-ng\n\
             VfilePatternEx: \\.(sources|pref)$\n",
            server.port
        );
        for name in ["conf", "cache", "log"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("conf/acng.conf"), configuration).unwrap();
        let process = Command::new("apt-cacher-ng")
            .arg("-c")
            .arg(folder.path().join("conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("apt-cacher-ng runs");
        let mut cacher = Self { _folder: folder, process, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "apt-cacher-ng does not answer");
            assert_eq!(cacher.process.try_wait().unwrap(), None, "apt-cacher-ng has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        cacher
    }

    /// Its address.
    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Cacher {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A machine with nothing installed. Nothing of this machine's apt configuration counts.
pub struct Client {
    /// Its root.
    root: PathBuf,
    _folder: tempfile::TempDir,
    /// Whose apt and dpkg it has; `None` for those of the machine that the tests run on, with a root that has only data.
    release: Option<Release>,
}

/// What apt had to say of an update.
#[derive(Debug)]
pub struct Report {
    /// The run.
    pub ran: Ran,
    /// Lines that say why something did not work.
    pub errors: Vec<String>,
    /// Lines that say what should be otherwise: warnings, notices and audits.
    pub warnings: Vec<String>,
}

impl Report {
    fn new(ran: Ran) -> Self {
        let begin = |starts: &[&str]| {
            let lines = ran.stderr.lines().filter(|line| starts.iter().any(|start| line.starts_with(start)));
            lines.map(str::to_owned).collect()
        };
        let (errors, warnings) = (begin(&["E: "]), begin(&["W: ", "N: ", "A: "]));
        Self { ran, errors, warnings }
    }

    /// Fails the test unless everything was fetched and apt had nothing to say.
    #[track_caller]
    pub fn silent(self) -> Ran {
        assert_eq!((&self.errors, &self.warnings), (&vec![], &vec![]), "{}{}", self.ran.stdout, self.ran.stderr);
        self.ran.success()
    }

    /// Fails the test unless something was refused with these words.
    #[track_caller]
    pub fn refused(self, says: &str) {
        assert_ne!(self.ran.code, Some(0), "{}{}", self.ran.stdout, self.ran.stderr);
        assert!(self.errors.iter().any(|line| line.contains(says)), "'{says}' is not in:\n{}", self.ran.stderr);
    }
}

/// What changes the time of a program, in Debian's place for it.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

impl Client {
    /// A machine that knows the repository in this folder, with apt and dpkg of the machine that the tests run on.
    pub fn new(repository: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let client = Self { root: folder.path().to_owned(), _folder: folder, release: None };
        let root = client.root.display();
        let configuration = format!(
            "Dir \"{root}/\";\nDir::Etc::parts \"/dev/null\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\n\
             Dir::Log \"{root}/var/log/apt\";\nAPT::Sandbox::User \"root\";\n\
             DPkg::Options {{ \"--root={root}\"; \"--log=/dev/null\"; }};\n"
        );
        client.begin(&configuration, repository);
        client
    }

    /// The same with apt and dpkg of a release of Debian.
    pub fn of(release: Release, repository: &Path) -> Self {
        let folder = debian::beside_the_roots();
        let root = folder.path().join("root");
        let (from, to) = (release.root().display().to_string(), root.display().to_string());
        judge("cp", &["--archive", "--link", &from, &to], folder.path());
        let client = Self { root, _folder: folder, release: Some(release) };
        client.begin("", repository);
        client
    }

    /// Prepares its folders and apt's configuration, which begins with this, and adds the repository.
    fn begin(&self, configuration: &str, repository: &Path) {
        for folder in [
            "etc/apt/sources.list.d",
            "etc/apt/preferences.d",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/log/apt",
        ] {
            fs::create_dir_all(self.path(folder)).unwrap();
        }
        fs::write(self.path("var/lib/dpkg/status"), "").unwrap();
        let common = "APT::Architecture \"amd64\";\nAPT::Architectures { \"amd64\"; };\nAPT::Get::Assume-Yes \"true\";\n\
             Acquire::http::Proxy \"DIRECT\";\nAcquire::Languages \"none\";\nDPkg::Options { \"--force-unsafe-io\"; };\n\
             Dpkg::Use-Pty \"0\";\n";
        fs::write(self.path("apt.conf"), format!("{configuration}{common}")).unwrap();
        self.add(repository);
    }

    /// Fetches through this proxy from now on.
    pub fn use_proxy(&self, uri: &str) {
        replace(&self.path("apt.conf"), "\"DIRECT\"", &format!("\"{uri}\""));
    }

    /// Gets to know the repository in this folder: it has the keyring package installed and the `.sources` file, as they are
    /// at its top.
    pub fn add(&self, repository: &Path) {
        let deb = self.path("keyring.deb");
        fs::copy(at_top(repository, "-archive-keyring.deb"), &deb).unwrap();
        self.dpkg(&["--install", &self.inside("keyring.deb")]).success();
        fs::remove_file(deb).unwrap();
        self.use_sources(repository, "bookworm");
    }

    /// A path in its root.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The same as its programs call it.
    fn inside(&self, name: &str) -> String {
        match self.release {
            Some(_) => format!("/{name}"),
            None => self.path(name).display().to_string(),
        }
    }

    /// Takes over a `.sources` file. Only the key ring's place differs where apt looks for it outside of its root.
    pub fn use_sources(&self, repository: &Path, codename: &str) {
        let sources = at_top(repository, &format!("-{codename}.sources"));
        let text = fs::read_to_string(&sources).unwrap();
        let ring = text.lines().find_map(|line| line.strip_prefix("Signed-By: /")).unwrap();
        let name = ring.strip_prefix("usr/share/keyrings/").unwrap().strip_suffix("-archive-keyring.gpg").unwrap();
        let text = text.replace(&format!("/{ring}"), &self.inside(ring));
        fs::write(self.path(&format!("etc/apt/sources.list.d/{name}.sources")), text).unwrap();
    }

    /// Runs one of its programs, at this time if one is given.
    fn command(&self, time: Option<i64>, program: &str, arguments: &[&str]) -> Ran {
        let clock = time.map_or_else(Vec::new, |time| {
            let present = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed();
            // What files say of their age is no part of it: servers are asked by that for what is newer.
            let ahead = [format!("FAKETIME={:+}", time - present), "NO_FAKE_STAT=1".into()];
            let mut clock = vec!["env".to_owned()];
            clock.extend(ahead);
            clock.push(format!("LD_PRELOAD={FAKETIME}"));
            clock
        });
        let mut command = match self.release {
            Some(_) => {
                let mut command = Command::new("chroot");
                command.arg(&self.root).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
                command
            }
            None => Command::new("env"),
        };
        command.args(clock).arg(program).args(arguments);
        command.env("APT_CONFIG", self.inside("apt.conf")).env("LC_ALL", "C.UTF-8");
        command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        for proxy in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        run(&mut command)
    }

    /// Runs apt-get at another time, a Unix time in seconds, and goes on from there.
    pub fn apt_at(&self, time: i64, arguments: &[&str]) -> Ran {
        self.command(Some(time), "apt-get", arguments)
    }

    /// [`update`](Self::update) at another time.
    pub fn update_at(&self, time: i64) -> Ran {
        self.apt_at(time, &["update", "--error-on=any"])
    }

    /// The same with everything that apt has to say: a machine whose administrator reads it.
    pub fn report_at(&self, time: i64) -> Report {
        let audit: &[&str] = if self.release.is_some_and(Release::audits) { &["--audit"] } else { &[] };
        Report::new(self.apt_at(time, &[&["update", "--error-on=any"], audit].concat()))
    }

    /// Runs apt-get.
    pub fn apt(&self, arguments: &[&str]) -> Ran {
        self.command(None, "apt-get", arguments)
    }

    /// Runs dpkg.
    pub fn dpkg(&self, arguments: &[&str]) -> Ran {
        let root = format!("--root={}", self.inside(""));
        self.command(None, "dpkg", &[&[root.as_str(), "--log=/dev/null"], arguments].concat())
    }

    /// `apt-get update`, which counts as failed if anything at all is wrong.
    pub fn update(&self) -> Ran {
        self.apt(&["update", "--error-on=any"])
    }

    /// The installed version of a package.
    pub fn installed(&self, package: &str) -> Option<String> {
        let status = fs::read_to_string(self.path("var/lib/dpkg/status")).unwrap();
        let paragraph =
            status.split("\n\n").find(|text| text.lines().any(|line| line == format!("Package: {package}")))?;
        let field = |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        (field("Status")? == "install ok installed").then(|| field("Version").unwrap().to_owned())
    }

    /// The version that apt would install.
    pub fn candidate(&self, package: &str) -> Option<String> {
        let said = self.command(None, "apt-cache", &["policy", package]).success().stdout;
        let line = said.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
        (line != "(none)").then(|| line.to_owned())
    }
}
