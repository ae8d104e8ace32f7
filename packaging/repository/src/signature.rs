//! InRelease, Release and Release.gpg, signed with one key or with several at once.
//!
//! Signatures by several keys are OpenPGP packets one after another in a single armor (RFC 9580, 6.2 and 10.4): what
//! `gpg --local-user A --local-user B` writes, but each key may come from another place. apt and gpgv are content with one
//! signature that they can check.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sign::signer::{Form, SignError};

use super::RepositoryError;
use super::plan::Signature;

const BEGIN: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// A Release file, signed in both ways.
pub(super) struct Signed {
    /// The text with its signatures (RFC 9580, 7).
    pub in_release: Vec<u8>,
    /// The signatures alone.
    pub release_gpg: Vec<u8>,
}

/// Makes these signatures, at this time.
pub(super) fn sign(text: &str, signatures: &[Signature<'_>], date: i64) -> Result<Signed, RepositoryError> {
    let with = |form| {
        let one = |Signature { signer, key, seen }: &Signature<'_>| {
            let signed = signer.sign_with(key, Some(seen), form, &mut text.as_bytes(), date)?;
            String::from_utf8(signed).map_err(|_| unexpected("text"))
        };
        join(&signatures.iter().map(one).collect::<Result<Vec<_>, SignError>>()?)
    };
    Ok(Signed { in_release: with(Form::Clear)?.into_bytes(), release_gpg: with(Form::DetachedArmored)?.into_bytes() })
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
    let encoded = BASE64.encode(&packets);
    let lines = encoded.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    Ok(format!("{}{BEGIN}\n\n{}{END}\n", text.unwrap_or_default(), lines.collect::<String>()))
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
