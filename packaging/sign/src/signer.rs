//! Who signs: keys, where they come from, and the trait that makes signatures. [`crate::gpg`] is behind it.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use foundation::failure::{self, Failure, Kind, Outcome};
use serde::{Deserialize, Serialize};

/// What a key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// Made by this tool, worth nothing outside this machine; everything signed with it says so.
    Development,
    /// A key that others trust. It refuses `+local` versions.
    Release,
}

/// A key that is ready to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Fingerprint of the key that makes the signatures (of the signing subkey, where there is one).
    pub fingerprint: String,
    /// Fingerprint of the primary key that it belongs to; the same where it is one itself.
    pub primary: String,
    /// The first user id of the primary key.
    pub user_id: String,
    /// What the key may sign: local builds, too, or only what comes from the pinned source.
    pub kind: KeyKind,
    /// When it was created; signatures are never dated before that.
    pub created: i64,
}

/// A passphrase. It is never printed.
#[derive(Clone)]
pub struct Passphrase(String);

impl Passphrase {
    /// Takes over a passphrase; a trailing newline is not part of it.
    pub fn new(text: impl Into<String>) -> Self {
        let text: String = text.into();
        Self(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Where the key is.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// In the user's own key ring, with its agent or smart card.
    KeyRing {
        /// GNUPGHOME; gpg's own default where there is none.
        home: Option<PathBuf>,
        /// The fingerprint, the key id or a mail address, as gpg(1) takes it.
        key: String,
    },
    /// A secret key in a file, as CI systems hand it over; imported into a throw-away home.
    SecretFile {
        /// The file with the secret key, armored or binary.
        path: PathBuf,
        /// The passphrase of the key, where it has one.
        passphrase: Option<Passphrase>,
    },
    /// The same in memory, such as the value of an environment variable.
    SecretText {
        /// Where it came from, for messages: the variable's name, never its value.
        name: String,
        /// The armored key; a passphrase's type, so that it is never printed.
        text: Passphrase,
        /// The passphrase of the key, where it has one.
        passphrase: Option<Passphrase>,
    },
    /// The development key, kept in this folder and made there once.
    Development {
        /// The folder that the development key is kept in.
        state: PathBuf,
    },
}

/// The form of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureForm {
    /// The text itself with the signature (RFC 4880, 7): `.changes`, `.buildinfo`, `InRelease`.
    Clear,
    /// Apart from the data, armored: `SHA256SUMS.asc`, `Release.gpg`.
    DetachedArmored,
    /// Apart from the data, binary: `_gpgorigin`.
    DetachedBinary,
}

/// The form of an exported public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// Text in ASCII (RFC 9580, 6.2), as in files `.asc`.
    Armored,
    /// A binary key ring, as gpgv, apt and debsig-verify read it, `.gpg`.
    Binary,
}

/// Makes signatures, several at once if need be.
pub trait Signer: Sync {
    /// The key that makes the signatures.
    fn key(&self) -> &SigningKey;
    /// Signs what the reader gives; `epoch` is the signature's date (never before the key's creation).
    ///
    /// # Errors
    /// gpg cannot be run or makes no signature, the passphrase is wrong or missing, the key has ended or was revoked, or the
    /// reader fails.
    fn sign(&self, form: SignatureForm, data: &mut dyn Read, epoch: i64) -> Result<Vec<u8>, SignError>;
    /// The keys of it that can sign, by fingerprint: those whose secret part is there, also where they have ended or were
    /// revoked. The first choice is first.
    fn secret_keys(&self) -> &[String];
    /// Signs with one of [`secret_keys`](Self::secret_keys), at this time. `seen` is its certificate as somebody else still knows
    /// it, who would accept that key, though the signer's own copy may have ended or revoked it.
    ///
    /// # Errors
    /// The same as for [`sign`](Self::sign), and where there is no secret part of this key.
    fn sign_with(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        form: SignatureForm,
        data: &mut dyn Read,
        epoch: i64,
    ) -> Result<Vec<u8>, SignError>;
    /// The public key with its subkeys, as others import it.
    ///
    /// # Errors
    /// gpg cannot be run, or exports nothing.
    fn public_key(&self, form: KeyForm) -> Result<Vec<u8>, SignError>;

    /// Refuses to sign a version that did not come from the pinned source with a release key.
    ///
    /// # Errors
    /// It is a release key, and the version has `+local`.
    fn check_version(&self, version: &str) -> Result<(), SignError> {
        if self.key().kind == KeyKind::Release && version.contains("+local") {
            return Err(SignError::Local { version: version.to_owned(), user_id: self.key().user_id.clone() });
        }
        Ok(())
    }
}

/// A signature cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// gpg(1) cannot be started, mostly since it is not installed.
    #[error("gpg, which signs, cannot be run: {source}")]
    NoGpg {
        /// The operating system's error.
        source: std::io::Error,
    },
    /// There is no secret key of this name.
    #[error("there is no secret key '{key}' in {place}")]
    NoKey {
        /// The name that was asked for: a fingerprint, a key id or an address.
        key: String,
        /// The key ring, file or variable that it was looked for in.
        place: String,
    },
    /// The passphrase is wrong or missing.
    #[error("the passphrase for the key {key} is wrong or missing")]
    Passphrase {
        /// The key that needs it.
        key: String,
    },
    /// A passphrase is needed, and there is no terminal to ask for it.
    #[error("the key {key} needs its passphrase, and gpg-agent has nowhere to ask for it")]
    Unasked {
        /// The key that needs it.
        key: String,
    },
    /// Several secret keys have the name that was given.
    #[error("{} secret keys in {place} match '{key}':\n{}", found.len(), failure::lines(found))]
    Several {
        /// The name that was asked for.
        key: String,
        /// The key ring, file or variable that it was looked for in.
        place: String,
        /// The fingerprint and the user id of each key that matches.
        found: Vec<String>,
    },
    /// The key is expired.
    #[error("the key {key} has expired")]
    Expired {
        /// The key that has expired.
        key: String,
    },
    /// The key is revoked or disabled, or cannot sign.
    #[error("the key {key} cannot be used, since it {state}")]
    Unusable {
        /// The key that cannot be used.
        key: String,
        /// `is revoked`, `is disabled` or `has no secret part that can sign`.
        state: String,
    },
    /// There is not exactly one secret key where one is needed.
    #[error("{place} has {count} secret keys, and exactly one is needed")]
    NotOne {
        /// The key ring, file or variable that was looked into.
        place: String,
        /// How many secret keys there are.
        count: usize,
    },
    /// A release key is asked to sign a local build.
    #[error("{version} was built from a local source, and the release key '{user_id}' signs no such build")]
    Local {
        /// The version of the local build.
        version: String,
        /// The user id of the release key.
        user_id: String,
    },
    /// gpg failed for another reason.
    #[error("gpg cannot {what}: {message}")]
    Gpg {
        /// What gpg was to do, as the message has it after "cannot".
        what: String,
        /// What gpg said.
        message: String,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file that cannot be used.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

impl Failure for SignError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::NoGpg { .. } => Kind::Failed.next("install it with `apt-get install gpg gpg-agent`"),
            Self::NoKey { .. } => Kind::Input
                .next("list the keys there with `gpg --list-secret-keys`, or leave --key out for a development key"),
            Self::Unasked { .. } => Kind::Failed.next(
                "run it in a terminal after `export GPG_TTY=$(tty)` with a pinentry installed (`apt-get install pinentry-curses`), \
                 or hand the key over with --key-file FILE and its passphrase in MESOS_PACKAGES_KEY_PASSPHRASE",
            ),
            Self::Several { .. } => Kind::Input.next("give the fingerprint of one of them with --key"),
            Self::Passphrase { .. } => Kind::Input.next(
                "correct it: for --key-file it is read from MESOS_PACKAGES_KEY_PASSPHRASE, for a key ring gpg-agent asks for it",
            ),
            Self::Expired { key } => Kind::Input.next(format!(
                "extend it with `gpg --quick-set-expire {key} 1y` and hand it over again, or use another one"
            )),
            Self::Unusable { .. } => Kind::Input.next("use another one"),
            Self::NotOne { .. } => Kind::Input
                .next("export the one that is to sign with `gpg --armor --export-secret-keys KEY`, and nothing else"),
            Self::Local { .. } => Kind::Input.next(
                "build from the pinned source (without --source), or sign with a development key (without --key)",
            ),
            Self::Gpg { .. } => Kind::Failed.plain(),
            Self::File { source, .. } => failure::of_file(source),
        }
    }
}

/// What the user id of a development key begins with.
pub const DEVELOPMENT_NAME: &str = "UNTRUSTED DEVELOPMENT KEY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let source = KeySource::SecretText {
            name: "SIGNING_KEY".into(),
            text: Passphrase::new("-----BEGIN"),
            passphrase: Some(Passphrase::new("hunter2\n")),
        };
        let text = format!("{source:?}");
        assert!(text.contains("SIGNING_KEY") && !text.contains("hunter2") && !text.contains("BEGIN"), "{text}");
        assert_eq!(Passphrase::new("hunter2\n").expose(), "hunter2");
    }
}
