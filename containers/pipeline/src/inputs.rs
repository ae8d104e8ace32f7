//! The first stage: everything that decides the packages' bytes is read, and becomes the plan.

use std::path::Path;

use deb::changelog::Changelog;
use deb::manifest::{self, Manifest};
use fetch::source::{Rules, SourceTree, git, local, recipe_directory};
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use phases::phase::{RUN_PHASE, WRAPPER};
use recipe::compile_memory::{self, Known};
use recipe::components::{self, Components};
use recipe::plan::{Parts, Plan, PlannedSource, Tool};
use recipe::quarantine::Quarantine;
use recipe::root_lock::{LockKind, RootLock};
use recipe::sources_lock::SourcesLock;
use recipe::vulnerabilities::Vulnerabilities;
use recipe::{Recipe, Source, frozen};
use roots::build_root::ASSEMBLY;

use crate::error::Error;
use crate::options::Options;

/// What is built from, complete: nothing after this reads the recipe's own folder. Made by [`gather`] alone.
#[derive(Clone, Debug)]
pub struct Inputs {
    recipe: Recipe,
    manifest: Manifest,
    changelog: Changelog,
    lock: RootLock,
    sources: SourcesLock,
    source: SourceTree,
    known_memory: Vec<Known>,
    components: Option<(Components, Digest)>,
    vulnerabilities: Option<Vulnerabilities>,
    quarantine: Quarantine,
    plan: Plan,
}

impl Inputs {
    /// The recipe, as it was when it was read: its folder is a copy in the store.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The packages' manifest: what goes into which package, and the packages' fields.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The changelog, with the version's suffix where there is one.
    pub fn changelog(&self) -> &Changelog {
        &self.changelog
    }

    /// The lock of the build root: its packages and their digests.
    pub fn lock(&self) -> &RootLock {
        &self.lock
    }

    /// The lock of the archives that the source bundles.
    pub fn sources(&self) -> &SourcesLock {
        &self.sources
    }

    /// The source: its archive, digest and origin.
    pub fn source(&self) -> &SourceTree {
        &self.source
    }

    /// Source files that are known to take much memory. It decides no package.
    pub fn known_memory(&self) -> &[Known] {
        &self.known_memory
    }

    /// What bills of materials name beside the packages, where the recipe says something. It decides no package.
    pub fn components(&self) -> Option<&Components> {
        self.components.as_ref().map(|(components, _)| components)
    }

    /// The digest of the file that has the components.
    pub fn components_digest(&self) -> Option<Digest> {
        self.components.as_ref().map(|(_, digest)| *digest)
    }

    /// What is known of vulnerabilities, where the recipe says something. It decides no package.
    pub fn vulnerabilities(&self) -> Option<&Vulnerabilities> {
        self.vulnerabilities.as_ref()
    }

    /// The tests of upstream that are known to fail. It decides no package.
    pub fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    /// The plan that all of it leads to.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// The tool's own code that decides bytes. What decides only when something runs (the governor) is no part of it.
pub fn tool() -> Tool {
    Tool {
        assembler: Digest::of(ASSEMBLY.concat()),
        driver: Digest::of(RUN_PHASE),
        wrapper: Digest::of(WRAPPER),
        split: Digest::of(deb::split::SCRIPT),
        packing: deb::code::digest(),
    }
}

/// Reads recipe, locks and source, and makes the plan. The source is downloaded if it has to be.
///
/// # Errors
/// Anything that is read is not what it should be, or the source cannot be had.
pub fn gather(store: &Store, options: &Options, progress: &dyn Progress) -> Result<Inputs, Error> {
    gather_from(store, options, progress, |rules| source(store, options, rules, progress))
}

/// Gathers like [`gather`], with a source that somebody else brings.
///
/// # Errors
/// As those of [`gather`], and what the bringer of the source says.
pub fn gather_from(
    store: &Store,
    options: &Options,
    progress: &dyn Progress,
    source: impl FnOnce(&Rules<'_>) -> Result<SourceTree, Error>,
) -> Result<Inputs, Error> {
    let Options { recipe: original, target, .. } = options;
    original.look_over_scripts()?;
    let recipe = frozen::freeze(original, store)?.for_target(&target.name)?;
    let told = Told { copy: &recipe, original };
    let folder = recipe.folder.as_path();
    let changelog = told.of(Changelog::read(&folder.join("changelog")))?;
    let manifest = told.of(manifest::read(folder).map_err(|error| manifest::placed(original, error)))?;
    let vulnerabilities = told.of(Vulnerabilities::read(folder, &recipe.file.cherry_picks))?;
    let known_memory = told.of(compile_memory::read(folder))?;
    // Now: a mistake in it must not be found after an hour.
    let quarantine = told.of(Quarantine::read(folder))?;
    let lock = options.lock(LockKind::BuildRoot)?;
    let log = original.path(Path::new("changelog"));
    changelog.check_subject(&log, recipe.name(), &recipe.file.version)?;
    let lock_path = original.path(Path::new("sources.lock"));
    let sources = if lock_path.exists() { SourcesLock::read(&lock_path)? } else { SourcesLock::default() };
    let names: Vec<String> =
        manifest.packages.iter().flat_map(|package| [package.name.clone(), debug_name(&package.name)]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let components = told.of(Components::read(folder, &sources, &names))?;
    let components = match components {
        Some(components) => {
            let path = recipe.folder.join(components::FILE);
            Some((components, Digest::of_file(&path).map_err(Error::io("read", &path))?))
        }
        None => None,
    };
    let bundled: &[String] = match &recipe.file.source {
        Source::Git(git) => &git.bundled,
        Source::Directory(_) => &[],
    };
    let source = source(&Rules { epoch: changelog.epoch, bundled, lock: &sources })?;
    for deviation in &source.deviations {
        progress.event(Event::Warning {
            text: format!("the source is not what the recipe asks for: {deviation}. The report will say so"),
        });
    }
    let changelog = changelog.for_release(&target.version_suffix, &target.suite).with_suffix(&source.version_suffix);
    let plan = told.of(Plan::new(Parts {
        recipe: &recipe,
        target,
        lock: &lock,
        source: PlannedSource {
            sha256: source.digest,
            origin: serde_json::to_value(&source.origin).expect("an origin is plain data"),
        },
        version: changelog.version.clone(),
        source_date_epoch: changelog.epoch,
        tool: tool(),
    }))?;
    told.of(plan.check(&recipe))?;
    Ok(Inputs {
        recipe,
        manifest,
        changelog,
        lock,
        sources,
        source,
        known_memory,
        components,
        vulnerabilities,
        quarantine,
        plan,
    })
}

/// The package of debug symbols that belongs to a package.
fn debug_name(package: &str) -> String {
    format!("{package}-dbgsym")
}

/// A recipe's copy, and the recipe that its author knows.
struct Told<'a> {
    copy: &'a Recipe,
    original: &'a Recipe,
}

impl Told<'_> {
    /// What was read from the copy. An error names the file that the author knows: the one in the recipe's own folder, or
    /// in that of a recipe that it inherits from.
    fn of<T, E: Into<Error>>(&self, read: Result<T, E>) -> Result<T, Error> {
        read.map_err(|error| {
            let error = error.into();
            let (text, copy) = (error.to_string(), format!("{}/", self.copy.folder.display()));
            let mut parts = text.split(&copy);
            let mut told = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let end = part.find(|c: char| c.is_whitespace() || ":,;'".contains(c)).unwrap_or(part.len());
                told += &self.original.path(Path::new(&part[..end])).display().to_string();
                told += &part[end..];
            }
            Error::InRecipe { told, error: Box::new(error) }
        })
    }
}

/// Brings the source: the pinned one, the recipe's own, or the local one of `--source`.
fn source(store: &Store, options: &Options, rules: &Rules<'_>, progress: &dyn Progress) -> Result<SourceTree, Error> {
    let recipe = &options.recipe;
    if let Some(path) = &options.source {
        return Ok(local(store, path, &recipe.picks(), rules)?);
    }
    match &recipe.file.source {
        Source::Git(source) => {
            let pin = git::GitPin {
                commit: source.commit.clone(),
                tag: Some(source.tag.clone()),
                remotes: source.git.clone(),
                cherry_picks: recipe.picks(),
            };
            let say = |text: &str| progress.event(Event::Note { text: text.to_owned() });
            Ok(git::pinned(store, &pin, rules, options.network, &say)?)
        }
        Source::Directory(source) => {
            Ok(recipe_directory(store, recipe.folder_with(&source.directory), &source.directory, rules)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fetch::download::Network;
    use recipe::Recipe;
    use recipe::target::Target;

    use super::*;

    struct Silent;

    impl Progress for Silent {
        fn event(&self, _: Event) {}
    }

    /// The sample's inputs with its own source, or with a local one.
    fn sample(source: Option<&Path>) -> Inputs {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let targets = top.join("../targets");
        let options = Options {
            recipe: Recipe::read(&top.join("../../tests/fixtures/sample")).unwrap(),
            target: Target::read(&targets, &"debian-12/amd64".parse().unwrap()).unwrap(),
            targets,
            source: source.map(Path::to_owned),
            network: Network::Offline,
            mirrors: Vec::new(),
        };
        let cache = tempfile::tempdir().unwrap();
        gather(&Store::open(Some(cache.path())).unwrap(), &options, &Silent).unwrap()
    }

    #[test]
    fn a_local_source_shows_in_the_changelog_that_is_shipped() {
        let upstream = tempfile::tempdir().unwrap();
        std::fs::write(upstream.path().join("README"), "mine\n").unwrap();
        let (pinned, local) = (sample(None).changelog, sample(Some(upstream.path())));
        assert_eq!(local.changelog.version, format!("{}+local", pinned.version));
        assert_eq!(
            (local.plan.version(), local.plan.source_date_epoch()),
            (local.changelog.version.as_str(), pinned.epoch)
        );
        let heading = |text: &str| text.lines().next().unwrap().to_owned();
        assert_eq!(
            heading(&local.changelog.text),
            heading(&pinned.text).replace(&pinned.version, &local.changelog.version)
        );
        // All the rest, older entries included, is as it was.
        let rest = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(rest(&local.changelog.text), rest(&pinned.text));
    }
}
