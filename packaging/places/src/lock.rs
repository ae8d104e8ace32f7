//! The lock on a place: one push at a time, from wherever.
//!
//! Folders, rsync and most object stores have no way in common to make a file only if there is none. So each push puts a
//! lock with a name of its own, and then looks which ones are there. Of two that come at once, the one that looks later
//! sees both, and whoever sees another one withdraws: never do two go on. That asks of the place no more than to show a
//! file that was written, which folders, rsync's servers and S3 do at once.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use foundation::digest::Digest;
use foundation::{date, random};
use serde::{Deserialize, Serialize};

use crate::error::PlaceError;
use crate::told::{LOCKS, Told};
use crate::transport::{Cache, Transport};

/// Who holds a lock, as the file at the place has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Owner {
    /// The one who pushes: `USER@HOST, process ID`.
    who: String,
    /// When it was put there, as a Unix time in seconds.
    since: i64,
    /// Stands for the folder that is being pushed, on this machine since it started.
    copy: Digest,
}

/// A lock that this process holds.
pub struct PlaceLock<'a> {
    transport: &'a Transport<'a>,
    file: String,
}

/// Who wants the lock of a place, and whose lock does not keep them out.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// What is copied from here. Whoever claims holds the lock of it, so that another lock of this same folder is of a run that has ended.
    pub folder: &'a Path,
    /// The lock with this name is of a run that is gone: somebody has said so.
    pub broken: Option<&'a str>,
    /// So is one that is older than so many seconds, which no copy takes. For places where two at once do no harm that lasts, should it
    /// ever be otherwise: a machine that is gone cannot be asked.
    pub longest: Option<i64>,
    /// The present, as a Unix time in seconds.
    pub now: i64,
}

impl Claim<'_> {
    /// The owner of a lock that is older than any copy; so is one that is from as far in the future.
    fn is_over(&self, owner: &Owner) -> bool {
        self.longest.is_some_and(|longest| {
            let age = self.now.saturating_sub(owner.since);
            age > longest || age < -longest
        })
    }
}

/// So often two that came at once try again.
const ATTEMPTS: u64 = 4;

impl<'a> PlaceLock<'a> {
    /// Takes the lock of a place, and reads the place under it. Locks of runs that have ended are removed; `tell` is told of one
    /// that is taken for such only because it is old.
    ///
    /// # Errors
    /// Somebody else holds the lock, the place cannot be read, or rsync or rclone fails.
    pub fn acquire(
        transport: &'a Transport<'a>,
        claim: &Claim,
        tell: &mut dyn FnMut(String),
    ) -> Result<(Self, Told), PlaceError> {
        let owner = Owner { who: who(), since: claim.now, copy: copy(claim.folder)? };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let id = random::id().map_err(PlaceError::io("read", random::SOURCE))?;
            let lock = Self { transport, file: format!("{id}.json") };
            lock.put(&owner)?;
            let place = match Told::read(transport) {
                Ok(place) => place,
                Err(error) => {
                    // Whoever comes next shall not be kept out as well; where the place is away, it cannot be helped.
                    let _ = lock.release();
                    return Err(error);
                }
            };
            let over = |bytes: &[u8]| serde_json::from_slice(bytes).ok().filter(|other| claim.is_over(other));
            let (stale, others): (Vec<_>, Vec<_>) =
                place.locks.iter().filter(|(file, _)| **file != lock.file).partition(|(file, bytes)| {
                    serde_json::from_slice::<Owner>(bytes).is_ok_and(|other| other.copy == owner.copy)
                        || claim.broken.is_some_and(|broken| file.strip_suffix(".json") == Some(broken))
                        || over(bytes).is_some()
                });
            if let Some((file, bytes)) = others.first() {
                let held = Self::held(transport, file, bytes, claim.now);
                lock.release()?;
                if attempt == ATTEMPTS {
                    return Err(held);
                }
                // Whoever came at the same time waits for another while.
                std::thread::sleep(Duration::from_millis(100 * attempt + u64::from(std::process::id() % 10) * 37));
                continue;
            }
            for other in stale.iter().filter_map(|(_, bytes)| over(bytes)) {
                let since = date::text(other.since);
                let place = transport.remote;
                tell(format!(
                    "{place}: {} has been there since {since}: no copy takes that long, so its lock is removed",
                    other.who
                ));
            }
            let stale = stale.into_iter().map(|(file, _)| format!("{LOCKS}/{file}")).collect();
            transport.delete("removing the lock of a run that has ended", &stale)?;
            return Ok((lock, place));
        }
    }

    fn put(&self, owner: &Owner) -> Result<(), PlaceError> {
        let folder = tempfile::tempdir().map_err(PlaceError::io("make a folder in", std::env::temp_dir()))?;
        let path = folder.path().join(LOCKS).join(&self.file);
        let text = serde_json::to_vec(owner).expect("plain data serialises to JSON");
        fs::create_dir_all(path.parent().expect("it is in a folder"))
            .and_then(|()| fs::write(&path, text))
            .map_err(PlaceError::io("write", &path))?;
        self.transport.put("locking the place", folder.path(), Cache::Briefly)
    }

    /// Gives it back.
    ///
    /// # Errors
    /// rsync or rclone fails; the lock may be there still.
    pub fn release(self) -> Result<(), PlaceError> {
        let file = BTreeSet::from([format!("{LOCKS}/{}", self.file)]);
        self.transport.delete("unlocking the place", &file)
    }

    fn held(transport: &Transport, file: &str, bytes: &[u8], now: i64) -> PlaceError {
        let id = file.strip_suffix(".json").unwrap_or(file);
        let (problem, seconds) = match serde_json::from_slice::<Owner>(bytes) {
            Ok(Owner { who, since, .. }) => {
                let seconds = now.saturating_sub(since).max(0);
                let since = date::text(since);
                (format!("{who} has been pushing there since {since} ({} min)", seconds / 60), Some(seconds))
            }
            Err(error) => (format!("there is a lock that cannot be read ({error})"), None),
        };
        let next = format!("nothing was changed. Wait until that is done; if that run is gone, --break-lock {id}");
        PlaceError::Held { place: transport.remote.to_string(), problem, next, seconds }
    }
}

fn who() -> String {
    let user = ["LOGNAME", "USER"].iter().find_map(|name| std::env::var(name).ok());
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}, process {}", std::process::id())
}

/// A folder that was copied is another one, and so is one of the same name in another machine or container.
fn copy(folder: &Path) -> Result<Digest, PlaceError> {
    const BOOT: &str = "/proc/sys/kernel/random/boot_id";
    let boot = fs::read_to_string(BOOT).map_err(PlaceError::io("read", BOOT))?;
    let found = fs::metadata(folder).map_err(PlaceError::io("read", folder))?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Ok(Digest::of_json(&(boot, host, found.dev(), found.ino(), folder)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Remote;

    const DAY: i64 = 86_400;

    #[test]
    fn a_lock_that_is_older_than_any_copy_keeps_nobody_out() {
        let top = tempfile::tempdir().unwrap();
        let (folder, place) = (top.path().join("folder"), top.path().join("place"));
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(place.join(LOCKS)).unwrap();
        let remote: Remote = place.to_str().unwrap().parse().unwrap();
        let transport = Transport { remote: &remote, lock: None, patience: None };
        let locks = || fs::read_dir(place.join(LOCKS)).unwrap().count();
        let now = 1_800_000_000;
        let acquire = |since: i64, longest: Option<i64>| {
            let owner = Owner { who: "ci@runner".into(), since, copy: Digest::of("another machine's") };
            fs::write(place.join(LOCKS).join("other.json"), serde_json::to_vec(&owner).unwrap()).unwrap();
            let (mut told, claim) = (Vec::new(), Claim { folder: &folder, broken: None, longest, now });
            let done = PlaceLock::acquire(&transport, &claim, &mut |text| told.push(text)).map(|(lock, _)| {
                assert_eq!(locks(), 1, "the other one is gone");
                lock.release().unwrap();
            });
            (done, told.join(" "))
        };
        for since in [now - DAY - 1, i64::MIN, now + DAY + 1, i64::MAX] {
            let (done, told) = acquire(since, Some(DAY));
            assert!(done.is_ok() && told.contains("ci@runner") && locks() == 0, "{since} {told}");
        }
        // One who may be at it; and where two at once would do harm, any.
        for (since, longest) in [(now - DAY, Some(DAY)), (now + 60, Some(DAY)), (i64::MIN, None), (i64::MAX, None)] {
            let (done, told) = acquire(since, longest);
            let error = done.unwrap_err();
            assert!(matches!(error, PlaceError::Held { seconds: Some(0..), .. }) && told.is_empty(), "{error:?}");
            assert_eq!(locks(), 1, "one's own is given back");
        }
    }
}
