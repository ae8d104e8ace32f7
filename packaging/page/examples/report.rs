//! Prints the report of a large build that has everything, to look at: `cargo run -p page --example report > /tmp/report.html`.
//! With the argument `new`, of one that was not tested or built again.

use page::report::{Compile, Made, Rebuilt, Report, Step, Test, Tests, Verdict};

const SHA256: &str = "3f0a9c1e5b7d2846f0a9c1e5b7d28463f0a9c1e5b7d28463f0a9c1e5b7d28463";
const MIB: u64 = 1 << 20;
const LIMIT: u64 = 5 << 30;

fn main() {
    let new = std::env::args().nth(1).is_some_and(|argument| argument == "new");
    // Numbers that look like chance and are always the same.
    let mut seed = 1_u64;
    let mut chance = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % most
    };
    let mut course = |wall: f64, from: u64, to: u64| -> Vec<(f64, u64)> {
        let step = wall / 200.0;
        (0..200).map(|n| (f64::from(n) * step, (from + chance(to - from)) * MIB)).collect()
    };
    let steps = vec![
        Step {
            name: "bootstrap".into(),
            kept: !new,
            wall: 18.4,
            cpu: Some(15.1),
            peak: 90 * MIB,
            limit: Some(LIMIT),
            jobs: 4,
            memory: course(18.4, 20, 90),
            log: Some("logs/bootstrap.log".into()),
            ..Step::default()
        },
        Step {
            name: "configure".into(),
            kept: !new,
            wall: 95.0,
            cpu: Some(88.1),
            peak: 310 * MIB,
            limit: Some(LIMIT),
            jobs: 4,
            memory: course(95.0, 20, 310),
            log: Some("logs/configure.log".into()),
            ..Step::default()
        },
        Step {
            name: "build".into(),
            wall: 1730.0,
            cpu: Some(3301.0),
            peak: 4700 * MIB,
            limit: Some(LIMIT),
            jobs: 4,
            memory: course(1730.0, 1200, 4700),
            cache: Some((412, 188)),
            killed: vec!["source/src/master/master.cpp".into()],
            log: Some("logs/build.log".into()),
            ..Step::default()
        },
        Step {
            name: "install".into(),
            wall: 41.0,
            cpu: Some(30.5),
            peak: 400 * MIB,
            limit: Some(LIMIT),
            jobs: 4,
            memory: course(41.0, 40, 400),
            log: Some("logs/install.log".into()),
            ..Step::default()
        },
        Step {
            name: "split".into(),
            wall: 130.0,
            cpu: Some(180.5),
            peak: 1500 * MIB,
            limit: Some(2 << 30),
            jobs: 2,
            memory: course(130.0, 300, 1500),
            ..Step::default()
        },
        Step { name: "writing".into(), wall: 25.0, ..Step::default() },
        Step { name: "signing".into(), wall: 0.7, ..Step::default() },
    ];
    let package = |name: &str, size: u64| Made {
        name: name.into(),
        architecture: "amd64".into(),
        path: format!("{name}_1.7.2-1~deb12u1_amd64.deb"),
        size,
        sha256: SHA256.into(),
    };
    let compiles = (0..600_u64)
        .map(|n| Compile {
            file: format!("source/src/slave/containerizer/mesos/isolators/network/port_mapping_{n}.cpp"),
            seconds: chance(160_000) as f64 / 1000.0 / (1 + n % 9) as f64,
            memory: (300 + chance(1900)) * MIB,
            ran: u32::from(n % 3 == 0),
            cached: u32::from(n % 3 != 0),
        })
        .collect();
    let test = |n: usize| {
        let verdict = match n {
            0..2 => Verdict::Failed,
            2 => Verdict::TimedOut,
            3..6 => Verdict::Flaky,
            6..12 => Verdict::Quarantined,
            12..300 => Verdict::Skipped,
            _ => Verdict::Passed,
        };
        let note = match verdict {
            Verdict::Failed => Some("failed, 2 of 2 executions failed, alone as well"),
            Verdict::TimedOut => Some("timed out after 300 s"),
            Verdict::Flaky => Some("failed, then passed alone"),
            Verdict::Quarantined => Some("MESOS-8005: needs an accounting that the machine lacks"),
            Verdict::Skipped => Some("needs root: --root runs it"),
            Verdict::Passed => None,
        };
        Test {
            program: ["mesos-tests", "libprocess-tests", "stout-tests"][n % 3].into(),
            name: format!("ContentType/SchedulerTest.TaskGroupRunning/{n}"),
            verdict,
            note: note.map(str::to_owned),
            seconds: (n % 97) as f64 / 10.0,
            output: "[ RUN      ] SchedulerTest.TaskGroupRunning\nI1129 09:00:00.000000  4711 cluster.cpp:172] Creating default 'local' authorizer\n\x1b[31m../../src/tests/scheduler_tests.cpp:99: Failure\x1b[0m\n      Expected: 1 < 2 && \"<script>alert(1)</script>\"\n".repeat(if n == 0 { 40 } else { 1 }),
            log: (n < 12).then(|| format!("check/logs/mesos-tests/ContentType_SchedulerTest.TaskGroupRunning_{n}.log")),
        }
    };
    let counts = [
        (Verdict::Failed, 2),
        (Verdict::TimedOut, 1),
        (Verdict::Flaky, 3),
        (Verdict::Quarantined, 6),
        (Verdict::Skipped, 288),
        (Verdict::Passed, 2200),
    ];
    let page = Report {
        recipe: "mesos".into(),
        version: "1.7.2-1~deb12u1".into(),
        target: "debian-12/amd64".into(),
        plan: SHA256.into(),
        signer: "Release <release@example.org>".into(),
        development: new,
        run: Some((1_795_410_048, 1935.0)),
        steps,
        packages: vec![
            package("libmesos-1.7.2", 22_953_766),
            package("mesos", 3_412),
            package("mesos-agent", 1_153_766),
            package("mesos-master", 953_766),
            package("mesos-master-dbgsym", 80_953_766),
        ],
        compiles,
        tests: (!new).then(|| Tests { sound: false, counts: counts.to_vec(), tests: (0..2500).map(test).collect() }),
        rebuild: (!new).then(|| Rebuilt {
            same: 5,
            different: vec![],
            varied: ["hostname", "time", "kernel", "jobs", "umask"].map(str::to_owned).to_vec(),
        }),
    };
    print!("{}", page.html());
}
