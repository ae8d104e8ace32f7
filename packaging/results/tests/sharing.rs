//! Results go from one machine to another, and nothing else is taken than what was stated and confirmed.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use foundation::digest::Digest;
use foundation::failure::{Failure as _, Kind as FailureKind};
use foundation::store::Store;
use results::take::{Latest, Said};
use results::{Bundle, Key, KeyRing, Kind, ResultsError, Taker};
use statements::proof::dsse;
use statements::proof::result::StageResult;
use support::{Heard, Machine, Manner, NOW, key, noise, parts, ring, serve, take, take_nothing, taker};

#[test]
fn a_result_arrives_as_it_was_by_folder_and_by_web() {
    let (builder, other) = (Machine::new(), Machine::new());
    let place = builder.folder.path().join("place");
    let offered = builder.offer(&place, builder.bundle("one")).unwrap();
    let copied = offered[0].copied.unwrap();
    assert!((5 << 20..6 << 20).contains(&copied), "{copied} bytes");
    let web = serve(&place, Manner::Well);
    for source in [place.to_str().unwrap(), &web] {
        let taker = taker(other.folder.path(), &[source], &[&builder], 1);
        let (taken, said) = take(&taker, &other.store);
        let received = taken.unwrap().unwrap_or_else(|| panic!("{said}"));
        let tree = received.content().join("tree");
        assert_eq!(fs::read_to_string(tree.join("text")).unwrap(), "one");
        assert_eq!(fs::read(tree.join("large")).unwrap(), noise(5 << 20));
        assert_eq!(fs::read_link(tree.join("link")).unwrap().to_str(), Some("text"));
        assert!(tree.join("empty").is_dir() && fs::read(tree.join("nothing")).unwrap().is_empty());
        let mode = |name: &str| fs::metadata(tree.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("run"), mode("text")), (0o755, 0o644));
        let builder_key = &sign::signer::Signer::key(&builder.gpg).primary;
        assert!(fs::read_to_string(received.account().join("log")).unwrap().contains(builder_key));
        let by = &received.taken.builders[0];
        assert_eq!(
            (&by.key, by.statement),
            (builder_key, Digest::of_file(&place.join(builder.statement(&key()))).unwrap())
        );
        // The parts are gone again from the cache.
        assert_eq!(
            walkdir::WalkDir::new(other.store.root().join("blobs"))
                .into_iter()
                .flatten()
                .filter(|e| e.file_type().is_file())
                .count(),
            0
        );
    }
    // Uploaded once; and what another result has in common with it is not a part of its own.
    assert_eq!(builder.offer(&place, builder.bundle("one")).unwrap()[0].copied, None);
    let before = parts(&place).len();
    let inputs = Key { inputs: Digest::of("other inputs"), ..key() };
    builder.offer_at(&place, builder.bundle("another text, longer than the first"), inputs, *NOW, false).unwrap();
    let more = parts(&place).len() - before;
    assert!(before >= 4 && more <= 3, "{before} parts, then {more} more");
}

#[test]
fn as_many_distinct_keys_as_are_required_have_to_state_the_same() {
    let (one, two, taking) = (Machine::new(), Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    let name = place.to_str().unwrap().to_owned();
    one.offer(&place, one.bundle("same")).unwrap();
    let folder = taking.folder.path();
    let both = taker(folder, &[&name, &name], &[&one, &two], 2);
    // One statement at two places is one builder.
    assert!(take_nothing(&both, &taking.store).contains("1 of 2 keys that are required"));
    two.offer(&place, two.bundle("same")).unwrap();
    let taken = take(&both, &taking.store).0.unwrap().unwrap().taken;
    assert_eq!(taken.builders.len(), 2);
    // A key that was removed from the ring, though its statement is there still.
    let left = taker(folder, &[&name], &[&two], 1);
    assert_eq!(take(&left, &taking.store).0.unwrap().unwrap().taken.builders.len(), 1);
    let path = ring(folder, &[&two]);
    // Nor does its word count of what was taken before.
    let counted = |taker: &Taker| taken.builders.iter().filter(|by| taker.counts(by)).count();
    assert_eq!((counted(&both), counted(&left)), (2, 1));
    let few = Taker::new(vec![name.parse().unwrap()], &KeyRing::Named(path.clone()), 2).unwrap_err();
    assert!(few.to_string().contains("has 1 key that counts") && few.kind() == FailureKind::Usage, "{few}");
    // Development keys, which any machine makes for itself, count only where somebody names them.
    let settings = Taker::new(vec![name.parse().unwrap()], &KeyRing::Configured(path), 1).unwrap_err();
    assert!(settings.to_string().contains("has 0 keys that count"), "{settings}");
}

#[test]
fn a_key_that_was_revoked_counts_no_more() {
    let (one, two, taking) = (Machine::new(), Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    let name = place.to_str().unwrap().to_owned();
    one.offer(&place, one.bundle("same")).unwrap();
    let before = taker(taking.folder.path(), &[&name], &[&one, &two], 1);
    let taken = take(&before, &taking.store).0.unwrap().unwrap().taken;
    assert!(before.counts(&taken.builders[0]));
    // The ring has the revocation now.
    let path = ring(taking.folder.path(), &[&one, &two]);
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = |arguments: &[&str], input: &str| {
        let mut command = std::process::Command::new("gpg");
        command.args(["--no-tty", "--command-fd", "0", "--homedir"]).arg(home.path()).args(arguments);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut gpg = command.spawn().unwrap();
        gpg.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let done = gpg.wait_with_output().unwrap();
        assert!(done.status.success(), "{arguments:?}");
        done.stdout
    };
    let import = |file: &std::path::Path| drop(gpg(&["--import", file.to_str().unwrap()], ""));
    let secret = fs::read_dir(one.folder.path().join("key")).unwrap().next().unwrap().unwrap().path();
    import(&secret);
    import(&path);
    let primary = &sign::signer::Signer::key(&one.gpg).primary;
    let revocation = home.path().join("revocation");
    fs::write(&revocation, gpg(&["--gen-revoke", primary], "y\n1\n\ny\n")).unwrap();
    import(&revocation);
    fs::write(&path, gpg(&["--export"], "")).unwrap();
    let places = || vec![name.parse().unwrap()];
    let after = Taker::new(places(), &KeyRing::Named(path.clone()), 1).unwrap();
    assert!(!after.counts(&taken.builders[0]));
    assert!(take(&after, &taking.store).0.unwrap().is_none());
    let few = Taker::new(places(), &KeyRing::Named(path.clone()), 2).map(|_| ()).unwrap_err();
    assert!(few.to_string().contains("has 1 key that counts"), "{few}");
    // Where no place is asked, the ring says only who counts of what was taken before.
    assert!(!Taker::new(Vec::new(), &KeyRing::Named(path), 2).unwrap().asks());
}

#[test]
fn statements_that_disagree_are_an_alarm() {
    let (one, two, taking) = (Machine::new(), Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    let name = place.to_str().unwrap().to_owned();
    one.offer(&place, one.bundle("one")).unwrap();
    two.offer(&place, two.bundle("two")).unwrap();
    for require in [1, 2] {
        let both = taker(taking.folder.path(), &[&name], &[&one, &two], require);
        let error = take(&both, &taking.store).0.unwrap_err();
        assert_eq!(error.kind().exit_code(), 3);
        for machine in [&one, &two] {
            assert!(error.to_string().contains(&sign::signer::Signer::key(&machine.gpg).primary), "{error}");
        }
    }
    // Whoever trusts one of them has no doubt.
    let alone = taker(taking.folder.path(), &[&name], &[&two], 1);
    let received = take(&alone, &taking.store).0.unwrap().unwrap();
    assert_eq!(fs::read_to_string(received.content().join("tree/text")).unwrap(), "two");
    // Nor does a builder state two things.
    let error = one.offer(&place, one.bundle("not one")).unwrap_err();
    assert!(matches!(error, ResultsError::OtherwiseStated { .. }) && error.kind().exit_code() == 3, "{error}");
}

#[test]
fn what_a_key_said_before_is_remembered() {
    let (builder, taking) = (Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    let name = place.to_str().unwrap().to_owned();
    let taker = taker(taking.folder.path(), &[&name], &[&builder], 1);
    let old = taking.folder.path().join("old place");
    builder.offer(&old, builder.bundle("bad, and withdrawn")).unwrap();
    builder.offer(&place, builder.bundle("good")).unwrap();
    assert!(take(&taker, &taking.store).0.unwrap().is_some());
    // Somebody who can write there brings the older statement back, with all that belongs to it.
    support::copy(&old, &place);
    let error = take(&taker, &taking.store).0.unwrap_err();
    assert!(error.to_string().contains("when this machine took it before"), "{error}");
    assert_eq!(error.kind().exit_code(), 3);
}

#[test]
fn a_place_that_is_away_or_slow_is_done_without() {
    let (builder, taking) = (Machine::new(), Machine::new());
    let folder = taking.folder.path();
    let nowhere = folder.join("nowhere");
    let said = take_nothing(&taker(folder, &[nowhere.to_str().unwrap()], &[&builder], 1), &taking.store);
    assert!(said.contains("nothing is taken from") && said.contains("nowhere"), "{said}");
    // A port that nobody listens at.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = take_nothing(&taker(folder, &[&format!("http://{closed}/x")], &[&builder], 1), &taking.store);
    assert!(said.contains("nothing is taken from http://127.0.0.1"), "{said}");
    let begun = Instant::now();
    let silent = taker(folder, &[&serve(folder, Manner::Silent)], &[&builder], 1);
    assert!(take_nothing(&silent, &taking.store).contains("nothing is taken from"));
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    // Of several, the next one has it; and whoever was away is not asked again by this run.
    let place = folder.join("place");
    builder.offer(&place, builder.bundle("one")).unwrap();
    let both = taker(folder, &[nowhere.to_str().unwrap(), place.to_str().unwrap()], &[&builder], 1);
    assert!(take(&both, &taking.store).0.unwrap().is_some());
    assert_eq!(take(&both, &taking.store).1, "");
}

#[test]
fn the_password_of_a_place_is_used_and_never_told() {
    let (builder, taking) = (Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    builder.offer(&place, builder.bundle("one")).unwrap();
    let address = serve(&place, Manner::Closed);
    let with_password = address.replace("http://", "http://me:secret@");
    let taker = |place: &str| taker(taking.folder.path(), &[place], &[&builder], 1);
    assert!(take_nothing(&taker(&address), &taking.store).contains("HTTP 401"));
    let (taken, said) = take(&taker(&with_password), &taking.store);
    let taken = taken.unwrap().unwrap_or_else(|| panic!("{said}")).taken;
    assert_eq!(taken.place, address);
    fs::remove_file(&parts(&place)[0]).unwrap();
    let said = take_nothing(&taker(&with_password), &taking.store);
    assert!(said.contains("HTTP 404") && said.contains(&address) && !said.contains("secret"), "{said}");
}

#[test]
fn bytes_that_are_not_those_that_were_signed_are_not_used() {
    let (builder, taking) = (Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    let name = place.to_str().unwrap().to_owned();
    let web = serve(&place, Manner::Well);
    builder.offer(&place, builder.bundle("one")).unwrap();
    let all = parts(&place);
    let list = all.last().unwrap();
    for source in [&name, &web] {
        let taker = taker(taking.folder.path(), &[source], &[&builder], 1);
        for part in [&all[0], list] {
            let whole = fs::read(part).unwrap();
            let mut changed = whole.clone();
            changed[whole.len() / 2] ^= 1;
            for wrong in [&changed[..], &whole[..whole.len() - 1], &[whole.clone(), vec![0]].concat(), b""] {
                fs::write(part, wrong).unwrap();
                // A cache that has no part yet.
                let folder = tempfile::tempdir().unwrap();
                let said = take_nothing(&taker, &Store::open(Some(folder.path())).unwrap());
                let part = part.file_name().unwrap().to_str().unwrap();
                assert!(said.contains("is not taken from") && said.contains(part), "{said}");
            }
            fs::remove_file(part).unwrap();
            let folder = tempfile::tempdir().unwrap();
            take_nothing(&taker, &Store::open(Some(folder.path())).unwrap());
            fs::write(part, whole).unwrap();
        }
    }
    // What came before is not fetched again, though it is damaged by now: only the part that is missing.
    fs::write(&all[0], "damaged").unwrap();
    let taker = taker(taking.folder.path(), &[&name], &[&builder], 1);
    take_nothing(&taker, &taking.store);
    let missing = fs::read(list).unwrap();
    builder.offer_at(&place, builder.bundle("one"), key(), *NOW, true).unwrap();
    assert_eq!(fs::read(list).unwrap(), missing, "copied again as it was");
    for part in &all[1..] {
        fs::write(part, "damaged after it had arrived").unwrap();
    }
    assert!(take(&taker, &taking.store).0.unwrap().is_some());
}

#[test]
fn a_good_signature_on_something_else_is_not_enough() {
    let (builder, taking) = (Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    let taker = taker(taking.folder.path(), &[place.to_str().unwrap()], &[&builder], 1);
    builder.offer(&place, builder.bundle("one")).unwrap();
    let file = place.join(builder.statement(&key()));
    let good = fs::read(&file).unwrap();
    let stated = dsse::unchecked::<StageResult>(&good).unwrap();
    let sign = |statement: &statements::proof::intoto::Statement<StageResult>| {
        fs::write(&file, dsse::seal(statement, &builder.gpg, *NOW).unwrap()).unwrap();
    };
    // The content that is stated is not the one that its list has.
    sign(&stated.predicate.clone().about(Digest::of("another content")));
    assert!(take_nothing(&taker, &taking.store).contains("a list of the content"));
    // The list is of other files than it says: signed, and refused all the same.
    let mut other = builder.bundle("one").list(Vec::new());
    other.content[1].path = "../../outside".into();
    let text = zstd::bulk::compress(&serde_json::to_vec(&other).unwrap(), 3).unwrap();
    let list = statements::proof::result::Part {
        sha256: Digest::of(&text),
        size: text.len() as u64,
        length: serde_json::to_vec(&other).unwrap().len() as u64,
    };
    let path = place.join(results::part_path(&list.sha256));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    let content = results::list::digest(&other.content);
    sign(&StageResult { list, ..stated.predicate.clone() }.about(content));
    assert!(take_nothing(&taker, &taking.store).contains("a path that leads elsewhere"));
    // A statement about other inputs under this one's name, an unsigned one, and one by a key that nobody trusts.
    let inputs = Digest::of("other inputs").into();
    sign(&StageResult { inputs, ..stated.predicate.clone() }.about(stated.content().unwrap()));
    assert!(take_nothing(&taker, &taking.store).contains("is about other inputs than its name says"));
    let stranger = Machine::new();
    fs::write(&file, dsse::seal(&stated, &stranger.gpg, *NOW).unwrap()).unwrap();
    assert!(take_nothing(&taker, &taking.store).contains("does not count"));
    fs::write(&file, &good[..good.len() / 2]).unwrap();
    assert!(take_nothing(&taker, &taking.store).contains("does not count"));
    fs::write(&file, good).unwrap();
    assert!(take(&taker, &taking.store).0.unwrap().is_some());
}

/// Needs root, which may mount.
mod host {
    use super::*;

    #[test]
    fn a_place_that_is_full_gets_no_statement() {
        let builder = Machine::new();
        let place = builder.folder.path().join("place");
        fs::create_dir(&place).unwrap();
        let mount = |program: &str, arguments: &[&str]| {
            let status = std::process::Command::new(program).args(arguments).arg(&place).status().unwrap();
            assert!(status.success(), "{program} {arguments:?}");
        };
        mount("mount", &["-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
        let offered = builder.offer(&place, builder.bundle("one"));
        let stated = place.join("statements").exists();
        // The lock is given back, so that the next one need not wait.
        let locks = fs::read_dir(place.join("repository/locks")).map_or(0, Iterator::count);
        mount("umount", &[]);
        let error = offered.unwrap_err();
        assert!(error.message().contains("nothing was stated that is not there as a whole"), "{}", error.message());
        assert!(!stated && locks == 0, "{stated} {locks}");
        builder.offer(&place, builder.bundle("one")).unwrap();
    }
}

#[test]
fn a_link_is_taken_only_in_what_a_build_installed() {
    let (builder, taking) = (Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    let name = place.to_str().unwrap().to_owned();
    let taker = taker(taking.folder.path(), &[&name], &[&builder], 1);
    let secret = taking.folder.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("id"), "secret").unwrap();
    let logs = builder.folder.path().join("logs");
    std::os::unix::fs::symlink(&secret, &logs).unwrap();
    let heard = |kind, bundle| {
        let key = Key { kind, ..key() };
        builder.offer_at(&place, bundle, key, *NOW, false).unwrap();
        let heard = Heard::default();
        (taker.take(&taking.store, &key, &heard).unwrap(), heard.text())
    };
    for (kind, bundle) in [
        (Kind::Staged, builder.bundle("one").account(&logs, "logs").unwrap()),
        (Kind::Split, builder.bundle("one")),
        (Kind::Packages, builder.plain("one").account(&logs, "logs").unwrap()),
        (Kind::Package, builder.bundle("one")),
        (Kind::Verdict, Bundle::default().content(&logs, "verdict.json").unwrap()),
    ] {
        let (taken, said) = heard(kind, bundle);
        assert!(taken.is_none() && said.contains("a symbolic link, where a result of the kind"), "{kind:?}: {said}");
        assert_eq!(fs::read_dir(taking.store.root().join("tmp")).unwrap().count(), 0);
    }
}

#[test]
fn a_statement_of_a_day_to_come_does_not_count_nor_shut_out_what_is_stated_today() {
    let (builder, taking) = (Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    let name = place.to_str().unwrap().to_owned();
    let taker = taker(taking.folder.path(), &[&name], &[&builder], 1);
    let verdict = Key { kind: Kind::Verdict, ..key() };
    let offer = |text: &str, now| builder.offer_at(&place, builder.plain(text), verdict, now, true).unwrap();
    let each = || {
        let heard = Heard::default();
        (taker.each(&taking.store, &verdict, &BTreeSet::new(), &heard).unwrap(), heard.text())
    };
    // 2100-01-01; what has no date at all; and as far as clocks may be apart, with what this one is ahead.
    for to_come in [4_102_444_800, i64::MAX, *NOW + 86_400] {
        let offered = builder.plain("to come");
        let stated = offer("to come", *NOW)[0].content;
        assert_eq!(stated, offered.digest());
        let file = place.join(builder.statement(&verdict));
        let mut statement = dsse::unchecked::<StageResult>(&fs::read(&file).unwrap()).unwrap();
        statement.predicate.stated = to_come;
        fs::write(&file, dsse::seal(&statement, &builder.gpg, *NOW).unwrap()).unwrap();
        let (said, heard) = each();
        let when = foundation::date::text(to_come.min(253_402_300_799));
        assert!(said.is_empty() && heard.contains(&format!("is dated {when}, and here it is")), "{heard}");
        assert!(heard.contains("share --again"), "{heard}");
    }
    offer("today's", *NOW);
    assert_eq!(each().0.len(), 1);
    // What an earlier version of this tool remembered of such a one is forgotten.
    let seen = taking.store.root().join("history/stated");
    let seen = fs::read_dir(seen).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&seen).unwrap();
    assert!(text.contains(&NOW.to_string()), "{text}");
    fs::write(&seen, text.replace(&NOW.to_string(), "4102444800")).unwrap();
    let (said, heard) = each();
    assert!(said.len() == 1 && heard.is_empty(), "{heard}");
}

#[test]
fn of_what_nobody_can_confirm_the_latest_is_taken_on_one_word() {
    let (one, two, stranger, taking) = (Machine::new(), Machine::new(), Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    fs::create_dir(&place).unwrap();
    let name = place.to_str().unwrap().to_owned();
    let cache = Key { kind: Kind::CompilerCache, ..key() };
    let taker = taker(taking.folder.path(), &[&name], &[&one, &two], 1);
    let heard = Heard::default();
    let latest = |known| taker.latest(&taking.store, &cache, known, &heard).unwrap();
    assert!(latest(None).is_none());
    let offer = |machine: &Machine, text: &str, now| {
        machine.offer_at(&place, machine.plain(text), cache, now, false).unwrap()[0].content
    };
    // Whoever is not in the ring is not heard, however late.
    offer(&stranger, "stranger's", *NOW + 9);
    offer(&one, "one's first", *NOW);
    offer(&two, "two's", *NOW + 2);
    // Two who have different ones are no alarm, and neither is one who has another one later.
    let last = offer(&one, "one's second", *NOW + 3);
    let Some(Latest::New(received)) = latest(None) else { panic!("{}", heard.text()) };
    assert_eq!(fs::read_to_string(received.content().join("tree/text")).unwrap(), "one's second");
    assert_eq!((received.taken.content, received.taken.builders.len()), (last, 1));
    assert!(matches!(latest(Some(last)), Some(Latest::Known)), "it is here already");
    // Where a part of it is lost, the next one is taken.
    let list = walkdir::WalkDir::new(place.join("parts")).into_iter().flatten();
    for part in list.filter(|entry| entry.metadata().unwrap().is_file()) {
        let text = zstd::decode_all(fs::File::open(part.path()).unwrap()).unwrap();
        if String::from_utf8_lossy(&text).contains("one's second") {
            fs::remove_file(part.path()).unwrap();
        }
    }
    let Some(Latest::New(received)) = latest(None) else { panic!("{}", heard.text()) };
    assert_eq!(fs::read_to_string(received.content().join("tree/text")).unwrap(), "two's");
    assert!(heard.text().contains("is not taken from"), "{}", heard.text());
    // No place says of it that builders disagree.
    assert!(taker.keys().unwrap().is_empty());
}

#[test]
fn of_what_differs_by_its_nature_each_builder_is_heard_with_what_it_stated_last() {
    let (one, two, stranger, taking) = (Machine::new(), Machine::new(), Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    let (name, nowhere) = (place.to_str().unwrap().to_owned(), taking.folder.path().join("nowhere"));
    let verdict = Key { kind: Kind::Verdict, ..key() };
    let taker = taker(taking.folder.path(), &[nowhere.to_str().unwrap(), &name], &[&one, &two], 1);
    let texts = || {
        let heard = Heard::default();
        let each = taker.each(&taking.store, &verdict, &BTreeSet::new(), &heard).unwrap();
        let text = |said: &Said| match &said.what {
            Some(Latest::New(received)) => {
                assert_eq!(received.taken.builders, std::slice::from_ref(&said.by));
                Some(fs::read_to_string(received.content().join("tree/text")).unwrap())
            }
            _ => None,
        };
        (each.iter().filter_map(text).collect::<Vec<_>>(), heard.text())
    };
    let offer = |machine: &Machine, text: &str, now| {
        machine.offer_at(&place, machine.plain(text), verdict, now, false).unwrap();
    };
    fs::create_dir(&place).unwrap();
    let (none, said) = texts();
    assert!(none.is_empty() && said.contains("nothing is taken from") && said.contains("nowhere"), "{said}");
    offer(&stranger, "stranger's", *NOW + 9);
    offer(&one, "one's first", *NOW);
    let old = taking.folder.path().join("old");
    support::copy(&place, {
        fs::create_dir(&old).unwrap();
        &old
    });
    offer(&two, "two's", *NOW + 1);
    offer(&one, "one's second", *NOW + 2);
    assert_eq!(texts(), (vec!["one's second".into(), "two's".into()], String::new()));
    // A place that brings back what somebody has stated again since.
    support::copy(&old, &place);
    let (each, said) = texts();
    assert_eq!(each, ["two's"]);
    let [first, second] = [*NOW, *NOW + 2].map(foundation::date::text);
    for text in [&format!("it is of {first}, and "), "which this machine has heard of", &format!("on {second}: bring")]
    {
        assert!(said.contains(text), "{text}: {said}");
    }
    offer(&one, "one's third", *NOW + 3);
    assert_eq!(texts().0, ["one's third", "two's"]);
    // What is here already is not brought again; what has been lost since is said to be stated, and not to be had.
    let file = |machine: &Machine| Digest::of_file(&place.join(machine.statement(&verdict))).unwrap();
    fs::remove_dir_all(place.join("parts")).unwrap();
    let (known, heard) = (BTreeSet::from([file(&two)]), Heard::default());
    let each = taker.each(&taking.store, &verdict, &known, &heard).unwrap();
    let by: Vec<Digest> = each.iter().map(|said| said.by.statement).collect();
    assert_eq!(by, [file(&one), file(&two)]);
    assert!(each[0].what.is_none() && matches!(each[1].what, Some(Latest::Known)), "{each:?} {}", heard.text());
    assert!(taker.keys().unwrap().is_empty(), "no place says of it that builders disagree");
}
