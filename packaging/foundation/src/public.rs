//! Files and folders that others read, such as a web server: their permissions are their own, whatever the umask of whoever
//! makes them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use walkdir::WalkDir;

/// Makes a folder and those above it that are missing; everybody may enter those that it makes.
///
/// # Errors
/// A folder cannot be made, or its permissions cannot be set, for example because something else than a folder has its
/// name.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    make_folder(path.parent().unwrap_or(Path::new("")))?;
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o755)),
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Lets everybody read what is in a folder, and the folder itself. Links are left as they are.
///
/// # Errors
/// The folder does not exist, something below it cannot be read, or its permissions cannot be changed because it
/// belongs to somebody else.
pub fn let_all_read(folder: &Path) -> io::Result<()> {
    for entry in WalkDir::new(folder) {
        let entry = entry?;
        let mode = match entry.file_type() {
            kind if kind.is_dir() => 0o755,
            kind if kind.is_file() => 0o644,
            _ => continue,
        };
        fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    #[test]
    fn others_can_read_whatever_the_umask() {
        let folder = tempfile::tempdir().unwrap();
        // A umask belongs to a process.
        let script = "umask 077; exec \"$1\" --ignored --exact public::tests::make_in_a_process";
        let mut child = Command::new("sh");
        child.args(["-c", script, "sh"]).arg(std::env::current_exe().unwrap()).env("PUBLIC_FOLDER", folder.path());
        assert!(child.output().unwrap().status.success());
        let mode = |name: &str| fs::symlink_metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o7777;
        for (name, expected) in
            [("a", 0o755), ("a/b", 0o755), ("a/b/c", 0o755), ("a/b/c/d", 0o755), ("a/b/c/d/file", 0o644)]
        {
            assert_eq!(mode(name), expected, "{name}");
        }
        assert_eq!(mode("secret"), 0o600, "what is not in it is left alone");
    }

    #[test]
    #[ignore = "a part of others_can_read_whatever_the_umask, which runs it in a process with another umask"]
    fn make_in_a_process() {
        let top = PathBuf::from(std::env::var_os("PUBLIC_FOLDER").expect("set by the test that runs this"));
        let folder = top.join("a/b/c");
        make_folder(&folder).unwrap();
        make_folder(&folder).unwrap();
        fs::create_dir(folder.join("d")).unwrap();
        fs::write(folder.join("d/file"), "text").unwrap();
        fs::write(top.join("secret"), "text").unwrap();
        std::os::unix::fs::symlink("../../../secret", folder.join("link")).unwrap();
        let_all_read(&folder).unwrap();
        fs::write(top.join("in-the-way"), "").unwrap();
        assert!(make_folder(&top.join("in-the-way/below")).is_err());
    }
}
