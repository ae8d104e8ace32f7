use std::fs;

use foundation::failure::Failure as _;

use super::*;
use crate::source::git::tests::{Upstream, git, picks};
use crate::source::tests::{NONE, listing, plain};
use crate::source::{SourceOrigin, SourceTree, local};

fn build(upstream: &Upstream, picks: &[Pick]) -> Result<SourceTree, SourceError> {
    local(&upstream.place.store, &upstream.path, picks, &plain(&NONE))
}

fn state(upstream: &Upstream) -> (String, String) {
    (git(&upstream.path, &["status", "--porcelain"]), git(&upstream.path, &["diff"]))
}

/// An upstream whose release is checked out, with changes that are not committed.
fn released() -> Upstream {
    let upstream = Upstream::new();
    git(&upstream.path, &["checkout", "--quiet", "--detach", &upstream.release]);
    let code = fs::read_to_string(upstream.path.join("code")).unwrap();
    fs::write(upstream.path.join("code"), code.replace("line 10\n", "line ten, mine\n")).unwrap();
    fs::write(upstream.path.join("mine.txt"), "not committed\n").unwrap();
    upstream
}

#[test]
fn a_local_work_tree_gets_the_commits_that_its_repository_has_and_stays_as_it_is() {
    let upstream = released();
    let before = state(&upstream);
    let unknown = "0123456789012345678901234567890123456789".to_owned();
    let all = picks(&[&upstream.fix2, &unknown, &upstream.fix]);
    std::thread::sleep(std::time::Duration::from_millis(150));
    let tree = build(&upstream, &all).unwrap();
    let lines = listing(&tree.tar).join("\n");
    // What was changed and not committed is in it, byte for byte, whatever .gitattributes say of line ends.
    for part in ["line three", "line ten, mine", "644 new ", "644 mine.txt \"not committed\\n\"", "644 dropped"] {
        assert!(lines.contains(part), "{part} is missing in: {lines}");
    }
    assert!(!lines.contains("between"), "{lines}");
    assert_eq!(state(&upstream), before);
    assert_eq!(
        tree.origin,
        SourceOrigin::LocalDirectory {
            name: "upstream".into(),
            commit: Some(upstream.release.clone()),
            modified: true,
            cherry_picks: picks(&[&upstream.fix2, &upstream.fix]),
        }
    );
    let [Deviation::Commit { differs, .. }, Deviation::CherryPick { commit, why }] = &tree.deviations[..] else {
        panic!("{:?}", tree.deviations)
    };
    assert_eq!(differs, "2 files were changed, added or missing (code, mine.txt)");
    assert_eq!((commit, why.as_str()), (&unknown, "the source's git repository does not have it"));
    assert_eq!(
        serde_json::to_value(&tree.deviations[1..]).unwrap(),
        serde_json::json!([{"commit": unknown, "why": why}]),
        "what report.json says"
    );
    // The second time from what is remembered; with other picks it is another source.
    assert_eq!(build(&upstream, &all).unwrap(), tree);
    assert_ne!(build(&upstream, &all[..1]).unwrap().digest, tree.digest);
    assert_eq!(fs::read_dir(upstream.place.store.root().join("tmp")).unwrap().count(), 0);
}

#[test]
fn what_the_history_has_already_is_not_applied_again() {
    let upstream = Upstream::new();
    // At the newest commit, where `conflict` and `fix` are history, and the line of the former changed once more.
    let code = fs::read_to_string(upstream.path.join("code")).unwrap();
    fs::write(upstream.path.join("code"), code.replace("line XV\n", "line fifteen again\n")).unwrap();
    let all = picks(&[&upstream.fix, &upstream.conflict]);
    let tree = build(&upstream, &all).unwrap();
    assert_eq!(tree.origin.cherry_picks(), &all[..]);
    assert!(matches!(&tree.deviations[..], [Deviation::Commit { .. }]), "{:?}", tree.deviations);
    assert_eq!(tree.digest, build(&upstream, &[]).unwrap().digest);
    assert!(listing(&tree.tar).join("\n").contains("line fifteen again"));
}

#[test]
fn a_commit_whose_parent_is_not_there_cannot_be_applied() {
    let upstream = Upstream::new();
    let shallow = upstream.place.path("shallow");
    let url = format!("file://{}", upstream.path.display());
    git(&upstream.path, &["branch", "release", &upstream.release]);
    git(&upstream.path, &["clone", "--quiet", "--depth=1", "--branch=release", &url, shallow.to_str().unwrap()]);
    git(&shallow, &["fetch", "--quiet", "--depth=1", "origin", &upstream.fix]);
    let all = picks(&[&upstream.fix]);
    let tree = local(&upstream.place.store, &shallow, &all, &plain(&NONE)).unwrap();
    assert!(tree.deviations[0].to_string().contains(&upstream.fix), "{:?}", tree.deviations);
    assert_eq!(tree.origin.cherry_picks(), []);
    git(&shallow, &["fetch", "--quiet", "--depth=2", "origin", &upstream.fix]);
    assert_eq!(local(&upstream.place.store, &shallow, &all, &plain(&NONE)).unwrap().deviations, []);
}

#[test]
fn a_folder_or_an_archive_without_history_says_which_fixes_it_lacks() {
    let upstream = released();
    let plainly = upstream.place.path("plain");
    fs::create_dir(&plainly).unwrap();
    fs::write(plainly.join("code"), "x").unwrap();
    let archive = upstream.place.path("x.tar");
    let mut builder = tar::Builder::new(fs::File::create(&archive).unwrap());
    builder.append_dir_all("x-1.0", &plainly).unwrap();
    builder.into_inner().unwrap();
    for (path, why) in [(&plainly, "not a git repository"), (&archive, "an archive")] {
        let tree = local(&upstream.place.store, path, &picks(&[&upstream.fix]), &plain(&NONE)).unwrap();
        let text = tree.deviations.iter().map(ToString::to_string).collect::<String>();
        assert!(text.contains(&upstream.fix) && text.contains(why), "{text}");
        assert_eq!(tree.origin.cherry_picks(), []);
    }
}

#[test]
fn a_conflict_with_what_was_changed_locally_names_the_file_and_leaves_nothing() {
    let upstream = released();
    let before = state(&upstream);
    fs::write(upstream.path.join("code"), "line 3, mine\n").unwrap();
    let error = build(&upstream, &picks(&[&upstream.fix2, &upstream.fix])).unwrap_err().message();
    for part in [upstream.fix.as_str(), "conflicts in code", "recipe.toml", "upstream"] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    assert_eq!(fs::read_to_string(upstream.path.join("code")).unwrap(), "line 3, mine\n");
    assert_eq!(git(&upstream.path, &["status", "--porcelain"]), before.0);
    assert_eq!(fs::read_dir(upstream.place.store.root().join("tmp")).unwrap().count(), 0);
}

#[test]
fn files_are_left_out_of_a_commit() {
    let upstream = Upstream::new();
    // One commit that adds, changes and removes; its change of `code` would conflict with the release.
    fs::write(upstream.path.join("added"), "added\n").unwrap();
    fs::write(upstream.path.join("subst"), "better\n").unwrap();
    fs::write(upstream.path.join("code"), "all new\n").unwrap();
    fs::remove_file(upstream.path.join("dropped")).unwrap();
    git(&upstream.path, &["add", "--all"]);
    git(&upstream.path, &["commit", "--quiet", "-m", "mixed"]);
    let commit = git(&upstream.path, &["rev-parse", "HEAD"]);
    git(&upstream.path, &["checkout", "--quiet", "--detach", &upstream.release]);
    let mut pick = Pick { commit: commit.clone(), without: vec![] };
    let error = build(&upstream, std::slice::from_ref(&pick)).unwrap_err().message();
    assert!(error.contains("conflicts in code"), "{error}");
    for (without, has, lacks) in [
        (&["code"][..], &["better", "644 added", "line 3\\n"][..], &["dropped \""][..]),
        (&["code", "added"], &["better"], &["644 added"]),
        (&["code", "dropped", "subst"], &["644 added", "644 dropped", "Format"], &["better"]),
    ] {
        pick.without = without.iter().map(|&path| path.to_owned()).collect();
        let lines = listing(&build(&upstream, std::slice::from_ref(&pick)).unwrap().tar).join("\n");
        assert!(has.iter().all(|part| lines.contains(part)), "{without:?}: {lines}");
        assert!(!lacks.iter().any(|part| lines.contains(part)), "{without:?}: {lines}");
    }
    pick.without = vec!["code".into(), "other".into()];
    let error = build(&upstream, &[pick]).unwrap_err().message();
    assert!(error.contains("`without` names other"), "{error}");
}
