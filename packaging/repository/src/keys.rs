//! The keys that sign a repository: one, or two while a new one takes over; and the one that stands by. Public parts only; the
//! secret ones are handed over for each publication.

use fetch::debian::version;
use foundation::date;
use serde::{Deserialize, Serialize};
use sign::policy::{self, KeyObjection};
use sign::public_key;
use sign::signer::{KeyForm, KeyKind, Signer, SigningKey};
use time::OffsetDateTime;

use super::{Folder, RepositoryError, files};

/// The public keys as a file, to trust packages by that the same keys have signed.
pub(super) const RING: &str = "keys.gpg";

/// The repository's keys, and the version of the package that has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keys {
    /// All of them sign each publication; the newest one is last.
    pub signing: Vec<Key>,
    /// Those that signed earlier snapshots, and are trusted no more.
    #[serde(default)]
    pub retired: Vec<Key>,
    /// Clients trust it, and it signs nothing before an emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_by: Option<Key>,
    /// Version of the keyring package: the day of the last change.
    pub version: String,
    /// When the keys last changed, as a Unix time in seconds.
    pub changed: i64,
}

/// A key that signs the repository, or that clients are to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Key {
    /// Fingerprint of the primary key, in hexadecimal digits.
    pub fingerprint: String,
    /// The first user id of the key.
    pub user_id: String,
    /// The public key with its subkeys, as a binary key ring.
    #[serde(with = "hex")]
    pub ring: Vec<u8>,
    /// Whether it went in an emergency: what it signs since may be somebody else's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

impl Key {
    /// The public part of the key that a signer has.
    ///
    /// # Errors
    /// The signer cannot export the public key.
    pub fn of(signer: &dyn Signer) -> Result<Self, RepositoryError> {
        let SigningKey { primary, user_id, .. } = signer.key().clone();
        Ok(Self { fingerprint: primary, user_id, ring: signer.public_key(KeyForm::Binary)?, lost: false })
    }
}

/// Bytes as hexadecimal digits.
pub(super) mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the bytes, two digits each.
    ///
    /// # Errors
    /// The serializer fails.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// Reads the bytes from two digits each.
    ///
    /// # Errors
    /// The value is no text, or not pairs of hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digit).collect();
        bytes.ok_or_else(|| serde::de::Error::custom("not hexadecimal digits"))
    }
}

impl Keys {
    /// The first keys of a repository.
    ///
    /// # Errors
    /// A signer cannot export its public key.
    pub fn new(signers: &[&dyn Signer], now: i64) -> Result<Self, RepositoryError> {
        let signing = signers.iter().map(|signer| Key::of(*signer)).collect::<Result<_, _>>()?;
        Ok(Self { signing, retired: vec![], stand_by: None, version: day(now), changed: now })
    }

    pub(super) fn read(folder: &Folder) -> Result<Self, RepositoryError> {
        let path = folder.state().join("keys.json");
        let none = || RepositoryError::None { path: folder.root().to_owned() };
        files::read_json(&path)?.ok_or_else(none)
    }

    pub(super) fn write(&self, folder: &Folder) -> Result<(), RepositoryError> {
        files::write(&folder.temporary(), &folder.state().join(RING), &self.ring())?;
        files::write_json(&folder.temporary(), &folder.state().join("keys.json"), self)
    }

    /// What clients trust: a binary key ring with every key that signs, and the one that stands by.
    pub fn ring(&self) -> Vec<u8> {
        self.signing.iter().chain(&self.stand_by).flat_map(|key| key.ring.clone()).collect()
    }

    /// What is believed of another copy of the repository: the keys of all its history but those that were lost.
    pub fn trusted_ring(&self) -> Vec<u8> {
        let retired = self.retired.iter().filter(|key| !key.lost);
        retired.flat_map(|key| key.ring.clone()).chain(self.ring()).collect()
    }

    /// The same with those that signed earlier snapshots.
    pub fn whole_ring(&self) -> Vec<u8> {
        self.retired.iter().flat_map(|key| key.ring.clone()).chain(self.ring()).collect()
    }

    /// The fingerprints of the keys that sign.
    pub fn fingerprints(&self) -> Vec<String> {
        self.signing.iter().map(|key| key.fingerprint.clone()).collect()
    }

    /// A further key signs from now on, beside the others.
    pub(super) fn add(&mut self, signer: &dyn Signer, now: i64) -> Result<(), RepositoryError> {
        let key = Key::of(signer)?;
        if self.signing.iter().any(|known| known.fingerprint == key.fingerprint) {
            return Err(RepositoryError::Keys(format!(
                "the key {} {} signs this repository already: hand over the new one with --new-key. Where it was renewed, with another \
                 subkey or a later end, `cargo xtask repo refresh` brings that to clients",
                key.fingerprint, key.user_id
            )));
        }
        if self.signing.len() > 1 {
            return Err(RepositoryError::Keys(format!(
                "two keys sign this repository, {}: first let the older one go with `cargo xtask repo rotate-key --finish`",
                self.fingerprints().join(" and ")
            )));
        }
        self.refuse_lost(&key)?;
        self.retired.retain(|old| old.fingerprint != key.fingerprint);
        // Ahead of time, and with it known to clients already.
        self.stand_by.take_if(|stand_by| stand_by.fingerprint == key.fingerprint);
        self.signing.push(key);
        self.change(now);
        Ok(())
    }

    /// The newest key signs alone from now on.
    pub(super) fn finish(&mut self, now: i64) -> Result<(), RepositoryError> {
        if self.signing.len() < 2 {
            return Err(RepositoryError::Keys(
                "one key signs this repository, so there is none to let go: begin with `cargo xtask repo rotate-key --new-key`"
                    .into(),
            ));
        }
        let newest = self.signing.len() - 1;
        self.retired.extend(self.signing.drain(..newest));
        self.change(now);
        Ok(())
    }

    /// A key stands by from now on, instead of the one before.
    pub(super) fn set_stand_by(&mut self, mut key: Key, now: i64) -> Result<(), RepositoryError> {
        if self.signing.iter().any(|known| known.fingerprint == key.fingerprint) {
            return Err(RepositoryError::Keys(format!(
                "the key {} {} signs this repository, so it cannot stand by for the case that it is lost: make another one, and keep \
                 its secret part elsewhere",
                key.fingerprint, key.user_id
            )));
        }
        self.refuse_lost(&key)?;
        self.retired.retain(|old| old.fingerprint != key.fingerprint);
        if let Some(known) = self.stand_by.as_ref().filter(|known| known.fingerprint == key.fingerprint) {
            key.ring = public_key::merge(&known.ring, &key.ring)?;
        }
        if self.stand_by.as_ref() != Some(&key) {
            self.stand_by = Some(key);
            self.change(now);
        }
        Ok(())
    }

    /// The stand-by key signs from now on, and the others are believed no more, whatever they sign.
    pub(super) fn replace_all(&mut self, now: i64) {
        let lost = |key: Key| Key { lost: true, ..key };
        self.retired.extend(self.signing.drain(..).map(lost));
        self.signing.extend(self.stand_by.take());
        self.change(now);
    }

    fn refuse_lost(&self, key: &Key) -> Result<(), RepositoryError> {
        match self.retired.iter().find(|old| old.lost && old.fingerprint == key.fingerprint) {
            None => Ok(()),
            Some(old) => Err(RepositoryError::Keys(format!(
                "the key {} {} was given up in an emergency, since somebody else may have it: take a new one",
                old.fingerprint, old.user_id
            ))),
        }
    }

    /// Takes over what the signers' own copies of the keys have that is new: subkeys, ends, revocations. An older copy
    /// takes nothing back.
    pub(super) fn renew(&mut self, signers: &[&dyn Signer], now: i64) -> Result<(), RepositoryError> {
        let mut changed = false;
        for key in &mut self.signing {
            let Some(signer) = signers.iter().find(|signer| signer.key().primary == key.fingerprint) else { continue };
            let ring = public_key::merge(&key.ring, &signer.public_key(KeyForm::Binary)?)?;
            if ring != key.ring {
                (key.ring, changed) = (ring, true);
                key.user_id.clone_from(&signer.key().user_id);
            }
        }
        if changed {
            self.change(now);
        }
        Ok(())
    }

    fn change(&mut self, now: i64) {
        let day = day(now);
        let later = (1..100).map(|n| format!("{day}.{n}"));
        let next = std::iter::once(day.clone()).chain(later).find(|next| version::compare(next, &self.version).is_gt());
        // Where the clock went back, what clients have must be exceeded all the same.
        self.version = next.unwrap_or_else(|| format!("{}.1", self.version));
        self.changed = now;
    }

    /// The signers of these keys, in their order; an error where one is missing or too many.
    pub(super) fn matching<'a>(&self, signers: &[&'a dyn Signer]) -> Result<Vec<&'a dyn Signer>, RepositoryError> {
        let known = |key: &Key| signers.iter().find(|signer| signer.key().primary == key.fingerprint).copied();
        let found: Vec<&dyn Signer> = self.signing.iter().filter_map(known).collect();
        if found.len() == self.signing.len() && found.len() == signers.len() {
            return Ok(found);
        }
        let text = |keys: Vec<String>| if keys.is_empty() { "none".to_owned() } else { keys.join(" and ") };
        let given = signers.iter().map(|signer| format!("{} {}", signer.key().primary, signer.key().user_id)).collect();
        let needed = self.signing.iter().map(|key| format!("{} {}", key.fingerprint, key.user_id)).collect();
        Err(RepositoryError::Keys(format!(
            "this repository is signed with {}, and what was handed over is {}: give --key or --key-file for each of its \
             keys, and for no other",
            text(needed),
            text(given)
        )))
    }
}

/// Only a repository that says so may be signed with a key that nobody trusts.
pub(super) fn refuse_development(signers: &[&dyn Signer], development: bool) -> Result<(), RepositoryError> {
    match signers.iter().find(|signer| signer.key().kind == KeyKind::Development) {
        Some(signer) if !development => Err(RepositoryError::Keys(format!(
            "{} is a development key, which nobody can trust: sign with --key or --key-file, or make a repository for \
             trials with `cargo xtask repo init --allow-development`",
            signer.key().fingerprint
        ))),
        _ => Ok(()),
    }
}

/// That clients who have this key ring take what the signer signs with its first choice, from now on until a Release of now
/// ends.
pub(super) fn check_accepted(signer: &dyn Signer, ring: &[u8], until: i64) -> Result<(), RepositoryError> {
    match policy::objection(signer, ring, until)? {
        None => Ok(()),
        Some(objection) => Err(objected(&objection, &signer.key().user_id, until)),
    }
}

/// A key that clients would refuse.
pub(super) fn objected(objection: &KeyObjection, user_id: &str, until: i64) -> RepositoryError {
    RepositoryError::Keys(format!(
        "clients would refuse the key of {user_id} before what it signs now ends at {}: {objection}. Nothing was changed; {}",
        date::text(until),
        objection.next()
    ))
}

/// `2026.11.23`, in UTC.
fn day(now: i64) -> String {
    let date = OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH).date();
    format!("{:04}.{:02}.{:02}", date.year(), u8::from(date.month()), date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(version: &str) -> Keys {
        Keys { signing: vec![], retired: vec![], stand_by: None, version: version.into(), changed: 0 }
    }

    #[test]
    fn versions_only_grow() {
        const NOW: i64 = 1_795_410_048;
        for (before, after) in [
            ("2026.11.22", "2026.11.23"),
            ("2026.11.23", "2026.11.23.1"),
            ("2026.11.23.1", "2026.11.23.2"),
            ("2027.01.01", "2027.01.01.1"),
        ] {
            let mut keys = keys(before);
            keys.change(NOW);
            assert_eq!(keys.version, after);
            assert!(version::compare(&keys.version, before).is_gt());
        }
    }
}
