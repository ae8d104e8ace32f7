//! Places that results come from: what can be written to as well, and web servers, which only read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::str::FromStr;
use std::time::Duration;

use fetch::download::{DownloadError, DownloadEvent, DownloadProgress, Downloader, Network, Wanted};
use foundation::address;
use foundation::digest::Digest;
use foundation::store::{Store, StoreError};
use places::Remote;
use places::transport::Transport;
use statements::proof::result::Part;

use crate::{Key, Kind, STATEMENTS, part_path};

/// A place that results are taken from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A folder, or what rsync(1) or rclone(1) reaches.
    Place(PlaceName),
    /// What a web server has below an address, without a slash at the end. It may have a password, which is never shown.
    Web(String),
}

/// A place that can be written to, by the name that it was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlaceName(pub Remote);

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
            return match rest.trim_matches('/') {
                "" => Err(format!("'{text}' has no host")),
                _ => Ok(Self::Web(text.trim_end_matches('/').to_owned())),
            };
        }
        let remote = text.parse::<Remote>().map_err(|why| format!("{why}, https://HOST/PATH"))?;
        Ok(Self::Place(PlaceName(remote)))
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Place(PlaceName(remote)) => remote.fmt(f),
            Self::Web(address) => f.write_str(&address::shown(address)),
        }
    }
}

/// Why something was not had from a place.
#[derive(Debug)]
pub enum Trouble {
    /// The place does not do its part: the end of a sentence.
    Place(String),
    /// The store here cannot be written.
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// No statement is longer than that.
pub(crate) const LONGEST: u64 = 1 << 20;

/// How long a place may take for a few small files.
const FOR_STATEMENTS: Duration = Duration::from_secs(30);

/// No result has more bytes than that.
const MOST: u64 = 1 << 40;

/// How many parts are asked for at once; whatever is complete then need not come again.
const BATCH: usize = 128;

/// Less than so many bytes a second is slower than making it.
const LEAST_RATE: u64 = 100_000;

impl Source {
    /// The results that somebody has made a statement about, whoever that is, of the reproducible kinds. None where a place cannot be listed, as web
    /// servers cannot.
    ///
    /// # Errors
    /// The place cannot be read.
    pub fn keys(&self) -> Result<Option<BTreeSet<Key>>, Trouble> {
        let Self::Place(PlaceName(remote)) = self else { return Ok(None) };
        let transport = Transport { remote, lock: None, patience: Some(FOR_STATEMENTS) };
        let names = transport.names_below("listing statements", STATEMENTS);
        let names = names.map_err(|error| Trouble::Place(error.to_string()))?;
        let key = |name: &String| {
            let mut parts = name.split('/').skip(1);
            let (kind, inputs) = (parts.next()?, parts.next()?);
            let kind = Kind::REPRODUCIBLE.into_iter().find(|known| known.name() == kind)?;
            Some(Key { kind, inputs: inputs.parse().ok()? })
        };
        Ok(Some(names.iter().filter_map(key).collect()))
    }

    /// Reads those of these small files that are there.
    ///
    /// # Errors
    /// The place cannot be read.
    pub fn texts(&self, files: &BTreeSet<String>) -> Result<BTreeMap<String, Vec<u8>>, Trouble> {
        let mut found = BTreeMap::new();
        match self {
            Self::Place(PlaceName(remote)) => {
                let folder = tempfile::tempdir().map_err(StoreError::io("make a folder in", std::env::temp_dir()))?;
                let transport = Transport { remote, lock: None, patience: Some(FOR_STATEMENTS) };
                let large = transport.get("reading statements", files, Some(LONGEST), folder.path());
                let large = large.map_err(|error| Trouble::Place(error.to_string()))?;
                if let Some(file) = large.first() {
                    return Err(Trouble::Place(format!("{file} is longer than {LONGEST} bytes")));
                }
                for file in files {
                    if let Ok(text) = fs::read(folder.path().join(file)) {
                        found.insert(file.clone(), text);
                    }
                }
            }
            Self::Web(address) => {
                let downloader = Downloader::impatient(Network::Online, FOR_STATEMENTS);
                for file in files {
                    let url = format!("{address}/{file}");
                    match downloader.get(file, &[url], LONGEST, &|_| ()) {
                        Ok((text, _)) => drop(found.insert(file.clone(), text)),
                        Err(DownloadError::Failed { files })
                            if files.iter().flat_map(|file| &file.tried).all(|tried| tried.is_missing()) => {}
                        Err(error) => return Err(Trouble::Place(error.to_string())),
                    }
                }
            }
        }
        Ok(found)
    }

    /// Brings parts into the store, each only if it has its digest; what is there already is not asked for.
    ///
    /// # Errors
    /// A part cannot be had, or has other bytes; or the store cannot be written. What did come is kept.
    pub fn parts(&self, parts: &[Part], store: &Store, tell: &dyn Fn(DownloadProgress)) -> Result<(), Trouble> {
        let mut seen = BTreeSet::new();
        let mut wanted: Vec<&Part> = parts.iter().filter(|part| seen.insert(part.sha256)).collect();
        // Of one size those that are asked for at once, since the largest is the limit for all of them.
        wanted.sort_by_key(|part| std::cmp::Reverse(part.size));
        // Whoever signs may have signed anything.
        let all = wanted.iter().try_fold(0, |sum: u64, part| sum.checked_add(part.size));
        if all.is_none_or(|all| all > MOST) {
            return Err(Trouble::Place(format!("its parts would be more than {MOST} bytes")));
        }
        match self {
            Self::Web(address) => {
                let bytes = wanted.iter().filter(|part| store.blob(&part.sha256).is_none()).map(|part| part.size).sum();
                let wanted: Vec<Wanted> = wanted
                    .iter()
                    .map(|part| Wanted {
                        name: part_path(&part.sha256),
                        urls: vec![format!("{address}/{}", part_path(&part.sha256))],
                        size: Some(part.size),
                        sha256: part.sha256,
                    })
                    .collect();
                let told = std::sync::Mutex::new(DownloadProgress::default());
                let listen = |event| {
                    if let DownloadEvent::Progress(progress) = event {
                        *told.lock().expect("no panic while held") = progress;
                    }
                };
                let downloader = Downloader::impatient(Network::Online, patience(bytes));
                let got = downloader.fetch_all(store, &wanted, &listen);
                tell(told.into_inner().expect("no panic while held"));
                got.map_err(|error| match error {
                    DownloadError::Store(error) => Trouble::Store(error),
                    error => Trouble::Place(error.to_string()),
                })
            }
            Self::Place(PlaceName(remote)) => {
                let missing: Vec<&Part> =
                    wanted.iter().copied().filter(|part| store.blob(&part.sha256).is_none()).collect();
                let sum = |parts: &[&Part]| parts.iter().map(|part| part.size).sum::<u64>();
                let mut told = DownloadProgress {
                    bytes_done: sum(&wanted) - sum(&missing),
                    bytes_total: sum(&wanted),
                    files_done: wanted.len() - missing.len(),
                    files_total: wanted.len(),
                    current: String::new(),
                };
                for batch in missing.chunks(BATCH) {
                    get(remote, batch, store)?;
                    told.bytes_done += sum(batch);
                    told.files_done += batch.len();
                    tell(told.clone());
                }
                Ok(())
            }
        }
    }
}

/// How long a place may take for so many bytes of parts.
fn patience(bytes: u64) -> Duration {
    FOR_STATEMENTS + Duration::from_secs(bytes / LEAST_RATE)
}

/// Copies parts from a place into the store.
fn get(remote: &Remote, parts: &[&Part], store: &Store) -> Result<(), Trouble> {
    let folder = store.temp_dir()?;
    let files: BTreeSet<String> = parts.iter().map(|part| part_path(&part.sha256)).collect();
    let bytes: u64 = parts.iter().map(|part| part.size).sum();
    let transport = Transport { remote, lock: None, patience: Some(patience(bytes)) };
    let most = parts.iter().map(|part| part.size).max();
    let got = transport.get("fetching parts", &files, most, folder.path());
    // Whatever came before it broke off is as good.
    let mut wrong = None;
    for part in parts {
        let path = folder.path().join(part_path(&part.sha256));
        match Digest::of_file(&path) {
            Ok(found) if found == part.sha256 => drop(store.adopt(&path, found)?),
            Ok(found) => wrong = Some(format!("{} has the sha256 {found}", part_path(&part.sha256))),
            Err(_) if got.as_ref().is_ok_and(|large| large.contains(&part_path(&part.sha256))) => {
                wrong = Some(format!(
                    "{} is larger than the {} bytes that it should have",
                    part_path(&part.sha256),
                    part.size
                ));
            }
            Err(_) if got.is_ok() => wrong = Some(format!("{} is not there", part_path(&part.sha256))),
            Err(_) => {}
        }
    }
    match (got, wrong) {
        (Err(error), _) => Err(Trouble::Place(error.to_string())),
        (Ok(_), Some(wrong)) => Err(Trouble::Place(wrong)),
        (Ok(_), None) => Ok(()),
    }
}
