use std::fs;

use super::*;

fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(if kind.is_dir() { 0o755 } else { 0o640 });
        header.set_size(if kind.is_file() { content.len() as u64 } else { 0 });
        // Written past the library's own checks: this is what an attacker sends.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name_literal(content).unwrap();
        }
        header.set_cksum();
        builder.append(&header, if kind.is_file() { content.as_bytes() } else { b"" }).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unpacked(entries: &[(&str, EntryType, &str)]) -> (tempfile::TempDir, Result<(), Error>) {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let result = unpack(&mut archive(entries).as_slice(), "/build/out", &inner);
    (outer, result)
}

#[test]
fn a_folder_lands_in_the_folder_and_replaces_what_was_there() {
    let entries = [
        ("out", EntryType::Directory, ""),
        ("out/sub", EntryType::Directory, ""),
        ("out/sub/a", EntryType::Regular, "new"),
        ("out/link", EntryType::Symlink, "../../anywhere"),
    ];
    let (outer, result) = unpacked(&entries);
    result.unwrap();
    let inner = outer.path().join("inner");
    assert_eq!(fs::read_to_string(inner.join("sub/a")).unwrap(), "new");
    assert_eq!(fs::read_link(inner.join("link")).unwrap(), Path::new("../../anywhere"));
    fs::write(inner.join("sub/old"), "old").unwrap();
    unpack(&mut archive(&entries).as_slice(), "/build/out", &inner).unwrap();
    assert!(!inner.join("sub/old").exists());
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 2, "no temporary folder stays");
}

#[test]
fn a_file_lands_under_its_name() {
    let (outer, result) = unpacked(&[("report.json", EntryType::Regular, "{}")]);
    result.unwrap();
    assert_eq!(fs::read_to_string(outer.path().join("inner/report.json")).unwrap(), "{}");
}

#[test]
fn what_leads_out_of_the_folder_is_refused() {
    let cases: &[&[(&str, EntryType, &str)]] = &[
        &[("out", EntryType::Directory, ""), ("out/../../evil", EntryType::Regular, "x")],
        &[("/evil", EntryType::Regular, "x")],
        &[("../evil", EntryType::Symlink, "x")],
        &[("out", EntryType::Directory, ""), ("out/hard", EntryType::Link, "../../evil")],
        &[
            ("out", EntryType::Directory, ""),
            ("out/l", EntryType::Symlink, "../../.."),
            ("out/l/evil", EntryType::Regular, "x"),
        ],
    ];
    for case in cases {
        let (outer, result) = unpacked(case);
        let Err(Error::Archive { archive, why }) = result else { panic!("{case:?} was unpacked: {result:?}") };
        assert!(archive.contains("/build/out"), "{archive}: {why}");
        assert!(!outer.path().join("evil").exists());
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1, "{case:?}");
        assert_eq!(fs::read_dir(outer.path().join("inner")).unwrap().count(), 0, "{case:?}");
    }
}

#[test]
fn a_cut_off_archive_leaves_nothing() {
    let whole = archive(&[("out", EntryType::Directory, ""), ("out/a", EntryType::Regular, &"x".repeat(5000))]);
    let folder = tempfile::tempdir().unwrap();
    assert!(unpack(&mut &whole[..whole.len() - 4096], "/build/out", folder.path()).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn uploads_carry_neither_owner_nor_umask_nor_clock() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("d")).unwrap();
    fs::write(tree.join("d/run"), "#!").unwrap();
    fs::set_permissions(tree.join("d/run"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(tree.join("plain"), "p").unwrap();
    fs::set_permissions(tree.join("plain"), fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("plain", tree.join("z")).unwrap();
    let long = format!("/build/{}/file", "long-folder/".repeat(20));
    let uploads = [
        Upload { path: "/build/src".into(), content: Content::Directory(tree), mode: 0 },
        Upload::bytes(&long, "x", 0o755),
    ];
    let mut bytes = Vec::new();
    pack(&mut bytes, "/build", &uploads, BUILDER).unwrap();
    let mut found = Vec::new();
    for entry in Archive::new(bytes.as_slice()).entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        assert_eq!(
            (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()),
            (BUILDER, BUILDER, UPLOAD_TIME)
        );
        found.push((entry.path().unwrap().display().to_string(), header.mode().unwrap()));
    }
    let expected = [("src", 0o755), ("src/d", 0o755), ("src/d/run", 0o755), ("src/plain", 0o644), ("src/z", 0o777)];
    assert_eq!(found[..5], expected.map(|(path, mode)| (path.to_owned(), mode)));
    assert_eq!(found.last().unwrap(), &(long.trim_start_matches("/build/").to_owned(), 0o755));
}

#[test]
fn uploads_stay_below_their_folder() {
    for path in ["/etc/passwd", "/build/../etc/passwd", "relative", "/builder/x"] {
        let error = pack(&mut Vec::new(), "/build", &[Upload::bytes(path, "x", 0o644)], BUILDER).unwrap_err();
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[test]
fn an_uploaded_archive_cannot_leave_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("source.tar");
    for entry in [
        ("../evil", EntryType::Regular, "x"),
        ("/evil", EntryType::Regular, "x"),
        ("a", EntryType::Link, "../evil"),
        ("fifo", EntryType::Fifo, ""),
    ] {
        fs::write(&file, archive(&[entry])).unwrap();
        let upload = Upload { path: "/build/source".into(), content: Content::Tar(file.clone()), mode: 0 };
        let error = pack(&mut Vec::new(), "/build", &[upload], BUILDER).unwrap_err().to_string();
        assert!(error.contains("source.tar"), "{error}");
    }
}
