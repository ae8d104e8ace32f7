use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use recipe::sources_lock::Bundled;
use tar::{EntryType, Header};

use super::*;

pub(super) struct Place {
    dir: tempfile::TempDir,
    pub(super) store: Store,
}

impl Place {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Some(&dir.path().join("cache"))).unwrap();
        Self { dir, store }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A small tree: a script, a file, a link, an empty folder, a bundled archive.
    fn tree(&self, name: &str) -> PathBuf {
        let tree = self.path(name);
        for folder in ["src/deep", "empty", ".git", "3rdparty"] {
            fs::create_dir_all(tree.join(folder)).unwrap();
        }
        fs::write(tree.join("configure"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(tree.join("configure"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(tree.join("src/main.c"), "int main;\n").unwrap();
        fs::set_permissions(tree.join("src/main.c"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(tree.join(".git/config"), "secret").unwrap();
        fs::write(tree.join("3rdparty/zlib.tar.gz"), "zlib").unwrap();
        symlink("../main.c", tree.join("src/deep/link.c")).unwrap();
        tree
    }
}

pub(super) static NONE: SourcesLock = SourcesLock { bundled: Vec::new() };

pub(super) fn plain(lock: &SourcesLock) -> Rules<'_> {
    Rules { epoch: 1_700_000_000, bundled: &[], lock }
}

/// The entries of a tar, one line each.
pub(super) fn listing(tar: &Path) -> Vec<String> {
    let mut archive = tar::Archive::new(fs::File::open(tar).unwrap());
    let mut lines = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 1_700_000_000));
        let link = entry.link_name().unwrap().map_or(String::new(), |to| format!(" -> {}", to.display()));
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        lines.push(format!("{:o} {}{link} {content:?}", header.mode().unwrap(), entry.path().unwrap().display()));
    }
    lines
}

const LISTING: [&str; 8] = [
    "755 3rdparty \"\"",
    "644 3rdparty/zlib.tar.gz \"zlib\"",
    "755 configure \"#!/bin/sh\\n\"",
    "755 empty \"\"",
    "755 src \"\"",
    "755 src/deep \"\"",
    "777 src/deep/link.c -> ../main.c \"\"",
    "644 src/main.c \"int main;\\n\"",
];

#[test]
fn a_folder_becomes_a_normalised_tar() {
    let place = Place::new();
    let tree = place.tree("tree");
    let source = local(&place.store, &tree, &[], &plain(&NONE)).unwrap();
    assert_eq!(listing(&source.tar), LISTING);
    assert_eq!(source.version_suffix, "+local");
    assert_eq!(
        source.origin,
        SourceOrigin::LocalDirectory { name: "tree".into(), commit: None, modified: false, cherry_picks: vec![] }
    );
    assert_eq!(Digest::of_file(&source.tar).unwrap(), source.digest);
    // The tree has a folder .git that is no repository, and that is said.
    let [Deviation::Unknown { repository, .. }] = &source.deviations[..] else { panic!("{:?}", source.deviations) };
    assert_eq!(repository, ".git");
    // Another folder with the same content is the same source.
    assert_eq!(local(&place.store, &place.tree("other"), &[], &plain(&NONE)).unwrap().digest, source.digest);

    let recipe = recipe_directory(&place.store, &place.path(""), Path::new("tree"), &plain(&NONE)).unwrap();
    assert_eq!((recipe.digest, recipe.version_suffix.as_str()), (source.digest, ""));
    assert_eq!(recipe.origin, SourceOrigin::Recipe { directory: "tree".into() });
}

#[test]
fn an_unchanged_folder_is_not_read_again_and_every_change_is_seen() {
    let place = Place::new();
    let tree = place.tree("tree");
    std::thread::sleep(Duration::from_millis(150));
    let first = local(&place.store, &tree, &[], &plain(&NONE)).unwrap();
    // What is remembered is used: a file that cannot be opened any more is not noticed. (Root can open
    // everything, so the tar is looked at instead: it is not written anew.)
    let written = fs::metadata(&first.tar).unwrap();
    let again = local(&place.store, &tree, &[], &plain(&NONE)).unwrap();
    assert_eq!(again, first);
    let ino = |metadata: fs::Metadata| std::os::unix::fs::MetadataExt::ino(&metadata);
    assert_eq!(ino(fs::metadata(&again.tar).unwrap()), ino(written));

    // The same size and the old modification time: the change time tells.
    let file = tree.join("src/main.c");
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, "int mein;\n").unwrap();
    fs::File::open(&file).unwrap().set_modified(before).unwrap();
    let changed = local(&place.store, &tree, &[], &plain(&NONE)).unwrap();
    assert_ne!(changed.digest, first.digest);
    fs::remove_file(tree.join("src/deep/link.c")).unwrap();
    assert_ne!(local(&place.store, &tree, &[], &plain(&NONE)).unwrap().digest, changed.digest);
    // A lost tar is made again.
    fs::remove_file(&first.tar).unwrap();
    let lost = local(&place.store, &place.tree("third"), &[], &plain(&NONE)).unwrap();
    assert_eq!(lost.digest, first.digest);
}

#[test]
fn a_change_right_after_a_run_is_seen_in_a_busy_loop() {
    let place = Place::new();
    let tree = place.tree("tree");
    for i in 0..40 {
        fs::write(tree.join("src/main.c"), format!("int {i:04};\n")).unwrap();
        let source = local(&place.store, &tree, &[], &plain(&NONE)).unwrap();
        assert!(listing(&source.tar)[7].contains(&format!("{i:04}")), "change {i} was missed");
    }
}

#[test]
fn what_must_not_be_in_a_tree_is_refused_by_name() {
    let refused = |make: &dyn Fn(&Path), entry: &str, why: &str| {
        let place = Place::new();
        let tree = place.tree("tree");
        make(&tree);
        let error = local(&place.store, &tree, &[], &plain(&NONE)).unwrap_err();
        let text = error.message();
        for part in [entry, why, "tree"] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
        assert_ne!(error.kind(), Kind::Verification);
    };
    let link = |to: &'static str| move |tree: &Path| symlink(to, tree.join("src/bad")).unwrap();
    refused(&link("/etc/passwd"), "src/bad", "to an absolute path, /etc/passwd");
    refused(&link("../../x"), "src/bad", "out of the tree, ../../x");
    refused(&link("deep/../../../x"), "src/bad", "out of the tree");
    // Only by way of another link.
    refused(
        &|tree| {
            symlink(".", tree.join("here")).unwrap();
            symlink("here/../x", tree.join("sly")).unwrap();
        },
        "sly",
        "out of the tree",
    );
    refused(
        &|tree| assert!(std::process::Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap().success()),
        "'pipe'",
        "a named pipe",
    );
    refused(&|tree| drop(std::os::unix::net::UnixListener::bind(tree.join("sock")).unwrap()), "'sock'", "a socket");
}

#[test]
fn what_has_nothing_to_build_is_no_source() {
    let place = Place::new();
    let no = |name: &str, why: &str| {
        let error = local(&place.store, &place.path(name), &[], &plain(&NONE)).unwrap_err();
        assert!(matches!(error, SourceError::NoSource { .. }) && error.to_string().contains(why), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    };
    fs::create_dir_all(place.path("hollow/folders/only")).unwrap();
    no("hollow", "there is no file in it");
    assert!(recipe_directory(&place.store, &place.path(""), Path::new("hollow"), &plain(&NONE)).is_err());
    fs::write(place.path("hollow.tar"), raw_tar(&[("a/", EntryType::Directory, "", b"")])).unwrap();
    no("hollow.tar", "there is no file in it");
    assert!(std::process::Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    no("pipe", "it is neither a folder nor a file");
    let _socket = std::os::unix::net::UnixListener::bind(place.path("socket")).unwrap();
    no("socket", "it is neither a folder nor a file");
}

/// What GNU tar, and so macOS's, makes of a file with holes, and of other things that are no plain files.
#[test]
fn members_that_are_not_what_they_seem() {
    let place = Place::new();
    let tree = place.path("sparse/tree");
    fs::create_dir_all(&tree).unwrap();
    let file = fs::File::create(tree.join("holes")).unwrap();
    file.set_len(1 << 20).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, b"end", 1 << 19).unwrap();
    let expected = local(&place.store, &tree, &[], &plain(&NONE)).unwrap();
    for (form, good) in [("gnu", true), ("posix", false)] {
        let archive = place.path(&format!("{form}.tar"));
        let mut tar = std::process::Command::new("tar");
        tar.args(["--create", "--sparse", "--format", form, "--file"]).arg(&archive);
        assert!(tar.arg("--directory").arg(place.path("sparse")).arg("tree").status().unwrap().success());
        match local(&place.store, &archive, &[], &plain(&NONE)) {
            Ok(source) => assert!(good && source.digest == expected.digest, "{form}"),
            Err(error) => assert!(!good && error.to_string().contains("a sparse file in the pax format"), "{error}"),
        }
    }
    let file = ("a/file", EntryType::Regular, "", &b"x"[..]);
    let apple = [&[0, 5, 0x16, 7][..], &[0; 20]].concat();
    for (entry, why) in [
        (("a/._file", EntryType::Regular, "", &apple[..]), "attributes that macOS added"),
        (("pax", EntryType::XGlobalHeader, "", &b"13 path=a/bc\n"[..]), "has the record path"),
        (("a/v", EntryType::new(b'V'), "", &b""[..]), "of an unknown kind ('V')"),
        (("a/m", EntryType::new(b'M'), "", &b""[..]), "of an unknown kind ('M')"),
        (("a/d", EntryType::new(b'D'), "", &b""[..]), "of an unknown kind ('D')"),
        (("a/x", EntryType::new(b'X'), "", &b""[..]), "of an unknown kind ('X')"),
    ] {
        let path = place.path("odd.tar");
        fs::write(&path, raw_tar(&[file, entry])).unwrap();
        let error = local(&place.store, &path, &[], &plain(&NONE)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}\n-- should contain: {why}");
    }
    // As git and old tars write them.
    let comment = ("pax", EntryType::XGlobalHeader, "", &b"21 comment=012345678\n"[..]);
    fs::write(place.path("old.tar"), raw_tar(&[comment, ("a/b/", EntryType::Regular, "", b""), file])).unwrap();
    let source = local(&place.store, &place.path("old.tar"), &[], &plain(&NONE)).unwrap();
    assert_eq!(listing(&source.tar), ["755 b \"\"", "755 file \"x\""]);
}

#[test]
fn harmless_links_are_kept() {
    let place = Place::new();
    let tree = place.tree("tree");
    for (to, name) in
        [("nowhere", "dangling"), ("loop", "loop"), ("src/../configure", "round"), ("src/deep/link.c", "chain")]
    {
        symlink(to, tree.join(name)).unwrap();
    }
    let source = local(&place.store, &tree, &[], &plain(&NONE)).unwrap();
    assert_eq!(listing(&source.tar).iter().filter(|line| line.contains(" -> ")).count(), 5);
}

/// Entries of an archive that was made to do harm: the tar crate's own checks are gone round.
fn raw_tar(entries: &[(&str, EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, link, content) in entries {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o4777);
        header.set_uid(1000);
        header.set_gid(1000);
        header.set_mtime(5);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn an_unsafe_archive_is_refused_by_the_name_of_its_entry() {
    use EntryType as E;
    let good = ("a/file", E::Regular, "", &b"x"[..]);
    let none = &b""[..];
    for (entries, name, why) in [
        (vec![("/etc/evil", E::Regular, "", none)], "/etc/evil", "an absolute path"),
        (vec![("a/../../evil", E::Regular, "", none)], "a/../../evil", "with `..`"),
        (vec![good, ("a/l", E::Symlink, "/etc/passwd", none)], "a/l", "absolute path, /etc/passwd"),
        // The top folder is taken off: what leaves it is outside.
        (vec![good, ("a/l", E::Symlink, "../x", none)], "'l'", "out of the tree, ../x"),
        (vec![good, ("a/l", E::Symlink, "b", none), ("a/l/x", E::Regular, "", none)], "l", "something else"),
        (vec![good, ("a/h", E::Link, "../../etc/passwd", none)], "a/h", "hard link whose target leads out"),
        (vec![good, ("a/h", E::Link, "/etc/passwd", none)], "a/h", "hard link whose target is an absolute path"),
        (vec![good, ("a/h", E::Link, "a/later", none)], "a/h", "not in the archive before it"),
        (vec![good, ("a/dev", E::Block, "", none)], "a/dev", "a device"),
        (vec![good, ("a/dev", E::Char, "", none)], "a/dev", "a device"),
        (vec![good, ("a/pipe", E::Fifo, "", none)], "a/pipe", "a named pipe"),
        (vec![good, good], "a/file", "twice"),
        (vec![good, ("a/file/x", E::Regular, "", none)], "a/file/x", "below something that is no folder"),
    ] {
        let place = Place::new();
        let path = place.path("evil.tar");
        fs::write(&path, raw_tar(&entries)).unwrap();
        let error = local(&place.store, &path, &[], &plain(&NONE)).unwrap_err().message();
        for part in [name, why, "evil.tar"] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
        assert!(fs::read_dir(place.store.root().join("tmp")).unwrap().next().is_none());
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn archives_of_every_kind_give_the_same_source_as_the_folder() {
    let place = Place::new();
    let tree = place.tree("tree");
    let expected = local(&place.store, &tree, &[], &plain(&NONE)).unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    builder.append_dir_all("mesos-1.7.2", &tree).unwrap();
    let tar = builder.into_inner().unwrap();
    let mut xz = Vec::new();
    xz2::read::XzEncoder::new(&tar[..], 1).read_to_end(&mut xz).unwrap();
    for (name, content) in [
        ("x.tar", tar.clone()),
        ("x.tar.gz", gzip(&tar)),
        ("x.tar.xz", xz),
        ("x.tar.zst", zstd::encode_all(&tar[..], 1).unwrap()),
    ] {
        let path = place.path(name);
        fs::write(&path, &content).unwrap();
        let source = local(&place.store, &path, &[], &plain(&NONE)).unwrap();
        assert_eq!(source.digest, expected.digest, "{name}");
        assert_eq!(source.origin, SourceOrigin::LocalArchive { name: name.into(), sha256: Digest::of(&content) });
        // Damaged: cut off in the middle.
        fs::write(&path, &content[..content.len() / 2]).unwrap();
        let error = local(&place.store, &path, &[], &plain(&NONE)).unwrap_err().message();
        assert!(error.contains("damaged or cut off") && error.contains(name), "{error}");
    }
    for (content, why) in [
        (&b"BZh91AY"[..], "bzip2 is not supported"),
        (b"PK\x03\x04", "zip"),
        (b"hello", "known kind"),
        (b"", "known kind"),
    ] {
        let path = place.path("y");
        fs::write(&path, content).unwrap();
        let error = local(&place.store, &path, &[], &plain(&NONE)).unwrap_err().message();
        assert!(error.contains(why) && error.contains(".tar.xz"), "{error}");
    }
    let error = local(&place.store, &place.path("none"), &[], &plain(&NONE)).unwrap_err().message();
    assert!(error.contains("none"), "{error}");
}

#[test]
fn bundled_files_are_checked_strictly_for_pinned_sources_and_reported_for_local_ones() {
    let place = Place::new();
    let tree = place.tree("tree");
    fs::write(tree.join("3rdparty/new.tar.gz"), "new").unwrap();
    fs::remove_dir_all(tree.join(".git")).unwrap();
    let pin = |path: &str, content: &str| Bundled { path: path.into(), sha256: Digest::of(content) };
    let lock = SourcesLock { bundled: vec![pin("3rdparty/zlib.tar.gz", "other"), pin("3rdparty/gone.tar.gz", "x")] };
    let bundled = ["3rdparty/*.tar.gz".to_owned()];
    let rules = Rules { epoch: 1_700_000_000, bundled: &bundled, lock: &lock };
    for _ in 0..2 {
        // The second time from what is remembered.
        let source = local(&place.store, &tree, &[], &rules).unwrap();
        let texts: Vec<String> = source.deviations.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "3rdparty/gone.tar.gz is missing".to_owned(),
                "3rdparty/new.tar.gz is not pinned".into(),
                format!("3rdparty/zlib.tar.gz has sha256 {}, pinned is {}", Digest::of("zlib"), Digest::of("other")),
            ]
        );
        let error = recipe_directory(&place.store, &place.path(""), Path::new("tree"), &rules).unwrap_err();
        assert!(error.kind() == Kind::Verification && error.to_string().contains("gone.tar.gz is missing"), "{error}");
        std::thread::sleep(Duration::from_millis(150));
    }
    let lock = SourcesLock { bundled: vec![pin("3rdparty/zlib.tar.gz", "zlib"), pin("3rdparty/new.tar.gz", "new")] };
    let rules = Rules { lock: &lock, ..rules };
    assert_eq!(local(&place.store, &tree, &[], &rules).unwrap().deviations, []);
    let bundled = ["a{".to_owned()];
    let error = local(&place.store, &tree, &[], &Rules { bundled: &bundled, ..rules }).unwrap_err().message();
    assert!(error.contains("'a{'"), "{error}");
}

#[test]
fn a_malformed_sources_lock_names_line_and_fields() {
    let place = Place::new();
    let path = place.path("sources.lock");
    for (text, why) in [
        ("[[bundled]]\npath = \"x\"\nsha265 = \"\"\n", "sha256"),
        ("[[bundled]]\npath = \"x\"\nsha256 = \"12\"\n", "not a sha256 digest"),
        ("[[bundle]]\n", "bundled"),
    ] {
        fs::write(&path, text).unwrap();
        let error = SourcesLock::read(&path).unwrap_err().message();
        assert!(error.contains(why) && error.contains("sources.lock") && error.contains("line"), "{error}");
    }
}

/// With a real tree: set MESOS_PACKAGES_TEST_SOURCE=FOLDER.
#[test]
fn a_real_tree() {
    let Some(path) = std::env::var_os("MESOS_PACKAGES_TEST_SOURCE").map(PathBuf::from) else {
        eprintln!("skipped: MESOS_PACKAGES_TEST_SOURCE is not set");
        return;
    };
    let place = Place::new();
    for _ in 0..2 {
        let start = std::time::Instant::now();
        let source = local(&place.store, &path, &[], &plain(&NONE)).unwrap();
        let size = fs::metadata(&source.tar).unwrap().len();
        eprintln!("{:?}: {size} bytes, {:?}", start.elapsed(), source.digest);
    }
}
