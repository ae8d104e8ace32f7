//! Finished packages, unsigned: a package is kept in the store under the digest of everything that decides its bytes,
//! so that packing again compresses what has changed and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use foundation::digest::Digest;
use foundation::store::Store;
use foundation::threads::{Stop, Threads, for_all};

use crate::binary_package::{Step, Written};
use crate::data::Compression;
use crate::error::DebError;
use crate::writer::Package;

/// The kind of stage.
const KIND: &str = "package";

/// The stage has the .deb and, in this file, what [`Written`] says of it.
const RECORD: &str = "package.json";

/// Puts packages into `folder`, sorted by name: the finished ones where there are such, the others are written first.
pub(crate) fn put_all(
    packages: &[Package],
    store: &Store,
    folder: &Path,
    threads: u32,
    progress: &(dyn Fn(&str, Step) + Sync),
) -> Result<Vec<Written>, DebError> {
    let (mut all, mut missing) = (Vec::new(), Vec::new());
    for package in packages {
        let key = Digest::of_json(&(crate::code::digest(), package));
        match find(store, &key) {
            Some(found) => {
                progress(&package.name, Step::Found(key));
                all.push(found);
            }
            None => missing.push((key, package)),
        }
    }
    // The large ones first: a small one at the end leaves nobody waiting for long.
    missing.sort_by_key(|(_, package)| std::cmp::Reverse(work(package)));
    let total: u64 = missing.iter().map(|(_, package)| work(package)).sum();
    let pool = Threads::new(threads);
    all.extend(for_all(threads, &missing, |(key, package), stop| {
        let share = (work(package) * u64::from(threads)).div_ceil(total.max(1)) as u32;
        let held = pool.take(share.min(Compression::useful_threads(package.content_size())));
        progress(&package.name, Step::Write);
        let written = write(store, key, package, held.count, stop)?;
        progress(&package.name, Step::Written(written.1.seconds));
        Ok::<_, DebError>(written)
    })?);
    all.sort_by(|(_, a), (_, b)| a.package.name.cmp(&b.package.name));
    for (stage, record) in &all {
        let file = &record.package.file;
        link(&stage.join(file), &folder.join(file))?;
    }
    Ok(all.into_iter().map(|(_, record)| record).collect())
}

/// What a package costs: its bytes, as far as they are compressed with care.
fn work(package: &Package) -> u64 {
    let size = package.content_size();
    if package.preset() == Compression::USUAL { size } else { size / 3 }
}

/// The stage and the package in it. One that is not as its record has it is as good as none.
fn find(store: &Store, key: &Digest) -> Option<(PathBuf, Written)> {
    let stage = store.stage(KIND, key)?;
    let record = fs::read(stage.join(RECORD)).ok()?;
    let record: Written = serde_json::from_slice(&record).ok()?;
    let whole = fs::metadata(stage.join(&record.package.file)).is_ok_and(|found| found.len() == record.package.size);
    whole.then_some((stage, record))
}

fn write(
    store: &Store,
    key: &Digest,
    package: &Package,
    threads: u32,
    stop: &Stop,
) -> Result<(PathBuf, Written), DebError> {
    let started = Instant::now();
    store.forget_stage(KIND, key)?;
    let stage = store.begin(KIND, key)?;
    let package = package.write(stage.path(), threads, stop)?;
    let record = Written { package, seconds: started.elapsed().as_secs_f64(), threads };
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
