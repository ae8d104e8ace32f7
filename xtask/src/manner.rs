//! How the tool talks: options that every command has.

use clap::Args;

use crate::say::{self, Loudness};

/// How much the tool says, and whether in colour.
#[derive(Args)]
#[command(next_help_heading = "How it talks")]
pub struct Manner {
    /// Say nothing but warnings, errors and what was asked for: no progress. With --json only warnings and the last line
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: what the phases print, as they print it
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(flatten)]
    color: colorchoice_clap::Color,
}

impl Manner {
    /// Keeps to these options from now on.
    pub fn adopt(&self) {
        self.color.write_global();
        say::set_loudness(match (self.quiet, self.verbose) {
            (true, _) => Loudness::Quiet,
            (_, true) => Loudness::Verbose,
            _ => Loudness::Usual,
        });
    }
}

/// The same options as arguments, for another process of this tool.
pub fn arguments() -> Option<&'static str> {
    match say::loudness() {
        Loudness::Quiet => Some("--quiet"),
        Loudness::Usual => None,
        Loudness::Verbose => Some("--verbose"),
    }
}
