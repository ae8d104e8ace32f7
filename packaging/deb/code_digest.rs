//! What the packing code is, as one digest.
//!
//! - Each source file below `src`, as the tokens that the compiler sees: comments, documentation, layout and what is only
//!   compiled for tests do not count.
//! - Each file below `assets`, byte for byte.
//! - Name and version of every crate of the registry that this one stands on, from `Cargo.lock`: xz's or cargo-deb's
//!   next version may write other bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use quote::ToTokens;
use sha2::{Digest, Sha256};
use syn::{Attribute, Item, Meta};
use walkdir::WalkDir;

/// The digest of the crate in `folder`, 64 hexadecimal digits, with the versions that `lock` has.
pub fn of(folder: &Path, lock: &Path) -> String {
    let mut all = BTreeMap::new();
    for part in ["src", "assets"] {
        for entry in WalkDir::new(folder.join(part)) {
            let entry = entry.expect("the crate's own files can be read");
            if !entry.file_type().is_file() {
                continue;
            }
            let name = entry.path().strip_prefix(folder).expect("walked below the folder").display().to_string();
            let content = fs::read(entry.path()).expect("the crate's own files can be read");
            let content = if name.ends_with(".rs") { tokens(&name, &content).into_bytes() } else { content };
            all.insert(name, content);
        }
    }
    let name = "deb";
    all.insert("Cargo.lock".to_owned(), versions(&fs::read_to_string(lock).expect("Cargo.lock"), name).into_bytes());
    let mut hasher = Sha256::new();
    for (name, content) in all {
        // Lengths, so that nothing can move from one file into the next.
        hasher.update(format!("{name} {}\n", content.len()));
        hasher.update(content);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The tokens of a source file.
fn tokens(name: &str, content: &[u8]) -> String {
    let text = std::str::from_utf8(content).expect("Rust is UTF-8");
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    file.items.into_iter().filter(|item| !for_tests(item)).map(|item| without_docs(item.into_token_stream())).collect()
}

/// Whether an item is compiled for tests only.
fn for_tests(item: &Item) -> bool {
    let attributes = match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => return false,
    };
    let only = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    };
    attributes.iter().any(only)
}

/// The text of tokens but for documentation, which the compiler sees as `#[doc = "…"]`.
fn without_docs(tokens: proc_macro2::TokenStream) -> String {
    use proc_macro2::{Delimiter, TokenTree};
    let mut text = String::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        match (&token, rest.peek()) {
            (TokenTree::Punct(hash), Some(TokenTree::Group(group)))
                if hash.as_char() == '#' && group.stream().to_string().starts_with("doc ") =>
            {
                rest.next();
            }
            (TokenTree::Group(group), _) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                text += open;
                text += &without_docs(group.stream());
                text += close;
            }
            _ => {
                text += &token.to_string();
                text.push(' ');
            }
        }
    }
    text
}

/// The registry's crates that `name` is compiled with, a line each.
fn versions(lock: &str, name: &str) -> String {
    let lock: toml::Table = lock.parse().expect("Cargo.lock is TOML");
    let packages = lock["package"].as_array().expect("Cargo.lock lists packages");
    let word = |package: &toml::Value, field: &str| package.get(field).and_then(toml::Value::as_str).map(str::to_owned);
    let (mut wanted, mut seen, mut lines) = (vec![name.to_owned()], BTreeSet::new(), BTreeSet::new());
    while let Some(next) = wanted.pop() {
        // `NAME`, or `NAME VERSION` where there are several of that name.
        let (name, version) =
            next.split_once(' ').map_or((next.as_str(), None), |(name, version)| (name, Some(version)));
        for package in packages {
            let found = (word(package, "name").unwrap_or_default(), word(package, "version").unwrap_or_default());
            if found.0 != name || version.is_some_and(|version| version != found.1) || !seen.insert(found.clone()) {
                continue;
            }
            if word(package, "source").is_some() {
                lines.insert(format!("{} {}\n", found.0, found.1));
            }
            let dependencies = package.get("dependencies").and_then(toml::Value::as_array).into_iter().flatten();
            wanted.extend(dependencies.filter_map(toml::Value::as_str).map(str::to_owned));
        }
    }
    lines.into_iter().collect()
}
