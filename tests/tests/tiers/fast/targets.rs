//! Every target has what its recipes need: a lock that fits, and a plan that is its own.

use std::collections::BTreeSet;

use tests::Workshop;
use tests::pipelines::targets;

#[test]
fn every_target_has_locks_that_fit_and_plans_of_its_own() {
    let workshop = Workshop::empty();
    let targets = targets();
    let mut plans = BTreeSet::new();
    for target in &targets {
        for recipe in ["sample", "chime"] {
            let plan = ["plan", "--recipe", recipe, "--target", target, "--offline", "--digest"];
            assert!(
                plans.insert(workshop.run(&plan).success().stdout),
                "{recipe} for {target} has another target's plan"
            );
        }
        let said = workshop.run(&["doctor", "--target", target]).stdout;
        let ok = said.lines().any(|line| line.starts_with("ok ") && line.ends_with(&format!("mesos for {target}")));
        assert!(ok, "the lock of mesos for {target} does not fit:\n{said}");
    }
    assert!(targets.len() > 1, "{targets:?}");
}
