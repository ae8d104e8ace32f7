//! What only a machine has: a network card to unplug, and a power supply.

use std::time::{Duration, Instant};

use recipe::cluster::Nodes;

use super::availability::{all_well, now, watch_from_inside};
use super::task::running;
use super::{FAILOVER, Test, seconds};
use crate::Error;
use crate::ground::booted;
use crate::machine::Again;
use crate::record::ClusterRecord;
use crate::up::ready;

/// How long an agent's machine is without the network, once that was noticed.
const UNPLUGGED: Duration = Duration::from_secs(20);
/// How long the leader may take to notice that an agent answers no more: Mesos asks five times, every 15 seconds.
const NOTICED: Duration = Duration::from_secs(120);

/// Unplugs the agent that runs the task, until the leader misses it or for twenty seconds at least, and plugs it in again;
/// returns what was measured.
///
/// # Errors
/// The agent does not register again, the task stands still, or a node cannot be reached.
pub async fn unplug(test: &Test<'_>, record: &ClusterRecord) -> Result<Vec<String>, Error> {
    let task = test.draft.cluster.task.as_ref().expect("the scenario applies");
    let agents = record.of(Nodes::Agents).len() as u64;
    let running = running(test, record, task).await?;
    all_well(test, record).await?;
    let watch = watch_from_inside(test, record).await?;
    let agent = running.agent();
    let machine = agent.as_machine()?;
    let from = now(agent).await?;
    machine.plug(false).await?;
    let what = format!("after {} was unplugged, the leader did not notice", agent.name);
    let noticed = watch.until(&what, NOTICED, |timeline| timeline.agents_after(from, agents - 1, None)).await?;
    tokio::time::sleep(UNPLUGGED).await;
    let plugged = now(agent).await?;
    machine.plug(true).await?;
    let what = format!("after {} was plugged in, it did not register again", agent.name);
    let back = watch.until(&what, FAILOVER, |timeline| timeline.agents_after(plugged, agents, None)).await?;
    watch.stop().await?;
    let gap = running.went_on(from).await?;
    Ok(vec![
        format!("{} was missed {} after it was unplugged", agent.name, seconds(noticed)),
        format!("it was back {} after it was plugged in", seconds(back)),
        format!("the task went on: longest gap {}", seconds(gap)),
    ])
}

/// Lets every master and agent boot again, first in order and then without; returns how long each took until the cluster
/// was as it should be.
///
/// # Errors
/// A machine does not boot, has a unit that failed, or the cluster does not recover.
pub async fn reboot(test: &Test<'_>, record: &ClusterRecord) -> Result<Vec<String>, Error> {
    let mut figures = Vec::new();
    for (how, what) in [(Again::Reboot, "rebooted"), (Again::PowerCut, "lost its power")] {
        for node in record.nodes.iter().filter(|node| matches!(node.kind, Nodes::Masters | Nodes::Agents)) {
            all_well(test, record).await?;
            let there = test.node(node);
            let started = Instant::now();
            there.as_machine()?.again(how).await?;
            booted(&there).await?;
            let role = test.draft.cluster.roles.iter().find(|role| role.name == node.role).expect("of the recipe");
            if role.ready.is_some() {
                ready(&there, role).await?;
            }
            let up = started.elapsed().as_secs_f64();
            all_well(test, record).await?;
            figures.push(format!(
                "{} {what}: up after {}, the cluster whole after {}",
                node.name,
                seconds(up),
                seconds(started.elapsed().as_secs_f64())
            ));
        }
    }
    Ok(figures)
}
