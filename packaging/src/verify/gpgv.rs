//! gpgv(1), which checks signatures with the keys of one key ring and knows no other.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::VerifyError;

/// A key that made a signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Fingerprint of the key itself, which may be a subkey.
    pub fingerprint: String,
    /// Fingerprint of its primary key.
    pub primary: String,
    /// The user id, as the key ring has it.
    pub user_id: String,
}

/// gpgv with a key ring, in an empty home: nothing of the user's has a say.
pub(crate) struct Gpgv {
    keyring: PathBuf,
    home: tempfile::TempDir,
}

impl Gpgv {
    pub(crate) fn new(keyring: &Path) -> Result<Self, VerifyError> {
        let failed = |source| VerifyError::File { path: keyring.to_owned(), source };
        if fs::read(keyring).map_err(failed)?.starts_with(b"-----BEGIN PGP") {
            return Err(VerifyError::Armored { path: keyring.to_owned() });
        }
        // A name without a slash would be looked for in the home.
        let keyring = std::path::absolute(keyring).map_err(failed)?;
        let home = tempfile::tempdir().map_err(|source| VerifyError::File { path: std::env::temp_dir(), source })?;
        Ok(Self { keyring, home })
    }

    /// Checks a signature that is apart from its file.
    pub(crate) fn detached(&self, signature: &Path, file: &Path, content: &[u8]) -> Result<Key, VerifyError> {
        if !signature.is_file() {
            return Err(VerifyError::Missing {
                path: signature.to_owned(),
                because: "the file beside it has to be signed",
            });
        }
        self.run(&[signature, Path::new("-")], content, file)
    }

    /// The same for a signature that is in memory; `path` is the file that has both, for messages.
    pub(crate) fn detached_bytes(&self, signature: &[u8], path: &Path, content: &[u8]) -> Result<Key, VerifyError> {
        let file = self.home.path().join("signature");
        fs::write(&file, signature).map_err(|source| VerifyError::File { path: file.clone(), source })?;
        self.run(&[&file, Path::new("-")], content, path)
    }

    /// Checks a clear-signed file.
    pub(crate) fn clear_signed(&self, file: &Path) -> Result<Key, VerifyError> {
        self.run(&[file], &[], file)
    }

    fn run(&self, files: &[&Path], input: &[u8], signed: &Path) -> Result<Key, VerifyError> {
        let mut command = Command::new("gpgv");
        command.env("LC_ALL", "C").arg("--homedir").arg(self.home.path()).arg("--keyring").arg(&self.keyring);
        command.args(["--status-fd", "1", "--"]);
        for file in files {
            // No name is taken for an option, and only `-` for standard input.
            command.arg(if file.as_os_str() == "-" { (*file).to_owned() } else { absolute(file)? });
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut gpgv = command.spawn().map_err(VerifyError::NoGpgv)?;
        // What gpgv says fits into its pipes, so that it can be read afterwards. It may stop reading early, and says why.
        let _ = gpgv.stdin.take().expect("piped").write_all(input);
        let output = gpgv.wait_with_output().map_err(VerifyError::NoGpgv)?;
        key(&String::from_utf8_lossy(&output.stdout), output.status.success()).map_err(|why| {
            let said = String::from_utf8_lossy(&output.stderr);
            let said: Vec<&str> = said.lines().map(|line| line.trim_start_matches("gpgv:").trim()).collect();
            VerifyError::Signature {
                path: signed.to_owned(),
                keyring: self.keyring.clone(),
                found: format!("{why} (gpgv: {})", said.join("; ")),
            }
        })
    }
}

fn absolute(path: &Path) -> Result<PathBuf, VerifyError> {
    std::path::absolute(path).map_err(|source| VerifyError::File { path: path.to_owned(), source })
}

/// The key of a good signature, as gpgv tells programs (`doc/DETAILS` in GnuPG's source, "GOODSIG", "VALIDSIG").
fn key(status: &str, success: bool) -> Result<Key, &'static str> {
    let find = |word: &str| {
        status.lines().find_map(|line| line.strip_prefix("[GNUPG:] ")?.strip_prefix(word)?.strip_prefix(' '))
    };
    let any = |words: &[&str]| words.iter().any(|word| find(word).is_some());
    if any(&["BADSIG"]) {
        return Err("it was changed after it had been signed");
    }
    if any(&["EXPSIG", "EXPKEYSIG", "REVKEYSIG"]) {
        return Err("its signature, or the key that made it, has expired or was revoked");
    }
    if any(&["NO_PUBKEY"]) {
        return Err("it is signed by another key");
    }
    match (find("GOODSIG"), find("VALIDSIG")) {
        (Some(good), Some(valid)) if success && !any(&["ERRSIG"]) => {
            let fields: Vec<&str> = valid.split(' ').collect();
            let fingerprint = fields[0].to_owned();
            let primary = fields.get(9).map_or_else(|| fingerprint.clone(), |primary| (*primary).to_owned());
            let user_id = good.split_once(' ').map_or("", |(_, user_id)| user_id).to_owned();
            Ok(Key { fingerprint, primary, user_id })
        }
        _ => Err("it has no signature that can be checked"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_signature_counts() {
        const GOOD: &str = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1111 A <a@x>\n\
            [GNUPG:] VALIDSIG AAAA 2025-06-04 1749031200 0 4 0 22 10 00 BBBB\n";
        let found = Key { fingerprint: "AAAA".into(), primary: "BBBB".into(), user_id: "A <a@x>".into() };
        assert_eq!(key(GOOD, true), Ok(found));
        assert!(key(GOOD, false).is_err());
        assert!(key("", true).is_err());
        for more in
            ["BADSIG 2 B", "EXPSIG 2 B", "EXPKEYSIG 2 B", "REVKEYSIG 2 B", "ERRSIG 2 22 10 00 1 9", "NO_PUBKEY 2"]
        {
            assert!(key(&format!("{GOOD}[GNUPG:] {more}\n"), true).is_err(), "{more}");
        }
        assert!(key(&GOOD.replace("VALIDSIG", "OTHER"), true).is_err());
        assert!(key(&GOOD.replace("GOODSIG", "EXPKEYSIG"), true).is_err());
        assert!(key(&GOOD.replace("[GNUPG:] ", ""), true).is_err());
    }
}
