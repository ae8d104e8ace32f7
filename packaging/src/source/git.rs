//! A pinned commit of a git repository.

use super::{Rules, SourceError, SourceTree};
use crate::download::Network;
use crate::store::Store;

/// The pin.
#[derive(Clone, Debug)]
pub struct GitPin {
    /// The commit: 40 hexadecimal digits.
    pub commit: String,
    /// The tag that names it, for remotes that do not serve a commit by its id.
    pub tag: Option<String>,
    /// The repositories, tried in turn.
    pub remotes: Vec<String>,
    /// Later commits of the same repository to apply on it, in order.
    pub cherry_picks: Vec<String>,
}

/// The source tree of the pin; without network when it is in the store. `say` gets lines about
/// what is tried and what did not work.
pub fn pinned(store: &Store, pin: &GitPin, rules: &Rules<'_>, network: Network, say: &dyn Fn(&str)) -> Result<SourceTree, SourceError> {
    let _ = (store, rules, network, say);
    todo!("{pin:?}")
}
