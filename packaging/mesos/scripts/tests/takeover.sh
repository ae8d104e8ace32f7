#!/bin/sh
# The maintainer scripts of mesos-master and mesos-agent under the real dpkg, deb-systemd-helper, systemd-sysusers and
# systemd-tmpfiles, in a folder that stands in for / (DPKG_ROOT, dpkg(1)): what an installation, an upgrade, a removal and
# a purge do to files and links of the administrator. Nothing runs in it; cluster/scenarios has what needs a running systemd.
#
# The packages have the real scripts, units, settings and folders, and no programs. Needs root. The last line counts the cases.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
top=$(mktemp -d "${TMPDIR:-/tmp}/takeover.XXXXXX") || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 130' INT TERM
passed=0
failed=0

ok() { passed=$((passed + 1)); }
# check WHAT COMMAND…
check() {
	what=$1
	shift
	if "$@"; then ok; else
		failed=$((failed + 1))
		printf 'FAILED: %s: %s: %s\n%s\n' "$case_name" "$what" "$*" "$(cat "$top/said" 2>/dev/null)" >&2
	fi
}

fails() { if "$@"; then return 1; fi; }
eventually() { for _ in 1 2 3 4 5 6 7 8 9 10; do if "$@"; then return; fi; sleep 0.2; done; return 1; }

# package NAME VERSION: $top/NAME_VERSION.deb, with the folders that the manifest names for it.
package() {
	tree=$top/tree
	rm -rf "$tree"
	mkdir -p "$tree/DEBIAN" "$tree/usr/lib/systemd/system" "$tree/usr/lib/tmpfiles.d" "$tree/usr/lib/sysusers.d" "$tree/etc/default"
	cp "$here/deb/$1"/p* "$tree/DEBIAN/"
	chmod 755 "$tree/DEBIAN"/p*
	cp "$here/systemd/$1.service" "$tree/usr/lib/systemd/system/"
	cp "$here/config/tmpfiles.d/$1.conf" "$tree/usr/lib/tmpfiles.d/"
	cp "$here/config/default/$1" "$tree/etc/default/"
	echo "/etc/default/$1" >"$tree/DEBIAN/conffiles"
	case $1 in
	mesos-master) cp "$here/config/sysusers.d/$1.conf" "$tree/usr/lib/sysusers.d/" ;;
	mesos-agent) ln -s mesos-agent.service "$tree/usr/lib/systemd/system/mesos-slave.service" ;;
	esac
	awk -v section="[package.metadata.packaging.$1]" '
		/^\[/ { inside = $0 == section }
		inside && /path = "/ { split($0, part, "\""); print part[2] }' "$here/deb/Cargo.toml" >"$top/folders"
	[ -s "$top/folders" ] || exit 1
	while read -r folder; do mkdir -p "$tree/$folder"; done <"$top/folders"
	printf '%s\n' "Package: $1" "Version: $2" 'Architecture: all' 'Maintainer: Nobody <nobody@example.org>' \
		'Description: stand-in without programs' >"$tree/DEBIAN/control"
	dpkg-deb --root-owner-group -Znone --build "$tree" "$top/$1_$2.deb" >/dev/null || exit 1
}
for version in 1 2; do
	package mesos-master $version
	package mesos-agent $version
done

# begin NAME: an empty machine that had the old package: its master's user is still to be made.
begin() {
	case_name=$1
	root=$top/root
	rm -rf "$root"
	mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/etc/systemd/system/multi-user.target.wants" \
		"$root/etc/mesos-master" "$root/var/lib/mesos" "$root/var/log/mesos"
	: >"$root/var/lib/dpkg/status"
	wants=$root/etc/systemd/system/multi-user.target.wants
	units=$root/etc/systemd/system
}
# The old package's link, to a file that is gone with it.
enabled_as_slave() { ln -s /lib/systemd/system/mesos-slave.service "$wants/mesos-slave.service"; }
dpkg_here() {
	# shellcheck disable=SC2016 # for that shell
	check "dpkg $*" sh -c 'root=$1; said=$2; shift 2
		dpkg --root="$root" --force-script-chrootless --force-unsafe-io --log=/dev/null "$@" >"$said" 2>&1' sh "$root" "$top/said" "$@"
}
install_agent() { dpkg_here --install "$top/mesos-agent_$1.deb"; }
install_master() { dpkg_here --install "$top/mesos-master_$1.deb"; }
is_link() { [ -L "$1" ]; }
absent() { [ ! -e "$1" ] && [ ! -L "$1" ]; }
says() { grep -q -- "$1" "$top/said"; }
same() { [ "$(cat "$1")" = "$2" ]; }

begin 'attributes and resources as files, or links'
mkdir "$root/etc/mesos-agent"
echo rack:north >"$root/etc/mesos-agent/attributes"
echo cpus:4 >"$root/etc/site"
ln -s ../site "$root/etc/mesos-agent/resources"
install_agent 1
check 'the file is kept' same "$root/etc/mesos-agent/attributes" rack:north
check 'the link is kept' is_link "$root/etc/mesos-agent/resources"
install_agent 2
check 'the file is kept on an upgrade' same "$root/etc/mesos-agent/attributes" rack:north
check 'the link is kept on an upgrade' is_link "$root/etc/mesos-agent/resources"

begin 'a link in place of the folder of flags'
mkdir -p "$root/srv/flags"
echo 1 >"$root/srv/flags/port"
ln -s ../srv/flags "$root/etc/mesos-agent"
install_agent 1
check 'the link is kept' is_link "$root/etc/mesos-agent"
check 'and what is behind it' same "$root/srv/flags/port" 1

begin 'folders of another owner'
chown 7:7 "$root/var/log/mesos"
chmod 2775 "$root/var/log/mesos"
cp "$here/config/tmpfiles.d/mesos-common.conf" "$top/"
check 'systemd-tmpfiles' systemd-tmpfiles --root="$root" --create "$top/mesos-common.conf"
check 'stay so' test "$(stat -c '%a %u %g' "$root/var/log/mesos")" = '2775 7 7'

begin 'nobody has said anything'
install_agent 1
install_master 1
check 'nothing is enabled' absent "$wants/mesos-agent.service"
check 'nothing is enabled' absent "$wants/mesos-master.service"

begin 'enabled under the old name'
enabled_as_slave
install_agent 1
check 'is enabled' is_link "$wants/mesos-agent.service"
check 'the old link is gone' absent "$wants/mesos-slave.service"
rm "$wants/mesos-agent.service"
install_agent 2
check 'disabled later, it stays so' absent "$wants/mesos-agent.service"

begin 'enabled under the old name, and masked'
enabled_as_slave
ln -s /dev/null "$units/mesos-slave.service"
install_agent 1
check 'is not enabled' absent "$wants/mesos-agent.service"
check 'the mask is kept' is_link "$units/mesos-slave.service"
check 'the link, which the mask holds, is kept' is_link "$wants/mesos-slave.service"

begin 'enabled under the old name, and the new one masked'
enabled_as_slave
ln -s /dev/null "$units/mesos-agent.service"
install_agent 1
check 'is not enabled' absent "$wants/mesos-agent.service"
check 'the mask is kept' is_link "$units/mesos-agent.service"
install_agent 2
check 'the mask is kept on an upgrade' is_link "$units/mesos-agent.service"

for folder in /etc/systemd/system /usr/local/lib/systemd/system; do
	begin "a unit of his own in $folder, under the old name, enabled"
	mkdir -p "$root$folder"
	printf '[Service]\nExecStart=/usr/sbin/mesos-slave\n[Install]\nWantedBy=multi-user.target\n' >"$root$folder/mesos-slave.service"
	ln -s "$folder/mesos-slave.service" "$wants/mesos-slave.service"
	install_agent 1
	check 'is still enabled' is_link "$wants/mesos-slave.service"
	check 'the unit of the package is not' absent "$wants/mesos-agent.service"
	install_agent 2
	check 'is still enabled after an upgrade' is_link "$wants/mesos-slave.service"
	dpkg_here --purge mesos-agent
	check 'is still enabled after a purge' is_link "$wants/mesos-slave.service"
done

for role in master agent; do
	begin "a unit of his own, mesos-$role, enabled for another target"
	printf '[Service]\nExecStart=/usr/sbin/mesos-%s\n[Install]\nWantedBy=graphical.target\n' $role >"$units/mesos-$role.service"
	mkdir "$units/graphical.target.wants"
	ln -s "/etc/systemd/system/mesos-$role.service" "$units/graphical.target.wants/mesos-$role.service"
	install_$role 1
	install_$role 2
	check 'is still enabled' is_link "$units/graphical.target.wants/mesos-$role.service"
	check 'and for nothing else' absent "$wants/mesos-$role.service"
	dpkg_here --purge mesos-$role
	check 'is still enabled after a purge' is_link "$units/graphical.target.wants/mesos-$role.service"
	check 'the unit is kept' test -f "$units/mesos-$role.service"
	check 'no note is left' test -z "$(find "$root/var/lib/systemd" -name "*mesos-$role*" 2>/dev/null)"

	begin "mesos-$role, disabled while it is masked"
	install_$role 1
	ln -s /dev/null "$units/mesos-$role.service"
	install_$role 2
	check 'the mask is kept' is_link "$units/mesos-$role.service"
	check 'not enabled' absent "$wants/mesos-$role.service"
	dpkg_here --purge mesos-$role
	check 'the mask is kept after a purge' is_link "$units/mesos-$role.service"
done

begin 'enabled, removed, installed again'
install_master 1
ln -s /usr/lib/systemd/system/mesos-master.service "$wants/mesos-master.service"
install_master 2
dpkg_here --remove mesos-master
install_master 2
check 'is enabled' is_link "$wants/mesos-master.service"
dpkg_here --purge mesos-master
check 'no link is left' absent "$wants/mesos-master.service"

# registry: the old package's, as root kept it.
registry() {
	mkdir "$root/var/lib/mesos/replicated_log"
	: >"$root/var/lib/mesos/replicated_log/LOCK"
}
old_log=var/lib/mesos/replicated_log
new_log=var/lib/mesos/master/replicated_log
moved() {
	check 'the registry moves' test -f "$root/$new_log/LOCK"
	check 'it is gone from the old place' absent "$root/$old_log"
	check 'it is the new user'\''s' test "$(stat -c %u "$root/$new_log/LOCK")" = "$(stat -c %u "$root/var/lib/mesos/master")"
}
stays() {
	check 'the registry stays' test -f "$root/$old_log/LOCK"
	check 'none is in the new place' absent "$root/$new_log"
	check 'it is still root'\''s' test "$(stat -c %u "$root/$old_log/LOCK")" = 0
	check 'the reason is told' says "$1"
}

begin 'the registry of the old package'
echo /var/lib/mesos >"$root/etc/mesos-master/work_dir"
registry
install_master 1
moved

begin 'the registry of the old package, and a unit of his own'
registry
printf '[Service]\nExecStart=/usr/sbin/mesos-master --work_dir=/var/lib/mesos\n' >"$units/mesos-master.service"
install_master 1
stays 'you have a mesos-master.service of your own'
rm "$units/mesos-master.service"
install_master 2
moved

begin 'the registry of the old package, and a master that is root'
registry
mkdir "$units/mesos-master.service.d"
printf '[Service]\nUser=root\n' >"$units/mesos-master.service.d/user.conf"
install_master 1
stays 'runs as user'

begin 'the registry of the old package, and another work_dir'
registry
echo /srv/mesos >"$root/etc/mesos-master/work_dir"
install_master 1
stays 'work_dir names another folder'

begin 'the registry of the old package, and a work_dir in a variable'
registry
mkdir "$root/etc/default"
echo 'export MESOS_WORK_DIR=/srv/mesos' >"$root/etc/default/mesos"
install_master 1
stays 'MESOS_WORK_DIR is set'

begin 'a registry in both places'
registry
mkdir -p "$root/$new_log"
install_master 1
check 'neither is touched' test -f "$root/$old_log/LOCK"
check 'neither is touched' absent "$root/$new_log/LOCK"

# Under DPKG_ROOT nobody is asked for, so the function is taken out of the script. find must not take itself for somebody.
begin 'who has the registry open'
registry
sed -n '/^in_use() {/,/^}/p' "$here/deb/mesos-master/postinst" >"$top/in_use"
check 'the function is found' test -s "$top/in_use"
# asked: 0 if somebody has it open. The unit has no process.
# shellcheck disable=SC1091,SC2034 # read by what is read
asked() { (systemd='' old=$root/$old_log && . "$top/in_use" && in_use); }
check 'nobody' fails asked
sleep 1000 9<>"$root/$old_log/LOCK" &
holder=$!
check 'a process' eventually asked
kill $holder
wait $holder 2>/dev/null
check 'it has ended' fails asked

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
