//! A key that stands by: clients have it in their key ring long before anything is signed with it, and its secret part is where
//! no thief of the present one finds it. So neither a stolen key nor a lost one is the end: the stand-by key signs from one
//! publication to the next, and nobody who has the published key ring notices.

use foundation::date;
use sign::policy;
use sign::public_key;
use sign::signer::{DEVELOPMENT_NAME, KeyForm, Signer};

use super::editions::Editions;
use super::keys::{Key, Keys};
use super::{Folder, Publication, Repository, RepositoryError, keys};
use super::{rotation, snapshot};

/// How long a stand-by key has to last at least when it is published, in days: who needs it has other worries than its end.
const LASTS_DAYS: i64 = 180;

/// The stand-by key, and when it can take over.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct StandBy {
    /// The fingerprint of its primary key.
    pub fingerprint: String,
    /// The first user id of the key.
    pub user_id: String,
    /// When clients of all suites have had time for it, as a Unix time in seconds; `None` where a suite does not have it yet.
    pub ready: Option<i64>,
}

impl Repository {
    /// Brings the public part of a stand-by key to clients, instead of the one before. The same one again brings its later end.
    ///
    /// # Errors
    /// The certificate is not one key, is a development key or one that ends too soon, the signers are not the
    /// repository's keys, or publishing fails as it does for [`Self::publish`].
    pub fn publish_stand_by(
        &mut self,
        certificate: &[u8],
        signers: &[&dyn Signer],
        now: i64,
    ) -> Result<Vec<Publication>, RepositoryError> {
        let mut keys = self.keys.clone();
        keys.matching(signers)?;
        let key = read(certificate)?;
        if key.user_id.starts_with(DEVELOPMENT_NAME) && !self.settings().development {
            return Err(RepositoryError::Keys(format!(
                "{} is a development key, which nobody can trust: it cannot stand by",
                key.fingerprint
            )));
        }
        keys.set_stand_by(key, now)?;
        endures(keys.stand_by.as_ref().expect("it was set"), now + LASTS_DAYS * 86_400)?;
        self.rotated(keys, signers, super::SETTLED_DAYS, now)
    }

    /// The stand-by key signs alone from now on, and clients that have the new keyring package trust the present ones no longer.
    /// Refused while a suite has had it for less than `days`, unless clients may be lost.
    ///
    /// # Errors
    /// No stand-by key was published, the signer has another key, clients would refuse it, a suite has not had it for
    /// `days` and losing clients is not accepted, or publishing fails as it does for [`Self::publish`].
    pub fn emergency(&mut self, signer: &dyn Signer, days: u32, now: i64) -> Result<Vec<Publication>, RepositoryError> {
        let Some(stand_by) = &self.keys.stand_by else {
            return Err(RepositoryError::Keys(
                "no stand-by key was published, so there is none that clients would accept. While the present key is there, publish \
                 one with `cargo xtask repo rotate-key --stand-by FILE`"
                    .into(),
            ));
        };
        if signer.key().primary != stand_by.fingerprint {
            return Err(RepositoryError::Keys(format!(
                "the stand-by key of this repository is {} {}, and what was handed over is {} {}: give the former, alone, with --key \
                 or --key-file",
                stand_by.fingerprint,
                stand_by.user_id,
                signer.key().primary,
                signer.key().user_id
            )));
        }
        keys::refuse_development(&[signer], self.settings().development)?;
        let ring = public_key::merge(&stand_by.ring, &signer.public_key(KeyForm::Binary)?)?;
        let until = now + i64::from(self.settings().valid_days) * 86_400;
        keys::check_accepted(signer, &ring, until)?;
        for (codename, since) in since(&self.folder, &self.keys, &stand_by.fingerprint)? {
            let ready = since.map(|since| since + i64::from(days) * 86_400);
            if ready.is_none_or(|ready| ready > now) && !self.consent.lost_clients {
                let (since, ready) = (since.map(date::text), ready.map(date::text));
                return Err(RepositoryError::StandByUnknown { codename, since, ready });
            }
        }
        let mut keys = self.keys.clone();
        keys.replace_all(now);
        self.rotated(keys, &[signer], days, now)
    }
}

/// The only key of a file, armored or not, without its secrets.
fn read(file: &[u8]) -> Result<Key, RepositoryError> {
    let wrong = |problem: &str| Err(RepositoryError::Keys(format!("the stand-by key cannot be published: {problem}")));
    if public_key::has_secret(file) {
        return wrong(
            "the file has its secret part, which must not come near the present key. Hand over what `gpg --export KEY` writes, and \
             keep the secret part elsewhere",
        );
    }
    let ring = public_key::minimal(file)?;
    let certificates = public_key::read(&ring)?;
    let [certificate] = &certificates[..] else {
        return wrong(&format!(
            "the file has {} keys, and has to have one. `gpg --export KEY` writes it",
            certificates.len()
        ));
    };
    if !certificate.keys.iter().any(|key| key.signs) {
        return wrong(
            "it cannot sign. Take one that can, such as `gpg --quick-generate-key 'NAME <ADDRESS>' ed25519 sign` makes",
        );
    }
    Ok(Key { fingerprint: certificate.primary().to_owned(), user_id: certificate.user_id.clone(), ring, lost: false })
}

/// One of its keys has to be good until then.
fn endures(key: &Key, until: i64) -> Result<(), RepositoryError> {
    let mut first = None;
    for certificate in public_key::read(&key.ring)? {
        for one in certificate.keys.iter().filter(|one| one.signs) {
            match policy::refused(&certificate, &one.fingerprint, until) {
                None => return Ok(()),
                Some(objection) => first = first.or(Some(objection)),
            }
        }
    }
    match first {
        None => Ok(()),
        Some(objection) => Err(RepositoryError::Keys(format!(
            "the stand-by key of {} would be of no use: {objection}, and it has to be good until {} at least. Nothing was changed; {}",
            key.user_id,
            date::text(until),
            objection.next()
        ))),
    }
}

/// Since when clients of each suite that is published have had this key in every keyring package.
fn since(folder: &Folder, keys: &Keys, fingerprint: &str) -> Result<Vec<(String, Option<i64>)>, RepositoryError> {
    let editions = Editions::read(folder, keys)?;
    let mut found = Vec::new();
    for suite in &folder.settings.suite {
        let codename = suite.codename.clone();
        if snapshot::live(folder, &codename)?.is_some() {
            let since = rotation::since(&editions, &codename, &[fingerprint.to_owned()])?;
            found.push((codename, since));
        }
    }
    Ok(found)
}

/// The stand-by key of a repository.
pub(super) fn status(folder: &Folder, keys: &Keys, days: u32) -> Result<Option<StandBy>, RepositoryError> {
    let Some(key) = &keys.stand_by else { return Ok(None) };
    let since: Option<Vec<i64>> = since(folder, keys, &key.fingerprint)?.into_iter().map(|(_, since)| since).collect();
    let ready = since.and_then(|since| since.into_iter().max()).map(|since| since + i64::from(days) * 86_400);
    let (fingerprint, user_id) = (key.fingerprint.clone(), key.user_id.clone());
    Ok(Some(StandBy { fingerprint, user_id, ready }))
}
