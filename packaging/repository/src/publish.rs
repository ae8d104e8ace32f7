//! Adding packages and making snapshots of them: `add`, `publish`, `refresh` and `rollback`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use apt::listed::{self, Listed};
use apt::release;
use foundation::{folder, public};
use sign::several::{self, Signature};
use sign::signer::Signer;

use super::first_seen::FirstSeen;
use super::gate::{self, Accepted, Candidate, Gate, refused};
use super::ledger::Ledger;
use super::signing::Request;
use super::snapshot::{self, Made, Snapshot};
use super::{
    Folder, Refusal, Repository, RepositoryError, SETTLED_DAYS, changelogs, clock, complete, described, evidence,
    files, indices, keyring_package, keys, sources,
};

/// What became of a folder's packages.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Added {
    /// The folder that the packages are from.
    pub dist: PathBuf,
    /// The codename of the suite that they were added to.
    pub codename: String,
    /// The packages that the suite did not have.
    pub new: Vec<Listed>,
    /// How many packages were in the suite already.
    pub known: usize,
    /// What a development repository overlooks, and another one refuses: one sentence each.
    pub overlooked: Vec<String>,
}

/// What became of a suite.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Publication {
    /// The snapshot that clients see now.
    pub snapshot: Snapshot,
    /// How many packages it has that the one before did not have.
    pub added: usize,
    /// How many it does not have that the one before had.
    pub removed: usize,
    /// Whether it was there already, since nothing has changed.
    pub unchanged: bool,
    /// What the suite's rule has left out, so that clients do not see it any more.
    pub dropped: Vec<Listed>,
}

impl Repository {
    /// Takes the packages of these folders into the pool, all or none. Clients see them after the next
    /// [`publish`](Self::publish). `keyring` has the keys of the builders that are trusted, `rebuilders` those of others whose
    /// statements on rebuilds are shown.
    ///
    /// # Errors
    /// A folder is refused by the checks, the component or the codename is not one of the repository, clients could not
    /// install the packages beside the others, a version is published with other bytes already, or the pool cannot be
    /// written. Nothing is added then.
    pub fn add(
        &mut self,
        dists: &[PathBuf],
        keyring: Option<&Path>,
        rebuilders: Option<&Path>,
        codename: Option<&str>,
        component: Option<&str>,
    ) -> Result<Vec<Added>, RepositoryError> {
        if let Some(component) = component.filter(|name| !self.settings().components.iter().any(|known| known == name))
        {
            let problem =
                format!("is no component of this repository: it has {}", self.settings().components.join(", "));
            return Err(RepositoryError::Setting { what: "--component", value: component.to_owned(), problem });
        }
        let mut ledger = Ledger::read(&self.folder)?;
        let staged = self.folder.staged()?;
        ledger.add(staged.values().flatten());
        // Everything is judged before anything is written.
        let trusted = self.trusted(keyring)?;
        let mut accepted = Vec::new();
        for dist in dists {
            let rebuilders = rebuilders.unwrap_or(&trusted);
            let gate = Gate { settings: self.settings(), ledger: &ledger, keyring: &trusted, rebuilders };
            let found = gate.check(dist)?;
            let codename = self.codename(dist, &found, codename)?;
            let listed: Vec<Listed> =
                found.packages.iter().map(|candidate| self.listed(candidate, component)).collect();
            // Of two folders with the same package, the second one has to have the same bytes.
            ledger.add(&listed);
            accepted.push((dist, codename, found, listed));
        }
        self.check_usable(&staged, &accepted)?;
        self.change(|repository| {
            let mut staged = staged;
            let mut added = Vec::new();
            for (dist, codename, found, listed) in accepted {
                let live = Snapshot::live(&repository.folder, &codename)?;
                let there = live.map_or_else(Vec::new, |live| live.packages);
                let waiting = staged.entry(codename.clone()).or_default();
                let (mut new, mut known) = (Vec::new(), 0);
                for (candidate, listed) in found.packages.iter().zip(listed) {
                    if there.contains(&listed) || waiting.contains(&listed) {
                        known += 1;
                        continue;
                    }
                    repository.take(candidate, &listed)?;
                    waiting.push(listed.clone());
                    new.push(listed);
                }
                evidence::take(&repository.folder, dist, &found.build)?;
                added.push(Added { dist: dist.clone(), codename, new, known, overlooked: found.overlooked });
            }
            repository.folder.write_staged(&staged)?;
            // Of packages that clients see already, more may be proven now.
            sources::write(&repository.folder, &repository.keys)?;
            Ok(added)
        })
    }

    /// The key ring of the builders: the one that is given, that of the repository, else its own keys.
    fn trusted(&self, keyring: Option<&Path>) -> Result<PathBuf, RepositoryError> {
        let builders = self.folder.state().join("builders.gpg");
        match keyring {
            Some(path) => Ok(path.to_owned()),
            None if folder::has(&builders) => Ok(builders),
            None => {
                let own = self.folder.state().join(keys::RING);
                files::update(&self.folder.temporary(), &own, &self.keys.ring())?;
                Ok(own)
            }
        }
    }

    fn codename(&self, dist: &Path, found: &Accepted, wanted: Option<&str>) -> Result<String, RepositoryError> {
        if let Some(codename) = wanted {
            return Ok(self.folder.suite(codename)?.codename.clone());
        }
        let suites = &self.settings().suite;
        let named = |name: &str| suites.iter().find(|suite| suite.codename == name || suite.name() == name);
        named(&found.distribution).map(|suite| suite.codename.clone()).ok_or_else(|| RepositoryError::Setting {
            what: "Distribution",
            value: found.distribution.clone(),
            problem: format!(
                "in the .changes of {} is no codename of this repository, which has {}: say where the packages belong with --codename",
                dist.display(),
                self.settings().codenames()
            ),
        })
    }

    fn listed(&self, candidate: &Candidate, component: Option<&str>) -> Listed {
        let described = &candidate.described;
        let component = gate::component(self.settings(), component, described);
        Listed {
            name: described.name.clone(),
            version: described.version.clone(),
            architecture: described.architecture.clone(),
            path: described.pool_path(&component),
            component,
            size: described.size,
            sha256: candidate.sha256,
        }
    }

    /// Copies a package into the pool. What is copied is what was judged, or it is refused.
    fn take(&self, candidate: &Candidate, listed: &Listed) -> Result<(), RepositoryError> {
        let path = self.folder.path(&listed.path);
        described::keep(&self.folder, &listed.sha256, &candidate.described)?;
        let attempt = || -> std::io::Result<_> {
            public::make_folder(path.parent().expect("it is in the pool"))?;
            let file = tempfile::NamedTempFile::new_in(self.folder.temporary())?;
            let copied = files::copy(&candidate.path, file.as_file())?;
            file.as_file().set_permissions(Permissions::from_mode(0o644))?;
            file.as_file().sync_all()?;
            Ok((file, copied))
        };
        let (file, copied) = attempt().map_err(RepositoryError::io("write", &path))?;
        if copied != listed.sha256 {
            return Err(refused(Refusal::NotAPackage {
                path: candidate.path.clone(),
                problem: "it was changed while it was read".into(),
            }));
        }
        files::settle(file.path(), &path, &listed.sha256)
    }

    /// Publishes what was added, and whatever else has changed: settings, keys. With no codename, all suites.
    ///
    /// # Errors
    /// A codename is not known, the signers are not the repository's keys or clients would refuse what they sign, this
    /// machine's clock is wrong, or a file cannot be read or written. Clients see the earlier snapshot then.
    pub fn publish(
        &mut self,
        codenames: &[String],
        signers: &[&dyn Signer],
        now: i64,
    ) -> Result<Vec<Publication>, RepositoryError> {
        self.for_suites(self.request(codenames, signers, now), |repository, codename, signatures| {
            let mut packages = repository.live_packages(codename)?;
            let staged = repository.folder.staged()?.remove(codename).unwrap_or_default();
            // None comes through the gate, and none that an older version of the tool has let through may vanish.
            if let Some(found) = staged.iter().find(|package| package.name == repository.settings().keyring()) {
                let problem = format!("{}: its name is that of the package with the repository's own keys", found.path);
                return Err(refused(Refusal::Unusable { problems: vec![problem] }));
            }
            packages.extend(staged.iter().cloned());
            let (packages, dropped) = repository.apply_keep(codename, packages, &staged, now)?;
            let publication = repository.release(codename, packages, Made::Publish, signatures, now)?;
            Ok(Publication { dropped, ..publication })
        })
    }

    /// Signs the suites anew, with the same packages, so that clients go on trusting them.
    ///
    /// # Errors
    /// A codename is not known, the signers are not the repository's keys or clients would refuse what they sign, this
    /// machine's clock is wrong, or a file cannot be read or written. Clients see the earlier snapshot then.
    pub fn refresh(
        &mut self,
        codenames: &[String],
        signers: &[&dyn Signer],
        now: i64,
    ) -> Result<Vec<Publication>, RepositoryError> {
        self.for_suites(self.request(codenames, signers, now), |repository, codename, signatures| {
            let packages = repository.live_packages(codename)?;
            repository.release(codename, packages, Made::Refresh, signatures, now)
        })
    }

    /// Publishes the packages of an earlier snapshot, as a new one: clients refuse a Release that is older than theirs.
    ///
    /// # Errors
    /// The suite has no such snapshot, or publishing it fails as it does for [`Self::publish`].
    pub fn rollback(
        &mut self,
        codename: &str,
        number: u64,
        signers: &[&dyn Signer],
        now: i64,
    ) -> Result<Publication, RepositoryError> {
        let known = snapshot::numbers(&self.folder, codename)?;
        if !known.contains(&number) {
            let known = known.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            return Err(RepositoryError::Snapshot { codename: codename.to_owned(), number, known });
        }
        let published =
            self.for_suites(self.request(&[codename.to_owned()], signers, now), |repository, codename, signatures| {
                let earlier = Snapshot::read(&repository.folder, codename, number)?;
                repository.release(codename, earlier.packages, Made::Rollback(number), signatures, now)
            })?;
        Ok(published.into_iter().next().expect("one suite"))
    }

    /// The keys as they are, with what their owners have renewed.
    pub(super) fn request<'s, 'k>(
        &self,
        codenames: &'s [String],
        signers: &'s [&'k dyn Signer],
        now: i64,
    ) -> Request<'s, 'k> {
        Request { keys: self.keys.clone(), codenames, signers, days: SETTLED_DAYS, now }
    }

    /// The packages of a suite, as clients see it; none before it was published.
    pub(super) fn live_packages(&self, codename: &str) -> Result<Vec<Listed>, RepositoryError> {
        Ok(Snapshot::live(&self.folder, codename)?.map_or_else(Vec::new, |live| live.packages))
    }

    /// Makes a snapshot and shows it to clients. Nothing is made where a publication would change nothing.
    pub(super) fn release(
        &self,
        codename: &str,
        packages: Vec<Listed>,
        made: Made,
        signatures: &[Signature<'_>],
        now: i64,
    ) -> Result<Publication, RepositoryError> {
        let folder = &self.folder;
        let live = Snapshot::live(folder, codename)?;
        let keyring = folder.settings.keyring();
        let mut packages: Vec<Listed> = packages.into_iter().filter(|package| package.name != keyring).collect();
        packages.push(keyring_package::put(folder, &self.keys)?);
        listed::sort(&mut packages);
        pool_has(folder, &packages)?;
        let before = live.as_ref().map_or(&[][..], |live| &live.packages);
        if matches!(made, Made::Publish | Made::Remove) && before != packages {
            self.check_index(&self.described(before.to_vec())?, &self.described(packages.clone())?)?;
        }
        let files = indices::write(folder, &packages, live.as_ref())?;
        changelogs::write(folder, &packages)?;
        let signed_by = self.keys.fingerprints();
        let missing = |some: &[Listed], others: &[Listed]| {
            let others: BTreeSet<&Listed> = others.iter().collect();
            some.iter().filter(|package| !others.contains(package)).count()
        };
        let (added, removed) = (missing(&packages, before), missing(before, &packages));
        if let Some(live) = live.as_ref().filter(|live| {
            made == Made::Publish
                && live.files == files
                && live.packages == packages
                && live.signed_by == signed_by
                && self.is_called_so(live)
        }) {
            self.forget_staged(codename)?;
            return Ok(Publication { snapshot: live.clone(), added, removed, unchanged: true, dropped: vec![] });
        }
        let date = clock::next(codename, live.as_ref(), self.consent, now)?;
        let valid_until = date + i64::from(self.settings().valid_days) * 86_400;
        let number = live.as_ref().map_or(1, |live| live.number + 1);
        let snapshot =
            Snapshot { number, codename: codename.into(), made, date, valid_until, signed_by, packages, files };
        self.make(&snapshot, signatures)?;
        files::replace_link(&folder.temporary(), &folder.live(codename), &snapshot::link_target(codename, number))?;
        let mut ledger = Ledger::read(folder)?;
        ledger.add(&snapshot.packages);
        ledger.write(folder)?;
        let mut seen = FirstSeen::read(folder)?;
        seen.add(&snapshot);
        seen.write(folder)?;
        if made == Made::Publish {
            self.forget_staged(codename)?;
        }
        Ok(Publication { snapshot, added, removed, unchanged: false, dropped: vec![] })
    }

    /// Whether the Release of a snapshot says what it would say now, but for its dates and files.
    fn is_called_so(&self, live: &Snapshot) -> bool {
        let path = self.folder.snapshot(&live.codename, live.number).join(snapshot::SUITE).join("Release");
        let Ok(suite) = self.folder.suite(&live.codename) else { return false };
        let text = self.settings().release(suite, 0, 0, &live.files).text();
        fs::read_to_string(path).is_ok_and(|found| release::head(&found) == release::head(&text))
    }

    /// Writes a snapshot's folder, whole and durable. Clients do not see it yet.
    fn make(&self, snapshot: &Snapshot, signatures: &[Signature<'_>]) -> Result<(), RepositoryError> {
        let Snapshot { number, codename, date, valid_until, .. } = snapshot;
        let folder = &self.folder;
        let suite = folder.suite(codename)?;
        let (date, valid_until) = (*date, *valid_until);
        let text = self.settings().release(suite, date, valid_until, &snapshot.files).text();
        let signed = several::sign(&text, signatures, date)?;
        let new = tempfile::TempDir::new_in(folder.temporary())
            .map_err(RepositoryError::io("make a folder in", folder.temporary()))?;
        let tree = new.path().join(snapshot::SUITE);
        let record = serde_json::to_vec(snapshot).expect("plain data serialises to JSON");
        files::write(new.path(), &new.path().join(snapshot::RECORD), &record)?;
        let attempt = || -> Result<(), RepositoryError> {
            for (name, content) in
                [("Release", text.as_bytes()), ("Release.gpg", &signed.detached), ("InRelease", &signed.clear)]
            {
                let path = tree.join(name);
                files::write(new.path(), &path, content)?;
                files::set_date(&path, date).map_err(RepositoryError::io("date", &path))?;
            }
            indices::link(&tree, &snapshot.files).map_err(RepositoryError::io("write", &tree))
        };
        attempt()?;
        if snapshot.files.keys().any(|path| apt::indices::is_packed(path)) {
            let indices = folder.path("indices/SHA256");
            files::sync_folder(&indices).map_err(RepositoryError::io("write", &indices))?;
        }
        snapshot::settle(new, &folder.snapshot(codename, *number))
    }

    fn forget_staged(&self, codename: &str) -> Result<(), RepositoryError> {
        let mut staged = self.folder.staged()?;
        match staged.remove(codename) {
            Some(_) => self.folder.write_staged(&staged),
            None => Ok(()),
        }
    }
}

/// That the pool has these packages, by size (`repo verify` and `repo push` read it all): no index may name a file that
/// is gone, such as those of a pool that is not mounted.
fn pool_has(folder: &Folder, packages: &[Listed]) -> Result<(), RepositoryError> {
    let wrong = |package: &Listed| {
        let path = folder.path(&package.path);
        let found = match fs::metadata(&path) {
            Ok(found) if found.len() == package.size => return None,
            Ok(found) => format!("{} bytes instead of {}", found.len(), package.size),
            Err(error) => error.to_string(),
        };
        Some(format!("{}: {found}", path.display()))
    };
    complete::incomplete(folder, packages.iter().filter_map(wrong).collect())
}

/// The packages of several suites by the path that the pool has them under.
pub(super) fn by_path<'a>(packages: impl Iterator<Item = &'a Listed>) -> BTreeMap<&'a str, &'a Listed> {
    packages.map(|package| (package.path.as_str(), package)).collect()
}
