//! The recipe's frameworks, one after the other, on the client's node.

use std::collections::BTreeMap;
use std::time::Instant;

use bollard::container::LogOutput;
use futures_util::future::try_join_all;
use recipe::cluster::{Framework, Nodes};
use tokio::sync::oneshot;

use super::availability::{all_well, kill_leading};
use super::{Test, otherwise, seconds};
use crate::node::{Node, tail};
use crate::record::ClusterRecord;
use crate::up::install;
use crate::{Error, repository};

/// How long one may take, in seconds.
const LIMIT: u32 = 180;
/// By how much longer one may take during which the leader is killed.
const LONGER: u32 = 3;

/// Runs each framework of the recipe to its end; returns how long each took, or why it was left out.
///
/// # Errors
/// One fails or takes too long, the cluster does not recover when its leader is killed meanwhile, or the packages that
/// it needs cannot be installed.
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
        let mut environment = record.environment.clone();
        match file_of(test, framework).await? {
            File::None => {}
            File::At(path) => drop(environment.insert("FILE".into(), path)),
            File::Missing(why) => {
                figures.push(format!("{}: not tried: {why}", framework.name));
                continue;
            }
        }
        environment.insert("SCRIPT".into(), test.draft.script(&framework.run));
        let started = Instant::now();
        let several = record.of(Nodes::Masters).len() > 1;
        let how = match framework.kill_leader_at.as_ref().filter(|_| several) {
            None => {
                client.step(&framework.name, &script(LIMIT), &environment).await?;
                String::new()
            }
            Some(mark) => outlive_leader(test, record, &client, framework, mark, &environment).await?,
        };
        figures.push(format!("{}: {}{how}", framework.name, seconds(started.elapsed().as_secs_f64())));
    }
    Ok(figures)
}

fn script(limit: u32) -> String {
    format!("cd /tmp && timeout {limit} sh -c \"$SCRIPT\" 2>&1")
}

/// The file that a framework needs.
enum File {
    /// It needs none.
    None,
    /// The path where nodes see it.
    At(String),
    /// Why it is not there.
    Missing(String),
}

/// Gives the nodes the file that a framework needs.
async fn file_of(test: &Test<'_>, framework: &Framework) -> Result<File, Error> {
    let Some(file) = &framework.file else { return Ok(File::None) };
    let ground = test.ground;
    if ground.is_machines() {
        return Ok(File::Missing(format!("{} is given to containers alone, not to virtual machines", file.name())));
    }
    if ground.store.blob(&file.sha256).is_none() {
        let fetch = "'cargo xtask fetch --cluster' brings it";
        return Ok(File::Missing(format!("{} is not in the cache; {fetch}", file.name())));
    }
    let content = ground.store.verify(&file.sha256).map_err(pipeline::Error::from)?;
    let path = repository::add_file(&ground.engine, &ground.names, &ground.image, file.name(), content).await?;
    Ok(File::At(path))
}

/// Runs a framework and kills the leading master as soon as it has printed its mark; returns what became of both.
async fn outlive_leader(
    test: &Test<'_>,
    record: &ClusterRecord,
    client: &Node,
    framework: &Framework,
    mark: &str,
    environment: &BTreeMap<String, String>,
) -> Result<String, Error> {
    all_well(test, record).await?;
    let (marked, seen) = oneshot::channel();
    let (mut marked, mut said) = (Some(marked), Vec::new());
    let script = script(LONGER * LIMIT);
    let words = ["/bin/sh", "-c", &script];
    let framework_ends = async {
        let ended = client
            .stream(&words, environment, |piece: LogOutput| {
                said.extend_from_slice(piece.as_ref());
                if marked.is_some() && String::from_utf8_lossy(&said).lines().any(|line| line.contains(mark)) {
                    // Nobody waits any more where the other side has failed.
                    let _ = marked.take().map(|marked| marked.send(()));
                }
            })
            .await;
        drop(marked.take());
        ended
    };
    let leader_dies = async {
        if seen.await.is_err() {
            return Ok(None);
        }
        let (killed, _) = kill_leading(test, record).await?;
        all_well(test, record).await?;
        Ok::<_, Error>(Some((killed, Instant::now())))
    };
    let (exit, died) = tokio::join!(framework_ends, leader_dies);
    let (exit, ended) = (exit?, Instant::now());
    let (node, step) = (client.name.clone(), framework.name.clone());
    if exit != 0 {
        return Err(Error::Step { node, step, exit, tail: tail(&String::from_utf8_lossy(&said)) });
    }
    match died? {
        None => {
            Err(otherwise(&node, &step, format!("it ended without a line with \"{mark}\", at which the leader dies")))
        }
        Some((_, recovered)) if recovered > ended => {
            Err(otherwise(&node, &step, "it ended before there was a new leader, so that nothing is proven"))
        }
        Some((killed, _)) => Ok(format!(", in the middle of which {killed}, the leader, was killed")),
    }
}
