//! The `.changes` file of an upload (policy 5.5, deb-changes(5)), Format 1.8, binary packages only.

use std::collections::BTreeSet;
use std::path::Path;

use deb::binary_package::BinaryPackage;
use deb::changelog::Changelog;

use crate::sums::{Checksums, SumsError};

/// File name of the `.changes` (or, by extension, the `.buildinfo`) of this build.
pub fn file_name(changelog: &Changelog, architecture: &str, extension: &str) -> String {
    format!("{}_{}_{architecture}.{extension}", changelog.source, changelog.file_version())
}

/// The text, unsigned. Checksums are taken from the files in `folder`: the packages as they are distributed,
/// and the `.buildinfo`, which must be there already.
///
/// # Errors
/// A package or the `.buildinfo` is not in `folder`, or cannot be read.
pub fn text(
    changelog: &Changelog,
    maintainer: &str,
    architecture: &str,
    packages: &[BinaryPackage],
    folder: &Path,
) -> Result<String, SumsError> {
    let source = packages.iter().find(|package| !package.debug);
    let section = source.map_or("misc", |package| package.section.as_str());
    let buildinfo = file_name(changelog, architecture, "buildinfo");
    let mut files = vec![(buildinfo, section, "optional")];
    files.extend(
        packages.iter().map(|package| (package.file.clone(), package.section.as_str(), package.priority.as_str())),
    );
    let (mut sha1, mut sha256, mut md5) = (String::new(), String::new(), String::new());
    for (file, section, priority) in files {
        let sums = Checksums::of_file(&folder.join(&file))?;
        let size = sums.size;
        sha1 += &format!("\n {} {size} {file}", sums.sha1);
        sha256 += &format!("\n {} {size} {file}", sums.sha256);
        md5 += &format!("\n {} {size} {section} {priority} {file}", sums.md5);
    }
    let descriptions: String = packages
        .iter()
        .map(|package| {
            format!("\n {} - {}{}", package.name, package.synopsis, if package.debug { " (debug)" } else { "" })
        })
        .collect();
    Ok(format!(
        "Format: 1.8\nDate: {}\nSource: {}\nBinary: {}\nArchitecture: {}\nVersion: {}\nDistribution: {}\nUrgency: {}\n\
         Maintainer: {maintainer}\nChanged-By: {}\nDescription:{descriptions}\nChanges:{}\n\
         Checksums-Sha1:{sha1}\nChecksums-Sha256:{sha256}\nFiles:{md5}\n",
        changelog.date,
        changelog.source,
        names(packages),
        architectures(packages),
        changelog.version,
        changelog.distribution,
        changelog.urgency,
        changelog.maintainer,
        changes(changelog),
    ))
}

/// The packages' names. deb-changes(5) has them on one line that may be folded.
pub(crate) fn names(packages: &[BinaryPackage]) -> String {
    packages.iter().map(|package| package.name.as_str()).collect::<Vec<_>>().join(" ")
}

/// `amd64`, `all`, or both.
pub(crate) fn architectures(packages: &[BinaryPackage]) -> String {
    let all: BTreeSet<&str> = packages.iter().map(|package| package.architecture.as_str()).collect();
    all.into_iter().collect::<Vec<_>>().join(" ")
}

/// The newest entry with its heading, as a folded field (policy 5.6.19).
fn changes(changelog: &Changelog) -> String {
    let Changelog { source, version, distribution, urgency, .. } = changelog;
    let mut text = format!("\n {source} ({version}) {distribution}; urgency={urgency}\n .");
    for line in changelog.changes.lines() {
        text.push_str("\n ");
        text.push_str(if line.trim().is_empty() { "." } else { line });
    }
    text
}
