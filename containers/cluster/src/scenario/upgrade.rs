//! A cluster is upgraded and downgraded while it works, node by node.

use recipe::cluster::Nodes;

use super::availability::{all_well, never_two, now, watch_from_inside};
use super::task::running;
use super::versions::{Version, change, make_next};
use super::{Test, seconds};
use crate::Error;
use crate::record::{ClusterRecord, NodeRecord};

/// Upgrades and downgrades a cluster, node by node; returns how long that took, and how long nobody led.
///
/// # Errors
/// A node cannot be changed, a unit does not come back, the cluster does not recover in time, two masters lead at once,
/// or the task stands still.
pub async fn run(test: &Test<'_>, record: &ClusterRecord) -> Result<Vec<String>, Error> {
    let nodes: Vec<_> = record.nodes.iter().map(|node| test.node(node)).collect();
    make_next(test, &nodes).await?;
    let task = match &test.draft.cluster.task {
        Some(task) => Some(running(test, record, task).await?),
        None => None,
    };
    let first = record.of(Nodes::Masters)[0];
    let began = now(&test.node(first)).await?;
    let watch = watch_from_inside(test, record).await?;
    let mut figures = Vec::new();
    for (version, what) in [(Version::Next, "upgraded"), (Version::Shipped, "downgraded")] {
        let from = now(&test.node(first)).await?;
        let nodes = in_order(record, &all_well(test, record).await?);
        for node in &nodes {
            let there = test.node(node);
            change(test, &there, version).await?;
            let units = node.units.join(" ");
            let script = format!(
                "for unit in {units}; do systemctl is-active $unit && systemctl is-enabled $unit || exit 1; done"
            );
            there
                .step(&format!("looking at the units of a node that was {what}"), &script, &record.environment)
                .await?;
            all_well(test, record).await?;
        }
        figures.push(format!(
            "{} nodes {what} in {}, longest without a leader {}",
            nodes.len(),
            seconds(now(&test.node(first)).await? - from),
            seconds(watch.timeline().longest_without(from))
        ));
    }
    never_two(watch.stop().await?.two_leaders())?;
    if let Some(task) = task {
        figures.push(format!("the task went on: longest gap {}", seconds(task.went_on(began).await?)));
    }
    Ok(figures)
}

/// Masters that follow, the one that leads, agents, and what uses the cluster: nothing ever talks to an older master, and
/// the lead changes once. (What elects a leader has none of the recipe's packages.)
fn in_order<'a>(record: &'a ClusterRecord, leader: &str) -> Vec<&'a NodeRecord> {
    let rank = |node: &&NodeRecord| match node.kind {
        Nodes::Masters if node.name != leader => 0,
        Nodes::Masters => 1,
        Nodes::Agents => 2,
        Nodes::Client | Nodes::Ensemble => 3,
    };
    let mut nodes: Vec<&NodeRecord> = record.nodes.iter().filter(|node| node.kind != Nodes::Ensemble).collect();
    nodes.sort_by_key(rank);
    nodes
}
