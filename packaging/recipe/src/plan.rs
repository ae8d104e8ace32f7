//! The plan: everything that decides the bytes of the packages, as pure data.
//!
//! What does not decide them is left out on purpose: memory budget, number of jobs, compiler
//! cache, mirror, engine. Two machines that print the same plan digest make the same packages.

use std::collections::BTreeMap;

use foundation::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::error::RecipeError;
use crate::recipe::{Recipe, RecipeInput};
use crate::root_lock::RootLock;
use crate::target::Target;

/// Where the inputs lie in the container; part of the plan because paths end up in bytes.
pub const BUILD_FOLDER: &str = "/build";

/// The format of a plan: raised when a field is added or means something else.
const FORMAT: u32 = 2;

/// Everything that decides the bytes of the packages.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// The number of this value's format. Another number means that the digests of plans cannot be compared.
    format: u32,
    /// The name of the recipe.
    recipe: String,
    /// The binary packages' version, with `+local` where the source is not the pinned one.
    version: String,
    /// Unix time in seconds that every time stamp is clamped to: the changelog's newest date.
    source_date_epoch: i64,
    /// The source that is built.
    source: PlannedSource,
    /// The target that is built for, with everything that its file says.
    target: Target,
    /// The build root: the packages that the compiler runs in.
    build_root: PlannedRoot,
    /// The phases, in the order in which they run.
    phases: Vec<PlannedPhase>,
    /// The digests of the tool's own code that decides bytes.
    tool: Tool,
    /// The recipe's files that packing reads, by their paths below the recipe's folder.
    packing: BTreeMap<String, RecipeInput>,
}

/// The tool's own code that decides the packages' bytes, each part by its digest. Another version of the tool that has
/// the same digests makes the same packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tool {
    /// What makes a root file system of the locked .debs.
    pub assembler: Digest,
    /// The script that runs a phase's own script in the container.
    pub driver: Digest,
    /// What stands before the compilers in a phase.
    pub wrapper: Digest,
    /// The script that strips programs and separates their debug symbols.
    pub split: Digest,
    /// The code that writes packages: the crate `deb`, without comments and tests.
    pub packing: Digest,
}

/// The source that is built.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedSource {
    /// SHA-256 digest of the source tree, packed in one way only (sorted, with fixed owners and times).
    pub sha256: Digest,
    /// Where it came from: a pinned commit, the recipe's own folder, or a local tree.
    pub origin: serde_json::Value,
}

/// The build root, named by what it is made of.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedRoot {
    /// Digest of the lock, the target and the way of assembling.
    pub key: Digest,
    /// The point in time of the permanent archive, such as `20260712T000000Z`.
    pub snapshot: String,
    /// How many .deb files the root is made of.
    pub packages: usize,
    /// The size of these .deb files together, in bytes.
    pub size: u64,
}

/// One phase of the plan, with everything that decides its result.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedPhase {
    /// The name of the phase, which is also that of its script in `phases/`.
    pub name: String,
    /// Digest of everything that this phase's result depends on, earlier phases included.
    pub key: Digest,
    /// The files that are uploaded for it, by their paths below the recipe's folder.
    pub inputs: BTreeMap<String, RecipeInput>,
    /// The environment variables that the script gets.
    pub environment: BTreeMap<String, String>,
}

/// What a plan is made from. All of it is known before anything is built.
pub struct Parts<'a> {
    /// The recipe that is built.
    pub recipe: &'a Recipe,
    /// The target that is built for.
    pub target: &'a Target,
    /// The lock of the build root.
    pub lock: &'a RootLock,
    /// The digest of the source tree, and where it came from.
    pub source: PlannedSource,
    /// The version of the packages, with the target's suffix.
    pub version: String,
    /// The date of the changelog's newest entry, as a Unix time in seconds (`SOURCE_DATE_EPOCH`).
    pub source_date_epoch: i64,
    /// The digests of the tool's own code.
    pub tool: Tool,
}

/// What a build root is kept under: what it is made of. Recipes with the same packages have one build root.
pub fn build_root_key(lock: &RootLock, target: &Target, tool: &Tool) -> Digest {
    Digest::of_json(&(lock.content(), target.of_roots(), tool.assembler))
}

impl Plan {
    /// Makes the plan. The same parts always give the same plan.
    ///
    /// # Errors
    /// A file of the recipe cannot be read, or is neither a file, a link nor a folder.
    pub fn new(parts: Parts<'_>) -> Result<Self, RecipeError> {
        let Parts { recipe, target, lock, source, version, source_date_epoch, tool } = parts;
        let root_key = build_root_key(lock, target, &tool);
        let environment = environment(recipe, target, &version, source_date_epoch);
        let mut phases: Vec<PlannedPhase> = Vec::new();
        for phase in &recipe.file.phases {
            let inputs = recipe.phase_inputs(phase)?;
            let before = match phases.last() {
                Some(previous) => previous.key,
                None => Digest::of_json(&(root_key, tool.driver, tool.wrapper, source.sha256)),
            };
            let key = Digest::of_json(&(before, &phase.name, &inputs, &environment));
            phases.push(PlannedPhase { name: phase.name.clone(), key, inputs, environment: environment.clone() });
        }
        Ok(Self {
            format: FORMAT,
            recipe: recipe.name().to_owned(),
            version,
            source_date_epoch,
            source,
            target: target.clone(),
            build_root: PlannedRoot {
                key: root_key,
                snapshot: lock.snapshot.clone(),
                packages: lock.packages.len(),
                size: lock.packages.iter().map(|deb| deb.size).sum(),
            },
            phases,
            tool,
            packing: recipe.packing_inputs()?,
        })
    }

    /// The name of the recipe.
    pub fn recipe(&self) -> &str {
        &self.recipe
    }

    /// The binary packages' version, with `+local` where the source is not the pinned one.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Unix time in seconds that every time stamp is clamped to.
    pub fn source_date_epoch(&self) -> i64 {
        self.source_date_epoch
    }

    /// The source that is built.
    pub fn source(&self) -> &PlannedSource {
        &self.source
    }

    /// The target that is built for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The build root: the packages that the compiler runs in.
    pub fn build_root(&self) -> &PlannedRoot {
        &self.build_root
    }

    /// The phases, in the order in which they run; one at least.
    pub fn phases(&self) -> &[PlannedPhase] {
        &self.phases
    }

    /// The digests of the tool's own code that decides bytes.
    pub fn tool(&self) -> &Tool {
        &self.tool
    }

    /// The recipe's files that packing reads, by path.
    pub fn packing(&self) -> &BTreeMap<String, RecipeInput> {
        &self.packing
    }

    /// The phase that compiles upstream's tests, where the recipe has some, and how many phases come before it.
    ///
    /// It is no part of the plan: tests do not decide the packages' bytes.
    ///
    /// # Errors
    /// A file that the phase reads cannot be read.
    pub fn check(&self, recipe: &Recipe) -> Result<Option<(usize, PlannedPhase)>, RecipeError> {
        let (Some(check), Some(phase)) = (&recipe.file.check, recipe.check_phase()) else { return Ok(None) };
        let after =
            self.phases.iter().position(|phase| phase.name == check.after).expect("looked over with the recipe");
        let PlannedPhase { key, environment, .. } = &self.phases[after];
        let inputs = recipe.phase_inputs(&phase)?;
        let key = Digest::of_json(&(key, &phase.name, &inputs, environment));
        Ok(Some((after + 1, PlannedPhase { name: phase.name, key, inputs, environment: environment.clone() })))
    }

    /// The SHA-256 digest of the plan's JSON form. Finished packages are kept under it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_json())
    }

    /// The plan as JSON, in the very bytes that the digest is of: `sha256sum` of such a file is the plan digest.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data serialises to JSON")
    }

    /// The key of the staged tree: the last phase's.
    pub fn staged_key(&self) -> Digest {
        self.phases.last().expect("a recipe has at least one phase").key
    }
}

/// The cleared environment of a phase, before the engine adds the budget's figures.
fn environment(recipe: &Recipe, target: &Target, version: &str, epoch: i64) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<String, String> = [
        ("PATH", "/build/bin:/build/recipe/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
        ("HOME", format!("{BUILD_FOLDER}/home")),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("TZ", "UTC".to_owned()),
        ("SOURCE_DATE_EPOCH", epoch.to_string()),
        ("BUILD_TARGET", target.name.to_string()),
        ("BUILD_SUITE", target.suite.clone()),
        ("DEB_HOST_ARCH", target.name.architecture().to_owned()),
        ("DEB_HOST_MULTIARCH", target.multiarch.clone()),
        ("DEB_HOST_GNU_TYPE", target.gnu_type.clone()),
        ("VERSION", recipe.file.version.clone()),
        ("DEB_VERSION", version.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    environment.extend(recipe.file.build.environment.clone());
    environment
}
