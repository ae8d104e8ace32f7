//! How fields of the manifest are read: each is judged where it stands, so that the parser can name its line.

use recipe::control::{self, Relation};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::manifest::Lines;
use crate::substvars;

/// Functions for `deserialize_with`, of a field that need not be there.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $good:expr;)+) => {$(
        $(#[$doc])*
        pub fn $name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
            let text = Option::<String>::deserialize(from)?;
            if let Some(text) = &text {
                let good: fn(&str) -> Result<(), String> = $good;
                good(text).map_err(|why| D::Error::custom(format!("'{}' {why}", text.escape_debug())))?;
            }
            Ok(text)
        }
    )+};
}

texts! {
    /// A name with an address.
    maintainer: control::maintainer;
    /// An address of the web.
    homepage: control::homepage;
    /// The first line of a description.
    synopsis: |text| control::synopsis(text.trim());
    /// A section of the archive.
    section: control::section;
    /// How much a package is needed.
    priority: control::priority;
    /// What a shared library makes others depend on.
    shlibs: |text| control::one_line(text).and_then(|()| relation(text, Relation::Depends));
    /// A name for which only the form counts.
    one_line: control::one_line;
    /// Permissions.
    mode: |text| octal(text).map(drop);
}

/// Reads the further lines of a description (Debian policy 5.6.13).
///
/// # Errors
/// The value is no text, is empty, or a line of it has a control character or begins with a full stop.
pub fn description<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    if let Some(text) = &text {
        control::description(text.trim()).map_err(|(_, why)| D::Error::custom(format!("the description {why}")))?;
    }
    Ok(text)
}

/// Reads a path in the package, which [`check_dest`] accepts.
///
/// # Errors
/// The value is no text, or [`check_dest`] refuses it.
pub fn destination<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    check_dest(&text).map_err(D::Error::custom)?;
    Ok(text)
}

/// Reads the lines of the `triggers` file (deb-triggers(5)).
///
/// # Errors
/// The value is no list of texts, or one of them is not a line of `triggers`.
pub fn triggers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let lines = Vec::<String>::deserialize(from)?;
    for line in &lines {
        control::trigger(line).map_err(|why| D::Error::custom(format!("'{}' {why}", line.escape_debug())))?;
    }
    Ok(lines)
}

/// Absolute paths of configuration files (policy 10.7).
///
/// # Errors
/// The value is no list of texts, or one of them does not begin with `/`, or is no path that a package can have.
pub fn conf_files<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    let paths = Option::<Vec<String>>::deserialize(from)?;
    for path in paths.iter().flatten() {
        let rest = path.strip_prefix('/').ok_or_else(|| D::Error::custom(format!("'{path}' does not begin with /")))?;
        check_dest(rest).map_err(D::Error::custom)?;
    }
    Ok(paths)
}

/// Reads a relationship field in which alternatives are allowed, such as `Depends` (Debian policy 7.1).
///
/// # Errors
/// The value is neither a text nor a list of texts, or an item is not a dependency.
pub fn depends<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Lines>, D::Error> {
    relations(from, Relation::Depends)
}

/// A relationship field without alternatives.
///
/// # Errors
/// The value is neither a text nor a list of texts, or an item is not a package with or without a version.
pub fn conflicts<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Lines>, D::Error> {
    relations(from, Relation::Conflicts)
}

/// Reads the field `Provides` (Debian policy 7.5).
///
/// # Errors
/// The value is neither a text nor a list of texts, or an item is not a package with or without `(= VERSION)`.
pub fn provides<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Lines>, D::Error> {
    relations(from, Relation::Provides)
}

fn relations<'de, D: Deserializer<'de>>(from: D, kind: Relation) -> Result<Option<Lines>, D::Error> {
    let lines = Option::<Lines>::deserialize(from)?;
    if let Some(lines) = &lines {
        relation(&lines.joined(), kind).map_err(D::Error::custom)?;
    }
    Ok(lines)
}

fn relation(text: &str, kind: Relation) -> Result<(), String> {
    substvars::judge(text, |text| control::relation(text, kind))
}

/// Reads permissions in octal digits, such as `644`.
///
/// # Errors
/// The text has other characters than octal digits, or the number is more than 7777.
pub fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| format!("the mode '{text}' is not an octal number such as 644"))
}

/// The longest name that Linux's file systems take, in bytes.
const NAME: usize = 255;

/// Whether a file can be installed at this path.
///
/// # Errors
/// The path has a control character, is absolute or empty, has a part `.` or `..`, or a name in it is longer than file
/// systems allow.
pub fn check_dest(dest: &str) -> Result<(), String> {
    let shown = dest.escape_debug();
    control::one_line(dest).map_err(|why| format!("the path '{shown}' {why}"))?;
    let inner = dest.strip_suffix('/').unwrap_or(dest);
    if inner.split('/').any(|part| part == ".." || part == "." || part.is_empty()) {
        return Err(format!(
            "the path '{shown}' must be relative to the root folder, without . and .., such as usr/bin/"
        ));
    }
    if inner.split('/').any(|part| part.len() > NAME) {
        return Err(format!("the path '{shown}' has a name of more than {NAME} bytes, which no file can have"));
    }
    Ok(())
}
