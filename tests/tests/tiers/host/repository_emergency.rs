//! The drill: the key that signs is stolen, or lost with the machine that had it, and the stand-by key takes over. Real apt clients
//! that update within two weeks notice nothing, and the thief reaches none that has updated since.

use std::fs;
use std::path::Path;
use std::process::Command;

use places::Remote;
use repository::{Consent, PushOptions, Repository, SETTLED_DAYS};
use sign::gpg::Gpg;
use sign::signer::Signer;
use tests::dist::TestKey;
use tests::key::Key;
use tests::{Ran, judge, run_off, tool};

use super::repository_keys::Room;

/// The public part, as its owner hands it over.
fn public(key: &Key) -> Vec<u8> {
    key.gpg(&["--armor", "--export", &key.primary]).into_bytes()
}

fn copy(from: &Path, to: &Path) {
    judge("cp", &["--archive", &from.display().to_string(), &to.display().to_string()], Path::new("/"));
}

#[test]
fn a_stolen_key_is_replaced_and_no_client_notices() {
    let (key, first) = Key::with_subkey(400);
    let (stand_by, second) = Key::with_subkey(800);
    let room = Room::new(&key);
    let (weekly, slow, never) = (room.client(), room.client(), room.client());
    let (old, new) = (key.signer(), stand_by.signer());
    let emergency = |day| room.open().emergency(&new, SETTLED_DAYS, room.day(day));
    let publish = |file: &[u8]| room.open().publish_stand_by(file, &[&old], room.day(1));
    room.lives(&weekly, 0);

    // What cannot stand by.
    room.refused(|| emergency(1), &["no stand-by key was published", "rotate-key --stand-by FILE"]);
    room.refused(|| publish(&public(&key)), &[&key.primary, "signs this repository", "make another one"]);
    let secret = fs::read(stand_by.secret()).unwrap();
    room.refused(|| publish(&secret), &["has its secret part", "gpg --export KEY"]);
    let binary =
        Command::new("gpg").arg("--dearmor").arg("-o").arg("-").arg(stand_by.secret()).output().unwrap().stdout;
    room.refused(|| publish(&binary), &["has its secret part"]);
    let both = [public(&key), public(&stand_by)].concat();
    room.refused(|| publish(&both), &["the file has 2 keys"]);
    room.refused(|| publish(b"no key at all"), &["read a public key"]);
    let (short, _) = Key::with_subkey(100);
    room.refused(|| publish(&public(&short)), &["ends", "--quick-set-expire"]);
    room.refused(|| publish(&public(&Key::new("ed25519", "cert"))), &["it cannot sign"]);

    publish(&public(&stand_by)).unwrap();
    repository::verify(&room.repository(), None, room.day(1)).unwrap();
    assert_eq!(room.signed_by(), [first.as_str()], "it signs nothing yet");
    let version = room.version();
    let again = room.open().publish_stand_by(&public(&stand_by), &[&old], room.day(1)).unwrap();
    assert_eq!(room.version(), version, "the same is no news: {again:?}");
    let status = repository::status(&room.repository(), room.day(2)).unwrap();
    let ready = status.stand_by.unwrap();
    assert_eq!((ready.fingerprint, status.needs), (stand_by.primary.clone(), vec![]));
    let safe = foundation::date::text(ready.ready.unwrap());
    // Too early, and with another key than the one that clients know.
    room.refused(
        || emergency(3),
        &["have the stand-by key since", &format!("safe from {safe} on"), "--give-up-clients"],
    );
    room.refused(
        || room.open().emergency(&old, 14, room.day(30)),
        &["the stand-by key of this repository is", &stand_by.primary],
    );
    room.refresh(6, &[&old]).unwrap();
    room.lives(&weekly, 7);
    room.lives(&slow, 14);
    // The thief has all that the machine had.
    let (thiefs, place) = (room.folder.path().join("thiefs"), room.folder.path().join("place"));
    let place: Remote = place.display().to_string().parse().unwrap();
    let push =
        |repository: &mut Repository, day| repository.push(&place, &PushOptions::default(), room.day(day), &mut |_| ());
    push(&mut room.open(), 14).unwrap();
    copy(&room.repository(), &thiefs);

    emergency(16).unwrap();
    repository::verify(&room.repository(), None, room.day(16)).unwrap();
    assert_eq!(room.signed_by(), [second.as_str()]);
    push(&mut room.open(), 16).unwrap();
    room.lives(&weekly, 16);
    room.lives(&slow, 27);
    let fresh = room.client();
    room.lives(&fresh, 27);
    never.update_at(room.day(27)).fails(100, &["NO_PUBKEY"]);

    // What he signs, be it ever so new, and by the web server's own address.
    let mut his = Repository::open(&thiefs, "a thief", &mut |_| ()).unwrap();
    his.refresh(&[], &[&old], room.day(28)).unwrap();
    let error = push(&mut his, 28).unwrap_err().to_string();
    assert!(error.contains("somebody published from another copy"), "{error}");
    drop(his);
    let aside = room.folder.path().join("aside");
    fs::rename(room.repository(), &aside).unwrap();
    copy(&thiefs, &room.repository());
    for client in [&weekly, &slow, &fresh] {
        client.update_at(room.day(28)).fails(100, &["NO_PUBKEY"]);
    }
    fs::remove_dir_all(room.repository()).unwrap();
    fs::rename(&aside, room.repository()).unwrap();

    // The stolen key never comes back, and the next one stands by.
    room.refused(
        || room.open().begin_rotation(&[&new], &old, room.day(28)),
        &["given up in an emergency", "take a new one"],
    );
    room.refused(
        || room.open().refresh(&[], &[&old], room.day(28)),
        &["this repository is signed with", &stand_by.primary],
    );
    let stand_by_again = |key: &Key| room.open().publish_stand_by(&public(key), &[&new], room.day(28));
    room.refused(|| stand_by_again(&key), &["given up in an emergency"]);
    let (next, _) = Key::with_subkey(800);
    stand_by_again(&next).unwrap();
    for client in [&weekly, &slow, &fresh] {
        room.lives(client, 29);
    }
    // It may also take over in peace, and then nobody has to learn of it.
    room.open().begin_rotation(&[&new], &next.signer(), room.day(43)).unwrap();
    assert!(room.open().keys().stand_by.is_none());
    room.lives(&weekly, 43);
    repository::verify(&room.repository(), None, room.day(43)).unwrap();
}

/// The machine burns in the middle of a rotation, with both keys; nothing was signed since.
#[test]
fn lost_keys_are_replaced_before_what_they_signed_ends() {
    let (key, _) = Key::with_subkey(400);
    let (next, _) = Key::with_subkey(400);
    let (stand_by, second) = Key::with_subkey(800);
    let room = Room::new(&key);
    let (follows, late) = (room.client(), room.client());
    let new: Gpg = stand_by.signer();
    {
        let old = key.signer();
        room.open().publish_stand_by(&public(&stand_by), &[&old], room.day(0)).unwrap();
        room.lives(&follows, 1);
        room.open().begin_rotation(&[&old], &next.signer(), room.day(2)).unwrap();
    }
    room.lives(&late, 3);
    room.lives(&follows, 8);
    // Whoever cannot wait says so, and loses who has not updated: not those who have.
    let hurry = room.folder.path().join("hurry");
    copy(&room.repository(), &hurry);
    let mut repository = Repository::open(&hurry, "in a hurry", &mut |_| ()).unwrap();
    let error = repository.emergency(&new, SETTLED_DAYS, room.day(10)).unwrap_err().to_string();
    assert!(error.contains("--give-up-clients"), "{error}");
    repository.allow(Consent { lost_clients: true, ..Consent::default() });
    repository.emergency(&new, SETTLED_DAYS, room.day(10)).unwrap();
    drop(repository);
    // Those who can wait do, until the last day of what is signed.
    room.open().emergency(&new, SETTLED_DAYS, room.day(15)).unwrap();
    assert_eq!(room.signed_by(), [second.as_str()]);
    for client in [&follows, &late] {
        room.lives(client, 17);
    }
    let signers: [&dyn Signer; 1] = [&new];
    room.refresh(20, &signers).unwrap();
    room.lives(&follows, 24);
    room.lives(&late, 31);
    // A stand-by key that ends soon is told of in time.
    let (short, _) = Key::with_subkey(250);
    room.open().publish_stand_by(&public(&short), &signers, room.day(31)).unwrap();
    room.refresh(200, &signers).unwrap();
    let needs = room.needs(200);
    assert!(
        needs.len() == 1 && needs[0].contains("the stand-by key") && needs[0].contains("--stand-by FILE"),
        "{needs:?}"
    );
}

/// As an operator types it.
#[test]
fn the_commands_of_an_emergency() {
    let (key, stand_by) = (TestKey::new("Test Release"), TestKey::new("Stand By"));
    let folder = tempfile::tempdir().unwrap();
    let repo = |off: &str, arguments: &[&str], key: Option<&TestKey>| -> Ran {
        let mut command = Command::new(tool());
        command.arg("repo").arg(arguments[0]).arg(folder.path().join("repository")).args(&arguments[1..]);
        command.env("MESOS_PACKAGES_CACHE", folder.path().join("cache"));
        if let Some(key) = key {
            command.arg("--key-file").arg(key.secret());
        }
        run_off(off, &command)
    };
    repo("+0s", &["init", "--codename", "bookworm"], Some(&key)).success();
    repo("+0s", &["rotate-key", "--emergency"], None).fails(2, &["no stand-by key was published", "--stand-by FILE"]);
    let ring = stand_by.ring().display().to_string();
    let ran = repo("+0s", &["rotate-key", "--stand-by", &ring], Some(&key)).success().stdout;
    assert!(ran.contains(&format!("stands by {}", stand_by.fingerprint)), "{ran}");
    let said = repo("+0s", &["status"], None).success().stdout;
    assert!(
        said.contains(&format!("stands by   {}", stand_by.fingerprint)) && said.contains("can take over from"),
        "{said}"
    );
    repo("+0s", &["rotate-key", "--emergency"], Some(&stand_by))
        .fails(1, &["have the stand-by key since", "safe from"]);
    repo("+15d", &["rotate-key", "--emergency"], Some(&key)).fails(1, &["the stand-by key of this repository is"]);
    let ran = repo("+15d", &["rotate-key", "--emergency"], Some(&stand_by)).success().stdout;
    assert!(ran.contains(&format!("signed by {}", stand_by.fingerprint)) && !ran.contains(&key.fingerprint), "{ran}");
    let said = repo("+15d", &["status"], None).success().stdout;
    assert!(!said.contains(&key.fingerprint) && !said.contains("stands by"), "{said}");
    repo("+15d", &["verify"], None).success();
}
