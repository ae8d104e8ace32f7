#!/bin/sh
# The take-over from the community's old package: one package `mesos`, /etc/mesos-slave, mesos-slave.service, the master as
# root, everything in /var/lib/mesos, and a version above ours. Changes the machine for good: run it as root, with systemd,
# in a container that is thrown away.
#
#   upgrade-from-community.sh DEBS     a folder with mesos-master, mesos-agent, mesos-common and libmesos, which apt can
#                                      install, with their dependencies, from wherever it is configured to
#
# The old package is a stand-in with the old layout and scripts, around the daemons of DEBS. Exit status 0 when all is well;
# the last line counts the checks.
set -u
debs=${1:?the folder with the packages}
export DEBIAN_FRONTEND=noninteractive
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

check() { # check WHAT COMMAND…
	what=$1
	shift
	if "$@" >"$work/said" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED: %s\n' "$what" >&2
		sed 's/^/  /' "$work/said" >&2
	fi
}
is() { if [ "$1" = "$2" ]; then return; fi && echo "expected '$2', have '$1'" && false; }
until_true() { # until_true COMMAND…: within 20 s
	for _ in $(seq 40); do
		if "$@"; then return 0; fi
		sleep 0.5
	done
	return 1
}
active() { systemctl --quiet is-active "$1"; }
enabled() { systemctl is-enabled "$1" 2>/dev/null; }
task_runs() { pgrep -x -f 'sleep 31415' >/dev/null; }
registered() {
	python3 -c 'import json, urllib.request as r
print(json.load(r.urlopen("http://127.0.0.1:5050/state", timeout=5))["slaves"][0]["id"])' 2>/dev/null
}
# The agents' identity, once one is registered.
agent_id() { until_true registered | tail -1; }

# ---- the old package, installed and at work
for name in mesos-master mesos-agent mesos-common libmesos-1.7.2; do
	dpkg-deb --extract "$debs/${name}"_*.deb "$work/new" || exit 1
done
old=$work/old
mkdir -p "$old/DEBIAN" "$old/usr/sbin" "$old/usr/bin" "$old/usr/lib" "$old/usr/local/lib" "$old/usr/share/mesos" \
	"$old/lib/systemd/system" "$old/etc/default" "$old/etc/mesos" "$old/etc/mesos-master" "$old/etc/mesos-slave" \
	"$old/var/lib/mesos" "$old/var/log/mesos"
cp "$work/new/usr/sbin/mesos-master" "$old/usr/sbin/"
cp "$work/new/usr/sbin/mesos-agent" "$old/usr/sbin/mesos-slave"
cp -R "$work/new/usr/libexec" "$old/usr/"
cp -R "$work/new/usr/share/mesos/webui" "$old/usr/share/mesos/"
cp "$work"/new/usr/lib/*/libmesos-1.7.2.so "$old/usr/lib/"
ln -s libmesos-1.7.2.so "$old/usr/lib/libmesos.so"
ln -s ../../lib/libmesos.so "$old/usr/local/lib/libmesos.so"
echo zk://localhost:2181/mesos >"$old/etc/mesos/zk"
echo /var/lib/mesos | tee "$old/etc/mesos-master/work_dir" >"$old/etc/mesos-slave/work_dir"
echo 1 >"$old/etc/mesos-master/quorum"
printf 'LOGS=/var/log/mesos\nULIMIT="-n 8192"\n' >"$old/etc/default/mesos"
# shellcheck disable=SC2016 # for the launcher to expand
printf 'PORT=5050\nZK=`cat /etc/mesos/zk`\n' >"$old/etc/default/mesos-master"
# shellcheck disable=SC2016
printf 'MASTER=`cat /etc/mesos/zk`\n' >"$old/etc/default/mesos-slave"
for role in master slave; do
	cat >"$old/lib/systemd/system/mesos-$role.service" <<UNIT
[Unit]
Description=Mesos $role
After=network.target
[Service]
ExecStart=/usr/bin/mesos-init-wrapper $role
Restart=always
RestartSec=20
[Install]
WantedBy=multi-user.target
UNIT
done
cat >"$old/usr/bin/mesos-init-wrapper" <<'WRAPPER'
#!/bin/sh
role=$1
set --
. /etc/default/mesos
. "/etc/default/mesos-$role"
[ -z "${LOGS:-}" ] || set -- "$@" "--log_dir=$LOGS"
if [ "$role" = master ]; then
	[ -z "${ZK:-}" ] || set -- "$@" "--zk=$ZK"
	[ -z "${PORT:-}" ] || set -- "$@" "--port=$PORT"
else
	set -- "$@" "--master=$MASTER" --no-systemd_enable_support --launcher=posix
fi
for file in "/etc/mesos-$role"/*; do
	[ ! -f "$file" ] || set -- "$@" "--${file##*/}=$(cat "$file")"
done
exec "/usr/sbin/mesos-$role" "$@"
WRAPPER
chmod 755 "$old/usr/bin/mesos-init-wrapper"
(cd "$old" && find etc -type f | sed 's,^,/,') >"$old/DEBIAN/conffiles"
# What the libraries of DEBS need is installed with the new packages as well: the same names.
needs=$(dpkg-deb --field "$debs"/libmesos-1.7.2_*.deb Depends)
cat >"$old/DEBIAN/control" <<CONTROL
Package: mesos
Version: 1.7.2-2.0.1
Architecture: $(dpkg --print-architecture)
Maintainer: Nobody <nobody@example.org>
Depends: $needs
Description: stand-in for the community's old package
CONTROL
cat >"$old/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
ldconfig
systemctl daemon-reload
systemctl enable mesos-master mesos-slave
POSTINST
chmod 755 "$old/DEBIAN/postinst"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$old" "$work/mesos_1.7.2-2.0.1.deb" >/dev/null || exit 1
chmod 755 "$work"
apt-get install -y --no-install-recommends "$work/mesos_1.7.2-2.0.1.deb" python3 >"$work/apt.log" 2>&1 || {
	tail "$work/apt.log" >&2
	exit 1
}
# An administrator's settings: one machine, no ZooKeeper, the master disabled though it runs.
: >/etc/mesos/zk
echo MASTER=127.0.0.1:5050 >/etc/default/mesos-slave
echo 127.0.0.1 | tee /etc/mesos-master/ip >/etc/mesos-slave/ip
echo rack:north >/etc/mesos-slave/attributes
systemctl --quiet disable mesos-master
systemctl start mesos-master mesos-slave
before=$(agent_id)
check 'the old agent is registered' test -n "$before"
LD_LIBRARY_PATH=$(dirname "$work"/new/usr/lib/*/libmesos-1.7.2.so) nohup "$work/new/usr/bin/mesos-execute" --checkpoint \
	--master=127.0.0.1:5050 --name=long --command='sleep 31415' >/dev/null 2>&1 &
check 'a task runs' until_true task_runs

# ---- the take-over: apt removes the old package, because the new ones break it
check 'apt installs the new packages' apt-get install -y --no-install-recommends \
	"$debs"/mesos-master_*.deb "$debs"/mesos-agent_*.deb "$debs"/mesos-common_*.deb "$debs"/libmesos-1.7.2_*.deb
check 'the old package is gone' test ! -e /usr/local/lib/libmesos.so
check 'the master, disabled, stays so' is "$(enabled mesos-master)" disabled
check 'the master, which ran, runs' active mesos-master
check 'the agent, enabled as mesos-slave, is enabled' is "$(enabled mesos-agent)" enabled
check 'the agent, which ran, runs' active mesos-agent
check 'mesos-slave is the same unit' active mesos-slave
check 'mesos-slave is the same program' mesos-slave --version
check 'the master is not root any more' is "$(ps -o user= -C mesos-master)" mesos
check 'the registry moved' is "$(stat -c %U /var/lib/mesos/master/replicated_log)" mesos
check 'the old registry is gone' test ! -e /var/lib/mesos/replicated_log
check 'the agent kept its identity' is "$(agent_id)" "$before"
check 'the agent kept its attributes' pgrep -f 'mesos-agent .*--attributes=rack:north'
check 'the agent kept its work_dir' pgrep -f 'mesos-agent .*--work_dir=/var/lib/mesos( |$)'
check 'the task runs on' task_runs
check 'no unit failed' is "$(systemctl --failed --no-legend)" ''
check 'ZooKeeper stays off' test ! -s /etc/mesos/zk

# ---- stopped stays stopped, and the old name still works for habits and scripts
systemctl stop mesos-slave
check 'stopped as mesos-slave' is "$(systemctl is-active mesos-agent)" inactive
check 'an upgrade' dpkg --install "$debs"/mesos-agent_*.deb
check 'stopped stays stopped' is "$(systemctl is-active mesos-agent)" inactive
systemctl --quiet disable mesos-slave
check 'disabled as mesos-slave' is "$(enabled mesos-agent)" disabled
check 'an upgrade' dpkg --install "$debs"/mesos-agent_*.deb
check 'disabled stays disabled' is "$(enabled mesos-agent)" disabled
systemctl --quiet enable mesos-slave
check 'enabled as mesos-slave' is "$(enabled mesos-agent)" enabled

# ---- remove and purge
echo mine >/etc/mesos-master/cluster
check 'remove' apt-get remove -y mesos-master mesos-agent
check 'configuration is kept' grep mine /etc/mesos-master/cluster
check 'the registry is kept' test -d /var/lib/mesos/master/replicated_log
pkill -x -f 'sleep 31415'
check 'purge' apt-get purge -y mesos-master mesos-agent mesos-common libmesos-1.7.2
check 'the flags are gone' test ! -e /etc/mesos-master -a ! -e /etc/mesos-agent
check 'the registry is gone' test ! -e /var/lib/mesos/master
check "tasks' data are kept" test -d /var/lib/mesos/meta
check 'no link is left' is "$(find /etc/systemd/system -name '*mesos*')" ''
check 'no unit failed' is "$(systemctl --failed --no-legend)" ''
apt-get purge -y mesos >/dev/null 2>&1
# What the administrator had added there is nobody's.
check 'only the old folder is left below /etc' is "$(find /etc -name '*mesos*')" /etc/mesos-slave

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
