//! `cargo xtask target new`: the clerical work of a new target.
//!
//! Everything is made beside the checkout first: the target's file, the copy of the keyring, and every lock. What cannot be made
//! stops it before a byte of the checkout has changed.

mod draft;
mod made;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use draft::Draft;
use fetch::debian::Advised;
use fetch::debian::catalogue::Catalogue;
use fetch::debian::mirror::{Mirrors, UserConfig};
use fetch::download::{Downloader, Network};
use foundation::failure::{AnyFailure, Kind, Message};
use foundation::folder;
use foundation::progress::Progress;
use pipeline::Options;
use pipeline::records::write_file;
use recipe::root_lock::LockKind;
use recipe::target::{Target, TargetName, look_over_suffix};
use recipe::{Recipe, matrices};
use sign::gpgv::{self, GpgvError};
use sign::public_key;

use crate::arguments::{block_on, engine, locked_store, repository};
use crate::defaults::known_recipes;
use crate::terminal::{Terminal, print_json};

pub use made::Made;

/// The commands of `cargo xtask target`.
#[derive(Subcommand)]
pub enum Command {
    /// Make a target like another one: its file, keyring and locks, and its place in the pipelines of ci/
    New(Arguments),
}

/// The arguments of `cargo xtask target new`.
#[derive(Args)]
pub struct Arguments {
    /// Name of the new target, such as debian-14/amd64
    #[arg(value_name = "RELEASE/ARCH")]
    name: TargetName,
    /// Target that it is like: whose file is copied, and for which recipes have the locks that are made
    #[arg(long, value_name = "RELEASE/ARCH")]
    like: TargetName,
    /// Suite of the archive, by its codename, such as forky
    #[arg(long, value_name = "CODENAME", value_parser = codename)]
    suite: String,
    /// Binary OpenPGP keyring that the suite's InRelease is verified with
    #[arg(long, value_name = "FILE")]
    keyring: PathBuf,
    /// What follows the version of every package, such as ~deb14u1. The default is the other target's with the release's number in it, and
    /// nothing for a release without a number
    #[arg(long, value_name = "TEXT", value_parser = suffix)]
    version_suffix: Option<String>,
    /// Make only the locks of this recipe; may be given more than once. The default is every recipe that has some for the other target
    #[arg(long, value_name = "NAME")]
    recipe: Vec<String>,
    /// Mirror to try first, such as https://mirror.example.org/debian; may be given more than once
    #[arg(long = "mirror", value_name = "URL")]
    mirrors: Vec<String>,
    /// Lock the archive as of this time, such as 20260912T000000Z; the default is the archive as it is now
    #[arg(long, value_name = "TIME")]
    snapshot: Option<String>,
    /// Install and start a container engine where none answers
    #[arg(long)]
    setup: bool,
    /// Print facts as JSON, one a line, on standard output
    #[arg(long)]
    json: bool,
}

/// A suite's name that can be a folder's.
fn codename(text: &str) -> Result<String, String> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.+".contains(&b);
    match text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(good) {
        true => Ok(text.to_owned()),
        false => Err("a codename has lower-case letters, digits and - . +, such as forky".into()),
    }
}

fn suffix(text: &str) -> Result<String, String> {
    look_over_suffix(text).map(|()| text.to_owned())
}

/// A file that the checkout is to have.
struct File {
    path: PathBuf,
    content: Vec<u8>,
}

/// Makes a target.
///
/// # Errors
/// There is one of this name, or none that it should be like; the keyring is none, or did not sign the suite; a lock cannot be
/// made; or a file cannot be written. In each case nothing has changed.
pub fn run(command: Command) -> Result<(), AnyFailure> {
    let Command::New(arguments) = command;
    let terminal = Terminal::new(arguments.json);
    let top = repository();
    let targets = top.join("containers/targets");
    let path = targets.join(arguments.name.file_stem() + ".toml");
    if path.exists() {
        let text = format!("there is a target {} already: {}", arguments.name, path.display());
        return Err(Message::new(text, Kind::Usage.next("`cargo xtask lock` renews its locks")).into());
    }
    let like = Target::read(&targets, &arguments.like)?;
    let recipes = recipes(&arguments.recipe, &like)?;
    let keyring = Keyring::read(&arguments.keyring)?;

    let scratch = tempfile::tempdir().map_err(Message::of("cannot make a temporary folder"))?;
    let drafts = scratch.path().join("targets");
    folder::copy(&targets, &drafts).map_err(|(path, why)| Message::of_file("copy", path)(why))?;
    let ring = keyring.place(&targets, &arguments.name)?;
    let old = targets.join(like.name.file_stem() + ".toml");
    let old = std::fs::read_to_string(&old).map_err(Message::of_file("read", &old))?;
    let draft = Draft {
        name: &arguments.name,
        suite: &arguments.suite,
        keyring: &ring,
        suffix: arguments.version_suffix.as_deref(),
    };
    let text = draft.text(&old, &like)?;
    Target::look_over_new(&targets, &arguments.name, &text)?;
    write(&drafts.join(&ring), &keyring.content)?;
    write(&drafts.join(path.file_name().expect("a file")), text.as_bytes())?;
    let target = Target::read(&drafts, &arguments.name)?;

    let (store, held) = locked_store("target new", &terminal)?;
    let mirrors = Mirrors::discover(&arguments.mirrors, &UserConfig::read()?, &target)?;
    let downloader = Downloader::new(Network::Online);
    let snapshot = arguments.snapshot.as_deref();
    // By the keyring that was given: an error names that one, not the copy. There is no file of the target yet, either.
    let given = std::path::absolute(&arguments.keyring).map_err(Message::of_file("find", &arguments.keyring))?;
    let asked = Target { keyring: given, ..target.clone() };
    let advised = Advised { suite: "--suite", keyring: "--keyring" };
    let catalogue = Catalogue::fetch(&downloader, &store, &mirrors, (&asked, &drafts), snapshot, &|_| ())
        .map_err(|error| Message::new(error.to_string(), error.outcome_advised(advised)))?;
    let release = &catalogue.own().release;
    if release.codename != arguments.suite {
        let text = format!("{} is what {} is called today", arguments.suite, release.codename);
        let next = format!("name it by its codename, which never moves: --suite {}", release.codename);
        return Err(Message::new(text, Kind::Usage.next(next)).into());
    }
    terminal.note(format!("{}: {} signed it", release.codename, arguments.keyring.display()));

    let mut files = Vec::new();
    let ring = targets.join(&ring);
    if !ring.exists() {
        files.push(File { path: ring, content: keyring.content.clone() });
    }
    files.extend(block_on(&store, async || {
        let engine = engine(&store, &held, arguments.setup, &terminal).await?;
        let mut locks = Vec::new();
        for (recipe, kinds) in &recipes {
            let folder = scratch.path().join(recipe.name());
            std::fs::create_dir_all(&folder).map_err(Message::of_file("make the folder", &folder))?;
            // Its locks are written there, and read: what a farm needs depends on the build root's.
            let mut drafted = recipe.clone().for_target(&target.name)?;
            drafted.folder = folder;
            let options = Options {
                recipe: drafted,
                target: target.clone(),
                targets: drafts.clone(),
                source: None,
                network: Network::Online,
                mirrors: arguments.mirrors.clone(),
            };
            for kind in kinds {
                terminal.note(format!("{} of {} …", kind.noun(), recipe.name()));
                let (_, lock) = pipeline::lock(&engine, &store, &options, *kind, snapshot, &terminal).await?;
                locks.push(File { path: recipe.lock_path(&target, *kind), content: lock.to_toml().into_bytes() });
            }
        }
        Ok(locks)
    })?);
    let (pipelines, others) = pipelines(&top.join("ci"), &like.name, &target.name)?;
    files.extend(pipelines);
    // Last: from then on there is the target.
    files.push(File { path, content: text.into_bytes() });
    replace(&files)?;
    terminal.finish();
    let paths: Vec<&Path> = files.iter().map(|file| file.path.as_path()).collect();
    let keys = if files.iter().any(|file| file.content == keyring.content) { &keyring.keys[..] } else { &[] };
    let made = Made::new(&top, &paths, keys, (&target, &like), &recipes, &others)?;
    if arguments.json {
        print_json(&made);
    } else {
        print!("{}", made.text());
    }
    Ok(())
}

/// The recipes that have locks for a target, or those of them that are named, each with the kinds of its locks.
fn recipes(named: &[String], like: &Target) -> Result<Vec<(Recipe, Vec<LockKind>)>, AnyFailure> {
    let known = known_recipes();
    let mut found = Vec::new();
    for (name, folder) in known.iter().filter(|(name, _)| named.is_empty() || named.contains(name)) {
        let recipe = Recipe::read(folder)?;
        let kinds: Vec<_> = LockKind::ALL.into_iter().filter(|kind| recipe.lock_path(like, *kind).is_file()).collect();
        if !kinds.is_empty() {
            found.push((recipe, kinds));
        } else if !named.is_empty() {
            return Err(Message::usage(format!("the recipe {name} has no lock for {}", like.name)).into());
        }
    }
    if let Some(unknown) = named.iter().find(|named| !known.iter().any(|(name, _)| name == *named)) {
        return Err(Message::usage(format!("there is no recipe {unknown} in this checkout")).into());
    }
    Ok(found)
}

/// The archive's keys.
struct Keyring {
    content: Vec<u8>,
    /// What is to be compared with what the distribution publishes: fingerprint, owner, and when it ends.
    keys: Vec<String>,
}

impl Keyring {
    fn read(path: &Path) -> Result<Self, AnyFailure> {
        let content = std::fs::read(path).map_err(Message::of_file("read the keyring", path))?;
        if public_key::has_secret(&content) {
            let next = Kind::Input.next("hand over public keys only: nothing was copied");
            return Err(Message::new(format!("{} has a secret key", path.display()), next).into());
        }
        gpgv::check_keyring(path, &content)?;
        let keys = public_key::read(&content).unwrap_or_default();
        if keys.is_empty() {
            return Err(GpgvError::NoKeys { path: path.to_owned() }.into());
        }
        let end = |ends: Option<i64>| {
            ends.map_or("never ends".into(), |at| format!("ends on {}", foundation::date::text(at)))
        };
        let keys = keys
            .iter()
            .map(|key| format!("{} {}, {}", key.primary(), key.user_id, end(key.keys.first().and_then(|key| key.ends))))
            .collect();
        Ok(Self { content, keys })
    }

    /// Where the targets' folder has it: the release's own file, which several architectures share.
    fn place(&self, targets: &Path, name: &TargetName) -> Result<String, Message> {
        let ring = format!("keyrings/{}.gpg", name.release());
        match std::fs::read(targets.join(&ring)) {
            Ok(other) if other != self.content => Err(Message::new(
                format!("{} is there, with other keys", targets.join(&ring).display()),
                Kind::Input.next("name that file with --keyring, or see first which of the two is right"),
            )),
            _ => Ok(ring),
        }
    }
}

fn write(path: &Path, content: &[u8]) -> Result<(), Message> {
    std::fs::write(path, content).map_err(Message::of_file("write", path))
}

/// The pipelines with the target in their matrices, and the names of those that were left alone: their machines are of another
/// architecture, or they have no list with the other target in it.
fn pipelines(folder: &Path, like: &TargetName, new: &TargetName) -> Result<(Vec<File>, Vec<String>), Message> {
    let (mut files, mut others) = (Vec::new(), Vec::new());
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries.into_iter().filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).map_err(Message::of_file("read", &path))?;
        let changed = matrices::with(&text, &like.to_string(), &new.to_string());
        match changed.filter(|_| like.architecture() == new.architecture()) {
            Some(text) => files.push(File { path, content: text.into_bytes() }),
            None => others.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
        }
    }
    Ok((files, others))
}

/// Writes all files. If one cannot be written, those before it are as they were.
fn replace(files: &[File]) -> Result<(), AnyFailure> {
    let mut undo: Vec<(&Path, Option<Vec<u8>>)> = Vec::new();
    for File { path, content } in files {
        let before = std::fs::read(path).ok();
        if before.as_ref() == Some(content) {
            continue;
        }
        undo.push((path, before));
        if let Err(error) = write_file(path, content) {
            for (path, before) in undo.iter().rev() {
                let _ = match before {
                    Some(before) => std::fs::write(path, before),
                    None => std::fs::remove_file(path),
                };
            }
            return Err(error.into());
        }
    }
    Ok(())
}
