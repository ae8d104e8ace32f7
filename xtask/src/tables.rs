//! Every table that a person reads, whole, in `tests/snapshots/` beside the errors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use apt::listed::Listed;
use cluster::{Finding, NodeStatus, Status, UnitStatus};
use engine::EngineInfo;
use fetch::debian::changes::Change;
use foundation::digest::Digest;
use pipeline::{Lag, TargetLag};
use recipe::Recipe;
use repository::{
    Added, Listing, Made, Pruned, PrunedSnapshot, Publication, Removed, Served, ServedSuite, Snapshot, Sound,
    SuiteListing,
};
use serde_json::{Value, json};
use statements::check::summary::ShardFigures;
use statements::verify::Verified;

use crate::arguments::repository;
use crate::commands::repo::output;
use crate::commands::{
    check, cluster as of_cluster, diff, doctor, explain, lock, outdated, package, release, size, verify,
};
use crate::targets::{self, Ended};

#[track_caller]
fn keep(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("table.{name}"), text);
    });
}

fn phase(name: &str, wall: f64, killed: &[&str]) -> Value {
    json!({
        "name": name, "wall-seconds": wall, "cpu-seconds": wall * 1.8, "peak-memory": 5_u64 << 30, "peak-rss": 4_u64 << 30,
        "jobs": 4, "killed-for-memory": killed,
    })
}

#[test]
fn of_packages() {
    let digest = Digest::of("demo");
    let packages = ["mesos-master", "libmesos-dev"].map(|name| {
        json!({
            "name": name, "architecture": "amd64", "file": format!("{name}_1.0_amd64.deb"), "size": 12_345_678,
            "sha256": digest, "unsigned-sha256": digest, "writing-seconds": 2.5, "threads": 2, "signing-seconds": 0.04,
        })
    });
    let report = json!({
        "recipe": "mesos", "version": "1.0", "target": "debian-12/amd64", "plan": digest, "source-date-epoch": 1_550_000_000,
        "source": digest, "origin": {}, "deviations": [{ "commit": "0aa065f3", "differs": "one file was changed, added or missing (configure.ac)" }], "build-root": digest,
        "key": { "fingerprint": "6A38", "primary": "6A38", "user_id": "Demo", "kind": "development", "created": 0 },
        "phases": [phase("configure", 61.0, &[]), phase("build", 4321.0, &["src/master/master.cpp"])],
        "packing": { "split": phase("split", 12.0, &[]), "writing-seconds": 3.0, "signing-seconds": 0.1, "threads": 2 },
        "packages": packages,
        "check": { "key": digest, "sound": true, "verdicts": { "passed": 2000, "flaky": 1, "failed": 0 } },
    });
    let published = pipeline::Published {
        folder: "dist/debian-12-amd64".into(),
        report: serde_json::from_value(report).unwrap(),
        unchanged: false,
        seconds: 4567.0,
    };
    keep("package", &package::table(&published));
}

#[test]
fn of_several_targets() {
    let ended = |target: &str, exit_code, place: Option<&str>, seconds| Ended {
        target: target.parse().unwrap(),
        exit_code,
        error: None,
        place: place.map(Into::into),
        seconds,
    };
    let all =
        [ended("debian-12/amd64", 0, Some("dist/debian-12-amd64"), 1692.0), ended("debian-13/arm64", 1, None, 41.0)];
    keep("targets", &targets::table(&all));
}

#[test]
fn of_a_check() {
    let shard =
        |name: &str, peak_memory| ShardFigures { name: name.into(), tests: 4, seconds: 61.0, peak_memory, restarts: 0 };
    keep("check", &check::conclusion(&[shard("mesos-tests-1", 3 << 29), shard("stout-tests", 1 << 28)], 1, 90.0));
}

#[test]
fn of_a_verified_folder() {
    let key = sign::gpgv::Signatory {
        fingerprint: "6A38E98C".into(),
        primary: "AAABCF48".into(),
        user_id: "Release <release@example.org>".into(),
    };
    let tests = json!({
        "result": "WARNED", "configuration": [], "passedTests": ["a", "b"], "warnedTests": ["c"], "failedTests": [],
    });
    let verified = Verified {
        files: 20,
        digests: std::collections::BTreeMap::new(),
        packages: vec!["demo_1.0_amd64.deb".into()],
        signed: vec!["SHA256SUMS".into(), "demo_1.0_amd64.changes".into()],
        provenance: None,
        bills: 1,
        tests: Some(serde_json::from_value(tests).unwrap()),
        keys: vec![key],
    };
    keep("verify", &(verify::text(&verified) + "\n" + &verify::text(&Verified::default())));
}

#[test]
fn of_sizes() {
    let names = |names: &[(&str, u64)]| names.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
    let size = statements::size::PackageSize {
        file: "demo_1.0_amd64.deb".into(),
        compressed: 3 << 20,
        installed: (9 << 20) + 100,
        folders: names(&[("usr/lib/demo", 9 << 20), ("usr/bin", 100)]),
        files: names(&[("usr/lib/demo/libdemo.so", 9 << 20), ("usr/bin/demo", 100)]),
    };
    keep("size", &size::table(&[size]));
}

#[test]
fn of_a_comparison() {
    use statements::diff::{
        Changed, Comparison, ControlChange, Fact, FieldChange, File, FileChange, FileKind, Package,
    };
    let package = |name: &str, version: &str, size: u64| Package {
        name: name.into(),
        architecture: "amd64".into(),
        version: version.into(),
        file: format!("{name}_{version}_amd64.deb"),
        compressed: size,
        installed: 3 * size,
        sha256: Digest::of(version),
        unsigned_sha256: Digest::of(version),
    };
    let file = |path: &str, mode: &str, size| File {
        path: path.into(),
        kind: FileKind::File,
        mode: mode.into(),
        owner: "root:root".into(),
        target: None,
        size,
        sha256: Some(Digest::of(path)),
    };
    let link =
        |target: &str| File { kind: FileKind::Link, target: Some(target.into()), ..file("usr/bin/other", "777", 0) };
    let field = |field: &str, old: Option<&str>, new: Option<&str>| FieldChange {
        field: field.into(),
        old: old.map(Into::into),
        new: new.map(Into::into),
        added: Vec::new(),
        removed: Vec::new(),
    };
    let one = Digest::of("one");
    let changed = Changed {
        old: package("demo", "1.0-1", 3 << 20),
        new: package("demo", "1.1-1", 2 << 20),
        fields: vec![
            FieldChange {
                added: vec!["libc6 (>= 2.41)".into()],
                removed: vec!["libc6 (>= 2.36)".into()],
                ..field("Depends", None, None)
            },
            field("Description", Some("it\n more"), Some("it\n much more")),
            field("Section", Some("net"), Some("admin")),
            field("Homepage", None, Some("https://example.org")),
        ],
        control: vec![
            ControlChange { name: "postinst".into(), old: Some(one), new: Some(Digest::of("two")) },
            ControlChange { name: "triggers".into(), old: None, new: Some(one) },
        ],
        added: (1..=22).map(|n| file(&format!("usr/share/demo/{n:02}"), "644", 1 << n)).collect(),
        removed: vec![file("usr/share/demo/old", "644", 7)],
        changed: vec![
            FileChange {
                old: file("usr/bin/demo", "755", 100),
                new: File { owner: "root:demo".into(), ..file("usr/bin/demo", "4755", 90) },
                what: vec![Fact::Mode, Fact::Owner, Fact::Content],
            },
            FileChange { old: link("demo"), new: link("demo-1"), what: vec![Fact::Target] },
            FileChange {
                old: link("demo"),
                new: file("usr/bin/other", "755", 5),
                what: vec![Fact::Kind, Fact::Mode, Fact::Target, Fact::Content],
            },
        ],
        dated_otherwise: 4,
    };
    let packed = Changed {
        old: package("packed", "1.0-1", 4 << 20),
        new: package("packed", "1.0-1", 4 << 20),
        fields: Vec::new(),
        control: Vec::new(),
        added: Vec::new(),
        removed: Vec::new(),
        changed: Vec::new(),
        dated_otherwise: 0,
    };
    let comparison = Comparison {
        old: "dist/old".into(),
        new: "dist/new".into(),
        same: vec![package("same", "1.0-1", 1 << 20)],
        signed_otherwise: vec!["same_1.0-1_amd64.deb".into()],
        removed: vec![package("gone", "1.0-1", 1 << 20)],
        added: vec![package("new", "1.1-1", 1 << 20)],
        changed: vec![changed, packed],
    };
    keep("diff", &diff::text(&comparison));
}

#[test]
fn of_an_explanation() {
    use pipeline::explain::{Change, Explained, Explanation, Kind, Why};
    let stage = |stage: &str, why, because_of: Option<&str>, changes: Vec<Change>| Explained {
        stage: stage.into(),
        why,
        because_of: because_of.map(Into::into),
        last_run: Some(1_800_000_000),
        changes,
    };
    let change = |kind, name: &str, old: Option<&str>, new: Option<&str>| Change {
        kind,
        name: name.into(),
        old: old.map(Into::into),
        new: new.map(Into::into),
    };
    let (one, two) = (Digest::of("one").to_string(), Digest::of("two").to_string());
    let long = "-O2 ".repeat(20);
    let changes = vec![
        change(Kind::File, "phases/configure", Some(&one), Some(&two)),
        change(Kind::File, "patches/new", None, Some(&two)),
        change(Kind::Package, "libssl-dev", Some("3.0.11-1"), Some("3.0.15-1")),
        change(Kind::Package, "make", Some("4.3-4.1"), None),
        change(Kind::Variable, "CXXFLAGS", Some("-O2"), Some("-O3")),
        change(Kind::Variable, "LONG", Some(&long), Some("")),
        change(Kind::Source, "tree", Some(&one), Some(&two)),
        change(Kind::Target, "base", Some("[]"), Some("[\"make\"]")),
        change(Kind::Tool, "the script that runs a phase", Some(&one), Some(&two)),
        change(Kind::Plan, "version of the packages", Some("1.0-1"), Some("1.0-2")),
        change(Kind::Stage, "bootstrap", None, Some("bootstrap")),
    ];
    let explanation = |stages: Vec<Explained>| Explanation {
        recipe: "demo".into(),
        target: "debian-12/amd64".parse().unwrap(),
        stages,
    };
    let some = explanation(vec![
        stage("build root", Why::Kept, None, Vec::new()),
        stage("bootstrap", Why::Gone, None, Vec::new()),
        stage("configure", Why::Changed, None, changes),
        stage("build", Why::Follows, Some("configure"), Vec::new()),
        stage("check", Why::Failed, None, Vec::new()),
        stage("install", Why::New, None, Vec::new()),
    ]);
    let kept = explanation(vec![stage("build root", Why::Kept, None, Vec::new())]);
    let new = explanation(vec![Explained { last_run: None, ..stage("build root", Why::New, None, Vec::new()) }]);
    keep("explain", &[some, kept, new].map(|one| explain::text(&one)).join("\n"));
}

#[test]
fn of_locks() {
    let change = |package: &str, old: Option<&str>, new: Option<&str>, suite: Option<&str>, closes: &[&str]| Change {
        package: package.into(),
        architecture: "amd64".into(),
        old: old.map(Into::into),
        new: new.map(Into::into),
        suite: suite.map(Into::into),
        security: suite.is_some_and(recipe::archives::is_security),
        closes: closes.iter().map(|name| (*name).to_owned()).collect(),
    };
    let security = Some("trixie-security");
    let changes = vec![
        change("libssl3t64", Some("3.5.1-1"), Some("3.5.4-1~deb13u1"), security, &["CVE-2026-0001", "CVE-2026-0002"]),
        change("libzstd1", Some("1.5.7+dfsg-1"), Some("1.5.7+dfsg-1+deb13u1"), security, &[]),
        change("old", Some("1"), None, None, &[]),
        change("young", None, Some("2"), Some("trixie"), &[]),
    ];
    let lag = |of: &str, behind: Vec<Change>| Lag {
        of: of.into(),
        lock: "demo.lock".into(),
        packages: 180,
        older: Vec::new(),
        behind,
    };
    let of = |target: &str, locks: Vec<Lag>, error: Option<&str>| TargetLag {
        target: target.parse().unwrap(),
        locks,
        error: error.map(Into::into),
    };
    let locks = vec![lag("build root", changes.clone()), lag("node root", Vec::new())];
    let all = [
        of("debian-13/amd64", locks, None),
        of("debian-12/amd64", Vec::new(), Some("error: it was said already")),
        of("ubuntu-24.04/amd64", Vec::new(), None),
    ];
    keep("outdated", &outdated::text(&all, "demo"));
    keep("lock-upgrade", &[changes, Vec::new()].map(|changes| lock::table(&changes)).join("\n"));
}

#[test]
fn of_a_repository() {
    let package = |version: &str| Listed {
        name: "demo".into(),
        version: version.into(),
        architecture: "amd64".into(),
        component: "main".into(),
        path: format!("pool/main/d/demo/demo_{version}_amd64.deb"),
        size: 1234,
        sha256: Digest::of(version),
    };
    let snapshot = |number, made| Snapshot {
        number,
        codename: "bookworm".into(),
        made,
        date: 1_800_000_000,
        valid_until: 1_802_592_000,
        signed_by: Vec::new(),
        packages: vec![package("1.0-1")],
        files: BTreeMap::new(),
    };
    let keys = || BTreeMap::from([("6A38E98C".to_owned(), "Archive <archive@example.org>".to_owned())]);
    let suite = SuiteListing {
        live: Some(3),
        snapshots: vec![snapshot(1, Made::Publish), snapshot(2, Made::Refresh), snapshot(3, Made::Rollback(1))],
        staged: vec![package("1.1-1")],
    };
    let listing = Listing { development: true, keys: keys(), suites: BTreeMap::from([("bookworm".to_owned(), suite)]) };
    keep("repo-list", &output::listing(&listing));
    let added =
        |new, known| Added { dist: "dist".into(), codename: "bookworm".into(), new, known, overlooked: Vec::new() };
    keep("repo-add", &output::added(&[added(vec![package("1.1-1")], 0), added(Vec::new(), 2)]));
    let published = |unchanged, dropped| Publication {
        snapshot: snapshot(4, Made::Publish),
        added: 1,
        removed: 0,
        unchanged,
        dropped,
    };
    let publications = [published(false, vec![]), published(false, vec![package("0.9-1")]), published(true, vec![])];
    keep("repo-publish", &output::published(&publications));
    let removed = Removed {
        packages: vec![package("1.0-1")],
        unpublished: vec![package("1.1-1")],
        published: Some(published(false, vec![])),
    };
    keep("repo-remove", &output::removed("bookworm", &removed));
    keep(
        "repo-verify",
        &output::sound(&Sound { snapshots: 3, packages: 12, bytes: 5 << 30, indices: 40, keys: keys() }),
    );
    let suites =
        BTreeMap::from([("bookworm".to_owned(), ServedSuite { date: 1_770_000_000, valid_until: 1_771_209_600 })]);
    keep("repo-verify-from", &output::served(&Served { suites, indices: 12, packages: 5, bytes: 5 << 20 }));
    let pruned = |number| PrunedSnapshot { codename: "bookworm".into(), number, valid_until: 1_802_592_000 };
    keep("repo-prune", &output::pruned(&Pruned { snapshots: vec![pruned(1)], held: vec![pruned(2)], files: 7 }));
}

#[test]
fn of_a_cluster() {
    let node = |name: &str, units: &[(&str, &str)], leads, web: Option<&str>| NodeStatus {
        name: name.into(),
        role: "master".into(),
        address: "172.20.0.2".into(),
        units: units
            .iter()
            .map(|(unit, active)| UnitStatus { unit: (*unit).into(), active: (*active).into() })
            .collect(),
        leads,
        agents: (leads == Some(true)).then_some(2),
        web: web.map(Into::into),
    };
    let mut status = Status {
        name: "trial".into(),
        recipe: "mesos".into(),
        target: "debian-12/amd64".into(),
        up: true,
        nodes: vec![
            node("master1", &[("mesos-master.service", "active")], Some(true), Some("http://127.0.0.1:5050")),
            node("master2", &[("mesos-master.service", "active")], Some(false), None),
            node("agent1", &[("mesos-slave.service", "failed")], None, None),
            node("agent2", &[], None, None),
        ],
    };
    let up = of_cluster::table(&status);
    status.up = false;
    status.nodes.truncate(1);
    keep("cluster-status", &(up + "\n" + &of_cluster::table(&status)));
    let record = json!({
        "name": "mine", "recipe": "mesos", "target": "debian-12/amd64", "dist": "dist", "state": { "port": 5050, "path": "/state", "agents": "agents" }, "environment": {},
        "test": false, "up": true, "web": { "master1": "http://127.0.0.1:5050" },
        "nodes": [{ "name": "master1", "role": "master", "kind": "masters", "container": "c", "address": "172.20.0.2", "units": [] }],
    });
    keep("cluster-up", &of_cluster::described(&serde_json::from_value(record).unwrap(), "master1", 75.0));
    let finding = |scenario: &str, failure: Option<&str>, skipped: Option<&str>| Finding {
        scenario: scenario.into(),
        checks: "what apt says".into(),
        seconds: 75.0,
        figures: vec!["2 packages".into()],
        skipped: skipped.map(Into::into),
        journals: failure.map(|_| PathBuf::from("dist/cluster/debian-12-amd64/journals")),
        failure: failure.map(Into::into),
    };
    let findings = [
        finding("install", None, None),
        finding("failover", Some("no leader was elected within 60 s:\nmaster1 does not answer"), None),
        finding("browser", None, Some("no browser is installed")),
    ];
    keep("cluster-test", &of_cluster::findings_table(&findings));
}

#[test]
fn of_this_machine() {
    let info = EngineInfo {
        name: "Docker".into(),
        version: "28.2.2".into(),
        api: "1.41".into(),
        cgroup_version: 2,
        storage_driver: "overlay2".into(),
        cpus: 8,
        memory_bytes: 32 << 30,
        // What a remote machine has to spare is not asked of this one.
        remote: true,
        endpoint: "tcp://build.example.org:2376".into(),
    };
    let recipe = Recipe::read(&repository().join("packaging/mesos")).unwrap();
    let small = EngineInfo { memory_bytes: 2 << 30, ..info.clone() };
    keep(
        "doctor",
        &(doctor::table(&doctor::of_engine(&info, &recipe))
            + "\n"
            + &doctor::table(&doctor::of_engine(&small, &recipe))),
    );
}

#[test]
fn of_a_release() {
    keep("release", &release::table(&[("plan", 0.4), ("package", 4567.0)], true));
}

#[test]
fn of_measurements() {
    let row = |letter: &str, what: &str, wall: f64| {
        json!({
            "row": letter, "what": what, "wall-seconds": wall, "cpu-seconds": wall * 1.9, "peak-memory": 3_u64 << 30,
            "wall-ratio": wall / 4000.0, "cpu-ratio": wall / 4000.0, "tool-cpu-seconds": 0.5, "tool-peak-memory": 30 << 20,
            "phases": [phase("build", wall, &[])], "stages": [{ "name": "packages", "seconds": 3.5 }],
        })
    };
    let report = json!({
        "format": 1, "tool": "0.1.0", "date": "2026-11-23T10:00:00Z",
        "machine": { "cpu": "Some CPU", "processors": 2, "memory": 24_u64 << 30, "kernel": "6.1.0", "engine": "Docker 28.2" },
        "recipe": "mesos", "version": "1.0", "target": "debian-12/amd64", "plan": Digest::of("plan"),
        "rows": [row("a", "upstream's own way", 4000.0), row("b", "cold, from source to packages", 2000.0)],
        "comparison": {
            "files": 100, "missing-files": ["/usr/lib/libdemo.la"], "symbols": 2000, "missing-symbols": [["libdemo.so", "demo_init"]],
            "excused": [{ "patterns": ["**/*.pyc"], "reason": "made at installation", "files": 3 }],
            "added-symbols": [], "weak-symbols": [10, 11],
        },
    });
    let report: bench::BenchReport = serde_json::from_value(report).unwrap();
    keep("bench", &report.text());
    let sizes =
        json!({ "format": 1, "sizes": [{ "files": 50, "report": report }, { "files": 200, "report": report }] });
    keep("bench-growth", &serde_json::from_value::<bench::GrowthReport>(sizes).unwrap().text());
}
