use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    (dir, store)
}

fn entries(path: &Path) -> usize {
    fs::read_dir(path).unwrap().count()
}

#[test]
fn a_blob_is_found_by_its_digest_and_a_wrong_one_is_refused() {
    let (_dir, store) = store();
    let blob = store.add(&b"hello"[..], Some(Digest::of("hello"))).unwrap();
    assert_eq!((blob.size, store.blob(&Digest::of("hello"))), (5, Some(blob.path.clone())));
    assert_eq!(store.verify(&blob.digest).unwrap(), blob.path);

    let error = store.add(&b"hell0"[..], Some(Digest::of("hello2"))).unwrap_err();
    assert_eq!(error.kind(), Kind::Verification, "{error}");
    assert_eq!(store.blob(&Digest::of("hell0")), None);
    assert_eq!(entries(&store.root().join("tmp")), 0, "nothing is left behind");
}

#[test]
fn a_damaged_blob_is_noticed() {
    let (_dir, store) = store();
    let blob = store.add(&b"hello"[..], None).unwrap();
    fs::set_permissions(&blob.path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&blob.path, "hellO").unwrap();
    assert_eq!(store.blob(&blob.digest), None);
    assert!(!blob.path.exists(), "so that it is fetched again");

    // Damage that keeps the time stamp is found by hashing.
    let blob = store.add(&b"hello"[..], None).unwrap();
    fs::set_permissions(&blob.path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&blob.path, "hellO").unwrap();
    mark(&blob.path, &blob.digest).unwrap();
    let error = store.verify(&blob.digest).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }) && error.kind() == Kind::Verification, "{error}");
    assert!(matches!(store.verify(&blob.digest), Err(StoreError::Missing { .. })));
}

#[test]
fn a_blob_copied_without_its_time_stamp_is_taken_after_hashing() {
    let (_dir, store) = store();
    let blob = store.add(&b"hello"[..], None).unwrap();
    File::open(&blob.path).unwrap().set_modified(SystemTime::now()).unwrap();
    assert_eq!(store.blob(&blob.digest), Some(blob.path.clone()));
    assert_eq!(fs::metadata(&blob.path).unwrap().modified().unwrap(), mark_of(&blob.digest));
}

#[test]
fn a_stage_appears_whole_or_not_at_all() {
    let (_dir, store) = store();
    let key = Digest::of("inputs");
    let dropped = store.begin("root", &key).unwrap();
    fs::write(dropped.path().join("a"), "1").unwrap();
    drop(dropped);
    assert_eq!(store.stage("root", &key), None);

    let (first, second) = (store.begin("root", &key).unwrap(), store.begin("root", &key).unwrap());
    fs::write(first.path().join("a"), "1").unwrap();
    fs::write(second.path().join("a"), "1").unwrap();
    let path = first.commit().unwrap();
    assert_eq!(store.stage("root", &key), Some(path.clone()));
    assert_eq!(second.commit().unwrap(), path, "the faster run's result stands");
    assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "1");
    store.forget_stage("root", &key).unwrap();
    store.forget_stage("root", &key).unwrap();
    assert_eq!(store.stage("root", &key), None);
    assert_eq!(entries(&store.root().join("tmp")), 0);
}

#[test]
fn the_lock_removes_what_killed_runs_left_and_nothing_else() {
    let (_dir, store) = store();
    let living = store.temp_dir().unwrap();
    let dead = store.root().join("tmp/wdead");
    fs::create_dir_all(dead.join("deep")).unwrap();
    fs::set_permissions(dead.join("deep"), fs::Permissions::from_mode(0o500)).unwrap();
    fs::write(store.root().join("tmp/file"), "x").unwrap();
    let _lock = store.try_lock("test").unwrap();
    assert!(living.path().exists() && !dead.exists());
    assert_eq!(entries(&store.root().join("tmp")), 1);
}

#[test]
fn the_second_run_learns_who_holds_the_lock() {
    let (_dir, store) = store();
    let lock = store.try_lock("package sample").unwrap();
    let error = store.try_lock("package mesos").unwrap_err();
    let StoreError::Locked { holder, .. } = &error else { panic!("{error}") };
    assert_eq!((holder.pid, holder.what.as_str()), (std::process::id(), "package sample"));
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");

    // The waiting kind gets it once it is free.
    let mut lock = Some(lock);
    let mut waited = 0;
    let _second = store
        .lock("package mesos", &mut |holder| {
            waited += 1;
            assert_eq!(holder.what, "package sample");
            lock.take();
        })
        .unwrap();
    assert_eq!(waited, 1);
}

#[test]
fn a_full_disk_is_told_apart() {
    // The kernel's own always-full device.
    let error = File::options().write(true).open("/dev/full").unwrap().write_all(b"x").unwrap_err();
    let (dir, _) = store();
    let error = StoreError::io("write", dir.path().join("blob"))(error);
    let text = error.message();
    assert!(matches!(error, StoreError::Full { .. }), "{text}");
    assert!(text.contains("MESOS_PACKAGES_CACHE") && text.contains("free now"), "{text}");
    assert_eq!(error.kind(), Kind::Failed);
}

#[test]
fn a_cache_that_cannot_be_written_says_where() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let error = Store::open(Some(&dir.path().join("file/cache"))).unwrap_err().to_string();
    assert!(error.contains("file/cache"), "{error}");
}
