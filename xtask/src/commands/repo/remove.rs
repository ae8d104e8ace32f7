//! `repo remove`: packages are taken out of a suite.

use clap::Args;
use foundation::failure::{AnyFailure, Message};

use super::consent::ConsentArguments;
use super::keys::KeyArguments;
use super::place::Destination;
use super::{Which, borrowed, one_suite, open, output};

/// The arguments of `cargo xtask repo remove`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Packages, as `repo list --json` tells them
    #[arg(value_name = "NAME=VERSION", required = true)]
    package: Vec<String>,
    /// Codename of the suite, where there is more than one
    #[arg(long, value_name = "CODENAME")]
    codename: Option<String>,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    consent: ConsentArguments,
    #[command(flatten)]
    destination: Destination,
}

/// Takes the packages out of the suite, and shows clients what is left.
///
/// # Errors
/// An argument is not NAME=VERSION, the suite has no such package, a key cannot sign, or the place cannot be pushed to.
pub fn run(arguments: &Arguments) -> Result<(), AnyFailure> {
    let named = |text: &String| match text.split_once('=') {
        Some((name, version)) if !name.is_empty() && !version.is_empty() => Ok((name.to_owned(), version.to_owned())),
        _ => Err(Message::usage(format!("'{text}' is not NAME=VERSION: `cargo xtask repo list --json` tells both"))),
    };
    let packages = arguments.package.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let mut repository = open(&arguments.which.folder, "repo remove")?;
    arguments.destination.check(&repository)?;
    let codename = one_suite(&repository, arguments.codename.as_ref())?;
    let now = arguments.consent.apply(&mut repository)?;
    let signers = arguments.keys.signers(&repository)?;
    let removed = repository.remove(&codename, &packages, &borrowed(&signers), now)?;
    arguments.which.tell(&removed, |removed| output::removed(&codename, removed));
    arguments.destination.push(&mut repository, &arguments.which)
}
