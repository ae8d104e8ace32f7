//! What packages say of each other (policy 7.1), read as strictly as the strictest of the programs that read it on a client: dpkg
//! warns of what it has given up, apt stops at what it cannot read, and then nothing at all can be installed.

use std::collections::{BTreeMap, BTreeSet};

use deb::control::Paragraph;
use fetch::debian::version;

/// The fields that relate packages to each other.
pub const FIELDS: [&str; 9] =
    ["Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances", "Conflicts", "Breaks", "Replaces", "Provides"];

/// Those of them that decide whether a package can be installed.
pub const NEEDED: [&str; 2] = ["Pre-Depends", "Depends"];

/// Those of them in which a choice makes no sense.
const WITHOUT_CHOICE: [&str; 4] = ["Conflicts", "Breaks", "Replaces", "Provides"];

/// One alternative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The package's name, without an architecture.
    pub name: String,
    /// Relation and version, such as `>=` and `1.0`.
    pub bound: Option<(String, String)>,
}

impl Alternative {
    /// Whether a package of this name and version is meant.
    fn is(&self, name: &str, version: Option<&str>) -> bool {
        self.name == name
            && match (&self.bound, version) {
                (None, _) => true,
                // Something that is provided without a version meets no bound (policy 7.5).
                (Some(_), None) => false,
                (Some((relation, bound)), Some(version)) => version::satisfies(version, relation, bound),
            }
    }

    /// Whether the package with this control file is it, or provides it.
    pub fn is_met_by(&self, package: &Paragraph) -> bool {
        let own = self.is(package.get("Package").unwrap_or_default(), package.get("Version"));
        own || provided(package).iter().any(|provided| {
            let version = provided.bound.as_ref().map(|(_, version)| version.as_str());
            self.is(&provided.name, version)
        })
    }
}

/// What packages are there for others, by name: asked often, of thousands.
#[derive(Clone, Debug, Default)]
pub struct Offers(BTreeMap<String, BTreeSet<Option<String>>>);

impl Offers {
    /// Those of the packages with these control files.
    pub fn of<'a>(packages: impl IntoIterator<Item = &'a Paragraph>) -> Self {
        let mut offers = Self::default();
        let mut offer = |name: &str, version: Option<&str>| {
            offers.0.entry(name.to_owned()).or_default().insert(version.map(str::to_owned));
        };
        for package in packages {
            offer(package.get("Package").unwrap_or_default(), package.get("Version"));
            for provided in provided(package) {
                offer(&provided.name, provided.bound.as_ref().map(|(_, version)| version.as_str()));
            }
        }
        offers
    }

    /// All names that something is offered under, packages' own and provided ones.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// Whether one of these alternatives is offered, in a version that is allowed.
    pub fn meet(&self, group: &[Alternative]) -> bool {
        group.iter().any(|one| {
            let Some(versions) = self.0.get(&one.name) else { return false };
            let exactly = one
                .bound
                .as_ref()
                .is_some_and(|(relation, version)| relation == "=" && versions.contains(&Some(version.clone())));
            exactly || versions.iter().any(|version| one.is(&one.name, version.as_deref()))
        })
    }
}

/// What a package provides beside its own name.
pub fn provided(package: &Paragraph) -> Vec<Alternative> {
    let groups = parse("Provides", package.get("Provides").unwrap_or_default()).unwrap_or_default();
    groups.into_iter().flatten().collect()
}

/// What a package needs, in groups of alternatives.
pub fn needed(package: &Paragraph) -> Vec<Vec<Alternative>> {
    let of = |field: &&str| parse(field, package.get(field).unwrap_or_default()).unwrap_or_default();
    NEEDED.iter().flat_map(of).collect()
}

/// The alternatives as they are written in a field: `a (>= 1) | b`.
pub fn text(group: &[Alternative]) -> String {
    let one = |alternative: &Alternative| match &alternative.bound {
        None => alternative.name.clone(),
        Some((relation, version)) => format!("{} ({relation} {version})", alternative.name),
    };
    group.iter().map(one).collect::<Vec<_>>().join(" | ")
}

/// Reads a field: groups of alternatives. The error says what is wrong with it.
///
/// # Errors
/// An item is not a package's name with an optional version in brackets, or there are alternatives in a field that has
/// none. The message has the field and the item.
pub fn parse(field: &str, value: &str) -> Result<Vec<Vec<Alternative>>, String> {
    if value.trim().is_empty() {
        return Ok(vec![]);
    }
    let mut groups = Vec::new();
    for group in value.split(',') {
        let alternatives =
            group.split('|').map(|text| alternative(field, text.trim())).collect::<Result<Vec<_>, _>>()?;
        if alternatives.len() > 1 && WITHOUT_CHOICE.contains(&field) {
            return Err(format!("{field}: '{}' is a choice, which this field cannot have", group.trim()));
        }
        groups.push(alternatives);
    }
    Ok(groups)
}

fn alternative(field: &str, text: &str) -> Result<Alternative, String> {
    let wrong = |why: &str| Err(format!("{field}: '{text}' {why}"));
    let (name, bound) = match text.split_once('(') {
        None => (text, None),
        Some((name, rest)) => {
            let Some(inner) = rest.trim_end().strip_suffix(')') else { return wrong("has no ) at its end") };
            (name.trim_end(), Some(inner.trim()))
        }
    };
    let (name, architecture) = name.split_once(':').map_or((name, None), |(name, of)| (name, Some(of)));
    let plain = |text: &str, more: &[u8]| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    if !plain(name, b"+-.") || architecture.is_some_and(|of| !plain(of, b"-")) {
        return wrong("is no name of a package");
    }
    let Some(bound) = bound else { return Ok(Alternative { name: name.to_owned(), bound: None }) };
    let (relation, version) = bound.split_at(bound.find(|c: char| !"<>=".contains(c)).unwrap_or(bound.len()));
    if !["<<", "<=", "=", ">=", ">>"].contains(&relation) {
        return wrong("has none of << <= = >= >> before its version");
    }
    if field == "Provides" && relation != "=" {
        return wrong("provides no exact version");
    }
    let version = version.trim();
    match version_problem(version) {
        Some(problem) => Err(format!("{field}: '{text}': the version {problem}")),
        None => Ok(Alternative { name: name.to_owned(), bound: Some((relation.to_owned(), version.to_owned())) }),
    }
}

/// What dpkg has against a version (policy 5.6.12, deb-version(7)), as a verb phrase.
pub fn version_problem(version: &str) -> Option<&'static str> {
    let rest = match version.split_once(':') {
        None => version,
        // dpkg keeps it in 31 bits.
        Some((epoch, _)) if epoch.bytes().any(|b| !b.is_ascii_digit()) || epoch.parse::<i32>().is_err() => {
            return Some("has an epoch that is no number, or too big");
        }
        Some((_, rest)) => rest,
    };
    let (upstream, revision) = rest.rsplit_once('-').map_or((rest, None), |(upstream, of)| (upstream, Some(of)));
    let plain = |text: &str, more: &[u8]| text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
    if revision == Some("") {
        Some("ends with -, and has no revision there")
    } else if !upstream.starts_with(|c: char| c.is_ascii_digit()) {
        Some("does not begin with a digit")
    } else if !plain(upstream, b".+-~:") || !plain(revision.unwrap_or_default(), b".+~") {
        Some("has characters beside letters, digits and .+-~")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn relations_are_read_and_mistakes_are_named() {
        let groups = parse("Depends", "a (>= 1.0) | b:any, c").unwrap();
        assert_eq!(groups.iter().map(|group| text(group)).collect::<Vec<_>>(), ["a (>= 1.0) | b", "c"]);
        assert!(parse("Depends", " ").unwrap().is_empty());
        for (field, value, says) in [
            ("Depends", "a (1.0)", "none of << <="),
            ("Depends", "a (> 1.0)", "none of << <="),
            ("Depends", "a (>= 1.0, b", "has no )"),
            ("Depends", "a,, b", "'' is no name"),
            ("Depends", "${shlibs:Depends}", "is no name"),
            ("Depends", "a [amd64]", "is no name"),
            ("Depends", "a (= 1.0-)", "ends with -"),
            ("Conflicts", "a | b", "is a choice"),
            ("Provides", "a (>= 1)", "no exact version"),
        ] {
            let error = parse(field, value).unwrap_err();
            assert!(error.contains(says) && error.starts_with(field), "{value}: {error}");
        }
    }

    #[test]
    fn who_meets_what() {
        let package = |text: &str| Paragraph::parse(text).unwrap();
        let wants = |text: &str| parse("Depends", text).unwrap().remove(0).remove(0);
        let a = package("Package: a\nVersion: 1:1.0-1\nProvides: v (= 2), w\n");
        for (text, met) in [
            ("a", true),
            ("a (>= 1.0)", true),
            ("a (= 1.0-1)", false),
            ("a (= 1:1.0-1)", true),
            ("v (>= 2)", true),
            ("v (>> 2)", false),
            ("w", true),
            ("w (>= 1)", false),
            ("b", false),
        ] {
            assert_eq!(wants(text).is_met_by(&a), met, "{text}");
            assert_eq!(Offers::of([&a]).meet(&[wants("x"), wants(text)]), met, "{text}");
        }
    }

    /// dpkg itself is the judge of versions.
    #[test]
    fn versions_are_judged_as_dpkg_does() {
        for version in [
            "1.0-1",
            "1:1.0~rc1+b1-0.1",
            "1.0-",
            "-1",
            "1:",
            ":1",
            "a",
            "99999999999:1",
            "x:1",
            "1_0",
            "1.0-1-2",
            "1:2:3",
            "1.0-1_2",
        ] {
            let judged = Command::new("dpkg").args(["--validate-version", version]).output().unwrap();
            assert_eq!(version_problem(version).is_none(), judged.status.success(), "{version}");
        }
    }
}
