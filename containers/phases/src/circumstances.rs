//! The circumstances of a phase that must not show in what it makes, and that a rebuild therefore varies.
//!
//! None of them is part of the plan. What a phase runs with ([`crate::phase`]) is the usual set, the same on every
//! machine where that is possible; a varied one differs in every aspect that is asked for. What only a process inside
//! can change is left to `assets/vary.sh` and the library `assets/vary.c`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use engine::transfer::{BUILDER, Upload};
use foundation::failure::{Failure, Kind, Outcome};
use serde::{Deserialize, Serialize};

/// Where the files of this module are in a container; below `/build`, which phases may write to.
const FOLDER: &str = "/build/vary";

/// One thing that may differ between two builds of the same plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// How many processors programs count, and how many jobs make runs at once.
    Cpus,
    /// The memory budget of the phase.
    Memory,
    /// Host name and domain of the container.
    Hostname,
    /// The user and group that the script runs as.
    User,
    /// The umask that the script starts with.
    Umask,
    /// The clock: date and time of day.
    Time,
    /// The time zone that programs see.
    Timezone,
    /// Language and locale that programs see.
    Locale,
    /// The order of files in a directory.
    Order,
    /// Home folder and further variables.
    Environment,
    /// The version of the kernel that programs see.
    Kernel,
    /// The order in which parallel jobs end.
    Jobs,
    /// Whether the compiler cache is used.
    Cache,
}

impl Aspect {
    /// All aspects, in the order in which they are listed everywhere.
    pub const ALL: [Self; 13] = [
        Self::Cpus,
        Self::Memory,
        Self::Hostname,
        Self::User,
        Self::Umask,
        Self::Time,
        Self::Timezone,
        Self::Locale,
        Self::Order,
        Self::Environment,
        Self::Kernel,
        Self::Jobs,
        Self::Cache,
    ];

    /// The aspect's name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpus => "cpus",
            Self::Memory => "memory",
            Self::Hostname => "hostname",
            Self::User => "user",
            Self::Umask => "umask",
            Self::Time => "time",
            Self::Timezone => "timezone",
            Self::Locale => "locale",
            Self::Order => "order",
            Self::Environment => "environment",
            Self::Kernel => "kernel",
            Self::Jobs => "jobs",
            Self::Cache => "cache",
        }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is asked to vary: `+time,-cpus` changes the default, which is everything, from left to right; `-all` and `+all`
/// stand for every aspect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedVariations {
    /// What is to vary.
    pub aspects: BTreeSet<Aspect>,
    /// What was asked for by name: it is an error where the host does not allow it.
    pub named: BTreeSet<Aspect>,
}

impl Default for WantedVariations {
    fn default() -> Self {
        Self { aspects: Aspect::ALL.into(), named: BTreeSet::new() }
    }
}

/// A text that names no aspect; it is from the command line.
#[derive(Debug, thiserror::Error)]
#[error(
    "'{text}' says nothing about what may vary: write + or - and one of all, {}, several separated by commas",
    names()
)]
pub struct NotAnAspect {
    text: String,
}

impl Failure for NotAnAspect {
    fn outcome(&self) -> Outcome {
        Kind::Usage.plain()
    }
}

fn names() -> String {
    Aspect::ALL.map(Aspect::name).join(", ")
}

impl FromStr for WantedVariations {
    type Err = NotAnAspect;

    fn from_str(text: &str) -> Result<Self, NotAnAspect> {
        let mut wanted = Self::default();
        for part in text.split(',') {
            let bad = || NotAnAspect { text: part.to_owned() };
            let (on, name) = match (part.strip_prefix('+'), part.strip_prefix('-')) {
                (Some(name), _) => (true, name),
                (_, Some(name)) => (false, name),
                _ => return Err(bad()),
            };
            let aspects: Vec<Aspect> = match name {
                "all" => Aspect::ALL.into(),
                name => vec![Aspect::ALL.into_iter().find(|aspect| aspect.name() == name).ok_or_else(bad)?],
            };
            for aspect in aspects {
                if on {
                    wanted.aspects.insert(aspect);
                } else {
                    wanted.aspects.remove(&aspect);
                }
                if on && name != "all" {
                    wanted.named.insert(aspect);
                } else {
                    wanted.named.remove(&aspect);
                }
            }
        }
        Ok(wanted)
    }
}

/// What differs from the usual in a phase; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Circumstances {
    /// The aspects that differ.
    pub varied: BTreeSet<Aspect>,
}

impl Circumstances {
    /// Whether this aspect differs.
    pub fn varies(&self, aspect: Aspect) -> bool {
        self.varied.contains(&aspect)
    }

    /// The number of the user and group that the script runs as. The other user is `backup`, which every Debian system
    /// has (Debian policy 9.2.2).
    pub fn user(&self) -> u64 {
        if self.varies(Aspect::User) { 34 } else { BUILDER }
    }

    /// Host name of the container, and its domain where it has one.
    pub fn host(&self) -> (&'static str, Option<&'static str>) {
        if self.varies(Aspect::Hostname) { ("elsewhere", Some("rebuild.invalid")) } else { ("build", None) }
    }

    /// The memory budget in bytes, where the usual one has so many.
    pub fn memory(&self, usual: u64) -> u64 {
        if self.varies(Aspect::Memory) { usual - usual / 4 } else { usual }
    }

    /// How many jobs run at once, where there are usually so many. One more, not one less: a rebuild should not take
    /// twice as long.
    pub fn jobs(&self, usual: u32) -> u32 {
        if self.varies(Aspect::Cpus) { usual + 1 } else { usual }
    }

    /// Changes a phase's environment variables. Those of the locale follow inside of the container, where there is one
    /// to name.
    pub fn change(&self, variables: &mut BTreeMap<String, String>) {
        let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
        if self.varies(Aspect::Timezone) {
            set("TZ", "GMT-14");
        }
        if self.varies(Aspect::Environment) {
            set("HOME", "/build/home-of-somebody");
            set("USER", "somebody");
            set("LOGNAME", "somebody");
            set("SHELL", "/bin/false");
            set("CAPTURE_ENVIRONMENT", "whoever keeps all variables keeps this one");
        }
        if self.varies(Aspect::Cache) {
            set("CCACHE_DISABLE", "1");
        }
    }

    /// What the driver runs in place of a phase's script: the path of that file, and the files that have to be put
    /// there for it.
    pub fn wrap(&self, script: &str) -> (String, Vec<Upload>) {
        if self.varied.is_empty() {
            return (script.to_owned(), Vec::new());
        }
        let aspects: Vec<&str> = self.varied.iter().map(|aspect| aspect.name()).collect();
        let start = format!("exec /bin/sh {FOLDER}/vary.sh {script} {}\n", aspects.join(" "));
        let run = format!("{FOLDER}/run");
        let uploads = vec![
            Upload::bytes(&*run, start, 0o644),
            Upload::bytes(format!("{FOLDER}/vary.sh"), include_str!("../assets/vary.sh"), 0o644),
            Upload::bytes(format!("{FOLDER}/vary.c"), include_str!("../assets/vary.c"), 0o644),
        ];
        (run, uploads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_varies_unless_something_is_said() {
        assert_eq!(WantedVariations::default().aspects.len(), Aspect::ALL.len());
        let wanted: WantedVariations = "-time,-cpus".parse().unwrap();
        assert_eq!(wanted.aspects.len(), Aspect::ALL.len() - 2);
        assert!(wanted.named.is_empty());
        let wanted: WantedVariations = "-all,+time,+user,-user".parse().unwrap();
        assert_eq!((wanted.aspects, wanted.named), ([Aspect::Time].into(), [Aspect::Time].into()));
        for bad in ["", "time", "+", "+clock", "+time,,", "all"] {
            let error = bad.parse::<WantedVariations>().unwrap_err().to_string();
            assert!(error.contains("hostname"), "{error}");
        }
    }

    #[test]
    fn the_usual_circumstances_change_nothing() {
        let usual = Circumstances::default();
        let mut variables = BTreeMap::from([("TZ".to_owned(), "UTC".to_owned())]);
        usual.change(&mut variables);
        assert_eq!(variables.len(), 1);
        assert_eq!((usual.user(), usual.host(), usual.memory(8), usual.jobs(2)), (BUILDER, ("build", None), 8, 2));
        let (script, uploads) = usual.wrap("/build/phase/build");
        assert_eq!((script.as_str(), uploads.len()), ("/build/phase/build", 0));
    }

    #[test]
    fn names_are_those_of_the_serialised_form() {
        for aspect in Aspect::ALL {
            assert_eq!(serde_json::to_value(aspect).unwrap(), aspect.name());
        }
    }
}
