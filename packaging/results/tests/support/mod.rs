//! Machines that share results, as tests see them.

#![allow(dead_code)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use places::Remote;
use results::offer::{Desk, Offered, Offering};
use results::{Bundle, Key, KeyRing, Kind, Received, ResultsError, Source, Subject, Taker};
use sign::gpg::Gpg;
use sign::signer::{KeyForm, KeySource, Signer as _};

/// An hour after this began, so that no key is newer than what it signs.
pub static NOW: LazyLock<i64> =
    LazyLock::new(|| 3600 + std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64);

/// Keeps the warnings and notes.
#[derive(Default)]
pub struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn event(&self, event: Event) {
        if let Event::Warning { text } | Event::Note { text } = event {
            self.0.lock().unwrap().push(text);
        }
    }
}

impl Heard {
    pub fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

/// A machine: a store, and a key of its own.
pub struct Machine {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub gpg: Gpg,
}

impl Machine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Some(&folder.path().join("store"))).unwrap();
        let gpg = Gpg::open(&KeySource::Development { state: folder.path().join("key") }).unwrap();
        Self { folder, store, gpg }
    }

    /// A result with this text in it, a large file, a program, a link and an account of this machine's own.
    pub fn bundle(&self, text: &str) -> Bundle {
        self.bundle_with(text, Some("text"))
    }

    /// The same without a link.
    pub fn plain(&self, text: &str) -> Bundle {
        self.bundle_with(text, None)
    }

    fn bundle_with(&self, text: &str, link: Option<&str>) -> Bundle {
        let made = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let tree = made.join("tree");
        fs::create_dir_all(tree.join("empty")).unwrap();
        fs::write(tree.join("text"), text).unwrap();
        fs::write(tree.join("nothing"), "").unwrap();
        fs::write(tree.join("large"), noise(5 << 20)).unwrap();
        fs::write(tree.join("run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(tree.join("run"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        if let Some(target) = link {
            std::os::unix::fs::symlink(target, tree.join("link")).unwrap();
        }
        fs::write(made.join("log"), format!("{} s\n", self.gpg.key().primary)).unwrap();
        Bundle::default().content(&tree, "tree").unwrap().account(&made.join("log"), "log").unwrap()
    }

    pub fn offer(&self, place: &Path, bundle: Bundle) -> Result<Vec<Offered>, ResultsError> {
        self.offer_at(place, bundle, key(), *NOW, false)
    }

    pub fn offer_at(
        &self,
        place: &Path,
        bundle: Bundle,
        key: Key,
        now: i64,
        again: bool,
    ) -> Result<Vec<Offered>, ResultsError> {
        let of = Subject { recipe: "demo".into(), target: "debian-13/amd64".into(), version: "1".into() };
        self.at(place, now, again, |desk| desk.offer(&[Offering { key, of, bundle }]))
    }

    pub fn at<T>(&self, place: &Path, now: i64, again: bool, work: impl FnOnce(&Desk<'_>) -> T) -> T {
        let remote: Remote = place.to_str().unwrap().parse().unwrap();
        let lock = self.store.try_lock("share").unwrap();
        let heard = Heard::default();
        work(&Desk {
            remote: &remote,
            store: &self.store,
            lock: &lock,
            signer: &self.gpg,
            now,
            break_lock: None,
            again,
            threads: 2,
            progress: &heard,
        })
    }

    /// The path of this machine's statement, below a place.
    pub fn statement(&self, key: &Key) -> String {
        key.statement(&self.gpg.key().primary)
    }
}

/// What everybody makes here.
pub fn key() -> Key {
    Key { kind: Kind::Staged, inputs: Digest::of("inputs") }
}

/// A key ring of these machines.
pub fn ring(folder: &Path, machines: &[&Machine]) -> PathBuf {
    let path = folder.join(format!("ring-{}.gpg", machines.len()));
    let keys: Vec<Vec<u8>> = machines.iter().map(|one| one.gpg.public_key(KeyForm::Binary).unwrap()).collect();
    fs::write(&path, keys.concat()).unwrap();
    path
}

/// Whoever takes from these places what so many of these machines state.
pub fn taker(folder: &Path, places: &[&str], machines: &[&Machine], require: u32) -> Taker {
    let places: Vec<Source> = places.iter().map(|place| place.parse().unwrap()).collect();
    Taker::new(places, &KeyRing::Named(ring(folder, machines)), require).unwrap()
}

/// Takes into a store; what was said is returned as well.
pub fn take(taker: &Taker, store: &Store) -> (Result<Option<Received>, ResultsError>, String) {
    let heard = Heard::default();
    let taken = taker.take(store, &key(), &heard);
    (taken, heard.text())
}

/// The same where nothing is to be taken, and no alarm raised.
#[track_caller]
pub fn take_nothing(taker: &Taker, store: &Store) -> String {
    let (taken, said) = take(taker, store);
    assert!(taken.unwrap().is_none(), "{said}");
    // Nothing of it is left to be found by whoever comes next.
    assert_eq!(fs::read_dir(store.root().join("tmp")).unwrap().count(), 0);
    said
}

/// Bytes that do not compress, always the same.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

/// All parts of a place, the largest first.
pub fn parts(place: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = walkdir::WalkDir::new(place.join("parts"))
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().to_owned())
        .collect();
    found.sort_by_key(|path| (std::cmp::Reverse(fs::metadata(path).unwrap().len()), path.clone()));
    found
}

/// How a web server answers.
#[derive(Clone, Copy)]
pub enum Manner {
    /// As it should.
    Well,
    /// To `me` with the password `secret`.
    Closed,
    /// It takes the request, and says nothing.
    Silent,
}

/// Serves a folder on loopback until the test ends; returns the address.
pub fn serve(folder: &Path, manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            std::thread::spawn(move || answer(stream, &folder, manner));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: std::net::TcpStream, folder: &Path, manner: Manner) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    if matches!(manner, Manner::Silent) {
        std::thread::sleep(std::time::Duration::from_secs(60));
        return;
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let enters = !matches!(manner, Manner::Closed) || head.to_lowercase().contains("authorization: basic bwu6c2vjcmv0");
    let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match fs::read(folder.join(path)) {
        _ if !enters => ("401 Unauthorized", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

/// Copies all that is in one folder over another.
pub fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("--recursive").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success());
}
