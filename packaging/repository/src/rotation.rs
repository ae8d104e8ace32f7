//! A new key takes over: first both sign, and later, when clients have both, the old one goes.

use super::editions::Editions;
use super::keys::{self, Keys};
use super::signing::Request;
use super::snapshot::{Made, Snapshot};
use super::{Folder, Publication, Repository, RepositoryError};
use foundation::date;
use sign::public_key;
use sign::signer::{KeyForm, Signer};

impl Repository {
    /// A new key signs from now on, beside the present one; both have to be handed over from here to
    /// [`finish_rotation`](Self::finish_rotation). Every suite is published with the new keyring package. A beginning that
    /// did not reach every suite is completed by another one.
    ///
    /// # Errors
    /// The new key is a development key or one that clients would refuse, a rotation is under way already, the signers
    /// are not the repository's keys, or publishing fails as it does for [`Self::publish`].
    pub fn begin_rotation(
        &mut self,
        signers: &[&dyn Signer],
        new: &dyn Signer,
        now: i64,
    ) -> Result<Vec<Publication>, RepositoryError> {
        keys::refuse_development(&[new], self.settings().development)?;
        let again = self.keys.signing.len() == 2 && self.keys.signing[1].fingerprint == new.key().primary;
        let old: Vec<&dyn Signer> =
            signers.iter().copied().filter(|signer| !again || signer.key().primary != new.key().primary).collect();
        let mut keys = self.keys.clone();
        if !again {
            keys.matching(&old)?;
            let ring = new.public_key(KeyForm::Binary)?;
            let until = now + i64::from(self.settings().valid_days) * 86_400;
            keys::check_accepted(new, &ring, until)?;
            keys.add(new, now)?;
        }
        let signers: Vec<&dyn Signer> = old.into_iter().chain([new]).collect();
        self.rotated(keys, &signers, super::SETTLED_DAYS, now)
    }

    /// The older key signs no more, and clients that have the new keyring package do not trust it any longer. Refused while a
    /// suite has had the keyring package with both keys for less than `days`.
    ///
    /// # Errors
    /// No rotation is under way, the signers are not both keys, a suite has not had both for `days`, or publishing
    /// fails as it does for [`Self::publish`].
    pub fn finish_rotation(
        &mut self,
        signers: &[&dyn Signer],
        days: u32,
        now: i64,
    ) -> Result<Vec<Publication>, RepositoryError> {
        let mut keys = self.keys.clone();
        keys.finish(now)?;
        keys.matching(signers)?;
        for (codename, since) in both_since(&self.folder, &self.keys)? {
            let ready = since.map(|since| since + i64::from(days) * 86_400);
            if ready.is_none_or(|ready| ready > now) {
                return Err(RepositoryError::Unsettled {
                    codename,
                    since: since.map(date::text),
                    ready: ready.map(date::text),
                    days,
                });
            }
        }
        self.rotated(keys, signers, days, now)
    }

    pub(super) fn rotated(
        &mut self,
        keys: Keys,
        signers: &[&dyn Signer],
        days: u32,
        now: i64,
    ) -> Result<Vec<Publication>, RepositoryError> {
        self.for_suites(Request { keys, codenames: &[], signers, days, now }, |repository, codename, signatures| {
            let packages = repository.live_packages(codename)?;
            repository.release(codename, packages, Made::RotateKey, signatures, now)
        })
    }
}

/// Since when each suite that clients see was signed by all keys and has had the keyring package with all of them.
fn both_since(folder: &Folder, keys: &Keys) -> Result<Vec<(String, Option<i64>)>, RepositoryError> {
    let editions = Editions::read(folder, keys)?;
    let mut found = Vec::new();
    for codename in folder.codenames()? {
        let Some(live) = Snapshot::live(folder, &codename)? else { continue };
        let since = since(&editions, &codename, &keys.fingerprints())?;
        let signed = live.signed_by == keys.fingerprints();
        found.push((codename, since.filter(|_| signed)));
    }
    Ok(found)
}

/// Since when every keyring package that a suite has had has all of these keys. Renewed in between, they are still the same.
pub(super) fn since(
    editions: &Editions,
    codename: &str,
    fingerprints: &[String],
) -> Result<Option<i64>, RepositoryError> {
    let mut since = None;
    for edition in editions.0.iter().rev() {
        let Some(shown) = edition.since.get(codename) else { continue };
        let certificates = public_key::read(&edition.ring)?;
        let has = |fingerprint: &String| certificates.iter().any(|found| found.primary() == fingerprint);
        if !fingerprints.iter().all(has) {
            break;
        }
        since = Some(*shown);
    }
    Ok(since)
}

/// When the older of two keys may go: `None` where not every suite has both yet, or where there is nothing to finish.
pub(super) fn ready(folder: &Folder, keys: &Keys, days: u32) -> Result<Option<i64>, RepositoryError> {
    if keys.signing.len() < 2 {
        return Ok(None);
    }
    let since: Option<Vec<i64>> = both_since(folder, keys)?.into_iter().map(|(_, since)| since).collect();
    let last = since.and_then(|since| since.into_iter().max());
    Ok(last.map(|since| since + i64::from(days) * 86_400))
}
