//! The line of a TOML file in which something is said, for errors about what it means.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::RecipeError;
use crate::inherit::{self, Inheritance};
use crate::recipe::FILE;

/// The line of a key, counted from 1; `keys` are those of the tables that it is in, and its own. None where the text is not
/// TOML, or has no such key.
pub(crate) fn line_of(text: &str, keys: &[&str]) -> Option<usize> {
    let (last, tables) = keys.split_last()?;
    let table = DeTable::parse(text).ok()?;
    let mut table = table.get_ref();
    for key in tables {
        table = table.get(*key)?.get_ref().as_table()?;
    }
    let (key, _) = table.iter().find(|(key, _)| key.get_ref() == last)?;
    line_at(text, key.span().start)
}

/// The line of a text that is the value of a key, or in the list there; `keys` are those of the tables that it is in, each of which
/// may be one of a list, and its own. The first such line; none where the text is not TOML, or has no such value.
pub(crate) fn line_of_value(text: &str, keys: &[&str], value: &str) -> Option<usize> {
    fn find(within: &Spanned<DeValue>, keys: &[&str], value: &str) -> Option<usize> {
        match (within.get_ref(), keys) {
            (DeValue::Array(all), _) => all.iter().find_map(|one| find(one, keys, value)),
            (DeValue::Table(table), [key, rest @ ..]) => find(table.get(*key)?, rest, value),
            (DeValue::String(text), []) if text == value => Some(within.span().start),
            _ => None,
        }
    }
    let (first, rest) = keys.split_first()?;
    let table = DeTable::parse(text).ok()?;
    line_at(text, find(table.get_ref().get(*first)?, rest, value)?)
}

fn line_at(text: &str, at: usize) -> Option<usize> {
    Some(text.get(..at)?.matches('\n').count() + 1)
}

/// The error about something in a recipe's description, with the file and the line where `line` finds it: those of a recipe that
/// the one in `folder` inherits from, where it does not say that itself.
pub(crate) fn invalid(
    folder: &Path,
    above: Option<&Inheritance>,
    line: &dyn Fn(&str) -> Option<usize>,
    message: &str,
) -> RecipeError {
    let path = folder.join(FILE);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    match (line(&text), above) {
        (Some(line), _) => RecipeError::Invalid { path, message: format!("line {line}: {message}") },
        (None, Some(Inheritance { parent, .. })) => {
            let message = format!("{message} (as {} inherits it)", inherit::name_of(folder));
            invalid(&parent.folder, parent.inheritance.as_deref(), line, &message)
        }
        (None, None) => RecipeError::Invalid { path, message: message.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_however_it_is_written() {
        let text = "\u{feff}a = 1\nb.c = { 'd\"/*' = 2 }\n\n[e.\"f\"]\n[[g]]\nh = \"a = 1\"\n";
        for (keys, line) in [
            (&["a"][..], Some(1)),
            (&["b", "c"], Some(2)),
            (&["b", "c", "d\"/*"], Some(2)),
            (&["e", "f"], Some(4)),
            (&["g"], Some(5)),
            (&["h"], None),
            (&["a", "b"], None),
            (&[], None),
        ] {
            assert_eq!(line_of(text, keys), line, "{keys:?}");
        }
        assert_eq!(line_of("a = 1\na =", &["a"]), None);
    }

    #[test]
    fn a_value_is_found_in_whichever_table_of_a_list_has_it() {
        let text =
            "# \"x\"\n[[phase]]\nname = \"x\"\n[[phase]]\ninputs = [\n  \"y\",\n  'x',\n]\n[check]\ninputs = [\"z\"]\n";
        for (keys, value, line) in [
            (&["phase", "inputs"][..], "x", Some(7)),
            (&["phase", "inputs"], "y", Some(6)),
            (&["phase", "name"], "x", Some(3)),
            (&["check", "inputs"], "z", Some(10)),
            (&["check", "inputs"], "x", None),
            (&["phase"], "x", None),
            (&["bench", "baseline", "inputs"], "x", None),
            (&[], "x", None),
        ] {
            assert_eq!(line_of_value(text, keys, value), line, "{keys:?} {value}");
        }
    }
}
