//! The compiler cache of a build root: the volume that has it, offering it to others, and taking theirs.
//!
//! A cache that anything of others has got into is a volume by itself, and what is made with it says so. So neither a build
//! that did not ask for it nor what this machine offers has anything of it.

use std::path::Path;

use engine::transfer::{self, Content, Upload};
use engine::{Engine, names, volume};
use foundation::digest::Digest;
use results::offer::Offering;
use results::take::Latest;
use results::{Bundle, Key, Kind, Taken};
use roots::build_root::BuildRoot;

use crate::builder::Builder;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::options::CompilerCache;
use crate::records::{taken_in, write_taken};
use crate::share::subject;
use foundation::stage::Stage;

/// In a result that is shared: the objects, as ccache(1) has them in its folder.
const OBJECTS: &str = "objects";

/// What ccache leaves beside its objects while it runs, by pieces of the names. It is of no use elsewhere.
const PASSING: [&str; 3] = ["inode-cache", ".tmp", "lock"];

/// A compiler cache to build with.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// The volume that has it; none where no cache is used.
    pub volume: Option<String>,
    /// From whom some of it was taken, if so.
    pub taken: Option<Taken>,
}

fn key(root: &Digest) -> Key {
    Key { kind: Kind::CompilerCache, inputs: *root }
}

impl Builder<'_> {
    /// Makes the volume of the compiler cache, if there is none yet, and fills it where others have more.
    ///
    /// # Errors
    /// The engine does not answer or cannot make or fill the volume, or the store cannot be written.
    pub(crate) async fn cache(&self) -> Result<Cache, Error> {
        let name = match self.compiler_cache() {
            CompilerCache::None => return Ok(Cache::default()),
            CompilerCache::OfOthers => match self.cache_of_others().await? {
                Some(cache) => return Ok(cache),
                None => names::shared_compiler_cache(&self.root.digest),
            },
            CompilerCache::Shared => names::shared_compiler_cache(&self.root.digest),
            CompilerCache::Own => names::own_compiler_cache(self.store),
        };
        self.make(&name).await?;
        Ok(Cache { volume: Some(name), taken: None })
    }

    async fn make(&self, name: &str) -> Result<(), engine::Error> {
        volume::create(self.engine, name, names::KIND_COMPILER_CACHE, &self.root.digest.to_string()).await
    }

    /// What others have, or had when this machine asked the last time; none where nobody has any.
    async fn cache_of_others(&self) -> Result<Option<Cache>, Error> {
        let Self { engine, store, build, root, progress, .. } = *self;
        let (key, name) = (key(&root.digest), names::compiler_cache_of_others(store, &root.digest));
        let kind = key.kind.name();
        let mut known: Option<Taken> = match store.stage(kind, &key.inputs) {
            Some(stage) if volume::exists(engine, &name).await? => {
                taken_in(&stage)?.filter(|taken| build.others.refusal(std::slice::from_ref(taken)).is_none())
            }
            _ => None,
        };
        if let Some(taker) = build.others.taker() {
            let stage = Stage::start(progress, "compiler cache of others");
            let had = known.as_ref().map(|taken| taken.content);
            let latest = tokio::task::block_in_place(|| taker.latest(store, &key, had, progress))?;
            if let Some(Latest::New(received)) = latest {
                let objects = received.content().join(OBJECTS);
                store.forget_stage(kind, &key.inputs)?;
                self.make(&name).await?;
                let upload = Upload { path: "/build".into(), content: Content::Directory(objects), mode: 0o755 };
                transfer::upload(engine, &root.image, &name, &[upload]).await?;
                let writer = store.begin(kind, &key.inputs)?;
                write_taken(writer.path(), &received.taken)?;
                writer.commit()?;
                known = Some(received.taken.clone());
            }
            stage.finish();
        }
        Ok(known.map(|taken| Cache { volume: Some(name), taken: Some(taken) }))
    }
}

/// This machine's own compiler cache of a build root as something to share; none where it has none. `work` is a folder for
/// what has to be written for that.
///
/// # Errors
/// The engine does not do its part, or the folder cannot be written.
pub async fn offering(
    engine: &Engine,
    root: &BuildRoot,
    inputs: &Inputs,
    work: &Path,
) -> Result<Option<Offering>, Error> {
    let name = names::shared_compiler_cache(&root.digest);
    if !volume::exists(engine, &name).await? {
        return Ok(None);
    }
    let folder = work.join(OBJECTS);
    std::fs::create_dir(&folder).map_err(Error::io("make the folder", &folder))?;
    transfer::download(engine, &root.image, &name, "/build", &folder).await?;
    let bundle = tokio::task::block_in_place(|| {
        remove_passing(&folder).map_err(Error::io("remove from", &folder))?;
        Bundle::default().content(&folder, OBJECTS).map_err(Error::from)
    })?;
    Ok(Some(Offering { key: key(&root.digest), of: subject(inputs), bundle }))
}

fn remove_passing(folder: &Path) -> std::io::Result<()> {
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        if entry.file_type().is_file() && PASSING.iter().any(|piece| name.contains(piece)) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_their_numbers_are_shared_and_nothing_that_passes() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("0/1");
        std::fs::create_dir_all(&below).unwrap();
        for name in ["3f9R", "3f9M", "stats", "stats.lock", "stdout.tmp.qXV7eJ.tmp", "inode-cache-64.v2"] {
            std::fs::write(below.join(name), name).unwrap();
        }
        remove_passing(folder.path()).unwrap();
        let left = std::fs::read_dir(below).unwrap();
        let mut left: Vec<String> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["3f9M", "3f9R", "stats"]);
    }
}
