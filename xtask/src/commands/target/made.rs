//! What `target new` has made, and what only a person can do.

use std::path::Path;

use foundation::failure::AnyFailure;
use recipe::Recipe;
use recipe::quarantine::Quarantine;
use recipe::root_lock::LockKind;
use recipe::target::Target;
use schemars::JsonSchema;
use serde::Serialize;

/// A target that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Made {
    /// The target's name, such as `debian-14/amd64`.
    target: String,
    /// The files that were written, below the checkout.
    files: Vec<String>,
    /// What follows the version of every package; empty for nothing.
    version_suffix: String,
    /// The keys of a keyring that is new here, to be compared with what the distribution publishes: fingerprint, owner, and when each ends.
    /// Empty where the keyring was there.
    keys: Vec<String>,
    /// What is left to do, each a sentence or several.
    next: Vec<String>,
}

impl Made {
    /// Puts together what is to be told. `files` are what was written, `others` the pipelines in which nothing was changed.
    ///
    /// # Errors
    /// A recipe's quarantine cannot be read.
    pub fn new(
        top: &Path,
        files: &[&Path],
        keys: &[String],
        (target, like): (&Target, &Target),
        recipes: &[(Recipe, Vec<LockKind>)],
        others: &[String],
    ) -> Result<Self, AnyFailure> {
        let shown = |path: &&Path| path.strip_prefix(top).unwrap_or(path).display().to_string();
        Ok(Self {
            target: target.name.to_string(),
            files: files.iter().map(shown).collect(),
            version_suffix: target.version_suffix.clone(),
            keys: keys.to_vec(),
            next: next(target, like, recipes, others)?,
        })
    }

    /// The same for people.
    pub fn text(&self) -> String {
        let mut text = format!("{} is there:\n", self.target);
        text += &self.files.iter().map(|file| format!("  {file}\n")).collect::<String>();
        text += &format!("versions end with '{}'\n\nNext:\n", self.version_suffix);
        if self.keys.is_empty() {
            text += "- The keyring is the one that is there.\n";
        } else {
            text += "- Compare these keys with what the distribution publishes, and say in containers/targets/keyrings/README.md where they come from:\n";
            text += &self.keys.iter().map(|key| format!("    {key}\n")).collect::<String>();
        }
        text + &self.next.iter().map(|next| format!("- {}\n", next.replace('\n', "\n  "))).collect::<String>()
    }
}

fn next(
    target: &Target,
    like: &Target,
    recipes: &[(Recipe, Vec<LockKind>)],
    others: &[String],
) -> Result<Vec<String>, AnyFailure> {
    let name = &target.name;
    let mut next = vec![format!("Read the new file: its comments and `remove` are those of {}.", like.name)];
    if like.further.len() > target.further.len() {
        next.push(format!(
            "The further archives of {} are another release's, and were left out: name those that {name} has (`[[further-archive]]`).",
            like.name
        ));
    }
    for (recipe, _) in recipes {
        let own = recipe.sections(&like.name);
        if !own.is_empty() && own != recipe.sections(name) {
            next.push(format!(
                "The recipe {} has {} for {}: see whether {name} needs the same.",
                recipe.name(),
                own.join(", "),
                like.name
            ));
        }
        let excused = Quarantine::read(&recipe.folder)?;
        let excused = excused.entries.iter().filter(|entry| entry.targets.contains(&like.name)).count();
        if excused > 0 {
            next.push(format!(
                "{excused} entries of the quarantine of {} excuse tests for {}, and none for {name}: nobody has seen them fail there.\n\
                 `cargo xtask check --recipe {} --target {name}` shows which do; add {name} to the `targets` of those.",
                recipe.name(),
                like.name,
                recipe.name()
            ));
        }
    }
    if !others.is_empty() {
        let files = others.iter().map(|name| format!("ci/{name}")).collect::<Vec<_>>().join(", ");
        next.push(format!(
            "{files}: nothing was changed there. Where {name} is to be released, machines of its architecture build it."
        ));
    }
    next.extend(
        recipes.iter().map(|(recipe, _)| format!("`cargo xtask package --recipe {} --target {name}`", recipe.name())),
    );
    Ok(next)
}
