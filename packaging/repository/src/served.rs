//! The copy that clients fetch from, looked at as apt looks at it: by name and by digest, in each form, more than once. A
//! server, a cache or the edges of a network for delivery may have something else than what was pushed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use apt::Sum;
use apt::listed::Listed;
use apt::release::Parsed;
use fetch::download::{DownloadError, Downloader, Network};
use foundation::address::shown;
use foundation::date;
use foundation::digest::Digest;
use sign::gpgv::{Gpgv, GpgvError};
use sign::public_key;

use super::keys::Keys;
use super::snapshot::{self, Snapshot};
use super::{Folder, RepositoryError, clock, index_page, sources};

/// How often what changes is asked for, each time on a connection of its own: edges take turns.
const ASKED: usize = 4;

/// How much of what should be a short text is read, in bytes.
const TEXT: u64 = 64 << 20;

/// How many files are fetched at once.
const THREADS: usize = 8;

/// How to look.
#[derive(Clone, Debug)]
pub struct Look<'a> {
    /// Where clients fetch from: `https://HOST/PATH`.
    pub url: &'a str,
    /// A binary key ring with what clients trust, instead of the repository's present one.
    pub keyring: Option<&'a Path>,
    /// Whether packages are fetched as well.
    pub packages: bool,
    /// The time, in Unix seconds.
    pub now: i64,
}

/// What clients get of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ServedSuite {
    /// The field `Date` of its Release, as a Unix time in seconds.
    pub date: i64,
    /// The field `Valid-Until` of its Release, as a Unix time in seconds.
    pub valid_until: i64,
}

/// What clients get.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Served {
    /// The suites by each of their names.
    pub suites: BTreeMap<String, ServedSuite>,
    /// How many indices there are, each by digest and by name.
    pub indices: usize,
    /// How many packages were fetched.
    pub packages: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Compares what a web server gives with this repository. The error has all problems at once, as clients meet them.
///
/// # Errors
/// The address is not one of a web server, the repository or the key ring cannot be read, or clients get something else
/// than what the repository has: [`RepositoryError::Served`] has all problems.
pub fn verify_served(root: &Path, look: &Look<'_>) -> Result<Served, RepositoryError> {
    let folder = Folder::open(root)?;
    let keys = Keys::read(&folder)?;
    let url = look.url.trim_end_matches('/').to_owned();
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let problem = "is no address of a web server: write https://HOST/PATH".into();
        return Err(RepositoryError::Setting { what: "--from", value: shown(&url), problem });
    }
    let ring = public_key::write(&keys.ring())?;
    let gpgv = Gpgv::new(look.keyring.unwrap_or(ring.path()))?;
    let mut visit = Visit {
        known: known(&folder)?,
        folder: &folder,
        look,
        url: &url,
        gpgv,
        client: Downloader::new(Network::Online),
        problems: Mutex::default(),
        served: Served::default(),
    };
    let mut packages = BTreeMap::new();
    for suite in &folder.settings.suite {
        for name in BTreeSet::from([suite.codename.as_str(), suite.name()]) {
            packages.extend(visit.suite(name, &suite.codename)?);
        }
    }
    visit.packages(packages.into_values().collect());
    visit.top(&keys)?;
    let Visit { problems, served, .. } = visit;
    let mut problems = problems.into_inner().expect("no panic while held");
    problems.sort();
    problems.dedup();
    if problems.is_empty() { Ok(served) } else { Err(RepositoryError::Served { url: shown(&url), problems }) }
}

/// What digests are of, for people.
fn known(folder: &Folder) -> Result<BTreeMap<Digest, String>, RepositoryError> {
    let mut known = BTreeMap::new();
    for snapshot in folder.all_snapshots()? {
        let Snapshot { codename, number, .. } = &snapshot;
        let text = format!("snapshot {number} of {codename}, dated {}", date::text(snapshot.date));
        let place = folder.snapshot(codename, *number);
        let own = snapshot::FILES.iter().filter_map(|name| Digest::of_file(&place.join(name)).ok());
        for digest in own.chain(snapshot.files.values().map(|(sha256, _)| *sha256)) {
            // The first one that had it.
            known.entry(digest).or_insert_with(|| text.clone());
        }
    }
    Ok(known)
}

struct Visit<'a> {
    folder: &'a Folder,
    look: &'a Look<'a>,
    url: &'a str,
    gpgv: Gpgv,
    client: Downloader,
    known: BTreeMap<Digest, String>,
    problems: Mutex<Vec<String>>,
    served: Served,
}

impl Visit<'_> {
    fn problem(&self, path: &str, problem: impl std::fmt::Display) {
        self.problems.lock().expect("no panic while held").push(format!("{path}: {problem}"));
    }

    /// A suite by one of its names; returns the packages that clients are told of.
    fn suite(&mut self, name: &str, codename: &str) -> Result<BTreeMap<String, Listed>, RepositoryError> {
        let path = format!("dists/{name}/InRelease");
        let mut versions: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut failed = 0;
        for _ in 0..ASKED {
            // Nobody is there.
            if failed == 2 && versions.is_empty() {
                break;
            }
            // Another connection, and another answer to who has that name.
            match self.get(&Downloader::new(Network::Online), &path) {
                Ok(bytes) => *versions.entry(bytes).or_default() += 1,
                Err(why) => {
                    failed += 1;
                    self.problem(&path, why);
                }
            }
        }
        let mut releases = Vec::new();
        for (bytes, times) in &versions {
            match self.in_release(codename, bytes)? {
                Ok((text, parsed)) => releases.push((parsed, text, *times)),
                Err(why) => self.problem(&path, why),
            }
        }
        releases.sort_by_key(|(parsed, ..)| std::cmp::Reverse(parsed.date));
        if releases.len() > 1 {
            let each = releases.iter().map(|(parsed, _, times)| format!("{times} times {}", date::text(parsed.date)));
            let each = each.collect::<Vec<_>>().join(", ");
            self.problem(&path, format!("of {ASKED} requests gave {each}: a cache or an edge has an older one"));
        }
        let Some((newest, text, _)) = releases.first() else { return Ok(BTreeMap::new()) };
        self.dates(&path, codename, newest)?;
        self.release(name, text)?;
        let suite = ServedSuite { date: newest.date, valid_until: newest.valid_until };
        self.served.suites.insert(name.to_owned(), suite);
        let mut packages = BTreeMap::new();
        for (n, (parsed, ..)) in releases.iter().enumerate() {
            // Clients that have an older Release find its indices by digest; by name there are those of the newest.
            packages.extend(self.indices(name, parsed, n == 0));
        }
        Ok(packages)
    }

    /// What was signed, or why clients refuse it.
    fn in_release(&self, codename: &str, bytes: &[u8]) -> Result<Result<(String, Parsed), String>, RepositoryError> {
        let file = tempfile::NamedTempFile::new().map_err(RepositoryError::io("write", std::env::temp_dir()))?;
        fs::write(file.path(), bytes).map_err(RepositoryError::io("write", file.path()))?;
        let text = match self.gpgv.trusted_text(file.path()) {
            Ok(text) => text,
            Err(GpgvError::Signature { found, .. }) => return Ok(Err(format!("clients do not trust it: {found}"))),
            Err(error) => return Err(error.into()),
        };
        Ok(match Parsed::parse(&text) {
            None => Err("is not as this tool writes it: another repository is served there".into()),
            Some(parsed) if parsed.codename != codename => Err(format!("is that of {}", parsed.codename)),
            Some(parsed) => Ok((text, parsed)),
        })
    }

    /// When clients take it, and whether it is what this repository has published last.
    fn dates(&self, path: &str, codename: &str, parsed: &Parsed) -> Result<(), RepositoryError> {
        let (date, end) = (date::text(parsed.date), date::text(parsed.valid_until));
        if parsed.valid_until < self.look.now {
            self.problem(path, format!("expired at {end}, and clients refuse it"));
        }
        if parsed.date > self.look.now + clock::FUTURE {
            self.problem(path, format!("is dated {date}, in the future, and clients refuse it"));
        }
        match Snapshot::live(self.folder, codename)? {
            Some(live) if parsed.date < live.date => {
                let ours = date::text(live.date);
                let why = format!(
                    "is dated {date}, and this repository has one of {ours}: it was not pushed, or a cache is behind"
                );
                self.problem(path, why);
            }
            Some(live) if parsed.date == live.date && parsed.files == live.files => {}
            _ => self.problem(
                path,
                format!("is dated {date}, and this repository knows nothing of it: it was published from another copy"),
            ),
        }
        Ok(())
    }

    /// The same text with its signature apart, for clients that find no InRelease.
    fn release(&self, name: &str, text: &str) -> Result<(), RepositoryError> {
        let [release, signature] = ["Release", "Release.gpg"].map(|file| format!("dists/{name}/{file}"));
        let (found, signed) = match (self.get(&self.client, &release), self.get(&self.client, &signature)) {
            (Ok(found), Ok(signed)) => (found, signed),
            (found, signed) => {
                for (path, why) in [(release, found.err()), (signature, signed.err())] {
                    why.into_iter().for_each(|why| self.problem(&path, why));
                }
                return Ok(());
            }
        };
        if found != text.as_bytes() {
            self.problem(&release, format!("is another one than InRelease{}", self.of(&Digest::of(&found))));
        }
        let file = tempfile::NamedTempFile::new().map_err(RepositoryError::io("write", std::env::temp_dir()))?;
        fs::write(file.path(), signed).map_err(RepositoryError::io("write", file.path()))?;
        match self.gpgv.trusted_detached(file.path(), file.path(), &found) {
            Ok(_) => {}
            Err(GpgvError::Signature { found, .. }) => {
                self.problem(&signature, format!("clients do not trust it as that of Release: {found}"));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Each index in each of its forms; returns the packages that they list.
    fn indices(&mut self, name: &str, parsed: &Parsed, by_name: bool) -> BTreeMap<String, Listed> {
        let packed: Vec<(&String, &Sum)> =
            parsed.files.iter().filter(|(path, _)| apt::indices::is_packed(path)).collect();
        let found = at_once(&packed, |(path, sum)| {
            let places = [apt::indices::by_hash(name, path, &sum.0), format!("dists/{name}/{path}")];
            let places = places.into_iter().take(if by_name { 2 } else { 1 });
            let mut good = places.filter_map(|place| {
                let bytes = self.get(&self.client, &place).map_err(|why| self.problem(&place, why)).ok()?;
                let found = (Digest::of(&bytes), bytes.len() as u64);
                if found == **sum {
                    return Some(bytes);
                }
                self.problem(&place, self.other(found, **sum));
                None
            });
            // Both, whether the first one is good or not.
            let (first, second) = (good.next(), good.next());
            let text = apt::indices::unpack(path, &first.or(second)?);
            let plain = path.rsplit_once('.').and_then(|(plain, _)| parsed.files.get(plain));
            match text {
                Ok(text) if plain == Some(&(Digest::of(&text), text.len() as u64)) => Some(((*path).clone(), text)),
                _ => {
                    self.problem(&format!("dists/{name}/{path}"), "unpacks to something else than Release says");
                    None
                }
            }
        });
        let mut packages = BTreeMap::new();
        for (path, text) in found.into_iter().flatten() {
            self.served.indices += 1;
            let text = String::from_utf8_lossy(&text);
            if path.contains("/binary-") {
                let listed = apt::indices::packages(&path, &text).unwrap_or_default();
                packages.extend(listed.into_iter().map(|package| (package.path.clone(), package)));
            }
        }
        packages
    }

    /// Each package that an index names.
    fn packages(&mut self, packages: Vec<Listed>) {
        if !self.look.packages {
            return;
        }
        let found = at_once(&packages, |package| {
            // A byte more than it should have tells that there are more.
            match self.client.measure(&package.path, self.address(&package.path), package.size + 1) {
                Ok(found) if found == (package.sha256, package.size) => return Some(package.size),
                Ok(found) => self.problem(&package.path, self.other(found, (package.sha256, package.size))),
                Err(error) => self.problem(&package.path, why(&error)),
            }
            None
        });
        for size in found.into_iter().flatten() {
            self.served.packages += 1;
            self.served.bytes += size;
        }
    }

    /// What new clients begin with.
    fn top(&self, keys: &Keys) -> Result<(), RepositoryError> {
        // The page is for people and not for clients; a place may have one of its own, and a cache of packages none.
        let contents = sources::contents(self.folder, keys)?.into_iter().filter(|(name, _)| name != index_page::NAME);
        for (name, content) in contents {
            match self.get(&self.client, &name) {
                Ok(found) if found == content => {}
                Ok(_) => self.problem(&name, "is another one than this repository has"),
                Err(why) => self.problem(&name, why),
            }
        }
        Ok(())
    }

    fn address(&self, path: &str) -> String {
        // What a path may have and an address may not (RFC 3986, 3.3).
        format!("{}/{}", self.url, path.replace('%', "%25").replace('#', "%23").replace('?', "%3f"))
    }

    fn get(&self, client: &Downloader, path: &str) -> Result<Vec<u8>, String> {
        let got = client.get(path, &[self.address(path)], TEXT, &|_| ());
        got.map(|(bytes, _)| bytes).map_err(|error| why(&error))
    }

    /// Something else than what the Release names.
    fn other(&self, found: Sum, expected: Sum) -> String {
        let ((digest, size), (wanted, length)) = (found, expected);
        let told = match size == length {
            true => format!("{size} bytes with sha256 {digest}"),
            false if size > length => format!("more than {length} bytes"),
            false => format!("{size} bytes"),
        };
        format!(
            "clients get {told}, and refuse it: it has to be {length} bytes with sha256 {wanted}{}",
            self.of(&digest)
        )
    }

    fn of(&self, digest: &Digest) -> String {
        self.known.get(digest).map_or_else(String::new, |of| format!(" (it is of {of})"))
    }
}

/// Why a download did not work, without the address, which the problem names already.
fn why(error: &DownloadError) -> String {
    match error {
        DownloadError::Failed { files } => {
            let tried = files.iter().flat_map(|file| &file.tried).map(|tried| tried.why.as_str());
            format!("clients cannot fetch it: {}", tried.collect::<Vec<_>>().join("; "))
        }
        other => other.to_string(),
    }
}

/// Does this with each of them, several at a time; the results are in their order.
fn at_once<T: Sync, R: Send>(all: &[T], what: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(all.len()) {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(n) else { break };
                    let result = what(one);
                    results.lock().expect("no panic while held").push((n, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no panic while held");
    results.sort_by_key(|(n, _)| *n);
    results.into_iter().map(|(_, result)| result).collect()
}
