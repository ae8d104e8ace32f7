//! Pages as people see them: a browser, and what looks at a page in it.

use std::path::Path;
use std::process::Command;

use crate::{linters, repository, run};

/// The browser.
const CHROMIUM: &str = "/usr/bin/chromium-headless-shell";

/// What a browser makes of a page, and a folder with everything that it refers to, without a network: the document as
/// HTML, after whatever scripts there were.
#[track_caller]
pub fn document(page: &Path) -> String {
    // Its own, so that browsers of several tests do not meet.
    let profile = tempfile::tempdir().expect("room for a profile");
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        &format!("--user-data-dir={}", profile.path().display()),
        "--dump-dom",
        &format!("file://{}", page.display()),
    ];
    let ran = run(Command::new(CHROMIUM).args(arguments));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout
}

/// What people find on a page.
pub struct Seen {
    /// Its text, everything unfolded.
    pub text: String,
    /// Where its links lead.
    pub links: Vec<String>,
}

/// Looks at a page, wide and narrow, light and dark; fails the test if the browser or axe complains, or if it has a
/// script. Where `PAGE_PICTURES` names a folder, pictures of it go there.
#[track_caller]
pub fn look(url: &str, folder: &Path) -> Seen {
    let script = repository().join("tests/judges/page.cjs").display().to_string();
    let pictures = std::env::var("PAGE_PICTURES").ok();
    let mut arguments = vec![script.as_str(), CHROMIUM, url];
    arguments.extend(pictures.as_deref());
    let ran = linters::node("node", &arguments, folder).success();
    let looks: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let looks = looks.as_array().expect("a list");
    assert_eq!(looks.len(), 4);
    for look in looks {
        assert_eq!(look["complaints"], serde_json::json!([]));
        assert_eq!(look["scripts"], 0);
    }
    let links = looks[0]["links"].as_array().expect("a list").iter();
    Seen {
        text: looks[0]["text"].as_str().expect("a text").to_owned(),
        links: links.map(|link| link.as_str().expect("a text").to_owned()).collect(),
    }
}

/// Fails the test unless html-validate is content with a page.
#[track_caller]
pub fn validate(page: &Path, folder: &Path) {
    let ran = linters::node("html-validate", &[&page.display().to_string()], folder);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}
