//! What a package contains: the manifest's rules applied to a staged tree. Every staged file belongs to exactly
//! one package or is declared as omitted, and every rule matches something, so nothing is lost unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use foundation::folder;
use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use crate::control::SCRIPTS;
use crate::link;
use crate::manifest::{AssetRule, Manifest, ManifestError, PackageSpec, path};
use crate::read_back::begins_with_interpreter;

/// Every file of one package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// By path in the package, without a leading `/`.
    pub entries: BTreeMap<String, Entry>,
}

/// One file or link of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Where the bytes of the file are.
        origin: Origin,
        /// Permissions, such as 0o644.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// The path that the link points to, as it is written in it.
        target: String,
    },
}

/// Where a file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the staged tree, at this path below it.
    Stage(String),
    /// In the recipe's folder, at this path below it.
    Recipe(String),
}

/// How many paths an error lists before it only counts the rest.
const LISTED: usize = 20;

impl Manifest {
    /// Which file goes into which package, by package name. Fails when a staged file belongs to no package
    /// or to two, and when a rule matches nothing.
    ///
    /// # Errors
    /// The staged tree cannot be read, a pattern cannot be parsed, a staged file belongs to no package or to two, or a
    /// rule or an entry of `omit` matches nothing. One error names all of these files and rules.
    pub fn resolve(&self, staged: &Path) -> Result<BTreeMap<String, Contents>, ManifestError> {
        let mut tree = Tree::read(staged)?;
        let mut problems = Vec::new();
        for pattern in &self.omit {
            let wanted = self.pattern(pattern.strip_prefix("stage/").expect("checked when read"))?;
            let omitted: Vec<String> = tree.paths.keys().filter(|path| wanted.is_match(path)).cloned().collect();
            if omitted.is_empty() {
                problems.push(format!("omit: '{pattern}' matches no staged file"));
            }
            tree.omitted.extend(omitted);
        }
        let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut all = BTreeMap::new();
        for package in &self.packages {
            let contents = self.contents(package, &tree, &mut problems)?;
            for entry in &contents.staged {
                owners.entry(entry.clone()).or_default().insert(package.name.clone());
            }
            all.insert(package.name.clone(), Contents { entries: contents.entries });
        }
        let lost: Vec<&str> = tree
            .paths
            .keys()
            .filter(|p| !owners.contains_key(*p) && !tree.omitted.contains(*p))
            .map(String::as_str)
            .collect();
        if !lost.is_empty() {
            problems.push(format!(
                "these staged files belong to no package; add them to a package's assets, or to `omit`:{}",
                list(&lost)
            ));
        }
        let twice: Vec<String> = owners
            .iter()
            .filter(|(_, packages)| packages.len() > 1)
            .map(|(path, packages)| format!("{path} ({})", packages.iter().cloned().collect::<Vec<_>>().join(", ")))
            .collect();
        if !twice.is_empty() {
            let twice: Vec<&str> = twice.iter().map(String::as_str).collect();
            problems.push(format!(
                "these staged files belong to more than one package; narrow the patterns:{}",
                list(&twice)
            ));
        }
        problems.extend(same_path_twice(&all));
        if problems.is_empty() { Ok(all) } else { Err(self.invalid(problems.join("\n"))) }
    }

    fn contents(
        &self,
        package: &PackageSpec,
        tree: &Tree,
        problems: &mut Vec<String>,
    ) -> Result<Resolved, ManifestError> {
        let mut resolved = Resolved::default();
        for rule in &package.assets {
            let (source, dest, mode) = match rule {
                AssetRule::Link { dest, target } => {
                    resolved.entries.entry(file_in(dest, target)).or_insert(Entry::Link { target: target.clone() });
                    continue;
                }
                AssetRule::Files { source, dest, mode } => (source, dest, *mode),
            };
            let mut found = false;
            if let Some(staged) = source.strip_prefix("stage/") {
                for path in tree.matching(self, staged)? {
                    found = true;
                    resolved.staged.insert(path.clone());
                    let entry = match &tree.paths[&path] {
                        Some(target) => Entry::Link { target: target.clone() },
                        None => Entry::File { origin: Origin::Stage(path.clone()), mode },
                    };
                    resolved.entries.entry(destination(staged, &path, dest)).or_insert(entry);
                }
            } else {
                for path in self.recipe_files(source)? {
                    found = true;
                    let dest = destination(source, &path, dest);
                    resolved.entries.entry(dest).or_insert(Entry::File { origin: Origin::Recipe(path), mode });
                }
            }
            if !found {
                problems.push(format!("package {}: '{source}' matches no file (that is not omitted)", package.name));
            }
        }
        self.add_documents(package, &mut resolved);
        Ok(resolved)
    }

    /// The copyright file, and lintian's overrides where the recipe has them.
    fn add_documents(&self, package: &PackageSpec, resolved: &mut Resolved) {
        let name = &package.name;
        let mut add = |dest: String, source: &str| {
            let entry = Entry::File { origin: Origin::Recipe(source.to_owned()), mode: 0o644 };
            resolved.entries.entry(dest).or_insert(entry);
        };
        let overrides = format!("deb/{name}/lintian-overrides");
        if folder::has(&self.recipe.join(&overrides)) {
            add(format!("usr/share/lintian/overrides/{name}"), &overrides);
        }
        let copyright = package.copyright();
        // A package may link to another's documents instead of having its own (policy 12.3).
        let documents = format!("usr/share/doc/{name}");
        if !resolved.entries.contains_key(&documents) {
            let entry = Entry::File { origin: Origin::Recipe(copyright.to_owned()), mode: 0o644 };
            resolved.entries.entry(format!("{documents}/copyright")).or_insert(entry);
        }
    }

    /// Looks over what can be judged without a staged tree: better now than after an hour of compiling.
    pub(crate) fn look_over(&self) -> Result<(), ManifestError> {
        let mut problems = Vec::new();
        for package in &self.packages {
            let name = &package.name;
            for rule in &package.assets {
                match rule {
                    AssetRule::Files { source, .. } if source.starts_with("stage/") => {}
                    AssetRule::Files { source, .. } if self.recipe_files(source)?.is_empty() => {
                        problems.push(format!("package {name}: '{source}' matches no file (that is not omitted)"));
                    }
                    AssetRule::Files { .. } => {}
                    AssetRule::Link { dest, target } => {
                        let dest = file_in(dest, target);
                        problems.extend(link::target(&dest, target).err().map(|why| format!("package {name}: {why}")));
                    }
                }
            }
            let copyright = package.copyright();
            if !self.recipe.join(copyright).is_file() {
                problems.push(format!("package {name}: its copyright file '{copyright}' does not exist in the recipe"));
            }
            for script in
                package.fields.maintainer_scripts.iter().flat_map(|folder| SCRIPTS.map(|s| format!("{folder}/{s}")))
            {
                let path = self.recipe.join(&script);
                let content = folder::has(&path).then(|| std::fs::read(&path)).transpose();
                match content.map_err(|source| ManifestError::Read { path, source })? {
                    Some(content) if !begins_with_interpreter(&content) => problems.push(format!(
                        "package {name}: its {script} does not begin with #! and an interpreter (policy 6.1); \
                         a carriage return is no part of one"
                    )),
                    _ => {}
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(self.invalid(problems.join("\n"))) }
    }

    fn recipe_files(&self, source: &str) -> Result<Vec<String>, ManifestError> {
        if !is_pattern(source) {
            let path = self.recipe.join(source);
            return Ok(if path.is_file() { vec![source.to_owned()] } else { vec![] });
        }
        let wanted = self.pattern(source)?;
        let fixed = &source[..prefix_length(source)];
        let folder = self.recipe.join(fixed);
        if !folder.is_dir() {
            return Ok(vec![]);
        }
        let mut found = Vec::new();
        for entry in WalkDir::new(&folder).sort_by_file_name() {
            let entry = entry.map_err(|error| read_error(&folder, error))?;
            if entry.file_type().is_file() {
                let path = relative(&self.recipe, entry.path())?;
                if wanted.is_match(&path) {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }

    fn pattern(&self, text: &str) -> Result<GlobMatcher, ManifestError> {
        // Braces and backslashes mean nothing in cargo-deb's patterns.
        let literal = text.replace('{', "[{]").replace('}', "[}]");
        GlobBuilder::new(&literal)
            .literal_separator(true)
            .backslash_escape(false)
            .build()
            .map(|glob| glob.compile_matcher())
            .map_err(|error| self.invalid(format!("the pattern '{text}': {error}")))
    }

    fn invalid(&self, problem: String) -> ManifestError {
        ManifestError::Invalid { path: path(&self.recipe), problem }
    }
}

#[derive(Default)]
struct Resolved {
    entries: BTreeMap<String, Entry>,
    staged: BTreeSet<String>,
}

/// A staged tree: its files and links (with their targets), and which of them are omitted.
struct Tree {
    paths: BTreeMap<String, Option<String>>,
    omitted: BTreeSet<String>,
}

impl Tree {
    fn read(staged: &Path) -> Result<Self, ManifestError> {
        let mut paths = BTreeMap::new();
        for entry in WalkDir::new(staged).min_depth(1) {
            let entry = entry.map_err(|error| read_error(staged, error))?;
            let kind = entry.file_type();
            if kind.is_dir() {
                continue;
            }
            let path = relative(staged, entry.path())?;
            let invalid = |problem: &str| ManifestError::Invalid {
                path: entry.path().to_owned(),
                problem: format!("{problem}: let the recipe's install phase leave only plain files and links"),
            };
            // Names travel through line-oriented files (split's lists, md5sums).
            if path.bytes().any(|b| b.is_ascii_control()) {
                return Err(invalid("the file's name has control characters"));
            }
            let target = if kind.is_symlink() {
                let target = std::fs::read_link(entry.path())
                    .map_err(|source| ManifestError::Read { path: entry.path().to_owned(), source })?;
                let target = target.to_str().ok_or_else(|| invalid("the link's target is not UTF-8"))?.to_owned();
                // As far as it is the same wherever a package puts it.
                if target.starts_with('/') {
                    link::target(&path, &target)
                        .map_err(|problem| ManifestError::Invalid { path: entry.path().to_owned(), problem })?;
                }
                Some(target)
            } else if kind.is_file() {
                None
            } else {
                return Err(invalid("this is neither a file nor a link"));
            };
            paths.insert(path, target);
        }
        Ok(Self { paths, omitted: BTreeSet::new() })
    }

    fn matching(&self, manifest: &Manifest, source: &str) -> Result<Vec<String>, ManifestError> {
        let candidates = self.paths.keys().filter(|path| !self.omitted.contains(*path));
        if !is_pattern(source) {
            return Ok(candidates.filter(|path| *path == source).cloned().collect());
        }
        let wanted = manifest.pattern(source)?;
        Ok(candidates.filter(|path| wanted.is_match(path)).cloned().collect())
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The length of the part before the first component with a pattern.
fn prefix_length(pattern: &str) -> usize {
    let first = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    pattern[..first].rfind('/').map_or(0, |slash| slash + 1)
}

/// Where a file goes, as cargo-deb has it: a pattern's path is kept from its first component with a pattern on
/// if its last component is a pattern too; else only the file's name.
fn destination(source: &str, path: &str, dest: &str) -> String {
    let name = |path: &str| path.rsplit('/').next().expect("split gives one").to_owned();
    let last_is_pattern = is_pattern(source.rsplit('/').next().expect("split gives one"));
    if !is_pattern(source) {
        return file_in(dest, path);
    }
    let rest = if last_is_pattern { path[prefix_length(source)..].to_owned() } else { name(path) };
    format!("{}/{rest}", dest.trim_end_matches('/'))
}

fn file_in(dest: &str, source: &str) -> String {
    match dest.strip_suffix('/') {
        Some(folder) => format!("{folder}/{}", source.rsplit('/').next().expect("split gives one")),
        None => dest.to_owned(),
    }
}

fn relative(root: &Path, path: &Path) -> Result<String, ManifestError> {
    let relative: &Path = path.strip_prefix(root).expect("walked from there");
    relative.to_str().map(str::to_owned).ok_or_else(|| ManifestError::Invalid {
        path: PathBuf::from(path),
        problem: "the file's name is not UTF-8 (policy 10.10): rename it in the recipe's install phase".into(),
    })
}

fn read_error(folder: &Path, error: walkdir::Error) -> ManifestError {
    let path = error.path().unwrap_or(folder).to_owned();
    ManifestError::Read { path, source: error.into() }
}

/// Two packages with a file at the same path cannot be installed together.
fn same_path_twice(all: &BTreeMap<String, Contents>) -> Vec<String> {
    let mut owner: BTreeMap<&str, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for (package, contents) in all {
        for path in contents.entries.keys() {
            if let Some(other) = owner.insert(path, package) {
                problems.push(format!("both {other} and {package} would install /{path}: take it out of one of them"));
            }
        }
    }
    problems
}

fn list(paths: &[&str]) -> String {
    let mut text: String = paths.iter().take(LISTED).map(|path| format!("\n  stage/{path}")).collect();
    if paths.len() > LISTED {
        text += &format!("\n  … and {} more", paths.len() - LISTED);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::read;

    /// A recipe with one package `aa` and its assets, a package `bb` with others, and a staged tree.
    fn resolve(aa: &str, bb: &str, omit: &str, staged: &[&str]) -> Result<BTreeMap<String, Contents>, String> {
        let folder = tempfile::tempdir().unwrap();
        let (recipe, stage) = (folder.path().join("recipe"), folder.path().join("stage"));
        for dir in ["deb", "config"] {
            std::fs::create_dir_all(recipe.join(dir)).unwrap();
        }
        std::fs::write(recipe.join("deb/copyright"), "Format: x\n").unwrap();
        std::fs::write(recipe.join("config/one"), "1\n").unwrap();
        std::fs::write(
            path(&recipe),
            format!(
                "[package]\nname = \"x\"\nversion = \"1.0.0\"\ndescription = \"a thing\"\n[package.metadata.deb]\n\
                 maintainer = \"A <a@example.org>\"\nlicense-file = \"deb/copyright\"\nextended-description = \"It is.\"\n\
                 [package.metadata.deb.variants.aa]\nassets = [{aa}]\n[package.metadata.deb.variants.bb]\nassets = [{bb}]\n\
                 [package.metadata.packaging]\nomit = [{omit}]\n"
            ),
        )
        .unwrap();
        for file in staged {
            let file = stage.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            if file.ends_with("link") {
                std::os::unix::fs::symlink("target", file).unwrap();
            } else {
                std::fs::write(file, "x").unwrap();
            }
        }
        read(&recipe).unwrap().resolve(&stage).map_err(|error| error.to_string())
    }

    fn asset(source: &str, dest: &str) -> String {
        format!("{{ source = \"{source}\", dest = \"{dest}\", mode = \"644\" }},")
    }

    #[test]
    fn destinations_follow_cargo_deb() {
        let aa = [
            asset("stage/usr/bin/tool", "usr/sbin/"),
            asset("stage/usr/lib/*/lib*.so", "usr/lib/"),
            asset("stage/usr/share/**/*", "usr/share/x/"),
            asset("stage/opt/*/one", "opt/y"),
            asset("config/o*", "etc/"),
        ]
        .concat();
        let staged =
            ["usr/bin/tool", "usr/lib/t/liba.so", "usr/lib/t/link", "usr/share/a/b/c", "usr/share/d", "opt/q/one"];
        let all = resolve(&aa, &asset("stage/usr/lib/*/link", "usr/lib/t/link2"), "", &staged).unwrap();
        let paths: Vec<&str> = all["aa"].entries.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "etc/one",
                "opt/y/one",
                "usr/lib/t/liba.so",
                "usr/sbin/tool",
                "usr/share/doc/aa/copyright",
                "usr/share/x/a/b/c",
                "usr/share/x/d"
            ]
        );
        assert_eq!(all["bb"].entries["usr/lib/t/link2/link"], Entry::Link { target: "target".into() });
    }

    #[test]
    fn every_staged_file_has_one_owner() {
        let error = resolve(&asset("stage/a", "a"), "", "", &["a", "b"]).unwrap_err();
        assert!(
            error.contains("belong to no package") && error.contains("stage/b") && !error.contains("stage/a\n"),
            "{error}"
        );
        let error = resolve(&asset("stage/*", "x/"), &asset("stage/b", "b"), "", &["a", "b"]).unwrap_err();
        assert!(error.contains("b (aa, bb)"), "{error}");
        let error = resolve(&asset("stage/c", "c"), &asset("stage/*", "x/"), "\"stage/z*\"", &["a"]).unwrap_err();
        assert!(
            error.contains("'stage/c' matches no file") && error.contains("'stage/z*' matches no staged file"),
            "{error}"
        );
        let all = resolve(&asset("stage/**/*", "x/"), "", "\"stage/**/*.la\"", &["a", "q/b.la"]).unwrap();
        assert_eq!(all["aa"].entries.keys().filter(|path| path.starts_with("x/")).count(), 1);
    }

    #[test]
    fn two_packages_cannot_install_the_same_path() {
        let error = resolve(&asset("stage/a", "x"), &asset("stage/b", "x"), "", &["a", "b"]).unwrap_err();
        assert!(error.contains("both aa and bb would install /x"), "{error}");
    }
}
