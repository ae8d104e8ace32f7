//! A recipe for another version of an upstream: what of a recipe is different for it, as git knows it, written as a recipe
//! that inherits from that one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deb::changelog::Changelog;
use deb::manifest;
use fetch::source::version::{PatchStanding, Standing, Step, Upstream, short};
use foundation::digest::Digest;
use foundation::failure::{AnyFailure, Kind, Message};
use foundation::store::Store;
use recipe::cherry_pick::CherryPick;
use recipe::components::Components;
use recipe::sources_lock::SourcesLock;
use recipe::vulnerabilities::{self, Vulnerabilities, VulnerabilityStatus};
use recipe::{Recipe, Source, control, frozen};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use walkdir::WalkDir;

use crate::error::Error;

/// What is asked for.
pub struct Asked<'a> {
    /// The folder of the new recipe, which is not there yet.
    pub folder: PathBuf,
    /// The recipe that it inherits from.
    pub from: &'a Recipe,
    /// The tag of the version.
    pub tag: &'a str,
    /// The commit that the tag has to name, where it is known.
    pub commit: Option<&'a str>,
    /// Upstream's version, where it is not the tag without its letters.
    pub version: Option<&'a str>,
    /// The folder or address of a git repository with both versions; else the recipe's own.
    pub source: Option<&'a str>,
    /// The recipes that there are.
    pub known: &'a [Recipe],
    /// The date of the changelog's entry, as a Unix time in seconds.
    pub now: i64,
}

/// What came of it.
#[derive(Debug)]
pub struct NewRecipe {
    /// The folder of the new recipe.
    pub folder: PathBuf,
    /// Upstream's version.
    pub version: String,
    /// The commit that it pins.
    pub commit: String,
    /// Its files, each with its number of lines.
    pub files: Vec<(String, usize)>,
    /// The inherited cherry-picks, and how it is with each.
    pub picks: Vec<(CherryPick, Standing)>,
    /// The inherited patches, and how it is with each.
    pub patches: Vec<(String, PatchStanding)>,
    /// The vulnerabilities that were cherry-picked, and are fixed in this version.
    pub fixed: Vec<String>,
    /// What is bundled: how many files are pinned, and whether all of them are those of the other version.
    pub bundled: (usize, bool),
    /// What somebody has to look at.
    pub left: Vec<String>,
}

/// Where a recipe names its patches.
const SERIES: &str = "patches/series";

/// Writes the recipe: all of it, or nothing.
///
/// # Errors
/// The recipe cannot be inherited from in this way, there is one of this name or with these packages already, git does
/// not have both versions, or the folder cannot be written.
pub fn new_recipe(store: &Store, asked: &Asked<'_>, say: &dyn Fn(&str)) -> Result<NewRecipe, AnyFailure> {
    let Asked { from, folder, .. } = asked;
    let Source::Git(source) = &from.file.source else {
        return refused(
            format!(
                "the source of the recipe {} is a folder, and only git can say what another version of it contains",
                from.handle()
            ),
            "write the new recipe's folder by hand: the book has what `inherits` does, in \"Another version\"",
        );
    };
    let (base, name) = place(folder)?;
    let version = upstream_version(asked)?;
    look_over(asked, &name, &version)?;
    let upstream = open(store, asked, &source.git, say)?;
    let commit = upstream.tagged(asked.tag, asked.commit)?;
    let step = Step { from: &source.commit, to: &commit, bundled: &source.bundled };

    let picks: Vec<CherryPick> =
        from.file.cherry_picks.iter().filter(|pick| pick.disabled.is_none()).cloned().collect();
    let plain: Vec<_> = picks.iter().filter_map(CherryPick::pick).collect();
    let names = series(from)?;
    let paths: Vec<PathBuf> = names.iter().map(|name| from.path(&Path::new("patches").join(name))).collect();
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    say(&format!("asking git about {} cherry-picks and {} patches", picks.len(), names.len()));
    let (standing, patched) = upstream.standing(step, &plain, &paths)?;
    let picks: Vec<_> = picks.into_iter().zip(standing).collect();
    let patches: Vec<_> = names.into_iter().zip(patched).collect();
    let old = locked(from)?;
    let bundled = upstream.bundled(step, &old)?;

    let mut left = Vec::new();
    for (pick, standing) in &picks {
        left.extend(to_look_at(&upstream, step, pick, standing)?);
    }
    for (name, standing) in &patches {
        if let PatchStanding::Fails(why) = standing {
            left.push(format!("the patch {name} does not apply: {why}"));
        }
    }
    let mut files = BTreeMap::new();
    let pinned: BTreeMap<&String, Digest> =
        bundled.iter().filter_map(|(path, digest)| Some((path, (*digest)?))).collect();
    let same = pinned.iter().map(|(path, digest)| (*path, digest)).eq(old.iter());
    if !same {
        files.insert("sources.lock", sources_lock(&version, &commit, &pinned));
    }
    for (path, _) in bundled.iter().filter(|(_, digest)| digest.is_none()) {
        left.push(format!(
            "{path} is not in this repository: pin it in sources.lock, with the digest that upstream publishes"
        ));
    }
    let gone: Vec<&String> = old.keys().filter(|path| !bundled.contains_key(*path)).collect();
    let there: Vec<&String> = bundled.keys().filter(|path| !old.contains_key(*path)).collect();
    for path in &gone {
        let now = there.iter().find(|now| stem(now) == stem(path));
        left.push(match now {
            Some(now) => format!("{path} is now {now}"),
            None => format!("{path} is gone"),
        });
    }
    let named = |path: &str| left.iter().any(|line| line.ends_with(&format!(" {path}")));
    let fresh: Vec<&&String> = there.iter().filter(|path| !named(path)).collect();
    let fresh =
        fresh.into_iter().map(|path| format!("{path} is new: say in components.toml and deb/copyright what it is"));
    let fresh: Vec<String> = fresh.collect();
    left.extend(fresh);
    let dropped: Vec<String> = patches
        .iter()
        .filter(|(_, standing)| *standing == PatchStanding::Contained)
        .map(|(name, _)| format!("patches/{name}"))
        .collect();
    if !dropped.is_empty() {
        let rest = patches.iter().filter(|(_, standing)| *standing != PatchStanding::Contained);
        files.insert(SERIES, rest.map(|(name, _)| format!("{name}\n")).collect());
    }
    files.insert("changelog", changelog(asked, &version, &picks)?);

    // Read as it will be, before it is where anybody finds it.
    let temp = tempfile::Builder::new().prefix(".new-").tempdir_in(&base);
    let temp = temp.map_err(Message::of_file("write to", &base))?;
    let draft = temp.path().join(&name);
    let absolute = from.folder.canonicalize().map_err(Message::of_file("read", &from.folder))?;
    let write = |name: &str, text: &str| {
        let path = draft.join(name);
        let parent = path.parent().expect("below the folder");
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(Message::of_file("write", &path))
    };
    let text = |inherits: &Path| recipe_toml(asked, inherits, &version, &commit, &picks, &dropped);
    write("recipe.toml", &text(&absolute))?;
    for (name, text) in &files {
        write(name, text)?;
    }
    let recipe = Recipe::read(&draft)?;
    let copy = frozen::copy_to(&recipe, &temp.path().join("copy"))?;
    let log = Changelog::read(&draft.join("changelog"))?;
    log.check_subject(&draft.join("changelog"), recipe.name(), &version)?;
    left.extend(by_hand(&copy, &copy.folder, from, &gone));
    let fixed = fixed(from, &copy);
    let text = text(&relative(&absolute, &base.join(&name)));
    write("recipe.toml", &text)?;
    files.insert("recipe.toml", text);
    std::fs::rename(&draft, folder).map_err(Message::of_file("write", folder))?;
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.lines().count())).collect();
    let bundled = (pinned.len(), same);
    Ok(NewRecipe { folder: folder.clone(), version, commit, files, picks, patches, fixed, bundled, left })
}

fn refused<T>(why: String, next: &'static str) -> Result<T, AnyFailure> {
    Err(Message::new(why, Kind::Input.next(next)).into())
}

/// The folder that the new one will be in, and its name.
fn place(folder: &Path) -> Result<(PathBuf, String), AnyFailure> {
    let base = match folder.parent() {
        Some(base) if !base.as_os_str().is_empty() => base,
        _ => Path::new("."),
    };
    let base = base.canonicalize().map_err(Message::of_file("read", base))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Err(why) = control::package_name(&name) {
        return refused(
            format!("'{name}' {why}, and the name of a recipe has to be one"),
            "give another name, such as mesos-1.7.3",
        );
    }
    if folder.symlink_metadata().is_ok() {
        return refused(format!("{} is there already", folder.display()), "give another name, or remove it first");
    }
    Ok((base, name))
}

/// `v1.7.3` and `release-1.7.3` are 1.7.3, and a release candidate sorts before its release.
fn upstream_version(asked: &Asked<'_>) -> Result<String, AnyFailure> {
    let version = match asked.version {
        Some(version) => version.to_owned(),
        None => asked.tag.trim_start_matches(|c: char| !c.is_ascii_digit()).replace("-rc", "~rc"),
    };
    match control::version(&format!("{version}-1")) {
        Ok(()) => Ok(version),
        Err(why) => refused(format!("the version '{version}' {why}"), "say which it is with `--upstream-version`"),
    }
}

/// Packages of two recipes with the same names and versions would be refused by any repository, after hours of building.
fn look_over(asked: &Asked<'_>, name: &str, version: &str) -> Result<(), AnyFailure> {
    let same = |one: &&Recipe| one.name() == asked.from.name() && one.file.version == version;
    match asked.known.iter().find(same) {
        None => Ok(()),
        Some(one) => refused(
            format!(
                "the recipe {} makes {} {version} already: packages of {name} would have the same names and versions, and no \
                 repository can have both",
                one.handle(),
                one.name()
            ),
            "change that recipe and give its changelog a new entry, or name another version",
        ),
    }
}

/// The repository that is asked.
fn open(store: &Store, asked: &Asked<'_>, remotes: &[String], say: &dyn Fn(&str)) -> Result<Upstream, AnyFailure> {
    if let Some(place) = asked.source {
        return Ok(Upstream::open(store, place)?);
    }
    let mut tried = Vec::new();
    for remote in remotes {
        say(&format!("getting all of {remote}"));
        match Upstream::open(store, remote) {
            Ok(upstream) => return Ok(upstream),
            Err(error) => tried.push(format!("  {error}")),
        }
    }
    refused(
        format!("no repository of the recipe {} can be asked:\n{}", asked.from.handle(), tried.join("\n")),
        "give a clone that has both versions: `--source PATH`",
    )
}

/// The names of the recipe's patches.
fn series(recipe: &Recipe) -> Result<Vec<String>, AnyFailure> {
    let path = recipe.path(Path::new(SERIES));
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).map_err(Message::of_file("read", &path))?;
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names.filter(|name| !name.starts_with('#')).map(str::to_owned).collect())
}

fn locked(recipe: &Recipe) -> Result<BTreeMap<String, Digest>, AnyFailure> {
    let path = recipe.path(Path::new("sources.lock"));
    let lock = if path.exists() { SourcesLock::read(&path)? } else { SourcesLock::default() };
    Ok(lock.bundled.into_iter().map(|file| (file.path, file.sha256)).collect())
}

/// What somebody has to look at of a cherry-pick.
fn to_look_at(
    upstream: &Upstream,
    step: Step<'_>,
    pick: &CherryPick,
    standing: &Standing,
) -> Result<Vec<String>, Error> {
    let mut left = Vec::new();
    let id = short(&pick.commit);
    match standing {
        Standing::Contained(fetch::source::version::How::SameSubject(_)) => {
            left.push(format!("the cherry-pick {id} is taken for contained by its subject alone: compare the two"));
        }
        Standing::Contained(_) => {}
        Standing::Fails(why) => left.push(format!("the cherry-pick {id} does not apply: {why}")),
        Standing::Applies => {
            for (commit, subject) in upstream.naming(step, &pick.fixes)? {
                let ticket = pick.fixes.join(", ");
                left.push(format!(
                    "{id} ({ticket}) is still applied; \"{subject}\" ({}) names it as well",
                    short(&commit)
                ));
            }
        }
    }
    Ok(left)
}

fn sources_lock(version: &str, commit: &str, pinned: &BTreeMap<&String, Digest>) -> String {
    let head = format!("# What {version} bundles, computed from the files of the commit {}.\n", short(commit));
    let entry =
        |(path, digest): (&&String, &Digest)| format!("\n[[bundled]]\npath = \"{path}\"\nsha256 = \"{digest}\"\n");
    head + &pinned.iter().map(entry).collect::<String>()
}

fn recipe_toml(
    asked: &Asked<'_>,
    inherits: &Path,
    version: &str,
    commit: &str,
    picks: &[(CherryPick, Standing)],
    dropped: &[String],
) -> String {
    let (from, tag) = (asked.from, asked.tag);
    let mut text = format!(
        "# {} {version}: what differs from the recipe {}.\ninherits = \"{}\"\nversion = \"{version}\"\n\n[source]\ncommit = \"{commit}\"\ntag = \"{tag}\"\n",
        from.name(),
        from.handle(),
        inherits.display()
    );
    let contained: Vec<_> = picks.iter().filter_map(|(pick, standing)| Some((pick, contained(standing)?))).collect();
    if contained.is_empty() && dropped.is_empty() {
        return text;
    }
    text += "\n[without]\n";
    if !contained.is_empty() {
        text += &format!("# Cherry-picks that {version} has, by what git says of them.\ncontained = [\n");
        for (pick, how) in contained {
            let tickets = if pick.fixes.is_empty() { String::new() } else { pick.fixes.join(", ") + ": " };
            text += &format!("    \"{}\", # {tickets}{how}\n", pick.commit);
        }
        text += "]\n";
    }
    if !dropped.is_empty() {
        let names: Vec<String> = dropped.iter().map(|name| format!("\"{name}\"")).collect();
        text += &format!("# {version} has these changes.\nfiles = [{}]\n", names.join(", "));
    }
    text
}

fn contained(standing: &Standing) -> Option<&fetch::source::version::How> {
    match standing {
        Standing::Contained(how) => Some(how),
        _ => None,
    }
}

/// The new entry, above those of the recipe that is inherited from.
fn changelog(asked: &Asked<'_>, version: &str, picks: &[(CherryPick, Standing)]) -> Result<String, AnyFailure> {
    let path = asked.from.path(Path::new("changelog"));
    let before = Changelog::read(&path)?;
    let epoch = before.version.split_once(':').map(|(epoch, _)| format!("{epoch}:")).unwrap_or_default();
    let date = OffsetDateTime::from_unix_timestamp(asked.now).map_err(Message::of("cannot tell the date"))?;
    let date = date.format(&Rfc2822).map_err(Message::of("cannot write the date"))?;
    let had = picks.iter().filter(|(_, standing)| contained(standing).is_some()).count();
    let applied = picks.len() - had;
    let mut lines = vec![format!("  * New upstream version {version}.")];
    if had > 0 {
        lines.push(format!("  * It has {had} of the later fixes that {} came with;", before.version));
        lines.push(format!("    {applied} others are still applied."));
    }
    Ok(format!(
        "{} ({epoch}{version}-1) {}; urgency={}\n\n{}\n\n -- {}  {date}\n\n{}",
        before.source,
        before.distribution,
        before.urgency,
        lines.join("\n"),
        asked.from.file.maintainer,
        before.text
    ))
}

/// What was cherry-picked, and is fixed now.
fn fixed(from: &Recipe, copy: &Recipe) -> Vec<String> {
    let path = from.path(Path::new(vulnerabilities::FILE));
    let before = path.parent().and_then(|folder| Vulnerabilities::read(folder, &from.file.cherry_picks).ok().flatten());
    let after = Vulnerabilities::read(&copy.folder, &copy.file.cherry_picks).ok().flatten();
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let was =
        |name: &str| before.all.iter().any(|one| one.name == name && one.status == VulnerabilityStatus::CherryPicked);
    let fixed = after.all.into_iter().filter(|one| one.status == VulnerabilityStatus::Fixed && was(&one.name));
    fixed.map(|one| one.name).collect()
}

/// What in the inherited files is about the other version.
fn by_hand(recipe: &Recipe, copy: &Path, from: &Recipe, gone: &[&String]) -> Vec<String> {
    let mut left = Vec::new();
    let sources = SourcesLock::read(&copy.join("sources.lock")).unwrap_or_default();
    match manifest::read(copy) {
        Err(error) => left.push(format!("the packages' manifest: {}", manifest::placed(recipe, error))),
        Ok(manifest) => {
            let names: Vec<String> = manifest.packages.iter().map(|package| package.name.clone()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if let Err(error) = Components::read(copy, &sources, &names) {
                left.push(error.to_string().replace(&format!("{}/", copy.display()), ""));
            }
        }
    }
    if let Err(error) = Vulnerabilities::read(copy, &recipe.file.cherry_picks) {
        left.push(error.to_string().replace(&format!("{}/", copy.display()), ""));
    }
    // `3rdparty/grpc-1.10.0.tar.gz`, which is gone, is named as grpc-1.10.0, or as one of its parts.
    let stems: Vec<&str> = gone
        .iter()
        .filter_map(|path| path.rsplit('/').next()?.split(".tar").next()?.rsplit_once('-').map(|(_, version)| version))
        .collect();
    let old: Vec<&str> = std::iter::once(from.file.version.as_str()).chain(stems).collect();
    let elsewhere = |path: &str| {
        path.ends_with(".lock")
            || ["changelog", "recipe.toml", "components.toml", vulnerabilities::FILE].contains(&path)
            || path.starts_with("patches/")
            || path.contains("/tests/")
    };
    for entry in WalkDir::new(copy).sort_by_file_name().into_iter().flatten() {
        let path = entry.path().strip_prefix(copy).unwrap_or(entry.path()).display().to_string();
        let Some(text) = std::fs::read_to_string(entry.path()).ok().filter(|_| !elsewhere(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(version) = old.iter().find(|version| names_version(line, version)) {
                left.push(format!("{path}, line {}, names {version}: {}", number + 1, line.trim()));
            }
        }
    }
    left
}

/// The name of an archive without its version: `glog` of `3rdparty/glog-0.4.0.tar.gz`.
fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    let dash = |at: &usize| file[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    let end = file.match_indices('-').map(|(at, _)| at).find(dash);
    &file[..end.unwrap_or(file.len())]
}

/// Whether a line has this version, and not one that begins or ends with it.
fn names_version(line: &str, version: &str) -> bool {
    let more = |c: char| c.is_ascii_alphanumeric() || "+~".contains(c);
    version.contains('.')
        && line.match_indices(version).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + version.len()..]);
            let begins = before.ends_with(more) || before.ends_with('.');
            let goes_on = after.starts_with(more)
                || after.starts_with('-')
                || after.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            !begins && !goes_on
        })
}

/// The way from one folder to another; both are absolute.
fn relative(to: &Path, from: &Path) -> PathBuf {
    let shared = to.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| "..");
    up.map(PathBuf::from).chain(to.components().skip(shared).map(|part| PathBuf::from(part.as_os_str()))).collect()
}
