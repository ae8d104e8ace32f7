//! A small recipe with everything that packing has to deal with, compiled on the spot, and the outside judges.

#![allow(dead_code, reason = "each test file uses its part")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use deb::binary_package::{BinaryPackage, Step, Written};
use deb::changelog::Changelog;
use deb::packing::{Packing, build_all};
use deb::split::{Split, inputs};
use deb::{DebError, manifest};
use foundation::store::Store;
use recipe::target::Target;

pub const CHANGELOG: &str = "demo (1:1.0-1) bookworm; urgency=medium\n\n  * New upstream version.\n\n    With a paragraph.\n\n \
                             -- Demo Packages <demo@example.org>  Wed, 04 Jun 2025 10:00:00 +0000\n\n\
                             demo (0.9-1) bookworm; urgency=medium\n\n  * Test packages.\n\n \
                             -- Demo Packages <demo@example.org>  Tue, 03 Jun 2025 10:00:00 +0000\n";

const MANIFEST: &str = r#"
[package]
name = "demo"
version = "1.0.0"
description = "small thing to pack"
homepage = "https://www.debian.org/"

[package.metadata.deb]
maintainer = "Demo Packages <demo@example.org>"
license-file = "deb/copyright"
changelog = "changelog"
section = "utils"
priority = "optional"

[package.metadata.packaging]
omit = ["stage/usr/lib/*/*.la"]

[package.metadata.deb.variants.demo]
section = "metapackages"
depends = "demo-tools (= ${binary:Version})"
extended-description = "This metapackage depends on the tools."

[package.metadata.packaging.demo]
architecture = "all"

[package.metadata.deb.variants.demo-tools]
depends = ["${shlibs:Depends}", "${misc:Depends}"]
extended-description = "This package has the tools."
maintainer-scripts = "deb/demo-tools"
conf-files = ["/etc/default/demo"]
assets = [
    { source = "stage/usr/bin/*", dest = "usr/bin/", mode = "755" },
    { source = "stage/usr/lib/*/demo/plugin.so", dest = "usr/lib/demo/", mode = "644" },
    { source = "config/demo", dest = "etc/default/demo", mode = "644" },
    { source = "man/demo.1", dest = "usr/share/man/man1/", mode = "644" },
    { link_name = "demo.1", dest = "usr/share/man/man1/demo-alias.1" },
    { link_name = "demo.1", dest = "usr/share/man/man1/demo-link.1" },
    { link_name = "demo", dest = "usr/bin/demo-alias" },
]

[package.metadata.packaging.demo-tools]
synopsis = "small thing to pack - tools"
directories = [{ path = "var/lib/demo/state", mode = "750" }]

[package.metadata.deb.variants."libdemo-1.0"]
section = "libs"
depends = "${shlibs:Depends}"
extended-description = "This package has the library."
assets = [{ source = "stage/usr/lib/*/libdemo-*.so", dest = "usr/lib/", mode = "644" }]

[package.metadata.packaging."libdemo-1.0"]
synopsis = "small thing to pack - library"
multi-arch = "same"
"#;

/// The recipe, its staged tree, and the folders that come of them.
pub struct Demo {
    pub folder: tempfile::TempDir,
}

impl Demo {
    /// Writes the recipe and compiles the staged tree.
    pub fn new() -> Self {
        let demo = Self { folder: tempfile::tempdir().unwrap() };
        let recipe = demo.recipe();
        for (path, text) in [
            ("deb/Cargo.toml", MANIFEST),
            (
                "deb/copyright",
                "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: demo\n\nFiles: *\nCopyright: 2025 Demo\nLicense: Expat\n\nLicense: Expat\n Permission is hereby granted.\n",
            ),
            ("deb/demo-tools/postinst", "#!/bin/sh\nset -e\necho configured >/dev/null\n"),
            (
                "deb/demo-tools/lintian-overrides",
                "# It is a demonstration.\ndemo-tools: non-standard-dir-perm 0750 != 0755 *\n",
            ),
            ("changelog", CHANGELOG),
            ("config/demo", "# Options of demo.\n"),
            (
                "man/demo.1",
                ".TH DEMO 1\n.SH NAME\ndemo \\- prints a number\n.SH SYNOPSIS\n.B demo\n.SH DESCRIPTION\nPrints a number.\n",
            ),
        ] {
            write(&recipe.join(path), text);
        }
        let source = demo.path("source");
        write(&source.join("lib.c"), "#include <stdio.h>\nint demo(const char *s) { return printf(\"%s\\n\", s); }\n");
        write(
            &source.join("plugin.c"),
            "#include <stdlib.h>\nint demo(const char *); int plugin(void) { return demo(getenv(\"PLUGIN\")); }\n",
        );
        write(&source.join("demo.c"), "int demo(const char *); int main(void) { return demo(\"1\") < 0; }\n");
        let lib = demo.stage().join("usr/lib/x86_64-linux-gnu");
        fs::create_dir_all(lib.join("demo")).unwrap();
        fs::create_dir_all(demo.stage().join("usr/bin")).unwrap();
        let cc = |arguments: &str| {
            let flags =
                "-g -O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2 -Wl,-z,relro,-z,now -Wl,--build-id=sha1";
            let mut command = Command::new("gcc");
            command.current_dir(&source).args(flags.split(' ')).args(arguments.split(' '));
            command.arg(format!("-L{}", lib.display())).arg(format!("-ffile-prefix-map={}=.", source.display()));
            judge("gcc", &mut command);
        };
        let stage = demo.stage();
        cc(&format!("-shared -Wl,-soname,libdemo-1.0.so -o {}/libdemo-1.0.so lib.c", lib.display()));
        cc(&format!("-shared -o {}/demo/plugin.so plugin.c -l:libdemo-1.0.so", lib.display()));
        cc(&format!("-pie -o {}/usr/bin/demo demo.c -l:libdemo-1.0.so", stage.display()));
        write(&lib.join("libdemo.la"), "# libtool\n");
        symlink("demo", stage.join("usr/bin/demo-link")).unwrap();
        demo
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn recipe(&self) -> PathBuf {
        self.path("recipe")
    }

    pub fn stage(&self) -> PathBuf {
        self.path("stage")
    }

    /// Runs the phase `split` on this machine, as the build root would.
    pub fn split(&self, output: &Path) -> Split {
        self.split_with(output, 2)
    }

    pub fn split_with(&self, output: &Path, jobs: u32) -> Split {
        let manifest = manifest::read(&self.recipe()).unwrap();
        let input = self.path("recipe-split");
        for file in inputs(&manifest, &self.stage()).unwrap() {
            write(&input.join(file.name), std::str::from_utf8(&file.content).unwrap());
        }
        fs::create_dir_all(output).unwrap();
        let mut copy = command("cp", ["-RP", "--preserve=mode"]);
        judge("coreutils", copy.arg(self.stage()).arg(output.join("stage")));
        let mut script = Command::new("sh");
        script.arg(input.join("split.sh")).arg(&input).arg(output).env("JOBS", jobs.to_string());
        judge("dpkg-dev", &mut script);
        Split::read(output).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Packs into a folder.
    pub fn pack(&self, split: &Split, folder: &Path, suffix: &str) -> Vec<BinaryPackage> {
        self.try_pack(split, folder, suffix).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn try_pack(&self, split: &Split, folder: &Path, suffix: &str) -> Result<Vec<BinaryPackage>, DebError> {
        let written = self.pack_with(&self.store(), split, folder, suffix, 2, &|_, _| ())?;
        Ok(written.into_iter().map(|written| written.package).collect())
    }

    pub fn store(&self) -> Store {
        Store::open(Some(&self.path("store"))).unwrap()
    }

    pub fn pack_with(
        &self,
        store: &Store,
        split: &Split,
        folder: &Path,
        suffix: &str,
        threads: u32,
        progress: &(dyn Fn(&str, Step) + Sync),
    ) -> Result<Vec<Written>, DebError> {
        fs::create_dir_all(folder).unwrap();
        let manifest = manifest::read(&self.recipe())?;
        let changelog = Changelog::read(&self.recipe().join("changelog")).unwrap().with_suffix(suffix);
        let packing = Packing { manifest: &manifest, changelog: &changelog, target: &target(), split };
        build_all(&packing, store, folder, threads, progress)
    }

    /// Packs for another target.
    pub fn pack_for(&self, target: &str, split: &Split, folder: &Path) -> Vec<BinaryPackage> {
        fs::create_dir_all(folder).unwrap();
        let manifest = manifest::read(&self.recipe()).unwrap();
        let changelog = Changelog::read(&self.recipe().join("changelog")).unwrap();
        let packing = Packing { manifest: &manifest, changelog: &changelog, target: &target_called(target), split };
        let written = build_all(&packing, &self.store(), folder, 2, &|_, _| ()).unwrap();
        written.into_iter().map(|written| written.package).collect()
    }

    /// Changes the manifest.
    pub fn edit(&self, from: &str, to: &str) {
        let path = manifest::path(&self.recipe());
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        write(&path, &text.replacen(from, to, 1));
    }
}

pub fn target() -> Target {
    target_called("debian-12/amd64")
}

fn target_called(name: &str) -> Target {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../containers/targets");
    Target::read(&targets, &name.parse().unwrap()).unwrap()
}

pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Runs a program that is no part of this project; a missing one is a failure, and so is its "no".
pub fn judge(debian_package: &str, command: &mut Command) -> String {
    let output = try_judge(debian_package, command);
    assert!(output.status.success(), "{command:?}\n{}", text(&output));
    text(&output)
}

/// The same where a "no" is what is expected.
pub fn try_judge(debian_package: &str, command: &mut Command) -> Output {
    command.env("LC_ALL", "C.UTF-8");
    command
        .output()
        .unwrap_or_else(|error| panic!("this test needs the Debian package {debian_package} ({command:?}: {error})"))
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

pub fn command<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
