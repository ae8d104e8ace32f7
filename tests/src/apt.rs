//! A machine that installs from a repository: the real apt and dpkg with a root of their own, and real servers.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Ran, run};

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
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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

/// A machine with nothing installed. Nothing of this machine's apt configuration counts.
pub struct Client {
    root: tempfile::TempDir,
}

impl Client {
    /// A machine that knows the repository in this folder.
    pub fn new(repository: &Path) -> Self {
        let client = Self { root: tempfile::tempdir().unwrap() };
        for folder in [
            "etc/apt/sources.list.d",
            "etc/apt/preferences.d",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/log/apt",
        ] {
            fs::create_dir_all(client.path(folder)).unwrap();
        }
        fs::write(client.path("var/lib/dpkg/status"), "").unwrap();
        let root = client.root.path().display();
        let configuration = format!(
            "Dir \"{root}/\";\nDir::Etc::parts \"/dev/null\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\n\
             Dir::Log \"{root}/var/log/apt\";\nAPT::Sandbox::User \"root\";\nAPT::Architecture \"amd64\";\n\
             APT::Architectures {{ \"amd64\"; }};\nAPT::Get::Assume-Yes \"true\";\nAcquire::http::Proxy \"DIRECT\";\n\
             Acquire::Languages \"none\";\nDPkg::Options {{ \"--root={root}\"; \"--log=/dev/null\"; \"--force-unsafe-io\"; }};\n\
             Dpkg::Use-Pty \"0\";\n"
        );
        fs::write(client.path("apt.conf"), configuration).unwrap();
        client.add(repository);
        client
    }

    /// Gets to know the repository in this folder: it has the keyring package installed and the `.sources` file, as they are
    /// at its top.
    pub fn add(&self, repository: &Path) {
        self.dpkg(&["--install", &at_top(repository, "-archive-keyring.deb").display().to_string()]).success();
        self.use_sources(repository, "bookworm");
    }

    /// A path in its root.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Takes over a `.sources` file. Only the key ring's place differs, which apt looks for outside of its root.
    pub fn use_sources(&self, repository: &Path, codename: &str) {
        let sources = at_top(repository, &format!("-{codename}.sources"));
        let text = fs::read_to_string(&sources).unwrap();
        let ring = text.lines().find_map(|line| line.strip_prefix("Signed-By: /")).unwrap();
        let name = ring.strip_prefix("usr/share/keyrings/").unwrap().strip_suffix("-archive-keyring.gpg").unwrap();
        let text = text.replace(&format!("/{ring}"), &self.path(ring).display().to_string());
        fs::write(self.path(&format!("etc/apt/sources.list.d/{name}.sources")), text).unwrap();
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Ran {
        self.isolated(Command::new(program).args(arguments))
    }

    fn isolated(&self, command: &mut Command) -> Ran {
        command.env("APT_CONFIG", self.path("apt.conf")).env("LC_ALL", "C.UTF-8");
        command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        for proxy in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        run(command)
    }

    /// Runs apt-get at another time, a Unix time in seconds, and goes on from there.
    pub fn apt_at(&self, time: i64, arguments: &[&str]) -> Ran {
        let mut command = Command::new("faketime");
        self.isolated(command.arg(format!("@{time}")).arg("apt-get").args(arguments))
    }

    /// [`update`](Self::update) at another time.
    pub fn update_at(&self, time: i64) -> Ran {
        self.apt_at(time, &["update", "--error-on=any"])
    }

    /// Runs apt-get.
    pub fn apt(&self, arguments: &[&str]) -> Ran {
        self.command("apt-get", arguments)
    }

    /// Runs dpkg.
    pub fn dpkg(&self, arguments: &[&str]) -> Ran {
        let root = format!("--root={}", self.root.path().display());
        self.command("dpkg", &[&[root.as_str(), "--log=/dev/null"], arguments].concat())
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
        let said = self.command("apt-cache", &["policy", package]).success().stdout;
        let line = said.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
        (line != "(none)").then(|| line.to_owned())
    }
}
