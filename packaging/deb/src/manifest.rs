//! The manifest of a recipe's binary packages, `deb/Cargo.toml`: a cargo-deb manifest with one variant
//! per package, and our own table `[package.metadata.packaging]` for what cargo-deb has no field for.
//!
//! Only those fields of cargo-deb are accepted that mean something here: nothing is compiled by cargo,
//! and stripping, debug symbols and shared-library dependencies are the phase `split`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use foundation::config::{ConfigError, read_toml};
use foundation::failure::{self, Failure, Kind, Outcome};
use recipe::{Recipe, RecipeError, control};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::fields;

/// All binary packages of a recipe, as declared.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The folder of the recipe.
    pub recipe: PathBuf,
    /// The packages, sorted by name.
    pub packages: Vec<PackageSpec>,
    /// Staged paths, as glob patterns that begin with `stage/`, that no package ships.
    pub omit: Vec<String>,
    /// The address of upstream's home page (Debian policy 5.6.23).
    pub homepage: Option<String>,
}

/// One binary package, as declared.
#[derive(Clone, Debug)]
pub struct PackageSpec {
    /// The name of the package (Debian policy 5.6.1).
    pub name: String,
    /// The first line of the description (policy 5.6.13).
    pub synopsis: String,
    /// What goes into it, in the order of the manifest; the first rule for a path wins.
    pub assets: Vec<AssetRule>,
    /// The fields of `[package.metadata.packaging.NAME]`.
    pub extra: Extra,
    /// cargo-deb's fields, inherited ones included.
    pub fields: Fields,
}

/// A rule that puts files or a link into a package.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "AssetTable")]
pub enum AssetRule {
    /// Files, by path or glob pattern.
    Files {
        /// Path or pattern, relative to the recipe's folder; `stage/…` is the staged tree.
        source: String,
        /// Path in the package, or a folder when it ends in `/` or the source is a pattern.
        dest: String,
        /// Permissions, such as 0o644.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// The path of the link in the package.
        dest: String,
        /// The path that the link points to, as it is written in it.
        target: String,
    },
}

/// `[package.metadata.packaging.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Extra {
    /// The first line of the description (policy 5.6.13); else the crate's `description`.
    #[serde(default, deserialize_with = "fields::synopsis")]
    pub synopsis: Option<String>,
    /// `any` (the target's architecture) or `all`.
    #[serde(default)]
    pub architecture: Architecture,
    /// The field `Multi-Arch` (Debian's MultiArch specification); none where it is left out.
    pub multi_arch: Option<MultiArch>,
    /// The dependency that shared libraries in public folders cause (`shlibs` file); the default is
    /// `NAME (>= UPSTREAM-VERSION)`, as dh_makeshlibs has it.
    #[serde(default, deserialize_with = "fields::shlibs")]
    pub shlibs: Option<String>,
    /// Lines of the `triggers` file (deb-triggers(5)); the one for ldconfig is added by itself.
    #[serde(default, deserialize_with = "fields::triggers")]
    pub triggers: Vec<String>,
    /// Empty folders that the package owns.
    #[serde(default)]
    pub directories: Vec<Directory>,
}

/// An empty folder that a package owns.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Directory {
    /// Path in the package, without a leading `/`.
    #[serde(deserialize_with = "fields::destination")]
    pub path: String,
    /// Permissions in octal; the default is `755`.
    #[serde(default, deserialize_with = "fields::mode")]
    pub mode: Option<String>,
}

/// The kind of a package's architecture (policy 5.6.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// The target's own architecture.
    #[default]
    Any,
    /// The same package on every architecture.
    All,
}

/// The field `Multi-Arch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MultiArch {
    /// Co-installable with itself from another architecture.
    Same,
    /// Satisfies dependencies of packages of any architecture.
    Foreign,
    /// Satisfies those dependencies of other architectures that end in `:any`.
    Allowed,
}

/// The fields of cargo-deb that this tool accepts; a variant inherits those that it does not set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fields {
    /// Package name; a variant's is its own name where it is missing.
    pub name: Option<String>,
    /// The field `Maintainer`: `Name <address>` (Debian policy 5.6.2).
    #[serde(default, deserialize_with = "fields::maintainer")]
    pub maintainer: Option<String>,
    /// Path of the copyright file, in the recipe's folder.
    pub license_file: Option<Lines>,
    /// Must be `changelog`: the recipe's own.
    pub changelog: Option<String>,
    /// The fields of policy 7, with substitution variables.
    #[serde(default, deserialize_with = "fields::depends")]
    pub depends: Option<Lines>,
    /// The field `Pre-Depends`, with the syntax of `depends`.
    #[serde(default, deserialize_with = "fields::depends")]
    pub pre_depends: Option<Lines>,
    /// The field `Recommends`, with the syntax of `depends`.
    #[serde(default, deserialize_with = "fields::depends")]
    pub recommends: Option<Lines>,
    /// The field `Suggests`, with the syntax of `depends`.
    #[serde(default, deserialize_with = "fields::depends")]
    pub suggests: Option<Lines>,
    /// The field `Enhances`, with the syntax of `depends`.
    #[serde(default, deserialize_with = "fields::depends")]
    pub enhances: Option<Lines>,
    /// The field `Conflicts` (Debian policy 7.4): packages, without alternatives.
    #[serde(default, deserialize_with = "fields::conflicts")]
    pub conflicts: Option<Lines>,
    /// The field `Breaks` (Debian policy 7.3): packages, without alternatives.
    #[serde(default, deserialize_with = "fields::conflicts")]
    pub breaks: Option<Lines>,
    /// The field `Replaces` (Debian policy 7.6): packages, without alternatives.
    #[serde(default, deserialize_with = "fields::conflicts")]
    pub replaces: Option<Lines>,
    /// The field `Provides` (Debian policy 7.5): names, with `(= VERSION)` or without.
    #[serde(default, deserialize_with = "fields::provides")]
    pub provides: Option<Lines>,
    /// The further lines of the description (Debian policy 5.6.13).
    #[serde(default, deserialize_with = "fields::description")]
    pub extended_description: Option<String>,
    /// The same, in a file of the recipe's folder.
    pub extended_description_file: Option<String>,
    /// The field `Section`, such as `net` (Debian policy 2.4).
    #[serde(default, deserialize_with = "fields::section")]
    pub section: Option<String>,
    /// The field `Priority`, such as `optional` (Debian policy 2.5).
    #[serde(default, deserialize_with = "fields::priority")]
    pub priority: Option<String>,
    /// Configuration files beside those in `/etc`, which always are.
    #[serde(default, deserialize_with = "fields::conf_files")]
    pub conf_files: Option<Vec<String>>,
    /// A folder of the recipe with `preinst`, `postinst`, `prerm`, `postrm`.
    #[serde(default, deserialize_with = "fields::one_line")]
    pub maintainer_scripts: Option<String>,
    /// Handed to cargo-deb as it is: it writes the parts of maintainer scripts that units need.
    pub systemd_units: Option<toml::Value>,
    /// Links are always kept; accepted so that the manifest is one of cargo-deb's.
    pub preserve_symlinks: Option<bool>,
    /// Must be false: symbols are separated in the build root.
    pub separate_debug_symbols: Option<bool>,
    assets: Option<Vec<AssetRule>>,
    variants: Option<BTreeMap<String, Fields>>,
}

/// Text, or a list of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Lines {
    /// One text.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl Lines {
    /// The relationship field that the text or the list means, as one line.
    pub fn joined(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Many(items) => items.join(", "),
        }
    }

    fn first(&self) -> Option<&str> {
        match self {
            Self::One(text) => Some(text),
            Self::Many(items) => items.first().map(String::as_str),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AssetTable {
    source: Option<String>,
    dest: String,
    mode: Option<String>,
    link_name: Option<String>,
}

#[derive(Deserialize)]
struct CargoManifest {
    package: CargoPackage,
}

#[derive(Deserialize)]
struct CargoPackage {
    #[serde(default, deserialize_with = "fields::synopsis")]
    description: Option<String>,
    #[serde(default, deserialize_with = "fields::homepage")]
    homepage: Option<String>,
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    deb: Fields,
    #[serde(default)]
    packaging: Packaging,
}

#[derive(Default)]
struct Packaging {
    omit: Vec<String>,
    packages: BTreeMap<String, Extra>,
}

// By hand, because a flattened map would lose the line numbers of errors.
impl<'de> Deserialize<'de> for Packaging {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tables;
        impl<'de> Visitor<'de> for Tables {
            type Value = Packaging;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`omit` and one table per package")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Packaging, A::Error> {
                let mut packaging = Packaging::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "omit" {
                        packaging.omit = map.next_value()?;
                    } else {
                        packaging.packages.insert(key, map.next_value()?);
                    }
                }
                Ok(packaging)
            }
        }
        deserializer.deserialize_map(Tables)
    }
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The manifest cannot be read, or is not TOML of this form.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something in the manifest makes no sense.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file of the manifest.
        path: PathBuf,
        /// What is wrong, and what to do about it.
        problem: String,
    },
    /// A folder or a file that the manifest names cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The folder or file that cannot be read.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

impl Failure for ManifestError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Config(error) => error.outcome(),
            Self::Invalid { .. } => Kind::Input.plain(),
            Self::Read { source, .. } => failure::of_file(source),
        }
    }
}

/// The path of the manifest in a recipe's folder.
pub fn path(recipe: &Path) -> PathBuf {
    recipe.join("deb/Cargo.toml")
}

/// Reads and checks the manifest of a recipe, `deb/Cargo.toml`.
///
/// # Errors
/// The manifest cannot be read, is not TOML of this form, or describes no package, a package twice, or one that
/// Debian's tools would refuse.
pub fn read(recipe: &Path) -> Result<Manifest, ManifestError> {
    let path = path(recipe);
    let CargoManifest { package } = read_toml(&path)?;
    let invalid = |problem: String| ManifestError::Invalid { path: path.clone(), problem };
    let Metadata { deb: mut base, packaging: Packaging { omit, packages: mut extras } } = package.metadata;
    let variants = base.variants.take().unwrap_or_default();
    if variants.is_empty() {
        return Err(invalid("there is no package: write one [package.metadata.deb.variants.NAME] for each".into()));
    }
    let mut packages = Vec::new();
    for (name, variant) in variants {
        if variant.variants.is_some() {
            return Err(invalid(format!("the variant {name} has variants of its own: put them beside it")));
        }
        let extra = extras.remove(&name).unwrap_or_default();
        let spec = spec(&name, variant.or(&base), extra, package.description.as_deref());
        packages.push(spec.map_err(|problem| invalid(format!("package {name}: {problem}")))?);
    }
    if let Some(unknown) = extras.keys().next() {
        let known: Vec<&str> = packages.iter().map(|p: &PackageSpec| p.name.as_str()).collect();
        return Err(invalid(format!(
            "[package.metadata.packaging.{unknown}] is for a package that is not declared; known are {}, and `omit`",
            known.join(", ")
        )));
    }
    if let Some(pattern) = omit.iter().find(|pattern| !pattern.starts_with("stage/")) {
        return Err(invalid(format!("omit: '{pattern}' does not begin with stage/")));
    }
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(twice) = packages.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(invalid(format!("two packages are called {}", twice[0].name)));
    }
    for file in packages.iter().filter_map(|package| package.fields.extended_description_file.as_ref()) {
        let path = recipe.join(file);
        let text =
            std::fs::read_to_string(&path).map_err(|source| ManifestError::Read { path: path.clone(), source })?;
        control::description(text.trim_end()).map_err(|(line, why)| ManifestError::Invalid {
            path,
            problem: format!("line {}: the description {why}", line + 1),
        })?;
    }
    let manifest = Manifest { recipe: recipe.to_owned(), packages, omit, homepage: package.homepage };
    manifest.look_over()?;
    Ok(manifest)
}

/// The same error with the file, and the line in it, where somebody wrote what is wrong: what [`read`] reads of a recipe that inherits
/// was merged, and has other lines.
pub fn placed(recipe: &Recipe, error: ManifestError) -> ManifestError {
    match (error, recipe.manifest_as::<CargoManifest>()) {
        (ManifestError::Config(ConfigError::Parse { .. }), Err(RecipeError::Config(written))) => written.into(),
        (error, _) => error,
    }
}

fn spec(name: &str, mut fields: Fields, extra: Extra, description: Option<&str>) -> Result<PackageSpec, String> {
    let name = fields.name.clone().unwrap_or_else(|| name.to_owned());
    control::package_name(&name).map_err(|why| format!("'{}' {why}", name.escape_debug()))?;
    let synopsis = extra.synopsis.as_deref().or(description).unwrap_or_default().trim().to_owned();
    if synopsis.is_empty() {
        return Err("it needs a `synopsis` of one line with fewer than 80 characters (policy 3.4.1)".into());
    }
    if fields.extended_description.is_none() && fields.extended_description_file.is_none() {
        return Err("it needs an `extended-description` (policy 3.4.2)".into());
    }
    if fields.maintainer.is_none() {
        return Err("it needs a `maintainer`, as in `Name <name@example.org>`".into());
    }
    if fields.license_file.as_ref().and_then(Lines::first).is_none() {
        return Err("it needs `license-file`, the path of its copyright file (policy 12.5)".into());
    }
    if fields.changelog.as_deref().is_some_and(|path| path != "changelog") {
        return Err("`changelog` can only be the recipe's own, \"changelog\"".into());
    }
    if fields.separate_debug_symbols == Some(true) {
        return Err("`separate-debug-symbols` must be false: that is done in the build root, and -dbgsym packages are made by themselves".into());
    }
    if fields.preserve_symlinks == Some(false) {
        return Err("`preserve-symlinks` must be true: links are always kept".into());
    }
    let assets = fields.assets.take().unwrap_or_default();
    Ok(PackageSpec { name, synopsis, assets, extra, fields })
}

impl PackageSpec {
    /// The path of the copyright file in the recipe's folder.
    pub fn copyright(&self) -> &str {
        self.fields.license_file.as_ref().and_then(Lines::first).expect("checked when read")
    }
}

impl Directory {
    /// The permissions as a number; 0o755 where none are given.
    ///
    /// # Errors
    /// The permissions are not octal digits. Manifests that were read have been checked for this.
    pub fn permissions(&self) -> Result<u32, String> {
        self.mode.as_deref().map_or(Ok(0o755), fields::octal)
    }
}

impl TryFrom<AssetTable> for AssetRule {
    type Error = String;

    fn try_from(AssetTable { source, dest, mode, link_name }: AssetTable) -> Result<Self, String> {
        fields::check_dest(&dest)?;
        match (source, link_name, mode) {
            (Some(source), None, Some(mode)) => Ok(Self::Files { mode: fields::octal(&mode)?, source, dest }),
            (Some(source), None, None) => Err(format!("the asset '{source}' needs a mode, such as mode = \"644\"")),
            (None, Some(target), None) => Ok(Self::Link { dest, target }),
            _ => Err(format!("the asset for '{dest}' needs either source and mode, or link_name alone")),
        }
    }
}

impl Fields {
    /// This variant's fields, and the base's where it has none.
    fn or(self, base: &Self) -> Self {
        macro_rules! inherit {
            ($($field:ident),*) => { Self { $($field: self.$field.or_else(|| base.$field.clone()),)* variants: None } };
        }
        inherit!(
            name,
            maintainer,
            license_file,
            changelog,
            depends,
            pre_depends,
            recommends,
            suggests,
            enhances,
            conflicts,
            breaks,
            replaces,
            provides,
            extended_description,
            extended_description_file,
            section,
            priority,
            conf_files,
            maintainer_scripts,
            systemd_units,
            preserve_symlinks,
            separate_debug_symbols,
            assets
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "[package]\nname = \"x\"\nversion = \"1.0.0\"\ndescription = \"a thing\"\n\
                        [package.metadata.deb]\nmaintainer = \"A <a@example.org>\"\nlicense-file = \"deb/copyright\"\nextended-description = \"It is.\"\n";

    fn parse(rest: &str) -> Result<Manifest, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deb")).unwrap();
        std::fs::write(folder.path().join("deb/copyright"), "Format: x\n").unwrap();
        std::fs::create_dir(folder.path().join("dos")).unwrap();
        std::fs::write(folder.path().join("dos/prerm"), "#!/bin/sh\r\n").unwrap();
        std::fs::write(folder.path().join("dots"), "One.\n.two\n").unwrap();
        std::fs::write(path(folder.path()), format!("{HEAD}{rest}")).unwrap();
        read(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_variant_inherits_and_overrides() {
        let manifest = parse(
            "section = \"admin\"\n[package.metadata.deb.variants.aa]\nsection = \"libs\"\n\
             assets = [{ source = \"stage/x\", dest = \"usr/bin/\", mode = \"755\" }, { dest = \"usr/bin/y\", link_name = \"x\" }]\n\
             [package.metadata.deb.variants.bb]\n[package.metadata.packaging.aa]\nsynopsis = \"another\"\nmulti-arch = \"same\"\n",
        )
        .unwrap();
        let [aa, bb] = &manifest.packages[..] else { panic!() };
        assert_eq!(
            (aa.name.as_str(), aa.fields.section.as_deref(), aa.synopsis.as_str()),
            ("aa", Some("libs"), "another")
        );
        assert_eq!(
            (bb.name.as_str(), bb.fields.section.as_deref(), bb.synopsis.as_str()),
            ("bb", Some("admin"), "a thing")
        );
        assert_eq!(aa.assets[1], AssetRule::Link { dest: "usr/bin/y".into(), target: "x".into() });
        assert_eq!(aa.extra.multi_arch, Some(MultiArch::Same));
    }

    #[test]
    fn mistakes_are_named() {
        let package = "[package.metadata.deb.variants.aa]\n";
        for (rest, expected) in [
            (String::new(), "there is no package"),
            (format!("{package}dbgsym = true\n"), "unknown field `dbgsym`"),
            (
                format!("{package}[package.metadata.packaging.aa]\narch = \"all\"\n"),
                "unknown field `arch`, expected one of `synopsis`, `architecture`",
            ),
            (format!("{package}[package.metadata.packaging.aa]\narch = \"all\"\n"), "line 11"),
            (format!("{package}[package.metadata.packaging.bb]\n"), "known are aa"),
            (format!("{package}assets = [{{ source = \"x\", dest = \"y\" }}]\n"), "needs a mode"),
            (
                format!("{package}assets = [{{ source = \"x\", dest = \"/y\", mode = \"644\" }}]\n"),
                "relative to the root folder",
            ),
            (format!("{package}assets = [{{ source = \"x\", dest = \"y\", mode = \"9\" }}]\n"), "octal"),
            (format!("{package}separate-debug-symbols = true\n"), "must be false"),
            (format!("{package}[package.metadata.packaging]\nomit = [\"usr/x\"]\n"), "begin with stage/"),
            ("[package.metadata.deb.variants.A]\n".into(), "not a package name"),
            (format!("{package}license-file = \"x\"\n"), "its copyright file 'x' does not exist"),
            (format!("{package}maintainer-scripts = \"dos\"\n"), "its dos/prerm does not begin with #! and"),
            (format!("{package}extended-description-file = \"dots\"\n"), "dots: line 2: the description has a line"),
            (format!("{package}[package.metadata.deb.variants.bb]\nname = \"aa\"\n"), "two packages are called aa"),
            (
                format!("{package}assets = [{{ link_name = \"../../x\", dest = \"usr/y\" }}]\n"),
                "the link /usr/y to '../../x' leads out of the root folder",
            ),
        ] {
            let error = parse(&rest).unwrap_err();
            assert!(error.contains(expected), "{error}\n-- should contain: {expected}");
            assert!(error.contains("deb/Cargo.toml") || error.contains("dots"), "{error}");
        }
    }

    /// What dpkg or policy refuses is found where it is written.
    #[test]
    fn fields_are_judged_at_their_line() {
        for (field, expected) in [
            ("depends = \"libc6 (>= 2\"", "'libc6 (>= 2' has a ( without a )"),
            ("depends = [\"${shlibs:Depends}\", \"x y\"]", "names 'x', which is not a package name"),
            ("depends = \"${perl:Depends}\"", "there is no substitution variable ${perl:Depends}"),
            ("conflicts = \"aa | bb\"", "has alternatives"),
            ("provides = \"aa (>= ${binary:Version})\"", "provides a version other than with ="),
            ("maintainer = \"A\\nB <b@example.org>\"", "'A\\nB <b@example.org>' is more than one line"),
            ("extended-description = \"One.\\n.\\nTwo.\"", "a line that begins with a full stop, '.'"),
            ("section = \"Net\"", "'Net' is no section"),
            ("priority = \"high\"", "'high' is none of required"),
            ("conf-files = [\"etc/x\"]", "'etc/x' does not begin with /"),
            ("assets = [{ link_name = \"x\", dest = \"usr/a\\nb\" }]", "the path 'usr/a\\nb' is more than one line"),
            ("assets = [{ link_name = \"x\", dest = \"usr//a\" }]", "relative to the root folder"),
        ] {
            let error = parse(&format!("[package.metadata.deb.variants.aa]\n{field}\n")).unwrap_err();
            assert!(error.contains("deb/Cargo.toml: TOML parse error at line 10"), "{error}");
            assert!(error.contains(expected), "{error}\n-- should contain: {expected}");
        }
        for (extra, expected) in [
            ("synopsis = \"a\\nb\"", "'a\\nb' is more than one line"),
            ("triggers = [\"activates x\"]", "'activates x' is not one of interest"),
            ("shlibs = \"x1 (1)\"", "where one of << <= = >= >> should be"),
            ("directories = [{ path = \"/x\" }]", "relative to the root folder"),
            ("directories = [{ path = \"x\", mode = \"9\" }]", "not an octal number"),
        ] {
            let rest = format!("[package.metadata.deb.variants.aa]\n[package.metadata.packaging.aa]\n{extra}\n");
            let error = parse(&rest).unwrap_err();
            assert!(error.contains("line 11") && error.contains(expected), "{error}\n-- should contain: {expected}");
        }
        let good = "[package.metadata.deb.variants.aa]\ndepends = \"bb (= ${binary:Version}), ${shlibs:Depends}, ${misc:Depends}\"\n";
        parse(good).unwrap();
    }
}
