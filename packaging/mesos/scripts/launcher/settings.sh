# What is said about each flag below /etc, and in which order it counts. Sourced by mesos-init-wrapper; the flags by hand,
# which come first, are known by then.
# shellcheck shell=sh

# ---- /etc/default: shell fragments, which root writes (Debian policy 9.3.2 and 10.7.1)

old_defaults=$root/etc/default/mesos-slave
[ "$role" = agent ] || old_defaults=
new_defaults=$root/etc/default/mesos-$role
fragments=$(
	set --
	for defaults in "$root/etc/default/mesos" "$old_defaults" "$new_defaults"; do
		if [ -z "$defaults" ] || ! exists "$defaults"; then continue; fi
		[ -f "$defaults" ] || refuse "$defaults is no file: what it should set would be lost"
		[ -r "$defaults" ] || refuse "$defaults cannot be read by user $me"
		set -- "$@" "$defaults"
	done
	bash "$library/fragments" "$@"
) || exit
env_inherited='' env_names='' env_fresh='' complete='' fault='' fault_line='' fault_is='' reading=''
eval "$fragments"
case $fault_is in
'') ;;
shell) refuse "$fault, line $fault_line: the shell cannot make sense of it, and what it says would be lost" ;;
carriage) refuse "$fault, line $fault_line ends like a file of Windows, and so would the value: sed -i 's/\\r\$//' $fault" ;;
array:*) refuse "$fault, line $fault_line: ${fault_is#array:} is an array, and no program can be handed one: write one value in quotes" ;;
esac
[ -n "$complete" ] || refuse "${reading:-$root/etc/default/mesos} ends the shell that reads it (exit, or set -e or -u and a failing line): the rest would be lost"
# Without $new_defaults nothing is new.
[ -f "$new_defaults" ] || env_fresh=

# They are ours: neither Mesos nor, through the agent, a task should find a variable PORT or IP. What the caller has exported
# under such a name is no configuration; only what the fragments say is.
shorts='ZK MASTER MASTERS IP PORT CLUSTER LOGS ISOLATION ULIMIT'

# short NAME: the variable as a fragment has set it, into $value, without white space around it; false without one.
short() {
	case " $env_said " in *" $1 "*) ;; *) return 1 ;; esac
	eval "trim \"\$_env_$1\""
	value=$trimmed
}
env_said=
env_kept=
for name in $env_names; do
	case " $shorts " in
	*" $name "*) env_said="$env_said $name" ;;
	*) env_kept="$env_kept $name" ;;
	esac
done
env_names=$env_kept
# How many masters there are, and nothing else. (Others have used the name for their addresses.)
masters=
if short MASTERS; then
	case $value in
	'' | *[!0-9]* | 0*)
		warn "MASTERS in /etc/default is not the number of masters: the quorum is not checked against it"
		env_names="$env_names MASTERS"
		;;
	*) masters=$value ;;
	esac
fi

# shorthand NAME FLAG: the flag as the short variable says, unless the flag's own variable has spoken.
shorthand() {
	short "$1" && [ -n "$value" ] || return 0
	case " $2 " in " log_dir ") at_home log_dir ;; esac
	if is_given "$2"; then
		eval "was=\$v_$2 by=\$e_$2"
		if [ -n "$by" ] && [ "$was" != "$value" ]; then warn "$by and $1 in /etc/default do not say the same for --$2: $by counts"; fi
		return 0
	fi
	offer value "$2" "$value" "$1 in /etc/default" || :
}
# shorthands RANK NAMES: those of them that stand for a flag of this role.
shorthands() {
	rank=$1
	for name in $2; do
		case $role/$name in
		*/IP) shorthand IP ip ;;
		*/LOGS) shorthand LOGS log_dir ;;
		master/PORT) shorthand PORT port ;;
		master/CLUSTER) shorthand CLUSTER cluster ;;
		agent/ISOLATION) shorthand ISOLATION isolation ;;
		agent/MASTER)
			# Files in the usual form (MASTER=`cat /etc/mesos/zk`) bring the comments of the file along.
			eval "without_comments \"\$_env_MASTER\""
			_env_MASTER=$value
			shorthand MASTER master
			;;
		esac
	done
}

# ---- /etc/mesos-master or /etc/mesos-agent, and /etc/mesos-slave

# at_home FLAG: packages in which the master was root shared these two folders between master and agent. Their settings
# outlive them, and the user mesos writes in the folder of its own below. Where the registry is decides where the master
# looks: it is never to start with an empty one beside it.
at_home() {
	case $role/$1=${value%/} in
	master/work_dir=/var/lib/mesos)
		home=$root/var/lib/mesos
		if exists "$home/replicated_log" && ! exists "$home/master/replicated_log"; then return 0; fi
		if ! exists "$home/master/replicated_log" || exists "$home/replicated_log"; then
			if [ -w "$home" ] || [ ! -w "$home/master" ]; then return 0; fi
			warn "--work_dir=/var/lib/mesos belongs to root: the master uses /var/lib/mesos/master. Remove the setting, which an older package left"
		fi
		value=/var/lib/mesos/master
		;;
	master/log_dir=/var/log/mesos)
		if [ ! -w "$root$value" ] && [ -w "$root$value/master" ]; then
			warn "--log_dir=/var/log/mesos belongs to root: the master uses /var/log/mesos/master. Remove the setting, which an older package left"
			value=/var/log/mesos/master
		fi
		;;
	esac
}

# flag_file FILE NAME: what one file says.
flag_file() {
	exists "$1" || return 0 # gone since the folder was listed
	case $2 in
	'?no-'*) form=off flag=${2#'?no-'} ;;
	'?'*) form=on flag=${2#'?'} ;;
	*) form=value flag=$2 ;;
	esac
	case $form/$flag in
	*/logger | value/no-logger)
		# An option of the older launcher itself: not to write to syslog.
		return 0
		;;
	*/ | *[!A-Za-z0-9_/-]*)
		warn "$1 is ignored: '$2' cannot be the name of a flag (letters, digits and '_')"
		return 0
		;;
	value/no-*)
		# The older launcher made --no-FLAG= of it, which for a boolean means the same.
		read_value "$1"
		if [ -n "$value" ] || ! find_flag "${flag#no-}" || [ "$kind" = value ]; then
			refuse "$1: to switch a flag off, name the file ?$2 (empty content)"
		fi
		form=off flag=${flag#no-}
		;;
	esac
	value=
	if [ "$form" = value ]; then
		read_value "$1"
		at_home "$flag"
		case $flag=$value in
		credential=/* | credentials=/* | http_credentials=/*) ;;
		credential=file:* | credentials=file:* | http_credentials=file:*) ;;
		credential=?* | credentials=?* | http_credentials=?*)
			# Mesos takes the path of a file here. What is no path is what that file would hold.
			value=${1#"$root"}
			;;
		esac
	fi
	offer "$form" "$flag" "$value" "$1" || return 0
	[ "$folder" != "$old_flags" ] || from_old="$from_old $2"
	if [ -n "$hidden" ]; then
		too_open "$1" 'the secret'
	elif [ "$form" = value ] && ! may_hold_secret "$flag" && ! everyone_reads "$1"; then
		hide
	fi
}

# joined_folder FOLDER FLAG: attributes/ or resources/, one NAME:VALUE per file.
joined_folder() {
	list_folder "$1"
	joined=
	closed=
	while next_name; do
		file=$1/$name
		if ! exists "$file" || [ -d "$file" ]; then continue; fi
		read_value "$file"
		[ -n "$value" ] || continue
		case $name in
		*[:\;]*) refuse "$file: neither ':' nor ';' may stand in the name of an entry of $2" ;;
		esac
		everyone_reads "$file" || closed=yes
		joined=${joined:+$joined;}$name:$value
	done
	[ -n "$joined" ] || return 0
	offer value "$2" "$joined" "$1" || return 0
	[ "$folder" != "$old_flags" ] || from_old="$from_old $2/"
	[ -z "$closed" ] || hide
}

# flag_folder FOLDER
flag_folder() {
	folder=$1
	rank=$1
	list_folder "$folder"
	remaining=$names
	while names=$remaining && next_name; do
		remaining=$names
		if [ ! -d "$folder/$name" ]; then
			flag_file "$folder/$name" "$name"
		else
			case $role/$name in
			agent/attributes | agent/resources) joined_folder "$folder/$name" "$name" ;;
			*) warn "$folder/$name is a folder, and is ignored: only attributes/ and resources/ of the agent may be" ;;
			esac
		fi
	done
}

# ---- The order. New names before old ones, then a flag's own name before the short ones, then what is for both.

from_old=
flag_folder "$flags"
if [ -n "$old_flags" ]; then
	# What $new_defaults says is newer than what an older package put into /etc/mesos-slave.
	variables fresh "$env_fresh"
	shorthands 'fresh, short' "$env_fresh"
	flag_folder "$old_flags"
fi
variables variables "$env_names"
shorthands short "$env_said"

# A note, for those who look for a setting; nothing is wrong with it.
[ -z "$from_old" ] || note "from $old_flags, which an older package left:$from_old (move them to $flags)"
if [ -n "$old_defaults" ] && [ -f "$old_defaults" ]; then
	note "$old_defaults, which an older package left, is read before $new_defaults (move its content there)"
fi

# ---- ZooKeeper's URL, for both: --zk of the master, --master of the agent

rank=zk
if [ "$role" = master ]; then wanted=zk; else wanted=master; fi
value_of master_detector
detector=$value
# A master or agent that finds its peers through a module takes no URL.
if ! is_given "$wanted" && [ -z "$detector" ]; then
	if short ZK; then
		without_comments "$value"
		if [ -n "$value" ]; then offer value "$wanted" "$value" 'ZK in /etc/default'; fi
	fi
	zk_variable=$value
	if exists "$zk_file"; then
		read_value "$zk_file"
		without_comments "$value"
		case $value in
		*"$newline"*) refuse "$zk_file has more than one line that is not a comment: write one URL, the ZooKeeper hosts with commas between them (zk://host1:2181,host2:2181/mesos)" ;;
		esac
		# ZK=`cat /etc/mesos/zk`, as older packages have it, is the file.
		if is_given "$wanted" && [ "$value" = "$zk_variable" ]; then
			eval "s_$wanted=\$zk_file"
			everyone_reads "$zk_file" || eval "h_$wanted=yes"
		elif [ -n "$value" ] && offer value "$wanted" "$value" "$zk_file"; then
			everyone_reads "$zk_file" || hide
		fi
	fi
fi

# ---- What applies where nobody has said anything. Here and not in files below /etc: a file of a package would compete with
# what an administrator, or an older package, has put there.

rank=default
# given_or FLAG VALUE
given_or() { is_given "$1" || offer value "$1" "$2" 'the default of these packages'; }
if ! is_given work_dir; then
	home=$root/var/lib/mesos
	value=/var/lib/mesos/$role
	case $role in
	master) if exists "$home/replicated_log" && ! exists "$home/master/replicated_log"; then value=/var/lib/mesos; fi ;;
	# Its identity, and the tasks that it is to find again.
	agent) if exists "$home/meta" && ! exists "$home/agent/meta"; then value=/var/lib/mesos; fi ;;
	esac
	given_or work_dir "$value"
fi
# LOGS= without a value is a word: no log files.
short LOGS || given_or log_dir "/var/log/mesos/$role"
if [ "$role" = master ]; then
	# Mesos says 10 s. README.Debian, "Failover", has what this gains and what it costs.
	! is_given zk || given_or zk_session_timeout 6secs
else
	# Mesos says 2 s, and kills each executor that has not come back to a new agent by then: with ten of them on a slow machine,
	# that was every task. 15 s is the most it takes. README.Debian, "Restart of the agent", has what it costs.
	given_or executor_reregistration_timeout 15secs
	# Mesos 1.7 moves executors by systemd's cgroup v1 hierarchy. Without it (cgroup v2, Debian's default; or a container
	# in which systemd is installed and not running, or runs below the host's groups: Mesos looks for its slice at the
	# top) the agent would exit. The unit then keeps tasks alive by itself.
	if ! is_given systemd_enable_support && { [ ! -d "$root/run/systemd/system" ] || [ ! -d "$root/sys/fs/cgroup/systemd" ] ||
		! grep -q ':name=systemd:/init\.scope$' "$root/proc/1/cgroup" 2>/dev/null; }; then
		offer off systemd_enable_support '' 'the default of these packages'
	fi
fi
