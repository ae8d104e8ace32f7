//! From a staged tree to packages, judged by dpkg and lintian.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use deb::binary_package::BinaryPackage;
use deb::split::Split;
use support::{Demo, command, judge};

fn field(deb: &Path, name: &str) -> String {
    judge("dpkg", command("dpkg-deb", ["-f".as_ref(), deb.as_os_str(), name.as_ref()]).env("TZ", "UTC"))
        .trim()
        .to_owned()
}

/// One line per entry: `mode owner path[ -> target]`.
fn listing(deb: &Path) -> Vec<String> {
    let text = judge("dpkg", command("dpkg-deb", ["-c".as_ref(), deb.as_os_str()]).env("TZ", "UTC"));
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(&fields[3..5], ["2025-06-04", "10:00"], "{line}");
            format!("{} {} {}", fields[0], fields[1], fields[5..].join(" "))
        })
        .collect()
}

fn control_files(deb: &Path) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("control");
    judge("dpkg", &mut command("dpkg-deb", ["-e".as_ref(), deb.as_os_str(), target.as_os_str()]));
    fs::read_dir(&target)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

#[test]
fn packages_are_what_dpkg_and_lintian_expect() {
    let demo = Demo::new();
    let split = demo.split(&demo.path("split"));
    let debs = demo.path("debs");
    let packages = demo.pack(&split, &debs, "");
    let names: Vec<&str> = packages.iter().map(|package| package.file.as_str()).collect();
    assert_eq!(
        names,
        [
            "demo_1.0-1_all.deb",
            "demo-tools_1.0-1_amd64.deb",
            "demo-tools-dbgsym_1.0-1_amd64.deb",
            "libdemo-1.0_1.0-1_amd64.deb",
            "libdemo-1.0-dbgsym_1.0-1_amd64.deb"
        ]
    );
    let deb = |name: &str| debs.join(&packages.iter().find(|package| package.name == name).unwrap().file);
    check_fields(&deb, &packages);
    check_contents(&deb);
    check_control(&deb);
    check_symbols(&demo, &split, &deb);
    check_lintian(&packages, &debs);
}

fn check_fields(deb: &dyn Fn(&str) -> std::path::PathBuf, packages: &[BinaryPackage]) {
    let tools = deb("demo-tools");
    // Its own library by exact version, though no dpkg knows it yet; libc by its symbols.
    let depends = field(&tools, "Depends");
    assert!(depends.contains("libdemo-1.0 (= 1:1.0-1)") && depends.contains("libc6 (>= 2."), "{depends}");
    assert_eq!(field(&tools, "Source"), "demo");
    assert_eq!(field(&deb("demo"), "Source"), "");
    assert_eq!(field(&deb("demo"), "Depends"), "demo-tools (= 1:1.0-1)");
    assert_eq!((field(&tools, "Version"), field(&tools, "Architecture")), ("1:1.0-1".into(), "amd64".into()));
    assert_eq!(field(&deb("libdemo-1.0"), "Multi-Arch"), "same");
    let symbols = deb("libdemo-1.0-dbgsym");
    for (name, value) in [
        ("Auto-Built-Package", "debug-symbols"),
        ("Depends", "libdemo-1.0 (= 1:1.0-1)"),
        ("Section", "debug"),
        ("Multi-Arch", "same"),
        ("Description", "debug symbols for libdemo-1.0"),
    ] {
        assert_eq!(field(&symbols, name), value, "{name}");
    }
    for package in packages {
        assert_eq!(field(&deb(&package.name), "Installed-Size"), package.installed_size.to_string());
    }
}

fn check_contents(deb: &dyn Fn(&str) -> std::path::PathBuf) {
    let tools = listing(&deb("demo-tools"));
    for line in [
        "drwxr-xr-x root/root ./",
        "-rwxr-xr-x root/root ./usr/bin/demo",
        "lrwxrwxrwx root/root ./usr/bin/demo-link -> demo",
        "lrwxrwxrwx root/root ./usr/bin/demo-alias -> demo",
        "-rw-r--r-- root/root ./usr/lib/demo/plugin.so",
        "-rw-r--r-- root/root ./usr/share/man/man1/demo.1.gz",
        "lrwxrwxrwx root/root ./usr/share/man/man1/demo-alias.1.gz -> demo.1.gz",
        "-rw-r--r-- root/root ./usr/share/doc/demo-tools/changelog.Debian.gz",
        "-rw-r--r-- root/root ./usr/share/doc/demo-tools/copyright",
        "-rw-r--r-- root/root ./usr/share/lintian/overrides/demo-tools",
        "-rw-r--r-- root/root ./etc/default/demo",
        "drwxr-x--- root/root ./var/lib/demo/state/",
    ] {
        assert!(tools.iter().any(|found| found == line), "{line} is not in\n{}", tools.join("\n"));
    }
    let symbols = listing(&deb("demo-tools-dbgsym"));
    assert!(
        symbols.contains(&"lrwxrwxrwx root/root ./usr/share/doc/demo-tools-dbgsym -> demo-tools".to_owned()),
        "{symbols:?}"
    );
    assert_eq!(symbols.iter().filter(|line| line.ends_with(".debug")).count(), 2, "{symbols:?}");
}

fn check_control(deb: &dyn Fn(&str) -> std::path::PathBuf) {
    let tools = control_files(&deb("demo-tools"));
    assert_eq!(tools["conffiles"], "/etc/default/demo\n");
    assert!(tools["postinst"].starts_with("#!/bin/sh"));
    assert!(!tools.contains_key("shlibs") && !tools["md5sums"].contains("etc/default/demo"));
    let library = control_files(&deb("libdemo-1.0"));
    assert_eq!(library["shlibs"], "libdemo 1.0 libdemo-1.0 (>= 1.0)\n");
    assert_eq!(library["triggers"], "activate-noawait ldconfig\n");
    // md5sum(1) agrees, about every file.
    let folder = tempfile::tempdir().unwrap();
    judge("dpkg", &mut command("dpkg-deb", ["-x".as_ref(), deb("demo-tools").as_os_str(), folder.path().as_os_str()]));
    fs::write(folder.path().join("md5sums"), &tools["md5sums"]).unwrap();
    let report = judge("coreutils", command("md5sum", ["--check", "md5sums"]).current_dir(folder.path()));
    assert!(report.contains("usr/bin/demo: OK") && report.contains("copyright: OK"), "{report}");
}

fn check_symbols(demo: &Demo, split: &Split, deb: &dyn Fn(&str) -> std::path::PathBuf) {
    let file = split.stage.join("usr/bin/demo");
    let sections = judge("binutils", &mut command("readelf", ["-SW".as_ref(), file.as_os_str()]));
    assert!(
        sections.contains(".gnu_debuglink") && !sections.contains(".symtab") && !sections.contains(".comment"),
        "{sections}"
    );
    let symbols = split.binaries.iter().find(|binary| binary.path == "usr/bin/demo").unwrap().debug_path().unwrap();
    let sections = judge("binutils", &mut command("readelf", ["-SW".as_ref(), split.debug.join(&symbols).as_os_str()]));
    assert!(sections.contains(".debug_info"), "{sections}");
    assert_eq!(field(&deb("demo-tools-dbgsym"), "Build-Ids").split(' ').count(), 2);
    // The staged tree is only read.
    let original = demo.stage().join("usr/bin/demo");
    let sections = judge("binutils", &mut command("readelf", ["-SW".as_ref(), original.as_os_str()]));
    assert!(sections.contains(".debug_info"), "{sections}");
}

/// No error and no warning. Tests may run as root, which lintian wants to be told.
fn check_lintian(packages: &[BinaryPackage], debs: &Path) {
    let mut lintian = command("lintian", ["--allow-root", "--fail-on", "error,warning"]);
    lintian.args(packages.iter().map(|package| debs.join(&package.file)));
    let report = judge("lintian", &mut lintian);
    assert!(!report.contains("E: ") && !report.contains("W: "), "{report}");
}

#[test]
fn same_inputs_same_bytes() {
    let demo = Demo::new();
    let mut results = Vec::new();
    for (n, (umask, zone, jobs)) in [("022", "UTC", "1"), ("077", "Asia/Kathmandu", "5")].into_iter().enumerate() {
        let output = demo.path(&format!("somewhere-{n}/{}", "deep/".repeat(n * 3)));
        // umask and TZ belong to a process, so each run gets one.
        let this = std::env::current_exe().unwrap();
        let mut child = command("sh", ["-c", "umask $1; exec \"$2\" --ignored --exact pack_in_a_process", "sh", umask]);
        child.arg(this).env("TZ", zone).env("PACK_FROM", demo.folder.path()).env("PACK_TO", &output);
        child.env("PACK_JOBS", jobs);
        judge("coreutils", &mut child);
        let mut sums = BTreeMap::new();
        for entry in fs::read_dir(output.join("debs")).unwrap() {
            let path = entry.unwrap().path();
            let digest = foundation::digest::Digest::of_file(&path).unwrap().to_string();
            sums.insert(path.file_name().unwrap().to_owned(), digest);
        }
        assert_eq!(sums.len(), 5);
        results.push(sums);
    }
    assert_eq!(results[0], results[1]);
}

#[test]
#[ignore = "a part of same_inputs_same_bytes, which runs it in a process with another umask and time zone"]
fn pack_in_a_process() {
    let folder = std::env::var_os("PACK_TO").expect("set by same_inputs_same_bytes");
    let from = std::env::var_os("PACK_FROM").expect("set by same_inputs_same_bytes");
    let (folder, from) = (Path::new(&folder), Path::new(&from));
    fs::create_dir_all(folder).unwrap();
    // Its own copies, so that nothing depends on where they are.
    let copy = tempfile::tempdir().unwrap();
    for name in ["recipe", "stage"] {
        judge("coreutils", &mut command("cp", ["-RP".as_ref(), from.join(name).as_os_str(), copy.path().as_os_str()]));
    }
    let demo = Demo { folder: copy };
    let jobs = std::env::var("PACK_JOBS").expect("set by same_inputs_same_bytes").parse().unwrap();
    let split = demo.split_with(&folder.join("split"), jobs);
    demo.pack_with(&demo.store(), &split, &folder.join("debs"), "", jobs, &|_, _| ()).unwrap();
}

#[test]
fn a_local_build_says_so_everywhere() {
    let demo = Demo::new();
    let split = demo.split(&demo.path("split"));
    let debs = demo.path("debs");
    let packages = demo.pack(&split, &debs, "+local");
    let tools = packages.iter().find(|package| package.name == "demo-tools").unwrap();
    assert_eq!(tools.file, "demo-tools_1.0-1+local_amd64.deb");
    let depends = field(&debs.join(&tools.file), "Depends");
    assert!(depends.contains("libdemo-1.0 (= 1:1.0-1+local)"), "{depends}");
    // The changelog that is shipped: the newest entry alone.
    let changelog = "./usr/share/doc/demo-tools/changelog.Debian.gz";
    let unpack = format!("dpkg-deb --fsys-tarfile \"$1\" | tar -xO {changelog} | gunzip");
    let text = judge("dpkg", command("sh", ["-c", &unpack, "sh"]).arg(debs.join(&tools.file)));
    assert_eq!(text, support::CHANGELOG.replacen("demo (1:1.0-1)", "demo (1:1.0-1+local)", 1));
    check_lintian(&packages, &debs);
}

#[test]
fn manifests_that_would_make_wrong_packages_are_refused() {
    let demo = Demo::new();
    let split = demo.split(&demo.path("split"));
    let debs = demo.path("debs");
    support::write(&demo.recipe().join("man/postinst"), "echo configured\n");
    let manifest = deb::manifest::path(&demo.recipe());
    let original = fs::read_to_string(&manifest).unwrap();
    for (from, to, expected) in [
        (
            "\"${shlibs:Depends}\", ",
            "",
            "usr/bin/demo needs shared libraries, but the package's `depends` lacks ${shlibs:Depends}",
        ),
        ("${misc:Depends}", "${perl:Depends}", "no substitution variable ${perl:Depends}"),
        ("multi-arch = \"same\"", "architecture = \"all\"", "libdemo-1.0.so is a binary of one architecture"),
        (
            "conf-files = [\"/etc/default/demo\"]",
            "conf-files = [\"/etc/demo\"]",
            "its conf-files name /etc/demo, which it does not install",
        ),
        ("extended-description = \"This package has the tools.\"", "", "needs an `extended-description`"),
        (
            "license-file = \"deb/copyright\"",
            "license-file = \"copyright\"",
            "its copyright file 'copyright' does not exist",
        ),
        ("{ source = \"config/demo\"", "{ source = \"config/nothing\"", "'config/nothing' matches no file"),
        (
            "link_name = \"demo\"",
            "link_name = \"../../../../demo\"",
            "the link /usr/bin/demo-alias to '../../../../demo' leads out of the root folder",
        ),
        (
            "maintainer-scripts = \"deb/demo-tools\"",
            "maintainer-scripts = \"man\"",
            "its man/postinst does not begin with #!",
        ),
        (
            "maintainer-scripts = \"deb/demo-tools\"",
            "maintainer-scripts = \"deb/../../elsewhere\"",
            "in 'deb/../../elsewhere', which is no folder inside the recipe",
        ),
    ] {
        demo.edit(from, to);
        let error = demo.try_pack(&split, &debs, "").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\n-- should contain: {expected}");
        fs::write(&manifest, &original).unwrap();
    }
    // What no limit of cargo-deb's keeps out, and policy 10.5 wants in another form.
    let far = format!("{}/end", "far/".repeat(60));
    let (link, more) =
        ("{ link_name = \"demo\", ", format!("{{ link_name = \"/usr/share/{far}\", dest = \"usr/bin/demo-far\" }}, "));
    demo.edit(link, &format!("{more}{link}"));
    let packages = demo.pack(&split, &debs, "");
    let tools = packages.iter().find(|package| package.name == "demo-tools").unwrap();
    let expected = format!("lrwxrwxrwx root/root ./usr/bin/demo-far -> ../share/{}end", "far/".repeat(60));
    assert!(listing(&debs.join(&tools.file)).contains(&expected), "{expected}");
}

/// What an install phase may leave, and no package can have.
#[test]
fn links_into_the_staged_tree_itself_are_refused() {
    let demo = Demo::new();
    for (target, why) in [
        ("/build/stage/usr/bin/demo", "leads into the folder that the recipe is built in"),
        ("/../../build/stage", "leads out of the root folder"),
    ] {
        let link = demo.stage().join("usr/bin/demo-link");
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(target, &link).unwrap();
        let manifest = deb::manifest::read(&demo.recipe()).unwrap();
        let error = deb::split::inputs(&manifest, &demo.stage()).unwrap_err().to_string();
        assert!(error.contains("usr/bin/demo-link") && error.contains(why), "{error}");
    }
}

/// Debian 11's own packages have their units in /lib, which dpkg takes for another folder than the one below /usr.
#[test]
fn units_are_where_the_release_has_them() {
    let demo = Demo::new();
    let config = "    { source = \"config/demo\"";
    let units = "usr/lib/systemd/system";
    let assets = format!(
        "    {{ source = \"systemd/demo.service\", dest = \"{units}/demo.service\", mode = \"644\" }},\n    \
         {{ link_name = \"/{units}/demo.service\", dest = \"{units}/old.service\" }},\n{config}"
    );
    demo.edit(config, &assets);
    support::write(&demo.recipe().join("systemd/demo.service"), "[Service]\nExecStart=/usr/bin/demo\n");
    let split = demo.split(&demo.path("split"));
    for (target, folder) in [("debian-11/amd64", "lib/systemd/system"), ("debian-13/amd64", units)] {
        let debs = demo.path(folder);
        let packages = demo.pack_for(target, &split, &debs);
        let package = packages.iter().find(|package| package.name == "demo-tools").unwrap();
        let files: Vec<String> = listing(&debs.join(&package.file));
        let found: Vec<&String> = files.iter().filter(|line| line.contains("systemd/system/")).collect();
        assert_eq!(
            found,
            [
                &format!("drwxr-xr-x root/root ./{folder}/"),
                &format!("-rw-r--r-- root/root ./{folder}/demo.service"),
                &format!("lrwxrwxrwx root/root ./{folder}/old.service -> demo.service"),
            ]
        );
    }
}
