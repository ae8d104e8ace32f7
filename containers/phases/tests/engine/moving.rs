//! Files into volumes and out of them, and throw-away scripts.

use std::collections::BTreeMap;
use std::fs;

use engine::once::{run_once, run_once_with_volumes};
use engine::transfer::{Content, Upload, download, download_tar, upload};
use engine::volume;
use trial::{Trial, engine, image};

#[tokio::test]
async fn there_and_back_again() {
    let bench = Trial::new("moving").await;
    let here = bench.folder.path();
    fs::create_dir_all(here.join("tree/sub")).unwrap();
    fs::write(here.join("tree/sub/file"), "content").unwrap();
    std::os::unix::fs::symlink("sub/file", here.join("tree/link")).unwrap();
    let mut builder = tar::Builder::new(fs::File::create(here.join("source.tar")).unwrap());
    builder.append_dir_all("inner", here.join("tree/sub")).unwrap();
    builder.finish().unwrap();
    // More than the buffers under way hold.
    let big: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let uploads = [
        Upload { path: "/build/a/tree".into(), content: Content::Directory(here.join("tree")), mode: 0 },
        Upload { path: "/build/source".into(), content: Content::Tar(here.join("source.tar")), mode: 0 },
        Upload::bytes("/build/big", big.clone(), 0o600),
    ];
    upload(&bench.engine, bench.image, &bench.volume, &uploads).await.unwrap();
    let log = bench
        .output("cat /build/source/inner/file; stat -c '%n %u:%g %a' /build/a /build/a/tree/sub/file /build/big")
        .await;
    assert_eq!(log, "content/build/a 1000:1000 755\n/build/a/tree/sub/file 1000:1000 644\n/build/big 1000:1000 600\n");

    let dest = here.join("dest");
    fs::create_dir(&dest).unwrap();
    let fetch = |path| download(&bench.engine, bench.image, &bench.volume, path, &dest);
    assert!(fetch("/build/a/tree").await.unwrap());
    assert!(fetch("/build/big").await.unwrap());
    assert!(!fetch("/build/none").await.unwrap());
    assert_eq!(fs::read_to_string(dest.join("link")).unwrap(), "content");
    assert_eq!(fs::read(dest.join("big")).unwrap(), big);

    let file = here.join("tree.tar");
    assert!(download_tar(&bench.engine, bench.image, &bench.volume, "/build/a/tree", &file).await.unwrap());
    assert!(
        !download_tar(&bench.engine, bench.image, &bench.volume, "/build/none", &here.join("none.tar")).await.unwrap()
    );
    assert!(!here.join("none.tar").exists());
    let mut archive = tar::Archive::new(fs::File::open(&file).unwrap());
    let names: Vec<String> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    assert!(names.iter().any(|name| name == "tree/sub/file"), "{names:?}");
    bench.done().await;
}

#[tokio::test]
async fn a_missing_host_file_is_named_and_nothing_is_left_half() {
    let bench = Trial::new("missing").await;
    let gone = bench.folder.path().join("gone");
    let uploads = [
        Upload::bytes("/build/first", "x", 0o644),
        Upload { path: "/build/x".into(), content: Content::File(gone.clone()), mode: 0o644 },
    ];
    let error = upload(&bench.engine, bench.image, &bench.volume, &uploads).await.unwrap_err().to_string();
    assert!(error.contains(&gone.display().to_string()), "{error}");
    bench.done().await;
}

#[tokio::test]
async fn a_script_once() {
    let engine = engine().await;
    let image = image(&engine).await;
    let uploads = [Upload::bytes("/solver/input", "from outside", 0o644)];
    let env = BTreeMap::from([("WORD".to_owned(), "two words".to_owned())]);
    let script =
        b"cat /solver/input; echo \" $WORD\"; echo complaint >&2; ls /sys/class/net; touch /solver/x; id -u; exit 5";
    let output = run_once(&engine, image, script, &uploads, &env, true).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from outside two words\nlo\n0\n");
    assert_eq!((output.exit, output.stderr.as_slice()), (5, b"complaint\n".as_slice()));
    let output = run_once(&engine, image, b"id -u; touch /x", &[], &BTreeMap::new(), false).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1000\n");
    assert_ne!(output.exit, 0);
}

#[tokio::test]
async fn volumes_are_made_once_listed_copied_and_removed() {
    let bench = Trial::new("volumes").await;
    let engine = &bench.engine;
    upload(engine, bench.image, &bench.volume, &[Upload::bytes("/build/keep", "k", 0o644)]).await.unwrap();
    volume::create(engine, &bench.volume, "test", "another").await.unwrap();
    let found = volume::list(engine).await.unwrap().into_iter().find(|found| found.name == bench.volume).unwrap();
    assert_eq!(found.labels[engine::names::LABEL_KEY], "volumes", "the first one stays as it is");
    let copy = format!("{}-copy", bench.volume);
    volume::create(engine, &copy, "test", "copy").await.unwrap();
    let volumes = [(bench.volume.as_str(), "/from"), (copy.as_str(), "/build")];
    let script = b"cp --archive /from/. /build/ && cat /build/keep && stat -c %u /build /build/keep";
    let output =
        run_once_with_volumes(engine, bench.image, script, &[], &BTreeMap::new(), false, &volumes).await.unwrap();
    assert_eq!((output.exit, String::from_utf8_lossy(&output.stdout).as_ref()), (0, "k1000\n1000\n"), "{output:?}");
    volume::remove(engine, &copy).await.unwrap();
    assert!(!volume::exists(engine, &copy).await.unwrap());
    volume::remove(engine, &copy).await.unwrap();
    bench.done().await;
}
