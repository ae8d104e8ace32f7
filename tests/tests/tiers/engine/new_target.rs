//! The guide for a new target, as it is printed, with Debian's unstable release as it is today.

use std::fs;

use tests::checkout::Checkout;
use tests::schema::{answer, conforms};
use tests::{Workshop, repository};

/// The guide's commands for its example: `target new`, `package` of the sample, and `verify`.
fn commands() -> Vec<String> {
    let page = fs::read_to_string(repository().join("docs/src/guides/new-target.md")).unwrap();
    let steps = page.split("\n## ").next().unwrap();
    let commands = steps.lines().filter_map(|line| line.trim_start().strip_prefix("cargo xtask "));
    commands.map(str::to_owned).collect()
}

/// By hand: some minutes, and the network. Not a line of Rust is changed for it, in this checkout or in the copy, which has none.
#[test]
#[ignore = "it locks and builds what the archive has today: minutes, and the network"]
fn the_guide_for_a_new_target() {
    let (workshop, checkout) = (Workshop::shared(), Checkout::new());
    let commands = commands();
    assert_eq!(commands.len(), 3, "{commands:?}");
    let words: Vec<&str> = commands[0].split(' ').collect();

    // Other keys did not sign it, and a suite's other name is refused: nothing is left of either.
    let other = checkout.join("other.gpg").display().to_string();
    let key = tests::dist::TestKey::new("Nobody");
    fs::copy(key.ring(), &other).unwrap();
    let before = checkout.files();
    let with = |from: &str, to: &str| -> Vec<String> {
        let at = words.iter().position(|word| *word == from).unwrap() + 1;
        words.iter().enumerate().map(|(nth, word)| if nth == at { to.to_owned() } else { (*word).to_owned() }).collect()
    };
    let run = |words: &[String]| checkout.run(&workshop, &words.iter().map(String::as_str).collect::<Vec<_>>());
    run(&with("--suite", "unstable")).fails(2, &["unstable is what sid is called today", "--suite sid"]);
    run(&with("--suite", "nosuch")).fails(1, &["no InRelease file of nosuch"]);
    run(&with("--keyring", &other))
        .fails(3, &["no InRelease file of sid", "not signed by a key of the target's keyring"]);
    assert_eq!(checkout.files(), before);

    let mut told = Vec::new();
    for command in &commands {
        // What the first one says to people is said to programs as well.
        let json = (command == &commands[0]).then_some("--json");
        let words: Vec<&str> = command.split(' ').chain(json).collect();
        let ran = tests::run(checkout.command(&workshop, &words).current_dir(checkout.path())).success();
        println!("{:.0} s\n{}", ran.seconds, ran.stdout);
        told.push(ran.stdout);
    }
    let made = &conforms("target-new", &[answer(&told[0])])[0];
    assert_eq!((&made["target"], &made["version-suffix"]), (&"debian-sid/amd64".into(), &"".into()));
    for file in made["files"].as_array().unwrap() {
        assert!(checkout.join(file.as_str().unwrap()).is_file(), "{made}");
    }
    assert!(made["keys"].as_array().is_some_and(|keys| !keys.is_empty()), "a keyring that is new here: {made}");
    let new: Vec<String> = checkout.files().into_keys().filter(|path| !before.contains_key(path)).collect();
    for file in ["containers/targets/debian-sid-amd64.toml", "containers/targets/keyrings/debian-sid.gpg"] {
        assert!(new.contains(&format!("./{file}")), "{new:?}");
    }
    for lock in ["lock", "cluster.lock", "vm.lock", "farm.lock"] {
        assert!(new.contains(&format!("./tests/fixtures/sample/debian-sid-amd64.{lock}")), "{new:?}");
    }
    for pipeline in ["github.yml", "gitlab.yml", "Jenkinsfile"] {
        let text = fs::read_to_string(checkout.join("ci").join(pipeline)).unwrap();
        assert!(text.contains("debian-sid/amd64"), "{text}");
    }
    // As in Debian itself, nothing follows the version.
    assert!(new.iter().any(|path| path.contains("/sample_1.0.0-1_all.deb")), "{new:?}");
    // Once more is refused.
    checkout.run(&workshop, &words).fails(2, &["there is a target debian-sid/amd64 already"]);
}
