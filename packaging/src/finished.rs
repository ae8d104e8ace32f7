//! Finished packages, unsigned: a package is kept in the store under the digest of everything that decides its bytes,
//! so that packing again compresses what has changed and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use crate::deb::{BinaryPackage, DebError, Step};
use crate::deb_writer::Package;
use crate::digest::Digest;
use crate::store::Store;

/// The kind of stage.
const KIND: &str = "package";

/// The stage has the .deb and, in this file, its [`BinaryPackage`].
const RECORD: &str = "package.json";

/// Puts a package into `folder`: the finished one where there is one, else it is written first.
pub(crate) fn put(
    package: &Package,
    store: &Store,
    folder: &Path,
    progress: &dyn Fn(&str, Step),
) -> Result<BinaryPackage, DebError> {
    let key = Digest::of_json(&(crate::code(), package));
    let (stage, record) = match find(store, &key) {
        Some(found) => {
            progress(&package.name, Step::Found(key));
            found
        }
        None => {
            progress(&package.name, Step::Write);
            write(store, &key, package)?
        }
    };
    link(&stage.join(&record.file), &folder.join(&record.file))?;
    Ok(record)
}

/// The stage and the package in it. One that is not as its record has it is as good as none.
fn find(store: &Store, key: &Digest) -> Option<(PathBuf, BinaryPackage)> {
    let stage = store.stage(KIND, key)?;
    let record = fs::read(stage.join(RECORD)).ok()?;
    let package: BinaryPackage = serde_json::from_slice(&record).ok()?;
    let whole = fs::metadata(stage.join(&package.file)).is_ok_and(|found| found.len() == package.size);
    whole.then_some((stage, package))
}

fn write(store: &Store, key: &Digest, package: &Package) -> Result<(PathBuf, BinaryPackage), DebError> {
    store.forget_stage(KIND, key)?;
    let stage = store.begin(KIND, key)?;
    let record = package.write(stage.path())?;
    let path = stage.path().join(RECORD);
    let text = serde_json::to_vec_pretty(&record).expect("plain data");
    fs::write(&path, text).map_err(|source| DebError::File { what: "write", path, source })?;
    Ok((stage.commit()?, record))
}

/// A second name for a file that nobody writes to, or a copy where the file system has no such thing.
fn link(from: &Path, to: &Path) -> Result<(), DebError> {
    // A link takes no name that is taken.
    let _ = fs::remove_file(to);
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop)).map_err(|source| DebError::File {
        what: "write",
        path: to.to_owned(),
        source,
    })
}
