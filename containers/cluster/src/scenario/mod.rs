//! `cluster test`: scenarios that a cluster of the packages has to go through, and what came of each.

mod availability;
mod browser;
mod exposure;
mod frameworks;
mod install;
mod kind;
mod lifecycle;
mod machines;
mod own;
mod purge;
mod task;
mod timeline;
mod traces;
mod upgrade;
mod versions;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use foundation::progress::{Event, Progress};
use foundation::stage::Stage;
use recipe::cluster::Nodes;
use serde::Serialize;

pub use kind::Scenario;

use super::draft::Draft;
use super::ground::Ground;
use super::node::Node;
use super::record::{ClusterRecord, NodeRecord};
use super::up::{ELECTION, elected, up};
use super::{Error, down};

/// What came of a scenario.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The scenario's name.
    pub scenario: String,
    /// What was checked, as a line for people.
    pub checks: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What was measured: a sentence each.
    pub figures: Vec<String>,
    /// Why this machine cannot tell, if it cannot.
    pub skipped: Option<String>,
    /// Why it failed; none if it did not.
    pub failure: Option<String>,
    /// The folder with the nodes' journals, if it failed and they could be kept.
    pub journals: Option<PathBuf>,
}

/// What came of a scenario that did not fail.
enum Outcome {
    /// What was measured.
    Passed(Vec<String>),
    /// Why this machine cannot tell.
    Skipped(String),
}

/// The folder for the journals of failed scenarios unless the user says otherwise: beside `dist`.
pub fn results_beside(dist: &Path) -> PathBuf {
    match (dist.parent(), dist.file_name()) {
        (Some(parent), Some(name)) => parent.join("cluster").join(name),
        _ => dist.join("cluster"),
    }
}

/// Everything that scenarios are run with.
struct Test<'a> {
    ground: &'a Ground,
    draft: &'a Draft,
    progress: &'a dyn Progress,
}

/// Runs scenarios, one after the other, and returns what came of each; nothing of the cluster is left afterwards.
/// Journals of those that fail go into `results`. The caller holds the cluster's lock.
///
/// # Errors
/// Journals of an earlier run cannot be removed, or the cluster cannot be removed at the end. A scenario that fails is
/// no error: its finding says so.
pub async fn test(
    ground: &Ground,
    draft: &Draft,
    scenarios: &[Scenario],
    results: &Path,
    progress: &dyn Progress,
) -> Result<Vec<Finding>, Error> {
    let test = Test { ground, draft, progress };
    let (engine, store) = (&ground.engine, &ground.store);
    let mut findings = Vec::new();
    // The scenarios share a cluster until one of them fails: what it leaves is no ground for the next.
    let mut shared: Option<ClusterRecord> = None;
    for scenario in scenarios {
        let folder = results.join(scenario.name());
        forget_journals(&folder)?;
        let stage = Stage::start(progress, format!("scenario {}", scenario.name()));
        let started = Instant::now();
        let outcome = test.run(scenario, &mut shared).await;
        let mut finding = Finding {
            scenario: scenario.name().to_owned(),
            checks: scenario.checks().to_owned(),
            seconds: started.elapsed().as_secs_f64(),
            figures: Vec::new(),
            skipped: None,
            failure: None,
            journals: None,
        };
        match outcome {
            Ok(Outcome::Passed(figures)) => finding.figures = figures,
            Ok(Outcome::Skipped(reason)) => finding.skipped = Some(reason),
            Err(error) => {
                shared = None;
                let mut failure = reason(&error);
                match test.keep_journals(folder).await {
                    Ok(folder) => finding.journals = Some(folder),
                    Err(error) => failure += &format!("\nThe journals could not be kept: {error}"),
                }
                let removed = down(engine, store, &draft.name).await;
                if let Err(error) = &removed {
                    failure += &format!("\nThe scenarios that follow were not run: {error}");
                }
                finding.failure = Some(failure);
                if removed.is_err() {
                    findings.push(finding);
                    return Ok(findings);
                }
            }
        }
        stage.finish();
        findings.push(finding);
    }
    down(engine, store, &draft.name).await?;
    Ok(findings)
}

/// Why, without what to do with nodes that will be gone.
fn reason(error: &Error) -> String {
    match error {
        Error::NotUp { why, .. } => why.to_string(),
        other => other.to_string(),
    }
}

impl Test<'_> {
    /// Removes what there is of the cluster, so that a scenario begins with nothing, or leaves nothing.
    async fn clear(&self) -> Result<(), Error> {
        down(&self.ground.engine, &self.ground.store, &self.draft.name).await.map(drop)
    }

    /// Makes nodes that belong to no cluster yet.
    async fn boot(&self, wanted: &[&str]) -> Result<Vec<(Node, String)>, Error> {
        self.clear().await?;
        self.ground.prepare(self.draft, self.progress).await?;
        self.ground.boot(self.draft, wanted).await
    }

    async fn run(&self, scenario: &Scenario, shared: &mut Option<ClusterRecord>) -> Result<Outcome, Error> {
        match scenario {
            Scenario::Install => return install::run(self).await.map(Outcome::Passed),
            Scenario::Purge => return purge::run(self).await.map(Outcome::Passed),
            Scenario::Lifecycle => return lifecycle::run(self).await.map(Outcome::Passed),
            Scenario::Own(script) => return own::run(self, script).await,
            _ => {}
        }
        let record = match shared.take() {
            Some(record) => record,
            None => up(self.ground, self.draft, self.progress).await?.0,
        };
        if matches!(scenario, Scenario::Web) {
            let outcome = browser::run(self, &record).await?;
            *shared = Some(record);
            return Ok(outcome);
        }
        let figures = match scenario {
            Scenario::Up => self.units_active(&record).await?,
            Scenario::Exposure => exposure::run(self, &record).await?,
            Scenario::Frameworks => frameworks::run(self, &record).await?,
            Scenario::Upgrade => upgrade::run(self, &record).await?,
            Scenario::Unplug => machines::unplug(self, &record).await?,
            Scenario::Reboot => machines::reboot(self, &record).await?,
            disturbing => availability::run(self, &record, disturbing).await?,
        };
        *shared = Some(record);
        Ok(Outcome::Passed(figures))
    }

    /// The names of the recipe's packages.
    fn packages(&self) -> Vec<String> {
        let name = |deb: &PathBuf| deb.file_name()?.to_str()?.split('_').next().map(str::to_owned);
        self.draft.debs.iter().filter_map(name).collect()
    }

    async fn units_active(&self, record: &ClusterRecord) -> Result<Vec<String>, Error> {
        for node in &record.nodes {
            let script = format!(
                "for unit in {}; do systemctl is-active $unit && systemctl is-enabled $unit || exit 1; done
                failed=$(systemctl --failed --plain --no-legend); echo \"$failed\"; [ -z \"$failed\" ]",
                node.units.join(" ")
            );
            self.node(node)
                .step("looking for units that are not active and enabled", &script, &record.environment)
                .await?;
        }
        Ok(vec![format!("{} nodes", record.nodes.len())])
    }

    fn node(&self, record: &NodeRecord) -> Node {
        Node::of(&self.ground.engine, record)
    }

    /// The node of somebody who uses the cluster.
    fn client(&self, record: &ClusterRecord) -> Node {
        self.node(record.of(Nodes::Client).first().expect("looked over with the recipe: it has a client"))
    }

    /// Waits until the cluster is as it should be; returns the leader.
    async fn settled(&self, record: &ClusterRecord) -> Result<String, Error> {
        elected(&self.ground.engine, record, ELECTION).await
    }

    fn note(&self, text: impl Into<String>) {
        self.progress.event(Event::Note { text: format!("  {}", text.into()) });
    }

    /// Writes the journal of every node that still runs into a folder.
    async fn keep_journals(&self, folder: PathBuf) -> Result<PathBuf, Error> {
        fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
        for node in self.ground.nodes().await? {
            let script = "journalctl --no-pager --output=short-iso-precise";
            let journal = match node.shell(script, &Default::default()).await {
                Ok(output) => output.stdout,
                Err(error) => error.to_string().into_bytes(),
            };
            let path = folder.join(format!("{}.{JOURNAL}", node.name));
            fs::write(&path, journal).map_err(Error::io("write", &path))?;
        }
        Ok(folder)
    }
}

/// How the names of journals end.
const JOURNAL: &str = "journal";

/// Removes the journals of an earlier failure, and nothing else: the folder may be the user's.
fn forget_journals(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|kind| kind == JOURNAL) {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    // Only where nothing is left in it.
    let _ = fs::remove_dir(folder);
    Ok(())
}

/// What a scenario found to be otherwise than it should be.
fn otherwise(node: &str, step: &str, found: impl Into<String>) -> Error {
    Error::Wrong { node: node.to_owned(), step: step.to_owned(), found: found.into() }
}

/// A time in seconds for people: `9.1 s`.
fn seconds(value: f64) -> String {
    format!("{value:.1} s")
}

/// How long an election may take that follows a failure.
const FAILOVER: Duration = Duration::from_secs(60);
