//! A recipe as it was when a run began: a copy of its folder in the store.
//!
//! Between the plan and the packing there may be an hour of compiling, and somebody may edit the recipe meanwhile. What
//! is built comes from the copy, so that nothing but what the plan names can get into packages. The copy of a recipe that
//! inherits has what it inherits in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use foundation::digest::Digest;
use foundation::store::{Store, StoreError};

use crate::error::RecipeError;
use crate::recipe::{Recipe, RecipeInput};

/// The kind of stage that has the copies, each under the digest of its files.
const KIND: &str = "recipe";

/// The copy's folder in its stage.
const FOLDER: &str = "recipe";

/// Times that a recipe is copied that is being edited just now.
const ATTEMPTS: u32 = 3;

/// Copies the recipe's folder, and returns the recipe that the copy is. Upstream's source, where it is a folder of the
/// recipe, and locks are left out.
///
/// # Errors
/// The recipe cannot be read, the store cannot be written, or the recipe is edited without a pause.
pub fn freeze(recipe: &Recipe, store: &Store) -> Result<Recipe, RecipeError> {
    let read = |stage: &Path| {
        let Recipe { handle, called, .. } = recipe.clone();
        Ok(Recipe { handle, called, ..Recipe::read(&stage.join(FOLDER))? })
    };
    for _ in 0..ATTEMPTS {
        let files = recipe.all_files()?;
        let key = Digest::of_json(&files);
        if let Some(stage) = store.stage(KIND, &key) {
            return read(&stage);
        }
        let writer = store.begin(KIND, &key)?;
        let folder = writer.path().join(FOLDER);
        if copy(recipe, &files, &folder)? && Recipe::read(&folder)?.all_files()? == files {
            return read(&writer.commit()?);
        }
    }
    Err(RecipeError::Restless { folder: recipe.folder.clone() })
}

/// Copies the whole recipe into a folder that is not there yet, locks and upstream's source included, as one that inherits
/// nothing.
///
/// # Errors
/// The recipe cannot be read, or the folder cannot be written.
pub fn copy_to(recipe: &Recipe, folder: &Path) -> Result<Recipe, RecipeError> {
    if !copy(recipe, &recipe.files(&[PathBuf::new()])?, folder)? {
        return Err(RecipeError::Restless { folder: recipe.folder.clone() });
    }
    Recipe::read(folder)
}

/// Copies these files; says whether all of them were still there.
fn copy(recipe: &Recipe, files: &BTreeMap<String, RecipeInput>, to: &Path) -> Result<bool, RecipeError> {
    let write = |path: &PathBuf| StoreError::io("write", path.clone());
    for (name, input) in files {
        let path = to.join(name);
        let parent = path.parent().expect("below the folder").to_owned();
        fs::create_dir_all(&parent).map_err(write(&parent))?;
        if let Ok(target) = fs::read_link(recipe.path(Path::new(name))) {
            symlink(target, &path).map_err(write(&path))?;
            continue;
        }
        let Ok(content) = recipe.content(name) else { return Ok(false) };
        fs::write(&path, content).map_err(write(&path))?;
        let mode = if input.executable { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(write(&path))?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(folder: &Path) -> Recipe {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/sample");
        for entry in walkdir::WalkDir::new(&sample) {
            let entry = entry.unwrap();
            let to = folder.join(entry.path().strip_prefix(&sample).unwrap());
            if entry.file_type().is_dir() {
                fs::create_dir_all(to).unwrap();
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
        Recipe::read(folder).unwrap()
    }

    #[test]
    fn what_is_edited_later_does_not_count_and_is_a_recipe_of_its_own() {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = Store::open(Some(cache.path())).unwrap();
        let recipe = sample(folder.path());
        let first = freeze(&recipe, &store).unwrap();
        let unit = "systemd/sample-agent.service";
        let text = fs::read_to_string(folder.path().join(unit)).unwrap();
        fs::write(folder.path().join(unit), format!("{text}# edited\n")).unwrap();
        assert_eq!(fs::read_to_string(first.folder.join(unit)).unwrap(), text);
        let second = freeze(&recipe, &store).unwrap();
        assert_ne!(second.folder, first.folder);
        assert!(fs::read_to_string(second.folder.join(unit)).unwrap().ends_with("# edited\n"));
        fs::write(folder.path().join(unit), text).unwrap();
        assert_eq!(freeze(&recipe, &store).unwrap().folder, first.folder);
        // The plan of the copy is that of the recipe.
        assert_eq!(first.packing_inputs().unwrap(), recipe.packing_inputs().unwrap());
        for phase in &recipe.file.phases {
            assert_eq!(first.phase_inputs(phase).unwrap(), recipe.phase_inputs(phase).unwrap());
        }
        assert!(!first.folder.join("upstream").exists(), "the source goes another way");
        fs::write(folder.path().join("deb/sample-agent/preinst"), "#!/bin/sh\n").unwrap();
        assert_ne!(freeze(&recipe, &store).unwrap().folder, first.folder, "a file that is new counts as well");
    }
}
