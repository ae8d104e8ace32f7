//! Rules for what a package says of itself, whoever is installed here: those of dpkg and apt, as far as breaking them makes a
//! package one that no client can use, or one that takes the repository's own keys away. Outside judges follow
//! ([`super::index`]); these rules are for machines that have none.

use deb::control::Paragraph;

use super::relations;

/// The repository's own keyring package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    /// The name of the package that has the key ring.
    pub package: String,
    /// The path of the key ring in it, without a leading `/`.
    pub ring: String,
}

/// What is wrong with a package, which has this control file and these files, as sentences; nothing where it can be used.
pub fn objections(control: &str, files: &[String], keyring: &Keyring) -> Vec<String> {
    let mut found = lines(control);
    let Some(fields) = Paragraph::parse(control) else {
        found.push("its control file cannot be read".into());
        return found;
    };
    let field = |name: &str| fields.get(name).map(str::trim).filter(|value| !value.is_empty());
    for name in ["Maintainer", "Description"] {
        // The first line counts: what follows a Description's is only for those who want to know more.
        if fields.get(name).is_none_or(|value| value.lines().next().unwrap_or_default().trim().is_empty()) {
            found.push(format!("its control file has no field {name}"));
        }
    }
    let version = field("Version").unwrap_or_default();
    if let Some(problem) = relations::version_problem(version) {
        found.push(format!("its Version '{version}' {problem}"));
    }
    for name in ["Package", "Source", "Version", "Architecture", "Multi-Arch", "Essential", "Installed-Size"] {
        if field(name).is_some_and(|value| value.contains('\n')) {
            found.push(format!("its field {name} has more than one line"));
        }
    }
    match field("Multi-Arch") {
        None | Some("no" | "foreign" | "allowed") => {}
        Some("same") if field("Architecture") != Some("all") => {}
        Some("same") => {
            found.push("it is Multi-Arch: same and for all architectures, which contradict each other".into())
        }
        Some(other) => found.push(format!("its Multi-Arch '{other}' is none of no, same, foreign and allowed")),
    }
    for name in ["Essential", "Protected"] {
        if let Some(other) = field(name).filter(|value| !["yes", "no"].contains(value)) {
            found.push(format!("its {name} '{other}' is neither yes nor no"));
        }
    }
    if let Some(size) = field("Installed-Size").filter(|value| value.bytes().any(|b| !b.is_ascii_digit())) {
        found.push(format!("its Installed-Size '{size}' is no number"));
    }
    for name in relations::FIELDS {
        if let Err(problem) = relations::parse(name, field(name).unwrap_or_default()) {
            found.push(problem);
        }
    }
    found.extend(keys(&fields, files, keyring));
    found
}

/// Lines that Debian's readers of control files refuse (deb-control(5), deb822(5)).
fn lines(control: &str) -> Vec<String> {
    let mut found = Vec::new();
    if control.starts_with([' ', '\t']) {
        found.push("its control file begins in the middle of a field".into());
    }
    for line in control.lines() {
        if line.chars().any(|c| c.is_control() && c != '\t') {
            found.push(format!("its control file has control characters in the line '{}'", line.escape_debug()));
        }
        let name = line.split(':').next().unwrap_or_default();
        let good = !name.is_empty() && !name.starts_with(['-', '#']) && name.bytes().all(|b| b.is_ascii_graphic());
        if !line.starts_with([' ', '\t']) && !good {
            found.push(format!("its control file has the line '{line}', which begins with no name of a field"));
        }
    }
    found
}

/// Nobody but the repository itself hands out its keys: with a package of that name, clients would lose the real one.
fn keys(fields: &Paragraph, files: &[String], keyring: &Keyring) -> Vec<String> {
    let Keyring { package: keyring, ring } = keyring;
    let mut found = Vec::new();
    if fields.get("Package") == Some(keyring) {
        found.push(format!("{keyring} is the package with the repository's own keys, which it writes itself"));
    }
    for name in ["Conflicts", "Breaks", "Replaces", "Provides"] {
        let groups = relations::parse(name, fields.get(name).unwrap_or_default()).unwrap_or_default();
        if groups.into_iter().flatten().any(|one| one.name == *keyring) {
            found.push(format!("its field {name} names {keyring}, the package with the repository's own keys"));
        }
    }
    if files.contains(ring) {
        found.push(format!("it has the file {ring}, which is of {keyring}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: &str =
        "Package: demo\nVersion: 1.0-1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\n b\n";

    fn judged(control: &str, files: &[&str]) -> Vec<String> {
        let keyring = Keyring {
            package: "mesos-archive-keyring".into(),
            ring: "usr/share/keyrings/mesos-archive-keyring.gpg".into(),
        };
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        objections(control, &files, &keyring)
    }

    #[test]
    fn what_no_client_can_use_is_named() {
        assert_eq!(judged(CONTROL, &["usr/bin/demo"]), [""; 0]);
        let more = |field: &str| CONTROL.replace("Description", &format!("{field}\nDescription"));
        for (control, says) in [
            (CONTROL.replace("Description: a\n b\n", "Section: x\n"), "no field Description"),
            (CONTROL.replace("Description: a\n", "Description:\n"), "no field Description"),
            (CONTROL.replace("Maintainer: A <a@example.org>\n", ""), "no field Maintainer"),
            (CONTROL.replace("1.0-1", "1.0-"), "its Version '1.0-' ends with -"),
            (CONTROL.replace("1.0-1", "99999999999:1"), "an epoch that is no number, or too big"),
            (CONTROL.replace("1.0-1", "1.0-1\n 2"), "Version has more than one line"),
            (more("Depends: a (> 1)"), "Depends: 'a (> 1)'"),
            (more("Conflicts: a | b"), "Conflicts: 'a | b' is a choice"),
            (more("Multi-Arch: same"), "contradict each other"),
            (more("Multi-Arch: maybe"), "'maybe' is none of no, same"),
            (more("Essential: maybe"), "'maybe' is neither yes nor no"),
            (more("Installed-Size: big"), "'big' is no number"),
            (more("# a: comment"), "begins with no name of a field"),
            (more("-x: y"), "begins with no name of a field"),
            (more("Homepage: x\ry"), "control characters"),
            (CONTROL.replace("demo", "mesos-archive-keyring"), "the repository's own keys, which it writes itself"),
            (more("Conflicts: mesos-archive-keyring"), "its field Conflicts names mesos-archive-keyring"),
            (more("Provides: mesos-archive-keyring (= 9)"), "its field Provides names mesos-archive-keyring"),
        ] {
            let found = judged(&control, &[]);
            assert!(found.iter().any(|found| found.contains(says)), "{says}: {found:?}");
        }
        let found = judged(CONTROL, &["usr/share/keyrings/mesos-archive-keyring.gpg"]);
        assert!(found[0].contains("it has the file usr/share/keyrings/mesos-archive-keyring.gpg"), "{found:?}");
    }
}
