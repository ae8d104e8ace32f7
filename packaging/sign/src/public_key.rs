//! What a key ring says of its keys: who signs, until when, and with what algorithms. gpg(1) reads it (`doc/DETAILS` in GnuPG's
//! source, "Format of the --with-colons listings"), so that nothing here parses OpenPGP packets.

use std::fs;
use std::io;
use std::path::Path;

use crate::gpg::{Home, command, run, throw_away};
use crate::signer::SignError;

/// A certificate: a primary key with its subkeys (RFC 9580, 10.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The first user id, such as `Demo Packages <demo@example.org>`.
    pub user_id: String,
    /// The primary key, and its subkeys behind it.
    pub keys: Vec<PublicKey>,
}

/// One key of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicKey {
    /// The fingerprint, in upper-case hexadecimal digits.
    pub fingerprint: String,
    /// When it was made, as a Unix time in seconds.
    pub created: i64,
    /// When it ends, or its primary key does; `None` for never.
    pub ends: Option<i64>,
    /// Whether it, or its primary key, was revoked.
    pub revoked: bool,
    /// Whether the key may make signatures of data.
    pub signs: bool,
    /// Its algorithm as OpenPGP numbers them (RFC 9580, 9.1): 1 RSA, 17 DSA, 19 ECDSA, 22 EdDSA.
    pub algorithm: u8,
    /// The size of the key in bits.
    pub bits: u32,
    /// The weakest digest that binds it to its certificate, as OpenPGP numbers them (RFC 9580, 9.5): 1 MD5, 2 SHA-1, 8 SHA-256.
    pub digest: Option<u8>,
}

impl PublicKey {
    /// Whether a client that has this key accepts what it signed, at this time.
    pub fn accepted(&self, at: i64) -> bool {
        // gpgv takes a signature of the key's own second.
        self.signs && !self.revoked && self.created <= at && self.ends.is_none_or(|ends| at < ends)
    }
}

impl Certificate {
    /// The key or subkey that has this fingerprint.
    pub fn key(&self, fingerprint: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.fingerprint == fingerprint)
    }

    /// The fingerprint of the primary key; empty where there is no key.
    pub fn primary(&self) -> &str {
        self.keys.first().map_or("", |key| &key.fingerprint)
    }
}

/// Reads a binary key ring. What has ended or was revoked is in it, too.
///
/// # Errors
/// gpg cannot be run, or cannot read the key ring.
pub fn read(ring: &[u8]) -> Result<Vec<Certificate>, SignError> {
    let home = Home::ThrowAway(throw_away()?);
    let ask = |arguments: &[&str]| {
        let mut gpg = command(Path::new("gpg"), &home);
        gpg.args(arguments);
        let ran = run(gpg, &mut &ring[..])?;
        let text = String::from_utf8_lossy(&ran.output).into_owned();
        if ran.success { Ok(text) } else { Err(ran.error("read a key ring")) }
    };
    let mut certificates = parse(&ask(&["--with-colons", "--fixed-list-mode", "--show-keys"])?);
    let digests = parse_packets(&ask(&["--list-packets"])?);
    let keys = certificates.iter_mut().flat_map(|certificate| &mut certificate.keys);
    for key in keys {
        let own = digests.iter().filter(|(id, _)| key.fingerprint.ends_with(id.as_str()));
        key.digest = own.map(|(_, digest)| *digest).min_by_key(|digest| strength(*digest));
    }
    Ok(certificates)
}

/// One certificate as somebody knows it, with what another copy of it has that is new: subkeys, later self-signatures,
/// revocations. Nothing is ever lost by it, whichever copy is the older one. What brings nothing new leaves every byte.
///
/// # Errors
/// gpg cannot be run, cannot read one of the two, or exports nothing.
pub fn merge(known: &[u8], other: &[u8]) -> Result<Vec<u8>, SignError> {
    if known == other {
        return Ok(known.to_owned());
    }
    let home = Home::ThrowAway(throw_away()?);
    let import = |ring: &[u8]| {
        let mut gpg = command(Path::new("gpg"), &home);
        gpg.args(["--import-options", "import-minimal", "--import"]);
        let ran = run(gpg, &mut &ring[..])?;
        // The number is made of flags, 0 for a key that was not changed.
        let changed = ran.says(&["IMPORT_OK"]) && !ran.says(&["IMPORT_OK 0 "]);
        if ran.success { Ok(changed) } else { Err(ran.error("read a public key")) }
    };
    import(known)?;
    if !import(other)? {
        return Ok(known.to_owned());
    }
    let mut gpg = command(Path::new("gpg"), &home);
    gpg.args(["--export-options", "export-minimal,no-export-attributes", "--export"]);
    let ran = run(gpg, &mut io::empty())?;
    if ran.success && !ran.output.is_empty() { Ok(ran.output) } else { Err(ran.error("export a public key")) }
}

/// The certificates of a file, armored or not, as a binary key ring without anything that is not needed to check signatures.
///
/// # Errors
/// gpg cannot be run, or the file has no public key.
pub fn minimal(file: &[u8]) -> Result<Vec<u8>, SignError> {
    let home = Home::ThrowAway(throw_away()?);
    let mut import = command(Path::new("gpg"), &home);
    import.args(["--import-options", "import-minimal", "--import"]);
    let ran = run(import, &mut &file[..])?;
    if !ran.success || !ran.says(&["IMPORT_OK"]) {
        return Err(ran.error("read a public key"));
    }
    let mut export = command(Path::new("gpg"), &home);
    export.args(["--export-options", "export-minimal,no-export-attributes", "--export"]);
    let ran = run(export, &mut io::empty())?;
    if ran.success { Ok(ran.output) } else { Err(ran.error("export a public key")) }
}

/// Whether a file, armored or not, begins with a secret key (RFC 9580, 4.2 and 5: packets with tag 5).
pub fn has_secret(file: &[u8]) -> bool {
    const ARMOR: &[u8] = b"PRIVATE KEY BLOCK";
    let armored = file.windows(ARMOR.len()).any(|window| window == ARMOR);
    let tag = match file.first() {
        Some(byte) if byte & 0xC0 == 0xC0 => byte & 0x3F,
        Some(byte) if byte & 0xC0 == 0x80 => (byte & 0x3C) >> 2,
        _ => 0,
    };
    armored || tag == 5
}

/// Parses gpg's listing with colons.
fn parse(text: &str) -> Vec<Certificate> {
    let mut found: Vec<Certificate> = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let field = |n: usize| fields.get(n).copied().unwrap_or_default();
        match field(0) {
            kind @ ("pub" | "sub") => {
                let key = PublicKey {
                    created: field(5).parse().unwrap_or_default(),
                    ends: field(6).parse().ok(),
                    revoked: field(1).starts_with('r'),
                    signs: field(11).contains('s'),
                    algorithm: field(3).parse().unwrap_or_default(),
                    bits: field(2).parse().unwrap_or_default(),
                    ..PublicKey::default()
                };
                match found.last_mut() {
                    Some(certificate) if kind == "sub" => certificate.keys.push(key),
                    _ => found.push(Certificate { user_id: String::new(), keys: vec![key] }),
                }
            }
            "fpr" => {
                if let Some(key) = found.last_mut().and_then(|certificate| certificate.keys.last_mut()) {
                    field(9).clone_into(&mut key.fingerprint);
                }
            }
            "uid" => {
                if let Some(certificate) = found.last_mut().filter(|certificate| certificate.user_id.is_empty()) {
                    certificate.user_id = field(9).replace("\\x3a", ":");
                }
            }
            _ => {}
        }
    }
    for certificate in &mut found {
        let (ends, revoked) = (certificate.keys[0].ends, certificate.keys[0].revoked);
        for key in &mut certificate.keys {
            key.ends = [key.ends, ends].into_iter().flatten().min();
            key.revoked |= revoked;
        }
    }
    found
}

/// The digests of the signatures that bind each key, by key id. Of a primary key's user ids the best one counts.
fn parse_packets(text: &str) -> Vec<(String, u8)> {
    let mut found: Vec<(String, u8)> = Vec::new();
    let (mut primary, mut current, mut revocation) = (String::new(), String::new(), false);
    let (mut is_primary, mut in_key) = (false, false);
    for line in text.lines() {
        let word_after = |text: &str| {
            let (_, rest) = line.split_once(text)?;
            rest.split(|c: char| !c.is_ascii_alphanumeric()).next().map(str::to_owned)
        };
        let mut add = |id: &str, digest: Option<String>, is_primary: bool| {
            let Some(digest) = digest.and_then(|digest| digest.parse::<u8>().ok()) else { return };
            match found.iter_mut().find(|(known, _)| is_primary && known == id) {
                Some((_, best)) if strength(digest) > strength(*best) => *best = digest,
                Some(_) => {}
                None => found.push((id.to_owned(), digest)),
            }
        };
        if let Some(kind) = line.strip_prefix(':') {
            in_key = kind.starts_with("public");
            if in_key {
                is_primary = kind.starts_with("public key");
            }
        } else if let Some(id) = line.strip_prefix("\tkeyid: ").filter(|_| in_key) {
            id.clone_into(&mut current);
            if is_primary {
                id.clone_into(&mut primary);
            }
        } else if line.contains(" sigclass ") {
            // Revocations take effect whatever their digest.
            revocation = word_after("sigclass 0x").is_some_and(|class| ["20", "28", "30"].contains(&class.as_str()));
        } else if line.starts_with("\tdigest algo ") && !revocation {
            add(if is_primary { &primary } else { &current }, word_after("digest algo "), is_primary);
        } else if line.contains("class 0x19") {
            // The subkey's own signature, inside of the one that binds it.
            add(&current, word_after("digest algo "), false);
        }
    }
    found
}

/// Sorts digests: those that can be forged first.
fn strength(digest: u8) -> u8 {
    match digest {
        1..=3 => digest,
        _ => u8::MAX,
    }
}

/// Writes a key ring where gpg can be pointed at it.
///
/// # Errors
/// The temporary file cannot be written.
pub fn write(ring: &[u8]) -> Result<tempfile::NamedTempFile, SignError> {
    let place = std::env::temp_dir();
    let make = || -> io::Result<tempfile::NamedTempFile> {
        let file = tempfile::Builder::new().prefix("ring-").suffix(".gpg").tempfile_in(&place)?;
        fs::write(file.path(), ring)?;
        Ok(file)
    };
    make().map_err(|source| SignError::File { path: place.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "pub:u:255:22:1111:100:900::u:::cESC:::::ed25519:::0:\nfpr:::::::::AAAA1111:\nuid:u::::1::h::A\\x3a <a@x>:::\n\
        sub:r:255:22:2222:200:800:::::s:::::ed25519::\nfpr:::::::::BBBB2222:\n\
        sub:e:2048:1:3333:300::::::s::::::23:\nfpr:::::::::CCCC3333:\n";

    #[test]
    fn a_subkey_ends_with_its_primary_key() {
        let [certificate] = &parse(LISTING)[..] else { panic!() };
        assert_eq!((certificate.primary(), certificate.user_id.as_str()), ("AAAA1111", "A: <a@x>"));
        let ends: Vec<_> = certificate.keys.iter().map(|key| (key.signs, key.revoked, key.ends)).collect();
        assert_eq!(ends, [(false, false, Some(900)), (true, true, Some(800)), (true, false, Some(900))]);
        let newest = certificate.key("CCCC3333").unwrap();
        assert_eq!([299, 300, 899, 900].map(|at| newest.accepted(at)), [false, true, true, false]);
        let revoked = parse(&LISTING.replace("pub:u", "pub:r"));
        assert!(revoked[0].keys.iter().all(|key| key.revoked));
    }

    #[test]
    fn digests_that_bind() {
        let packets = "# off=0\n:public key packet:\n\tversion 4\n\tkeyid: 1111\n:user ID packet: \"A\"\n\
            :signature packet: algo 22, keyid 1111\n\tversion 4, created 1, md5len 0, sigclass 0x13\n\tdigest algo 2, begin of digest 36 47\n\
            :user ID packet: \"keyid: B\"\n:signature packet: algo 22, keyid 1111\n\tversion 4, created 1, md5len 0, sigclass 0x13\n\
            \tdigest algo 8, begin of digest 36 47\n:public sub key packet:\n\tkeyid: 2222\n\
            :signature packet: algo 22, keyid 1111\n\tversion 4, created 1, md5len 0, sigclass 0x28\n\tdigest algo 2, begin of digest b8 29\n\
            :signature packet: algo 22, keyid 1111\n\tversion 4, created 1, md5len 0, sigclass 0x18\n\tdigest algo 8, begin of digest b8 29\n\
            \tsubpkt 32 len 117 (signature: v4, class 0x19, algo 22, digest algo 10)\n";
        let found = |text: &str| parse_packets(text);
        let of = |id: &str, digest| (id.to_owned(), digest);
        assert_eq!(found(packets), [of("1111", 8), of("2222", 8), of("2222", 10)]);
        assert!(found(&packets.replace("digest algo 10", "digest algo 2")).contains(&of("2222", 2)));
    }
}
