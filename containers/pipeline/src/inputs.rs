//! The first stage: everything that decides the packages' bytes is read, and becomes the plan.

use deb::changelog::Changelog;
use fetch::source::{Rules, SourceTree, git, local, recipe_directory};
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use phases::phase::DRIVER;
use recipe::Source;
use recipe::plan::{Parts, Plan, PlannedSource};
use recipe::root_lock::{RootKind, RootLock};
use recipe::sources_lock::SourcesLock;
use recipe::vulnerabilities::Vulnerabilities;
use roots::build_root::ASSEMBLY;

use super::{Error, Options};

/// What is built from, complete: nothing after this reads the recipe's folder for another purpose.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The changelog, with the version's suffix where there is one.
    pub changelog: Changelog,
    /// The build-root lock.
    pub lock: RootLock,
    /// The archives that the source bundles.
    pub sources: SourcesLock,
    /// The source.
    pub source: SourceTree,
    /// What is known of vulnerabilities, where the recipe says something. It decides no package.
    pub vulnerabilities: Option<Vulnerabilities>,
    /// The plan.
    pub plan: Plan,
}

/// Digest of the tool's own part in the build root and in phases.
pub fn driver() -> Digest {
    Digest::of([&ASSEMBLY[..], &DRIVER[..]].concat().concat())
}

/// Reads recipe, locks and source, and makes the plan. The source is downloaded if it has to be.
pub fn gather(store: &Store, options: &Options, progress: &dyn Progress) -> Result<Inputs, Error> {
    gather_from(options, progress, |rules| source(store, options, rules, progress))
}

/// The same, with a source that somebody else brings.
pub fn gather_from(
    options: &Options,
    progress: &dyn Progress,
    source: impl FnOnce(&Rules<'_>) -> Result<SourceTree, Error>,
) -> Result<Inputs, Error> {
    let Options { recipe, target, .. } = options;
    let changelog = Changelog::read(&recipe.folder.join("changelog"))?;
    let lock = options.lock(RootKind::Build)?;
    let vulnerabilities = Vulnerabilities::read(&recipe.folder, &recipe.file.cherry_picks)?;
    let lock_path = recipe.folder.join("sources.lock");
    let sources = if lock_path.exists() { SourcesLock::read(&lock_path)? } else { SourcesLock::default() };
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
    let changelog = changelog.with_suffix(&source.version_suffix);
    let plan = Plan::new(Parts {
        recipe,
        target,
        lock: &lock,
        source: PlannedSource {
            sha256: source.digest,
            origin: serde_json::to_value(&source.origin).expect("an origin is plain data"),
        },
        version: changelog.version.clone(),
        source_date_epoch: changelog.epoch,
        driver: driver(),
        split: Digest::of(deb::split::SCRIPT),
    })?;
    Ok(Inputs { changelog, lock, sources, source, vulnerabilities, plan })
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
        Source::Directory(source) => Ok(recipe_directory(store, &recipe.folder, &source.directory, rules)?),
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
            mirror: None,
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
        assert_eq!((&local.plan.version, local.plan.source_date_epoch), (&local.changelog.version, pinned.epoch));
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
