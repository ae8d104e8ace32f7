//! The line of a TOML file in which something is said, for errors about what it means.

use toml::de::DeTable;

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
    Some(text.get(..key.span().start)?.matches('\n').count() + 1)
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
}
