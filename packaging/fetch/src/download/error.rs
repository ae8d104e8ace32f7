//! Why something could not be downloaded.

use std::fmt;

use foundation::address;
use foundation::failure::{Failure, Kind, Outcome};
use foundation::store::StoreError;

/// A download that did not work.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The network may not be used and something is missing.
    #[error("the network is not used (--offline), and the cache does not have {}", list(missing))]
    Offline {
        /// The names of the files that are missing.
        missing: Vec<String>,
    },
    /// No address gave the right content.
    #[error("{}", failed_text(files))]
    Failed {
        /// The files that could not be had, each with what was tried.
        files: Vec<FailedFile>,
    },
    /// The cache could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for DownloadError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Offline { .. } => Kind::Failed.next(
                "run `cargo xtask fetch` with network first (for a cluster or a compile farm with --cluster or --farm), \
                 or copy the cache of a machine that did",
            ),
            Self::Failed { files } => match kind_of(files.iter().flat_map(|file| &file.tried)) {
                Kind::Verification => Kind::Verification
                    .next("try another mirror with --mirror URL, and tell the operator of the one that was used"),
                kind => kind.next(
                    "check the network and http_proxy, https_proxy and no_proxy, name another mirror with --mirror URL, \
                     or run `cargo xtask fetch` on a machine with network and copy its cache",
                ),
            },
            Self::Store(error) => error.outcome(),
        }
    }
}

/// A file that could not be had from any of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedFile {
    /// The words for it in messages.
    pub name: String,
    /// The addresses that were tried, in this order.
    pub tried: Vec<Tried>,
}

/// An address that did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The address that was tried.
    pub url: String,
    /// The reason why it could not be used.
    pub why: String,
    /// Whether it gave something else than what was pinned.
    pub wrong: bool,
}

impl Tried {
    /// Whether the address answers, and has nothing there.
    pub fn is_missing(&self) -> bool {
        ["HTTP 404", "HTTP 410"].contains(&self.why.as_str())
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", address::shown(&self.url), self.why)
    }
}

fn list(names: &[String]) -> String {
    let shown = names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=5 => shown,
        n => format!("{shown} and {} more", n - 5),
    }
}

fn failed_text(files: &[FailedFile]) -> String {
    let mut text = String::new();
    for file in files.iter().take(3) {
        text += &format!("cannot download {}:\n", file.name);
        for tried in &file.tried {
            text += &format!("  {tried}\n");
        }
        if file.tried.is_empty() {
            text += "  there is no address to try\n";
        }
    }
    if files.len() > 3 {
        text += &format!("and {} more files\n", files.len() - 3);
    }
    if files.iter().flat_map(|file| &file.tried).any(|tried| tried.wrong) {
        text += "what was received is not what was pinned, and was not used\n";
    }
    text.truncate(text.trim_end().len());
    text
}

/// What kind of failure it is when no address gave a file: something was received that is not what was pinned, or nothing.
pub(crate) fn kind_of<'a>(tried: impl IntoIterator<Item = &'a Tried>) -> Kind {
    if tried.into_iter().any(|tried| tried.wrong) { Kind::Verification } else { Kind::Failed }
}
