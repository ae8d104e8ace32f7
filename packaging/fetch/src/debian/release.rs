//! InRelease: fetched, verified with gpgv, parsed (Debian repository format, "Release files").

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use foundation::digest::Digest;
use foundation::store::{Store, StoreError};
use recipe::archives::{Priority, Suite};
use time::format_description::well_known::Rfc2822;
use time::{Duration, OffsetDateTime};

use super::index::{Index, paragraphs};
use super::mirror::Addresses;
use super::{DebianError, Unusable};
use crate::download::{DownloadError, DownloadEvent, Downloader, Network, Tried, Wanted};

/// An InRelease file whose signature was checked: it lists the indexes of a suite with their digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The field `Codename`, such as `bookworm`.
    pub codename: String,
    /// The field `Date`, as a Unix time in seconds.
    pub date: i64,
    /// The field `Valid-Until`, as a Unix time in seconds: after it, the file is too old to be trusted.
    pub valid_until: Option<i64>,
    /// The time stamp for the permanent archive: `--snapshot`, or one day after `date`.
    ///
    /// The snapshot archive imports a mirror four times a day, some hours after the mirror itself was
    /// updated, and serves the last import before the time stamp that it is asked for. At `date` itself
    /// it would still serve the state before this release. One day later has this one, and of a stable
    /// suite, which changes at point releases only, still this one.
    pub snapshot: String,
    /// SHA-256 digest of the whole InRelease file, with its signature.
    pub sha256: Digest,
    /// How much apt prefers the suite by itself: `NotAutomatic` and `ButAutomaticUpgrades` (apt_preferences(5)).
    pub priority: Priority,
    /// The field `Components`, such as `main contrib`.
    pub components: String,
    /// The field `Architectures`, such as `all amd64 arm64`.
    pub architectures: String,
    /// The indices: path below `dists/SUITE/` to digest and size.
    pub files: BTreeMap<String, (Digest, u64)>,
}

/// InRelease of Debian's largest suite is under a MiB.
const LIMIT: u64 = 16 << 20;

impl Release {
    /// Fetches a suite's InRelease and verifies it with its keyring. With `snapshot`
    /// (`--snapshot 20260712T000000Z`) it comes from the permanent archive as of then.
    ///
    /// An address whose InRelease cannot be used is reported and the next one is tried: a stale mirror
    /// must not stop a lock, and none is trusted.
    ///
    /// # Errors
    /// `snapshot` is not a time stamp, the network may not be used, gpgv cannot be run, the store cannot be written, or
    /// no address has an InRelease that is signed by the keyring, of this suite, and still valid.
    pub fn fetch(
        downloader: &Downloader,
        store: &Store,
        addresses: &Addresses,
        (suite, targets): (&Suite, &Path),
        snapshot: Option<&str>,
        on: &(dyn Fn(DownloadEvent) + Sync),
    ) -> Result<Self, DebianError> {
        let path = format!("dists/{}/InRelease", suite.name);
        let now = OffsetDateTime::from(SystemTime::now());
        let (urls, at) = match snapshot {
            Some(text) => {
                let at = parse_stamp(text).ok_or_else(|| DebianError::Snapshot(text.to_owned()))?;
                (vec![format!("{}/{text}/{path}", addresses.archive)], at)
            }
            None => (addresses.pinned(&stamp(now), &path), now.unix_timestamp()),
        };
        let mut tried = Vec::new();
        let mut reason = Unusable::Silent;
        if downloader.network() == Network::Offline {
            return Err(DownloadError::Offline { missing: vec![path] }.into());
        }
        for url in urls {
            let read = downloader.get(&path, std::slice::from_ref(&url), LIMIT, &|_| ());
            let (refused, why) = match read {
                Ok((content, _)) => {
                    let release = match verify(store, &content, &targets.join(&suite.keyring))? {
                        Err(why) => Err((Unusable::Untrusted, why)),
                        Ok(text) => Self::parse(&text, Digest::of(&content), &suite.name, at, snapshot),
                    };
                    match release {
                        Ok(release) => return Ok(release),
                        Err((reason, why)) => (Tried { url, why, wrong: true }, reason),
                    }
                }
                Err(DownloadError::Failed { files }) => match files.into_iter().flat_map(|file| file.tried).next() {
                    Some(tried) if tried.is_missing() => (tried, Unusable::Missing),
                    Some(tried) => (tried, Unusable::Silent),
                    None => continue,
                },
                Err(error) => return Err(error.into()),
            };
            reason = reason.max(why);
            on(DownloadEvent::Warning(format!("{path}: {refused}")));
            tried.push(refused);
        }
        Err(DebianError::Release { suite: suite.name.clone(), tried, reason })
    }

    /// Parses the signed text of a suite. `at` is the time at which it must be valid.
    fn parse(
        text: &str,
        sha256: Digest,
        suite: &str,
        at: i64,
        snapshot: Option<&str>,
    ) -> Result<Self, (Unusable, String)> {
        let untrusted = |why: String| (Unusable::Untrusted, why);
        let release = Self::fields(text, sha256, suite, snapshot).map_err(untrusted)?;
        let told = |time: i64| {
            let time = OffsetDateTime::from_unix_timestamp(time).unwrap_or(OffsetDateTime::UNIX_EPOCH);
            time.format(&Rfc2822).unwrap_or_else(|_| stamp(time))
        };
        if let Some(until) = release.valid_until.filter(|until| *until < at) {
            let until = told(until);
            let why = format!(
                "it expired: Valid-Until is {until}. This mirror is stale, or the clock of this machine is wrong"
            );
            return Err((Unusable::Expired, why));
        }
        // A clock that is somewhat slow is no reason to refuse.
        if release.date > at + 86_400 {
            let date = told(release.date);
            return Err(untrusted(format!("its Date {date} is in the future: correct the clock of this machine")));
        }
        Ok(release)
    }

    /// Reads the fields, whatever time it is.
    fn fields(text: &str, sha256: Digest, name: &str, snapshot: Option<&str>) -> Result<Self, String> {
        let fields = paragraphs(text).next().ok_or("it is empty")?;
        let field =
            |name: &str| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let date_of = |name: &str| -> Result<Option<OffsetDateTime>, String> {
            field(name)
                .map(|text| parse_date(text).ok_or_else(|| format!("its {name} '{text}' is not a date")))
                .transpose()
        };
        let (suite, codename) = (field("Suite").unwrap_or_default(), field("Codename").unwrap_or_default());
        // Ubuntu's pockets have the codename of the suite that they belong to.
        let of_pocket = suite.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
        if suite != name && (codename != name || of_pocket) {
            return Err(format!("it is the release of '{codename}' ({suite}), not of '{name}'"));
        }
        let date = date_of("Date")?.ok_or("it has no field Date")?;
        let valid_until = date_of("Valid-Until")?.map(OffsetDateTime::unix_timestamp);
        let says = |name: &str| field(name).is_some_and(|text| text.eq_ignore_ascii_case("yes"));
        let mut files = BTreeMap::new();
        for line in field("SHA256").ok_or("it has no field SHA256")?.lines().filter(|line| !line.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let entry = (|| {
                let (sha256, size, path) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
                Some((path.to_owned(), (sha256, size)))
            })();
            let (path, found) =
                entry.ok_or_else(|| format!("its line '{}' under SHA256 is not digest, size and path", line.trim()))?;
            files.insert(path, found);
        }
        Ok(Self {
            codename: codename.to_owned(),
            date: date.unix_timestamp(),
            valid_until,
            snapshot: snapshot.map_or_else(|| stamp(date + Duration::days(1)), str::to_owned),
            sha256,
            priority: match (says("NotAutomatic"), says("ButAutomaticUpgrades")) {
                (false, _) => Priority::USUAL,
                (true, true) => Priority::UPGRADES_ONLY,
                (true, false) => Priority::NOT_AUTOMATIC,
            },
            components: field("Components").unwrap_or_default().to_owned(),
            architectures: field("Architectures").unwrap_or_default().to_owned(),
            files,
        })
    }

    /// Fetches the Packages index of a suite's component and architecture, by its digest.
    ///
    /// # Errors
    /// The release does not list the index, the index cannot be downloaded, the store cannot be written, or the index
    /// cannot be parsed.
    pub fn packages(
        &self,
        downloader: &Downloader,
        store: &Store,
        addresses: &Addresses,
        (suite, component, architecture): (&str, &str, &str),
        on: &(dyn Fn(DownloadEvent) + Sync),
    ) -> Result<Index, DebianError> {
        let folder = format!("{component}/binary-{architecture}");
        let plain = format!("{folder}/Packages");
        let name = format!("Packages of {suite} {component} for {architecture}");
        let listed = |path: &str| {
            self.files
                .get(path)
                .copied()
                .ok_or_else(|| self.not_listed(&addresses.archive, (suite, component, architecture), path))
        };
        let (sha256, _) = listed(&plain)?;
        if let Some(path) = store.blob(&sha256) {
            return Index::read(&name, &path, sha256);
        }
        let (packed, size) = listed(&format!("{plain}.xz"))?;
        let dists = format!("dists/{suite}");
        // By digest, so that a mirror that is being updated serves the right one; by name for those that
        // keep no by-hash folder.
        let by_hash = addresses.pinned(&self.snapshot, &format!("{dists}/{folder}/by-hash/SHA256/{packed}"));
        let by_name = addresses.pinned(&self.snapshot, &format!("{dists}/{plain}.xz"));
        let urls = by_hash.into_iter().zip(by_name).flat_map(|(hash, name)| [hash, name]).collect();
        let wanted = Wanted { name: format!("{dists}/{plain}.xz"), urls, size: Some(size), sha256: packed };
        let path = downloader.fetch(store, &wanted, on)?;
        let file = std::fs::File::open(&path).map_err(StoreError::io("read", &path))?;
        let blob = store.add(xz2::read::XzDecoder::new(std::io::BufReader::new(file)), Some(sha256))?;
        Index::read(&name, &blob.path, sha256)
    }

    /// Why an index is not there: what the suite says of its components and architectures decides how it is told.
    fn not_listed(
        &self,
        archive: &str,
        (suite, component, architecture): (&str, &str, &str),
        path: &str,
    ) -> DebianError {
        let words = |text: &str| -> Vec<String> {
            // Debian's security archive writes `updates/main` for what lies in `main`.
            text.split_whitespace().map(|word| word.trim_start_matches("updates/").to_owned()).collect()
        };
        for (what, asked, has) in
            [("component", component, &self.components), ("architecture", architecture, &self.architectures)]
        {
            let has = words(has);
            if !has.is_empty() && !has.iter().any(|one| one == asked) {
                return DebianError::SuiteLacks {
                    suite: suite.to_owned(),
                    archive: archive.to_owned(),
                    what,
                    asked: asked.to_owned(),
                    has: has.join(", "),
                };
            }
        }
        DebianError::Index { name: path.to_owned(), why: format!("the InRelease of {suite} does not list it") }
    }
}

/// Verifies a clear-signed file (RFC 9580 7) and returns the signed text: only that, since anything
/// may stand around it. The outer error is this machine's, the inner one the file's.
///
/// At least one good signature by a key of the keyring, and no bad one. A signature by a key that the
/// keyring does not have says nothing: Debian signs with the next release's key as well.
fn verify(store: &Store, content: &[u8], keyring: &Path) -> Result<Result<String, String>, DebianError> {
    let temp = store.temp_dir()?;
    let (file, text) = (temp.path().join("InRelease"), temp.path().join("text"));
    std::fs::write(&file, content).map_err(StoreError::io("write", &file))?;
    // A name without a slash would be looked for in the home folder.
    let keyring = std::path::absolute(keyring).map_err(StoreError::io("find", keyring))?;
    std::fs::File::open(&keyring).map_err(StoreError::io("read the keyring", &keyring))?;
    let output = Command::new("gpgv")
        .arg("--homedir")
        .arg(temp.path())
        .arg("--keyring")
        .arg(&keyring)
        .args(["--status-fd", "1", "--output"])
        .args([&text, &file])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(DebianError::NoGpgv)?;
    let status = String::from_utf8_lossy(&output.stdout);
    let has = |word: &str| status.lines().any(|line| line.split(' ').nth(1) == Some(word));
    if has("GOODSIG")
        && has("VALIDSIG")
        && !has("BADSIG")
        && let Ok(text) = std::fs::read_to_string(&text)
    {
        return Ok(Ok(text));
    }
    let detail = String::from_utf8_lossy(&output.stderr);
    let detail = detail.lines().map(|line| line.trim_start_matches("gpgv: ").trim()).collect::<Vec<_>>().join("; ");
    let why = if has("BADSIG") {
        "its signature is wrong: the file was changed after it had been signed"
    } else if has("EXPKEYSIG") || has("REVKEYSIG") || has("EXPSIG") {
        "its signature or the key that made it has expired or was revoked"
    } else if has("NO_PUBKEY") {
        "it is not signed by a key of the target's keyring"
    } else {
        "it carries no signature that can be checked"
    };
    Ok(Err(format!("{why} (gpgv: {detail}; keyring {})", keyring.display())))
}

/// `Sat, 11 Jul 2026 10:16:37 UTC`: RFC 5322, but for the zone.
pub(crate) fn parse_date(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    let zone = ["UTC", "GMT", "Z"].iter().find_map(|zone| text.strip_suffix(zone));
    let text = zone.map_or_else(|| text.to_owned(), |rest| format!("{rest}+0000"));
    OffsetDateTime::parse(&text, &Rfc2822).ok()
}

/// `20260712T101637Z`, as the snapshot archive has it.
fn stamp(time: OffsetDateTime) -> String {
    let time = time.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

fn parse_stamp(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 16
        && bytes.iter().enumerate().all(|(i, byte)| match i {
            8 => *byte == b'T',
            15 => *byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u8>().ok();
    let month = time::Month::try_from(number(4, 6)?).ok()?;
    let date = time::Date::from_calendar_date(text[..4].parse().ok()?, month, number(6, 8)?).ok()?;
    let time = time::Time::from_hms(number(9, 11)?, number(11, 13)?, number(13, 15)?).ok()?;
    Some(date.with_time(time).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_stamps() {
        let date = parse_date("Sat, 11 Jul 2026 10:16:37 UTC").unwrap();
        assert_eq!(date.unix_timestamp(), 1_783_764_997);
        assert_eq!(parse_date("Sat, 11 Jul 2026 10:16:37 +0000"), Some(date));
        assert_eq!(parse_date("yesterday"), None);
        assert_eq!(stamp(date + Duration::days(1)), "20260712T101637Z");
        assert_eq!(parse_stamp("20260711T101637Z"), Some(date.unix_timestamp()));
        for bad in ["", "20260711", "20261311T101637Z", "2026-07-11T10:16", "20260711T101637z", "20260711T106037Z"] {
            assert_eq!(parse_stamp(bad), None, "{bad}");
        }
    }
}
