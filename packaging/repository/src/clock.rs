//! Dates. A Release of the future is refused by clients whose clock is right, and one that is older than theirs by all: a
//! clock that is wrong must be found out before something is signed by it.

use std::time::Duration;

use foundation::date;

use super::snapshot::Snapshot;
use super::{Consent, RepositoryError};

/// How far in the future a `Date` may be, in seconds: what apt puts up with (`Acquire::Max-FutureTime`, apt.conf(5)).
pub(super) const FUTURE: i64 = 10;

/// How much this machine's clock and a server's may differ, in seconds.
const APART: i64 = 60;

/// How long a server has for its answer.
const ANSWER: Duration = Duration::from_secs(3);

/// The date of the next Release. apt takes none that is older than the one it has, and a web server's dates have whole
/// seconds: each one is later than the one before, and the second is waited for.
pub(super) fn next(
    codename: &str,
    live: Option<&Snapshot>,
    consent: Consent,
    now: i64,
) -> Result<i64, RepositoryError> {
    let Some(live) = live else { return Ok(now) };
    let wait = live.date + 1 - now;
    if wait > FUTURE {
        if consent.clock_is_right {
            // Clients had refused what is live now.
            return Ok(now);
        }
        return Err(RepositoryError::Clock {
            codename: codename.to_owned(),
            now: date::text(now),
            live: date::text(live.date),
        });
    }
    std::thread::sleep(Duration::from_secs(wait.max(0).unsigned_abs()));
    Ok(now.max(live.date + 1))
}

/// Compares this machine's clock with that of the server which clients fetch from. One that cannot be reached, or is no
/// web server, says nothing.
pub(super) fn compare(uri: &str, now: i64) -> Result<(), RepositoryError> {
    let Some(theirs) = of_server(uri) else { return Ok(()) };
    if (theirs - now).abs() <= APART {
        return Ok(());
    }
    Err(RepositoryError::ServerClock { uri: uri.to_owned(), now: date::text(now), theirs: date::text(theirs) })
}

/// `Date` of a server's answer, whatever else it answers (RFC 9110, 6.6.1).
fn of_server(uri: &str) -> Option<i64> {
    if !uri.starts_with("http") {
        return None;
    }
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(ANSWER)).http_status_as_error(false).build().into();
    let answer = agent.head(uri).call().ok()?;
    let theirs = answer.headers().get("date")?.to_str().ok()?;
    // The same as in a Release, but for the zone's name.
    date::parse(&theirs.replace("GMT", "+0000"))
}
