//! What a rebuild found: per package the same bytes or not, under which circumstances.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::public;
use phases::circumstances::Aspect;
use recipe::target::TargetName;
use serde::{Deserialize, Serialize};
use sign::signer::Signer;
use statements::proof::attestation::{self, Rebuilt, Variation};
use statements::proof::intoto::{Resource, Statement};
use statements::rebuild::{PublishedBuild, PublishedPackage, unsigned};

use super::diffoscope::{self, Diffoscope};
use crate::error::Error;
use crate::options::Options;
use crate::records::{read_json, write_file, write_json};
use crate::report::PackageReport;

/// The report's file name, for machines and for people.
const JSON: &str = "rebuild.json";
const TEXT: &str = "rebuild.txt";

/// What a rebuild found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RebuildReport {
    /// Name of the recipe.
    pub recipe: String,
    /// The packages' version.
    pub version: String,
    /// Name of the target, such as `debian-12/amd64`.
    pub target: String,
    /// Digest of the plan that was built twice.
    pub plan: Digest,
    /// Members of the packages that were left out of the comparison: the embedded signature.
    pub left_out: Vec<String>,
    /// Each aspect of the circumstances: what was usual, and what it was in the rebuild.
    pub variations: Vec<Varied>,
    /// Each package that was published, and how its rebuild compares.
    pub packages: Vec<ComparedPackage>,
}

/// An aspect of the circumstances, and whether it differed in the rebuild.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Varied {
    /// The aspect that may differ.
    pub name: Aspect,
    /// Whether it differed from the usual.
    pub varied: bool,
    /// Whether it was asked to differ.
    pub wanted: bool,
    /// What a phase usually sees on this machine.
    pub usual: String,
    /// What a phase of the rebuild saw, or would have seen if it had been varied.
    pub rebuilt: String,
}

/// A package, as it was published and as it was rebuilt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ComparedPackage {
    /// Name of the .deb file.
    pub file: String,
    /// SHA-256 digest of the published file.
    pub sha256: Digest,
    /// SHA-256 digest of the published file without the members that were left out.
    pub unsigned_sha256: Digest,
    /// SHA-256 digest of the rebuilt file; none if the rebuild made no such package.
    pub rebuilt_sha256: Option<Digest>,
    /// Where the two begin to differ, for people; none if they are the same.
    pub difference: Option<String>,
    /// diffoscope's reports, where they differ.
    pub diffoscope: Option<Diffoscope>,
}

impl ComparedPackage {
    /// Compares a published package with the rebuilt file and its digest. `first_difference` is asked where two files
    /// begin to differ, if their digests do.
    ///
    /// # Errors
    /// `first_difference` fails.
    pub fn of(
        published: &PublishedPackage,
        rebuilt: Option<(PathBuf, Digest)>,
        first_difference: impl FnOnce(&Path, &Path) -> Result<Option<String>, Error>,
    ) -> Result<Self, Error> {
        let difference = match &rebuilt {
            None => Some("the rebuild made no such package".into()),
            Some((_, digest)) if *digest == published.unsigned_sha256 => None,
            Some((path, _)) => Some(
                first_difference(&published.path, path)?
                    .unwrap_or_else(|| "the ar archive around its members, which are the same".into()),
            ),
        };
        Ok(Self {
            file: published.file.clone(),
            sha256: published.sha256,
            unsigned_sha256: published.unsigned_sha256,
            rebuilt_sha256: rebuilt.map(|(_, digest)| digest),
            difference,
            diffoscope: None,
        })
    }
}

impl RebuildReport {
    /// The report of the last rebuild for this target, if there is one below `dist`.
    pub fn find(dist: &Path, recipe: &str, target: &TargetName) -> Option<Self> {
        read_json(&dist.join("rebuild").join(format!("{recipe}-{}", target.file_stem())).join(JSON)).ok()
    }

    /// Whether it compares these packages with another build of this plan.
    pub fn is_of(&self, plan: Digest, packages: &[PackageReport]) -> bool {
        let compared = |package: &PackageReport| {
            self.packages
                .iter()
                .any(|other| other.file == package.file && other.unsigned_sha256 == package.unsigned_sha256)
        };
        self.plan == plan && self.packages.len() == packages.len() && packages.iter().all(compared)
    }

    /// Puts the report together from what was published, under which circumstances it was rebuilt, and how the packages
    /// compare.
    pub fn new(
        published: &PublishedBuild,
        options: &Options,
        variations: Vec<Varied>,
        packages: Vec<ComparedPackage>,
    ) -> Self {
        let mut left_out: Vec<String> =
            published.packages.iter().flat_map(|package| package.left_out.iter().cloned()).collect();
        left_out.sort();
        left_out.dedup();
        Self {
            recipe: published.source.clone(),
            version: published.version.clone(),
            target: options.target.name.to_string(),
            plan: published.plan,
            left_out,
            variations,
            packages,
        }
    }

    /// How many packages are not the same bytes.
    pub fn different(&self) -> usize {
        self.packages.iter().filter(|package| package.difference.is_some()).count()
    }

    /// Writes the report into `folder`, in place of an earlier one; for packages that differ also both files (the
    /// rebuilt ones are in the folder `rebuilt`) and what diffoscope says. Returns the report with that added.
    ///
    /// # Errors
    /// A package cannot be read, or `folder` cannot be written. Without diffoscope there are only the files: that is no
    /// error.
    pub fn write(
        mut self,
        published: &PublishedBuild,
        rebuilt: &Path,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        public::make_folder(folder).map_err(Error::io("make the folder", folder))?;
        // What an earlier rebuild found must not be taken for this one's.
        let (was, now) = (folder.join("published"), folder.join("rebuilt"));
        for old in [&was, &now] {
            match fs::remove_dir_all(old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", old)(error)),
                _ => {}
            }
        }
        for package in self.packages.iter_mut().filter(|package| package.difference.is_some()) {
            progress.event(Event::Note { text: format!("comparing {} with diffoscope", package.file) });
            for folder in [&was, &now] {
                public::make_folder(folder).map_err(Error::io("make the folder", folder))?;
            }
            let (one, other) = (was.join(&package.file), now.join(&package.file));
            let original = published.packages.iter().find(|found| found.file == package.file).expect("compared");
            File::create(&one)
                .and_then(|mut file| unsigned(&original.path, &mut file).and_then(|_| file.flush()))
                .map_err(Error::io("write", &one))?;
            if package.rebuilt_sha256.is_some() {
                fs::copy(rebuilt.join(&package.file), &other).map_err(Error::io("write", &other))?;
                package.diffoscope = Some(diffoscope::compare(&one, &other, &now.join(&package.file)));
            }
        }
        write_json(&folder.join(JSON), &self)?;
        write_file(&folder.join(TEXT), self.text().as_bytes())?;
        Ok(self)
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let mut text = format!("{} {} for {}, plan {}\n\n", self.recipe, self.version, self.target, self.plan);
        for variation in &self.variations {
            let Varied { name, varied, wanted, usual, rebuilt } = variation;
            text += &match (varied, wanted) {
                (true, _) => format!("varied      {:<12} {usual} -> {rebuilt}\n", name.name()),
                (false, true) => format!("impossible  {:<12} a phase sees {usual} all the same\n", name.name()),
                (false, false) => format!("as usual    {:<12} {usual}\n", name.name()),
            };
        }
        text += "as usual    build path   /build/source: it is part of the plan\n\n";
        for package in &self.packages {
            match &package.difference {
                None => text += &format!("same        {}  {}\n", package.file, package.unsigned_sha256),
                Some(difference) => {
                    text += &format!("DIFFERENT   {}\n            first in {difference}\n", package.file);
                    match &package.diffoscope {
                        Some(Diffoscope::Reports { text: plain, html }) => {
                            text += &format!("            {}\n            {}\n", plain.display(), html.display());
                        }
                        Some(Diffoscope::Missing(why)) => text += &format!("            no report: {why}\n"),
                        None => {}
                    }
                }
            }
        }
        if !self.left_out.is_empty() {
            text += &format!(
                "\nLeft out of the comparison: {}, the embedded signature, which only the publisher's key can make.\n",
                self.left_out.join(", ")
            );
        }
        text
    }
}

/// Signs a statement that these packages were rebuilt, and writes it into `folder`; `now` is the Unix time in seconds.
/// Returns its file.
///
/// # Errors
/// A package differs, the key may not sign this version or cannot be used, or `folder` cannot be written.
pub fn attest(
    report: &RebuildReport,
    published: &PublishedBuild,
    folder: &Path,
    signer: &dyn Signer,
    now: i64,
) -> Result<PathBuf, Error> {
    signer.check_version(&report.version)?;
    if report.different() > 0 {
        return Err(Error::Differs {
            different: report.different(),
            all: report.packages.len(),
            folder: folder.into(),
        });
    }
    let subjects = report.packages.iter().map(|package| Resource::new(&package.file, package.sha256)).collect();
    let compared = report.packages.iter().map(|package| Resource::new(&package.file, package.unsigned_sha256));
    let variations = report.variations.iter().filter(|variation| variation.varied).map(|variation| Variation {
        name: variation.name.to_string(),
        usual: variation.usual.clone(),
        rebuilt: variation.rebuilt.clone(),
    });
    let rebuild = Rebuilt {
        plan: report.plan.into(),
        left_out: report.left_out.clone(),
        compared: compared.collect(),
        variations: variations.collect(),
    };
    Ok(attestation::write(&Statement::about(subjects, rebuild), folder, &published.stem(), signer, now)?)
}
