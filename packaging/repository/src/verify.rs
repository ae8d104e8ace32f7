//! Whether a repository is what it says it is: everything that is kept is read, and nothing is believed but the pool's
//! bytes and the signatures. Works offline.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use apt::Sum;
use apt::described::Described;
use apt::listed::Listed;
use apt::release::Parsed;
use foundation::date;
use foundation::digest::Digest;
use foundation::store::{StoreError, StoreLock};
use foundation::threads::processors;
use sign::gpgv::{self, Gpgv};
use sign::public_key;
use walkdir::WalkDir;

use super::generation::{self, Generation};
use super::keys::Keys;
use super::ledger::Ledger;
use super::publish::by_path;
use super::repair::below;
use super::snapshot::{self, Snapshot};
use super::{Folder, RepositoryError, aliases, changelogs, clock, evidence, files, indices, remains, sources};

/// What was found to be right.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Sound {
    /// Snapshots whose signatures and indices are good.
    pub snapshots: usize,
    /// Files of the pool that are as the indices have them.
    pub packages: usize,
    /// The size of these files together, in bytes.
    pub bytes: u64,
    /// Index files with the digest that their name has.
    pub indices: usize,
    /// The keys that signed what clients see: fingerprint to user id.
    pub keys: BTreeMap<String, String>,
}

/// Verifies everything that is kept. With a binary key ring, also that clients who have no other keys would trust every
/// suite. The error has all problems at once.
///
/// # Errors
/// Something is not as it should be: [`RepositoryError::Unsound`] has all problems. Other errors say why it cannot be
/// found out, for example because the folder is no repository.
pub fn verify(root: &Path, keyring: Option<&Path>, now: i64) -> Result<Sound, RepositoryError> {
    let folder = Folder::open(root)?;
    // Nobody may write meanwhile; where this process cannot write either, it verifies a copy.
    let _lock = match StoreLock::acquire(&folder.state(), "repo verify", &mut |_| ()) {
        Err(StoreError::Io { source, .. })
            if matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) =>
        {
            None
        }
        other => Some(other?),
    };
    let folder = Folder::open(root)?;
    let keys = Keys::read(&folder)?;
    let mut inspection = Inspection { folder: &folder, keys: &keys, now, problems: vec![], sound: Sound::default() };
    inspection.all(keyring)?;
    match inspection.problems.is_empty() {
        true => Ok(inspection.sound),
        false => Err(RepositoryError::Unsound { path: folder.root().to_owned(), problems: inspection.problems }),
    }
}

struct Inspection<'a> {
    folder: &'a Folder,
    keys: &'a Keys,
    now: i64,
    problems: Vec<String>,
    sound: Sound,
}

impl Inspection<'_> {
    fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    fn all(&mut self, keyring: Option<&Path>) -> Result<(), RepositoryError> {
        if self.folder.unfinished().exists() {
            self.problem(
                "a run that was interrupted has left something: any command that changes the repository repairs it",
            );
        }
        let ring = tempfile::NamedTempFile::new().map_err(RepositoryError::io("write", std::env::temp_dir()))?;
        fs::write(ring.path(), self.keys.whole_ring()).map_err(RepositoryError::io("write", ring.path()))?;
        let gpgv = Gpgv::new(ring.path())?;
        let mut snapshots = Vec::new();
        for codename in self.folder.codenames()? {
            snapshots.extend(self.suite(&codename, &gpgv, keyring)?);
        }
        let staged = self.folder.staged()?;
        let described = self.pool(snapshots.iter().map(|(snapshot, _)| snapshot), &staged)?;
        self.indices(&snapshots)?;
        let mut seen = BTreeSet::new();
        for (snapshot, parsed) in &snapshots {
            self.texts(snapshot, parsed, &described, &mut seen);
        }
        let every = snapshots.iter().flat_map(|(snapshot, _)| &snapshot.packages).chain(staged.values().flatten());
        let every = every.filter_map(|package| Some((package, described.get(package.path.as_str())?)));
        self.problems.extend(changelogs::problems(self.folder, every)?);
        match Ledger::read(self.folder) {
            Err(error) => self.problem(error.to_string()),
            Ok(ledger) => {
                for package in snapshots.iter().flat_map(|(snapshot, _)| &snapshot.packages) {
                    if ledger.of(package) != Some(package.sha256) {
                        self.problem(format!("ledger.json: {} is not in it as it was published", package.path));
                    }
                }
            }
        }
        if let Err(error) = self.generation(&gpgv) {
            self.problem(error.to_string());
        }
        for (name, content) in sources::contents(self.folder, self.keys)? {
            if !fs::read(self.folder.path(&name)).is_ok_and(|found| found == content) {
                self.problem(format!("{name}: is not as this repository writes it"));
            }
        }
        let evidence = evidence::problems(self.folder)?;
        self.problems.extend(evidence);
        let aliases = aliases::problems(self.folder);
        self.problems.extend(aliases);
        self.problems.sort();
        self.problems.dedup();
        Ok(())
    }

    /// The generation is signed, and says what clients see.
    fn generation(&mut self, gpgv: &Gpgv) -> Result<(), RepositoryError> {
        // One that an older version made has none; the next publication gives it one.
        let Some(generation) = Generation::read(self.folder)? else { return remains::check(self.folder) };
        gpgv.past_text(&self.folder.path(generation::FILE))?;
        remains::check(self.folder)?;
        for name in generation.state.keys() {
            generation.content(self.folder.root(), name)?;
        }
        if !generation.is_current(self.folder)? {
            return Err(RepositoryError::Unrecorded { path: self.folder.root().to_owned() });
        }
        Ok(())
    }

    /// The snapshots of a suite whose signatures are good.
    fn suite(
        &mut self,
        codename: &str,
        gpgv: &Gpgv,
        keyring: Option<&Path>,
    ) -> Result<Vec<(Snapshot, Parsed)>, RepositoryError> {
        let numbers = snapshot::numbers(self.folder, codename)?;
        for name in files::names(&self.folder.snapshots(codename))? {
            if !numbers.iter().any(|number| number.to_string() == name) {
                self.problem(format!("snapshots/{codename}/{name}: is no snapshot"));
            }
        }
        let live = match snapshot::live(self.folder, codename) {
            Ok(live) => live,
            Err(error) => {
                self.problem(error.to_string());
                None
            }
        };
        if live != numbers.last().copied() {
            self.problem(format!("dists/{codename}: does not lead to the newest snapshot"));
        }
        let mut good = Vec::new();
        for number in numbers {
            match self.snapshot(codename, number, gpgv) {
                Ok(found) => good.push(found),
                Err(problem) => self.problem(format!("snapshots/{codename}/{number}: {problem}")),
            }
        }
        self.sound.snapshots += good.len();
        if let Some((live, _)) = good.iter().find(|(snapshot, _)| Some(snapshot.number) == live) {
            if live.valid_until < self.now {
                self.problem(format!(
                    "dists/{codename}: expired at {}, and clients refuse it: run `cargo xtask repo refresh`",
                    date::text(live.valid_until)
                ));
            }
            if live.date > self.now + clock::FUTURE {
                self.problem(format!(
                    "dists/{codename}: is dated {}, in the future, and clients refuse it: where this machine's clock is right, run \
                     `cargo xtask repo refresh --clock-is-right`",
                    date::text(live.date)
                ));
            }
            if live.signed_by != self.keys.fingerprints() {
                self.problem(format!(
                    "dists/{codename}: is not signed by the present keys: run `cargo xtask repo refresh`"
                ));
            }
            let path = self.folder.live(codename).join("InRelease");
            let present = public_key::write(&self.keys.ring())?;
            if Gpgv::new(present.path())?.trusted(&path).is_err() {
                self.problem(format!(
                    "dists/{codename}: clients with the present keyring package do not accept its signatures: run `cargo xtask repo refresh`"
                ));
            }
            if let Some(Err(error)) = keyring.map(|keyring| Gpgv::new(keyring)?.trusted(&path)) {
                self.problem(error.to_string());
            }
        }
        Ok(good)
    }

    /// Reads a snapshot; its Release must be signed, and its folder have what the Release names and nothing else.
    fn snapshot(&mut self, codename: &str, number: u64, gpgv: &Gpgv) -> Result<(Snapshot, Parsed), String> {
        let place = self.folder.snapshot(codename, number);
        let tree = place.join(snapshot::SUITE);
        let snapshot = Snapshot::read(self.folder, codename, number).map_err(|error| error.to_string())?;
        let read = |name: &str| fs::read(tree.join(name)).map_err(|error| format!("{name}: {error}"));
        let text = read("Release")?;
        let (signed, in_release) = gpgv.past_text(&tree.join("InRelease")).map_err(|error| error.to_string())?;
        if signed.as_bytes() != text {
            return Err("InRelease has another text than Release".into());
        }
        let detached = gpgv
            .past_detached(&tree.join("Release.gpg"), &tree.join("Release"), &text)
            .map_err(|error| error.to_string())?;
        for keys in [&in_release, &detached] {
            if gpgv::primaries(keys) != snapshot.signed_by {
                return Err("it is signed by other keys than snapshot.json says".into());
            }
        }
        let parsed = Parsed::parse(&signed).ok_or("its Release is not as this tool writes it")?;
        let says = (&parsed.codename, parsed.date, parsed.valid_until, &parsed.files);
        if says != (&snapshot.codename, snapshot.date, snapshot.valid_until, &snapshot.files) {
            return Err("its Release says otherwise than snapshot.json".into());
        }
        let links = indices::links(&snapshot.files);
        let known = ["InRelease", "Release", "Release.gpg"];
        for entry in WalkDir::new(&place).min_depth(1) {
            let entry = entry.map_err(|error| error.to_string())?;
            let name = entry.path().strip_prefix(&place).expect("below it").to_string_lossy().into_owned();
            let below = name.strip_prefix("suite/");
            let good = if entry.file_type().is_dir() {
                true
            } else if entry.file_type().is_symlink() {
                let target = fs::read_link(entry.path()).map_err(|error| error.to_string())?;
                below.and_then(|below| links.get(below)) == Some(&target)
            } else {
                name == snapshot::RECORD || below.is_some_and(|below| known.contains(&below))
            };
            if !good {
                return Err(format!("{name} is not of this snapshot"));
            }
        }
        if let Some(missing) = links.keys().find(|link| fs::symlink_metadata(tree.join(link)).is_err()) {
            return Err(format!("suite/{missing} is missing"));
        }
        if self.now >= snapshot.date {
            let live = in_release.into_iter().map(|key| (key.primary, key.user_id));
            self.sound.keys.extend(live);
        }
        Ok((snapshot, parsed))
    }

    /// Reads the whole pool; returns what its packages say of themselves.
    fn pool<'s>(
        &mut self,
        snapshots: impl Iterator<Item = &'s Snapshot>,
        staged: &'s BTreeMap<String, Vec<Listed>>,
    ) -> Result<BTreeMap<&'s str, Described>, RepositoryError> {
        let packages = snapshots.flat_map(|snapshot| &snapshot.packages).chain(staged.values().flatten());
        let listed = by_path(packages);
        for path in below(self.folder, "pool")? {
            if !listed.contains_key(path.as_str()) {
                self.problem(format!("{path}: is in no snapshot"));
            }
        }
        let all: Vec<&Listed> = listed.into_values().collect();
        let threads = processors() as usize;
        let folder = self.folder;
        let one = |package: &'s Listed| (package, read_package(folder, package));
        let results: Vec<(&Listed, Result<Described, String>)> = std::thread::scope(|scope| {
            let part = |part: &[&'s Listed]| part.iter().map(|package| one(package)).collect::<Vec<_>>();
            let workers: Vec<_> =
                all.chunks(all.len().div_ceil(threads).max(1)).map(|chunk| scope.spawn(move || part(chunk))).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("it does not panic")).collect()
        });
        let mut described = BTreeMap::new();
        for (package, result) in results {
            match result {
                Ok(found) => {
                    self.sound.packages += 1;
                    self.sound.bytes += package.size;
                    described.insert(package.path.as_str(), found);
                }
                Err(problem) => self.problem(format!("{}: {problem}", package.path)),
            }
        }
        Ok(described)
    }

    /// Every index file has the digest that its name says, unpacks to what the Release names, and is named by one.
    fn indices(&mut self, snapshots: &[(Snapshot, Parsed)]) -> Result<(), RepositoryError> {
        // What each file has to unpack to.
        let mut packed: BTreeMap<Sum, (String, Option<Sum>)> = BTreeMap::new();
        for (snapshot, _) in snapshots {
            for (path, sum) in snapshot.files.iter().filter(|(path, _)| apt::indices::is_packed(path)) {
                let plain = path.rsplit_once('.').and_then(|(plain, _)| snapshot.files.get(plain)).copied();
                packed.insert(*sum, (path.clone(), plain));
            }
        }
        for path in below(self.folder, "indices")? {
            let name = path.strip_prefix("indices/SHA256/").and_then(|name| name.parse::<Digest>().ok());
            if !name.is_some_and(|name| packed.keys().any(|(sha256, _)| *sha256 == name)) {
                self.problem(format!("{path}: is in no snapshot"));
            }
        }
        for ((sha256, size), (path, plain)) in packed {
            let file = self.folder.index(&sha256);
            let name = format!("indices/SHA256/{sha256} ({path})");
            match fs::read(&file) {
                Err(error) => self.problem(format!("{name}: {error}")),
                Ok(bytes) if (Digest::of(&bytes), bytes.len() as u64) != (sha256, size) => {
                    self.problem(format!("{name}: expected {size} bytes of this sha256, found other ones"));
                }
                Ok(bytes) => match apt::indices::unpack(&path, &bytes) {
                    Ok(text) if Some((Digest::of(&text), text.len() as u64)) == plain => self.sound.indices += 1,
                    Ok(_) => self.problem(format!("{name}: unpacks to something else than its Release says")),
                    Err(error) => self.problem(format!("{name}: {error}")),
                },
            }
        }
        Ok(())
    }

    /// The indices are those that the pool's packages lead to.
    fn texts(
        &mut self,
        snapshot: &Snapshot,
        parsed: &Parsed,
        described: &BTreeMap<&str, Described>,
        seen: &mut BTreeSet<Digest>,
    ) {
        // A refresh has the same ones.
        if !seen.insert(Digest::of_json(&(&snapshot.packages, &snapshot.files))) {
            return;
        }
        let found: Option<Vec<(&Listed, &Described)>> =
            snapshot.packages.iter().map(|package| Some((package, described.get(package.path.as_str())?))).collect();
        // What is missing was told already.
        let Some(packages) = found else { return };
        let texts = apt::indices::texts(&parsed.components, &parsed.architectures, &packages);
        let expected: BTreeMap<&String, Sum> =
            texts.iter().map(|(path, _, text)| (path, (Digest::of(text), text.len() as u64))).collect();
        let plain: BTreeMap<&String, Sum> = snapshot
            .files
            .iter()
            .filter(|(path, _)| !apt::indices::is_packed(path))
            .map(|(path, sum)| (path, *sum))
            .collect();
        let (number, codename) = (snapshot.number, &snapshot.codename);
        let wrong: Vec<String> = expected
            .iter()
            .filter(|(path, sum)| plain.get(*path) != Some(sum))
            .chain(plain.iter().filter(|(path, _)| !expected.contains_key(*path)))
            .map(|(path, _)| format!("snapshots/{codename}/{number}: {path} is not what its packages lead to"))
            .collect();
        self.problems.extend(wrong);
    }
}

fn read_package(folder: &Folder, package: &Listed) -> Result<Described, String> {
    let path = folder.path(&package.path);
    // A pipe of that name would never end.
    if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
        return Err("is missing, or not a file".into());
    }
    let found = Digest::of_file(&path).map_err(|error| error.to_string())?;
    if found != package.sha256 {
        return Err(format!("expected sha256 {}, found {found}", package.sha256));
    }
    let described = Described::read(&path).map_err(|error| error.to_string())?;
    let says = (&described.name, &described.version, &described.architecture, described.size);
    if says != (&package.name, &package.version, &package.architecture, package.size) {
        return Err("its control file says otherwise than the snapshot".into());
    }
    Ok(described)
}
