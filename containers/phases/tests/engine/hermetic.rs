//! What a phase cannot see and cannot do.

use phases::PhaseError;
use phases::phase::PhaseEvent;
use trial::Trial;

#[tokio::test]
async fn no_network_no_privileges_no_writable_root() {
    let bench = Trial::new("hermetic").await;
    let log = bench
        .output(
            "echo net=$(ls /sys/class/net)\n\
             echo id=$(id -u):$(id -g)\n\
             grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs):' /proc/self/status\n\
             for place in / /usr/bin /etc /build/../var; do touch $place/x 2>/dev/null && echo writable $place; done\n\
             echo host=$(cat /proc/sys/kernel/hostname) core=$(ulimit -c)\n\
             echo dns=$(cat /etc/resolv.conf)\n\
             printf '#!/bin/sh\\necho tmp runs\\n' >/tmp/run; chmod +x /tmp/run; /tmp/run\n\
             touch /build/mine && stat -c 'mine %u:%g' /build/mine\n\
             umask; pwd",
        )
        .await;
    let fields: Vec<(&str, &str)> = log.lines().filter_map(|line| line.split_once(":\t")).collect();
    for capability in ["CapEff", "CapPrm", "CapBnd"] {
        assert!(fields.contains(&(capability, "0000000000000000")), "{log}");
    }
    assert!(fields.contains(&("NoNewPrivs", "1")), "{log}");
    for line in ["net=lo", "id=1000:1000", "host=build core=0", "tmp runs", "mine 1000:1000", "0022", "/build"] {
        assert!(log.lines().any(|found| found == line), "no line '{line}' in:\n{log}");
    }
    assert!(!log.contains("writable"), "{log}");
    if !bench.engine.podman {
        assert!(log.contains("nameserver 127.0.0.1"), "the machine's name servers are not visible: {log}");
    }
    bench.done().await;
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_asked_for() {
    let bench = Trial::new("environment").await;
    let mut spec = bench.spec("env");
    spec.env.insert("SOURCE_DATE_EPOCH".into(), "12 34".into());
    let (record, _) = bench.run(spec).await.unwrap();
    assert_eq!(record.exit, 0);
    let log = bench.log();
    let mut found: Vec<&str> = log.lines().filter(|line| !line.starts_with("_=")).collect();
    found.sort_unstable();
    let expected = [
        "CCACHE_DIR=/ccache",
        "CCACHE_DISABLE=1",
        "HOME=/build/home",
        "JOBS=2",
        "LC_ALL=C.UTF-8",
        "MEMORY_BYTES=268435456",
        "PATH=/build/bin:/build/recipe/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PWD=/build",
        "SOURCE_DATE_EPOCH=12 34",
        "TZ=UTC",
    ];
    assert_eq!(found, expected);
    bench.done().await;
}

#[tokio::test]
async fn a_failing_script_is_a_result_with_figures() {
    let bench = Trial::new("failing").await;
    let mut spec = bench.spec(
        "head -c 20M /dev/zero | tail -c 20M >/dev/null\n\
         mkdir -p /build/out/deep/er; echo text >/build/out/deep/er/file; echo top >/build/out/top\n\
         echo to stderr >&2; printf 'no line feed'; exit 7",
    );
    spec.downloads = ["/build/out/top", "/build/out/deep", "/build/out/none"].map(str::to_owned).into();
    let results = spec.download_dir.clone();
    let (record, events) = bench.run(spec).await.unwrap();
    assert_eq!((record.exit, record.attempts), (7, 1));
    assert!(record.cpu > 0.0 && record.wall > 0.0, "{record:?}");
    assert!((20 << 20..=256 << 20).contains(&record.peak_memory), "{record:?}");
    assert_eq!(bench.log(), "to stderr\nno line feed");
    assert_eq!(record.log_bytes, bench.log().len() as u64);
    let lines: Vec<&str> = events
        .iter()
        .filter_map(|event| if let PhaseEvent::Line(line) = event { Some(line.as_str()) } else { None })
        .collect();
    assert_eq!(lines, ["to stderr", "no line feed"]);
    assert_eq!(std::fs::read_to_string(results.join("top")).unwrap(), "top\n");
    assert_eq!(std::fs::read_to_string(results.join("deep/er/file")).unwrap(), "text\n");
    assert!(!results.join("none").exists());
    bench.done().await;
}

#[tokio::test]
async fn the_process_limit_holds() {
    let bench = Trial::new("pids").await;
    let mut spec = bench.spec("n=0; while [ $n -lt 60 ]; do sleep 5 & n=$((n + 1)); done; echo all started");
    spec.pids_limit = 40;
    let (record, _) = bench.run(spec).await.unwrap();
    assert_ne!(record.exit, 0);
    assert!(!bench.log().contains("all started"));
    bench.done().await;
}

#[tokio::test]
async fn a_phase_that_takes_too_long_is_stopped() {
    let bench = Trial::new("slow").await;
    let mut spec = bench.spec("echo begun; sleep 60");
    spec.timeout = Some(std::time::Duration::from_secs(2));
    let begin = std::time::Instant::now();
    let error = bench.run(spec).await.unwrap_err();
    assert!(matches!(error, PhaseError::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("trial") && error.to_string().contains("2 s"), "{error}");
    assert!(begin.elapsed().as_secs() < 20);
    assert_eq!(bench.log(), "begun\n");
    bench.done().await;
}
