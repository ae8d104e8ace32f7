//! The tool-owned phase `split`, which follows `install` in the build root: strips binaries, keeps their
//! debug symbols apart, and computes shared-library dependencies there, never on the host.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use foundation::failure::{self, Failure, Outcome};

use crate::contents::{Entry, Origin};
use crate::manifest::{Manifest, ManifestError};

/// The script: POSIX sh, run as `sh /build/recipe-split/split.sh`; reads what [`inputs`] gives, and makes of the staged
/// tree, which lies in [`STAGE_FOLDER`], the folder [`OUTPUT_FOLDER`].
pub const SCRIPT: &str = include_str!("../assets/split.sh");

/// The folder in the container that [`inputs`] are uploaded to.
pub const INPUT_FOLDER: &str = "/build/recipe-split";

/// Where the staged tree is uploaded to; it is stripped there, not copied once more.
pub const STAGE_FOLDER: &str = "/build/out/split/stage";

/// What is to be downloaded afterwards, as a folder (symbolic links and modes kept).
pub const OUTPUT_FOLDER: &str = "/build/out/split";

/// A file to upload into [`INPUT_FOLDER`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The name of the file, without a folder.
    pub name: &'static str,
    /// The bytes of the file.
    pub content: Vec<u8>,
}

/// The downloaded result of the phase.
#[derive(Clone, Debug)]
pub struct Split {
    /// The folder with the stripped tree.
    pub stage: PathBuf,
    /// The debug symbols: `usr/lib/debug/.build-id/xx/….debug`.
    pub debug: PathBuf,
    /// One entry for each binary that the script has looked at.
    pub binaries: Vec<Binary>,
    /// Substitution variables by package: `shlibs:Depends` and the like (deb-substvars(5)).
    pub substvars: BTreeMap<String, BTreeMap<String, String>>,
}

/// One ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The package that the file belongs to.
    pub package: String,
    /// The path of the file in the staged tree.
    pub path: String,
    /// The build id in hexadecimal digits, which `ld --build-id` writes; none where the file has none.
    pub build_id: Option<String>,
    /// The `SONAME` of a shared library, such as `libmesos-1.7.2.so`; none for others.
    pub soname: Option<String>,
    /// Whether the debug symbols were separated and kept.
    pub debug: bool,
}

/// The phase cannot be prepared, or its result cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// The manifest and the staged tree do not fit.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file that cannot be read.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The result is not what the script writes.
    #[error("{}: {problem}", path.display())]
    Result {
        /// The file or folder of the result that is wrong.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl Failure for SplitError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Manifest(error) => error.outcome(),
            Self::Read { source, .. } => failure::of_file(source),
            Self::Result { .. } => {
                failure::Kind::Failed.next("run `cargo xtask clean` and then the same command again")
            }
        }
    }
}

/// The files to upload: the script and the lists of binaries by package. They, together with the staged
/// tree, are everything that the result depends on.
///
/// # Errors
/// The manifest and the staged tree do not fit together, or a staged file cannot be read.
pub fn inputs(manifest: &Manifest, staged: &Path) -> Result<Vec<Input>, SplitError> {
    let (mut elf, mut archives) = (String::new(), String::new());
    for (package, contents) in manifest.resolve(staged)? {
        for entry in contents.entries.values() {
            let Entry::File { origin: Origin::Stage(path), .. } = entry else { continue };
            let list = match kind(&staged.join(path))? {
                Some(Kind::Elf) => &mut elf,
                Some(Kind::Archive) => &mut archives,
                None => continue,
            };
            list.push_str(&format!("{package}\t{path}\n"));
        }
    }
    Ok(vec![
        Input { name: "split.sh", content: SCRIPT.as_bytes().to_vec() },
        Input { name: "elf-files", content: elf.into_bytes() },
        Input { name: "archives", content: archives.into_bytes() },
    ])
}

enum Kind {
    Elf,
    Archive,
}

fn kind(path: &Path) -> Result<Option<Kind>, SplitError> {
    let mut magic = Vec::with_capacity(8);
    std::fs::File::open(path)
        .and_then(|file| file.take(8).read_to_end(&mut magic))
        .map_err(|source| SplitError::Read { path: path.to_owned(), source })?;
    Ok(if magic.starts_with(b"\x7fELF") {
        Some(Kind::Elf)
    } else if magic == *b"!<arch>\n" && path.extension().is_some_and(|extension| extension == "a") {
        Some(Kind::Archive)
    } else {
        None
    })
}

impl Split {
    /// Reads the result that was downloaded into `folder`, and checks that it is complete.
    ///
    /// # Errors
    /// A folder or file of the result is missing or is not what the script writes, or the same binary (by its build id)
    /// is in two packages.
    pub fn read(folder: &Path) -> Result<Self, SplitError> {
        let (stage, debug) = (folder.join("stage"), folder.join("debug"));
        for path in [&stage, &debug] {
            if !path.is_dir() {
                return Err(broken(path, "this folder is missing".into()));
            }
        }
        let list = folder.join("binaries");
        let binaries = read(&list)?.lines().map(|line| binary(&list, line)).collect::<Result<Vec<_>, _>>()?;
        for binary in &binaries {
            for path in binary.debug_path().into_iter().map(|path| debug.join(path)).chain([stage.join(&binary.path)]) {
                if !path.is_file() {
                    return Err(broken(&path, "this file is missing".into()));
                }
            }
        }
        let mut substvars = BTreeMap::new();
        for package in binaries.iter().map(|binary| &binary.package) {
            if !substvars.contains_key(package) {
                substvars.insert(package.clone(), variables(&folder.join("substvars").join(package))?);
            }
        }
        let split = Self { stage, debug, binaries, substvars };
        split.check_build_ids(&list)?;
        Ok(split)
    }

    /// The same file in two packages would be the same debug symbols in two, which could not be installed together.
    fn check_build_ids(&self, list: &Path) -> Result<(), SplitError> {
        let mut first: BTreeMap<&str, &Binary> = BTreeMap::new();
        for binary in self.binaries.iter().filter(|binary| binary.debug) {
            let Some(id) = &binary.build_id else { continue };
            let other = *first.entry(id).or_insert(binary);
            if other.package != binary.package {
                return Err(broken(
                    list,
                    format!(
                        "{} (package {}) and {} (package {}) are the same binary, with the build id {id}: omit one, or make it a link to the other",
                        other.path, other.package, binary.path, binary.package
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl Binary {
    /// Path of its debug symbols below [`Split::debug`], as GDB looks for them.
    pub fn debug_path(&self) -> Option<String> {
        let id = self.build_id.as_deref().filter(|_| self.debug)?;
        Some(format!("usr/lib/debug/.build-id/{}/{}.debug", &id[..2], &id[2..]))
    }
}

fn binary(list: &Path, line: &str) -> Result<Binary, SplitError> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [package, path, build_id, soname, debug] = fields[..] else {
        return Err(broken(list, format!("the line '{line}' has not five fields")));
    };
    // Names a file of the result.
    if package.contains('/') || package.starts_with('.') {
        return Err(broken(list, format!("the line '{line}' begins with no package's name")));
    }
    let optional = |text: &str| (text != "-").then(|| text.to_owned());
    let build_id = optional(build_id);
    if build_id.as_deref().is_some_and(|id| id.len() < 4 || !id.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(broken(list, format!("the line '{line}' has no build id in hexadecimal digits")));
    }
    Ok(Binary {
        package: package.to_owned(),
        path: path.to_owned(),
        build_id,
        soname: optional(soname),
        debug: debug == "yes",
    })
}

fn variables(path: &Path) -> Result<BTreeMap<String, String>, SplitError> {
    read(path)?
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| match line.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(broken(path, format!("the line '{line}' is not NAME=VALUE"))),
        })
        .collect()
}

fn read(path: &Path) -> Result<String, SplitError> {
    std::fs::read_to_string(path).map_err(|source| SplitError::Read { path: path.to_owned(), source })
}

fn broken(path: &Path, problem: String) -> SplitError {
    SplitError::Result { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "aa\tusr/bin/x\tabcd01\t-\tyes\n";

    /// The error about a downloaded folder with these binaries.
    fn error(binaries: &str, substvars: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let debug = folder.path().join("debug/usr/lib/debug/.build-id/ab");
        for path in [folder.path().join("stage/usr/bin"), debug.clone(), folder.path().join("substvars")] {
            std::fs::create_dir_all(path).unwrap();
        }
        for path in ["stage/usr/bin/x", "stage/usr/bin/y", "debug/usr/lib/debug/.build-id/ab/cd01.debug"] {
            std::fs::write(folder.path().join(path), "").unwrap();
        }
        for package in ["aa", "bb"] {
            std::fs::write(folder.path().join("substvars").join(package), substvars).unwrap();
        }
        std::fs::write(folder.path().join("binaries"), binaries).unwrap();
        match Split::read(folder.path()) {
            Err(error) => error.to_string(),
            Ok(_) => "it is accepted".to_owned(),
        }
    }

    #[test]
    fn results_are_looked_over() {
        assert_eq!(error(LINE, "shlibs:Depends=libc6\n"), "it is accepted");
        for (binaries, substvars, expected) in [
            ("aa\tusr/bin/x\n", "", "has not five fields"),
            ("../aa\tusr/bin/x\t-\t-\tno\n", "", "no package's name"),
            ("aa\tusr/bin/x\t../x\t-\tyes\n", "", "build id in hexadecimal"),
            ("aa\tusr/bin/z\tabcd01\t-\tyes\n", "", "stage/usr/bin/z: this file is missing"),
            ("aa\tusr/bin/x\tabcd02\t-\tyes\n", "", "cd02.debug: this file is missing"),
            (LINE, "shlibs", "is not NAME=VALUE"),
            (
                &format!("{LINE}bb\tusr/bin/y\tabcd01\t-\tyes\n"),
                "",
                "usr/bin/x (package aa) and usr/bin/y (package bb) are the same binary",
            ),
        ] {
            let error = error(binaries, substvars);
            assert!(error.contains(expected), "{error}\n-- should contain: {expected}");
        }
    }
}
