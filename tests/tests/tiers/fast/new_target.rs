//! What `cargo xtask target new` refuses before it asks the network or an engine: each in a sentence, and nothing has changed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;

use tests::Workshop;
use tests::checkout::Checkout;

const KEYRING: &str = "containers/targets/keyrings/debian-13.gpg";

#[test]
fn what_cannot_become_a_target() {
    let (workshop, checkout) = (Workshop::empty(), Checkout::new());
    let path = |name: &str| checkout.join(name).display().to_string();
    fs::write(checkout.join("text.gpg"), "no keys\n").unwrap();
    fs::write(checkout.join("zeros.gpg"), [0x99; 64]).unwrap();
    let armored =
        Command::new("gpg").args(["--enarmor", "--output", "-", KEYRING]).current_dir(checkout.path()).output();
    let armored = String::from_utf8(armored.unwrap().stdout).unwrap().replace("ARMORED FILE", "PUBLIC KEY BLOCK");
    fs::write(checkout.join("armored.gpg"), armored).unwrap();
    let before = checkout.files();
    let keyring = path(KEYRING);
    let good = ["debian-14/amd64", "debian-13/amd64", "forky", &keyring];
    let cases: [(usize, &str, i32, &[&str]); 12] = [
        (0, "debian-13/amd64", 2, &["there is a target debian-13/amd64 already", "debian-13-amd64.toml"]),
        (0, "Debian/amd64", 2, &["'Debian/amd64' is not a target"]),
        (0, "debian-14", 2, &["'debian-14' is not a target"]),
        (0, "debian-13/vax", 2, &["nothing is known of the architecture vax", "amd64", "architectures.toml"]),
        (1, "debian-99/amd64", 1, &["there is no target debian-99/amd64; the targets are debian-11/amd64"]),
        (2, "For ky", 2, &["'For ky'", "a codename has lower-case letters"]),
        (2, "../forky", 2, &["a codename has lower-case letters"]),
        (3, &path("none.gpg"), 1, &["none.gpg", "No such file"]),
        (3, &path("text.gpg"), 1, &["text.gpg has no public key that gpgv can read", "debian-archive-keyring"]),
        (3, &path("zeros.gpg"), 1, &["zeros.gpg has no public key"]),
        (3, &path("armored.gpg"), 1, &["armored.gpg is an armored key", "gpg --dearmor"]),
        (3, &path("containers/targets"), 1, &["containers/targets"]),
    ];
    for (nth, value, code, says) in cases {
        let mut words = good;
        words[nth] = value;
        let [name, like, suite, keyring] = words;
        let arguments = ["target", "new", name, "--like", like, "--suite", suite, "--keyring", keyring];
        checkout.run(&workshop, &arguments).fails(code, says);
    }
    let mut more = vec![
        "target",
        "new",
        "debian-14/amd64",
        "--like",
        "debian-13/amd64",
        "--suite",
        "forky",
        "--keyring",
        &keyring,
    ];
    more.extend(["--recipe", "mesos"]);
    checkout.run(&workshop, &more).fails(2, &["there is no recipe mesos in this checkout"]);
    // Another release's keys under the name that the new one's would have.
    let other = path("containers/targets/keyrings/debian-12.gpg");
    let arguments =
        ["target", "new", "debian-13/armhf", "--like", "debian-13/amd64", "--suite", "trixie", "--keyring", &other];
    checkout.run(&workshop, &arguments).fails(1, &["debian-13.gpg is there, with other keys"]);
    assert_eq!(checkout.files(), before);
}

/// A suffix or a suite that would make packages of two releases one version: told of the option, not of a file that is not there.
#[test]
fn what_another_release_has_is_refused() {
    let (workshop, checkout) = (Workshop::empty(), Checkout::new());
    let before = checkout.files();
    let keyring = checkout.join(KEYRING).display().to_string();
    let other = "is that of another release, whose file is";
    for (suite, suffix, says) in [
        ("forky", "~", ["--version-suffix", "'~' has neither a letter nor a digit"]),
        ("forky", "deb14u1", ["--version-suffix", "'deb14u1' does not begin with ~ or +"]),
        ("forky", "~deb12u1", [&format!("--version-suffix '~deb12u1' {other}"), "debian-12-amd64.toml"]),
        ("bookworm", "~deb14u1", [&format!("--suite 'bookworm' {other}"), "debian-12-amd64.toml"]),
    ] {
        let arguments = ["target", "new", "debian-14/amd64", "--like", "debian-13/amd64", "--suite", suite];
        let more = ["--keyring", &keyring, "--version-suffix", suffix];
        let said = checkout.run(&workshop, &[&arguments[..], &more[..]].concat()).fails(2, &says).stderr;
        assert!(!said.contains("debian-14-amd64.toml"), "{said}");
    }
    assert_eq!(checkout.files(), before);
}

/// Answers each request with the same file, or with none.
fn archive(file: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            lines.find(String::is_empty);
            let (status, body) = file.map_or(("404 Not Found", ""), |body| ("200 OK", body));
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = (&stream).write_all((head + body).as_bytes());
        }
    });
    format!("http://{address}/debian")
}

/// A suite that cannot be used is told of the options that name it and its keyring.
#[test]
fn a_suite_that_cannot_be_used_is_told_of_the_options() {
    let workshop = Workshop::empty();
    for (file, code, says, never) in [
        (None, 1, "correct --suite; ", "the target's file"),
        (Some("Suite: forky\n"), 3, "if its keys are new ones, --keyring needs them", "/keyrings/debian-14.gpg"),
    ] {
        let checkout = Checkout::new();
        let like = checkout.join("containers/targets/debian-13-amd64.toml");
        tests::replace(&like, "https://snapshot.debian.org/archive/debian", &archive(file));
        let keyring = checkout.join(KEYRING).display().to_string();
        let arguments = ["target", "new", "debian-14/amd64", "--like", "debian-13/amd64", "--suite", "forky"];
        let more = ["--keyring", &keyring, "--snapshot", "20261101T000000Z"];
        let mut command = checkout.command(&workshop, &[&arguments[..], &more[..]].concat());
        let said = tests::run(command.env("no_proxy", "127.0.0.1")).fails(code, &[says]).stderr;
        assert!(!said.contains(never), "{said}");
        assert!(file.is_none() || said.contains(&format!("keyring {keyring})")), "{said}");
    }
}

/// A release whose number is not in the other one's suffix.
#[test]
fn a_suffix_that_does_not_follow_is_asked_for() {
    let (workshop, checkout) = (Workshop::empty(), Checkout::new());
    tests::replace(&checkout.join("containers/targets/debian-13-amd64.toml"), "~deb13u1", "~trixie1");
    let keyring = checkout.join(KEYRING).display().to_string();
    let arguments =
        ["target", "new", "debian-14/amd64", "--like", "debian-13/amd64", "--suite", "forky", "--keyring", &keyring];
    checkout.run(&workshop, &arguments).fails(2, &["no suffix", "'~trixie1'", "--version-suffix"]);
}
