//! `cargo xtask diff`: what two folders of packages have in common, and what not.

use std::path::PathBuf;

use clap::Args;
use foundation::bytes::ByteSize;
use foundation::failure::{AnyFailure, Message};
use statements::diff::{self, Changed, Comparison, Fact, FieldChange, File, FileChange};

use crate::terminal::print_json;

/// Of a list of files, so many are told to people.
const SHOWN: usize = 20;

/// A value of a field that is longer is not printed twice.
const SHORT: usize = 60;

/// The arguments of `cargo xtask diff`.
#[derive(Args)]
pub struct Arguments {
    /// The first folder of packages, such as those that are published
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The second one, such as those that were built now
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Print it as JSON on one line, with every file
    #[arg(long)]
    json: bool,
}

/// Compares two folders, and tells what differs.
///
/// # Errors
/// One of the folders has no packages that can be read; or they differ, which is an answer with an exit code of its own.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let comparison = diff::compare(&arguments.old, &arguments.new)?;
    if arguments.json {
        print_json(&comparison);
    } else {
        print!("{}", text(&comparison));
    }
    if comparison.is_same() { Ok(()) } else { Err(Message::differs().into()) }
}

/// What was found, for people.
pub fn text(comparison: &Comparison) -> String {
    let Comparison { same, signed_otherwise, removed, added, changed, .. } = comparison;
    let mut text: String = changed.iter().map(package).collect();
    for (packages, sign) in [(removed, '-'), (added, '+')] {
        for package in packages {
            text += &format!("{sign} {} {} {}\n", package.name, package.version, package.architecture);
        }
    }
    text += &format!(
        "packages: {} the same bytes, {} differ, {} added, {} removed\n",
        same.len(),
        changed.len(),
        added.len(),
        removed.len()
    );
    if !signed_otherwise.is_empty() {
        text += &format!("signatures do not count: those of {} are others\n", signed_otherwise.join(", "));
    }
    text
}

/// A package that differs.
fn package(changed: &Changed) -> String {
    let Changed { old, new, fields, control, added, removed, changed: others, dated_otherwise } = changed;
    let mut text = format!("~ {} {}\n", new.name, new.architecture);
    let mut line = |what: &str| text += &format!("    {what}\n");
    if old.version != new.version {
        line(&format!("version    {} -> {}", old.version, new.version));
    }
    for (what, before, after) in
        [("installed", old.installed, new.installed), ("download", old.compressed, new.compressed)]
    {
        if before != after {
            line(&format!("{what:<9}  {} -> {} ({})", ByteSize(before), ByteSize(after), grown(before, after)));
        }
    }
    fields.iter().flat_map(field).for_each(|what| line(&what));
    for one in control {
        line(&match (one.old, one.new) {
            (None, _) => format!("{} is new", one.name),
            (_, None) => format!("{} is gone", one.name),
            _ => format!("{} is another", one.name),
        });
    }
    let listed = |files: &[File], sign| {
        files.iter().map(|file| format!("{sign} /{} ({})", file.path, described(file))).collect::<Vec<_>>()
    };
    for files in [listed(removed, '-'), listed(added, '+'), others.iter().map(file).collect()] {
        files.iter().take(SHOWN).for_each(|what| line(what));
        if let Some(more @ 1..) = files.len().checked_sub(SHOWN) {
            line(&format!("  and {more} more, which --json has"));
        }
    }
    if *dated_otherwise > 0 {
        line(&format!("{dated_otherwise} files have another date and nothing else"));
    } else if changed.is_only_packing() {
        line("the same files, packed in another way");
    }
    text
}

/// A field: its items one by one where it has some.
fn field(change: &FieldChange) -> Vec<String> {
    let FieldChange { field, old, new, added, removed } = change;
    if !added.is_empty() || !removed.is_empty() {
        let items = |items: &[String], sign| -> Vec<String> {
            items.iter().map(|item| format!("{field}: {sign} {item}")).collect()
        };
        return [items(removed, '-'), items(added, '+')].concat();
    }
    let short = |value: &str| value.len() <= SHORT && !value.contains('\n');
    vec![match (old, new) {
        (Some(old), Some(new)) if short(old) && short(new) => format!("{field}: {old} -> {new}"),
        (None, Some(new)) if short(new) => format!("{field}: {new} is new"),
        (Some(old), None) if short(old) => format!("{field}: {old} is gone"),
        (None, _) => format!("{field} is new"),
        (_, None) => format!("{field} is gone"),
        _ => format!("{field} is another"),
    }]
}

/// A file that is another: how.
fn file(change: &FileChange) -> String {
    let FileChange { old, new, what } = change;
    let fact = |fact: &Fact| match fact {
        Fact::Kind => format!("{} -> {}", described(old), described(new)),
        Fact::Mode => format!("mode {} -> {}", old.mode, new.mode),
        Fact::Owner => format!("owner {} -> {}", old.owner, new.owner),
        Fact::Target => format!("link to {} -> {}", target(old), target(new)),
        Fact::Content if old.size == new.size => "content".to_owned(),
        Fact::Content => format!("content, {} -> {}", ByteSize(old.size), ByteSize(new.size)),
    };
    // Where it is something else, all the rest follows.
    let facts: Vec<String> = match what.contains(&Fact::Kind) {
        true => vec![fact(&Fact::Kind)],
        false => what.iter().map(fact).collect(),
    };
    format!("~ /{}: {}", new.path, facts.join("; "))
}

fn target(file: &File) -> &str {
    file.target.as_deref().unwrap_or("nothing")
}

fn described(file: &File) -> String {
    use statements::diff::FileKind;
    match file.kind {
        FileKind::File => format!("{}, {} {}", ByteSize(file.size), file.mode, file.owner),
        FileKind::Folder => format!("folder, {} {}", file.mode, file.owner),
        FileKind::Link | FileKind::HardLink => format!("link to {}", target(file)),
        FileKind::Other => "something else".into(),
    }
}

/// How much more or less it is.
fn grown(before: u64, after: u64) -> String {
    let sign = if after < before { '-' } else { '+' };
    format!("{sign}{}", ByteSize(after.abs_diff(before)))
}
