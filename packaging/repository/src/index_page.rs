//! `index.html` at the repository's top: for people, what the indices are for apt, and what is proven of it. It follows from
//! what clients see, and from nothing else: no clock is in it, so that `verify` can write it anew and compare.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use apt::changelog;
use apt::described::source_of;
use apt::listed::Listed;
use fetch::debian::version;
use sign::public_key;
use statements::check::statement;
use statements::vex;

use super::evidence::{self, Build, Evidence};
use super::keys::Keys;
use super::settings::{self, Settings};
use super::snapshot::Snapshot;
use super::{Folder, RepositoryError, described};

/// The file's name.
pub(super) const NAME: &str = "index.html";

/// So many versions of each source package are shown; apt has the others.
const SHOWN: usize = 10;

/// The page.
pub(super) fn html(folder: &Folder, keys: &Keys) -> Result<String, RepositoryError> {
    let settings = &folder.settings;
    let evidence = Evidence::read(folder)?;
    let mut suites = Vec::new();
    for suite in &settings.suite {
        if let Some(live) = Snapshot::live(folder, &suite.codename)? {
            suites.push(self::suite(folder, &evidence, suite, &live)?);
        }
    }
    let certificates = public_key::read(&keys.ring())?;
    let key = |certificate: &public_key::Certificate| page::Key {
        user_id: certificate.user_id.clone(),
        fingerprint: certificate.primary().to_owned(),
        stand_by: keys.stand_by.as_ref().is_some_and(|key| key.fingerprint == certificate.primary()),
        signing: certificate
            .keys
            .iter()
            .filter(|key| key.signs)
            .map(|key| page::Signing { fingerprint: key.fingerprint.clone(), ends: key.ends, revoked: key.revoked })
            .collect(),
    };
    let page = page::Repository {
        title: settings.description.clone(),
        origin: settings.origin.clone(),
        development: settings.development,
        ring: format!("{}.gpg", settings.keyring()),
        keyring: settings.keyring(),
        suites,
        keys: certificates.iter().map(key).collect(),
    };
    Ok(page.html())
}

fn suite(
    folder: &Folder,
    evidence: &Evidence,
    suite: &settings::Suite,
    live: &Snapshot,
) -> Result<page::Suite, RepositoryError> {
    let settings = &folder.settings;
    let keyring = settings.keyring();
    let mut versions: BTreeMap<&str, Vec<Version<'_>>> = BTreeMap::new();
    for package in live.packages.iter().filter(|package| package.name != keyring) {
        let found = versions.entry(source_of(&package.path)).or_default();
        match found.iter_mut().find(|version| version.version == package.version) {
            Some(version) => version.packages.push(package),
            None => found.push(Version { version: &package.version, packages: vec![package] }),
        }
    }
    let (mut builds, mut earlier) = (Vec::new(), 0);
    for (source, mut found) in versions {
        found.sort_by(|a, b| version::compare(b.version, a.version));
        earlier += found.len().saturating_sub(SHOWN);
        for version in found.into_iter().take(SHOWN) {
            builds.push(build(folder, evidence, source, &version)?);
        }
    }
    Ok(page::Suite {
        codename: suite.codename.clone(),
        name: suite.name.clone().filter(|name| *name != suite.codename),
        number: live.number,
        date: live.date,
        valid_until: live.valid_until,
        architectures: settings.architectures.clone(),
        components: settings.components.clone(),
        install: install(folder, &suite.codename, &builds),
        preferences: format!("{}-{}.pref", settings.name, suite.codename),
        builds,
        earlier,
    })
}

/// One version of a source package.
struct Version<'a> {
    version: &'a str,
    packages: Vec<&'a Listed>,
}

/// What a machine is told, once: whom to believe, where it is, and what to install.
fn install(folder: &Folder, codename: &str, builds: &[page::Build]) -> Vec<String> {
    let settings = &folder.settings;
    let Settings { name, .. } = settings;
    let (uri, keyring) = (settings.uri(folder.root()), settings.keyring());
    // The one that is called as its source stands for the rest; else any that is no library.
    let packages = || builds.iter().flat_map(|build| build.packages.iter().map(move |package| (build, package)));
    let named = packages().find(|(build, package)| package.name == build.source);
    let other = || packages().find(|(_, package)| !package.name.starts_with("lib"));
    let package = named.or_else(other).map(|(_, package)| format!(" && apt-get install {}", package.name));
    vec![
        format!("curl -fsSLO {uri}/{keyring}.deb && apt-get install ./{keyring}.deb"),
        format!("curl -fsSL {uri}/{name}-{codename}.sources -o /etc/apt/sources.list.d/{name}.sources"),
        format!("apt-get update{}", package.unwrap_or_default()),
    ]
}

fn build(
    folder: &Folder,
    evidence: &Evidence,
    source: &str,
    version: &Version<'_>,
) -> Result<page::Build, RepositoryError> {
    let digests: BTreeSet<_> = version.packages.iter().map(|package| package.sha256).collect();
    let proofs: Vec<&Build> = evidence.of(&digests).collect();
    let (mut packages, mut debug) = (Vec::new(), Vec::new());
    for listed in &version.packages {
        let described = described::of(folder, &listed.path, &listed.sha256)?;
        let bill = evidence::bill(listed.path.rsplit('/').next().unwrap_or_default());
        let of = proofs.iter().filter(|build| build.packages.contains(&listed.sha256));
        let shown = page::Package {
            name: listed.name.clone(),
            synopsis: described.synopsis().to_owned(),
            architecture: listed.architecture.clone(),
            path: listed.path.clone(),
            size: listed.size,
            sha256: listed.sha256.to_string(),
            bill: of.filter(|build| build.files.contains_key(&bill)).find_map(|build| build.path_of(&bill)),
        };
        if described.is_debug() { debug.push(shown) } else { packages.push(shown) }
    }
    // What is called as the source comes first, as one looks for it there.
    packages.sort_by(|a, b| match (a.name == source, b.name == source) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => (&a.name, &a.architecture).cmp(&(&b.name, &b.architecture)),
    });
    let several = proofs.len() > 1;
    Ok(page::Build {
        source: source.to_owned(),
        version: version.version.to_owned(),
        changelog: version
            .packages
            .first()
            .map(|package| changelog::path(package))
            .filter(|path| folder.path(path).is_file()),
        proofs: proofs.iter().map(|build| proof(build, &version.packages, several)).collect(),
        packages,
        debug,
    })
}

fn proof(build: &Build, packages: &[&Listed], several: bool) -> page::Proof {
    let path = |end: &str| build.path_of(end).unwrap_or_default();
    let architectures: BTreeSet<&str> = packages
        .iter()
        .filter(|package| build.packages.contains(&package.sha256))
        .map(|package| package.architecture.as_str())
        .collect();
    let bills = build.files.keys().filter(|name| name.ends_with(".cdx.json")).count();
    let tests = build.tests.as_ref().map(|tests| page::Tests {
        passed: tests.passed,
        warned: tests.warned.clone(),
        failed: tests.failed,
        path: path(statement::FILE),
    });
    let origin = build.origin.as_ref().map(|origin| page::Origin {
        source: origin.source.clone(),
        commit: origin.commit.clone(),
        applied: origin.applied,
        inputs: origin.inputs,
        plan: origin.plan.clone(),
        path: path(&evidence::provenance_end()),
    });
    let rebuild = |(name, rebuild): (&String, &evidence::Rebuild)| page::Rebuild {
        user_id: rebuild.by.user_id.clone(),
        fingerprint: rebuild.by.fingerprint.clone(),
        variations: rebuild.variations.clone(),
        path: path(name),
    };
    let finding = |finding: &vex::VexFinding| page::Finding {
        name: finding.name.clone(),
        description: finding.description.clone(),
        status: finding.status.clone(),
        notes: finding.notes.clone(),
    };
    // The bills are beside their packages.
    let files = build.paths().filter(|(_, name, _)| !name.ends_with(".cdx.json"));
    page::Proof {
        label: several.then(|| architectures.into_iter().collect::<Vec<_>>().join(", ")),
        builders: build.builders.iter().map(|who| (who.user_id.clone(), who.fingerprint.clone())).collect(),
        tests,
        rebuilds: build.rebuilds.iter().map(rebuild).collect(),
        origin,
        bills,
        vulnerabilities: build.vulnerabilities.as_ref().map(|found| found.iter().map(finding).collect()),
        vulnerabilities_path: build.path_of(vex::EXTENSION),
        files: files.map(|(path, name, _)| page::File { name: name.clone(), path, sha256: None }).collect(),
    }
}
