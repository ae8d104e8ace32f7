//! Rebuilding a repository: on a new machine from a place that it was pushed to, or where a part of it was lost. Nothing is
//! believed but signatures by its keys, and digests that something signed has.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use apt::listed;
use apt::release::Parsed;
use foundation::digest::Digest;
use foundation::public;
use foundation::store::StoreLock;
use places::Remote;
use places::told::PUSHED;
use places::transport::{LONGEST_STORY, Transport};
use sign::gpgv::{self, Gpgv};

use super::complete::{self, Named};
use super::editions::Editions;
use super::evidence::{self, Evidence};
use super::first_seen::{self, FirstSeen};
use super::generation::{self, Generation};
use super::ledger::Ledger;
use super::place;
use super::published::{self, Published};
use super::signed_generation::SignedGeneration;
use super::snapshot::{self, Made, Snapshot};
use super::{Folder, Keys, RepositoryError, Settings, aliases, changelogs, files, indices, remains, repair, sources};

/// What was rebuilt.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The publication that the folder is at now; `None` where it was made by a version that counted none.
    pub generation: Option<Generation>,
    /// The keys that vouch for it: fingerprint and user id of each.
    pub keys: Vec<(String, String)>,
    /// What was done, one sentence each, for people.
    pub done: Vec<String>,
}

/// Makes a copy of the repository at a place in a new or empty folder, to continue it there. `keyring` has the keys to
/// believe; without it, the place itself says which they are.
///
/// # Errors
/// The folder is not empty, the place cannot be read, has no repository or an incomplete one, or its signatures are not
/// by keys of `keyring`. Where nothing of the repository came, nothing stays in the folder.
pub fn clone(remote: &Remote, root: &Path, keyring: Option<&Path>) -> Result<Recovered, RepositoryError> {
    let root = std::path::absolute(root).map_err(RepositoryError::io("find", root))?;
    if !files::names(&root)?.is_empty() {
        let problem = "it is not empty, and a clone that was interrupted can be continued".to_owned();
        return Err(match remains::of(&root) {
            Some(_) if !root.join(".repository/settings.toml").exists() => {
                RepositoryError::Remains { path: root, problem }
            }
            _ => RepositoryError::Exists { path: root },
        });
    }
    let new = !root.exists();
    let result = rebuild(&root, Some(remote), keyring);
    if result.is_err() && remains::of(&root).is_none() {
        // Nothing of the repository came: nothing stays.
        let _ = fs::remove_dir_all(root.join(".repository"));
        let _ = if new { fs::remove_dir(&root) } else { Ok(()) };
    }
    result
}

/// Brings back what a repository's folder has lost, as far as what is left, and a place that it was pushed to, still have
/// it. Where the place is further than the folder, the folder follows.
///
/// # Errors
/// The folder never had a repository, the place cannot be read or has another repository, or something that is needed
/// is neither in the folder nor at the place.
pub fn recover(root: &Path, remote: Option<&Remote>, keyring: Option<&Path>) -> Result<Recovered, RepositoryError> {
    let root = std::path::absolute(root).map_err(RepositoryError::io("find", root))?;
    let settings = root.join(".repository/settings.toml");
    if remains::of(&root).is_none() && !settings.exists() {
        return Err(RepositoryError::None { path: root });
    }
    rebuild(&root, remote, keyring)
}

fn rebuild(root: &Path, remote: Option<&Remote>, keyring: Option<&Path>) -> Result<Recovered, RepositoryError> {
    let state = root.join(".repository");
    let temporary = state.join("tmp");
    public::make_folder(root).map_err(RepositoryError::io("make the folder", root))?;
    fs::create_dir_all(&temporary).map_err(RepositoryError::io("make the folder", &temporary))?;
    let lock = StoreLock::acquire(&state, "repo recover", &mut |_| ())?;
    for name in files::names(&temporary)? {
        files::remove(&temporary.join(name))?;
    }
    let fetched = tempfile::TempDir::new_in(&temporary).map_err(RepositoryError::io("make a folder in", &temporary))?;
    let transport = remote.map(|remote| Transport { remote, lock: Some(&lock), patience: None });
    let mut done = Vec::new();
    let there = match &transport {
        Some(transport) => SignedGeneration::fetch(transport, fetched.path(), root, keyring)?,
        None => None,
    };
    let here = SignedGeneration::read(root, root, keyring).unwrap_or_else(|error| {
        done.push(format!("what {} says of itself is not used: {error}", root.display()));
        None
    });
    // The place's, where it is further, or the only one.
    let mut related = true;
    let (chosen, theirs) = match (here, there) {
        (Some(here), Some(there)) if there.generation.descends_from(&here.generation) => (Some(there), true),
        (Some(here), there) => {
            related = there.is_none_or(|there| {
                there.generation.digest == here.generation.digest || here.generation.descends_from(&there.generation)
            });
            if !related {
                done.push("the place has another history: only files with the right digest are taken from it".into());
            }
            (Some(here), false)
        }
        (None, there) => {
            let theirs = there.is_some();
            (there, theirs)
        }
    };
    let settings = restore_state(root, chosen.as_ref(), theirs, &mut done)?;
    let folder = Folder { root: root.to_owned(), settings };
    let keys = Keys::read(&folder)?;
    let ring = match keyring {
        Some(path) => fs::read(path).map_err(RepositoryError::io("read", path))?,
        None => keys.whole_ring(),
    };
    let ring_file = fetched.path().join("ring.gpg");
    fs::write(&ring_file, ring).map_err(RepositoryError::io("write", &ring_file))?;
    let gpgv = Gpgv::new(&ring_file)?;
    let published = chosen.as_ref().map(|chosen| Published::of(&chosen.generation, &chosen.top)).transpose()?;
    let mut rebuild =
        Rebuild { folder: &folder, transport: transport.as_ref(), fetched: fetched.path(), gpgv, published, done };
    rebuild.snapshots(related)?;
    rebuild.links(chosen.as_ref(), theirs)?;
    rebuild.files()?;
    rebuild.ledger()?;
    let mut done = rebuild.done;
    if files::read_json::<super::Staged>(&state.join("staged.json")).is_err() {
        files::remove(&state.join("staged.json"))?;
        done.push("what was added and not published is forgotten: add it again".into());
    }
    aliases::write(&folder)?;
    sources::write(&folder, &keys)?;
    // Last: from here on it is a repository again.
    let text = folder.settings.text();
    let path = state.join("settings.toml");
    if Settings::read(&path).ok().as_ref() != Some(&folder.settings) {
        files::write(&temporary, &path, text.as_bytes())?;
    }
    let keys = keys.signing.iter().map(|key| (key.fingerprint.clone(), key.user_id.clone())).collect();
    drop(fetched);
    Ok(Recovered { generation: chosen.map(|chosen| chosen.generation), keys, done })
}

/// Puts the tool's own files in order, except for the settings, which are returned and written last.
fn restore_state(
    root: &Path,
    chosen: Option<&SignedGeneration>,
    theirs: bool,
    done: &mut Vec<String>,
) -> Result<Settings, RepositoryError> {
    let state = root.join(".repository");
    let temporary = state.join("tmp");
    let published = |name: &str| match chosen {
        Some(chosen) => chosen.generation.content(&chosen.top, name),
        None => Ok(None),
    };
    if let Some(chosen) = chosen.filter(|_| theirs) {
        for (sha256, _) in chosen.generation.state.values() {
            let name = Generation::blob(sha256);
            let bytes =
                fs::read(chosen.top.join(&name)).map_err(RepositoryError::io("read", chosen.top.join(&name)))?;
            files::update(&temporary, &root.join(&name), &bytes)?;
        }
        let bytes = fs::read(chosen.top.join(generation::FILE)).map_err(RepositoryError::io("read", &chosen.top))?;
        files::update(&temporary, &root.join(generation::FILE), &bytes)?;
        done.push(format!("taken from the place: {}", chosen.generation));
    }
    if let Some(chosen) = chosen {
        files::update(&temporary, &state.join("id"), format!("{}\n", chosen.generation.repository).as_bytes())?;
    }
    // What is here and can be read stays as it is, unless the folder follows the place.
    for (name, good) in [
        ("keys.json", files::read_json::<Keys>(&state.join("keys.json")).is_ok_and(|keys| keys.is_some())),
        (
            "editions.json",
            files::read_json::<Editions>(&state.join("editions.json")).is_ok_and(|found| found.is_some()),
        ),
        (
            first_seen::FILE,
            files::read_json::<FirstSeen>(&state.join(first_seen::FILE)).is_ok_and(|found| found.is_some()),
        ),
        ("builders.gpg", state.join("builders.gpg").is_file()),
        (evidence::NAME, files::read_json::<Evidence>(&state.join(evidence::NAME)).is_ok_and(|found| found.is_some())),
    ] {
        if (theirs || !good)
            && let Some(bytes) = published(name)?
        {
            files::update(&temporary, &state.join(name), &bytes)?;
            if !good {
                done.push(format!("restored: .repository/{name}"));
            }
        }
    }
    let path = state.join("settings.toml");
    let own = if theirs || !path.exists() { None } else { Settings::read(&path).ok() };
    if let Some(own) = own {
        return Ok(own);
    }
    let Some(bytes) = published("settings.toml")? else {
        let problem =
            "no signed generation has its settings, and .repository/settings.toml is missing or not as it was: put it \
                       and .repository/keys.json back from a copy"
                .to_owned();
        return Err(RepositoryError::Remains { path: root.to_owned(), problem });
    };
    done.push("restored: .repository/settings.toml".into());
    let read = tempfile::NamedTempFile::new_in(&temporary).map_err(RepositoryError::io("write", &temporary))?;
    fs::write(read.path(), bytes).map_err(RepositoryError::io("write", read.path()))?;
    Settings::read(read.path())
}

struct Rebuild<'a> {
    folder: &'a Folder,
    transport: Option<&'a Transport<'a>>,
    /// What came from the place, at the paths that it has there.
    fetched: &'a Path,
    gpgv: Gpgv,
    /// `None` where a version of the tool has published it that knew of no generations.
    published: Option<Published>,
    done: Vec<String>,
}

impl Rebuild<'_> {
    /// Fetches files from the place, as far as they are there and none is larger than `most` bytes: whoever can write there
    /// chooses what it gives, and must not fill the disk here. Returns those that are larger.
    fn fetch(&mut self, what: &str, files: &BTreeSet<String>, most: u64) -> Result<BTreeSet<String>, RepositoryError> {
        let Some(transport) = self.transport.filter(|_| !files.is_empty()) else { return Ok(BTreeSet::new()) };
        let large = transport.get(what, files, Some(most), self.fetched)?;
        let told = |name: &String| format!("not taken from the place, as it is larger than {most} bytes there: {name}");
        self.done.extend(large.iter().map(told));
        Ok(large)
    }

    /// Makes every snapshot whole again, those of the place as well where it has the same history. What cannot be is left as
    /// it is: `verify` names it, and whether it matters is seen when the suites are linked.
    fn snapshots(&mut self, related: bool) -> Result<(), RepositoryError> {
        let folder = self.folder;
        let mut wanted = BTreeSet::new();
        for codename in folder.codenames()? {
            wanted.extend(snapshot::numbers(folder, &codename)?.into_iter().map(|number| (codename.clone(), number)));
        }
        if related {
            let pushed: BTreeSet<String> = files::read_json(&self.fetched.join(PUSHED))?.unwrap_or_default();
            let parts = pushed
                .iter()
                .filter(|path| place::is_ours(path))
                .filter_map(|path| path.strip_prefix("snapshots/")?.strip_suffix("/suite/InRelease"));
            let snapshots = parts.filter_map(|part| {
                let (codename, number) = part.split_once('/')?;
                Some((codename.to_owned(), number.parse().ok()?))
            });
            wanted.extend(snapshots);
        }
        wanted.retain(|(codename, number)| !self.is_whole(codename, *number));
        // A push that was cut short leaves later ones at the place, of which nothing signed tells.
        let there: Vec<_> = wanted.iter().filter(|(codename, number)| self.covers(codename, *number)).collect();
        let files = there.iter().flat_map(|(codename, number)| {
            snapshot::FILES.iter().map(move |name| format!("snapshots/{codename}/{number}/{name}"))
        });
        self.fetch("fetching snapshots", &files.collect(), LONGEST_STORY)?;
        let mut most = 0;
        let mut lists = BTreeSet::new();
        for (codename, number) in &there {
            let came = self.fetched.join(format!("snapshots/{codename}/{number}/suite/InRelease"));
            let parsed = self.gpgv.past_text(&came).ok().and_then(|(text, _)| Parsed::parse(&text));
            for (path, (sha256, size)) in parsed.into_iter().flat_map(|parsed| parsed.files) {
                if path.ends_with("/Packages.xz") && !folder.index(&sha256).is_file() {
                    lists.insert(apt::indices::by_hash(codename, &path, &sha256));
                    most = most.max(size);
                }
            }
        }
        self.fetch("fetching the lists of packages", &lists, most)?;
        wanted
            .retain(|(codename, number)| self.covers(codename, *number) || folder.snapshot(codename, *number).exists());
        for (codename, number) in wanted {
            let text = format!("snapshot {number} of {codename}");
            match self.restore(&codename, number) {
                Ok(()) => self.done.push(format!("restored: {text}")),
                Err(error) => self.done.push(format!("{text} cannot be restored: {error}")),
            }
        }
        Ok(())
    }

    /// A snapshot's record, when its signature is good and it says the same.
    fn record(&self, tree: &Path, record: &Path) -> Option<Snapshot> {
        let (text, keys) = self.gpgv.past_text(&tree.join("InRelease")).ok()?;
        let parsed = Parsed::parse(&text)?;
        let snapshot: Snapshot = files::read_json(record).ok()??;
        let says = (&snapshot.codename, snapshot.date, snapshot.valid_until, &snapshot.files);
        let signed_by = gpgv::primaries(&keys);
        let good = says == (&parsed.codename, parsed.date, parsed.valid_until, &parsed.files)
            && snapshot.signed_by == signed_by;
        good.then_some(snapshot)
    }

    fn covers(&self, codename: &str, number: u64) -> bool {
        self.published.as_ref().is_none_or(|published| published.covers(codename, number))
    }

    /// Whether the file is there, and is the InRelease that the signed generation names, where it names one.
    fn allows(&self, codename: &str, number: u64, in_release: &Path) -> bool {
        let published = self.published.as_ref();
        let allows = |bytes: Vec<u8>| published.is_none_or(|published| published.allows(codename, number, &bytes));
        fs::read(in_release).is_ok_and(allows)
    }

    fn is_whole(&self, codename: &str, number: u64) -> bool {
        let place = self.folder.snapshot(codename, number);
        let tree = place.join(snapshot::SUITE);
        if !self.allows(codename, number, &tree.join("InRelease")) {
            return false;
        }
        let Some(snapshot) = self.record(&tree, &place.join(snapshot::RECORD)) else { return false };
        let links = indices::links(&snapshot.files);
        snapshot::FILES.iter().all(|name| place.join(name).is_file())
            && (snapshot.number, snapshot.codename.as_str()) == (number, codename)
            && links.iter().all(|(link, target)| fs::read_link(tree.join(link)).is_ok_and(|found| found == *target))
    }

    /// Makes a snapshot's folder anew, of what is left of it here and what came from the place.
    fn restore(&mut self, codename: &str, number: u64) -> Result<(), RepositoryError> {
        let folder = self.folder;
        let temporary = folder.temporary();
        let place = folder.snapshot(codename, number);
        let came = self.fetched.join(format!("snapshots/{codename}/{number}"));
        let damaged = |problem: &str| RepositoryError::State { path: place.clone(), problem: problem.to_owned() };
        let sources = [&place, &came];
        let signed = sources.iter().find_map(|source| {
            let path = source.join("suite/InRelease");
            self.allows(codename, number, &path).then_some(())?;
            let (text, keys) = self.gpgv.past_text(&path).ok()?;
            let parsed = Parsed::parse(&text).filter(|parsed| parsed.codename == codename)?;
            Some((fs::read(path).ok()?, text, keys, parsed))
        });
        let (in_release, text, keys, parsed) =
            signed.ok_or_else(|| damaged("no InRelease of it is signed, and the one that was published"))?;
        let detached = sources.iter().find_map(|source| {
            let path = source.join("suite/Release.gpg");
            self.gpgv.past_detached(&path, &path, text.as_bytes()).ok()?;
            fs::read(path).ok()
        });
        let detached = detached.ok_or_else(|| damaged("no Release.gpg of it is good"))?;
        let new = tempfile::TempDir::new_in(&temporary).map_err(RepositoryError::io("make a folder in", &temporary))?;
        let tree = new.path().join(snapshot::SUITE);
        for (name, bytes) in
            [("InRelease", in_release.as_slice()), ("Release", text.as_bytes()), ("Release.gpg", &detached)]
        {
            files::write(new.path(), &tree.join(name), bytes)?;
            files::set_date(&tree.join(name), parsed.date).map_err(RepositoryError::io("date", &tree))?;
        }
        let signed_by: Vec<String> = keys.into_iter().map(|key| key.primary).collect();
        let record = |source: &Path| {
            let found = self.record(&tree, &source.join(snapshot::RECORD))?;
            ((found.number, found.codename.as_str()) == (number, codename)).then_some(found)
        };
        let record = match record(&place) {
            Some(record) => record,
            // No signature covers a record: of one that comes from elsewhere, only how the snapshot came to be is taken.
            None => {
                let made = record(&came).map_or(Made::Publish, |record| record.made);
                Snapshot { made, ..self.record_of(codename, number, parsed, signed_by)? }
            }
        };
        if let Some(package) = published::foreign(self.published.as_ref(), &record) {
            return Err(damaged(&format!("its package {} is none that was published", package.path)));
        }
        let json = serde_json::to_vec(&record).expect("plain data serialises to JSON");
        files::write(new.path(), &new.path().join(snapshot::RECORD), &json)?;
        indices::link(&tree, &record.files).map_err(RepositoryError::io("write", &tree))?;
        if place.symlink_metadata().is_ok() {
            files::retire(&temporary, &place)?;
        }
        snapshot::settle(new, &place)
    }

    /// A record that was lost, from the indices that the Release names.
    fn record_of(
        &mut self,
        codename: &str,
        number: u64,
        parsed: Parsed,
        signed_by: Vec<String>,
    ) -> Result<Snapshot, RepositoryError> {
        let mut packages = Vec::new();
        for (path, (sha256, size)) in parsed.files.iter().filter(|(path, _)| path.ends_with("/Packages.xz")) {
            let remote = apt::indices::by_hash(codename, path, sha256);
            let mut index = self.folder.index(sha256);
            if !Digest::of_file(&index).is_ok_and(|found| found == *sha256) {
                index = self.fetched.join(&remote);
                if !index.is_file() {
                    self.fetch("fetching an index", &BTreeSet::from([remote]), *size)?;
                }
            }
            let bytes = fs::read(&index).map_err(RepositoryError::io("read", &index))?;
            let damaged = |problem: &str| RepositoryError::State { path: index.clone(), problem: problem.to_owned() };
            if Digest::of(&bytes) != *sha256 {
                return Err(damaged("it is not what the Release names"));
            }
            let text = apt::indices::unpack(path, &bytes).map_err(RepositoryError::io("read", &index))?;
            let text = String::from_utf8(text).map_err(|_| damaged("it is no text"))?;
            packages.extend(
                apt::indices::packages(path, &text).ok_or_else(|| damaged("a paragraph of it has no Filename"))?,
            );
        }
        listed::sort(&mut packages);
        let Parsed { date, valid_until, files, .. } = parsed;
        let made = Made::Publish;
        Ok(Snapshot { number, codename: codename.to_owned(), made, date, valid_until, signed_by, packages, files })
    }

    /// Makes every suite lead to the snapshot that was published.
    fn links(&mut self, chosen: Option<&SignedGeneration>, theirs: bool) -> Result<(), RepositoryError> {
        let folder = self.folder;
        for codename in folder.codenames()? {
            let published = chosen.and_then(|chosen| chosen.generation.suites.get(&codename));
            let newest = || -> Result<Option<u64>, RepositoryError> {
                let numbers = snapshot::numbers(folder, &codename)?;
                Ok(numbers.into_iter().rev().find(|number| self.is_whole(&codename, *number)))
            };
            // One that leads to a later snapshot was published after the last generation was signed.
            let live = snapshot::live(folder, &codename).ok().flatten();
            let own = live.filter(|live| {
                !theirs && published.is_none_or(|(number, _)| live >= number) && self.is_whole(&codename, *live)
            });
            let number = match (own, published) {
                (Some(number), _) => number,
                (None, Some((number, _))) => *number,
                (None, None) => match newest()? {
                    Some(number) => number,
                    None => continue,
                },
            };
            if !self.is_whole(&codename, number) {
                let problem =
                    format!("snapshot {number} of {codename}, which clients see, is in no place with all of it");
                let path = folder.root().to_owned();
                return Err(RepositoryError::Incomplete {
                    path,
                    problems: std::iter::once(problem).chain(self.done.iter().cloned()).collect(),
                });
            }
            if live != Some(number) {
                let target = snapshot::link_target(&codename, number);
                files::replace_link(&folder.temporary(), &folder.live(&codename), &target)?;
                self.done.push(format!("dists/{codename} leads to snapshot {number}"));
            }
        }
        Ok(())
    }

    /// Brings back packages and indices.
    fn files(&mut self) -> Result<(), RepositoryError> {
        let folder = self.folder;
        let snapshots = folder.all_snapshots()?;
        let mut named = complete::named(folder, &snapshots);
        named.extend(complete::statements(folder, &snapshots)?);
        let mut wanting: Vec<Named> = complete::wanting(&named).into_iter().map(|(file, _)| file.clone()).collect();
        let count = wanting.len();
        let most = wanting.iter().map(|file| file.size).max().unwrap_or_default();
        let files = wanting.iter().map(|file| file.remote.clone()).collect();
        let large = self.fetch(&format!("fetching {count} files"), &files, most)?;
        for file in &wanting {
            let came = self.fetched.join(&file.remote);
            if Digest::of_file(&came).is_ok_and(|found| found == file.sha256) {
                let attempt = || -> std::io::Result<()> {
                    public::make_folder(file.path.parent().expect("it is in a folder"))?;
                    // Web servers run as somebody else.
                    fs::set_permissions(&came, Permissions::from_mode(0o644))?;
                    // Rename replaces what has other bytes than it must.
                    fs::rename(&came, &file.path)
                };
                attempt().map_err(RepositoryError::io("write", &file.path))?;
            }
        }
        // The same packages always give the same indices.
        for snapshot in &snapshots {
            let mine = complete::named(folder, std::slice::from_ref(snapshot));
            let lost = complete::missing(&mine);
            if !lost.is_empty() && lost.iter().all(|file| file.path.starts_with(folder.path("indices"))) {
                for file in lost {
                    files::remove(&file.path)?;
                }
                let _ = indices::write(folder, &snapshot.packages, None);
            }
        }
        // And the same changelogs.
        for snapshot in &snapshots {
            let _ = changelogs::write(folder, &snapshot.packages);
        }
        wanting = complete::wanting(&named).into_iter().map(|(file, _)| file.clone()).collect();
        if count > wanting.len() {
            self.done.push(format!("restored: {} packages and indices", count - wanting.len()));
        }
        let problems = wanting.iter().map(|file| {
            let (path, sha256) = (file.path.display(), file.sha256);
            match large.contains(&file.remote) {
                true => {
                    format!("{path}: the place has one that is larger than {most} bytes, not that with sha256 {sha256}")
                }
                false => format!("{path}: is nowhere with sha256 {sha256}"),
            }
        });
        complete::incomplete(folder, problems.collect())
    }

    /// Everything that was ever published, by whatever still tells.
    fn ledger(&mut self) -> Result<(), RepositoryError> {
        let folder = self.folder;
        let own = Ledger::read(folder);
        let mut ledger = self.published.as_ref().map_or_else(Ledger::default, |published| published.ledger.clone());
        for snapshot in folder.all_snapshots()? {
            ledger.add(&snapshot.packages);
        }
        let before = own.ok();
        if let Some(own) = before.clone() {
            ledger.merge(own);
        }
        if before.as_ref() != Some(&ledger) {
            files::write_json(&folder.temporary(), &folder.state().join("ledger.json"), &ledger)?;
            self.done.push("restored: .repository/ledger.json".into());
        }
        let known: BTreeSet<String> = folder
            .all_snapshots()?
            .into_iter()
            .flat_map(|snapshot| snapshot.packages)
            .map(|package| package.path)
            .collect();
        let others = repair::below(folder, "pool")?.into_iter().filter(|path| !known.contains(path)).count();
        if others > 0 {
            self.done
                .push(format!("{others} files of the pool are in no snapshot; `cargo xtask repo prune` removes them"));
        }
        Ok(())
    }
}
