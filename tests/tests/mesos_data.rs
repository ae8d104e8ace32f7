//! The data of the Mesos recipe, judged by the programs that read it.

use std::fs;
use std::process::Command;

use tests::{judge, repository, run};

fn mesos() -> std::path::PathBuf {
    repository().join("packaging/mesos")
}

#[test]
fn launcher_under_dash_and_bash() {
    for shell in ["dash", "bash"] {
        let said = judge(shell, &["scripts/tests/launcher.sh"], &mesos());
        assert!(said.contains("0 failed") || said.contains("passed"), "{said}");
    }
}

#[test]
fn command_line_ports() {
    judge("python3", &["scripts/tests/cli.py"], &mesos());
}

#[test]
fn shell_scripts() {
    let mut scripts = vec!["scripts/mesos-init-wrapper".to_owned()];
    for folder in ["deb/mesos-master", "deb/mesos-agent", "deb/mesos-common"] {
        for name in ["preinst", "postinst", "prerm", "postrm"] {
            let path = format!("{folder}/{name}");
            if mesos().join(&path).exists() {
                scripts.push(path);
            }
        }
    }
    for name in ["bootstrap", "configure", "build", "install"] {
        scripts.push(format!("phases/{name}"));
    }
    assert!(scripts.len() > 8);
    let mut arguments = vec!["--shell=sh"];
    arguments.extend(scripts.iter().map(String::as_str));
    judge("shellcheck", &arguments, &mesos());
}

/// The master's exposure is at most 2.0; the agent has to start tasks as other users and use cgroups.
#[test]
fn exposure_of_the_units() {
    for (unit, threshold) in [("mesos-master.service", "20"), ("mesos-agent.service", "96")] {
        let path = mesos().join("systemd").join(unit);
        let path = path.to_str().expect("a plain name");
        judge(
            "systemd-analyze",
            &["security", "--offline=true", &format!("--threshold={threshold}"), path],
            &repository(),
        );
    }
}

#[test]
fn manual_pages() {
    for entry in fs::read_dir(mesos().join("man")).expect("pages").flatten() {
        let path = entry.path();
        // A page that only refers to another one (.so) is judged where both are installed, by lintian.
        if !fs::read_to_string(&path).unwrap().starts_with(".so ") {
            let said = run(Command::new("man").args(["--warnings", "--local-file"]).arg(&path).env("MANROFFSEQ", ""));
            assert_eq!(said.stderr, "", "{}", path.display());
            assert!(said.stdout.contains("NAME"), "{}", path.display());
        }
    }
}

/// Recipes pin by digest and name their bundled files once.
#[test]
fn bundled_tarballs_are_pinned() {
    let lock = packaging::source::SourcesLock::read(&mesos().join("sources.lock")).expect("a lock");
    assert!(lock.bundled.len() > 20, "{}", lock.bundled.len());
    let mut names: Vec<_> = lock.bundled.iter().map(|file| &file.path).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), lock.bundled.len());
}
