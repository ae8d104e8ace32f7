//! `report.html` as people see it: what a browser, axe and html-validate say of it.

use std::fs;

use pipeline::Report;
use tests::apt::Server;
use tests::browser;
use tests::report::{judgement, record};

#[test]
fn people_see_what_a_build_took() {
    let www = tempfile::tempdir().unwrap();
    let server = Server::new(www.path());
    let dist = www.path().join("dist");
    fs::create_dir(&dist).unwrap();
    let mut tested: Report = serde_json::from_value(record()).unwrap();
    let page = dist.join("report.html");
    server.serve(&dist);

    // As most folders of packages are: not tested, and not built again yet.
    tested.rebuild = None;
    let check = tested.check.take();
    fs::write(&page, tested.html(None)).unwrap();
    browser::validate(&page, www.path());
    let url = format!("{}/report.html", server.uri());
    let text = browser::look(&url, www.path()).text;
    for seen in ["cargo xtask rebuild FOLDER", "cargo xtask check --recipe sample --target debian-12/amd64"] {
        assert!(text.contains(seen), "'{seen}' is not in:\n{text}");
    }

    // With everything, and tests that print whatever they like.
    tested.check = check;
    let rebuild = serde_json::json!({ "same": 6, "different": [], "varied": ["hostname", "time"] });
    tested.rebuild = Some(serde_json::from_value(rebuild).unwrap());
    fs::write(&page, tested.html(Some(&judgement()))).unwrap();
    browser::validate(&page, www.path());
    let browser::Seen { text, links } = browser::look(&url, www.path());
    let build = tested.phases.iter().find(|phase| phase.name == "build").unwrap();
    let compiles = build.compiles.as_ref().unwrap();
    for seen in [
        "sample 1.0.0-1~deb12u1",
        &tested.plan.to_string(),
        &tested.packages[0].sha256.to_string(),
        compiles.files[0].file.trim_start_matches("/build/"),
        "Same bytes. The plan was built again on the same machine",
        "with other hostname, time",
        "failed said \"'></pre><script>document.title='taken'</script>",
    ] {
        assert!(text.contains(seen), "'{seen}' is not in:\n{text}");
    }
    for package in &tested.packages {
        assert!(links.contains(&format!("{}/{}", server.uri(), package.file)), "{links:?}");
    }
    assert!(links.contains(&format!("{}/logs/build.log", server.uri())), "{links:?}");
}
