//! Whose statements count: the keys of a key ring, and how many of them have to state the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use foundation::date;
use sign::gpgv::{Gpgv, GpgvError, Signatory};
use sign::public_key::{self, Certificate};
use sign::signer::DEVELOPMENT_NAME;
use statements::proof::dsse;
use statements::proof::intoto::Statement;
use statements::proof::result::{StageResult, StatedBy};

use crate::Key;
use crate::error::ResultsError;

/// The key ring that is trusted, and who named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRing {
    /// Somebody named it for this very run: all its keys count, also development keys.
    Named(PathBuf),
    /// It comes from settings: development keys in it, which any machine makes for itself, do not count.
    Configured(PathBuf),
}

impl KeyRing {
    /// The file that it is in.
    pub fn path(&self) -> &Path {
        match self {
            Self::Named(path) | Self::Configured(path) => path,
        }
    }
}

/// Keys whose statements count.
pub struct Trust {
    gpgv: Gpgv,
    /// Those of the ring that count, by fingerprints of primary keys.
    keys: BTreeMap<String, Certificate>,
    require: u32,
}

/// A statement whose signature is good and by a key that counts.
#[derive(Clone, Debug)]
pub struct Stated {
    /// What is stated.
    pub statement: Statement<StageResult>,
    /// Who signed it.
    pub by: Signatory,
}

impl Trust {
    /// Reads the key ring; `require` is how many distinct keys have to state the same, one at least. A key that was revoked or has
    /// ended does not count, whatever it stated before.
    ///
    /// # Errors
    /// The key ring cannot be read.
    pub fn new(keyring: &KeyRing, require: u32) -> Result<Self, ResultsError> {
        let path = keyring.path();
        let gpgv = Gpgv::new(path)?;
        let ring = fs::read(path).map_err(|source| GpgvError::File { path: path.to_owned(), source })?;
        let counts = |user_id: &str| matches!(keyring, KeyRing::Named(_)) || !user_id.starts_with(DEVELOPMENT_NAME);
        let now = date::now();
        let keys: BTreeMap<String, Certificate> = public_key::read(&ring)?
            .into_iter()
            .filter(|certificate| counts(&certificate.user_id))
            .filter(|certificate| certificate.keys.iter().any(|key| key.accepted(now)))
            .map(|certificate| (certificate.primary().to_owned(), certificate))
            .collect();
        Ok(Self { gpgv, keys, require: require.max(1) })
    }

    /// Whether the word of whoever made a statement before counts now: the key that signed it is in the ring, and good there.
    pub fn counts(&self, by: &StatedBy) -> bool {
        let good = |certificate: &Certificate| match &by.subkey {
            Some(subkey) => certificate.key(subkey).is_some_and(|key| key.accepted(date::now())),
            None => true,
        };
        self.keys.get(&by.key).is_some_and(good)
    }

    /// Fingerprints of the primary keys that count, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// How many distinct keys have to state the same.
    pub fn require(&self) -> u32 {
        self.require
    }

    /// Reads what the file `path` of a place has, which should be the statement about `key` by the owner of `primary`.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence: it is no such statement, is about something else or of a day to come, or the signature is
    /// not good or by another key.
    pub fn open(&self, path: &str, content: &[u8], key: &Key, primary: &str) -> Result<Stated, String> {
        let (statement, by) =
            dsse::open::<StageResult>(Path::new(path), content, &self.gpgv).map_err(|error| error.to_string())?;
        if by.primary != primary || !self.keys.contains_key(primary) {
            return Err(format!("{path}: is signed by {}, which is not the key that its name says", by.primary));
        }
        let about = (statement.predicate.stage.as_str(), statement.predicate.inputs.sha256);
        if about != (key.kind.name(), key.inputs) || statement.content().is_none() {
            return Err(format!("{path}: the signed statement is about other inputs than its name says"));
        }
        let stated = statement.predicate.stated;
        let now = date::now();
        if is_to_come(stated, now) {
            let (stated, now) = (date::text(stated.min(LAST)), date::text(now));
            return Err(format!(
                "{path}: is dated {stated}, and here it is {now}: set the clock that is wrong; if it is that of {}, it has to state the \
                 result again with `cargo xtask share --again`",
                by.user_id
            ));
        }
        Ok(Stated { statement, by })
    }
}

/// How far clocks may be apart, in seconds.
const APART: i64 = 86_400;

/// The end of the year 9999: no calendar of ours has later days.
const LAST: i64 = 253_402_300_799;

/// Whether a time is one that this machine's clock, at `now`, has not come to: whoever states something then would be right, and
/// young, for ever.
pub(crate) fn is_to_come(time: i64, now: i64) -> bool {
    time > now.saturating_add(APART)
}
