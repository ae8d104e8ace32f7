//! The governor: whose compile starts when, with real memory limits and compilers that take a known amount.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use engine::transfer::Upload;
use foundation::digest::Digest;
use phases::compile_memory::Figures;
use phases::compiles::{Compiles, Span};
use phases::phase::PhaseSpec;
use phases::record::PhaseRecord;
use trial::Trial;

const MIB: u64 = 1 << 20;

/// A file of `assets`, compiled by this machine's compiler as the build root's would: the image of these tests has none.
fn made(name: &str, options: &[&str]) -> Vec<u8> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets").join(name);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-Wextra", "-Werror"]).args(options).arg(source).arg("-o").arg(&out).arg("-ldl");
    let output = cc.output().expect("a C compiler links these tests as well");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(out).unwrap()
}

/// What `memory.sh` would make in a build root.
pub(super) fn governor() -> [Upload; 2] {
    static MADE: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    let (governor, frugal) = MADE.get_or_init(|| (made("governor.c", &[]), made("frugal.c", &["-shared", "-fPIC"])));
    [
        Upload::bytes("/build/governor/governor", governor.as_slice(), 0o755),
        Upload::bytes("/build/governor/frugal.so", frugal.as_slice(), 0o644),
    ]
}

/// A stand-in for a compiler. A source named `M-S-….c` costs M MiB for S seconds, half as much where the compiler is to
/// be frugal. It says when it begins and ends; once it has its memory, there is a file `/build/full-NAME`.
const COMPILER: &str = r#"#!/bin/sh
for argument; do source=$argument; done
name=${source##*/}
amount=${name%%-*}
rest=${name#*-}
case ${LD_PRELOAD:-} in *frugal.so) amount=$((amount / 2)); how=" frugally" ;; esac
case " $* " in *" --param=ggc-min-expand=10 "*) how="$how, with options" ;; esac
unset LD_PRELOAD
echo "begin $name${how:-}"
case $name in *wrong.c) exit 1 ;; esac
if { head -c "${amount}M" /dev/zero; touch "/build/full-$name"; sleep "${rest%%-*}"; } | tail -c "${amount}M" >/dev/null; then
    echo "end $name"
else
    echo "cc: fatal error: Killed signal terminated program cc1plus" >&2
    exit 1
fi
"#;

/// A phase of 256 MiB, of which 16 are margin.
fn compiling(bench: &Trial, figures: &str, script: &str) -> PhaseSpec {
    let mut spec = bench.spec(&format!(
        "start() {{ for name; do cc -c $name.c & done; }}\n\
         has() {{ until [ -e /build/full-$1.c ]; do sleep 0.05; done; }}\n{script}"
    ));
    spec.uploads.extend(governor());
    spec.uploads.push(Upload::bytes("/build/fake/cc", COMPILER, 0o755));
    spec.uploads.push(Upload::bytes("/build/governor/figures", figures, 0o644));
    spec.env.insert("COMPILE_WRAPPER_COMPILERS".into(), "/build/fake".into());
    spec.memory_per_job = Some(64 * MIB);
    spec.jobs = 8;
    spec.downloads = ["compile-memory", "compile-times"].map(|name| format!("/build/out/{name}")).into();
    spec
}

/// Lines for files `M-S-….c`, as if they had been compiled before.
fn measured(names: &[&str]) -> String {
    let line = |name: &&str| {
        let (amount, rest) = name.split_once('-').unwrap();
        let seconds = rest.split('-').next().unwrap();
        format!("{} {seconds}000 /build/{name}.c\n", amount.parse::<u64>().unwrap() * MIB)
    };
    names.iter().map(line).collect()
}

/// Where each event is in the log; all of them have to be there once.
fn order<const N: usize>(log: &str, events: [&str; N]) -> [usize; N] {
    events.map(|event| {
        let found: Vec<usize> = log.lines().enumerate().filter(|(_, line)| *line == event).map(|(at, _)| at).collect();
        assert_eq!(found.len(), 1, "{event} in:\n{log}");
        found[0]
    })
}

/// Runs a phase in which no compiler may be killed.
async fn calm(bench: &Trial, spec: PhaseSpec) -> (PhaseRecord, String) {
    let (record, _) = bench.run(spec).await.unwrap();
    let log = bench.log();
    assert_eq!((record.exit, record.attempts, &record.killed_for_memory), (0, 1, &vec![]), "{log}");
    (record, log)
}

#[tokio::test]
async fn what_a_file_took_is_measured_and_keeps_it_from_what_does_not_fit_beside_it() {
    let bench = Trial::new("measured").await;
    // Nothing is known: 64 MiB each seem to fit, and one is killed. The third fails, and says nothing of its memory.
    let script = "start 150-2-a 150-2-b; wait; cc -c 5-0-wrong.c || echo failed";
    let (record, _) = bench.run(compiling(&bench, "", script)).await.unwrap();
    assert_eq!((record.exit, record.killed_for_memory.len()), (0, 1), "{}", bench.log());
    let left = |name: &str| std::fs::read_to_string(bench.folder.path().join("results").join(name)).unwrap();
    let text = left("compile-memory");
    // Both were running at once until one was killed, and that one once more.
    let compiles = Compiles::read(&text, &left("compile-times"), "", &Figures::default()).unwrap();
    let mut spans: Vec<Span> = compiles.files.iter().flat_map(|file| file.spans.clone()).collect();
    spans.sort_by(|one, other| one.began.total_cmp(&other.began));
    assert!(
        spans.len() == 3 && spans[1].began < spans[0].ended && spans[2].began >= spans[1].ended.min(spans[0].ended)
    );
    assert!(spans.iter().all(|span| (0.0..60.0).contains(&span.began) && span.ended < 60.0), "{spans:?}");
    let mut figures = Figures::default();
    figures.learn(&text, Digest::of("phase"));
    let kept = figures.for_governor(&[]);
    let lines: Vec<Vec<&str>> = kept.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(lines.iter().map(|line| line[2]).collect::<Vec<_>>(), ["/build/150-2-a.c", "/build/150-2-b.c"]);
    for line in lines {
        let bytes: u64 = line[0].parse().unwrap();
        assert!((150 * MIB..180 * MIB).contains(&bytes) && line[1] != "0", "{kept}");
    }
    // The next time they are compiled one after the other.
    let script = "start 150-2-a 150-2-b; wait";
    let (_, log) = calm(&bench, compiling(&bench, &kept, script)).await;
    let [begin_a, end_a, begin_b, end_b] =
        order(&log, ["begin 150-2-a.c", "end 150-2-a.c", "begin 150-2-b.c", "end 150-2-b.c"]);
    assert!(end_a < begin_b || end_b < begin_a, "{log}");
    bench.done().await;
}

#[tokio::test]
async fn a_smaller_file_goes_first_only_if_that_keeps_no_larger_one_waiting() {
    let bench = Trial::new("overtakes").await;
    let names = ["150-4-a", "160-9-large", "40-1-short", "40-8-long"];
    // `large` is first in the queue and does not fit beside `a`. `short` will have ended with `a`, `long` will not.
    let script = "start 150-4-a; has 150-4-a; start 160-9-large; sleep 0.5; start 40-8-long 40-1-short; wait";
    let (_, log) = calm(&bench, compiling(&bench, &measured(&names), script)).await;
    let [end_a, large, short, long] =
        order(&log, ["end 150-4-a.c", "begin 160-9-large.c", "begin 40-1-short.c", "begin 40-8-long.c"]);
    assert!(short < end_a && end_a < large && end_a < long, "{log}");
    bench.done().await;
}

#[tokio::test]
async fn a_file_that_needs_everything_is_not_kept_waiting_by_many_small_ones() {
    let bench = Trial::new("starve").await;
    let small: Vec<String> = (0..12).map(|i| format!("40-1-{i}")).collect();
    let mut names: Vec<&str> = small.iter().map(String::as_str).collect();
    names.push("200-4-large");
    let script = format!("start {}; has 40-1-0 & sleep 1; start 200-4-large; wait", small.join(" "));
    let (_, log) = calm(&bench, compiling(&bench, &measured(&names), &script)).await;
    let [large] = order(&log, ["begin 200-4-large.c"]);
    // Two at a time run; most of the small ones still wait when it comes.
    let before = log.lines().take(large).filter(|line| line.starts_with("end")).count();
    assert!(before <= 7, "{before} small files went first:\n{log}");
    bench.done().await;
}

#[tokio::test]
async fn who_was_killed_reserves_nothing() {
    let bench = Trial::new("stale").await;
    let names = ["100-60-a", "200-60-first", "200-1-next"];
    // A running compile and the first in the queue lose their governors; without their places in the table the third
    // would wait for a minute.
    let script = "start 100-60-a; a=$!; has 100-60-a; start 200-60-first; first=$!; sleep 0.5; start 200-1-next; next=$!\n\
                  kill -KILL $a $first; for p in /proc/[0-9]*; do read -r name <$p/comm || continue; [ $name != tail ] || kill ${p#/proc/}; done\n\
                  wait $next; echo done";
    let started = std::time::Instant::now();
    let (_, log) = calm(&bench, compiling(&bench, &measured(&names), script)).await;
    assert!(log.contains("end 200-1-next.c\ndone\n") && !log.contains("begin 200-60-first.c"), "{log}");
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    bench.done().await;
}

#[tokio::test]
async fn nothing_starts_beside_others_while_processes_wait_for_memory() {
    let bench = Trial::new("pressure").await;
    let names = ["40-2-a", "40-1-b"];
    // Files as the kernel has them (accounting/psi.rst); one that is missing or off says nothing.
    let run = |figure: &str| {
        format!(
            "printf 'some avg10={figure} avg60=0.00 avg300=0.00 total=1\\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\\n' >/build/forged\n\
             export GOVERNOR_PRESSURE='/build/none /build/forged'\n\
             rm -f /build/full-*; start 40-2-a; has 40-2-a; start 40-1-b; wait"
        )
    };
    let (_, log) = calm(&bench, compiling(&bench, &measured(&names), &run("0.31"))).await;
    let [end_a, begin_b] = order(&log, ["end 40-2-a.c", "begin 40-1-b.c"]);
    assert!(begin_b < end_a, "{log}");
    let (_, log) = calm(&bench, compiling(&bench, &measured(&names), &run("35.20"))).await;
    let [end_a, begin_b] = order(&log, ["end 40-2-a.c", "begin 40-1-b.c"]);
    assert!(end_a < begin_b, "{log}");
    bench.done().await;
}

#[tokio::test]
async fn a_file_that_does_not_fit_is_compiled_alone_and_frugally() {
    let bench = Trial::new("frugal").await;
    let names = ["400-1-known", "20-3-a", "20-1-b"];
    let script = "start 20-3-a; has 20-3-a; start 400-1-known; sleep 0.5; start 20-1-b; wait; cc -g -c 420-1-unknown.c";
    let (record, _) = bench.run(compiling(&bench, &measured(&names), script)).await.unwrap();
    let log = bench.log();
    assert_eq!((record.exit, record.killed_for_memory), (0, vec!["420-1-unknown.c".to_owned()]), "{log}");
    let [end_a, known, end_known, unknown] = order(
        &log,
        [
            "end 20-3-a.c",
            "begin 400-1-known.c frugally, with options",
            "end 400-1-known.c",
            "begin 420-1-unknown.c frugally",
        ],
    );
    assert!(end_a < known && !log.lines().any(|line| line == "begin 400-1-known.c"), "{log}");
    assert!(
        !log.lines().take(end_known).skip(known).any(|line| line.contains("20-1-b")),
        "nothing runs beside it: {log}"
    );
    assert!(end_known < unknown && log.contains("compiling it again alone"), "{log}");
    // What it takes frugally is known now.
    let text = std::fs::read_to_string(bench.folder.path().join("results/compile-memory")).unwrap();
    let line = text.lines().find(|line| line.ends_with("known.c")).unwrap();
    let frugal: u64 = line.split(' ').nth(1).unwrap().parse().unwrap();
    assert!((200 * MIB..220 * MIB).contains(&frugal), "{text}");
    bench.done().await;
}

/// The frugal compiler writes the same bytes, debug information with its record of options included.
#[test]
fn a_frugal_compiler_makes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let source = "#include <functional>\n#include <map>\n#include <string>\n#include <vector>\n\
        typedef std::map<std::string, std::vector<std::function<int(int)>>> Map;\n\
        template <int N> struct F { static Map map; static void go() { map[\"a\"].push_back([](int x) { return x + N; }); F<N - 1>::go(); } };\n\
        template <int N> Map F<N>::map;\n\
        template <> struct F<0> { static void go() {} };\n\
        int main() { F<12>::go(); }\n";
    std::fs::write(path("a.cc"), source).unwrap();
    std::fs::write(path("frugal.so"), made("frugal.c", &["-shared", "-fPIC"])).unwrap();
    let compile = |out: &str, frugal: bool, options: &[&str]| {
        let mut command = Command::new("g++");
        command.args(["-v", "-O2", "-c", "a.cc", "-o", out]).args(options).current_dir(folder.path());
        if frugal {
            command.env("LD_PRELOAD", path("frugal.so"));
        }
        let output = command.output().expect("g++ is one of the programs that `cargo xtask test --setup` installs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        // How much its heap may grow before it looks for garbage, in per cent.
        let expand = said.split("GGC heuristics: --param ggc-min-expand=").nth(1);
        let expand = expand.and_then(|rest| rest.split_whitespace().next()?.parse::<u32>().ok());
        let expand = expand.expect("GCC says it with -v");
        (expand, std::fs::read(path(out)).unwrap())
    };
    let kept = ["-g", "-frecord-gcc-switches"];
    let (usual, frugal) = (compile("usual.o", false, &kept), compile("frugal.o", true, &kept));
    assert!(usual.0 > 2 * frugal.0, "{} and {}", usual.0, frugal.0);
    assert!(usual.1 == frugal.1, "the object files differ");
    // The options do the same where nothing is recorded, and only there.
    let options = ["--param=ggc-min-expand=10", "--param=ggc-min-heapsize=65536"];
    let (usual, frugal) =
        (compile("usual.o", false, &["-g0"]), compile("frugal.o", true, &[&options[..], &["-g0"]].concat()));
    assert!(usual.1 == frugal.1, "the object files differ");
    assert!(compile("debug.o", true, &[&options[..], &["-g"]].concat()).1 != compile("usual.o", false, &["-g"]).1);
}
