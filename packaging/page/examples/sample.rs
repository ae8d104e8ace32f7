//! Prints the page of a repository that has everything, to look at: `cargo run -p page --example sample > /tmp/index.html`.

use page::{Build, File, Finding, Key, Origin, Package, Proof, Rebuild, Repository, Signing, Suite, Tests};

const DATE: i64 = 1_795_410_048;
const SHA256: &str = "3f0a9c1e5b7d2846f0a9c1e5b7d28463f0a9c1e5b7d28463f0a9c1e5b7d28463";
const FINGERPRINT: &str = "6A38E98C1F0B2D4E5A697887F0E1D2C3B4A59687";

fn main() {
    let package = |name: &str, synopsis: &str, size| Package {
        name: name.into(),
        synopsis: synopsis.into(),
        architecture: "amd64".into(),
        path: format!("pool/main/m/mesos/{name}_1.7.2-1_amd64.deb"),
        size,
        sha256: SHA256.into(),
        bill: Some(format!("evidence/{SHA256}/{name}_1.7.2-1_amd64.cdx.json")),
    };
    let file = |name: &str| File { name: name.into(), path: format!("evidence/{SHA256}/{name}"), sha256: None };
    let path = |name: &str| format!("evidence/{SHA256}/{name}");
    let finding = |name: &str, description: &str, status: &str, notes: &str| Finding {
        name: name.into(),
        description: description.into(),
        status: status.into(),
        notes: notes.into(),
    };
    let rebuild = |name: &str| Rebuild {
        user_id: format!("{name} <{}@example.org>", name.to_lowercase()),
        fingerprint: FINGERPRINT.chars().rev().collect(),
        variations: ["time", "kernel", "jobs", "umask"].map(str::to_owned).to_vec(),
        path: path("mesos_1.7.2-1_amd64.rebuild.D4E5A697887F0E1D.intoto.jsonl"),
    };
    let proof = Proof {
        label: None,
        builders: vec![("Release <release@example.org>".into(), FINGERPRINT.into())],
        tests: Some(Tests {
            passed: 2013,
            warned: ["mesos-tests:SlaveTest.Restart", "mesos-tests:MasterTest.Recover"].map(str::to_owned).to_vec(),
            failed: 0,
            path: path("test-result.json"),
        }),
        rebuilds: vec![rebuild("Ada"), rebuild("Grace")],
        origin: Some(Origin {
            source: "Tag 1.7.2".into(),
            commit: Some("f4bc6e2ab1d0c9e8f7a6b5c4d3e2f1a0b9c8d7e6".into()),
            applied: 11,
            inputs: 214,
            plan: Some(SHA256.into()),
            path: path("mesos_1.7.2-1_amd64.provenance.intoto.jsonl"),
        }),
        bills: 10,
        vulnerabilities: Some(vec![
            finding(
                "CVE-2019-5736",
                "A container overwrites the program that runs it.",
                "fixed",
                "Fixed by upstream's 2f1d0a.",
            ),
            finding("CVE-2020-11022", "Markup of a stranger is run in jQuery.", "not affected", "Nothing calls it."),
            finding(
                "CVE-2019-18408",
                "Memory is used after it was freed in libarchive.",
                "affected",
                "Fetch only what is trusted.",
            ),
        ]),
        vulnerabilities_path: Some(path("mesos_1.7.2-1_amd64.openvex.json")),
        files: [
            "SHA256SUMS",
            "SHA256SUMS.asc",
            "mesos_1.7.2-1_amd64.buildinfo",
            "mesos_1.7.2-1_amd64.changes",
            "test-result.json",
        ]
        .map(file)
        .to_vec(),
    };
    let build = |version: &str, proofs: Vec<Proof>| Build {
        source: "mesos".into(),
        version: version.into(),
        changelog: Some(format!("changelogs/main/m/mesos/mesos_{version}_changelog")),
        packages: vec![
            package("mesos", "cluster manager, metapackage for a machine with everything", 3_412),
            package("libmesos-1.7.2", "cluster manager, shared library", 22_953_766),
            package("mesos-agent", "cluster manager, agent", 1_153_766),
            package("mesos-master", "cluster manager, master", 953_766),
        ],
        debug: vec![package("mesos-master-dbgsym", "debug symbols for mesos-master", 80_953_766)],
        proofs,
    };
    let suite = |codename: &str, name: Option<&str>, builds: Vec<Build>| {
        Suite {
        codename: codename.into(),
        name: name.map(str::to_owned),
        number: 41,
        date: DATE,
        valid_until: DATE + 14 * 86_400,
        architectures: vec!["amd64".into(), "arm64".into()],
        components: vec!["main".into(), "debug".into()],
        install: vec![
            "curl -fsSLO https://packages.example.org/mesos/mesos-archive-keyring.deb && apt-get install ./mesos-archive-keyring.deb".into(),
            format!("curl -fsSL https://packages.example.org/mesos/mesos-{codename}.sources -o /etc/apt/sources.list.d/mesos.sources"),
            "apt-get update && apt-get install mesos".into(),
        ],
        preferences: format!("mesos-{codename}.pref"),
        builds,
        earlier: 3,
    }
    };
    let page = Repository {
        title: "Apache Mesos for Debian".into(),
        origin: "Mesos packages".into(),
        development: std::env::args().any(|argument| argument == "--development"),
        ring: "mesos-archive-keyring.gpg".into(),
        keyring: "mesos-archive-keyring".into(),
        suites: vec![
            suite(
                "bookworm",
                Some("stable"),
                vec![build("1.7.2-1+deb12u2", vec![proof]), build("1.7.2-1", vec![Proof::default()])],
            ),
            suite("trixie", None, vec![]),
        ],
        keys: vec![Key {
            user_id: "Release <release@example.org>".into(),
            fingerprint: FINGERPRINT.into(),
            stand_by: false,
            signing: vec![
                Signing { fingerprint: FINGERPRINT.into(), ends: Some(DATE + 700 * 86_400), revoked: false },
                Signing { fingerprint: FINGERPRINT.chars().rev().collect(), ends: None, revoked: false },
            ],
        }],
    };
    print!("{}", page.html());
}
