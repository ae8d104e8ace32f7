//! Each package alone on a node of its own, and all together on one more: installed, and nothing else happens.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;

use super::Test;
use crate::Error;
use crate::node::Node;
use crate::up::install;

const QUIET: &str = r#"
audit=$(dpkg --audit)
[ -z "$audit" ] || { echo "$audit"; exit 1; }
units=$(for package in $PACKAGES; do dpkg-query --listfiles "$package" 2>/dev/null || :; done |
    sed -n 's,^.*/systemd/system/\([^/]*\.\(service\|socket\|timer\|path\|mount\)\)$,\1,p' | sort -u)
bad=
for unit in $units; do
    enabled=$(systemctl is-enabled "$unit" 2>&1 || :)
    case $enabled in disabled | static | indirect | alias | linked) ;; *) bad="$bad$unit is $enabled. " ;; esac
    active=$(systemctl is-active "$unit" || :)
    [ "$active" = inactive ] || bad="$bad$unit is $active. "
done
failed=$(systemctl --failed --plain --no-legend)
[ -z "$failed" ] || bad="$bad$failed"
[ -z "$bad" ] || { echo "$bad"; exit 1; }
echo $units
"#;

/// Installs each package on a new node and all on another one; returns how many there were, and their units.
///
/// # Errors
/// A package cannot be installed, or something is enabled, started or failed afterwards.
pub async fn run(test: &Test<'_>) -> Result<Vec<String>, Error> {
    let packages = test.packages();
    let alone = packages.iter().map(|package| vec![package.clone()]);
    let sets: Vec<Vec<String>> = alone.chain([packages.clone()]).collect();
    let wanted: Vec<String> = (1..=sets.len()).map(|number| format!("install{number}")).collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let nodes = test.boot(&wanted).await?;
    let units = try_join_all(nodes.iter().zip(&sets).map(|((node, _), set)| async move {
        install(node, set).await?;
        quiet(test, node, &format!("apt-get install {}", set.join(" "))).await
    }))
    .await?;
    test.clear().await?;
    let units = units.last().map(|units| units.trim().to_owned()).unwrap_or_default();
    Ok(vec![format!("{} packages; their units: {units}", packages.len())])
}

/// Fails where a unit of the recipe's packages is enabled or active on a node, where any unit failed, or dpkg is not
/// content; returns the units.
///
/// # Errors
/// It is so, or the node does not run.
pub async fn quiet(test: &Test<'_>, node: &Node, after: &str) -> Result<String, Error> {
    let environment = BTreeMap::from([("PACKAGES".to_owned(), test.packages().join(" "))]);
    node.step(&format!("after {after}, looking for units that are enabled or run"), QUIET, &environment).await
}
