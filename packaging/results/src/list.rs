//! What a result has: its files, folders and links, and of which parts its bytes are put together.
//!
//! The content is what every builder gets; the account is what one builder tells of the making (times, memory, logs).
//! Only the content has a digest that is stated. Neither time stamps nor owners count, and of permissions only whether a file can be
//! run: a staged tree's digest takes the same view.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use serde::{Deserialize, Serialize};
use statements::proof::result::Part;
use walkdir::WalkDir;

use crate::Kind;
use crate::error::ResultsError;

/// The folder of a received result with what every builder gets.
pub const CONTENT: &str = "content";

/// The folder of a received result with what its builder tells of the making.
pub const ACCOUNT: &str = "account";

/// A result that is to be shared: files here, and where they belong in the result.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    content: Vec<(Entry, PathBuf)>,
    account: Vec<(Entry, PathBuf)>,
}

/// A file, folder or link of a result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// The path, relative, with slashes.
    pub path: String,
    /// What it is.
    pub is: Is,
}

/// What something in a result is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Is {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Digest of what is in it.
        sha256: Digest,
        /// Its size in bytes.
        size: u64,
        /// Whether it can be run.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// What it points to, as it is written in it.
        target: String,
    },
}

/// The list of a result, as a place has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct List {
    /// What every builder gets, sorted by path.
    pub content: Vec<Entry>,
    /// What this builder tells of the making, sorted by path.
    pub account: Vec<Entry>,
    /// What the bytes of all files are put together of: first those of the content, then those of the account, in their
    /// order.
    pub parts: Vec<Part>,
}

impl List {
    /// Whether it is what a result of this kind may have, wherever it came from: every path once, inside of the result and below folders
    /// alone, and links only where something was installed.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn fits(&self, kind: Kind) -> Result<(), String> {
        for (entries, installed) in [(&self.content, kind.installed()), (&self.account, &[][..])] {
            let mut known = BTreeMap::new();
            for Entry { path, is } in entries {
                if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                    return Err(format!("{path}: a path that leads elsewhere"));
                }
                if known.insert(path.as_str(), is).is_some() {
                    return Err(format!("{path}: is in it twice"));
                }
                let within = |top: &&str| path.strip_prefix(*top).is_some_and(|rest| rest.starts_with('/'));
                if matches!(is, Is::Link { .. }) && !installed.iter().any(within) {
                    return Err(format!(
                        "{path}: a symbolic link, where a result of the kind {} has none",
                        kind.name()
                    ));
                }
            }
            for path in known.keys() {
                let above = path.match_indices('/').map(|(at, _)| &path[..at]);
                if let Some(above) =
                    above.into_iter().find(|above| known.get(above).is_some_and(|is| **is != Is::Folder))
                {
                    return Err(format!("{path}: is below {above}, which is no folder"));
                }
            }
        }
        Ok(())
    }
}

/// The digest of a content: of paths, kinds, contents and whether a file can be run.
pub fn digest(content: &[Entry]) -> Digest {
    Digest::of_json(&content)
}

impl Bundle {
    /// Adds a file, folder with all that is below, or link of this machine to the content, at this path.
    ///
    /// # Errors
    /// Something cannot be read, or has a name that is not UTF-8.
    pub fn content(self, from: &Path, path: &str) -> Result<Self, ResultsError> {
        let content = add(self.content, from, path)?;
        Ok(Self { content, ..self })
    }

    /// The same for the account.
    ///
    /// # Errors
    /// As for [`Self::content`].
    pub fn account(self, from: &Path, path: &str) -> Result<Self, ResultsError> {
        let account = add(self.account, from, path)?;
        Ok(Self { account, ..self })
    }

    /// The digest of the content.
    pub fn digest(&self) -> Digest {
        digest(&self.list(Vec::new()).content)
    }

    /// The file of this machine that is at a path of the content.
    pub fn file(&self, path: &str) -> Option<&Path> {
        self.content.iter().find(|(entry, _)| entry.path == path).map(|(_, file)| file.as_path())
    }

    /// How many bytes all files have.
    pub fn size(&self) -> u64 {
        let all = self.content.iter().chain(&self.account);
        all.map(|(entry, _)| if let Is::File { size, .. } = entry.is { size } else { 0 }).sum()
    }

    /// The list, with the parts that its bytes were cut into.
    pub fn list(&self, parts: Vec<Part>) -> List {
        let entries = |some: &[(Entry, PathBuf)]| some.iter().map(|(entry, _)| entry.clone()).collect();
        List { content: entries(&self.content), account: entries(&self.account), parts }
    }

    /// The bytes of all files, one after the other.
    pub fn reader(&self) -> impl Read + '_ {
        let files = self.content.iter().chain(&self.account).filter(|(entry, _)| matches!(entry.is, Is::File { .. }));
        Files { rest: files.map(|(_, path)| path.as_path()), open: None }
    }
}

/// Adds what is at `from`, keeping the order by path.
fn add(mut to: Vec<(Entry, PathBuf)>, from: &Path, at: &str) -> Result<Vec<(Entry, PathBuf)>, ResultsError> {
    for entry in WalkDir::new(from) {
        let entry = entry.map_err(|error| ResultsError::io("read", from)(error.into()))?;
        let failed = || ResultsError::io("read", entry.path());
        let metadata = fs::symlink_metadata(entry.path()).map_err(failed())?;
        let name = || ResultsError::Name { path: entry.path().to_owned() };
        let below = entry.path().strip_prefix(from).expect("walked below").to_str().ok_or_else(name)?;
        let path = if below.is_empty() { at.to_owned() } else { format!("{at}/{below}") };
        let is = if metadata.is_dir() {
            Is::Folder
        } else if metadata.is_symlink() {
            let target = fs::read_link(entry.path()).map_err(failed())?;
            Is::Link { target: target.to_str().ok_or_else(name)?.to_owned() }
        } else {
            let (sha256, size) = File::open(entry.path()).and_then(Digest::of_reader).map_err(failed())?;
            Is::File { sha256, size, executable: metadata.permissions().mode() & 0o111 != 0 }
        };
        to.push((Entry { path, is }, entry.path().to_owned()));
    }
    to.sort();
    Ok(to)
}

/// Files, read one after the other.
struct Files<'a, I: Iterator<Item = &'a Path>> {
    rest: I,
    open: Option<File>,
}

impl<'a, I: Iterator<Item = &'a Path>> Read for Files<'a, I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let file = match &mut self.open {
                Some(file) => file,
                None => match self.rest.next() {
                    Some(path) => self.open.insert(File::open(path)?),
                    None => return Ok(0),
                },
            };
            match file.read(buffer)? {
                0 if !buffer.is_empty() => self.open = None,
                n => return Ok(n),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, is: Is) -> Entry {
        Entry { path: path.into(), is }
    }

    fn file(path: &str) -> Entry {
        entry(path, Is::File { sha256: Digest::of(""), size: 0, executable: false })
    }

    fn link(path: &str, target: &str) -> Entry {
        entry(path, Is::Link { target: target.into() })
    }

    #[test]
    fn a_result_has_links_only_where_something_was_installed_and_nothing_below_them() {
        let fits = |kind, content: &[Entry], account: &[Entry]| {
            let list = List { content: content.to_vec(), account: account.to_vec(), parts: Vec::new() };
            list.fits(kind).err().unwrap_or_default()
        };
        for (kind, tree) in [(Kind::Staged, "tree"), (Kind::Split, "stage")] {
            let at = |name: &str| format!("{tree}/{name}");
            let good = [entry(tree, Is::Folder), link(&at("a"), "/etc"), file(&at("b")), file("record")];
            assert_eq!(fits(kind, &good, &[file("log"), entry("logs", Is::Folder), file("logs/build.log")]), "");
            // Whatever the order: a link is no folder.
            for below in [file(&at("a/b")), link(&at("a/b"), "x"), entry(&at("a/b/c"), Is::Folder)] {
                let said = fits(kind, &[below.clone(), link(&at("a"), "/etc")], &[]);
                assert!(said.contains("/a, which is no folder"), "{said}");
                assert_eq!(fits(kind, &[link(&at("a"), "/etc"), below], &[]), said);
            }
            for wrong in [link(tree, "/etc"), link("record", "/etc/passwd"), link("debug/x", "x")] {
                assert!(fits(kind, &[wrong], &[]).contains("a symbolic link"));
            }
            assert!(fits(kind, &good, &[link(&at("a"), "/etc")]).contains("a symbolic link"), "an account");
        }
        for kind in [Kind::Packages, Kind::Package, Kind::CompilerCache, Kind::Verdict] {
            for path in ["verdict.json", "tree/x", "stage/x"] {
                assert!(fits(kind, &[link(path, "/dev/zero")], &[]).contains("a symbolic link"), "{kind:?} {path}");
                assert!(fits(kind, &[], &[link(path, "x")]).contains("a symbolic link"), "{kind:?} {path}");
            }
        }
        for path in ["", "/etc/x", "a//b", "./a", "a/..", "../a", "a/"] {
            assert!(fits(Kind::Staged, &[file(path)], &[]).contains("leads elsewhere"), "{path}");
        }
        assert!(fits(Kind::Verdict, &[file("a"), file("a")], &[]).contains("twice"));
        assert!(fits(Kind::Verdict, &[file("a"), file("a/b")], &[]).contains("is below a, which is no folder"));
    }
}
