//! A compile farm: the same bytes come out, also when a worker is lost on the way, and what is no worker is named.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::{Workshop, digests, json, run, sample_copy};

/// An address of this machine that containers reach: that of the engine's own bridge.
fn bridge() -> String {
    let format = "{{(index .IPAM.Config 0).Gateway}}";
    let gateway =
        run(Command::new("docker").args(["network", "inspect", "bridge", "--format", format])).success().stdout;
    match gateway.trim() {
        // An engine that was never told its own address.
        "" => "172.17.0.1".to_owned(),
        address => address.to_owned(),
    }
}

/// A worker in the background, stopped with this value.
struct Worker {
    process: Child,
    output: BufReader<std::process::ChildStderr>,
}

impl Worker {
    /// Starts one and waits until it listens.
    fn start(workshop: &Workshop, recipe: &Path, listen: &str) -> Self {
        let recipe = recipe.display().to_string();
        let mut process = workshop
            .command(&["worker", "--recipe", &recipe, "--listen", listen, "--jobs", "2", "--memory", "2GiB"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("listening at") {
            assert_ne!(output.read_line(&mut said).unwrap(), 0, "the worker ended: {said}");
        }
        Self { process, output }
    }

    /// Waits for a file that it has compiled, beside the first one, by which it is tried.
    fn wait_for_work(&mut self) {
        let mut said = String::new();
        while said.matches("compiled ").count() < 2 {
            assert_ne!(self.output.read_line(&mut said).unwrap(), 0, "the worker ended: {said}");
        }
    }

    /// The containers that it has in the engine.
    fn containers(&self) -> Vec<String> {
        let ending = format!("-{}", self.process.id());
        let format = r#"{{.ID}} {{.Label "org.mesos-packages.run"}}"#;
        let all = run(Command::new("docker").args(["ps", "--format", format])).success().stdout;
        let own = all.lines().filter(|line| line.ends_with(&ending) && line.contains(" worker-"));
        own.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.process.wait();
        // The engine may still be at it.
        for _ in 0..50 {
            if self.containers().is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        assert!(std::thread::panicking(), "a worker leaves nothing in the engine: {:?}", self.containers());
    }
}

/// Asks a worker as a gateway does, for a compiler of its own build root and for others; returns what it compiled.
fn asked(worker: &Worker) -> Vec<String> {
    let docker = |arguments: &[&str]| run(Command::new("docker").args(arguments)).success().stdout.trim().to_owned();
    let containers = worker.containers();
    let script = |id: &String| docker(&["inspect", "--format", "{{join .Config.Cmd \" \"}}", id]);
    let compiler = containers.iter().find(|id| script(id).contains("worker.sh")).unwrap();
    let image = docker(&["inspect", "--format", "{{.Config.Image}}", compiler]);
    let root = docker(&["exec", compiler, "sh", "-c", "echo /build/farm/root-*"]);
    let ask = format!(
        "cd /tmp; echo 'int answer;' >ask.i\n\
         export DISTCC_SSH=/build/farm/connect DISTCC_FALLBACK=0 DISTCC_HOSTS=@worker/1,lzo\n\
         for compiler in {root}/cc /build/farm/root-0123/cc /usr/bin/cc /bin/sh; do\n\
         rm -rf state ask.o; mkdir state; export DISTCC_DIR=/tmp/state\n\
         if /build/farm/distcc $compiler -fpreprocessed -c ask.i -o ask.o && [ -s ask.o ]; then echo $compiler; fi\n\
         done 2>/dev/null"
    );
    let from =
        ["run", "--rm", "--network", "none", "--user", "1000:1000", "--volumes-from", compiler, "--tmpfs", "/tmp"];
    let compiled = docker(&[&from[..], &[&image, "/bin/sh", "-c", &ask]].concat());
    compiled.lines().map(|line| line.trim_start_matches(&root).to_owned()).collect()
}

/// The sample with more to compile: some files that take seconds, so that there is work when a worker is lost, and others.
fn larger_sample() -> (tempfile::TempDir, std::path::PathBuf) {
    const FILES: usize = 9;
    const LONG: usize = 4;
    let (folder, recipe) = sample_copy();
    let makefile = recipe.join("upstream/Makefile.am");
    let mut text = fs::read_to_string(&makefile).unwrap() + "\nlibsample_la_SOURCES +=";
    for number in 0..FILES {
        let (header, matches) = match number % LONG {
            0 => ("regex", "std::regex_match(text, std::regex(__FILE__ \"[a-z]+\"))"),
            _ => ("string", "text == __FILE__ \"[a-z]+\""),
        };
        // Macros, which the worker expands.
        let source = format!(
            "#include <{header}>\n#define PART(n) bool part##n(const std::string& text) {{ return \\\n  {matches}; }}\n\
             namespace sample {{\nPART({number})\n}}\n"
        );
        fs::write(recipe.join(format!("upstream/src/part{number}.cc")), source).unwrap();
        text += &format!(" src/part{number}.cc");
    }
    fs::write(makefile, text + "\n").unwrap();
    (folder, recipe)
}

#[test]
fn three_workers_one_killed_give_the_same_bytes() {
    let (folder, recipe) = larger_sample();
    let name = recipe.display().to_string();
    let package = |workshop: &Workshop, dist: &Path, more: &[&str]| {
        let dist = dist.display().to_string();
        workshop.command(&[&["package", "--no-cache", "--recipe", &name, "--dist", &dist], more].concat())
    };
    // The shared cache has the build root, and whoever is first makes the development key.
    Workshop::shared().package_sample(&folder.path().join("first"), &[]).success();
    let (alone, farm) = (Workshop::with_build_root(), Workshop::with_build_root());
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    run(&mut package(&alone, &here, &[])).success();

    let address = bridge();
    let places = [1, 2, 3].map(|number| format!("{address}:4633{number}"));
    let mut workers = places.each_ref().map(|place| Worker::start(&alone, &recipe, place));
    assert_eq!(
        asked(&workers[2]),
        ["/cc"],
        "a worker compiles with its own build root's compilers and does nothing else"
    );
    let list = places.each_ref().map(|place| format!("{place}/2")).join(",");
    let build = package(&farm, &there, &["--workers", &list]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    workers[0].wait_for_work();
    let lost = workers[0].containers();
    assert_eq!(lost.len(), 2, "one container compiles, one has the network: {lost:?}");
    run(Command::new("docker").arg("kill").args(lost)).success();
    let output = build.unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(digests(&here, "deb"), digests(&there, "deb"));
    for place in &places {
        assert!(said.contains(&format!("worker {place} compiles")), "{said}");
    }
    let report = json(&there.join("report.json"));
    let phases = report["phases"].as_array().unwrap();
    let shares = &phases.iter().find(|phase| phase["name"] == "build").unwrap()["farm"];
    assert_eq!(shares["workers"].as_array().unwrap().len(), 3, "{shares}");
    let number = shares["compiled-by-workers"].as_u64().unwrap();
    assert!(number >= 9, "{shares}");
    assert!(said.contains(&format!("phase build: {number} files compiled by workers")), "{said}");
    // The others go on.
    workers[1].wait_for_work();
    workers[2].wait_for_work();
}

#[test]
fn what_is_no_worker_is_named() {
    let workshop = Workshop::shared();
    let folder = tempfile::tempdir().unwrap();
    workshop.package_sample(&folder.path().join("first"), &[]).success();
    let fresh = Workshop::with_build_root();
    let address = bridge();
    let listener = TcpListener::bind((address.as_str(), 0)).unwrap();
    let other = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let closed = format!("{address}:1");
    let dist = folder.path().join("dist");
    let ran = fresh.package_sample(&dist, &["--workers", &format!("{closed},{other}")]);
    ran.fails(
        1,
        &[
            &format!("{closed} does not answer"),
            &format!("{other} answers but does not compile: it has another build root"),
            "build without --workers",
        ],
    );
    assert_eq!(fs::read_dir(&dist).map_or(0, Iterator::count), 0, "nothing is left half-written");
    fresh.package_sample(&dist, &["--workers", "build2/none"]).fails(2, &["HOST[:PORT][/JOBS]"]);
}
