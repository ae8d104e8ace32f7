#!/bin/sh
# Which isolators the launcher chooses on which kernel, as launcher.sh has the rest of it: without Mesos, and without control
# groups; folders stand in for them. Run it as that one.
# Exit status 0 when every case holds. The last line counts the cases.
set -u
# shellcheck source=scripts/tests/stage.sh
. "$(dirname "$0")/stage.sh"
# shellcheck source=scripts/tests/expect.sh
. "$(dirname "$0")/expect.sh"

group=/sys/fs/cgroup/mesos.slice/mesos-containers.service
module=/usr/lib/x86_64-linux-gnu/mesos/modules/libcgroups2.so
printf '%s\n' cgroups cgroups/blkio cgroups/cpu cgroups/devices cgroups/mem filesystem/linux posix/cpu posix/mem >"$top/isolators"

# machine NAME CONTROLLERS: with control groups of version 2; those of systemd's group for containers, or none of that.
machine() {
	begin "$1"
	mkdir -p "$root/sys/fs/cgroup" "$root${module%/*}"
	: >"$root$module"
	cp "$top/isolators" "$root/usr/lib/mesos/flags/isolators"
	echo 'cpuset cpu io memory hugetlb pids' >"$root/sys/fs/cgroup/cgroup.controllers"
	said=
	if [ -n "$2" ]; then
		mkdir -p "$root$group"
		echo "$2" >"$root$group/cgroup.controllers"
		said=${group#/sys/fs/cgroup}
	fi
	printf '#!/bin/sh\necho %s\n' "$said" >"$root/bin/systemctl"
	chmod 755 "$root/bin/systemctl"
}
isolation() { echo "$1" >"$root/etc/mesos-agent/isolation"; }
# parameters TEXT: of the isolator, beside the group.
parameters() {
	has "arg<--modules={\"libraries\":[{\"file\":\"$module\",\"modules\":[{\"name\":\"cgroups2\",\"parameters\":[{\"key\":\"root\",\"value\":\"$group\"},$1]}]}]}>"
}
all='cpuset cpu io memory pids'
usual='{"key":"quota","value":"false"},{"key":"limit_swap","value":"true"},{"key":"revocable_low","value":"true"}'

machine 'version 2, and nobody has said anything' "$all"
launch agent
starts
has 'arg<--isolation=cgroups2>'
has 'arg<--cgroups_hierarchy=/run/mesos/cgroup>'
parameters "$usual"
says "held by control groups of version 2 (isolation cgroups2) in $group"
launch master
lacks cgroup
not_told cgroup

begin 'version 1, and nobody has said anything'
mkdir -p "$root/sys/fs/cgroup/memory"
launch agent
starts
lacks isolation
lacks cgroups_hierarchy
lacks modules
silent

begin 'version 1, and the names of version 1'
isolation cgroups/cpu,cgroups/mem
launch agent
has 'arg<--isolation=cgroups/cpu,cgroups/mem>'
silent
isolation cgroups2
launch agent
refused '/etc/mesos-agent/isolation: cgroups2 needs control groups of version 2, and this machine has version 1. Write cgroups/cpu,cgroups/mem'

machine 'version 2: the names of version 1 are understood' "$all"
isolation cgroups/cpu,filesystem/linux,cgroups/mem,cgroups/pids
launch agent
has 'arg<--isolation=cgroups2,filesystem/linux>'
parameters "$usual"
says '/etc/mesos-agent/isolation: on this machine, with control groups of version 2, cgroups/cpu,cgroups/mem,cgroups/pids means cgroups2'
isolation cgroups
launch agent
has 'arg<--isolation=cgroups2>'
rm "$root/etc/mesos-agent/isolation"
echo MESOS_ISOLATION=cgroups/mem,cgroups2 >"$root/etc/default/mesos-agent"
launch agent
has 'arg<--isolation=cgroups2>'
lacks MESOS_ISOLATION

machine 'version 2: what has no counterpart' "$all"
isolation cgroups/mem,cgroups/blkio
launch agent
refused '/etc/mesos-agent/isolation: cgroups/blkio needs control groups of version 1, and this machine has version 2. Remove it'
isolation cgroups/devices
launch agent
has 'arg<--isolation=cgroups/devices>'

machine "version 2: the administrator's own word" "$all"
isolation posix/cpu,posix/mem
launch agent
has 'arg<--isolation=posix/cpu,posix/mem>'
lacks modules
says 'containers are not held to their memory and CPUs'

machine 'version 2, without the unit' ''
launch agent
starts
lacks isolation
says 'containers are not held to their memory and CPUs'
isolation cgroups2
launch agent
refused 'mesos-containers.service does not run'

machine 'version 2, with controllers left to version 1' 'io pids'
launch agent
lacks isolation
isolation cgroups/cpu,cgroups/mem
launch agent
starts
has 'arg<--isolation=cgroups/cpu,cgroups/mem>'

machine 'the flags that mean something for either version' "$all"
: >"$root/etc/mesos-agent/?cgroups_enable_cfs"
: >"$root/etc/mesos-agent/?no-cgroups_limit_swap"
echo false >"$root/etc/mesos-agent/revocable_cpu_low_priority"
launch agent
parameters '{"key":"quota","value":"true"},{"key":"limit_swap","value":"false"},{"key":"revocable_low","value":"false"}'

machine 'the freezer of version 1 elsewhere' "$all"
echo /mnt >"$root/etc/mesos-agent/cgroups_hierarchy"
launch agent
has 'arg<--cgroups_hierarchy=/mnt>'

own='{"libraries":[{"file":"/opt/own.so","modules":[{"name":"own","parameters":[{"key":"k","value":"S1@S2"}]}]}]}'
for form in text file url variable folder; do
	machine "own modules beside the isolator: $form" "$all"
	case $form in
	text) echo "$own" >"$root/etc/mesos-agent/modules" ;;
	file) echo /etc/own.json >"$root/etc/mesos-agent/modules" ;;
	url) echo file:///etc/own.json >"$root/etc/mesos-agent/modules" ;;
	variable) echo "MESOS_MODULES='$own'" >"$root/etc/default/mesos-agent" ;;
	folder)
		echo /etc/own >"$root/etc/mesos-agent/modules_dir"
		mkdir "$root/etc/own"
		echo "$own" >"$root/etc/own/a b.json"
		;;
	esac
	echo "$own" >"$root/etc/own.json"
	launch agent --print 2>/dev/null
	case $(find "$root/run/mesos" 2>/dev/null) in '') ok ;; *) not_ok 'to look makes nothing' ;; esac
	launch agent
	starts
	has 'arg<--modules_dir=/run/mesos/modules>'
	has 'arg<--isolation=cgroups2>'
	lacks '--modules='
	lacks S1
	out=$(cat "$root/run/mesos/modules/10.json")
	has "$own"
	out=$(cat "$root/run/mesos/modules/11.json")
	case $out in *'"name":"cgroups2"'*) ok ;; *) not_ok 'ours is beside it' ;; esac
	out=$(find "$root/run/mesos/modules" -perm /077)
	case $out in '') ok ;; *) not_ok 'nobody else can read them' ;; esac
done

machine 'own modules: the isolator among them, with parameters' "$all"
ours='{"libraries":[{"file":"/x.so","modules":[{"name":"cgroups2","parameters":[{"key":"pids_max","value":"64"}]}]}]}'
echo "$ours" >"$root/etc/mesos-agent/modules"
launch agent
has 'arg<--isolation=cgroups2>'
lacks modules_dir
has "env MESOS_MODULES=$ours"

machine 'own modules: a file that is not there' "$all"
echo /etc/own.json >"$root/etc/mesos-agent/modules"
launch agent
refused '--modules=/etc/own.json: there is no such file'
rm "$root/etc/mesos-agent/modules"
echo /etc/own >"$root/etc/mesos-agent/modules_dir"
launch agent
refused '--modules_dir=/etc/own is no folder'

machine 'an isolator that is not there' "$all"
isolation posix/cpu,posix/memory
launch agent
refused "/etc/mesos-agent/isolation: mesos-agent has no isolator 'posix/memory', and --modules names none. There are: cgroups cgroups/blkio"
echo "$own" >"$root/etc/mesos-agent/modules"
isolation own
launch agent
starts
begin 'an isolator that is not there, version 1'
cp "$top/isolators" "$root/usr/lib/mesos/flags/isolators"
isolation cgroups/cpu,cgroups/ram
launch agent
refused "no isolator 'cgroups/ram'"

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
