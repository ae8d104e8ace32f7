//! What a repository takes: the packages of `dist` folders that verify, whose tests passed, and which nobody else than a
//! trusted builder has made. It takes them all or none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use apt::Sum;
use apt::described::Described;
use deb::control::Paragraph;
use foundation::digest::Digest;
use foundation::failure::{self, Failure, Kind, Outcome};
use judges::{index, rules};
use sign::gpgv::Gpgv;
use sign::signer::DEVELOPMENT_NAME;
use statements::check::statement::TestResult;
use statements::verify::{self, Verified};

use super::RepositoryError;
use super::evidence;
use super::ledger::Ledger;
use super::settings::{self, Settings};

/// Packages that the repository does not take. Nothing of the folder was taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Signed with a key that is worth nothing.
    #[error("{}: signed with the development key {key}, which says nothing about who built it", dist.display())]
    DevelopmentKey {
        /// The folder that was to be added.
        dist: PathBuf,
        /// The fingerprint of the key.
        key: String,
    },
    /// Built from a local source.
    #[error("{package}: a local build, which nobody can repeat")]
    Local {
        /// The file name of the package.
        package: String,
    },
    /// Nothing is said about tests.
    #[error("{}: nothing says that these packages passed upstream's tests", dist.display())]
    Untested {
        /// The folder that was to be added.
        dist: PathBuf,
    },
    /// Tests failed.
    #[error("{}: {failed} of upstream's tests failed on these packages", dist.display())]
    TestsFailed {
        /// The folder that was to be added.
        dist: PathBuf,
        /// How many tests failed.
        failed: usize,
    },
    /// There is nothing to publish.
    #[error("{}: no package is in it", dist.display())]
    Empty {
        /// The folder that was to be added.
        dist: PathBuf,
    },
    /// A package that a description does not have, or has otherwise.
    #[error("{package}: expected {expected} as in {}, found {found}", description.display())]
    Differs {
        /// The file name of the package.
        package: String,
        /// The `.changes` or `.buildinfo` that lists packages.
        description: PathBuf,
        /// What the description says of the package.
        expected: String,
        /// What the package has instead.
        found: String,
    },
    /// A file that a description has is not there.
    #[error("{}: expected {package}, which it lists, found no such file", description.display())]
    Missing {
        /// The file name of the package that is missing.
        package: String,
        /// The `.changes` or `.buildinfo` that lists it.
        description: PathBuf,
    },
    /// A description of packages is not there, or cannot be read.
    #[error("{}: expected {expected}", path.display())]
    Description {
        /// The folder or file that was looked at.
        path: PathBuf,
        /// What should be there, for people.
        expected: &'static str,
    },
    /// No .deb, or none that can be in an index.
    #[error("{}: {problem}", path.display())]
    NotAPackage {
        /// The file that is no package.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// For machines that this repository is not for.
    #[error("{package}: its architecture is {architecture}, and this repository is for {known}")]
    Architecture {
        /// The file name of the package.
        package: String,
        /// The architecture of the package.
        architecture: String,
        /// The architectures of the repository, with commas between them.
        known: String,
    },
    /// Packages that no client could use, or not beside the others of the suite.
    #[error("no client could use what would be published:\n{}", failure::lines(problems))]
    Unusable {
        /// What is wrong, each with the file and who says it.
        problems: Vec<String>,
    },
    /// A statement about the packages that cannot be shown to anybody.
    #[error("{}: {problem}", path.display())]
    Statement {
        /// The file of the statement.
        path: PathBuf,
        /// What is wrong with the statement.
        problem: String,
    },
    /// A version that is out there with other bytes.
    #[error(
        "{package}: this version is already published with other bytes (sha256 {published}, now {found}), and machines that have it \
         would never get this one"
    )]
    Published {
        /// The file name of the package.
        package: String,
        /// The digest of the package that was published.
        published: Digest,
        /// The digest of the package in the folder.
        found: Digest,
    },
}

impl Failure for Refusal {
    fn outcome(&self) -> Outcome {
        match self {
            Self::DevelopmentKey { .. } => Kind::Verification.next(format!("build it with --key, or {TRIALS}")),
            Self::Local { .. } => {
                Kind::Verification.next(format!("build it from the pinned source, without --source, or {TRIALS}"))
            }
            Self::Untested { .. } => Kind::Verification
                .next(format!("run `cargo xtask check`, or build with `package --check`; or {TRIALS}")),
            Self::TestsFailed { .. } => {
                Kind::Verification.next("check/summary.txt says which: correct that, and build them again")
            }
            Self::Empty { .. } => Kind::Verification.next("give the folder that `cargo xtask package` wrote"),
            Self::Differs { .. } | Self::Missing { .. } | Self::Description { .. } | Self::NotAPackage { .. } => {
                Kind::Verification.next(NEXT)
            }
            Self::Architecture { .. } => {
                Kind::Verification.next("add it to `architectures` in the settings, or leave the package out")
            }
            Self::Unusable { .. } => Kind::Verification.next(
                "nothing was changed. Correct the recipe and build again under a new version; where others need what `cargo xtask repo \
                 remove` takes away, name them as well",
            ),
            Self::Statement { .. } => Kind::Verification
                .next("give the keys of those who may say so with --rebuilders, or take the file out of the folder"),
            Self::Published { .. } => {
                Kind::Verification.next("give it a new version: a new entry in the recipe's changelog")
            }
        }
    }
}

const TRIALS: &str = "publish it in a repository for trials, made with `cargo xtask repo init --allow-development`";
const NEXT: &str = "publish nothing of this folder; build it again, or get it again from whoever built it";

/// Packages that may be published.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The field `Distribution` of the `.changes`: the suite that the packages are for.
    pub distribution: String,
    /// The packages that may be published.
    pub packages: Vec<Candidate>,
    /// What a development repository overlooks, and another one refuses: one sentence each.
    pub overlooked: Vec<String>,
    /// What is proven of them.
    pub(super) build: evidence::Build,
}

/// A package of a folder that has passed the checks.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The path of the .deb file.
    pub path: PathBuf,
    /// The digest of the .deb file.
    pub sha256: Digest,
    /// What the package's control file says.
    pub described: Described,
}

/// The gate of a repository.
pub(super) struct Gate<'a> {
    pub settings: &'a Settings,
    pub ledger: &'a Ledger,
    /// The keys of the builders that are trusted, a binary key ring.
    pub keyring: &'a Path,
    /// The keys of those whose rebuilds count, likewise.
    pub rebuilders: &'a Path,
}

impl Gate<'_> {
    /// Checks a folder.
    ///
    /// # Errors
    /// A signature or a digest in the folder is not good, the folder has no packages or not those that its `.changes`
    /// and `.buildinfo` list, tests failed, or a package is none that clients can use. Unless the repository is one for
    /// development, also where tests are missing, or the build is local or signed with a development key.
    pub fn check(&self, dist: &Path) -> Result<Accepted, RepositoryError> {
        let verified = verify::verify(dist, self.keyring)?;
        if verified.packages.is_empty() {
            return Err(refused(Refusal::Empty { dist: dist.to_owned() }));
        }
        let mut overlooked = Vec::new();
        for refusal in self.circumstances(dist, &verified) {
            if !self.settings.development {
                return Err(refused(refusal));
            }
            overlooked.push(refusal.to_string());
        }
        if let Some(tests) = verified.tests.as_ref().filter(|tests| tests.result == TestResult::Failed) {
            return Err(refused(Refusal::TestsFailed { dist: dist.to_owned(), failed: tests.failed_tests.len() }));
        }
        let gpgv = Gpgv::new(self.keyring)?;
        let changes = self.description(&gpgv, dist, &verified, "changes")?;
        let buildinfo = self.description(&gpgv, dist, &verified, "buildinfo")?;
        let mut packages = Vec::new();
        for name in &verified.packages {
            let candidate = candidate(dist, name)?;
            for description in [&changes, &buildinfo] {
                description.has(name, &candidate)?;
            }
            self.check_candidate(&candidate, &changes)?;
            packages.push(candidate);
        }
        self.check_use(&packages)?;
        self.check_versions(&packages)?;
        let distribution = changes.field("Distribution").unwrap_or_default().to_owned();
        let digests = packages.iter().map(|candidate| candidate.sha256).collect();
        let build = evidence::read(dist, &verified, digests, self.rebuilders)?;
        Ok(Accepted { distribution, packages, overlooked, build })
    }

    /// What only a development repository overlooks.
    fn circumstances(&self, dist: &Path, verified: &Verified) -> Vec<Refusal> {
        let development = verified.keys.iter().find(|key| key.user_id.starts_with(DEVELOPMENT_NAME));
        let file = |name: &PathBuf| name.display().to_string();
        let local = verified.packages.iter().map(file).find(|name| name.contains("+local"));
        let dist = dist.to_owned();
        let key = development.map(|key| Refusal::DevelopmentKey { dist: dist.clone(), key: key.fingerprint.clone() });
        let local = local.map(|package| Refusal::Local { package });
        let untested = verified.tests.is_none().then_some(Refusal::Untested { dist });
        [local, key, untested].into_iter().flatten().collect()
    }

    /// All signed descriptions of one kind.
    fn description(
        &self,
        gpgv: &Gpgv,
        dist: &Path,
        verified: &Verified,
        kind: &'static str,
    ) -> Result<Description, RepositoryError> {
        let mut found = verified.signed.iter().filter(|name| name.extension().is_some_and(|found| found == kind));
        let expected = if kind == "changes" { "one .changes that is signed" } else { "one .buildinfo that is signed" };
        let (Some(name), None) = (found.next(), found.next()) else {
            return Err(refused(Refusal::Description { path: dist.to_owned(), expected }));
        };
        let path = dist.join(name);
        let (text, _) = gpgv.clear_text(&path)?;
        let description = Description::parse(&path, &text).ok_or_else(|| {
            refused(Refusal::Description { path: path.clone(), expected: "fields with Checksums-Sha256 among them" })
        })?;
        let missing = description.files.keys().find(|file| file.ends_with(".deb") && !dist.join(file).is_file());
        match missing {
            Some(file) => Err(refused(Refusal::Missing { package: file.clone(), description: path })),
            None => Ok(description),
        }
    }

    fn check_candidate(&self, candidate: &Candidate, changes: &Description) -> Result<(), RepositoryError> {
        let Candidate { path, described, .. } = candidate;
        let package = described.file_name();
        if path.file_name().is_none_or(|name| name != package.as_str()) {
            let problem = format!("its control file is that of {package}");
            return Err(refused(Refusal::NotAPackage { path: path.clone(), problem }));
        }
        if changes.field("Source") != Some(&described.source) {
            let problem = format!(
                "it is built from {}, and the .changes is of {}",
                described.source,
                changes.field("Source").unwrap_or("nothing")
            );
            return Err(refused(Refusal::NotAPackage { path: path.clone(), problem }));
        }
        let architecture = &described.architecture;
        if architecture != "all" && !self.settings.architectures.contains(architecture) {
            let known = self.settings.architectures.join(", ");
            return Err(refused(Refusal::Architecture { package, architecture: architecture.clone(), known }));
        }
        if described.version.contains("+local") && !self.settings.development {
            return Err(refused(Refusal::Local { package }));
        }
        Ok(())
    }

    /// Clients can use each of them, as far as that can be told of it alone.
    fn check_use(&self, packages: &[Candidate]) -> Result<(), RepositoryError> {
        let keyring = rules::Keyring { package: self.settings.keyring(), ring: self.settings.ring() };
        let paths: Vec<&Path> = packages.iter().map(|candidate| candidate.path.as_path()).collect();
        let mut said = index::of_files(&paths)
            .map_err(|error| {
                RepositoryError::io("have judged", paths.first().copied().unwrap_or(Path::new("")))(error)
            })?
            .into_iter()
            .peekable();
        let mut problems = Vec::new();
        for (at, Candidate { path, described, .. }) in packages.iter().enumerate() {
            let path = path.display();
            let own = rules::objections(&described.control, &described.files, &keyring).into_iter();
            problems.extend(own.map(|problem| format!("{path}: {problem}")));
            problems.extend(
                said.next_if(|(of, _)| *of == at).map(|(_, said)| format!("{path}: apt-ftparchive says: {said}")),
            );
        }
        if problems.is_empty() { Ok(()) } else { Err(refused(Refusal::Unusable { problems })) }
    }

    /// None was ever published with other bytes.
    fn check_versions(&self, packages: &[Candidate]) -> Result<(), RepositoryError> {
        for Candidate { sha256, described, .. } in packages {
            let package = described.file_name();
            if let Some(published) = self.ledger.published(&package).filter(|published| published != sha256) {
                return Err(refused(Refusal::Published { package, published, found: *sha256 }));
            }
        }
        Ok(())
    }
}

fn candidate(dist: &Path, name: &Path) -> Result<Candidate, RepositoryError> {
    let path = dist.join(name);
    let sha256 = Digest::of_file(&path).map_err(RepositoryError::io("read", &path))?;
    match Described::read(&path) {
        Ok(described) => Ok(Candidate { path, sha256, described }),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(refused(Refusal::NotAPackage { path, problem: error.to_string() }))
        }
        Err(error) => Err(RepositoryError::io("read", &path)(error)),
    }
}

pub(super) fn refused(refusal: Refusal) -> RepositoryError {
    RepositoryError::Refused(Box::new(refusal))
}

/// A `.changes` or `.buildinfo` (deb-changes(5), deb-buildinfo(5)), as far as the gate reads it.
struct Description {
    path: PathBuf,
    fields: Paragraph,
    files: BTreeMap<String, Sum>,
}

impl Description {
    fn parse(path: &Path, text: &str) -> Option<Self> {
        let fields = Paragraph::parse(text)?;
        let mut files = BTreeMap::new();
        for line in fields.get("Checksums-Sha256")?.lines().filter(|line| !line.trim().is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [sha256, size, name] = words[..] else { return None };
            files.insert(name.to_owned(), (sha256.parse().ok()?, size.parse().ok()?)).is_none().then_some(())?;
        }
        Some(Self { path: path.to_owned(), fields, files })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// It lists this package with this digest and size.
    fn has(&self, name: &Path, candidate: &Candidate) -> Result<(), RepositoryError> {
        let package = name.display().to_string();
        let expected = self.files.get(&package).copied();
        let found = (candidate.sha256, candidate.described.size);
        if expected == Some(found) {
            return Ok(());
        }
        let text = |(sha256, size): Sum| format!("sha256 {sha256} and {size} bytes");
        Err(refused(Refusal::Differs {
            package,
            description: self.path.clone(),
            expected: expected.map_or_else(|| "no such package".to_owned(), text),
            found: text(found),
        }))
    }
}

/// The component of a package: the one that is asked for, that of its section (policy 2.4), `debug` for debug symbols
/// where the repository has it, else the first one.
pub(super) fn component(settings: &Settings, wanted: Option<&str>, package: &Described) -> String {
    let known = |name: &str| settings.components.iter().find(|component| *component == name).cloned();
    let of_section = || package.section.split_once('/').and_then(|(component, _)| known(component));
    let of_debug = || package.is_debug().then(|| known(settings::DEBUG)).flatten();
    let chosen = wanted.map(str::to_owned).or_else(of_section).or_else(of_debug);
    chosen.unwrap_or_else(|| settings.components[0].clone())
}
