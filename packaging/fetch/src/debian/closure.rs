//! From what is asked for to pinned .debs: a simple closure for the base, then apt itself inside it.
//!
//! The simple solver decides nothing but the base in which apt runs: Essential and required packages
//! and apt. There the choices are few, and the seeds already contain the usual answers to virtual
//! packages. Everything else, also the target's own `base`, is apt's to solve.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use foundation::digest::Digest;
use foundation::store::StoreError;
use recipe::root_lock::{PinnedDeb, RootLock};
use recipe::target::Target;

use super::catalogue::{Catalogue, Entry};
use super::index::{ArchivePackage, Dependency, dependencies};
use super::{DebianError, version};

/// The base in which apt runs: Essential and required packages, apt, and their dependencies; sorted by
/// name, all marked as base. Which they are the target's own suite says; each is taken in the version that apt would take.
///
/// # Errors
/// A package of the base needs something that no package of the indices provides, or a package of it has no SHA256 in its
/// index, or is another file in another suite.
pub fn base(catalogue: &Catalogue, target: &Target) -> Result<Vec<PinnedDeb>, DebianError> {
    let own = catalogue.own().index.packages();
    let mut seeds: BTreeSet<&str> = own
        .iter()
        .filter(|package| package.essential || package.priority == "required")
        .map(|package| package.name.as_str())
        .chain(["apt"])
        .collect();
    // Where the links into /usr are made before anything is unpacked, the package that says so is the
    // right answer to `usrmerge | usr-is-merged`; the first would bring Perl modules and convert nothing.
    if !target.merged_folders.is_empty() && catalogue.candidate("usr-is-merged").is_some() {
        seeds.insert("usr-is-merged");
    }
    closure(catalogue, &seeds, &format!("the base of {}", target.name))?
        .into_values()
        .map(|entry| catalogue.pinned(entry, true))
        .collect()
}

fn closure<'a>(
    catalogue: &'a Catalogue,
    seeds: &BTreeSet<&str>,
    wanted_by: &str,
) -> Result<BTreeMap<&'a str, Entry<'a>>, DebianError> {
    let mut chosen: BTreeMap<&str, Entry<'a>> = BTreeMap::new();
    let mut queue = VecDeque::new();
    for name in seeds {
        let entry = catalogue.candidate(name).ok_or_else(|| DebianError::Unsatisfied {
            wanted_by: wanted_by.to_owned(),
            dependency: (*name).to_owned(),
            field: Some("suite"),
        })?;
        chosen.insert(&entry.package.name, entry);
        queue.push_back(entry.package);
    }
    while let Some(package) = queue.pop_front() {
        for group in &package.depends {
            if group.iter().any(|wish| chosen.values().any(|chosen| answers(chosen.package, wish))) {
                continue;
            }
            let answer =
                group.iter().find_map(|wish| best(catalogue, wish)).ok_or_else(|| DebianError::Unsatisfied {
                    wanted_by: format!("{} {}", package.name, package.version),
                    dependency: group.iter().map(text).collect::<Vec<_>>().join(" | "),
                    field: Some("suite"),
                })?;
            chosen.insert(&answer.package.name, answer);
            queue.push_back(answer.package);
        }
    }
    Ok(chosen)
}

fn text(wish: &Dependency) -> String {
    match &wish.version {
        Some((relation, version)) => format!("{} ({relation} {version})", wish.name),
        None => wish.name.clone(),
    }
}

/// Whether a package is what a dependency asks for. A versioned one is not answered by Provides: in
/// the base nothing needs that, and apt checks the result.
fn answers(package: &ArchivePackage, wish: &Dependency) -> bool {
    match &wish.version {
        Some((relation, bound)) => package.name == wish.name && version::satisfies(&package.version, relation, bound),
        None => package.name == wish.name || package.provides.contains(&wish.name),
    }
}

/// The real package, or of those that provide the name the most important one, then the first by name.
fn best<'a>(catalogue: &'a Catalogue, wish: &Dependency) -> Option<Entry<'a>> {
    if let Some(entry) = catalogue.candidate(&wish.name) {
        return Some(entry).filter(|entry| answers(entry.package, wish));
    }
    let rank = |package: &ArchivePackage| {
        ["required", "important", "standard"].iter().position(|name| *name == package.priority).unwrap_or(3)
    };
    let providers = catalogue.providers(&wish.name).into_iter().filter(|entry| answers(entry.package, wish));
    providers.min_by_key(|entry| rank(entry.package))
}

/// A file to upload into the base's container before the solver runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolverFile {
    /// Absolute path in the container; its folder is to be made.
    pub path: String,
    /// The bytes of the file.
    pub content: Vec<u8>,
}

/// The POSIX shell script that lets apt solve, for a container of the configured base: as root,
/// `/solver` writable, no network. It writes the solution to its standard output.
pub fn solver_script() -> &'static str {
    include_str!("solve.sh")
}

/// What [`solver_script`] reads: the indices, each as an archive of its own with the priority of its suite; the target's base as what
/// is installed; and the request, one dependency in the syntax of `Build-Depends` each (alternatives, versions; restrictions to
/// architectures in brackets are apt's to read). So the apt that solves may be another architecture's.
///
/// # Errors
/// A line of the request is not one dependency as in `Build-Depends`, or asks for what no index has, or the file of an index
/// cannot be read.
pub fn solver_uploads(
    catalogue: &Catalogue,
    base: &[PinnedDeb],
    request: &[String],
    target: &Target,
) -> Result<Vec<SolverFile>, DebianError> {
    let architecture = target.name.architecture();
    let mut lines = String::new();
    for dependency in request {
        let said_by = [("base", &target.base), ("machine", &target.machine)];
        let field = said_by.into_iter().find(|(_, asks)| asks.contains(dependency)).map(|(field, _)| field);
        // Said here, with the recipe's own words, rather than by apt in a container.
        let plain = dependency.split(['[', '<']).next().unwrap_or_default();
        let restricted = dependency.contains('[') || dependency.contains(" <");
        let parsed = if restricted { dependencies(plain).map(|_| ()) } else { dependencies(dependency).map(|_| ()) };
        if parsed.is_err()
            || dependency.contains(['\n', ','])
            || dependency.trim().is_empty()
            || dependency.starts_with('-')
        {
            return Err(DebianError::Unsatisfied {
                wanted_by: "the request (a target's `base`, a recipe's `depends`)".into(),
                dependency: format!("'{dependency}', which is not one dependency as in Build-Depends"),
                field,
            });
        }
        if !restricted
            && let Ok(groups) = dependencies(dependency)
            && let Some(group) = groups.iter().find(|group| group.iter().all(|wish| best(catalogue, wish).is_none()))
        {
            return Err(DebianError::NotInSuite {
                dependency: group.iter().map(text).collect::<Vec<_>>().join(" | "),
                suite: target.suite.clone(),
                architecture: architecture.to_owned(),
                field,
            });
        }
        lines += dependency.trim();
        lines.push('\n');
    }
    let mut files = vec![SolverFile { path: "/solver/request".into(), content: lines.into_bytes() }];
    let (mut sources, mut preferences, mut status) = (String::new(), String::new(), String::new());
    let mut missing: BTreeSet<(String, String)> =
        base.iter().map(|deb| (deb.name.clone(), deb.version.clone())).collect();
    for section in catalogue.sections() {
        let (suite, component, index) = (&section.suite.name, &section.component, &section.index);
        let folder = format!("/solver/archives/{suite}/{component}");
        let packages = std::fs::read_to_string(&index.path).map_err(StoreError::io("read", &index.path))?;
        // By the suite's name apt knows the priority. The date is no real one: what was verified came before.
        let release = format!(
            "Suite: {suite}\nCodename: {suite}\nComponents: {component}\nDate: Thu, 01 Jan 1970 00:00:00 UTC\n\
             SHA256:\n {} {} Packages\n",
            index.sha256,
            packages.len()
        );
        status += &installed(&packages, &mut missing);
        sources += &format!("deb [trusted=yes] file:{folder} ./\n");
        let priority = section.priority().number();
        preferences += &format!("Package: *\nPin: release a={suite}\nPin-Priority: {priority}\n\n");
        files.push(SolverFile { path: format!("{folder}/Packages"), content: packages.into_bytes() });
        files.push(SolverFile { path: format!("{folder}/Release"), content: release.into_bytes() });
    }
    files.push(SolverFile { path: "/solver/sources.list".into(), content: sources.into_bytes() });
    files.push(SolverFile { path: "/solver/status".into(), content: status.into_bytes() });
    files.push(SolverFile { path: "/solver/architecture".into(), content: architecture.as_bytes().to_owned() });
    files.push(SolverFile { path: "/solver/preferences".into(), content: preferences.into_bytes() });
    Ok(files)
}

/// The paragraphs of an index that are about packages of the base which have none yet, as dpkg has them in its status (deb822(5)).
fn installed(packages: &str, missing: &mut BTreeSet<(String, String)>) -> String {
    let mut status = String::new();
    for paragraph in packages.split("\n\n") {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
        };
        if missing.remove(&(field("Package:"), field("Version:"))) {
            status += paragraph.trim();
            status += "\nStatus: install ok installed\n\n";
        }
    }
    status
}

/// The whole build root: the base and what apt's output adds; sorted by name.
///
/// # Errors
/// apt's output has no complete plan, or the plan removes or replaces a package of the base, or names a package that
/// no index has, or that is another file in another suite.
pub fn from_solution(
    catalogue: &Catalogue,
    base: &[PinnedDeb],
    apt_output: &str,
) -> Result<Vec<PinnedDeb>, DebianError> {
    let bad = |why: String| Err(DebianError::Solution(why));
    let body = apt_output
        .split_once("=== apt solution\n")
        .and_then(|(_, rest)| rest.split_once("=== end of solution"))
        .map(|(body, _)| body);
    let Some(body) = body else {
        let tail: Vec<&str> = apt_output.lines().rev().take(8).collect();
        let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        return bad(format!("its output ends before the plan does:\n{tail}"));
    };
    let mut all: BTreeMap<String, PinnedDeb> = base.iter().map(|deb| (deb.name.clone(), deb.clone())).collect();
    for line in body.lines() {
        if line.starts_with("Remv ") {
            return bad(format!("it would remove a package of the base: {line}"));
        }
        // `Inst g++ (4:12.2.0-3 localhost [amd64])`
        let Some(rest) = line.strip_prefix("Inst ") else { continue };
        let name = rest.split([' ', ':']).next().unwrap_or_default();
        let version = rest.split_once('(').and_then(|(_, rest)| rest.split([' ', ')']).next()).unwrap_or_default();
        if all.contains_key(name) {
            return bad(format!("it would replace a package of the base: {line}"));
        }
        let Some(entry) = catalogue.find(name, version) else {
            return bad(format!("it names a package that the index does not have: {line}"));
        };
        all.insert(name.to_owned(), catalogue.pinned(entry, false)?);
    }
    Ok(all.into_values().collect())
}

/// The lock's value. It depends on its arguments only, so locking twice gives the same bytes.
pub fn lock(
    recipe: &str,
    target: &Target,
    catalogue: &Catalogue,
    request: Digest,
    mut packages: Vec<PinnedDeb>,
) -> RootLock {
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    let (release, indices) = (&catalogue.own().release, catalogue.locked_indices());
    RootLock {
        version: RootLock::format(&indices),
        recipe: recipe.to_owned(),
        target: target.name.clone(),
        suite: target.suite.clone(),
        snapshot: release.snapshot.clone(),
        release_date: release.date,
        release_sha256: release.sha256,
        packages_sha256: catalogue.own().index.sha256,
        request_sha256: request,
        indices,
        packages,
    }
}
