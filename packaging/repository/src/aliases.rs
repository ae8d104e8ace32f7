//! The other name of a suite: `dists/stable -> bookworm`, so that clients can ask for either (Debian repository format,
//! "Suite").

use std::fs;
use std::path::Path;

use super::{Folder, RepositoryError, files};

/// Writes the links that are missing, and removes those of names that no suite has any more.
pub(super) fn write(folder: &Folder) -> Result<(), RepositoryError> {
    let dists = folder.path("dists");
    let wanted = wanted(folder);
    for name in files::names(&dists)? {
        if is_alias(&dists.join(&name)) && !wanted.iter().any(|(alias, _)| *alias == name) {
            files::remove(&dists.join(&name))?;
        }
    }
    for (alias, codename) in wanted {
        let link = dists.join(alias);
        if fs::read_link(&link).is_ok_and(|target| target == Path::new(codename)) || !folder.live(codename).exists() {
            continue;
        }
        files::replace_link(&folder.temporary(), &link, Path::new(codename))?;
    }
    Ok(())
}

/// What is not as it should be.
pub(super) fn problems(folder: &Folder) -> Vec<String> {
    let wrong = |alias: &str, codename: &str| {
        folder.live(codename).exists()
            && !fs::read_link(folder.path("dists").join(alias)).is_ok_and(|target| target == Path::new(codename))
    };
    let wanted = wanted(folder).into_iter().filter(|(alias, codename)| wrong(alias, codename));
    wanted
        .map(|(alias, codename)| format!("dists/{alias}: does not lead to {codename}: run `cargo xtask repo publish`"))
        .collect()
}

/// Names with the codename that they stand for.
pub(super) fn wanted(folder: &Folder) -> Vec<(&str, &str)> {
    let suites = folder.settings.suite.iter();
    suites.filter(|suite| suite.name() != suite.codename).map(|suite| (suite.name(), suite.codename.as_str())).collect()
}

/// A suite's own link leads out of the folder, an alias to its neighbour.
fn is_alias(link: &Path) -> bool {
    fs::read_link(link).is_ok_and(|target| target.components().count() == 1)
}
