//! Who signs a suite, so that every client can check it: those with the newest keyring package, and those that were not
//! updated since an earlier one.
//!
//! Each signer signs with one of its keys where one is enough for all, else with several: a subkey that was revoked goes on
//! signing, beside the new one, for clients that know of neither the revocation nor the new subkey. That is how they
//! learn of both.

use super::editions::Edition;
use super::{RepositoryError, keys::Keys};
use sign::public_key::{self, Certificate};
use sign::several::Signature;
use sign::signer::Signer;

/// A key ring that clients have.
pub(super) struct Ring {
    /// The version of the keyring package that has it.
    pub version: String,
    pub bytes: Vec<u8>,
    pub certificates: Vec<Certificate>,
}

impl Ring {
    /// Makes the key ring of an edition.
    ///
    /// # Errors
    /// gpg cannot be run, or cannot read the key ring.
    pub fn of(edition: &Edition) -> Result<Self, RepositoryError> {
        let (version, bytes) = (edition.version.clone(), edition.ring.clone());
        Ok(Self { version, certificates: public_key::read(&bytes)?, bytes })
    }

    /// Makes the key ring that the next keyring package has.
    ///
    /// # Errors
    /// gpg cannot be run, or cannot read the key ring.
    pub fn newest(keys: &Keys) -> Result<Self, RepositoryError> {
        let bytes = keys.ring();
        Ok(Self { version: keys.version.clone(), certificates: public_key::read(&bytes)?, bytes })
    }

    /// Whether a client with it accepts a signature by this key.
    pub fn accepts(&self, key: &str, at: i64) -> bool {
        self.certificates.iter().filter_map(|certificate| certificate.key(key)).any(|key| key.accepted(at))
    }

    /// The fingerprints of what it accepts, for messages.
    pub fn accepted(&self, at: i64) -> Vec<&str> {
        let keys = self.certificates.iter().flat_map(|certificate| &certificate.keys);
        keys.filter(|key| key.accepted(at)).map(|key| key.fingerprint.as_str()).collect()
    }
}

/// The signatures of a suite.
pub(super) struct Plan<'a> {
    pub signatures: Vec<Signature<'a>>,
    /// Indices of the key ring for which none of them is good.
    pub without: Vec<usize>,
}

/// Chooses the keys that sign for all of these key rings, the newest of which is the first one.
pub(super) fn plan<'a>(rings: &[&Ring], signers: &[&'a dyn Signer], at: i64) -> Plan<'a> {
    let mut signatures: Vec<Signature<'a>> = Vec::new();
    for signer in signers {
        let keys = signer.secret_keys();
        let served: Vec<&Ring> =
            rings.iter().copied().filter(|ring| keys.iter().any(|key| ring.accepts(key, at))).collect();
        let for_all = keys.iter().find(|key| served.iter().all(|ring| ring.accepts(key, at)));
        let mut chosen: Vec<&String> = Vec::new();
        for ring in &served {
            let first = keys.iter().find(|key| ring.accepts(key, at));
            let Some(key) = for_all.or(first).filter(|key| !chosen.contains(key)) else { continue };
            chosen.push(key);
            signatures.push(Signature { signer: *signer, key: key.clone(), seen: ring.bytes.clone() });
        }
    }
    let good = |ring: &Ring| signatures.iter().any(|signature| ring.accepts(&signature.key, at));
    let without = (0..rings.len()).filter(|n| !good(rings[*n])).collect();
    Plan { signatures, without }
}
