//! Taking results that others made, in place of making them.
//!
//! Statements are asked for by name: one for each key that counts. What is at the place beside that is never looked at, so
//! nobody else can be heard there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use foundation::date;
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::{Store, TempDir};
use statements::proof::result::{StatedBy, Taken};

use crate::cut;
use crate::error::ResultsError;
use crate::list::{self, ACCOUNT, CONTENT};
use crate::source::{Source, Trouble};
use crate::trust::{KeyRing, Stated, Trust};
use crate::{Key, seen};

/// Takes results from places. Copies of it share what is known of the places.
#[derive(Clone)]
pub struct Taker(Arc<Inner>);

struct Inner {
    places: Vec<Source>,
    /// gpgv works in a folder of its own, one signature at a time.
    trust: Mutex<Trust>,
    keyring: PathBuf,
    require: u32,
    /// Places that did not answer: not asked again by this run.
    down: Mutex<BTreeSet<Source>>,
}

impl std::fmt::Debug for Taker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Taker").field("places", &self.0.places).field("require", &self.0.require).finish()
    }
}

/// A statement that counts, with where it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The place that has it.
    pub place: Source,
    /// The statement and its key.
    pub stated: Stated,
    /// Digest of the file that has it.
    pub file: Digest,
}

impl Found {
    /// The digest of the content that is stated.
    pub fn content(&self) -> Digest {
        self.stated.statement.content().expect("a statement that counts is about one result")
    }

    /// When it was stated, as a Unix time in seconds.
    pub(crate) fn stated(&self) -> i64 {
        self.stated.statement.predicate.stated
    }

    pub(crate) fn said(&self) -> String {
        let by = &self.stated.by;
        format!("{} ({}) states {} at {}", by.user_id, by.primary, self.content(), self.place)
    }

    fn stated_by(&self) -> StatedBy {
        let by = &self.stated.by;
        let subkey = (by.fingerprint != by.primary).then(|| by.fingerprint.clone());
        StatedBy { key: by.primary.clone(), subkey, user_id: by.user_id.clone(), statement: self.file }
    }

    fn taken(&self, key: &Key, builders: Vec<StatedBy>) -> Taken {
        let (stage, place) = (key.kind.name().into(), self.place.to_string());
        Taken { stage, inputs: key.inputs, content: self.content(), place, builders }
    }

    fn not_taken(&self, key: &Key, why: &str) -> String {
        format!("{key} is not taken from {}: {why}", self.place)
    }
}

/// A result that was fetched and is what was stated.
#[derive(Debug)]
pub struct Received {
    folder: TempDir,
    /// What was taken from whom, and why.
    pub taken: Taken,
}

/// What a trusted builder has of a kind that nobody can confirm.
#[derive(Debug)]
pub enum Latest {
    /// What is here already.
    Known,
    /// Another one.
    New(Received),
}

/// What a trusted builder says now, of a kind that no two have the same of.
#[derive(Debug)]
pub struct Said {
    /// Who stated it last, and in which statement.
    pub by: StatedBy,
    /// What was stated; none where it cannot be had.
    pub what: Option<Latest>,
}

impl Received {
    /// The folder with what every builder gets.
    pub fn content(&self) -> PathBuf {
        self.folder.path().join(CONTENT)
    }

    /// The folder with what the builder tells of the making.
    pub fn account(&self) -> PathBuf {
        self.folder.path().join(ACCOUNT)
    }
}

impl Taker {
    /// Takes from these places, in this order, what `require` distinct keys of a key ring state. Where there is no place, the ring decides
    /// which of what was taken before may be used.
    ///
    /// # Errors
    /// The key ring cannot be read, or has fewer keys that count than any place would have to be asked for.
    pub fn new(places: Vec<Source>, keyring: &KeyRing, require: u32) -> Result<Self, ResultsError> {
        let trust = Trust::new(keyring, require)?;
        let (require, keys, keyring) = (trust.require(), trust.keys().count(), keyring.path().to_owned());
        if !places.is_empty() && keys < require as usize {
            return Err(ResultsError::TooFewKeys { require, keys, keyring });
        }
        Ok(Self(Arc::new(Inner { places, trust: Mutex::new(trust), keyring, require, down: Mutex::default() })))
    }

    /// Whether there is any place to ask.
    pub fn asks(&self) -> bool {
        !self.0.places.is_empty()
    }

    /// The key ring that says whose word counts.
    pub fn keyring(&self) -> &Path {
        &self.0.keyring
    }

    /// Whether the word of whoever made a statement before counts now.
    pub fn counts(&self, by: &StatedBy) -> bool {
        self.0.trust.lock().expect("no panic while held").counts(by)
    }

    /// How many distinct keys have to state a result.
    pub fn require(&self) -> u32 {
        self.0.require
    }

    /// Asks all places for statements about a key. What counts is returned; a place that does not answer, and a statement
    /// that is not what it should be, are told of.
    ///
    /// # Errors
    /// A temporary folder cannot be made.
    pub fn ask(&self, key: &Key, progress: &dyn Progress) -> Result<Vec<Found>, ResultsError> {
        let warn = |text: String| progress.event(Event::Warning { text });
        let trust = self.0.trust.lock().expect("no panic while held");
        let names: BTreeMap<String, &str> = trust.keys().map(|primary| (key.statement(primary), primary)).collect();
        let files: BTreeSet<String> = names.keys().cloned().collect();
        let mut found = Vec::new();
        for place in &self.0.places {
            if self.0.down.lock().expect("no panic while held").contains(place) {
                continue;
            }
            match place.texts(&files) {
                Err(Trouble::Store(error)) => return Err(error.into()),
                Err(Trouble::Place(why)) => {
                    warn(format!("nothing is taken from {place}: {why}"));
                    self.0.down.lock().expect("no panic while held").insert(place.clone());
                }
                Ok(texts) => {
                    for (file, text) in texts {
                        match trust.open(&file, &text, key, names[&file]) {
                            Ok(stated) => {
                                found.push(Found { place: place.clone(), stated, file: Digest::of(&text) });
                            }
                            Err(why) => warn(format!("a statement at {place} does not count: {why}")),
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// The results that somebody states at the places that can be listed.
    ///
    /// # Errors
    /// A place cannot be read: which one, and why.
    pub fn keys(&self) -> Result<BTreeSet<Key>, String> {
        let mut keys = BTreeSet::new();
        for place in &self.0.places {
            match place.keys() {
                Ok(found) => keys.extend(found.into_iter().flatten()),
                Err(Trouble::Place(why)) => return Err(format!("{place}: {why}")),
                Err(Trouble::Store(error)) => return Err(error.to_string()),
            }
        }
        Ok(keys)
    }

    /// The result for a key, if enough keys state the same and the bytes that they state can be had. Everything else than
    /// that is told of, and is no error, but for an alarm: the caller makes the result itself.
    ///
    /// # Errors
    /// Two statements disagree, or the store cannot be written.
    pub fn take(&self, store: &Store, key: &Key, progress: &dyn Progress) -> Result<Option<Received>, ResultsError> {
        let found = self.ask(key, progress)?;
        agree(key, &found)?;
        seen::agree(store, key, &found)?;
        let builders = distinct(&found);
        if builders.len() < self.0.require as usize {
            if !builders.is_empty() {
                let (some, all) = (builders.len(), self.0.require);
                let text = format!("{key}: {some} of {all} keys that are required state a result");
                progress.event(Event::Note { text });
            }
            return Ok(None);
        }
        for one in &found {
            match self.fetch(store, key, one, progress) {
                Ok(folder) => {
                    let taken = one.taken(key, builders);
                    seen::keep(store, key, &found)?;
                    return Ok(Some(Received { folder, taken }));
                }
                Err(Trouble::Store(error)) => return Err(error.into()),
                Err(Trouble::Place(why)) => progress.event(Event::Warning { text: one.not_taken(key, &why) }),
            }
        }
        Ok(None)
    }

    /// What one trusted builder has at most recent, of a kind that no other one can confirm; `known` is the content that is
    /// here already, and is not brought again. Everything that is wrong with a place is told of, and leads to none.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn latest(
        &self,
        store: &Store,
        key: &Key,
        known: Option<Digest>,
        progress: &dyn Progress,
    ) -> Result<Option<Latest>, ResultsError> {
        let mut found = self.ask(key, progress)?;
        found.sort_by_key(|one| std::cmp::Reverse(one.stated()));
        for one in found {
            if known == Some(one.content()) {
                return Ok(Some(Latest::Known));
            }
            match self.fetch(store, key, &one, progress) {
                Ok(folder) => {
                    let taken = one.taken(key, vec![one.stated_by()]);
                    return Ok(Some(Latest::New(Received { folder, taken })));
                }
                Err(Trouble::Store(error)) => return Err(error.into()),
                Err(Trouble::Place(why)) => progress.event(Event::Warning { text: one.not_taken(key, &why) }),
            }
        }
        Ok(None)
    }

    /// What each trusted builder has, of a kind that no two have the same of: of each key what it stated last, the latest first. `known`
    /// are the statements about which everything is here already, and is not brought again. Everything that is wrong with a place or a
    /// statement is told of, and does not count.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn each(
        &self,
        store: &Store,
        key: &Key,
        known: &BTreeSet<Digest>,
        progress: &dyn Progress,
    ) -> Result<Vec<Said>, ResultsError> {
        let mut found = self.ask(key, progress)?;
        found.sort_by_key(|one| std::cmp::Reverse(one.stated()));
        let outdated = seen::outdated(store, key, &found)?;
        let warn = |one: &Found, why: &str| progress.event(Event::Warning { text: one.not_taken(key, why) });
        let mut said: Vec<Said> = Vec::new();
        for one in &found {
            let by = one.stated_by();
            let before = said.iter().position(|said| said.by.key == by.key);
            if before.is_some_and(|i| said[i].what.is_some()) {
                continue;
            }
            let what = if let Some(latest) = outdated.get(&one.file) {
                let (user_id, then, latest) = (&by.user_id, date::text(one.stated()), date::text(*latest));
                let why = format!(
                    "it is of {then}, and {user_id} ({}) has stated a later one, which this machine has heard of, on {latest}: bring that \
                     one back there, or have {user_id} state a new one with `cargo xtask share`",
                    by.key
                );
                warn(one, &why);
                None
            } else if known.contains(&one.file) {
                Some(Latest::Known)
            } else {
                match self.fetch(store, key, one, progress) {
                    Ok(folder) => Some(Latest::New(Received { folder, taken: one.taken(key, vec![by.clone()]) })),
                    Err(Trouble::Store(error)) => return Err(error.into()),
                    Err(Trouble::Place(why)) => {
                        warn(one, &why);
                        None
                    }
                }
            };
            match before {
                Some(i) => said[i] = Said { by, what },
                None => said.push(Said { by, what }),
            }
        }
        Ok(said)
    }

    /// Brings what a statement about a key is about, as it is stated.
    ///
    /// # Errors
    /// The place does not have these bytes, or the store cannot be written.
    pub fn fetch(&self, store: &Store, key: &Key, one: &Found, progress: &dyn Progress) -> Result<TempDir, Trouble> {
        let tell = |told: fetch::download::DownloadProgress| {
            progress.event(Event::Download {
                files: told.files_done as u64,
                files_total: told.files_total as u64,
                bytes: told.bytes_done,
                bytes_total: told.bytes_total,
            });
        };
        let wrong = |why: String| Trouble::Place(format!("what was signed by {} is {why}", one.stated.by.user_id));
        let part = &one.stated.statement.predicate.list;
        one.place.parts(std::slice::from_ref(part), store, &|_| ())?;
        let missing = || Trouble::Place("a part is gone from the cache".into());
        let path = store.blob(&part.sha256).ok_or_else(missing)?;
        let list = cut::read_list(&path, part).map_err(wrong)?;
        let found = list::digest(&list.content);
        if found != one.content() {
            return Err(wrong(format!("a list of the content {found}, stated is {}", one.content())));
        }
        one.place.parts(&list.parts, store, &tell)?;
        let folder = store.temp_dir()?;
        cut::join(&list, key.kind, folder.path(), &|sha256| store.blob(sha256)).map_err(wrong)?;
        // Only to be put together: the result itself is kept.
        for part in list.parts.iter().chain([part]) {
            store.forget_blob(&part.sha256)?;
        }
        Ok(folder)
    }
}

/// An alarm if two statements name different contents.
fn agree(key: &Key, found: &[Found]) -> Result<(), ResultsError> {
    let Some(first) = found.first() else { return Ok(()) };
    match found.iter().find(|other| other.content() != first.content()) {
        None => Ok(()),
        Some(other) => {
            Err(ResultsError::Disagreement { what: key.to_string(), one: first.said(), other: other.said() })
        }
    }
}

/// Who made the statements, each key once however many places have one of it.
fn distinct(found: &[Found]) -> Vec<StatedBy> {
    let all: BTreeMap<&str, StatedBy> =
        found.iter().rev().map(|one| (one.stated.by.primary.as_str(), one.stated_by())).collect();
    all.into_values().collect()
}
