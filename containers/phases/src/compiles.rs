//! What a phase compiled, by file: what each took, and what came from the compiler cache.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::compile_memory::Figures;

/// A file that was compiled or linked, or would have been without the compiler cache.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Compile {
    /// Its path in the container; of what came from the cache and was never compiled on this machine, as the compiler was
    /// given it.
    pub file: String,
    /// CPU time in seconds, of all times together. Of what came from the cache: what it took the last time. 0: not known.
    pub seconds: f64,
    /// Bytes of its largest process, or what that was the last time. 0: not known.
    pub memory: u64,
    /// How often a compiler or linker ran for it in the build's own container.
    pub ran: u32,
    /// How often its result came from the compiler cache.
    pub cached: u32,
    /// When each of these runs was: seconds since the phase began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
}

/// A stretch of time, in seconds since the phase began.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// When it began.
    pub began: f64,
    /// When it ended.
    pub ended: f64,
}

/// What a phase compiled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Compiles {
    /// Results that came from the compiler cache.
    pub cache_hits: u32,
    /// Compiles that the cache had no result of, wherever they ran.
    pub cache_misses: u32,
    /// The files, those that take longest first.
    pub files: Vec<Compile>,
}

/// Files that are kept: more than any upstream has, so that a phase that writes nonsense does not fill the disk.
const MOST: usize = 4000;

impl Compiles {
    /// Reads what the governor left (`BYTES FRUGAL-BYTES MILLISECONDS PATH`, a line each time) and ccache's log of
    /// statistics (`stats_log` of ccache(1): `# FILE`, and below it the names of the counters that it raised). `before`
    /// is what was known of the phase's files when it began. `times` has when the phase began, in milliseconds of some clock, and
    /// lines `BEGAN ENDED PATH` by the same. A phase can write where all of these lie, so that other lines are passed over.
    /// None if it compiled nothing.
    pub fn read(took: &str, times: &str, cache: &str, before: &Figures) -> Option<Self> {
        let mut compiles = Self::default();
        let mut files: BTreeMap<String, Compile> = BTreeMap::new();
        for line in took.lines() {
            let mut words = line.splitn(4, ' ');
            let mut number = || words.next()?.parse::<u64>().ok();
            let (Some(usual), Some(frugal), Some(milliseconds)) = (number(), number(), number()) else { continue };
            let Some(path) = words.next().filter(|path| !path.is_empty()) else { continue };
            let file = files.entry(path.to_owned()).or_default();
            file.ran += 1;
            file.seconds += milliseconds as f64 / 1e3;
            file.memory = file.memory.max(usual).max(frugal);
        }
        for (path, span) in spans(times) {
            if let Some(file) = files.get_mut(path) {
                file.spans.push(span);
            }
        }
        let (hits, misses) = results(cache);
        compiles.cache_misses = misses;
        for (name, count) in hits {
            compiles.cache_hits += count;
            let paths = files.keys().map(String::as_str).chain(before.paths());
            let path = one(paths.filter(|path| is(path, name))).unwrap_or(name).to_owned();
            let known = before.usual(&path);
            let file = files.entry(path).or_default();
            file.cached += count;
            if let (0, Some((bytes, milliseconds))) = (file.ran, known) {
                (file.memory, file.seconds) = (bytes, milliseconds as f64 / 1e3);
            }
        }
        compiles.files = files.into_iter().map(|(file, compile)| Compile { file, ..compile }).collect();
        // Of the same time in the order of their names.
        compiles.files.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        compiles.files.truncate(MOST);
        (compiles != Self::default()).then_some(compiles)
    }
}

/// When each file was compiled, in seconds since the phase began.
fn spans(times: &str) -> impl Iterator<Item = (&str, Span)> {
    let mut lines = times.lines();
    let start = lines.next().and_then(|line| line.parse::<u64>().ok());
    lines.filter_map(move |line| {
        let mut words = line.splitn(3, ' ');
        let mut seconds = || Some(words.next()?.parse::<u64>().ok()?.checked_sub(start?)? as f64 / 1e3);
        let span = Span { began: seconds()?, ended: seconds()? };
        words.next().filter(|path| !path.is_empty() && span.began <= span.ended).map(|path| (path, span))
    })
}

/// From ccache's log: how often the result of each file came from the cache, and how many were not there. The questions
/// that configure asks the compiler are no files of the source.
fn results(log: &str) -> (BTreeMap<&str, u32>, u32) {
    let (mut hits, mut misses) = (BTreeMap::new(), 0);
    let mut file = "";
    for line in log.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            let question = name.rsplit('/').next().is_some_and(|name| name.starts_with("conftest."));
            file = if question { "" } else { name };
        } else if file.is_empty() {
        } else if matches!(line, "direct_cache_hit" | "preprocessed_cache_hit") {
            *hits.entry(file).or_default() += 1;
        } else if line == "cache_miss" {
            misses += 1;
        }
    }
    (hits, misses)
}

/// Whether a path is that of a file that a compiler was given by this name, in whatever folder it was called.
fn is(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
}

/// What all of these are; none if they differ, or there are none.
fn one<'a>(mut all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use foundation::digest::Digest;

    use super::*;

    fn file(file: &str, seconds: f64, memory: u64, ran: u32, cached: u32) -> Compile {
        Compile { file: file.into(), seconds, memory, ran, cached, spans: Vec::new() }
    }

    fn span(began: f64, ended: f64) -> Span {
        Span { began, ended }
    }

    #[test]
    fn what_ran_and_what_came_from_the_cache() {
        let mut before = Figures::default();
        before.learn("70 0 9000 /b/src/b.cc\n1 0 1 /b/one/x.cc\n1 0 1 /b/two/x.cc\n", Digest::of("phase"));
        let took = "100 0 2500 /b/src/a.cc\n90 120 500 /b/src/a.cc\nhello\n1 2\n9 0 100 /b/lib.so\n";
        let cache = "# src/a.cc\ncache_miss\n# src/b.cc\nlocal_storage_hit\ndirect_cache_hit\n# conftest.c\ncache_miss\n\
                     # x.cc\npreprocessed_cache_hit\n# src/a.cc\ncache_miss\ndirect_cache_miss\n# lib.so\ncalled_for_link\n\
                     # /b/src/b.cc\ndirect_cache_hit\nnonsense\n";
        let times = "1000\n1500 3000 /b/src/a.cc\nhello\n1 2\n3000 3500 /b/src/a.cc\n900 1200 /b/lib.so\n4000 3000 /b/lib.so\n\
                     3600 3700 /b/lib.so\n1 2 /b/unknown.cc\n";
        let compiles = Compiles::read(took, times, cache, &before).unwrap();
        assert_eq!((compiles.cache_hits, compiles.cache_misses), (3, 2));
        let files = [
            file("/b/src/b.cc", 9.0, 70, 0, 2),
            Compile { spans: vec![span(0.5, 2.0), span(2.0, 2.5)], ..file("/b/src/a.cc", 3.0, 120, 2, 0) },
            Compile { spans: vec![span(2.6, 2.7)], ..file("/b/lib.so", 0.1, 9, 1, 0) },
            // Two files have this name: of which one it is, nobody knows.
            file("x.cc", 0.0, 0, 0, 1),
        ];
        assert_eq!(compiles.files, files);
        assert_eq!(Compiles::read("", "12\n", "# \ncalled_for_link\n", &before), None);
        let kept = serde_json::to_string(&compiles).unwrap();
        assert_eq!(serde_json::from_str::<Compiles>(&kept).unwrap(), compiles);
    }
}
