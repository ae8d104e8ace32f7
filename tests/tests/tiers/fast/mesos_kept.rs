//! What the recipe of Mesos keeps beside the compiler cache: jars (`bin/java-archive`). None may be taken for another.

use std::fs;
use std::process::Command;

use tests::repository;

/// A JDK whose compiler makes of each source a class, and says that it was called.
const JAVAC: &str = r#"#!/bin/sh
echo javac >>"$CALLS"
while [ "$1" != -d ]; do shift; done
while read -r source; do cp "$source" "$2/$(basename "$source" .java).class"; done <"${3#@}"
"#;
const JAR: &str =
    "#!/bin/sh\nwhile [ \"$1\" != --file ]; do shift; done\ntar --create --file=\"$2\" --sort=name --mtime=@0 .\n";

struct Java {
    folder: tempfile::TempDir,
}

impl Java {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("jdk/bin/javac", JAVAC), ("jdk/bin/jar", JAR), ("src/A.java", "a"), ("lib.jar", "library")]
        {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        }
        fs::create_dir(folder.path().join("ccache")).unwrap();
        let status = Command::new("chmod")
            .args(["755", "jdk/bin/javac", "jdk/bin/jar"])
            .current_dir(folder.path())
            .status()
            .unwrap();
        assert!(status.success());
        Self { folder }
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.path().join(file), text).unwrap();
    }

    /// Makes the jar, and returns how often the compiler was called for it and what is in it.
    fn archive(&self, variables: &[(&str, &str)]) -> (usize, Vec<u8>) {
        let top = self.folder.path();
        let calls = top.join("calls");
        fs::write(&calls, "").unwrap();
        let output = Command::new("sh")
            .arg(repository().join("packaging/mesos/bin/java-archive"))
            .args(["out/x.jar", "src", "lib.jar:/nowhere"])
            .current_dir(top)
            .env("JAVA_HOME", top.join("jdk"))
            .env("CCACHE_DIR", top.join("ccache"))
            .env("CALLS", &calls)
            .env("SOURCE_DATE_EPOCH", "1540000000")
            .env_remove("CCACHE_DISABLE")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        (fs::read_to_string(calls).unwrap().lines().count(), fs::read(top.join("out/x.jar")).unwrap())
    }
}

#[test]
fn a_jar_of_the_same_is_made_once() {
    let java = Java::new();
    let (calls, first) = java.archive(&[]);
    assert_eq!(calls, 1);
    assert_eq!(java.archive(&[]), (0, first));
}

#[test]
fn a_jar_of_anything_else_is_made_anew() {
    let java = Java::new();
    java.archive(&[]);
    assert_eq!(java.archive(&[("SOURCE_DATE_EPOCH", "1540000001")]).0, 1, "another date");
    java.write("lib.jar", "another library");
    assert_eq!(java.archive(&[]).0, 1, "another library");
    java.write("src/B.java", "b");
    assert_eq!(java.archive(&[]).0, 1, "one more source");
    java.write("src/A.java", "another a");
    let (calls, jar) = java.archive(&[]);
    assert_eq!(calls, 1, "another source");
    assert!(jar.windows(9).any(|part| part == b"another a"));
}

#[test]
fn a_build_without_a_compiler_cache_takes_and_leaves_no_jar() {
    let java = Java::new();
    assert_eq!(java.archive(&[("CCACHE_DISABLE", "1")]).0, 1);
    assert_eq!(fs::read_dir(java.folder.path().join("ccache")).unwrap().count(), 0);
    java.archive(&[]);
    assert_eq!(java.archive(&[("CCACHE_DISABLE", "1")]).0, 1);
    assert_eq!(java.archive(&[("CCACHE_DIR", "/nowhere")]).0, 1);
}

/// The machine went down while it was written.
#[test]
fn a_jar_that_is_cut_off_is_made_anew() {
    let java = Java::new();
    let (_, whole) = java.archive(&[]);
    for entry in fs::read_dir(java.folder.path().join("ccache/jars")).unwrap().flatten() {
        if entry.path().extension().is_none() {
            fs::write(entry.path(), &whole[..whole.len() / 2]).unwrap();
        }
    }
    assert_eq!(java.archive(&[]), (1, whole.clone()));
    assert_eq!(java.archive(&[]), (0, whole));
}
