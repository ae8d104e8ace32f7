//! The keys that sign a repository, as arguments.

use std::path::{Path, PathBuf};

use clap::Args;
use foundation::failure::{AnyFailure, Message};
use foundation::store::Store;
use repository::Repository;
use sign::gpg::Gpg;
use sign::signer::{KeySource, Passphrase, Signer};

use crate::commands::package::{PASSPHRASE, development_key};

/// The environment variable with the passphrase of `--new-key-file`.
const NEW_PASSPHRASE: &str = "MESOS_PACKAGES_NEW_KEY_PASSPHRASE";

/// The secret keys that sign, as the user names them.
#[derive(Args)]
pub struct KeyArguments {
    /// Key in your key ring that signs the repository; may be given more than once [default: those that signed it]
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// File with such a key's secret part; its passphrase is in MESOS_PACKAGES_KEY_PASSPHRASE
    #[arg(long, value_name = "FILE")]
    key_file: Vec<PathBuf>,
}

impl KeyArguments {
    /// The keys of a repository that is there: those that are given, else those that signed it last.
    ///
    /// # Errors
    /// A key is not in the key ring or file that it should be in, or cannot sign.
    pub fn signers(&self, repository: &Repository) -> Result<Vec<Box<dyn Signer>>, AnyFailure> {
        self.given_or(repository, 0)
    }

    /// The same keys without the older ones, for when all but the newest go.
    ///
    /// # Errors
    /// As for [`KeyArguments::signers`].
    pub fn newest_signer(&self, repository: &Repository) -> Result<Vec<Box<dyn Signer>>, AnyFailure> {
        self.given_or(repository, repository.keys().signing.len() - 1)
    }

    /// The key that stands by: the one that is given, else the one of the repository, in the user's key ring.
    ///
    /// # Errors
    /// More than one is given, none was ever published, or it cannot sign.
    pub fn stand_by_signer(&self, repository: &Repository) -> Result<Box<dyn Signer>, AnyFailure> {
        let mut given = self.given();
        if given.len() > 1 {
            return Err(
                Message::usage("in an emergency the stand-by key signs alone: give --key or --key-file once").into()
            );
        }
        let source = given.pop().or_else(|| {
            let key = repository.keys().stand_by.as_ref()?.fingerprint.clone();
            Some(KeySource::KeyRing { home: None, key })
        });
        let none = "no stand-by key was published, so there is none that clients would accept. While the present key is there, publish                     one with `cargo xtask repo rotate-key --stand-by FILE`";
        Ok(Box::new(Gpg::open(&source.ok_or_else(|| Message::usage(none))?)?))
    }

    fn given_or(&self, repository: &Repository, from: usize) -> Result<Vec<Box<dyn Signer>>, AnyFailure> {
        let given = self.given();
        if !given.is_empty() {
            return open(given);
        }
        let development = development()?;
        let signing = repository.keys().signing.iter().skip(from);
        let own = |fingerprint: &str| KeySource::KeyRing { home: None, key: fingerprint.to_owned() };
        let mut signers: Vec<Box<dyn Signer>> = Vec::new();
        for key in signing {
            let of_this_machine =
                repository.settings().development && key.user_id.starts_with(sign::signer::DEVELOPMENT_NAME);
            let source = if of_this_machine { development.clone() } else { own(&key.fingerprint) };
            signers.push(Box::new(Gpg::open(&source)?));
        }
        Ok(signers)
    }

    /// The keys of a new repository: those that are given, or this machine's development key for one that is for
    /// trials.
    ///
    /// # Errors
    /// None is given for a repository that is no trial, or one cannot sign.
    pub fn first_signers(&self, development: bool) -> Result<Vec<Box<dyn Signer>>, AnyFailure> {
        let given = self.given();
        match (given.is_empty(), development) {
            (false, _) => open(given),
            (true, true) => open(vec![self::development()?]),
            (true, false) => Err(Message::usage(
                "a repository needs a key: give --key or --key-file, or --allow-development for a repository for trials",
            )
            .into()),
        }
    }

    fn given(&self) -> Vec<KeySource> {
        let ring = self.key.iter().map(|key| KeySource::KeyRing { home: None, key: key.clone() });
        let files = self.key_file.iter().map(|path| secret_file(path, &[PASSPHRASE]));
        ring.chain(files).collect()
    }
}

/// The key that takes over, from the key ring or from a file; none where neither is named.
///
/// # Errors
/// It is not there, or cannot sign.
pub fn new_signer(key: Option<&str>, file: Option<&Path>) -> Result<Option<Box<dyn Signer>>, AnyFailure> {
    let source = match (key, file) {
        (Some(key), _) => KeySource::KeyRing { home: None, key: key.to_owned() },
        (None, Some(file)) => secret_file(file, &[NEW_PASSPHRASE, PASSPHRASE]),
        (None, None) => return Ok(None),
    };
    Ok(Some(Box::new(Gpg::open(&source)?)))
}

fn secret_file(path: &Path, passphrases: &[&str]) -> KeySource {
    let passphrase = passphrases.iter().find_map(|name| std::env::var(name).ok()).map(Passphrase::new);
    KeySource::SecretFile { path: path.to_owned(), passphrase }
}

fn development() -> Result<KeySource, AnyFailure> {
    Ok(development_key(&Store::open(None)?))
}

fn open(sources: Vec<KeySource>) -> Result<Vec<Box<dyn Signer>>, AnyFailure> {
    let mut signers: Vec<Box<dyn Signer>> = Vec::new();
    for source in sources {
        signers.push(Box::new(Gpg::open(&source)?));
    }
    Ok(signers)
}
