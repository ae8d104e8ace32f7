//! The way from a phase to the workers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::Engine;
use engine::container::{Container, isolated};
use recipe::root_lock::PinnedDeb;
use roots::build_root::BuildRoot;

use super::{FarmError, WorkerAddress, compilers, not_ready, until_ready, with_network};

/// A gateway to workers that have compiled something for it. Dropping it removes it.
pub struct Gateway {
    container: Container,
    /// How distcc names the workers.
    hosts: String,
    compilers: String,
    /// How many files the workers compile at once, all together.
    pub jobs: u32,
    /// What each worker answered.
    pub answers: Vec<(WorkerAddress, Answer)>,
}

/// What a worker answered to the first file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The worker compiled it.
    Compiled,
    /// Nobody listens there, or the way is closed.
    Unreachable,
    /// Somebody listens and does not compile.
    Refused,
}

impl Answer {
    /// The answer as a part of a sentence for people, behind the worker's address.
    pub fn text(self) -> &'static str {
        match self {
            Self::Compiled => "compiles",
            Self::Unreachable => "does not answer: is `cargo xtask worker` running there, and the port open?",
            Self::Refused => {
                "answers but does not compile: it has another build root (`cargo xtask worker` of the same checkout makes this one), \
                 does not allow this machine, or is something else"
            }
        }
    }
}

/// The workers that compiled the first file, each with its place in the list.
fn usable(answers: &[(WorkerAddress, Answer)]) -> impl Iterator<Item = (usize, &WorkerAddress)> {
    let numbered = answers.iter().enumerate().filter(|(_, (_, answer))| *answer == Answer::Compiled);
    numbered.map(|(index, (worker, _))| (index, worker))
}

impl Gateway {
    /// Opens the way to the workers, and has each compile a first file. `debs` are the packages of the farm's programs.
    ///
    /// # Errors
    /// No worker compiled the first file ([`FarmError::NoWorker`]), or the engine cannot make or run the gateway.
    pub async fn open(
        engine: &Engine,
        root: &BuildRoot,
        debs: &[(PinnedDeb, PathBuf)],
        workers: &[WorkerAddress],
    ) -> Result<Self, FarmError> {
        let mut command = vec![format!("{}/gateway.sh", super::FOLDER)];
        for (index, worker) in workers.iter().enumerate() {
            command.extend([name(index), worker.endpoint()]);
        }
        let container = with_network(engine, root, debs, command, isolated(engine)).await?;
        let mut output = container.start("the gateway to the workers").await?;
        let lines =
            until_ready(&mut output).await.map_err(|output| not_ready("the gateway to the workers", &output))?;
        let answers: Vec<(WorkerAddress, Answer)> = workers
            .iter()
            .enumerate()
            .map(|(index, worker)| {
                let said = |answer: &str| lines.contains(&format!("worker {} {answer}", name(index)));
                let answer = match () {
                    () if said("ok") => Answer::Compiled,
                    () if said("refused") => Answer::Refused,
                    () => Answer::Unreachable,
                };
                (worker.clone(), answer)
            })
            .collect();
        // An @ has distcc call the program in ssh's place; object files go compressed.
        let hosts: Vec<String> =
            usable(&answers).map(|(index, worker)| format!("@{}/{},lzo", name(index), worker.jobs)).collect();
        let jobs = usable(&answers).map(|(_, worker)| worker.jobs).sum();
        if hosts.is_empty() {
            let list: Vec<String> =
                answers.iter().map(|(worker, answer)| format!("  {} {}", worker.endpoint(), answer.text())).collect();
            return Err(FarmError::NoWorker { list: list.join("\n") });
        }
        Ok(Self { container, hosts: hosts.join(" "), compilers: compilers(&root.digest), jobs, answers })
    }

    /// The workers that compile with this build root.
    pub fn workers(&self) -> impl Iterator<Item = &WorkerAddress> {
        usable(&self.answers).map(|(_, worker)| worker)
    }

    /// What a phase's container needs to reach the workers.
    pub fn access(&self) -> Access {
        Access {
            volumes_from: format!("{}:ro", self.container.id),
            environment: BTreeMap::from([
                ("DISTCC_HOSTS".to_owned(), self.hosts.clone()),
                ("FARM_COMPILERS".to_owned(), self.compilers.clone()),
            ]),
        }
    }
}

/// What a container needs to reach the workers.
#[derive(Clone, Debug)]
pub struct Access {
    /// The gateway's volume, as `HostConfig.VolumesFrom` names it.
    pub volumes_from: String,
    /// The environment variables that the farm's programs read.
    pub environment: BTreeMap<String, String>,
}

fn name(index: usize) -> String {
    format!("w{}", index + 1)
}
