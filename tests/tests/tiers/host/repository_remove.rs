//! Packages leave a suite: by name, by the rule of the suite, and with old snapshots; and nobody who may still ask for them is let
//! down.

use std::fs;

use tests::apt::Client;
use tests::dist::{Deb, Dist};

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
    for says in ["bookworm  removed: demo-tools 1.1-1 amd64  pool/main/d/demo/demo-tools_1.1-1_amd64.deb", "0 new, 1 gone"] {
        assert!(ran.contains(says), "{ran}");
    }
    client.update().success();
    assert_eq!(client.candidate("demo-tools").as_deref(), Some("1.0-1"));
    // What needs it keeps it; together they go, and debug symbols with what they are of.
    room.repo(&["remove", "demo=1.1-1"]).success();
    refused(&["demo=1.0-1"], 3, &["demo-tools_1.0-1_amd64.deb: this tool says: it needs demo, which the suite does not have"]);
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
