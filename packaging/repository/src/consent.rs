//! What is only done when somebody has said that it shall be: clients notice it.

/// Nothing, unless it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// Origin, label, suite or codename change: apt stops until the administrator of each machine has agreed.
    pub changed_release_info: bool,
    /// Clients that have only what no key here can sign for are cut off until they are given the keyring package by hand.
    pub lost_clients: bool,
    /// This machine's clock is right, whatever the server or the live snapshot say.
    pub clock_is_right: bool,
}
