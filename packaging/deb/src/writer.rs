//! One package, with everything decided, written through cargo-deb's library.
//!
//! Of cargo-deb's library (experimental, so its version is exact) this uses: reading a manifest, the public
//! fields of the package it describes, and writing the .deb. What it does by itself and is not wanted (running
//! dpkg-shlibdeps on the host, stripping, zopfli) is not called.
//!
//! Its data archive only says what is where, in which order: large files are empty in it, and their content goes from
//! where it lies straight into the archive that is kept, so that each is read and compressed once.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use cargo_deb::assets::{Asset, AssetKind, AssetSource, IsBuilt, SymlinkKind, apply_compressed_assets};
use cargo_deb::compress::{CompressConfig, Format};
use cargo_deb::config::{BuildOptions, DebugSymbolOptions, Multiarch};
use cargo_deb::listener::Listener;
use cargo_deb::{BuildEnvironment, CargoDebError, PackageConfig, write_deb};
use foundation::digest::Digest;
use foundation::store::StoreError;
use foundation::threads::Stop;
use serde::Serialize;
use toml::{Table, Value};

use crate::archive::{DebFile, create_deb};
use crate::binary_package::BinaryPackage;
use crate::control::{ControlArchive, Paragraph};
use crate::data::{Compression, Data, Item, Opened};
use crate::error::DebError;
use crate::manifest::{Directory, MultiArch};
use crate::read_back;

/// The member of a signed package that has its origin signature, see debsig-verify(1).
pub const ORIGIN_SIGNATURE: &str = "_gpgorigin";

/// A package with everything decided: this and the code make its bytes, and nothing else does.
#[derive(Clone, Debug, Serialize)]
pub struct Package {
    /// The field `Package`: the package's name (Debian policy 5.6.7).
    pub name: String,
    /// The field `Source`: the source package's name (Debian policy 5.6.1).
    pub source: String,
    /// The field `Version` (Debian policy 5.6.12).
    pub version: String,
    /// The version in the file name, which has no epoch.
    pub file_version: String,
    /// Unix time in seconds that every time stamp is set to.
    pub epoch: i64,
    /// The field `Architecture`: `all`, or the one that it was built for.
    pub architecture: String,
    /// The field `Multi-Arch`; none where it is left out.
    pub multi_arch: Option<MultiArch>,
    /// The field `Maintainer`: `Name <address>` (Debian policy 5.6.2).
    pub maintainer: String,
    /// The field `Homepage` (Debian policy 5.6.23).
    pub homepage: Option<String>,
    /// The field `Section`, such as `net` (Debian policy 2.4).
    pub section: String,
    /// The field `Priority`, such as `optional` (Debian policy 2.5).
    pub priority: String,
    /// Relationship fields, by name, as they will be.
    pub relations: BTreeMap<&'static str, String>,
    /// The first line of the field `Description` (Debian policy 5.6.13).
    pub synopsis: String,
    /// The further lines of the field `Description`, without the space that each begins with.
    pub description: String,
    /// The files and links of the package by their paths, which have no leading `/`.
    pub entries: BTreeMap<String, Content>,
    /// Folders that are there even where nothing is in them.
    pub directories: Vec<Directory>,
    /// Configuration files, by absolute path (policy 10.7).
    pub conf_files: Vec<String>,
    /// The recipe's folder of maintainer scripts.
    pub maintainer_scripts: Option<String>,
    /// What cargo-deb is told of systemd's units, as the manifest has it.
    pub systemd_units: Option<Value>,
    /// What cargo-deb looks for by itself, maintainer scripts and units: content by path in the recipe.
    pub looked_for: BTreeMap<String, Vec<u8>>,
    /// The lines of the file `shlibs` (deb-shlibs(5)).
    pub shlibs: Vec<String>,
    /// The lines of the file `triggers` (deb-triggers(5)).
    pub triggers: Vec<String>,
    /// The build ids of the binaries whose symbols it has; empty but for a `-dbgsym` package.
    pub build_ids: Vec<String>,
}

/// The content of one path.
#[derive(Clone, Debug, Serialize)]
pub enum Content {
    /// Where the file lies is not in its digest: what is in it is.
    Path {
        /// The path of the file on this machine.
        #[serde(skip)]
        path: PathBuf,
        /// The size of the file in bytes.
        #[serde(skip)]
        size: u64,
        /// SHA-256 digest of the file's content.
        sha256: Digest,
        /// Permissions, such as 0o644.
        mode: u32,
    },
    /// A small file.
    Bytes {
        /// The content of the file.
        bytes: Vec<u8>,
        /// Permissions, such as 0o644.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// The path that the link points to, as it is written in it.
        target: String,
    },
}

impl Content {
    /// Whether the archive's item has the same kind and mode.
    fn is_kind_of(&self, item: &Item) -> bool {
        match (self, item) {
            (Self::Path { mode, .. } | Self::Bytes { mode, .. }, Item::File { mode: found, .. }) => mode == found,
            (Self::Link { target }, Item::Link { target: found }) => target == found,
            _ => false,
        }
    }

    /// The digest of a file's bytes.
    fn sha256(&self) -> Option<Digest> {
        match self {
            Self::Path { sha256, .. } => Some(*sha256),
            Self::Bytes { bytes, .. } => Some(Digest::of(bytes)),
            Self::Link { .. } => None,
        }
    }
}

/// Where the listed files are put in the manifest crate.
const FILES: &str = ".files";

/// What links point to in cargo-deb's archive.
const LINK: &str = "elsewhere";

/// Larger files, in bytes, are empty for cargo-deb. Of content it reads nothing but units, which are far smaller.
const LARGE: u64 = 64 << 10;

impl Package {
    /// How strongly its data archive is compressed.
    pub fn preset(&self) -> u32 {
        if self.build_ids.is_empty() { Compression::USUAL } else { Compression::SYMBOLS }
    }

    /// The size of all files of the package together, in bytes.
    pub fn content_size(&self) -> u64 {
        let size = |content: &Content| match content {
            Content::Path { size, .. } => *size,
            Content::Bytes { bytes, .. } => bytes.len() as u64,
            Content::Link { .. } => 0,
        };
        self.entries.values().map(size).sum()
    }

    /// Writes the .deb into `folder` under a temporary name, and renames it; compresses with `threads`, and ends early
    /// when it is told to stop.
    ///
    /// # Errors
    /// cargo-deb refuses the package, a file has changed since it was staged, the .deb that was written is not what was
    /// asked for, the folder cannot be written, or another package failed and `stop` says so. No .deb is left then.
    pub fn write(&self, folder: &Path, threads: u32, stop: &Stop) -> Result<BinaryPackage, DebError> {
        let top = tempfile::Builder::new()
            .prefix("mesos-packages-")
            .tempdir()
            .map_err(|source| file_error(folder, source))?;
        self.write_crate(top.path()).map_err(|source| file_error(top.path(), source))?;
        let raw = top.path().join("raw.deb");
        self.cargo_deb(top.path(), &raw)?;
        self.finish(&raw, folder, threads, stop)
    }

    /// The manifest crate, with each file under a number, so that no name is taken for a pattern. cargo-deb sees
    /// nothing of the recipe but what is in the package's description.
    fn write_crate(&self, top: &Path) -> io::Result<()> {
        for (path, content) in &self.looked_for {
            let path = top.join(path);
            fs::create_dir_all(path.parent().expect("it is below the folder"))?;
            fs::write(path, content)?;
        }
        let files = top.join(FILES);
        fs::create_dir(&files)?;
        fs::write(files.join("lib.rs"), "")?;
        let mut assets = Vec::new();
        for (number, (path, content)) in self.entries.iter().enumerate() {
            let place = files.join(number.to_string());
            let mut asset = Table::new();
            asset.insert("dest".into(), path.clone().into());
            match content {
                Content::Link { .. } if self.is_documents(path) => continue,
                Content::Link { .. } => {
                    // Where it leads is written with the data archive: cargo-deb takes no more than 100 bytes.
                    asset.insert("link_name".into(), LINK.into());
                    assets.push(asset);
                    continue;
                }
                Content::Path { size: LARGE.., .. } => drop(fs::File::create_new(&place)?),
                Content::Path { path, .. } => symlink(fs::canonicalize(path)?, &place)?,
                Content::Bytes { bytes, .. } => fs::write(&place, bytes)?,
            }
            let (Content::Path { mode, .. } | Content::Bytes { mode, .. }) = content else { unreachable!() };
            asset.insert("source".into(), format!("{FILES}/{number}").into());
            asset.insert("mode".into(), format!("{mode:o}").into());
            // The number is a link of ours, to be followed; links of the package are declared above.
            asset.insert("preserve_symlinks".into(), false.into());
            assets.push(asset);
        }
        fs::write(top.join("Cargo.toml"), self.manifest(assets).to_string())
    }

    fn manifest(&self, assets: Vec<Table>) -> Table {
        let mut deb = Table::new();
        let mut set = |name: &str, value: Value| deb.insert(name.to_owned(), value);
        set("name", self.name.clone().into());
        set("maintainer", self.maintainer.clone().into());
        set("section", self.section.clone().into());
        set("priority", self.priority.clone().into());
        if !self.description.is_empty() {
            set("extended-description", self.description.clone().into());
        }
        for (name, value) in &self.relations {
            set(&name.to_lowercase(), value.clone().into());
        }
        if let Some(scripts) = &self.maintainer_scripts {
            set("maintainer-scripts", scripts.clone().into());
        }
        if let Some(units) = &self.systemd_units {
            set("systemd-units", units.clone());
        }
        set("assets", assets.into_iter().map(Value::Table).collect::<Vec<_>>().into());
        let mut package = Table::new();
        for name in ["publish", "readme", "autobins", "autoexamples", "autotests", "autobenches", "build"] {
            package.insert(name.into(), false.into());
        }
        let texts = [
            ("name", "packaging"),
            ("version", "0.0.0"),
            ("edition", "2021"),
            ("license", "UNLICENSED"),
            ("description", &self.synopsis),
        ];
        for (name, value) in texts {
            package.insert(name.into(), value.into());
        }
        if let Some(homepage) = &self.homepage {
            package.insert("homepage".into(), homepage.clone().into());
        }
        package.insert("metadata".into(), Table::from_iter([("deb".to_owned(), Value::Table(deb))]).into());
        Table::from_iter([
            ("package".to_owned(), package.into()),
            ("lib".to_owned(), Table::from_iter([("path".to_owned(), Value::from(format!("{FILES}/lib.rs")))]).into()),
            // Whatever is above the temporary folder, this crate is alone.
            ("workspace".to_owned(), Table::new().into()),
        ])
    }

    fn cargo_deb(&self, top: &Path, output: &Path) -> Result<(), DebError> {
        let listener = Warnings::default();
        let manifest = top.join("Cargo.toml");
        let mut options = BuildOptions { manifest_path: Some(&manifest), ..BuildOptions::default() };
        options.cargo_locking_flags.offline = true;
        options.overrides.deb_version = Some(self.version.clone());
        options.debug = DebugSymbolOptions {
            generate_dbgsym_package: Some(false),
            separate_debug_symbols: Some(false),
            strip_override: Some(false),
            ..DebugSymbolOptions::default()
        };
        let result = (|| {
            let (environment, mut packages) = BuildEnvironment::from_manifest(options, &listener)?;
            let package = packages.first_mut().ok_or(CargoDebError::Str("it found no package"))?;
            self.inject(package);
            package.resolve_assets(&listener)?;
            self.replace_documents(package);
            package.sort_assets_by_type();
            // Fast, because the data archive is written once more.
            let compress =
                CompressConfig { fast: true, compress_type: Format::Xz, compress_system: false, rsyncable: false };
            write_deb(&environment, output.to_owned(), package, &compress, &listener)
        })();
        let message = match result {
            Err(error) => causes(&error),
            // A file that is left out or renamed is only a warning there.
            Ok(_) => listener.0.into_inner().expect("no thread panicked").join("\n"),
        };
        if message.is_empty() { Ok(()) } else { Err(DebError::CargoDeb { package: self.name.clone(), message }) }
    }

    /// What no manifest can say.
    fn inject(&self, package: &mut PackageConfig) {
        package.deb_source = (self.source != self.name).then(|| self.source.clone());
        package.architecture = self.architecture.clone();
        package.default_timestamp = self.epoch.max(0) as u64;
        package.resolved_depends = self.relations.get("Depends").cloned();
        package.is_split_dbgsym_package = !self.build_ids.is_empty();
        package.multiarch = match self.multi_arch {
            Some(MultiArch::Same) => Multiarch::Same,
            Some(MultiArch::Foreign) => Multiarch::Foreign,
            // cargo-deb has no name for it: the pass over the control file writes it.
            Some(MultiArch::Allowed) | None => Multiarch::None,
        };
    }

    /// cargo-deb always adds a copyright file, as the first asset; a package whose documents are a link to
    /// another's has the link in its place.
    fn replace_documents(&self, package: &mut PackageConfig) {
        let Some((path, Content::Link { target })) = self.entries.iter().find(|(path, _)| self.is_documents(path))
        else {
            return;
        };
        let link = SymlinkKind::Created { target_path: path.into(), link_name: target.into() };
        let asset = Asset::new(AssetSource::Symlink(link), path.into(), None, IsBuilt::No, AssetKind::Any);
        apply_compressed_assets(package, vec![(0, asset)]);
    }

    fn is_documents(&self, path: &str) -> bool {
        path.strip_prefix("usr/share/doc/") == Some(&self.name)
    }

    /// Opens a file that is empty in cargo-deb's archive.
    fn open<'a>(&self, path: &str, stop: &'a Stop) -> io::Result<Option<Opened<'a>>> {
        stop.check()?;
        let Some(Content::Path { path, size: size @ LARGE.., .. }) = self.entries.get(path) else { return Ok(None) };
        let failed = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = fs::File::open(path).map_err(failed)?;
        Ok(Some(Opened { reader: Box::new(stop.reader(file)), size: *size }))
    }

    /// Writes the data archive as cargo-deb has laid it out, checks it, adds what cargo-deb leaves out, and puts the
    /// package in its place.
    fn finish(&self, raw: &Path, folder: &Path, threads: u32, stop: &Stop) -> Result<BinaryPackage, DebError> {
        let read = |source| DebError::File { what: "read", path: raw.to_owned(), source };
        let problem = |problem: String| DebError::Package { package: self.name.clone(), problem };
        let deb = DebFile::open(raw).map_err(read)?;
        if deb.names() != ["debian-binary", "control.tar.xz", "data.tar.xz"] {
            return Err(problem(format!("cargo-deb wrote the members {:?} in this order", deb.names())));
        }
        let write = |source| file_error(folder, source);
        let archive = tempfile::NamedTempFile::new_in(folder).map_err(write)?;
        let data = Data::write(
            deb.read(2).map_err(read)?,
            &|path| self.open(path, stop),
            &|path| match self.entries.get(path) {
                Some(Content::Link { target }) => Some(target),
                _ => None,
            },
            &self.directories,
            self.epoch,
            BufWriter::new(archive.as_file()),
            Compression { preset: self.preset(), threads },
        )
        .map_err(write)?;
        self.check(&data).map_err(problem)?;
        let mut control = ControlArchive::read(deb.read(1).map_err(read)?).map_err(read)?;
        self.complete(&mut control, &data).map_err(problem)?;
        let control = control.write(self.epoch).map_err(read)?;

        let file = format!("{}_{}_{}.deb", self.name, self.file_version, self.architecture);
        let path = folder.join(&file);
        let (sha256, size) = create_deb(&path, self.epoch, |deb| {
            deb.member("debian-binary", 4, &mut &b"2.0\n"[..])?;
            deb.member("control.tar.xz", control.len() as u64, &mut &control[..])?;
            let mut data_archive = archive.reopen()?;
            let length = data_archive.metadata()?.len();
            deb.member("data.tar.xz", length, &mut data_archive)
        })
        .map_err(|source| file_error(&path, source))?;
        if let Err(why) = read_back::check(&path) {
            let _ = fs::remove_file(&path);
            return Err(problem(format!("dpkg would refuse it, for {why}")));
        }
        Ok(BinaryPackage {
            name: self.name.clone(),
            version: self.version.clone(),
            architecture: self.architecture.clone(),
            file,
            sha256,
            size,
            installed_size: data.installed_size(),
            section: self.section.clone(),
            priority: self.priority.clone(),
            synopsis: self.synopsis.clone(),
            debug: !self.build_ids.is_empty(),
        })
    }

    /// The archive has every path that was asked for, of the right kind, mode and content, and nothing else.
    fn check(&self, data: &Data) -> Result<(), String> {
        for (path, content) in &self.entries {
            let found = data.entries.get(path);
            if !found.is_some_and(|item| content.is_kind_of(item)) {
                return Err(format!("/{path} is not in it as the manifest has it (found: {found:?})"));
            }
            if let (Some(wanted), Some(Item::File { sha256, .. })) = (content.sha256(), found)
                && wanted != *sha256
            {
                return Err(format!("/{path} was changed while it was packed: run the same command again"));
            }
        }
        let extra =
            data.entries.iter().find(|(path, item)| **item != Item::Folder && !self.entries.contains_key(*path));
        match extra {
            // Units that cargo-deb found by itself.
            Some((path, _)) if self.systemd_units.is_none() => {
                Err(format!("/{path} is in it, but not in the manifest"))
            }
            _ => Ok(()),
        }
    }

    fn complete(&self, control: &mut ControlArchive, data: &Data) -> Result<(), String> {
        let text = control.files.get("control").map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let mut paragraph = text.as_deref().and_then(Paragraph::parse).ok_or("cargo-deb wrote no control file")?;
        paragraph.set("Installed-Size", data.installed_size().to_string());
        paragraph.set("Build-Ids", self.build_ids.join(" "));
        if self.multi_arch == Some(MultiArch::Allowed) {
            paragraph.set("Multi-Arch", "allowed");
        }
        control.files.insert("control".to_owned(), paragraph.render().into_bytes());

        // Policy 10.7.3: files in /etc, and those declared; links are none.
        let mut conf_files: Vec<String> =
            self.conf_files.iter().map(|path| path.trim_start_matches('/').to_owned()).collect();
        if let Some(missing) =
            conf_files.iter().find(|path| !matches!(data.entries.get(*path), Some(Item::File { .. })))
        {
            return Err(format!(
                "its conf-files name /{missing}, which it does not install: add the file to its assets or take it out of conf-files"
            ));
        }
        let files = data.entries.iter().filter(|(_, item)| matches!(item, Item::File { .. })).map(|(path, _)| path);
        conf_files.extend(files.filter(|path| path.starts_with("etc/")).cloned());
        conf_files.sort();
        conf_files.dedup();
        // deb-md5sums(5): conffiles have their own checksums in dpkg's database.
        let sums = data.entries.iter().filter_map(|(path, item)| match item {
            Item::File { md5, .. } if !conf_files.contains(path) => Some(format!("{md5}  {path}")),
            _ => None,
        });
        control.set_lines("md5sums", &sums.collect::<Vec<_>>());
        control.set_lines("conffiles", &conf_files.iter().map(|path| format!("/{path}")).collect::<Vec<_>>());
        control.set_lines("shlibs", &self.shlibs);
        control.set_lines("triggers", &self.triggers);
        Ok(())
    }
}

/// A file cannot be written; a full disk is told apart.
fn file_error(path: &Path, source: io::Error) -> DebError {
    StoreError::io("write", path)(source).into()
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Collects warnings; progress and file names are ours to tell.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Listener for Warnings {
    fn warning(&self, text: String) {
        self.0.lock().expect("no thread panicked").push(text);
    }
    fn info(&self, _: String) {}
    fn progress(&self, _: &str, _: String) {}
    fn generated_archive(&self, _: &Path) {}
}
