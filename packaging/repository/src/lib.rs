//! A signed apt repository in a folder, which any web server can serve (Debian repository format,
//! <https://wiki.debian.org/DebianRepository/Format>).
//!
//! ```text
//! dists/CODENAME            -> ../snapshots/CODENAME/NUMBER/suite: the only thing that a publication changes
//! dists/NAME                -> CODENAME: its other name, such as stable
//! snapshots/CODENAME/NUMBER/suite/    InRelease, Release, Release.gpg, and links to the indices
//! snapshots/CODENAME/NUMBER/snapshot.json
//! indices/SHA256/<hex>      every index of every snapshot: what by-hash leads to
//! pool/COMPONENT/m/mesos/   the packages; a file never changes
//! NAME-CODENAME.{sources,pref}, NAME-archive-keyring.{deb,gpg}    what a client begins with
//! index.html                the same for people, with what is proven of the packages
//! changelogs/COMPONENT/m/mesos/    what `apt-get changelog` asks for
//! evidence/SHA256/NAME      the statements that prove it
//! repository/               generation.asc state/SHA256: how far it has come, and from what another machine continues
//! .repository/              the tool's own; no secret is in it
//!   settings.toml keys.json editions.json keys.gpg builders.gpg ledger.json first-seen.json evidence.json staged.json id
//!   packages/ tmp/ unfinished .lock
//! ```
//!
//! Everything new is written beside what clients see, made durable, and made visible by one `rename(2)`. Whatever ends a
//! run before that, clients see the old suite; afterwards the new one. While a run changes something, the file
//! `unfinished` is there; a run that finds it removes what no snapshot has ([`repair`]).
//!
//! What apt reads of all this is text of the crate `apt`; where it is pushed to is in `places`.

mod aliases;
mod changelogs;
mod clock;
mod complete;
mod consent;
mod described;
mod editions;
mod error;
mod evidence;
mod files;
mod first_seen;
mod gate;
mod generation;
mod index_page;
mod indices;
mod keep;
mod keyring_package;
mod keys;
mod ledger;
mod place;
mod plan;
mod prune;
mod publish;
mod published;
mod push;
mod recover;
mod remains;
mod remove;
mod repair;
mod rotation;
mod served;
mod settings;
mod signed_generation;
mod signing;
mod snapshot;
mod sources;
mod stand_by;
mod status;
mod usable;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use apt::listed::Listed;
use foundation::digest::Digest;
use foundation::public;
use foundation::store::{Holder, StoreLock};
use ledger::Ledger;
use sign::signer::{KeyForm, Signer};

pub use consent::Consent;
pub use editions::SETTLED_DAYS;
pub use error::RepositoryError;
pub use gate::{Accepted, Candidate, Refusal};
pub use generation::Generation;
pub use keep::Keep;
pub use keys::{Key, Keys};
pub use place::PushOptions;
pub use prune::{PruneOptions, Pruned, PrunedSnapshot};
pub use publish::{Added, Publication};
pub use recover::{Recovered, clone, recover};
pub use remove::Removed;
pub use served::{Look, Served, ServedSuite, verify_served};
pub use settings::{DEBUG, Settings, Suite, VALID_DAYS};
pub use snapshot::{Made, Snapshot};
pub use stand_by::StandBy;
pub use status::{KeyStatus, Live, RepositoryStatus, SuiteStatus, Total, status};
pub use verify::{Sound, verify};

/// A repository's folder and its settings.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    settings: Settings,
}

impl Folder {
    fn open(root: &Path) -> Result<Self, RepositoryError> {
        let root = std::path::absolute(root).map_err(RepositoryError::io("find", root))?;
        let settings = root.join(".repository/settings.toml");
        if !settings.is_file() {
            return Err(match remains::of(&root) {
                Some(_) => {
                    RepositoryError::Remains { path: root, problem: ".repository/settings.toml is missing".into() }
                }
                None => RepositoryError::None { path: root },
            });
        }
        Ok(Self { settings: Settings::read(&settings)?, root })
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    fn state(&self) -> PathBuf {
        self.root.join(".repository")
    }

    fn temporary(&self) -> PathBuf {
        self.state().join("tmp")
    }

    fn snapshots(&self, codename: &str) -> PathBuf {
        self.root.join("snapshots").join(codename)
    }

    fn snapshot(&self, codename: &str, number: u64) -> PathBuf {
        self.snapshots(codename).join(number.to_string())
    }

    fn live(&self, codename: &str) -> PathBuf {
        self.root.join("dists").join(codename)
    }

    fn index(&self, sha256: &Digest) -> PathBuf {
        self.root.join("indices/SHA256").join(sha256.to_string())
    }

    fn unfinished(&self) -> PathBuf {
        self.state().join("unfinished")
    }

    fn staged(&self) -> Result<Staged, RepositoryError> {
        Ok(files::read_json(&self.state().join("staged.json"))?.unwrap_or_default())
    }

    fn write_staged(&self, staged: &Staged) -> Result<(), RepositoryError> {
        files::write_json(&self.temporary(), &self.state().join("staged.json"), staged)
    }

    fn suite(&self, codename: &str) -> Result<&Suite, RepositoryError> {
        self.settings.suite.iter().find(|suite| suite.codename == codename).ok_or_else(|| RepositoryError::Codename {
            codename: codename.to_owned(),
            known: self.settings.codenames(),
            settings: self.state().join("settings.toml"),
        })
    }

    /// Every suite that was ever published, also those that the settings no longer have.
    fn codenames(&self) -> Result<Vec<String>, RepositoryError> {
        let mut names = files::names(&self.root.join("snapshots"))?;
        names.extend(self.settings.suite.iter().map(|suite| suite.codename.clone()));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Every snapshot that is kept.
    fn all_snapshots(&self) -> Result<Vec<Snapshot>, RepositoryError> {
        let mut all = Vec::new();
        for codename in self.codenames()? {
            for number in snapshot::numbers(self, &codename)? {
                all.push(Snapshot::read(self, &codename, number)?);
            }
        }
        Ok(all)
    }
}

/// Packages that were added to the pool and are in no snapshot yet, by codename.
type Staged = BTreeMap<String, Vec<Listed>>;

/// A repository that this process alone may change.
#[derive(Debug)]
pub struct Repository {
    folder: Folder,
    keys: Keys,
    consent: Consent,
    lock: StoreLock,
    /// What was repaired when the repository was opened, one sentence each.
    repaired: Vec<String>,
}

impl Repository {
    /// Makes a repository in a new or empty folder, with a first snapshot of each suite. `builders` is a binary key ring
    /// with the keys whose packages it takes; without it, those that sign the repository.
    ///
    /// # Errors
    /// The settings make no sense, there are no signers or more than two, a key is one that clients would refuse, the
    /// folder is not empty, or it cannot be written.
    pub fn init(
        root: &Path,
        settings: &Settings,
        signers: &[&dyn Signer],
        builders: Option<&[u8]>,
        now: i64,
    ) -> Result<(Self, Vec<Publication>), RepositoryError> {
        settings.check()?;
        keys::refuse_development(signers, settings.development)?;
        if signers.is_empty() || signers.len() > 2 {
            return Err(RepositoryError::Keys(
                "one key signs a repository, or two: give it with --key or --key-file".into(),
            ));
        }
        let until = now + i64::from(settings.valid_days) * 86_400;
        for signer in signers {
            let ring = signer.public_key(KeyForm::Binary)?;
            keys::check_accepted(*signer, &ring, until)?;
        }
        let root = std::path::absolute(root).map_err(RepositoryError::io("find", root))?;
        let state = root.join(".repository");
        // What an init that was killed has left is only this.
        let taken = files::names(&root)?.iter().any(|name| name != ".repository")
            || ["settings.toml", "id"].iter().any(|name| state.join(name).exists());
        if taken {
            let remains = remains::of(&root).filter(|_| !state.join("settings.toml").exists());
            return Err(match remains {
                Some(name) => RepositoryError::Remains { path: root, problem: format!("{name} is there") },
                None => RepositoryError::Exists { path: root },
            });
        }
        let temporary = state.join("tmp");
        public::make_folder(&root).map_err(RepositoryError::io("make the folder", &root))?;
        fs::create_dir_all(&temporary).map_err(RepositoryError::io("make the folder", &temporary))?;
        let lock = StoreLock::try_acquire(&state, "repo init")?;
        let folder = Folder { root, settings: settings.clone() };
        let keys = Keys::new(signers, now)?;
        keys.write(&folder)?;
        if let Some(builders) = builders {
            files::write(&temporary, &state.join("builders.gpg"), builders)?;
        }
        Ledger::default().write(&folder)?;
        files::write(&temporary, &folder.unfinished(), b"")?;
        // From here on it is a repository.
        files::write(&temporary, &state.join("settings.toml"), settings.text().as_bytes())?;
        let mut repository = Self { folder, keys, consent: Consent::default(), lock, repaired: vec![] };
        let published = repository.publish(&[], signers, now)?;
        Ok((repository, published))
    }

    /// Opens a repository to change it, and repairs what an interrupted run has left. While somebody else works there,
    /// waits, and calls `waiting` about twice a second.
    ///
    /// # Errors
    /// The folder is no repository, what a repository cannot be without is missing, or what an interrupted run has left
    /// cannot be repaired.
    pub fn open(root: &Path, what: &str, waiting: &mut dyn FnMut(&Holder)) -> Result<Self, RepositoryError> {
        let folder = Folder::open(root)?;
        let lock = StoreLock::acquire(&folder.state(), what, waiting)?;
        // The one who had the lock may have changed them.
        let folder = Folder::open(root)?;
        remains::check(&folder)?;
        let keys = Keys::read(&folder)?;
        // Also what was killed while it changed nothing yet, or nothing but a remote place.
        repair::clear_temporary(&folder)?;
        let mut repository = Self { folder, keys, consent: Consent::default(), lock, repaired: vec![] };
        if repository.folder.unfinished().exists() {
            repository.repaired = repair::repair(&repository.folder, &repository.keys)?;
            files::remove(&repository.folder.unfinished())?;
        }
        Ok(repository)
    }

    /// What was repaired when it was opened, for people.
    pub fn repaired(&self) -> &[String] {
        &self.repaired
    }

    /// Allows what is not done without being asked for.
    pub fn allow(&mut self, consent: Consent) {
        self.consent = consent;
    }

    /// Compares this machine's clock with that of the web server which clients fetch from, where there is one.
    ///
    /// # Errors
    /// The web server's time and this machine's are too far apart. A server that does not answer is no error.
    pub fn compare_clocks(&self, now: i64) -> Result<(), RepositoryError> {
        match &self.folder.settings.uri {
            Some(uri) if !self.consent.clock_is_right => clock::compare(uri, now),
            _ => Ok(()),
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.folder.settings
    }

    /// The keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Does something that changes files; what a failure leaves is removed at once where that is possible, else by the
    /// next run.
    fn change<T>(&mut self, what: impl FnOnce(&mut Self) -> Result<T, RepositoryError>) -> Result<T, RepositoryError> {
        let marker = self.folder.unfinished();
        fs::create_dir_all(self.folder.temporary())
            .map_err(RepositoryError::io("make the folder", self.folder.temporary()))?;
        files::write(&self.folder.temporary(), &marker, b"")?;
        let result = what(self);
        let clean = result.is_ok() || repair::repair(&self.folder, &self.keys).is_ok();
        if clean {
            files::remove(&marker)?;
        }
        result
    }
}

/// What a repository has, for people and programs.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Listing {
    /// Whether it takes what nobody should trust.
    pub development: bool,
    /// The keys that sign it: fingerprint to user id.
    pub keys: BTreeMap<String, String>,
    /// What each suite has, by its codename.
    pub suites: BTreeMap<String, SuiteListing>,
}

/// One suite of a [`Listing`].
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SuiteListing {
    /// The number of the snapshot that clients see.
    pub live: Option<u64>,
    /// The snapshots that are kept, in the order of their numbers.
    pub snapshots: Vec<Snapshot>,
    /// Packages that the next publication brings.
    pub staged: Vec<Listed>,
}

/// Lists a repository. It takes no lock: snapshots never change.
///
/// # Errors
/// The folder is no repository, or a file of it is not as this tool writes it.
pub fn list(root: &Path) -> Result<Listing, RepositoryError> {
    let folder = Folder::open(root)?;
    let keys = Keys::read(&folder)?;
    let mut staged = folder.staged()?;
    let mut suites = BTreeMap::new();
    for codename in folder.codenames()? {
        let live = snapshot::live(&folder, &codename)?;
        let numbers = snapshot::numbers(&folder, &codename)?;
        // One that is being made is nobody's business yet.
        let known = numbers.into_iter().filter(|number| live.is_some_and(|live| *number <= live));
        let snapshots = known.map(|number| Snapshot::read(&folder, &codename, number)).collect::<Result<_, _>>()?;
        let staged = staged.remove(&codename).unwrap_or_default();
        suites.insert(codename, SuiteListing { live, snapshots, staged });
    }
    let keys = keys.signing.into_iter().map(|key| (key.fingerprint, key.user_id)).collect();
    Ok(Listing { development: folder.settings.development, keys, suites })
}
