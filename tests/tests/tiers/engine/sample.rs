//! The sample recipe from source to packages, judged by Debian's own programs.

use std::fs;
use std::path::Path;

use recipe::target::Target;
use tests::{Workshop, default_target, digests, json, judge, sample_copy};

fn debs(dist: &Path) -> Vec<String> {
    digests(dist, "deb").into_keys().collect()
}

fn lock(target: &Target) -> String {
    let path = format!("tests/fixtures/sample/{}.lock", target.name.file_stem());
    fs::read_to_string(tests::repository().join(path)).unwrap()
}

#[test]
fn packages_signatures_and_evidence() {
    let workshop = Workshop::shared();
    let dist = tempfile::tempdir().unwrap();
    let dist = dist.path().join("dist");
    workshop.package_sample(&dist, &[]).success();
    let debs = debs(&dist);
    for name in
        ["sample_", "sample-master_", "sample-agent_", "libsample-1.0.0_", "libsample-dev_", "libsample-1.0.0-dbgsym_"]
    {
        assert!(debs.iter().any(|deb| deb.starts_with(name)), "{name} in {debs:?}");
    }
    let changes: Vec<String> = digests(&dist, "changes").into_keys().collect();
    let buildinfo: Vec<String> = digests(&dist, "buildinfo").into_keys().collect();

    // Debian's own opinion of the packages.
    let mut arguments = vec!["--fail-on", "error,warning", "--allow-root"];
    arguments.extend(debs.iter().map(String::as_str));
    judge("lintian", &arguments, &dist);
    for deb in &debs {
        judge("dpkg-deb", &["--info", deb], &dist);
        judge("dpkg-deb", &["--contents", deb], &dist);
        judge("debsig-verify", &["--policies-dir", "debsig/policies", "--keyrings-dir", "debsig/keyrings", deb], &dist);
    }
    for signed in changes.iter().chain(&buildinfo) {
        judge("gpgv", &["--keyring", "./key.gpg", signed], &dist);
    }
    judge("gpgv", &["--keyring", "./key.gpg", "SHA256SUMS.asc", "SHA256SUMS"], &dist);
    judge("sha256sum", &["--check", "--strict", "SHA256SUMS"], &dist);

    // Debian's own readers of .buildinfo: dscverify checks the files that it lists, debrebuild reads it with these modules.
    judge("dscverify", &["--keyring", "./key.gpg", &changes[0]], &dist);
    judge("dscverify", &["--keyring", "./key.gpg", &buildinfo[0]], &dist);
    let read = "my $c = Dpkg::Control->new(type => CTRL_FILE_BUILDINFO, allow_pgp => 1); $c->load($ARGV[0]) or die; \
                my $d = deps_parse($c->{'Installed-Build-Depends'}, reduce_arch => 0) or die; \
                print join(' ', scalar($d->get_deps), @$c{qw(Source Version Plan-Sha256)}), qq(\n)";
    let target = default_target();
    let lock = lock(&target);
    let said = judge("perl", &["-MDpkg::Control", "-MDpkg::Deps", "-e", read, &buildinfo[0]], &dist);
    let plan = workshop.run(&["plan", "--recipe", "sample", "--offline", "--digest"]).success().stdout;
    let version = format!("1.0.0-1{}", target.version_suffix);
    assert_eq!(said, format!("{} sample {version} {plan}", lock.matches("[[package]]").count()));

    proofs(&dist, &debs);

    // One byte more, and neither signature holds.
    let deb = dist.join(&debs[0]);
    let mut bytes = fs::read(&deb).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&deb, &bytes).unwrap();
    let refused = tests::run(
        std::process::Command::new("debsig-verify")
            .args(["--policies-dir", "debsig/policies", "--keyrings-dir", "debsig/keyrings", &debs[0]])
            .current_dir(&dist),
    );
    assert_ne!(refused.code, Some(0), "{}", refused.stdout);

    let report = json(&dist.join("report.json"));
    let phases: Vec<&str> = report["phases"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(phases, ["bootstrap", "configure", "build", "install"]);
    for phase in report["phases"].as_array().unwrap() {
        assert!(phase["peak-memory"].as_u64().unwrap() > 1 << 20, "{phase}");
        assert!(phase["cpu-seconds"].as_f64().unwrap() > 0.0, "{phase}");
        assert!(dist.join("logs").join(phase["name"].as_str().unwrap()).with_extension("log").exists());
        // A phase may be over before its memory is looked at.
        let (limit, memory) =
            (phase["limit"].as_u64().unwrap(), phase["memory"].as_array().map_or(&[][..], Vec::as_slice));
        assert!(phase["name"] != "build" || !memory.is_empty(), "{phase}");
        assert!(
            memory.len() <= 240 && memory.iter().all(|sample| sample["bytes"].as_u64().unwrap() <= limit),
            "{phase}"
        );
    }
    // Whether a file was compiled or was in the cache, each is on record.
    let compiles = &report["phases"][2]["compiles"];
    let files = compiles["files"].as_array().unwrap();
    let http = files.iter().find(|file| file["file"] == "/build/source/src/http.cc").unwrap();
    assert_eq!(http["ran"].as_u64().unwrap() + http["cached"].as_u64().unwrap(), 1, "{compiles}");
    assert_eq!(compiles["cache-hits"].as_u64().unwrap() + compiles["cache-misses"].as_u64().unwrap(), 12, "{compiles}");

    // The same for people, covered by the report's signature.
    let html = fs::read_to_string(dist.join("report.html")).unwrap();
    assert_eq!(report["page"], foundation::digest::Digest::of(&html).to_string());
    for part in [&format!("sample {version}")[..], "source/src/http.cc", "<path class=\"edge\"", &debs[0]] {
        assert!(html.contains(part), "{part} is not in {html}");
    }

    // What packing took: the tool's own phase, and each package.
    let packing = &report["packing"];
    assert_eq!(packing["split"]["name"], "split");
    assert!(packing["threads"].as_u64().unwrap() >= 1, "{packing}");
    for time in [&packing["split"]["wall-seconds"], &packing["writing-seconds"], &packing["signing-seconds"]] {
        assert!(time.as_f64().unwrap() > 0.0, "{packing}");
    }
    for package in report["packages"].as_array().unwrap() {
        for time in ["writing-seconds", "signing-seconds"] {
            assert!(package[time].as_f64().unwrap() > 0.0, "{package}");
        }
    }

    // Signed with the rest, and about every package that is no more than debug symbols.
    let vex = report["vex"].as_str().unwrap();
    assert!(fs::read_to_string(dist.join("SHA256SUMS")).unwrap().contains(&format!("  {vex}\n")), "{vex}");
    let vex = json(&dist.join(vex));
    let statement = &vex["statements"][0];
    assert_eq!(
        (&statement["status"], &statement["vulnerability"]["name"]),
        (&"not_affected".into(), &"SAMPLE-1".into())
    );
    let products = statement["products"].as_array().unwrap();
    assert_eq!(products.len(), debs.iter().filter(|deb| !deb.contains("-dbgsym_")).count());
    let product = format!("pkg:deb/debian/sample@{version}?arch=all&distro={}", target.name.release());
    assert!(products.iter().any(|found| found["@id"] == *product), "{statement}");
}

/// Provenance and bills of materials: what they say, and that no byte of them or of a package can be changed.
fn proofs(dist: &Path, debs: &[String]) {
    let keyring = dist.join("key.gpg");
    let verify = || statements::verify::verify(dist, &keyring);
    let verified = verify().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(verified.bills, debs.len());
    let provenance = serde_json::to_value(verified.provenance.expect("provenance")).unwrap();
    let dependencies = provenance["buildDefinition"]["resolvedDependencies"].as_array().unwrap().clone();
    let lock = lock(&default_target());
    // The plan, the source tree, and every package of the build root.
    assert_eq!(dependencies.len(), 2 + lock.matches("[[package]]").count());
    let compiler =
        dependencies.iter().find(|d| d["uri"].as_str().is_some_and(|uri| uri.starts_with("pkg:deb/debian/g%2B%2B@")));
    let compiler = compiler.expect("g++ is in the build root");
    assert!(
        compiler["downloadLocation"].as_str().unwrap().starts_with("https://snapshot.debian.org/archive/debian/20")
    );
    assert!(lock.contains(compiler["digest"]["sha256"].as_str().unwrap()));

    let mut files: Vec<String> = debs.to_vec();
    for entry in fs::read_dir(dist).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if [".cdx.json", ".buildinfo", ".intoto.jsonl", ".plan.json"].iter().any(|end| name.ends_with(end)) {
            files.push(name);
        }
    }
    assert_eq!(files.len(), 2 * debs.len() + 3);
    for name in files {
        let path = dist.join(&name);
        let before = fs::read(&path).unwrap();
        for nth in 0..=7 {
            let at = (before.len() - 1) * nth / 7;
            let mut bytes = before.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            let error = verify().expect_err("a byte was changed").to_string();
            assert!(error.starts_with(&path.display().to_string()), "byte {at}: {error}");
        }
        fs::write(&path, before).unwrap();
    }
    let page = dist.join("report.html");
    let html = fs::read_to_string(&page).unwrap();
    fs::write(&page, html.replace("http.cc", "ftp.cc")).unwrap();
    let error = verify().expect_err("the page was changed").to_string();
    assert!(error.contains("report.html") && error.contains("as report.json has it"), "{error}");
    fs::write(&page, html).unwrap();
    verify().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_second_run_does_nothing_at_once() {
    let workshop = Workshop::shared();
    let folder = tempfile::tempdir().unwrap();
    let dist = folder.path().join("dist");
    workshop.package_sample(&dist, &[]).success();
    let before = digests(&dist, "deb");
    // Other tests may hold the shared cache: what counts is the time that the tool itself reports.
    let ran = workshop.package_sample(&dist, &["--offline"]).success();
    assert!(ran.stdout.contains("nothing to do"), "{}", ran.stdout);
    assert_eq!(digests(&dist, "deb"), before);
}

#[test]
fn other_jobs_and_no_compiler_cache_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first");
    Workshop::shared().package_sample(&first, &[]).success();
    let second = folder.path().join("second");
    let fresh = Workshop::fresh();
    let ran = fresh.package_sample(&second, &["--offline", "--no-cache", "--jobs", "1", "--memory", "2GiB"]).success();
    for anew in ["build root from", "phase build"] {
        assert!(ran.stderr.contains(anew), "it was not built anew: {}", ran.stderr);
    }
    // The same lock gives the same root file system.
    let (before, anew) = (Workshop::shared().build_roots(), fresh.build_roots());
    assert_eq!(anew.len(), 1);
    assert!(anew.iter().all(|(key, root)| before.get(key) == Some(root)), "{before:#?} {anew:#?}");
    assert_eq!(digests(&first, "deb"), digests(&second, "deb"));
    assert_eq!(digests(&first, "buildinfo"), digests(&second, "buildinfo"));
    assert_eq!(digests(&first, "changes"), digests(&second, "changes"));
    // All but the report, which has the times that the phases took.
    let json =
        |dist: &Path| digests(dist, "json").into_iter().filter(|(name, _)| name != "report.json").collect::<Vec<_>>();
    assert_eq!(json(&first), json(&second), "bills of materials and plan");
    assert_eq!(digests(&first, "jsonl"), digests(&second, "jsonl"), "provenance");
}

#[test]
fn a_changed_unit_repacks_without_compiling() {
    let workshop = Workshop::shared();
    let (_folder, recipe) = sample_copy();
    let out = tempfile::tempdir().unwrap();
    let dist = out.path().join("dist");
    let package = |dist: &Path| {
        let recipe = recipe.display().to_string();
        workshop.run(&["package", "--recipe", &recipe, "--dist", &dist.display().to_string()])
    };
    package(&dist).success();
    let before = digests(&dist, "deb");
    let unit = fs::read_dir(recipe.join("systemd")).unwrap().flatten().next().expect("a unit").path();
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, text + "# Changed.\n").unwrap();
    let ran = package(&dist).success();
    assert!(!ran.stderr.contains("phase "), "{}", ran.stderr);
    let after = digests(&dist, "deb");
    let changed: Vec<_> = before.iter().filter(|(name, digest)| after[*name] != **digest).collect();
    assert_eq!(changed.len(), 1, "only the package of the unit: {changed:?}");
}

#[test]
fn the_plan_names_every_input_and_is_stable() {
    let workshop = Workshop::shared();
    let plan = || workshop.run(&["plan", "--recipe", "sample", "--offline"]).success().stdout;
    let first = plan();
    assert_eq!(first, plan());
    let value: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(value["plan"]["phases"].as_array().unwrap().len(), 4);
    assert!(value["plan"]["packing"].as_object().unwrap().keys().any(|name| name.starts_with("systemd/")));
    let digest = workshop.run(&["plan", "--recipe", "sample", "--digest"]).success().stdout;
    assert_eq!(value["plan-digest"].as_str().unwrap(), digest.trim());
}

/// Cleaning one cache must not cost another one its finished phases.
#[test]
fn clean_removes_its_own_volumes_only() {
    let docker = |arguments: &[&str]| tests::run(std::process::Command::new("docker").args(arguments));
    let mine = Workshop::empty();
    let other = Workshop::empty();
    let volume = |workshop: &Workshop| {
        let id = foundation::store::Store::open(Some(&workshop.cache)).unwrap().id();
        let name = format!("mesos-packages-{id}-test");
        let labels = ["org.mesos-packages.run=test", "org.mesos-packages.kind=phase", "org.mesos-packages.key=test"];
        let mut arguments = vec!["volume", "create"];
        arguments.extend(labels.iter().flat_map(|label| ["--label", label]));
        arguments.push(&name);
        docker(&arguments).success();
        name
    };
    let (my_volume, other_volume) = (volume(&mine), volume(&other));
    mine.run(&["clean"]).success();
    let exists = |name: &str| docker(&["volume", "inspect", name]).code == Some(0);
    assert!(!exists(&my_volume), "its own volume is still there");
    assert!(exists(&other_volume), "another cache's volume was removed");
    other.run(&["clean"]).success();
    assert!(!exists(&other_volume));
}
