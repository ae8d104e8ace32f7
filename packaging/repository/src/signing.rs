//! What is decided before a publication writes anything: which key ring clients get, which keys sign for those who have an
//! earlier one, and that none of them is cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::editions::{Editions, SETTLED_DAYS};
use super::keys::{self, Keys};
use super::plan::{self, Plan, Ring};
use super::snapshot::{self, Made, Snapshot};
use super::{Publication, Repository, RepositoryError, aliases, generation, sources};
use apt::release;
use sign::policy;
use sign::several::Signature;
use sign::signer::Signer;

/// The keys that take part, and what is asked of them.
pub(super) struct Request<'s, 'k> {
    /// The keys of the repository from now on; what the signers' own copies have that is new is added.
    pub keys: Keys,
    /// Codenames of the suites; all where there is none.
    pub codenames: &'s [String],
    pub signers: &'s [&'k dyn Signer],
    /// Clients that were updated within so many days must not be cut off.
    pub days: u32,
    pub now: i64,
}

impl Repository {
    /// Does something for these suites, and brings a changed key ring to all others, too.
    pub(super) fn for_suites(
        &mut self,
        request: Request<'_, '_>,
        what: impl Fn(&Self, &str, &[Signature<'_>]) -> Result<Publication, RepositoryError>,
    ) -> Result<Vec<Publication>, RepositoryError> {
        let Request { mut keys, codenames, signers, days, now } = request;
        keys::refuse_development(signers, self.settings().development)?;
        let signers = keys.matching(signers)?;
        keys.renew(&signers, now)?;
        let all: Vec<String> = self.settings().suite.iter().map(|suite| suite.codename.clone()).collect();
        let asked: Vec<String> = if codenames.is_empty() { all.clone() } else { codenames.to_vec() };
        for codename in &asked {
            self.folder.suite(codename)?;
        }
        let mut lagging = Vec::new();
        for codename in all.into_iter().filter(|codename| !asked.contains(codename)) {
            if Snapshot::live(&self.folder, &codename)?.is_some_and(|live| !self.has_keyring(&live, &keys)) {
                lagging.push(codename);
            }
        }
        let mut editions = Editions::read(&self.folder, &self.keys)?;
        let newest = Ring::newest(&keys)?;
        let mut plans = BTreeMap::new();
        for codename in asked.iter().chain(&lagging) {
            self.check_release_info(codename)?;
            let plan = self.plan(codename, &newest, &mut editions, &signers, days, now)?;
            plans.insert(codename.clone(), plan);
        }
        if keys.ring() != self.keys.ring() {
            let until = now + i64::from(self.settings().valid_days) * 86_400;
            for plan in plans.values() {
                endures(&newest, plan, until)?;
            }
        }
        self.change(|repository| {
            if keys != repository.keys {
                keys.write(&repository.folder)?;
                repository.keys = keys;
            }
            let publish = |codename: &String| match asked.contains(codename) {
                true => what(repository, codename, &plans[codename]),
                false => {
                    let packages = repository.live_packages(codename)?;
                    repository.release(codename, packages, Made::RotateKey, &plans[codename], now)
                }
            };
            let published: Result<Vec<_>, _> = asked.iter().chain(&lagging).map(publish).collect();
            // Also where the last suite has failed, what clients see of the others counts.
            let given_up: BTreeSet<String> =
                editions.0.into_iter().filter(|edition| edition.given_up).map(|edition| edition.version).collect();
            let mut editions = Editions::read(&repository.folder, &repository.keys)?;
            for edition in &mut editions.0 {
                edition.given_up |= given_up.contains(&edition.version);
            }
            editions.write(&repository.folder)?;
            aliases::write(&repository.folder)?;
            sources::write(&repository.folder, &repository.keys)?;
            // Other copies of the repository know what clients know.
            let mut all: Vec<Signature<'_>> = Vec::new();
            for signature in plans.values().flatten() {
                if !all.iter().any(|known| known.key == signature.key) {
                    all.push(signature.clone());
                }
            }
            generation::record(&repository.folder, &all, now)?;
            published
        })
    }

    /// Whether a snapshot has the keyring package of these keys.
    fn has_keyring(&self, snapshot: &Snapshot, keys: &Keys) -> bool {
        let keyring = self.settings().keyring();
        snapshot.packages.iter().any(|package| package.name == keyring && package.version == keys.version)
    }

    /// The signatures of a suite. Editions that need not be served are given up.
    fn plan<'a>(
        &self,
        codename: &str,
        newest: &Ring,
        editions: &mut Editions,
        signers: &[&'a dyn Signer],
        days: u32,
        now: i64,
    ) -> Result<Vec<Signature<'a>>, RepositoryError> {
        let held = editions.held(codename, days.max(SETTLED_DAYS), now);
        let held = held.into_iter().filter(|edition| edition.version != newest.version);
        let earlier = held.map(Ring::of).collect::<Result<Vec<_>, _>>()?;
        let rings: Vec<&Ring> = std::iter::once(newest).chain(earlier.iter().rev()).collect();
        let Plan { signatures, without } = plan::plan(&rings, signers, now);
        let demanded: Vec<String> =
            editions.held(codename, days, now).iter().map(|edition| edition.version.clone()).collect();
        for ring in without.into_iter().map(|n| rings[n]) {
            let newest = ring.version == newest.version;
            if newest || (demanded.contains(&ring.version) && !self.consent.lost_clients) {
                return Err(cut_off(codename, ring, newest, signers, now));
            }
            for edition in editions.0.iter_mut().filter(|edition| edition.version == ring.version) {
                edition.given_up = true;
            }
        }
        Ok(signatures)
    }

    /// apt stops where a repository is called otherwise than before, until the administrator has agreed.
    fn check_release_info(&self, codename: &str) -> Result<(), RepositoryError> {
        let Some(live) = Snapshot::live(&self.folder, codename)? else { return Ok(()) };
        if self.consent.changed_release_info {
            return Ok(());
        }
        let path = self.folder.snapshot(codename, live.number).join(snapshot::SUITE).join("Release");
        let text = fs::read_to_string(&path).map_err(RepositoryError::io("read", &path))?;
        let suite = self.folder.suite(codename)?;
        let next = self.settings().release(suite, 0, 0, &live.files);
        match release::renamed(&text, &next.text()) {
            None => Ok(()),
            Some((field, from, to)) => {
                Err(RepositoryError::ReleaseInfo { codename: codename.to_owned(), field, from, to })
            }
        }
    }
}

/// A key ring that changes has to serve for as long as what it signs: one good signature is enough.
fn endures(newest: &Ring, signatures: &[Signature<'_>], until: i64) -> Result<(), RepositoryError> {
    let mut first = None;
    for signature in signatures {
        let certificates = &newest.certificates;
        let Some(certificate) = certificates.iter().find(|found| found.key(&signature.key).is_some()) else { continue };
        match policy::refused(certificate, &signature.key, until) {
            None => return Ok(()),
            Some(objection) => {
                first.get_or_insert((objection, certificate.user_id.clone()));
            }
        }
    }
    match first {
        None => Ok(()),
        Some((objection, user_id)) => Err(keys::objected(&objection, &user_id, until)),
    }
}

fn cut_off(codename: &str, ring: &Ring, newest: bool, signers: &[&dyn Signer], now: i64) -> RepositoryError {
    let accepted = ring.accepted(now);
    let accepted =
        if accepted.is_empty() { "no key any more".to_owned() } else { format!("only {}", accepted.join(" or ")) };
    let own: Vec<&str> = signers.iter().flat_map(|signer| signer.secret_keys()).map(String::as_str).collect();
    RepositoryError::CutOff {
        codename: codename.to_owned(),
        version: ring.version.clone(),
        accepted,
        own: own.join(" and "),
        newest,
    }
}
