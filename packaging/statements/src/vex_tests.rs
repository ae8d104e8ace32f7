use std::path::Path;

use foundation::config::parse_toml;
use recipe::cherry_pick::Pick;

use super::*;

fn pick(digit: char, fixes: &[&str], disabled: Option<&str>) -> CherryPick {
    CherryPick {
        commit: digit.to_string().repeat(40),
        reason: "It is needed.".into(),
        fixes: fixes.iter().map(|&id| id.to_owned()).collect(),
        without: vec![],
        disabled: disabled.map(str::to_owned),
    }
}

const DATA: &str = r#"
[[vulnerability]]
name = "THING-7"
description = "An archive writes outside of its folder."
status = "cherry-picked"

[[vulnerability]]
name = "CVE-2020-11022"
description = "Markup of a stranger is run."
component = "pkg:generic/jquery@3.2.1"
status = "not-affected"
justification = "vulnerable-code-not-in-execute-path"
notes = "Nothing calls it."

[[vulnerability]]
name = "CVE-2019-18408"
description = "Memory is used after it was freed."
status = "affected"
notes = "It is called for every archive."
action = "Fetch only what is trusted."
"#;

fn parse(text: &str, picks: &[CherryPick]) -> Result<Vulnerabilities, String> {
    let read: Vulnerabilities =
        parse_toml(Path::new(recipe::vulnerabilities::FILE), text).map_err(|error| error.to_string())?;
    read.look_over(picks)?;
    Ok(read)
}

fn document(picks: &[CherryPick], there: &[char]) -> serde_json::Value {
    let cherry_picks =
        there.iter().map(|digit| Pick { commit: digit.to_string().repeat(40), without: vec![] }).collect();
    let origin = SourceOrigin::LocalDirectory { name: "tree".into(), commit: None, modified: false, cherry_picks };
    let products = [deb_purl("Debian", "thing", "1.0-1+local", "amd64", "debian-12")];
    let subject =
        Subject { origin: &origin, picks, products: &products, author: "T <t@example.org>", epoch: 1_700_000_000 };
    let document = Document::new(&parse(DATA, picks).unwrap(), &subject);
    assert_eq!(
        text(&document),
        text(&Document::new(&parse(DATA, picks).unwrap(), &subject)),
        "the same bytes each time"
    );
    serde_json::from_slice(&text(&document)).unwrap()
}

#[test]
fn a_document_says_what_is_in_the_source() {
    let picks = [pick('1', &["THING-7"], None), pick('2', &["THING-7", "CVE-2020-11022"], None)];
    let document = document(&picks, &['1', '2']);
    assert_eq!(document["@context"], "https://openvex.dev/ns/v0.2.0");
    assert_eq!((&document["timestamp"], &document["version"]), (&"2023-11-14T22:13:20Z".into(), &1.into()));
    assert!(document["@id"].as_str().unwrap().starts_with("urn:uuid:"));
    assert_eq!(
        document["statements"],
        serde_json::json!([
            {
                "vulnerability": {"name": "THING-7", "description": "An archive writes outside of its folder."},
                "products": [{"@id": "pkg:deb/debian/thing@1.0-1%2Blocal?arch=amd64&distro=debian-12"}],
                "status": "fixed",
                "status_notes": format!("Fixed by upstream's {}, {}.", "1".repeat(40), "2".repeat(40)),
            },
            {
                "vulnerability": {"name": "CVE-2020-11022", "description": "Markup of a stranger is run."},
                "products": [{
                    "@id": "pkg:deb/debian/thing@1.0-1%2Blocal?arch=amd64&distro=debian-12",
                    "subcomponents": [{"@id": "pkg:generic/jquery@3.2.1"}],
                }],
                "status": "not_affected",
                "status_notes": "Nothing calls it.",
                "justification": "vulnerable_code_not_in_execute_path",
            },
            {
                "vulnerability": {"name": "CVE-2019-18408", "description": "Memory is used after it was freed."},
                "products": [{"@id": "pkg:deb/debian/thing@1.0-1%2Blocal?arch=amd64&distro=debian-12"}],
                "status": "affected",
                "status_notes": "It is called for every archive.",
                "action_statement": "Fetch only what is trusted.",
            },
        ])
    );
    let found = findings(document.to_string().as_bytes()).unwrap();
    let told: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.status.as_str(), one.notes.as_str())).collect();
    assert_eq!(
        told[1..],
        [
            ("CVE-2020-11022", "not affected", "vulnerable code not in execute path. Nothing calls it."),
            ("CVE-2019-18408", "affected", "It is called for every archive. Fetch only what is trusted."),
        ]
    );
    assert_eq!(findings(b"{}"), None);
}

#[test]
fn a_fix_that_is_not_in_the_source_leaves_the_packages_affected() {
    for (disabled, there, says) in [
        (None, &['1'][..], "The source that was built lacks upstream's 2222"),
        (Some("Breaks the client."), &['1'], "was left out on purpose: Breaks the client."),
        (None, &[], "lacks upstream's 1111"),
    ] {
        let picks = [pick('1', &["THING-7"], None), pick('2', &["THING-7"], disabled)];
        let statement = &document(&picks, there)["statements"][0];
        assert_eq!(statement["status"], "affected");
        assert!(statement["action_statement"].is_string(), "OpenVEX wants one");
        assert!(statement["status_notes"].as_str().unwrap().contains(says), "{statement}");
    }
}

#[test]
fn the_name_of_a_document_is_that_of_its_content() {
    let picks = [pick('1', &["THING-7"], None)];
    let (fixed, affected) = (document(&picks, &['1']), document(&picks, &[]));
    assert_ne!(fixed["@id"], affected["@id"]);
    let id = fixed["@id"].as_str().unwrap().strip_prefix("urn:uuid:").unwrap();
    let parts: Vec<&str> = id.split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(parts[2].starts_with('8') && "89ab".contains(&parts[3][..1]), "{id}");
}

#[test]
fn statements_that_say_too_little_are_refused() {
    let picks = [pick('1', &["THING-7"], None)];
    for (right, wrong, says) in [
        ("THING-7", "THING-8", "no [[cherry-pick]] of recipe.toml has it"),
        ("justification = \"vulnerable-code-not-in-execute-path\"\n", "", "needs it"),
        ("action = \"Fetch only what is trusted.\"\n", "", "`action` belongs to the status affected"),
        ("notes = \"Nothing calls it.\"\n", "", "how this is known"),
        ("CVE-2019-18408", "CVE-2020-11022", "it is there twice"),
        ("pkg:generic/", "", "not a package URL"),
        ("status = \"affected\"", "status = \"bad\"", "`under-investigation`"),
        ("notes =", "note =", "expected one of `name`"),
        ("vulnerable-code-not-in-execute-path", "because", "`component-not-present`"),
    ] {
        let error = parse(&DATA.replacen(right, wrong, 1), &picks).unwrap_err();
        assert!(error.contains(says), "{says} is missing in: {error}");
    }
    let error = parse(DATA, &[pick('1', &["THING-7", "CVE-2021-23358"], None)]).unwrap_err();
    assert!(error.contains("fixes CVE-2021-23358, of which nothing is said"), "{error}");
}

#[test]
fn the_vulnerabilities_of_mesos_are_stated_whole() {
    let recipe = recipe::Recipe::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../mesos")).unwrap();
    let all = Vulnerabilities::read(&recipe.folder, &recipe.file.cherry_picks).unwrap().unwrap().all;
    // What a commit prepares is in the queue too, after it.
    for (i, pick) in recipe.file.cherry_picks.iter().enumerate() {
        let Some(prepared) = pick.reason.strip_prefix("Prepares ") else { continue };
        let prepared = prepared.split([':', '.']).next().unwrap();
        let later = &recipe.file.cherry_picks[i + 1..];
        let known = later.iter().any(|later| later.commit.starts_with(prepared));
        assert!(known || (prepared == "the next one" && !later.is_empty()), "{}: {prepared}", pick.commit);
    }
    assert!(all.iter().filter(|one| one.status == VulnerabilityStatus::CherryPicked).count() >= 13);
}
