//! What is kept of a phase that failed, and a look into its container.

use std::process::Command;

use tests::{Workshop, replace, run, sample_copy};

/// Types when the prompt has come.
const AT_A_TERMINAL: &str = r#"mkfifo keys
script --quiet --return --flush --command "$1 shell configure" /dev/null <keys >screen &
exec 3>keys
until grep -q 'bash.*\$ ' screen; do kill -0 $! || exit 99; sleep 0.1; done
printf 'cd work/part\nprintf %%s-%%s: "$PWD" "$(tty)"\nexit 5\n' >&3
wait $!
status=$?
cat screen
exit $status"#;

#[test]
fn of_a_bundled_part_config_log_is_kept_and_the_container_can_be_opened() {
    let (_folder, recipe) = sample_copy();
    let part = "if test -n \"$PART\"; then AC_MSG_FAILURE([the part needs libnowhere]); fi\nAC_OUTPUT";
    replace(&recipe.join("upstream/configure.ac"), "AC_OUTPUT", part);
    let script = recipe.join("phases/configure");
    let more = "\nmkdir -p part/inner\nprintf '\\177ELF crashed' >part/core.7\ncd part/inner\nPART=1 /build/source/configure CC=cc CXX=c++\n";
    std::fs::write(&script, std::fs::read_to_string(&script).unwrap() + more).unwrap();
    let out = tempfile::tempdir().unwrap();
    Workshop::shared().package_sample(&out.path().join("first"), &[]).success();
    let workshop = Workshop::with_build_root();
    let package = |more: &[&str]| {
        let (recipe, dist) = (recipe.display().to_string(), out.path().join("dist").display().to_string());
        let mut arguments = vec!["package", "--recipe", &recipe, "--offline", "--dist", &dist];
        arguments.extend(more);
        workshop.run(&arguments)
    };
    let shell = |arguments: &[&str]| workshop.run(&[&["shell"], arguments].concat());
    shell(&["--", "true"]).fails(2, &["no phase has failed"]);
    let says = [
        "From work/part/inner/config.log:",
        "the part needs libnowhere",
        "Core dumps below /build: work/part/core.7",
        "cargo xtask shell configure",
    ];
    let ran = package(&[]).fails(1, &says);
    // The configure that went well is no evidence.
    assert!(!ran.stderr.contains("From work/config.log"), "{}", ran.stderr);
    let kept = ran.stderr.split("is kept in ").nth(1).and_then(|text| text.split(", and").next()).expect("a folder");
    let kept = std::path::Path::new(kept);
    let config_log = std::fs::read_to_string(kept.join("work/part/inner/config.log")).unwrap();
    assert!(config_log.trim_end().ends_with("configure: exit 1"), "{config_log}");
    assert!(!kept.join("work/config.log").exists());

    // As it was: user, environment, limits, root and volume; and no network.
    let look = "id -u; echo $SOURCE_DATE_EPOCH $PATH; ulimit -c; ls /sys/class/net; cat work/part/core.7; touch /usr/x";
    let ran = shell(&["configure", "--", "sh", "-c", look]).fails(1, &["Read-only file system"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0] == "1000" && lines[1].contains(" /build/bin:") && lines[2..4] == ["0", "lo"], "{}", ran.stdout);
    assert!(lines[1].starts_with(|first: char| first.is_ascii_digit()) && ran.stdout.contains("ELF crashed"));
    assert_eq!(shell(&["--", "sh", "-c", "exit 7"]).code, Some(7));
    shell(&["build", "--", "true"]).fails(2, &["the phase build has not failed", "configure"]);
    shell(&[]).fails(2, &["no terminal", "-- COMMAND"]);

    // A person at a terminal, which script(1) is here.
    let mut terminal = Command::new("sh");
    terminal.env("MESOS_PACKAGES_CACHE", &workshop.cache).current_dir(out.path()).args(["-c", AT_A_TERMINAL, "sh"]);
    let ran = run(terminal.arg(tests::tool()));
    assert_eq!(ran.code, Some(5), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("/build/work/part-/dev/pts/0:"), "{}", ran.stdout);

    // The next run of the phase takes its place, and `clean` takes everything.
    replace(&script, "PART=1 ", "");
    replace(&script, "CXX=c++\n", "CXX=c++\nexit 4\n");
    package(&[]).fails(1, &["exit status 4"]);
    assert!(!kept.exists(), "two volumes of one phase");
    workshop.run(&["clean"]).success();
    shell(&["--", "true"]).fails(2, &["no phase has failed"]);
}
