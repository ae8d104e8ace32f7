//! A recipe's `compile-memory`: source files that are known to take much memory to compile.
//!
//! It is for the first build on a machine; afterwards what was measured there counts. No phase reads it, and it is no
//! part of the plan: it decides when a compile starts, not what is written.
//!
//! ```text
//! # PHASE GLOB SIZE [FRUGAL-SIZE]
//! build */storage/provider.cpp 5GiB 4GiB
//! ```

use std::path::Path;

use foundation::bytes::ByteSize;
use globset::Glob;

use crate::error::RecipeError;

/// The name of the file in a recipe's folder.
pub const FILE: &str = "compile-memory";

/// Source files whose compiler takes much memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The name of the phase that compiles them.
    pub phase: String,
    /// Which they are: a glob pattern of their path in the container, as in fnmatch(3) without flags.
    pub pattern: String,
    /// Memory that the usual compiler takes for one of them.
    pub usual: ByteSize,
    /// Memory of a compiler that is to be frugal, where that is known: with less than this, the file cannot be compiled.
    pub frugal: Option<ByteSize>,
}

impl Known {
    /// Whether the file at this path in the container is one of them.
    pub fn covers(&self, path: &str) -> bool {
        Glob::new(&self.pattern).is_ok_and(|glob| glob.compile_matcher().is_match(path))
    }
}

/// Reads the file; nothing where there is none.
///
/// # Errors
/// The file is there and cannot be read, or a line of it is not `PHASE GLOB SIZE [SIZE]`: the message names the line.
pub fn read(folder: &Path) -> Result<Vec<Known>, RecipeError> {
    let path = folder.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(RecipeError::Input { recipe: folder.display().to_string(), path, source }),
    };
    let mut known = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() || words[0].starts_with('#') {
            continue;
        }
        let invalid = |message: String| RecipeError::Invalid {
            path: path.clone(),
            message: format!("line {}: {message}", i + 1),
        };
        let size = |word: &str| word.parse::<ByteSize>().map_err(|error| invalid(error.to_string()));
        let (phase, pattern, usual, frugal) = match words[..] {
            [phase, pattern, usual] => (phase, pattern, size(usual)?, None),
            [phase, pattern, usual, frugal] => (phase, pattern, size(usual)?, Some(size(frugal)?)),
            _ => {
                return Err(invalid(
                    "write PHASE GLOB SIZE, and the size with a frugal compiler where it is known".into(),
                ));
            }
        };
        // In what these have in common, fnmatch(3), which the governor asks, and this crate agree.
        if pattern.contains(['{', '\\']) || pattern.contains("**") || Glob::new(pattern).is_err() {
            return Err(invalid(format!("{pattern}: a pattern has *, ? and [characters]")));
        }
        if frugal.is_some_and(|frugal| frugal > usual) {
            return Err(invalid("the second size is that of a frugal compiler, and cannot be the larger one".into()));
        }
        known.push(Known { phase: phase.to_owned(), pattern: pattern.to_owned(), usual, frugal });
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<Vec<Known>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        read(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_what_is_there() {
        let known = written("# why\n\nbuild */a.cc 5GiB 4GiB\ncheck */b.cc 300MiB\n").unwrap();
        assert_eq!(known.len(), 2);
        assert_eq!((known[0].usual, known[0].frugal), (ByteSize(5 << 30), Some(ByteSize(4 << 30))));
        assert_eq!((known[1].phase.as_str(), known[1].frugal), ("check", None));
        assert_eq!(read(Path::new("/nonexistent")).unwrap(), []);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, part) in [
            ("build */a.cc\n", "PHASE GLOB SIZE"),
            ("build */a.cc 1GB\n", "'1GB' is not a size"),
            ("# one\nbuild */a.cc 1GiB 2GiB\n", "line 2"),
            ("build */{a,b}.cc 1GiB\n", "a pattern has"),
        ] {
            let error = written(text).unwrap_err();
            assert!(error.contains(part) && error.contains(FILE), "{error}");
        }
    }

    #[test]
    fn patterns() {
        let covers = |pattern: &str, path: &str| {
            Known { phase: String::new(), pattern: pattern.into(), usual: ByteSize(1), frugal: None }.covers(path)
        };
        assert!(covers("*/storage/provider.cpp", "/build/source/src/storage/provider.cpp"));
        assert!(covers("*/unity/lib*-slave*.cpp", "/build/work/src/unity/libmesos-slave-1.cpp"));
        assert!(covers("/a.cc", "/a.cc") && covers("*/[ab].c?", "/x/b.cc"));
        assert!(!covers("/a.cc", "/a.cc.cc"));
        assert!(!covers("*/storage/provider.cpp", "/build/storage/other.cpp"));
        assert!(!covers("*/ab*ba.cpp", "/aba.cpp"));
    }
}
