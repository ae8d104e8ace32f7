//! Addresses, as they are shown and recorded.

/// A text without the user and password of each `scheme://USER:PASSWORD@host` in it: with these somebody gets in, and a
/// message, a report or a record is read by others. The address itself is used as it was given.
pub fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown += before;
        shown += "://";
        // The host ends before the path, or with the word (RFC 3986, 3.2); a password may have what has to be escaped.
        let end = after.find(|c: char| "/?#'\"".contains(c) || c.is_whitespace()).unwrap_or(after.len());
        rest = &after[after[..end].rfind('@').map_or(0, |at| at + 1)..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reads_a_password() {
        for (text, expected) in [
            ("https://me:secret@host:81/a@b", "https://host:81/a@b"),
            ("http://me@host", "http://host"),
            ("http://me:se@cret@host/", "http://host/"),
            ("https://host/a?b=c@d", "https://host/a?b=c@d"),
            ("--from http://me:a@h/x --mirror 'http://me:b@h' end", "--from http://h/x --mirror 'http://h' end"),
            ("me@host:path", "me@host:path"),
            ("", ""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
