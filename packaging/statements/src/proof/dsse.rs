//! DSSE, the Dead Simple Signing Envelope, version 1 (<https://github.com/secure-systems-lab/dsse>: `protocol.md`,
//! `envelope.md`), around in-toto statements (<https://github.com/in-toto/attestation>: `spec/v1/envelope.md`).
//!
//! The signature is OpenPGP's, like every other one here: `sig` is a detached, binary signature (RFC 4880, 11.4) of the
//! envelope's pre-authentication encoding, and `keyid` the fingerprint of the key that made it. So gpgv(1) checks it,
//! and so does whatever reads OpenPGP from Python. A file has one envelope in one line, which is a bundle of one in
//! in-toto's sense (`spec/v1/bundle.md`); written anew from what was read, it has to be the same bytes.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use foundation::failure::{Failure, Kind, Outcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sign::gpgv::{Gpgv, GpgvError, Signatory, UNTRUSTED};
use sign::signer::{SignError, SignatureForm, Signer};

use super::intoto::{Predicate, Statement};

/// How the names of files with envelopes end.
pub const EXTENSION: &str = "intoto.jsonl";

/// The media type of a statement.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A signed statement cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DsseError {
    /// The signature is missing, or is not good.
    #[error(transparent)]
    Signature(#[from] GpgvError),
    /// The file is not an envelope of the form that is written here.
    #[error("{}: expected a DSSE envelope with one in-toto statement and one signature, found {found}", path.display())]
    Envelope {
        /// The file of the statement.
        path: PathBuf,
        /// What is wrong with the envelope.
        found: String,
    },
    /// The signature is good, and what was signed is not a statement of this kind.
    #[error("{}: expected an in-toto statement of the kind that the file's name says, found: {found}", path.display())]
    Statement {
        /// The file of the statement.
        path: PathBuf,
        /// What is wrong with the statement.
        found: String,
    },
}

impl Failure for DsseError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Signature(error) => error.outcome(),
            Self::Envelope { .. } | Self::Statement { .. } => Kind::Verification.next(UNTRUSTED),
        }
    }
}

/// An envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    /// The statement as JSON, in base64 (RFC 4648, 4).
    payload: String,
    /// The media type of the payload.
    payload_type: String,
    /// The signatures; this tool writes one, and reads one.
    signatures: Vec<Signature>,
}

/// A signature of an [`Envelope`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    /// Fingerprint of the key that signed, in hexadecimal digits.
    keyid: String,
    /// The detached signature (OpenPGP), in base64.
    sig: String,
}

/// What is signed (`protocol.md`, "Signature Definition").
fn pre_authentication_encoding(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Signs a statement and returns the file's content; `epoch` is the signature's date.
///
/// # Errors
/// No signature is made.
pub fn seal<P: Predicate + Serialize>(
    statement: &Statement<P>,
    signer: &dyn Signer,
    epoch: i64,
) -> Result<Vec<u8>, SignError> {
    let payload = serde_json::to_vec(statement).expect("plain data serialises to JSON");
    let signature =
        signer.sign(SignatureForm::DetachedBinary, &mut &pre_authentication_encoding(&payload)[..], epoch)?;
    let envelope = Envelope {
        payload: STANDARD.encode(payload),
        payload_type: PAYLOAD_TYPE.into(),
        signatures: vec![Signature { keyid: signer.key().fingerprint.clone(), sig: STANDARD.encode(signature) }],
    };
    Ok(line(&envelope))
}

fn line(envelope: &Envelope) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(envelope).expect("plain data serialises to JSON");
    bytes.push(b'\n');
    bytes
}

/// What an envelope says, whoever signed it: for whoever tidies up, and believes none of it.
pub fn unchecked<P: Predicate + DeserializeOwned>(content: &[u8]) -> Option<Statement<P>> {
    let envelope: Envelope = serde_json::from_slice(content).ok()?;
    serde_json::from_slice(&STANDARD.decode(envelope.payload).ok()?).ok()
}

/// Reads the content of the file `path` and checks its signature; returns the statement and the key.
///
/// # Errors
/// The content is not an envelope with one statement of this kind, or is not signed by a key of the key ring.
pub fn open<P: Predicate + DeserializeOwned>(
    path: &Path,
    content: &[u8],
    gpgv: &Gpgv,
) -> Result<(Statement<P>, Signatory), DsseError> {
    let wrong = |found: String| DsseError::Envelope { path: path.to_owned(), found };
    let envelope: Envelope = serde_json::from_slice(content).map_err(|error| wrong(error.to_string()))?;
    if line(&envelope) != content {
        return Err(wrong("other spaces or line ends than those of one JSON value in one line".into()));
    }
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(wrong(format!("the payload type {}", envelope.payload_type)));
    }
    let decode = |text: &str| STANDARD.decode(text).map_err(|error| wrong(format!("what is no base64: {error}")));
    let [signature] = &envelope.signatures[..] else {
        return Err(wrong(format!("{} signatures", envelope.signatures.len())));
    };
    let payload = decode(&envelope.payload)?;
    let key = gpgv.detached_bytes(&decode(&signature.sig)?, path, &pre_authentication_encoding(&payload))?;
    if key.fingerprint != signature.keyid {
        return Err(wrong(format!("the key id {} at a signature by {}", signature.keyid, key.fingerprint)));
    }
    // Only now: what nobody signed is not even parsed.
    let statement = serde_json::from_slice(&payload)
        .map_err(|error| DsseError::Statement { path: path.to_owned(), found: error.to_string() })?;
    Ok((statement, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of `protocol.md`, with this module's payload type.
    #[test]
    fn encoding_before_authentication() {
        let encoded = pre_authentication_encoding(b"hello world");
        assert_eq!(String::from_utf8(encoded).unwrap(), "DSSEv1 28 application/vnd.in-toto+json 11 hello world");
    }
}
