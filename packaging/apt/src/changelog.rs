//! Changelogs of packages, and where apt asks for them: `changelogs/COMPONENT/m/mesos/mesos_1.7.2-1_changelog`. The path is
//! what apt makes of a package for `@CHANGEPATH@` (apt's source, `pkgAcqChangelog::URI`): of component, source package and
//! version. The Release says where they are (Debian repository format, "Changelogs").

use std::io::{self, Read};
use std::path::Path;

use deb::archive::DebFile;
use flate2::read::GzDecoder;

use crate::described::{decompress, source_of};
use crate::listed::Listed;

/// The folder below the repository.
pub const FOLDER: &str = "changelogs";

/// `Changelogs` of a Release. Without the address that clients fetch from, nobody can say where they are.
pub fn field(uri: Option<&str>) -> String {
    match uri {
        Some(uri) => format!("{}/{FOLDER}/@CHANGEPATH@_changelog", uri.trim_end_matches('/')),
        None => "no".to_owned(),
    }
}

/// Where the changelog of a package is, if it has one.
pub fn path(package: &Listed) -> String {
    let folder = package.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder = folder.strip_prefix("pool/").unwrap_or(folder);
    let (source, version) = build(package);
    format!("{FOLDER}/{folder}/{source}_{version}_changelog")
}

/// Source package and version without its epoch: packages that share them share a changelog, also those that have none of
/// their own, such as debug symbols.
pub fn build(package: &Listed) -> (&str, &str) {
    let version = package.version.split_once(':').map_or(package.version.as_str(), |(_, version)| version);
    (source_of(&package.path), version)
}

/// No changelog that anybody reads is longer.
const LONGEST: u64 = 16 << 20;

/// The text of a package's changelog (policy 12.7), where it has one. `name` is that of the package.
///
/// # Errors
/// The file cannot be read, or is not a .deb.
pub fn read(deb: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let file = DebFile::open(deb)?;
    let Some(n) = file.names().iter().position(|name| name.starts_with("data.tar")) else { return Ok(None) };
    for entry in tar::Archive::new(decompress(&file.members[n].name, file.read(n)?)?).entries()? {
        if let Some(text) = within(&mut entry?, name)? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// The text of the changelog, where this member of a .deb has it.
pub(crate) fn within(entry: &mut tar::Entry<'_, impl Read>, package: &str) -> io::Result<Option<Vec<u8>>> {
    let path = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
    let name = path.strip_prefix(&format!("usr/share/doc/{package}/")).unwrap_or_default();
    if !entry.header().entry_type().is_file() {
        return Ok(None);
    }
    let reader: Box<dyn Read + '_> = match name {
        "changelog.Debian.gz" | "changelog.gz" => Box::new(GzDecoder::new(entry)),
        "changelog.Debian" | "changelog" => Box::new(entry),
        _ => return Ok(None),
    };
    let mut text = Vec::new();
    // One that is no gzip file is none, and no reason to refuse the package.
    let read = reader.take(LONGEST + 1).read_to_end(&mut text);
    Ok((read.is_ok() && text.len() as u64 <= LONGEST).then_some(text))
}

#[cfg(test)]
mod tests {
    use foundation::digest::Digest;

    use super::*;

    #[test]
    fn the_path_that_apt_asks_for() {
        let listed = |path: &str, version: &str| Listed {
            name: "x".into(),
            version: version.into(),
            architecture: "all".into(),
            component: "main".into(),
            path: path.into(),
            size: 1,
            sha256: Digest::of(""),
        };
        // apt's own examples, in the comment at that function.
        for (pool, version, expected) in [
            ("pool/main/a/apt/libapt-pkg_1.1_amd64.deb", "1.1", "main/a/apt/apt_1.1"),
            ("pool/contrib/liba/libapt/libapt_2.0_amd64.deb", "3:2.0", "contrib/liba/libapt/libapt_2.0"),
        ] {
            assert_eq!(path(&listed(pool, version)), format!("changelogs/{expected}_changelog"));
        }
    }
}
