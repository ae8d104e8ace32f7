//! Compiles that need more memory than there is.

use engine::transfer::Upload;
use foundation::failure::Failure;
use phases::PhaseError;
use phases::phase::{PhaseEvent, PhaseSpec};
use trial::{Trial, fake_compiler};

use super::governor::governor;

fn compiling(bench: &Trial, script: &str) -> PhaseSpec {
    let mut spec = bench.spec(script);
    spec.uploads.push(fake_compiler());
    spec.uploads.extend(governor());
    spec.memory_per_job = Some(64 << 20);
    spec.env.insert("COMPILE_WRAPPER_COMPILERS".into(), "/build/fake".into());
    spec
}

#[tokio::test]
async fn a_compiler_killed_for_memory_runs_again_alone() {
    let bench = Trial::new("together").await;
    // Each fits into 256 MiB, both at once do not, and at the start there is room for either.
    let spec =
        compiling(&bench, "cc -c 150-a.c & one=$!\ncc -c 150-b.c & two=$!\nwait $one || exit 3; wait $two || exit 4");
    let (record, _) = bench.run(spec).await.unwrap();
    let log = bench.log();
    assert_eq!((record.exit, record.attempts), (0, 1), "{log}");
    assert!(log.contains("compiled -c 150-a.c") && log.contains("compiled -c 150-b.c"), "{log}");
    assert!(!record.killed_for_memory.is_empty(), "one of them was killed: {log}");
    assert!(record.killed_for_memory.iter().all(|file| file.ends_with(".c")), "{record:?}");
    assert!(log.contains("compiling it again alone"), "{log}");
    assert!(record.peak_memory <= 256 << 20, "{record:?}");
    bench.done().await;
}

#[tokio::test]
async fn a_compile_waits_until_there_is_memory() {
    let bench = Trial::new("waits").await;
    // When the second comes, the first has left less than the 64 MiB that it is taken to need.
    let spec = compiling(
        &bench,
        "cc -c 200-a.c & one=$!\nuntil [ -e /build/full ]; do sleep 0.1; done\ncc -c 100-b.c & two=$!\nwait $one || exit 3; wait $two || exit 4",
    );
    let (record, events) = bench.run(spec).await.unwrap();
    assert_eq!((record.exit, &record.killed_for_memory), (0, &vec![]), "{}", bench.log());
    assert!(
        events.iter().any(|event| matches!(event, PhaseEvent::Usage { memory, .. } if *memory > 50 << 20)),
        "{events:?}"
    );
    bench.done().await;
}

#[tokio::test]
async fn a_file_that_does_not_fit_even_alone_is_named() {
    let bench = Trial::new("alone").await;
    let error = bench.run(compiling(&bench, "cc -c src/400-huge.c -o huge.o -DX src/400-huge.c")).await.unwrap_err();
    let PhaseError::OutOfMemory { record, .. } = &error else { panic!("{error}") };
    assert_eq!((record.attempts, record.exit), (1, 1), "fewer jobs would not help");
    let text = error.message();
    for part in ["src/400-huge.c", "256 MiB", "--memory 512MiB", "trial"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    bench.done().await;
}

#[tokio::test]
async fn other_programs_killed_for_memory_make_the_phase_run_with_fewer_jobs() {
    let bench = Trial::new("fewer").await;
    let mut spec = bench.spec(
        "echo attempt with $JOBS\n\
         if [ $JOBS -gt 1 ]; then head -c 400M /dev/zero | tail -c 400M >/dev/null; fi",
    );
    spec.jobs = 4;
    let (record, events) = bench.run(spec).await.unwrap();
    assert_eq!((record.exit, record.attempts, record.jobs), (0, 3, 1));
    let log = bench.log();
    assert!(
        log.contains("attempt with 4\n") && log.contains("attempt with 2\n") && log.contains("attempt with 1\n"),
        "{log}"
    );
    let notes = events
        .iter()
        .filter(|event| matches!(event, PhaseEvent::Note(note) if note.contains("trial") && note.contains("256 MiB")));
    assert_eq!(notes.count(), 2);
    bench.done().await;
}

#[tokio::test]
async fn where_one_job_is_too_much_it_ends() {
    let bench = Trial::new("one").await;
    let mut spec = bench.spec("head -c 400M /dev/zero | tail -c 400M >/dev/null");
    spec.jobs = 1;
    let error = bench.run(spec).await.unwrap_err();
    assert!(matches!(&error, PhaseError::OutOfMemory { .. }), "{error}");
    assert!(error.message().contains("--memory 512MiB"), "{error}");
    bench.done().await;
}

#[tokio::test]
async fn an_error_that_has_nothing_to_do_with_memory_is_not_repeated() {
    let bench = Trial::new("genuine").await;
    // A kill that was made good by compiling again, then a genuine error.
    let spec = compiling(
        &bench,
        "cc -c 150-a.c & one=$!\ncc -c 150-b.c & two=$!\nwait $one; wait $two\necho error: missing semicolon; exit 1",
    );
    let (record, _) = bench.run(spec).await.unwrap();
    assert_eq!((record.exit, record.attempts), (1, 1), "{}", bench.log());
    bench.done().await;
}

#[tokio::test]
async fn the_wrapper_adds_flags_per_file_and_is_silent() {
    let bench = Trial::new("flags").await;
    let mut spec = bench.spec(
        "cc -c lib/a.c; cc -c 'other/a.c'; g++ -o x -I lib/a.c b.cpp; echo hello | c++ -E -; cc --version; cc conftest.c; cc -o x a.o 2>&1",
    );
    let echo =
        Upload::bytes("/build/fake/cc", "#!/bin/sh\nfor argument; do printf '[%s]' \"$argument\"; done; echo\n", 0o755);
    spec.uploads = vec![
        Upload { path: "/build/fake/g++".into(), ..echo.clone() },
        Upload { path: "/build/fake/c++".into(), ..echo.clone() },
        echo,
        Upload::bytes("/build/recipe/compile-flags", "# why\n\n*lib/*.c -include /some/header.h\n*.cpp -O1\n", 0o644),
    ];
    spec.env.insert("COMPILE_WRAPPER_COMPILERS".into(), "/build/fake".into());
    let (record, _) = bench.run(spec).await.unwrap();
    assert_eq!(record.exit, 0, "{}", bench.log());
    let expected = "[-c][lib/a.c][-include][/some/header.h]\n[-c][other/a.c]\n[-o][x][-I][lib/a.c][b.cpp][-O1]\n[-E][-]\n[--version]\n[conftest.c]\n[-o][x][a.o]\n";
    assert_eq!(bench.log(), expected);
    bench.done().await;
}

#[tokio::test]
async fn the_compiler_cache_learns_from_the_compiler_what_a_file_includes() {
    let bench = Trial::new("depends").await;
    let mut spec = bench.spec(
        "cc -c a.c -o a.o; g++ -o x/b.o -c b.cpp; cc -c a.c -o a.o -MMD -MF a.d; cc -c a.s -o a.o; cc a.c -o a; cc -c conftest.c -o conftest.o",
    );
    spec.uploads = vec![Upload::bytes(
        "/build/fake/ccache",
        "#!/bin/sh\nshift\necho \"$CCACHE_DEPEND${CCACHE_PREFIX:+ governed} $*\"\n",
        0o755,
    )];
    spec.env.insert("COMPILE_WRAPPER_CCACHE".into(), "/build/fake/ccache".into());
    let (record, _) = bench.run(spec).await.unwrap();
    assert_eq!(record.exit, 0, "{}", bench.log());
    let expected = [
        "-c a.c -o a.o -MD -MF a.o.d",
        "-o x/b.o -c b.cpp -MD -MF x/b.o.d",
        "-c a.c -o a.o -MMD -MF a.d",
        "-c a.s -o a.o",
        "a.c -o a",
        "-c conftest.c -o conftest.o",
    ];
    let log = bench.log().replace("1 governed ", "1 ");
    assert_eq!(log.lines().collect::<Vec<_>>(), expected.map(|line| format!("1 {line}")));
    bench.done().await;
}

#[tokio::test]
async fn a_build_that_only_reads_its_own_code_again_is_helped_by_a_kill() {
    let bench = Trial::new("thrashing").await;
    // The kernel's figures are forged, as cgroup v2 would tell them: all memory taken, code read again and again.
    let log = bench
        .output(
            ". /build/bin/memory.sh\n\
             cgroups=/build/forged own_kills=/build/kills\n\
             mkdir $cgroups; touch $cgroups/cgroup.controllers\n\
             echo oom_kill 2 >$cgroups/memory.events\n\
             pages=0\n\
             tell() { pages=$((pages + $1)); printf 'anon %s\\nshmem 10\\nworkingset_refault_file %s\\n' $((MEMORY_BYTES - $2)) $pages >$cgroups/new; mv $cgroups/new $cgroups/memory.stat; }\n\
             tell 0 1000; { head -c 60M /dev/zero; touch /build/full; until [ -e /build/over ]; do command sleep 0.1; done; } | tail -c 60M >/dev/null & eater=$!\n\
             sleep() { n=$((${n:-0} + 1)); [ $n -le $checks ] && tell $step $room; }\n\
             # Enough memory, or few pages: nobody is killed.\n\
             checks=20 step=50000 room=100000000 n=0; watch_memory || :\n\
             checks=20 step=100 room=1000 n=0; watch_memory || :\n\
             cgroup kills; echo calm $number\n\
             until [ -e /build/full ]; do command sleep 0.1; done\n\
             checks=7 step=50000 room=1000 n=0; watch_memory || :\n\
             cgroup kills; echo after $number; touch /build/over\n\
             if wait $eater; then echo the eater lives; else echo the eater ended with $?; fi",
        )
        .await;
    // The shell may tell of its killed child whenever it notices.
    let told = log.replace("Killed\n", "");
    assert!(told.contains("calm 2\nafter 3\nthe eater ended with 137\n"), "{log}");
    bench.done().await;
}
