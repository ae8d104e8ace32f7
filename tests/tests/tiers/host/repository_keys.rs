//! Keys that are renewed, end, are revoked and are lost, under clients with the real apt whose clock goes on: nobody who
//! updates within two weeks is ever cut off, and what would do that is refused and changes nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use repository::{Consent, Publication, Repository, RepositoryError, SETTLED_DAYS, Settings, Suite};
use sign::signer::Signer;
use tests::apt::Client;
use tests::key::{DAY, Key};
use tests::{judge, run};

/// A repository for bookworm and trixie, whose day 0 is the present.
pub(super) struct Room {
    pub folder: tempfile::TempDir,
    base: i64,
}

impl Room {
    pub fn new(key: &Key) -> Self {
        let room = Self { folder: tempfile::tempdir().unwrap(), base: key.base };
        room.init(&key.signer()).unwrap();
        room
    }

    pub fn init(&self, signer: &dyn Signer) -> Result<(), RepositoryError> {
        let suite = |codename: &str| Suite { codename: codename.into(), name: None, keep: None };
        let settings = Settings {
            name: "mesos".into(),
            origin: "Mesos packages".into(),
            label: "Mesos packages".into(),
            description: "Apache Mesos for Debian".into(),
            maintainer: "Test <test@example.org>".into(),
            uri: None,
            components: vec!["main".into()],
            architectures: vec!["amd64".into()],
            valid_days: 14,
            development: false,
            suite: vec![suite("bookworm"), suite("trixie")],
        };
        Repository::init(&self.repository(), &settings, &[signer], None, self.day(0)).map(drop)
    }

    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub fn day(&self, day: i64) -> i64 {
        self.base + day * DAY
    }

    pub fn open(&self) -> Repository {
        Repository::open(&self.repository(), "a test", &mut |_| ()).unwrap()
    }

    pub fn refresh(&self, day: i64, signers: &[&dyn Signer]) -> Result<Vec<Publication>, RepositoryError> {
        let published = self.open().refresh(&[], signers, self.day(day));
        if published.is_ok() {
            repository::verify(&self.repository(), None, self.day(day)).unwrap();
        }
        published
    }

    /// It is refused with these words, and not a byte of the repository changes.
    #[track_caller]
    pub fn refused<T>(&self, what: impl FnOnce() -> Result<T, RepositoryError>, says: &[&str]) {
        let state = || {
            let list =
                "find . -type f ! -name .lock -exec sha256sum {} + | sort; find . -type l -printf '%p %l\\n' | sort";
            judge("sh", &["-c", list], &self.repository())
        };
        let before = state();
        let Err(error) = what() else { panic!("it is taken") };
        for text in says {
            assert!(error.to_string().contains(text), "{text} is not in: {error}");
        }
        assert_eq!(state(), before);
    }

    /// The keys that signed what clients of bookworm see, as gpg tells them apart.
    pub fn signed_by(&self) -> Vec<String> {
        let packets =
            run(Command::new("gpg").args(["--list-packets"]).arg(self.repository().join("dists/bookworm/Release.gpg")));
        let lines = packets.stdout.lines().filter_map(|line| line.split("issuer fpr v4 ").nth(1));
        lines.map(|line| line.trim_end_matches(')').to_owned()).collect()
    }

    pub fn version(&self) -> String {
        self.open().keys().version.clone()
    }

    pub fn client(&self) -> Client {
        Client::new(&self.repository())
    }

    /// What `status` says of this day.
    pub fn needs(&self, day: i64) -> Vec<String> {
        repository::status(&self.repository(), self.day(day)).unwrap().needs
    }

    /// It updates on this day, and takes what is new.
    #[track_caller]
    pub fn lives(&self, client: &Client, day: i64) {
        let ran = client.update_at(self.day(day)).success();
        assert!(!ran.stderr.contains("W:"), "{}", ran.stderr);
        client.apt_at(self.day(day), &["dist-upgrade"]).success();
        assert_eq!(client.installed("mesos-archive-keyring"), Some(self.version()));
    }
}

/// The client updates once a week, the slow one just within two, and one never did: the last is the proof that the
/// others would notice.
#[test]
fn a_renewed_subkey_signs_when_clients_know_it() {
    let (key, first) = Key::with_subkey(400);
    let room = Room::new(&key);
    let (weekly, slow, never) = (room.client(), room.client(), room.client());
    let old_copy = key.signer();
    let version = room.version();
    room.lives(&weekly, 0);

    let second = key.add_subkey(800);
    room.refresh(1, &[&key.signer()]).unwrap();
    assert_eq!(room.signed_by(), [first.as_str()], "nobody knows the second one yet");
    assert_ne!(room.version(), version);
    room.lives(&room.client(), 1);
    room.lives(&weekly, 7);

    // Renewed once more before that has settled; and with nothing but another self-signature.
    key.set_end(&first, 900);
    room.refresh(8, &[&key.signer()]).unwrap();
    key.gpg(&["--quick-add-uid", &key.primary, "Archive, too <archive@example.com>"]);
    room.refresh(9, &[&key.signer()]).unwrap();
    assert_eq!(room.signed_by(), [first.as_str()]);
    let version = room.version();
    // A copy of the key that knows nothing of it all takes nothing back.
    room.refresh(10, &[&old_copy]).unwrap();
    assert_eq!(room.version(), version);
    room.lives(&slow, 13);
    room.lives(&weekly, 14);

    room.refresh(25, &[&key.signer()]).unwrap();
    assert_eq!(room.signed_by(), [second.as_str()], "everybody knows it");
    room.lives(&weekly, 26);
    room.lives(&slow, 26);
    never.update_at(room.day(26)).fails(100, &["NO_PUBKEY"]);

    // One suite alone is asked for: the other one gets the changed ring as well.
    let third = key.add_subkey(800);
    let published = room.open().publish(&["bookworm".into()], &[&key.signer()], room.day(27)).unwrap();
    let names: Vec<&str> = published.iter().map(|one| one.snapshot.codename.as_str()).collect();
    assert_eq!(names, ["bookworm", "trixie"]);
    // A machine that has nothing but the third one: clients know nothing that it could sign with.
    let only_third = key.signer_of(&third);
    let says = ["bookworm", "accept only", &second, &third, "Hand over the key", "--give-up-clients"];
    room.refused(|| room.open().refresh(&[], &[&only_third], room.day(28)), &says);
    let mut repository = room.open();
    repository.allow(Consent { lost_clients: true, ..Consent::default() });
    repository.refresh(&[], &[&only_third], room.day(28)).unwrap();
    drop(repository);
    slow.update_at(room.day(28)).fails(100, &["NO_PUBKEY"]);
    room.lives(&room.client(), 28);
    // That was decided once, and is not asked again.
    room.refresh(29, &[&only_third]).unwrap();
}

#[test]
fn a_revoked_subkey_signs_for_who_knows_no_other() {
    let (key, first) = Key::with_subkey(400);
    let room = Room::new(&key);
    let (weekly, slow) = (room.client(), room.client());
    let old_copy = key.signer();
    let second = key.add_subkey(800);
    key.revoke_first();
    room.refresh(1, &[&key.signer()]).unwrap();
    assert_eq!(room.signed_by(), [second.clone(), first]);
    room.lives(&weekly, 2);
    // Who has the new package trusts the revoked one no more.
    let ring = weekly.path("usr/share/keyrings/mesos-archive-keyring.gpg").display().to_string();
    assert!(judge("gpg", &["--show-keys", "--with-colons", &ring], Path::new("/")).contains("\nsub:r:"));
    room.refused(
        || room.open().refresh(&[], &[&old_copy], room.day(3)),
        &["accept only", &second, "older than what clients have"],
    );
    room.lives(&slow, 14);
    room.refresh(15, &[&key.signer()]).unwrap();
    room.refresh(16, &[&key.signer()]).unwrap();
    assert_eq!(room.signed_by(), [second]);
    room.lives(&weekly, 16);
    room.lives(&slow, 16);
}

#[test]
fn an_end_is_moved_in_time_or_refused() {
    let (key, subkey) = Key::with_subkey(30);
    let room = Room::new(&key);
    let (follows, never) = (room.client(), room.client());
    // It has to be moved while everybody can learn of it.
    assert_eq!(room.needs(1), [""; 0]);
    let needs = room.needs(3);
    let says = |text: &str| needs.iter().any(|need| need.contains(text));
    assert!(
        needs.len() == 1 && says(&subkey) && says("extend it with") && says("so that clients know of it in time"),
        "{needs:?}"
    );
    // Nothing better is known to gpg here, and clients would refuse it before what it signs ends.
    key.set_end(&subkey, 12);
    let says = [subkey.as_str(), "ends", "gpg --quick-set-expire"];
    room.refused(|| room.open().refresh(&[], &[&key.signer()], room.day(1)), &says);
    // Too late: all that clients have has ended.
    key.set_end(&subkey, 400);
    room.refused(|| room.open().refresh(&[], &[&key.signer()], room.day(31)), &["accept no key any more"]);
    // In time.
    room.refresh(5, &[&key.signer()]).unwrap();
    room.lives(&follows, 6);
    room.refresh(28, &[&key.signer()]).unwrap();
    assert_eq!(room.needs(29), [""; 0]);
    room.lives(&follows, 31);
    never.update_at(room.day(31)).fails(100, &["EXPKEYSIG"]);
}

#[test]
fn the_older_key_goes_when_clients_have_both() {
    let (key, _) = Key::with_subkey(400);
    let (next, _) = Key::with_subkey(400);
    let room = Room::new(&key);
    let (follows, slow) = (room.client(), room.client());
    let (old, new) = (key.signer(), next.signer());
    let finish = |day| room.open().finish_rotation(&[&new], SETTLED_DAYS, room.day(day));
    // A beginning that fails where the second suite would be written.
    let in_the_way = room.repository().join("snapshots/trixie/2/x");
    std::fs::create_dir_all(&in_the_way).unwrap();
    assert!(room.open().begin_rotation(&[&old], &new, room.day(1)).is_err());
    let says = ["trixie have no keyring package with both keys yet", "repo refresh"];
    room.refused(|| finish(40), &says);
    room.refused(|| room.open().finish_rotation(&[&new], 0, room.day(40)), &says);
    // The same again completes it. The days count from there.
    room.open().begin_rotation(&[&old], &new, room.day(2)).unwrap();
    room.refused(|| finish(2), &["keyring package with both keys since", "--for"]);
    let status = repository::status(&room.repository(), room.day(3)).unwrap();
    assert_eq!((status.rotation_ready, status.needs), (Some(room.day(16)), vec![]));
    room.lives(&follows, 3);
    room.refused(|| finish(15), &["trixie have the keyring package with both keys since"]);
    // A renewal in between does not start them again.
    next.add_subkey(800);
    room.refresh(14, &[&old, &next.signer()]).unwrap();
    room.lives(&slow, 15);
    finish(17).unwrap();
    for client in [&follows, &slow] {
        room.lives(client, 18);
    }
    room.refresh(18, &[&new]).unwrap();
    room.lives(&follows, 19);
    repository::verify(&room.repository(), None, room.day(19)).unwrap();
}

#[test]
fn keys_that_clients_refuse_are_refused() {
    let (good, _) = Key::with_subkey(400);
    let room = Room { folder: tempfile::tempdir().unwrap(), base: good.base };
    let takes = |key: &Key, says: &[&str]| {
        let error = room.init(&key.signer()).unwrap_err().to_string();
        for text in says {
            assert!(error.contains(text), "{text} is not in: {error}");
        }
        assert!(!room.repository().exists());
    };
    takes(&Key::new("rsa1024", "sign"), &["RSA key of less than 2048 bits", "take a new one"]);
    takes(&Key::new("dsa2048", "sign"), &["DSA", "take a new one"]);
    takes(&Key::with_subkey(13).0, &["ends", "--quick-set-expire"]);
    let weak = Key::with_options(&["--cert-digest-algo", "SHA1"], "rsa2048", "sign");
    takes(&weak, &["SHA-1", "--cert-digest-algo SHA512"]);
    // Neither as the next one, nor as a subkey that takes over.
    room.init(&good.signer()).unwrap();
    let next = weak.signer();
    room.refused(|| room.open().begin_rotation(&[&good.signer()], &next, room.day(1)), &["SHA-1"]);
}
