//! Upgrades and downgrades of a node's packages: the recipe's, and the same with a higher version.

use std::collections::BTreeMap;

use super::{Test, otherwise};
use crate::Error;
use crate::node::Node;
use crate::repository::{self, NEXT};
use crate::up::apt;

/// Which of the two versions of the recipe's packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The packages as they were made.
    Shipped,
    /// The same with a higher version.
    Next,
}

/// Makes the higher versions, in the local repository that these nodes have.
///
/// # Errors
/// A package cannot be taken apart and put together again.
pub async fn make_next(test: &Test<'_>, nodes: &[Node]) -> Result<(), Error> {
    test.ground.add_next(nodes).await
}

/// Brings the recipe's packages that a node has to the other version; returns what apt and dpkg said.
///
/// # Errors
/// apt-get fails, or a package has not the other version afterwards.
pub async fn change(test: &Test<'_>, node: &Node, to: Version) -> Result<String, Error> {
    let none = BTreeMap::new();
    let said = match to {
        Version::Next => {
            node.step("apt-get update", repository::CONFIGURE_NEXT, &none).await?;
            // Not `install`: that all of it can be upgraded is a part of what is tried.
            apt(node, "upgrade").await?
        }
        Version::Shipped => {
            node.step("apt-get update", repository::CONFIGURE, &none).await?;
            let from = installed(test, node).await?;
            let wanted: Vec<String> = from
                .iter()
                .filter_map(|(name, version)| Some(format!("{name}={}", version.strip_suffix(NEXT)?)))
                .collect();
            apt(node, &format!("--allow-downgrades install {}", wanted.join(" "))).await?
        }
    };
    let other: Vec<String> = installed(test, node)
        .await?
        .into_iter()
        .filter(|(_, version)| version.ends_with(NEXT) != (to == Version::Next))
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    if other.is_empty() {
        Ok(said)
    } else {
        let step = if to == Version::Next { "apt-get upgrade" } else { "apt-get install of the lower version" };
        Err(otherwise(&node.name, step, format!("left as they were: {}\n{said}", other.join(", "))))
    }
}

/// The recipe's packages that a node has, and their versions.
async fn installed(test: &Test<'_>, node: &Node) -> Result<Vec<(String, String)>, Error> {
    let script = format!(
        "dpkg-query --show --showformat='${{db:Status-Status}} ${{Package}} ${{Version}}\\n' {} 2>/dev/null || :",
        test.packages().join(" ")
    );
    let said = node.step("dpkg-query", &script, &BTreeMap::new()).await?;
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        ["installed", name, version] => Some((name.to_owned(), version.to_owned())),
        _ => None,
    };
    Ok(said.lines().filter_map(line).collect())
}

/// Fails where apt, dpkg or a maintainer script complained, though nothing failed.
///
/// # Errors
/// There is such a line: the error has all of them.
pub fn without_complaint(node: &Node, step: &str, said: &str) -> Result<(), Error> {
    let complaint = |line: &&str| {
        ["W:", "E:", "dpkg: warning", "dpkg: error", "Failed", "Traceback"].iter().any(|begin| line.starts_with(begin))
            || line.contains(": not found")
    };
    let found: Vec<&str> = said.lines().filter(complaint).collect();
    if found.is_empty() { Ok(()) } else { Err(otherwise(&node.name, step, found.join("\n"))) }
}
