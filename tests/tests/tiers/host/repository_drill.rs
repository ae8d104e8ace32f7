//! The drill: fifteen weeks of a repository in which everything happens to it that happens to a repository. Machines with apt of each
//! release of Debian go on updating once a week, and never hear of any of it.

use std::fs;
use std::path::{Path, PathBuf};

use places::Remote;
use repository::{PushOptions, Repository, RepositoryError, SETTLED_DAYS, Settings, Suite};
use sign::signer::Signer;
use tests::apt::{Client, Server};
use tests::debian::Release;
use tests::dist::{Dist, TestKey};
use tests::key::{DAY, Key};

/// Folders of the operators, and the place that clients fetch from.
struct Site {
    folder: tempfile::TempDir,
    server: Server,
    builder: TestKey,
    /// Day 0, a Unix time in seconds.
    base: i64,
}

impl Site {
    /// With a repository in the folder `laptop`.
    fn new(key: &Key) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("www")).unwrap();
        let server = Server::new(&folder.path().join("www"));
        let site = Self { folder, server, builder: TestKey::new("Builder"), base: key.base };
        let settings = Settings {
            name: "mesos".into(),
            origin: "Mesos packages".into(),
            label: "Mesos packages".into(),
            description: "Apache Mesos for Debian".into(),
            maintainer: "Test <test@example.org>".into(),
            uri: Some(format!("{}/mesos", site.server.uri())),
            components: vec!["main".into()],
            architectures: vec!["amd64".into()],
            valid_days: 14,
            development: false,
            suite: vec![Suite { codename: "bookworm".into(), name: Some("stable".into()), keep: None }],
        };
        let builders = fs::read(site.builder.ring()).unwrap();
        Repository::init(&site.path("laptop"), &settings, &[&key.signer()], Some(&builders), site.day(0)).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn day(&self, day: i64) -> i64 {
        self.base + day * DAY
    }

    /// What clients see.
    fn served(&self) -> PathBuf {
        self.path("www/mesos")
    }

    fn place(&self) -> Remote {
        self.served().display().to_string().parse().unwrap()
    }

    fn open(&self, copy: &str) -> Repository {
        Repository::open(&self.path(copy), "the drill", &mut |_| ()).unwrap()
    }

    /// Another machine begins with what the place has.
    fn clone(&self, copy: &str) {
        repository::clone(&self.place(), &self.path(copy), None).unwrap();
    }

    fn push(&self, repository: &mut Repository, time: i64) -> Result<(), RepositoryError> {
        repository.push(&self.place(), &PushOptions::default(), time, &mut |_| ())
    }

    /// Takes `demo` in this version from its builder, and publishes it in this copy.
    fn publish(&self, copy: &str, version: &str, time: i64, signer: &dyn Signer) -> Repository {
        let dist = self.path(&format!("dist-{version}"));
        if !dist.exists() {
            Dist::new(version).write(&dist, &self.builder);
        }
        let mut repository = self.open(copy);
        repository.add(&[dist], None, None, None, None).unwrap();
        repository.publish(&[], &[signer], time).unwrap();
        repository
    }

    /// Does something in a copy on a day, and lets clients see it; nobody has anything else to do then.
    #[track_caller]
    fn on<T>(&self, day: i64, copy: &str, what: impl FnOnce(&mut Repository) -> Result<T, RepositoryError>) {
        let mut repository = self.open(copy);
        what(&mut repository).unwrap();
        self.push(&mut repository, self.day(day)).unwrap();
        drop(repository);
        assert_eq!(self.needs(day, copy), [""; 0]);
    }

    /// What `status` says of this day.
    fn needs(&self, day: i64, copy: &str) -> Vec<String> {
        repository::status(&self.path(copy), self.day(day) + 60).unwrap().needs
    }

    /// The version of the newest keyring package.
    fn keyring(&self, copy: &str) -> String {
        self.open(copy).keys().version.clone()
    }
}

/// Machines that update once a week, one of each release. Each upgrades every other week only, half
/// of them in each, so that their key rings are as old as is promised to be good.
struct Weekly(Vec<Client>);

impl Weekly {
    fn new(site: &Site) -> Self {
        let client = |release| {
            let client = Client::of(release, &site.served());
            client.report_at(site.day(0) + 3600).silent();
            client.apt_at(site.day(0) + 3600, &["install", "demo-tools"]).success();
            client
        };
        std::thread::scope(|scope| {
            let running = Release::ALL.map(|release| scope.spawn(move || client(release)));
            Self(running.into_iter().map(|thread| thread.join().unwrap()).collect())
        })
    }

    /// An hour after what was published that day.
    fn update(&self, site: &Site, day: i64) {
        let time = site.day(day) + 3600;
        std::thread::scope(|scope| {
            for (at, client) in self.0.iter().enumerate() {
                let upgrades = (day / 7 + at as i64) % 2 == 0;
                scope.spawn(move || {
                    client.report_at(time).silent();
                    if upgrades {
                        upgrade(client, time);
                    }
                });
            }
        });
    }
}

/// What unattended upgrades do.
fn upgrade(client: &Client, time: i64) {
    let ran = client.apt_at(time, &["upgrade"]).success();
    assert!(!ran.stderr.contains("W: "), "{}", ran.stderr);
}

/// A machine that is switched off for two weeks, and for three where its key ring was the present one two weeks ago.
fn late(site: &Site, client: &Client, day: i64) {
    let time = site.day(day) + 7200;
    client.report_at(time).silent();
    upgrade(client, time);
}

fn public(key: &Key) -> Vec<u8> {
    key.gpg(&["--armor", "--export", &key.primary]).into_bytes()
}

/// The keys that signed what clients see, as gpg tells them apart.
fn signed_by(served: &Path) -> Vec<String> {
    let packets = tests::judge("gpg", &["--list-packets", "dists/bookworm/Release.gpg"], served);
    let lines = packets.lines().filter_map(|line| line.split("issuer fpr v4 ").nth(1));
    lines.map(|line| line.trim_end_matches(')').to_owned()).collect()
}

#[test]
fn clients_never_hear_of_fifteen_weeks_of_trouble() {
    // Two years ago somebody chose that the subkey ends in six weeks.
    let (key, first) = Key::with_subkey(45);
    let (next, second_key) = Key::with_subkey(800);
    let (stand_by, emergency_key) = Key::with_subkey(800);
    let site = Site::new(&key);
    let signed = || signed_by(&site.served());

    let mut laptop = site.publish("laptop", "1.0-1", site.day(0), &key.signer());
    site.push(&mut laptop, site.day(0)).unwrap();
    drop(laptop);
    let weekly = Weekly::new(&site);
    let slow = Client::of(Release::Bookworm, &site.served());
    // It updates as the others do, and takes nothing new: the proof that they would notice.
    let never = Client::of(Release::Trixie, &site.served());

    // A subkey is added, and signs when everybody knows it.
    let second = key.add_subkey(60);
    site.on(7, "laptop", |laptop| laptop.refresh(&[], &[&key.signer()], site.day(7)));
    weekly.update(&site, 7);
    site.on(14, "laptop", |laptop| laptop.refresh(&[], &[&key.signer()], site.day(14)));
    assert_eq!(signed(), [first.as_str()]);
    weekly.update(&site, 14);
    late(&site, &slow, 14);
    site.on(21, "laptop", |laptop| laptop.refresh(&[], &[&key.signer()], site.day(21)));
    assert_eq!(signed(), [second.as_str()]);
    never.report_at(site.day(21) + 3600).refused("is not signed");
    weekly.update(&site, 21);
    site.on(28, "laptop", |laptop| laptop.refresh(&[], &[&key.signer()], site.day(28)));
    weekly.update(&site, 28);

    // Its end comes near, as `status` says, and is moved.
    let needs = site.needs(34, "laptop");
    assert!(needs.len() == 1 && needs[0].contains(&second) && needs[0].contains("extend it with"), "{needs:?}");
    key.set_end(&second, 800);
    site.on(35, "laptop", |laptop| laptop.refresh(&[], &[&key.signer()], site.day(35)));
    weekly.update(&site, 35);
    late(&site, &slow, 35);

    // A key stands by, and the present one makes room for another.
    site.on(42, "laptop", |laptop| laptop.publish_stand_by(&public(&stand_by), &[&key.signer()], site.day(42)));
    weekly.update(&site, 42);
    late(&site, &slow, 48);
    let new = next.signer();
    site.on(49, "laptop", |laptop| laptop.begin_rotation(&[&key.signer()], &new, site.day(49)));
    weekly.update(&site, 49);
    site.on(56, "laptop", |laptop| laptop.refresh(&[], &[&key.signer(), &new], site.day(56)));
    weekly.update(&site, 56);
    late(&site, &slow, 62);
    site.on(63, "laptop", |laptop| laptop.finish_rotation(&[&new], SETTLED_DAYS, site.day(63)));
    assert_eq!(signed(), [second_key.as_str()]);
    weekly.update(&site, 63);

    // The laptop is lost. Another one goes on from the place.
    fs::remove_dir_all(site.path("laptop")).unwrap();
    site.clone("laptop");
    let mut laptop = site.publish("laptop", "1.1-1", site.day(70), &new);
    site.push(&mut laptop, site.day(70)).unwrap();
    drop(laptop);
    weekly.update(&site, 70);
    late(&site, &slow, 70);

    // It publishes at the same moment as continuous integration does: one of them is told to look at what the other one did.
    site.clone("ci");
    let time = site.day(77);
    let mut both =
        [("laptop", "1.2-1"), ("ci", "1.3-1")].map(|(copy, version)| site.publish(copy, version, time, &new));
    let pushed = std::thread::scope(|scope| {
        let site = &site;
        let running = both.each_mut().map(|repository| scope.spawn(move || site.push(repository, time)));
        running.map(|thread| thread.join().unwrap())
    });
    drop(both);
    assert!(pushed.iter().filter(|pushed| pushed.is_ok()).count() < 2, "{pushed:?}");
    for ((pushed, copy), version) in pushed.iter().zip(["laptop", "ci"]).zip(["1.2-1", "1.3-1"]) {
        let Err(error) = pushed else { continue };
        let text = error.to_string();
        assert!(
            ["has been pushing there since", "published from another copy"].iter().any(|says| text.contains(says)),
            "{text}"
        );
        fs::remove_dir_all(site.path(copy)).unwrap();
        site.clone(copy);
        let time = time + 600;
        let mut again = site.publish(copy, version, time, &new);
        site.push(&mut again, time).unwrap();
    }
    weekly.update(&site, 77);
    assert_eq!(weekly.0[0].candidate("demo").as_deref(), Some("1.3-1"));
    for version in ["1.0-1", "1.1-1", "1.2-1", "1.3-1"] {
        assert!(site.served().join(format!("pool/main/d/demo/demo_{version}_all.deb")).is_file(), "{version}");
    }
    fs::remove_dir_all(site.path("laptop")).unwrap();
    site.clone("laptop");
    site.on(84, "laptop", |laptop| laptop.refresh(&[], &[&new], site.day(84)));
    weekly.update(&site, 84);

    // The key is stolen, and the one that stood by takes over.
    let safe = stand_by.signer();
    site.on(91, "laptop", |laptop| laptop.emergency(&safe, SETTLED_DAYS, site.day(91)));
    assert_eq!(signed(), [emergency_key.as_str()]);
    weekly.update(&site, 91);
    late(&site, &slow, 91);
    site.on(98, "laptop", |laptop| laptop.refresh(&[], &[&safe], site.day(98)));
    weekly.update(&site, 98);
    let mut laptop = site.publish("laptop", "1.4-1", site.day(105), &safe);
    site.push(&mut laptop, site.day(105)).unwrap();
    drop(laptop);
    weekly.update(&site, 105);
    weekly.update(&site, 112);
    late(&site, &slow, 105);
    let last = site.keyring("laptop");
    for client in weekly.0.iter().chain([&slow]) {
        assert_eq!(client.installed("mesos-archive-keyring").as_ref(), Some(&last));
    }
    assert_eq!(slow.candidate("demo").as_deref(), Some("1.4-1"));
    repository::verify(&site.path("laptop"), None, site.day(105) + 60).unwrap();

    // Whoever comes now finds the way, and none of what is past.
    let page = fs::read_to_string(site.served().join("index.html")).unwrap();
    assert!(page.contains("mesos-archive-keyring.deb") && page.contains("mesos-bookworm.sources"), "{page}");
    let groups = |fingerprint: &str| {
        fingerprint
            .as_bytes()
            .chunks(4)
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let names = |key: &Key| page.contains(&key.primary) || page.contains(&groups(&key.primary));
    assert!(names(&stand_by) && !names(&key) && !names(&next), "{page}");
    let fresh = Client::of(Release::Sid, &site.served());
    fresh.report_at(site.day(105) + 7200).silent();
    fresh.apt_at(site.day(105) + 7200, &["install", "demo-tools"]).success();
    assert_eq!(fresh.installed("demo").as_deref(), Some("1.4-1"));
}
