//! `report.json`: what was built from what, how, and what came out.

use std::collections::BTreeMap;

use farm::Shares;
use fetch::source::Deviation;
use foundation::digest::Digest;
use phases::record::PhaseRecord;
use serde::{Deserialize, Serialize};
use sign::signer::SigningKey;
use statements::check::verdict::Verdict;

use crate::check::Checked;

/// The report of a build.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The recipe.
    pub recipe: String,
    /// The packages' version.
    pub version: String,
    /// The target.
    pub target: String,
    /// The plan digest.
    pub plan: Digest,
    /// Unix time in seconds that every time stamp is clamped to.
    pub source_date_epoch: i64,
    /// Digest of the source tree.
    pub source: Digest,
    /// Where it came from.
    pub origin: serde_json::Value,
    /// How it differs from what the recipe asks for, and from the commit that it names.
    pub deviations: Vec<Deviation>,
    /// Digest of the build root.
    pub build_root: Digest,
    /// The key.
    pub key: SigningKey,
    /// The phases, as they ran when their results were made.
    pub phases: Vec<PhaseReport>,
    /// From the staged tree to the packages.
    pub packing: PackingReport,
    /// The packages, as they are distributed.
    pub packages: Vec<PackageReport>,
    /// Upstream's tests, where they were run.
    #[serde(default)]
    pub check: Option<CheckReport>,
    /// Name of the file beside it with what is known of vulnerabilities, where the recipe says something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vex: Option<String>,
    /// Digest of `components.toml`, which the bills of materials are made of.
    #[serde(default)]
    pub components: Option<Digest>,
    /// The files in `logs`, with their digests: the signature of the report covers them.
    #[serde(default)]
    pub logs: BTreeMap<String, Digest>,
}

/// Upstream's tests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckReport {
    /// Digest of the compiled tests and of how they were run.
    pub key: Digest,
    /// Whether nothing failed that is not excused.
    pub sound: bool,
    /// How many tests have which verdict.
    pub verdicts: BTreeMap<Verdict, usize>,
}

impl CheckReport {
    /// The verdicts for people: `10 passed, 1 flaky`.
    pub fn counts(&self) -> String {
        let some = self.verdicts.iter().filter(|(_, count)| **count > 0);
        some.map(|(verdict, count)| format!("{count} {verdict}")).collect::<Vec<_>>().join(", ")
    }
}

impl From<&Checked> for CheckReport {
    fn from(checked: &Checked) -> Self {
        Self { key: checked.key, sound: checked.judgement.sound(), verdicts: checked.judgement.counts() }
    }
}

/// One phase.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PhaseReport {
    /// The name.
    pub name: String,
    /// Wall time in seconds.
    pub wall_seconds: f64,
    /// CPU time in seconds.
    pub cpu_seconds: f64,
    /// Largest memory use in bytes, page cache included, by the cgroup's account.
    pub peak_memory: u64,
    /// Largest memory use in bytes without page cache, sampled about once a second.
    pub peak_rss: u64,
    /// Jobs at once.
    pub jobs: u32,
    /// Files whose compiler was killed for memory and run again alone.
    pub killed_for_memory: Vec<String>,
    /// Who compiled, where there was a compile farm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub farm: Option<Shares>,
}

impl From<PhaseRecord> for PhaseReport {
    fn from(record: PhaseRecord) -> Self {
        Self {
            name: record.name,
            wall_seconds: record.wall,
            cpu_seconds: record.cpu,
            peak_memory: record.peak_memory,
            peak_rss: record.peak_rss,
            jobs: record.jobs,
            killed_for_memory: record.killed_for_memory,
            farm: record.farm,
        }
    }
}

/// From the staged tree to signed packages. All times are wall times in seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackingReport {
    /// The tool's own phase, which separates debug symbols, when it ran.
    pub split: PhaseReport,
    /// Writing the packages that were not there yet.
    pub writing_seconds: f64,
    /// Signing all of them.
    pub signing_seconds: f64,
    /// Threads in all.
    pub threads: u32,
}

/// One package.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageReport {
    /// The name.
    pub name: String,
    /// The architecture.
    pub architecture: String,
    /// The file's name.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
    /// Digest of the file with its origin signature.
    pub sha256: Digest,
    /// Digest of the file without it: what a rebuild with another key compares.
    pub unsigned_sha256: Digest,
    /// Wall time in seconds of writing it, when it was written.
    pub writing_seconds: f64,
    /// Threads that compressed it then.
    pub threads: u32,
    /// Wall time in seconds of signing it.
    pub signing_seconds: f64,
}
