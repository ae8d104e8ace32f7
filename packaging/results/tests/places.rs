//! What a place may have and lose: what is old goes, what is somebody else's stays, what is too large is not fetched.

mod support;

use std::fs;
use std::time::Instant;

use foundation::digest::Digest;
use foundation::store::Store;
use results::prune::{Keep, Pruned};
use results::{Bundle, Key};
use statements::proof::dsse;
use statements::proof::result::{StageResult, Subject};
use support::{Heard, Machine, Manner, NOW, key, parts, serve, take, take_nothing, taker};

#[test]
fn what_is_old_goes_and_what_is_needed_stays() {
    const DAY: i64 = 86_400;
    let builder = Machine::new();
    let place = builder.folder.path().join("place");
    let offer = |version: &str, text: &str, day: i64| {
        let of = Subject { recipe: "demo".into(), target: "debian-13/amd64".into(), version: version.into() };
        let key = Key { inputs: Digest::of(version), ..key() };
        let bundle = builder.bundle(text);
        let offering = results::offer::Offering { key, of, bundle };
        builder.at(&place, *NOW + day * DAY, false, |desk| desk.offer(&[offering])).unwrap();
        builder.statement(&key)
    };
    let (old, kept) = (offer("1", "one", 0), offer("2", "two", 20));
    let all = parts(&place).len();
    // Not of any result; and what a killed copy has left.
    let stray = ["parts/stray", "statements/stray", "statements/staged/2024-01.pdf", "parts/.stray.Aa1234"];
    for file in stray {
        fs::write(place.join(file), "stray").unwrap();
    }
    let part = parts(&place).into_iter().find(|part| part.file_name().unwrap().len() == 64).unwrap();
    let left = part.with_file_name(format!(".{}.Aa1234", part.file_name().unwrap().to_str().unwrap()));
    fs::write(&left, "half of it").unwrap();
    let pruned = builder.at(&place, *NOW + 40 * DAY, false, |desk| desk.prune(Keep { days: 30, versions: 0 })).unwrap();
    // A list and the one part with the text are the old one's alone.
    assert_eq!(pruned.statements, (1, 2));
    assert!(pruned.parts.1 == all && (1..=3).contains(&pruned.parts.0), "{pruned:?}");
    assert!(!place.join(old).exists() && place.join(kept).exists());
    assert!(!left.exists() && stray.iter().all(|file| place.join(file).exists()));
    let again = builder.at(&place, *NOW + 400 * DAY, false, |desk| desk.prune(Keep { days: 30, versions: 1 })).unwrap();
    assert_eq!(again, Pruned { statements: (0, 1), parts: (0, pruned.parts.1 - pruned.parts.0) });
}

#[test]
fn what_is_of_somebody_else_stays() {
    let builder = Machine::new();
    let folder = builder.folder.path();
    let prune = |place: &std::path::Path| {
        let pruned = builder.at(place, *NOW, false, |desk| desk.prune(Keep { days: 0, versions: 0 }));
        pruned.map_err(|error| error.to_string())
    };
    let nowhere = folder.join("nope/x");
    assert!(prune(&nowhere).unwrap_err().contains("there is no such place"));
    assert!(!folder.join("nope").exists());
    // A folder of somebody's who has never heard of this tool.
    let project = folder.join("project");
    let files = ["parts/gear.step", "parts/sub/shaft.step", "statements/2024-01.pdf"];
    for file in files {
        fs::create_dir_all(project.join(file).parent().unwrap()).unwrap();
        fs::write(project.join(file), file).unwrap();
    }
    assert!(prune(&project).unwrap_err().contains("there are no results"));
    assert!(files.iter().all(|file| project.join(file).exists()) && !project.join("repository").exists());
    // A place with links to folders on a larger disk.
    let (place, disk) = (folder.join("place"), folder.join("disk"));
    fs::create_dir_all(&place).unwrap();
    for name in ["parts", "statements", "repository"] {
        fs::create_dir_all(disk.join(name)).unwrap();
        std::os::unix::fs::symlink(disk.join(name), place.join(name)).unwrap();
    }
    let links = || ["parts", "statements", "repository"].map(|name| place.join(name).is_symlink());
    builder.offer(&place, builder.bundle("one")).unwrap();
    assert!(links() == [true; 3] && disk.join(builder.statement(&key())).exists());
    let pruned = prune(&place).unwrap();
    assert!(pruned.statements == (1, 1) && pruned.parts.0 == pruned.parts.1 && links() == [true; 3], "{pruned:?}");
    assert_eq!((parts(&disk).len(), fs::read_dir(disk.join("repository/locks")).unwrap().count()), (0, 0));
    assert_eq!(prune(&place).unwrap(), Pruned::default(), "it is a place for results still");
    // The disk is not mounted, or a file is called as the folder.
    fs::remove_dir_all(disk.join("parts")).unwrap();
    builder.offer(&place, builder.bundle("one")).unwrap_err();
    assert!(links() == [true; 3]);
    fs::write(project.join("parts.txt"), "a list").unwrap();
    fs::rename(project.join("parts"), project.join("folder")).unwrap();
    fs::rename(project.join("parts.txt"), project.join("parts")).unwrap();
    builder.offer(&project, builder.bundle("one")).unwrap_err();
    assert_eq!(fs::read_to_string(project.join("parts")).unwrap(), "a list");
}

#[test]
fn two_that_write_at_once_both_arrive() {
    let machines = [Machine::new(), Machine::new()];
    let taking = Machine::new();
    let place = taking.folder.path().join("place");
    std::thread::scope(|scope| {
        for machine in &machines {
            scope.spawn(|| machine.offer(&place, machine.bundle("same")).unwrap());
        }
    });
    let [one, two] = &machines;
    let both = taker(taking.folder.path(), &[place.to_str().unwrap()], &[one, two], 2);
    assert!(take(&both, &taking.store).0.unwrap().is_some());
}

#[test]
fn a_file_that_is_larger_than_it_was_stated_fills_no_disk() {
    let bundle = Bundle::default();
    let folder = tempfile::tempdir().unwrap();
    let list = results::cut::cut(&bundle, folder.path(), 1).unwrap();
    let path = folder.path().join(results::part_path(&list.sha256));
    assert!(results::cut::read_list(&path, &list).unwrap().content.is_empty());
    let less = statements::proof::result::Part { length: list.length - 1, ..list };
    assert!(results::cut::read_list(&path, &less).unwrap_err().contains("that were stated"));
}

#[test]
fn what_is_larger_than_it_may_be_is_not_even_fetched() {
    let (builder, taking) = (Machine::new(), Machine::new());
    let place = taking.folder.path().join("place");
    builder.offer(&place, builder.bundle("one")).unwrap();
    let grow = |path: &std::path::Path| {
        let whole = fs::read(path).unwrap();
        fs::File::options().write(true).open(path).unwrap().set_len(3 << 40).unwrap();
        let heard = Heard::default();
        let begun = Instant::now();
        let fresh = tempfile::tempdir().unwrap();
        let taker = taker(taking.folder.path(), &[place.to_str().unwrap()], &[&builder], 1);
        let taken = taker.take(&Store::open(Some(fresh.path())).unwrap(), &key(), &heard).unwrap();
        assert!(taken.is_none() && begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
        fs::write(path, whole).unwrap();
        heard.text()
    };
    let file = place.join(builder.statement(&key()));
    assert!(grow(&file).contains("is longer than 1048576 bytes"));
    let all = parts(&place);
    for part in [&all[0], all.last().unwrap()] {
        let (size, said) = (fs::metadata(part).unwrap().len(), grow(part));
        assert!(said.contains(&format!("is larger than the {size} bytes")), "{said}");
    }
    // Sizes that were signed, and that nothing can have.
    let stated = dsse::unchecked::<StageResult>(&fs::read(&file).unwrap()).unwrap();
    let part = |text: &str, size| statements::proof::result::Part { sha256: Digest::of(text), size, length: 1 };
    let list = builder.bundle("one").list(vec![part("a", u64::MAX), part("b", u64::MAX)]);
    let text = serde_json::to_vec(&list).unwrap();
    let packed = zstd::bulk::compress(&text, 3).unwrap();
    let list = statements::proof::result::Part {
        sha256: Digest::of(&packed),
        size: packed.len() as u64,
        length: text.len() as u64,
    };
    fs::create_dir_all(place.join(results::part_path(&list.sha256)).parent().unwrap()).unwrap();
    fs::write(place.join(results::part_path(&list.sha256)), packed).unwrap();
    let signed = StageResult { list, ..stated.predicate.clone() }.about(stated.content().unwrap());
    fs::write(&file, dsse::seal(&signed, &builder.gpg, *NOW).unwrap()).unwrap();
    for source in [place.to_str().unwrap(), &serve(&place, Manner::Well)] {
        let taker = taker(taking.folder.path(), &[source], &[&builder], 1);
        assert!(take_nothing(&taker, &taking.store).contains("its parts would be more than"));
    }
}
