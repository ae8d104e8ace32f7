//! A lock from an archive in Ubuntu's shape, solved by apt itself: pockets, components, phased updates and backports. The base
//! is made of Debian's real packages, the others are made here.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use engine::Engine;
use fetch::download::Network;
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use pipeline::Options;
use recipe::Recipe;
use recipe::root_lock::{LockKind, RootLock};
use recipe::target::Target;
use tests::key::Key;
use tests::{Workshop, judge, replace, repository, sample_copy};

/// Made packages: pocket, component, name, version, further fields of the package, and of the index.
const MADE: [(&str, &str, &str, &str, &str, &str); 8] = [
    ("noble", "main", "tool", "1", "Depends: helper", ""),
    ("noble", "universe", "helper", "1", "", ""),
    // Machines take it one after the other, by their identity; a lock takes it at once.
    ("noble-updates", "main", "tool", "2", "Depends: helper (>= 1), library", "Phased-Update-Percentage: 10"),
    ("noble-updates", "universe", "helper", "1.1", "", "Phased-Update-Percentage: 0"),
    ("noble-security", "main", "library", "1", "", ""),
    ("noble-security", "universe", "helper", "1.0.1", "", ""),
    ("noble-backports", "main", "tool", "3", "", ""),
    ("noble-backports", "main", "only", "1~bpo", "", ""),
];

struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event) {}
}

/// A web server on loopback; it ends with this.
struct Server(Child, u16);

impl Server {
    fn new(folder: &Path) -> Self {
        let mut server = Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // `Serving HTTP on 127.0.0.1 port 8000 (…`
        let port = line.split(" port ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
        Self(server, port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The paragraph of a package in an index.
fn paragraph(deb: &Path, path: &str, more: &str) -> String {
    let fields = judge("dpkg-deb", &["--field", deb.to_str().unwrap()], Path::new("/"));
    let content = fs::read(deb).unwrap();
    let more = if more.is_empty() { String::new() } else { format!("{more}\n") };
    format!("{fields}{more}Filename: {path}\nSize: {}\nSHA256: {}\n\n", content.len(), Digest::of(&content))
}

/// Writes the archive, whose base has the packages that a lock marks as that.
fn write(ubuntu: &Path, key: &Key, store: &Store, base: &RootLock) {
    let mut indices = std::collections::BTreeMap::<(&str, &str), String>::new();
    fs::create_dir_all(ubuntu.join("pool")).unwrap();
    for deb in base.packages.iter().filter(|deb| deb.base) {
        let from = store.verify(&deb.sha256).expect("it was downloaded");
        let path = format!("pool/{}.deb", deb.name);
        std::os::unix::fs::symlink(&from, ubuntu.join(&path)).unwrap();
        *indices.entry(("noble", "main")).or_default() += &paragraph(&from, &path, "");
    }
    for (pocket, component, name, version, fields, more) in MADE {
        let path = format!("pool/{name}_{version}.deb");
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("DEBIAN")).unwrap();
        let fields = if fields.is_empty() { String::new() } else { format!("{fields}\n") };
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: A <a@example.org>\n{fields}Description: made\n"
        );
        fs::write(tree.path().join("DEBIAN/control"), control).unwrap();
        let deb = ubuntu.join(&path);
        judge("dpkg-deb", &["--root-owner-group", "--build", ".", deb.to_str().unwrap()], tree.path());
        *indices.entry((pocket, component)).or_default() += &paragraph(&deb, &path, more);
    }
    for pocket in ["noble", "noble-updates", "noble-security", "noble-backports"] {
        let top = ubuntu.join("dists").join(pocket);
        let mut sums = String::new();
        for component in ["main", "universe"] {
            let folder = format!("{component}/binary-amd64");
            let hashes = top.join(&folder).join("by-hash/SHA256");
            fs::create_dir_all(&hashes).unwrap();
            let text = indices.remove(&(pocket, component)).unwrap_or_default();
            fs::write(hashes.join("Packages"), &text).unwrap();
            judge("xz", &["Packages"], &hashes);
            let packed = fs::read(hashes.join("Packages.xz")).unwrap();
            fs::rename(hashes.join("Packages.xz"), hashes.join(Digest::of(&packed).to_string())).unwrap();
            for (content, name) in [(text.as_bytes(), "Packages"), (&packed, "Packages.xz")] {
                sums += &format!(" {} {} {folder}/{name}\n", Digest::of(content), content.len());
            }
        }
        // The date of the real base, whose image is then found again.
        let date = judge("date", &["--utc", "--rfc-email", &format!("--date=@{}", base.release_date)], Path::new("/"));
        let automatic = if pocket == "noble-backports" { "NotAutomatic: yes\nButAutomaticUpgrades: yes\n" } else { "" };
        let release = format!(
            "Origin: Ubuntu\nSuite: {pocket}\nCodename: noble\nDate: {date}Components: main universe\nArchitectures: amd64\n\
             Acquire-By-Hash: yes\n{automatic}SHA256:\n{sums}"
        );
        fs::write(top.join("Release"), release).unwrap();
        let (from, to) = (top.join("Release").display().to_string(), top.join("InRelease").display().to_string());
        key.gpg(&["--output", &to, "--clearsign", &from]);
    }
}

#[test]
fn apt_solves_with_the_pockets_of_an_archive_in_ubuntus_shape() {
    let workshop = Workshop::shared();
    let out = tempfile::tempdir().unwrap();
    workshop.run(&["fetch", "--recipe", "sample", "--target", "debian-12/amd64"]).success();
    let store = Store::open(Some(&workshop.cache)).unwrap();
    let targets = repository().join("containers/targets");
    let read = |name: &str| Target::read(&targets, &name.parse().unwrap()).unwrap();
    let (debian, ubuntu) = (read("debian-12/amd64"), read("ubuntu-24.04/amd64"));
    let (_kept, sample) = sample_copy();
    let locked = sample.join("debian-12-amd64.lock");
    let base = RootLock::read_any(&locked, LockKind::BuildRoot, ("sample", "sample"), &debian.name).unwrap();

    let key = Key::new("ed25519", "cert,sign");
    write(&out.path().join("ubuntu"), &key, &store, &base);
    key.gpg(&["--output", &out.path().join("ring.gpg").display().to_string(), "--export"]);
    let server = Server::new(out.path());
    let address = format!("http://127.0.0.1:{}/ubuntu", server.1);
    let recipe = sample.join("recipe.toml");
    let text = fs::read_to_string(&recipe).unwrap();
    let depends = &text[text.find("depends = [").unwrap()..text.find("memory-per-job").unwrap()];
    replace(&recipe, depends, "depends = [\"tool\", \"only\"]\n");
    let mut target = Target {
        keyring: "ring.gpg".into(),
        archive: address.clone(),
        base: Vec::new(),
        remove: debian.remove,
        merged_folders: debian.merged_folders,
        ..ubuntu
    };
    target.further[1].suites.push("noble-backports".into());
    let options = Options {
        recipe: Recipe::read(&sample).unwrap(),
        target,
        targets: out.path().to_owned(),
        source: None,
        network: Network::Online,
        mirrors: vec![address.clone()],
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lock = || {
        runtime.block_on(async {
            let run = format!("test-{}", Digest::of(out.path().as_os_str().as_encoded_bytes()).short());
            let engine = Engine::find().await.unwrap().with_run(&run);
            let made = pipeline::lock(&engine, &store, &options, LockKind::BuildRoot, None, &Silent).await.unwrap();
            (fs::read_to_string(&made.0).unwrap(), made.1)
        })
    };
    let (text, lock_of) = lock();
    let told: Vec<String> = lock_of
        .packages
        .iter()
        .filter(|deb| !deb.base)
        .map(|deb| format!("{} {} {}", deb.name, deb.version, deb.suite.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(
        told,
        ["helper 1.1 noble-updates", "library 1 noble-security", "only 1~bpo noble-backports", "tool 2 noble-updates"]
    );
    assert_eq!(
        lock_of.packages.iter().filter(|deb| deb.base).count(),
        base.packages.iter().filter(|deb| deb.base).count()
    );
    assert!(text.contains(&format!("archive = \"{address}\"")), "{text}");
    assert_eq!(lock().0, text, "locking twice gives the same bytes");
}
