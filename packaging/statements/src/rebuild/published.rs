//! What was published: a `.buildinfo` with the packages beside it, in a folder or in a repository.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use deb::archive::DebFile;
use deb::control::{ControlArchive, Paragraph};
use fetch::download::{DownloadError, DownloadEvent, Downloader};
use foundation::digest::{Digest, Hasher};
use foundation::failure::{self, Failure, Kind, Outcome};
use recipe::target::TargetName;
use serde_json::Value;
use sign::buildinfo::{PLAN_FIELD, TARGET_FIELD, TOOL_FIELD, plan_file};

/// The largest package that is downloaded, in bytes.
const LARGEST: u64 = 4 << 30;

/// Packages that were published together.
#[derive(Clone, Debug)]
pub struct PublishedBuild {
    /// The path of the `.buildinfo` (deb-buildinfo(5)) that lists the packages.
    pub buildinfo: PathBuf,
    /// The source package, which is the recipe's name.
    pub source: String,
    /// The version of the packages, as the `.buildinfo` has it.
    pub version: String,
    /// What they were built for; none where the `.buildinfo` does not say.
    pub target: Option<TargetName>,
    /// Digest of the plan that they were built from.
    pub plan: Digest,
    /// The plan itself, where it lies beside them.
    pub recorded: Option<Value>,
    /// The revision of the tool that built them, where it is known.
    pub revision: Option<String>,
    /// The packages that are to be compared.
    pub packages: Vec<PublishedPackage>,
}

/// A package that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPackage {
    /// The path of the .deb file.
    pub path: PathBuf,
    /// The name of the .deb file, without its folder.
    pub file: String,
    /// Digest of the file as it is distributed, which the `.buildinfo` names.
    pub sha256: Digest,
    /// Digest of the file without the members that sign it.
    pub unsigned_sha256: Digest,
    /// The names of the members that sign it, such as `_gpgorigin`.
    pub left_out: Vec<String>,
}

/// What was published cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// A file or folder cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was attempted: `read` or `write`.
        what: &'static str,
        /// The file or folder that it was attempted on.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// There is no `.buildinfo`, or not one alone.
    #[error("{} has {found}, and a rebuild needs exactly one .buildinfo that lists {what}: it says from what they were built", folder.display())]
    BuildInfo {
        /// The folder that was looked into.
        folder: PathBuf,
        /// What the folder has instead.
        found: String,
        /// What the `.buildinfo` has to list: the packages, or the name of one.
        what: String,
    },
    /// The `.buildinfo` lacks a field that a rebuild needs.
    #[error("{} has no field {field}, so what it describes cannot be built again", path.display())]
    Field {
        /// The file of the `.buildinfo`.
        path: PathBuf,
        /// The name of the field that is missing.
        field: String,
    },
    /// A package is not the one that the `.buildinfo` lists.
    #[error("{}: expected sha256 {expected} as the .buildinfo has it, found {found}: it is not the package that was built then", path.display())]
    Digest {
        /// The file of the package.
        path: PathBuf,
        /// The digest that the `.buildinfo` lists.
        expected: Digest,
        /// The digest that the file has.
        found: Digest,
    },
    /// The recorded plan is not the one that the packages were built from.
    #[error("{}: expected the plan with the digest {expected}, found one with {found}", path.display())]
    Plan {
        /// The file of the recorded plan.
        path: PathBuf,
        /// The digest of the plan that the `.buildinfo` names.
        expected: Digest,
        /// The digest of the plan that was found.
        found: Digest,
    },
    /// A published file cannot be downloaded.
    #[error(transparent)]
    Download(#[from] DownloadError),
}

impl Failure for RebuildError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::File { source, .. } => failure::of_file(source),
            Self::BuildInfo { .. } => {
                Kind::Input.next("give a folder or a package as `cargo xtask package` or `cargo xtask repo` left it")
            }
            Self::Field { .. } => Kind::Input.next("give packages that `cargo xtask package` made"),
            Self::Digest { .. } => Kind::Verification.next("get the package again from whoever published it"),
            Self::Plan { .. } => {
                Kind::Verification.next("remove it, or get it again from whoever published the packages")
            }
            Self::Download(error) => error.outcome(),
        }
    }
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RebuildError + use<> {
    let path = path.to_owned();
    move |source| RebuildError::File { what, path, source }
}

impl PublishedBuild {
    /// Reads a folder of packages with one `.buildinfo`: all that this lists are to be compared.
    ///
    /// # Errors
    /// The folder cannot be read, has no or several `.buildinfo` files, or the one that it has cannot be used: a field
    /// is missing, or a package that it lists is missing or has another digest.
    pub fn in_folder(folder: &Path) -> Result<Self, RebuildError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
            let path = entry.map_err(io_error("read", folder))?.path();
            if path.extension().is_some_and(|extension| extension == "buildinfo") {
                found.push(path);
            }
        }
        match &found[..] {
            [path] => Self::read(path, None),
            found => Err(RebuildError::BuildInfo {
                folder: folder.to_owned(),
                found: format!("{} .buildinfo files", found.len()),
                what: "the packages".into(),
            }),
        }
    }

    /// Reads the `.buildinfo` beside a package that lists it: only this package is to be compared.
    ///
    /// # Errors
    /// The folder of the package cannot be read, no or several `.buildinfo` files list the package, or the one that
    /// does cannot be used: a field is missing, or the package has another digest.
    pub fn of_package(deb: &Path) -> Result<Self, RebuildError> {
        let folder = deb.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = deb.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
            let path = entry.map_err(io_error("read", folder))?.path();
            if path.extension().is_some_and(|extension| extension == "buildinfo")
                && checksums(&paragraph(&path)?).contains_key(&name)
            {
                found.push(path);
            }
        }
        match &found[..] {
            [path] => Self::read(path, Some(&name)),
            found => Err(RebuildError::BuildInfo {
                folder: folder.to_owned(),
                found: format!("{} .buildinfo files of this package", found.len()),
                what: name,
            }),
        }
    }

    fn read(path: &Path, only: Option<&str>) -> Result<Self, RebuildError> {
        let info = paragraph(path)?;
        let field = |name: &str| {
            let missing = || RebuildError::Field { path: path.to_owned(), field: name.to_owned() };
            info.get(name).map(str::to_owned).ok_or_else(missing)
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        let wrong =
            |field: &str| RebuildError::Field { path: path.to_owned(), field: format!("{field} that can be read") };
        let plan: Digest = field(PLAN_FIELD)?.parse().map_err(|_| wrong(PLAN_FIELD))?;
        let target = info.get(TARGET_FIELD).map(str::parse).transpose().map_err(|_| wrong(TARGET_FIELD))?;
        let mut packages = Vec::new();
        for (file, expected) in checksums(&info) {
            if !file.ends_with(".deb") || only.is_some_and(|only| only != file) {
                continue;
            }
            packages.push(PublishedPackage::read(&folder.join(&file), expected)?);
        }
        if packages.is_empty() {
            return Err(wrong("Checksums-Sha256"));
        }
        let recorded = recorded(&folder.join(plan_file(path)), plan)?;
        Ok(Self {
            buildinfo: path.to_owned(),
            source: field("Source")?,
            version: field("Version")?,
            target,
            plan,
            recorded,
            revision: info.get(TOOL_FIELD).map(str::to_owned),
            packages,
        })
    }

    /// The `.buildinfo`'s name without its ending: what belongs to the build is named after it.
    pub fn stem(&self) -> String {
        self.buildinfo.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl PublishedPackage {
    fn read(path: &Path, expected: Digest) -> Result<Self, RebuildError> {
        let sha256 = Digest::of_file(path).map_err(io_error("read", path))?;
        if sha256 != expected {
            return Err(RebuildError::Digest { path: path.to_owned(), expected, found: sha256 });
        }
        let mut hasher = Hasher::default();
        let left_out = unsigned(path, &mut hasher).map_err(io_error("read", path))?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { path: path.to_owned(), file, sha256, unsigned_sha256: hasher.finish(), left_out })
    }
}

/// Writes a package without the members that sign it, whose names begin with `_` (deb(5)), and every other byte as it is;
/// returns these members' names.
///
/// # Errors
/// The file cannot be read, is not a package, or the output cannot be written.
pub fn unsigned(deb: &Path, output: &mut impl Write) -> io::Result<Vec<String>> {
    let members = DebFile::open(deb)?.members;
    let mut file = File::open(deb)?;
    let mut left_out = Vec::new();
    let mut position = 0;
    for member in members.into_iter().filter(|member| member.name.starts_with('_')) {
        let range = member.whole();
        file.seek(SeekFrom::Start(position))?;
        io::copy(&mut (&mut file).take(range.start - position), output)?;
        position = range.end;
        left_out.push(member.name);
    }
    file.seek(SeekFrom::Start(position))?;
    io::copy(&mut file, output)?;
    Ok(left_out)
}

/// The fields of a `.buildinfo`, clear-signed or not.
fn paragraph(path: &Path) -> Result<Paragraph, RebuildError> {
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    signed_paragraph(&text).ok_or_else(|| RebuildError::Field { path: path.to_owned(), field: "control fields".into() })
}

fn signed_paragraph(text: &str) -> Option<Paragraph> {
    if !text.starts_with("-----BEGIN PGP SIGNED MESSAGE-----") {
        return Paragraph::parse(text);
    }
    let (_, text) = text.split_once("\n\n")?;
    Paragraph::parse(text.split("-----BEGIN PGP SIGNATURE-----").next().unwrap_or_default())
}

/// The SHA-256 checksums in the text of a `.buildinfo`, by file name; none where it cannot be read.
pub(crate) fn checksums_in(text: &str) -> BTreeMap<String, Digest> {
    signed_paragraph(text).map(|info| checksums(&info)).unwrap_or_default()
}

/// `Checksums-Sha256` by file name; lines of another form, and names that lead out of the folder, are left out.
fn checksums(info: &Paragraph) -> BTreeMap<String, Digest> {
    let lines = info.get("Checksums-Sha256").unwrap_or_default().lines();
    lines
        .filter_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [digest, _, file] if !file.contains('/') => Some((file.to_owned(), digest.parse().ok()?)),
            _ => None,
        })
        .collect()
}

/// The plan beside the packages, if it is there.
fn recorded(path: &Path, expected: Digest) -> Result<Option<Value>, RebuildError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    let found = Digest::of(&text);
    if found != expected {
        return Err(RebuildError::Plan { path: path.to_owned(), expected, found });
    }
    serde_json::from_slice(&text).map(Some).map_err(|error| io_error("understand", path)(error.into()))
}

/// Where two plans differ: paths into them, with both values. At most `limit`.
pub fn compared_plans(recorded: &Value, now: &Value, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    walk(recorded, now, "", &mut found);
    let more = found.len().saturating_sub(limit);
    found.truncate(limit);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found
}

fn walk(recorded: &Value, now: &Value, path: &str, found: &mut Vec<String>) {
    match (recorded, now) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let none = Value::Null;
                walk(a.get(key).unwrap_or(&none), b.get(key).unwrap_or(&none), &format!("{path}/{key}"), found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for i in 0..a.len().max(b.len()) {
                let none = Value::Null;
                // A phase is better known by its name.
                let name = [a, b].iter().find_map(|list| list.get(i)?.get("name")?.as_str());
                let name = name.map_or_else(|| i.to_string(), str::to_owned);
                walk(a.get(i).unwrap_or(&none), b.get(i).unwrap_or(&none), &format!("{path}/{name}"), found);
            }
        }
        (a, b) if a == b => {}
        // The keys follow from the rest.
        _ if path.ends_with("/key") => {}
        (a, b) => found.push(format!("{}: {} recorded, {} here", path.trim_start_matches('/'), short(a), short(b))),
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        value => {
            let text = value.to_string();
            if text.chars().count() > 80 { text.chars().take(80).collect::<String>() + "…" } else { text }
        }
    }
}

/// Downloads a package of a repository, and what lies beside it and belongs to it, into `folder`; returns the package's
/// file. `architecture` is that of the machine that built it, which the name of its `.buildinfo` has.
///
/// # Errors
/// The package or its `.buildinfo` cannot be downloaded, the package cannot be read, or the folder cannot be written.
/// That there is no plan beside them is no error.
pub fn download(
    downloader: &Downloader,
    url: &str,
    architecture: &str,
    folder: &Path,
    on: &(dyn Fn(DownloadEvent) + Sync),
) -> Result<PathBuf, RebuildError> {
    let (base, name) = url.rsplit_once('/').unwrap_or(("", url));
    let name = name.replace("%2B", "+").replace("%2b", "+").replace("%7E", "~").replace("%7e", "~");
    let save = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).map_err(io_error("write", &path)).map(|()| path)
    };
    let get = |name: &str, limit| downloader.get(name, &[format!("{base}/{name}")], limit, on);
    let (content, _) = downloader.get(&name, &[url.to_owned()], LARGEST, on)?;
    let deb = save(&name, &content)?;
    let control = control(&deb).map_err(io_error("read", &deb))?;
    let field = |name: &str| control.get(name).unwrap_or_default();
    let source = field("Source").split_whitespace().next().unwrap_or_else(|| field("Package"));
    // File names leave the epoch out (policy 5.6.12).
    let version = field("Version");
    let version = version.split_once(':').map_or(version, |(_, version)| version);
    let info = format!("{source}_{version}_{architecture}.buildinfo");
    let (content, _) = get(&info, 64 << 20)?;
    let info = save(&info, &content)?;
    let plan = plan_file(&info);
    // It only helps to say why a checkout does not fit.
    if let Ok((content, _)) = get(&plan, 64 << 20) {
        save(&plan, &content)?;
    }
    Ok(deb)
}

fn control(deb: &Path) -> io::Result<Paragraph> {
    let file = DebFile::open(deb)?;
    let wrong = |problem: &str| io::Error::new(io::ErrorKind::InvalidData, problem.to_owned());
    let member = file.names().iter().position(|name| *name == "control.tar.xz");
    let member = member.ok_or_else(|| wrong("it has no control.tar.xz"))?;
    let control = ControlArchive::read(file.read(member)?)?;
    let text = control.files.get("control").ok_or_else(|| wrong("its control archive has no file control"))?;
    Paragraph::parse(&String::from_utf8_lossy(text)).ok_or_else(|| wrong("its control file cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deb::archive::create_deb;
    use serde_json::json;

    fn deb(folder: &Path, name: &str, signed: bool) -> Digest {
        let (digest, _) = create_deb(&folder.join(name), 7, |archive| {
            archive.member("debian-binary", 4, &mut &b"2.0\n"[..])?;
            archive.member("data.tar", 3, &mut &b"abc"[..])?;
            if signed { archive.member("_gpgorigin", 5, &mut &b"12345"[..]) } else { Ok(()) }
        })
        .unwrap();
        digest
    }

    fn info(folder: &Path, name: &str, packages: &[(&str, Digest)], plan: &str) {
        let lines: String = packages.iter().map(|(file, digest)| format!("\n {digest} 9 {file}")).collect();
        let text = format!(
            "Format: 1.0\nSource: demo\nVersion: 1.0-1\n{PLAN_FIELD}: {plan}\n{TARGET_FIELD}: debian-12/amd64\nChecksums-Sha256:{lines}\n"
        );
        let signed =
            format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}-----BEGIN PGP SIGNATURE-----\n\nx\n");
        fs::write(folder.join(name), signed).unwrap();
    }

    #[test]
    fn a_folder_or_one_package_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let plan = Digest::of("{}").to_string();
        let (a, b) = (deb(folder, "a_1.0-1_all.deb", true), deb(folder, "b_1.0-1_all.deb", false));
        info(folder, "demo_1.0-1_amd64.buildinfo", &[("a_1.0-1_all.deb", a), ("b_1.0-1_all.deb", b)], &plan);
        let published = PublishedBuild::in_folder(folder).unwrap();
        assert_eq!((published.source.as_str(), published.plan.to_string()), ("demo", plan.clone()));
        assert_eq!(published.packages.len(), 2);
        let [signed, bare] = &published.packages[..] else { panic!() };
        assert_eq!((&signed.left_out[..], bare.left_out.len()), (&["_gpgorigin".to_owned()][..], 0));
        assert_eq!((signed.sha256, bare.sha256), (a, b));
        assert_eq!(signed.unsigned_sha256, bare.sha256, "the same but for the signature");
        assert!(published.recorded.is_none());
        fs::write(folder.join("demo_1.0-1_amd64.plan.json"), "{}").unwrap();
        let one = PublishedBuild::of_package(&folder.join("b_1.0-1_all.deb")).unwrap();
        assert_eq!(one.packages, published.packages[1..]);
        assert_eq!((one.recorded.clone(), one.stem().as_str()), (Some(json!({})), "demo_1.0-1_amd64"));
        // Another plan than the recorded one.
        fs::write(folder.join("demo_1.0-1_amd64.plan.json"), "{ }").unwrap();
        let error = PublishedBuild::in_folder(folder).unwrap_err();
        assert!(matches!(error, RebuildError::Plan { .. }) && error.kind() == Kind::Verification, "{error}");
    }

    #[test]
    fn what_cannot_be_rebuilt() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let package = folder.join("a_1.0-1_all.deb");
        let digest = deb(folder, "a_1.0-1_all.deb", false);
        let fails = |part: &str| {
            for error in
                [PublishedBuild::in_folder(folder).unwrap_err(), PublishedBuild::of_package(&package).unwrap_err()]
            {
                assert!(error.to_string().contains(part), "{error}");
            }
        };
        fails("0 .buildinfo files");
        let plan = Digest::of("plan").to_string();
        info(folder, "x.buildinfo", &[("a_1.0-1_all.deb", digest)], "abc");
        fails(PLAN_FIELD);
        info(folder, "x.buildinfo", &[("a_1.0-1_all.deb", Digest::of("other"))], &plan);
        fails("as the .buildinfo has it");
        info(folder, "y.buildinfo", &[("a_1.0-1_all.deb", digest)], &plan);
        fails("2 .buildinfo files");
    }

    #[test]
    fn plans_are_compared_by_their_parts() {
        let plan = |name: &str, extra: Option<&str>| json!({ "version": "1", "phases": [{ "name": "build", "key": name, "inputs": { "phases/build": name } }], "packing": extra.map(|path| json!({ path: 1 })) });
        assert_eq!(compared_plans(&plan("a", None), &plan("a", None), 9), Vec::<String>::new());
        let said = compared_plans(&plan("a", None), &plan("b", None), 9);
        assert_eq!(said, ["phases/build/inputs/phases/build: \"a\" recorded, \"b\" here"]);
        let said = compared_plans(&plan("a", None), &plan("b", Some("new")), 1);
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(said[1], "and 1 more");
    }
}
