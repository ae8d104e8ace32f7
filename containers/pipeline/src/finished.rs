//! Single finished packages, as machines share them: of a plan in which only a unit has changed, all the others are found, and
//! none of them is compressed again.
//!
//! The code that packs keeps each package under the digest of everything that decides its bytes, and computes that digest
//! when it packs. So whoever shares a split tree says under which digests its packages are; whoever takes it asks for those,
//! and packing finds what still fits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use deb::binary_package::{BinaryPackage, Step, Written};
use deb::packing::{self, Packing};
use foundation::digest::Digest;
use foundation::progress::Progress;
use foundation::store::Store;
use results::{Bundle, Key, Kind, Received, Taken, Taker};

use crate::error::Error;
use crate::options::Others;
use crate::records::{read_json, taken_in, write_json, write_taken};
use crate::share;

/// The kind of stage that has a package, and its record there, as the code that packs has them.
const KIND: &str = "package";
const RECORD: &str = "package.json";

/// In the stage of a split tree: the digests under which its packages are, by their names.
pub const PACKED: &str = "packed.json";

/// The digests under which the packages of a plan are, by their names. What is not there any more is packed again.
///
/// # Errors
/// The packages do not fit the recipe's manifest, or the store cannot be read or written.
pub fn keys(store: &Store, packing: &Packing<'_>) -> Result<BTreeMap<String, Digest>, Error> {
    let folder = store.temp_dir()?;
    let found = Mutex::new(BTreeMap::new());
    let note = |name: &str, step| {
        if let Step::Found(key) = step {
            found.lock().expect("no panic while held").insert(name.to_owned(), key);
        }
    };
    packing::build_all(packing, store, folder.path(), 1, &note)?;
    Ok(found.into_inner().expect("no panic while held"))
}

/// A package as something to share; none where it is not this machine's own, or not there. `work` is a folder for what has
/// to be written for that.
///
/// # Errors
/// A file cannot be read or written.
pub fn bundle(stage: &Path, work: &Path) -> Result<Option<Bundle>, Error> {
    if !stage.join(RECORD).exists() || taken_in(stage)?.is_some() {
        return Ok(None);
    }
    let Written { package, .. } = read_json(&stage.join(RECORD))?;
    let path = work.join(format!("{KIND}-{}", package.file));
    write_json(&path, &package)?;
    let content = Bundle::default().content(&path, RECORD)?.content(&stage.join(&package.file), &package.file)?;
    Ok(Some(content.account(&stage.join(RECORD), RECORD)?))
}

/// Brings packages that others have packed into the store, under the digests that whoever split the tree has named. Which of
/// them fit is for the code that packs to find out.
///
/// # Errors
/// Two builders disagree, or the store cannot be written.
pub fn take_all(store: &Store, taker: &Taker, split: &Path, progress: &dyn Progress) -> Result<(), Error> {
    let Ok(keys) = read_json::<BTreeMap<String, Digest>>(&split.join(PACKED)) else { return Ok(()) };
    for inputs in keys.into_values().filter(|inputs| store.stage(KIND, inputs).is_none()) {
        let key = Key { kind: Kind::Package, inputs };
        share::take(store, taker, &key, progress, |received| receive(store, &key, &received))?;
    }
    Ok(())
}

fn receive(store: &Store, key: &Key, received: &Received) -> Result<(), Error> {
    let package: BinaryPackage = read_json(&received.content().join(RECORD))?;
    let account: Written = read_json(&received.account().join(RECORD))?;
    let writer = store.begin(KIND, &key.inputs)?;
    keep(&package, &received.content(), writer.path())?;
    write_json(&writer.path().join(RECORD), &Written { package, ..account })?;
    write_taken(writer.path(), &received.taken)?;
    writer.commit()?;
    Ok(())
}

/// Moves a package that was received into the folder of a stage, if it is the one that its record says.
///
/// # Errors
/// It is another one, or the folder cannot be written.
pub fn keep(package: &BinaryPackage, received: &Path, stage: &Path) -> Result<(), Error> {
    let name = Path::new(&package.file);
    let (from, to) = (received.join(name), stage.join(name));
    // Names come from somebody else.
    let plain = name.file_name() == Some(name.as_os_str());
    if !plain || !Digest::of_file(&from).is_ok_and(|found| found == package.sha256) {
        return Err(share::not_as_stated(&from));
    }
    std::fs::rename(&from, &to).map_err(Error::io("write", &to))
}

/// From whom a package was taken, if so.
pub fn taken(store: &Store, inputs: &Digest) -> Option<Taken> {
    taken_in(&store.stage(KIND, inputs)?).ok()?
}

/// Forgets what was taken and is not to be used.
///
/// # Errors
/// The store cannot be read or written.
pub fn forget_taken(store: &Store, others: &Others) -> Result<(), Error> {
    for (inputs, stage) in store.stages(KIND)? {
        if others.refusal(taken_in(&stage)?.as_slice()).is_some() {
            store.forget_stage(KIND, &inputs)?;
        }
    }
    Ok(())
}
