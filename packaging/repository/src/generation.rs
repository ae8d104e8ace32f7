//! The repository's identity, and how far it has come: `repository/generation.asc`, a clear-signed paragraph that every
//! publication writes anew.
//!
//! Two copies of a repository look alike until both publish. So each publication names those before it by digest, and a
//! place that was pushed to can be told from one that somebody else has carried on: only a descendant may replace what is
//! there ([`super::place`]). The same paragraph names the files from which another machine continues, so that a lost
//! `.repository` is not the end ([`super::recover`]).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use apt::Sum;
use deb::control::Paragraph;
use foundation::digest::Digest;
use foundation::{date, random};
use sign::several::{self, Signature};

use super::{Folder, RepositoryError, evidence, files, first_seen, snapshot};

/// Below the repository, and below every place that it is pushed to.
pub(super) const FILE: &str = places::told::GENERATION;

/// Where the files that it names are, each under its digest: an upload that is cut short spoils none of them.
pub(super) const STATE: &str = "repository/state";

/// The tool's own files that a repository cannot be continued without. None has a secret.
const NAMES: [&str; 7] =
    ["settings.toml", "keys.json", "editions.json", "builders.gpg", "ledger.json", first_seen::FILE, evidence::NAME];

/// So many publications are remembered: three years of daily ones. A place that is further behind has to be forced.
const ANCESTORS: usize = 1000;

/// One publication of the whole repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The repository's id: random, made once, the same in every copy.
    pub repository: String,
    /// The name of the repository, as the settings have it.
    pub name: String,
    /// The number of the publication, counted from 1.
    pub number: u64,
    /// When it was published, as a Unix time in seconds.
    pub date: i64,
    /// What clients see: codename to the snapshot's number and the digest of its InRelease.
    pub(super) suites: BTreeMap<String, (u64, Digest)>,
    /// The tool's files, by their name in `.repository/`.
    pub(super) state: BTreeMap<String, Sum>,
    /// The numbers and digests of those before it, the newest last.
    ancestors: Vec<(u64, Digest)>,
    /// Digest of the signed file.
    pub(super) digest: Digest,
}

impl Generation {
    /// That of a repository's folder; none where a version of the tool that knew of none has made it.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, RepositoryError> {
        let path = folder.path(FILE);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(RepositoryError::io("read", &path))?,
        };
        let text = body(&bytes).and_then(|text| Self::parse(&text, Digest::of(&bytes)));
        text.map(Some).ok_or_else(|| RepositoryError::State { path, problem: "it has no generation".into() })
    }

    /// Reads a text that [`text`](Self::text) wrote.
    pub(super) fn parse(text: &str, digest: Digest) -> Option<Self> {
        let paragraph = Paragraph::parse(text)?;
        let lines = |name| {
            let value = paragraph.get(name).unwrap_or_default().lines();
            value.map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|words| !words.is_empty())
        };
        let suite = |words: Vec<&str>| match words[..] {
            [name, number, sha256] if is_file_name(name) => {
                Some((name.to_owned(), (number.parse().ok()?, sha256.parse().ok()?)))
            }
            _ => None,
        };
        let state = |words: Vec<&str>| match words[..] {
            // Whoever writes the paragraph may not choose where a file goes.
            [sha256, size, name] if NAMES.contains(&name) => {
                Some((name.to_owned(), (sha256.parse().ok()?, size.parse().ok()?)))
            }
            _ => None,
        };
        let ancestor = |words: Vec<&str>| match words[..] {
            [number, sha256] => Some((number.parse().ok()?, sha256.parse().ok()?)),
            _ => None,
        };
        Some(Self {
            repository: paragraph.get("Repository").filter(|id| is_file_name(id))?.to_owned(),
            name: paragraph.get("Name")?.to_owned(),
            number: paragraph.get("Generation")?.parse().ok()?,
            date: date::parse(paragraph.get("Date")?)?,
            suites: lines("Suites").map(suite).collect::<Option<_>>()?,
            state: lines("State").map(state).collect::<Option<_>>()?,
            ancestors: lines("Ancestors").map(ancestor).collect::<Option<_>>()?,
            digest,
        })
    }

    fn text(&self) -> String {
        let Self { repository, name, number, .. } = self;
        let mut text = format!(
            "Repository: {repository}\nName: {name}\nGeneration: {number}\nDate: {}\nSuites:\n",
            date::text(self.date)
        );
        for (codename, (number, sha256)) in &self.suites {
            text += &format!(" {codename} {number} {sha256}\n");
        }
        text += "State:\n";
        for (name, (sha256, size)) in &self.state {
            text += &format!(" {sha256} {size} {name}\n");
        }
        if !self.ancestors.is_empty() {
            text += "Ancestors:\n";
        }
        for (number, sha256) in &self.ancestors {
            text += &format!(" {number} {sha256}\n");
        }
        text
    }

    /// Whether it was published after the other one, by somebody who had that one.
    pub(super) fn descends_from(&self, other: &Self) -> bool {
        self.repository == other.repository && self.ancestors.contains(&(other.number, other.digest))
    }

    /// `ID:NUMBER`, by which a person says that this one is meant.
    pub(super) fn name_for_force(&self) -> String {
        format!("{}:{}", self.repository, self.number)
    }

    /// Where the file that it names lies, below the repository or a place.
    pub(super) fn blob(sha256: &Digest) -> String {
        format!("{STATE}/{sha256}")
    }

    /// The content of one of the tool's files, as it was published.
    pub(super) fn content(&self, top: &Path, name: &str) -> Result<Option<Vec<u8>>, RepositoryError> {
        let Some((sha256, _)) = self.state.get(name) else { return Ok(None) };
        let path = top.join(Self::blob(sha256));
        let bytes = fs::read(&path).map_err(RepositoryError::io("read", &path))?;
        let found = Digest::of(&bytes);
        match found == *sha256 {
            true => Ok(Some(bytes)),
            false => Err(RepositoryError::Pool { path, expected: *sha256, found: found.to_string() }),
        }
    }

    /// Whether it says what clients of this folder see.
    pub(super) fn is_current(&self, folder: &Folder) -> Result<bool, RepositoryError> {
        Ok(self.suites == suites(folder)?)
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { repository, name, number, date, .. } = self;
        write!(f, "{name} ({repository}), generation {number}, published {}", date::text(*date))
    }
}

/// Signs the next generation, unless the present one says all that there is to say.
pub(super) fn record(folder: &Folder, signatures: &[Signature<'_>], now: i64) -> Result<(), RepositoryError> {
    let before = Generation::read(folder)?;
    let suites = suites(folder)?;
    let mut contents = BTreeMap::new();
    for name in NAMES {
        let path = folder.state().join(name);
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => contents.insert(name.to_owned(), other.map_err(RepositoryError::io("read", &path))?),
        };
    }
    let state: BTreeMap<String, Sum> =
        contents.iter().map(|(name, bytes)| (name.clone(), (Digest::of(bytes), bytes.len() as u64))).collect();
    if before.as_ref().is_some_and(|before| before.suites == suites && before.state == state) {
        return Ok(());
    }
    let mut ancestors = before.as_ref().map_or_else(Vec::new, |before| before.ancestors.clone());
    ancestors.extend(before.as_ref().map(|before| (before.number, before.digest)));
    ancestors.drain(..ancestors.len().saturating_sub(ANCESTORS));
    let generation = Generation {
        repository: match &before {
            Some(before) => before.repository.clone(),
            None => random::id().map_err(RepositoryError::io("read", random::SOURCE))?,
        },
        name: folder.settings.name.clone(),
        number: before.as_ref().map_or(1, |before| before.number + 1),
        date: now,
        suites,
        state,
        ancestors,
        digest: Digest::of(""),
    };
    let signed = several::sign(&generation.text(), signatures, now)?;
    let temporary = folder.temporary();
    for bytes in contents.values() {
        files::update(&temporary, &folder.path(&Generation::blob(&Digest::of(bytes))), bytes)?;
    }
    // From its first generation on, a repository without one is damaged, not old.
    files::update(&temporary, &id(folder), format!("{}\n", generation.repository).as_bytes())?;
    files::write(&temporary, &folder.path(FILE), &signed.clear)?;
    let used: Vec<String> = generation.state.values().map(|(sha256, _)| sha256.to_string()).collect();
    for name in files::names(&folder.path(STATE))?.iter().filter(|name| !used.contains(name)) {
        files::remove(&folder.path(STATE).join(name))?;
    }
    Ok(())
}

/// Has the repository's id, once it has one.
pub(super) fn id(folder: &Folder) -> PathBuf {
    folder.state().join("id")
}

fn suites(folder: &Folder) -> Result<BTreeMap<String, (u64, Digest)>, RepositoryError> {
    let mut suites = BTreeMap::new();
    for suite in &folder.settings.suite {
        if let Some(number) = snapshot::live(folder, &suite.codename)? {
            let path = folder.snapshot(&suite.codename, number).join(snapshot::SUITE).join("InRelease");
            let sha256 = Digest::of_file(&path).map_err(RepositoryError::io("read", &path))?;
            suites.insert(suite.codename.clone(), (number, sha256));
        }
    }
    Ok(suites)
}

/// The text of a clear-signed file (RFC 9580, 7), whoever has signed it: for one's own file, and for messages.
pub(super) fn body(signed: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(signed).ok()?;
    let (_, text) = text.split_once("-----BEGIN PGP SIGNED MESSAGE-----\n")?.1.split_once("\n\n")?;
    let (text, _) = text.split_once("\n-----BEGIN PGP SIGNATURE-----\n")?;
    Some(text.lines().map(|line| format!("{}\n", line.strip_prefix("- ").unwrap_or(line))).collect())
}

fn is_file_name(text: &str) -> bool {
    !text.starts_with('.') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(number: u64, ancestors: Vec<(u64, Digest)>) -> Generation {
        let sum = Digest::of("x");
        let mut generation = Generation {
            repository: "5f0c2b8e-0000-4000-8000-000000000000".into(),
            name: "mesos".into(),
            number,
            date: 1_795_410_048,
            suites: BTreeMap::from([("bookworm".into(), (number, sum))]),
            state: BTreeMap::from([("ledger.json".into(), (sum, 1))]),
            ancestors,
            digest: sum,
        };
        generation.digest = Digest::of(generation.text());
        generation
    }

    #[test]
    fn what_is_written_is_read_and_only_a_descendant_descends() {
        let first = generation(1, vec![]);
        let second = generation(2, vec![(1, first.digest)]);
        for generation in [&first, &second] {
            assert_eq!(Generation::parse(&generation.text(), generation.digest).as_ref(), Some(generation));
        }
        assert!(second.descends_from(&first) && !first.descends_from(&second) && !first.descends_from(&first));
        let mut other = first.clone();
        other.digest = Digest::of("somebody else's first");
        assert!(!second.descends_from(&other));
        other = first.clone();
        other.repository = "another".into();
        assert!(!second.descends_from(&other));
    }

    #[test]
    fn nobody_chooses_where_files_go() {
        for (from, to) in [("ledger.json", "../../etc/passwd"), (" bookworm", " ../x"), ("5f0c2b8e-", "../5f0c")] {
            let text = generation(1, vec![]).text();
            assert!(text.contains(from), "{text}");
            assert_eq!(Generation::parse(&text.replace(from, to), Digest::of("")), None, "{to}");
        }
    }

    #[test]
    fn the_text_of_a_signed_file() {
        let signed = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nA: b\n- -c\n\
                      -----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n";
        assert_eq!(body(signed.as_bytes()).as_deref(), Some("A: b\n-c\n"));
        assert_eq!(body(b"A: b\n"), None);
    }
}
