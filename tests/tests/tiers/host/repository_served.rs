//! `repo verify --from`: what clients get from servers, caches and edges that have something else than was pushed. apt says
//! whether it matters.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use foundation::digest::Digest;
use tests::apt::{Cacher, Client, Server};
use tests::dist::{Dist, TestKey};
use tests::{Ran, judge, run, tool};

const DEMO: &str = "pool/main/d/demo/demo_1.1-1_all.deb";

/// A repository that has published twice, and copies of it that are served.
struct Site {
    key: TestKey,
    folder: tempfile::TempDir,
    server: Server,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(&folder.path().join("new"));
        let site = Self { key: TestKey::new("Test Release"), folder, server };
        let uri = site.server.uri();
        site.repo(&["init", "--name", "mesos", "--codename", "bookworm:stable", "--uri", &uri]).success();
        for (version, place) in [("1.0-1", "old"), ("1.1-1", "new")] {
            let dist = site.path(&format!("dist-{version}"));
            Dist::new(version).write(&dist, &site.key);
            site.repo(&["publish", &dist.display().to_string()]).success();
            site.repo(&["push", "--to", &site.path(place).display().to_string()]).success();
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tool());
        command.arg("repo").arg(arguments[0]).arg(self.path("repository")).args(&arguments[1..]);
        command.env("MESOS_PACKAGES_CACHE", self.path("cache")).env_remove("http_proxy").env_remove("no_proxy");
        if ["init", "publish"].contains(&arguments[0]) {
            command.arg("--key-file").arg(self.key.secret());
        }
        command
    }

    fn repo(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    fn look(&self, uri: &str) -> Ran {
        self.repo(&["verify", "--from", uri])
    }

    /// What is served is the new copy with this change. Says whether a client that comes anew is served well.
    fn serve(&self, change: &dyn Fn(&Path)) -> bool {
        let copy = self.path("changed");
        let _ = fs::remove_dir_all(&copy);
        judge("cp", &["--archive", "new", "changed"], self.folder.path());
        change(&copy);
        self.server.serve(&copy);
        let client = Client::new(&self.path("repository"));
        client.update().code == Some(0)
            && client.apt(&["install", "demo"]).code == Some(0)
            && client.installed("demo").as_deref() == Some("1.1-1")
    }
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

/// Answers each connection in turn with what the next of these does with it; ends with the test.
fn in_turn(mut answers: Vec<Box<dyn FnMut(TcpStream) + Send>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().flatten().enumerate() {
            let turn = n % answers.len();
            answers[turn](stream);
        }
    });
    uri
}

/// Hands a connection on to a server.
fn edge(server: &Server) -> Box<dyn FnMut(TcpStream) + Send> {
    let address = server.uri().replace("http://", "");
    Box::new(move |client| {
        let server = TcpStream::connect(&address).unwrap();
        for (mut from, mut to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
        }
    })
}

/// Sends whoever asks to the same path elsewhere.
fn redirection(to: Option<String>) -> Box<dyn FnMut(TcpStream) + Send> {
    Box::new(move |mut client| {
        let mut line = String::new();
        let mut reader = BufReader::new(client.try_clone().unwrap());
        reader.read_line(&mut line).unwrap();
        let mut rest = String::new();
        // What is not read before the end is an error for the other side.
        while rest != "\r\n" {
            rest.clear();
            reader.read_line(&mut rest).unwrap();
        }
        let path = line.split(' ').nth(1).unwrap_or("/");
        let to = to.as_deref().unwrap_or_default();
        let answer =
            format!("HTTP/1.1 302 Found\r\nLocation: {to}{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let _ = client.write_all(answer.as_bytes());
    })
}

#[test]
fn what_servers_make_of_a_repository_is_found() {
    let site = Site::new();
    let uri = site.server.uri();
    let ran = site.look(&uri).success();
    for text in ["ok  bookworm", "ok  stable", "ok  indices     12 files", "ok  packages    5 files"] {
        assert!(ran.stdout.contains(text), "{text} is not in:\n{}", ran.stdout);
    }
    let ran = site.repo(&["verify", "--from", &format!("{uri}/"), "--without-packages"]).success();
    assert!(!ran.stdout.contains("packages"), "{}", ran.stdout);
    let stranger = TestKey::new("Somebody Else");
    site.repo(&["verify", "--from", &uri, "--keyring", &stranger.ring().display().to_string()])
        .fails(3, &["InRelease: clients do not trust it"]);
    site.look("ftp://packages.example.org/").fails(1, &["is no address of a web server"]);
    let by_hash = |copy: &Path, name: &str| {
        let index = copy.join("dists/bookworm/main/binary-amd64").join(name);
        index.with_file_name(format!("by-hash/SHA256/{}", Digest::of_file(&index).unwrap()))
    };
    // What changes, what is said, and whether apt can do without what is wrong.
    type Case<'a> = (&'a dyn Fn(&Path), &'a [&'a str], bool);
    let page = "<!DOCTYPE html>\n<html><body>Please log in</body></html>\n";
    let cases: [Case; 12] = [
        (&|_| (), &[], true),
        (&|copy| cut(&copy.join(DEMO)), &[DEMO, "clients get", "refuse it: it has to be"], false),
        (&|copy| fs::remove_file(copy.join(DEMO)).unwrap(), &[DEMO, "cannot fetch it: HTTP 404"], false),
        (&|copy| cut(&by_hash(copy, "Packages.xz")), &["main/binary-amd64/by-hash/SHA256/", "clients get"], false),
        // apt takes one form alone, and by digest.
        (
            &|copy| cut(&copy.join("dists/stable/main/binary-amd64/Packages.gz")),
            &["stable/main/binary-amd64/Packages.gz"],
            true,
        ),
        (
            &|copy| {
                let index = "dists/bookworm/main/binary-amd64/Packages.xz";
                fs::copy(site.path("old").join(index), copy.join(index)).unwrap();
            },
            &["Packages.xz: clients get", "(it is of snapshot 2 of bookworm, dated"],
            true,
        ),
        (
            &|copy| fs::write(copy.join("dists/bookworm/InRelease"), page).unwrap(),
            &["InRelease", "a web page instead"],
            false,
        ),
        (&|copy| cut(&copy.join("dists/bookworm/InRelease")), &["InRelease: clients do not trust it"], false),
        (
            &|copy| {
                let release = "dists/bookworm/Release";
                fs::copy(site.path("old").join(release), copy.join(release)).unwrap();
            },
            &["Release: is another one than InRelease (it is of snapshot 2", "Release.gpg: clients do not trust it"],
            true,
        ),
        (
            &|copy| fs::remove_dir_all(copy.join("dists/stable")).unwrap(),
            &["dists/stable/InRelease: clients cannot fetch it"],
            true,
        ),
        (
            &|copy| fs::write(copy.join("mesos-archive-keyring.gpg"), "x").unwrap(),
            &["mesos-archive-keyring.gpg: is another one than"],
            true,
        ),
        (
            // A cache that is behind, whole by itself.
            &|copy| {
                judge("rsync", &["--archive", "--delete", "../old/", "."], copy);
            },
            &["is dated", "it was not pushed, or a cache is behind"],
            false,
        ),
    ];
    for (n, (change, says, usable)) in cases.into_iter().enumerate() {
        assert_eq!(site.serve(change), usable, "case {n}: {says:?}");
        match says {
            [] => site.look(&uri).success(),
            _ => site.look(&uri).fails(3, &[says, &["do not get what this repository has", "repo push"]].concat()),
        };
    }
}

#[test]
fn proxies_edges_and_redirections_are_looked_through() {
    let site = Site::new();
    let uri = site.server.uri();
    // Through a cache, which has kept what it fetched before.
    let cacher = Cacher::new(&site.server);
    let through = |cacher: &Cacher| {
        run(site.command(&["verify", "--from", &uri]).env("http_proxy", cacher.uri()).env("no_proxy", ""))
    };
    site.server.serve(&site.path("old"));
    through(&cacher).fails(3, &["it was not pushed, or a cache is behind"]);
    site.server.serve(&site.path("new"));
    through(&cacher).success();
    let asked = site.server.requests().len();
    through(&cacher).success();
    assert!(site.server.requests().len() < asked + 30, "the cache has the rest");
    // Two edges, one of which is behind: both are met, and what the older one names is looked for, too.
    let (old, new) = (Server::new(&site.path("old")), Server::new(&site.path("new")));
    let edges = in_turn(vec![edge(&old), edge(&new)]);
    let says = ["of 4 requests gave 2 times", "a cache or an edge has an older one"];
    site.look(&edges).fails(3, &says);
    // Redirections are followed, as apt does, and not for ever.
    site.look(&in_turn(vec![redirection(Some(uri.clone()))])).success();
    site.look(&in_turn(vec![redirection(None)])).fails(3, &["too many redirections"]);
    // Somebody has published from another copy of the repository, and whoever looks has the older one.
    judge("cp", &["--archive", "repository", "other"], site.folder.path());
    let dist = site.path("dist-1.2-1");
    Dist::new("1.2-1").write(&dist, &site.key);
    let other = site.path("other").display().to_string();
    let (dist, key) = (dist.display().to_string(), site.key.secret().display().to_string());
    let to = site.path("new").display().to_string();
    let publish = ["repo", "publish", &other, &dist, "--key-file", &key, "--to", &to];
    run(Command::new(tool()).args(publish).env("MESOS_PACKAGES_CACHE", site.path("cache"))).success();
    site.look(&uri).fails(3, &["this repository knows nothing of it", "published from another copy"]);
    // Two weeks later.
    let mut later = Command::new("faketime");
    later.args(["-f", "+15d"]).arg(tool()).args(["repo", "verify", &other, "--from", &uri]);
    run(&mut later).fails(3, &["InRelease: expired at"]);
}
