//! Packages that no client could use are refused before anybody sees them, by what dpkg, apt and dose-debcheck say of the
//! finished index; and packages are taken back.

use std::fs;

use tests::apt::Client;
use tests::dist::{Deb, Dist};
use tests::judge;

use super::repository_gate::Room;

#[test]
fn what_no_client_could_use_is_refused() {
    let room = Room::new();
    let first = room.demo("1.0-1");
    room.repo(&["publish", &first]).success();
    let with = |change: &dyn Fn(&mut Dist)| {
        let _ = fs::remove_dir_all(room.path("dist"));
        let mut dist = Dist::new("1.1-1");
        change(&mut dist);
        room.dist("dist", &dist)
    };
    let fields = |text: &'static str| move |dist: &mut Dist| dist.debs[1].fields = text.into();
    // By our own rules, which hold also where no judge is installed.
    let without: fn(String) -> String = |control| control.split("Description:").next().unwrap().to_owned();
    room.refuses(
        &with(&|dist| dist.debs[1].edit = without),
        &["no client could use", "dist/demo-tools_1.1-1_amd64.deb: its control file has no field Description"],
    );
    // Before, such a package vanished in the publication.
    room.refuses(
        &with(&|dist| dist.debs[1] = Deb::new("mesos-archive-keyring")),
        &["dist/mesos-archive-keyring_1.1-1_all.deb", "the repository's own keys, which it writes itself"],
    );
    // By dpkg, of the index.
    room.refuses(
        &with(&fields("Depends: demo\nConffiles: /etc/demo\n")),
        &["demo-tools_1.1-1_amd64.deb: dpkg says: ", "'Conffiles'"],
    );
    // By dose-debcheck.
    room.refuses(
        &with(&fields("Depends: demo\nConflicts: demo\n")),
        &["demo-tools_1.1-1_amd64.deb: dose-debcheck says: it cannot be installed, since it needs and excludes demo"],
    );
    room.refuses(
        &with(&fields("Depends: demo (>= 1.2), libc6 (>= 2.36)\n")),
        &[
            "dose-debcheck says: it cannot be installed, since nothing is demo",
            "this tool says: it needs demo (>= 1.2)",
        ],
    );
    // Beside the others: a file that another package has, and a package in a second component.
    let same = ("usr/share/demo/text".to_owned(), "another\n".to_owned());
    let overlapping = with(&|dist| dist.debs[1].files.push(same.clone()));
    room.refuses(&overlapping, &["demo-tools_1.1-1_amd64.deb", "the file usr/share/demo/text", "demo_1.1-1_all.deb"]);
    room.refuses_with(
        &first,
        &["--component", "debug"],
        &["demo_1.0-1_all.deb", "the same version as", "component main"],
    );
    // It would have been as they say.
    let client = Client::new(&room.repository());
    let debs = ["demo_1.1-1_all.deb", "demo-tools_1.1-1_amd64.deb"].map(|name| format!("{overlapping}/{name}"));
    client.dpkg(&["--install", &debs[0], &debs[1]]).fails(1, &["trying to overwrite '/usr/share/demo/text'"]);
    // What is good is taken as ever.
    let second = room.demo("1.1-1");
    room.repo(&["publish", &second]).success();
    room.repo(&["verify"]).success();
}

/// What an older version of the tool has published cannot be undone, but keeps nothing better from clients.
#[test]
fn what_was_published_before_is_no_obstacle() {
    let room = Room::new();
    let mut dist = Dist::new("1.0-1");
    dist.debs[1].fields = "Depends: demo\n".into();
    let first = room.dist("first", &dist);
    room.repo(&["publish", &first]).success();
    // As if it had been taken without a look.
    for file in fs::read_dir(room.repository().join(".repository/packages")).unwrap() {
        for file in fs::read_dir(file.unwrap().path()).unwrap().map(|file| file.unwrap().path()) {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replace("Depends: demo\\n", "Depends: demo (> 1)\\n")).unwrap();
        }
    }
    let second = room.demo("1.1-1");
    room.repo(&["publish", &second]).success();
    let index = room.repository().join("dists/bookworm/main/binary-amd64/Packages.xz").display().to_string();
    let index = judge("xz", &["--decompress", "--stdout", &index], room.folder.path());
    assert_eq!(index.matches("Package: demo-tools\n").count(), 2, "{index}");
}
