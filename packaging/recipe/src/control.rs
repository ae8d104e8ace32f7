//! What fields of Debian's control files may have, by Debian policy and by what dpkg's own parser takes (`lib/dpkg/fields.c` and
//! `lib/dpkg/parsehelp.c` in its source). Recipes are read through these, so that a field that dpkg would refuse after
//! the build is refused before it, at its line.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Control characters would end a field, or begin another one.
///
/// # Errors
/// The text has a line end or another control character.
pub fn one_line(text: &str) -> Result<(), String> {
    match text.chars().find(|c| c.is_control()) {
        Some('\n' | '\r') => Err("is more than one line, and has to be one".into()),
        Some(c) => Err(format!("has the control character {c:?}")),
        None => Ok(()),
    }
}

/// Checks the value of `Maintainer`: `Name <address>` (Debian policy 5.6.2).
///
/// # Errors
/// The text is more than one line, has no name, or its address is not `USER@HOST`.
pub fn maintainer(text: &str) -> Result<(), String> {
    one_line(text)?;
    let parts = text.strip_suffix('>').and_then(|text| text.rsplit_once(" <"));
    let good = |(name, address): (&str, &str)| {
        let (user, host) = address.split_once('@').unwrap_or_default();
        let plain = |part: &str| !part.is_empty() && !part.contains([' ', '<', '>', '@', ',']);
        !name.trim().is_empty() && !name.contains(['<', '>']) && plain(user) && plain(host)
    };
    if parts.is_some_and(good) {
        return Ok(());
    }
    Err("is not `Name <address>`, such as `Demo Packages <demo@example.org>` (Debian policy 5.6.2)".into())
}

/// Checks the value of `Homepage`: an address that begins with `https://` or `http://` (Debian policy 5.6.23).
///
/// # Errors
/// The text is more than one line, has another scheme than http and https, names no host, or has a space, a quote, `<`
/// or `>`.
pub fn homepage(text: &str) -> Result<(), String> {
    one_line(text)?;
    let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    if rest.is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty() && !rest.contains([' ', '<', '>', '"'])) {
        return Ok(());
    }
    Err("is no address that begins with https:// or http:// (Debian policy 5.6.23)".into())
}

/// The first line of a description (policy 3.4.1).
///
/// # Errors
/// The text is empty, has more than one line, begins or ends with white space, or has 80 characters or more.
pub fn synopsis(text: &str) -> Result<(), String> {
    one_line(text)?;
    if text.trim().is_empty() || text.trim() != text || text.chars().count() >= 80 {
        return Err("is no line of text with fewer than 80 characters (Debian policy 3.4.1)".into());
    }
    Ok(())
}

/// The further lines of a description, as they are written in a recipe: without the space that each begins with later
/// (policy 5.6.13). The line is counted from 0.
///
/// # Errors
/// The text is empty, a line has a control character, or a line begins with a full stop. The error has the line's
/// number, counted from 0, and what is wrong.
pub fn description(text: &str) -> Result<(), (usize, String)> {
    for (number, line) in text.lines().enumerate() {
        if let Some(c) = line.chars().find(|c| c.is_control()) {
            return Err((
                number,
                format!("has the control character {c:?} in its line {} (policy 5.6.13)", number + 1),
            ));
        }
        if line.starts_with('.') {
            let why = format!("has a line that begins with a full stop, '{line}', which policy 5.6.13 forbids");
            return Err((number, format!("{why}: leave the line empty for a new paragraph, or begin it otherwise")));
        }
    }
    if text.trim().is_empty() {
        return Err((0, "is empty (policy 3.4.2)".into()));
    }
    Ok(())
}

/// A section, with its component where it has one (policy 2.4).
///
/// # Errors
/// The text is not one word of lower-case letters and `-`, or two with a `/` between them.
pub fn section(text: &str) -> Result<(), String> {
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if text.split('/').all(word) && text.split('/').count() <= 2 {
        return Ok(());
    }
    Err("is no section, such as `net` or `contrib/net` (Debian policy 2.4)".into())
}

/// Checks the value of `Priority` (Debian policy 2.5).
///
/// # Errors
/// The text is none of the five priorities.
pub fn priority(text: &str) -> Result<(), String> {
    const ALL: [&str; 5] = ["required", "important", "standard", "optional", "extra"];
    if ALL.contains(&text) { Ok(()) } else { Err(format!("is none of {} (Debian policy 2.5)", ALL.join(", "))) }
}

/// Checks a package's name, such as `libmesos-dev` (Debian policy 5.6.1).
///
/// # Errors
/// The name has fewer than two characters, begins with another character than a lower-case letter or a digit, or has
/// others than these and `+-.` in it.
pub fn package_name(name: &str) -> Result<(), String> {
    let good = name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b));
    if good { Ok(()) } else { Err("is not a package name (policy 5.6.1)".into()) }
}

/// Checks a version, `[EPOCH:]UPSTREAM[-REVISION]`, such as `1:1.7.2-1~deb12u1` (Debian policy 5.6.12).
///
/// # Errors
/// The epoch is not a number that dpkg can read, the upstream version does not begin with a digit, the revision is
/// empty, or a character is not allowed.
pub fn version(version: &str) -> Result<(), String> {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (Some(epoch), rest),
        None => (None, version),
    };
    if let Some(epoch) = epoch {
        if epoch.is_empty() || !epoch.bytes().all(|b| b.is_ascii_digit()) {
            return Err("has an epoch that is not a number".into());
        }
        if epoch.parse::<i32>().is_err() {
            return Err("has an epoch that is larger than dpkg can read".into());
        }
    }
    let (upstream, revision) =
        rest.rsplit_once('-').map_or((rest, None), |(upstream, revision)| (upstream, Some(revision)));
    if !upstream.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("does not begin with a digit".into());
    }
    if revision == Some("") {
        return Err("has nothing after its last -, where the Debian revision is".into());
    }
    let good = |part: &str, more: &[u8]| part.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
    if !good(upstream, b".+-~") || !good(revision.unwrap_or_default(), b".+~") {
        return Err("has characters beside letters, digits and .+-~ (policy 5.6.12)".into());
    }
    Ok(())
}

/// Which relationship field it is (policy 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Dependencies, which may have alternatives.
    Depends,
    /// `Conflicts`, `Breaks`, `Replaces`: no alternatives.
    Conflicts,
    /// `Provides`: no alternatives, and no version but an exact one.
    Provides,
    /// Build dependencies, which may be restricted to architectures and profiles.
    BuildDepends,
}

/// The value of a relationship field (policy 7.1), without substitution variables. Items that are empty are left out.
///
/// # Errors
/// One of the items is not a package name with what may follow it in this field, or there are alternatives in a field
/// that has none. The message quotes the item.
pub fn relation(text: &str, kind: Relation) -> Result<(), String> {
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let alternatives: Vec<&str> = item.split('|').collect();
        if alternatives.len() > 1 && matches!(kind, Relation::Conflicts | Relation::Provides) {
            return Err(format!("'{item}' has alternatives, which this field cannot have (policy 7.1)"));
        }
        for one in alternatives {
            possibility(one.trim(), kind).map_err(|why| format!("'{}' {why}", one.trim()))?;
        }
    }
    Ok(())
}

/// `NAME[:ARCH] [(OPERATOR VERSION)]`, and what build dependencies have after it.
fn possibility(text: &str, kind: Relation) -> Result<(), String> {
    let end = text.find(|c: char| c.is_whitespace() || "([<:".contains(c)).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    if name.is_empty() {
        return Err("is where the name of a package should be".into());
    }
    package_name(name).map_err(|why| format!("names '{name}', which {why}"))?;
    if let Some(qualified) = rest.strip_prefix(':') {
        let end = qualified.find(|c: char| c.is_whitespace() || "([<".contains(c)).unwrap_or(qualified.len());
        let (architecture, after) = qualified.split_at(end);
        if architecture.is_empty() || !architecture.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(format!("has '{architecture}' where an architecture should be"));
        }
        rest = after;
    }
    rest = rest.trim_start();
    if let Some(inside) = rest.strip_prefix('(') {
        let (inside, after) = inside.split_once(')').ok_or("has a ( without a )")?;
        bound(inside.trim(), kind)?;
        rest = after.trim_start();
    }
    while let (Relation::BuildDepends, Some(open)) = (kind, rest.chars().next().filter(|c| "[<".contains(*c))) {
        let close = if open == '[' { ']' } else { '>' };
        let (_, after) = rest.split_once(close).ok_or_else(|| format!("has a {open} without a {close}"))?;
        rest = after.trim_start();
    }
    if rest.is_empty() { Ok(()) } else { Err(format!("has '{rest}' after it: is a comma missing?")) }
}

/// Checks what is in the brackets of a dependency: `OPERATOR VERSION`, such as `>= 2.36` (Debian policy 7.1).
fn bound(text: &str, kind: Relation) -> Result<(), String> {
    let end = text.find(|c: char| !"<>=".contains(c)).unwrap_or(text.len());
    let (operator, number) = text.split_at(end);
    if !["<<", "<=", "=", ">=", ">>"].contains(&operator) {
        return Err(format!("has '{operator}' where one of << <= = >= >> should be"));
    }
    if kind == Relation::Provides && operator != "=" {
        return Err("provides a version other than with = (policy 7.5)".into());
    }
    let number = number.trim();
    version(number).map_err(|why| format!("has the version '{number}', which {why}"))
}

/// A line of the `triggers` file (deb-triggers(5)).
///
/// # Errors
/// The line is not one of the six directives, one space and a trigger's name in printable ASCII.
pub fn trigger(line: &str) -> Result<(), String> {
    const ALL: [&str; 6] =
        ["interest", "interest-await", "interest-noawait", "activate", "activate-await", "activate-noawait"];
    let words: Vec<&str> = line.split(' ').collect();
    let good = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
    match words[..] {
        [directive, name] if ALL.contains(&directive) && good(name) => Ok(()),
        _ => Err(format!("is not one of {} and a trigger's name (deb-triggers(5))", ALL.join(", "))),
    }
}

/// Reads a field that is a text, and has to be good.
fn checked<'de, D: Deserializer<'de>>(from: D, good: fn(&str) -> Result<(), String>) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    good(&text).map_err(|why| D::Error::custom(format!("'{}' {why}", text.escape_debug())))?;
    Ok(text)
}

/// For `deserialize_with`: reads a [`maintainer`].
///
/// # Errors
/// The value is no text, or [`maintainer`] refuses it.
pub fn read_maintainer<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    checked(from, maintainer)
}

/// For `deserialize_with`: reads a [`homepage`].
///
/// # Errors
/// The value is no text, or [`homepage`] refuses it.
pub fn read_homepage<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    checked(from, homepage)
}

/// For `deserialize_with`: reads a recipe's version, the upstream part of a [`version`].
///
/// # Errors
/// The value is no text, has an epoch, or [`version`] refuses it.
pub fn read_upstream_version<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    // A revision makes the part before it one that may have a - in it.
    checked(from, |text| {
        if text.contains(':') {
            Err("has an epoch, which only the changelog has".into())
        } else {
            version(&format!("{text}-1"))
        }
    })
}

/// For `deserialize_with`: reads build dependencies, each an item of `Build-Depends`.
///
/// # Errors
/// The value is no list of texts, an item is no dependency, or it is more than one.
pub fn read_build_depends<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let all = Vec::<String>::deserialize(from)?;
    for one in &all {
        let good = one_line(one).and_then(|()| relation(one, Relation::BuildDepends));
        good.map_err(D::Error::custom)?;
        if one.contains(',') || one.trim().is_empty() {
            return Err(D::Error::custom(format!("'{one}' is not one dependency: write each as an item of its own")));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELATIONS: [(&str, bool); 26] = [
        ("a1 (>= 1.0), b2 | c3:any (<< 2~), d4 (= 1:1-1)", true),
        ("libc6 (>=2.34)", true),
        ("aa,, bb,", true),
        ("aa (>= 1.0", false),
        ("aa >= 1.0)", false),
        ("aa (1.0)", false),
        ("aa (> 1.0)", false),
        ("aa (=> 1.0)", false),
        ("aa (== 1.0)", false),
        ("aa ()", false),
        ("aa (>= )", false),
        ("aa (>= 1_0)", false),
        ("aa (>= 1.0-)", false),
        ("aa (>= x:1)", false),
        ("aa (>= 99999999999:1)", false),
        ("aa (>= 1 0)", false),
        ("aa (>= 1) bb", false),
        ("aa bb", false),
        ("aa | | bb", false),
        ("aa |", false),
        ("| aa", false),
        ("(>= 1)", false),
        ("aa: (>= 1)", false),
        ("-aa", false),
        ("aa (>= 1) (<< 2)", false),
        ("aa (>= 1)) ", false),
    ];

    #[test]
    fn relations_are_read() {
        for (text, good) in RELATIONS {
            assert_eq!(
                relation(text, Relation::Depends).is_ok(),
                good,
                "{text}: {:?}",
                relation(text, Relation::Depends)
            );
        }
        assert!(relation("aa | bb", Relation::Conflicts).unwrap_err().contains("alternatives"));
        assert!(relation("aa (>= 1)", Relation::Provides).unwrap_err().contains("with ="));
        assert!(relation("aa (>= 1) [amd64 !i386] <!nocheck>", Relation::BuildDepends).is_ok());
        assert!(relation("aa [amd64", Relation::BuildDepends).is_err());
        assert!(relation("aa [amd64]", Relation::Depends).is_err());
    }

    /// What dpkg-deb says of a package with such a field.
    fn dpkg_takes(fields: &str) -> (bool, String) {
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("p/DEBIAN");
        std::fs::create_dir_all(&control).unwrap();
        std::fs::write(control.join("control"), fields).unwrap();
        let mut build = std::process::Command::new("dpkg-deb");
        build
            .args(["--root-owner-group", "-Znone", "--build"])
            .arg(folder.path().join("p"))
            .arg(folder.path().join("p.deb"));
        let output = build.env("LC_ALL", "C").output().expect("this test needs the Debian package dpkg");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // What it only warns of will be an error one day.
        (output.status.success() && !said.contains("warning"), said)
    }

    #[test]
    fn dpkg_agrees() {
        let control = |fields: &str| format!("Package: xx\nArchitecture: all\nMaintainer: A <a@example.org>\n{fields}");
        for (text, good) in RELATIONS.iter().filter(|(text, _)| !text.contains(",,") && !text.contains("aa |")) {
            let (taken, said) = dpkg_takes(&control(&format!("Version: 1\nDepends: {text}\nDescription: x\n y\n")));
            assert_eq!(taken, *good, "{text}: {said}");
        }
        for text in
            ["1.0-1", "1:1.0~rc1-1+b1", "1.0-", "x1", "1.0 1", "1:", ":1", "-1:1", "9999999999:1", "1_0-1", "1.0-1:1"]
        {
            let (taken, said) = dpkg_takes(&control(&format!("Version: {text}\nDescription: x\n y\n")));
            assert_eq!(version(text).is_ok(), taken, "{text}: {said}");
        }
    }

    #[test]
    fn what_would_end_a_field_is_refused() {
        for (good, bad) in [
            (
                maintainer as fn(&str) -> _,
                &["A\nB <a@b>", "A <a@b", "A", "<a@b>", "A <a b@c>", "A <a@b> ", "A <ab>"][..],
            ),
            (
                homepage,
                &["https://x\nPriority: y", "x", "ftp://x", "https://", "https:///x", "https://a b", "https://a>"],
            ),
            (synopsis, &["", " x", "a\nb", "a\tb", &"x".repeat(80)]),
            (section, &["", "Net", "a/b/c", "a b", "a/"]),
            (priority, &["", "Optional", "high"]),
            (trigger, &["", "activate", "activates x", "interest a b", "interest a\nb"]),
        ] {
            for text in bad {
                assert!(good(text).is_err(), "{text:?}");
            }
        }
        assert!(maintainer("A B (C) <a.b+c@example.org>").is_ok() && homepage("https://example.org/~x?y#z").is_ok());
        assert!(synopsis("a small thing").is_ok() && section("contrib/net").is_ok() && priority("optional").is_ok());
        assert!(trigger("activate-noawait ldconfig").is_ok());
        assert!(description("One.\n\n  verbatim .\nTwo.").is_ok());
        for (text, line) in [("a\n.b", 1), ("a\n.\nb", 1), ("a\tb", 0), ("a\nb\u{b}", 1), (" ", 0)] {
            assert_eq!(description(text).unwrap_err().0, line, "{text:?}");
        }
    }
}
