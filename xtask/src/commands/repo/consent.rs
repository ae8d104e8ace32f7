//! What has to be said before it is done, as arguments.

use clap::Args;
use foundation::date;
use foundation::failure::AnyFailure;
use repository::{Consent, Repository};

/// What the user agrees to, of what is refused otherwise.
#[derive(Args)]
pub struct ConsentArguments {
    /// Publish though origin, label, suite or codename have changed: apt stops on every machine until its administrator agrees
    #[arg(long)]
    allow_releaseinfo_change: bool,
    /// Publish though clients with an earlier keyring package cannot check it: they need the new package by hand
    #[arg(long)]
    give_up_clients: bool,
    /// This machine's clock is right, though the server's, or the date of what is published, says otherwise
    #[arg(long)]
    clock_is_right: bool,
}

impl ConsentArguments {
    /// Hands the consent over to the repository, and compares the clock with the server's. Returns the present, as a
    /// Unix time in seconds.
    ///
    /// # Errors
    /// The clocks differ, and the user has not said that this machine's is right.
    pub fn apply(&self, repository: &mut Repository) -> Result<i64, AnyFailure> {
        repository.allow(Consent {
            changed_release_info: self.allow_releaseinfo_change,
            lost_clients: self.give_up_clients,
            clock_is_right: self.clock_is_right,
        });
        let now = date::now();
        repository.compare_clocks(now)?;
        Ok(now)
    }
}
