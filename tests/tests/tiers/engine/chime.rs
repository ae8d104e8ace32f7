//! A recipe of another shape than the sample's, from source to packages and back: plain make, one daemon, no configure step, no
//! library, no tests, no cluster.

use tests::{Workshop, default_target, digests, judge, repository};

#[test]
fn plain_make_and_one_daemon() {
    let workshop = Workshop::shared();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let recipe = repository().join("tests/fixtures/chime").display().to_string();
    let (dist, results) = (path("dist"), path("results"));
    workshop.run(&["package", "--recipe", &recipe, "--dist", &dist]).success();

    let debs: Vec<String> = digests(dist.as_ref(), "deb").into_keys().collect();
    let end = format!("0.3-1{}_amd64.deb", default_target().version_suffix);
    assert_eq!(debs, [format!("chime-dbgsym_{end}"), format!("chime_{end}")]);
    let mut arguments = vec!["--fail-on", "error,warning", "--allow-root"];
    arguments.extend(debs.iter().map(String::as_str));
    judge("lintian", &arguments, dist.as_ref());
    judge("dpkg-deb", &["--extract", &debs[1], &path("unpacked")], dist.as_ref());
    let version = judge(&path("unpacked/usr/sbin/chimed"), &["--version"], folder.path());
    assert_eq!(version, "chimed 0.3\n", "the daemon runs");

    workshop.run(&["verify", &dist, "--keyring", &format!("{dist}/key.gpg")]).success();
    let rebuild = ["rebuild", &dist, "--recipe", &recipe, "--offline", "--results", &results];
    let said = workshop.run(&rebuild).success().stdout;
    assert!(said.contains(&debs[1]), "{said}");
    // What it has not, it is told of in words.
    workshop.run(&["check", "--recipe", &recipe, "--offline"]).fails(1, &["chime"]);
    workshop.run(&["cluster", "up", "--recipe", &recipe, "--dist", &dist, "--name", "chime"]).fails(1, &["chime"]);
}
