//! Substitution variables (deb-substvars(5)) in the relationship fields of packages.

use std::collections::BTreeMap;

/// Replaces `${…}` in a relationship field, drops empty and repeated items, and gives the field back as one line.
/// Variables beginning with `misc:` are empty where they are not set, as debhelper leaves them.
///
/// # Errors
/// A `${` has no `}`, or a variable has no value and does not begin with `misc:`.
pub fn relation(field: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = field;
    while let Some(start) = rest.find("${") {
        text.push_str(&rest[..start]);
        let end = rest[start..].find('}').ok_or_else(|| format!("'{field}' has a ${{ without a }}"))? + start;
        let name = &rest[start + 2..end];
        match variables.get(name) {
            Some(value) => text.push_str(value),
            None if name.starts_with("misc:") => {}
            None => {
                let known: Vec<&str> = variables.keys().map(String::as_str).collect();
                return Err(format!("there is no substitution variable ${{{name}}}; known are {}", known.join(", ")));
            }
        }
        rest = &rest[end + 1..];
    }
    text.push_str(rest);
    let mut items: Vec<String> = Vec::new();
    for item in text.split(',') {
        let item = item.split_whitespace().collect::<Vec<_>>().join(" ");
        if !item.is_empty() && !items.contains(&item) {
            items.push(item);
        }
    }
    Ok(items.join(", "))
}

/// Judges a relationship field as dpkg would read it where the variables that are known are filled in; which items the tool
/// adds is found out later, and they are left out. What is wrong is said in the field's own words.
///
/// # Errors
/// A variable is not known, or `good` refuses the field.
pub fn judge(field: &str, good: impl Fn(&str) -> Result<(), String>) -> Result<(), String> {
    let stand_in = |name: &str| format!("0+{}", name.replace(':', "."));
    let mut variables: BTreeMap<String, String> =
        VERSIONS.iter().map(|name| ((*name).to_owned(), stand_in(name))).collect();
    variables.insert("shlibs:Depends".to_owned(), String::new());
    good(&relation(field, &variables)?)
        .map_err(|why| VERSIONS.iter().fold(why, |why, name| why.replace(&stand_in(name), &format!("${{{name}}}"))))
}

/// The substitution variables that stand for a version (deb-substvars(5)).
pub const VERSIONS: [&str; 3] = ["binary:Version", "source:Version", "source:Upstream-Version"];

/// Adds `(= version)` to items that name one of these packages without a version: packages of one build belong together.
pub fn pin_own<'a>(field: &str, own: impl Fn(&str) -> bool + 'a, version: &str) -> String {
    let pin = |item: &str| {
        let item = item.trim();
        if own(item) { format!("{item} (= {version})") } else { item.to_owned() }
    };
    field.split(',').map(|item| item.split('|').map(pin).collect::<Vec<_>>().join(" | ")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_tidies() {
        let variables: BTreeMap<String, String> = [("shlibs:Depends", "libc6 (>= 2.34), a"), ("binary:Version", "1-1")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        assert_eq!(
            relation("a,  b (= ${binary:Version}), ${shlibs:Depends}, ${misc:Depends},", &variables).unwrap(),
            "a, b (= 1-1), libc6 (>= 2.34)"
        );
        assert_eq!(relation("${misc:Depends}", &variables).unwrap(), "");
        assert!(
            relation("${perl:Depends}", &variables).unwrap_err().contains("known are binary:Version, shlibs:Depends")
        );
        assert!(relation("${perl", &variables).is_err());
    }

    #[test]
    fn own_packages_get_the_exact_version() {
        assert_eq!(
            pin_own("libx1, liby1 (>= 2), libx1 | z", |name| name == "libx1", "3"),
            "libx1 (= 3), liby1 (>= 2), libx1 (= 3) | z"
        );
    }
}
