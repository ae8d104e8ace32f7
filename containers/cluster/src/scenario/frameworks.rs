//! The recipe's frameworks, one after the other, on the client's node.

use std::time::Instant;

use futures_util::future::try_join_all;
use recipe::cluster::Nodes;

use super::{Test, seconds};
use crate::Error;
use crate::record::ClusterRecord;
use crate::up::install;

/// How long one may take, in seconds.
const LIMIT: u32 = 180;

/// Runs each framework of the recipe to its end; returns how long each took.
///
/// # Errors
/// One fails or takes longer than three minutes, or the packages that it needs cannot be installed.
pub async fn run(test: &Test<'_>, record: &ClusterRecord) -> Result<Vec<String>, Error> {
    let frameworks = &test.draft.cluster.frameworks;
    let mut packages: Vec<String> = frameworks.iter().flat_map(|framework| framework.packages.clone()).collect();
    packages.sort();
    packages.dedup();
    if !packages.is_empty() {
        let nodes = record.nodes.iter().filter(|node| matches!(node.kind, Nodes::Client | Nodes::Agents));
        let nodes: Vec<_> = nodes.map(|node| test.node(node)).collect();
        try_join_all(nodes.iter().map(|node| install(node, &packages))).await?;
    }
    let client = test.client(record);
    let mut figures = Vec::new();
    for framework in frameworks {
        let started = Instant::now();
        let mut environment = record.environment.clone();
        environment.insert("SCRIPT".into(), test.draft.script(&framework.run));
        let script = format!("cd /tmp && timeout {LIMIT} sh -c \"$SCRIPT\" 2>&1");
        client.step(&framework.name, &script, &environment).await?;
        figures.push(format!("{}: {}", framework.name, seconds(started.elapsed().as_secs_f64())));
    }
    Ok(figures)
}
