//! Each package on a node of its own comes and goes: what piuparts tries, with systemd there.

use futures_util::future::join_all;

use super::traces::Files;
use super::versions::{Version, change, make_next, without_complaint};
use super::{Test, install};
use crate::Error;
use crate::node::Node;
use crate::up::apt;

/// Installs, upgrades, removes and purges each package on a node of its own; returns how many there were.
///
/// # Errors
/// apt-get fails or complains, a unit is enabled, started or failed, or a file is left or gone. One error tells this of
/// all packages.
pub async fn run(test: &Test<'_>) -> Result<Vec<String>, Error> {
    let packages = test.packages();
    let names: Vec<String> = (1..=packages.len()).map(|number| format!("purge{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let nodes = test.boot(&names).await?;
    let all: Vec<Node> = nodes.iter().map(|(node, _)| node.clone()).collect();
    make_next(test, &all).await?;
    let all = nodes.iter().zip(&packages).map(|((node, _), package)| come_and_go(test, node, package));
    // Of several that fail, all are told.
    let failures: Vec<String> =
        join_all(all).await.into_iter().filter_map(|one| Some(one.err()?.to_string())).collect();
    if !failures.is_empty() {
        return Err(Error::Several(failures.join("\n")));
    }
    test.clear().await?;
    Ok(vec![format!("{} packages, each with what it depends on", packages.len())])
}

async fn come_and_go(test: &Test<'_>, node: &Node, package: &str) -> Result<(), Error> {
    let all = test.packages().join(" ");
    let before = Files::of(node).await?;
    let mut said = crate::up::install(node, &[package.to_owned()]).await?;
    said += &change(test, node, Version::Next).await?;
    install::quiet(test, node, &format!("{package} was installed and upgraded")).await?;
    // What it depends on as well: nothing else would ever remove that here.
    for step in ["remove", "purge"] {
        said += &apt(node, &format!("{step} {all}")).await?;
        install::quiet(test, node, &format!("{package}: apt-get {step}")).await?;
    }
    without_complaint(node, &format!("installing, upgrading, removing and purging {package}"), &said)?;
    let after = Files::of(node).await?;
    before.same_after(node, &format!("looking for what {package} left behind"), &after, &[])
}
