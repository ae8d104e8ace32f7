//! Copying results to a place, and stating what they are.
//!
//! Parts come first and statements last, so that nothing is stated which is not there as a whole. Whoever writes holds the
//! place's lock: of two at once, one waits. What was received from others is not for this machine to state, and the
//! caller offers none of it.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::{Store, StoreLock};
use places::lock::{Claim, PlaceLock};
use places::transport::{Cache, Transport};
use places::{PlaceError, Remote};
use sign::signer::{KeyForm, Signer};
use statements::proof::dsse;
use statements::proof::result::{StageResult, Subject};

use crate::Key;
use crate::cut::cut;
use crate::error::ResultsError;
use crate::list::Bundle;
use crate::source::{PlaceName, Source, Trouble};
use crate::trust::{KeyRing, Trust};

/// A result that this machine made.
#[derive(Clone, Debug)]
pub struct Offering {
    /// What it is the result of.
    pub key: Key,
    /// What it is a result of, for people.
    pub of: Subject,
    /// Its files.
    pub bundle: Bundle,
}

/// What became of an offering.
#[derive(Clone, Debug)]
pub struct Offered {
    /// What it is the result of.
    pub key: Key,
    /// Digest of its content.
    pub content: Digest,
    /// Bytes of its files.
    pub size: u64,
    /// Bytes of those of its parts that the results before it do not have; none where the place had a statement of this key
    /// about it.
    pub copied: Option<u64>,
}

/// Where results are copied to, and by whom they are stated.
pub struct Desk<'a> {
    /// The place.
    pub remote: &'a Remote,
    /// The store, whose lock the caller holds.
    pub store: &'a Store,
    /// That lock.
    pub lock: &'a StoreLock,
    /// The key that states.
    pub signer: &'a dyn Signer,
    /// The present, as a Unix time in seconds.
    pub now: i64,
    /// The lock at the place of a run that is gone.
    pub break_lock: Option<&'a str>,
    /// Copy also what is stated already: the place may have lost or damaged it.
    pub again: bool,
    /// How many threads compress.
    pub threads: u32,
    /// Who is told what happens.
    pub progress: &'a dyn Progress,
}

/// How long somebody else who writes is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// Whoever has written for so many seconds is not waited for: it is a great deal, or that machine is gone.
const LONG: i64 = 3_600;

/// No copy takes so many seconds. Two at once, should one ever take longer, do no harm that lasts: whoever misses a part makes
/// the result.
const LONGEST: i64 = 86_400;

impl Desk<'_> {
    /// Copies results to the place and states them.
    ///
    /// # Errors
    /// The place cannot be written to or somebody else writes there, the key signs nothing, or it has stated something else
    /// about the same inputs, which it may only of what is not reproducible.
    pub fn offer(&self, results: &[Offering]) -> Result<Vec<Offered>, ResultsError> {
        self.locked(|transport| self.copy(transport, results))
    }

    /// Does something under the lock of the place.
    pub(crate) fn locked<T>(
        &self,
        work: impl FnOnce(&Transport<'_>) -> Result<T, ResultsError>,
    ) -> Result<T, ResultsError> {
        let transport = Transport { remote: self.remote, lock: Some(self.lock), patience: None };
        let (begun, mut told) = (Instant::now(), false);
        let claim = Claim { folder: self.store.root(), broken: self.break_lock, longest: Some(LONGEST), now: self.now };
        let held = loop {
            match PlaceLock::acquire(&transport, &claim, &mut |text| self.progress.event(Event::Note { text })) {
                Ok((lock, _)) => break lock,
                Err(error @ PlaceError::Held { seconds: Some(..LONG), .. }) if begun.elapsed() < PATIENCE => {
                    if !told {
                        self.progress.event(Event::Note { text: format!("waiting: {error}") });
                        told = true;
                    }
                    std::thread::sleep(Duration::from_millis(700));
                }
                Err(error) => return Err(error.into()),
            }
        };
        let done = work(&transport);
        let released = held.release();
        let done = done?;
        released?;
        Ok(done)
    }

    fn copy(&self, transport: &Transport<'_>, results: &[Offering]) -> Result<Vec<Offered>, ResultsError> {
        let known = self.stated(results)?;
        let (parts, statements) = (self.store.temp_dir()?, self.store.temp_dir()?);
        let mut offered = Vec::new();
        for Offering { key, of, bundle } in results {
            let content = bundle.digest();
            let mut done = Offered { key: *key, content, size: bundle.size(), copied: None };
            let stated = known.get(key).filter(|stated| **stated != content);
            if let Some(stated) = stated.filter(|_| key.kind.is_reproducible()) {
                return Err(ResultsError::OtherwiseStated {
                    key: self.signer.key().primary.clone(),
                    place: self.remote.to_string(),
                    what: key.to_string(),
                    stated: *stated,
                    found: content,
                });
            }
            if self.again || known.get(key) != Some(&content) {
                let before = bytes_below(parts.path())?;
                let list = cut(bundle, parts.path(), self.threads)?;
                done.copied = Some(bytes_below(parts.path())? - before);
                let statement = StageResult {
                    stage: key.kind.name().into(),
                    inputs: key.inputs.into(),
                    list,
                    of: of.clone(),
                    stated: self.now,
                };
                let path = statements.path().join(key.statement(&self.signer.key().primary));
                let content = dsse::seal(&statement.about(content), self.signer, self.now)?;
                fs::create_dir_all(path.parent().expect("it is in a folder"))
                    .and_then(|()| fs::write(&path, content))
                    .map_err(ResultsError::io("write", &path))?;
            }
            offered.push(done);
        }
        if offered.iter().any(|one| one.copied.is_some()) {
            transport.put("copying results", parts.path(), Cache::Forever)?;
            transport.put("stating what they are", statements.path(), Cache::Briefly)?;
        }
        Ok(offered)
    }

    /// The contents that this key has stated at the place, as far as its statements can be read.
    fn stated(&self, results: &[Offering]) -> Result<BTreeMap<Key, Digest>, ResultsError> {
        let folder = self.store.temp_dir()?;
        let ring = folder.path().join("key.gpg");
        fs::write(&ring, self.signer.public_key(KeyForm::Binary)?).map_err(ResultsError::io("write", &ring))?;
        let trust = Trust::new(&KeyRing::Named(ring), 1)?;
        let primary = &self.signer.key().primary;
        let files: BTreeMap<String, Key> =
            results.iter().map(|result| (result.key.statement(primary), result.key)).collect();
        let place = Source::Place(PlaceName(self.remote.clone()));
        let texts = match place.texts(&files.keys().cloned().collect()) {
            Ok(texts) => texts,
            Err(Trouble::Store(error)) => return Err(error.into()),
            // A place that is not there yet; one that is away shows itself when it is written to.
            Err(Trouble::Place(_)) => return Ok(BTreeMap::new()),
        };
        let content = |(file, text): (&String, &Vec<u8>)| {
            let key = files[file];
            Some((key, trust.open(file, text, &key, primary).ok()?.statement.content()?))
        };
        Ok(texts.iter().filter_map(content).collect())
    }
}

fn bytes_below(folder: &std::path::Path) -> Result<u64, ResultsError> {
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(folder) {
        let metadata = entry.and_then(|entry| entry.metadata());
        let metadata = metadata.map_err(|error| ResultsError::io("read", folder)(error.into()))?;
        bytes += if metadata.is_file() { metadata.len() } else { 0 };
    }
    Ok(bytes)
}
