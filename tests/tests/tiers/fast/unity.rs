//! The recipe's `bin/unity`, on a build folder as automake writes it, judged by GNU make.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tests::repository;

/// What automake would have written for a library of four sources, one of which make generates, and a program of two in a folder of
/// their own. A compile puts what the compiler would read into the object; a link puts its objects together.
const MAKEFILE: &str = "\
abs_srcdir = SOURCE
LIBTOOL = sh ./libtool
CXX = cxx
AM_CPPFLAGS = -DALL
prog_CPPFLAGS = -DOWN
libx_la_OBJECTS = a/one.lo a/two.lo b/three.lo generated.lo
prog_OBJECTS = prog-main.o prog-other.o
all: libx.la prog
libx.la: $(libx_la_OBJECTS)
\tcat $^ >$@
prog: $(prog_OBJECTS)
\tcat $^ >$@
generated.cc:
\techo made >$@
a/two.lo: a/two.cpp
\tmkdir -p a; $(LIBTOOL) --mode=compile $(CXX) -c -o $@ $<
vpath %.cpp SOURCE
generated.lo: generated.cc
\t$(LIBTOOL) --mode=compile $(CXX) -c -o $@ $<
prog-main.o: tests/main.cpp
\t./cxx -c -o $@ $(abs_srcdir)/tests/main.cpp
prog-other.o: tests/other.cpp
\t./cxx -c -o $@ $(abs_srcdir)/tests/other.cpp
";

/// Says how it was called, and what it was given.
const COMPILER: &str = "\
#!/bin/sh
line=$*
while [ \"$1\" != -o ]; do shift; done
{
    echo \"compiled: $line\" | sed \"s,$PWD/,,; s,SOURCE,,\"
    if grep -q include \"$3\"; then sed 's/#include \"//; s/\"//' \"$3\" | xargs cat; else cat \"$3\"; fi
} >\"$2\"
";

struct Build {
    folder: tempfile::TempDir,
}

impl Build {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        let source = top.join("source");
        for file in ["a/one.cpp", "a/two.cpp", "b/three.cpp", "tests/main.cpp", "tests/other.cpp"] {
            let path = source.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("content of {file}\n")).unwrap();
        }
        let work = top.join("work/part");
        fs::create_dir_all(&work).unwrap();
        let named = |text: &str| text.replace("SOURCE", source.to_str().unwrap());
        fs::write(work.join("Makefile"), named(MAKEFILE)).unwrap();
        fs::write(work.join("cxx"), named(COMPILER)).unwrap();
        fs::write(work.join("libtool"), "shift\nwhile [ \"$1\" != cxx ]; do shift; done\nexec sh \"$@\"\n").unwrap();
        let build = Self { folder };
        build.output("chmod", &["755", "part/cxx"]);
        build
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Output {
        let work = self.folder.path().join("work");
        let path = format!("{}:{}", work.join("part").display(), std::env::var("PATH").unwrap());
        Command::new(program).args(arguments).env("PATH", path).current_dir(work).output().unwrap()
    }

    /// Writes the descriptions and calls `unity` with them.
    fn unity(&self, descriptions: &[&str]) -> Output {
        let names: Vec<String> = (0..descriptions.len()).map(|i| format!("description-{i}")).collect();
        for (name, text) in names.iter().zip(descriptions) {
            fs::write(self.folder.path().join("work").join(name), text).unwrap();
        }
        let script = repository().join("packaging/mesos/bin/unity");
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.output("perl", &[&[script.to_str().unwrap()], names.as_slice()].concat())
    }

    /// Calls make and returns what it printed.
    fn make(&self) -> String {
        let output = self.output("make", &["-C", "part"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join("work/part").join(file)).unwrap()
    }

    /// What a description is refused with.
    fn refused(&self, description: &str) -> String {
        let output = self.unity(&[description]);
        assert!(!output.status.success(), "{description} is accepted");
        String::from_utf8(output.stderr).unwrap()
    }
}

const LIBRARY: &str = "\
# A comment.
in part
target libx_la
alone a/two.cpp it does not like the others
group all **
";

#[test]
fn sources_are_compiled_in_groups() {
    let build = Build::new();
    let output = build.unity(&[LIBRARY]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "unity: part: 4 sources in 2 compiles\n");
    let makefile = build.read("Makefile");
    build.make();
    assert_eq!(build.read("Makefile"), makefile, "upstream's Makefile was edited");
    // Everything is in it, in upstream's order, with the flags that automake would have used.
    assert_eq!(
        build.read("libx.la"),
        "compiled: -DALL -c -o unity/libx_la-all.lo unity/libx_la-all.cpp\n\
         content of a/one.cpp\ncontent of b/three.cpp\nmade\n\
         compiled: -c -o a/two.lo /a/two.cpp\ncontent of a/two.cpp\n"
    );
}

#[test]
fn a_changed_source_compiles_its_group_again() {
    let build = Build::new();
    assert!(build.unity(&[LIBRARY]).status.success());
    build.make();
    assert_eq!(build.make().lines().filter(|line| line.contains("libtool")).count(), 0);
    let changed = build.folder.path().join("source/b/three.cpp");
    fs::write(&changed, "changed\n").unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    fs::File::options().write(true).open(&changed).unwrap().set_modified(later).unwrap();
    assert!(build.make().contains("unity/libx_la-all.lo"));
    assert!(build.read("libx.la").contains("changed\n"));
}

#[test]
fn a_further_description_leaves_what_was_compiled() {
    let build = Build::new();
    assert!(build.unity(&[LIBRARY]).status.success());
    build.make();
    let tests = "in part\ntarget prog\ngroup all tests/*.cpp\n";
    assert!(build.unity(&[LIBRARY, tests]).status.success());
    let printed = build.make();
    assert!(printed.contains("unity/prog-all.o") && !printed.contains("libx_la-all.lo"), "{printed}");
    assert_eq!(
        build.read("prog"),
        "compiled: -DOWN -c -o unity/prog-all.o unity/prog-all.cpp\ncontent of tests/main.cpp\ncontent of tests/other.cpp\n"
    );
}

#[test]
fn descriptions_that_make_no_sense() {
    let build = Build::new();
    for (description, expected) in [
        ("in nowhere\n", "call this after configure"),
        ("in part\ntarget nothing\ngroup all **\n", "has no target nothing"),
        ("target libx_la\n", "line 1: target libx_la: comes before any `in`"),
        ("in part\ngroup all **\n", "comes before any `target`"),
        ("in part\ntarget libx_la\ngroup all\n", "expected `in FOLDER`"),
        ("in part\ntarget libx_la\nalone a/one.cpp\n", "expected `in FOLDER`"),
        ("in part\ntarget libx_la\ngroup all c/*\n", "line 3: group all c/*: no source of libx_la matches"),
        // `*` does not cross folders.
        ("in part\ntarget libx_la\ngroup all a*\n", "no source of libx_la matches"),
    ] {
        let error = build.refused(description);
        assert!(error.contains(expected), "{error}\n-- should contain: {expected}");
        assert!(!Path::new(&build.folder.path().join("work/part/GNUmakefile")).exists(), "{description}");
    }
}

/// protobuf's `well_known_types_embed.cc`: make makes it by a rule that says nothing of the object.
#[test]
fn a_source_that_only_make_knows_stays_alone() {
    let build = Build::new();
    let makefile = build.read("Makefile").replace("generated.lo\n", "generated.lo embed.lo\n")
        + "embed.cc:\n\techo embedded >$@\n%.lo: %.cc\n\t$(LIBTOOL) --mode=compile $(CXX) -c -o $@ $<\n";
    fs::write(build.folder.path().join("work/part/Makefile"), makefile).unwrap();
    let error = build.refused(LIBRARY);
    assert!(
        error.contains("does not say what embed.lo is compiled from: description-0, line 5: group all **"),
        "{error}"
    );
    let output = build.unity(&[&LIBRARY.replace("group", "alone embed.cc only make knows it\ngroup")]);
    assert!(output.status.success(), "{output:?}");
    build.make();
    assert!(
        build.read("libx.la").ends_with("compiled: -c -o embed.lo embed.cc\nembedded\n"),
        "{}",
        build.read("libx.la")
    );
}
