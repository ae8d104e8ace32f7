//! What is asked for, and how it is built.

use std::path::PathBuf;

use farm::WorkerAddress;
use fetch::debian::DebianError;
use fetch::download::Network;
use foundation::bytes::ByteSize;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use phases::circumstances::Circumstances;
use recipe::Recipe;
use recipe::root_lock::{LockKind, RootLock};
use recipe::target::Target;
use results::{Kind, StatedBy, Taken, Taker};
use sign::signer::KeySource;

use crate::error::Error;

/// What is asked for: what to build, for which target, from which source.
#[derive(Clone, Debug)]
pub struct Options {
    /// The recipe to build.
    pub recipe: Recipe,
    /// The target to build for.
    pub target: Target,
    /// The folder of targets, with their locks and keyrings.
    pub targets: PathBuf,
    /// `--source`: a local tree or archive in place of the pinned source.
    pub source: Option<PathBuf>,
    /// Whether the network may be used.
    pub network: Network,
    /// The addresses of mirrors that are tried first, from `--mirror`.
    pub mirrors: Vec<String>,
}

impl Options {
    /// Reads the lock of this kind for this recipe and target.
    ///
    /// # Errors
    /// There is no lock, it cannot be read, or the recipe or target has changed since it was made.
    pub fn lock(&self, kind: LockKind) -> Result<RootLock, Error> {
        let Self { recipe, target, .. } = self;
        let path = recipe.lock_path(target, kind);
        Ok(RootLock::read(
            &path,
            kind,
            (recipe.name(), recipe.called()),
            &target.name,
            recipe.request_digest(target, kind),
        )?)
    }

    /// Reads the lock of this kind, whatever was asked for when it was made.
    ///
    /// # Errors
    /// There is no lock, or it cannot be read.
    pub fn any_lock(&self, kind: LockKind) -> Result<RootLock, Error> {
        let Self { recipe, target, .. } = self;
        let path = recipe.lock_path(target, kind);
        Ok(RootLock::read_any(&path, kind, (recipe.name(), recipe.called()), &target.name)?)
    }

    /// The error about the archives of this target, with its place in the target's file where it is about something that the file
    /// says.
    pub(crate) fn in_target(&self, error: DebianError) -> Error {
        match error.field() {
            Some((field, suite)) => {
                let place = self.target.place(&self.targets, field, suite);
                Error::InTarget { place, error: Box::new(error) }
            }
            None => error.into(),
        }
    }
}

/// How it is built; nothing here changes the bytes.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The memory budget; none means what the host can spare.
    pub memory: Option<ByteSize>,
    /// How many jobs run at once; none means what budget and processors allow.
    pub jobs: Option<u32>,
    /// Where compiled objects are found and kept.
    pub compiler_cache: CompilerCache,
    /// What differs from the usual, for a rebuild.
    pub circumstances: Circumstances,
    /// Workers of a compile farm; none means that everything is compiled by the engine's machine.
    pub workers: Vec<WorkerAddress>,
    /// The folder where the packages go, such as `dist/debian-12-amd64`.
    pub dist: PathBuf,
    /// The key that signs.
    pub key: KeySource,
    /// Which results of others are taken in place of making them, and which are used that were taken before.
    pub others: Others,
    /// Finds out the revision of the tool itself, which is written beside what it made.
    pub revision: fn() -> Option<String>,
}

/// Which results of others are used.
#[derive(Clone, Debug)]
pub struct Others {
    taker: Option<Taker>,
    accepted: Accepted,
}

/// Which results that others made are used, whenever they were taken. Of keys, those count that are good in the ring of this run; where it has
/// none, all are as good as they were, but for what a key of one's own signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// None: everything is made here.
    Nothing,
    /// Those that so many distinct keys state, so that nothing counts which no second builder can confirm.
    Confirmed(u32),
    /// Those, and what was made with the objects of others' compiler caches.
    Any(u32),
}

impl Others {
    /// Takes by this key ring from its places; nobody is asked where there are none.
    pub fn new(taker: Option<Taker>, accepted: Accepted) -> Self {
        Self { taker, accepted }
    }

    /// Everything is made here: what was taken before is not used either.
    pub fn never() -> Self {
        Self::new(None, Accepted::Nothing)
    }

    /// Who takes, where somebody does.
    pub fn taker(&self) -> Option<&Taker> {
        self.taker.as_ref().filter(|taker| taker.asks())
    }

    /// How many distinct keys have to state what is used: more than there are where nothing is.
    pub fn required(&self) -> u32 {
        match self.accepted {
            Accepted::Nothing => u32::MAX,
            Accepted::Confirmed(by) | Accepted::Any(by) => by,
        }
    }

    /// Whether the word of this builder counts, who stated something that was taken before.
    pub fn counts(&self, by: &StatedBy) -> bool {
        match &self.taker {
            Some(taker) => taker.counts(by),
            None => matches!(self.accepted, Accepted::Any(_)),
        }
    }

    /// Whether something may be used in whose making all of this was taken from others; if not, it is told why.
    pub fn accept(&self, taken: &[Taken], progress: &dyn Progress) -> bool {
        let refusal = self.refusal(taken);
        let accepted = refusal.is_none();
        refusal.into_iter().for_each(|text| progress.event(Event::Note { text }));
        accepted
    }

    /// Why nothing may be used in whose making all of this was taken from others; none where it may.
    pub fn refusal(&self, taken: &[Taken]) -> Option<String> {
        taken.iter().find_map(|one| {
            let why = self.why_not(one)?;
            Some(format!("{} {}, taken from {} before, is not used: {why}", one.stage, one.inputs.short(), one.place))
        })
    }

    fn why_not(&self, one: &Taken) -> Option<String> {
        let cached = one.stage == Kind::CompilerCache.name();
        let by = match self.accepted {
            Accepted::Nothing => return Some("everything is made here".into()),
            Accepted::Confirmed(_) if cached => return Some("nobody can confirm a compiler cache".into()),
            Accepted::Any(_) if cached => 1,
            Accepted::Confirmed(by) | Accepted::Any(by) => by as usize,
        };
        let good = one.builders.iter().filter(|by| self.counts(by)).count();
        let enough = if good < by { Some(format!("{good} of {by} keys that are required state it")) } else { None };
        enough.map(|few| match &self.taker {
            Some(taker) => format!("{few} and are good in {}", taker.keyring().display()),
            None if matches!(self.accepted, Accepted::Confirmed(_)) => {
                "no key ring says whose word counts for what a key of your own signs; name it with --trust KEYRING"
                    .into()
            }
            None => few,
        })
    }
}

/// Where compiled objects are found and kept, in a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompilerCache {
    /// In one that was filled with what others had in theirs, where they have one for the same build root.
    OfOthers,
    /// In one that all builds with the same build root share.
    Shared,
    /// In one of the store's own, for figures that say nothing of earlier builds.
    Own,
    /// Nowhere: everything is compiled.
    None,
}

/// What is asked for, where results are kept, and who is told. The caller holds the store's lock.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The store with the results of all stages.
    pub store: &'a Store,
    /// What is asked for: recipe, target and source.
    pub options: &'a Options,
    /// How it is built: what does not change the bytes.
    pub build: &'a BuildOptions,
    /// Who is told what happens.
    pub progress: &'a dyn Progress,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use foundation::digest::Digest;
    use results::StatedBy;

    use super::*;

    /// An error about what archives have names the line that asks for it, of the file of the target that was asked.
    #[test]
    fn an_error_about_archives_names_the_targets_file() {
        let folder = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(here.join("../targets/debian-12-amd64.toml")).unwrap();
        let path = folder.path().join("debian-12-amd64.toml");
        std::fs::write(&path, &text).unwrap();
        let options = Options {
            recipe: Recipe::read(&here.join("../../tests/fixtures/sample")).unwrap(),
            target: Target::read(folder.path(), &"debian-12/amd64".parse().unwrap()).unwrap(),
            targets: folder.path().to_owned(),
            source: None,
            network: Network::Offline,
            mirrors: Vec::new(),
        };
        let line = |field: &str| text.lines().position(|line| line.starts_with(field)).unwrap() + 1;
        let lacks = DebianError::SuiteLacks {
            suite: "bookworm".into(),
            archive: "https://archive.example.org/debian".into(),
            what: "component",
            asked: "universe".into(),
            has: "main, contrib".into(),
        };
        let said = lacks.to_string();
        let told = options.in_target(lacks).to_string();
        assert_eq!(told, format!("{}, line {}: {said}", path.display(), line("component = ")));
        // What the command line says is in no file.
        let told = options.in_target(DebianError::Snapshot("yesterday".into())).to_string();
        assert_eq!(told, DebianError::Snapshot("yesterday".into()).to_string());
    }

    #[test]
    fn what_was_taken_is_used_as_far_as_enough_builders_confirmed_it() {
        let by =
            |key: &str| StatedBy { key: key.into(), subkey: None, user_id: key.into(), statement: Digest::of(key) };
        let taken = |kind: Kind, keys: &[&str]| Taken {
            stage: kind.name().into(),
            inputs: Digest::of("inputs"),
            content: Digest::of("content"),
            place: "/place".into(),
            builders: keys.iter().map(|key| by(key)).collect(),
        };
        let (one, two) = (taken(Kind::Packages, &["a"]), taken(Kind::Staged, &["a", "b"]));
        let cache = taken(Kind::CompilerCache, &["a"]);
        let accept = |accepted, taken: &[&Taken]| {
            let taken: Vec<Taken> = taken.iter().map(|one| (*one).clone()).collect();
            Others::new(None, accepted).refusal(&taken).is_none()
        };
        for accepted in [Accepted::Nothing, Accepted::Confirmed(2), Accepted::Any(1)] {
            assert!(accept(accepted, &[]), "{accepted:?}: made here");
        }
        assert!(!accept(Accepted::Nothing, &[&two]));
        assert!(!accept(Accepted::Confirmed(1), &[&two]), "no ring says whose word counts");
        assert!(accept(Accepted::Any(1), &[&one, &two]) && !accept(Accepted::Any(2), &[&one, &two]));
        assert!(accept(Accepted::Any(1), &[&one, &cache]));
        assert!(accept(Accepted::Any(2), &[&two, &cache]) && !accept(Accepted::Any(2), &[&one, &cache]));
    }
}
