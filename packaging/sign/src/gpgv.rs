//! gpgv(1), which checks signatures with the keys of one key ring and knows no other.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use foundation::failure::{self, Failure, Kind, Outcome};

/// A signature cannot be checked, or is not good.
#[derive(Debug, thiserror::Error)]
pub enum GpgvError {
    /// gpgv(1) cannot be started, mostly since it is not installed.
    #[error("cannot run gpgv, which checks the signatures: {0}")]
    NoGpgv(io::Error),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file that cannot be read or written.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The key ring is an armored key.
    #[error("{} is an armored key, and gpgv reads only binary ones", path.display())]
    Armored {
        /// The file of the key ring.
        path: PathBuf,
    },
    /// The key ring has no key.
    #[error("{} has no public key that gpgv can read", path.display())]
    NoKeys {
        /// The file of the key ring.
        path: PathBuf,
    },
    /// The file with the signature is missing.
    #[error("{} is missing, or not a file: expected because {because}", path.display())]
    Missing {
        /// The path where the signature should be.
        path: PathBuf,
        /// Why the signature must be there: the end of a sentence.
        because: &'static str,
    },
    /// A file with a signature has more in it, which no reader of OpenPGP looks at.
    #[error("{}: expected an armored signature and nothing else, found more around it", path.display())]
    NotOnly {
        /// The file with the signature.
        path: PathBuf,
    },
    /// A signature is not good.
    #[error("{}: expected a good signature by a key of {}, found that {found}", path.display(), keyring.display())]
    Signature {
        /// The file whose signature is not good.
        path: PathBuf,
        /// The key ring whose keys were accepted.
        keyring: PathBuf,
        /// What gpgv found, as the end of a sentence that begins with "found that".
        found: String,
    },
}

impl Failure for GpgvError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::NoGpgv(_) => Kind::Failed.next("install it with `apt-get install gpgv`"),
            Self::File { source, .. } => failure::of_file(source),
            Self::Armored { .. } => {
                Kind::Input.next("convert it with `gpg --dearmor`, or name a binary one: beside packages it is key.gpg")
            }
            Self::NoKeys { .. } => {
                Kind::Input.next(
                    "write it with `gpg --export KEY > key.gpg`, or name another one: beside packages it is key.gpg, and those of Debian's \
                     archive are in the package debian-archive-keyring, below /usr/share/keyrings",
                )
            }
            Self::Missing { .. } | Self::NotOnly { .. } | Self::Signature { .. } => Kind::Verification.next(UNTRUSTED),
        }
    }
}

/// What to do about packages that are not as they were signed.
pub const UNTRUSTED: &str =
    "install nothing from this folder; get it again from whoever published it, and ask them if that does not help";

/// A key that made a signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Signatory {
    /// Fingerprint of the key itself, which may be a subkey.
    pub fingerprint: String,
    /// Fingerprint of the primary key that it belongs to; the same where it is one itself.
    pub primary: String,
    /// The user id of the primary key, as the key ring has it.
    pub user_id: String,
}

/// gpgv with a key ring, in an empty home: nothing of the user's has a say.
pub struct Gpgv {
    keyring: PathBuf,
    home: tempfile::TempDir,
}

impl Gpgv {
    /// Trusts the keys of this key ring (binary, as `gpg --export` writes it) and no others.
    ///
    /// # Errors
    /// It cannot be read, or is armored.
    pub fn new(keyring: &Path) -> Result<Self, GpgvError> {
        let failed = |source| GpgvError::File { path: keyring.to_owned(), source };
        let ring = fs::read(keyring).map_err(failed)?;
        check_keyring(keyring, &ring)?;
        // A name without a slash would be looked for in the home.
        let keyring = std::path::absolute(keyring).map_err(failed)?;
        let home = tempfile::tempdir().map_err(|source| GpgvError::File { path: std::env::temp_dir(), source })?;
        Ok(Self { keyring, home })
    }

    /// Checks a signature that is apart from its file.
    ///
    /// # Errors
    /// The file `signature` is missing or has more in it than an armored signature, gpgv cannot be run, or one of the
    /// signatures is not good or not by a key of the key ring.
    pub fn detached(&self, signature: &Path, file: &Path, content: &[u8]) -> Result<Signatory, GpgvError> {
        self.detached_by_all(signature, file, content).map(first)
    }

    /// The same where several keys have signed: all of them, and each signature has to be good.
    ///
    /// # Errors
    /// The same as for [`Self::detached`].
    pub fn detached_by_all(&self, signature: &Path, file: &Path, content: &[u8]) -> Result<Vec<Signatory>, GpgvError> {
        if !signature.is_file() {
            return Err(GpgvError::Missing {
                path: signature.to_owned(),
                because: "the file beside it has to be signed",
            });
        }
        let armored = fs::read(signature).map_err(|source| GpgvError::File { path: signature.to_owned(), source })?;
        if !bare_armor(&armored) {
            return Err(GpgvError::NotOnly { path: signature.to_owned() });
        }
        self.run(&[signature, Path::new("-")], None, content, file, Strange::Refused)
    }

    /// The same for a signature that is in memory; `path` is the file that has both, for messages.
    ///
    /// # Errors
    /// The signature cannot be written to a temporary file, or it fails as [`Self::detached`] does.
    pub fn detached_bytes(&self, signature: &[u8], path: &Path, content: &[u8]) -> Result<Signatory, GpgvError> {
        let file = self.home.path().join("signature");
        fs::write(&file, signature).map_err(|source| GpgvError::File { path: file.clone(), source })?;
        self.run(&[&file, Path::new("-")], None, content, path, Strange::Refused).map(first)
    }

    /// Checks a clear-signed file, and returns the key that signed it.
    ///
    /// # Errors
    /// gpgv cannot be run, the file has no signature, or one of its signatures is not good or not by a key of the key
    /// ring.
    pub fn clear_signed(&self, file: &Path) -> Result<Signatory, GpgvError> {
        self.run(&[file], None, &[], file, Strange::Refused).map(first)
    }

    /// The keys of a clear-signed file's signatures that the key ring has, one at least; apt(8) asks for no more.
    ///
    /// # Errors
    /// gpgv cannot be run, or no signature of the file is good and by a key of the key ring.
    pub fn trusted(&self, file: &Path) -> Result<Vec<Signatory>, GpgvError> {
        self.run(&[file], None, &[], file, Strange::Ignored)
    }

    /// What was signed, where one signature at least is by a key that the key ring has.
    ///
    /// # Errors
    /// gpgv cannot be run, or no signature of the file is good and by a key of the key ring.
    pub fn trusted_text(&self, file: &Path) -> Result<String, GpgvError> {
        self.text(file, Strange::Ignored).map(|(text, _)| text)
    }

    /// The same, and returns what was signed: only that, since anything may stand around it. All keys are named, and each
    /// signature has to be good.
    ///
    /// # Errors
    /// gpgv cannot be run, the file has no signature, or one of its signatures is not good or not by a key of the key
    /// ring.
    pub fn clear_text(&self, file: &Path) -> Result<(String, Vec<Signatory>), GpgvError> {
        self.text(file, Strange::Refused)
    }

    /// The same for what was signed some time ago: keys may have ended since.
    ///
    /// # Errors
    /// gpgv cannot be run, the text was changed, or a key that signed is not in the key ring. A key that has ended is
    /// no error.
    pub fn past_text(&self, file: &Path) -> Result<(String, Vec<Signatory>), GpgvError> {
        self.text(file, Strange::Past)
    }

    /// Checks a detached signature of some time ago: keys may have ended since.
    ///
    /// # Errors
    /// gpgv cannot be run, the content was changed, or a key that signed is not in the key ring. A key that has ended
    /// is no error.
    pub fn past_detached(&self, signature: &Path, file: &Path, content: &[u8]) -> Result<Vec<Signatory>, GpgvError> {
        self.run(&[signature, Path::new("-")], None, content, file, Strange::Past)
    }

    /// The keys of a detached signature that the key ring has, one at least; apt(8) asks for no more.
    ///
    /// # Errors
    /// gpgv cannot be run, or no signature is good and by a key of the key ring.
    pub fn trusted_detached(&self, signature: &Path, file: &Path, content: &[u8]) -> Result<Vec<Signatory>, GpgvError> {
        self.run(&[signature, Path::new("-")], None, content, file, Strange::Ignored)
    }

    fn text(&self, file: &Path, strange: Strange) -> Result<(String, Vec<Signatory>), GpgvError> {
        let text = self.home.path().join("text");
        let keys = self.run(&[file], Some(&text), &[], file, strange)?;
        let content = fs::read_to_string(&text).map_err(|source| GpgvError::File { path: file.to_owned(), source })?;
        Ok((content, keys))
    }

    fn run(
        &self,
        files: &[&Path],
        output: Option<&Path>,
        input: &[u8],
        signed: &Path,
        strange: Strange,
    ) -> Result<Vec<Signatory>, GpgvError> {
        let mut command = Command::new("gpgv");
        command.env("LC_ALL", "C").arg("--homedir").arg(self.home.path()).arg("--keyring").arg(&self.keyring);
        if let Some(output) = output {
            // gpgv asks before it overwrites.
            let _ = fs::remove_file(output);
            command.arg("--output").arg(output);
        }
        command.args(["--status-fd", "1", "--"]);
        for file in files {
            // No name is taken for an option, and only `-` for standard input.
            command.arg(if file.as_os_str() == "-" { (*file).to_owned() } else { absolute(file)? });
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut gpgv = command.spawn().map_err(GpgvError::NoGpgv)?;
        // What gpgv says fits into its pipes, so that it can be read afterwards. It may stop reading early, and says why.
        let _ = gpgv.stdin.take().expect("piped").write_all(input);
        let output = gpgv.wait_with_output().map_err(GpgvError::NoGpgv)?;
        keys(&String::from_utf8_lossy(&output.stdout), output.status.success(), strange).map_err(|why| {
            let said = String::from_utf8_lossy(&output.stderr);
            let said: Vec<&str> = said.lines().map(|line| line.trim_start_matches("gpgv:").trim()).collect();
            GpgvError::Signature {
                path: signed.to_owned(),
                keyring: self.keyring.clone(),
                found: format!("{why} (gpgv: {})", said.join("; ")),
            }
        })
    }
}

/// Whether this is one armored signature, written as we write it: no header, no text before, after or between (RFC 9580,
/// 6.2). OpenPGP skips all of that, so that a file could be another than the one that was published and pass.
fn bare_armor(file: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(file) else { return false };
    let body = text.strip_prefix("-----BEGIN PGP SIGNATURE-----\n\n");
    let Some(body) = body.and_then(|body| body.strip_suffix("\n-----END PGP SIGNATURE-----\n")) else { return false };
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    body.split('\n').all(|line| !line.is_empty() && line.bytes().all(base64))
}

/// Whether gpgv can read the key ring of this path with this content.
///
/// # Errors
/// It is armored, or does not begin with a public key.
pub fn check_keyring(path: &Path, ring: &[u8]) -> Result<(), GpgvError> {
    if ring.starts_with(b"-----BEGIN PGP") {
        return Err(GpgvError::Armored { path: path.to_owned() });
    }
    if !has_key(ring) {
        return Err(GpgvError::NoKeys { path: path.to_owned() });
    }
    Ok(())
}

/// Whether it begins as a public key does (RFC 9580, 4.2: packets of type 6, in the older and the newer format), or is a
/// keybox (`kbx/keybox-blob.c` in GnuPG's source). gpgv says of all else that the signature is by another key.
fn has_key(ring: &[u8]) -> bool {
    matches!(ring.first(), Some(0x98..=0x9b | 0xc6)) || ring.get(8..12) == Some(b"KBXf")
}

/// What a signature means whose key is not in the key ring, has ended or was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strange {
    /// Each signature has to be good.
    Refused,
    /// One that is good is enough, as apt(8) has it.
    Ignored,
    /// All keys are known; whether they are still good is no matter, since it is about the past.
    Past,
}

/// The fingerprints of their primary keys, each once: two subkeys of a key sign while one of them takes over.
pub fn primaries(keys: &[Signatory]) -> Vec<String> {
    let mut found: Vec<String> = keys.iter().map(|key| key.primary.clone()).collect();
    found.dedup();
    found
}

fn first(keys: Vec<Signatory>) -> Signatory {
    keys.into_iter().next().expect("there is no result without a key")
}

fn absolute(path: &Path) -> Result<PathBuf, GpgvError> {
    std::path::absolute(path).map_err(|source| GpgvError::File { path: path.to_owned(), source })
}

/// The keys of good signatures, one at least, as gpgv tells programs (`doc/DETAILS` in GnuPG's source, "GOODSIG", "VALIDSIG").
fn keys(status: &str, success: bool, strange: Strange) -> Result<Vec<Signatory>, &'static str> {
    let lines = || status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")?.split_once(' '));
    let all = |word: &'static str| lines().filter(move |(found, _)| *found == word).map(|(_, rest)| rest);
    let any = |words: &[&'static str]| words.iter().any(|word| all(word).next().is_some());
    if any(&["BADSIG"]) {
        return Err("it was changed after it had been signed");
    }
    const ENDED: [&str; 3] = ["EXPSIG", "EXPKEYSIG", "REVKEYSIG"];
    let good: Vec<&str> = all("GOODSIG").collect();
    let ignored = strange == Strange::Ignored && !good.is_empty();
    if any(&ENDED) && strange == Strange::Refused || any(&ENDED) && strange == Strange::Ignored && good.is_empty() {
        return Err("its signature, or the key that made it, has expired or was revoked");
    }
    if any(&["NO_PUBKEY"]) && !ignored {
        return Err("it is signed by another key");
    }
    // The last word is the reason: 9 is that the key is missing.
    let errors = all("ERRSIG").any(|error| !(ignored && error.split(' ').nth(5) == Some("9")));
    // What gpgv makes of the whole counts unless some of it is put up with.
    let success = success || (ignored && any(&["NO_PUBKEY"])) || (strange != Strange::Refused && any(&ENDED));
    let accepted = |word: &str| word == "GOODSIG" || (strange == Strange::Past && ENDED.contains(&word));
    // Each VALIDSIG belongs to the line before it that says how the key is.
    let (mut found, mut last, mut open) = (Vec::new(), None, false);
    for (word, rest) in lines() {
        if word == "GOODSIG" || ENDED.contains(&word) {
            (last, open) = (accepted(word).then_some(rest), true);
        } else if word == "VALIDSIG" {
            if !open {
                return Err("it has no signature that can be checked");
            }
            open = false;
            let Some(user) = last.take() else { continue };
            let fields: Vec<&str> = rest.split(' ').collect();
            let fingerprint = fields[0].to_owned();
            let primary = fields.get(9).map_or_else(|| fingerprint.clone(), |primary| (*primary).to_owned());
            let user_id = user.split_once(' ').map_or("", |(_, user_id)| user_id).to_owned();
            found.push(Signatory { fingerprint, primary, user_id });
        }
    }
    if found.is_empty() || open || !success || errors {
        return Err("it has no signature that can be checked");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_armor_and_no_more() {
        let armor = "-----BEGIN PGP SIGNATURE-----\n\niHUEABYK\nAB0=\n=abcd\n-----END PGP SIGNATURE-----\n";
        assert!(bare_armor(armor.as_bytes()));
        for other in [
            format!("{armor}x"),
            format!("{armor}\n"),
            format!("x\n{armor}"),
            armor.replace("-----\n\n", "-----\nComment: x\n\n"),
            armor.replace("=abcd", "\n=abcd"),
            armor.replace('\n', "\r\n"),
            armor.replace("AB0=", "AB 0="),
            armor.trim_end().to_owned(),
            String::new(),
        ] {
            assert!(!bare_armor(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn only_a_good_signature_counts() {
        const GOOD: &str = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1111 A <a@x>\n\
            [GNUPG:] VALIDSIG AAAA 2025-06-04 1749031200 0 4 0 22 10 00 BBBB\n";
        let found = Signatory { fingerprint: "AAAA".into(), primary: "BBBB".into(), user_id: "A <a@x>".into() };
        assert_eq!(keys(GOOD, true, Strange::Refused), Ok(vec![found.clone()]));
        let second = Signatory { fingerprint: "CCCC".into(), primary: "CCCC".into(), user_id: "C".into() };
        let other = "[GNUPG:] ERRSIG 3333 22 10 00 1749031200 9 DDDD\n[GNUPG:] NO_PUBKEY 3333\n";
        assert_eq!(keys(&format!("{GOOD}{other}"), false, Strange::Ignored), Ok(vec![found.clone()]));
        assert!(keys(other, false, Strange::Ignored).is_err());
        let bad = format!("{GOOD}{}", other.replace(" 9 ", " 4 "));
        assert!(keys(&bad, false, Strange::Ignored).is_err());
        assert!(keys(&format!("{GOOD}{other}[GNUPG:] BADSIG 2 B\n"), false, Strange::Ignored).is_err());
        let more = "[GNUPG:] GOODSIG 2222 C\n[GNUPG:] VALIDSIG CCCC\n";
        assert_eq!(keys(&format!("{GOOD}{more}"), true, Strange::Refused), Ok(vec![found.clone(), second.clone()]));
        let ended = GOOD.replace("GOODSIG 1111", "REVKEYSIG 1111");
        assert!(keys(&ended, true, Strange::Ignored).is_err() && keys(&ended, true, Strange::Refused).is_err());
        assert_eq!(keys(&ended, true, Strange::Past), Ok(vec![found.clone()]));
        assert_eq!(keys(&format!("{ended}{more}"), false, Strange::Ignored), Ok(vec![second.clone()]));
        assert_eq!(keys(&format!("{ended}{more}"), false, Strange::Past), Ok(vec![found.clone(), second.clone()]));
        assert!(keys(&format!("{ended}{other}"), false, Strange::Past).is_err());
        assert!(keys(GOOD, false, Strange::Refused).is_err());
        assert!(keys("", true, Strange::Refused).is_err());
        for more in
            ["BADSIG 2 B", "EXPSIG 2 B", "EXPKEYSIG 2 B", "REVKEYSIG 2 B", "ERRSIG 2 22 10 00 1 9", "NO_PUBKEY 2"]
        {
            assert!(keys(&format!("{GOOD}[GNUPG:] {more}\n"), true, Strange::Refused).is_err(), "{more}");
        }
        assert!(keys(&GOOD.replace("VALIDSIG", "OTHER"), true, Strange::Refused).is_err());
        assert!(keys(&GOOD.replace("GOODSIG", "EXPKEYSIG"), true, Strange::Refused).is_err());
        assert!(keys(&GOOD.replace("[GNUPG:] ", ""), true, Strange::Refused).is_err());
    }
}
