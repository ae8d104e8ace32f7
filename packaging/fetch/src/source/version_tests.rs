use std::fs;

use foundation::failure::Failure as _;

use super::*;
use crate::source::git::tests::{Upstream as Sample, git, picks};

/// The release 1.0, and on a branch after it 1.1: `same` with another id, `adapted` with other lines.
struct Branch {
    sample: Sample,
    from: String,
    to: String,
    same: String,
    said: String,
    adapted: String,
    left: String,
    conflict: String,
}

fn branch() -> Branch {
    let sample = Sample::new();
    let path = sample.path.clone();
    let run = |arguments: &[&str]| git(&path, arguments);
    let commit = |file: &str, text: &str, message: &str| {
        fs::write(path.join(file), text).unwrap();
        run(&["add", "."]);
        run(&["commit", "--quiet", "-m", message]);
        run(&["rev-parse", "HEAD"])
    };
    // On the main branch: what the recipe of 1.0 picks.
    let said = commit("said", "said\n", "Said");
    let adapted = commit("adapted", "one\n", "Adapted T-1");
    let left = commit("left", "left\n", "Left T-12");
    fs::create_dir(path.join("3rdparty")).unwrap();
    run(&["checkout", "--quiet", "-b", "1.x", &sample.release]);
    fs::create_dir_all(path.join("3rdparty")).unwrap();
    commit("3rdparty/x-1.tar.gz", "archive", "An archive");
    let from = run(&["rev-parse", "HEAD"]);
    commit("other", "other\n", "Something T-12 needs");
    run(&["cherry-pick", &sample.fix2]);
    fs::write(path.join("said"), "otherwise\n").unwrap();
    run(&["add", "."]);
    run(&["commit", "--quiet", "-m", &format!("Other words\n\n(cherry picked from commit {said})")]);
    commit("adapted", "two\n", "Adapted T-1");
    let code = fs::read_to_string(path.join("code")).unwrap();
    commit("code", &code.replace("line 15\n", "line 15, of 1.x\n"), "In the way");
    let to = commit("3rdparty/y-2.tar.gz", "another", "Another archive");
    run(&["tag", "1.1"]);
    let (same, conflict) = (sample.fix2.clone(), sample.conflict.clone());
    Branch { sample, from, to, same, said, adapted, left, conflict }
}

const BUNDLED: &str = "3rdparty/*.tar.gz";

#[test]
fn git_says_what_a_version_contains() {
    let all = branch();
    let upstream = Upstream::open(&all.sample.place.store, all.sample.path.to_str().unwrap()).unwrap();
    let bundled = [BUNDLED.to_owned()];
    let step = Step { from: &all.from, to: &all.to, bundled: &bundled };
    let ancestor = git(&all.sample.path, &["rev-parse", "1.1~2"]);
    let before = git(&all.sample.path, &["status", "--porcelain"]);
    let asked = picks(&[&ancestor, &all.same, &all.said, &all.adapted, &all.left, &all.conflict]);
    let patch = all.sample.place.path("some.patch");
    let there = all.sample.place.path("there.patch");
    let fails = all.sample.place.path("fails.patch");
    fs::write(&patch, "Why.\n\n--- a/left\n+++ b/left\n@@ -1 +1 @@\n-left\n+right\n").unwrap();
    fs::write(&there, "--- a/other\n+++ b/other\n@@ -1 +1 @@\n-old\n+other\n").unwrap();
    fs::write(&fails, "--- a/other\n+++ b/other\n@@ -1 +1 @@\n-older\n+oldest\n").unwrap();
    let (standing, patches) = upstream.standing(step, &asked, &[&patch, &there, &fails]).unwrap();
    // The same where no commit is picked at all.
    let (_, alone) = upstream.standing(step, &[], &[&there, &fails]).unwrap();
    assert_eq!(alone[0], PatchStanding::Contained);
    assert!(matches!(&alone[1], PatchStanding::Fails(why) if why.contains("does not apply")), "{:?}", alone[1]);
    let at = |name: &str| git(&all.sample.path, &["rev-parse", name]);
    assert_eq!(standing[0], Standing::Contained(How::History));
    assert_eq!(standing[1], Standing::Contained(How::SamePatch(at("1.1~4"))));
    assert_eq!(standing[2], Standing::Contained(How::Said(at("1.1~3"))));
    assert_eq!(standing[3], Standing::Contained(How::SameSubject(at("1.1~2"))));
    assert_eq!(standing[4], Standing::Applies);
    assert!(matches!(&standing[5], Standing::Fails(why) if why.contains("conflicts in code")), "{:?}", standing[5]);
    // A patch is applied after the commits that are left.
    assert_eq!(patches[..2], [PatchStanding::Applies, PatchStanding::Contained]);
    assert!(matches!(&patches[2], PatchStanding::Fails(why) if why.contains("other")), "{:?}", patches[2]);
    // A ticket is a whole word: T-1 is not T-12.
    let named = upstream.naming(step, &["T-1".into()]).unwrap();
    assert_eq!(named.iter().map(|(_, subject)| subject.as_str()).collect::<Vec<_>>(), ["Adapted T-1"]);
    assert_eq!(git(&all.sample.path, &["status", "--porcelain"]), before, "the repository is only read");
}

#[test]
fn what_changes_nothing_is_contained() {
    let all = branch();
    git(&all.sample.path, &["checkout", "--quiet", "1.x"]);
    // The same file in one commit with others: no patch is the same, and no subject.
    fs::write(all.sample.path.join("left"), "left\n").unwrap();
    fs::write(all.sample.path.join("more"), "more\n").unwrap();
    git(&all.sample.path, &["add", "."]);
    git(&all.sample.path, &["commit", "--quiet", "-m", "All in one"]);
    let to = git(&all.sample.path, &["rev-parse", "HEAD"]);
    let upstream = Upstream::open(&all.sample.place.store, &format!("file://{}", all.sample.path.display())).unwrap();
    let step = Step { from: &all.from, to: &to, bundled: &[] };
    let (standing, _) = upstream.standing(step, &picks(&[&all.left]), &[]).unwrap();
    assert_eq!(standing, [Standing::Contained(How::Nothing)]);
}

#[test]
fn bundled_files_are_pinned_from_the_commit_itself() {
    let all = branch();
    let upstream = Upstream::open(&all.sample.place.store, all.sample.path.to_str().unwrap()).unwrap();
    let bundled = [BUNDLED.to_owned()];
    let step = Step { from: &all.from, to: &all.to, bundled: &bundled };
    let known = BTreeMap::from([("3rdparty/x-1.tar.gz".to_owned(), Digest::of("as published"))]);
    let found = upstream.bundled(step, &known).unwrap();
    let digest = |name: &str| found[&format!("3rdparty/{name}.tar.gz")];
    assert_eq!(
        (found.len(), digest("x-1"), digest("y-2")),
        (2, Some(Digest::of("as published")), Some(Digest::of("another")))
    );
    // What the repository does not have, as where archives were left out of it, has none.
    let id = git(&all.sample.path, &["rev-parse", "1.1:3rdparty/y-2.tar.gz"]);
    fs::remove_file(all.sample.path.join(".git/objects").join(&id[..2]).join(&id[2..])).unwrap();
    assert_eq!(upstream.bundled(step, &known).unwrap()["3rdparty/y-2.tar.gz"], None);
}

#[test]
fn a_tag_has_to_be_there_and_to_be_the_commit() {
    let all = branch();
    let open = |place: &str| Upstream::open(&all.sample.place.store, place);
    let upstream = open(all.sample.path.to_str().unwrap()).unwrap();
    assert_eq!(upstream.tagged("1.1", None).unwrap(), all.to);
    assert_eq!(upstream.tagged("1.1", Some(&all.to)).unwrap(), all.to);
    let error = upstream.tagged("1.1", Some(&all.from)).unwrap_err().message();
    assert!(error.contains(&format!("is the commit {}, not {}", all.to, all.from)), "{error}");
    let error = upstream.tagged("1.2", None).unwrap_err().message();
    assert!(error.contains("has no tag 1.2: it has 1.1, 1.0") && error.contains("git fetch --tags"), "{error}");
    for (place, says) in [("/nonexistent", "there is no such folder"), ("/tmp", "it is not a git repository")] {
        let error = open(place).map(drop).unwrap_err().message();
        assert!(error.contains(says), "{error}");
    }
    assert!(
        open("file:///nonexistent/x.git").map(drop).unwrap_err().message().contains("cannot get file:///nonexistent")
    );
}
