//! How exposed the units are, as systemd counts it on the machine that runs them.

use recipe::cluster::Role;

use super::{Test, otherwise};
use crate::Error;
use crate::record::ClusterRecord;

/// Has systemd-analyze rate each unit that the recipe gives a limit; returns the figures.
///
/// # Errors
/// A unit is more exposed than the recipe's limit allows, or a node does not run.
pub async fn run(test: &Test<'_>, record: &ClusterRecord) -> Result<Vec<String>, Error> {
    let mut figures = Vec::new();
    for role in &test.draft.cluster.roles {
        let Role { exposure: Some(limit), .. } = role else { continue };
        let Some(node) = record.nodes.iter().find(|node| node.role == role.name) else { continue };
        for unit in &role.units {
            let step = format!("systemd-analyze security {unit}");
            let said = test.node(node).step(&step, &format!("{step} --no-pager"), &record.environment).await?;
            let Some(exposure) = overall(&said) else { return Err(otherwise(&node.name, &step, said)) };
            if exposure > *limit {
                let found = format!("{exposure} is more than {limit}, the limit of the recipe\n{said}");
                return Err(otherwise(&node.name, &step, found));
            }
            figures.push(format!("{unit}: {exposure} of at most {limit}"));
        }
    }
    Ok(figures)
}

/// The figure in the last line, such as `→ Overall exposure level for x.service: 1.4 OK :-)`.
fn overall(said: &str) -> Option<f64> {
    let line = said.lines().rev().find(|line| line.contains("Overall exposure level"))?;
    line.rsplit_once(": ")?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let said = "✗ PrivateNetwork=  Service has access to the host's network  0.5\n\n\
                    → Overall exposure level for mesos-master.service: 1.4 OK :-)\n";
        assert_eq!(overall(said), Some(1.4));
        assert_eq!(overall("Unit x.service not found"), None);
    }
}
