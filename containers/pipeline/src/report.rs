//! `report.json`: what was built from what, how, and what came out.

use std::collections::BTreeMap;
use std::time::SystemTime;

use farm::Shares;
use fetch::source::Deviation;
use foundation::digest::Digest;
use phases::compiles::Compiles;
use phases::record::PhaseRecord;
use phases::samples::Sample;
use results::Taken;
use serde::{Deserialize, Serialize};
use sign::signer::SigningKey;
use statements::check::verdict::Verdict;

use crate::check::Checked;

/// The report of a build, which is `report.json` beside the packages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Name of the recipe.
    pub recipe: String,
    /// Version of the packages.
    pub version: String,
    /// Name of the target, such as `debian-12/amd64`.
    pub target: String,
    /// Digest of the plan: of everything that decides the packages' bytes.
    pub plan: Digest,
    /// Unix time in seconds that every time stamp is clamped to.
    pub source_date_epoch: i64,
    /// Digest of the source tree.
    pub source: Digest,
    /// Where the source came from, as the plan says it.
    pub origin: serde_json::Value,
    /// How it differs from what the recipe asks for, and from the commit that it names.
    pub deviations: Vec<Deviation>,
    /// Digest of the build root's root file system.
    pub build_root: Digest,
    /// The key that signed.
    pub key: SigningKey,
    /// The phases, as they ran when their results were made.
    pub phases: Vec<PhaseReport>,
    /// How the packages were made from the staged tree.
    pub packing: PackingReport,
    /// What other machines made, and who states that it is what these inputs give.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<Taken>,
    /// The packages, as they are distributed.
    pub packages: Vec<PackageReport>,
    /// What upstream's tests found, where they were run.
    #[serde(default)]
    pub check: Option<CheckReport>,
    /// Name of the file beside it with what is known of vulnerabilities (OpenVEX), where the recipe says something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vex: Option<String>,
    /// Digest of `components.toml`, which the bills of materials are made of.
    #[serde(default)]
    pub components: Option<Digest>,
    /// The run that put the packages into the folder. None in a report of an earlier version of this tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// What a rebuild of this plan on this machine had found by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<RebuildFound>,
    /// The files in `logs`, with their digests: the signature of the report covers them.
    #[serde(default)]
    pub logs: BTreeMap<String, Digest>,
    /// Digest of `report.html`, which the signature covers likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Digest>,
}

/// A run of the tool.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    /// When it began, as a Unix time in seconds. A phase that began earlier was not run again.
    pub started: i64,
    /// Wall time in seconds until the packages were signed.
    pub seconds: f64,
}

impl Run {
    /// The run that has taken so many seconds by now. None if the clock is before 1970.
    pub fn since(seconds: f64) -> Option<Self> {
        let now = SystemTime::UNIX_EPOCH.elapsed().ok()?.as_secs_f64();
        Some(Self { started: (now - seconds).floor() as i64, seconds })
    }
}

/// What a rebuild found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RebuildFound {
    /// How many packages are the same.
    pub same: usize,
    /// The files of those that differ.
    pub different: Vec<String>,
    /// What was made to differ between the two builds, such as `hostname`.
    pub varied: Vec<String>,
}

/// What upstream's tests found.
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

/// What a phase took.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PhaseReport {
    /// Name of the phase, such as `build`.
    pub name: String,
    /// Wall time in seconds.
    pub wall_seconds: f64,
    /// CPU time in seconds.
    pub cpu_seconds: f64,
    /// Largest memory use in bytes, page cache included, by the cgroup's account.
    pub peak_memory: u64,
    /// Largest memory use in bytes without page cache, sampled about once a second.
    pub peak_rss: u64,
    /// How many jobs ran at once.
    pub jobs: u32,
    /// Files whose compiler was killed for memory and run again alone.
    pub killed_for_memory: Vec<String>,
    /// What the workers of the compile farm compiled, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub farm: Option<Shares>,
    /// Whether its programs were another architecture's than the machine's, and QEMU emulated it: the times say little then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emulated: bool,
    /// When it began, as a Unix time in seconds. None in a report of an earlier version of this tool, like what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<i64>,
    /// Bytes that it might use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Memory over time, without page cache.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<Sample>,
    /// What it compiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiles: Option<Compiles>,
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
            emulated: record.emulated,
            started: record.started,
            limit: record.limit,
            memory: record.memory,
            compiles: record.compiles,
        }
    }
}

/// How the staged tree became signed packages. All times are wall times in seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackingReport {
    /// The tool's own phase, which separates debug symbols, when it ran.
    pub split: PhaseReport,
    /// What writing the packages took that were not there yet.
    pub writing_seconds: f64,
    /// What signing all packages took.
    pub signing_seconds: f64,
    /// How many threads wrote and signed packages at once.
    pub threads: u32,
}

/// A package, as it is distributed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageReport {
    /// Name of the package.
    pub name: String,
    /// Architecture of the package: the target's own, such as `amd64`, or `all`.
    pub architecture: String,
    /// Name of the .deb file.
    pub file: String,
    /// Size of the .deb file in bytes.
    pub size: u64,
    /// SHA-256 digest of the file with its origin signature.
    pub sha256: Digest,
    /// SHA-256 digest of the file without it: what a rebuild with another key compares.
    pub unsigned_sha256: Digest,
    /// Wall time in seconds that writing the package took, when it was written.
    pub writing_seconds: f64,
    /// How many threads compressed it then.
    pub threads: u32,
    /// Wall time in seconds that signing the package took.
    pub signing_seconds: f64,
}
