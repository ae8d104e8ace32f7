//! The Packages index (Debian policy 5.1; Debian repository format, "Packages Indices").

use std::path::{Path, PathBuf};

use foundation::digest::Digest;

use super::DebianError;

/// The packages of one component and architecture.
#[derive(Clone, Debug)]
pub struct Index {
    /// SHA-256 digest of the uncompressed index.
    pub sha256: Digest,
    /// The uncompressed index, in the store (apt reads it in the base).
    pub path: PathBuf,
    packages: Vec<ArchivePackage>,
}

/// One package of the index; only the fields that are needed here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchivePackage {
    /// The field `Package`: the package's name.
    pub name: String,
    /// The field `Version` (Debian policy 5.6.12).
    pub version: String,
    /// The field `Source`: name and version, where they are others than its own.
    pub(super) source: (Option<String>, Option<String>),
    /// The field `Architecture`: the index's own, or `all`.
    pub architecture: String,
    /// Whether it has `Essential: yes` (Debian policy 3.8): it is part of every system.
    pub essential: bool,
    /// The field `Priority` (Debian policy 2.5), such as `required`.
    pub priority: String,
    /// Pre-Depends and Depends: groups of alternatives.
    pub depends: Vec<Vec<Dependency>>,
    /// The names in `Provides`, without versions.
    pub provides: Vec<String>,
    /// Filename: the path below the archive's root.
    pub path: String,
    /// The field `Size`: the size of the .deb file in bytes.
    pub size: u64,
    /// The field `SHA256`: the digest of the .deb file. A package without it cannot be locked.
    pub sha256: Option<Digest>,
}

/// One alternative of a dependency (Debian policy 7.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependency {
    /// The package's name, without an architecture qualifier.
    pub name: String,
    /// Relation and version, such as `>=` and `2.36`.
    pub version: Option<(String, String)>,
}

impl Index {
    /// Reads an uncompressed index, called `name`, from the store.
    ///
    /// # Errors
    /// The file cannot be read, or a paragraph of it is not a package.
    pub fn read(name: &str, path: &Path, sha256: Digest) -> Result<Self, DebianError> {
        let text = std::fs::read_to_string(path).map_err(foundation::store::StoreError::io("read", path))?;
        Ok(Self::new(path.to_owned(), sha256, Self::parse(name, &text)?))
    }

    pub(super) fn new(path: PathBuf, sha256: Digest, packages: Vec<ArchivePackage>) -> Self {
        Self { sha256, path, packages }
    }

    /// Parses the text of an index called `name`.
    ///
    /// # Errors
    /// A paragraph lacks a field that every package has, one of its fields cannot be read, or its path leads out of the
    /// archive.
    pub fn parse(name: &str, text: &str) -> Result<Vec<ArchivePackage>, DebianError> {
        paragraphs(text)
            .map(|fields| package(&fields).map_err(|why| DebianError::Index { name: name.to_owned(), why }))
            .collect()
    }

    /// All packages, in the order of the index.
    pub fn packages(&self) -> &[ArchivePackage] {
        &self.packages
    }
}

impl ArchivePackage {
    /// The source package that it was built from, and its version: `Source`, where that is another name or version.
    pub fn source(&self) -> (&str, &str) {
        (self.source.0.as_deref().unwrap_or(&self.name), self.source.1.as_deref().unwrap_or(&self.version))
    }
}

fn package(fields: &[(String, String)]) -> Result<ArchivePackage, String> {
    let field =
        |name: &str| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
    let needed = |name: &str| {
        field(name).filter(|value| !value.is_empty()).map(str::to_owned).ok_or_else(|| {
            let of = field("Package").map_or_else(|| "a paragraph".into(), |package| format!("the package {package}"));
            format!("{of} has no field {name}")
        })
    };
    let name = needed("Package")?;
    let path = needed("Filename")?;
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(format!("the package {name} has the path {path}, which leaves the archive"));
    }
    let size = needed("Size")?;
    let size = size.parse().map_err(|_| format!("the package {name} has the size '{size}', which is not a number"))?;
    let sha256 = needed("SHA256")?.parse().map_err(|error| format!("the package {name}: {error}"))?;
    let mut depends = Vec::new();
    for key in ["Pre-Depends", "Depends"] {
        if let Some(value) = field(key) {
            depends.extend(dependencies(value).map_err(|why| format!("the package {name}, {key}: {why}"))?);
        }
    }
    let provides = dependencies(field("Provides").unwrap_or_default())
        .map_err(|why| format!("the package {name}, Provides: {why}"))?;
    // `gcc-defaults (1.203)`
    let source = field("Source").map(|source| source.split_once(' ').unwrap_or((source, "")));
    let version_of = |text: &str| text.trim().strip_prefix('(')?.strip_suffix(')').map(str::to_owned);
    Ok(ArchivePackage {
        source: (source.map(|(name, _)| name.to_owned()), source.and_then(|(_, version)| version_of(version))),
        version: needed("Version")?,
        architecture: needed("Architecture")?,
        essential: field("Essential") == Some("yes"),
        priority: field("Priority").unwrap_or_default().to_owned(),
        depends,
        provides: provides.into_iter().flatten().map(|dependency| dependency.name).collect(),
        path,
        size,
        sha256: Some(sha256),
        name,
    })
}

/// Parses `a (>= 1) | b:any, c` (Debian policy 7.1). Architecture and profile restrictions belong to
/// source packages and are refused here.
pub(super) fn dependencies(text: &str) -> Result<Vec<Vec<Dependency>>, String> {
    let text = text.trim().trim_end_matches(',');
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(|group| group.split('|').map(dependency).collect()).collect()
}

fn dependency(text: &str) -> Result<Dependency, String> {
    let text = text.trim();
    let bad = || format!("'{text}' is not a dependency");
    let (name, relation) = match text.split_once('(') {
        Some((name, relation)) => (name.trim(), Some(relation.strip_suffix(')').ok_or_else(bad)?.trim())),
        None => (text, None),
    };
    let name = name.split(':').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-._".contains(c) || c.is_ascii_uppercase();
    if name.is_empty() || !name.chars().all(plain) {
        return Err(bad());
    }
    let version = relation.map(|relation| {
        let at = relation.find(|c| !"<>=".contains(c)).ok_or_else(bad)?;
        let (sign, version) = relation.split_at(at);
        if !matches!(sign, "<<" | "<=" | "=" | ">=" | ">>") {
            return Err(bad());
        }
        Ok((sign.to_owned(), version.trim().to_owned()))
    });
    Ok(Dependency { name: name.to_owned(), version: version.transpose()? })
}

/// The paragraphs of a control file (Debian policy 5.1): fields in order, continuation lines joined
/// by newlines, comment lines left out.
pub(super) fn paragraphs(text: &str) -> impl Iterator<Item = Vec<(String, String)>> + '_ {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in lines.by_ref() {
            if line.starts_with('#') {
                continue;
            }
            if line.trim().is_empty() {
                if fields.is_empty() {
                    continue;
                }
                break;
            }
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push('\n');
                    value.push_str(line.trim());
                }
            } else if let Some((key, value)) = line.split_once(':') {
                fields.push((key.to_owned(), value.trim().to_owned()));
            } else {
                // Kept, so that what reads the paragraph refuses it.
                fields.push((line.to_owned(), String::new()));
            }
        }
        (!fields.is_empty()).then_some(fields)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Package: a\nVersion: 1:2.0-1\nArchitecture: amd64\nEssential: yes\nPriority: required\n\
        Pre-Depends: libc6 (>= 2.36)\nDepends: b | c:any (<< 3~), d\nProvides: v (= 1), w\nDescription: x\n longer\n\
        Filename: pool/main/a/a/a_2.0-1_amd64.deb\nSize: 5\n\
        SHA256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n";

    #[test]
    fn reads_a_paragraph() {
        let packages =
            Index::parse("Packages", &format!("\n{GOOD}\n\n{}", GOOD.replace("Package: a", "Package: b"))).unwrap();
        assert_eq!(packages.len(), 2);
        let a = &packages[0];
        assert_eq!((a.name.as_str(), a.version.as_str(), a.essential, a.size), ("a", "1:2.0-1", true, 5));
        assert_eq!(a.provides, ["v", "w"]);
        let text = |groups: &[Vec<Dependency>]| {
            let one = |d: &Dependency| {
                format!("{}{}", d.name, d.version.as_ref().map_or(String::new(), |(r, v)| format!(" {r} {v}")))
            };
            groups.iter().map(|group| group.iter().map(one).collect::<Vec<_>>().join("|")).collect::<Vec<_>>()
        };
        assert_eq!(text(&a.depends), ["libc6 >= 2.36", "b|c << 3~", "d"]);
    }

    #[test]
    fn names_what_is_wrong() {
        for (from, to, expected) in [
            ("Size: 5", "Size: five", "the package a has the size 'five'"),
            ("Size: 5\n", "", "the package a has no field Size"),
            ("Package: a\n", "", "a paragraph has no field Package"),
            ("pool/main", "../../etc", "leaves the archive"),
            ("SHA256: 2cf", "SHA256: 2cfg", "not a sha256 digest"),
            ("libc6 (>= 2.36)", "libc6 (>= 2.36", "Pre-Depends: 'libc6 (>= 2.36' is not a dependency"),
            ("libc6 (>= 2.36)", "libc6 (> 2.36)", "is not a dependency"),
        ] {
            let error = Index::parse("bookworm/Packages", &GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("bookworm/Packages"), "{error}");
        }
    }
}
