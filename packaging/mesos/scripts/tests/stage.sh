# What launcher.sh and cases.sh have in common: a folder $root that stands in for /. Sourced by both.
# shellcheck shell=sh
# shellcheck disable=SC2034 # those who source it read them
here=$(cd "$(dirname "$0")" && pwd)
launcher=$here/../mesos-init-wrapper
shell=${LAUNCHER_SHELL:-sh}
top=$(mktemp -d "${TMPDIR:-/tmp}/launcher.XXXXXX") || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 130' INT TERM
root=$top/root
passed=0
failed=0

# The daemons are a stand-in, with the table of flags that the build makes of their --help. MESOS_SBIN=DIR: DIR has the
# real ones, which are asked as well.
mkdir -p "$top/tables" "$top/daemons/real"
for daemon in mesos-master mesos-agent; do
	ln -s "$here/daemon" "$top/daemons/$daemon"
	help=$top/daemons/$daemon
	if [ -n "${MESOS_SBIN-}" ]; then
		ln -s "$MESOS_SBIN/$daemon" "$top/daemons/real/$daemon"
		help=$MESOS_SBIN/$daemon
	fi
	"$help" --help | awk -f "$here/../flag-table" >"$top/tables/$daemon" || exit 1
done

# stage: a fresh $root, with the programs and no configuration.
stage() {
	rm -rf "$root"
	mkdir -p "$root/etc/mesos" "$root/etc/default" "$root/usr/sbin" "$root/usr/lib/mesos" "$root/var/lib/mesos" \
		"$root/var/log/mesos" "$root/bin" "$root/proc/self"
	chmod 755 "$top" "$root"
	cp -R "$top/daemons/." "$root/usr/sbin/"
	cp -R "$top/tables" "$root/usr/lib/mesos/flags"
	# The machine that runs this must not decide: every port is free, its name resolves to an address that others reach,
	# and nothing is mounted.
	printf '#!/bin/sh\n' >"$root/bin/perl"
	printf '#!/bin/sh\necho "192.0.2.100 STREAM host"\n' >"$root/bin/getent"
	chmod 755 "$root/bin/perl" "$root/bin/getent"
	: >"$root/proc/self/mountinfo"
}

# launch ROLE [ARGUMENT…]: run it; output in $out, what it says in $err, its status in $status.
launch() {
	env -i PATH="$root/bin:$PATH" ${LD_LIBRARY_PATH:+"LD_LIBRARY_PATH=$LD_LIBRARY_PATH"} ${extra_env:+"$extra_env"} \
		"$shell" "$launcher" --root "$root" "$@" >"$top/out" 2>"$top/err"
	status=$?
	out=$(cat "$top/out")
	err=$(cat "$top/err")
	extra_env=
}
extra_env=

# launch_as_nobody ROLE: the same as a user who may do little; for when root runs the tests.
launch_as_nobody() {
	env -i PATH="$root/bin:$PATH" ${LD_LIBRARY_PATH:+"LD_LIBRARY_PATH=$LD_LIBRARY_PATH"} setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$shell" "$launcher" --root "$root" "$@" >"$top/out" 2>"$top/err"
	status=$?
	out=$(cat "$top/out")
	err=$(cat "$top/err")
}
