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

/// So often two that came at once try again.
const ATTEMPTS: u64 = 4;

impl<'a> PlaceLock<'a> {
    /// Takes the lock of a place, and reads the place under it. Whoever asks holds the lock of `folder`, from which is pushed:
    /// another lock of this same folder is of a run that has ended, and is removed. So is the one that is named in `broken`.
    /// `now` is a Unix time in seconds.
    ///
    /// # Errors
    /// Somebody else holds the lock, the place cannot be read, or rsync or rclone fails.
    pub fn acquire(
        transport: &'a Transport<'a>,
        folder: &Path,
        broken: Option<&str>,
        now: i64,
    ) -> Result<(Self, Told), PlaceError> {
        let owner = Owner { who: who(), since: now, copy: copy(folder)? };
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
            let (stale, others): (Vec<_>, Vec<_>) =
                place.locks.iter().filter(|(file, _)| **file != lock.file).partition(|(file, bytes)| {
                    serde_json::from_slice::<Owner>(bytes).is_ok_and(|other| other.copy == owner.copy)
                        || broken.is_some_and(|broken| file.strip_suffix(".json") == Some(broken))
                });
            if let Some((file, bytes)) = others.first() {
                let held = Self::held(transport, file, bytes, now);
                lock.release()?;
                if attempt == ATTEMPTS {
                    return Err(held);
                }
                // Whoever came at the same time waits for another while.
                std::thread::sleep(Duration::from_millis(100 * attempt + u64::from(std::process::id() % 10) * 37));
                continue;
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
        let problem = match serde_json::from_slice::<Owner>(bytes) {
            Ok(Owner { who, since, .. }) => {
                let minutes = (now - since).max(0) / 60;
                format!("{who} has been pushing there since {} ({minutes} min)", date::text(since))
            }
            Err(error) => format!("there is a lock that cannot be read ({error})"),
        };
        let next = format!("nothing was changed. Wait until that is done; if that run is gone, --break-lock {id}");
        PlaceError::Unfit { place: transport.remote.to_string(), problem, next }
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
