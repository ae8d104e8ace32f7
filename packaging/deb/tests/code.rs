//! The digest of the packing code changes with what decides bytes, and with nothing else.

use std::fs;
use std::path::Path;

#[path = "../code_digest.rs"]
mod code_digest;

#[test]
fn code_counts_and_what_is_said_about_it_does_not() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = tempfile::tempdir().unwrap();
    for entry in walkdir::WalkDir::new(here) {
        let entry = entry.unwrap();
        let to = copy.path().join(entry.path().strip_prefix(here).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap()
        } else {
            fs::copy(entry.path(), to).map(drop).unwrap()
        }
    }
    let lock = copy.path().join("Cargo.lock");
    fs::copy(here.join("../../Cargo.lock"), &lock).unwrap();
    let digest = || code_digest::of(copy.path(), &lock);
    let first = digest();
    assert_eq!(first, deb::code::digest().to_string(), "what the plan has");

    let edit = |file: &str, from: &str, to: &str| {
        let path = copy.path().join(file);
        let old = fs::read_to_string(&path).unwrap();
        let new = old.replacen(from, to, 1);
        assert_ne!(old, new, "{file} has {from}");
        fs::write(&path, new).unwrap();
        let digest = digest();
        fs::write(&path, old).unwrap();
        digest
    };
    let same = [
        ("src/control.rs", "//! ", "//! Another word. "),
        ("src/control.rs", "/// ", "/// Another word. "),
        ("src/control.rs", "use std::collections::BTreeMap;\n", "\n// Why.\n\nuse std::collections::BTreeMap;\n"),
        ("src/staged.rs", "mod tests {\n", "mod tests {\n    #[test]\n    fn another() {}\n"),
        ("Cargo.lock", "name = \"indicatif\"\nversion = \"", "name = \"indicatif\"\nversion = \"9"),
    ];
    for (file, from, to) in same {
        assert_eq!(edit(file, from, to), first, "{file}: {to}");
    }
    let other = [
        ("src/control.rs", "\"Package\"", "\"package\""),
        ("src/control.rs", "/// One paragraph", "#[derive(Hash)]\n/// One paragraph"),
        ("assets/split.sh", "\n", "\n\n"),
        ("Cargo.lock", "name = \"cargo-deb\"\nversion = \"", "name = \"cargo-deb\"\nversion = \"9"),
        ("Cargo.lock", "name = \"lzma-sys\"\nversion = \"", "name = \"lzma-sys\"\nversion = \"9"),
    ];
    for (file, from, to) in other {
        assert_ne!(edit(file, from, to), first, "{file}: {to}");
    }
    // A file that nobody has named anywhere counts as well.
    fs::write(copy.path().join("src/another.rs"), "pub const X: u8 = 1;\n").unwrap();
    assert_ne!(digest(), first);
}
