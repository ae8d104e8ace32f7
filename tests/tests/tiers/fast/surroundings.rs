//! Output that survives its surroundings: a reader that went away, a full disk, terminals of every kind.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Child, Command, Stdio};

use foundation::store::Store;
use tests::{Workshop, run, sample_copy, tool};

/// Commands that print, need no engine, and write nothing but into their cache.
const COMMANDS: [&[&str]; 7] = [
    &["--help"],
    &["--version"],
    &["repo", "publish", "--help"],
    &["completions", "zsh"],
    &["plan", "--recipe", "sample", "--offline"],
    &["plan", "--recipe", "sample", "--offline", "--digest"],
    &["release", "--dry-run", "--list", "--recipe", "sample"],
];

/// A pipe whose reader is gone.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_closed_pipe_ends_nothing_and_a_full_disk_is_told() {
    let workshop = Workshop::empty();
    for command in COMMANDS {
        let usual = workshop.run(command).success();
        assert!(!usual.stdout.is_empty(), "{command:?} prints nothing");
        // Read by nobody.
        let mut closed = workshop.command(command);
        let child = closed.stdout(closed_pipe()).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.as_ref()), (Some(0), usual.stderr.as_str()), "{command:?}");
        // Nor can what goes wrong be told.
        let mut both = workshop.command(command);
        let status = both.stdout(closed_pipe()).stderr(closed_pipe()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{command:?}");
        let mut full = workshop.command(command);
        let child = full.stdout(File::create("/dev/full").unwrap()).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains("error: ") && said.contains("No space left on device"), "{command:?}: {said}");
    }
}

#[test]
fn what_fails_has_its_exit_code_where_nobody_reads_why() {
    let workshop = Workshop::empty();
    for (command, code) in [(&["verify", "/nowhere"][..], 1), (&["nonsense"], 2), (&["plan", "--target", "x"], 2)] {
        let status = workshop.command(command).stdout(closed_pipe()).stderr(closed_pipe()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{command:?}");
    }
}

#[test]
fn work_goes_on_to_its_end_when_nobody_reads() {
    let workshop = Workshop::empty();
    let folder = tempfile::tempdir().unwrap();
    let mut man = workshop.command(&["man", &folder.path().display().to_string()]);
    assert_eq!(man.stdout(closed_pipe()).status().unwrap().code(), Some(0));
    assert!(folder.path().join("cargo-xtask.1").exists());
}

/// A recipe of which `plan` warns: upstream's tree has a bundled file that nothing pins.
fn with_a_warning() -> (tempfile::TempDir, Vec<String>) {
    let (folder, recipe) = sample_copy();
    let path = recipe.join("recipe.toml");
    let text = fs::read_to_string(&path).unwrap();
    let git = format!("commit = '{:040}'\ntag = '1'\ngit = ['https://example.org/x.git']\nbundled = ['README']", 1);
    let changed = text.replacen("directory = \"upstream\"", &git, 1);
    assert_ne!(changed, text);
    fs::write(&path, changed).unwrap();
    let words = ["plan", "--offline", "--digest", "--recipe"].map(str::to_owned);
    let recipe_name = recipe.display().to_string();
    let source = recipe.join("upstream").display().to_string();
    (folder, words.into_iter().chain([recipe_name, "--source".into(), source]).collect())
}

const WARNING: &str = "the source is not what the recipe asks for: README";

/// Starts the tool on a terminal with so many columns.
fn on_terminal(
    workshop: &Workshop,
    columns: u32,
    term: &str,
    variables: &[(&str, &str)],
    arguments: &[String],
) -> Child {
    let usual = workshop.command(&[]);
    let mut script = Command::new("script");
    let command = format!("stty cols {columns} rows 24; exec \"$TOOL\" {}", arguments.join(" "));
    script.args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"]);
    script.env_remove("NO_COLOR").env_remove("CI").env_remove("CLICOLOR_FORCE").env_remove("TERM");
    if !term.is_empty() {
        script.env("TERM", term);
    }
    script.env("SHELL", "/bin/sh").env("TOOL", tests::tool()).envs(variables.iter().copied());
    for (name, value) in usual.get_envs() {
        value.map(|value| script.env(name, value));
    }
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("script runs")
}

/// Reads what is shown until it has this text.
fn shown_until(child: &mut Child, text: &str) -> String {
    let output = child.stdout.as_mut().expect("piped");
    let mut shown = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&shown).contains(text) {
        let read = output.read(&mut piece).expect("a terminal");
        assert!(read > 0, "'{text}' was never shown: {}", String::from_utf8_lossy(&shown));
        shown.extend(&piece[..read]);
    }
    String::from_utf8_lossy(&shown).into_owned()
}

/// Whether a text sets colours (SGR, ECMA-48 8.3.117); the line's cursor movements are another matter.
fn has_colour(text: &str) -> bool {
    let sequences = text.split("\u{1b}[").skip(1);
    let ends = |sequence: &str| sequence.chars().find(|c| !c.is_ascii_digit() && *c != ';');
    sequences.into_iter().any(|sequence| ends(sequence) == Some('m'))
}

/// What every kind of terminal shows of a run that first waits, and then warns.
#[test]
fn warnings_and_waiting_are_shown_on_every_terminal() {
    let workshop = Workshop::empty();
    let (_recipe, words) = with_a_warning();
    let always = ["--color", "always"].map(str::to_owned);
    for (columns, term, variables, more, coloured) in [
        (80, "xterm", &[][..], &[][..], true),
        (20, "xterm", &[], &[], true),
        (80, "dumb", &[], &[], false),
        (0, "", &[], &[], false),
        (80, "xterm", &[("NO_COLOR", "1")], &[], false),
        (80, "xterm", &[("NO_COLOR", "1")], &always, true),
        (80, "xterm", &[("CI", "true"), ("NO_COLOR", "1")], &[], false),
    ] {
        let words: Vec<String> = words.iter().chain(more).cloned().collect();
        let case = format!("{columns} columns, TERM={term} {variables:?} {more:?}");
        let store = Store::open(Some(&workshop.cache)).unwrap();
        let held = store.lock("a test of terminals", &mut |_| ()).unwrap();
        let mut child = on_terminal(&workshop, columns, term, variables, &words);
        let mut shown = shown_until(&mut child, "(a test of terminals)");
        assert!(shown.contains("waiting: process"), "{case}: {shown}");
        drop(held);
        child.stdout.as_mut().unwrap().read_to_string(&mut shown).unwrap();
        assert!(child.wait().unwrap().success(), "{case}: {shown}");
        assert!(shown.contains(WARNING), "{case}: {shown}");
        assert_eq!(has_colour(&shown), coloured, "{case}: {shown:?}");
        let plain = term != "xterm" || variables.iter().any(|(name, _)| *name == "CI");
        assert_eq!(!shown.contains('\u{1b}'), plain, "{case}: a status line? {shown:?}");
    }
}

#[test]
fn quiet_leaves_warnings_and_what_was_asked_for() {
    let workshop = Workshop::empty();
    let (_recipe, words) = with_a_warning();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let usual = workshop.run(&words).success();
    let quiet = workshop.run(&[&["--quiet"], &words[..]].concat()).success();
    assert!(quiet.stderr.lines().all(|line| line.starts_with("warning: ")) && quiet.stderr.contains(WARNING));
    assert_eq!(quiet.stdout, usual.stdout);
    let step = ["release", "--step", "plan", "--offline", "--recipe", "sample"];
    let usual = workshop.run(&step).success();
    assert!(usual.stderr.contains("release: cargo xtask plan"), "{}", usual.stderr);
    let quiet = workshop.run(&[&step[..], &["-q"]].concat()).success();
    assert_eq!((quiet.stdout, quiet.stderr.as_str()), (usual.stdout, ""));
    workshop.run(&["plan", "--quiet", "--verbose"]).fails(2, &["cannot be used with"]);
}

#[test]
fn a_release_goes_on_where_the_tool_is_built_anew_in_the_meantime() {
    let workshop = Workshop::empty();
    // Beside the tool, where a link can be: its file is large.
    let folder = tempfile::tempdir_in(tool().parent().unwrap()).unwrap();
    let old = folder.path().join("xtask");
    fs::hard_link(tool(), &old).unwrap();
    // What lies at its path by the time of the first step is another program.
    let script = format!("exec 3<{0} && rm {0} && cp /bin/false {0} && exec /proc/self/fd/3 \"$@\"", old.display());
    let mut replaced = Command::new("sh");
    replaced.args(["-c", &script, "xtask", "release", "--step", "plan", "--offline", "--recipe", "sample"]);
    let mut usual = workshop.command(&["release", "--step", "plan", "--offline", "--recipe", "sample"]);
    replaced.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert_eq!(run(&mut replaced).success().stdout, run(&mut usual).success().stdout);
}

#[test]
fn sizes_that_no_machine_has_are_refused() {
    let workshop = Workshop::empty();
    for size in ["99999999999999TiB", "18446744073709551616", "1e30GiB", "-1GiB", "infGiB"] {
        let argument = format!("--memory={size}");
        workshop.run(&["package", "--recipe", "sample", &argument]).fails(2, &[&format!("'{size}' is")]);
    }
    workshop.run(&["package", "--recipe", "sample", "--jobs", "4294967296"]).fails(2, &["--jobs"]);
    workshop.run(&["package", "--recipe", "sample", "--workers", "a/999999"]).fails(2, &["at most 1024"]);
    workshop.run(&["cluster", "up", "--agents", "4294967295", "--recipe", "sample"]).fails(2, &["at most 100"]);
}
