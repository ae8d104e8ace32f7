//! What a cluster of several masters is for: it goes on when something of it dies.

use std::time::Duration;

use recipe::cluster::Nodes;

use super::task::{Running, running};
use super::timeline::median_and_worst;
use super::watch::Watch;
use super::{FAILOVER, Scenario, Test, otherwise, seconds};
use crate::node::Node;
use crate::record::{ClusterRecord, NodeRecord};
use crate::up::ready;
use crate::{Error, masters};

/// How often the leader is killed.
const KILLS: usize = 10;
/// How long the cluster is looked at while one of the nodes that elect is away.
const AWAY: Duration = Duration::from_secs(15);

/// Disturbs a cluster in the way that `scenario` says, while a task runs on it; returns what was measured.
///
/// # Errors
/// The cluster does not recover in time, two masters lead at once, the task stands still, or a node cannot be reached.
pub async fn run(test: &Test<'_>, record: &ClusterRecord, scenario: &Scenario) -> Result<Vec<String>, Error> {
    let task = test.draft.cluster.task.as_ref().expect("the scenario applies");
    let running = running(test, record, task).await?;
    let from = now(running.agent()).await?;
    let mut figures = match scenario {
        Scenario::KillLeader => kill_leader(test, record).await?,
        Scenario::StopEnsemble => stop_ensemble(test, record).await?,
        Scenario::CutLeader => cut_leader(test, record).await?,
        Scenario::KillAgent => kill_agent(test, record, &running).await?,
        other => unreachable!("{other:?} disturbs nothing"),
    };
    let gap = running.went_on(from).await?;
    figures.push(format!("the task went on: longest gap {}", seconds(gap)));
    Ok(figures)
}

/// The time on the node's clock in seconds since 1970, which is what samples carry.
///
/// # Errors
/// The node does not run.
pub async fn now(node: &Node) -> Result<f64, Error> {
    done(node, ":").await
}

/// Runs a script and returns when it was done: who is asked later answers as it is then.
async fn done(node: &Node, script: &str) -> Result<f64, Error> {
    let said = node.step(script, &format!("{{ {script}; }} >&2 && date +%s.%N"), &Default::default()).await?;
    said.trim().parse().map_err(|_| otherwise(&node.name, script, said.clone()))
}

/// Kills what a unit runs as hard as can be.
fn kill(unit: &str) -> String {
    format!("kill -KILL $(systemctl show --property=MainPID --value {unit})")
}

/// Each master, asked on its own node.
///
/// # Errors
/// A node does not run.
pub async fn watch_from_inside(test: &Test<'_>, record: &ClusterRecord) -> Result<Watch, Error> {
    let pairs = record.of(Nodes::Masters).into_iter().map(|master| (test.node(master), master)).collect();
    Watch::start(&record.state, pairs).await
}

fn master<'a>(record: &'a ClusterRecord, name: &str) -> &'a NodeRecord {
    record.nodes.iter().find(|node| node.name == name).expect("a master's name comes from the record")
}

/// Waits until every master answers, one of them leads, and all agents are registered; returns the leader.
///
/// # Errors
/// No leader has all agents within 90 seconds, or a master still does not answer after 60.
pub async fn all_well(test: &Test<'_>, record: &ClusterRecord) -> Result<String, Error> {
    let started = std::time::Instant::now();
    loop {
        let leader = test.settled(record).await?;
        let view = masters::ask(&test.ground.engine, record).await;
        if view.iter().all(|(_, answer)| answer.is_some()) {
            return Ok(leader);
        }
        if started.elapsed() > FAILOVER {
            let found = masters::describe(&view);
            return Err(Error::Late { what: "not every master came back".into(), seconds: FAILOVER.as_secs(), found });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Kills the leading master, once all is well; returns its name, and when it was done.
///
/// # Errors
/// The cluster is not well, or the node does not run.
pub async fn kill_leading(test: &Test<'_>, record: &ClusterRecord) -> Result<(String, f64), Error> {
    let leader = all_well(test, record).await?;
    let node = master(record, &leader);
    let killed = done(&test.node(node), &kill(&node.units[0])).await?;
    Ok((leader, killed))
}

async fn kill_leader(test: &Test<'_>, record: &ClusterRecord) -> Result<Vec<String>, Error> {
    let agents = record.of(Nodes::Agents).len() as u64;
    let watch = watch_from_inside(test, record).await?;
    let (mut elections, mut registrations) = (Vec::new(), Vec::new());
    for number in 1..=KILLS {
        let (leader, killed) = kill_leading(test, record).await?;
        let what = format!("after {leader} was killed, no master led all {agents} agents");
        let registered = watch.until(&what, FAILOVER, |timeline| timeline.agents_after(killed, agents, None)).await?;
        let elected = watch.timeline().led_after(killed, None).unwrap_or(registered);
        test.note(format!(
            "kill {number} of {KILLS}, of {leader}: a new leader after {}, all agents after {}",
            seconds(elected),
            seconds(registered)
        ));
        elections.push(elected);
        registrations.push(registered);
    }
    all_well(test, record).await?;
    never_two(watch.stop().await?.two_leaders())?;
    let figure = |what: &str, values: &[f64]| {
        let (median, worst) = median_and_worst(values).expect("at least one");
        format!("{what}: median {}, worst {} of {}", seconds(median), seconds(worst), values.len())
    };
    Ok(vec![figure("new leader", &elections), figure("all agents registered", &registrations)])
}

/// Fails where two masters led at the same time.
///
/// # Errors
/// There was such a time.
pub fn never_two(overlap: Option<f64>) -> Result<(), Error> {
    match overlap {
        None => Ok(()),
        Some(overlap) => {
            Err(otherwise("the masters", "looking for two leaders", format!("two led for {}", seconds(overlap))))
        }
    }
}

async fn stop_ensemble(test: &Test<'_>, record: &ClusterRecord) -> Result<Vec<String>, Error> {
    let agents = record.of(Nodes::Agents).len() as u64;
    let role = test.draft.cluster.role(Nodes::Ensemble).expect("the scenario applies");
    let watch = watch_from_inside(test, record).await?;
    let mut figures = Vec::new();
    // Each in turn: one of them leads the others.
    for node in record.of(Nodes::Ensemble) {
        let before = all_well(test, record).await?;
        let (there, units) = (test.node(node), node.units.join(" "));
        let stopped = done(&there, &format!("systemctl stop {units}")).await?;
        let answers = role.ready.as_deref().unwrap_or("false");
        there.step("looking whether it is gone", &format!("! {{ {answers}; }} 2>&1"), &Default::default()).await?;
        tokio::time::sleep(AWAY).await;
        let what = format!("after {units} on {} was stopped, no master led all {agents} agents", node.name);
        let late = stopped + AWAY.as_secs_f64() / 2.0;
        watch.until(&what, FAILOVER, |timeline| timeline.agents_after(late, agents, None)).await?;
        done(&there, &format!("systemctl start {units}")).await?;
        ready(&there, role).await?;
        let after = all_well(test, record).await?;
        let change = if before == after { format!("{after} led on") } else { format!("{after} leads after {before}") };
        let without = watch.timeline().longest_without(stopped);
        figures.push(format!("{} away: {change}, longest without a leader {}", node.name, seconds(without)));
    }
    never_two(watch.stop().await?.two_leaders())?;
    Ok(figures)
}

async fn cut_leader(test: &Test<'_>, record: &ClusterRecord) -> Result<Vec<String>, Error> {
    let agents = record.of(Nodes::Agents).len() as u64;
    let leader = all_well(test, record).await?;
    let cut_off = test.node(master(record, &leader));
    let inside = watch_from_inside(test, record).await?;
    // What the rest of the cluster can reach.
    let client = test.client(record);
    let pairs = record.of(Nodes::Masters).into_iter().map(|master| (client.clone(), master)).collect();
    let outside = Watch::start(&record.state, pairs).await?;
    let rules =
        |verb: &str| format!("iptables --{verb} INPUT ! -i lo -j DROP && iptables --{verb} OUTPUT ! -o lo -j DROP");
    let cut = done(&cut_off, &rules("append")).await?;
    let what = format!("after {leader} was cut off, no other master led all {agents} agents");
    let other = Some(leader.as_str());
    let registered = outside.until(&what, FAILOVER, |timeline| timeline.agents_after(cut, agents, other)).await?;
    let elected = outside.timeline().led_after(cut, other).unwrap_or(registered);
    // It has to find out by itself, while nobody can tell it.
    let what = format!("{leader}, which is cut off, did not stop leading");
    let gave_up = inside
        .until(&what, FAILOVER, |timeline| {
            let last = timeline.last_led_after(cut, &leader).unwrap_or(0.0);
            // Silence counts once it lasts: an answer may take a moment.
            timeline.goes_beyond(cut + last, 5.0).then_some(last)
        })
        .await?;
    let healed = done(&cut_off, &rules("delete")).await?;
    let after = all_well(test, record).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    all_well(test, record).await?;
    let (inside, outside) = (inside.stop().await?, outside.stop().await?);
    never_two(outside.two_leaders())?;
    let mut figures = vec![
        format!("new leader after {}, all agents registered after {}", seconds(elected), seconds(registered)),
        format!("{leader}, cut off for {}, took itself for the leader for {}", seconds(healed - cut), seconds(gave_up)),
        format!("{after} leads after the network was healed"),
    ];
    if let Some(overlap) = inside.two_leaders() {
        figures.push(format!(
            "for {} of that the new leader led already; nobody could reach the old one",
            seconds(overlap)
        ));
    }
    Ok(figures)
}

async fn kill_agent(test: &Test<'_>, record: &ClusterRecord, running: &Running) -> Result<Vec<String>, Error> {
    let agents = record.of(Nodes::Agents).len() as u64;
    all_well(test, record).await?;
    let watch = watch_from_inside(test, record).await?;
    let agent = running.agent();
    let unit = &master(record, &agent.name).units[0];
    let killed = done(agent, &kill(unit)).await?;
    let what = format!("after {} was killed, the leader did not notice", agent.name);
    let noticed = watch.until(&what, FAILOVER, |timeline| timeline.agents_after(killed, agents - 1, None)).await?;
    let what = format!("after {} was killed, it did not register again", agent.name);
    let back = watch.until(&what, FAILOVER, |timeline| timeline.agents_after(killed + noticed, agents, None)).await?;
    watch.stop().await?;
    Ok(vec![format!(
        "{} was missed after {}, registered again after {}",
        agent.name,
        seconds(noticed),
        seconds(noticed + back)
    )])
}
