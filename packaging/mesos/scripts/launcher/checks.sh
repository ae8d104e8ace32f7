# What cannot work is said here, in a sentence, and not by a crash loop. Sourced by mesos-init-wrapper, which has all flags.
# No sentence repeats a value that could be, or hold, a secret.
# shellcheck shell=sh

# usable_folder FLAG PATH: the daemon must be able to write there, or to make it.
usable_folder() {
	case $2 in
	/*) ;;
	*) refuse "--$1=$2 is not an absolute path" ;;
	esac
	mounted "$2"
	unit="'systemctl edit mesos-$role' and add [Service]"
	case $sandbox in
	hidden) refuse "--$1=$2 is in the home of a user, and the unit of the $role sees none. Choose another folder in $flags/$1; or say $unit, ProtectHome=no and ReadWritePaths=$2" ;;
	private) if [ "$1" = work_dir ]; then refuse "--$1=$2 is below a /tmp that is the unit's own, and emptied whenever the $role stops. Choose another folder in $flags/$1; or say $unit and PrivateTmp=no"; fi ;;
	esac
	case $1$real/ in
	work_dir/tmp/*) warn "--$1=$2 is below /tmp, which is emptied when the machine boots: the $role would forget its state. Choose another folder in $flags/$1" ;;
	esac
	at=$root$2
	while [ ! -e "$at" ]; do
		[ ! -L "$at" ] || refuse "--$1=$2: $at is a symbolic link to nothing"
		at=${at%/*}
		[ -n "$at" ] || at=/
	done
	[ -d "$at" ] || refuse "--$1=$2: $at is not a folder"
	if [ "$1" = work_dir ] && [ "$role" = master ] && [ "$registry" != in_memory ] && [ -x "$at" ] &&
		exists "$at/replicated_log" && [ "$root$2" = "$at" ] && [ ! -w "$at/replicated_log" ]; then
		case $(LC_ALL=C touch -c -- "$at/replicated_log" 2>&1) in
		*'Read-only file system'*) ;; # below
		*) refuse "the registry, $2/replicated_log, is not user $me's to write. One that an older package left is moved by 'dpkg-reconfigure mesos-master'; another, when nothing uses it, by chown -R $me $2/replicated_log" ;;
		esac
	fi
	if [ ! -w "$at" ] || [ ! -x "$at" ]; then
		# Also as its owner, or root: the unit of the master sees all but its own folders read-only.
		case $(LC_ALL=C touch -c -- "$at" 2>&1) in
		*'Read-only file system'*) refuse "--$1=$2 is not usable: $at is read-only here. For the unit, say $unit and ReadWritePaths=$2" ;;
		esac
		refuse "--$1=$2 is not usable: user $me cannot write in $at. Change the owner (chown $me $at), or choose another folder in $flags/$1"
	fi
}

# zookeeper_url URL WHERE: Mesos refuses these too, but later, and without saying where they come from.
zookeeper_url() {
	case $1 in
	zk://*)
		# As Mesos reads it: the path starts at the first '/', and what is before the last '@' is user and password.
		rest=${1#zk://}
		case $rest in
		*@*/*) rest=${rest##*@} ;;
		esac
		case $rest in
		/* | '') refuse "$2 names no ZooKeeper host (zk://host1:2181,host2:2181/mesos)" ;;
		*/?*) ;;
		*) refuse "$2 has no path: Mesos needs one of its own in ZooKeeper, such as /mesos at the end of the URL" ;;
		esac
		;;
	esac
}

# hosts_of URL: the hosts with their ports, one a line, into $hosts, and how many into $servers. A plain HOST:PORT is one.
hosts_of() {
	text=${1#zk://}
	text=${text##*@}
	text=${text%%/*},
	hosts=''
	servers=0
	while [ -n "$text" ]; do
		hosts=$hosts${text%%,*}$newline
		text=${text#*,}
		servers=$((servers + 1))
	done
}

# Files that the flags name. Mesos reads file:// for any of them; for those that are a path, it opens the path.
for flag in $given; do
	value_of "$flag"
	case $value in
	file://*) ;;
	/*) may_hold_secret "$flag" || continue ;;
	*) continue ;;
	esac
	path=${value#file://}
	shown=--$flag=$value
	if is_secret "$flag" "$value"; then shown=--$flag; fi
	needs_file "$shown" "$path"
	case $flag in
	modules | secret_resolver) ;; # seldom a secret
	*) if may_hold_secret "$flag"; then too_open "$root$path" 'the secret'; fi ;;
	esac
done
for flag in credential credentials http_credentials jwt_secret_key; do
	value_of "$flag"
	case $value in
	'' | /* | file://*) ;;
	*)
		source_of "$flag"
		refuse "$where: --$flag is the path of a file, and this is none. Write the secret into a file that only user $me can read, and name that"
		;;
	esac
done
# variable NAME: what the daemon will find in the environment, into $value.
variable() {
	case " $env_names " in *" $1 "*) ;; *) return 1 ;; esac
	eval "value=\$_env_$1"
}
if variable LIBPROCESS_SSL_ENABLED; then
	case $value in
	1 | [Tt]*)
		for key in KEY CERT CA; do
			variable "LIBPROCESS_SSL_${key}_FILE" || continue
			needs_file "LIBPROCESS_SSL_${key}_FILE=$value" "$value"
			[ "$key" != KEY ] || too_open "$root$value" 'the private key'
		done
		;;
	esac
fi

# exclusive FLAG FLAG: Mesos takes one of them.
exclusive() {
	value_of "$1"
	first=$value
	value_of "$2"
	if [ -n "$first" ] && [ -n "$value" ]; then
		source_of "$1"
		first=$where
		source_of "$2"
		refuse "--$1 ($first) and --$2 ($where) are both given, and Mesos takes one of them: remove the other"
	fi
}
exclusive ip ip_discovery_command
exclusive ip6 ip6_discovery_command
exclusive modules modules_dir

value_of "$wanted"
peers=$value
where=
[ -z "$peers" ] || source_of "$wanted"
value_of registry
registry=${value:-replicated_log}
if [ "$role" = master ]; then
	value_of quorum
	quorum=$value
	value_of master_contender
	contender=$value
	majority="the majority of the number of masters (1 of 1, 2 of 3, 3 of 5)"
	if [ -n "$peers" ]; then
		case $peers in
		zk://* | file://* | /*) ;;
		*) refuse "$where: the ZooKeeper URL does not start with zk://" ;;
		esac
		zookeeper_url "$peers" "$where: the ZooKeeper URL"
		exclusive zk master_contender
		exclusive zk master_detector
	fi
	if [ -n "$contender$detector" ] && { [ -z "$contender" ] || [ -z "$detector" ]; }; then
		refuse "--master_contender and --master_detector go together, and one of them is missing"
	fi
	case $quorum in
	*[!0-9]* | 0*) refuse "--quorum=$quorum is not a number from 1 on: write into $flags/quorum $majority" ;;
	esac
	if [ "$registry" != in_memory ] && [ -n "$peers" ]; then
		[ -n "$quorum" ] || refuse "with ZooKeeper the master needs --quorum: write into $flags/quorum $majority"
		# Nobody can see from here how many masters there are to be; only what was said can be checked. MASTERS says it.
		# A majority is what any two quorums overlap in: with less, two leaders could both write.
		if [ -n "$masters" ]; then
			said="MASTERS in $root/etc/default/mesos-master"
			right=$((masters / 2 + 1))
			[ "$quorum" -le "$masters" ] || refuse "--quorum=$quorum is more than the $masters masters ($said): no leader could ever write. Write $right into $flags/quorum"
			[ "$((quorum * 2))" -gt "$masters" ] || refuse "--quorum=$quorum is no majority of $masters masters ($said): two leaders could write at once and lose state. Write $right into $flags/quorum"
			# Safe, and for a while right: when masters are added, the quorum is raised first.
			[ "$quorum" -eq "$right" ] || warn "--quorum=$quorum is more than the majority of $masters masters ($said), $right: the cluster stands still when $((masters - quorum + 1)) of them fail, and not only at $((masters - right + 1))"
		else
			# The servers of ZooKeeper often are the machines of the masters, but need not be: a word, no refusal.
			case $peers in
			zk://*)
				hosts_of "$peers"
				[ "$quorum" -le "$servers" ] || warn "--quorum=$quorum, but the ZooKeeper URL names $servers host(s). Unless there are at least $quorum masters, no leader can be elected. Set MASTERS in $root/etc/default/mesos-master to have this checked"
				;;
			esac
		fi
	elif [ "$registry" != in_memory ] && [ "${quorum:-1}" != 1 ] && [ -z "$detector" ]; then
		# Mesos does not look at it then. But it is the sign of a URL that got lost.
		warn "--quorum=$quorum without ZooKeeper: this master runs alone, and is its own quorum. If it is one of several, write the ZooKeeper URL into $zk_file"
	fi
	if [ "$(id -u)" = 0 ] && ! "$print"; then
		warn "running as root. The unit runs the master as user mesos, who will not be able to write the files made now: use 'systemctl start mesos-master', or 'runuser -u mesos -- mesos-init-wrapper master'"
	fi
else
	exclusive master master_detector
	if [ -z "$peers" ] && [ -z "$detector" ]; then
		refuse "the agent has no master. Write the ZooKeeper URL of the masters into $zk_file (zk://host1:2181,host2:2181/mesos), or the address of a single master into $flags/master (192.0.2.1:5050)"
	fi
	[ -z "$peers" ] || zookeeper_url "$peers" "$where: the ZooKeeper URL"
fi
case $peers in
zk://*@*)
	for file in "$zk_file" "$flags/$wanted" ${old_flags:+"$old_flags/$wanted"} "$root/etc/default/mesos" "$old_defaults" "$new_defaults"; do
		[ ! -f "$file" ] || [ ! -r "$file" ] || ! grep -q '^[^#]*zk://[^/]*@' "$file" || too_open "$file" "ZooKeeper's password"
	done
	;;
esac
for flag in work_dir log_dir; do
	value_of $flag
	[ -z "$value" ] || usable_folder $flag "$value"
done

# ---- The address: where it listens, and what it tells others

value_of port
port=$value
if [ "$role" = master ]; then port=${port:-5050}; else port=${port:-5051}; fi
case $port in
*[!0-9]* | ??????*) refuse "--port=$port is not a number of a port, 0 to 65535" ;;
esac
# address FLAG: its value into $value, or the one libprocess would take; both are four numbers.
address() {
	value_of "$1"
	where=--$1
	if [ -n "$value" ]; then source_of "$1"; else
		upper "$1"
		where=LIBPROCESS_$upper_name
		variable "$where" || value=
	fi
	case $value in
	*[!0-9.]*) refuse "$where: --$1 is an IPv4 address, four numbers with dots between them: no name, no port, no mask" ;;
	esac
}
address advertise_ip
advertised=$value
address ip
ip=${value:-0.0.0.0}
value_of ip_discovery_command
discovery=$value
# By doing what Mesos will do (a look into a list of sockets would have to know what excludes what). The numbers are
# errno(3)'s, on all of Debian's Linux architectures but mips: 98 in use, 99 not an address of this machine, 13 refused.
if ! "$print" && [ -z "$discovery" ] && command -v perl >/dev/null; then
	bound=0
	perl -MSocket -e 'my $to = inet_aton($ARGV[0]) || exit 0;
		my $works = socket(my $s, PF_INET, SOCK_STREAM, 0);
		$works &&= setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
		$works &&= bind($s, sockaddr_in($ARGV[1], $to)) && listen($s, 1);
		exit($works ? 0 : $! + 0)' "$ip" "$port" || bound=$?
	case $bound in
	98) refuse "port $port is taken: another program listens on it ('ss -ltnp sport = :$port' tells which). Stop it, or write another port into $flags/port" ;;
	13) refuse "port $port is not for user $me: those below 1024 are root's. Write another port into $flags/port" ;;
	99)
		# At boot the address may still be to come, so the unit is to try again.
		note "--ip=$ip is no address of this machine, or not yet: write one that 'ip address' lists into $flags/ip"
		exit "$EX_TEMPFAIL"
		;;
	esac
fi

# In a cluster of several machines a daemon that gives 127.0.0.1 as its address is never reached; nothing fails, nothing
# works. Peers on the loopback interface are the sign of a cluster on one machine.
remote=false
case $peers in
'' | file://* | /*) ;;
*)
	hosts_of "$peers"
	while [ -n "$hosts" ]; do
		case $hosts in
		127.* | localhost[:"$newline"]* | '[::1]'*) ;;
		*) remote=true ;;
		esac
		hosts=${hosts#*"$newline"}
	done
	;;
esac
if "$remote" && [ -z "$discovery" ]; then
	told=${advertised:-$ip} why=
	if [ "$told" = 0.0.0.0 ]; then
		host=$(hostname 2>/dev/null) || host=
		told=$(getent ahostsv4 "$host" 2>/dev/null) || told=
		told=${told%%[[:space:]]*} why=", which is what its name, $host, resolves to (/etc/hosts)"
	fi
	case $told in
	127.*) warn "this $role tells the others to reach it at $told$why, and no other machine can: write this machine's address into $flags/ip" ;;
	esac
fi
