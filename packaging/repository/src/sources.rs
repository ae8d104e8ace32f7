//! What a client begins with, at the top of the repository: the page, the keyring package, the key ring alone, and for each suite a
//! `.sources` file (sources.list(5), "deb822-style format") and a `.pref` file (apt_preferences(5)).
//!
//! The latter is for the careful: apt only warns when a server answers with another suite's Release, which is signed as well
//! as the right one, unless it has seen the right one before. Pinned to the codename, it installs nothing of that.

use std::fs;

use super::keys::Keys;
use super::settings::{DEBUG, Settings};
use super::{Folder, RepositoryError, files, index_page, keyring_package};

/// Writes these files, where they are not as they should be.
pub(super) fn write(folder: &Folder, keys: &Keys) -> Result<(), RepositoryError> {
    for (name, content) in contents(folder, keys)? {
        files::update(&folder.temporary(), &folder.path(&name), &content)?;
    }
    Ok(())
}

/// The files by name.
pub(super) fn contents(folder: &Folder, keys: &Keys) -> Result<Vec<(String, Vec<u8>)>, RepositoryError> {
    let (name, keyring) = (&folder.settings.name, folder.settings.keyring());
    let mut contents = vec![(format!("{keyring}.gpg"), keys.ring())];
    let deb = folder.path(&keyring_package::path(folder, keys));
    match fs::read(&deb) {
        Ok(bytes) => contents.push((format!("{keyring}.deb"), bytes)),
        // Nothing was published yet.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(RepositoryError::io("read", &deb)(error)),
    }
    for suite in &folder.settings.suite {
        let codename = &suite.codename;
        contents.push((format!("{name}-{codename}.sources"), text(folder, codename).into_bytes()));
        contents.push((format!("{name}-{codename}.pref"), preferences(folder, codename).into_bytes()));
    }
    contents.push((index_page::NAME.to_owned(), index_page::html(folder, keys)?.into_bytes()));
    Ok(contents)
}

fn text(folder: &Folder, codename: &str) -> String {
    let settings = &folder.settings;
    let uri = settings.uri(folder.root());
    let components: Vec<&str> = settings.components.iter().map(String::as_str).collect();
    let (main, debug): (Vec<&str>, Vec<&str>) = components.into_iter().partition(|component| *component != DEBUG);
    let main = if main.is_empty() { &debug } else { &main };
    let hint = if debug.is_empty() || main == &debug { "" } else { "# Debug symbols are in the component debug.\n" };
    // With several, each machine takes its own: naming all would have it fetch the indices of all. The only one is named, for
    // machines that have a foreign architecture as well, and would be told that the repository lacks it.
    let architectures = match &settings.architectures[..] {
        [only] => format!("Architectures: {only}\n"),
        _ => String::new(),
    };
    let warning = if settings.development { "# UNTRUSTED DEVELOPMENT repository, for trials only.\n" } else { "" };
    format!(
        "# {}. Save this as /etc/apt/sources.list.d/{}.sources; the key ring is in the package {}.\n{warning}{hint}\
         Types: deb\nURIs: {uri}\nSuites: {codename}\nComponents: {}\n{architectures}Signed-By: /{}\n",
        settings.description,
        settings.name,
        settings.keyring(),
        main.join(" "),
        settings.ring(),
    )
}

/// Of two records that match, the first one counts.
fn preferences(folder: &Folder, codename: &str) -> String {
    let Settings { origin, name, .. } = &folder.settings;
    format!(
        "Explanation: Save this as /etc/apt/preferences.d/{name}.pref to install of this origin only what is of {codename}.\n\
         Package: *\nPin: release o={origin}, n={codename}\nPin-Priority: 500\n\n\
         Package: *\nPin: release o={origin}\nPin-Priority: -1\n"
    )
}
