//! End-to-end tests, in one program: it is linked once. The folder decides the tier, see `.config/nextest.toml`.
//!
//! - `fast` needs neither a container engine nor root nor a network: run while one writes.
//! - `engine` needs a container engine.
//! - `host` needs no engine, but root, servers on loopback, or linters from package registries; or takes long.

mod engine;
mod fast;
mod host;

/// A file that no `mod` names is not compiled, and one beside the folder is a program of its own, in the fast tier.
#[test]
fn every_file_is_part_of_a_tier() {
    let here = tests::repository().join("tests/tests");
    let names = |folder: &std::path::Path| {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    // The messages are a program of their own, without an engine as well.
    assert_eq!(names(&here), ["messages", "tiers"]);
    for tier in ["engine", "fast", "host"] {
        let folder = here.join("tiers").join(tier);
        let list = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
        for name in names(&folder).iter().filter_map(|name| name.strip_suffix(".rs")).filter(|name| *name != "mod") {
            assert!(list.contains(&format!("mod {name};\n")), "{tier}/mod.rs does not name {name}");
        }
    }
}
