//! The `.buildinfo` file (deb-buildinfo(5)), Format 1.0: what a rebuild needs to know.

use std::collections::BTreeMap;
use std::path::Path;

use crate::changelog::Changelog;
use crate::deb::BinaryPackage;
use crate::root_lock::RootLock;
use crate::sums::SumsError;

/// What is written into a `.buildinfo`, beside the packages.
#[derive(Clone, Copy, Debug)]
pub struct BuildInfo<'a> {
    /// The changelog.
    pub changelog: &'a Changelog,
    /// The target's architecture.
    pub architecture: &'a str,
    /// The vendor whose packages the build root has: `Debian`.
    pub vendor: &'a str,
    /// The build root.
    pub lock: &'a RootLock,
    /// The environment of the phases; only the variables that deb-buildinfo(5) allows are written.
    pub environment: &'a BTreeMap<String, String>,
    /// Where the source was built: `/build/source`.
    pub build_path: &'a str,
}

/// The text, unsigned. Checksums are taken from the packages in `folder`.
pub fn text(info: &BuildInfo<'_>, packages: &[BinaryPackage], folder: &Path) -> Result<String, SumsError> {
    let _ = (info, packages, folder);
    todo!()
}
