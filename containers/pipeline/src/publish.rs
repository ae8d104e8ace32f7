//! Signing, and putting everything into `dist`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use deb::binary_package::{BinaryPackage, Written};
use foundation::digest::Digest;
use foundation::public;
use foundation::threads::for_all;
use results::Taken;
use sign::buildinfo::{self, BuildInfo};
use sign::gpg::Gpg;
use sign::signer::{KeyForm, KeyKind, SignatureForm, Signer};
use sign::{changes, debsig, sums};
use statements::check::statement::{Resource, Statement};
use statements::proof::sbom::{self, Sbom};
use statements::proof::{dsse, provenance};
use statements::verify::{self, REPORT, REPORT_PAGE, REPORT_SIGNATURE};
use statements::vex::{self, Document, Subject};
use walkdir::WalkDir;

use crate::check::{self, Checked};
use crate::error::Error;
use crate::inputs::Inputs;
use crate::options::{BuildOptions, Job, Options};
use crate::packed::Packed;
use crate::records::{copy_logs, logs_in, write_file};
use crate::report::{CheckReport, PackageReport, PackingReport, PhaseReport, RebuildFound, Report, Run};
use foundation::stage::Stage;

/// The packages that are in `dist` now, and the report about them.
#[derive(Clone, Debug)]
pub struct Published {
    /// The folder with the packages: `dist`.
    pub folder: PathBuf,
    /// The report of the build, as it is in `report.json`.
    pub report: Report,
    /// Whether everything was there already, so that nothing was written.
    pub unchanged: bool,
    /// Wall time of this run, in seconds.
    pub seconds: f64,
}

/// Opens the key, and makes the folder `dist`, before anything long begins: a wrong one must not be found out after an
/// hour.
///
/// # Errors
/// The key cannot be used or may not sign this version, or `dist` cannot be written.
pub fn open_signer(build: &BuildOptions, inputs: &Inputs) -> Result<Box<dyn Signer>, Error> {
    let signer = Gpg::open(&build.key)?;
    signer.check_version(&inputs.changelog().version)?;
    public::make_folder(&build.dist).map_err(Error::io("make the folder", &build.dist))?;
    // Likewise a folder that cannot be written.
    tempfile::tempfile_in(&build.dist).map_err(Error::io("write into", &build.dist))?;
    Ok(Box::new(signer))
}

/// What `dist` holds, if it is what this plan and key lead to, unchanged; where tests are asked for (`check` is their
/// [`check::key`]), only if those of this key found it sound. What cannot be read there counts as something else.
///
/// # Errors
/// Does not fail: whatever is wrong with `dist` leads to none.
pub fn up_to_date(
    options: &Options,
    inputs: &Inputs,
    signer: &dyn Signer,
    build: &BuildOptions,
    check: Option<Digest>,
) -> Result<Option<Published>, Error> {
    let tested = |report: &Report| {
        check.is_none_or(|key| report.check.as_ref().is_some_and(|check| check.sound && check.key == key))
    };
    let found = in_dist(options, inputs, signer, build)?;
    Ok(found.filter(|found| tested(&found.report) && build.others.refusal(&found.report.taken).is_none()))
}

/// The packages in `dist`, if they are those of this plan and key, whatever tests said of them and whoever says so.
///
/// # Errors
/// Does not fail, as [`up_to_date`].
pub fn in_dist(
    options: &Options,
    inputs: &Inputs,
    signer: &dyn Signer,
    build: &BuildOptions,
) -> Result<Option<Published>, Error> {
    let Ok(text) = fs::read(build.dist.join(REPORT)) else { return Ok(None) };
    let Ok(report) = serde_json::from_slice::<Report>(&text) else { return Ok(None) };
    let of_tests = |taken: &Taken| check::is_of_others(std::slice::from_ref(taken));
    let packages: Vec<Taken> = report.taken.iter().filter(|taken| !of_tests(taken)).cloned().collect();
    let accepted = build.others.refusal(&packages).is_none();
    let same = report.plan == inputs.plan().digest() && report.key == *signer.key() && accepted;
    let whole = || {
        report.packages.iter().all(|package| {
            fs::metadata(build.dist.join(&package.file)).is_ok_and(|metadata| metadata.len() == package.size)
        })
    };
    // An earlier version of this tool did not write it.
    let info = changes::file_name(inputs.changelog(), inputs.plan().target().name.architecture(), "buildinfo");
    let stem = info.strip_suffix(".buildinfo").unwrap_or(&info);
    let proven = build.dist.join(provenance::file_name(stem)).exists();
    let proven = proven && [REPORT_SIGNATURE, REPORT_PAGE].iter().all(|name| build.dist.join(name).exists());
    let same = same && proven && report.components == inputs.components_digest();
    let stated = || match &report.vex {
        Some(file) => fs::read(build.dist.join(file)).ok(),
        None => None,
    };
    let products = report.packages.iter().map(|package| (package.name.as_str(), package.architecture.as_str()));
    let same = same && stated() == vulnerabilities(options, inputs, products);
    Ok((same && whole()).then(|| Published {
        folder: build.dist.clone(),
        report: report.clone(),
        unchanged: true,
        seconds: 0.0,
    }))
}

/// Packages that are about to be signed, and who signs them.
struct Publication<'a> {
    packed: &'a Packed<'a>,
    job: Job<'a>,
    checked: Option<&'a Checked>,
    signer: &'a dyn Signer,
}

impl Packed<'_> {
    /// Signs the packages, writes what belongs beside them, and puts all of it into `dist` at once. `seconds` is what the
    /// run has taken so far.
    ///
    /// # Errors
    /// The tests were those of another build, the key refuses, or `dist` cannot be written.
    pub fn publish(
        &self,
        job: Job<'_>,
        checked: Option<&Checked>,
        signer: &dyn Signer,
        seconds: f64,
    ) -> Result<Published, Error> {
        Publication { packed: self, job, checked, signer }.publish(seconds)
    }
}

impl Publication<'_> {
    /// Writes what is said about the packages: a bill of materials for each, and the provenance of all.
    fn prove(&self, folder: &Path, packages: &[BinaryPackage], buildinfo: &str) -> Result<(), Error> {
        let signer = self.signer;
        let inputs = self.packed.inputs();
        let (plan, sources, source, root) = (inputs.plan(), inputs.sources(), inputs.source(), inputs.lock());
        let bill = Sbom {
            recipe: inputs.recipe(),
            plan,
            origin: &source.origin,
            lock: sources,
            components: inputs.components(),
        };
        let mut byproducts = Vec::new();
        let info = folder.join(buildinfo);
        byproducts.push(Resource::new(buildinfo, Digest::of_file(&info).map_err(Error::io("read", &info))?));
        for package in packages {
            let name = sbom::file_name(&package.file);
            let content = bill.of(package);
            write_file(&folder.join(&name), &content)?;
            byproducts.push(Resource::new(name, Digest::of(content)));
        }
        let plan_file = buildinfo::plan_file(Path::new(buildinfo));
        let facts = provenance::Facts {
            plan,
            plan_file: &plan_file,
            origin: &source.origin,
            sources,
            root,
            byproducts: &byproducts,
            taken: self.packed.record().build().taken(),
        };
        let subjects = packages.iter().map(|package| Resource::new(&package.file, package.sha256)).collect();
        let content = dsse::seal(&provenance::statement(&facts, subjects), signer, plan.source_date_epoch())?;
        let stem = buildinfo.strip_suffix(".buildinfo").unwrap_or(buildinfo);
        write_file(&folder.join(provenance::file_name(stem)), &content)?;
        Ok(())
    }

    /// Writes a signed copy of a package into a folder.
    fn sign(&self, written: &Written, folder: &Path) -> Result<(BinaryPackage, PackageReport), Error> {
        let started = Instant::now();
        let Written { package, .. } = written;
        let epoch = self.packed.inputs().plan().source_date_epoch();
        let signed = debsig::sign(package, self.packed.folder(), folder, self.signer, epoch)?;
        let report = PackageReport {
            name: package.name.clone(),
            architecture: package.architecture.clone(),
            file: signed.file.clone(),
            size: signed.size,
            sha256: signed.sha256,
            unsigned_sha256: package.sha256,
            writing_seconds: written.seconds,
            threads: written.threads,
            signing_seconds: started.elapsed().as_secs_f64(),
        };
        Ok((signed, report))
    }

    fn publish(&self, seconds: f64) -> Result<Published, Error> {
        let Self { packed, job: Job { options, build, progress, .. }, checked, signer } = *self;
        let (inputs, record) = (packed.inputs(), packed.record());
        if let Some(checked) = checked.filter(|checked| checked.plan() != inputs.plan().digest()) {
            return Err(Error::OtherTests { tested: checked.plan(), packed: inputs.plan().digest() });
        }
        let stage = Stage::start(progress, format!("signing with {}", signer.key().user_id));
        let new = NewFolder::beside(&build.dist)?;
        let folder = new.0.as_path();
        let epoch = inputs.plan().source_date_epoch();
        let architecture = options.target.name.architecture();
        let started = Instant::now();
        let (signed, reports): (Vec<_>, Vec<_>) =
            for_all(record.threads(), record.packages(), |written, _| self.sign(written, folder))?.into_iter().unzip();
        let packing = PackingReport {
            split: record.split().clone().into(),
            writing_seconds: record.seconds(),
            signing_seconds: started.elapsed().as_secs_f64(),
            threads: record.threads(),
        };
        let revision = (build.revision)();
        let info = BuildInfo {
            changelog: inputs.changelog(),
            architecture,
            vendor: &options.target.vendor,
            lock: inputs.lock(),
            environment: &inputs.plan().phases()[0].environment,
            build_path: "/build/source",
            plan: inputs.plan().digest(),
            target: &options.target.name,
            revision: revision.as_deref(),
        };
        let name = changes::file_name(inputs.changelog(), architecture, "buildinfo");
        write_file(&folder.join(buildinfo::plan_file(Path::new(&name))), &inputs.plan().to_json())?;
        sums::write_clear_signed(folder, &name, &buildinfo::text(&info, &signed, folder)?, signer, epoch)?;
        self.prove(folder, &signed, &name)?;
        let maintainer = &inputs.recipe().file.maintainer;
        let text = changes::text(inputs.changelog(), maintainer, architecture, &signed, folder)?;
        let changes_name = changes::file_name(inputs.changelog(), architecture, "changes");
        sums::write_clear_signed(folder, &changes_name, &text, signer, epoch)?;
        write_file(&folder.join("key.asc"), &signer.public_key(KeyForm::Armored)?)?;
        write_file(&folder.join("key.gpg"), &signer.public_key(KeyForm::Binary)?)?;
        debsig::write_policy(folder, inputs.plan().recipe(), signer)?;
        if signer.key().kind == KeyKind::Development {
            let text = "These packages are signed with an UNTRUSTED DEVELOPMENT key, made on the machine that built them.\n\
                        The signatures prove nothing about who built them. Build with --key for anything that others install.\n";
            write_file(&folder.join("UNTRUSTED-DEVELOPMENT-KEY"), text.as_bytes())?;
        }
        if let Some(checked) = checked {
            let results = folder.join("check");
            fs::create_dir(&results).map_err(Error::io("make the folder", &results))?;
            check::write(checked, &results)?;
            statement(checked, inputs, &reports).write(folder, signer, epoch)?;
        }
        let products = reports.iter().map(|package| (package.name.as_str(), package.architecture.as_str()));
        let vex = match vulnerabilities(options, inputs, products) {
            Some(text) => {
                let name = changes::file_name(inputs.changelog(), architecture, "openvex.json");
                write_file(&folder.join(&name), &text)?;
                Some(name)
            }
            None => None,
        };
        let mut files: Vec<PathBuf> = files_below(folder)?;
        files.sort();
        sums::write(folder, &files, signer, epoch)?;
        let logs = copy_logs(&logs_in(&packed.logs())?, &folder.join(verify::LOGS))?;
        let mut report = Report {
            recipe: inputs.plan().recipe().to_owned(),
            version: inputs.plan().version().to_owned(),
            target: inputs.plan().target().name.to_string(),
            plan: inputs.plan().digest(),
            source_date_epoch: epoch,
            source: inputs.source().digest,
            origin: inputs.plan().source().origin.clone(),
            deviations: inputs.source().deviations.clone(),
            build_root: record.build().build_root(),
            key: signer.key().clone(),
            rebuild: RebuildFound::beside(
                &build.dist,
                inputs.recipe().handle(),
                &options.target.name,
                inputs.plan().digest(),
                &reports,
            ),
            phases: record.build().phases().iter().cloned().map(PhaseReport::from).collect(),
            packing,
            taken: record.build().taken().iter().chain(checked.and_then(|one| one.taken.as_ref())).cloned().collect(),
            packages: reports,
            check: checked.map(CheckReport::from),
            vex,
            components: inputs.components_digest(),
            run: Run::since(seconds + stage.elapsed()),
            logs,
            page: None,
        };
        let page = report.html(checked.map(|checked| &checked.judgement));
        write_file(&folder.join(REPORT_PAGE), page.as_bytes())?;
        report.page = Some(Digest::of(&page));
        // By a signature of its own: it says how long things took, and the list of digests is the same for the same packages.
        let text = serde_json::to_vec_pretty(&report).expect("plain data");
        write_file(
            &folder.join(REPORT_SIGNATURE),
            &signer.sign(SignatureForm::DetachedArmored, &mut &text[..], epoch)?,
        )?;
        write_file(&folder.join(REPORT), &text)?;
        public::let_all_read(folder).map_err(Error::io("write", folder))?;
        // As whoever gets them will: a key or a gpg that signs in another way is found out here.
        verify::verify_with_packages(folder, &folder.join("key.gpg"))?;
        replace(&new, &build.dist)?;
        let seconds = seconds + stage.finish();
        Ok(Published { folder: build.dist.clone(), report, unchanged: false, seconds })
    }
}

/// What is known of vulnerabilities in these packages (name and architecture), where the recipe says something.
fn vulnerabilities<'a>(
    options: &Options,
    inputs: &Inputs,
    packages: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<Vec<u8>> {
    let known = inputs.vulnerabilities()?;
    let target = &options.target;
    // Debug symbols are no code that runs.
    let products: Vec<String> = packages
        .filter(|(name, _)| !name.ends_with("-dbgsym"))
        .map(|(name, architecture)| {
            vex::deb_purl(&target.vendor, name, inputs.plan().version(), architecture, target.name.release())
        })
        .collect();
    let document = Document::new(
        known,
        &Subject {
            origin: &inputs.source().origin,
            picks: &inputs.recipe().file.cherry_picks,
            products: &products,
            author: &inputs.recipe().file.maintainer,
            epoch: inputs.plan().source_date_epoch(),
        },
    );
    Some(vex::text(&document))
}

/// What the tests say about these packages, and what they were compiled from.
fn statement(checked: &Checked, inputs: &Inputs, packages: &[PackageReport]) -> Statement {
    let subjects = packages.iter().map(|package| Resource::new(&package.file, package.sha256)).collect();
    let mut configuration = vec![
        Resource::new("plan", inputs.plan().digest()),
        Resource::new("compiled tests", checked.tests),
        Resource::new("test run", checked.key),
    ];
    // Who ran the tests, where that was another machine.
    let builders = checked.taken.iter().flat_map(|taken| &taken.builders);
    configuration.extend(
        builders.map(|by| Resource::new(format!("verdict stated by {} ({})", by.user_id, by.key), by.statement)),
    );
    Statement::new(subjects, configuration, &checked.judgement)
}

/// All files below a folder, relative to it.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    WalkDir::new(folder)
        .into_iter()
        .filter(|entry| !entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir()))
        .map(|entry| Ok(entry?.path().strip_prefix(folder).expect("walked below the folder").to_owned()))
        .collect::<Result<_, walkdir::Error>>()
        .map_err(|error| Error::io("read", folder)(error.into()))
}

/// Where the new `dist` is put together: beside it, so that renaming is enough, and always under the
/// same name, so that what a killed run left is found and removed.
struct NewFolder(PathBuf);

impl NewFolder {
    fn beside(dist: &Path) -> Result<Self, Error> {
        let folder = beside(dist, "new");
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
        }
        fs::create_dir(&folder).map_err(Error::io("make the folder", &folder))?;
        Ok(Self(folder))
    }
}

fn beside(dist: &Path, what: &str) -> PathBuf {
    let name = dist.file_name().map_or_else(|| "dist".into(), |name| name.to_string_lossy());
    dist.with_file_name(format!(".{name}.{what}"))
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        // Gone when it was renamed; what else stays is removed by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Puts the new folder in the place of the old one. A run that is killed in between leaves the old
/// packages aside under another name, and the next run replaces both.
fn replace(new: &NewFolder, dist: &Path) -> Result<(), Error> {
    let new_folder = &new.0;
    let old = beside(dist, "old");
    if old.exists() {
        fs::remove_dir_all(&old).map_err(Error::io("remove", &old))?;
    }
    if dist.exists() {
        fs::rename(dist, &old).map_err(Error::io("rename", dist))?;
    }
    let renamed = fs::rename(new_folder, dist).map_err(Error::io("rename", new_folder));
    if renamed.is_err() && old.exists() {
        fs::rename(&old, dist).map_err(Error::io("rename", &old))?;
    }
    renamed?;
    if old.exists() {
        fs::remove_dir_all(&old).map_err(Error::io("remove", &old))?;
    }
    Ok(())
}
