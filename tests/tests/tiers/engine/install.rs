//! The sample's packages in a clean container of the target: apt, dpkg, the daemons, removal and purge.

use std::collections::BTreeMap;
use std::fs;

use engine::Engine;
use engine::once::run_once;
use engine::transfer::{Content, Upload};
use foundation::digest::Digest;
use foundation::store::Store;
use recipe::Recipe;
use recipe::root_lock::{LockKind, PinnedDeb, RootLock};
use roots::build_root::base_only;
use tests::{Workshop, default_target, repository};

/// What an administrator does, in a container with nothing but the target's base packages. Every
/// step that fails ends the script, and so the test.
const SCRIPT: &str = r#"
set -eux
export DEBIAN_FRONTEND=noninteractive
apt-get install -y --no-install-recommends /debs/libsample-1.0.0_*.deb /debs/sample-master_*.deb \
    /debs/sample-agent_*.deb /debs/sample_*.deb
dpkg --audit
# Neither enabled nor started.
test -z "$(find /etc/systemd/system -name 'sample-*' 2>/dev/null)"
! pgrep sample-master 2>/dev/null
dpkg --verify libsample-1.0.0 sample-master sample-agent
sample-master --version

# Both daemons, and one answers the other.
sample-master --ip=127.0.0.1 --port=15050 --work_dir=/tmp/master & master=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
    perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new("127.0.0.1:15050")' && break
    sleep 0.3
done
sample-agent --ip=127.0.0.1 --port=15051 --master=127.0.0.1:15050 --work_dir=/tmp/agent & agent=$!
get() {
    perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new($ARGV[0]) or die; print $s "GET $ARGV[1] HTTP/1.0\r\n\r\n"; print <$s>' "$1" "$2"
}
for i in 1 2 3 4 5 6 7 8 9 10; do
    get 127.0.0.1:15050 /state | grep -q 15051 && break
    sleep 0.3
done
get 127.0.0.1:15050 /state | grep 15051
get 127.0.0.1:15050 /version | grep 1.0.0
kill "$master" "$agent"
wait "$master" || true

# A changed conffile stays, an upgrade to the same version changes nothing.
conffile=$(dpkg-query --show --showformat='${Conffiles}\n' sample-master | awk 'NF {print $1; exit}')
echo '# changed by the administrator' >>"$conffile"
apt-get install -y --reinstall --no-install-recommends /debs/sample-master_*.deb
grep 'changed by the administrator' "$conffile"

# Remove keeps the configuration, purge does not.
apt-get remove -y sample-master
test -e "$conffile"
dpkg --purge sample sample-master sample-agent libsample-1.0.0
test ! -e "$conffile"
test -z "$(dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' | grep -E '^(lib)?sample')"
"#;

#[test]
fn apt_installs_runs_and_purges() {
    let workshop = Workshop::shared();
    let out = tempfile::tempdir().unwrap();
    let dist = out.path().join("dist");
    workshop.package_sample(&dist, &[]).success();
    let target = default_target();
    let recipe = Recipe::read(&repository().join("tests/fixtures/sample")).unwrap();
    let kind = LockKind::BuildRoot;
    let path = recipe.lock_path(&target, kind);
    let lock =
        RootLock::read(&path, kind, ("sample", "sample"), &target.name, recipe.request_digest(&target, kind)).unwrap();
    let store = Store::open(Some(&workshop.cache)).unwrap();
    // The base, and what the packages depend on beside it: libstdc++ and zlib are in the base already.
    let debs: Vec<(PinnedDeb, std::path::PathBuf)> = lock
        .packages
        .iter()
        .filter(|deb| deb.base)
        .map(|deb| (deb.clone(), store.verify(&deb.sha256).expect("downloaded by the build")))
        .collect();
    let uploads: Vec<Upload> = fs::read_dir(&dist)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "deb"))
        .map(|path| Upload {
            path: format!("/debs/{}", path.file_name().unwrap().to_string_lossy()),
            content: Content::File(path),
            mode: 0o644,
        })
        .collect();
    assert!(uploads.len() >= 5, "{}", uploads.len());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let output = runtime.block_on(async {
        let engine = Engine::find()
            .await
            .unwrap()
            .with_run(&format!("test-{}", Digest::of(out.path().as_os_str().as_encoded_bytes()).short()));
        let base = base_only(&engine, &target, lock.release_date, &debs, &|_| ()).await.unwrap();
        run_once(&engine, &base.image, SCRIPT.as_bytes(), &uploads, &BTreeMap::new(), true).await.unwrap()
    });
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.exit, 0, "{said}");
}
