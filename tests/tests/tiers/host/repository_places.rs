//! Places that a repository is pushed to, as operators lose packages: two of them publish, a pool is not mounted, a file rots, a
//! folder is gone. What ends with exit code 0 leaves no client worse off, and what is refused has changed nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use foundation::digest::Digest;
use tests::apt::{Client, Rsyncd, Server};
use tests::dist::{Dist, TestKey};
use tests::{Ran, judge, run, run_off, tool};

/// A key, and folders: repositories and a place that they are pushed to.
struct Room {
    key: TestKey,
    folder: tempfile::TempDir,
}

impl Room {
    /// With a repository `one` that has `demo` 1.0-1 and was pushed to `place`.
    fn new() -> Self {
        let room = Self { key: TestKey::new("Test Release"), folder: tempfile::tempdir().unwrap() };
        room.repo("one", &["init", "--codename", "bookworm", "--name", "mesos"]).success();
        room.publish("one", "1.0-1", &["--to", &room.name("place")]).success();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn command(&self, repository: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(tool());
        command.arg("repo").arg(arguments[0]).arg(self.path(repository)).args(&arguments[1..]);
        command.env("MESOS_PACKAGES_CACHE", self.path("cache")).stdin(Stdio::null());
        if ["init", "publish", "refresh", "rollback"].contains(&arguments[0]) {
            command.arg("--key-file").arg(self.key.secret());
        }
        command
    }

    fn repo(&self, repository: &str, arguments: &[&str]) -> Ran {
        let mut command = self.command(repository, arguments);
        if arguments[0] == "prune" {
            // When nobody may ask any more for what old snapshots name.
            return run_off("+15d", &command);
        }
        run(&mut command)
    }

    fn dist(&self, version: &str) -> String {
        let dist = self.path(&format!("dist-{version}"));
        if !dist.exists() {
            Dist::new(version).write(&dist, &self.key);
        }
        dist.display().to_string()
    }

    fn publish(&self, repository: &str, version: &str, more: &[&str]) -> Ran {
        let dist = self.dist(version);
        self.repo(repository, &[&["publish", &dist], more].concat())
    }

    fn push(&self, repository: &str, more: &[&str]) -> Ran {
        self.repo(repository, &[&["push", "--to", &self.name("place")], more].concat())
    }

    fn clone(&self, place: &str, repository: &str) -> Ran {
        let mut command = Command::new(tool());
        command.args(["repo", "clone", place]).arg(self.path(repository)).arg("--keyring").arg(self.key.ring());
        run(&mut command)
    }

    /// Every file of the place, except for who is working there.
    fn place(&self) -> BTreeMap<String, Digest> {
        content(&self.path("place"))
    }

    /// The suite at the place is whole: gpgv trusts it, and it has every index and package that it names.
    #[track_caller]
    fn whole(&self, place: &Path) {
        let suite = place.join("dists/bookworm");
        judge("gpgv", &["--keyring", &self.key.ring().display().to_string(), "InRelease"], &suite);
        let check = |sums: String, folder: &Path| {
            let file = self.path("sums");
            fs::write(&file, sums).unwrap();
            judge("sha256sum", &["--check", "--quiet", &file.display().to_string()], folder);
        };
        // InRelease is what clients read: Release may be of the next or the last one while a push is on its way.
        let release = fs::read_to_string(suite.join("InRelease")).unwrap();
        let (_, list) = release.split_once("SHA256:\n").unwrap();
        let lines: Vec<Vec<&str>> = list
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.len() == 3 && (words[2].ends_with(".xz") || words[2].ends_with(".gz")))
            .collect();
        let by_hash = |words: &Vec<&str>| {
            let (folder, _) = words[2].rsplit_once('/').unwrap();
            format!("{}  {folder}/by-hash/SHA256/{}\n", words[0], words[0])
        };
        check(lines.iter().map(by_hash).collect(), &suite);
        let index = lines.iter().find(|words| words[2] == "main/binary-amd64/Packages.xz").unwrap();
        let index = judge(
            "xz",
            &["--decompress", "--stdout", &format!("main/binary-amd64/by-hash/SHA256/{}", index[0])],
            &suite,
        );
        let field =
            |name: &str| index.lines().filter_map(|l| l.strip_prefix(name)).map(str::to_owned).collect::<Vec<_>>();
        let packages = field("SHA256: ").into_iter().zip(field("Filename: "));
        check(packages.map(|(sum, name)| format!("{sum}  {name}\n")).collect(), place);
    }
}

fn content(folder: &Path) -> BTreeMap<String, Digest> {
    let files = judge("find", &[".", "-type", "f", "-printf", "%P\\n"], folder);
    files.lines().map(|name| (name.to_owned(), Digest::of_file(&folder.join(name)).unwrap())).collect()
}

const DEMO: &str = "pool/main/d/demo/demo_1.0-1_all.deb";
const DEMO_1_1: &str = "pool/main/d/demo/demo_1.1-1_all.deb";
const DEMO_1_2: &str = "pool/main/d/demo/demo_1.2-1_all.deb";

/// Item 2: lost updates.
#[test]
fn two_operators_publish() {
    let room = Room::new();
    let to = ["--to", &room.name("place")];
    let server = Server::new(&room.path("place"));
    // Two copies that are alike, by whatever means they were made.
    room.clone(to[1], "two").success();
    judge("cp", &["--archive", "one", "three"], room.folder.path());
    room.publish("one", "1.1-1", &to).success();
    let after = room.place();
    // Known before anything is published that could not be pushed.
    room.publish("two", "1.2-1", &to).fails(1, &["generation 3", "has only generation 2", "repo recover", "--from"]);
    assert!(!room.path("two").join(DEMO_1_2).exists());
    // Published without asking: it cannot be pushed, and the refusal says what would be lost.
    room.publish("three", "1.2-1", &[]).success();
    let refused = room.push("three", &[]).fails(
        1,
        &["somebody published from another copy", "repo clone", "nothing was changed", "clients then lose", DEMO_1_1],
    );
    assert_eq!(room.place(), after);
    // The one that is only behind follows, and publishes then.
    room.repo("two", &["recover", "--from", to[1]]).success();
    room.publish("two", "1.2-1", &to).success();
    room.repo("two", &["verify"]).success();
    for package in [DEMO, DEMO_1_1, DEMO_1_2] {
        assert!(room.path("place").join(package).is_file(), "{package}");
    }
    // What was named in the refusal is not what is there now.
    let name = refused.stderr.split("--force-replace ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    room.push("three", &["--force-replace", &name]).fails(1, &["generation 4"]);
    let name = name.replace(":3", ":4");
    // Nor may clients be given what they would call too old.
    room.push("three", &["--force-replace", &name]).fails(1, &["clients would refuse it as too old", "repo refresh"]);
    room.repo("three", &["refresh"]).success();
    let forced = room.push("three", &["--force-replace", &name]).success();
    assert!(forced.stderr.contains("What clients lose") && forced.stderr.contains(DEMO_1_1), "{}", forced.stderr);
    assert!(!room.path("place").join(DEMO_1_1).exists());
    room.whole(&room.path("place"));
    // The suites of the copy name a folder as their address; clients ask the server.
    let sources = room.path("place/mesos-bookworm.sources");
    let text = fs::read_to_string(&sources).unwrap();
    fs::write(&sources, text.replace(&format!("file://{}", room.name("three")), &server.uri())).unwrap();
    let client = Client::new(&room.path("place"));
    client.update().success();
    assert_eq!(client.candidate("demo").as_deref(), Some("1.2-1"));
}

/// Item 2: at the same time, the lock decides.
#[test]
fn two_operators_push_at_once() {
    let room = Room::new();
    let place = room.name("place");
    room.clone(&place, "two").success();
    room.publish("one", "1.1-1", &[]).success();
    room.publish("two", "1.2-1", &[]).success();
    let start = |name| {
        let mut command = room.command(name, &["push", "--to", &place]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (one, two) = (start("one"), start("two"));
    let ended = [one, two].map(|process| process.wait_with_output().unwrap());
    let won: Vec<bool> = ended.iter().map(|output| output.status.success()).collect();
    assert!(won != [true, true], "{ended:?}");
    let again = |name| room.push(name, &[]);
    if won == [false, false] {
        again("one").success();
    }
    let winner = if won[1] { DEMO_1_2 } else { DEMO_1_1 };
    again(if won[1] { "one" } else { "two" }).fails(1, &["somebody published from another copy"]);
    assert!(room.path("place").join(winner).is_file());
    room.whole(&room.path("place"));
    // A lock that somebody else has left.
    let lock = room.path("place/repository/locks/11111111-2222-4333-8444-555555555555.json");
    let owner = format!("{{\"who\":\"ann@laptop, process 7\",\"since\":1795410048,\"copy\":\"{}\"}}", Digest::of(""));
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, owner).unwrap();
    let winner = if won[1] { "two" } else { "one" };
    let says =
        ["ann@laptop, process 7 has been pushing there since Mon, 23 Nov 2026 05:00:48", "--break-lock 11111111-"];
    again(winner).fails(1, &says);
    assert!(lock.is_file());
    room.push(winner, &["--break-lock", "11111111-2222-4333-8444-555555555555"]).success();
    assert!(!lock.exists());
}

/// Item 2: places that are somebody else's.
#[test]
fn foreign_files_stay() {
    let room = Room::new();
    let before = room.place();
    // Another repository with the same key is another one.
    room.repo("other", &["init", "--codename", "bookworm", "--name", "mesos"]).success();
    room.push("other", &[]).fails(1, &["it is another repository", "--force-replace", "the suite bookworm", DEMO]);
    assert_eq!(room.place(), before);
    // A suite, packages and other files that somebody has put beside.
    let others = ["dists/sid/InRelease", "pool/main/x/x.deb", "pool/.htaccess.backup", "notes.html"];
    for name in others {
        let path = room.path("place").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "somebody else's").unwrap();
    }
    // The pool has moved to a larger disk since.
    let (pool, disk) = (room.path("place/pool"), room.path("disk"));
    fs::rename(&pool, &disk).unwrap();
    std::os::unix::fs::symlink(&disk, &pool).unwrap();
    room.publish("one", "1.1-1", &["--to", &room.name("place")]).success();
    room.repo("one", &["prune", "--keep", "1", "--to", &room.name("place")]).success();
    assert!(pool.is_symlink() && disk.join("main/d").is_dir());
    for name in others {
        assert_eq!(fs::read_to_string(room.path("place").join(name)).unwrap(), "somebody else's", "{name}");
    }
    // What an earlier push has put goes when no snapshot needs it.
    assert!(!room.path("place/snapshots/bookworm/1/snapshot.json").exists());
    // A repository that another tool has made.
    let foreign = room.path("foreign");
    fs::create_dir_all(foreign.join("dists/sid")).unwrap();
    fs::write(foreign.join("dists/sid/InRelease"), "x").unwrap();
    let to = ["push", "--to", &foreign.display().to_string()];
    room.repo("one", &to).fails(1, &["dists is there, and no record of whose it is", "--adopt"]);
    room.repo("one", &[&to[..], &["--adopt"]].concat()).fails(1, &["is of no snapshot that this repository keeps"]);
    assert_eq!(content(&foreign).len(), 1);
    // One that an older version of this tool has pushed here has no record either.
    let old = room.path("old");
    judge("cp", &["--archive", "--dereference", "place", "old"], room.folder.path());
    for name in ["repository", "dists/sid", "snapshots"] {
        fs::remove_dir_all(old.join(name)).unwrap();
    }
    let to = ["push", "--to", &old.display().to_string()];
    room.repo("one", &to).fails(1, &["no record of whose it is", "--adopt"]);
    room.repo("one", &[&to[..], &["--adopt"]].concat()).success();
    room.repo("one", &to).success();
    room.whole(&old);
    assert!(old.join("pool/main/x/x.deb").is_file());
}

/// Item 3: what the live index names is never removed, and is repaired where it has rotted.
#[test]
fn what_clients_are_told_of_is_there() {
    let room = Room::new();
    let before = room.place();
    let (pool, aside) = (room.path("one/pool"), room.path("aside"));
    // A pool that is not mounted.
    fs::rename(&pool, &aside).unwrap();
    fs::create_dir(&pool).unwrap();
    room.push("one", &[]).fails(3, &[DEMO, "no such file", "nothing was changed", "not mounted", "repo recover"]);
    room.repo("one", &["refresh", "--to", &room.name("place")]).fails(3, &[DEMO, "No such file"]);
    assert_eq!(room.place(), before);
    fs::remove_dir(&pool).unwrap();
    fs::rename(&aside, &pool).unwrap();
    // The same size, other bytes: here.
    let rot = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[100] ^= 1;
        fs::write(path, &bytes).unwrap();
    };
    rot(&room.path("one").join(DEMO));
    room.push("one", &[]).fails(3, &[DEMO, "sha256"]);
    assert_eq!(room.place(), before);
    room.repo("one", &["recover", "--from", &room.name("place")]).success();
    room.repo("one", &["verify"]).success();
    // An index that is gone.
    let index = fs::canonicalize(room.path("one/dists/bookworm/main/binary-amd64/Packages.xz")).unwrap();
    fs::remove_file(&index).unwrap();
    room.push("one", &[]).fails(3, &["indices/SHA256", "no such file"]);
    assert_eq!(room.place(), before);
    room.repo("one", &["recover"]).success();
    room.repo("one", &["verify"]).success();
    // And there: packages, indices and signatures, with the old date.
    for name in [DEMO, "dists/bookworm/main/binary-amd64/Packages.xz", "dists/bookworm/InRelease"] {
        let path = room.path("place").join(name);
        let date = fs::metadata(&path).unwrap().modified().unwrap();
        rot(&path);
        fs::File::options().write(true).open(&path).unwrap().set_modified(date).unwrap();
    }
    room.push("one", &[]).success();
    assert_eq!(room.place(), before);
    room.whole(&room.path("place"));
}

/// Item 6: what is lost is not taken for what never was.
#[test]
fn what_is_lost_is_recovered() {
    let room = Room::new();
    let place = room.name("place");
    room.publish("one", "1.1-1", &["--to", &place]).success();
    let state = room.path("one/.repository");
    let changed = {
        // The same version, other bytes.
        let mut dist = Dist::new("1.0-1");
        dist.debs[0].files.push(("usr/share/demo/more".into(), "more\n".into()));
        let path = room.path("changed");
        dist.write(&path, &room.key);
        path.display().to_string()
    };
    let demo = Digest::of_file(&room.path("one").join(DEMO)).unwrap();
    let recover: [&[&str]; 2] = [&["recover"], &["recover", "--from", &place]];
    // What the refusal names, what happens, and what brings it back.
    type Damage<'a> = (&'a str, &'a dyn Fn(), &'a [&'a str]);
    let damages: [Damage; 8] = [
        ("ledger.json", &|| fs::remove_file(state.join("ledger.json")).unwrap(), recover[0]),
        ("ledger.json", &|| fs::write(state.join("ledger.json"), "{}\n").unwrap(), recover[0]),
        ("ledger.json", &|| fs::write(state.join("ledger.json"), "{\"demo_").unwrap(), recover[0]),
        ("keys.json", &|| fs::remove_file(state.join("keys.json")).unwrap(), recover[0]),
        ("settings.toml", &|| fs::remove_dir_all(&state).unwrap(), recover[0]),
        ("generation.asc", &|| fs::remove_dir_all(room.path("one/repository")).unwrap(), recover[1]),
        ("dists/bookworm", &|| fs::remove_dir_all(room.path("one/dists")).unwrap(), recover[0]),
        ("bookworm", &|| fs::remove_dir_all(room.path("one/snapshots")).unwrap(), recover[1]),
    ];
    for (name, damage, recover) in damages {
        damage();
        let folder = room.name("one");
        room.repo("one", &["publish", &changed]).fails(1, &[name, "repo recover"]);
        // A repair, as after an interrupted run, would take every package for one that nobody needs.
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("unfinished"), "").unwrap();
        room.repo("one", &["prune"]).fails(1, &[name, "repo recover"]);
        fs::remove_file(state.join("unfinished")).unwrap();
        room.repo("one", &["init", "--codename", "bookworm"]).fails(1, &[&folder]);
        assert_eq!(Digest::of_file(&room.path("one").join(DEMO)).unwrap(), demo);
        room.repo("one", recover).success();
        room.repo("one", &["publish", &changed]).fails(3, &["already published with other bytes"]);
        room.repo("one", &["verify", "--keyring", &room.key.ring().display().to_string()]).success();
        assert_eq!(Digest::of_file(&room.path("one").join(DEMO)).unwrap(), demo, "{name}");
        room.push("one", &[]).success();
    }
    // A snapshot's record, from its signed indices alone.
    fs::write(room.path("one/snapshots/bookworm/3/snapshot.json"), "{").unwrap();
    room.repo("one", &["recover"]).success();
    room.repo("one", &["verify"]).success();
    // What was never published and lies in the pool is not overwritten either.
    let occupied = room.path("one").join(DEMO_1_2);
    fs::write(&occupied, "not a package").unwrap();
    room.publish("one", "1.2-1", &[]).fails(1, &["demo_1.2-1_all.deb", "never overwritten"]);
    let _ = fs::remove_file(&occupied);
    // The whole laptop.
    fs::remove_dir_all(room.path("one")).unwrap();
    let stranger = TestKey::new("Somebody Else");
    let mut command = Command::new(tool());
    command.args(["repo", "clone", &place]).arg(room.path("evil")).arg("--keyring").arg(stranger.ring());
    run(&mut command).fails(1, &["signed by another key"]);
    assert!(!room.path("evil").exists());
    room.clone(&place, "new").success();
    room.repo("new", &["verify", "--keyring", &room.key.ring().display().to_string()]).success();
    room.repo("new", &["publish", &changed]).fails(3, &["already published with other bytes"]);
    room.publish("new", "1.2-1", &["--to", &place]).success();
    room.whole(&room.path("place"));
}

/// What a place says is believed as far as something signed says so: neither who can write there, nor a key that was stolen, decides what
/// the next publication signs.
#[test]
fn what_was_planted_at_a_place_is_not_taken() {
    let room = Room::new();
    let place = room.name("place");
    room.publish("one", "1.1-1", &["--to", &place]).success();
    let evil = b"not a package";
    let planted = "pool/main/d/demo/demo_9_all.deb";
    fs::write(room.path("place").join(planted), evil).unwrap();
    // Whoever can write there adds a package to the record of what clients see; and one that lies elsewhere on the next machine.
    let record = room.path("place/snapshots/bookworm/3/snapshot.json");
    let good = fs::read(&record).unwrap();
    for path in [planted, "../planted.deb"] {
        let mut json: serde_json::Value = serde_json::from_slice(&good).unwrap();
        let mut package = json["packages"][0].clone();
        package["path"] = path.into();
        package["version"] = "9".into();
        package["size"] = evil.len().into();
        package["sha256"] = Digest::of(evil).to_string().into();
        json["packages"].as_array_mut().unwrap().push(package);
        fs::write(&record, json.to_string()).unwrap();
        room.clone(&place, "two").success();
        room.repo("two", &["refresh"]).success();
        room.repo("two", &["verify"]).success();
        let listed = room.repo("two", &["list", "--json"]).success().stdout;
        assert!(listed.contains("demo_1.1-1_all.deb") && !listed.contains(path), "{listed}");
        assert!(!room.path("planted.deb").exists() && !room.path("two").join(planted).exists());
        fs::remove_dir_all(room.path("two")).unwrap();
    }
    fs::write(&record, &good).unwrap();
    // A thief has the key as well: what he signs is not what was published, now or then.
    room.clone(&place, "thiefs").success();
    let mut dist = Dist::new("6.6-6");
    dist.debs.truncate(1);
    let folder = room.name("evil");
    dist.write(Path::new(&folder), &room.key);
    room.repo("thiefs", &["publish", &folder]).success();
    for number in ["3", "2"] {
        let (from, to) =
            ("thiefs/snapshots/bookworm/4/suite".to_owned(), room.path("place/snapshots/bookworm").join(number));
        let aside = room.path("aside");
        fs::rename(&to, &aside).unwrap();
        fs::create_dir_all(to.join("suite")).unwrap();
        for name in ["InRelease", "Release", "Release.gpg"] {
            fs::copy(room.path(&from).join(name), to.join("suite").join(name)).unwrap();
        }
        fs::copy(aside.join("snapshot.json"), to.join("snapshot.json")).unwrap();
        judge(
            "cp",
            &["--archive", "--no-clobber", "thiefs/dists/bookworm/main", "place/dists/bookworm/"],
            room.folder.path(),
        );
        judge("cp", &["--archive", "--no-clobber", "thiefs/pool", "place/"], room.folder.path());
        let ran = room.clone(&place, "two");
        if number == "3" {
            ran.fails(3, &["snapshot 3 of bookworm", "the one that was published"]);
            assert!(!room.path("two/dists").exists());
        } else {
            let said = ran.success();
            let said = said.stdout + &said.stderr;
            assert!(said.contains("snapshot 2 of bookworm cannot be restored"), "{said}");
            room.repo("two", &["verify"]).success();
            room.repo("two", &["rollback", "2"]).fails(1, &["no snapshot 2"]);
        }
        let _ = fs::remove_dir_all(room.path("two"));
        fs::remove_dir_all(&to).unwrap();
        fs::rename(&aside, &to).unwrap();
    }
    room.clone(&place, "two").success();
    room.repo("two", &["verify"]).success();
}

/// Whoever can write to a place cannot fill the disk of who copies it: nothing comes that is larger than what was signed says, or than
/// such a file ever is.
#[test]
fn a_place_gives_no_more_than_it_should() {
    let room = Room::new();
    let top = room.path("place");
    let state = fs::read_dir(top.join("repository/state")).unwrap().next().unwrap().unwrap().path();
    let record = top.join("snapshots/bookworm/2/snapshot.json");
    for path in [&state, &top.join(DEMO), &record] {
        let good = fs::read(path).unwrap();
        fs::File::options().write(true).open(path).unwrap().set_len((64 << 20) + 1).unwrap();
        let name = path.strip_prefix(&top).unwrap().display().to_string();
        let ran = room.clone(&room.name("place"), "two");
        if *path == record {
            // Nobody signed it: what it says follows from what was.
            let said = ran.success().stdout;
            assert!(said.contains(&format!("larger than 67108864 bytes there: {name}")), "{said}");
            room.repo("two", &["verify"]).success();
        } else {
            ran.fails(if *path == state { 1 } else { 3 }, &[&name, "larger than"]);
        }
        let _ = fs::remove_dir_all(room.path("two"));
        fs::write(path, good).unwrap();
    }
    room.clone(&room.name("place"), "two").success();
}

/// Item 5: a machine with two repositories has the key ring of each.
#[test]
fn two_repositories_on_one_machine() {
    let room = Room::new();
    let keys = [TestKey::new("Production"), TestKey::new("Trial")];
    for (name, key) in ["stable-tools", "trial"].into_iter().zip(&keys) {
        let mut command = Command::new(tool());
        command
            .args(["repo", "init"])
            .arg(room.path(name))
            .args(["--codename", "bookworm", "--key-file"])
            .arg(key.secret());
        run(&mut command).success();
    }
    let client = Client::new(&room.path("place"));
    for name in ["stable-tools", "trial"] {
        client.add(&room.path(name));
    }
    client.update().success();
    client.apt(&["dist-upgrade"]).success();
    for (name, key) in ["stable-tools", "trial"].into_iter().zip(&keys) {
        let ring = fs::read(client.path(&format!("usr/share/keyrings/{name}-archive-keyring.gpg"))).unwrap();
        assert_eq!(ring, fs::read(key.ring()).unwrap(), "{name}");
        let letter = &name[..1];
        assert!(room.path(name).join(format!("pool/main/{letter}/{name}-archive-keyring")).is_dir());
    }
    // One that clients know keeps its name.
    let settings = room.path("trial/.repository/settings.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("name = \"trial\"", "name = \"mesos\"")).unwrap();
    room.repo("trial", &["prune"]).fails(1, &["its name is mesos", "trial in what clients have"]);
}

/// Item 12: whoever reads what the tool says may go away, and the disk behind it may be full.
#[test]
fn a_publication_ends_whole_whatever_reads_it() {
    let room = Room::new();
    let to = ["--to", &room.name("place")];
    let outputs: [(&str, i32); 4] = [("| true", 0), ("2>&1 | true", 0), (">&- 2>&-", 0), ("> /dev/full 2>&1", 1)];
    for (n, (output, code)) in outputs.into_iter().enumerate() {
        let dist = room.dist(&format!("1.{}-1", n + 1));
        let command = room.command("one", &[&["publish", &dist], &to[..]].concat());
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<String> = words.map(|word| format!("'{}'", word.display())).collect();
        // The reader is gone before the first word: it ends at once, and the tool waits for its end.
        let script = format!("set -o pipefail; {{ sleep 0.3; {}; }} {output}", words.join(" "));
        let ran = run(Command::new("bash").args(["-c", &script]));
        assert_eq!(ran.code, Some(code), "{output}: {}{}", ran.stdout, ran.stderr);
        let package = format!("pool/main/d/demo/demo_1.{}-1_all.deb", n + 1);
        assert!(room.path("place").join(&package).is_file(), "{output}");
        room.whole(&room.path("place"));
        room.repo("one", &["verify"]).success();
    }
    let ran = run(Command::new("bash")
        .args(["-c", &format!("'{}' repo list {} > /dev/full", tool().display(), room.name("one"))]));
    ran.fails(1, &["could not be printed", "No space left"]);
}

/// kill -9 while it pushes: clients see the old suite or the new one, whole, and the next push completes the rest. With
/// `KILLS=50` it is done so often in each place; with what `an_object_store_serves_clients` wants, in a bucket as well; with
/// `PLACE=s3` there alone.
#[test]
fn killed_while_it_pushes() {
    let room = Room::new();
    let daemon = Rsyncd::new(room.folder.path());
    let mut places = vec![("folder", room.name("place"), 4), ("rsync", daemon.uri("remote"), 2)];
    if std::env::var_os("S3_TEST_ENDPOINT").is_some() {
        places.push(("s3", format!("s3://mesos/killed-{}", std::process::id()), 2));
    }
    let only = std::env::var("PLACE").ok();
    places.retain(|(kind, ..)| only.as_ref().is_none_or(|only| only == kind));
    for (kind, to, kills) in places {
        let place = room.path(if kind == "folder" { "place" } else { "remote" });
        let look = || {
            if kind == "s3" {
                let _ = fs::remove_dir_all(&place);
                let mut copy = Command::new("rclone");
                copy.args(["copy", &to.replace("s3://", ":s3:"), &place.display().to_string()]);
                copy.args(["--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint"]);
                copy.arg(std::env::var("S3_TEST_ENDPOINT").unwrap()).env_remove("AWS_CA_BUNDLE");
                run(&mut copy).success();
            }
            room.whole(&place);
        };
        room.repo("one", &["push", "--to", &to]).success();
        room.repo("one", &["refresh"]).success();
        let whole = room.repo("one", &["push", "--to", &to]).success().seconds;
        let kills: u32 = std::env::var("KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(kills);
        let mut killed = 0;
        for kill in 1..=kills {
            room.repo("one", &["refresh"]).success();
            let mut process = room.command("one", &["push", "--to", &to]);
            let mut process = process.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_secs_f64(whole * f64::from(kill) / f64::from(kills + 1)));
            let _ = process.kill();
            killed += u32::from(!process.wait().unwrap().success());
            look();
            room.repo("one", &["push", "--to", &to]).success();
            look();
            let there = fs::read(place.join("dists/bookworm/InRelease")).unwrap();
            assert_eq!(there, fs::read(room.path("one/dists/bookworm/InRelease")).unwrap());
            let left = judge("find", &[".", "-name", ".*.??????", "-o", "-path", "*/locks/*"], &place);
            assert_eq!(left, "", "{kind}");
        }
        assert!(killed > 0, "{kind}: none of {kills} was killed in time");
        println!("{kind}: {killed} of {kills} were killed while they pushed, which takes {whole:.2} s");
    }
}
