//! The `.buildinfo` file (deb-buildinfo(5)), Format 1.0: what a rebuild needs to know.

use std::collections::BTreeMap;
use std::path::Path;

use deb::binary_package::BinaryPackage;
use deb::changelog::Changelog;
use foundation::digest::Digest;
use recipe::root_lock::RootLock;
use recipe::target::TargetName;

use crate::changes::{architectures, names};
use crate::sums::{Checksums, SumsError};

/// The field with the digest of the plan. Fields that Debian's tools do not know are kept and ignored by them.
pub const PLAN_FIELD: &str = "Plan-Sha256";

/// The field with the name of the target, which Debian's format does not have.
pub const TARGET_FIELD: &str = "Plan-Target";

/// The field with the revision of the tool: the commit that is checked out where it was built, with `-dirty` where files
/// differ from it.
pub const TOOL_FIELD: &str = "Tool-Revision";

/// Name of the file beside a `.buildinfo` that has the plan: `NAME_VERSION_ARCHITECTURE.plan.json`. Its sha256 is the
/// plan digest.
pub fn plan_file(buildinfo: &Path) -> String {
    format!("{}.plan.json", buildinfo.file_stem().unwrap_or_default().to_string_lossy())
}

/// What is written into a `.buildinfo`, beside the packages.
#[derive(Clone, Copy, Debug)]
pub struct BuildInfo<'a> {
    /// The changelog of the recipe: source, version and date.
    pub changelog: &'a Changelog,
    /// The architecture that the build was for, such as `amd64`.
    pub architecture: &'a str,
    /// The vendor whose packages the build root has: `Debian`.
    pub vendor: &'a str,
    /// The lock of the build root: its packages are the installed build dependencies.
    pub lock: &'a RootLock,
    /// The environment of the phases; only variables that a build may know of are written.
    pub environment: &'a BTreeMap<String, String>,
    /// Where the source was built: `/build/source`.
    pub build_path: &'a str,
    /// SHA-256 digest of the plan.
    pub plan: Digest,
    /// The name of the target that was built for.
    pub target: &'a TargetName,
    /// The commit of the tool that built, where it is known.
    pub revision: Option<&'a str>,
}

/// Variables that dpkg-genbuildinfo(1) writes, as far as a phase has them. The others are paths or figures of the
/// machine, or follow from the recipe.
const VARIABLES: [&str; 12] = [
    "CFLAGS",
    "CPPFLAGS",
    "CXXFLAGS",
    "DEB_BUILD_OPTIONS",
    "DEB_BUILD_PROFILES",
    "LANG",
    "LC_ALL",
    "LDFLAGS",
    "MAKEFLAGS",
    "PATH",
    "SOURCE_DATE_EPOCH",
    "TZ",
];

/// The text, unsigned. Checksums are taken from the packages in `folder`.
///
/// The build date is the changelog's: the real one would make every `.buildinfo` differ.
///
/// # Errors
/// A package in `folder` cannot be read.
pub fn text(info: &BuildInfo<'_>, packages: &[BinaryPackage], folder: &Path) -> Result<String, SumsError> {
    let BuildInfo { changelog, architecture, vendor, build_path, plan, target, .. } = info;
    let (mut md5, mut sha1, mut sha256) = (String::new(), String::new(), String::new());
    for package in packages {
        let sums = Checksums::of_file(&folder.join(&package.file))?;
        let end = format!("{} {}", sums.size, package.file);
        md5 += &format!("\n {} {end}", sums.md5);
        sha1 += &format!("\n {} {end}", sums.sha1);
        sha256 += &format!("\n {} {end}", sums.sha256);
    }
    let depends: Vec<String> =
        info.lock.packages.iter().map(|deb| format!("\n {} (= {})", deb.name, deb.version)).collect();
    let environment: String = info
        .environment
        .iter()
        .filter(|(name, _)| VARIABLES.contains(&name.as_str()))
        .map(|(name, value)| format!("\n {name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    let revision = info.revision.map(|revision| format!("{TOOL_FIELD}: {revision}\n")).unwrap_or_default();
    Ok(format!(
        "Format: 1.0\nSource: {}\nBinary: {}\nArchitecture: {}\nVersion: {}\nChecksums-Md5:{md5}\nChecksums-Sha1:{sha1}\n\
         Checksums-Sha256:{sha256}\nBuild-Origin: {vendor}\nBuild-Architecture: {architecture}\nBuild-Date: {}\n\
         Build-Path: {build_path}\nInstalled-Build-Depends:{}\nEnvironment:{environment}\n\
         {PLAN_FIELD}: {plan}\n{TARGET_FIELD}: {target}\n{revision}",
        changelog.source,
        names(packages),
        architectures(packages),
        changelog.version,
        changelog.date,
        depends.join(","),
    ))
}
