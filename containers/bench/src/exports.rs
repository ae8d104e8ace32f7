//! What others see of an installed tree: files, and the symbols that its shared libraries define. Faster must not mean less.
//!
//! `bin/exports` of the recipe lists both, one a line: `file PATH`, and `symbol LIBRARY LETTER NAME` with nm's letter (nm(1)).
//! Which weak symbols a library defines follows from what the compiler chose to inline, so that they are counted only;
//! any other symbol is there on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deb::staged::StagedTree;
use engine::Engine;
use engine::once::run_once;
use engine::transfer::{Content, Upload};
use recipe::Recipe;
use recipe::bench::LeftOut;
use roots::build_root::BuildRoot;
use serde::{Deserialize, Serialize};

use super::error::BenchError;

/// The script that lists them, in the recipe's folder.
const SCRIPT: &str = "bin/exports";

/// What others see of an installed tree, as the script lists it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exports {
    /// Paths of files and links, without a leading `/`.
    files: BTreeSet<String>,
    /// Library (its file's name) and symbol.
    strong: BTreeSet<(String, String)>,
    /// How many of the others there are.
    weak: usize,
}

impl Exports {
    /// Reads a list that was kept in a file.
    ///
    /// # Errors
    /// The file cannot be read, a line is neither a file nor a symbol, or no file at all is listed.
    pub fn read(path: &Path) -> Result<Self, pipeline::Error> {
        let text = std::fs::read(path).map_err(pipeline::Error::io("read", path))?;
        Self::parse(&String::from_utf8_lossy(&text))
            .map_err(|why| pipeline::Error::io("understand", path)(std::io::Error::other(why)))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut exports = Self::default();
        for (number, line) in text.lines().enumerate() {
            let symbol = || -> Option<(&str, char, &str)> {
                let mut words = line.strip_prefix("symbol ")?.split(' ');
                let (library, letter, name) = (words.next()?, words.next()?, words.next()?);
                let letter = letter.parse().ok()?;
                (words.next().is_none() && !library.is_empty() && !name.is_empty()).then_some((library, letter, name))
            };
            match (line.strip_prefix("file ").filter(|path| !path.is_empty()), symbol()) {
                (Some(path), _) => drop(exports.files.insert(path.to_owned())),
                (None, Some((_, 'W' | 'w' | 'V' | 'v' | 'u', _))) => exports.weak += 1,
                (None, Some((library, _, name))) => {
                    exports.strong.insert((library.to_owned(), name.to_owned()));
                }
                (None, None) => return Err(format!("line {}: neither a file nor a symbol: {line}", number + 1)),
            }
        }
        // Two empty lists would be the same, and the comparison would pass without having compared anything.
        if exports.files.is_empty() {
            return Err("no file at all is listed".into());
        }
        Ok(exports)
    }

    /// The names of the libraries whose symbols are listed.
    fn libraries(&self) -> BTreeSet<&str> {
        self.strong.iter().map(|(library, _)| library.as_str()).collect()
    }
}

/// Lists what others see of a staged tree, in a container of the build root.
///
/// # Errors
/// The recipe has no such script, it fails or prints something else than a list, or the engine does not do its part.
pub async fn of_tree(
    engine: &Engine,
    root: &BuildRoot,
    recipe: &Recipe,
    staged: &StagedTree,
) -> Result<Exports, BenchError> {
    let script = recipe.folder.join(SCRIPT);
    let content = std::fs::read(&script).map_err(pipeline::Error::io("read", &script))?;
    let uploads = [
        Upload::bytes("/exports/exports", content, 0o755),
        Upload { path: "/exports/stage".into(), content: Content::Directory(staged.folder.clone()), mode: 0o755 },
    ];
    let run = b"exec /exports/exports /exports/stage";
    let output = run_once(engine, &root.image, run, &uploads, &BTreeMap::new(), false).await?;
    if output.exit != 0 {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(BenchError::Script { script, why: format!("it failed with exit status {}: {why}", output.exit) });
    }
    Exports::parse(&String::from_utf8_lossy(&output.stdout)).map_err(|why| BenchError::Script { script, why })
}

/// How what is installed differs from upstream's own way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// How many files upstream's own way installs.
    pub files: usize,
    /// The paths that ours lacks, but for those that are excused.
    pub missing_files: Vec<String>,
    /// What the recipe leaves out on purpose.
    pub excused: Vec<Excused>,
    /// How many symbols of upstream's libraries are not weak.
    pub symbols: usize,
    /// Those that ours lacks: the library and the symbol.
    pub missing_symbols: Vec<(String, String)>,
    /// Those that only ours has: the library and the symbol.
    pub added_symbols: Vec<(String, String)>,
    /// How many weak symbols there are: upstream's and ours.
    pub weak_symbols: (usize, usize),
}

/// Files that ours lacks on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Excused {
    /// Which files, as glob patterns of paths.
    pub patterns: Vec<String>,
    /// Why they are left out.
    pub reason: String,
    /// How many there are. 0 means that the recipe excuses what needs no excuse, which counts as a difference.
    pub files: usize,
}

/// Differences of one kind that the table shows.
const SHOWN: usize = 20;

impl Comparison {
    /// Compares what both install. What the recipe leaves out on purpose is excused.
    pub fn of(upstream: &Exports, ours: &Exports, left_out: &[LeftOut]) -> Self {
        let mut excused: Vec<(globset::GlobSet, Excused)> = left_out
            .iter()
            .map(|LeftOut { files, reason }| Excused { patterns: files.clone(), reason: reason.clone(), files: 0 })
            .zip(left_out.iter().map(|left_out| left_out.matcher().expect("looked over with the recipe")))
            .map(|(excused, matcher)| (matcher, excused))
            .collect();
        let mut missing_files = Vec::new();
        // A library that is left out takes its symbols with it; one that is elsewhere is compared.
        let mut gone = BTreeSet::new();
        for path in upstream.files.difference(&ours.files) {
            match excused.iter_mut().find(|(matcher, _)| matcher.is_match(path)) {
                Some((_, excused)) => {
                    excused.files += 1;
                    gone.insert(path.rsplit('/').next().unwrap_or(path));
                }
                None => missing_files.push(path.clone()),
            }
        }
        let there = ours.libraries();
        let compared =
            |symbol: &&(String, String)| there.contains(symbol.0.as_str()) || !gone.contains(symbol.0.as_str());
        Self {
            files: upstream.files.len(),
            missing_files,
            excused: excused.into_iter().map(|(_, excused)| excused).collect(),
            symbols: upstream.strong.len(),
            missing_symbols: upstream.strong.difference(&ours.strong).filter(compared).cloned().collect(),
            added_symbols: ours.strong.difference(&upstream.strong).cloned().collect(),
            weak_symbols: (upstream.weak, ours.weak),
        }
    }

    /// How many differences there are that nothing excuses.
    pub fn differences(&self) -> usize {
        let stale = self.excused.iter().filter(|excused| excused.files == 0).count();
        self.missing_files.len() + self.missing_symbols.len() + self.added_symbols.len() + stale
    }

    /// The comparison as text for people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "beside upstream's own way: {} of {} files are missing, {} of {} symbols, and {} symbols are added \
             (weak symbols: {} there, {} here)\n",
            self.missing_files.len(),
            self.files,
            self.missing_symbols.len(),
            self.symbols,
            self.added_symbols.len(),
            self.weak_symbols.0,
            self.weak_symbols.1,
        );
        for Excused { patterns, reason, files } in &self.excused {
            text += &match files {
                0 => format!("  excused, and not missing: {}\n", patterns.join(", ")),
                _ => format!("  left out: {files} files, {reason}\n"),
            };
        }
        let symbols = |list: &[(String, String)]| list.iter().map(|(l, s)| format!("{s} of {l}")).collect::<Vec<_>>();
        let kinds = [
            ("missing file", self.missing_files.clone()),
            ("missing symbol", symbols(&self.missing_symbols)),
            ("added symbol", symbols(&self.added_symbols)),
        ];
        for (kind, list) in kinds {
            for item in list.iter().take(SHOWN) {
                text += &format!("  {kind}: {item}\n");
            }
            if list.len() > SHOWN {
                text += &format!("  … and {} more\n", list.len() - SHOWN);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPSTREAM: &str = "file usr/bin/tool\n\
        file usr/include/a.h\n\
        file usr/include/third/b.h\n\
        file usr/include/third/deep/c.h\n\
        file usr/lib/libone.so\n\
        file usr/lib/libold.so\n\
        symbol libold.so T _Zold\n\
        symbol libone.so T _Zrun\n\
        symbol libone.so B counter\n\
        symbol libone.so i resolver@@V1\n\
        symbol libone.so W _Zinline\n\
        symbol libone.so u _Zunique\n";

    fn exports(text: &str) -> Exports {
        Exports::parse(text).unwrap()
    }

    fn left_out(patterns: &[&str]) -> LeftOut {
        LeftOut { files: patterns.iter().map(|&pattern| pattern.to_owned()).collect(), reason: "on purpose".into() }
    }

    /// Upstream's list without the lines that contain one of these, and with these.
    fn ours(without: &[&str], with: &str) -> Exports {
        let kept = UPSTREAM.lines().filter(|line| !without.iter().any(|part| line.contains(part)));
        exports(&(kept.collect::<Vec<_>>().join("\n") + "\n" + with))
    }

    #[test]
    fn the_same_is_no_difference() {
        let found = Comparison::of(&exports(UPSTREAM), &exports(UPSTREAM), &[]);
        assert_eq!((found.differences(), found.files, found.symbols, found.weak_symbols), (0, 6, 4, (2, 2)));
    }

    #[test]
    fn files_more_and_weak_symbols_are_no_difference() {
        let ours = ours(
            &["_Zinline"],
            "file usr/share/man/man8/tool.8.gz\nsymbol libone.so V _Zother\nsymbol libone.so W x\n",
        );
        let found = Comparison::of(&exports(UPSTREAM), &ours, &[]);
        assert_eq!((found.differences(), found.weak_symbols), (0, (2, 3)), "{}", found.text());
    }

    #[test]
    fn what_is_missing_and_added_is_listed() {
        let ours = ours(&["a.h", "counter", "resolver"], "symbol libone.so D extra\nsymbol libone.so W counter\n");
        let found = Comparison::of(&exports(UPSTREAM), &ours, &[]);
        assert_eq!(found.differences(), 4);
        let text = found.text();
        for line in [
            "missing file: usr/include/a.h",
            "missing symbol: counter of libone.so",
            "missing symbol: resolver@@V1 of libone.so",
            "added symbol: extra of libone.so",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn a_symbol_in_another_library_is_missing_and_added() {
        let ours = ours(&["_Zrun"], "symbol libtwo.so T _Zrun\n");
        let found = Comparison::of(&exports(UPSTREAM), &ours, &[]);
        assert_eq!((found.missing_symbols.len(), found.added_symbols.len()), (1, 1));
    }

    #[test]
    fn what_is_left_out_on_purpose_is_excused_and_nothing_beside_it() {
        let ours = ours(&["third/", "libold"], "");
        let compare = |patterns: &[&str]| Comparison::of(&exports(UPSTREAM), &ours, &[left_out(patterns)]);
        let all = compare(&["usr/include/third/**", "usr/lib/libold.so"]);
        assert_eq!((all.differences(), all.excused[0].files), (0, 3), "{}", all.text());
        // One star stays within its folder; symbols go only with their library.
        assert_eq!(
            compare(&["usr/include/third/*", "usr/lib/libold.so"]).missing_files,
            ["usr/include/third/deep/c.h"]
        );
        let found = compare(&["usr/include/third/**"]);
        assert_eq!(found.missing_files, ["usr/lib/libold.so"]);
        assert_eq!(found.missing_symbols, [("libold.so".to_owned(), "_Zold".to_owned())]);
    }

    #[test]
    fn a_library_that_moved_is_compared_all_the_same() {
        let ours = ours(&["libold"], "file usr/lib/old/libold.so\nsymbol libold.so T _Zother\n");
        let found = Comparison::of(&exports(UPSTREAM), &ours, &[left_out(&["usr/lib/libold.so"])]);
        assert_eq!((found.missing_symbols.len(), found.added_symbols.len()), (1, 1), "{}", found.text());
    }

    #[test]
    fn an_excuse_that_is_not_needed_is_a_difference() {
        let found = Comparison::of(&exports(UPSTREAM), &exports(UPSTREAM), &[left_out(&["usr/bin/*"])]);
        assert_eq!(found.differences(), 1);
        assert!(found.text().contains("excused, and not missing: usr/bin/*"), "{}", found.text());
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        let refused = |text: &str| Exports::parse(text).unwrap_err();
        assert!(refused("").contains("no file"));
        assert!(refused("symbol libone.so T x\n").contains("no file"));
        for line in
            ["file ", "symbol libone.so T", "symbol libone.so TT x", "symbol libone.so T x y", "nm: cannot read"]
        {
            assert!(refused(&format!("file a\n{line}\n")).starts_with("line 2: "), "{line}");
        }
    }
}
