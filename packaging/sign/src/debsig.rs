//! Origin signatures inside a .deb, as debsig-verify(1) checks them: the ar member `_gpgorigin` is a
//! detached signature over the members `debian-binary`, `control.tar.*` and `data.tar.*`, one after another.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use deb::ORIGIN_SIGNATURE as ORIGIN;
use deb::archive::{DebFile, Writer, create_deb};
use deb::binary_package::BinaryPackage;
use foundation::digest::Digest;
use foundation::failure::{self, Failure, Kind, Outcome};

use crate::gpgv::{Gpgv, GpgvError, Signatory};
use crate::signer::{KeyForm, SignError, SignatureForm, Signer};
use crate::sums::{SumsError, write_file};

/// A package cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum DebsigError {
    /// gpg makes no signature, or refuses to export the key.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The file is not a package as deb(5) describes it.
    #[error("{} is not a .deb as deb(5) has it: {problem}", path.display())]
    Format {
        /// The file that is no package.
        path: PathBuf,
        /// What is wrong with its format.
        problem: String,
    },
    /// The file is not the package that was written.
    #[error("{} is not the package that was written: its sha256 is {found}, and was {expected}", path.display())]
    Changed {
        /// The file that was changed.
        path: PathBuf,
        /// The digest that the file had when it was written.
        expected: Digest,
        /// The digest that the file has now.
        found: Digest,
    },
    /// A file cannot be read, or cannot be written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file that cannot be used.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl Failure for DebsigError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Sign(error) => error.outcome(),
            Self::Format { .. } => Kind::Failed.next("remove it and write it again"),
            Self::Changed { .. } => Kind::Failed.next("run `cargo xtask clean`, then the same command again"),
            Self::File { source, .. } => failure::of_file(source),
        }
    }
}

impl From<SumsError> for DebsigError {
    fn from(error: SumsError) -> Self {
        match error {
            SumsError::Sign(error) => Self::Sign(error),
            SumsError::File { path, source } => Self::File { path, source },
        }
    }
}

/// Writes a signed copy of a package from the folder `from` into the folder `to` (which may be the same), and returns
/// the package with the new digest and size. A signature that was there is replaced.
///
/// # Errors
/// The signer refuses this version or makes no signature, the file is not a package or was changed since it was
/// written, or the signed copy cannot be written.
pub fn sign(
    package: &BinaryPackage,
    from: &Path,
    to: &Path,
    signer: &dyn Signer,
    epoch: i64,
) -> Result<BinaryPackage, DebsigError> {
    signer.check_version(&package.version)?;
    let deb = open(&from.join(&package.file))?;
    let read = |source| DebsigError::File { path: deb.path.clone(), source };
    // It was read back when it was written, and must still be that file; or what was signed before.
    let found = Digest::of_file(&deb.path).map_err(read)?;
    if found != package.sha256 && unsigned_digest(&deb.path, epoch)? != package.sha256 {
        return Err(DebsigError::Changed { path: deb.path.clone(), expected: package.sha256, found });
    }
    let mut signed = deb.read(0).map_err(read)?.chain(deb.read(1).map_err(read)?).chain(deb.read(2).map_err(read)?);
    let signature = signer.sign(SignatureForm::DetachedBinary, &mut signed, epoch)?;
    let path = to.join(&package.file);
    let (sha256, size) = create_deb(&path, epoch, |archive| {
        copy(&deb, archive)?;
        archive.member(ORIGIN, signature.len() as u64, &mut &signature[..])
    })
    .map_err(|source| DebsigError::File { path: path.clone(), source })?;
    Ok(BinaryPackage { sha256, size, ..package.clone() })
}

/// Checks the origin signature in a package.
///
/// # Errors
/// It has none, or it is not by a key of the key ring.
pub fn check(path: &Path, gpgv: &Gpgv) -> Result<Signatory, GpgvError> {
    let unread = |source| GpgvError::File { path: path.to_owned(), source };
    let deb = DebFile::open(path).map_err(unread)?;
    let missing = GpgvError::Missing { path: path.to_owned(), because: "a package has its origin signature in it" };
    let at = deb.names().iter().position(|name| *name == ORIGIN).filter(|at| *at == 3).ok_or(missing)?;
    let (mut signed, mut signature) = (Vec::new(), Vec::new());
    for member in 0..at {
        deb.read(member).map_err(unread)?.read_to_end(&mut signed).map_err(unread)?;
    }
    deb.read(at).map_err(unread)?.read_to_end(&mut signature).map_err(unread)?;
    gpgv.detached_bytes(&signature, path, &signed)
}

/// The digest of a package without its signature: what a rebuild by somebody else compares with. `epoch` is the date
/// of the package's members.
///
/// # Errors
/// The file cannot be read, or is not a package with the members of deb(5).
pub fn unsigned_digest(file: &Path, epoch: i64) -> Result<Digest, DebsigError> {
    let deb = open(file)?;
    let mut hasher = foundation::digest::Hasher::default();
    let read = |source| DebsigError::File { path: file.to_owned(), source };
    let mut archive = Writer::new(&mut hasher, epoch).map_err(read)?;
    copy(&deb, &mut archive).map_err(read)?;
    archive.finish().map_err(read)?;
    Ok(hasher.finish())
}

/// Writes `debsig/policies/KEYID/NAME.pol` and `debsig/keyrings/KEYID/NAME.gpg` below `folder`, ready for
/// `/etc/debsig/policies` and `/usr/share/debsig/keyrings`. Returns the paths relative to `folder`.
///
/// # Errors
/// gpg does not export the public key, or one of the files cannot be written.
pub fn write_policy(folder: &Path, name: &str, signer: &dyn Signer) -> Result<Vec<PathBuf>, DebsigError> {
    let key = signer.key();
    // debsig-verify names its folders by the long id of the key that made the signature.
    let id = &key.fingerprint[key.fingerprint.len().saturating_sub(16)..];
    let keyring = format!("{name}.gpg");
    let policy = format!(
        "<?xml version=\"1.0\"?>\n\
         <!DOCTYPE Policy SYSTEM \"https://www.debian.org/debsig/1.0/policy.dtd\">\n\
         <Policy xmlns=\"https://www.debian.org/debsig/1.0/\">\n\
         \x20 <Origin Name=\"{origin}\" id=\"{id}\" Description=\"Packages signed by {origin}\"/>\n\
         \x20 <Selection>\n    <Required Type=\"origin\" File=\"{keyring}\" id=\"{id}\"/>\n  </Selection>\n\
         \x20 <Verification MinOptional=\"0\">\n    <Required Type=\"origin\" File=\"{keyring}\" id=\"{id}\"/>\n  </Verification>\n\
         </Policy>\n",
        origin = escape(&key.user_id),
    );
    let files = [
        (PathBuf::from(format!("debsig/policies/{id}/{name}.pol")), policy.into_bytes()),
        (PathBuf::from(format!("debsig/keyrings/{id}/{keyring}")), signer.public_key(KeyForm::Binary)?),
    ];
    for (path, bytes) in &files {
        write_file(&folder.join(path), bytes)?;
    }
    Ok(files.map(|(path, _)| path).into())
}

/// Opens a .deb and makes sure that its members are in the order that deb(5) wants.
fn open(path: &Path) -> Result<DebFile, DebsigError> {
    let deb = DebFile::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => DebsigError::Format { path: path.to_owned(), problem: source.to_string() },
        _ => DebsigError::File { path: path.to_owned(), source },
    })?;
    match &deb.names()[..] {
        ["debian-binary", control, data, rest @ ..]
            if control.starts_with("control.tar")
                && data.starts_with("data.tar")
                && rest.iter().all(|name| name.starts_with('_')) =>
        {
            Ok(deb)
        }
        other => Err(DebsigError::Format { path: path.to_owned(), problem: format!("its members are {other:?}") }),
    }
}

/// The members that are signed, which are the whole package but for signatures.
fn copy<W: io::Write>(deb: &DebFile, archive: &mut Writer<W>) -> io::Result<()> {
    for (n, member) in deb.members.iter().enumerate().take(3) {
        archive.member(&member.name, member.size, &mut deb.read(n)?)?;
    }
    Ok(())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
