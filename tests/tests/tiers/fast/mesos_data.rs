//! The data of the Mesos recipe, judged by the programs that read it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use deb::manifest;
use recipe::components::Components;
use recipe::sources_lock::SourcesLock;
use recipe::vulnerabilities::Vulnerabilities;
use recipe::{Recipe, frozen};
use tests::{judge, repository, run};

fn mesos() -> std::path::PathBuf {
    repository().join("packaging/mesos")
}

#[test]
fn command_line_ports() {
    judge("python3", &["scripts/tests/cli.py"], &mesos());
}

#[test]
fn completion_of_the_flags() {
    judge("bash", &["scripts/tests/completion.sh"], &mesos());
    judge("shellcheck", &["--shell=bash", "config/bash-completion/mesos", "scripts/tests/completion.sh"], &mesos());
}

/// Nothing shipped holds a secret, and nothing shipped is a place where one would be looked for: credentials and keys are
/// files that the administrator makes, and the launcher says which are too open (`launcher.sh` has the cases).
#[test]
fn no_secret_is_shipped() {
    let manifest = fs::read_to_string(mesos().join("deb/Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let variants = manifest["package"]["metadata"]["deb"]["variants"].as_table().unwrap();
    let mut below_etc = Vec::new();
    for asset in variants.values().flat_map(|variant| variant["assets"].as_array().unwrap()) {
        let dest = asset["dest"].as_str().unwrap();
        if let Some(path) = dest.strip_prefix("etc/") {
            assert_eq!(asset["mode"].as_str(), Some("644"), "{dest}");
            let text = fs::read_to_string(mesos().join(asset["source"].as_str().unwrap())).unwrap();
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                for word in ["zk://", "secret", "password", "BEGIN", "CREDENTIAL"] {
                    assert!(!line.contains(word), "{dest} sets a secret for all to read: {line}");
                }
            }
            below_etc.push(path.to_owned());
        }
    }
    below_etc.sort();
    // Flag files, credentials and the ZooKeeper URL are the administrator's alone: a conffile would compete with them.
    assert_eq!(below_etc, ["default/mesos", "default/mesos-agent", "default/mesos-master", "ufw/applications.d/mesos"]);
}

/// The example of README.Debian, which `launcher.sh` starts with: what Mesos parses as JSON is JSON.
#[test]
fn example_of_security() {
    let example = mesos().join("config/examples/security");
    for file in [
        "mesos-master/acls",
        "mesos-master/credentials",
        "mesos-agent/acls",
        "mesos-agent/credential",
        "mesos-agent/executor_environment_variables",
        "mesos-agent/http_credentials",
    ] {
        let text = fs::read_to_string(example.join(file)).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap_or_else(|problem| panic!("{file}: {problem}"));
    }
}

#[test]
fn shell_scripts() {
    let mut scripts = vec!["scripts/mesos-init-wrapper".to_owned()];
    for folder in ["deb/mesos-master", "deb/mesos-agent", "deb/mesos-common", "deb/python3-mesos"] {
        for name in ["preinst", "postinst", "prerm", "postrm"] {
            let path = format!("{folder}/{name}");
            if mesos().join(&path).exists() {
                scripts.push(path);
            }
        }
    }
    for folder in ["phases", "bin"] {
        for entry in fs::read_dir(mesos().join(folder)).expect("scripts").flatten() {
            // The one in Perl: `unity.rs` runs it.
            if entry.file_name() != "unity" {
                scripts.push(format!("{folder}/{}", entry.file_name().display()));
            }
        }
    }
    for name in ["environment", "zk", "master", "agent"] {
        scripts.push(format!("cluster/{name}"));
    }
    for entry in fs::read_dir(mesos().join("cluster/scenarios")).expect("scenarios").flatten() {
        scripts.push(format!("cluster/scenarios/{}", entry.file_name().display()));
    }
    for name in ["launcher", "isolation", "cases", "takeover"] {
        scripts.push(format!("scripts/tests/{name}.sh"));
    }
    assert!(scripts.len() > 26);
    // What a script sources is judged with it.
    let mut arguments = vec!["--shell=sh", "--external-sources"];
    arguments.extend(scripts.iter().map(String::as_str));
    judge("shellcheck", &arguments, &mesos());
    judge("shellcheck", &["--shell=bash", "scripts/launcher/fragments"], &mesos());
}

/// The folders of a machine as far as the units and the launcher look at them.
fn machine() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (from, to) in [
        ("systemd/mesos-master.service", "usr/lib/systemd/system/mesos-master.service"),
        ("systemd/mesos-agent.service", "usr/lib/systemd/system/mesos-agent.service"),
        ("systemd/mesos-containers.service", "usr/lib/systemd/system/mesos-containers.service"),
        ("scripts/mesos-init-wrapper", "usr/bin/mesos-init-wrapper"),
        ("/bin/sh", "bin/sh"),
    ] {
        let to = root.path().join(to);
        fs::create_dir_all(to.parent().expect("a folder")).unwrap();
        fs::copy(mesos().join(from), to).unwrap();
    }
    root
}

/// The isolator's own tests, of what needs neither Mesos nor a kernel with control groups of version 2. The build runs them, too.
#[test]
fn isolator_without_an_agent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join("test");
    let program = program.to_str().expect("a plain name");
    let sources = ["test.cpp", "group.cpp", "limits.cpp", "events.cpp"];
    let flags = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-o", program];
    judge("g++", &[&flags[..], &sources].concat(), &mesos().join("cgroups2"));
    assert!(judge(program, &[], folder.path()).contains(" 0 failed"));
}

#[test]
fn units_are_valid() {
    let root = machine();
    let root_flag = format!("--root={}", root.path().display());
    // Of the units these refer to (sysinit.target, docker.service) none is in the folder.
    let verify = ["verify", "--man=no", "--recursive-errors=no", &root_flag];
    let units = ["mesos-master.service", "mesos-agent.service", "mesos-containers.service"];
    let said = judge("systemd-analyze", &[&verify[..], &units].concat(), &mesos());
    assert!(!said.contains("mesos-init-wrapper is not executable"), "{said}");
    // What systemd does not know or cannot parse it ignores, with a word.
    assert!(!said.contains("ignoring"), "{said}");
}

/// The master is to be at 2.0 or less; the agent has to start tasks as other users and use cgroups. The thresholds, in
/// tenths, are what was reached: a setting that gets lost shows.
/// Ended after systemd's 90 s, a start on a slow machine would only begin anew, beside what the first one left.
#[test]
fn a_slow_start_is_waited_for() {
    for unit in ["mesos-master.service", "mesos-agent.service"] {
        let text = fs::read_to_string(mesos().join("systemd").join(unit)).unwrap();
        let limit = text.lines().find_map(|line| line.strip_prefix("TimeoutStartSec="));
        let said = judge("systemd-analyze", &["timespan", limit.expect(unit)], &mesos());
        let seconds = said.lines().find_map(|line| line.trim().strip_prefix("μs:")).expect("a span").trim().to_owned();
        assert!(seconds.parse::<u64>().unwrap() >= 300_000_000, "{unit}: {said}");
    }
}

#[test]
fn exposure_of_the_units() {
    for (unit, threshold) in [("mesos-master.service", "14"), ("mesos-agent.service", "89")] {
        let path = mesos().join("systemd").join(unit);
        let path = path.to_str().expect("a plain name");
        judge(
            "systemd-analyze",
            &["security", "--offline=true", &format!("--threshold={threshold}"), path],
            &repository(),
        );
    }
}

/// What `systemd-analyze security` marks on the agent is named in the unit, with the reason why it stays.
#[test]
fn open_items_of_the_agent_are_justified() {
    let unit = fs::read_to_string(mesos().join("systemd/mesos-agent.service")).unwrap();
    let path = mesos().join("systemd/mesos-agent.service");
    let path = path.to_str().expect("a plain name");
    let said = judge("systemd-analyze", &["security", "--offline=true", "--no-pager", path], &mesos());
    let mut seen = 0;
    for line in said.lines().filter_map(|line| line.strip_prefix("✗ ")) {
        // `User=/DynamicUser=` and `CapabilityBoundingSet=~CAP_SYS_ADMIN` are one item each.
        let item = line.split_whitespace().next().expect("an item").split('/').next().expect("a setting");
        let (setting, value) = item.split_once('=').expect("a setting");
        seen += 1;
        if setting != "CapabilityBoundingSet" {
            assert!(unit.contains(&format!("{setting}=")), "{setting} is not justified in {path}");
            continue;
        }
        // Such as ~CAP_SYS_ADMIN, ~CAP_(DAC_*|FOWNER|IPC_OWNER), ~CAP_SET(UID|GID|PCAP) or ~CAP_NET_(RAW|…).
        let value = value.trim_start_matches("~CAP_").trim_end_matches('*');
        let (stem, rest) = value.split_once('(').unwrap_or((value, ""));
        for end in rest.trim_end_matches(')').split('|') {
            let name = format!("{stem}{}", end.trim_end_matches('*'));
            let family = name.split_once('_').map(|(family, _)| format!("{family}_…"));
            let named = unit.contains(&name) || family.is_some_and(|family| unit.contains(&family));
            assert!(named, "CAP_{name} is not justified in {path}");
        }
    }
    assert!(seen > 20, "{said}");
}

#[test]
fn manual_pages() {
    for entry in fs::read_dir(mesos().join("man")).expect("pages").flatten() {
        let path = entry.path();
        // A page that only refers to another one (.so) is judged where both are installed, by lintian.
        if !fs::read_to_string(&path).unwrap().starts_with(".so ") {
            let said = run(Command::new("man").args(["--warnings", "--local-file"]).arg(&path).env("MANROFFSEQ", ""));
            assert_eq!(said.stderr, "", "{}", path.display());
            assert!(said.stdout.contains("NAME"), "{}", path.display());
        }
    }
}

/// Recipes pin by digest and name their bundled files once.
#[test]
fn bundled_tarballs_are_pinned() {
    let lock = recipe::sources_lock::SourcesLock::read(&mesos().join("sources.lock")).expect("a lock");
    assert!(lock.bundled.len() > 20, "{}", lock.bundled.len());
    let mut names: Vec<_> = lock.bundled.iter().map(|file| &file.path).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), lock.bundled.len());
}

#[test]
fn every_archive_that_mesos_bundles_is_accounted_for() {
    // As it is built from: with the version in the packages' names.
    let copy = tempfile::tempdir().unwrap();
    let folder = copy.path().join("mesos");
    let recipe = frozen::copy_to(&Recipe::read(&mesos()).unwrap(), &folder).unwrap();
    let lock = SourcesLock::read(&folder.join("sources.lock")).unwrap();
    let manifest = manifest::read(&folder).unwrap();
    let packages: Vec<&str> = manifest.packages.iter().map(|package| package.name.as_str()).collect();
    let components = Components::read(&folder, &lock, &packages).unwrap().expect("a file");
    let inside: BTreeSet<&String> = components.others.iter().filter_map(|one| one.bundled.as_ref()).collect();
    let outside = lock.bundled.iter().map(|file| &file.path).filter(|path| !inside.contains(path));
    let names: Vec<&str> =
        outside.map(|path| path.trim_start_matches("3rdparty/").split(['-', '.']).next().unwrap()).collect();
    // As the file's head says.
    assert_eq!(names, ["bzip2", "googletest", "jemalloc", "libev", "pip", "setuptools", "wheel", "xz"]);
    // What is said of vulnerabilities names components as the bills do, with or without their version.
    let known = Vulnerabilities::read(&folder, &recipe.file.cherry_picks).unwrap().expect("a file");
    for one in known.all.iter().filter_map(|one| one.component.as_ref()) {
        let named = |purl: &String| purl == one || purl.split('@').next() == Some(one);
        assert!(components.others.iter().any(|component| named(&component.purl)), "{one}");
    }
    // What is bundled has the version that its archive has.
    for one in &components.others {
        if let (Some(bundled), Some(version)) = (&one.bundled, &one.version) {
            assert!(bundled.contains(&format!("-{version}")), "{bundled} and {version}");
        }
    }
}
