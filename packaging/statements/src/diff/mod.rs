//! Two folders of packages, compared: which packages are the same bytes, and what each of the others has that is new, gone or
//! another. Signatures (members whose names begin with `_`) do not count, as in a rebuild: who signed is another question.

mod package;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use foundation::failure::{self, Failure, Kind, Outcome};
use package::{Contents, Key};
use schemars::JsonSchema;
use serde::Serialize;

pub use package::{File, FileKind, Package};

/// Fields whose items are told one by one (policy 7).
const RELATIONS: [&str; 9] =
    ["Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances", "Conflicts", "Breaks", "Replaces", "Provides"];

/// Fields that are told elsewhere: with the package, or as its size.
const TOLD_ELSEWHERE: [&str; 4] = ["Package", "Architecture", "Version", "Installed-Size"];

/// What two folders of packages have in common, and what not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// The first folder.
    pub old: PathBuf,
    /// The second folder.
    pub new: PathBuf,
    /// Packages that are the same bytes in both, signatures left out.
    pub same: Vec<Package>,
    /// The names of the files of those among them that another key or nobody signed.
    pub signed_otherwise: Vec<String>,
    /// Packages that only the first folder has.
    pub removed: Vec<Package>,
    /// Packages that only the second folder has.
    pub added: Vec<Package>,
    /// Packages that both have, with other bytes.
    pub changed: Vec<Changed>,
}

impl Comparison {
    /// Whether both folders have the same packages, each with the same bytes but for signatures.
    pub fn is_same(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty() && self.changed.is_empty()
    }
}

/// A package that both folders have, with other bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Changed {
    /// The package in the first folder.
    pub old: Package,
    /// The package in the second folder.
    pub new: Package,
    /// Fields of its control file, but for those that are told in `old` and `new`.
    pub fields: Vec<FieldChange>,
    /// Its maintainer scripts and the other files of its control archive, but for `control` and `md5sums`.
    pub control: Vec<ControlChange>,
    /// Files that only the second has.
    pub added: Vec<File>,
    /// Files that only the first has.
    pub removed: Vec<File>,
    /// Files that both have, and that are not the same.
    pub changed: Vec<FileChange>,
    /// How many files have another date and nothing else that is another.
    pub dated_otherwise: usize,
}

impl Changed {
    /// Whether nothing that a package is installed for differs: only dates, the order of files, or how it is compressed.
    pub fn is_only_packing(&self) -> bool {
        self.old.version == self.new.version
            && self.fields.is_empty()
            && self.control.is_empty()
            && self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
    }
}

/// A field of a control file that is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct FieldChange {
    /// Its name, such as `Depends`.
    pub field: String,
    /// Its value in the first; null where it is not there.
    pub old: Option<String>,
    /// Its value in the second; null where it is not there.
    pub new: Option<String>,
    /// Of a relationship, such as `Depends`: items that only the second has.
    pub added: Vec<String>,
    /// Of a relationship: items that only the first has.
    pub removed: Vec<String>,
}

/// A file of the control archive, such as `postinst`, that is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ControlChange {
    /// Its name.
    pub name: String,
    /// Digest of it in the first; null where it is not there.
    pub old: Option<Digest>,
    /// Digest of it in the second; null where it is not there.
    pub new: Option<Digest>,
}

/// A file that both packages have, and that is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct FileChange {
    /// The file in the first.
    pub old: File,
    /// The file in the second.
    pub new: File,
    /// What is another: one of these at least.
    pub what: Vec<Fact>,
}

/// A fact of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// What it is: a file, a folder, a link.
    Kind,
    /// Its permissions.
    Mode,
    /// Its user and group.
    Owner,
    /// What the link leads to.
    Target,
    /// Its content.
    Content,
}

/// Folders that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// There is no such folder.
    #[error("there is no folder {}", path.display())]
    NoFolder {
        /// The path that was given.
        path: PathBuf,
    },
    /// The folder has no packages.
    #[error("there are no packages in {}", path.display())]
    NoPackages {
        /// The folder.
        path: PathBuf,
    },
    /// The folder has two packages of the same name, and none says which one is meant.
    #[error("{} has the package {package} twice: {one} and {other}", path.display())]
    Twice {
        /// The folder.
        path: PathBuf,
        /// Name and architecture of the package.
        package: String,
        /// The name of the first file.
        one: String,
        /// The name of the second file.
        other: String,
    },
    /// A file cannot be read, or is no package.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error, or what is wrong with the format.
        source: io::Error,
    },
}

impl Failure for DiffError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::NoFolder { .. } | Self::NoPackages { .. } => {
                Kind::Input.next("name two folders with packages, as `cargo xtask package` leaves them")
            }
            Self::Twice { .. } => Kind::Input.next("name a folder with the packages of one build"),
            Self::File { source, .. } if source.kind() == io::ErrorKind::InvalidData => {
                Kind::Input.next("it is damaged or no package: get it again, or remove it")
            }
            Self::File { source, .. } => failure::of_file(source),
        }
    }
}

/// Compares the packages in two folders; other files there do not count.
///
/// # Errors
/// One of the folders is not there, has no packages or one of them twice, or a package cannot be read.
pub fn compare(old: &Path, new: &Path) -> Result<Comparison, DiffError> {
    let (mut before, after) = (packages(old)?, packages(new)?);
    let mut comparison = Comparison {
        old: old.to_owned(),
        new: new.to_owned(),
        same: Vec::new(),
        signed_otherwise: Vec::new(),
        removed: Vec::new(),
        added: Vec::new(),
        changed: Vec::new(),
    };
    for (key, new) in after {
        match before.remove(&key) {
            None => comparison.added.push(new.package),
            Some(old) if old.package.unsigned_sha256 == new.package.unsigned_sha256 => {
                if old.package.sha256 != new.package.sha256 {
                    comparison.signed_otherwise.push(new.package.file.clone());
                }
                comparison.same.push(new.package);
            }
            Some(old) => comparison.changed.push(changed(old, new)?),
        }
    }
    comparison.removed = before.into_values().map(|gone| gone.package).collect();
    Ok(comparison)
}

/// The packages of a folder.
fn packages(folder: &Path) -> Result<BTreeMap<Key, Contents>, DiffError> {
    if !folder.is_dir() {
        return Err(DiffError::NoFolder { path: folder.to_owned() });
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| DiffError::File { path, source }
    };
    let entries = std::fs::read_dir(folder).map_err(failed(folder))?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(failed(folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    paths.sort();
    let mut found: BTreeMap<Key, Contents> = BTreeMap::new();
    for path in paths {
        let contents = Contents::read(&path).map_err(failed(&path))?;
        let key = contents.key();
        if let Some(other) = found.get(&key) {
            return Err(DiffError::Twice {
                path: folder.to_owned(),
                package: format!("{} {}", key.0, key.1),
                one: other.package.file.clone(),
                other: contents.package.file,
            });
        }
        found.insert(key, contents);
    }
    if found.is_empty() { Err(DiffError::NoPackages { path: folder.to_owned() }) } else { Ok(found) }
}

fn changed(old: Contents, new: Contents) -> Result<Changed, DiffError> {
    let files = |contents: &Contents| {
        contents.files().map_err(|source| DiffError::File { path: contents.path.clone(), source })
    };
    let (mut before, after) = (files(&old)?, files(&new)?);
    let mut result = Changed {
        fields: fields(&old.fields, &new.fields),
        control: control(&old.control, &new.control),
        old: old.package,
        new: new.package,
        added: Vec::new(),
        removed: Vec::new(),
        changed: Vec::new(),
        dated_otherwise: 0,
    };
    for (path, (new, date)) in after {
        let Some((old, old_date)) = before.remove(&path) else {
            result.added.push(new);
            continue;
        };
        let what = facts(&old, &new);
        if !what.is_empty() {
            result.changed.push(FileChange { old, new, what });
        } else if old_date != date {
            result.dated_otherwise += 1;
        }
    }
    result.removed = before.into_values().map(|(file, _)| file).collect();
    Ok(result)
}

/// What is another in two files.
fn facts(old: &File, new: &File) -> Vec<Fact> {
    let facts = [
        (Fact::Kind, old.kind != new.kind),
        (Fact::Mode, old.mode != new.mode),
        (Fact::Owner, old.owner != new.owner),
        (Fact::Target, old.target != new.target),
        (Fact::Content, old.sha256 != new.sha256),
    ];
    facts.into_iter().filter(|(_, differs)| *differs).map(|(fact, _)| fact).collect()
}

/// The names that two maps have together, with what each has under it, where that differs.
fn differing<'a, T: PartialEq>(
    old: &'a BTreeMap<String, T>,
    new: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a String, Option<&'a T>, Option<&'a T>)> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names.into_iter().map(|name| (name, old.get(name), new.get(name))).filter(|(_, one, other)| one != other)
}

fn fields(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<FieldChange> {
    let items = |value: Option<&String>| -> BTreeSet<String> {
        value.into_iter().flat_map(|value| value.split(',')).map(|item| item.trim().to_owned()).collect()
    };
    let change = |(name, before, after): (&String, Option<&String>, Option<&String>)| {
        let mut change = FieldChange {
            field: name.clone(),
            old: before.cloned(),
            new: after.cloned(),
            added: Vec::new(),
            removed: Vec::new(),
        };
        if RELATIONS.contains(&name.as_str()) {
            let (before, after) = (items(before), items(after));
            change.added = after.difference(&before).cloned().collect();
            change.removed = before.difference(&after).cloned().collect();
        }
        change
    };
    differing(old, new).filter(|(name, ..)| !TOLD_ELSEWHERE.contains(&name.as_str())).map(change).collect()
}

fn control(old: &BTreeMap<String, Digest>, new: &BTreeMap<String, Digest>) -> Vec<ControlChange> {
    let change = |(name, old, new): (&String, Option<&Digest>, Option<&Digest>)| ControlChange {
        name: name.clone(),
        old: old.copied(),
        new: new.copied(),
    };
    differing(old, new).map(change).collect()
}

#[cfg(test)]
mod tests;
