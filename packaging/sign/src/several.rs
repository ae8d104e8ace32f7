//! A text that is signed with one key or with several at once, such as a Release: with its signatures in it, and apart from it.
//!
//! Signatures by several keys are OpenPGP packets one after another in a single armor (RFC 9580, 6.2 and 10.4): what
//! `gpg --local-user A --local-user B` writes, but each key may come from another place. apt and gpgv are content with one
//! signature that they can check.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::signer::{SignError, SignatureForm, Signer};

const BEGIN: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// A signature that is to be made.
#[derive(Clone)]
pub struct Signature<'a> {
    /// Who makes it.
    pub signer: &'a dyn Signer,
    /// Fingerprint of the key or subkey that makes it.
    pub key: String,
    /// The key ring of the clients that it is for.
    pub seen: Vec<u8>,
}

/// A text, signed in both ways.
pub struct Signed {
    /// The text with its signatures (RFC 9580, 7): an InRelease.
    pub clear: Vec<u8>,
    /// The detached signatures of the text, armored: a Release.gpg.
    pub detached: Vec<u8>,
}

/// Makes these signatures of a text, dated as this Unix time in seconds.
///
/// # Errors
/// A signer makes no signature, or one in another form than the others.
pub fn sign(text: &str, signatures: &[Signature<'_>], date: i64) -> Result<Signed, SignError> {
    let with = |form| {
        let one = |Signature { signer, key, seen }: &Signature<'_>| {
            let signed = signer.sign_with(key, Some(seen), form, &mut text.as_bytes(), date)?;
            String::from_utf8(signed).map_err(|_| unexpected("text"))
        };
        join(&signatures.iter().map(one).collect::<Result<Vec<_>, SignError>>()?)
    };
    Ok(Signed {
        clear: with(SignatureForm::Clear)?.into_bytes(),
        detached: with(SignatureForm::DetachedArmored)?.into_bytes(),
    })
}

fn unexpected(what: &str) -> SignError {
    SignError::Gpg {
        what: "sign a Release file".into(),
        message: format!("it did not write the {what} that it should"),
    }
}

/// Joins signatures of the same text in the same form; one stays as it is.
fn join(signed: &[String]) -> Result<String, SignError> {
    if let [only] = signed {
        return Ok(only.clone());
    }
    let mut packets = Vec::new();
    let mut text: Option<&str> = None;
    for signed in signed {
        let (before, packet) = split(signed).ok_or_else(|| unexpected("signature"))?;
        // The hash algorithm's header is in it: the same for all, or a reader would not check the others.
        if text.is_some_and(|text| text != before) {
            return Err(unexpected("same text"));
        }
        text = Some(before);
        packets.extend(packet);
    }
    Ok(text.unwrap_or_default().to_owned() + &armor(&packets))
}

/// The armor with its checksum. Readers may do without one (RFC 9580, 6.1), but gpgv before 2.4 needs either that or padding to
/// see where the packets end: without, one text of three would be refused.
fn armor(packets: &[u8]) -> String {
    let encoded = BASE64.encode(packets);
    let lines = encoded.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    let sum = BASE64.encode(&checksum(packets).to_be_bytes()[1..]);
    format!("{BEGIN}\n\n{}={sum}\n{END}\n", lines.collect::<String>())
}

/// CRC-24 as OpenPGP has it (RFC 9580, 6.1.1).
fn checksum(bytes: &[u8]) -> u32 {
    let mut sum: u32 = 0x00B7_04CE;
    for byte in bytes {
        sum ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            sum <<= 1;
            if sum & 0x0100_0000 != 0 {
                sum ^= 0x0186_4CFB;
            }
        }
    }
    sum & 0x00FF_FFFF
}

/// What stands before the armor, and the packets in it.
fn split(signed: &str) -> Option<(&str, Vec<u8>)> {
    // A text cannot have that line: it would be escaped with a dash.
    let (before, armor) = signed.split_at(signed.rfind(&format!("{BEGIN}\n"))?);
    let (_, body) = armor.split_once("\n\n")?;
    let (body, _) = body.split_once(END)?;
    // The checksum is a line of its own, which readers may do without (RFC 9580, 6.1).
    let lines = body.lines().map(str::trim).filter(|line| !line.starts_with('='));
    Some((before, BASE64.decode(lines.collect::<String>()).ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// Whatever the length is, with padding or without.
    #[test]
    fn gpg_reads_the_armor() {
        // A packet for private use (RFC 9580, 5): only its frame is looked at.
        for length in 100..103u8 {
            let packet: Vec<u8> = [0xC0 | 60, length].into_iter().chain((0..length).map(|n| n ^ 0x5A)).collect();
            let mut gpg = Command::new("gpg")
                .args(["--batch", "--no-options", "--dearmor"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            gpg.stdin.take().unwrap().write_all(armor(&packet).as_bytes()).unwrap();
            let output = gpg.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !said.contains("invalid") && !said.contains("CRC"), "{said}");
            assert_eq!(output.stdout, packet, "{length}");
        }
    }
}
