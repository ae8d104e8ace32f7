//! A ticket of whatever tracker an upstream uses.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A ticket as its tracker writes it: `MESOS-8343`, `GH-123`, `#123`, or an address. Each tracker has a form of its own, so
/// what is refused is only what none writes: white space, and a name without a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(title = "ticket")]
pub struct Ticket(String);

/// The text is not a ticket.
#[derive(Debug, thiserror::Error)]
#[error(
    "'{0}' is not a ticket: write it as its tracker does, without blanks, such as MESOS-8343, #123 or https://…/123"
)]
pub struct NotATicket(String);

impl TryFrom<String> for Ticket {
    type Error = NotATicket;
    fn try_from(text: String) -> Result<Self, NotATicket> {
        let token = !text.contains(|c: char| c.is_whitespace() || c.is_control());
        // A number alone says of no tracker, and is as well a line, a year or a slip.
        let named = text.bytes().any(|b| !b.is_ascii_digit());
        let numbered = text.bytes().any(|b| b.is_ascii_digit());
        if token && named && numbered { Ok(Self(text)) } else { Err(NotATicket(text)) }
    }
}

impl From<Ticket> for String {
    fn from(ticket: Ticket) -> Self {
        ticket.0
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tracker_has_its_form() {
        for good in ["MESOS-8343", "GH-123", "#123", "https://bugs.example.org/show_bug.cgi?id=7", "owner/name#4"] {
            assert_eq!(Ticket::try_from(good.to_owned()).unwrap().to_string(), good);
        }
        for bad in ["", "8343", "MESOS", "MESOS 8343", "#12\n"] {
            let error = Ticket::try_from(bad.to_owned()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("'{bad}' is not a ticket")), "{error}");
        }
    }
}
