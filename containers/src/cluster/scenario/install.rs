//! Each package alone on a node of its own, and all together on one more: installed, and nothing else happens.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::try_join_all;

use super::Test;
use crate::cluster::Error;
use crate::cluster::down;
use crate::cluster::up::{boot, install, prepare};

/// Fails where a unit of these packages is enabled or active, where any unit failed, or dpkg is not content.
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

pub async fn run(test: &Test<'_>) -> Result<Vec<String>, Error> {
    down(test.engine, test.store, &test.draft.name).await?;
    prepare(test.engine, &test.names, test.draft, test.root, test.progress).await?;
    let packages: Vec<String> = test.draft.debs.iter().map(|deb| package_of(deb)).collect();
    let alone = packages.iter().map(|package| vec![package.clone()]);
    let sets: Vec<Vec<String>> = alone.chain([packages.clone()]).collect();
    let environment = BTreeMap::from([("PACKAGES".to_owned(), packages.join(" "))]);
    let wanted: Vec<String> = (1..=sets.len()).map(|number| format!("install{number}")).collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let nodes = boot(test.engine, &test.names, test.root, &wanted).await?;
    let quiet = try_join_all(nodes.iter().zip(&sets).map(|((node, _), set)| {
        let environment = &environment;
        async move {
            install(node, set).await?;
            let step = format!("after apt-get install {}, looking for units that are enabled or run", set.join(" "));
            node.step(&step, QUIET, environment).await
        }
    }))
    .await?;
    down(test.engine, test.store, &test.draft.name).await?;
    let units = quiet.last().map(|units| units.trim().to_owned()).unwrap_or_default();
    Ok(vec![format!("{} packages; their units: {units}", packages.len())])
}

/// The name of the package that a .deb has.
fn package_of(deb: &Path) -> String {
    let name = deb.file_name().unwrap_or_default().to_string_lossy();
    name.split('_').next().unwrap_or_default().to_owned()
}
