//! Packages that dpkg-deb made, compared.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::*;

/// A package to be: control fields, and what its tree is made of.
struct Made<'a> {
    name: &'a str,
    version: &'a str,
    fields: &'a str,
    script: Option<&'a str>,
    files: &'a [(&'a str, &'a str, u32)],
    link: &'a str,
    date: &'a str,
    compression: &'a str,
}

const USUAL: Made<'_> = Made {
    name: "demo",
    version: "1.0-1",
    fields: "Depends: libc6 (>= 2.36), zlib1g\n",
    script: Some("#!/bin/sh\nexit 0\n"),
    files: &[("usr/bin/demo", "one\n", 0o755), ("usr/share/demo/text", "text\n", 0o644)],
    link: "demo",
    date: "1700000000",
    compression: "xz",
};

fn write(folder: &Path, made: &Made<'_>) {
    let tree = tempfile::tempdir().unwrap();
    let at = |path: &str| tree.path().join(path);
    std::fs::create_dir_all(at("DEBIAN")).unwrap();
    let control = format!(
        "Package: {}\nVersion: {}\nArchitecture: all\nMaintainer: A <a@example.org>\nInstalled-Size: {}\n{}Description: it\n more\n",
        made.name,
        made.version,
        10 + made.files.len(),
        made.fields
    );
    std::fs::write(at("DEBIAN/control"), control).unwrap();
    if let Some(script) = made.script {
        std::fs::write(at("DEBIAN/postinst"), script).unwrap();
        std::fs::set_permissions(at("DEBIAN/postinst"), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (path, content, mode) in made.files {
        std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        std::fs::write(at(path), content).unwrap();
        std::fs::set_permissions(at(path), std::fs::Permissions::from_mode(*mode)).unwrap();
    }
    symlink(made.link, at("usr/bin/link")).unwrap();
    for entry in walkdir::WalkDir::new(tree.path()).into_iter().flatten().filter(|entry| entry.file_type().is_dir()) {
        std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    // What is newer than the date gets it.
    let ran = Command::new("dpkg-deb")
        .args(["--root-owner-group", &format!("-Z{}", made.compression), "--build"])
        .args([tree.path(), &folder.join(format!("{}_{}_all.deb", made.name, made.version))])
        .env("SOURCE_DATE_EPOCH", made.date)
        .output()
        .expect("dpkg-deb runs");
    assert!(ran.status.success(), "{ran:?}");
}

fn compared(old: &[Made<'_>], new: &[Made<'_>]) -> Comparison {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (folder, made) in folders.iter().zip([old, new]) {
        made.iter().for_each(|made| write(folder.path(), made));
        std::fs::write(folder.path().join("report.json"), format!("{:?}", folder.path())).unwrap();
    }
    compare(folders[0].path(), folders[1].path()).unwrap()
}

/// The only package that differs.
fn difference(new: Made<'_>) -> Changed {
    let mut comparison = compared(&[USUAL], &[new]);
    assert!(!comparison.is_same());
    assert_eq!((comparison.changed.len(), comparison.same.len()), (1, 0));
    comparison.changed.remove(0)
}

#[test]
fn the_same_bytes_are_the_same_whatever_lies_beside() {
    let comparison = compared(&[USUAL, Made { name: "gone", ..USUAL }], &[USUAL, Made { name: "new", ..USUAL }]);
    let names = |packages: &[Package]| packages.iter().map(|package| package.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&comparison.same), ["demo"]);
    assert_eq!((names(&comparison.removed), names(&comparison.added)), (vec!["gone".into()], vec!["new".into()]));
    assert!(comparison.changed.is_empty() && comparison.signed_otherwise.is_empty() && !comparison.is_same());
    assert!(compared(&[USUAL], &[USUAL]).is_same());
}

#[test]
fn a_signature_makes_no_other_package() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    folders.iter().for_each(|folder| write(folder.path(), &USUAL));
    let deb = folders[1].path().join("demo_1.0-1_all.deb");
    let mut bytes = std::fs::read(&deb).unwrap();
    bytes.extend(format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\nsign", "_gpgorigin", 0, 0, 0, "100644", 4).bytes());
    std::fs::write(&deb, bytes).unwrap();
    let comparison = compare(folders[0].path(), folders[1].path()).unwrap();
    assert!(comparison.is_same());
    assert_eq!(comparison.signed_otherwise, ["demo_1.0-1_all.deb"]);
}

#[test]
fn versions_fields_and_scripts() {
    let changed = difference(Made {
        version: "1.1-1",
        fields: "Depends: libc6 (>= 2.41), zlib1g\nHomepage: https://example.org\n",
        script: Some("#!/bin/sh\nexit 1\n"),
        ..USUAL
    });
    assert_eq!((changed.old.version.as_str(), changed.new.version.as_str()), ("1.0-1", "1.1-1"));
    let [depends, homepage] = &changed.fields[..] else { panic!("{:?}", changed.fields) };
    assert_eq!((depends.field.as_str(), &depends.added[..]), ("Depends", &["libc6 (>= 2.41)".to_owned()][..]));
    assert_eq!(depends.removed, ["libc6 (>= 2.36)"]);
    assert_eq!((homepage.old.as_deref(), homepage.new.as_deref()), (None, Some("https://example.org")));
    assert_eq!(changed.control.iter().map(|change| change.name.as_str()).collect::<Vec<_>>(), ["postinst"]);
    assert!(changed.changed.is_empty() && !changed.is_only_packing());
    let gone = difference(Made { script: None, ..USUAL });
    assert!(gone.control[0].old.is_some() && gone.control[0].new.is_none());
}

#[test]
fn files_that_came_went_or_are_others() {
    let files = &[("usr/bin/demo", "two\n", 0o4755), ("usr/share/demo/more", "text\n", 0o644)][..];
    let changed = difference(Made { files, link: "other", ..USUAL });
    let paths = |files: &[File]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&changed.added), ["usr/share/demo/more"]);
    assert_eq!(paths(&changed.removed), ["usr/share/demo/text"]);
    let [demo, link] = &changed.changed[..] else { panic!("{:?}", changed.changed) };
    assert_eq!((demo.new.path.as_str(), &demo.what[..]), ("usr/bin/demo", &[Fact::Mode, Fact::Content][..]));
    assert_eq!((demo.old.mode.as_str(), demo.new.mode.as_str()), ("755", "4755"));
    assert_eq!((link.old.target.as_deref(), link.new.target.as_deref()), (Some("demo"), Some("other")));
    assert_eq!((demo.new.owner.as_str(), demo.new.size, link.what.clone()), ("root:root", 4, vec![Fact::Target]));
}

#[test]
fn what_only_packing_changed_is_said_so() {
    let compressed = difference(Made { compression: "gzip", ..USUAL });
    assert!(compressed.is_only_packing() && compressed.dated_otherwise == 0, "{compressed:?}");
    let dated = difference(Made { date: "1600000000", ..USUAL });
    assert!(dated.is_only_packing() && dated.dated_otherwise > 0, "{dated:?}");
}

#[test]
fn folders_that_cannot_be_compared() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (one, other) = (folders[0].path(), folders[1].path());
    write(one, &USUAL);
    assert!(matches!(compare(one, other), Err(DiffError::NoPackages { path }) if path == other));
    assert!(matches!(compare(&one.join("none"), other), Err(DiffError::NoFolder { .. })));
    write(other, &USUAL);
    write(other, &Made { version: "2", ..USUAL });
    let twice = compare(one, other).unwrap_err();
    assert!(matches!(&twice, DiffError::Twice { package, .. } if package == "demo all"), "{twice}");
    std::fs::write(other.join("demo_2_all.deb"), "none").unwrap();
    let damaged = compare(one, other).unwrap_err();
    assert!(damaged.to_string().ends_with("demo_2_all.deb: it is too short for an ar archive"), "{damaged}");
    assert_eq!(damaged.kind(), Kind::Input);
}
