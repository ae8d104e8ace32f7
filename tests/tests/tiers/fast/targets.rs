//! Every target that is locked has what its recipes need: locks that fit, and plans of its own. One that nobody has locked yet says so.

use std::collections::BTreeSet;
use std::fs;

use deb::manifest;
use recipe::root_lock::{LockKind, RootLock};
use recipe::target::TargetName;
use recipe::{Recipe, frozen};
use tests::checkout::Checkout;
use tests::pipelines::{all_targets, targets};
use tests::{Workshop, default_target, repository};

#[test]
fn every_locked_target_has_locks_that_fit_and_plans_of_its_own() {
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

/// Locks come together: a target that Mesos is locked for has those of clusters and farms as well, and those of the sample.
/// Where none is, the commands say which one makes it.
#[test]
fn a_target_is_locked_for_everything_or_says_that_it_is_not() {
    let workshop = Workshop::empty();
    let mut unlocked = 0;
    for target in all_targets() {
        let stem = target.replace('/', "-");
        let locks: Vec<bool> = ["packaging/mesos", "tests/fixtures/sample"]
            .iter()
            .flat_map(|recipe| ["lock", "cluster.lock", "farm.lock"].map(|end| format!("{recipe}/{stem}.{end}")))
            .chain([format!("tests/fixtures/chime/{stem}.lock")])
            .map(|lock| repository().join(lock).exists())
            .collect();
        assert!(locks.iter().all(|there| *there == locks[0]), "{target} is locked for some things only: {locks:?}");
        if !locks[0] {
            unlocked += 1;
            let lock = format!("cargo xtask lock --target {target} --recipe sample");
            let plan = ["plan", "--recipe", "sample", "--target", &target, "--offline"];
            workshop.run(&plan).fails(1, &["there is no lock of the build root", &lock]);
            let outdated = ["outdated", "--recipe", "sample", "--target", &target];
            let said = workshop.run(&outdated).success().stdout;
            assert_eq!(said, format!("{target}: nobody has locked it yet: `{lock}` does\n"));
        }
    }
    assert_eq!(unlocked, 1, "the book says of which targets there is only the file: guides/ubuntu.md");
}

/// A mistake in a target's file is told as one, and no command goes on as if there were no such target. Other targets are built
/// meanwhile.
#[test]
fn a_target_whose_file_has_a_mistake_is_still_there() {
    let (workshop, checkout) = (Workshop::empty(), Checkout::new());
    let file = "containers/targets/debian-11-amd64.toml";
    tests::replace(&checkout.join(file), "vendor =", "vendr =");
    let recipe = checkout.join("tests/fixtures/sample/recipe.toml");
    let text = fs::read_to_string(&recipe).unwrap();
    fs::write(&recipe, text + "\n[target.\"debian-11/*\"]\nenvironment = { ELEVEN = \"yes\" }\n").unwrap();
    let plan = |target: &'static str| ["plan", "--recipe", "sample", "--target", target, "--offline", "--digest"];
    checkout.run(&workshop, &plan("debian-13/amd64")).success();
    let says = ["debian-11-amd64.toml: TOML parse error at line 3", "unknown field `vendr`"];
    checkout.run(&workshop, &plan("debian-11/amd64")).fails(1, &says);
    for name in all_targets().iter().filter(|name| *name != "debian-11/amd64") {
        fs::remove_file(checkout.join(&format!("containers/targets/{}.toml", name.replace('/', "-")))).unwrap();
    }
    checkout.run(&workshop, &["outdated", "--recipe", "sample"]).fails(1, &says);
    tests::replace(&checkout.join(file), "vendr =", "vendor =");
    tests::replace(&checkout.join(file), "\"debian-11/amd64\"", "\"debian-11/arm64\"");
    let says = ["debian-11-amd64.toml describes the target debian-11/arm64, not debian-11/amd64"];
    checkout.run(&workshop, &["outdated", "--recipe", "sample"]).fails(1, &says);
}

#[test]
fn a_recipe_without_any_lock_says_so() {
    let (workshop, checkout) = (Workshop::empty(), Checkout::new());
    for entry in fs::read_dir(checkout.join("tests/fixtures/sample")).unwrap().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "lock") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let said = checkout.run(&workshop, &["outdated", "--recipe", "sample"]).success().stdout;
    let lock = "`cargo xtask lock --target TARGET --recipe sample` does it for one";
    assert_eq!(said, format!("the recipe sample is locked for no target yet: {lock}\n"));
}

/// What a release does not have keeps a package from being installed there. A node root has all that the packages depend on, so
/// that each dependency has to name one of its packages, or one of the recipe's own. (Debian 11 has no systemd-tmpfiles.)
#[test]
fn every_target_has_what_the_packages_depend_on() {
    for folder in ["packaging/mesos", "tests/fixtures/sample"] {
        let recipe = Recipe::read(&repository().join(folder)).unwrap();
        let copy = tempfile::tempdir().unwrap();
        let copied = copy.path().join("recipe");
        frozen::copy_to(&recipe, &copied).unwrap();
        let packages = manifest::read(&copied).unwrap().packages;
        let own: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
        for target in targets() {
            let target: TargetName = target.parse().unwrap();
            let path = repository().join(folder).join(format!("{}.cluster.lock", target.file_stem()));
            let called = (recipe.name(), recipe.name());
            let lock = RootLock::read_any(&path, LockKind::NodeRoot, called, &target).unwrap();
            let locked: BTreeSet<&str> = lock.packages.iter().map(|package| package.name.as_str()).collect();
            assert!(locked.contains("systemd"), "{target}");
            for package in &packages {
                let fields = [&package.fields.pre_depends, &package.fields.depends];
                let all: String = fields.into_iter().flatten().map(|field| field.joined() + ",").collect();
                // What a variable stands for is found out from the files: dpkg-shlibdeps asks the target itself.
                for wanted in all.split(',').map(str::trim).filter(|one| !one.is_empty() && !one.starts_with("${")) {
                    let there = |one: &str| {
                        let name = one.trim().split([' ', ':', '(']).next().unwrap_or_default();
                        own.contains(name) || locked.contains(name)
                    };
                    assert!(wanted.split('|').any(there), "{} for {target} depends on {wanted}", package.name);
                }
            }
        }
    }
}

/// Where a target names a kernel for virtual machines, one is locked for both recipes, of the suite that has its updates.
#[test]
fn virtual_machines_are_locked_where_the_target_has_a_kernel() {
    let targets = repository().join("containers/targets");
    let mut kernels = Vec::new();
    for name in all_targets() {
        let target = recipe::target::Target::read(&targets, &name.parse().unwrap()).unwrap();
        for folder in ["packaging/mesos", "tests/fixtures/sample"] {
            let found = recipe::Recipe::read(&repository().join(folder)).unwrap();
            let path = found.lock_path(&target, LockKind::Machine);
            assert_eq!(path.exists(), !target.machine.is_empty(), "{}", path.display());
            if target.machine.is_empty() {
                continue;
            }
            let request = found.request_digest(&target, LockKind::Machine);
            let names = (found.name(), found.called());
            let lock = RootLock::read(&path, LockKind::Machine, names, &target.name, request).unwrap();
            let kernel =
                lock.packages.iter().find(|deb| deb.name.starts_with("linux-image-") && deb.name.contains('.'));
            kernels.push(kernel.expect("a kernel is pinned").name.clone());
        }
    }
    assert_eq!(kernels.len(), 6, "{kernels:?}");
}

/// What a newcomer copies from is about what the newcomer gets: another default target is a change of these pages, too.
#[test]
fn what_newcomers_read_is_about_the_default_target() {
    let default = default_target().name;
    for page in ["README.md", "docs/src/guides/first-packages.md", "docs/src/guides/another-version.md"] {
        let text = fs::read_to_string(repository().join(page)).unwrap();
        assert!(text.contains(&format!("/{}", default.file_stem())), "{page} does not name the folder of {default}");
        for other in targets().iter().map(|name| name.parse::<TargetName>().unwrap()).filter(|other| *other != default)
        {
            for name in [other.to_string(), other.file_stem()] {
                assert!(!text.contains(&name), "{page} is about {name}, and the default is {default}");
            }
        }
    }
}
