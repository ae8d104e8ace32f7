//! `report.html`: what a browser makes of it, whatever the record says.

use pipeline::Report;
use tests::browser::document;
use tests::report::{EVIL, judgement, record};

/// The record with a text of strangers wherever one may come from: names of files, packages, phases and keys.
fn hostile() -> Report {
    let mut record = record();
    for field in ["recipe", "version", "target"] {
        record[field] = EVIL.into();
    }
    record["key"]["user_id"] = EVIL.into();
    record["phases"][2]["name"] = EVIL.into();
    record["phases"][2]["killed-for-memory"] = serde_json::json!([EVIL]);
    record["phases"][2]["compiles"]["files"][0]["file"] = EVIL.into();
    record["packages"][0]["name"] = EVIL.into();
    record["packages"][0]["file"] = format!("javascript:alert(1){EVIL}").into();
    record["rebuild"] = serde_json::json!({ "same": 1, "different": [EVIL], "varied": [EVIL] });
    serde_json::from_value(record).unwrap()
}

#[test]
fn a_browser_takes_whatever_is_in_it_for_text() {
    let folder = tempfile::tempdir().unwrap();
    let see = |name: &str, html: &str| {
        let page = folder.path().join(name);
        std::fs::write(&page, html).unwrap();
        document(&page)
    };
    let plain: Report = serde_json::from_value(record()).unwrap();
    let html = hostile().html(Some(&judgement()));
    assert_eq!(html, hostile().html(Some(&judgement())), "the same record gives the same page");
    let (before, after) = (see("plain.html", &plain.html(Some(&judgement()))), see("hostile.html", &html));
    for document in [&before, &after] {
        assert!(!document.contains("<script") && !document.contains("<img"), "{document}");
        assert!(!document.contains("<title>taken"), "{document}");
        // One of each verdict but those without a log, all closed.
        assert_eq!(document.matches("<pre class=\"log\">").count(), 4);
        assert_eq!(document.matches("<details>").count(), 6);
        assert!(document.contains("failed said \"'&gt;&lt;/pre&gt;&lt;script&gt;"), "{document}");
        assert!(!document.contains(|c: char| c == '\u{202e}' || (c.is_control() && !matches!(c, '\n' | '\t'))));
        assert!(document.contains("␀␛[31m\u{fffd}"), "{document}");
    }
    // Nothing leads anywhere but to places on the page and to files beside it.
    let links = after.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    for link in links {
        assert!(!link.contains(':') || link.starts_with("data:image/svg+xml,"), "{link}");
    }
    assert!(after.contains("href=\"javascript%3Aalert%281%29%22%27%3E"), "{after}");
    for part in
        ["Most memory", "Plan", "compiled", "bootstrap", "sha256", "report.json", "<path class=\"edge\" d=\"M0.0"]
    {
        assert!(before.contains(part), "{part} is not in {before}");
    }
}

/// A folder of packages may be older than the tool.
#[test]
fn an_earlier_versions_record_is_a_page_that_says_what_is_missing() {
    let mut old = record();
    old.as_object_mut().unwrap().retain(|name, _| !["run", "rebuild", "page"].contains(&name.as_str()));
    let split = old["packing"]["split"].clone();
    old["packing"]["split"] = earlier(split);
    let phases = old["phases"].as_array().unwrap().iter().cloned().map(earlier).collect::<Vec<_>>();
    old["phases"] = phases.into();
    let report: Report = serde_json::from_value(old).unwrap();
    let html = report.html(None);
    for said in ["is not on record: these phases ran with an earlier version", "What was compiled is not on record"] {
        assert!(html.contains(said), "{html}");
    }
    assert!(
        html.contains("Nobody had built this plan a second time") && html.contains("1 failed, 1 timed out"),
        "{html}"
    );
    assert!(!html.contains("NaN") && !html.contains("class=\"kept\""), "{html}");
}

fn earlier(mut phase: serde_json::Value) -> serde_json::Value {
    let phase_fields = phase.as_object_mut().unwrap();
    phase_fields.retain(|name, _| !["started", "limit", "memory", "compiles"].contains(&name.as_str()));
    phase
}
