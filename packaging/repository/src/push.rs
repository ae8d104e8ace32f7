//! Copying a repository to where clients fetch from, as a compare-and-swap: only where this copy knows what is there.
//!
//! A client must never be told of a file that is not there: packages go first, then indices by their digest (those of every
//! snapshot that is kept, for clients that have just read an earlier Release), indices by name, Release and
//! Release.gpg, InRelease, the page; and only when all of that is there, what an earlier push has put and nobody needs is removed.
//! Links become files, since object stores have none.
//!
//! Another publisher must never overwrite what it does not know: before the first thing that clients see is replaced, the
//! place has everything of this generation and says that it is the present one. From there on others refuse to
//! go on with anything else, and whoever clones the place completes a push that was cut short.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use apt::changelog;
use places::Remote;
use places::lock::{Claim, PlaceLock};
use places::told::{PUSHED, Told};
use places::transport::{Cache, Transport};

use super::generation::{self, Generation};
use super::place::{Place, PushOptions};
use super::snapshot::{self, Snapshot};
use super::{Repository, RepositoryError, complete, files, index_page, sources};

impl Repository {
    /// Whether a push to this place would be refused, before anything is published that could not be pushed afterwards.
    ///
    /// # Errors
    /// The place cannot be read, has another repository or a generation that this one does not descend from, or the
    /// export cannot be made.
    pub fn check_place(&self, remote: &Remote, options: &PushOptions) -> Result<(), RepositoryError> {
        // The first generation is still to come.
        let Some(ours) = Generation::read(&self.folder)? else { return Ok(()) };
        let transport = Transport { remote, lock: Some(&self.lock), patience: None };
        let place = Place::of(Told::read(&transport)?, &self.keys)?;
        let files = self.export_into(None)?.all;
        place.check(&self.folder, &ours, &files, options, &mut |_| ())
    }

    /// Copies everything that clients and other copies of the repository need. What is interrupted is completed by the next
    /// one. `tell` is told what an option in `options` makes clients lose.
    ///
    /// # Errors
    /// What clients would see is not complete or not signed as a generation, the place has something that must not be
    /// replaced, somebody else is pushing there, or rsync or rclone fails. An interrupted push is completed by the next
    /// one.
    pub fn push(
        &mut self,
        remote: &Remote,
        options: &PushOptions,
        now: i64,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), RepositoryError> {
        let temporary = self.folder.temporary();
        fs::create_dir_all(&temporary).map_err(RepositoryError::io("make the folder", &temporary))?;
        let export =
            tempfile::TempDir::new_in(&temporary).map_err(RepositoryError::io("make a folder in", &temporary))?;
        let ours = Generation::read(&self.folder)?;
        let current = ours.as_ref().map_or(Ok(false), |ours| ours.is_current(&self.folder))?;
        let Some(ours) = ours.filter(|_| current) else {
            return Err(RepositoryError::Unrecorded { path: self.folder.root().to_owned() });
        };
        complete::check(&self.folder)?;
        let Export { steps, all } = self.export_into(Some(export.path()))?;
        let transport = Transport { remote, lock: Some(&self.lock), patience: None };
        // Refused without a trace; whatever it says, only what is read under the lock counts.
        let place = Place::of(Told::read(&transport)?, &self.keys)?;
        place.check(&self.folder, &ours, &all, options, &mut |_| ())?;
        // However old another one's lock is: of two at once, clients would see a mixture. Whether that run is gone, a person says.
        let (folder, broken) = (self.folder.state(), options.break_lock.as_deref());
        let claim = Claim { folder: &folder, broken, longest: None, now };
        let (lock, told) = PlaceLock::acquire(&transport, &claim, &mut |_| ())?;
        let result = Place::of(told, &self.keys)
            .and_then(|place| self.push_locked(&transport, &place, &ours, &steps, &all, options, export.path(), tell));
        // Where that failed, whoever comes next shall not be kept out as well; where the place is away, it cannot be helped.
        let released = lock.release();
        result?;
        Ok(released?)
    }

    #[expect(clippy::too_many_arguments, reason = "one call, of what its caller has prepared")]
    fn push_locked(
        &self,
        transport: &Transport,
        place: &Place,
        ours: &Generation,
        steps: &[(&'static str, Cache, PathBuf)],
        all: &BTreeSet<String>,
        options: &PushOptions,
        export: &Path,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), RepositoryError> {
        place.check(&self.folder, ours, all, options, tell)?;
        let mut all = all.clone();
        if place.is_foreign(index_page::NAME) && all.remove(index_page::NAME) {
            tell(&format!("{} has an {} of somebody else's, which stays as it is", transport.remote, index_page::NAME));
            for folder in steps.iter().map(|(.., folder)| folder.clone()).chain([export.join("all")]) {
                files::remove(&folder.join(index_page::NAME))?;
            }
        }
        let all = &all;
        let record = |pushed: &BTreeSet<String>| -> Result<(), RepositoryError> {
            let top = export.join("record");
            files::write_json(export, &top.join(PUSHED), pushed)?;
            Ok(transport.put("recording what is there", &top, Cache::Briefly)?)
        };
        let before_and_after: BTreeSet<String> = place.pushed().union(all).cloned().collect();
        if before_and_after != *place.pushed() {
            record(&before_and_after)?;
        }
        for (what, cache, step) in steps {
            transport.put(what, step, *cache)?;
        }
        let gone: BTreeSet<String> = place.pushed().difference(all).cloned().collect();
        transport.delete("removing what nobody needs", &gone)?;
        transport.tidy("removing what an interrupted copy has left", &before_and_after)?;
        if before_and_after != *all { record(all) } else { Ok(()) }
    }

    /// Makes a folder of links for each step, and one with all of them; without a folder, only their names.
    fn export_into(&self, top: Option<&Path>) -> Result<Export, RepositoryError> {
        let folder = &self.folder;
        const STEPS: [(&str, Cache); 8] = [
            ("copying the packages", Cache::Forever),
            ("copying indices by digest", Cache::Forever),
            ("copying snapshots and changelogs", Cache::Briefly),
            ("claiming the place for this generation", Cache::Briefly),
            ("copying indices", Cache::Briefly),
            ("copying Release files", Cache::Briefly),
            ("copying InRelease files", Cache::Briefly),
            ("copying the page", Cache::Briefly),
        ];
        let [packages, by_hash, records, claim, by_name, release, in_release, page] = [0, 1, 2, 3, 4, 5, 6, 7];
        let mut used = BTreeSet::new();
        let mut all = BTreeSet::new();
        let mut put = |step: usize, name: &str, target: &Path| -> Result<(), RepositoryError> {
            used.insert(step);
            all.insert(name.to_owned());
            let Some(top) = top else { return Ok(()) };
            for place in [top.join(step.to_string()).join(name), top.join("all").join(name)] {
                let parent = place.parent().expect("it is below a folder");
                let attempt = || -> std::io::Result<()> {
                    fs::create_dir_all(parent)?;
                    // Several snapshots have the same index.
                    if place.symlink_metadata().is_err() { symlink(target, &place) } else { Ok(()) }
                };
                attempt().map_err(RepositoryError::io("write the link", &place))?;
            }
            Ok(())
        };
        let snapshots = folder.all_snapshots()?;
        for snapshot in &snapshots {
            for package in &snapshot.packages {
                put(packages, &package.path, &folder.path(&package.path))?;
                let changelog = changelog::path(package);
                if folder.path(&changelog).is_file() {
                    put(records, &changelog, &folder.path(&changelog))?;
                }
            }
        }
        for file in complete::statements(folder, &snapshots)? {
            put(packages, &file.remote, &file.path)?;
        }
        for suite in &folder.settings.suite {
            let codename = &suite.codename;
            let Some(live) = snapshot::live(folder, codename)? else { continue };
            // By its other name, too: object stores have no links.
            let mut names = vec![codename.as_str()];
            names.extend(Some(suite.name()).filter(|name| name != codename));
            for number in snapshot::numbers(folder, codename)? {
                let snapshot = Snapshot::read(folder, codename, number)?;
                for (path, (sha256, _)) in snapshot.files.iter().filter(|(path, _)| apt::indices::is_packed(path)) {
                    let target = folder.index(sha256);
                    for name in &names {
                        put(by_hash, &apt::indices::by_hash(name, path, sha256), &target)?;
                        if number == live {
                            put(by_name, &format!("dists/{name}/{path}"), &target)?;
                        }
                    }
                }
                // With these, another machine continues.
                for name in snapshot::FILES {
                    let name = format!("snapshots/{codename}/{number}/{name}");
                    put(records, &name, &folder.path(&name))?;
                }
            }
            let tree = folder.snapshot(codename, live).join(snapshot::SUITE);
            for (step, name) in [(release, "Release"), (release, "Release.gpg"), (in_release, "InRelease")] {
                for suite in &names {
                    put(step, &format!("dists/{suite}/{name}"), &tree.join(name))?;
                }
            }
        }
        if let Some(generation) = Generation::read(folder)? {
            for (sha256, _) in generation.state.values() {
                let name = Generation::blob(sha256);
                put(by_hash, &name, &folder.path(&name))?;
            }
            put(claim, generation::FILE, &folder.path(generation::FILE))?;
        }
        for (name, content) in sources::contents(folder, &self.keys)? {
            let path = folder.path(&name);
            files::update(&folder.temporary(), &path, &content)?;
            // It tells of what clients see.
            put(if name == index_page::NAME { page } else { release }, &name, &path)?;
        }
        let steps = top.map_or_else(Vec::new, |top| {
            used.into_iter().map(|step| (STEPS[step].0, STEPS[step].1, top.join(step.to_string()))).collect()
        });
        Ok(Export { steps, all })
    }
}

/// What a push copies.
struct Export {
    /// In this order: what for, how long it may be kept, and a folder of links.
    steps: Vec<(&'static str, Cache, PathBuf)>,
    /// The paths of all these files, below the place.
    all: BTreeSet<String>,
}
