//! Taking packages out of a suite. What was published once stays in the ledger, so that it never comes back with other bytes, and
//! its files stay in the pool for as long as a snapshot has them.

use apt::listed::Listed;
use deb::control::Paragraph;
use judges::relations;
use sign::signer::Signer;

use super::snapshot::Made;
use super::{Publication, Repository, RepositoryError, described, repair};

/// What was taken out of a suite.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Removed {
    /// The packages that clients saw, and do not see any more.
    pub packages: Vec<Listed>,
    /// Packages that were added, and that clients never saw.
    pub unpublished: Vec<Listed>,
    /// What clients see now; `None` where they saw none of them.
    pub published: Option<Publication>,
}

impl Repository {
    /// Takes packages, by name and version, out of a suite, with the debug symbols that are for nothing else. Refused where a
    /// package that stays needs one of them.
    ///
    /// # Errors
    /// The suite or one of the packages is not known, one is the keyring package, a package that stays needs one that
    /// would go, or publishing without them fails as it does for [`Self::publish`].
    pub fn remove(
        &mut self,
        codename: &str,
        wanted: &[(String, String)],
        signers: &[&dyn Signer],
        now: i64,
    ) -> Result<Removed, RepositoryError> {
        self.folder.suite(codename)?;
        let live = self.live_packages(codename)?;
        let mut staged = self.folder.staged()?;
        let waiting = staged.remove(codename).unwrap_or_default();
        let all: Vec<&Listed> = live.iter().chain(&waiting).collect();
        let mut gone: Vec<Listed> = Vec::new();
        for (name, version) in wanted {
            if *name == self.settings().keyring() {
                let problem =
                    "is the package with the repository's own keys, which clients cannot be without".to_owned();
                return Err(RepositoryError::Setting { what: "NAME=VERSION", value: name.clone(), problem });
            }
            let found = all.iter().filter(|package| package.name == *name && package.version == *version);
            let before = gone.len();
            gone.extend(found.map(|package| (*package).clone()));
            if gone.len() == before {
                let known = all.iter().filter(|package| package.name == *name);
                return Err(RepositoryError::NotThere {
                    codename: codename.to_owned(),
                    package: format!("{name}={version}"),
                    known: known.map(|package| package.version.as_str()).collect::<Vec<_>>().join(", "),
                });
            }
        }
        for package in &all {
            if !gone.contains(package) && self.is_debug_of(package, &gone)? {
                gone.push((*package).clone());
            }
        }
        let of = |packages: &[Listed]| packages.iter().filter(|one| gone.contains(one)).cloned().collect::<Vec<_>>();
        let (packages, unpublished) = (of(&live), of(&waiting));
        let mut published = None;
        if !packages.is_empty() {
            let asked = [codename.to_owned()];
            let request = self.request(&asked, signers, now);
            let mut all = self.for_suites(request, |repository, codename, signatures| {
                let packages = repository.live_packages(codename)?;
                let rest = packages.into_iter().filter(|package| !gone.contains(package)).collect();
                repository.release(codename, rest, Made::Remove, signatures, now)
            })?;
            published = Some(all.remove(0));
        }
        if !unpublished.is_empty() {
            let rest: Vec<Listed> = waiting.into_iter().filter(|package| !unpublished.contains(package)).collect();
            if !rest.is_empty() {
                staged.insert(codename.to_owned(), rest);
            }
            self.change(|repository| {
                repository.folder.write_staged(&staged)?;
                repair::sweep(&repository.folder).map(drop)
            })?;
        }
        Ok(Removed { packages, unpublished, published })
    }

    /// Whether a package has the debug symbols of one of these, of the same version.
    fn is_debug_of(&self, package: &Listed, gone: &[Listed]) -> Result<bool, RepositoryError> {
        let described = described::of(&self.folder, &package.path, &package.sha256)?;
        let fields = Paragraph::parse(&described.control).unwrap_or_default();
        let needed = relations::needed(&fields);
        let needs = |one: &Listed| needed.iter().flatten().any(|needed| needed.name == one.name);
        Ok(described.is_debug()
            && gone
                .iter()
                .any(|one| one.version == package.version && one.architecture == package.architecture && needs(one)))
    }
}
