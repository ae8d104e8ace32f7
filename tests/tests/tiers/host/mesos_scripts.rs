//! The Mesos packages' scripts, run as on a machine: the launcher with hundreds of configurations, which takes a while, and the
//! maintainer scripts by the real dpkg, which takes root.

use tests::{judge, repository};

fn mesos() -> std::path::PathBuf {
    repository().join("packaging/mesos")
}

#[test]
fn launcher_under_dash() {
    assert!(judge("dash", &["scripts/tests/launcher.sh"], &mesos()).contains(" 0 failed"));
}

#[test]
fn launcher_under_bash() {
    assert!(
        judge("env", &["LAUNCHER_SHELL=bash", "bash", "scripts/tests/launcher.sh"], &mesos()).contains(" 0 failed")
    );
}

/// What is there and cannot be seen is not taken for absent.
#[test]
fn unseen_settings() {
    for shell in ["dash", "bash"] {
        let ran = judge("env", &[&format!("LAUNCHER_SHELL={shell}"), shell, "scripts/tests/unseen.sh"], &mesos());
        assert!(ran.contains(" 0 failed"), "{shell}: {ran}");
    }
}

/// Which isolators it chooses on which kernel.
#[test]
fn isolation() {
    assert!(judge("dash", &["scripts/tests/isolation.sh"], &mesos()).contains(" 0 failed"));
}

/// Whole configurations, and such by chance: what the daemon has of them in the end.
#[test]
fn configurations() {
    assert!(judge("dash", &["scripts/tests/cases.sh"], &mesos()).contains(" 0 failed"));
}

/// Installation, upgrade, removal and purge by the real dpkg, in a folder.
#[test]
fn maintainer_scripts() {
    assert!(judge("dash", &["scripts/tests/takeover.sh"], &mesos()).contains(" 0 failed"));
}
