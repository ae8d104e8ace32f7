#!/bin/sh
# Settings that are there, and that the launcher could take for absent: in a folder that its user may not enter, behind a link to
# nothing, in what is no file. None of them may be passed over. Exit status 0 when every case holds; the last line counts them.
set -u
# shellcheck source=scripts/tests/stage.sh
. "$(dirname "$0")/stage.sh"
# shellcheck source=scripts/tests/expect.sh
. "$(dirname "$0")/expect.sh"

# master NAME: the beginning of a case with a master of a cluster that starts.
master() {
	begin "$1"
	chmod 777 "$root/var/lib/mesos" "$root/var/log/mesos"
	echo zk://192.0.2.1:2181/mesos >"$root/etc/mesos/zk"
	echo 1 >"$root/etc/mesos-master/quorum"
}

# closed_behind_link PATH: a link to PATH's content, which is moved to where only root may enter.
closed_behind_link() {
	mkdir -p "$root/closed"
	mv "$root$1" "$root/closed/moved"
	ln -s "$root/closed/moved" "$root$1"
	chmod 700 "$root/closed"
}

if [ "$(id -u)" -eq 0 ]; then
	master 'the same master, seen by its user'
	launch_as_nobody master
	starts
	has 'arg<--zk=zk://192.0.2.1:2181/mesos>'

	for folder in mesos default; do
		master "the folder /etc/$folder is closed"
		echo MESOS_CLUSTER=x >"$root/etc/default/mesos-master"
		chmod 700 "$root/etc/$folder"
		launch_as_nobody master
		refused "cannot see whether there is $root/etc/$folder/"
		says 'namei -l '
	done

	for path in /etc/mesos /etc/mesos/zk /etc/mesos-master /etc/mesos-master/quorum /etc/default/mesos-master; do
		master "$path leads into a closed folder"
		echo MESOS_CLUSTER=x >"$root/etc/default/mesos-master"
		closed_behind_link "$path"
		launch_as_nobody master
		refused "cannot see whether there is $root/etc/"
	done

	master 'a credential in a closed folder'
	mkdir "$root/etc/closed"
	echo '{}' >"$root/etc/closed/file"
	echo /etc/closed/file >"$root/etc/mesos-master/credentials"
	chmod 700 "$root/etc/closed"
	launch_as_nobody master
	refused "--credentials=/etc/closed/file: user nobody may not enter a folder on the way to it, as 'namei -l /etc/closed/file' shows"
fi

for path in /etc/mesos /etc/mesos/zk /etc/mesos-master /etc/default/mesos-master; do
	master "$path is a link to nothing"
	rm -rf "${root:?}$path"
	ln -s "$root/nothing" "$root$path"
	launch master
	refused "$root$path is a symbolic link to nothing: remove it or restore its target"
done

# An unmounted disk: the master would begin with an empty registry.
for at in /var/lib/mesos /var/lib/mesos/master /srv/data; do
	master "the registry in $at is a link to nothing"
	mkdir -p "$root$at"
	ln -s "$root/disk/replicated_log" "$root$at/replicated_log"
	[ "$at" != /srv/data ] || echo "$at" >"$root/etc/mesos-master/work_dir"
	launch master
	refused "$root$at/replicated_log is a symbolic link to nothing"
done
begin "the agent's state is a link to nothing"
mkdir -p "$root/var/lib/mesos"
ln -s "$root/disk/meta" "$root/var/lib/mesos/meta"
launch agent
refused "$root/var/lib/mesos/meta is a symbolic link to nothing"

for path in /etc/mesos/zk /etc/mesos-master/quorum; do
	for kind in mkdir mkfifo; do
		master "$path made by $kind"
		rm "$root$path"
		$kind "$root$path"
		launch master
		case $kind$path in
		mkdir/etc/mesos-master/*)
			# It is told, and then missed.
			says "$root$path is a folder, and is ignored"
			refused 'the master needs --quorum'
			;;
		*) refused "$root$path is a folder, or a pipe or device: a file is wanted" ;;
		esac
	done
done
master '/etc/default/mesos-master is a folder'
mkdir "$root/etc/default/mesos-master"
launch master
refused "$root/etc/default/mesos-master is no file"

begin 'an attribute that is a pipe'
mkdir "$root/etc/mesos-agent/attributes"
mkfifo "$root/etc/mesos-agent/attributes/rack"
launch agent
refused 'a file is wanted'

begin 'a credential that is a folder'
mkdir "$root/etc/mesos/credential"
echo /etc/mesos/credential >"$root/etc/mesos-agent/credential"
launch agent
refused '--credential=/etc/mesos/credential: this is a folder, and a file is wanted'
case $err in *chmod*) not_ok 'no advice about the mode of a folder' ;; *) ok ;; esac

begin 'a file in place of the old folder'
echo x >"$root/etc/mesos-slave"
launch agent
starts
says "$root/etc/mesos-slave is no folder, and is ignored"

# Nothing is wrong with these.
master '/dev/null for an empty file'
ln -sf /dev/null "$root/etc/mesos/zk"
ln -s /dev/null "$root/etc/mesos-master/?root_submissions"
launch master
starts
has 'arg<--root_submissions>'
begin 'links that lead somewhere'
mv "$root/etc/mesos-agent" "$root/etc/mesos-slave"
ln -s mesos-slave "$root/etc/mesos-agent"
echo 5052 >"$root/etc/port"
ln -s ../port "$root/etc/mesos-slave/port"
launch agent
starts
has 'arg<--port=5052>'
begin 'an image without /etc/default'
rmdir "$root/etc/default" "$root/etc/mesos"
launch agent
starts
silent

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
