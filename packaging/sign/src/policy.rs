//! What clients demand of a key. A key that meets it today may fail it on a later day, so each demand has its date.
//!
//! They are those of apt 3 (`APT::Key::Assert-Pubkey-Algo`, apt.conf(5)) and of sqv, which checks signatures for it (the
//! default policy of sequoia-openpgp, `StandardPolicy`). Where sqv is installed, it is asked as well: it is the judge.

use std::path::Path;
use std::process::Command;

use foundation::date;
use serde::Serialize;

use crate::public_key::{Certificate, PublicKey, read, write};
use crate::signer::{SignError, SignatureForm, Signer};

/// Something that clients have against a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct KeyObjection {
    /// Fingerprint of the key or subkey.
    pub key: String,
    /// From when on they refuse it, as a Unix time in seconds; 0 for always.
    pub from: i64,
    /// Why they refuse it, as a verb phrase with the key as its subject.
    pub why: String,
}

impl std::fmt::Display for KeyObjection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, from, why } = self;
        match from {
            0 => write!(f, "{key} {why}"),
            from => write!(f, "{key} {why} (from {} on)", date::text(*from)),
        }
    }
}

/// 2030-02-01: sequoia-openpgp takes no RSA key of less than 3072 bits from then on.
const RSA_2048_ENDS: i64 = 1_896_134_400;

/// The policy that apt hands to sqv, where it is installed.
const APT_POLICY: &str = "/usr/share/apt/default-sequoia.config";

/// What clients have against a signature by this key of a certificate, at whatever time, the earliest first.
pub fn objections(certificate: &Certificate, fingerprint: &str) -> Vec<KeyObjection> {
    let mut found = Vec::new();
    let signing = certificate.key(fingerprint);
    // The primary key vouches for its subkey.
    let needed = certificate.keys.first().into_iter().chain(signing).collect::<Vec<&PublicKey>>();
    for key in &needed {
        let mut objects =
            |from: i64, why: &str| found.push(KeyObjection { key: key.fingerprint.clone(), from, why: why.into() });
        match (key.algorithm, key.bits) {
            (1 | 3, ..2048) => objects(0, "is an RSA key of less than 2048 bits"),
            (1 | 3, ..3072) => objects(RSA_2048_ENDS, "is an RSA key of less than 3072 bits"),
            // ECDSA, EdDSA, and both as RFC 9580 has them.
            (1 | 3 | 19 | 22 | 27 | 28, _) => {}
            (17, _) => objects(0, "is a DSA key"),
            (other, _) => objects(0, &format!("is of an algorithm that is not for signing, or unknown ({other})")),
        }
        if let Some(1..=3) = key.digest {
            objects(0, "is bound by a signature with SHA-1 or an even weaker digest");
        }
    }
    if let Some(key) = signing {
        let mut objects =
            |from, why: &str| found.push(KeyObjection { key: key.fingerprint.clone(), from, why: why.into() });
        if key.revoked {
            objects(0, "is revoked");
        }
        if let Some(ends) = key.ends {
            objects(ends, "ends");
        }
    }
    found.sort_by_key(|objection| objection.from);
    found.dedup();
    found
}

/// The first of them that counts at this time.
pub fn refused(certificate: &Certificate, fingerprint: &str, at: i64) -> Option<KeyObjection> {
    objections(certificate, fingerprint).into_iter().find(|objection| objection.from <= at)
}

/// What clients have against a signature that this signer makes with its first choice, from now on until a Release of now ends
/// at `until`, a Unix time in seconds. `ring` is the key ring that they have.
///
/// # Errors
/// gpg cannot read the key ring; or sqv is installed and cannot be asked: a file for it cannot be written, or the signer makes
/// no signature.
pub fn objection(signer: &dyn Signer, ring: &[u8], until: i64) -> Result<Option<KeyObjection>, SignError> {
    let key = signer.key();
    let none = Certificate { user_id: String::new(), keys: vec![] };
    let certificates = read(ring)?;
    let certificate = certificates.iter().find(|found| found.primary() == key.primary).unwrap_or(&none);
    match refused(certificate, &key.fingerprint, until) {
        Some(objection) => Ok(Some(objection)),
        None => ask_sqv(signer, ring, until),
    }
}

impl KeyObjection {
    /// What the key's owner can do about it, as a part of a sentence.
    pub fn next(&self) -> String {
        match self.why.as_str() {
            "ends" => {
                format!("extend it with `gpg --quick-set-expire {}` for a year or more, or take another key", self.key)
            }
            "is revoked" => "take another key".to_owned(),
            why if why.contains("SHA-1") => {
                "renew its self-signatures, for instance with `gpg --cert-digest-algo SHA512 \
                                             --quick-set-expire`, or take another key"
                    .to_owned()
            }
            _ => "take a new one, such as `gpg --quick-generate-key 'NAME <ADDRESS>' ed25519 sign 2y` makes".to_owned(),
        }
    }
}

/// Lets sqv check a signature, where it is installed: as of today, and where it knows how to, as of the end.
fn ask_sqv(signer: &dyn Signer, ring: &[u8], until: i64) -> Result<Option<KeyObjection>, SignError> {
    let said = match Command::new("sqv").arg("--help").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(_) => return Ok(None),
    };
    let file = |bytes: &[u8]| write(bytes);
    let (data, ring) = (file(b"a trial\n")?, file(ring)?);
    // Not before the self-signatures, which may be of today, whatever the time that the caller goes by.
    let signature = signer.sign(SignatureForm::DetachedBinary, &mut &b"a trial\n"[..], date::now())?;
    let signature = file(&signature)?;
    let mut sqv = Command::new("sqv");
    if Path::new(APT_POLICY).exists() {
        sqv.env("SEQUOIA_CRYPTO_POLICY", APT_POLICY);
    }
    // Its words before 1.3 and since.
    if said.contains("--policy-as-of") {
        sqv.arg("--policy-as-of").arg(iso(until));
    }
    sqv.arg("--keyring").arg(ring.path()).arg(signature.path()).arg(data.path());
    let output = sqv.output().map_err(|source| SignError::File { path: "sqv".into(), source })?;
    if output.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    let why = format!("is refused by sqv, which apt asks ({said})");
    Ok(Some(KeyObjection { key: signer.key().fingerprint.clone(), from: 0, why }))
}

/// `2026-11-23T05:00:48Z`.
fn iso(time: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(time).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    time.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_demand_has_its_date() {
        let key = |algorithm, bits, digest, ends| PublicKey {
            fingerprint: "AAAA".into(),
            signs: true,
            algorithm,
            bits,
            digest: Some(digest),
            ends,
            ..PublicKey::default()
        };
        let refused = |key: PublicKey, at| {
            let certificate = Certificate { user_id: "A".into(), keys: vec![key] };
            super::refused(&certificate, "AAAA", at).map(|objection| objection.to_string())
        };
        const NOW: i64 = 1_795_410_048;
        for good in
            [key(22, 255, 8, None), key(19, 256, 10, Some(NOW + 1)), key(1, 2048, 8, None), key(1, 4096, 8, None)]
        {
            assert_eq!(refused(good, NOW), None);
        }
        for (bad, at, why) in [
            (key(1, 1024, 8, None), NOW, "less than 2048"),
            (key(1, 2048, 8, None), RSA_2048_ENDS, "less than 3072 bits (from Fri, 01 Feb 2030 00:00:00 +0000 on)"),
            (key(17, 2048, 8, None), NOW, "DSA"),
            (key(18, 255, 8, None), NOW, "not for signing"),
            (key(22, 255, 2, None), NOW, "SHA-1"),
            (key(22, 255, 8, Some(NOW)), NOW, "ends"),
        ] {
            let found = refused(bad, at).unwrap();
            assert!(found.contains(why), "{found}");
        }
    }
}
