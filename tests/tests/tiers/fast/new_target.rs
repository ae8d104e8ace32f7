//! What `cargo xtask target new` refuses before it asks the network or an engine: each in a sentence, and nothing has changed.

use std::fs;
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
