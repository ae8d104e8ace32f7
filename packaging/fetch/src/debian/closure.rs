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

use super::index::{ArchivePackage, Dependency, Index, dependencies};
use super::release::Release;
use super::{DebianError, version};

/// The base in which apt runs: Essential and required packages, apt, and their dependencies; sorted by
/// name, all marked as base.
///
/// # Errors
/// A package of the base needs something that no package of the index provides, or a package of it has no SHA256 in the
/// index.
pub fn base(index: &Index, target: &Target) -> Result<Vec<PinnedDeb>, DebianError> {
    let mut seeds: BTreeSet<&str> = index
        .packages()
        .iter()
        .filter(|package| package.essential || package.priority == "required")
        .map(|package| package.name.as_str())
        .chain(["apt"])
        .collect();
    // Where the links into /usr are made before anything is unpacked, the package that says so is the
    // right answer to `usrmerge | usr-is-merged`; the first would bring Perl modules and convert nothing.
    if !target.merged_folders.is_empty() && index.newest("usr-is-merged").is_some() {
        seeds.insert("usr-is-merged");
    }
    closure(index, &seeds, &format!("the base of {}", target.name))?
        .into_values()
        .map(|package| package.pinned(true))
        .collect()
}

fn closure<'a>(
    index: &'a Index,
    seeds: &BTreeSet<&str>,
    wanted_by: &str,
) -> Result<BTreeMap<&'a str, &'a ArchivePackage>, DebianError> {
    let mut chosen: BTreeMap<&str, &ArchivePackage> = BTreeMap::new();
    let mut queue = VecDeque::new();
    for name in seeds {
        let package = index.newest(name).ok_or_else(|| DebianError::Unsatisfied {
            wanted_by: wanted_by.to_owned(),
            dependency: (*name).to_owned(),
        })?;
        chosen.insert(&package.name, package);
        queue.push_back(package);
    }
    while let Some(package) = queue.pop_front() {
        for group in &package.depends {
            if group.iter().any(|wish| chosen.values().any(|chosen| answers(chosen, wish))) {
                continue;
            }
            let answer = group.iter().find_map(|wish| best(index, wish)).ok_or_else(|| DebianError::Unsatisfied {
                wanted_by: format!("{} {}", package.name, package.version),
                dependency: group.iter().map(text).collect::<Vec<_>>().join(" | "),
            })?;
            chosen.insert(&answer.name, answer);
            queue.push_back(answer);
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
fn best<'a>(index: &'a Index, wish: &Dependency) -> Option<&'a ArchivePackage> {
    if let Some(package) = index.newest(&wish.name) {
        return Some(package).filter(|package| answers(package, wish));
    }
    let rank = |package: &ArchivePackage| {
        ["required", "important", "standard"].iter().position(|name| *name == package.priority).unwrap_or(3)
    };
    index.providers(&wish.name).into_iter().filter(|package| answers(package, wish)).min_by_key(|package| rank(package))
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

/// What [`solver_script`] reads: the index and the request, one dependency in the syntax of
/// `Build-Depends` each (alternatives, versions; restrictions to architectures in brackets are apt's to read).
///
/// # Errors
/// A line of the request is not one dependency as in `Build-Depends`, or the file of the index cannot be read.
pub fn solver_uploads(index: &Index, request: &[String]) -> Result<Vec<SolverFile>, DebianError> {
    let mut lines = String::new();
    for dependency in request {
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
            });
        }
        lines += dependency.trim();
        lines.push('\n');
    }
    let packages = std::fs::read(&index.path).map_err(StoreError::io("read", &index.path))?;
    Ok(vec![
        SolverFile { path: "/solver/Packages".into(), content: packages },
        SolverFile { path: "/solver/request".into(), content: lines.into_bytes() },
    ])
}

/// The whole build root: the base and what apt's output adds; sorted by name.
///
/// # Errors
/// apt's output has no complete plan, or the plan removes or replaces a package of the base, or names a package that
/// the index does not have.
pub fn from_solution(index: &Index, base: &[PinnedDeb], apt_output: &str) -> Result<Vec<PinnedDeb>, DebianError> {
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
        let Some(package) = index.find(name, version) else {
            return bad(format!("it names a package that the index does not have: {line}"));
        };
        all.insert(name.to_owned(), package.pinned(false)?);
    }
    Ok(all.into_values().collect())
}

/// The lock's value. It depends on its arguments only, so locking twice gives the same bytes.
pub fn lock(
    recipe: &str,
    target: &Target,
    release: &Release,
    index: &Index,
    request: Digest,
    mut packages: Vec<PinnedDeb>,
) -> RootLock {
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    RootLock {
        version: 1,
        recipe: recipe.to_owned(),
        target: target.name.clone(),
        suite: target.suite.clone(),
        snapshot: release.snapshot.clone(),
        release_date: release.date,
        release_sha256: release.sha256,
        packages_sha256: index.sha256,
        request_sha256: request,
        packages,
    }
}
