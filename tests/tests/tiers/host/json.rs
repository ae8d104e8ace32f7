//! What commands print with `--json` is what `docs/schemas/output` says; those that need an engine are judged where they run.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::apt::Server;
use tests::dist::{Dist, TestKey};
use tests::schema::{answer, conforms};
use tests::{Ran, Workshop, digests, replace, repository, run, sample_copy, tool};

#[test]
fn of_folders_of_packages() {
    let (workshop, out, key) = (Workshop::empty(), tempfile::tempdir().unwrap(), TestKey::new("Test Release"));
    let folders = ["1.0-1", "1.1-1"].map(|version| {
        let folder = out.path().join(version);
        Dist::new(version).write(&folder, &key);
        folder.display().to_string()
    });
    let sizes = workshop.run(&["size", "--json", &folders[0]]).success().stdout;
    conforms("size", &[&sizes]);
    let verified = workshop.run(&["verify", "--json", &folders[0]]).success().stdout;
    let verified = &conforms("verify", &[&verified])[0];
    assert_eq!(
        (&verified["packages"][0], &verified["tests"]["passed"]),
        (&"demo-tools_1.0-1_amd64.deb".into(), &1.into())
    );
    let same = workshop.run(&["diff", "--json", &folders[0], &folders[0]]).success().stdout;
    let differs = workshop.run(&["diff", "--json", &folders[0], &folders[1]]).fails(3, &[]).stdout;
    let values = conforms("diff", &[&same, &differs]);
    assert_eq!((values[0]["same"].as_array().unwrap().len(), values[1]["changed"].as_array().unwrap().len()), (2, 2));
}

#[test]
fn of_this_machine_and_what_is_built() {
    let workshop = Workshop::empty();
    let found = workshop.run(&["doctor", "--recipe", "sample", "--json"]).fails(4, &["does not answer"]);
    conforms("doctor", &[&found.stdout]);
    let explained = workshop.run(&["explain", "--recipe", "sample", "--offline", "--json"]).success().stdout;
    let explained = &conforms("explain", &[answer(&explained)])[0];
    assert_eq!(explained["stages"][0]["why"], "new");
    let both = ["--target", "debian-99/amd64", "--target", "debian-12/amd64"];
    let failed = workshop.run(&[&["package", "--recipe", "sample", "--json", "--offline"], &both[..]].concat());
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let (last, events) = (answer(&failed.stdout), failed.stdout.lines().count() - 1);
    conforms("targets", &[last]);
    conforms("event", &failed.stdout.lines().take(events).collect::<Vec<_>>());
}

/// Locks compared with the real archive, one of which has a package that is older than any that the archive ever had.
#[test]
fn of_locks_that_are_behind() {
    let (workshop, (_kept, sample)) = (Workshop::empty(), sample_copy());
    replace(
        &sample.join("debian-12-amd64.farm.lock"),
        "name = \"distcc\"\nversion = \"",
        "name = \"distcc\"\nversion = \"0~",
    );
    let before = digests(&sample, "lock");
    let recipe = sample.display().to_string();
    let outdated = ["outdated", "--recipe", &recipe, "--target", "debian-12/amd64"];
    let told = workshop.run(&[&outdated[..], &["--json"]].concat()).fails(3, &[]).stdout;
    let told = &conforms("outdated", &[answer(&told)])[0][0];
    assert_eq!((&told["target"], &told["error"]), (&"debian-12/amd64".into(), &serde_json::Value::Null));
    let locks: Vec<&str> = told["locks"].as_array().unwrap().iter().map(|lock| lock["of"].as_str().unwrap()).collect();
    assert_eq!(locks, ["build root", "node root", "virtual machine", "compile farm"]);
    let behind = told["locks"][3]["behind"].as_array().unwrap();
    let distcc = behind.iter().find(|change| change["package"] == "distcc").expect("it is behind");
    assert!(distcc["old"].as_str().unwrap().starts_with("0~") && distcc["suite"] == "bookworm", "{distcc}");
    let said = workshop.run(&outdated).fails(3, &[]).stdout;
    assert!(said.contains("\n  distcc ") && said.contains(" -> ") && said.contains("  bookworm\n"), "{said}");
    assert_eq!(digests(&sample, "lock"), before, "nothing is changed");
}

/// A repository command, with what it needs to sign.
fn repo(folder: &Path, key: &TestKey, arguments: &[&str]) -> Ran {
    let mut command = Command::new(tool());
    command.arg("repo").arg(arguments[0]).arg(folder).args(&arguments[1..]).arg("--json");
    if ["init", "publish", "refresh", "rollback", "remove"].contains(&arguments[0]) {
        command.arg("--key-file").arg(key.secret());
    }
    run(command.env_remove("http_proxy").env_remove("no_proxy"))
}

#[test]
fn of_a_repository() {
    let (out, key) = (tempfile::tempdir().unwrap(), TestKey::new("Test Release"));
    let (folder, place) = (out.path().join("repository"), out.path().join("place"));
    let dist = |version: &str| {
        let folder = out.path().join(version);
        Dist::new(version).write(&folder, &key);
        folder.display().to_string()
    };
    let server = Server::new(&place);
    let tell = |arguments: &[&str]| repo(&folder, &key, arguments).success().stdout;
    let mut published = vec![tell(&["init", "--codename", "bookworm", "--uri", &server.uri()])];
    let added = tell(&["add", &dist("1.0-1")]);
    published.push(tell(&["publish"]));
    let both = tell(&["publish", &dist("1.1-1"), "--to", &place.display().to_string()]);
    let [more, second, pushed] = both.lines().collect::<Vec<_>>()[..] else { panic!("{both}") };
    conforms("repo-add", &[&added, more]);
    conforms("repo-push", &[pushed]);
    conforms("repo-list", &[&tell(&["list"])]);
    conforms("repo-verify", &[&tell(&["verify"])]);
    conforms("repo-verify-from", &[&tell(&["verify", "--from", &server.uri()])]);
    published.push(tell(&["refresh"]));
    published.push(tell(&["rollback", "2"]));
    published.push(second.to_owned());
    conforms("repo-publish", &published.iter().map(String::as_str).collect::<Vec<_>>());
    conforms("repo-remove", &[&tell(&["remove", "demo-tools=1.0-1"])]);
    let status = repo(&folder, &key, &["status"]);
    conforms("repo-status", &[&status.stdout]);
    conforms("repo-prune", &[&tell(&["prune", "--keep", "1"])]);
    conforms("repo-recover", &[&tell(&["recover"])]);
}

/// Every schema is used by one of the tests here or of those that need an engine.
#[test]
fn every_schema_is_tried() {
    let here = repository().join("tests/tests/tiers");
    let texts: String =
        ["host/json.rs", "engine/cluster.rs", "engine/explain.rs", "engine/new_target.rs", "engine/share.rs"]
            .map(|file| fs::read_to_string(here.join(file)).unwrap())
            .concat();
    for entry in fs::read_dir(repository().join("docs/schemas/output")).unwrap().flatten() {
        let name = entry.path().file_stem().unwrap().to_string_lossy().into_owned();
        // What is locked is what the archive has today, which no test waits for.
        if name == "lock" {
            continue;
        }
        assert!(texts.contains(&format!("conforms(\"{name}\"")), "no test prints what {name}.json describes");
    }
}
