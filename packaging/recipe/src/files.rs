//! The files of a recipe: which there are, which of them a phase or packing reads, and what is in them.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use foundation::digest::Digest;
use globset::{GlobBuilder, GlobMatcher};
use serde::de::DeserializeOwned;
use walkdir::WalkDir;

use crate::error::RecipeError;
use crate::recipe::{Build, CLUSTER_FOLDER, FILE, Phase, Recipe, RecipeFile, RecipeInput, Source};
use crate::{compile_memory, components, inherit, quarantine, vulnerabilities};

/// The packages' manifest.
const MANIFEST: &str = "deb/Cargo.toml";

/// The files in which `${VERSION}` stands for upstream's version, as it does in a phase's script: they name packages that
/// have it in their names.
const VERSIONED: [&str; 2] = [MANIFEST, components::FILE];

/// What stands for the version in them.
const VERSION: &str = "${VERSION}";

/// What packing looks for without being told: manifest, copyright, scripts and lintian's overrides, the changelog, the recipe
/// itself, and units.
const ALWAYS_PACKED: [&str; 4] = ["deb", "changelog", FILE, "systemd"];

/// What packing reads of a recipe: files and folders by their paths, and files by patterns.
struct Packed {
    named: Vec<PathBuf>,
    patterns: Vec<GlobMatcher>,
}

impl Packed {
    /// Adds each text of the manifest. One that is no path is the name of no file either.
    fn add(&mut self, value: &toml::Value) {
        match value {
            toml::Value::String(text) => {
                self.named.extend(tidy(Path::new(text)));
                // As the manifest's reader understands them.
                let literal = text.replace('{', "[{]").replace('}', "[}]");
                let glob = GlobBuilder::new(&literal).literal_separator(true).backslash_escape(false).build();
                self.patterns.extend(glob.ok().map(|glob| glob.compile_matcher()));
            }
            toml::Value::Array(all) => all.iter().for_each(|value| self.add(value)),
            toml::Value::Table(all) => all.values().for_each(|value| self.add(value)),
            _ => {}
        }
    }

    fn has(&self, path: &Path) -> bool {
        self.named.iter().any(|named| path.starts_with(named)) || self.patterns.iter().any(|some| some.is_match(path))
    }
}

/// A path without `.` and `..`; none where nothing is left of it, or where it leads out of the folder.
fn tidy(path: &Path) -> Option<PathBuf> {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => tidy.push(name),
            Component::CurDir => {}
            Component::ParentDir if tidy.pop() => {}
            _ => return None,
        }
    }
    (!tidy.as_os_str().is_empty()).then_some(tidy)
}

impl Recipe {
    /// The files that a phase reads: its script and its declared inputs.
    ///
    /// # Errors
    /// One of the files is missing, cannot be read, or is neither a file, a link nor a folder.
    pub fn phase_inputs(&self, phase: &Phase) -> Result<BTreeMap<String, RecipeInput>, RecipeError> {
        let mut roots = vec![Path::new("phases").join(&phase.name)];
        roots.extend(phase.inputs.iter().cloned());
        self.files(&roots)
    }

    /// The files that packing reads: everything in the folder but the upstream, the phases and
    /// what only they read, and what tests and clusters are made of. Whatever the manifest names is among them, whoever else
    /// reads it.
    ///
    /// # Errors
    /// A file of the recipe's folder cannot be read, or is neither a file, a link nor a folder.
    pub fn packing_inputs(&self) -> Result<BTreeMap<String, RecipeInput>, RecipeError> {
        let mut files = self.files(&[PathBuf::new()])?;
        let others = [quarantine::FILE, components::FILE, vulnerabilities::FILE, compile_memory::FILE];
        let mut skipped: Vec<PathBuf> =
            ["phases", "sources.lock", CLUSTER_FOLDER].iter().chain(&others).map(PathBuf::from).collect();
        if let Source::Directory(source) = &self.file.source {
            skipped.push(source.directory.clone());
        }
        for phase in self.file.phases.iter().chain(&self.check_phase()).chain(&self.baseline_phase()) {
            skipped.extend(phase.inputs.iter().cloned());
        }
        skipped.extend(self.elsewhere.iter().cloned());
        let packed = self.packed(&files);
        files.retain(|path, _| {
            let path = Path::new(path);
            path.extension().is_none_or(|extension| extension != "lock")
                && (packed.has(path) || !skipped.iter().any(|skip| path.starts_with(skip)))
        });
        if let Some(own) = files.get_mut(FILE) {
            // What is applied decides the source, and with it everything; why it is decides nothing.
            own.sha256 = Digest::of_json(&RecipeFile {
                check: None,
                cluster: None,
                bench: None,
                cherry_picks: Vec::new(),
                build: Build { machine: None, ..self.file.build.clone() },
                ..self.file.clone()
            });
        }
        Ok(files)
    }

    /// What packing surely reads of these files: what it looks for by itself, what the manifest names in any of its fields, and
    /// what links lead to.
    fn packed(&self, files: &BTreeMap<String, RecipeInput>) -> Packed {
        let mut packed = Packed { named: ALWAYS_PACKED.map(PathBuf::from).into(), patterns: Vec::new() };
        // One that is no TOML is refused before it is packed by.
        let manifest = self.manifest().ok().and_then(|text| text.parse::<toml::Table>().ok());
        manifest.iter().flat_map(toml::Table::values).for_each(|value| packed.add(value));
        for path in files.keys().map(Path::new) {
            if let Ok(target) = fs::read_link(self.path(path)) {
                packed.named.extend(tidy(&path.parent().unwrap_or(Path::new("")).join(target)));
            }
        }
        packed
    }

    /// Everything that a run may read of the recipe: all files but upstream's own and locks.
    pub(crate) fn all_files(&self) -> Result<BTreeMap<String, RecipeInput>, RecipeError> {
        let mut files = self.files(&[PathBuf::new()])?;
        if let Source::Directory(source) = &self.file.source {
            let upstream = format!("{}/", source.directory.display());
            files.retain(|path, _| !path.starts_with(&upstream));
        }
        files.retain(|path, _| !path.ends_with(".lock"));
        Ok(files)
    }

    /// Refuses scripts of phases and clusters that were checked out with the line ends of Windows.
    ///
    /// # Errors
    /// A script has a line that ends with CR LF: the error names the first. Scripts that cannot be read are passed
    /// over.
    pub fn look_over_scripts(&self) -> Result<(), RecipeError> {
        if let Some(above) = &self.inheritance {
            above.parent.look_over_scripts()?;
        }
        for folder in ["phases", CLUSTER_FOLDER] {
            for entry in WalkDir::new(self.folder.join(folder)).sort_by_file_name().into_iter().flatten() {
                // What cannot be read is missed where it is needed.
                let Some(text) = entry.file_type().is_file().then(|| fs::read(entry.path()).ok()).flatten() else {
                    continue;
                };
                let lines = text.split(|byte| *byte == b'\n');
                if let Some(line) = lines.into_iter().position(|line| line.ends_with(b"\r")) {
                    return Err(RecipeError::LineEnds { path: entry.path().to_owned(), line: line + 1 });
                }
            }
        }
        Ok(())
    }

    /// The folder that a file of the recipe is in: its own, or that of a recipe that it inherits from. Its own for what
    /// none of them has.
    pub fn folder_with(&self, path: &Path) -> &Path {
        let mut recipe = self;
        loop {
            if recipe.folder.join(path).symlink_metadata().is_ok() {
                return &recipe.folder;
            }
            match &recipe.inheritance {
                Some(above) if !above.without.names_file(&path.display().to_string()) => recipe = &above.parent,
                _ => return &self.folder,
            }
        }
    }

    /// Where a file of the recipe is: see [`Recipe::folder_with`].
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder_with(path).join(path)
    }

    /// Whether the recipe has a file or folder, of its own or inherited.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// `recipe.toml` as one that inherits nothing.
    pub(crate) fn text(&self) -> Result<String, RecipeError> {
        let path = self.folder.join(FILE);
        match &self.inheritance {
            Some(above) => Ok(above.text.clone()),
            None => {
                let text = fs::read_to_string(&path).map_err(|source| self.failed(&path, source))?;
                Ok(inherit::without_mark(&text).to_owned())
            }
        }
    }

    /// What is in a file of the recipe, as phases and packages get it: with upstream's version where the file names it, and
    /// with what follows from inheritance.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn content(&self, path: &str) -> Result<Vec<u8>, RecipeError> {
        if path == FILE {
            return Ok(self.text()?.into_bytes());
        }
        if path == MANIFEST {
            return Ok(self.manifest()?.replace(VERSION, &self.file.version).into_bytes());
        }
        let place = self.path(Path::new(path));
        let content = fs::read(&place).map_err(|source| self.failed(&place, source))?;
        let text = || String::from_utf8_lossy(&content).into_owned();
        match &self.inheritance {
            _ if VERSIONED.contains(&path) => Ok(text().replace(VERSION, &self.file.version).into_bytes()),
            // One of its own says itself how things are.
            Some(above) if path == vulnerabilities::FILE && !self.folder.join(path).exists() => {
                Ok(above.vulnerabilities(&self.file.cherry_picks, text()).into_bytes())
            }
            _ => Ok(content),
        }
    }

    /// The packages' manifest, in which the version is not named yet.
    fn manifest(&self) -> Result<String, RecipeError> {
        let texts = self.manifests()?.into_iter().map(|(_, text)| text);
        Ok(texts.reduce(|above, text| inherit::merged_tables(&above, text)).unwrap_or_default())
    }

    /// The files that the packages' manifest is merged of, each with its text, the one that has the last word at the end. One of its
    /// own has what differs from the inherited one.
    fn manifests(&self) -> Result<Vec<(PathBuf, String)>, RecipeError> {
        let (place, relative) = (self.path(Path::new(MANIFEST)), Path::new(MANIFEST));
        let mut all = match &self.inheritance {
            Some(above) if !place.starts_with(&self.folder) => return above.parent.manifests(),
            Some(above) if above.parent.has(relative) && !above.without.names_file(MANIFEST) => {
                above.parent.manifests()?
            }
            _ => Vec::new(),
        };
        let text = fs::read_to_string(&place).map_err(|source| self.failed(&place, source))?;
        all.push((place, inherit::without_mark(&text).to_owned()));
        Ok(all)
    }

    /// Reads the packages' manifest as its files say it, so that an error has the file, and the line in it, that somebody wrote. Of the
    /// merged text, which is what packages are made by, it has neither.
    ///
    /// # Errors
    /// A file of it cannot be read, is not TOML, or has what does not fit `T`.
    pub fn manifest_as<T: DeserializeOwned>(&self) -> Result<T, RecipeError> {
        let mut files = self.manifests()?;
        files.iter_mut().for_each(|(_, text)| *text = text.replace(VERSION, &self.file.version));
        inherit::parse_merged(&files)
    }

    /// All files below these folders, and these files, of its own or inherited.
    pub(crate) fn files(&self, roots: &[PathBuf]) -> Result<BTreeMap<String, RecipeInput>, RecipeError> {
        let mut files = BTreeMap::new();
        for root in roots {
            self.collect(root, &mut files)?;
        }
        // Not what the file has, but what is read of it.
        for path in VERSIONED.into_iter().chain([FILE, vulnerabilities::FILE]) {
            if let Some(input) = files.get_mut(path)
                && !self.path(Path::new(path)).is_symlink()
            {
                input.sha256 = Digest::of(self.content(path)?);
            }
        }
        Ok(files)
    }

    /// Adds the files below a folder. Those of this recipe take the place of those that it inherits.
    fn collect(&self, root: &Path, files: &mut BTreeMap<String, RecipeInput>) -> Result<(), RecipeError> {
        let mut own = BTreeMap::new();
        let inherited = self.inheritance.as_ref().filter(|above| above.parent.has(root));
        if inherited.is_none() || self.folder.join(root).symlink_metadata().is_ok() {
            self.walk(root, &mut own)?;
        }
        if let Some(above) = inherited {
            let mut theirs = BTreeMap::new();
            above.parent.collect(root, &mut theirs)?;
            // A file here and a folder of that name there, or the other way round, are not both there either.
            let inside = |inner: &str, outer: &str| inner.starts_with(&format!("{outer}/"));
            theirs.retain(|path, _| {
                !above.without.names_file(path) && !own.keys().any(|mine| inside(path, mine) || inside(mine, path))
            });
            files.extend(theirs);
        }
        files.extend(own);
        Ok(())
    }

    fn failed(&self, path: &Path, source: io::Error) -> RecipeError {
        RecipeError::Input { recipe: self.name().to_owned(), path: path.to_owned(), source }
    }

    /// Adds what this recipe's own folder has below a folder.
    fn walk(&self, root: &Path, files: &mut BTreeMap<String, RecipeInput>) -> Result<(), RecipeError> {
        for entry in WalkDir::new(self.folder.join(root)).follow_links(false) {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(&self.folder).to_owned();
                self.failed(&path, error.into())
            })?;
            if entry.file_type().is_dir() {
                continue;
            }
            let path = entry.path();
            if !entry.file_type().is_file() && !entry.file_type().is_symlink() {
                // A pipe would be waited for.
                return Err(self.failed(path, io::Error::other("it is neither a file, a link nor a folder")));
            }
            let sha256 = if entry.file_type().is_symlink() {
                let link = fs::read_link(path).map_err(|e| self.failed(path, e))?;
                Digest::of(link.as_os_str().as_encoded_bytes())
            } else {
                Digest::of_file(path).map_err(|e| self.failed(path, e))?
            };
            let metadata = fs::symlink_metadata(path).map_err(|e| self.failed(path, e))?;
            let executable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0;
            let relative = path.strip_prefix(&self.folder).expect("walked below the folder");
            // Editors' leftovers are no input: saving a file must not cost a build.
            if relative.as_os_str().to_string_lossy().ends_with('~') {
                continue;
            }
            files.insert(relative.display().to_string(), RecipeInput { sha256, executable });
        }
        Ok(())
    }
}
