//! Packages leave a suite: by name, by the rule of the suite, and with old snapshots; and nobody who may still ask for them is let
//! down.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::apt::Client;
use tests::dist::{Deb, Dist};
use tests::{run, run_off, tool};

use super::repository_gate::Room;

#[test]
fn packages_are_removed_from_a_suite() {
    let room = Room::new();
    let mut dist = Dist::new("1.0-1");
    let debug = Deb { section: "debug", architecture: "amd64", ..Deb::new("demo-tools-dbgsym") };
    dist.debs.push(Deb { fields: "Depends: demo-tools (= 1.0-1)\n".into(), ..debug });
    let first = room.dist("first", &dist);
    room.repo(&["publish", &first]).success();
    let second = room.demo("1.1-1");
    room.repo(&["publish", &second]).success();
    let client = Client::new(&room.repository());
    client.update().success();
    assert_eq!(client.candidate("demo-tools").as_deref(), Some("1.1-1"));
    // Mistakes change nothing.
    let refused = |arguments: &[&str], code: i32, says: &[&str]| {
        let before = room.served();
        room.repo(&[&["remove"], arguments].concat()).fails(code, says);
        assert_eq!(room.served(), before);
    };
    refused(&["demo=1.2-1"], 1, &["bookworm has no demo=1.2-1, only version 1.0-1, 1.1-1", "repo list --json"]);
    refused(&["dmeo=1.1-1"], 1, &["bookworm has no dmeo=1.1-1"]);
    refused(&["demo"], 2, &["'demo' is not NAME=VERSION"]);
    refused(&["demo=1.1-1", "--codename", "trixie"], 1, &["no codename 'trixie'"]);
    refused(&["mesos-archive-keyring=1"], 1, &["the repository's own keys, which clients cannot be without"]);
    // The newest goes, and clients go back to what there is.
    let ran = room.repo(&["remove", "demo-tools=1.1-1"]).success().stdout;
    for says in
        ["bookworm  removed: demo-tools 1.1-1 amd64  pool/main/d/demo/demo-tools_1.1-1_amd64.deb", "0 new, 1 gone"]
    {
        assert!(ran.contains(says), "{ran}");
    }
    client.update().success();
    assert_eq!(client.candidate("demo-tools").as_deref(), Some("1.0-1"));
    // What needs it keeps it; together they go, and debug symbols with what they are of.
    room.repo(&["remove", "demo=1.1-1"]).success();
    refused(
        &["demo=1.0-1"],
        3,
        &["demo-tools_1.0-1_amd64.deb: this tool says: it needs demo, which the suite does not have"],
    );
    let ran = room.repo(&["remove", "demo=1.0-1", "demo-tools=1.0-1"]).success().stdout;
    assert!(ran.contains("removed: demo-tools-dbgsym 1.0-1 amd64") && ran.contains("3 gone"), "{ran}");
    client.update().success();
    assert_eq!(client.candidate("demo-tools"), None);
    // Its files stay while a snapshot has them, and other bytes are refused as ever.
    assert!(room.repository().join("pool/main/d/demo/demo-tools_1.1-1_amd64.deb").is_file());
    let mut other = Dist::new("1.1-1");
    other.debs[0].files[0].1 = "changed\n".into();
    let other = room.dist("other", &other);
    room.refuses(&other, &["this version is already published with other bytes"]);
    room.repo(&["publish", &second]).success();
    client.update().success();
    assert_eq!(client.candidate("demo-tools").as_deref(), Some("1.1-1"));
    // What was added and never seen goes without a publication, and its file with it.
    let third = room.demo("1.2-1");
    room.repo(&["add", &third]).success();
    let live = room.repository().join("dists/bookworm");
    let before = fs::read_link(&live).unwrap();
    let ran = room.repo(&["remove", "demo=1.2-1"]).success().stdout;
    assert!(ran.contains("removed before it was published: demo 1.2-1 all"), "{ran}");
    assert_eq!(fs::read_link(&live).unwrap(), before);
    assert!(!room.repository().join("pool/main/d/demo/demo_1.2-1_all.deb").exists());
    room.repo(&["publish"]).success();
    room.repo(&["verify"]).success();
}

/// A suite's own rule, which a publication applies and says so.
#[test]
fn a_suite_keeps_what_its_rule_says() {
    let room = Room::new();
    let settings = room.repository().join(".repository/settings.toml");
    let plain = fs::read_to_string(&settings).unwrap();
    let rule = |rule: &str| fs::write(&settings, format!("{plain}\n[suite.keep]\n{rule}\n")).unwrap();
    for version in ["1.0-1", "1.1-1"] {
        let dist = room.demo(version);
        room.repo(&["publish", &dist]).success();
    }
    for (text, says) in
        [("newest = 0", "keep: 'newest = 0' keeps nothing"), ("", "keep: '' keeps nothing"), ("age = 1", "age")]
    {
        rule(text);
        room.repo(&["publish"]).fails(1, &[says]);
    }
    rule("newest = 2");
    let client = Client::new(&room.repository());
    client.update().success();
    let ran = room.repo(&["publish"]).success().stdout;
    assert!(ran.contains("nothing to publish"), "{ran}");
    let third = room.demo("1.2-1");
    let ran = room.repo(&["publish", &third]).success().stdout;
    for name in ["demo", "demo-tools"] {
        assert!(ran.contains(&format!("bookworm  not kept by the suite's rule: {name} 1.0-1")), "{ran}");
    }
    // Whoever has the index of before finds its packages.
    client.apt(&["install", "demo=1.0-1"]).success();
    client.update().success();
    client.apt(&["install", "demo-tools=1.0-1"]).fails(100, &["Version '1.0-1' for 'demo-tools' was not found"]);
    // What would go at once is not published, and can be taken back.
    let old = room.demo("0.9-1");
    let says = ["keep: 'newest = 2' in the settings of bookworm would drop demo 0.9-1", "repo remove"];
    room.repo(&["publish", &old]).fails(1, &says);
    room.repo(&["publish"]).fails(1, &says);
    room.repo(&["remove", "demo=0.9-1", "demo-tools=0.9-1"]).success();
    room.repo(&["publish"]).success();
    // What was dropped comes back by rollback, and goes again with the next publication.
    room.repo(&["rollback", "2"]).success();
    client.update().success();
    client.apt(&["install", "demo-tools=1.0-1"]).success();
    // Since when clients have seen what is known to whoever continues elsewhere.
    let (place, clone) = (room.path("place").display().to_string(), room.path("clone").display().to_string());
    room.repo(&["push", "--to", &place]).success();
    run(Command::new(tool()).args(["repo", "clone", &place, &clone])).success();
    let seen = |repository: &Path| fs::read(repository.join(".repository/first-seen.json")).unwrap();
    assert_eq!(seen(&room.repository()), seen(Path::new(&clone)));
    // By age, the newest in any case.
    rule("months = 1");
    let ran = run_off("+30d", &room.command(&["publish"])).success().stdout;
    assert!(ran.contains("nothing to publish"), "{ran}");
    let fourth = room.demo("1.3-1");
    let ran = run_off("+35d", &room.command(&["publish", &fourth])).success().stdout;
    assert!(ran.contains("not kept by the suite's rule: demo 1.0-1 all\n") && ran.contains("with 3 packages"), "{ran}");
    run_off("+36d", &room.command(&["verify"])).success();
}

/// Nothing goes that a client may ask for which has fetched an InRelease in time.
#[test]
fn what_a_cached_release_names_is_not_pruned() {
    let room = Room::new();
    let demo = room.repository().join("pool/main/d/demo/demo_1.0-1_all.deb");
    let first = room.demo("1.0-1");
    room.repo(&["publish", &first]).success();
    let client = Client::new(&room.repository());
    client.update().success();
    room.repo(&["remove", "demo=1.0-1", "demo-tools=1.0-1"]).success();
    for arguments in [&["--keep", "1"], &["--days", "0"], &["--keep", "0"]] {
        let ran = room.repo(&[&["prune"][..], arguments].concat()).success().stdout;
        assert!(ran.contains("kept snapshot 2 of bookworm: clients may ask for what it names until"), "{ran}");
    }
    client.apt(&["install", "demo=1.0-1"]).success();
    // By age, or by number: what either keeps stays.
    let prune =
        |off: &str, arguments: &[&str]| run_off(off, &room.command(&[&["prune"], arguments].concat())).success().stdout;
    for (off, arguments) in [("+20d", &["--days", "30"][..]), ("+40d", &["--days", "30", "--keep", "2"]), ("+40d", &[])]
    {
        let ran = prune(off, arguments);
        assert!(ran.contains("removed 0 snapshots"), "{ran}");
    }
    assert!(demo.is_file());
    let ran = prune("+40d", &["--days", "30"]);
    assert!(ran.contains("removed snapshot 2 of bookworm") && !ran.contains("kept snapshot"), "{ran}");
    assert!(!demo.exists());
    // The live one stays, however old.
    assert!(room.repository().join("dists/bookworm/InRelease").is_file());
}
