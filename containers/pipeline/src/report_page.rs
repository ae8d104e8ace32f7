//! `report.html`: the report for people, with what the tests printed.

use std::path::Path;

use foundation::digest::Digest;
use page::report::{Compile, Made, Rebuilt, Step, Test, Tests, Verdict};
use recipe::target::TargetName;
use sign::signer::KeyKind;
use statements::check::verdict::{self, Judged, Judgement};
use statements::verify::LOGS;

use crate::check::log_path;
use crate::rebuild::RebuildReport;
use crate::report::{CheckReport, PackageReport, PhaseReport, RebuildFound, Report};

impl Report {
    /// The page, which is the same for the same report and judgement. The judgement is that of the tests that the report
    /// counts; without it they are only counted.
    pub fn html(&self, judgement: Option<&Judgement>) -> String {
        let packing = &self.packing;
        let rest = |name: &str, wall: f64| Step {
            name: name.into(),
            // They are written in the run that splits the tree; signed every time.
            kept: name == "writing" && self.kept(&packing.split),
            wall,
            ..Step::default()
        };
        let mut steps: Vec<Step> = self.phases.iter().chain([&packing.split]).map(|phase| self.step(phase)).collect();
        steps.extend([rest("writing", packing.writing_seconds), rest("signing", packing.signing_seconds)]);
        page::report::Report {
            recipe: self.recipe.clone(),
            version: self.version.clone(),
            target: self.target.clone(),
            plan: self.plan.to_string(),
            signer: self.key.user_id.clone(),
            development: self.key.kind == KeyKind::Development,
            run: self.run.as_ref().map(|run| (run.started, run.seconds)),
            steps,
            packages: self
                .packages
                .iter()
                .map(|package| Made {
                    name: package.name.clone(),
                    architecture: package.architecture.clone(),
                    path: package.file.clone(),
                    size: package.size,
                    sha256: package.sha256.to_string(),
                })
                .collect(),
            compiles: self
                .phases
                .iter()
                .flat_map(|phase| phase.compiles.iter().flat_map(|compiles| &compiles.files))
                .map(|compile| Compile {
                    file: short(&compile.file),
                    seconds: compile.seconds,
                    memory: compile.memory,
                    ran: compile.ran,
                    cached: compile.cached,
                })
                .collect(),
            tests: self.check.as_ref().map(|check| tests(check, judgement)),
            rebuild: self.rebuild.as_ref().map(|found| Rebuilt {
                same: found.same,
                different: found.different.clone(),
                varied: found.varied.clone(),
            }),
        }
        .html()
    }

    /// Whether a phase's result was there before the run.
    fn kept(&self, phase: &PhaseReport) -> bool {
        let Some(run) = &self.run else { return false };
        phase.started.is_none_or(|started| started < run.started)
    }

    fn step(&self, phase: &PhaseReport) -> Step {
        let log = format!("{}.log", phase.name);
        Step {
            name: phase.name.clone(),
            kept: self.kept(phase),
            wall: phase.wall_seconds,
            cpu: Some(phase.cpu_seconds),
            peak: phase.peak_rss,
            limit: phase.limit,
            jobs: phase.jobs,
            memory: phase.memory.iter().map(|sample| (sample.seconds, sample.bytes)).collect(),
            cache: phase
                .compiles
                .as_ref()
                .map(|compiles| (compiles.cache_hits, compiles.cache_misses))
                .filter(|counts| *counts != (0, 0)),
            killed: phase.killed_for_memory.clone(),
            emulated: phase.emulated,
            farm: phase.farm.as_ref().map(|farm| {
                format!("{} compiled by workers, {} here", farm.compiled_by_workers, farm.compiled_here.len())
            }),
            log: self.logs.contains_key(&log).then(|| format!("{LOGS}/{log}")),
        }
    }
}

impl RebuildFound {
    /// What a rebuild of this plan's packages found, where its report is beside `dist`. One of other packages says nothing.
    pub fn beside(
        dist: &Path,
        recipe: &str,
        target: &TargetName,
        plan: Digest,
        packages: &[PackageReport],
    ) -> Option<Self> {
        // `dist/TARGET`, or of another recipe than the usual one `dist/RECIPE/TARGET`.
        let found = dist.ancestors().skip(1).take(2).find_map(|folder| {
            RebuildReport::find(folder, recipe, target).filter(|found| found.is_of(plan, packages))
        })?;
        let (different, same): (Vec<_>, Vec<_>) =
            found.packages.into_iter().partition(|package| package.difference.is_some());
        let varied = found.variations.iter().filter(|varied| varied.varied);
        Some(Self {
            same: same.len(),
            different: different.into_iter().map(|package| package.file).collect(),
            varied: varied.map(|varied| varied.name.to_string()).collect(),
        })
    }
}

/// The tests, the worst first.
fn tests(check: &CheckReport, judgement: Option<&Judgement>) -> Tests {
    let mut counts: Vec<(Verdict, usize)> = check
        .verdicts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(verdict, count)| (shown(*verdict), *count))
        .collect();
    counts.sort();
    let test = |judged: &Judged| {
        let executions = &judged.record.executions;
        // What it printed when it last failed says more than how it passed before or afterwards.
        let failed = executions.iter().rev().find(|execution| execution.outcome.is_failure());
        let verdict = shown(judged.verdict);
        Test {
            program: judged.record.program.clone(),
            name: judged.record.test.clone(),
            verdict,
            note: judged.note.clone(),
            seconds: executions.iter().map(|execution| execution.seconds).sum(),
            output: failed.map(|execution| execution.output.clone()).unwrap_or_default(),
            log: log_path(judged).map(|path| format!("check/{path}")),
        }
    };
    let tests = judgement.iter().flat_map(|judgement| &judgement.tests).map(test).collect();
    Tests { sound: check.sound, counts, tests }
}

const fn shown(verdict: verdict::Verdict) -> Verdict {
    match verdict {
        verdict::Verdict::Passed => Verdict::Passed,
        verdict::Verdict::Flaky => Verdict::Flaky,
        verdict::Verdict::Quarantined => Verdict::Quarantined,
        verdict::Verdict::Skipped => Verdict::Skipped,
        verdict::Verdict::Failed => Verdict::Failed,
        verdict::Verdict::TimedOut => Verdict::TimedOut,
    }
}

/// A path without the folder that all of them are in, and without the detours by which make went there.
fn short(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.strip_prefix("/build/").unwrap_or(path).split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn paths_are_short() {
        for (path, short_path) in [
            ("/build/work/src/../../source/src/a.cc", "source/src/a.cc"),
            ("../../src/./a.cc", "../../src/a.cc"),
            ("/usr/a.cc", "/usr/a.cc"),
        ] {
            assert_eq!(short(path), short_path);
        }
    }

    #[test]
    fn a_rebuild_counts_for_the_packages_that_it_compared() {
        let folder = tempfile::tempdir().unwrap();
        let (dist, target) = (folder.path().join("demo/debian-12-amd64"), "debian-12/amd64".parse().unwrap());
        let (plan, digest) = (Digest::of("plan"), Digest::of("package"));
        let package = |name: &str| -> PackageReport {
            let package = serde_json::json!({ "name": name, "architecture": "all", "file": format!("{name}.deb"), "size": 1,
                "sha256": Digest::of(name), "unsigned-sha256": digest, "writing-seconds": 1.0, "threads": 1, "signing-seconds": 1.0 });
            serde_json::from_value(package).unwrap()
        };
        let packages = ["a", "b"].map(package);
        let find = |plan: &str, packages: &[PackageReport]| {
            RebuildFound::beside(&dist, "demo", &target, Digest::of(plan), packages)
        };
        assert!(find("plan", &packages).is_none());
        let compared = |name: &str, difference: Option<&str>| {
            serde_json::json!({ "file": format!("{name}.deb"), "sha256": digest, "unsigned-sha256": digest,
                "rebuilt-sha256": digest, "difference": difference, "diffoscope": null })
        };
        let varied = |name: &str, varied: bool| serde_json::json!({ "name": name, "varied": varied, "wanted": true, "usual": "a", "rebuilt": "b" });
        let report = serde_json::json!({ "recipe": "demo", "version": "1", "target": "debian-12/amd64", "plan": plan, "left-out": [],
            "variations": [varied("hostname", true), varied("kernel", false)],
            "packages": [compared("a", None), compared("b", Some("byte 7"))] });
        let place = folder.path().join("rebuild/demo-debian-12-amd64");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("rebuild.json"), report.to_string()).unwrap();
        let found = find("plan", &packages).unwrap();
        assert_eq!(
            (found.same, found.different, found.varied),
            (1, vec!["b.deb".to_owned()], vec!["hostname".to_owned()])
        );
        assert!(find("another plan", &packages).is_none());
        assert!(find("plan", &packages[..1]).is_none());
        assert!(find("plan", &["a", "c"].map(package)).is_none());
    }
}
