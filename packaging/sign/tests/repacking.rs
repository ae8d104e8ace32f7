//! Packing again: what has not changed is found, and what has changed is written, and nothing else.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use deb::binary_package::{Step, Written};
use deb::split::Split;
use foundation::digest::Digest;
use foundation::store::Store;
use support::{Demo, command, judge, write};

const ALL: [&str; 5] = ["demo", "demo-tools", "demo-tools-dbgsym", "libdemo-1.0", "libdemo-1.0-dbgsym"];

/// The demonstration with two units: an asset, and one that cargo-deb finds beside the maintainer scripts.
struct Repacking {
    demo: Demo,
    split: Split,
}

/// One run: which packages were written, and the packages' digests and times by name.
struct Run {
    written: Vec<String>,
    sums: BTreeMap<String, Digest>,
    seconds: BTreeMap<String, f64>,
    folder: PathBuf,
}

impl Repacking {
    fn new() -> Self {
        let demo = Demo::new();
        demo.edit(
            "    { source = \"config/demo\"",
            "    { source = \"systemd/demo.service\", dest = \"usr/lib/systemd/system/demo.service\", mode = \"644\" },\n    \
             { source = \"config/demo\"",
        );
        demo.edit(
            "maintainer-scripts = \"deb/demo-tools\"",
            "maintainer-scripts = \"deb/demo-tools\"\nsystemd-units = { enable = false, start = false }",
        );
        for (path, text) in [
            ("systemd/demo.service", "[Service]\nExecStart=/usr/bin/demo\n"),
            ("deb/demo-tools/demo-tools.service", "[Service]\nExecStart=/usr/bin/demo-link\n"),
            ("deb/demo-tools/postinst", "#!/bin/sh\nset -e\n#DEBHELPER#\n"),
        ] {
            write(&demo.recipe().join(path), text);
        }
        let split = demo.split(&demo.path("split"));
        Self { demo, split }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.demo.recipe().join(path)
    }

    fn run_with(&self, store: &Store, name: &str) -> Run {
        let (folder, written) = (self.demo.path(name), Mutex::new(Vec::new()));
        let note = |name: &str, step| {
            if step == Step::Write {
                written.lock().unwrap().push(name.to_owned());
            }
        };
        let packages = self.demo.pack_with(store, &self.split, &folder, "", 2, &note).unwrap();
        let (mut sums, mut seconds) = (BTreeMap::new(), BTreeMap::new());
        for Written { package, seconds: time, threads } in packages {
            assert_eq!(Digest::of_file(&folder.join(&package.file)).unwrap(), package.sha256, "{}", package.file);
            assert!(time > 0.0 && threads == 1, "{time} {threads}");
            sums.insert(package.name.clone(), package.sha256);
            seconds.insert(package.name, time);
        }
        let mut written = written.into_inner().unwrap();
        written.sort();
        Run { written, sums, seconds, folder }
    }

    fn run(&self, name: &str) -> Run {
        self.run_with(&self.demo.store(), name)
    }

    /// The folders of finished packages.
    fn finished(&self) -> Vec<PathBuf> {
        let folder = self.demo.store().root().join("stages/package");
        // There is no such folder before the first one is finished.
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }
}

fn only_tools_differ(change: &str, before: &Run, after: &Run) {
    assert_eq!(after.written, ["demo-tools"], "{change}");
    for name in ALL {
        assert_eq!(before.sums[name] == after.sums[name], name != "demo-tools", "{change}: {name}");
    }
}

fn inode(folder: &Path, file: &str) -> u64 {
    fs::metadata(folder.join(file)).unwrap().ino()
}

#[test]
fn what_has_not_changed_is_found() {
    let repacking = Repacking::new();
    let first = repacking.run("first");
    assert_eq!(first.written, ALL);
    // A time stamp is no change.
    judge("coreutils", &mut command("touch", [repacking.file("systemd/demo.service")]));
    let second = repacking.run("second");
    assert!(second.written.is_empty(), "{:?}", second.written);
    assert_eq!((&second.sums, &second.seconds), (&first.sums, &first.seconds), "times are those of the writing");
    let tools = "demo-tools_1.0-1_amd64.deb";
    assert_eq!(inode(&second.folder, tools), inode(&first.folder, tools), "no byte is copied");
    // Into a folder that has the packages, and with another store, which has none: the same bytes.
    assert_eq!(repacking.run("second").sums, first.sums);
    let fresh = Store::open(Some(&repacking.demo.path("another-store"))).unwrap();
    let fresh = repacking.run_with(&fresh, "fresh");
    assert_eq!((fresh.written, fresh.sums), (first.written, first.sums));
    assert_ne!(inode(&fresh.folder, tools), inode(&first.folder, tools));
}

#[test]
fn a_change_writes_the_packages_that_it_is_in() {
    let repacking = Repacking::new();
    let mut before = repacking.run("debs");
    for (path, text) in [
        ("systemd/demo.service", "[Service]\nExecStart=/usr/bin/demo-alias\n"),
        ("deb/demo-tools/demo-tools.service", "[Service]\nExecStart=/usr/bin/demo-alias\n"),
        ("deb/demo-tools/postinst", "#!/bin/sh\nset -eu\n#DEBHELPER#\n"),
        ("deb/demo-tools/prerm", "#!/bin/sh\nset -e\n#DEBHELPER#\n"),
        ("deb/demo-tools/lintian-overrides", "demo-tools: non-standard-dir-perm *\n"),
        ("config/demo", "# Other options.\n"),
    ] {
        write(&repacking.file(path), text);
        let after = repacking.run("debs");
        only_tools_differ(path, &before, &after);
        before = after;
    }
    for (from, to) in [
        ("dest = \"etc/default/demo\", mode = \"644\"", "dest = \"etc/default/demo\", mode = \"640\""),
        ("mode = \"750\"", "mode = \"700\""),
        ("This package has the tools.", "This package has all tools."),
        ("start = false", "start = true"),
    ] {
        repacking.demo.edit(from, to);
        let after = repacking.run("debs");
        only_tools_differ(to, &before, &after);
        repacking.demo.edit(to, from);
        let back = repacking.run("debs");
        assert!(back.written.is_empty() && back.sums == before.sums, "{from}: what was written before is found");
    }
    // Debug symbols are a package's as well.
    let library = repacking.split.binaries.iter().find(|binary| binary.package == "libdemo-1.0").unwrap();
    fs::write(repacking.split.debug.join(library.debug_path().unwrap()), "others").unwrap();
    assert_eq!(repacking.run("debs").written, ["libdemo-1.0-dbgsym"]);
    // The version is in every package.
    let log = repacking.file("changelog");
    write(&log, &fs::read_to_string(&log).unwrap().replace("1:1.0-1", "1:1.0-2"));
    assert_eq!(repacking.run("debs").written, ALL);
}

#[test]
fn what_was_not_finished_is_not_found() {
    let repacking = Repacking::new();
    let Repacking { demo, split } = &repacking;
    let store = demo.store();
    let try_run =
        |progress: &(dyn Fn(&str, Step) + Sync)| demo.pack_with(&store, split, &demo.path("debs"), "", 1, progress);
    // Refused at the very end, when all is compressed.
    let (right, wrong) = ("conf-files = [\"/etc/default/demo\"]", "conf-files = [\"/etc/demo\"]");
    demo.edit(right, wrong);
    assert!(try_run(&|_, _| ()).unwrap_err().to_string().contains("which it does not install"));
    assert!(repacking.finished().is_empty(), "demo-tools is the largest, and the first");
    demo.edit(wrong, right);
    // An editor that is faster than the compressor: the new content must not get under the old digest.
    let edit = |name: &str, _| {
        if name == "demo-tools" {
            write(&repacking.file("config/demo"), "# Options of another demo.\n");
        }
    };
    let error = try_run(&edit).unwrap_err().to_string();
    assert!(error.contains("/etc/default/demo was changed while it was packed: run the same command again"), "{error}");
    assert!(repacking.finished().is_empty());
    let run = repacking.run("debs");
    assert_eq!(run.written, ALL);
    assert_eq!(fs::read_dir(store.root().join("tmp")).unwrap().count(), 0);

    // Damage: a package or a record that is cut off is made again.
    for damaged in ["demo_1.0-1_all.deb", "package.json"] {
        let stage = repacking.finished().into_iter().find(|stage| stage.join("demo_1.0-1_all.deb").exists()).unwrap();
        fs::remove_file(stage.join(damaged)).unwrap();
        fs::write(stage.join(damaged), "!<arch>\n").unwrap();
        let again = repacking.run(&format!("again-{damaged}"));
        assert_eq!((again.written, again.sums), (vec!["demo".to_owned()], run.sums.clone()));
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let Repacking { demo, split } = Repacking::new();
    // Three blocks of the compressor and a part of one.
    let text: String =
        (0..80_000).map(|n| format!("{n} {}\n", "the same line over and over again, ".repeat(28))).collect();
    assert!(text.len() > 3 * (24 << 20), "{}", text.len());
    write(&demo.recipe().join("config/demo"), &text);
    let debs: Vec<PathBuf> = [1, 5]
        .map(|threads| {
            let folder = demo.path(&format!("debs-{threads}"));
            let store = Store::open(Some(&demo.path(&format!("store-{threads}")))).unwrap();
            let all = demo.pack_with(&store, &split, &folder, "", threads, &|_, _| ()).unwrap();
            let large = all.iter().find(|written| written.package.name == "demo-tools").unwrap();
            assert_eq!(large.threads, threads.min(4));
            folder
        })
        .into();
    for entry in fs::read_dir(&debs[0]).unwrap() {
        let name = entry.unwrap().file_name();
        let bytes = debs.iter().map(|folder| Digest::of_file(&folder.join(&name)).unwrap());
        assert_eq!(bytes.collect::<std::collections::BTreeSet<_>>().len(), 1, "{name:?}");
    }
    let unpacked = demo.path("unpacked");
    let deb = debs[1].join("demo-tools_1.0-1_amd64.deb");
    judge("dpkg", &mut command("dpkg-deb", ["-x".as_ref(), deb.as_os_str(), unpacked.as_os_str()]));
    assert!(fs::read_to_string(unpacked.join("etc/default/demo")).unwrap() == text);
}

#[test]
fn one_that_fails_ends_the_others() {
    let repacking = Repacking::new();
    let Repacking { demo, split } = &repacking;
    let (store, folder) = (demo.store(), demo.path("debs"));
    let (begun, both) = (Mutex::new(0), Condvar::new());
    let library = split.stage.join("usr/lib/x86_64-linux-gnu/libdemo-1.0.so");
    let step = |name: &str, step| {
        if step != Step::Write || !["demo-tools", "libdemo-1.0"].contains(&name) {
            assert!(!matches!(step, Step::Written(_)) || name != "demo-tools", "it goes on");
            return;
        }
        *begun.lock().unwrap() += 1;
        both.notify_all();
        let patience = Duration::from_secs(60);
        let late = both.wait_timeout_while(begun.lock().unwrap(), patience, |begun| *begun < 2).unwrap().1;
        assert!(!late.timed_out(), "they are not written side by side");
        if name == "libdemo-1.0" {
            fs::write(&library, "something else").unwrap();
        } else {
            // Until the other one has failed; longer does no harm.
            std::thread::sleep(Duration::from_secs(3));
        }
    };
    let error = demo.pack_with(&store, split, &folder, "", 2, &step).unwrap_err().to_string();
    assert!(error.contains("libdemo-1.0.so was changed while it was packed"), "{error}");
    let names: Vec<String> =
        repacking.finished().iter().map(|stage| fs::read_to_string(stage.join("package.json")).unwrap()).collect();
    assert!(names.iter().all(|record| !record.contains("\"demo-tools\"")), "{names:?}");
    assert_eq!(fs::read_dir(store.root().join("tmp")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}
