//! The rooms of the code: README's map has them as they are, data flows through them downwards, and each can be read.

use std::collections::BTreeMap;
use std::fs;

use tests::repository;
use walkdir::WalkDir;

/// More than that nobody reads as one thing.
const LINES: usize = 8_000;

fn toml(path: &str) -> toml::Table {
    fs::read_to_string(repository().join(path)).unwrap().parse().unwrap()
}

/// The members of the workspace, in their order.
fn members() -> Vec<String> {
    let members = &toml("Cargo.toml")["workspace"]["members"];
    members.as_array().unwrap().iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_map_has_every_room_in_the_order_of_cargo() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let (_, map) = readme.split_once("## Map of the code").unwrap();
    let (rooms, beside) = map.split_once("Beside the code").unwrap();
    let named: Vec<&str> =
        rooms.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect();
    let (rooms, others): (Vec<String>, Vec<String>) = members()
        .into_iter()
        .filter(|member| member != "xtask")
        .partition(|member| !matches!(member.as_str(), "tests" | "containers/trial"));
    assert_eq!(named, rooms.iter().map(String::as_str).chain(["xtask"]).collect::<Vec<_>>());
    for other in others {
        assert!(beside.contains(&format!("| `{other}")), "{other}");
    }
}

#[test]
fn each_room_uses_only_those_above_it() {
    let members = members();
    let place: BTreeMap<&str, usize> =
        members.iter().enumerate().map(|(at, member)| (member.rsplit('/').next().unwrap(), at)).collect();
    for (at, member) in members.iter().enumerate().filter(|(_, member)| *member != "xtask") {
        let manifest = toml(&format!("{member}/Cargo.toml"));
        for used in manifest["dependencies"].as_table().unwrap().keys() {
            let above = place.get(used.as_str()).is_none_or(|used| *used < at);
            assert!(above, "{member} uses {used}, which is below it in Cargo.toml");
        }
    }
}

#[test]
fn no_room_is_too_large_to_be_read() {
    for member in members().into_iter().filter(|member| member != "tests") {
        let mut lines = 0;
        for entry in WalkDir::new(repository().join(&member).join("src")) {
            let entry = entry.unwrap();
            if entry.path().extension().is_some_and(|extension| extension == "rs") {
                lines += fs::read_to_string(entry.path()).unwrap().lines().count();
            }
        }
        assert!(lines <= LINES, "{member} has {lines} lines: cut it where a reader would look for something else");
    }
}
