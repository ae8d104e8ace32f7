//! A target: a distribution release and architecture, such as `debian-13/amd64`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use foundation::config::{ConfigError, parse_toml, read_toml};
use foundation::failure::{Failure, Kind, Outcome};
use globset::Glob;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::archives::FurtherArchive;
use crate::line::line_of;

/// A target's name: `RELEASE/ARCHITECTURE`. Its files are `targets/RELEASE-ARCHITECTURE.{toml,lock}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(title = "target", extend("pattern" = "^[a-z0-9][a-z0-9.-]*/[a-z0-9-]+$"))]
pub struct TargetName {
    release: String,
    architecture: String,
}

/// The text is not a target's name.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a target: write RELEASE/ARCHITECTURE, such as debian-13/amd64")]
pub struct NotATarget(String);

impl Failure for NotATarget {
    fn outcome(&self) -> Outcome {
        Kind::Usage.plain()
    }
}

impl TargetName {
    /// The name as one path component: `debian-12-amd64`.
    pub fn file_stem(&self) -> String {
        format!("{}-{}", self.release, self.architecture)
    }
    /// The same release on another architecture.
    ///
    /// # Errors
    /// That is no name of an architecture.
    pub fn on(&self, architecture: &str) -> Result<Self, NotATarget> {
        format!("{}/{architecture}", self.release).try_into()
    }
    /// The distribution and its release: `debian-12`.
    pub fn release(&self) -> &str {
        &self.release
    }
    /// The Debian architecture: `amd64`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }
}

/// As people type it. The name of a target's file and of its folder in `dist/`, `debian-13-amd64`, is understood as well.
impl FromStr for TargetName {
    type Err = NotATarget;
    fn from_str(text: &str) -> Result<Self, NotATarget> {
        match text.rsplit_once('-') {
            Some((release, architecture))
                if !text.contains('/') && architecture.starts_with(|first: char| first.is_ascii_lowercase()) =>
            {
                format!("{release}/{architecture}").try_into()
            }
            _ => text.to_owned().try_into(),
        }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.release, self.architecture)
    }
}

/// As files have it.
impl TryFrom<String> for TargetName {
    type Error = NotATarget;
    fn try_from(text: String) -> Result<Self, NotATarget> {
        let valid = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        // `ubuntu-24.04`; a name of a file that is hidden, or leads to another folder, it is not.
        let valid_release = |part: &str| valid(&part.replace('.', "")) && !part.starts_with(['.', '-']);
        match text.split_once('/') {
            Some((release, architecture)) if valid_release(release) && valid(architecture) => {
                Ok(Self { release: release.to_owned(), architecture: architecture.to_owned() })
            }
            _ => Err(NotATarget(text)),
        }
    }
}

impl From<TargetName> for String {
    fn from(name: TargetName) -> Self {
        name.to_string()
    }
}

/// For what it is built: a file of `containers/targets/` for each distribution release and architecture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Target {
    /// The name, `debian-12/amd64`; it must match the file's name.
    pub name: TargetName,
    /// The distribution as Debian names its vendors: `Debian`.
    pub vendor: String,
    /// The suite in the archive, named by its codename so that it never moves: `bookworm`.
    pub suite: String,
    /// What follows the version of every package that is built for this release, such as `~deb12u1`: the same version can then be
    /// published for several releases, and an upgrade from one to the next finds a newer one. It begins with `~` or `+`; empty
    /// where a recipe is built for one release only.
    pub version_suffix: String,
    /// The archive's component that packages are taken from: `main`.
    pub component: String,
    /// The keyring that signs the suite's InRelease, relative to the targets' folder.
    pub keyring: PathBuf,
    /// The architecture's folder of libraries, as in `/usr/lib/x86_64-linux-gnu`: `DEB_HOST_MULTIARCH` of dpkg-architecture(1).
    pub multiarch: String,
    /// The architecture as configure scripts take it with `--build`: `DEB_HOST_GNU_TYPE` of dpkg-architecture(1). On i386 and
    /// others it is not the folder's name.
    pub gnu_type: String,
    /// The permanent archive: `https://snapshot.debian.org/archive/debian`.
    pub archive: String,
    /// Suites beside the target's own that packages are taken from, such as security updates. No part of a plan: what was
    /// taken from them is in the lock, and the lock is.
    #[serde(default, rename = "further-archive", skip_serializing)]
    pub further: Vec<FurtherArchive>,
    /// The folders at the top that are links into `/usr`, such as `bin` and `lib64`, where no package ships them (Debian 12
    /// and before; from Debian 13 on `base-files` does). Which they are depends on the architecture, as in debootstrap(8).
    pub merged_folders: Vec<String>,
    /// Folders in one of `merged-folders` that packages of this release fill by their path outside of `/usr`, such as
    /// `lib/systemd/system`: what a recipe puts below `usr/lib/systemd/system` is packed there, as debhelper of the release does.
    ///
    /// dpkg takes the two paths for two folders. Where no other package has the one below `/usr`, dpkg finds it full at a purge,
    /// and warns. From Debian 12 on `libpam-modules-bin` has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outside_usr: Vec<String>,
    /// Packages that every build root has, beside those marked Essential and what a recipe asks for.
    pub base: Vec<String>,
    /// Packages that a virtual machine has beside what a recipe's nodes have: the kernel, what boots it, and a server for
    /// ssh. Empty where nobody has tried one. No part of a plan.
    #[serde(default, skip_serializing)]
    pub machine: Vec<String>,
    /// Paths, as glob patterns, that maintainer scripts leave different at every run; they are
    /// removed so that the build root's digest is stable.
    pub remove: Vec<String>,
}

/// A target that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// There is no such target.
    #[error("there is no target {name}; the targets are {known}")]
    Unknown {
        /// The name that was asked for.
        name: TargetName,
        /// The names of the targets that exist, with commas between them.
        known: String,
        /// The path where the file of this target would be.
        path: PathBuf,
    },
    /// Its file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file's name and the name in it disagree.
    #[error("{path} describes the target {found}, not {expected}", path = path.display())]
    Name {
        /// The file of the target.
        path: PathBuf,
        /// The name that the file gives the target.
        found: TargetName,
        /// The name that follows from the file's own name.
        expected: TargetName,
    },
    /// A file among the targets' is called as none could be.
    #[error("{path} is no target's file: those are called RELEASE-ARCH.toml, such as debian-13-amd64.toml", path = path.display())]
    FileName {
        /// The file.
        path: PathBuf,
    },
    /// A field or a section of the file cannot be used.
    #[error("{path}, line {line}: {why}", path = path.display())]
    Field {
        /// The file of the target.
        path: PathBuf,
        /// The line where the field or the section begins.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// What follows the version could not stand there.
    #[error("{path}, line {line}: version-suffix {why}", path = path.display())]
    Suffix {
        /// The file of the target.
        path: PathBuf,
        /// The line of the field.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Packages of two releases would have one version.
    #[error("{path}, line {line}: version-suffix '{suffix}' is that of another release, in {other}: the same packages would have one \
             version in both, and different bytes", path = path.display(), other = other.display())]
    SameSuffix {
        /// The file of the target.
        path: PathBuf,
        /// The line of the field.
        line: usize,
        /// What follows the version of every package.
        suffix: String,
        /// The file of the other target.
        other: PathBuf,
    },
    /// What a new target is to have is another release's.
    #[error("{option} '{value}' is that of another release, whose file is {other}", other = other.display())]
    Taken {
        /// The option that gives it to the new target.
        option: &'static str,
        /// What it has.
        value: String,
        /// The file of the other target.
        other: PathBuf,
    },
    /// What is packed outside of `/usr` would be in another folder there.
    #[error("{path}, line {line}: outside-usr has '{folder}', and its first part is none of merged-folders, which alone are links into \
             /usr", path = path.display())]
    OutsideUsr {
        /// The file of the target.
        path: PathBuf,
        /// The line of the field.
        line: usize,
        /// The folder that the file has.
        folder: String,
    },
}

impl Failure for TargetError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Unknown { name, path, .. } => Kind::Input.next(format!(
                "name one of these; `cargo xtask target new {name} --like TARGET …` makes a new one, which is {}",
                path.display()
            )),
            Self::Config(error) => error.outcome(),
            Self::Suffix { .. } => {
                Kind::Input.next("write it as the distribution does for its own updates, such as ~deb12u1")
            }
            Self::OutsideUsr { .. } => {
                Kind::Input.next("write it without a slash at either end, such as lib/systemd/system, or leave it out")
            }
            Self::SameSuffix { .. } => {
                Kind::Input.next("give one of the two a suffix of its own, such as ~deb12u1, so that apt takes an upgrade of the release for one")
            }
            Self::Taken { option, .. } => {
                Kind::Usage.next(format!("give the new release's own with {option}; nothing was changed"))
            }
            Self::Name { .. } => Kind::Input.next("correct `name`, or rename the file"),
            Self::FileName { .. } => Kind::Input.next("rename it, or move it elsewhere"),
            Self::Field { .. } => Kind::Input.next("correct it there"),
        }
    }
}

impl Target {
    /// The names of the targets that a folder has, by the names of their files, sorted. Whether a file can be read is found out by
    /// [`Target::read`], which says so: one with a mistake is still there.
    ///
    /// # Errors
    /// The folder cannot be read, or has a file whose name is not one of a target's file.
    pub fn names(targets: &Path) -> Result<Vec<TargetName>, TargetError> {
        let unreadable = |source| ConfigError::Read { path: targets.to_owned(), source };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(targets).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            // What an editor keeps beside a file is hidden.
            if path.extension().is_none_or(|extension| extension != "toml") || stem.starts_with('.') {
                continue;
            }
            let Ok(name) = stem.parse() else { return Err(TargetError::FileName { path }) };
            names.push(name);
        }
        names.sort();
        Ok(names)
    }

    /// Reads the target `name` from the folder of targets.
    ///
    /// # Errors
    /// There is no file for this target, it is not TOML of this form, it names another target, its version suffix
    /// does not begin with `~` or `+`, has other characters than letters, digits and `.+~`, or is another release's, a
    /// suite cannot be used, `remove` has no pattern, or a folder of `outside-usr` is not below one of `merged-folders`.
    pub fn read(targets: &Path, name: &TargetName) -> Result<Self, TargetError> {
        let path = targets.join(name.file_stem() + ".toml");
        if !path.exists() {
            let known: Vec<String> = Self::names(targets)?.iter().map(TargetName::to_string).collect();
            return Err(TargetError::Unknown { name: name.clone(), known: known.join(", "), path });
        }
        let read = std::fs::read_to_string(&path);
        let text = read.map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        let target: Self = parse_toml(&path, &text)?;
        let line = |field: &str| line_of(&text, &[field]).unwrap_or(1);
        if target.name != *name {
            return Err(TargetError::Name { path, found: target.name, expected: name.clone() });
        }
        if let Err(why) = look_over_suffix(&target.version_suffix) {
            return Err(TargetError::Suffix { path, line: line("version-suffix"), why });
        }
        target.look_over_archives(&path, &text)?;
        if let Some((pattern, why)) = target.remove.iter().find_map(|one| Some((one, Glob::new(one).err()?))) {
            let why = format!("remove has '{pattern}', which is no pattern: {}", why.kind());
            return Err(TargetError::Field { path, line: line("remove"), why });
        }
        let merged = |folder: &str| target.merged_folders.iter().any(|merged| folder.split('/').next() == Some(merged));
        let plain = |folder: &str| folder.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if let Some(folder) = target.outside_usr.iter().find(|folder| !merged(folder) || !plain(folder)) {
            return Err(TargetError::OutsideUsr { path, line: line("outside-usr"), folder: folder.clone() });
        }
        match target.with_same_suffix(targets)? {
            Some(other) => {
                let suffix = target.version_suffix;
                Err(TargetError::SameSuffix { path, line: line("version-suffix"), suffix, other })
            }
            None => Ok(target),
        }
    }

    /// The file of another release whose packages would have the same versions.
    fn with_same_suffix(&self, targets: &Path) -> Result<Option<PathBuf>, TargetError> {
        let others = Self::of_other_releases(targets, &self.name)?;
        let found = others.into_iter().find(|(_, other)| other.version_suffix == self.version_suffix);
        Ok(found.map(|(path, _)| path))
    }

    /// The targets of other releases, each with its file. A mistake in one is told where that one is asked for.
    fn of_other_releases(targets: &Path, name: &TargetName) -> Result<Vec<(PathBuf, Self)>, TargetError> {
        let others = Self::names(targets)?.into_iter().filter(|other| other.release() != name.release());
        let paths = others.map(|other| targets.join(other.file_stem() + ".toml"));
        Ok(paths.filter_map(|path| Some((path.clone(), read_toml(&path).ok()?))).collect())
    }

    /// Looks over the text of a target's file that is to be made in this folder.
    ///
    /// # Errors
    /// Its suite or its version suffix is that of a target of another release, or the text is none of a target's file.
    pub fn look_over_new(targets: &Path, name: &TargetName, text: &str) -> Result<(), TargetError> {
        let new: Self = parse_toml(&targets.join(name.file_stem() + ".toml"), text)?;
        for (other, old) in Self::of_other_releases(targets, name)? {
            if (&old.suite, &old.archive) == (&new.suite, &new.archive) {
                return Err(TargetError::Taken { option: "--suite", value: new.suite, other });
            }
            if old.version_suffix == new.version_suffix {
                return Err(TargetError::Taken { option: "--version-suffix", value: new.version_suffix, other });
            }
        }
        Ok(())
    }

    /// Where the target's file says something of a suite: its path, and the line of the field, or of the section that names the
    /// suite.
    pub fn place(&self, targets: &Path, field: &str, suite: Option<&str>) -> String {
        let path = targets.join(self.name.file_stem() + ".toml");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let line = match suite.filter(|suite| *suite != self.suite) {
            Some(suite) => self.line_of_further(&text, suite),
            None => line_of(&text, &[field]),
        };
        match line {
            Some(line) => format!("{}, line {line}", path.display()),
            None => path.display().to_string(),
        }
    }

    /// What decides a root file system: all but what packing alone reads.
    #[must_use]
    pub fn of_roots(&self) -> Self {
        Self { outside_usr: Vec::new(), ..self.clone() }
    }

    /// Where a package of this release has what a recipe puts at `path`, which may begin with a slash.
    pub fn packed_path<'a>(&self, path: &'a str) -> &'a str {
        let Some(inside) = path.trim_start_matches('/').strip_prefix("usr/") else { return path };
        let below = |folder: &String| inside.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'));
        // As long as "/usr", which a path with a slash at its front begins with.
        if self.outside_usr.iter().any(below) { &path["usr/".len()..] } else { path }
    }
}

/// A suffix is one without a hyphen, which would begin another Debian revision, and without a first letter or digit, which
/// would change the last number of the version.
///
/// # Errors
/// It is none: why.
pub fn look_over_suffix(suffix: &str) -> Result<(), String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b".+~".contains(&b);
    if suffix.is_empty() {
        return Ok(());
    }
    if !suffix.starts_with(['~', '+']) || !suffix.bytes().all(good) {
        return Err(format!(
            "'{suffix}' does not begin with ~ or +, or has characters beside letters, digits and .+~ (Debian policy 5.6.12)"
        ));
    }
    match suffix.bytes().any(|b| b.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => Err(format!("'{suffix}' has neither a letter nor a digit that tells releases apart")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name: TargetName = "debian-12/amd64".parse().unwrap();
        assert_eq!(name.file_stem(), "debian-12-amd64");
        assert_eq!("debian-12-amd64".parse::<TargetName>().unwrap(), name, "as its file is called");
        assert_eq!("ubuntu-24.04-amd64".parse::<TargetName>().unwrap().release(), "ubuntu-24.04");
        assert!(TargetName::try_from("debian-12-amd64".to_owned()).is_err(), "files have one spelling");
        for bad in [
            "debian-12",
            "debian-12/",
            "/amd64",
            "../x/amd64",
            "Debian/amd64",
            "debian-12-",
            "-amd64",
            "amd64",
            "../amd64",
            ".x/amd64",
            "-x/amd64",
            "x/amd.64",
        ] {
            assert!(bad.parse::<TargetName>().is_err(), "{bad}");
        }
    }
    #[test]
    fn what_is_packed_outside_of_usr() {
        let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../containers/targets");
        let read = |folder: &Path, name: &str| Target::read(folder, &name.parse().unwrap());
        let eleven = read(&targets, "debian-11/amd64").unwrap();
        let unit = "usr/lib/systemd/system/thing.service";
        assert_eq!(eleven.packed_path(unit), "lib/systemd/system/thing.service");
        assert_eq!(eleven.packed_path("/usr/lib/systemd/system/thing.service"), "/lib/systemd/system/thing.service");
        for other in
            ["usr/lib/systemd/system-preset/x", "/usr/lib/systemd/system", "srv/usr/lib/systemd/system/x", "usr"]
        {
            assert_eq!(eleven.packed_path(other), other);
        }
        let thirteen = read(&targets, "debian-13/amd64").unwrap();
        assert_eq!(thirteen.packed_path(unit), unit);
        // No root is made anew for it.
        assert!(!serde_json::to_string(&eleven.of_roots()).unwrap().contains("outside-usr"));
        let folder = tempfile::tempdir().unwrap();
        for bad in ["opt/systemd", "/lib/systemd/system", "lib/systemd/", "lib/../etc", ""] {
            let text = std::fs::read_to_string(targets.join("debian-11-amd64.toml")).unwrap();
            std::fs::write(
                folder.path().join("debian-11-amd64.toml"),
                text.replace("\"lib/systemd/system\"", &format!("{bad:?}")),
            )
            .unwrap();
            let error = read(folder.path(), "debian-11/amd64").unwrap_err().to_string();
            assert!(error.contains(&format!("outside-usr has '{bad}'")), "{error}");
        }
    }
    #[test]
    fn suffixes() {
        for good in ["", "~deb12u1", "+deb13u1", "~ubuntu24.04.1"] {
            look_over_suffix(good).unwrap();
        }
        for bad in ["deb12u1", "-deb12u1", "~deb12-1", "1", "~a b", "~:1", "~ü", "~", "+.~"] {
            assert!(look_over_suffix(bad).is_err(), "{bad}");
        }
    }
    /// A folder with the targets of the checkout, one of them with a change.
    fn changed(stem: &str, right: &str, wrong: &str) -> tempfile::TempDir {
        let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../containers/targets");
        let folder = tempfile::tempdir().unwrap();
        for name in Target::names(&targets).unwrap() {
            let file = name.file_stem() + ".toml";
            std::fs::copy(targets.join(&file), folder.path().join(&file)).unwrap();
        }
        let path = folder.path().join(stem.to_owned() + ".toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(right), "{text}");
        std::fs::write(path, text.replacen(right, wrong, 1)).unwrap();
        folder
    }
    fn said(folder: &tempfile::TempDir, name: &str) -> String {
        let error = Target::read(folder.path(), &name.parse().unwrap()).unwrap_err().to_string();
        error.replace(&format!("{}/", folder.path().display()), "")
    }
    #[test]
    fn a_target_whose_file_has_a_mistake_is_still_there() {
        let eleven: TargetName = "debian-11/amd64".parse().unwrap();
        let folder = changed("debian-11-amd64", "vendor =", "vendr =");
        assert!(Target::names(folder.path()).unwrap().contains(&eleven));
        assert!(said(&folder, "debian-11/amd64").starts_with("debian-11-amd64.toml: TOML parse error at line 3"));
        Target::read(folder.path(), &"debian-13/amd64".parse().unwrap()).unwrap();
        let folder = changed("debian-11-amd64", "\"debian-11/amd64\"", "\"debian-11/arm64\"");
        assert!(Target::names(folder.path()).unwrap().contains(&eleven));
        assert_eq!(
            said(&folder, "debian-11/amd64"),
            "debian-11-amd64.toml describes the target debian-11/arm64, not debian-11/amd64"
        );
        std::fs::write(folder.path().join(".#debian-13-amd64.toml"), "").unwrap();
        Target::names(folder.path()).unwrap();
        std::fs::write(folder.path().join("debian_14.toml"), "").unwrap();
        let error = Target::names(folder.path()).unwrap_err().to_string();
        assert!(error.contains("debian_14.toml is no target's file"), "{error}");
    }
    #[test]
    fn packages_of_two_releases_never_have_one_version() {
        let folder = changed("debian-13-amd64", "~deb13u1", "~deb12u1");
        let line = "version-suffix '~deb12u1' is that of another release, in";
        assert!(
            said(&folder, "debian-13/amd64")
                .starts_with(&format!("debian-13-amd64.toml, line 5: {line} debian-12-amd64.toml"))
        );
        assert!(
            said(&folder, "debian-12/amd64")
                .starts_with(&format!("debian-12-amd64.toml, line 5: {line} debian-13-amd64.toml"))
        );
        Target::read(folder.path(), &"debian-11/amd64".parse().unwrap()).unwrap();
        // One that is to be made.
        let folder = changed("debian-13-amd64", "a", "a");
        let text = std::fs::read_to_string(folder.path().join("debian-13-amd64.toml")).unwrap();
        let new = |suite: &str, suffix: &str| {
            let text = text.replace("\"trixie\"", &format!("\"{suite}\"")).replace("~deb13u1", suffix);
            let looked = Target::look_over_new(folder.path(), &"debian-14/amd64".parse().unwrap(), &text);
            looked.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
        };
        new("forky", "~deb14u1").unwrap();
        let other = "is that of another release, whose file is debian-12-amd64.toml";
        assert_eq!(new("bookworm", "~deb14u1").unwrap_err(), format!("--suite 'bookworm' {other}"));
        assert_eq!(new("forky", "~deb12u1").unwrap_err(), format!("--version-suffix '~deb12u1' {other}"));
    }
    #[test]
    fn what_is_said_of_a_suite_has_a_place() {
        let folder = changed("debian-13-amd64", "a", "a");
        let target = Target::read(folder.path(), &"debian-13/amd64".parse().unwrap()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("debian-13-amd64.toml")).unwrap();
        let section = text.lines().position(|line| line.contains("trixie-updates")).unwrap();
        for (field, suite, line) in [
            ("suite", Some("trixie"), ", line 4".to_owned()),
            ("base", None, ", line 14".to_owned()),
            ("suite", Some("trixie-updates"), format!(", line {section}")),
            ("suite", Some("sid"), String::new()),
        ] {
            let place = target.place(folder.path(), field, suite);
            assert_eq!(place, format!("{}/debian-13-amd64.toml{line}", folder.path().display()));
        }
    }
    #[test]
    fn what_cannot_be_used_is_named_with_its_line() {
        for (right, wrong, says) in [
            ("\"trixie\"", "\"\"", "line 4: suite = '' is not a name of a suite or component"),
            ("\"trixie\"", "\"../../x\"", "line 4: suite = '../../x' is not a name"),
            ("\"main\"", "\"ma in\"", "line 6: component = 'ma in' is not a name"),
            ("\"https://snapshot", "\"/srv/x", "line 10: archive = '/srv/x"),
            ("\"https://snapshot.debian.org/archive/debian\"", "\"\"", "line 10: archive = '' is not an address"),
            ("\"var/log/**\"", "\"[\"", "line 17: remove has '[', which is no pattern: unclosed character class"),
            ("~deb13u1", "~", "line 5: version-suffix '~' has neither a letter nor a digit"),
            ("~deb13u1", "deb13u1", "line 5: version-suffix 'deb13u1' does not begin with ~ or +"),
        ] {
            let said = said(&changed("debian-13-amd64", right, wrong), "debian-13/amd64");
            assert!(said.starts_with(&format!("debian-13-amd64.toml, {says}")), "{says}: {said}");
        }
    }
}
