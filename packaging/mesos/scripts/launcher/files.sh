# Files: their content, who may read them, and why one is not there. Sourced by mesos-init-wrapper.
# shellcheck shell=sh

# trim VALUE: into $trimmed, without white space around it (newlines, and the carriage returns of a Windows editor, too).
trim() {
	trimmed=${1#"${1%%[![:space:]]*}"}
	trimmed=${trimmed%"${trimmed##*[![:space:]]}"}
}

# kept_out PATH: does a folder on the way to it keep this user out?
kept_out() {
	case $(LC_ALL=C stat -L -- "$1" 2>&1) in
	*': Permission denied'*) return 0 ;;
	esac
	return 1
}

# exists PATH: is there something? Refuses where nobody can tell, and where a link leads to nothing: what is said there would not
# be missed. A master that does not see its ZooKeeper URL, or its registry, would lead by itself, with an empty one.
exists() {
	if [ -e "$1" ]; then return 0; fi
	# Nearly always: the folder is there, and this is not in it.
	if [ -d "${1%/*}" ] && [ -x "${1%/*}" ] && [ ! -L "$1" ]; then return 1; fi
	why_missing "${1#"$root"}"
	! kept_out "$1" || refuse "user $me cannot see whether there is $1${why:-: 'namei -l $1' shows which folder on the way has to let that user in (chgrp, chmod g+x)}"
	link=$1
	while [ -n "$link" ] && [ ! -L "$link" ]; do link=${link%/*}; done
	if [ -z "$link" ] || [ -e "$link" ]; then return 1; fi
	refuse "$link is a symbolic link to nothing${why:-: remove it or restore its target}"
}

# read_value FILE: its content into $value, trimmed. Only the content: a newline inside it (JSON on several lines) stays.
read_value() {
	# A pipe would keep the launcher for ever. /dev/null is how some say that a file is empty.
	[ -f "$1" ] || [ "$(readlink -f -- "$1")" = /dev/null ] || refuse "$1 is a folder, or a pipe or device: a file is wanted, with the value in it"
	[ -r "$1" ] || refuse "$1 cannot be read by user $me: give that user's group read permission (chgrp, chmod g+r)"
	value=
	while IFS= read -r line || [ -n "$line" ]; do value=$value$line$newline; done <"$1"
	trim "$value"
	value=$trimmed
}

# without_comments TEXT: into $value, TEXT without empty lines and lines that start with '#'. For the ZooKeeper URL
# only: flag files may hold JSON or anything else, so nothing in them is a comment.
without_comments() {
	text=$1
	value=
	while [ -n "$text" ]; do
		line=${text%%"$newline"*}
		text=${text#"$line"}
		text=${text#"$newline"}
		trim "$line"
		case $trimmed in
		'' | '#'*) ;;
		*) value=${value:+$value$newline}$trimmed ;;
		esac
	done
}

# left_over NAME: true for what editors, dpkg, ucf and people leave beside a configuration file.
left_over() {
	case $1 in
	.* | '#'*'#' | *'~') return 0 ;;
	*.dpkg-* | *.ucf-* | *.rpmnew | *.rpmsave | *.rpmorig) return 0 ;;
	*.bak | *.old | *.orig | *.rej | *.save | *.sav | *.swp | *.swo | *.tmp | *.disabled) return 0 ;;
	esac
	return 1
}

# The files of a folder, one per line in $names, in the C locale's order so that the same files always give the same
# command line. Names with a newline cannot be flags, and a listing by line would misread them: they are refused.
list_folder() {
	names=
	exists "$1" || return 0
	if [ ! -d "$1" ]; then
		warn "$1 is no folder, and is ignored: flags are files in a folder of this name"
		return 0
	fi
	if [ ! -r "$1" ] || [ ! -x "$1" ]; then refuse "$1 cannot be listed by user $me: its configuration would be skipped (chgrp, chmod g+rx)"; fi
	saved_lc_all=${LC_ALL-}
	LC_ALL=C
	set +f
	for path in "$1"/*; do
		[ -e "$path" ] || [ -L "$path" ] || continue
		case ${path##*/} in
		*"$newline"*) refuse "$1 holds a file whose name has a line break in it: remove it" ;;
		esac
		names=${names:+$names$newline}${path##*/}
	done
	set -f
	if [ -n "$saved_lc_all" ]; then LC_ALL=$saved_lc_all; else unset LC_ALL; fi
	listed="$listed$1/$newline"
	open_to_all=$open_to_all$newline$(find -L "$1" -maxdepth 1 -perm -004 2>/dev/null || :)$newline
}
listed=$newline
open_to_all=

# next_name: the next file of $names into $name, left-overs skipped; false at the end.
next_name() {
	while [ -n "$names" ]; do
		name=${names%%"$newline"*}
		names=${names#"$name"}
		names=${names#"$newline"}
		left_over "$name" || return 0
	done
	return 1
}

# everyone_reads FILE: true when any user of the machine may read it.
everyone_reads() {
	case $listed in
	*"$newline${1%/*}/$newline"*)
		case $open_to_all in *"$newline$1$newline"*) return 0 ;; *) return 1 ;; esac
		;;
	esac
	[ -n "$(find -H "$1" -prune -perm -004 2>/dev/null)" ]
}

# too_open FILE WHAT: a word on a secret that every user can read. No refusal: a cluster that ran so before an upgrade
# must not stand still after it.
too_open() {
	if [ "$role" = master ]; then cure="chgrp mesos $1; chmod 640 $1"; else cure="chmod 600 $1"; fi
	if everyone_reads "$1"; then warn "every user of this machine can read $2 in $1: $cure"; fi
}

# mounted PATH: where PATH really is, into $real, and how the unit sees the folder that it is below: into $sandbox,
# `hidden` (ProtectHome=), `private` (PrivateTmp=) or nothing. systemd.exec(5), "Sandboxing"; both are mounts.
mounted() {
	sandbox=
	real=$1
	case $1 in /*) ;; *) return 0 ;; esac
	real=$(readlink -m -- "$root$1") || real=$root$1
	real=${real#"$root"}
	case $real in
	/home | /home/* | /root | /root/* | /run/user | /run/user/* | /tmp | /tmp/* | /var/tmp | /var/tmp/*) ;;
	*) return 0 ;;
	esac
	[ -r "$root/proc/self/mountinfo" ] || return 0
	while read -r _ _ _ origin at _; do
		case $real/ in "$at"/*) ;; *) continue ;; esac
		case $origin in
		*/systemd/inaccessible/*) sandbox=hidden ;;
		*/systemd-private-*) sandbox=private ;;
		esac
	done <"$root/proc/self/mountinfo"
}

# why_missing PATH: the end of a sentence that says PATH is not there, into $why: where only the unit does not see it.
why_missing() {
	mounted "$1"
	why=
	case $sandbox in
	hidden) why=", as the unit of the $role sees nothing in the homes of users. Move it to $flags/ or /etc/mesos/ (and say so where it is named); or say 'systemctl edit mesos-$role' and add [Service] and ProtectHome=read-only" ;;
	private) why=", as the unit of the $role has a /tmp of its own. Move it to $flags/ or /etc/mesos/ (and say so where it is named)" ;;
	esac
}

# needs_file WHAT PATH: WHAT names a file that the daemon is to read. Mesos would say less, and for some flags nothing.
needs_file() {
	at=$root$2
	if [ ! -e "$at" ]; then
		why_missing "$2"
		[ -n "$why" ] || ! kept_out "$at" || refuse "$1: user $me may not enter a folder on the way to it, as 'namei -l $2' shows (chgrp, chmod g+x)"
		refuse "$1: there is no such file$why"
	fi
	[ ! -d "$at" ] || refuse "$1: this is a folder, and a file is wanted"
	[ -r "$at" ] || refuse "$1 cannot be read by user $me: give that user's group read permission (chgrp, chmod g+r), and nobody else"
}
