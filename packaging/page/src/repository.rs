//! What an apt repository has, and what is proven of it.

use askama::Template;

use crate::text;

/// A repository, as clients see it.
#[derive(Clone, Debug, Template)]
#[template(path = "repository.html")]
pub struct Repository {
    /// What the repository is, in one line for people.
    pub title: String,
    /// The field `Origin` of its Release files.
    pub origin: String,
    /// Whether it takes what nobody should trust.
    pub development: bool,
    /// The path of the file with the keys, for those who set apt up by hand. Like all paths of the page, it is relative
    /// to the repository.
    pub ring: String,
    /// The name of the package that has the keys and keeps them current.
    pub keyring: String,
    /// The suites that the page shows.
    pub suites: Vec<Suite>,
    /// The keys that sign the suites.
    pub keys: Vec<Key>,
}

/// A suite.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The codename of the suite, such as `bookworm`.
    pub codename: String,
    /// The other name of the suite, such as `stable`, where it has one.
    pub name: Option<String>,
    /// The number of the snapshot that clients see.
    pub number: u64,
    /// When it was signed, as a Unix time in seconds.
    pub date: i64,
    /// When clients cease to trust that (`Valid-Until`), as a Unix time in seconds.
    pub valid_until: i64,
    /// The architectures that the suite has packages for.
    pub architectures: Vec<String>,
    /// The components of the suite, such as `main`.
    pub components: Vec<String>,
    /// The commands that install something, one a line.
    pub install: Vec<String>,
    /// The path of the file for `/etc/apt/preferences.d` (apt_preferences(5)).
    pub preferences: String,
    /// The builds that are shown in full, the newest first.
    pub builds: Vec<Build>,
    /// How many earlier builds are only counted.
    pub earlier: usize,
}

/// The packages of one version of a source package.
#[derive(Clone, Debug)]
pub struct Build {
    /// The name of the source package.
    pub source: String,
    /// The version of the packages (Debian policy 5.6.12).
    pub version: String,
    /// The path of the changelog, where the repository has one.
    pub changelog: Option<String>,
    /// The packages, without those with debug symbols.
    pub packages: Vec<Package>,
    /// The packages with debug symbols (`-dbgsym`).
    pub debug: Vec<Package>,
    /// What is proven of them: one for each build, which may be of one architecture each.
    pub proofs: Vec<Proof>,
}

/// A package.
#[derive(Clone, Debug)]
pub struct Package {
    /// The name of the package.
    pub name: String,
    /// What the package is, in one line: the first line of its description.
    pub synopsis: String,
    /// The architecture of the package, such as `amd64` or `all`.
    pub architecture: String,
    /// The path of the .deb file.
    pub path: String,
    /// The size of the .deb file in bytes.
    pub size: u64,
    /// SHA-256 digest of the .deb file, in hexadecimal digits.
    pub sha256: String,
    /// The path of its bill of materials (CycloneDX), where there is one.
    pub bill: Option<String>,
}

/// What is proven of a build.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Architecture, where it has to be told from other builds.
    pub label: Option<String>,
    /// Who signed the packages: user id and fingerprint.
    pub builders: Vec<(String, String)>,
    /// What upstream's tests said, where a statement on them was published.
    pub tests: Option<Tests>,
    /// Those who built it again and got the same bytes.
    pub rebuilds: Vec<Rebuild>,
    /// The source and the inputs, where a statement on them (SLSA provenance) was published.
    pub origin: Option<Origin>,
    /// How many packages have a bill of materials.
    pub bills: usize,
    /// What is known of vulnerabilities; none where nothing is said.
    pub vulnerabilities: Option<Vec<Finding>>,
    /// The path of the OpenVEX document that has them.
    pub vulnerabilities_path: Option<String>,
    /// Everything that was signed about it, to be checked.
    pub files: Vec<File>,
}

/// What the tests said.
#[derive(Clone, Debug)]
pub struct Tests {
    /// How many tests passed.
    pub passed: usize,
    /// Those that are flaky, or failed and are excused.
    pub warned: Vec<String>,
    /// How many tests failed.
    pub failed: usize,
    /// The path of the signed statement.
    pub path: String,
}

/// Somebody built it again.
#[derive(Clone, Debug)]
pub struct Rebuild {
    /// The user id of the key that signed the statement.
    pub user_id: String,
    /// The fingerprint of that key, in hexadecimal digits.
    pub fingerprint: String,
    /// What differed from the usual circumstances.
    pub variations: Vec<String>,
    /// The path of the signed statement.
    pub path: String,
}

/// Where a build came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The source in a few words, such as `tag 1.7.2`.
    pub source: String,
    /// The commit that was built: 40 hexadecimal digits. None where it was no commit.
    pub commit: Option<String>,
    /// How many later commits were applied on it.
    pub applied: usize,
    /// How many inputs the build had in all: sources, packages of the build root and the like.
    pub inputs: usize,
    /// SHA-256 digest of the plan, in hexadecimal digits.
    pub plan: Option<String>,
    /// The path of the signed statement.
    pub path: String,
}

/// What is known of one vulnerability.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The name of the vulnerability, such as `CVE-2019-5736`.
    pub name: String,
    /// What the vulnerability is, in a sentence.
    pub description: String,
    /// `fixed`, `not affected`, `affected` or `under investigation`.
    pub status: String,
    /// Why the status is this one, or what users should do.
    pub notes: String,
}

/// A file to be had.
#[derive(Clone, Debug)]
pub struct File {
    /// The name of the file, as the page shows it.
    pub name: String,
    /// The path of the file.
    pub path: String,
    /// Its digest, where the path does not have one.
    pub sha256: Option<String>,
}

/// A key that signs the repository.
#[derive(Clone, Debug)]
pub struct Key {
    /// The first user id of the key, such as `Demo Packages <demo@example.org>`.
    pub user_id: String,
    /// The fingerprint of the primary key, in hexadecimal digits.
    pub fingerprint: String,
    /// Whether it signs nothing yet, and waits for an emergency.
    pub stand_by: bool,
    /// It and its subkeys, as far as they can sign.
    pub signing: Vec<Signing>,
}

/// A key or subkey that can sign.
#[derive(Clone, Debug)]
pub struct Signing {
    /// The fingerprint of the key or subkey, in hexadecimal digits.
    pub fingerprint: String,
    /// When it ends, as a Unix time in seconds. None for a key that does not end.
    pub ends: Option<i64>,
    /// Whether it was revoked by its owner.
    pub revoked: bool,
}

impl Repository {
    /// The page. The same input always gives the same bytes.
    pub fn html(&self) -> String {
        let mut html = self.render().expect("writing to memory does not fail");
        html.push('\n');
        html
    }
}

impl Suite {
    /// Both names.
    fn names(&self) -> String {
        match &self.name {
            Some(name) => format!("{} ({name})", self.codename),
            None => self.codename.clone(),
        }
    }
}

impl Proof {
    /// How many findings have this status.
    fn with_status(&self, status: &str) -> usize {
        self.vulnerabilities.iter().flatten().filter(|finding| finding.status == status).count()
    }

    /// `1 affected, 2 under investigation`.
    fn open(&self) -> String {
        self.counted(&["affected", "under investigation"], "None open")
    }

    /// `4 fixed, 1 not affected`.
    fn closed(&self) -> String {
        self.counted(&["fixed", "not affected"], "None fixed")
    }

    fn counted(&self, statuses: &[&str], none: &str) -> String {
        let some = statuses.iter().map(|status| (self.with_status(status), status)).filter(|(number, _)| *number > 0);
        let text = some.map(|(number, status)| format!("{number} {status}")).collect::<Vec<_>>().join(", ");
        if text.is_empty() { none.to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page in which every text is this one.
    fn page(text: &str) -> Repository {
        let own = || text.to_owned();
        let file = || File { name: own(), path: own(), sha256: Some(own()) };
        let package = || Package {
            name: own(),
            synopsis: own(),
            architecture: own(),
            path: own(),
            size: 1,
            sha256: own(),
            bill: Some(own()),
        };
        let finding = Finding { name: own(), description: own(), status: own(), notes: own() };
        let proof = Proof {
            label: Some(own()),
            builders: vec![(own(), own())],
            tests: Some(Tests { passed: 1, warned: vec![own()], failed: 1, path: own() }),
            rebuilds: vec![Rebuild { user_id: own(), fingerprint: own(), variations: vec![own()], path: own() }],
            origin: Some(Origin {
                source: own(),
                commit: Some(own()),
                applied: 1,
                inputs: 1,
                plan: Some(own()),
                path: own(),
            }),
            bills: 1,
            vulnerabilities: Some(vec![finding]),
            vulnerabilities_path: Some(own()),
            files: vec![file()],
        };
        let build = Build {
            source: own(),
            version: own(),
            changelog: Some(own()),
            packages: vec![package()],
            debug: vec![package()],
            proofs: vec![proof],
        };
        let suite = Suite {
            codename: own(),
            name: Some(own()),
            number: 1,
            date: 0,
            valid_until: 0,
            architectures: vec![own()],
            components: vec![own()],
            install: vec![own()],
            preferences: own(),
            builds: vec![build],
            earlier: 1,
        };
        let signing = vec![Signing { fingerprint: own(), ends: Some(1), revoked: false }];
        let key = Key { user_id: own(), fingerprint: own(), stand_by: false, signing };
        Repository {
            title: own(),
            origin: own(),
            development: true,
            ring: own(),
            keyring: own(),
            suites: vec![suite],
            keys: vec![key],
        }
    }

    #[test]
    fn whatever_it_is_given_is_text() {
        let plain = page("x").html();
        let evil = page("\"'><script>alert(1)</script><b onclick=x>{{ 7 * 7 }}</style>&amp;").html();
        // Not one tag, attribute or style more.
        for sign in ["<", ">", "\"", "'"] {
            assert_eq!(evil.matches(sign).count(), plain.matches(sign).count(), "{sign}");
        }
        assert!(!evil.contains("<script") && evil.contains("{{ 7 * 7 }}"), "{evil}");
        assert_eq!(page("x").html(), plain);
    }
}
