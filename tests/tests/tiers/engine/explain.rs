//! What the next run does is what `explain` said; several targets in one run; and what commands print for programs on the way.

use std::fs;
use std::process::Command;

use tests::schema::{answer, conforms};
use tests::{Workshop, replace, run, sample_copy};

#[test]
fn what_is_run_again_is_what_was_said() {
    let out = tempfile::tempdir().unwrap();
    Workshop::shared().package_sample(&out.path().join("usual"), &[]).success();
    let workshop = Workshop::fresh();
    let (_folder, recipe) = sample_copy();
    let (recipe_name, dist) = (recipe.display().to_string(), out.path().join("dist").display().to_string());
    let command =
        |name: &str, more: &[&str]| workshop.run(&[&[name, "--recipe", &recipe_name, "--offline"], more].concat());
    let explain = |more: &[&str]| command("explain", more).success().stdout;
    assert!(explain(&[]).contains("has never been built here: every stage runs"));
    // What it is built in is no matter here, and takes longer than all the rest.
    workshop.take_build_roots();
    conforms("fetch", &[answer(&command("fetch", &["--json"]).success().stdout)]);
    // Volumes of an earlier plan: gigabytes in truth. Those of another target are left to that target.
    let docker = |arguments: &[&str]| run(Command::new("docker").args(arguments));
    let id = foundation::store::Store::open(Some(&workshop.cache)).unwrap().id();
    let this = tests::default_target().name.to_string();
    let [this, other] = [("this", &this[..]), ("other", "debian-0/amd64")].map(|(key, target)| {
        let name = format!("mesos-packages-{id}-sample-build-{key}");
        let labels = ["kind=phase".to_owned(), format!("key={key}"), format!("target={target}")];
        let labels = labels.map(|label| format!("org.mesos-packages.{label}"));
        let labels = labels.iter().flat_map(|label| ["--label", label]);
        docker(&["volume", "create"].into_iter().chain(labels).chain([&name[..]]).collect::<Vec<_>>()).success();
        name
    });
    let printed = command("package", &["--dist", &dist, "--json"]).success().stdout;
    let there = |name: &str| docker(&["volume", "inspect", name]).code == Some(0);
    assert!(!there(&this) && there(&other), "what is left of an earlier plan: {this}, {other}");
    // All but the report, which is no event.
    let events: Vec<&str> = printed.lines().filter(|line| line.starts_with("{\"event\"")).collect();
    assert_eq!(events.len(), printed.lines().count() - 1);
    conforms("event", &events);
    assert!(explain(&[]).ends_with("nothing has changed, every stage is kept\n"));

    replace(&recipe.join("recipe.toml"), "SAMPLE_HEAVY = \"off\"", "SAMPLE_HEAVY = \"151\"");
    let script = recipe.join("phases/install");
    fs::write(&script, fs::read_to_string(&script).unwrap() + "# another\n").unwrap();
    let said = explain(&[]);
    for line in
        ["build root  kept\n", "variable  SAMPLE_HEAVY off -> 151\n", "configure   runs again because of bootstrap\n"]
    {
        assert!(said.contains(line), "{line}{said}");
    }
    assert!(said.contains("file      phases/install is another"), "{said}");
    let ran = command("package", &["--dist", &dist]).success();
    for phase in ["bootstrap", "configure", "build", "install"] {
        assert!(ran.stderr.contains(&format!("phase {phase} …")), "{}", ran.stderr);
    }
    fs::write(&script, fs::read_to_string(&script).unwrap() + "# and another\n").unwrap();
    let said = explain(&[]);
    assert!(said.contains("build       kept\ninstall     runs again: 1 input is another"), "{said}");
    let ran = command("package", &["--dist", &dist]).success();
    assert!(!ran.stderr.contains("phase build …") && ran.stderr.contains("phase install …"), "{}", ran.stderr);

    // A target that there is none of keeps nobody else from being built, whichever comes first.
    let target = tests::default_target().name;
    let both = ["--dist", &dist, "--target", "debian-99/amd64", "--target", &target.to_string()];
    let ran = command("package", &both).fails(1, &["there is no target debian-99/amd64", "1 of 2 targets failed"]);
    assert!(ran.stdout.contains("debian-99/amd64") && ran.stdout.contains("FAILED, exit code 1"), "{}", ran.stdout);
    let mine = out.path().join("dist").join(target.file_stem());
    assert!(mine.join("SHA256SUMS").exists() && ran.stdout.contains(&mine.display().to_string()), "{}", ran.stdout);

    conforms("clean", &[answer(&workshop.run(&["clean", "--json"]).success().stdout)]);
    let said = explain(&[]);
    assert!(said.contains("nothing has changed, but its result is gone from the cache"), "{said}");
}
