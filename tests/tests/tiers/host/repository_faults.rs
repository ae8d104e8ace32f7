//! What ends a publication too early: clients have the old suite or the new one, and the next command repairs the rest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::dist::{Dist, TestKey};
use tests::guards::Disk;
use tests::{Ran, judge, run, tool};

struct Room {
    key: TestKey,
    folder: tempfile::TempDir,
    repository: PathBuf,
}

impl Room {
    /// A repository with `demo` 1.0-1 as snapshot 2, in this folder or a new one.
    fn new(repository: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = repository.map_or_else(|| folder.path().join("repository"), Path::to_owned);
        let room = Self { key: TestKey::new("Test Release"), folder, repository };
        room.repo(&["init", "--codename", "bookworm"]).success();
        let dist = room.dist(&Dist::new("1.0-1"));
        room.repo(&["publish", &dist]).success();
        room
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tool());
        command.arg("repo").arg(arguments[0]).arg(&self.repository).args(&arguments[1..]);
        command.env("MESOS_PACKAGES_CACHE", self.folder.path().join("cache")).stdin(Stdio::null());
        if ["init", "publish", "refresh"].contains(&arguments[0]) {
            command.arg("--key-file").arg(self.key.secret());
        }
        command
    }

    fn repo(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    fn dist(&self, dist: &Dist) -> String {
        let path = self.folder.path().join(format!("dist-{}", dist.version));
        dist.write(&path, &self.key);
        path.display().to_string()
    }

    /// The suite that clients see is whole: signed, with every index that it names, and every package of these. Returns
    /// its snapshot's number.
    #[track_caller]
    fn live(&self) -> u64 {
        let suite = fs::canonicalize(self.repository.join("dists/bookworm")).unwrap();
        judge("gpgv", &["--keyring", &self.key.ring().display().to_string(), "InRelease"], &suite);
        let release = fs::read_to_string(suite.join("Release")).unwrap();
        let (_, list) = release.split_once("SHA256:\n").unwrap();
        let sums: String = list
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words[2].ends_with(".xz") || words[2].ends_with(".gz"))
            .map(|words| format!("{}  {}\n", words[0], words[2]))
            .collect();
        let file = self.folder.path().join("sums");
        fs::write(&file, sums).unwrap();
        judge("sha256sum", &["--check", "--quiet", &file.display().to_string()], &suite);
        let index = judge("xz", &["--decompress", "--stdout", "main/binary-amd64/Packages.xz"], &suite);
        let field =
            |name: &str| index.lines().filter_map(|l| l.strip_prefix(name)).map(str::to_owned).collect::<Vec<_>>();
        let packages = field("SHA256: ").into_iter().zip(field("Filename: "));
        fs::write(&file, packages.map(|(sum, name)| format!("{sum}  {name}\n")).collect::<String>()).unwrap();
        judge("sha256sum", &["--check", "--quiet", &file.display().to_string()], &self.repository);
        suite.parent().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap()
    }

    /// Everything is in order, and nothing is left of what was interrupted.
    #[track_caller]
    fn sound(&self) {
        self.repo(&["verify"]).success();
        assert_eq!(fs::read_dir(self.repository.join(".repository/tmp")).unwrap().count(), 0);
        assert!(!self.repository.join(".repository/unfinished").exists());
    }
}

#[test]
fn two_publishers_wait_for_each_other() {
    let room = Room::new(None);
    let dists: Vec<String> = ["1.1-1", "1.2-1", "1.3-1"].map(|version| room.dist(&Dist::new(version))).into();
    let running: Vec<_> = dists
        .iter()
        .map(|dist| {
            room.command(&["publish", dist])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the tool runs")
        })
        .collect();
    let mut numbers = Vec::new();
    for process in running {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        numbers.push(said.split("snapshot ").nth(1).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 4, 5]);
    assert_eq!(room.live(), 5);
    room.sound();
    let listed = room.repo(&["list"]).success().stdout;
    assert!(listed.lines().any(|line| line.contains("5 live") && line.contains(" 9 ")), "{listed}");
}

#[test]
fn killed_at_any_moment() {
    let room = Room::new(None);
    let version = |step: u32| format!("1.{}-1", step + 1);
    let dist = room.dist(&Dist::new(&version(0)));
    // A publication of this moment says when the next one is killed: other tests run beside this one, and a machine
    // that was slow once may be fast a second later. Where one was killed too late, the next is killed sooner.
    let started = std::time::Instant::now();
    room.repo(&["publish", &dist]).success();
    let mut whole = started.elapsed();
    const STEPS: u32 = 8;
    let (mut old, mut repaired) = (0, 0);
    for step in 1..=STEPS {
        let before = room.live();
        let dist = room.dist(&Dist::new(&version(step)));
        let mut process =
            room.command(&["publish", &dist]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * step / STEPS);
        // SIGKILL.
        let _ = process.kill();
        process.wait().unwrap();
        let live = room.live();
        assert!(live == before || live == before + 1, "{before} became {live}");
        if live == before {
            old += 1;
        } else {
            whole /= 2;
        }
        let again = room.repo(&["publish", &dist]).success();
        repaired += u32::from(again.stderr.contains("repaired what an interrupted run has left"));
        assert_eq!(room.live(), before + 1, "{}", again.stdout);
        room.sound();
    }
    // Or it was killed too late to show anything.
    assert!(old > 1, "{old} of {STEPS} were killed before they had published");
    println!("{old} of {STEPS} were killed before they had published, {repaired} left something to repair");
}

/// What a killed run leaves at each step, put there by hand: the steps are too short to be met by chance.
#[test]
fn what_each_step_leaves_is_repaired() {
    let room = Room::new(None);
    let before = room.live();
    let state = room.repository.join(".repository");
    // Before the rename: a file in the pool, one of the indices, half a snapshot, a whole one that nobody sees.
    fs::write(state.join("unfinished"), "").unwrap();
    fs::create_dir_all(state.join("tmp/.tmp123/suite")).unwrap();
    fs::write(state.join("tmp/.tmp456"), "half").unwrap();
    let pool = room.repository.join("pool/main/x/x/x_1_all.deb");
    fs::create_dir_all(pool.parent().unwrap()).unwrap();
    fs::write(&pool, "half").unwrap();
    let index = room.repository.join("indices/SHA256").join("0".repeat(64));
    fs::write(&index, "index").unwrap();
    let (from, to) = (room.repository.join("snapshots/bookworm/2"), room.repository.join("snapshots/bookworm/3"));
    judge("cp", &["--archive", &from.display().to_string(), &to.display().to_string()], room.folder.path());
    room.repo(&["verify"]).fails(3, &["a run that was interrupted has left something", "pool/main/x/x/x_1_all.deb"]);
    let ran = room.repo(&["publish"]).success();
    assert!(ran.stderr.contains("snapshot 3 of bookworm was not published yet: removed"), "{}", ran.stderr);
    assert!(!pool.exists() && !pool.parent().unwrap().exists() && !index.exists() && !to.exists());
    assert_eq!(room.live(), before);
    room.sound();
    // After the rename: neither ledger, generation nor the files at the top know of it, and what was staged still is.
    let recorded = room.folder.path().join("recorded");
    let (record, copy) = (room.repository.join("repository"), recorded.display().to_string());
    judge("cp", &["--archive", &record.display().to_string(), &copy], room.folder.path());
    let ledger = fs::read(state.join("ledger.json")).unwrap();
    let dist = room.dist(&Dist::new("1.1-1"));
    room.repo(&["add", &dist]).success();
    let staged = fs::read(state.join("staged.json")).unwrap();
    room.repo(&["publish"]).success();
    fs::write(state.join("ledger.json"), ledger).unwrap();
    fs::remove_dir_all(&record).unwrap();
    fs::rename(&recorded, &record).unwrap();
    fs::write(state.join("staged.json"), staged).unwrap();
    fs::remove_file(room.repository.join("mesos-bookworm.sources")).unwrap();
    fs::write(state.join("unfinished"), "").unwrap();
    let ran = room.repo(&["publish"]).success();
    assert!(ran.stdout.contains("nothing to publish, snapshot 3"), "{}", ran.stdout);
    room.sound();
}

#[test]
fn a_full_disk() {
    // Mounting takes root with all its capabilities.
    let may_mount =
        run(Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])).code == Some(0);
    if !may_mount {
        eprintln!("skipped: this user may not mount");
        return;
    }
    let disk = Disk::new("size=1m");
    let room = Room::new(Some(&disk.path().join("repository")));
    // One package is too large by itself.
    let noise: String = (0..160_000u64)
        .map(|n| {
            format!("{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17).wrapping_mul(0xD134_2543_DE82_EF95))
        })
        .collect();
    let mut large = Dist::new("1.1-1");
    large.debs[0].files.push(("usr/share/demo/noise".into(), noise));
    let large = room.dist(&large);
    room.repo(&["publish", &large]).fails(1, &["no space is left to write", "what clients see has not changed"]);
    assert_eq!(room.live(), 2);
    room.sound();
    // Room for the packages, but not for everything that belongs to them.
    let small = room.dist(&Dist::new("1.2-1"));
    let filler = disk.path().join("filler");
    let mut failed = 0;
    for free in [0, 8, 16, 24, 40] {
        let before = room.live();
        let available =
            judge("df", &["--output=avail", "--block-size=1K", &disk.path().display().to_string()], Path::new("/"));
        let available: u64 = available.lines().nth(1).unwrap().trim().parse().unwrap();
        fs::write(&filler, vec![0; ((available - free) * 1024) as usize]).unwrap();
        let ran = room.repo(&["publish", &small]);
        match ran.code {
            Some(0) => assert_eq!(room.live(), before.max(3)),
            _ => {
                ran.fails(1, &["no space is left"]);
                assert_eq!(room.live(), before, "with {free} KiB");
                failed += 1;
            }
        }
        fs::remove_file(&filler).unwrap();
    }
    assert!(failed > 2, "{failed} failed");
    room.repo(&["publish", &small]).success();
    assert_eq!(room.live(), 3);
    room.sound();
}

/// Many versions: how long each command takes, or as many as `PACKAGES` says. Run by hand:
/// `cargo test --package tests --test tiers -- --ignored --nocapture scale`.
#[test]
#[ignore = "a measurement, of half a minute"]
fn scale() {
    let packages: usize = std::env::var("PACKAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(5000);
    let room = Room::new(None);
    let dist = room.folder.path().join("many");
    Dist::new("2.0-1").write_many(&dist, packages, &room.key);
    let told = |what: &str, ran: Ran| println!("{what}: {:.1} s", ran.success().seconds);
    told(&format!("publish {packages} packages"), room.repo(&["publish", &dist.display().to_string()]));
    let more = room.dist(&Dist::new("3.0-1"));
    told("publish 2 more", room.repo(&["publish", &more]));
    told("refresh", room.repo(&["refresh"]));
    told("status", room.repo(&["status"]));
    told("verify", room.repo(&["verify"]));
    let place = room.folder.path().join("place").display().to_string();
    told("push", room.repo(&["push", "--to", &place]));
    told("push again", room.repo(&["push", "--to", &place]));
    let clone = room.folder.path().join("clone").display().to_string();
    told("clone", run(Command::new(tool()).args(["repo", "clone", &place, &clone])));
    room.live();
}
