//! The web interface, in a browser on the machine of the tool: Debian's chromium, headless, which tells by itself what a
//! page became, what it complained of and what it asked for. Where there is no chromium, nor the part of it that opens no
//! window, the scenario is skipped.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use recipe::cluster::{Nodes, Page};
use serde::Deserialize;
use serde_json::Value;

use super::task::running;
use super::{Outcome, Test, otherwise};
use crate::Error;
use crate::node::tail;
use crate::record::{ClusterRecord, NodeRecord};

/// The programs that can be the browser, the preferred one first; each is in the Debian package of its name. The second one is
/// all that a machine without a screen needs of the first.
const BROWSERS: [&str; 2] = ["chromium", "chromium-headless-shell"];
/// How long a page's clock runs, in milliseconds: it stands still while the page waits for an answer.
const PAGE_TIME: u32 = 8000;
/// How long one page may take altogether.
const LIMIT: Duration = Duration::from_secs(180);

/// Opens the recipe's pages on the leading master in a browser, while a task runs; skipped where there is no browser.
///
/// # Errors
/// A page does not show what it should, complains on the console or asks for something outside of the cluster, or the
/// browser fails.
pub async fn run(test: &Test<'_>, record: &ClusterRecord) -> Result<Outcome, Error> {
    let Some((browser, version)) = installed(&BROWSERS).await else {
        let [usual, small] = BROWSERS;
        return Ok(Outcome::Skipped(format!(
            "there is neither {usual} nor {small} on this machine: `apt-get install {small}`"
        )));
    };
    if let Some(task) = &test.draft.cluster.task {
        running(test, record, task).await?;
    }
    let leader = test.settled(record).await?;
    let Some(address) = record.web.get(&leader) else {
        return Err(otherwise(&leader, "asking for its web interface", "it has no address on loopback"));
    };
    let mut requests = 0;
    for page in &test.draft.cluster.pages {
        requests += look_at(browser, test, record, &leader, page, address).await?;
    }
    Ok(Outcome::Passed(vec![format!(
        "{} pages in {version}: {requests} requests, all to the cluster",
        test.draft.cluster.pages.len()
    )]))
}

/// The first of these programs that this machine has, and what it calls itself.
async fn installed<'a>(browsers: &[&'a str]) -> Option<(&'a str, String)> {
    for browser in browsers {
        let said = tokio::process::Command::new(browser).arg("--version").stderr(Stdio::null()).output().await;
        if let Ok(said) = said {
            let version = String::from_utf8_lossy(&said.stdout);
            return Some((browser, version.split_whitespace().take(2).collect::<Vec<_>>().join(" ")));
        }
    }
    None
}

/// Looks at a page; returns how many requests it made.
async fn look_at(
    browser: &str,
    test: &Test<'_>,
    record: &ClusterRecord,
    leader: &str,
    page: &Page,
    address: &str,
) -> Result<usize, Error> {
    let step = format!("looking at {} in a browser", page.path);
    let fail = |found: String| otherwise(leader, &step, found);
    let folder = test.ground.store.temp_dir()?;
    let url = format!("{}{}", address.trim_end_matches('/'), page.path);
    let seen = open(browser, folder.path(), &url, &record.nodes).await.map_err(&fail)?;
    if let Some(complaint) = seen.complaints.first() {
        return Err(fail(format!("the browser's console says: {complaint}")));
    }
    let agents = record.of(Nodes::Agents).into_iter().filter(|_| page.agents).map(|agent| agent.address.as_str());
    let missing: Vec<&str> =
        page.shows.iter().map(String::as_str).chain(agents).filter(|text| !seen.text.contains(text)).collect();
    if !missing.is_empty() {
        return Err(fail(format!("it does not show {}:\n{}", missing.join(", "), tail(&seen.text))));
    }
    let home = |request: &&String| {
        let Some(host) = host_of(request) else { return true };
        host == "127.0.0.1" || record.nodes.iter().any(|node| node.address == host || node.name == host)
    };
    if let Some(foreign) = seen.requests.iter().find(|request| !home(request)) {
        return Err(fail(format!("it asks for {foreign}, which is not of the cluster")));
    }
    // The page itself at least: else the log does not tell what it is there to tell.
    if seen.requests.is_empty() {
        return Err(fail("the browser's log has no request".into()));
    }
    Ok(seen.requests.len())
}

/// What became of a page.
struct Seen {
    /// Its text, without markup.
    text: String,
    /// Errors and warnings on its console.
    complaints: Vec<String>,
    /// The addresses that it asked for.
    requests: Vec<String>,
}

/// Opens a page; `folder` is the browser's own for the time.
async fn open(browser: &str, folder: &Path, url: &str, nodes: &[NodeRecord]) -> Result<Seen, String> {
    let log = folder.join("requests.json");
    // Of names and addresses that are not the cluster's, none is found: neither a page nor the browser gets out.
    let known = nodes.iter().flat_map(|node| [", EXCLUDE ", &node.address]).collect::<String>();
    let mut command = tokio::process::Command::new(browser);
    command
        .args(["--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--enable-logging=stderr", "--v=0", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("--virtual-time-budget={PAGE_TIME}"))
        .arg(format!("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1{known}"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    // It refuses to be root with its sandbox. What it opens is the cluster's own.
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        command.arg("--no-sandbox");
    }
    let ran = tokio::time::timeout(LIMIT, command.arg(url).output()).await;
    let ran = ran.map_err(|_| format!("{browser} took longer than {} s", LIMIT.as_secs()))?;
    let ran = ran.map_err(|error| format!("{browser} cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    if !ran.status.success() {
        return Err(format!("{browser} failed ({}):\n{}", ran.status, tail(&said)));
    }
    let log = fs::read_to_string(&log).map_err(|error| format!("{browser} wrote no log of its requests: {error}"))?;
    Ok(Seen {
        text: text_of(&String::from_utf8_lossy(&ran.stdout)),
        complaints: complaints(&said),
        requests: requests(&log, url).map_err(|error| format!("{browser}'s log of requests: {error}"))?,
    })
}

/// What a page's console got, by the lines of chromium's own log, such as
/// `[1:2:1123/000000.0:INFO:CONSOLE:7] "Uncaught …", source: http://… (7)`. Their level does not tell an error from a note,
/// and a page that works has no reason to say anything.
fn complaints(said: &str) -> Vec<String> {
    said.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect()
}

/// A page's text: what stands between tags.
fn text_of(page: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in page.chars() {
        match character {
            '<' => inside = true,
            '>' => inside = false,
            other if !inside => text.push(other),
            _ => {}
        }
    }
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The host of an address, without port.
fn host_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "http" | "https" | "ws" | "wss") {
        return None;
    }
    let host = rest.split(['/', '?', '#']).next()?;
    Some(host.rsplit_once(':').map_or(host, |(host, _)| host))
}

/// Chromium's log of the network (`--log-net-log`), as far as it is needed.
#[derive(Deserialize)]
struct NetLog {
    constants: Constants,
    events: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Constants {
    log_event_types: std::collections::BTreeMap<String, u64>,
}

/// The page's address, if it was asked for, and those that the page asked for. Requests of the browser itself, which belong
/// to no page, have no origin as their initiator; nor has that of the page.
fn requests(log: &str, page: &str) -> Result<Vec<String>, serde_json::Error> {
    let log: NetLog = serde_json::from_str(log)?;
    let start = log.constants.log_event_types.get("URL_REQUEST_START_JOB").copied();
    let request = |event: &Value| {
        if event["type"].as_u64() != start {
            return None;
        }
        let url = event["params"]["url"].as_str()?;
        let initiator = event["params"]["initiator"].as_str()?;
        (url == page || initiator.contains("://")).then(|| url.to_owned())
    };
    Ok(log.events.iter().filter_map(request).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_log_of_requests() {
        let event = |kind: u32, url: &str, initiator: &str| {
            format!(r#"{{"type": {kind}, "params": {{"url": "{url}", "initiator": "{initiator}"}}}}"#)
        };
        let events = [
            event(2, "http://127.0.0.1:80/#/", "not an origin"),
            event(2, "https://browser.test/update", "not an origin"),
            event(2, "http://127.0.0.1:80/app.js", "http://127.0.0.1:80"),
            event(2, "https://foreign.test/font.woff", "http://127.0.0.1:80"),
            event(3, "http://127.0.0.1:80/other", "http://127.0.0.1:80"),
            r#"{"type": 2}"#.to_owned(),
        ];
        let constants = r#"{"logEventTypes": {"URL_REQUEST_START_JOB": 2, "OTHER": 3}, "more": 1}"#;
        let log = format!(r#"{{"constants": {constants}, "events": [{}]}}"#, events.join(","));
        let page = "http://127.0.0.1:80/#/";
        let expected = [page, "http://127.0.0.1:80/app.js", "https://foreign.test/font.woff"];
        assert_eq!(requests(&log, page).unwrap(), expected);
        assert!(requests("{", page).is_err());
        assert_eq!(host_of("https://foreign.test/font.woff"), Some("foreign.test"));
        assert_eq!(host_of("http://127.0.0.1:5050/#/"), Some("127.0.0.1"));
        assert_eq!(host_of("data:image/png;base64,x"), None);
    }

    /// What is preferred is taken where it is there, and what is missing is passed over.
    #[tokio::test]
    async fn the_first_browser_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let program = |name: &str| folder.path().join(name).display().to_string();
        let (usual, small) = (program("chromium"), program("chromium-headless-shell"));
        let write = |path: &str, says: &str| {
            fs::write(path, format!("#!/bin/sh\necho {says} 150.0 built on Debian\n")).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let both = [usual.as_str(), small.as_str()];
        assert_eq!(installed(&both).await, None);
        write(&small, "HeadlessChrome");
        assert_eq!(installed(&both).await, Some((small.as_str(), "HeadlessChrome 150.0".into())));
        write(&usual, "Chromium");
        assert_eq!(installed(&both).await, Some((usual.as_str(), "Chromium 150.0".into())));
    }

    #[test]
    fn text_and_console() {
        let page = "<html><body class=\"a\">\n  <b>Running</b>\n\n <td>2</td></body></html>";
        assert_eq!(text_of(page), "Running\n2");
        let said = "[1:1:ERROR:dbus/bus.cc:405] Failed to connect\n\
                    [1:1:INFO:CONSOLE:61] \"Uncaught TypeError: x\", source: http://127.0.0.1/app.js (61)\n";
        assert_eq!(complaints(said).len(), 1);
    }
}
