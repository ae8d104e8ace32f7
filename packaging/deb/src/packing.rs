//! Writing binary packages with cargo-deb.
//!
//! Each package becomes a manifest crate of its own in a temporary folder, with every file listed by itself, so
//! that what was checked is what is packed. cargo-deb reads it, and writes archives and maintainer scripts.
//! Afterwards the data archive is compared with what was asked for, and the control archive gets what cargo-deb
//! leaves out ([`crate::control`]). A finished package is kept under the digest of all that made it, so that a
//! change writes those packages again that it is in, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use foundation::digest::Digest;
use foundation::store::Store;
use recipe::target::Target;

use crate::binary_package::{Step, Written};
use crate::changelog::Changelog;
use crate::contents::{Contents, Entry, Origin};
use crate::error::DebError;
use crate::manifest::{Architecture, Fields, Lines, Manifest, MultiArch, PackageSpec};
use crate::split::{Binary, Split};
use crate::writer::{Content, ORIGIN_SIGNATURE, Package};
use crate::{finished, link, substvars};

/// Everything that packages are made from.
#[derive(Clone, Copy, Debug)]
pub struct Packing<'a> {
    /// The packages of the recipe, and what goes into each.
    pub manifest: &'a Manifest,
    /// The recipe's changelog; with the suffix `+local` where that applies.
    pub changelog: &'a Changelog,
    /// The target that the packages are built for.
    pub target: &'a Target,
    /// The stripped tree, the debug symbols and what is known of the binaries.
    pub split: &'a Split,
}

/// Puts all packages of the recipe and their `-dbgsym` packages into `folder`, unsigned; sorted by name. Those that
/// the store has are links to what is there; the others are written side by side, with so many threads in all
/// ([`crate::data::MEMORY_PER_THREAD`] bytes each). `progress` is told each package's name.
///
/// # Errors
/// A package cannot be made from what was staged (for example, because a file belongs to no package), cargo-deb refuses
/// it, or the store or the folder cannot be written. Packages that were already finished stay in the store.
pub fn build_all(
    packing: &Packing<'_>,
    store: &Store,
    folder: &Path,
    threads: u32,
    progress: &(dyn Fn(&str, Step) + Sync),
) -> Result<Vec<Written>, DebError> {
    finished::put_all(&packing.packages()?, store, folder, threads, progress)
}

/// A problem whose package is known one level up.
enum Problem {
    Text(String),
    Error(DebError),
}

impl Problem {
    fn of(self, package: &str) -> DebError {
        match self {
            Self::Text(problem) => DebError::Package { package: package.to_owned(), problem },
            Self::Error(error) => error,
        }
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Packing<'_> {
    /// All packages, sorted by name.
    fn packages(&self) -> Result<Vec<Package>, DebError> {
        let all = self.manifest.resolve(&self.split.stage)?;
        let mut packages = Vec::new();
        for spec in &self.manifest.packages {
            let package = self.package(spec, &all[&spec.name]).map_err(|problem| problem.of(&spec.name))?;
            packages.extend(self.debug_package(&package)?);
            packages.push(package);
        }
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(packages)
    }

    fn package(&self, spec: &PackageSpec, contents: &Contents) -> Result<Package, Problem> {
        let fields = &spec.fields;
        let binaries: Vec<&Binary> = self.split.binaries.iter().filter(|binary| binary.package == spec.name).collect();
        let all = spec.extra.architecture == Architecture::All;
        if let (true, Some(binary)) = (all, binaries.first()) {
            return Err(format!(
                "its architecture is all, but {} is a binary of one architecture: use `architecture = \"any\"`",
                binary.path
            )
            .into());
        }
        let description = match (&fields.extended_description, &fields.extended_description_file) {
            (Some(text), _) => text.trim().to_owned(),
            (None, Some(path)) => self.recipe_text(path)?.trim().to_owned(),
            (None, None) => unreachable!("looked over when the manifest was read"),
        };
        let mut entries = BTreeMap::new();
        for (path, entry) in &contents.entries {
            let (path, content) = self.entry(&spec.name, self.target.packed_path(path), entry)?;
            entries.insert(path, content);
        }
        add_override(&spec.name, false, &mut entries).map_err(Problem::Error)?;
        let documents = format!("usr/share/doc/{}", spec.name);
        if !entries.contains_key(&documents) {
            // Policy 12.7: a native package has no upstream changelog to tell it from.
            let native = !self.changelog.version.contains('-');
            let name = if native { "changelog.gz" } else { "changelog.Debian.gz" };
            let content = Content::Bytes { bytes: gzip(self.changelog.text.as_bytes()), mode: 0o644 };
            entries.insert(format!("{documents}/{name}"), content);
        }
        let shlibs = self.shlibs(spec, &binaries);
        let mut triggers = spec.extra.triggers.clone();
        if !shlibs.is_empty() {
            triggers.push("activate-noawait ldconfig".to_owned());
        }
        Ok(Package {
            name: spec.name.clone(),
            source: self.changelog.source.clone(),
            version: self.changelog.version.clone(),
            file_version: self.changelog.file_version().to_owned(),
            epoch: self.changelog.epoch,
            architecture: if all { "all".to_owned() } else { self.target.name.architecture().to_owned() },
            multi_arch: spec.extra.multi_arch,
            maintainer: fields.maintainer.clone().unwrap_or_default(),
            homepage: self.manifest.homepage.clone(),
            section: fields.section.clone().unwrap_or_else(|| "misc".to_owned()),
            priority: fields.priority.clone().unwrap_or_else(|| "optional".to_owned()),
            relations: self.relations(spec, &binaries)?,
            synopsis: spec.synopsis.clone(),
            description,
            entries,
            directories: spec.extra.directories.clone(),
            conf_files: fields.conf_files.clone().unwrap_or_default(),
            maintainer_scripts: fields.maintainer_scripts.clone(),
            systemd_units: fields.systemd_units.clone(),
            looked_for: self.looked_for(fields)?,
            shlibs,
            triggers,
            build_ids: vec![],
        })
    }

    /// `NAME-dbgsym`, as debhelper makes it (dh_strip(1)); `None` where there are no debug symbols.
    fn debug_package(&self, package: &Package) -> Result<Option<Package>, DebError> {
        let binaries = self.split.binaries.iter().filter(|binary| binary.package == package.name);
        let mut entries = BTreeMap::new();
        let mut build_ids = Vec::new();
        for binary in binaries {
            let (Some(path), Some(id)) = (binary.debug_path(), &binary.build_id) else { continue };
            let file = file(self.split.debug.join(&path), 0o644)?;
            if entries.insert(path, file).is_none() {
                build_ids.push(id.clone());
            }
        }
        if entries.is_empty() {
            return Ok(None);
        }
        build_ids.sort();
        let name = format!("{}-dbgsym", package.name);
        entries.insert(format!("usr/share/doc/{name}"), Content::Link { target: package.name.clone() });
        add_override(&name, true, &mut entries)?;
        Ok(Some(Package {
            synopsis: format!("debug symbols for {}", package.name),
            description: String::new(),
            section: "debug".to_owned(),
            priority: "optional".to_owned(),
            relations: BTreeMap::from([("Depends", format!("{} (= {})", package.name, package.version))]),
            multi_arch: package.multi_arch.filter(|kind| *kind == MultiArch::Same),
            entries,
            build_ids,
            name,
            directories: vec![],
            conf_files: vec![],
            maintainer_scripts: None,
            systemd_units: None,
            looked_for: BTreeMap::new(),
            shlibs: vec![],
            triggers: vec![],
            ..package.clone()
        }))
    }

    /// The files in the folders of the recipe where cargo-deb looks for maintainer scripts and units.
    fn looked_for(&self, fields: &Fields) -> Result<BTreeMap<String, Vec<u8>>, Problem> {
        let mut files = BTreeMap::new();
        for folder in searched_folders(fields) {
            let inside = Path::new(folder).components().all(|part| matches!(part, Component::Normal(_)));
            if folder.is_empty() || !inside {
                return Err(format!(
                    "its scripts or units are said to be in '{folder}', which is no folder inside the recipe: \
                     write the path of one, such as systemd"
                )
                .into());
            }
            let path = self.manifest.recipe.join(folder);
            if !path.is_dir() {
                // cargo-deb says so in words of its own.
                continue;
            }
            for name in file_names(&path).map_err(Problem::Error)? {
                let content = read(&path.join(&name)).map_err(Problem::Error)?;
                files.insert(format!("{folder}/{name}"), content);
            }
        }
        Ok(files)
    }

    fn relations(&self, spec: &PackageSpec, binaries: &[&Binary]) -> Result<BTreeMap<&'static str, String>, String> {
        let fields = &spec.fields;
        let version = &self.changelog.version;
        let mut variables: BTreeMap<String, String> = BTreeMap::from([
            ("binary:Version".to_owned(), version.clone()),
            ("source:Version".to_owned(), version.clone()),
            ("source:Upstream-Version".to_owned(), self.changelog.upstream_version().to_owned()),
            ("shlibs:Depends".to_owned(), String::new()),
        ]);
        let own = |name: &str| self.manifest.packages.iter().any(|package| package.name == name);
        for (name, value) in self.split.substvars.get(&spec.name).into_iter().flatten() {
            variables.insert(name.clone(), substvars::pin_own(value, own, version));
        }
        let mut relations = BTreeMap::new();
        let mut shlibs_used = false;
        let declared: [(&'static str, &Option<Lines>); 9] = [
            ("Depends", &fields.depends),
            ("Pre-Depends", &fields.pre_depends),
            ("Recommends", &fields.recommends),
            ("Suggests", &fields.suggests),
            ("Enhances", &fields.enhances),
            ("Conflicts", &fields.conflicts),
            ("Breaks", &fields.breaks),
            ("Replaces", &fields.replaces),
            ("Provides", &fields.provides),
        ];
        for (name, lines) in declared {
            let Some(lines) = lines else { continue };
            let text = lines.joined();
            shlibs_used |= text.contains("${shlibs:");
            let value = substvars::relation(&text, &variables).map_err(|problem| format!("{name}: {problem}"))?;
            if !value.is_empty() {
                relations.insert(name, value);
            }
        }
        if let (false, Some(binary)) = (shlibs_used, binaries.first()) {
            return Err(format!(
                "{} needs shared libraries, but the package's `depends` lacks ${{shlibs:Depends}}: add it",
                binary.path
            ));
        }
        Ok(relations)
    }

    /// Lines of the `shlibs` file (deb-shlibs(5)) for the libraries in public folders.
    fn shlibs(&self, spec: &PackageSpec, binaries: &[&Binary]) -> Vec<String> {
        let public = ["usr/lib".to_owned(), format!("usr/lib/{}", self.target.multiarch)];
        let dependency = spec
            .extra
            .shlibs
            .clone()
            .unwrap_or_else(|| format!("{} (>= {})", spec.name, self.changelog.upstream_version()));
        let mut lines: Vec<String> = binaries
            .iter()
            .filter(|binary| binary.path.rsplit_once('/').is_some_and(|(folder, _)| public.iter().any(|p| p == folder)))
            .filter_map(|binary| library_version(binary.soname.as_deref()?))
            .map(|(name, version)| format!("{name} {version} {dependency}"))
            .collect();
        lines.sort();
        lines.dedup();
        lines
    }

    /// Where an entry's bytes are; man pages are compressed (policy 12.1), and links to them follow.
    fn entry(&self, package: &str, path: &str, entry: &Entry) -> Result<(String, Content), Problem> {
        let compress = needs_compression(path);
        let zipped = |path: &str| if compress { format!("{path}.gz") } else { path.to_owned() };
        let content = match entry {
            Entry::Link { target } => {
                let target = self.target.packed_path(target);
                let target =
                    if compress && !target.ends_with(".gz") { format!("{target}.gz") } else { target.to_owned() };
                return Ok((zipped(path), Content::Link { target: link::target(path, &target)? }));
            }
            Entry::File { origin, mode } => {
                let origin = match origin {
                    Origin::Stage(path) => self.split.stage.join(path),
                    Origin::Recipe(path) => self.manifest.recipe.join(path),
                };
                if compress {
                    Content::Bytes { bytes: gzip(&read(&origin).map_err(Problem::Error)?), mode: *mode }
                } else {
                    file(origin, *mode).map_err(Problem::Error)?
                }
            }
        };
        if path.starts_with("usr/share/doc/") && path.ends_with("/changelog.Debian.gz") {
            return Err(format!(
                "/{path} is written by itself, from the recipe's changelog: take it out of the assets of {package}"
            )
            .into());
        }
        Ok((zipped(path), content))
    }

    fn recipe_text(&self, path: &str) -> Result<String, Problem> {
        let path = self.manifest.recipe.join(path);
        std::fs::read_to_string(&path).map_err(|source| Problem::Error(DebError::File { what: "read", path, source }))
    }
}

/// Adds the line for the signature to what the recipe wants to override.
fn add_override(package: &str, debug: bool, entries: &mut BTreeMap<String, Content>) -> Result<(), DebError> {
    let path = format!("usr/share/lintian/overrides/{package}");
    let mut bytes = match entries.get(&path) {
        Some(Content::Path { path, .. }) => read(path)?,
        _ => Vec::new(),
    };
    bytes.extend_from_slice(lintian_override(package, debug).as_bytes());
    entries.insert(path, Content::Bytes { bytes, mode: 0o644 });
    Ok(())
}

/// Lines for the package's overrides of lintian, which accepts no member that Debian's own archive does not have; and
/// in a package of debug symbols, nothing but them, so the overrides need one for themselves.
fn lintian_override(package: &str, debug: bool) -> String {
    let mut text = format!(
        "# The package's origin signature, which debsig-verify(1) checks; Debian's own archive has none.\n\
         {package}: misplaced-extra-member-in-deb {ORIGIN_SIGNATURE} *\n"
    );
    if debug {
        text += &format!(
            "# This file, for the override above.\n{package}: non-debug-file-in-debug-package *lintian/overrides*\n"
        );
    }
    text
}

/// Where cargo-deb looks for files by itself: in the folder of maintainer scripts, and for units in their own.
fn searched_folders(fields: &Fields) -> BTreeSet<&str> {
    let scripts = fields.maintainer_scripts.as_deref();
    let units = match &fields.systemd_units {
        None => &[][..],
        Some(toml::Value::Array(units)) => units,
        Some(unit) => std::slice::from_ref(unit),
    };
    let own = units.iter().map(|unit| unit.get("unit-scripts").and_then(toml::Value::as_str));
    own.map(|own| own.or(scripts).unwrap_or("systemd")).chain(scripts).collect()
}

/// The names of the files in a folder, as far as they can be a script's or a unit's.
fn file_names(folder: &Path) -> Result<Vec<String>, DebError> {
    let error = |source| DebError::File { what: "read", path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(error)? {
        let entry = entry.map_err(error)?;
        if !entry.path().is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

/// A file as it is now; that it is still so when it is packed is checked then.
fn file(path: PathBuf, mode: u32) -> Result<Content, DebError> {
    match std::fs::File::open(&path).and_then(Digest::of_reader) {
        Ok((sha256, size)) => Ok(Content::Path { path, size, sha256, mode }),
        Err(source) => Err(DebError::File { what: "read", path, source }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, DebError> {
    std::fs::read(path).map_err(|source| DebError::File { what: "read", path: path.to_owned(), source })
}

fn needs_compression(path: &str) -> bool {
    if path.ends_with(".gz") {
        return false;
    }
    let name = path.rsplit('/').next().expect("split gives one");
    path.starts_with("usr/share/man/")
        || path.starts_with("usr/share/doc/") && matches!(name, "changelog" | "NEWS" | "NEWS.Debian")
}

/// As `gzip -9n` does it: no name, no date.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    const UNIX: u8 = 3;
    let mut encoder =
        flate2::GzBuilder::new().mtime(0).operating_system(UNIX).write(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}

/// Name and version of a library in its SONAME, as dpkg-shlibdeps(1) splits it: `NAME.so.VERSION`, `NAME-VERSION.so`.
fn library_version(soname: &str) -> Option<(&str, &str)> {
    if let Some((name, version)) = soname.rsplit_once(".so.") {
        return Some((name, version));
    }
    let stem = soname.strip_suffix(".so")?;
    let start =
        stem.match_indices('-').map(|(i, _)| i).find(|i| stem[i + 1..].starts_with(|c: char| c.is_ascii_digit()))?;
    Some((&stem[..start], &stem[start + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sonames_are_split_as_dpkg_does() {
        assert_eq!(library_version("libmesos-1.7.2.so"), Some(("libmesos", "1.7.2")));
        assert_eq!(library_version("libc.so.6"), Some(("libc", "6")));
        assert_eq!(library_version("libfoo-bar.so"), None);
        assert_eq!(library_version("module"), None);
    }

    #[test]
    fn gzip_has_neither_name_nor_date() {
        let bytes = gzip(b"text");
        assert_eq!(&bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]);
    }
}
