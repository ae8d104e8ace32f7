//! The task that has to survive: it writes down the time, several times a second, on the agent that runs it.

use std::time::{Duration, Instant};

use recipe::cluster::{Nodes, Task};

use super::{Test, otherwise, seconds};
use crate::Error;
use crate::node::Node;
use crate::record::ClusterRecord;

/// The shell script that is the task.
const TASK: &str = "while :; do date +%s.%N >>/tmp/steady-task; sleep 0.2; done";
/// The unit on the client in which its framework runs.
const UNIT: &str = "steady-task";
/// How long it may take to start.
const START: Duration = Duration::from_secs(60);
/// A longer gap means that it did not go on: a loaded machine alone makes shorter ones.
const GAP: f64 = 5.0;

/// The task, and the agent that runs it.
pub struct Running {
    agent: Node,
    client: Node,
}

impl Running {
    /// The node of the agent that runs it.
    pub fn agent(&self) -> &Node {
        &self.agent
    }

    /// Fails unless the task has gone on since `from` (seconds since 1970) without a gap, and its framework too;
    /// returns the longest gap in seconds.
    ///
    /// # Errors
    /// The task stood still for more than five seconds, its framework has ended, or a node does not run.
    pub async fn went_on(&self, from: f64) -> Result<f64, Error> {
        let step = "asking how the task went on";
        let script = format!(
            "awk -v from={from:.3} -v now=$(date +%s.%N) '
                $1 >= from {{ if (last && $1 - last > gap) gap = $1 - last; if (!last) gap = $1 - from; last = $1 }}
                END {{ if (!last) last = from; if (now - last > gap) gap = now - last; printf \"%.3f\", gap }}
            ' /tmp/steady-task"
        );
        let said = self.agent.step(step, &script, &Default::default()).await?;
        let gap: f64 = said.trim().parse().map_err(|_| otherwise(&self.agent.name, step, said.clone()))?;
        if gap > GAP {
            let found = format!("it stood still for {}", seconds(gap));
            return Err(otherwise(&self.agent.name, step, found));
        }
        let script = format!("systemctl is-active {UNIT} || {{ journalctl --no-pager --unit {UNIT} | tail; exit 1; }}");
        self.client.step("asking how the task's framework went on", &script, &Default::default()).await?;
        Ok(gap)
    }
}

/// Starts the task if it does not run yet, and returns where it runs.
///
/// # Errors
/// No agent runs it within a minute, or a node does not run.
pub async fn running(test: &Test<'_>, record: &ClusterRecord, task: &Task) -> Result<Running, Error> {
    let client = test.client(record);
    let mut environment = record.environment.clone();
    environment.insert("TASK".into(), TASK.into());
    let variables: String = environment.keys().map(|name| format!(" --setenv={name}")).collect();
    environment.insert("SCRIPT".into(), test.draft.script(&task.run));
    let script = format!(
        "systemctl is-active --quiet {UNIT} ||
            systemd-run --quiet --unit={UNIT} --working-directory=/tmp{variables} /bin/sh -c \"$SCRIPT\" 2>&1"
    );
    client.step("starting the task", &script, &environment).await?;
    let started = Instant::now();
    loop {
        for node in record.of(Nodes::Agents) {
            let agent = test.node(node);
            let writes = "find /tmp/steady-task -newermt '-2 seconds' | grep -q .";
            if agent.shell(writes, &Default::default()).await?.exit == 0 {
                return Ok(Running { agent, client });
            }
        }
        if started.elapsed() > START {
            let journal = client.shell(&format!("journalctl --no-pager --unit {UNIT}"), &Default::default()).await?;
            return Err(Error::Late {
                what: "the task was started on no agent".into(),
                seconds: START.as_secs(),
                found: crate::node::tail(&String::from_utf8_lossy(&journal.stdout)),
            });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
