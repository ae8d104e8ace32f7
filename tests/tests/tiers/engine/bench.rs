//! `bench` on the sample: what is timed is what the rows say, and what is installed is compared.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use foundation::store::Store;
use serde_json::Value;
use tests::{Workshop, json, judge, repository, run, sample_copy};

/// Upstream's own way for the sample, as short as it can be: what the build phase compiled, installed without the recipe's
/// install phase.
const BASELINE: &str = "#!/bin/sh\nset -eu\ncd /build/work\nmake install DESTDIR=/build/stage\n\
                        mkdir -p /build/out\nexports /build/stage >/build/out/exports\n";

/// A copy of the sample with upstream's own way, and an install phase that drops a header which that has.
fn recipe() -> (tempfile::TempDir, std::path::PathBuf) {
    let (folder, recipe) = sample_copy();
    let change = |file: &str, old: &str, new: &str| {
        let text = fs::read_to_string(recipe.join(file)).unwrap();
        assert!(text.contains(old), "{file}: {text}");
        fs::write(recipe.join(file), text.replacen(old, new, 1)).unwrap();
    };
    let described = "[bench.baseline]\nafter = \"build\"\ninputs = [\"bin\"]\n\n[check]\n";
    change("recipe.toml", "[check]\n", described);
    change(
        "phases/install",
        "find \"$stage\" -name '*.la' -delete\n",
        "find \"$stage\" '(' -name '*.la' -o -name json.h ')' -delete\n",
    );
    fs::write(recipe.join("phases/baseline"), BASELINE).unwrap();
    fs::create_dir(recipe.join("bin")).unwrap();
    fs::copy(repository().join("packaging/mesos/bin/exports"), recipe.join("bin/exports")).unwrap();
    (folder, recipe)
}

/// Counts the bars of a plot.
const BARS: &str = "import sys, xml.etree.ElementTree as tree\n\
                    print(len(tree.parse(sys.argv[1]).getroot().findall('{http://www.w3.org/2000/svg}rect')))";

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("{name} of {value}"))
}

#[test]
fn rows_of_the_sample_beside_upstreams_own_way() {
    let (folder, recipe) = recipe();
    // The shared compiler cache knows all of it, and must not be asked.
    Workshop::shared().package_sample(&folder.path().join("dist"), &[]).success();
    let workshop = Workshop::with_build_root();
    let recipe = recipe.display().to_string();
    let arguments = |rows: &'static str| ["bench", "--recipe", &recipe, "--offline", "--rows", rows];

    // Killed in the middle of the cold build: what was measured of upstream's own way is kept, and nothing else.
    let mut child = workshop.command(&arguments("ab")).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let reached = lines.by_ref().skip_while(|line| !line.starts_with("row b")).any(|line| line == "phase configure …");
    assert!(reached, "it never came to the cold build");
    child.kill().unwrap();
    child.wait().unwrap();

    let out = folder.path().join("out").display().to_string();
    let mut all = arguments("abcf").to_vec();
    all.extend(["--write", &out]);
    let ran = workshop.run(&all).fails(3, &["baseline: found under", "differs from upstream's own way"]);
    assert!(ran.stdout.contains("missing file: usr/include/sample/json.h"), "{}", ran.stdout);
    assert!(!ran.stderr.contains("phase baseline …"), "upstream's own way is run once: {}", ran.stderr);

    let report = json(&Path::new(&out).join("bench.json"));
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["row"].as_str().unwrap()).collect::<String>(), "abcf");
    let [upstream, cold, cached, nothing] = rows.as_slice() else { panic!("four rows") };
    assert!(number(&report["machine"], "processors") >= 1.0 && report["machine"]["cpu"] != "unknown", "{report}");

    // The cold build compiles everything, the next one finds it in its own compiler cache, the last does nothing at all.
    let phases = |row: &Value| {
        let phases = row["phases"].as_array().unwrap().clone();
        phases.into_iter().map(|phase| (phase["name"].as_str().unwrap().to_owned(), phase)).collect::<Vec<_>>()
    };
    let names = |row: &Value| phases(row).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(cold), ["bootstrap", "configure", "build", "install", "split"]);
    assert_eq!(names(cached), names(cold));
    assert!(names(nothing).is_empty() && nothing["stages"].as_array().unwrap().is_empty(), "{nothing}");
    let compiling = |row: &Value| number(&phases(row)[2].1, "cpu-seconds");
    assert!(compiling(cached) < compiling(cold) / 2.0, "{} and {}", compiling(cached), compiling(cold));
    assert!(number(cached, "cpu-seconds") < number(cold, "cpu-seconds"), "{cached}");
    assert!(number(nothing, "cpu-seconds") < number(cached, "cpu-seconds") / 4.0, "{nothing}");
    for row in [cold, cached] {
        let alone: f64 = phases(row).iter().map(|(_, phase)| number(phase, "cpu-seconds")).sum();
        assert!(number(row, "cpu-seconds") > alone, "packing is work as well: {row}");
        assert!(number(row, "peak-memory") > f64::from(50 << 20), "{row}");
    }
    for row in rows {
        let ratio = number(row, "wall-seconds") / number(upstream, "wall-seconds");
        assert!((number(row, "wall-ratio") - ratio).abs() < 1e-9, "{row}");
    }

    // Nothing differs but what was planted.
    let comparison = &report["comparison"];
    assert_eq!(comparison["missing-files"], serde_json::json!(["usr/include/sample/json.h"]));
    for kind in ["missing-symbols", "added-symbols"] {
        assert_eq!(comparison[kind], serde_json::json!([]), "{kind}");
    }
    assert!(number(comparison, "files") > 8.0 && number(comparison, "symbols") > 20.0, "{comparison}");

    // The plot, by an XML parser: two bars for each row, and the marks of the two series.
    let bars = judge("python3", &["-c", BARS, &format!("{out}/bench.svg")], folder.path());
    assert_eq!(bars.trim(), "10");

    // The usual store has learnt nothing of these builds, and only upstream's own way is kept in the other.
    let kinds = |store: &Path| {
        let entries = fs::read_dir(store.join("stages")).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(kinds(&workshop.cache), ["build-root"]);
    let work = fs::read_dir(workshop.cache.join("bench")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(kinds(&work), ["baseline"]);
    assert_eq!(fs::read_dir(work.join("tmp")).unwrap().count(), 0);
    let id = Store::open(Some(&work)).unwrap().id();
    let docker = |arguments: &[&str]| run(Command::new("docker").args(arguments)).success().stdout;
    assert!(!docker(&["volume", "ls", "--quiet"]).contains(&id), "volumes are left");
    assert!(!docker(&["ps", "--all", "--format", "{{.Labels}}"]).contains(&id), "containers are left");

    let plan = workshop.run(&["plan", "--recipe", &recipe, "--offline", "--digest"]).success().stdout;
    assert_eq!(report["plan"].as_str(), Some(plan.trim()));
}

#[test]
fn what_makes_no_sense_is_refused_at_once() {
    let workshop = Workshop::empty();
    let bench = |arguments: &[&str]| workshop.run(&[&["bench", "--offline"], arguments].concat());
    bench(&["--rows", "xyz"]).fails(2, &["names no rows", "from a to f"]);
    bench(&["--growth", "0"]).fails(2, &["1..=9999"]);
    bench(&["--growth", "5", "--rows", "b"]).fails(2, &["cannot be used with"]);
    bench(&["--recipe", "sample", "--write", "/proc/none"]).fails(1, &["cannot write into /proc/none"]);
    let (_folder, recipe) = sample_copy();
    let path = recipe.join("recipe.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("src/json.cc", "src/none.cc")).unwrap();
    bench(&["--recipe", &recipe.display().to_string(), "--rows", "d"]).fails(1, &["cannot edit", "src/none.cc"]);
    bench(&["--recipe", "sample", "--rows", "a"])
        .fails(1, &["the recipe sample does not describe upstream's own way", "[bench.baseline]"]);
}

#[test]
fn what_more_processors_would_take_is_predicted_from_one_build() {
    let out = tempfile::tempdir().unwrap();
    let workshop = {
        Workshop::shared().package_sample(&out.path().join("shared"), &[]).success();
        Workshop::with_build_root()
    };
    let folder = out.path().join("out").display().to_string();
    let predict = ["bench", "--recipe", "sample", "--offline", "--predict", "1,2,4,64", "--write", &folder];
    let without_engine =
        |more: &[&str]| run(workshop.command(&[&predict[..], more].concat()).env("DOCKER_HOST", "unix:///no-engine"));
    without_engine(&[]).fails(1, &["nothing can be predicted of sample: it has not been packaged here yet"]);
    workshop.package_sample(&out.path().join("cold"), &["--no-cache"]).success();
    let text = without_engine(&[]).success().stdout;
    assert!(text.contains("The critical path has ") && text.contains("any number"), "{text}");
    let report = json(Path::new(&folder).join("bench-predicted.json").as_path());
    let predictions = report["predictions"].as_array().unwrap();
    let wall: Vec<f64> = predictions.iter().map(|one| number(one, "wall-seconds")).collect();
    let least = number(&report, "least-seconds");
    assert!(
        wall.is_sorted_by(|one, other| one >= other) && wall[0] > wall[1] && wall[3] > least - 0.001 && least > 0.0,
        "{report}"
    );
    // Nothing is faster than what has to be one after the other, nor takes more than all of it.
    let alone = |step: &&Value| step["compiles"] == false;
    let alone: f64 = report["path"].as_array().unwrap().iter().filter(alone).map(|step| number(step, "seconds")).sum();
    assert!(least > alone && wall[0] < alone + number(&report, "cpu-seconds") + 10.0, "{report}");
    let bars = judge("python3", &["-c", BARS, "bench-predicted.svg"], Path::new(&folder));
    // One for what was measured, one for any number, and one in the legend.
    assert_eq!(bars.trim(), "7");
    // What came from the compiler cache has no time that says anything.
    let cached = Workshop::with_build_root();
    cached.package_sample(&out.path().join("cached"), &[]).success();
    cached.run(&predict).fails(1, &["a part of it came from the compiler cache"]);
}
