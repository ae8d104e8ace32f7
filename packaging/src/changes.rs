//! The `.changes` file of an upload (policy 5.5, deb-changes(5)), Format 1.8, binary packages only.

use std::path::Path;

use crate::changelog::Changelog;
use crate::deb::BinaryPackage;
use crate::sums::SumsError;

/// File name of the `.changes` (or, by extension, the `.buildinfo`) of this build.
pub fn file_name(changelog: &Changelog, architecture: &str, extension: &str) -> String {
    format!("{}_{}_{architecture}.{extension}", changelog.source, changelog.file_version())
}

/// The text, unsigned. Checksums are taken from the files in `folder`: the packages as they are distributed,
/// and the `.buildinfo`, which must be there already.
pub fn text(changelog: &Changelog, maintainer: &str, architecture: &str, packages: &[BinaryPackage], folder: &Path) -> Result<String, SumsError> {
    let _ = (changelog, maintainer, architecture, packages, folder);
    todo!()
}
