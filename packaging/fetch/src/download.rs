//! Downloads: parallel, resumed, retried, from several addresses in turn, checked by digest.
//!
//! The digest decides, not the address: whatever a mirror sends is checked before it gets its final
//! name in the store. An interrupted download is kept as `partial/<hex>.part` and resumed from whichever
//! address answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{BuildHasher, Hasher as _, RandomState};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use foundation::address::shown;
use foundation::digest::Digest;
use foundation::store::{Store, StoreError};
use rustix::fs::{FlockOperation, flock};

mod client;
mod error;
mod meter;
mod proxy;

pub(crate) use error::kind_of;
pub use error::{DownloadError, FailedFile, Tried};
pub use meter::DownloadProgress;

use client::{Client, Fault, FaultKind, Timeouts, html_fault};
use meter::Meter;

/// Whether the network may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The network may be used.
    Online,
    /// `--offline`: whatever is not in the store is an error.
    Offline,
}

/// A file that is to be in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The words for it in messages, such as its path in the archive.
    pub name: String,
    /// The addresses where it may be, in the order in which they are tried.
    pub urls: Vec<String>,
    /// Its size in bytes, where it is known.
    pub size: Option<u64>,
    /// Its digest: this decides, not the address.
    pub sha256: Digest,
}

/// What a caller is told during downloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadEvent {
    /// How far it is. Sent at most some ten times a second, and at the end.
    Progress(DownloadProgress),
    /// An address did not work and the next one is tried; names the address and the reason.
    Warning(String),
    /// An address did not work and is tried again; the same, once for each host.
    Retry(String),
}

/// How patient and how parallel downloads are.
#[derive(Clone, Copy, Debug)]
struct Patience {
    timeouts: Timeouts,
    /// Attempts in a row that bring nothing, per address.
    attempts: u32,
    /// Attempts in all, per address.
    attempts_in_all: u32,
    /// Pause after the first of them; doubled each time.
    pause: Duration,
    /// How long a server may ask to be left alone, where nobody else has the file.
    longest_pause: Duration,
    /// Bytes that have to come within a time, where somebody else has the file, too.
    least: (u64, Duration),
    threads: usize,
    /// Whether an address that has no other behind it is waited for longer.
    alone: bool,
}

const PATIENCE: Patience = Patience {
    timeouts: Timeouts { connect: Duration::from_secs(15), read: Duration::from_secs(20), all: None },
    attempts: 4,
    attempts_in_all: 32,
    pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(120),
    // 1 kB/s.
    least: (20_000, Duration::from_secs(20)),
    threads: 8,
    alone: true,
};

const IMPATIENCE: Patience = Patience {
    timeouts: Timeouts { connect: Duration::from_secs(5), read: Duration::from_secs(8), all: None },
    attempts: 2,
    // 100 kB/s, of all threads together.
    least: (250_000, Duration::from_secs(20)),
    alone: false,
    ..PATIENCE
};

/// Downloads files into the store.
#[derive(Debug)]
pub struct Downloader {
    network: Network,
    patience: Patience,
    client: Client,
    /// Hosts that could not be reached: not tried again for every single file.
    down: Mutex<BTreeSet<String>>,
    /// Hosts that let somebody wait: tried last.
    slow: Mutex<BTreeSet<String>>,
    /// Hosts of which it was said that they are tried again.
    told: Mutex<BTreeSet<String>>,
}

type Listener<'a> = &'a (dyn Fn(DownloadEvent) + Sync);

impl Downloader {
    /// With time-outs and retries for real networks, and the proxies of the environment.
    pub fn new(network: Network) -> Self {
        Self::with(network, PATIENCE, &|name| std::env::var(name).ok())
    }

    /// For what can be made here instead: whoever does not answer soon, or is slow, is done without. What is not there after the time
    /// `all`, counted from now, is not waited for.
    pub fn impatient(network: Network, all: Duration) -> Self {
        let timeouts = Timeouts { all: Some(all), ..IMPATIENCE.timeouts };
        Self::with(network, Patience { timeouts, ..IMPATIENCE }, &|name| std::env::var(name).ok())
    }

    fn with(network: Network, patience: Patience, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let client = Client::new(patience.timeouts, variable);
        let (down, slow, told) = Default::default();
        Self { network, patience, client, down, slow, told }
    }

    /// Whether this downloader may use the network.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Brings all files into the store, several at a time. What is there is not downloaded. A file
    /// that cannot be had does not keep the others from being fetched.
    ///
    /// # Errors
    /// The network may not be used and a file is missing, a file has the right content at none of its addresses, or the
    /// store cannot be written. The error names every file that could not be had, with each address and its reason.
    pub fn fetch_all(&self, store: &Store, wanted: &[Wanted], on: Listener<'_>) -> Result<(), DownloadError> {
        let unique: BTreeMap<Digest, &Wanted> = wanted.iter().rev().map(|w| (w.sha256, w)).collect();
        let (present, mut missing): (Vec<&Wanted>, Vec<&Wanted>) =
            unique.values().partition(|wanted| store.blob(&wanted.sha256).is_some());
        if self.network == Network::Offline && !missing.is_empty() {
            let mut missing: Vec<String> = missing.iter().map(|wanted| wanted.name.clone()).collect();
            missing.sort();
            return Err(DownloadError::Offline { missing });
        }
        // The big ones first: so that none is left alone at the end.
        missing.sort_by_key(|wanted| (std::cmp::Reverse(wanted.size), &wanted.name));
        let size = |files: &[&Wanted]| files.iter().filter_map(|wanted| wanted.size).sum::<u64>();
        let meter = Meter::new(
            on,
            DownloadProgress {
                bytes_done: size(&present),
                bytes_total: size(&present) + size(&missing),
                files_done: present.len(),
                files_total: unique.len(),
                current: String::new(),
            },
        );
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let failed = Mutex::new(Vec::new());
        let broken = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..self.patience.threads.min(missing.len()) {
                scope.spawn(|| {
                    while let Some(wanted) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        match self.one(store, wanted, &meter) {
                            Ok(_) => {}
                            Err(DownloadError::Failed { files }) => failed.lock().unwrap().extend(files),
                            Err(error) => {
                                // A full disk is full for the other files too.
                                stop.store(true, Ordering::Relaxed);
                                broken.lock().unwrap().get_or_insert(error);
                            }
                        }
                    }
                });
            }
        });
        meter.finish();
        if let Some(error) = broken.into_inner().unwrap() {
            return Err(error);
        }
        let mut files = failed.into_inner().unwrap();
        files.sort_by(|a: &FailedFile, b| a.name.cmp(&b.name));
        if files.is_empty() { Ok(()) } else { Err(DownloadError::Failed { files }) }
    }

    /// Brings one file into the store, and returns its path there.
    ///
    /// # Errors
    /// The file is not in the store and cannot be had, or the store cannot be written.
    pub fn fetch(&self, store: &Store, wanted: &Wanted, on: Listener<'_>) -> Result<PathBuf, DownloadError> {
        self.fetch_all(store, std::slice::from_ref(wanted), on)?;
        Ok(store.verify(&wanted.sha256)?)
    }

    /// Downloads a small text whose digest is not known beforehand (InRelease), from the first
    /// address that gives one. Returns the content and the address.
    ///
    /// # Errors
    /// The network may not be used, or no address gives a text of at most `limit` bytes. A web page where a text should
    /// be counts as a failure.
    pub fn get(
        &self,
        name: &str,
        urls: &[String],
        limit: u64,
        on: Listener<'_>,
    ) -> Result<(Vec<u8>, String), DownloadError> {
        self.read(name, urls, on, &|body| {
            let mut content = Vec::new();
            let read = body.take(limit + 1).read_to_end(&mut content);
            read.map_err(|error| Fault::of_body("it broke off", &error))?;
            if is_html(&content) {
                return Err(html_fault());
            }
            if content.len() as u64 > limit {
                return Err(Fault::new(FaultKind::Lasting, format!("it is longer than {limit} bytes")));
            }
            Ok(content)
        })
    }

    /// Reads what an address gives without keeping it, and no more than `limit` bytes. Returns its digest and its size.
    ///
    /// # Errors
    /// The network may not be used, or the address gives nothing or breaks off.
    pub fn measure(&self, name: &str, url: String, limit: u64) -> Result<(Digest, u64), DownloadError> {
        let measured = self.read(name, &[url], &|_| (), &|body| {
            Digest::of_reader(body.take(limit)).map_err(|error| Fault::of_body("it broke off", &error))
        });
        measured.map(|(sum, _)| sum)
    }

    /// Hands what the first address gives that works to `read`.
    fn read<T>(
        &self,
        name: &str,
        urls: &[String],
        on: Listener<'_>,
        read: &dyn Fn(Box<dyn Read>) -> Result<T, Fault>,
    ) -> Result<(T, String), DownloadError> {
        if self.network == Network::Offline {
            return Err(DownloadError::Offline { missing: vec![name.to_owned()] });
        }
        let mut tried = Vec::new();
        let urls = self.in_order(urls);
        for (at, url) in urls.iter().enumerate() {
            let source = Source { name, url, others: self.others(&urls[at + 1..]), on };
            match self.persist(source, |_| read(self.client.get(url, 0)?.body)) {
                Ok(content) => return Ok((content, (*url).to_owned())),
                Err(fault) => self.report(source, fault, &mut tried),
            }
        }
        Err(DownloadError::Failed { files: vec![FailedFile { name: name.to_owned(), tried }] })
    }

    /// POST without content, for services that prepare a download. Returns the answer's text.
    pub(crate) fn post(&self, url: &str) -> Result<String, String> {
        let text = || {
            let mut text = String::new();
            let answer = self.client.post(url)?;
            let read = answer.body.take(1 << 20).read_to_string(&mut text);
            read.map_err(|error| Fault::of_body("it broke off", &error))?;
            Ok(text)
        };
        let source = Source { name: url, url, others: false, on: &|_| () };
        self.persist(source, |_| text()).map_err(|fault| fault.why)
    }

    fn report(&self, source: Source<'_>, fault: Fault, tried: &mut Vec<Tried>) {
        let Source { name, url, others, on } = source;
        // Nobody else has it: the next file does not wait as long again.
        if fault.kind == FaultKind::Unreachable || (fault.kind == FaultKind::Slow && !(others && self.patience.alone)) {
            self.down.lock().unwrap().insert(host(url));
        }
        let new = Tried { url: url.to_owned(), why: fault.why, wrong: fault.kind == FaultKind::Wrong };
        on(DownloadEvent::Warning(format!("{name}: {new}")));
        tried.push(new);
    }

    /// The addresses in the order in which they are tried: those of hosts that are known to be slow come last.
    fn in_order<'u>(&self, urls: &'u [String]) -> Vec<&'u str> {
        let slow = self.slow.lock().unwrap();
        let mut urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        urls.sort_by_key(|url| slow.contains(&host(url)));
        urls
    }

    /// Whether one of these addresses is worth trying.
    fn others(&self, urls: &[&str]) -> bool {
        let down = self.down.lock().unwrap();
        !self.patience.alone || urls.iter().any(|url| !down.contains(&host(url)))
    }

    /// One file, from its addresses in turn.
    fn one(&self, store: &Store, wanted: &Wanted, meter: &Meter<'_>) -> Result<PathBuf, DownloadError> {
        let path = store.part_path(&wanted.sha256);
        let io = |what| StoreError::io(what, &path);
        let open = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let part = open().map_err(io("write"))?;
        // Another run may be at the same file: wait, then it is there.
        flock(&part, FlockOperation::LockExclusive).map_err(|error| io("lock")(error.into()))?;
        if let Some(done) = store.blob(&wanted.sha256) {
            let _ = std::fs::remove_file(&path);
            meter.file_done(wanted);
            return Ok(done);
        }
        // The one who finished it has moved it away: this handle must not write to it.
        let part = if path.exists() { part } else { open().map_err(io("write"))? };
        let mut part = Part { file: part, path: &path, wanted, meter, counted: 0, least: None };
        let mut tried = Vec::new();
        let urls = self.in_order(&wanted.urls);
        for (at, url) in urls.iter().enumerate() {
            if self.down.lock().unwrap().contains(&host(url)) {
                let why = "not tried: the host did not answer for another file".to_owned();
                tried.push(Tried { url: (*url).to_owned(), why, wrong: false });
                continue;
            }
            let mut full = None;
            let source = Source { name: &wanted.name, url, others: self.others(&urls[at + 1..]), on: meter.on };
            part.least = source.others.then_some(self.patience.least);
            let result = self.persist(source, |gained| {
                self.attempt(url, &mut part, gained).map_err(|trouble| match trouble {
                    Trouble::Fault(fault) => fault,
                    Trouble::Store(error) => {
                        let fault = Fault::new(FaultKind::Lasting, error.to_string());
                        full = Some(error);
                        fault
                    }
                })
            });
            if let Some(error) = full {
                return Err(error.into());
            }
            match result {
                Ok(()) => {
                    let blob = store.adopt(&path, wanted.sha256)?;
                    meter.file_done_counted(wanted, part.counted);
                    return Ok(blob.path);
                }
                Err(fault) => self.report(source, fault, &mut tried),
            }
        }
        let empty = part.file.metadata().is_ok_and(|found| found.len() == 0);
        if empty {
            let _ = std::fs::remove_file(&path);
        }
        Err(DownloadError::Failed { files: vec![FailedFile { name: wanted.name.clone(), tried }] })
    }

    /// Repeats attempts that may work later, with growing pauses. `attempt` sets its argument when it
    /// brought something, which makes patience new, up to a limit. Somebody who lets us wait is not asked again while
    /// there are others.
    fn persist<T>(
        &self,
        source: Source<'_>,
        mut attempt: impl FnMut(&mut bool) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let Source { name, url, others, on } = source;
        let (mut in_vain, mut all) = (0, 0);
        loop {
            let mut gained = false;
            let fault = match attempt(&mut gained) {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            in_vain = if gained { 1 } else { in_vain + 1 };
            all += 1;
            if fault.kind == FaultKind::Slow || fault.after.is_some() {
                self.slow.lock().unwrap().insert(host(url));
            }
            let asked = fault.after.unwrap_or_default();
            if asked > if others { self.patience.pause } else { self.patience.longest_pause } {
                let why = format!("{}, and it asks to be left alone for {} s", fault.why, asked.as_secs());
                return Err(Fault { why, ..fault });
            }
            let passing = match fault.kind {
                FaultKind::Passing | FaultKind::Unreachable => true,
                FaultKind::Slow => !others,
                FaultKind::Lasting | FaultKind::Wrong => false,
            };
            let given_up = self.down.lock().unwrap().contains(&host(url));
            if !passing || given_up || in_vain >= self.patience.attempts || all >= self.patience.attempts_in_all {
                return Err(fault);
            }
            if self.told.lock().unwrap().insert(host(url)) {
                on(DownloadEvent::Retry(format!("{name}: {}: {}; trying again", shown(url), fault.why)));
            }
            let pause = self.patience.pause * 2u32.saturating_pow(in_vain - 1);
            // Up to half of it again, so that many clients do not come back at the same moment.
            let jitter = RandomState::new().build_hasher().finish() % 512;
            std::thread::sleep(asked.max(pause) + pause.mul_f64(jitter as f64 / 1024.0));
        }
    }

    /// One request for what is missing of a file, then the check of the whole.
    fn attempt(&self, url: &str, part: &mut Part<'_, '_>, gained: &mut bool) -> Result<(), Trouble> {
        let wrong = |why: String| Err(Trouble::Fault(Fault::new(FaultKind::Wrong, why)));
        let mut have = part.length()?;
        let size = part.wanted.size;
        if size.is_some_and(|size| have > size) {
            part.cut(0)?;
            have = 0;
        }
        let resumed = have > 0;
        if !resumed || size != Some(have) {
            let answer = match self.client.get(url, have) {
                // The range cannot be had; RFC 9110 15.5.17.
                Err(fault) if resumed && fault.why == "HTTP 416" => {
                    part.cut(0)?;
                    return self.attempt(url, part, gained);
                }
                answer => answer?,
            };
            if !answer.partial {
                part.cut(0)?;
                have = 0;
            } else if answer.start != have {
                return wrong(format!("asked for byte {have} on, it sent byte {} on", answer.start));
            }
            if let (Some(size), Some(length)) = (size, answer.length)
                && have.checked_add(length) != Some(size)
            {
                let mut start = Vec::new();
                if answer.body.take(64).read_to_end(&mut start).is_ok() && is_html(&start) {
                    return Err(html_fault().into());
                }
                return wrong(format!("it has {} bytes, expected {size}", have.saturating_add(length)));
            }
            part.append(have, answer.body, answer.length, gained)?;
        }
        let found = part.digest()?;
        if found == part.wanted.sha256 {
            return Ok(());
        }
        part.cut(0)?;
        if resumed {
            // The beginning may be at fault, and be another mirror's: once more, all of it from here.
            return self.attempt(url, part, gained);
        }
        wrong(format!("its sha256 is {found}, expected {}", part.wanted.sha256))
    }
}

/// Where something is asked for, and who is told.
#[derive(Clone, Copy)]
struct Source<'a> {
    name: &'a str,
    url: &'a str,
    /// Whether somebody else may have it, too.
    others: bool,
    on: Listener<'a>,
}

/// What ends an attempt: the address's fault, or this machine's.
enum Trouble {
    Fault(Fault),
    Store(StoreError),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A download that is not complete.
struct Part<'a, 'b> {
    file: File,
    path: &'a Path,
    wanted: &'a Wanted,
    meter: &'a Meter<'b>,
    /// Bytes of it that the meter has counted.
    counted: u64,
    /// Bytes that have to come within a time.
    least: Option<(u64, Duration)>,
}

impl Part<'_, '_> {
    fn io(&self, what: &'static str) -> impl FnOnce(std::io::Error) -> StoreError {
        StoreError::io(what, self.path)
    }

    fn count(&mut self, length: u64) {
        self.meter.moved(&self.wanted.name, self.counted, length);
        self.counted = length;
    }

    fn length(&mut self) -> Result<u64, StoreError> {
        let length = self.file.metadata().map_err(self.io("read"))?.len();
        self.count(length);
        Ok(length)
    }

    fn cut(&mut self, length: u64) -> Result<(), StoreError> {
        self.file.set_len(length).map_err(self.io("write"))?;
        self.count(length);
        Ok(())
    }

    fn append(
        &mut self,
        from: u64,
        mut body: Box<dyn Read>,
        length: Option<u64>,
        gained: &mut bool,
    ) -> Result<(), Trouble> {
        self.file.seek(SeekFrom::Start(from)).map_err(self.io("write"))?;
        let end = self.wanted.size.or(length.map(|length| from.saturating_add(length)));
        let mut at = from;
        let mut window = (Instant::now(), from);
        let mut buffer = vec![0; 1 << 17];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(n) => n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::of_body(&format!("it broke off after {at} bytes"), &error).into()),
            };
            if n == 0 {
                break;
            }
            if at == 0 && is_html(&buffer[..n]) {
                return Err(html_fault().into());
            }
            self.file.write_all(&buffer[..n]).map_err(self.io("write"))?;
            at += n as u64;
            *gained = true;
            self.count(at);
            if let Some((least, within)) = self.least
                && window.0.elapsed() >= within
            {
                if at - window.1 < least {
                    let why = format!("it sent {} bytes in {} s", at - window.1, within.as_secs_f64());
                    return Err(Fault::new(FaultKind::Slow, why).into());
                }
                window = (Instant::now(), at);
            }
            if end.is_some_and(|end| at > end) {
                self.cut(0)?;
                let why = format!("it sends more than the {} bytes expected", end.unwrap_or_default());
                return Err(Fault::new(FaultKind::Wrong, why).into());
            }
        }
        match end {
            Some(end) if at < end => {
                Err(Fault::new(FaultKind::Passing, format!("it broke off after {at} of {end} bytes")).into())
            }
            _ => Ok(()),
        }
    }

    fn digest(&mut self) -> Result<Digest, StoreError> {
        self.file.rewind().map_err(self.io("read"))?;
        Ok(Digest::of_reader(&self.file).map_err(self.io("read"))?.0)
    }
}

/// A web page instead of a file.
fn is_html(start: &[u8]) -> bool {
    let text = start.trim_ascii_start();
    let text = text.get(..text.len().min(14)).unwrap_or_default().to_ascii_lowercase();
    text.starts_with(b"<!doctype html") || text.starts_with(b"<html")
}

/// The host and port of an address.
fn host(url: &str) -> String {
    url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
pub(crate) mod tests;
