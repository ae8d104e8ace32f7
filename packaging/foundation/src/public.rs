//! Files and folders that others read, such as a web server: their permissions are their own, whatever the umask of whoever
//! makes them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use walkdir::WalkDir;

/// Makes a folder and those above it that are missing; everybody may enter those that it makes.
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
