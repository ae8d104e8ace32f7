//! How a repository is, for the people who keep it and for what watches it: what ends when, and what needs a hand before
//! clients notice. Reads little; whether every byte is right is for `verify`.

use std::collections::BTreeMap;
use std::path::Path;

use foundation::date;
use serde::Serialize;
use sign::policy::{self, KeyObjection};

use super::editions::{Editions, SETTLED_DAYS};
use super::keys::Keys;
use super::plan::Ring;
use super::repair::below;
use super::snapshot::{self, SUITE, Snapshot};
use super::{Folder, RepositoryError, StandBy, aliases, clock, rotation, stand_by};
use sign::gpgv::Gpgv;
use sign::public_key::{self, Certificate};

/// How a repository is. All times are Unix times in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RepositoryStatus {
    /// The time that the status is of.
    pub now: i64,
    /// What somebody has to do, and how; nothing where all is well.
    pub needs: Vec<String>,
    /// How each suite is, by its codename.
    pub suites: BTreeMap<String, SuiteStatus>,
    /// The keys that sign, as clients with the newest keyring package know them.
    pub keys: Vec<KeyStatus>,
    /// The version of the newest keyring package.
    pub keyring: String,
    /// While two keys sign: when the older one may go, once every suite has both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_ready: Option<i64>,
    /// The key that stands by, and when it can take over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stand_by: Option<StandBy>,
    /// The packages in the pool.
    pub pool: Total,
    /// The indices of all snapshots.
    pub indices: Total,
}

/// A suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SuiteStatus {
    /// What clients see: its number, how many packages it has, and its dates. `None` before the first publication.
    pub live: Option<Live>,
    /// How many snapshots of the suite are kept.
    pub snapshots: usize,
    /// How many packages the next publication brings.
    pub staged: usize,
    /// Versions of the keyring package that clients may have which were updated within two weeks.
    pub keyrings: Vec<String>,
}

/// What clients see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Live {
    /// The number of the snapshot.
    pub number: u64,
    /// How many packages the snapshot has.
    pub packages: usize,
    /// The field `Date` of its Release.
    pub date: i64,
    /// The field `Valid-Until` of its Release: after it, clients refuse the suite.
    pub valid_until: i64,
    /// Fingerprints of the keys that made its signatures, which may be subkeys.
    pub signed_with: Vec<String>,
}

/// A key that can sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct KeyStatus {
    /// The fingerprint of the key or subkey.
    pub fingerprint: String,
    /// The fingerprint of its primary key.
    pub primary: String,
    /// The first user id of the primary key.
    pub user_id: String,
    /// Whether what clients see is signed with it.
    pub signs: bool,
    /// When the key ends; `None` for a key that does not end.
    pub ends: Option<i64>,
    /// Whether it was revoked by its owner.
    pub revoked: bool,
    /// From when on clients refuse it, whatever the reason.
    pub refused: Option<KeyObjection>,
}

/// Files and their size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Total {
    /// How many files there are.
    pub files: usize,
    /// The size of all of them together, in bytes.
    pub bytes: u64,
}

const DAY: i64 = 86_400;

/// Tells how a repository is at this time. It takes no lock.
///
/// # Errors
/// The folder is no repository, a file of it is not as this tool writes it, or gpg or gpgv cannot be run.
pub fn status(root: &Path, now: i64) -> Result<RepositoryStatus, RepositoryError> {
    let folder = Folder::open(root)?;
    let keys = Keys::read(&folder)?;
    let editions = Editions::read(&folder, &keys)?;
    let newest = Ring::newest(&keys)?;
    let ring = public_key::write(&keys.whole_ring())?;
    let gpgv = Gpgv::new(ring.path())?;
    let mut needs = Vec::new();
    if folder.unfinished().exists() {
        needs.push(
            "a run was interrupted, or is under way: any command that changes the repository repairs what it has left"
                .to_owned(),
        );
    }
    let mut staged = folder.staged()?;
    let mut suites = BTreeMap::new();
    for suite in &folder.settings.suite {
        let codename = &suite.codename;
        let live = Snapshot::live(&folder, codename)?;
        let held = editions.held(codename, SETTLED_DAYS, now);
        let live = match live {
            None => {
                needs.push(format!("{codename}: was never published: run `cargo xtask repo publish`"));
                None
            }
            Some(live) => {
                let live = look(&folder, &gpgv, &live)?;
                needs.extend(dates(codename, &live, folder.settings.valid_days, now));
                for edition in &held {
                    let ring = Ring::of(edition)?;
                    if !live.signed_with.iter().any(|key| ring.accepts(key, now)) {
                        needs.push(format!(
                            "{codename}: clients with the keyring package {} refuse what is published: run `cargo xtask repo refresh`",
                            edition.version
                        ));
                    }
                }
                Some(live)
            }
        };
        let keyrings = held.iter().map(|edition| edition.version.clone()).collect();
        let snapshots = snapshot::numbers(&folder, codename)?.len();
        let staged = staged.remove(codename).unwrap_or_default().len();
        suites.insert(codename.clone(), SuiteStatus { live, snapshots, staged, keyrings });
    }
    let signing = |key: &str| {
        suites.values().filter_map(|suite| suite.live.as_ref()).any(|live| live.signed_with.iter().any(|by| by == key))
    };
    let mut found = Vec::new();
    for certificate in &newest.certificates {
        let own: Vec<KeyStatus> = key_statuses(certificate, &signing);
        let stands_by = keys.stand_by.as_ref().is_some_and(|key| key.fingerprint == certificate.primary());
        needs.extend(ends(certificate, &own, stands_by, now));
        found.extend(own);
    }
    needs.extend(aliases::problems(&folder));
    Ok(RepositoryStatus {
        now,
        needs,
        suites,
        keys: found,
        keyring: keys.version.clone(),
        rotation_ready: rotation::ready(&folder, &keys, SETTLED_DAYS)?,
        stand_by: stand_by::status(&folder, &keys, SETTLED_DAYS)?,
        pool: size(&folder, "pool")?,
        indices: size(&folder, "indices")?,
    })
}

fn look(folder: &Folder, gpgv: &Gpgv, live: &Snapshot) -> Result<Live, RepositoryError> {
    let path = folder.snapshot(&live.codename, live.number).join(SUITE).join("InRelease");
    let (_, keys) = gpgv.past_text(&path)?;
    Ok(Live {
        number: live.number,
        packages: live.packages.len(),
        date: live.date,
        valid_until: live.valid_until,
        signed_with: keys.into_iter().map(|key| key.fingerprint).collect(),
    })
}

/// What is wrong with the dates of what clients see. Half of its time is left for whoever comes to look.
fn dates(codename: &str, live: &Live, valid_days: u32, now: i64) -> Option<String> {
    let end = date::text(live.valid_until);
    let half = i64::from(valid_days) * DAY / 2;
    if live.date > now + clock::FUTURE {
        let date = date::text(live.date);
        Some(format!(
            "{codename}: is dated {date}, in the future, and clients refuse it: where this machine's clock is right, run \
             `cargo xtask repo refresh --clock-is-right`"
        ))
    } else if live.valid_until <= now {
        Some(format!("{codename}: ended at {end}, and clients refuse it: run `cargo xtask repo refresh`"))
    } else if live.valid_until - now < half {
        Some(format!("{codename}: ends at {end}: run `cargo xtask repo refresh`, and let it run daily"))
    } else {
        None
    }
}

fn key_statuses(certificate: &Certificate, signing: &dyn Fn(&str) -> bool) -> Vec<KeyStatus> {
    let keys = certificate.keys.iter().filter(|key| key.signs);
    let status = |key: &public_key::PublicKey| KeyStatus {
        fingerprint: key.fingerprint.clone(),
        primary: certificate.primary().to_owned(),
        user_id: certificate.user_id.clone(),
        signs: signing(&key.fingerprint),
        ends: key.ends,
        revoked: key.revoked,
        refused: policy::objections(certificate, &key.fingerprint).into_iter().next(),
    };
    keys.map(status).collect()
}

/// A key has to be renewed so early that all clients have the renewed one when it ends; and as much time is left for
/// whoever comes to look. It is the last one of its certificate that counts.
fn ends(certificate: &Certificate, own: &[KeyStatus], stands_by: bool, now: i64) -> Option<String> {
    let settled = i64::from(SETTLED_DAYS) * DAY;
    let usable = |key: &&KeyStatus| key.refused.as_ref().is_none_or(|refused| refused.from > now);
    let last = own.iter().filter(usable).max_by_key(|key| key.refused.as_ref().map_or(i64::MAX, |why| why.from));
    if stands_by {
        let objection = last.map_or(Some(0), |last| last.refused.as_ref().map(|objection| objection.from));
        return objection.filter(|from| from - now < 4 * settled).map(|_| {
            format!(
                "the stand-by key {} {} will soon be of no use: publish it with a later end, or another one, with `cargo xtask repo \
                 rotate-key --stand-by FILE`",
                certificate.primary(),
                certificate.user_id
            )
        });
    }
    let Some(last) = last else {
        return Some(format!(
            "clients refuse every key of {} {}: let a new one take over with `cargo xtask repo rotate-key`",
            certificate.primary(),
            certificate.user_id
        ));
    };
    let objection = last.refused.as_ref()?;
    let (ahead, next) = match objection.why.as_str() {
        "ends" => (
            2 * settled,
            format!(
                "extend it with `gpg --quick-set-expire`, and run `cargo xtask repo refresh` before {}, so that clients know of it in time",
                date::text(objection.from - settled)
            ),
        ),
        // apt warns a year ahead.
        _ => (365 * DAY, "let a new one take over with `cargo xtask repo rotate-key`".to_owned()),
    };
    (objection.from - now < ahead).then(|| format!("the key {objection}: {next}"))
}

fn size(folder: &Folder, name: &str) -> Result<Total, RepositoryError> {
    let mut size = Total::default();
    for path in below(folder, name)? {
        let path = folder.path(&path);
        size.bytes += std::fs::metadata(&path).map_err(RepositoryError::io("read", &path))?.len();
        size.files += 1;
    }
    Ok(size)
}
