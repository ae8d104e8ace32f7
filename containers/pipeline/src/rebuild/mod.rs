//! Building again what was published, under other circumstances, and comparing.
//!
//! The plan has to be the recorded one: inputs, build root and code that decide the bytes are the same, everything else
//! ([`Aspect`]) is made to differ. Source, downloads and build root come from the usual store; phases, staged tree,
//! split and packages are made in a store of the rebuild's own, so that nothing of an earlier build can be found there.

pub(crate) mod diffoscope;
mod probe;
mod report;

use std::collections::BTreeSet;
use std::path::Path;

use engine::Engine;
use foundation::progress::{Event, Progress};
use foundation::store::{Store, StoreLock};
use phases::circumstances::{Aspect, Circumstances, WantedVariations};
use roots::build_root::BuildRoot;
use serde::{Deserialize, Serialize};
use statements::rebuild::{PublishedBuild, compared_plans, first_difference};

pub use report::{ComparedPackage, RebuildReport, Varied, attest};

use crate::builder::Builder;
use crate::error::Error;
use crate::inputs::{Inputs, gather};
use crate::options::{BuildOptions, Job, Options};
use crate::records::{read_json, write_json};
use crate::root::build_root;

/// Differences between two plans that an error shows.
const SHOWN: usize = 12;

/// What is rebuilt, where and how.
#[derive(Clone, Copy)]
pub struct Rebuild<'a> {
    /// The engine to build with.
    pub engine: &'a Engine,
    /// The store that source, downloads and build root come from.
    pub usual: &'a Store,
    /// The store in which it is built; the caller holds its lock.
    pub work: &'a Store,
    /// The recipe and target; they have to lead to the recorded plan.
    pub options: &'a Options,
    /// How it is built; its circumstances are of no account, because they follow from `wanted`.
    pub build: &'a BuildOptions,
    /// Which aspects are to vary.
    pub wanted: &'a WantedVariations,
    /// What was published, read from its folder.
    pub published: &'a PublishedBuild,
    /// The folder where report, attestation and the packages that differ go.
    pub results: &'a Path,
    /// Who is told what happens.
    pub progress: &'a dyn Progress,
}

/// What a store of a rebuild was begun for. A run that was killed goes on only if nothing of it has changed.
#[derive(PartialEq, Serialize, Deserialize)]
struct Begun {
    plan: foundation::digest::Digest,
    circumstances: Circumstances,
}

/// The file in a rebuild's store that has [`Begun`].
const BEGUN: &str = "rebuild.json";

impl Rebuild<'_> {
    /// Builds, compares, and leaves a report in the folder of results. The lock of the usual store is given back as
    /// soon as nothing is needed from there: others may build meanwhile.
    ///
    /// # Errors
    /// The checkout leads to another plan than the recorded one, an aspect that was asked for by name does not act
    /// here, a stage of the build fails, or the results cannot be written. Packages that differ are no error here: the
    /// report says so.
    pub async fn run(&self, usual_lock: StoreLock) -> Result<RebuildReport, Error> {
        let Self { engine, usual, work, options, published, progress, .. } = *self;
        let inputs = tokio::task::block_in_place(|| gather(usual, options, progress))?;
        check_plan(published, &inputs)?;
        let root = build_root(engine, usual, options, &inputs, progress).await?;
        drop(usual_lock);
        let (circumstances, varied) = self.circumstances(&inputs, &root).await?;
        self.begin(Begun { plan: inputs.plan().digest(), circumstances: circumstances.clone() }).await?;
        let build = BuildOptions { circumstances, ..self.build.clone() };
        let job = Job { store: work, options, build: &build, progress };
        let builder = Builder::new(job, engine, &inputs, &root);
        let packed = builder.staged().await?.pack(&builder).await?;
        let report = tokio::task::block_in_place(|| -> Result<_, Error> {
            let mut compared = Vec::new();
            for was in &published.packages {
                let mut written = packed.record().packages().iter().map(|written| &written.package);
                let now = written.find(|package| package.file == was.file);
                let now = now.map(|package| (packed.folder().join(&package.file), package.sha256));
                compared.push(ComparedPackage::of(was, now, |was, now| {
                    first_difference(was, now).map_err(Error::io("compare", now))
                })?);
            }
            let report = RebuildReport::new(published, options, varied, compared);
            report.write(published, packed.folder(), self.results, progress)
        })?;
        clear(engine, work).await?;
        Ok(report)
    }

    /// What varies, as far as this host allows it, and what a phase sees of that.
    async fn circumstances(&self, inputs: &Inputs, root: &BuildRoot) -> Result<(Circumstances, Vec<Varied>), Error> {
        let Self { engine, work, options, progress, .. } = *self;
        let ask = async |varied: BTreeSet<Aspect>| {
            let build = BuildOptions { circumstances: Circumstances { varied }, ..self.build.clone() };
            let job = Job { store: work, options, build: &build, progress };
            probe::probe(&Builder::new(job, engine, inputs, root)).await
        };
        let usual = ask(BTreeSet::new()).await?;
        let other = ask(self.wanted.aspects.clone()).await?;
        let mut circumstances = Circumstances::default();
        let mut varied = Vec::new();
        let mut same = Vec::new();
        for aspect in Aspect::ALL {
            let one = |seen: &probe::Seen| seen.get(&aspect).cloned().unwrap_or_default();
            let (usual, rebuilt) = (one(&usual), one(&other));
            let wanted = self.wanted.aspects.contains(&aspect);
            let acts = wanted && usual != rebuilt;
            if acts {
                circumstances.varied.insert(aspect);
                progress.event(Event::Note { text: format!("varied {aspect}: {usual} -> {rebuilt}") });
            } else if wanted {
                same.push(aspect);
                progress
                    .event(Event::Warning { text: format!("not varied: {aspect}; a phase sees {usual} all the same") });
            }
            varied.push(Varied { name: aspect, varied: acts, wanted, usual, rebuilt });
        }
        match same.into_iter().find(|aspect| self.wanted.named.contains(aspect)) {
            Some(aspect) => Err(Error::NotVaried { aspect }),
            None => Ok((circumstances, varied)),
        }
    }

    /// Makes sure that the store has nothing but what an interrupted run of the same rebuild left.
    async fn begin(&self, begun: Begun) -> Result<(), Error> {
        let path = self.work.root().join(BEGUN);
        if read_json::<Begun>(&path).is_ok_and(|found| found == begun) {
            return Ok(());
        }
        clear(self.engine, self.work).await?;
        write_json(&path, &begun)
    }
}

/// Removes everything that a rebuild made in its store and in the engine.
async fn clear(engine: &Engine, work: &Store) -> Result<(), Error> {
    let path = work.root().join(BEGUN);
    if path.exists() {
        std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    super::clear(engine, work, None).await
}

/// Refuses a checkout that would build something else than what was published.
fn check_plan(published: &PublishedBuild, inputs: &Inputs) -> Result<(), Error> {
    let here = inputs.plan().digest();
    if published.plan == here {
        return Ok(());
    }
    let tool = serde_json::to_value(inputs.plan().tool()).expect("digests");
    if published.recorded.as_ref().is_some_and(|recorded| recorded.get("tool") != Some(&tool)) {
        return Err(Error::OtherTool { revision: published.revision.clone() });
    }
    let differences = match &published.recorded {
        Some(recorded) => {
            let now = serde_json::from_slice(&inputs.plan().to_json()).expect("was written as JSON");
            compared_plans(recorded, &now, SHOWN).iter().map(|line| format!("\n  {line}")).collect()
        }
        None => "\n  (the plan itself does not lie beside the packages, so that there is nothing more to tell)".into(),
    };
    Err(Error::OtherPlan { recorded: published.plan, here, differences })
}
