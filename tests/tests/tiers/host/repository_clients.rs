//! A repository as it is read out there: by apt of each release of Debian, through a web server and through a cache, on the
//! days that matter; and by the programs that mirror repositories, from whose copies packages are installed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use tests::apt::{Cacher, Client, Server};
use tests::debian::Release;
use tests::dist::{Dist, TestKey};
use tests::guards::GpgHome;
use tests::key::DAY;
use tests::{Ran, judge, run, tool};

/// A repository, and a copy of it that is served.
struct Site {
    key: TestKey,
    folder: tempfile::TempDir,
    server: Server,
    /// Day 0, a Unix time in seconds.
    base: i64,
}

impl Site {
    /// With `demo` 1.0-1, published on day 0.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("www")).unwrap();
        let server = Server::new(&folder.path().join("www"));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed();
        let site = Self { key: TestKey::new("Test Release"), folder, server, base: now };
        let uri = format!("{}/mesos", site.server.uri());
        site.repo(0, &["init", "--name", "mesos", "--codename", "bookworm:stable", "--uri", &uri]).success();
        site.publish(0, "1.0-1");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What clients see.
    fn served(&self) -> PathBuf {
        self.path("www/mesos")
    }

    /// A moment of a day after everything that was published that day.
    fn day(&self, day: i64) -> i64 {
        self.base + day * DAY + 3600
    }

    /// Runs the tool on a day.
    fn repo(&self, day: i64, arguments: &[&str]) -> Ran {
        let mut command = Command::new("faketime");
        command.args(["-f", &format!("{:+}", day * DAY)]).arg(tool()).arg("repo").arg(arguments[0]);
        command.arg(self.path("repository")).args(&arguments[1..]).arg("--key-file").arg(self.key.secret());
        run(command.env("MESOS_PACKAGES_CACHE", self.path("cache")))
    }

    fn publish(&self, day: i64, version: &str) {
        let dist = self.path(&format!("dist-{version}"));
        Dist::new(version).write(&dist, &self.key);
        // The server knows nothing of other days.
        let place = self.served().display().to_string();
        self.repo(day, &["publish", &dist.display().to_string(), "--clock-is-right", "--to", &place]).success();
    }
}

/// Each of these on threads of their own.
fn at_once<T: Sync>(cases: &[T], what: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| {
        let (what, mut running) = (&what, Vec::new());
        for case in cases {
            running.push(scope.spawn(move || what(case)));
        }
        // Each has said what it has to say; the test fails when all have ended.
        let ended: Vec<_> = running.into_iter().map(|thread| thread.join().is_ok()).collect();
        assert!(ended.iter().all(|good| *good), "{ended:?}");
    });
}

#[test]
fn apt_of_each_release_has_nothing_to_say() {
    let site = Site::new();
    let cacher = Cacher::new(&site.server);
    let clients: Vec<(Release, &str, Client)> = std::thread::scope(|scope| {
        let (site, cacher) = (&site, &cacher);
        let both = move |release: Release| {
            let (direct, cached) = (Client::of(release, &site.served()), Client::of(release, &site.served()));
            cached.use_proxy(&cacher.uri());
            [(release, "directly", direct), (release, "through apt-cacher-ng", cached)]
        };
        let running: Vec<_> = Release::ALL.map(|release| scope.spawn(move || both(release))).into();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    // apt-cacher-ng hangs up on who asks for what it is just fetching for another: its clients take turns.
    let (cached, direct): (Vec<_>, Vec<_>) = clients.iter().partition(|(_, how, _)| how.contains("cacher"));
    let turns: Vec<Vec<_>> = direct.into_iter().map(|one| vec![one]).chain([cached]).collect();
    let each = |what: &(dyn Fn(&(Release, &str, Client)) + Sync)| {
        at_once(&turns, |turn| turn.iter().for_each(|one| what(one)))
    };
    each(&|(release, how, client)| {
        println!("{release:?} {how}");
        client.report_at(site.day(0)).silent();
        let ran = client.apt(&["install", "demo-tools"]).success();
        assert!(!ran.stderr.contains("W: "), "{release:?}: {}", ran.stderr);
        assert_eq!(client.installed("demo").as_deref(), Some("1.0-1"));
        client.report_at(site.day(13)).silent();
        client.report_at(site.day(15)).refused("is expired");
    });
    // Whoever was refused goes on as soon as there is something newer, and so does the cache.
    site.publish(15, "1.1-1");
    each(&|(release, how, client)| {
        println!("{release:?} {how}");
        client.report_at(site.day(15)).silent();
        client.apt_at(site.day(15), &["dist-upgrade"]).success();
        assert_eq!(client.installed("demo-tools").as_deref(), Some("1.1-1"));
        client.report_at(site.day(28)).silent();
    });
    let asked = site.server.requests();
    assert!(asked.iter().any(|(path, status)| path.contains("/by-hash/") && status == "200"), "{asked:?}");
    assert!(asked.iter().all(|(_, status)| ["200", "206", "304"].contains(&status.as_str())), "{asked:?}");
}

/// A copy of the repository by another program, and the key that its clients trust.
#[derive(Clone)]
struct Copy {
    name: &'static str,
    folder: PathBuf,
    ring: PathBuf,
}

/// Programs that copy what is there, signatures and all.
fn verbatim(site: &Site) -> Vec<Copy> {
    let (uri, ring) = (site.server.uri(), site.key.ring());
    let host = uri.strip_prefix("http://").unwrap();
    let top = site.path("debmirror");
    let arguments = [
        "--method=http",
        &format!("--host={host}"),
        "--root=mesos",
        "--dist=bookworm",
        "--section=main,debug",
        "--arch=amd64",
        "--nosource",
        "--getcontents",
        "--diff=none",
        "--rsync-extra=none",
        &format!("--keyring={}", ring.display()),
        &top.display().to_string(),
    ];
    judge("debmirror", &arguments, site.folder.path());
    // It asks by this name and finds its way by another: ports are none of what it can name.
    let base = site.path("apt-mirror");
    let list = site.path("mirror.list");
    let text = format!(
        "set base_path {}\nset defaultarch amd64\nset nthreads 2\nset run_postmirror 0\nset _tilde 0\n\
         deb http://packages.example.org/mesos bookworm main debug\n",
        base.display()
    );
    fs::write(&list, text).unwrap();
    run(Command::new("apt-mirror").arg(&list).env("http_proxy", &uri).env_remove("no_proxy")).success();
    let there = base.join("mirror/packages.example.org/mesos");
    [("debmirror", top), ("apt-mirror", there)].map(|(name, folder)| Copy { name, folder, ring: ring.clone() }).into()
}

/// Programs that check what is there, and sign what they make of it.
fn signed_anew(site: &Site) -> Vec<Copy> {
    let home = GpgHome::new();
    home.gpg("", &["--quick-generate-key", "Mirror <mirror@example.org>", "rsa3072", "sign", "never"]);
    let ring = site.path("mirror.gpg");
    home.gpg("", &["--export", "--output", &ring.display().to_string()]);
    home.gpg("", &["--import", &site.key.ring().display().to_string()]);
    let uri = format!("{}/mesos", site.server.uri());
    let with_home = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        run(command.args(arguments).env("GNUPGHOME", home.path()).current_dir(site.folder.path())).success();
    };
    let aptly = site.path("aptly");
    let configuration = site.path("aptly.conf").display().to_string();
    let text = format!("{{\"rootDir\":\"{}\",\"gpgProvider\":\"gpg\",\"architectures\":[\"amd64\"]}}", aptly.display());
    fs::write(&configuration, text).unwrap();
    let theirs = format!("-keyring={}", site.key.ring().display());
    for arguments in [
        &["mirror", "create", &theirs, "mesos", &uri, "bookworm"][..],
        &["mirror", "update", &theirs, "mesos"],
        &["snapshot", "create", "today", "from", "mirror", "mesos"],
        &["publish", "snapshot", "-batch", "-passphrase=", "today"],
    ] {
        with_home("aptly", &[&[format!("-config={configuration}").as_str()], arguments].concat());
    }
    let reprepro = site.path("reprepro");
    fs::create_dir_all(reprepro.join("conf")).unwrap();
    let texts = [
        (
            "distributions",
            "Codename: bookworm\nComponents: main debug\nArchitectures: amd64\nUpdate: mesos\nSignWith: yes\n"
                .to_owned(),
        ),
        ("updates", format!("Name: mesos\nMethod: {uri}\nVerifyRelease: {}\n", &site.key.fingerprint[24..])),
    ];
    for (name, text) in texts {
        fs::write(reprepro.join("conf").join(name), text).unwrap();
    }
    with_home("reprepro", &["--basedir", &reprepro.display().to_string(), "update"]);
    [("aptly", aptly.join("public")), ("reprepro", reprepro)]
        .map(|(name, folder)| Copy { name, folder, ring: ring.clone() })
        .into()
}

#[test]
fn packages_install_from_what_mirrors_copy() {
    let site = Site::new();
    let copies = std::thread::scope(|scope| {
        let (one, two) = (scope.spawn(|| verbatim(&site)), scope.spawn(|| signed_anew(&site)));
        [one.join().unwrap(), two.join().unwrap()].concat()
    });
    for Copy { name, folder, ring } in &copies {
        println!("{name}");
        let server = Server::new(folder);
        let client = Client::of(Release::Trixie, &site.served());
        let sources = client.path("etc/apt/sources.list.d/mesos.sources");
        let text = fs::read_to_string(&sources).unwrap();
        fs::write(&sources, text.replace(&format!("{}/mesos", site.server.uri()), &server.uri())).unwrap();
        fs::copy(ring, client.path("usr/share/keyrings/mesos-archive-keyring.gpg")).unwrap();
        let before = site.server.requests().len();
        client.report_at(site.day(0)).silent();
        client.apt(&["install", "demo-tools"]).success();
        assert_eq!(client.installed("demo").as_deref(), Some("1.0-1"), "{name}");
        assert_eq!(site.server.requests().len(), before, "{name}: it is the copy that was asked");
    }
}
