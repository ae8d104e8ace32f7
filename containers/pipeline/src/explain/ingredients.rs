//! What each stage is made from, one by one: the plan has it as digests, which say that something is another, and not what.

use std::collections::BTreeMap;

use foundation::digest::Digest;
use recipe::plan::PlannedPhase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::inputs::Inputs;

/// The stage before the first phase.
pub const BUILD_ROOT: &str = "build root";

/// The stage after the last phase.
pub const PACKAGES: &str = "packages";

/// What kind of input something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A file of the recipe, by its path in the recipe's folder.
    File,
    /// A package of the build root, by its name in the lock; its value is the version.
    Package,
    /// The source: its tree, and where it came from.
    Source,
    /// A variable that a phase's script gets, such as compiler flags.
    Variable,
    /// A field of the target's file.
    Target,
    /// The tool's own code that decides bytes.
    Tool,
    /// Something that the plan says of the whole: the version, the time that time stamps are clamped to, the lock's snapshot.
    Plan,
    /// A stage before this one, which came or went.
    Stage,
}

/// One input of a stage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ingredient {
    /// What kind of input it is.
    pub kind: Kind,
    /// Which one.
    pub name: String,
    /// Its value as people read it: a version, a text. Empty where only the digest says what it is.
    pub value: String,
    /// Digest of its content, where it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

impl Ingredient {
    fn text(kind: Kind, name: &str, value: impl Into<String>) -> Self {
        Self { kind, name: name.to_owned(), value: value.into(), sha256: None }
    }

    fn content(kind: Kind, name: &str, sha256: Digest) -> Self {
        Self { kind, name: name.to_owned(), value: String::new(), sha256: Some(sha256) }
    }
}

/// A stage, the digest that its result is kept under, and what of its own decides that; what earlier stages are made from
/// decides it as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageInputs {
    /// Its name.
    pub name: String,
    /// The digest of everything that decides its result.
    pub key: Digest,
    /// What it is made from.
    pub inputs: Vec<Ingredient>,
}

/// Every stage of the plan, in the order in which they run.
pub fn stages(inputs: &Inputs) -> Vec<StageInputs> {
    let phases: Vec<&PlannedPhase> = inputs.plan().phases().iter().collect();
    let mut stages = up_to(inputs, &phases);
    stages.push(packages(inputs));
    stages
}

/// The stages that lead to the compiled tests of upstream, if the recipe has some.
///
/// # Errors
/// A file that the phase reads cannot be read.
pub fn check_stages(inputs: &Inputs) -> Result<Option<Vec<StageInputs>>, Error> {
    let Some((before, phase)) = inputs.plan().check(inputs.recipe())? else { return Ok(None) };
    let phases: Vec<&PlannedPhase> = inputs.plan().phases()[..before].iter().chain([&phase]).collect();
    Ok(Some(up_to(inputs, &phases)))
}

/// The build root and these phases, each of which comes after the one before.
pub fn up_to(inputs: &Inputs, phases: &[&PlannedPhase]) -> Vec<StageInputs> {
    let mut stages = vec![build_root(inputs)];
    for (nth, phase) in phases.iter().enumerate() {
        let mut own = files(&phase.inputs);
        own.extend(
            phase.environment.iter().map(|(name, value)| Ingredient::text(Kind::Variable, name, value.as_str())),
        );
        if nth == 0 {
            let (tool, source) = (inputs.plan().tool(), inputs.plan().source());
            own.push(Ingredient::content(Kind::Tool, "the script that runs a phase", tool.driver));
            own.push(Ingredient::content(Kind::Tool, "what stands before the compilers", tool.wrapper));
            own.push(Ingredient::content(Kind::Source, "tree", source.sha256));
            own.extend(fields(Kind::Source, &source.origin));
        }
        stages.push(StageInputs::new(&phase.name, phase.key, own));
    }
    stages
}

fn build_root(inputs: &Inputs) -> StageInputs {
    let (plan, lock) = (inputs.plan(), inputs.lock());
    let mut own: Vec<Ingredient> = lock
        .packages
        .iter()
        .map(|deb| Ingredient {
            sha256: Some(deb.sha256),
            ..Ingredient::text(Kind::Package, &deb.name, deb.version.as_str())
        })
        .collect();
    own.push(Ingredient::text(Kind::Plan, "date of the archive that is locked", lock.release_date.to_string()));
    own.push(Ingredient::content(Kind::Tool, "what makes a root of the locked packages", plan.tool().assembler));
    own.extend(fields(Kind::Target, &serde_json::to_value(plan.target()).expect("plain data")));
    StageInputs::new(BUILD_ROOT, plan.build_root().key, own)
}

fn packages(inputs: &Inputs) -> StageInputs {
    let plan = inputs.plan();
    let mut own = files(plan.packing());
    own.push(Ingredient::content(Kind::Tool, "the script that separates debug symbols", plan.tool().split));
    own.push(Ingredient::content(Kind::Tool, "the code that writes packages", plan.tool().packing));
    own.push(Ingredient::text(Kind::Plan, "version of the packages", plan.version()));
    own.push(Ingredient::text(Kind::Plan, "time of all time stamps", plan.source_date_epoch().to_string()));
    own.push(Ingredient::text(Kind::Plan, "snapshot of the archive", plan.build_root().snapshot.as_str()));
    StageInputs::new(PACKAGES, plan.digest(), own)
}

impl StageInputs {
    fn new(name: &str, key: Digest, mut inputs: Vec<Ingredient>) -> Self {
        inputs.sort();
        Self { name: name.to_owned(), key, inputs }
    }
}

fn files(files: &BTreeMap<String, recipe::RecipeInput>) -> Vec<Ingredient> {
    let file = |(path, input): (&String, &recipe::RecipeInput)| {
        let value = if input.executable { "executable" } else { "" };
        Ingredient { value: value.into(), ..Ingredient::content(Kind::File, path, input.sha256) }
    };
    files.iter().map(file).collect()
}

/// The fields of a value in JSON, each with what it says.
fn fields(kind: Kind, value: &Value) -> Vec<Ingredient> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let field = |(name, value): (&String, &Value)| Ingredient::text(kind, name, text(value));
    value.as_object().into_iter().flatten().map(field).collect()
}
