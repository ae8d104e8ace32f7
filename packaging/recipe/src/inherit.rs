//! A recipe that inherits from another one: `inherits = "../mesos"` in its `recipe.toml`.
//!
//! Its folder has what differs, and three rules say what holds:
//!
//! 1. In `recipe.toml` and `deb/Cargo.toml`, tables are merged; whatever else has a name (a text, a number, a list) takes
//!    the place of the parent's.
//! 2. `[[cherry-pick]]`: the parent's, without those that `[without]` names, then its own.
//! 3. Any other file takes the place of the parent's file with the same path; `[without]` names files that are left out.
//!
//! The copy that is built from (`frozen.rs`) is a recipe that inherits nothing: all that comes after sees no difference.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use foundation::config::{ConfigError, parse_toml};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cherry_pick::CherryPick;
use crate::control;
use crate::error::RecipeError;
use crate::recipe::{FILE, Recipe, RecipeFile, outside};

/// How many recipes one can have above it: what holds in it has to be found by people.
const MOST_PARENTS: usize = 3;

/// What a recipe leaves out of what it inherits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Without {
    /// Commits of inherited cherry-picks that the source of this recipe has already. What they fix is `fixed` in the
    /// inherited `vulnerabilities.toml`.
    #[serde(default)]
    pub contained: Vec<String>,
    /// Commits of inherited cherry-picks that are not applied for another reason.
    #[serde(default)]
    pub cherry_picks: Vec<String>,
    /// Inherited files, or folders of them, that this recipe does not have.
    #[serde(default)]
    pub files: Vec<String>,
}

impl Without {
    fn names_pick(&self, commit: &str) -> bool {
        self.contained.iter().chain(&self.cherry_picks).any(|named| named == commit)
    }

    /// Whether an inherited file is left out.
    pub(crate) fn names_file(&self, path: &str) -> bool {
        self.files.iter().any(|named| Path::new(path).starts_with(named))
    }
}

/// What a recipe has from others.
#[derive(Clone, Debug)]
pub(crate) struct Inheritance {
    /// The recipe that it inherits from, which may inherit as well.
    pub(crate) parent: Recipe,
    /// What it leaves out of that.
    pub(crate) without: Without,
    /// Its `recipe.toml` as one that inherits nothing.
    pub(crate) text: String,
    /// The cherry-picks of this parent, and of those above it, that the source has already.
    contained: Vec<CherryPick>,
}

/// What of a `recipe.toml` is about inheritance.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Head {
    inherits: PathBuf,
    #[serde(default)]
    without: Without,
}

/// Reads a `recipe.toml`, and the recipes that it inherits from. `below` are the folders of recipes that are being read
/// because they inherit from this one.
pub(crate) fn read(folder: &Path, below: &[PathBuf]) -> Result<(RecipeFile, Option<Box<Inheritance>>), RecipeError> {
    let path = folder.join(FILE);
    let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
    let text = without_mark(&text);
    let table = DeTable::parse(text);
    let inherits = table.as_ref().is_ok_and(|table| table.get_ref().contains_key("inherits"));
    if !inherits {
        let file: RecipeFile = parse_toml(&path, text)?;
        if file.without.is_some() {
            return Err(at_line(
                &path,
                text,
                "[without]",
                "nothing is inherited that could be left out: `inherits` names no recipe",
            ));
        }
        return Ok((file, None));
    }
    let mut head = DeTable::new();
    for (key, value) in table.expect("it was looked into").into_inner() {
        if ["inherits", "without"].contains(&key.get_ref().as_ref()) {
            head.insert(key, value);
        }
    }
    let head = Head::deserialize(toml::de::Deserializer::from(Spanned::new(0..text.len(), head)))
        .map_err(|error| placed(&path, text, 0, &error))?;
    let parent = parent(folder, &path, text, &head.inherits, below)?;
    let above = parent.text()?;
    let file = merged(&path, text, (&parent.folder.join(FILE), &above), &head.without)?;
    look_over(&path, text, &head.without, &parent)?;
    let contained = parent.file.cherry_picks.iter().filter(|pick| head.without.contained.contains(&pick.commit));
    let mut contained: Vec<CherryPick> = contained.cloned().collect();
    contained.extend(parent.inheritance.iter().flat_map(|inheritance| inheritance.contained.clone()));
    let text = toml::to_string(&file).expect("a recipe is plain data");
    Ok((file, Some(Box::new(Inheritance { parent, without: head.without, text, contained }))))
}

/// Reads the recipe that one inherits from.
fn parent(folder: &Path, path: &Path, text: &str, named: &Path, below: &[PathBuf]) -> Result<Recipe, RecipeError> {
    let wrong = |message: String| {
        Err(at_line(path, text, "inherits", &format!("inherits = \"{}\": {message}", named.display())))
    };
    let found = folder.join(named);
    if !found.join(FILE).is_file() {
        let sibling = Path::new("..").join(named);
        let hint = match folder.join(&sibling).join(FILE).is_file() {
            true => format!("; the recipe beside this one is \"{}\"", sibling.display()),
            false => String::new(),
        };
        return wrong(format!("there is no recipe: {} is missing{hint}", found.join(FILE).display()));
    }
    let real = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut below = below.to_vec();
    below.push(real(folder));
    let found_real = real(&found);
    if let Some(at) = below.iter().position(|one| *one == found_real) {
        return wrong(match &below[at..] {
            [_] => "a recipe cannot inherit from itself".into(),
            round => {
                let names: Vec<String> = round.iter().chain([&found_real]).map(|one| name_of(one)).collect();
                format!("these recipes inherit from each other: {}", names.join(" from "))
            }
        });
    }
    if below.len() > MOST_PARENTS {
        let names: Vec<String> = below.iter().chain([&found_real]).map(|one| name_of(one)).collect();
        return wrong(format!(
            "a recipe can have {MOST_PARENTS} others above it, and {} has more ({}): let one inherit from a recipe further up",
            names[0],
            names.join(" from ")
        ));
    }
    // The path as people write it: `packaging/mesos`, not `packaging/mesos-1.7.3/../mesos`.
    let tidy = match (named.strip_prefix(".."), folder.parent()) {
        (Ok(rest), Some(up)) if !up.as_os_str().is_empty() && !folder.ends_with("..") => up.join(rest),
        _ => found,
    };
    Recipe::read_below(&tidy, &below)
}

/// The name of a recipe's folder.
pub(crate) fn name_of(folder: &Path) -> String {
    let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
    name(folder).or_else(|| name(&folder.canonicalize().ok()?)).unwrap_or_default()
}

/// The text of a file without the mark with which some editors begin it (U+FEFF), which TOML allows there and nowhere else.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The two files as one. `above` is the parent's, with its path.
fn merged(path: &Path, text: &str, above: (&Path, &str), without: &Without) -> Result<RecipeFile, RecipeError> {
    let (above_path, above) = above;
    // Positions in the child's file are those after the parent's, so that an error says which of the two it is in.
    let shifted = " ".repeat(above.len()) + text;
    // Both were parsed before; somebody may edit them meanwhile.
    let mut all = DeTable::parse(above).map_err(|error| placed(above_path, above, 0, &error))?.into_inner();
    let mut own = DeTable::parse(&shifted).map_err(|error| placed(path, text, above.len(), &error))?.into_inner();
    own.remove("inherits");
    own.remove("without");
    if let Some(DeValue::Array(picks)) = all.get_mut("cherry-pick").map(Spanned::get_mut) {
        let stays = |pick: &&Spanned<DeValue>| commit(pick).is_none_or(|commit| !without.names_pick(commit));
        let more = own.get("cherry-pick").and_then(|more| more.get_ref().as_array());
        *picks = picks.iter().filter(stays).chain(more.into_iter().flatten()).cloned().collect();
        if more.is_some() {
            own.remove("cherry-pick");
        }
    }
    merge(&mut all, own);
    let whole = above.len()..shifted.len();
    RecipeFile::deserialize(toml::de::Deserializer::from(Spanned::new(whole, all)))
        .map_err(|error| placed(path, text, above.len(), &error))
}

fn commit<'a>(pick: &'a Spanned<DeValue<'_>>) -> Option<&'a str> {
    pick.get_ref().as_table()?.get("commit")?.get_ref().as_str()
}

fn merge<'i>(into: &mut DeTable<'i>, from: DeTable<'i>) {
    for (key, value) in from {
        let (span, mut value) = (value.span(), value.into_inner());
        // Taken out, so that key and table know their place in this file.
        let other = into.remove(&key).map(Spanned::into_inner);
        if let (Some(DeValue::Table(mut both)), DeValue::Table(own)) = (other, &mut value) {
            merge(&mut both, std::mem::take(own));
            *own = both;
        }
        into.insert(key, Spanned::new(span, value));
    }
}

/// Two TOML files as one. What cannot be parsed stays as it is, for whoever reads it to say so.
pub(crate) fn merged_tables(above: &str, text: String) -> String {
    let (Ok(above), Ok(own)) = (DeTable::parse(above), DeTable::parse(&text)) else { return text };
    let mut all = above.into_inner();
    merge(&mut all, own.into_inner());
    let table = toml::Table::deserialize(toml::de::Deserializer::from(Spanned::new(0..0, all)));
    table.ok().and_then(|table| toml::to_string(&table).ok()).unwrap_or(text)
}

/// Reads several TOML files as one, the later ones over the earlier ones. An error has the place in the file that it is in.
pub(crate) fn parse_merged<T: DeserializeOwned>(files: &[(PathBuf, String)]) -> Result<T, RecipeError> {
    // Positions in a file are those after the files before it.
    let mut shifted = Vec::new();
    let mut start = 0;
    for (_, text) in files {
        shifted.push((start, " ".repeat(start) + text));
        start += text.len();
    }
    let placed_in = |at: usize, error: &toml::de::Error| {
        let ((path, text), (start, _)) = (&files[at], &shifted[at]);
        placed(path, text, *start, error)
    };
    let mut all = DeTable::new();
    for (at, (_, text)) in shifted.iter().enumerate() {
        merge(&mut all, DeTable::parse(text).map_err(|error| placed_in(at, &error))?.into_inner());
    }
    let whole = shifted.last().map_or(0..0, |(start, text)| *start..text.len());
    T::deserialize(toml::de::Deserializer::from(Spanned::new(whole, all))).map_err(|error| {
        let of = error.span().map_or(files.len(), |span| shifted.partition_point(|(start, _)| *start <= span.start));
        placed_in(of.saturating_sub(1), &error)
    })
}

/// What is left out has to be there.
fn look_over(path: &Path, text: &str, without: &Without, parent: &Recipe) -> Result<(), RecipeError> {
    let above = name_of(&parent.folder);
    let wrong = |named: &str, message: String| {
        Err(at_line(path, text, &format!("\"{named}\""), &format!("without: {message}")))
    };
    let mut seen = BTreeSet::new();
    for commit in without.contained.iter().chain(&without.cherry_picks) {
        if !parent.file.cherry_picks.iter().any(|pick| pick.commit == *commit) {
            return wrong(commit, format!("the recipe {above} has no cherry-pick {commit}"));
        }
        if !seen.insert(commit) {
            return wrong(commit, format!("the cherry-pick {commit} is there twice"));
        }
    }
    for file in &without.files {
        if outside(&[file.into()]).is_some() {
            return wrong(
                file,
                format!("\"{file}\" is not a path inside the recipe's folder, such as config or config/one"),
            );
        }
        if Path::new(file) == Path::new(FILE) {
            return wrong(file, format!("{FILE} is always inherited: write into it what differs"));
        }
        if !parent.has(Path::new(file)) {
            return wrong(file, format!("the recipe {above} has no file {file}"));
        }
    }
    Ok(())
}

/// An error about the line that begins with this, or else has it.
fn at_line(path: &Path, text: &str, what: &str, message: &str) -> RecipeError {
    let find = |fits: &dyn Fn(&str) -> bool| text.lines().position(|line| fits(line.trim_start()));
    let line = find(&|line| line.starts_with(what)).or_else(|| find(&|line| line.contains(what)));
    let line = line.map(|line| format!("line {}: ", line + 1)).unwrap_or_default();
    RecipeError::Invalid { path: path.to_owned(), message: format!("{line}{message}") }
}

/// The parser's error, with its place in a file whose text begins at `start` of what was parsed.
fn placed(path: &Path, text: &str, start: usize, error: &toml::de::Error) -> RecipeError {
    let message = match error
        .span()
        .and_then(|span| span.start.checked_sub(start))
        .filter(|at| text.is_char_boundary(*at))
    {
        Some(at) => {
            let before = &text[..at];
            let (line, column) = (before.matches('\n').count(), before.len() - before.rfind('\n').map_or(0, |n| n + 1));
            let (number, excerpt) = (line + 1, text.lines().nth(line).unwrap_or_default());
            let margin = " ".repeat(number.to_string().len());
            format!(
                "TOML parse error at line {number}, column {}\n{margin} |\n{number} | {excerpt}\n{margin} | {}^\n{}",
                column + 1,
                " ".repeat(column),
                error.message()
            )
        }
        None => format!("with what it inherits: {}", error.message()),
    };
    ConfigError::Parse { path: path.to_owned(), message }.into()
}

impl Inheritance {
    /// The inherited `vulnerabilities.toml` as it is for this recipe: what cherry-picks fixed that the source has already
    /// is fixed in it.
    pub(crate) fn vulnerabilities(&self, picks: &[CherryPick], text: String) -> String {
        // What is wrong with the file is said by whoever reads it, with its lines.
        let Ok(mut known) = text.parse::<toml::Table>() else { return text };
        let all = known.get_mut("vulnerability").and_then(toml::Value::as_array_mut);
        let mut changed = false;
        for one in all.into_iter().flatten().filter_map(toml::Value::as_table_mut) {
            let of = |key: &str| one.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
            let (name, said) = (of("name"), of("notes"));
            let fixes = |pick: &&CherryPick| pick.fixes.contains(&name);
            let had: Vec<&str> = self.contained.iter().filter(fixes).map(|pick| &pick.commit[..12]).collect();
            if of("status") != CHERRY_PICKED || had.is_empty() || picks.iter().any(|pick| fixes(&pick)) {
                continue;
            }
            let plural = if had.len() == 1 { "commit" } else { "commits" };
            let notes = format!("The source has upstream's {plural} {}. {said}", had.join(", "));
            one.insert("notes".into(), notes.trim_end().into());
            one.insert("status".into(), FIXED.into());
            changed = true;
        }
        if changed { toml::to_string(&known).expect("a table is plain data") } else { text }
    }
}

/// Two states of `vulnerabilities.toml`, as they are written there.
const CHERRY_PICKED: &str = "cherry-picked";
const FIXED: &str = "fixed";

/// The folder of a recipe that inherits names it in commands and in paths of results.
pub(crate) fn look_over_name(path: &Path, folder: &Path) -> Result<String, RecipeError> {
    let name = name_of(folder);
    match control::package_name(&name) {
        Ok(()) => Ok(name),
        Err(_) => Err(RecipeError::Invalid {
            path: path.to_owned(),
            message: format!(
                "the folder \"{name}\" of a recipe that inherits is its name, and has lower-case letters, digits and + - . only"
            ),
        }),
    }
}

#[cfg(test)]
#[path = "inherit_tests.rs"]
mod tests;
