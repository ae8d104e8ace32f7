//! Watching masters: each is asked about ten times a second, from its own node or from another one, until the watch
//! ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use recipe::cluster::State;

use super::timeline::{Sample, Timeline};
use crate::Error;
use crate::masters::{question, understand};
use crate::node::Node;
use crate::record::NodeRecord;

/// Exists on a node as long as it watches.
const MARK: &str = "/run/watching";
/// How long the last questions may take to end: longer than one may take to be answered.
const END: Duration = Duration::from_secs(10);

/// A watch that goes on until [`Watch::stop`].
pub struct Watch {
    observers: Vec<Node>,
    samples: Arc<Mutex<Vec<Sample>>>,
    asking: Vec<tokio::task::JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch masters: pairs of the node that asks and the master that is asked.
    ///
    /// # Errors
    /// A node does not run.
    pub async fn start(state: &State, pairs: Vec<(Node, &NodeRecord)>) -> Result<Self, Error> {
        let samples = Arc::new(Mutex::new(Vec::new()));
        let (mut observers, mut asking) = (Vec::new(), Vec::new());
        for (observer, master) in pairs {
            observer.step("beginning to watch", &format!("touch {MARK}"), &BTreeMap::new()).await?;
            let script = format!(
                "while [ -e {MARK} ]; do
                    at=$(date +%s.%N)
                    said=$({})
                    printf '%s %s\\n' \"$at\" \"$(printf %s \"$said\" | tr '\\n' ' ')\"
                    sleep 0.1
                done",
                question(state, &master.address)
            );
            let (node, state, master, all) = (observer.clone(), state.clone(), master.name.clone(), samples.clone());
            asking.push(tokio::spawn(async move {
                let mut line = Vec::new();
                let take = |piece: LogOutput| {
                    for byte in piece.as_ref() {
                        if *byte != b'\n' {
                            line.push(*byte);
                            continue;
                        }
                        if let Some(sample) = sample(&state, &master, &String::from_utf8_lossy(&line)) {
                            all.lock().expect("no panic while held").push(sample);
                        }
                        line.clear();
                    }
                };
                // A watch that breaks off leaves no samples, and what is waited for is then not seen.
                let _ = node.stream(&["/bin/sh", "-c", &script], &BTreeMap::new(), take).await;
            }));
            observers.push(observer);
        }
        Ok(Self { observers, samples, asking })
    }

    /// What the watch has seen so far.
    pub fn timeline(&self) -> Timeline {
        Timeline::new(self.samples.lock().expect("no panic while held").clone())
    }

    /// Waits until `look` finds something in what was seen, and returns that. `what` says in errors what did not come
    /// about.
    ///
    /// # Errors
    /// That does not come about within `limit`.
    pub async fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        look: impl Fn(&Timeline) -> Option<T>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        loop {
            if let Some(found) = look(&self.timeline()) {
                return Ok(found);
            }
            if started.elapsed() > limit {
                return Err(Error::Late {
                    what: what.to_owned(),
                    seconds: limit.as_secs(),
                    found: "it was not seen".into(),
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends the watch, and returns what was seen.
    ///
    /// # Errors
    /// A node does not run any more.
    pub async fn stop(self) -> Result<Timeline, Error> {
        for node in &self.observers {
            node.step("ending the watch", &format!("rm -f {MARK}"), &BTreeMap::new()).await?;
        }
        let ended = futures_util::future::join_all(self.asking);
        let _ = tokio::time::timeout(END, ended).await;
        let samples = std::mem::take(&mut *self.samples.lock().expect("no panic while held"));
        Ok(Timeline::new(samples))
    }
}

/// Understands a line: time, body and status.
fn sample(state: &State, master: &str, line: &str) -> Option<Sample> {
    let (at, said) = line.split_once(' ')?;
    Some(Sample { master: master.to_owned(), at: at.parse().ok()?, answer: understand(state, said) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masters::Answer;

    #[test]
    fn lines_of_a_watch() {
        let state = State {
            port: 1,
            path: "/".into(),
            leads: Some("/elected_time".into()),
            agents: "/activated_slaves".into(),
        };
        let said = |line| sample(&state, "master1", line).map(|sample| (sample.at, sample.answer));
        assert_eq!(
            said("1700000000.25 {\"elected_time\":1.5,\"activated_slaves\":2.0} 200"),
            Some((1_700_000_000.25, Some(Answer { leads: true, agents: 2 })))
        );
        assert_eq!(said("17.5  307"), Some((17.5, Some(Answer { leads: false, agents: 0 }))));
        assert_eq!(said("17.5  000"), Some((17.5, None)));
        assert_eq!(said("date: cannot"), None);
    }
}
