//! Symbolic links of packages, in the form that Debian policy 10.5 wants.

use recipe::control;
use recipe::plan::BUILD_FOLDER;

/// What the link at `path` in a package has to point to, so that it leads where `target` does: relative within a folder at
/// the top, absolute otherwise, and without `.` and `..` on the way.
///
/// # Errors
/// It leads nowhere on the machine where the package is installed; says why.
pub fn target(path: &str, target: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("the link /{path} to '{}' {why}", target.escape_debug());
    control::one_line(target).map_err(|why| wrong(&why))?;
    if target.is_empty() {
        return Err(wrong("points to nothing"));
    }
    let parts =
        |text: &str| text.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
    let mut folder: Vec<String> = parts(path);
    folder.pop();
    let mut at = if target.starts_with('/') { Vec::new() } else { folder.clone() };
    for part in parts(target) as Vec<String> {
        if part != ".." {
            at.push(part);
        } else if at.pop().is_none() {
            return Err(wrong("leads out of the root folder"));
        }
    }
    let absolute = format!("/{}", at.join("/"));
    if absolute == BUILD_FOLDER || absolute.strip_prefix(BUILD_FOLDER).is_some_and(|rest| rest.starts_with('/')) {
        return Err(wrong(
            "leads into the folder that the recipe is built in, which no other machine has: \
             make it without DESTDIR, as in `ln -s name \"$DESTDIR/usr/lib/link\"`",
        ));
    }
    if folder.first() != at.first() {
        return Ok(absolute);
    }
    let common = folder.iter().zip(&at).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..", folder.len() - common);
    let relative: Vec<&str> = up.chain(at[common..].iter().map(String::as_str)).collect();
    Ok(if relative.is_empty() { ".".to_owned() } else { relative.join("/") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_as_policy_wants_them() {
        for (path, to, expected) in [
            ("usr/lib/foo", "bar", "bar"),
            ("usr/lib/foo", "./bar/", "bar"),
            ("usr/lib/foo", "/usr/share/bar", "../share/bar"),
            ("usr/lib/foo", "/usr/share/foo/../bar", "../share/bar"),
            ("usr/lib/foo", "/var/lib/./bar", "/var/lib/bar"),
            ("usr/lib/foo", "../../var/lib/baz", "/var/lib/baz"),
            ("usr/share/a/b/foo", "/usr/share", "../.."),
            ("usr/share/foo", "/usr/share", "."),
            ("var/run", "/run", "/run"),
            ("foo", "bar", "/bar"),
        ] {
            assert_eq!(target(path, to).as_deref(), Ok(expected), "{path} -> {to}");
        }
        let long = "x".repeat(300);
        assert_eq!(target("usr/foo", &long), Ok(long), "dpkg has no limit");
        for (to, why) in [
            ("../../../x", "leads out of the root folder"),
            ("/build/stage/usr/lib/x", "leads into the folder that the recipe is built in"),
            ("../../build/stage", "leads into the folder that the recipe is built in"),
            ("", "points to nothing"),
            ("a\nb", "is more than one line"),
        ] {
            let error = target("usr/lib/foo", to).unwrap_err();
            assert!(error.starts_with("the link /usr/lib/foo to ") && error.contains(why), "{error}");
        }
        assert!(target("usr/foo", "/buildings").is_ok());
    }
}
