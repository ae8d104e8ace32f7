//! The present, and Unix times as mail and the files of Debian's archives have them (RFC 2822): `Mon, 23 Nov 2026 05:00:48 +0000`.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// What this machine's clock says, as a Unix time in seconds.
pub fn now() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX))
}

/// A Unix time in seconds as text, in UTC. One that no calendar has becomes the first of all.
pub fn text(time: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(time).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc2822).unwrap_or_default()
}

/// Reads such a text, whatever its zone: a Unix time in seconds, or `None` where it is no date.
pub fn parse(text: &str) -> Option<i64> {
    Some(OffsetDateTime::parse(text, &Rfc2822).ok()?.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(text(1_795_410_048), "Mon, 23 Nov 2026 05:00:48 +0000");
        assert_eq!(parse("Mon, 23 Nov 2026 06:00:48 +0100"), Some(1_795_410_048));
        assert_eq!(parse("yesterday"), None);
    }
}
