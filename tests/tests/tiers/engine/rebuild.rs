//! Rebuilds of the sample under other circumstances: the same bytes, or the difference is found and named.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tests::{Ran, Workshop, digests, json, judge, sample_copy};

/// Runs `rebuild` of the sample recipe in `recipe`.
fn rebuild(workshop: &Workshop, what: &str, recipe: &str, results: &Path, more: &[&str]) -> Ran {
    let results = results.display().to_string();
    let mut arguments = vec!["rebuild", what, "--recipe", recipe, "--offline", "--results", &results];
    arguments.extend(more);
    workshop.run(&arguments)
}

fn report(results: &Path) -> Value {
    json(&results.join("rebuild.json"))
}

#[test]
fn the_sample_is_the_same_under_every_variation() {
    let workshop = Workshop::shared();
    let folder = tempfile::tempdir().unwrap();
    let (dist, results) = (folder.path().join("dist"), folder.path().join("results"));
    workshop.package_sample(&dist, &[]).success();
    let plan = || workshop.run(&["plan", "--recipe", "sample", "--offline", "--digest"]).success().stdout;
    let before = plan();
    let work = folder.path().join("work");
    let more = ["--attest", "--work", &work.display().to_string()];
    let ran = rebuild(&workshop, &dist.display().to_string(), "sample", &results, &more).success();
    assert!(ran.stdout.contains("Left out of the comparison: _gpgorigin"), "{}", ran.stdout);
    for phase in ["bootstrap", "configure", "build", "install", "split"] {
        assert!(ran.stderr.contains(&format!("phase {phase}: done")), "{phase} was not run again: {}", ran.stderr);
    }

    // Every aspect differs, by what a phase saw; the plan does not.
    let report = report(&results);
    let variations = report["variations"].as_array().unwrap();
    assert_eq!(variations.len(), 13);
    for variation in variations {
        assert_eq!(variation["varied"], true, "{variation}");
        assert_ne!(variation["usual"], variation["rebuilt"], "{variation}");
    }
    assert_eq!((report["plan"].as_str(), plan()), (Some(before.trim()), before.clone()));
    let plan_file = fs::read_dir(&dist).unwrap().flatten().find(|f| f.path().to_string_lossy().ends_with(".plan.json"));
    let sum = judge("sha256sum", &[&plan_file.unwrap().path().display().to_string()], &dist);
    assert!(sum.starts_with(before.trim()), "sha256sum of the plan's file is the plan digest: {sum}");
    let packages = report["packages"].as_array().unwrap();
    assert_eq!(packages.len(), digests(&dist, "deb").len());
    for package in packages {
        assert_eq!(package["difference"], Value::Null);
        // The digest without signature, which is the archive's last member.
        let cut =
            "head -c $(grep --text --byte-offset --only-matching _gpgorigin $0 | tail -1 | cut -d: -f1) $0 | sha256sum";
        let sum = judge("sh", &["-c", cut, package["file"].as_str().unwrap()], &dist);
        assert!(sum.starts_with(package["rebuilt-sha256"].as_str().unwrap()), "{package}");
    }

    // The statement, by gpgv, with the encoding of DSSE's specification written down once more.
    let statement =
        fs::read_dir(&results).unwrap().flatten().find(|f| f.path().to_string_lossy().contains(".rebuild."));
    let statement = statement.expect("a statement").path();
    let open = "import base64, json, sys\n\
                e = json.load(open(sys.argv[1]))\n\
                p, t = base64.b64decode(e['payload']), e['payloadType'].encode()\n\
                open('pae', 'wb').write(b' '.join([b'DSSEv1', b'%d' % len(t), t, b'%d' % len(p), p]))\n\
                open('sig', 'wb').write(base64.b64decode(e['signatures'][0]['sig']))\n\
                print(p.decode())\n";
    let text = judge("python3", &["-c", open, &statement.display().to_string()], folder.path());
    judge("gpgv", &["--keyring", &dist.join("key.gpg").display().to_string(), "sig", "pae"], folder.path());
    let statement: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(statement["predicateType"], "https://mesos-packages.invalid/attestation/rebuild/v1");
    let subjects = statement["subject"].as_array().unwrap();
    for (name, digest) in digests(&dist, "deb") {
        assert!(subjects.iter().any(|s| s["name"] == *name && s["digest"]["sha256"] == *digest), "{name}");
    }
    let id = foundation::store::Store::open(Some(&work)).unwrap().id();
    let left = tests::run(Command::new("docker").args(["volume", "ls", "--quiet", "--filter", &format!("name={id}")]));
    assert_eq!(left.stdout.trim(), "", "something of the rebuild stays in the engine");
}

#[test]
fn planted_differences_are_found_and_named() {
    let workshop = Workshop::shared();
    let (_folder, recipe) = sample_copy();
    let install = recipe.join("phases/install");
    let text = fs::read_to_string(&install).unwrap();
    // A time stamp, an order and a name of the machine, each in another package.
    let planted = "echo \"/* built $(date) */\" >>\"$stage/usr/include/sample/version.h\"\n\
                   { echo '.TH x'; ls -U /build/source/src; } | gzip -9n >\"$stage/usr/share/man/man8/sample-master.8.gz\"\n\
                   { echo '.TH x'; uname -n; } | gzip -9n >\"$stage/usr/share/man/man8/sample-agent.8.gz\"\n";
    fs::write(&install, text + planted).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (dist, results) = (folder.path().join("dist"), folder.path().join("results"));
    let recipe = recipe.display().to_string();
    workshop.run(&["package", "--recipe", &recipe, "--dist", &dist.display().to_string()]).success();
    let ran = rebuild(&workshop, &dist.display().to_string(), &recipe, &results, &["--attest"])
        .fails(3, &["3 of 8 packages are not the same bytes"]);
    let report = report(&results);
    let found = |package: &str| {
        let all = report["packages"].as_array().unwrap();
        let package = all.iter().find(|p| p["file"].as_str().unwrap().starts_with(package)).expect("a package");
        assert!(ran.stdout.contains(&format!("DIFFERENT   {}", package["file"].as_str().unwrap())), "{}", ran.stdout);
        let read = |form: &str| {
            let path = package["diffoscope"]["reports"][form].as_str().unwrap_or_else(|| panic!("{form}: {package}"));
            fs::read_to_string(path).unwrap()
        };
        assert!(read("html").contains("<html"));
        (package["difference"].as_str().unwrap().to_owned(), read("text"))
    };
    let (first, text) = found("libsample-dev_");
    assert!(first.starts_with("data.tar.xz: usr/include/sample/version.h: content from byte "), "{first}");
    assert!(text.contains("version.h") && text.contains("/* built "), "{text}");
    let (first, text) = found("sample-master_");
    assert!(first.starts_with("data.tar.xz: usr/share/man/man8/sample-master.8.gz: content"), "{first}");
    assert!(text.contains("daemon.cc"), "{text}");
    let (first, text) = found("sample-agent_");
    assert!(first.starts_with("data.tar.xz: usr/share/man/man8/sample-agent.8.gz: content"), "{first}");
    assert!(text.contains("-build") && text.contains("+elsewhere"), "{text}");
    let statements =
        fs::read_dir(&results).unwrap().flatten().filter(|f| f.path().to_string_lossy().contains("intoto"));
    assert_eq!(statements.count(), 0, "nobody attests what is not so");
}

/// A web server for a folder, ended with the test.
struct Served(Child, u16);

impl Served {
    fn start(folder: &Path) -> Self {
        // It takes a free port, and says which one once it listens.
        let mut child = Command::new("python3")
            .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 runs");
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut said).expect("it says where it listens");
        let port = said.split_whitespace().skip_while(|word| *word != "port").nth(1).and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in: {said}"));
        Self(child, port)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_cannot_be_rebuilt_here_is_refused_at_once() {
    let workshop = Workshop::shared();
    let folder = tempfile::tempdir().unwrap();
    let (dist, results) = (folder.path().join("dist"), folder.path().join("results"));
    workshop.package_sample(&dist, &[]).success();
    let deb = digests(&dist, "deb").into_keys().find(|name| name.starts_with("sample-agent_")).unwrap();
    let path = dist.join(&deb).display().to_string();

    // Another commit: what differs is said, for a folder, for a package, and for one of a repository.
    let (_copy, recipe) = sample_copy();
    let unit = recipe.join("systemd/sample-agent.service");
    fs::write(&unit, fs::read_to_string(&unit).unwrap() + "# Changed.\n").unwrap();
    let recipe = recipe.display().to_string();
    let differs = ["leads to the plan", "packing/systemd/sample-agent.service/sha256"];
    rebuild(&workshop, &dist.display().to_string(), &recipe, &results, &[]).fails(3, &differs);
    rebuild(&workshop, &path, &recipe, &results, &[]).fails(3, &differs);
    let served = Served::start(&dist);
    let url = format!("http://127.0.0.1:{}/{deb}", served.1);
    let results_text = results.display().to_string();
    let mut command = workshop.command(&["rebuild", &url, "--recipe", &recipe, "--results", &results_text]);
    tests::run(command.env("no_proxy", "127.0.0.1").env("NO_PROXY", "127.0.0.1")).fails(3, &differs);

    // What makes no sense, and what was changed.
    let sample = |what: &str, more: &[&str]| rebuild(&workshop, what, "sample", &results, more);
    sample(&path, &["--vary", "+clock"]).fails(2, &["hostname"]);
    sample(&path, &["--vary", "-cache"]).fails(2, &["write -user as well"]);
    sample(&folder.path().join("nothing").display().to_string(), &[]).fails(2, &["nothing"]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    sample(&path, &[]).fails(3, &["as the .buildinfo has it", &deb]);
}
