//! What people read when something goes wrong: every error of every room, whole, in `tests/snapshots/`.
//!
//! A file there is one type of error, with all its variants: what kind it is, and what is printed. Reading them side by side
//! shows what is cryptic; a change of a sentence is seen in review. After a change on purpose, `INSTA_UPDATE=always cargo
//! test -p tests --test messages` writes them anew.

mod comparison;
mod containers;
mod packaging;
mod repository;

use std::path::PathBuf;

use foundation::config::{ConfigError, parse_toml};
use foundation::digest::Digest;
use foundation::failure::{AnyFailure, Failure, Message};
use foundation::store::StoreError;

/// Keeps what is printed of each example. There is one or more for each variant: one without an example does not compile.
macro_rules! messages {
    ($name:literal, $type:ty { $($variant:ident: [$($example:expr),+ $(,)?]),+ $(,)? }) => {{
        type Shown = $type;
        let variant = |failure: &Shown| match failure {
            $(Shown::$variant { .. } => stringify!($variant),)+
        };
        let mut text = String::new();
        $($(
            let example: Shown = $example;
            assert_eq!(variant(&example), stringify!($variant));
            text += &crate::shown(stringify!($variant), example);
        )+)+
        crate::keep($name, text);
    }};
}
pub(crate) use messages;

/// A variant, its kind, and what is printed.
fn shown(variant: &str, failure: impl Failure) -> String {
    let kind = failure.kind();
    let text = AnyFailure::from(failure).report().unwrap_or_default();
    format!("## {variant}: {kind:?}, exit code {}\n{text}\n", kind.exit_code())
}

#[track_caller]
fn keep(name: &str, text: String) {
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text.trim_end());
    });
}

/// What the operating system says where there is no such file.
fn missing() -> std::io::Error {
    std::io::Error::from_raw_os_error(2)
}

/// What it says where one may not.
fn denied() -> std::io::Error {
    std::io::Error::from_raw_os_error(13)
}

fn path(text: &str) -> PathBuf {
    text.into()
}

fn digest(text: &str) -> Digest {
    Digest::of(text)
}

/// A settings file with a misspelt key.
fn misspelt() -> ConfigError {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its names count")]
    struct File {
        name: String,
        maintainer: String,
    }
    let text = "name = 'demo'\nmaintainr = 'Demo <demo@example.org>'\n";
    parse_toml::<File>(&path("recipes/demo/recipe.toml"), text).unwrap_err()
}

fn damaged() -> StoreError {
    StoreError::Damaged { path: path("/cache/blobs/sha256/ab/abcd"), found: digest("other") }
}

#[test]
fn what_only_the_command_line_knows() {
    let usage = Message::usage("a release needs a key: give --key or --key-file, or try it with --dry-run");
    let file = Message::of_file("write", "/srv/bench/bench.json")(denied());
    let attempt = Message::of("cannot wait for signals")(std::io::Error::from_raw_os_error(24));
    let text = shown("usage", usage)
        + &shown("of_file", file)
        + &shown("of", attempt)
        + &shown("differs", Message::differs())
        + &shown("handed_on", Message::handed_on(42));
    keep("xtask.Message", text);
}
