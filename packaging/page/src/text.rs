//! Numbers, times and fingerprints as people read them.

use foundation::progress;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What templates hand over: a number, or a reference to one.
pub(crate) trait Number {
    fn number(&self) -> i64;
}

/// Likewise seconds.
pub(crate) trait Seconds {
    fn seconds(&self) -> f64;
}

impl Seconds for f64 {
    fn seconds(&self) -> f64 {
        *self
    }
}

impl<T: Seconds> Seconds for &T {
    fn seconds(&self) -> f64 {
        (**self).seconds()
    }
}

impl Number for i64 {
    fn number(&self) -> i64 {
        *self
    }
}

impl Number for u64 {
    fn number(&self) -> i64 {
        i64::try_from(*self).unwrap_or(i64::MAX)
    }
}

impl Number for usize {
    fn number(&self) -> i64 {
        i64::try_from(*self).unwrap_or(i64::MAX)
    }
}

impl Number for u32 {
    fn number(&self) -> i64 {
        i64::from(*self)
    }
}

impl<T: Number> Number for &T {
    fn number(&self) -> i64 {
        (**self).number()
    }
}

/// `2026-11-23 05:00 UTC`.
pub(crate) fn when(time: impl Number) -> String {
    let time = utc(time);
    let (date, hour, minute) = (time.date(), time.hour(), time.minute());
    format!("{:04}-{:02}-{:02} {hour:02}:{minute:02} UTC", date.year(), u8::from(date.month()), date.day())
}

/// `2026-11-23`.
pub(crate) fn day(time: impl Number) -> String {
    let date = utc(time).date();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// For programs: RFC 3339.
pub(crate) fn machine(time: impl Number) -> String {
    utc(time).format(&Rfc3339).unwrap_or_default()
}

fn utc(time: impl Number) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.number()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// `3 min 05 s`.
pub(crate) fn duration(seconds: impl Seconds) -> String {
    progress::duration(seconds.seconds())
}

/// `11.4 MiB`, with the binary prefixes of IEC 80000-13.
pub(crate) fn size(bytes: impl Number) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let bytes = bytes.number();
    let mut value = bytes as f64;
    if value < 1024.0 {
        return format!("{bytes} B");
    }
    let mut unit = UNITS[0];
    for next in UNITS {
        value /= 1024.0;
        unit = next;
        if value < 1024.0 {
            break;
        }
    }
    format!("{value:.1} {unit}")
}

/// A number with what it counts: `1 package`, `2 packages`.
pub(crate) fn count(number: impl Number, noun: &str) -> String {
    if number.number() == 1 { format!("1 {noun}") } else { format!("{} {noun}s", thousands(number)) }
}

/// `12 345`, with a narrow space that no line break comes into.
pub(crate) fn thousands(number: impl Number) -> String {
    let digits = number.number().to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for at in (first..digits.len()).step_by(3) {
        if !text.is_empty() {
            text.push('\u{202f}');
        }
        text += &digits[at..at + 3];
    }
    text
}

/// A fingerprint in groups of four, as gpg(1) shows it.
pub(crate) fn grouped(fingerprint: &str) -> String {
    let characters: Vec<char> = fingerprint.chars().collect();
    characters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// The name in a user id, without the address.
pub(crate) fn name(user_id: &str) -> &str {
    match user_id.split_once(" <") {
        Some((name, _)) if !name.is_empty() => name,
        _ => user_id,
    }
}

/// A path as an address relative to the page (RFC 3986): nothing in it is more than a name.
pub(crate) fn address(path: &str) -> String {
    let mut address = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'+' => {
                address.push(byte.into())
            }
            _ => address += &format!("%{byte:02X}"),
        }
    }
    address
}

/// A text in which every character is seen: those that are not, or that turn the order of others around (Unicode's
/// bidirectional controls), are replaced.
pub(crate) fn seen(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\r' => {}
            '\n' | '\t' => seen.push(character),
            // Unicode's pictures of the control characters.
            '\0'..='\x1f' => seen.extend(char::from_u32(0x2400 + u32::from(character))),
            '\x7f' => seen.push('\u{2421}'),
            '\u{80}'..='\u{9f}'
            | '\u{200e}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{fffe}'
            | '\u{ffff}' => seen.push(char::REPLACEMENT_CHARACTER),
            _ => seen.push(character),
        }
    }
    seen
}

/// The first digits of a digest or commit.
pub(crate) fn short(hex: &str) -> &str {
    hex.get(..12).unwrap_or(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_read_them() {
        const TIME: i64 = 1_795_410_048;
        assert_eq!(when(TIME), "2026-11-23 05:00 UTC");
        assert_eq!(day(TIME), "2026-11-23");
        assert_eq!(machine(TIME), "2026-11-23T05:00:48Z");
        let sizes =
            [(0_u64, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (11_953_766, "11.4 MiB"), (1 << 41, "2.0 TiB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
        assert_eq!((count(1_usize, "package"), count(2_usize, "package")), ("1 package".into(), "2 packages".into()));
        for (number, text) in
            [(0_usize, "0"), (999, "999"), (1000, "1\u{202f}000"), (1_234_567, "1\u{202f}234\u{202f}567")]
        {
            assert_eq!(thousands(number), text);
        }
        assert_eq!((name("A B <a@x>"), name("a@x"), name(" <a@x>")), ("A B", "a@x", " <a@x>"));
        assert_eq!(address("a_1.0~b+c.deb"), "a_1.0~b+c.deb");
        assert_eq!(address("javascript:x?y#\u{e4}"), "javascript%3Ax%3Fy%23%C3%A4");
        assert_eq!(seen("a\r\n\tb\0\x7f\u{9b}\u{202e}c"), "a\n\tb\u{2400}\u{2421}\u{fffd}\u{fffd}c");
        assert_eq!(grouped("ABCDEF0123"), "ABCD EF01 23");
        assert_eq!(grouped("äöüßx"), "äöüß x");
    }
}
