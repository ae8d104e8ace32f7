//! Which versions a suite keeps, where its settings say so: `keep = { newest = 3, months = 12 }`. What either rule keeps is kept.
//!
//! Versions are those of the source package, so that everything that was built from one goes together: libraries that have the
//! version in their name, metapackages, and debug symbols.

use std::collections::{BTreeMap, BTreeSet};

use apt::Indexed;
use apt::listed::Listed;
use deb::control::Paragraph;
use fetch::debian::version;
use judges::relations::{self, Offers};
use serde::{Deserialize, Serialize};

use super::first_seen::FirstSeen;
use super::{Repository, RepositoryError};

/// What a suite keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keep {
    /// So many versions of each source package, the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<u32>,
    /// Those that clients see for less than so many months, of 31 days each, and the newest one in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<u32>,
}

const MONTH: i64 = 31 * 86_400;

impl Keep {
    /// Whether it keeps something, and says what.
    pub(super) fn check(self) -> Result<(), RepositoryError> {
        if self.newest.or(self.months).is_some() && self.newest != Some(0) && self.months != Some(0) {
            return Ok(());
        }
        let problem = "keeps nothing: write newest = N, months = M, or both, each at least 1".to_owned();
        Err(RepositoryError::Setting { what: "keep", value: self.to_string(), problem })
    }
}

impl std::fmt::Display for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = |name: &str, value: Option<u32>| value.map(|value| format!("{name} = {value}"));
        let parts = [part("newest", self.newest), part("months", self.months)];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl Repository {
    /// Leaves out what the suite's rule does not keep, and returns it. Refused where that would be `new`: what is published is
    /// meant to be seen.
    pub(super) fn apply_keep(
        &self,
        codename: &str,
        packages: Vec<Listed>,
        new: &[Listed],
        now: i64,
    ) -> Result<(Vec<Listed>, Vec<Listed>), RepositoryError> {
        let Some(keep) = self.folder.suite(codename)?.keep else { return Ok((packages, vec![])) };
        let seen = FirstSeen::read(&self.folder)?;
        let since = |package: &Listed| seen.of(codename, package).unwrap_or(now);
        let keyring = self.settings().keyring();
        let (own, others): (Vec<_>, Vec<_>) = packages.into_iter().partition(|package| package.name == keyring);
        let packages = self.described(others)?;
        let kept = kept(keep, &packages, &self.settings().architectures, &since, now);
        let (mut stay, mut go) = (own, Vec::new());
        for (at, (listed, _)) in packages.into_iter().enumerate() {
            if kept.contains(&at) { stay.push(listed) } else { go.push(listed) }
        }
        match go.iter().find(|package| new.contains(package)) {
            None => Ok((stay, go)),
            Some(package) => Err(RepositoryError::Setting {
                what: "keep",
                value: keep.to_string(),
                problem: format!(
                    "in the settings of {codename} would drop {} {} at once, which waits for being published. Clients see what they saw: \
                     raise it, or take the package back with `cargo xtask repo remove`",
                    package.name, package.version
                ),
            }),
        }
    }
}

/// A package's source and its version (deb-control(5), "Source").
fn source(package: &Indexed) -> (String, String) {
    let (_, described) = package;
    let fields = Paragraph::parse(&described.control).unwrap_or_default();
    let named = fields.get("Source").and_then(|source| source.split_once('(')?.1.strip_suffix(')'));
    (described.source.clone(), named.unwrap_or(&described.version).trim().to_owned())
}

/// The indices of what is kept.
fn kept(
    keep: Keep,
    packages: &[Indexed],
    architectures: &[String],
    since: &dyn Fn(&Listed) -> i64,
    now: i64,
) -> BTreeSet<usize> {
    let sources: Vec<(String, String)> = packages.iter().map(source).collect();
    let mut kept = BTreeSet::new();
    let names: BTreeSet<&String> = sources.iter().map(|(name, _)| name).collect();
    for name in names {
        let mine: Vec<usize> = (0..packages.len()).filter(|at| sources[*at].0 == *name).collect();
        // An architecture that is built more slowly keeps its own newest ones.
        for architecture in architectures {
            let of = |architecture: &str| -> Vec<usize> {
                mine.iter().copied().filter(|at| packages[*at].1.architecture == architecture).collect()
            };
            let own = of(architecture);
            let counted = if own.is_empty() { of("all") } else { own };
            let mut versions: Vec<&String> = counted.iter().map(|at| &sources[*at].1).collect();
            versions.sort_by(|a, b| version::compare(b, a));
            versions.dedup();
            let first: BTreeMap<&String, i64> = versions
                .iter()
                .map(|version| {
                    let its = counted.iter().filter(|at| sources[**at].1 == **version);
                    (*version, its.map(|at| since(&packages[*at].0)).min().unwrap_or(now))
                })
                .collect();
            let stays = |(place, version): &(usize, &&String)| {
                let newest = keep.newest.is_some_and(|newest| *place < newest as usize);
                let young = keep.months.is_some_and(|months| first[**version] > now - i64::from(months) * MONTH);
                *place == 0 || newest || young
            };
            let stay: BTreeSet<&String> =
                versions.iter().enumerate().filter(stays).map(|(_, version)| *version).collect();
            let machine = |at: &usize| [architecture.as_str(), "all"].contains(&packages[*at].1.architecture.as_str());
            kept.extend(mine.iter().copied().filter(|at| machine(at) && stay.contains(&sources[*at].1)));
        }
    }
    complete(&mut kept, packages, &sources);
    kept
}

/// What something kept needs is kept as well, with all that was built with it.
fn complete(kept: &mut BTreeSet<usize>, packages: &[Indexed], sources: &[(String, String)]) {
    let fields: Vec<Paragraph> =
        packages.iter().map(|(_, described)| Paragraph::parse(&described.control).unwrap_or_default()).collect();
    let all = Offers::of(&fields);
    loop {
        let mut more = BTreeSet::new();
        let offers = Offers::of(kept.iter().map(|at| &fields[*at]));
        let needed = kept.iter().flat_map(|at| relations::needed(&fields[*at]));
        // What nobody here has is the distribution's.
        for group in needed.filter(|group| !offers.meet(group) && all.meet(group)) {
            let meets = |at: &usize| group.iter().any(|one| one.is_met_by(&fields[*at]));
            more.extend((0..packages.len()).filter(meets));
        }
        if more.is_empty() {
            return;
        }
        let with: BTreeSet<_> = more.iter().map(|at| &sources[*at]).collect();
        kept.extend((0..packages.len()).filter(|at| with.contains(&sources[*at])));
    }
}

#[cfg(test)]
mod tests {
    use foundation::digest::Digest;

    use super::*;
    use apt::described::Described;

    const DAY: i64 = 86_400;

    /// Name, version, architecture, and further fields.
    fn package(name: &str, version: &str, architecture: &str, more: &str) -> Indexed {
        let control =
            format!("Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n{more}Description: a\n");
        let described = Described::new(&control, 7, vec![]).unwrap();
        let listed = Listed {
            name: name.into(),
            version: version.into(),
            architecture: architecture.into(),
            component: "main".into(),
            path: described.pool_path("main"),
            size: 7,
            sha256: Digest::of(control),
        };
        (listed, described)
    }

    fn names(keep: Keep, packages: &[Indexed], age: &dyn Fn(&Listed) -> i64) -> String {
        let architectures = ["amd64".to_owned(), "arm64".to_owned()];
        let kept = kept(keep, packages, &architectures, &|package| -age(package) * DAY, 0);
        let name = |at: &usize| format!("{}={}", packages[*at].0.name, packages[*at].0.version);
        kept.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn everything_of_a_source_goes_together() {
        let of = |version: &str| {
            let source = "Source: demo\n";
            [
                package(&format!("libdemo-{}", &version[..3]), version, "amd64", source),
                package("demo", version, "all", "Source: demo\n"),
                package("demo-dbgsym", version, "amd64", "Source: demo\nSection: debug\n"),
            ]
        };
        let packages: Vec<Indexed> = ["1.0-1", "1.1-1", "1.10-1"].into_iter().flat_map(of).collect();
        let newest = |newest| Keep { newest: Some(newest), months: None };
        let one = "libdemo-1.1=1.10-1 demo=1.10-1 demo-dbgsym=1.10-1";
        assert_eq!(names(newest(1), &packages, &|_| 999), one);
        assert!(names(newest(2), &packages, &|_| 0).starts_with("libdemo-1.1=1.1-1 demo=1.1-1 demo-dbgsym=1.1-1 "));
        assert_eq!(names(newest(3), &packages, &|_| 0).split(' ').count(), 9);
        // By age, and the newest in any case; what either keeps is kept.
        let age = |package: &Listed| if package.version == "1.0-1" { 10 } else { 100 };
        let months = Keep { newest: None, months: Some(1) };
        assert!(
            names(months, &packages, &age).ends_with(one) && names(months, &packages, &age).split(' ').count() == 6
        );
        assert_eq!(names(months, &packages, &|_| 100), one);
        assert_eq!(names(Keep { newest: Some(2), months: Some(1) }, &packages, &age).split(' ').count(), 9);
    }

    #[test]
    fn slow_architectures_and_what_others_need_stay() {
        let newest = Keep { newest: Some(1), months: None };
        let slow = [
            package("aa", "1", "arm64", ""),
            package("aa", "1", "amd64", ""),
            package("aa", "2", "amd64", ""),
            package("aa-data", "1", "all", "Source: aa\n"),
            package("aa-data", "2", "all", "Source: aa\n"),
        ];
        assert_eq!(names(newest, &slow, &|_| 0), "aa=1 aa=2 aa-data=1 aa-data=2");
        let needed = [
            package("bb", "1", "all", "Source: bb (1.0)\n"),
            package("bb", "2", "all", "Source: bb (2.0)\n"),
            package("bb-more", "1", "all", "Source: bb (1.0)\n"),
            package("cc", "1", "all", "Depends: bb (<< 2)\n"),
        ];
        assert_eq!(names(newest, &needed, &|_| 0), "bb=1 bb=2 bb-more=1 cc=1");
        assert_eq!(names(newest, &needed[..3], &|_| 0), "bb=2");
    }
}
