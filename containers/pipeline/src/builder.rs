//! Everything that phases are run with, and what they leave in the engine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::names;
use engine::once::run_once_with_volumes;
use engine::volume::Volume;
use engine::{Engine, volume};
use foundation::progress::Progress;
use foundation::store::Store;
use phases::circumstances::{Aspect, Circumstances};
use phases::compile_memory::Figures;
use recipe::plan::PlannedPhase;
use roots::build_root::BuildRoot;

use crate::error::Error;
use crate::inputs::Inputs;
use crate::options::{BuildOptions, CompilerCache, Job, Options};
use crate::records::{history_path, read_json};

/// Kind of the volumes that hold a phase's result.
pub const VOLUME_KIND: &str = "phase";

/// Everything that a phase is run with: there is none without a build root.
#[derive(Clone, Copy)]
pub struct Builder<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) store: &'a Store,
    pub(crate) options: &'a Options,
    pub(crate) build: &'a BuildOptions,
    pub(crate) inputs: &'a Inputs,
    pub(crate) root: &'a BuildRoot,
    pub(crate) progress: &'a dyn Progress,
}

impl<'a> Builder<'a> {
    /// Puts together what builds these inputs in this root.
    pub fn new(job: Job<'a>, engine: &'a Engine, inputs: &'a Inputs, root: &'a BuildRoot) -> Self {
        let Job { store, options, build, progress } = job;
        Self { engine, store, options, build, inputs, root, progress }
    }

    /// The same builder with other build options.
    pub fn with(&self, build: &'a BuildOptions) -> Self {
        Self { build, ..*self }
    }

    /// The job that it works for.
    pub fn job(&self) -> Job<'a> {
        Job { store: self.store, options: self.options, build: self.build, progress: self.progress }
    }

    /// The engine that runs the phases.
    pub fn engine(&self) -> &'a Engine {
        self.engine
    }

    /// The store where results are kept.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// What was asked for: recipe, target and source.
    pub fn options(&self) -> &'a Options {
        self.options
    }

    /// How it is built: what does not change the bytes.
    pub fn build(&self) -> &'a BuildOptions {
        self.build
    }

    /// What the packages are built from.
    pub fn inputs(&self) -> &'a Inputs {
        self.inputs
    }

    /// The build root that the phases run in.
    pub fn root(&self) -> &'a BuildRoot {
        self.root
    }

    /// Who is told what happens.
    pub fn progress(&self) -> &'a dyn Progress {
        self.progress
    }

    /// The file in the store with what is remembered of a phase, whatever its key: nothing that decides bytes.
    pub(crate) fn history_path(&self, phase: &PlannedPhase, extension: &str) -> PathBuf {
        history_path(self.store, self.inputs.plan(), &phase.name, extension)
    }

    pub(crate) fn figures_path(&self, phase: &PlannedPhase) -> PathBuf {
        self.history_path(phase, "compile-memory.json")
    }

    /// What compiling a phase's source files took, as far as an earlier run on this machine has measured it.
    pub(crate) fn figures(&self, phase: &PlannedPhase) -> Figures {
        read_json(&self.figures_path(phase)).unwrap_or_default()
    }

    /// The compiler cache that is used: a varied build compiles everything itself.
    pub fn compiler_cache(&self) -> CompilerCache {
        if self.build.circumstances.varies(Aspect::Cache) { CompilerCache::None } else { self.build.compiler_cache }
    }

    /// Whether the target's programs are emulated on the engine's machine.
    pub fn emulated(&self) -> bool {
        !self.engine.runs_itself(self.options.target.name.architecture())
    }

    /// The environment variables of a phase: those of the plan, and those of the compiler cache.
    pub fn environment(&self, phase: &PlannedPhase) -> BTreeMap<String, String> {
        let mut environment = phase.environment.clone();
        environment.insert("CCACHE_DIR".into(), "/ccache".into());
        // The compiler is part of the volume's name; its time stamp says nothing.
        environment.insert("CCACHE_COMPILERCHECK".into(), "content".into());
        // So are the headers of the build root, which nothing changes. Without them in its lists, ccache also takes again what
        // includes one that only mentions `__TIME__`, as Subversion's does.
        environment.insert("CCACHE_IGNOREHEADERS".into(), "/usr/include/:/usr/lib/".into());
        environment.insert("CCACHE_MAXSIZE".into(), "10G".into());
        if self.compiler_cache() == CompilerCache::None {
            environment.insert("CCACHE_DISABLE".into(), "1".into());
        }
        environment
    }

    /// Keeps the volumes of this plan but the last (the staged tree is kept in the store), and that of the
    /// compiled tests; removes those of earlier plans of the same recipe for the same target: they are gigabytes each. So a store has
    /// those of one plan for each target, until `cargo xtask clean`.
    pub(crate) async fn remove_old_volumes(&self) -> Result<(), Error> {
        let Self { engine, store, inputs, .. } = *self;
        let phases = inputs.plan().phases();
        let check = inputs.plan().check(inputs.recipe())?.map(|(_, phase)| phase);
        let keep: Vec<String> =
            phases[..phases.len() - 1].iter().chain(&check).map(|phase| volume_name(store, inputs, phase)).collect();
        let recipe = inputs.recipe().handle();
        let named: Vec<&str> = phases.iter().chain(&check).map(|phase| phase.name.as_str()).collect();
        let target = inputs.plan().target().name.to_string();
        for found in volume::list(engine).await? {
            let of_recipe = names::is_of_phase(store, recipe, &named, &found.name);
            if of_recipe && is_of_target(&found, &target) && !keep.contains(&found.name) {
                volume::remove(engine, &found.name).await?;
            }
        }
        Ok(())
    }
}

/// Whether a volume has the result of a phase for this target. One of before volumes said that may be any target's.
fn is_of_target(volume: &Volume, target: &str) -> bool {
    let label = |name: &str| volume.labels.get(name).map(String::as_str);
    label(names::LABEL_KIND) == Some(VOLUME_KIND) && label(names::LABEL_TARGET).is_none_or(|of| of == target)
}

/// The name of the volume with a phase's result.
pub fn volume_name(store: &Store, inputs: &Inputs, phase: &PlannedPhase) -> String {
    names::of_phase(store, inputs.recipe().handle(), &phase.name, &phase.key)
}

/// Gives a new volume to whoever works in it, if that is not the user to whom the image gives it.
///
/// # Errors
/// The engine cannot run a container with the volume, or the change of ownership fails.
pub async fn own(
    engine: &Engine,
    image: &str,
    volume: &str,
    circumstances: &Circumstances,
) -> Result<(), engine::Error> {
    if !circumstances.varies(Aspect::User) {
        return Ok(());
    }
    // The engine gives a volume that is still empty to the image's user again, so something has to be in it.
    let script = format!("mkdir /build/out && chown {user}:{user} /build /build/out", user = circumstances.user());
    let volumes = [(volume, "/build")];
    let output = run_once_with_volumes(engine, image, script.as_bytes(), &[], &BTreeMap::new(), true, &volumes).await?;
    if output.exit != 0 {
        return Err(engine::Error::Engine {
            doing: format!("giving the volume {volume} to another user"),
            why: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_takes_nothing_from_another_one() {
        let volume = |labels: &[(&str, &str)]| Volume {
            name: "mesos-packages-0123-mesos-build-4567".into(),
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let (phase, other) = ((names::LABEL_KIND, VOLUME_KIND), (names::LABEL_KIND, "split"));
        let of = |target| (names::LABEL_TARGET, target);
        let is = |labels: &[(&str, &str)]| is_of_target(&volume(labels), "debian-12/amd64");
        assert!(is(&[phase, of("debian-12/amd64")]));
        assert!(!is(&[phase, of("debian-13/amd64")]) && !is(&[phase, of("debian-12/arm64")]));
        assert!(is(&[phase]), "nobody knows whose it was");
        assert!(!is(&[other, of("debian-12/amd64")]) && !is(&[]));
    }
}
