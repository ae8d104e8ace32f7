//! A generation that is believed: whose signature is good, here or at a place.

use std::fs;
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use places::PlaceError;
use places::transport::{LONGEST_STORY, Transport};

use super::generation::{self, Generation};
use super::{Keys, RepositoryError, files, place};

/// A generation whose signature is good, and the folder that has what it names.
pub(super) struct SignedGeneration {
    pub generation: Generation,
    pub top: PathBuf,
}

impl SignedGeneration {
    /// Fetches what a place says of itself, with the files that it names, into a folder.
    ///
    /// # Errors
    /// There is no such place, it has no repository, or one whose files are larger than any is; or as for [`Self::read`].
    pub fn fetch(
        transport: &Transport,
        into: &Path,
        root: &Path,
        keyring: Option<&Path>,
    ) -> Result<Option<Self>, RepositoryError> {
        let nothing = |problem: &str, next: &str| {
            let place = transport.remote.to_string();
            RepositoryError::Place(PlaceError::Unfit { place, problem: problem.into(), next: next.into() })
        };
        if transport.read(into)?.is_none() {
            return Err(nothing("there is no such place", "give one that the repository was pushed to"));
        }
        let path = into.join(generation::FILE);
        let Ok(bytes) = fs::read(&path) else {
            return Err(nothing(
                "it has no repository/generation.asc",
                "nothing there says what it is: an older version of this tool pushed to it, or it is no repository. Push to it with \
                 --adopt from the folder that it was pushed from",
            ));
        };
        let unsigned = generation::body(&bytes).and_then(|text| Generation::parse(&text, Digest::of(&bytes)));
        let unsigned = unsigned
            .ok_or_else(|| nothing("its repository/generation.asc is not as this tool writes it", "ask its owner"))?;
        let blobs = unsigned.state.values().map(|(sha256, _)| Generation::blob(sha256)).collect();
        let large = transport.get("fetching the repository's settings", &blobs, Some(LONGEST_STORY), into)?;
        if let Some(name) = large.first() {
            return Err(nothing(&format!("its {name} is larger than {LONGEST_STORY} bytes"), "ask its owner"));
        }
        Self::read(into, root, keyring)
    }

    /// The generation below `top`, if there is one, when its signature is good: by the key ring, else by the keys that the
    /// repository at `root` has, else by those that it names itself.
    ///
    /// # Errors
    /// It is no generation, is not signed by one of these keys, or a file cannot be read.
    pub fn read(top: &Path, root: &Path, keyring: Option<&Path>) -> Result<Option<Self>, RepositoryError> {
        let path = top.join(generation::FILE);
        let Ok(bytes) = fs::read(&path) else { return Ok(None) };
        let damaged =
            || RepositoryError::State { path: path.clone(), problem: "it is no generation, or is not signed".into() };
        let unsigned = generation::body(&bytes).and_then(|text| Generation::parse(&text, Digest::of(&bytes)));
        let named = unsigned.ok_or_else(damaged)?.content(top, "keys.json")?;
        let named = named.and_then(|text| serde_json::from_slice::<Keys>(&text).ok());
        let own = files::read_json::<Keys>(&root.join(".repository/keys.json")).ok().flatten();
        let ring = match (keyring, own.or(named)) {
            (Some(path), _) => fs::read(path).map_err(RepositoryError::io("read", path))?,
            // This folder's own may be of before an emergency.
            (None, Some(keys)) => {
                if top == root {
                    keys.whole_ring()
                } else {
                    keys.trusted_ring()
                }
            }
            (None, None) => return Err(damaged()),
        };
        let (generation, signed) = place::signed(&path, &bytes, &ring)?.ok_or_else(damaged)?;
        match signed {
            Ok(()) => Ok(Some(Self { generation, top: top.to_owned() })),
            Err(problem) => Err(RepositoryError::State { path, problem }),
        }
    }
}
