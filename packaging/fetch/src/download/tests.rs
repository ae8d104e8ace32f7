use foundation::failure::{Failure as _, Kind};

use super::test_server::{Manner, Server};
use super::*;

/// A downloader for tests: it gives up fast and knows no proxy but those given.
pub(crate) fn quick(network: Network, variables: &[(&str, &str)]) -> Downloader {
    let patience = Patience {
        timeouts: Timeouts { connect: Duration::from_secs(2), read: Duration::from_millis(400), all: None },
        attempts: 3,
        attempts_in_all: 5,
        pause: Duration::from_millis(5),
        longest_pause: Duration::from_secs(2),
        least: (1000, Duration::from_millis(300)),
        threads: 4,
        alone: true,
    };
    Downloader::with(network, patience, &|name| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    (dir, store)
}

fn content() -> Vec<u8> {
    (0..300_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn wanted(name: &str, urls: &[String], content: &[u8]) -> Wanted {
    Wanted { name: name.into(), urls: urls.to_vec(), size: Some(content.len() as u64), sha256: Digest::of(content) }
}

/// Fetches one file; the result and the warnings.
fn run(store: &Store, wanted: &Wanted) -> (Result<PathBuf, DownloadError>, Vec<String>) {
    let warnings = Mutex::new(Vec::new());
    let result = quick(Network::Online, &[]).fetch(store, wanted, &|event| {
        if let DownloadEvent::Warning(text) = event {
            warnings.lock().unwrap().push(text);
        }
    });
    (result, warnings.into_inner().unwrap())
}

#[test]
fn many_files_in_parallel_with_progress_that_ends_complete() {
    let (_dir, store) = store();
    let server = Server::start();
    let files: Vec<Wanted> = (0..30)
        .map(|i| {
            let content = format!("content {i}").repeat(i + 1).into_bytes();
            wanted(&format!("f{i}"), &[server.on(&format!("/f{i}"), Manner::Good(content.clone()))], &content)
        })
        .collect();
    let last = Mutex::new(DownloadProgress::default());
    let downloader = quick(Network::Online, &[]);
    let listen = |event| {
        if let DownloadEvent::Progress(progress) = event {
            *last.lock().unwrap() = progress;
        }
    };
    downloader.fetch_all(&store, &files, &listen).unwrap();
    let total = files.iter().filter_map(|file| file.size).sum::<u64>();
    let done = last.lock().unwrap().clone();
    assert_eq!((done.files_done, done.files_total, done.bytes_done, done.bytes_total), (30, 30, total, total));
    assert!(files.iter().all(|file| store.blob(&file.sha256).is_some()));

    downloader.fetch_all(&store, &files, &listen).unwrap();
    assert_eq!(server.requests().len(), 30, "what is there is not asked for again");
    assert_eq!(std::fs::read_dir(store.root().join("partial")).unwrap().count(), 0);
}

#[test]
fn a_truncated_download_is_resumed() {
    let (_dir, store) = store();
    let server = Server::start();
    let content = content();
    let url = server.on("/big", Manner::Truncate(content.clone(), 500_000));
    let path = run(&store, &wanted("big", &[url], &content)).0.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content);
    assert_eq!(server.requests(), ["GET /big", "GET /big range=bytes=500000-", "GET /big range=bytes=1000000-"]);
}

#[test]
fn a_run_that_was_killed_is_resumed_even_from_another_mirror() {
    let (_dir, store) = store();
    let server = Server::start();
    let content = content();
    for (url, requests) in [
        (server.on("/range", Manner::Good(content.clone())), vec!["GET /range range=bytes=700000-"]),
        (server.on("/norange", Manner::NoRange(content.clone())), vec!["GET /norange range=bytes=700000-"]),
    ] {
        let wanted = wanted("big", &[url], &content);
        let part = store.part_path(&wanted.sha256);
        std::fs::write(&part, &content[..700_000]).unwrap();
        run(&store, &wanted).0.unwrap();
        assert!(!part.exists());
        let asked = server.requests();
        assert_eq!(asked[asked.len() - requests.len()..], requests);
        std::fs::remove_file(store.blob(&wanted.sha256).unwrap()).unwrap();
    }
}

#[test]
fn a_bad_beginning_is_thrown_away() {
    let (_dir, store) = store();
    let server = Server::start();
    let content = content();
    let wanted = wanted("big", &[server.on("/big", Manner::Good(content.clone()))], &content);
    for part in [vec![0; 1000], vec![0; content.len()], vec![0; content.len() + 1]] {
        std::fs::write(store.part_path(&wanted.sha256), part).unwrap();
        let path = run(&store, &wanted).0.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), content);
        std::fs::remove_file(path).unwrap();
    }
    // Without a known size the server is asked, and says that there is no such range.
    let unsized_ = Wanted { size: None, ..wanted };
    std::fs::write(store.part_path(&unsized_.sha256), vec![0; content.len()]).unwrap();
    run(&store, &unsized_).0.unwrap();
}

#[test]
fn a_stalled_mirror_is_given_up_and_resumed() {
    let (_dir, store) = store();
    let server = Server::start();
    let content = content();
    let stalled = server.on("/stall", Manner::Stall(content.clone(), 1000));
    let good = server.on("/good", Manner::Good(content.clone()));
    let mut wanted = wanted("big", &[stalled.clone(), good], &content);
    // Each attempt gains 1000 bytes, so patience is renewed up to the limit on attempts in all.
    let (result, warnings) = run(&store, &wanted);
    result.unwrap();
    assert!(warnings[0].contains("/stall") && warnings[0].contains("broke off"), "{warnings:?}");

    wanted.urls = vec![stalled];
    std::fs::remove_file(store.blob(&wanted.sha256).unwrap()).unwrap();
    let error = run(&store, &wanted).0.unwrap_err();
    assert_ne!(error.kind(), Kind::Verification, "{error}");
}

#[test]
fn wrong_content_is_reported_with_the_mirror_and_the_next_one_is_tried() {
    let (_dir, store) = store();
    let server = Server::start();
    let content = content();
    let mut other = content.clone();
    other[77] ^= 1;
    let mut longer = content.clone();
    longer.push(0);
    let bad = [
        (server.on("/other", Manner::Good(other)), "its sha256 is", true),
        (server.on("/short", Manner::Good(content[1..].to_vec())), "it has 1199999 bytes, expected 1200000", true),
        (server.on("/longer", Manner::NoLength(longer)), "more than the 1200000 bytes", true),
        (server.on("/html", Manner::Html { labelled: true }), "a web page", false),
        (server.on("/unlabelled", Manner::Html { labelled: false }), "a web page", false),
        (server.url("/none"), "HTTP 404", false),
        ("http://127.0.0.1:1/refused".into(), "refused", false),
        ("ftp://127.0.0.1/x".into(), "only http:// and https://", false),
    ];
    let good = server.on("/good", Manner::Good(content.clone()));
    for (url, why, wrong) in &bad {
        let both = wanted("thing.deb", &[url.clone(), good.clone()], &content);
        let (result, warnings) = run(&store, &both);
        std::fs::remove_file(result.unwrap()).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        for part in ["thing.deb", url, why] {
            assert!(warnings[0].contains(part), "{part}: {warnings:?}");
        }

        let error = run(&store, &wanted("thing.deb", std::slice::from_ref(url), &content)).0.unwrap_err();
        let text = error.message();
        assert!(text.contains(url) && text.contains(why) && text.contains("--mirror"), "{text}");
        assert_eq!(error.kind() == Kind::Verification, *wrong, "{text}");
        assert_eq!(error.kind() == Kind::Verification, *wrong);
        assert_eq!(store.blob(&Digest::of(&content)), None);
    }
    // A page where the size is not known is recognised by its first bytes.
    let mut unsized_ = wanted("thing", &[server.url("/unlabelled")], &content);
    unsized_.size = None;
    assert!(run(&store, &unsized_).0.unwrap_err().message().contains("a web page"));
}

#[test]
fn a_busy_server_is_asked_again() {
    let (_dir, store) = store();
    let server = Server::start();
    let url = server.on("/busy", Manner::Busy(2, b"x".to_vec()));
    run(&store, &wanted("x", &[url], b"x")).0.unwrap();
    assert_eq!(server.requests().len(), 3);
    let url = server.on("/always", Manner::Status(503));
    let error = run(&store, &wanted("y", &[url], b"y")).0.unwrap_err().message();
    assert!(error.contains("HTTP 503"), "{error}");
    assert_eq!(server.requests().len(), 6, "three attempts");
}

/// Two mirrors, of which the first lets everybody wait: that is found out once, however many files there are.
#[test]
fn a_slow_mirror_costs_one_wait_and_is_tried_last() {
    for (manner, why) in [
        (Manner::Silent, "timeout"),
        (Manner::Stall(vec![7; 5000], 100), "broke off after 100 bytes"),
        (Manner::Drip(vec![7; 5000], Duration::from_millis(50)), "bytes in 0.3 s"),
    ] {
        let (_dir, store) = store();
        let (slow, good) = (Server::start(), Server::start());
        let files: Vec<Wanted> = (0..17u8)
            .map(|number| {
                let content = vec![number; 5000];
                let path = format!("/{number}");
                wanted(
                    &path,
                    &[slow.on(&path, manner.clone()), good.on(&path, Manner::Good(content.clone()))],
                    &content,
                )
            })
            .collect();
        let warnings = Mutex::new(Vec::new());
        let listen = |event| {
            if let DownloadEvent::Warning(text) = event {
                warnings.lock().unwrap().push(text);
            }
        };
        let started = Instant::now();
        quick(Network::Online, &[]).fetch_all(&store, &files, &listen).unwrap();
        let warnings = warnings.into_inner().unwrap();
        assert!(warnings[0].contains(why), "{warnings:?}");
        // One for each of the threads that had begun before it was known.
        assert!(slow.requests().len() <= 4, "{:?}", slow.requests());
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        // Where nobody else has it, a slow one is good enough, as long as it sends something.
        if let Manner::Drip(..) = manner {
            let content = vec![9; 20];
            let url = slow.on("/last", Manner::Drip(content.clone(), Duration::from_millis(50)));
            run(&store, &wanted("last", &[url], &content)).0.unwrap();
        }
    }
}

#[test]
fn a_server_that_sends_a_byte_now_and_then_holds_nobody_for_ever() {
    let (_dir, store) = store();
    let server = Server::start();
    let content = content();
    let url = server.on("/drip", Manner::Drip(content.clone(), Duration::from_millis(50)));
    let hurried = || {
        let timeouts = Timeouts { all: Some(Duration::from_secs(1)), ..quick(Network::Online, &[]).patience.timeouts };
        Downloader::with(
            Network::Online,
            Patience { timeouts, alone: false, least: (0, PATIENCE.least.1), ..PATIENCE },
            &|_| None,
        )
    };
    let begun = Instant::now();
    let text = hurried().get("text", std::slice::from_ref(&url), 1 << 20, &|_| ()).unwrap_err();
    assert!(text.to_string().contains("it is too slow"), "{text}");
    let files: Vec<Wanted> =
        (0..20u8).map(|i| wanted("f", std::slice::from_ref(&url), &[content.as_slice(), &[i]].concat())).collect();
    let file = hurried().fetch_all(&store, &files, &|_| ()).unwrap_err();
    assert!(file.to_string().contains("/drip"), "{file}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // Whoever is in time is not hindered.
    let good = server.on("/good", Manner::Good(content.clone()));
    hurried().fetch(&store, &wanted("good", &[good], &content), &|_| ()).unwrap();
}

#[test]
fn a_server_that_wants_to_be_left_alone_is() {
    let (_dir, store) = store();
    let (busy, good) = (Server::start(), Server::start());
    // A moment, and nobody else has it: it is waited for.
    let url = busy.on("/soon", Manner::RetryAfter(1, 1, b"x".to_vec()));
    let started = Instant::now();
    run(&store, &wanted("x", std::slice::from_ref(&url), b"x")).0.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1) && busy.requests().len() == 2, "{:?}", busy.requests());
    // An hour, or somebody else has it: it is not.
    let url = busy.on("/later", Manner::RetryAfter(9, 3600, b"y".to_vec()));
    let error = run(&store, &wanted("y", std::slice::from_ref(&url), b"y")).0.unwrap_err().to_string();
    assert!(error.contains("HTTP 429, and it asks to be left alone for 3600 s"), "{error}");
    let other = good.on("/later", Manner::Good(b"y".to_vec()));
    run(&store, &wanted("y", &[url, other], b"y")).0.unwrap();
    assert_eq!(busy.requests().len(), 4);
}

#[test]
fn the_first_retry_is_said_at_once_and_once() {
    let (_dir, store) = store();
    let server = Server::start();
    let url = server.on("/busy", Manner::Busy(2, b"x".to_vec()));
    let told = Mutex::new(Vec::new());
    let listen = |event| {
        if let DownloadEvent::Retry(text) = event {
            told.lock().unwrap().push((text, server.requests().len()));
        }
    };
    quick(Network::Online, &[]).fetch(&store, &wanted("x", std::slice::from_ref(&url), b"x"), &listen).unwrap();
    assert_eq!(told.into_inner().unwrap(), [(format!("x: {url}: HTTP 503; trying again"), 1)]);
}

#[test]
fn redirections_are_followed_but_not_for_ever() {
    let (_dir, store) = store();
    let server = Server::start();
    server.on("/a/c", Manner::Good(b"x".to_vec()));
    server.on("/a/b", Manner::Redirect("c".into()));
    let url = server.on("/start", Manner::Redirect(server.url("/a/b")));
    run(&store, &wanted("x", &[url], b"x")).0.unwrap();
    let url = server.on("/loop", Manner::Redirect("/loop".into()));
    assert!(run(&store, &wanted("y", &[url], b"y")).0.unwrap_err().message().contains("too many redirections"));
}

#[test]
fn a_host_that_is_down_is_not_tried_for_every_file() {
    let (_dir, store) = store();
    let files: Vec<Wanted> =
        (0..40u8).map(|i| wanted(&format!("f{i:02}"), &["http://127.0.0.1:1/x".into()], &[i])).collect();
    let error = quick(Network::Online, &[]).fetch_all(&store, &files, &|_| ()).unwrap_err();
    let DownloadError::Failed { files } = &error else { panic!("{error}") };
    let not_tried = files.iter().filter(|file| file.tried[0].why.starts_with("not tried")).count();
    assert!(files.len() == 40 && not_tried >= 30, "{not_tried}");
    assert!(error.to_string().contains("and 37 more files"), "{error}");
}

#[test]
fn offline_names_what_is_missing_and_does_not_touch_the_network() {
    let (_dir, store) = store();
    let server = Server::start();
    let there = wanted("there", &[server.on("/there", Manner::Good(b"a".to_vec()))], b"a");
    let missing = wanted("libc6_2.36_amd64.deb", &[server.on("/missing", Manner::Good(b"b".to_vec()))], b"b");
    store.add(&b"a"[..], None).unwrap();
    let offline = quick(Network::Offline, &[]);
    offline.fetch(&store, &there, &|_| ()).unwrap();
    let error = offline.fetch_all(&store, &[there, missing], &|_| ()).unwrap_err();
    let text = error.message();
    assert!(text.contains("libc6_2.36_amd64.deb") && text.contains("cargo xtask fetch"), "{text}");
    assert!(!text.contains("there,") && error.kind() != Kind::Verification);
    assert!(offline.get("InRelease", &[server.url("/there")], 10, &|_| ()).is_err());
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn a_text_of_unknown_digest() {
    let server = Server::start();
    let urls = [
        server.on("/html", Manner::Html { labelled: false }),
        server.on("/cut", Manner::Truncate(b"0123456789".to_vec(), 5)),
        server.on("/long", Manner::Good(vec![b'x'; 101])),
        server.on("/good", Manner::Good(b"0123456789".to_vec())),
    ];
    let downloader = quick(Network::Online, &[]);
    let (text, url) = downloader.get("InRelease", &urls, 100, &|_| ()).unwrap();
    assert_eq!((text.as_slice(), &url), (&b"0123456789"[..], &urls[3]));
    let error = downloader.get("InRelease", &urls[..3], 100, &|_| ()).unwrap_err().message();
    for part in ["web page", "broke off", "longer than 100"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_proxy_gets_the_absolute_address_and_the_credentials() {
    let (_dir, store) = store();
    let (proxy, origin) = (Server::start(), Server::start());
    proxy.on("http://nowhere.invalid/x?y=1", Manner::Good(b"x".to_vec()));
    let address = format!("http://user:secret@{}", proxy.address);
    let variables = [("http_proxy", address.as_str()), ("no_proxy", "example.org,127.0.0.1")];
    let downloader = quick(Network::Online, &variables);
    downloader.fetch(&store, &wanted("x", &["http://nowhere.invalid/x?y=1".into()], b"x"), &|_| ()).unwrap();
    assert_eq!(proxy.requests(), ["GET http://nowhere.invalid/x?y=1 proxy-authorization=Basic dXNlcjpzZWNyZXQ="]);
    // no_proxy: straight to the origin.
    let url = origin.on("/z", Manner::Good(b"z".to_vec()));
    downloader.fetch(&store, &wanted("z", &[url], b"z"), &|_| ()).unwrap();
    assert_eq!((proxy.requests().len(), origin.requests().len()), (1, 1));
    // What cannot be followed is refused, and nobody is asked.
    let variables = [("all_proxy", "socks5://127.0.0.1:1")];
    let url = origin.on("/past", Manner::Good(b"past".to_vec()));
    let refused = quick(Network::Online, &variables).fetch(&store, &wanted("past", &[url], b"past"), &|_| ());
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("the proxy in all_proxy, 'socks5://127.0.0.1:1', is of the kind socks5"), "{error}");
    assert_eq!(origin.requests().len(), 1);
    // https goes through a tunnel, and only where https_proxy says so.
    let variables = [("HTTPS_PROXY", address.as_str())];
    let tunnel = quick(Network::Online, &variables);
    let _ = tunnel.fetch(&store, &wanted("s", &["https://nowhere.invalid/s".into()], b"s"), &|_| ());
    assert!(proxy.requests().last().unwrap().starts_with("CONNECT nowhere.invalid:443"), "{:?}", proxy.requests());
    // An address of the newer kind, and a user without a password.
    let Some(six) = Server::start_at("[::1]:0") else { return };
    six.on("http://nowhere.invalid/6", Manner::Good(b"6".to_vec()));
    let address = format!("http://me@{}", six.address);
    let variables = [("http_proxy", address.as_str()), ("https_proxy", address.as_str())];
    let both = quick(Network::Online, &variables);
    both.fetch(&store, &wanted("6", &["http://nowhere.invalid/6".into()], b"6"), &|_| ()).unwrap();
    let _ = both.fetch(&store, &wanted("s", &["https://nowhere.invalid/s".into()], b"s"), &|_| ());
    let requests = six.requests();
    assert_eq!(requests[0], "GET http://nowhere.invalid/6 proxy-authorization=Basic bWU6");
    assert!(
        requests.last().unwrap().starts_with("CONNECT nowhere.invalid:443 proxy-authorization=Basic bWU6"),
        "{requests:?}"
    );
}
