//! A [`Signer`] that runs gpg (gpg(1), and `doc/DETAILS` in GnuPG's source for what it prints for programs).
//!
//! Keys that are handed over (by a CI system, or the development key) are imported into a throw-away home, whose agent
//! is ended with it. A passphrase goes through standard input, before the data: never through an argument list, a
//! file or the environment. Time is set to the build's, so that an Ed25519 signature is the same every time.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use foundation::date;
use rustix::fs::{FlockOperation, flock};
use tempfile::{NamedTempFile, TempDir};

use crate::public_key;
use crate::signer::{
    DEVELOPMENT_NAME, KeyForm, KeyKind, KeySource, Passphrase, SignError, SignatureForm, Signer, SigningKey,
};

/// The development key's file in its state folder.
pub const DEVELOPMENT_FILE: &str = "development-key.asc";

/// What the names of throw-away homes begin with.
const PREFIX: &str = "mp-gpg-";

/// The locked file in a throw-away home.
const LOCK: &str = "in-use";

/// The age from which a home without a lock is taken for left behind.
const STALE: Duration = Duration::from_secs(60);

/// 2019-02-15, before every build: a signature cannot be older than its key.
const DEVELOPMENT_CREATED: i64 = 1_550_188_800;

/// A [`Signer`] that runs gpg.
#[derive(Debug)]
pub struct Gpg {
    program: PathBuf,
    home: Home,
    passphrase: Option<Passphrase>,
    key: SigningKey,
    /// Whatever has a secret part and may sign, the first choice first; also what has ended.
    secret_keys: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Home {
    /// The user's own, whose agent asks for passphrases and card PINs.
    Users(Option<PathBuf>),
    ThrowAway(ThrowAway),
}

/// A home that is removed, and whose agent is ended, when it is dropped. The lock tells a home in use from one that a
/// killed run has left.
#[derive(Debug)]
pub(crate) struct ThrowAway {
    folder: TempDir,
    _lock: fs::File,
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        end_agent(self.folder.path());
    }
}

fn end_agent(home: &Path) {
    // Nothing can be done where this fails; an agent ends by itself when its home is gone.
    let _ = Command::new("gpgconf").arg("--homedir").arg(home).args(["--kill", "all"]).output();
}

/// A key as gpg lists it.
#[derive(Debug)]
struct Listed {
    fingerprint: String,
    created: i64,
    validity: char,
    signs: bool,
    secret: bool,
    disabled: bool,
    user_id: String,
    subkeys: Vec<Listed>,
}

impl Gpg {
    /// Finds (or, for a development key, makes) the key, and checks that it can sign.
    ///
    /// # Errors
    /// gpg cannot be run, the key is not there, is not the only one of this name, has expired, was revoked or cannot
    /// sign, its passphrase is wrong or missing, or a file cannot be read or written.
    pub fn open(source: &KeySource) -> Result<Self, SignError> {
        Self::open_with(Path::new("gpg"), source)
    }

    /// The same with another program than the `gpg` on the PATH.
    ///
    /// # Errors
    /// The same as for [`Self::open`].
    pub fn open_with(program: &Path, source: &KeySource) -> Result<Self, SignError> {
        let (home, passphrase, wanted, place) = match source {
            KeySource::KeyRing { home, key } => {
                let place = home.as_ref().map_or("your key ring".to_owned(), |home| home.display().to_string());
                (Home::Users(home.clone()), None, Some(key.as_str()), place)
            }
            KeySource::SecretFile { path, passphrase } => {
                let secret = fs::read(path).map_err(|source| SignError::File { path: path.clone(), source })?;
                let place = path.display().to_string();
                (Home::ThrowAway(import(program, &secret, &place)?), passphrase.clone(), None, place)
            }
            KeySource::SecretText { name, text, passphrase } => (
                Home::ThrowAway(import(program, text.expose().as_bytes(), name)?),
                passphrase.clone(),
                None,
                name.clone(),
            ),
            KeySource::Development { state } => {
                let secret = development_key(program, state)?;
                let place = state.join(DEVELOPMENT_FILE).display().to_string();
                (Home::ThrowAway(import(program, &secret, &place)?), None, None, place)
            }
        };
        let keys = list(program, &home, wanted, &place)?;
        let secret_keys = keys.first().map_or_else(Vec::new, |primary| fingerprints(&candidates(primary, wanted)));
        let key = choose(keys, wanted, &place)?;
        let gpg = Self { program: program.to_owned(), home, passphrase, key, secret_keys };
        // Now, rather than after an hour's build; an agent remembers the passphrase from here on.
        gpg.sign(SignatureForm::DetachedBinary, &mut io::empty(), gpg.key.created)?;
        Ok(gpg)
    }
}

impl Signer for Gpg {
    fn key(&self) -> &SigningKey {
        &self.key
    }

    fn secret_keys(&self) -> &[String] {
        &self.secret_keys
    }

    fn sign(&self, form: SignatureForm, data: &mut dyn Read, epoch: i64) -> Result<Vec<u8>, SignError> {
        self.sign_with(&self.key.fingerprint, None, form, data, epoch.max(self.key.created))
    }

    fn sign_with(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        form: SignatureForm,
        data: &mut dyn Read,
        epoch: i64,
    ) -> Result<Vec<u8>, SignError> {
        // Secret parts are the agent's; gpg takes what it knows of the key from the ring that it is pointed at.
        let ring = seen.map(public_key::write).transpose()?;
        let sign = |data: &mut dyn Read| {
            let mut command = command(&self.program, &self.home);
            if let Some(ring) = &ring {
                command.arg("--no-default-keyring").arg("--keyring").arg(ring.path());
            }
            // Exactly this key; frozen time.
            command.args(["--digest-algo", "SHA512", "--no-emit-version", "--no-comments", "--local-user"]);
            command.arg(format!("{key}!")).arg(format!("--faked-system-time={epoch}!"));
            command.args(match form {
                SignatureForm::Clear => &["--armor", "--clear-sign"][..],
                SignatureForm::DetachedArmored => &["--armor", "--detach-sign"],
                SignatureForm::DetachedBinary => &["--no-armor", "--detach-sign"],
            });
            match &self.home {
                Home::Users(_) => run(command, data),
                Home::ThrowAway(_) => {
                    command.args(["--pinentry-mode", "loopback", "--passphrase-fd", "0"]);
                    let line = format!("{}\n", self.passphrase.as_ref().map_or("", Passphrase::expose));
                    run(command, &mut line.as_bytes().chain(data))
                }
            }
        };
        // gpg does not freeze the second in which it starts (`gnupg_set_time` in GnuPG's common/gettime.c), and the next one may begin
        // before it signs. Then that second is over, and the same again is dated as it should be. gpg's clock, time(2), is some
        // milliseconds behind the one that is read here.
        let ran = if epoch + 1 < date::now() {
            sign(data)?
        } else {
            let mut kept = Vec::new();
            data.read_to_end(&mut kept).map_err(|error| unreadable(&error))?;
            let ran = sign(&mut kept.as_slice())?;
            if ran.success && ran.check_created(key, form, epoch).is_err() { sign(&mut kept.as_slice())? } else { ran }
        };
        if ran.success {
            ran.check_created(key, form, epoch)?;
            return Ok(ran.output);
        }
        let key = key.to_owned();
        const NOBODY: [&str; 3] = ["No pinentry", "Inappropriate ioctl for device", "cannot open '/dev/tty'"];
        Err(if matches!(self.home, Home::Users(_)) && ran.says(&NOBODY) {
            SignError::Unasked { key }
        } else if ran.says(&["Bad passphrase", "BAD_PASSPHRASE", "No passphrase given", "Invalid passphrase"]) {
            SignError::Passphrase { key }
        } else if ran.says(&["KEYEXPIRED", "Unusable public key", "Key expired"]) {
            SignError::Expired { key }
        } else {
            ran.error("sign")
        })
    }

    fn public_key(&self, form: KeyForm) -> Result<Vec<u8>, SignError> {
        let mut command = command(&self.program, &self.home);
        command.args(["--no-emit-version", "--no-comments", "--export-options", "export-minimal,no-export-attributes"]);
        command.arg(if form == KeyForm::Armored { "--armor" } else { "--no-armor" });
        command.args(["--export", &self.key.primary]);
        let ran = run(command, &mut io::empty())?;
        if ran.success && !ran.output.is_empty() { Ok(ran.output) } else { Err(ran.error("export the public key")) }
    }
}

/// The development key's secret part; made where there is none.
fn development_key(program: &Path, state: &Path) -> Result<Vec<u8>, SignError> {
    let path = state.join(DEVELOPMENT_FILE);
    let file_error = |source| SignError::File { path: path.clone(), source };
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result.map_err(file_error),
    }
    let home = Home::ThrowAway(throw_away()?);
    let parameters = format!(
        "%no-protection\nKey-Type: eddsa\nKey-Curve: Ed25519\nKey-Usage: sign\nName-Real: {DEVELOPMENT_NAME} of this machine\n\
         Name-Email: untrusted@development.invalid\nExpire-Date: 0\n%commit\n"
    );
    let mut generate = command(program, &home);
    generate.arg(format!("--faked-system-time={DEVELOPMENT_CREATED}!")).arg("--generate-key");
    let ran = run(generate, &mut parameters.as_bytes())?;
    if !ran.success {
        return Err(ran.error("make a development key"));
    }
    let mut export = command(program, &home);
    export.args(["--armor", "--no-emit-version", "--no-comments", "--export-secret-keys"]);
    let ran = run(export, &mut io::empty())?;
    if !ran.success || ran.output.is_empty() {
        return Err(ran.error("export the development key"));
    }
    fs::create_dir_all(state).map_err(file_error)?;
    // Only the owner can read it; another run may have been faster, and then its key counts.
    let mut file = NamedTempFile::new_in(state).map_err(file_error)?;
    file.write_all(&ran.output).and_then(|()| file.as_file().sync_all()).map_err(file_error)?;
    match file.persist_noclobber(&path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(file_error(error.error)),
        _ => fs::read(&path).map_err(file_error),
    }
}

fn import(program: &Path, secret: &[u8], place: &str) -> Result<ThrowAway, SignError> {
    let throw_away = throw_away()?;
    let home = Home::ThrowAway(throw_away);
    let mut import = command(program, &home);
    import.arg("--import");
    let ran = run(import, &mut &secret[..])?;
    let Home::ThrowAway(throw_away) = home else { unreachable!() };
    if ran.success && ran.says(&["IMPORT_OK"]) {
        Ok(throw_away)
    } else {
        Err(ran.error(&format!("import the key from {place}")))
    }
}

/// A new home without any key.
pub(crate) fn throw_away() -> Result<ThrowAway, SignError> {
    // The agent's socket is in it, and a socket's path has at most 107 characters.
    let place = Some(std::env::temp_dir()).filter(|path| path.as_os_str().len() < 60).unwrap_or_else(|| "/tmp".into());
    sweep(&place, STALE);
    let make = || -> io::Result<ThrowAway> {
        // Secret keys are in it: for nobody else, whatever the umask.
        let own = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(PREFIX).permissions(own).tempdir_in(&place)?;
        let lock = fs::File::create(folder.path().join(LOCK))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        Ok(ThrowAway { folder, _lock: lock })
    };
    make().map_err(|source| SignError::File { path: place.clone(), source })
}

/// Removes homes, with the secret keys in them, that runs have left which were killed.
fn sweep(place: &Path, stale: Duration) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // A new home has no lock yet; another user's cannot be opened.
        let old = entry
            .metadata()
            .and_then(|data| data.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age >= stale));
        if !ours || !old {
            continue;
        }
        let Ok(lock) = fs::File::open(path.join(LOCK)) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            end_agent(&path);
            // Where it cannot be removed, the next run tries again.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// gpg in this home, as programs ask it.
pub(crate) fn command(program: &Path, home: &Home) -> Command {
    let mut command = Command::new(program);
    // Nothing of the user's gpg.conf reaches what is signed: neither how long a signature holds, nor notations, nor more keys.
    command.env("LC_ALL", "C").args(["--no-options", "--batch", "--no-tty", "--status-fd", "2"]);
    let folder: Option<OsString> = match home {
        Home::Users(folder) => folder.as_ref().map(Into::into),
        Home::ThrowAway(folder) => {
            command.env_remove("GNUPGHOME");
            Some(folder.folder.path().into())
        }
    };
    if let Some(folder) = folder {
        command.arg("--homedir").arg(folder);
    }
    command
}

/// What gpg did.
pub(crate) struct Ran {
    pub success: bool,
    pub output: Vec<u8>,
    messages: String,
}

impl Ran {
    /// Whether gpg's status lines have one of these words.
    pub fn says(&self, any: &[&str]) -> bool {
        any.iter().any(|text| self.messages.contains(text))
    }

    /// Makes sure that one signature was made, by this key, of this time and kind (`doc/DETAILS` in GnuPG's source,
    /// "SIG_CREATED").
    fn check_created(&self, key: &str, form: SignatureForm, epoch: i64) -> Result<(), SignError> {
        const SHA512: &str = "10";
        let all: Vec<Vec<&str>> = self
            .messages
            .lines()
            .filter_map(|line| line.strip_prefix("[GNUPG:] SIG_CREATED "))
            .map(|line| line.split(' ').collect())
            .collect();
        let (kind, class) = if form == SignatureForm::Clear { ("C", "01") } else { ("D", "00") };
        let time = epoch.to_string();
        let good = |fields: &[&str]| matches!(fields, [k, _, digest, c, t, by] if *k == kind && *digest == SHA512 && *c == class && *t == time && *by == key);
        if let [only] = &all[..]
            && good(only)
        {
            return Ok(());
        }
        let made: Vec<String> = all.iter().map(|fields| fields.join(" ")).collect();
        let message = format!(
            "it was asked for a signature by {key} of the time {epoch} with SHA-512, and made '{}'. Settings for all of this \
             machine's users may have a say: look into /etc/gnupg",
            made.join("', '")
        );
        Err(SignError::Gpg { what: "sign as it was told".into(), message })
    }

    /// The error that gpg could not do this, with what it printed.
    pub fn error(&self, what: &str) -> SignError {
        let lines =
            self.messages.lines().filter(|line| !line.starts_with("[GNUPG:]") && !line.contains("faked system time"));
        let mut message = lines.collect::<Vec<_>>().join("; ");
        if self.says(&["gpg-agent", "No agent running", "No pinentry"]) {
            message += ". Is the agent installed? `apt install gpg-agent`";
        }
        SignError::Gpg { what: what.to_owned(), message }
    }
}

fn unreadable(error: &io::Error) -> SignError {
    SignError::Gpg { what: "read what is to be signed".into(), message: error.to_string() }
}

/// Runs it on this input.
pub(crate) fn run(mut command: Command, input: &mut dyn Read) -> Result<Ran, SignError> {
    let no_gpg = |source| SignError::NoGpg { source };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(no_gpg)?;
    let mut stdin = child.stdin.take().expect("piped");
    let (mut stdout, mut stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let (mut output, mut messages) = (Vec::new(), Vec::new());
    // gpg writes while it reads: all three at once, or one pipe would fill up.
    let copied = std::thread::scope(|scope| {
        let reader = scope.spawn(|| stdout.read_to_end(&mut output).map(drop));
        let listener = scope.spawn(|| stderr.read_to_end(&mut messages).map(drop));
        let copied = io::copy(input, &mut stdin);
        drop(stdin);
        reader.join().expect("it does not panic").and(listener.join().expect("it does not panic")).and(copied.map(drop))
    });
    let status = child.wait().map_err(no_gpg)?;
    let messages = String::from_utf8_lossy(&messages).into_owned();
    match copied {
        // gpg had said enough, and says why.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe || status.success() => Err(unreadable(&error)),
        _ => Ok(Ran { success: status.success(), output, messages }),
    }
}

/// The secret keys that gpg knows under this name.
fn list(program: &Path, home: &Home, wanted: Option<&str>, place: &str) -> Result<Vec<Listed>, SignError> {
    let mut list = command(program, home);
    list.args(["--with-colons", "--fixed-list-mode", "--list-secret-keys"]);
    if let Some(key) = wanted {
        list.arg("--").arg(key);
    }
    let ran = run(list, &mut io::empty())?;
    let keys = parse(&String::from_utf8_lossy(&ran.output));
    if keys.is_empty() {
        return Err(match wanted {
            Some(key) => SignError::NoKey { key: key.to_owned(), place: place.to_owned() },
            None => SignError::NotOne { place: place.to_owned(), count: 0 },
        });
    }
    Ok(keys)
}

/// Parses gpg's colon-separated listing.
fn parse(text: &str) -> Vec<Listed> {
    let mut keys: Vec<Listed> = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let field = |n: usize| fields.get(n).copied().unwrap_or_default();
        match field(0) {
            kind @ ("sec" | "ssb") => {
                let key = Listed {
                    fingerprint: String::new(),
                    created: field(5).parse().unwrap_or_default(),
                    validity: field(1).chars().next().unwrap_or('-'),
                    signs: field(11).contains('s'),
                    secret: field(14) != "#",
                    disabled: field(11).contains('D'),
                    user_id: String::new(),
                    subkeys: vec![],
                };
                match keys.last_mut() {
                    Some(primary) if kind == "ssb" => primary.subkeys.push(key),
                    _ => keys.push(key),
                }
            }
            "fpr" => {
                if let Some(primary) = keys.last_mut() {
                    let slot = match primary.subkeys.last_mut() {
                        Some(subkey) => &mut subkey.fingerprint,
                        None => &mut primary.fingerprint,
                    };
                    *slot = field(9).to_owned();
                }
            }
            "uid" => {
                if let Some(primary) = keys.last_mut().filter(|key| key.user_id.is_empty()) {
                    primary.user_id = field(9).replace("\\x3a", ":");
                }
            }
            _ => {}
        }
    }
    keys
}

/// The keys that can sign: the newest subkey first, and the primary key last.
fn candidates<'a>(primary: &'a Listed, wanted: Option<&str>) -> Vec<&'a Listed> {
    let exact = wanted.and_then(|key| key.strip_suffix('!')).map(|key| key.trim_start_matches("0x").to_uppercase());
    let mut candidates: Vec<&Listed> = primary
        .subkeys
        .iter()
        .chain([primary])
        .filter(|key| key.signs && key.secret)
        .filter(|key| exact.as_ref().is_none_or(|exact| key.fingerprint.ends_with(exact.as_str())))
        .collect();
    // Stable, so that the primary key stays behind subkeys of the same date.
    candidates.sort_by_key(|key| (std::ptr::eq(*key, primary), std::cmp::Reverse(key.created)));
    candidates
}

fn fingerprints(keys: &[&Listed]) -> Vec<String> {
    keys.iter().map(|key| key.fingerprint.clone()).collect()
}

/// The key that signs: the subkey that was asked for with a `!`, else the newest subkey that can, else the primary key.
fn choose(mut keys: Vec<Listed>, wanted: Option<&str>, place: &str) -> Result<SigningKey, SignError> {
    if keys.len() != 1 {
        if let Some(wanted) = wanted {
            let found = keys.iter().map(|key| format!("{} {}", key.fingerprint, key.user_id)).collect();
            return Err(SignError::Several { key: wanted.to_owned(), place: place.to_owned(), found });
        }
        return Err(SignError::NotOne { place: place.to_owned(), count: keys.len() });
    }
    let primary = keys.remove(0);
    let unusable = |key: &Listed| match key.validity {
        'e' => Some(SignError::Expired { key: key.fingerprint.clone() }),
        'r' => Some(SignError::Unusable { key: key.fingerprint.clone(), state: "is revoked".into() }),
        _ if key.disabled => Some(SignError::Unusable { key: key.fingerprint.clone(), state: "is disabled".into() }),
        _ => None,
    };
    if let Some(error) = unusable(&primary) {
        return Err(error);
    }
    let candidates = candidates(&primary, wanted);
    let Some(first) = candidates.first() else {
        return Err(SignError::Unusable {
            key: primary.fingerprint.clone(),
            state: "has no secret part that can sign".into(),
        });
    };
    let Some(key) = candidates.iter().find(|key| unusable(key).is_none()) else {
        return Err(unusable(first).expect("none of them is usable"));
    };
    let kind = if primary.user_id.starts_with(DEVELOPMENT_NAME) { KeyKind::Development } else { KeyKind::Release };
    Ok(SigningKey {
        fingerprint: key.fingerprint.clone(),
        created: key.created.max(primary.created),
        primary: primary.fingerprint.clone(),
        user_id: primary.user_id.clone(),
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "sec:u:255:22:1111:100:::u:::cSC:::+:::23::0:\nfpr:::::::::AAAA:\ngrp:::::::::x:\n\
        uid:u::::1::h::A\\x3a <a@x>::::::::::0:\nssb:e:255:22:2222:300::::::s:::+:::23:\nfpr:::::::::BBBB:\n\
        ssb:u:255:22:3333:200::::::s:::+:::23:\nfpr:::::::::CCCC:\nssb:u:255:18:4444:400::::::e:::+:::23:\nfpr:::::::::DDDD:\n";

    #[test]
    fn the_newest_usable_subkey_signs() {
        let key = choose(parse(LISTING), None, "x").unwrap();
        assert_eq!((key.fingerprint.as_str(), key.primary.as_str(), key.created), ("CCCC", "AAAA", 200));
        assert_eq!((key.user_id.as_str(), key.kind), ("A: <a@x>", KeyKind::Release));
        assert!(matches!(choose(parse(LISTING), Some("BBBB!"), "x"), Err(SignError::Expired { key }) if key == "BBBB"));
        assert!(matches!(choose(parse(LISTING), Some("DDDD!"), "x"), Err(SignError::Unusable { .. })));
    }

    #[test]
    fn what_cannot_sign_is_named() {
        let revoked = LISTING.replace("sec:u", "sec:r");
        assert!(
            matches!(choose(parse(&revoked), None, "x"), Err(SignError::Unusable { state, .. }) if state == "is revoked")
        );
        let two = format!("{LISTING}{LISTING}");
        assert!(matches!(choose(parse(&two), None, "x"), Err(SignError::NotOne { count: 2, .. })));
        let error = choose(parse(&two), Some("a@x"), "your key ring").unwrap_err().to_string();
        assert_eq!(error, "2 secret keys in your key ring match 'a@x':\n  AAAA A: <a@x>\n  AAAA A: <a@x>");
        let stub = LISTING.replace(":::+:::", ":::#:::");
        assert!(matches!(choose(parse(&stub), None, "x"), Err(SignError::Unusable { .. })));
    }

    /// Processes with this text in their command line.
    fn processes(text: &str) -> usize {
        let lines =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
    }

    #[test]
    fn nothing_is_left_of_a_throw_away_home() {
        let state = tempfile::tempdir().unwrap();
        let gpg = Gpg::open(&KeySource::Development { state: state.path().into() }).unwrap();
        let Home::ThrowAway(home) = &gpg.home else { panic!() };
        let path = home.folder.path().to_owned();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(processes(&name), 1, "its agent");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700, "whatever the umask");
        sweep(path.parent().unwrap(), Duration::ZERO);
        assert!(path.exists(), "it is in use");
        drop(gpg);
        assert!(!path.exists());
        let patience = std::time::Instant::now();
        while processes(&name) > 0 {
            assert!(patience.elapsed() < Duration::from_secs(10), "the agent still runs");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[test]
    fn a_home_that_a_killed_run_left_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        sweep(place.path(), STALE);
        assert!(left.exists(), "it is too new");
        sweep(place.path(), Duration::ZERO);
        assert!(!left.exists());
    }
}
