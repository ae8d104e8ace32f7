# Flags: what each is called, which setting for it counts, and how it reaches the daemon. Sourced by mesos-init-wrapper.
# shellcheck shell=sh
#
# Settings are offered from the strongest source to the weakest, and the first for a flag counts; Mesos itself would refuse
# the second. For a flag that is given there are, with eval that sees only names which have been checked:
#   n_FLAG name as written   v_FLAG value   f_FLAG form: value, on, off   s_FLAG source, for sentences   r_FLAG its rank
#   h_FLAG yes: not to be seen in the list of processes   e_FLAG variable of the environment that has it already

# The daemon's own table, which the build makes of its --help: NAME boolean|value [OLDER NAME]
table=
if [ -r "$root/usr/lib/mesos/flags/mesos-$role" ]; then
	while read -r line; do table=$table$newline$line; done <"$root/usr/lib/mesos/flags/mesos-$role"
	table=$table$newline
fi

# find_flag NAME: its flag into $flag, `boolean` or `value` into $kind; false where the daemon has none of that name. Mesos
# takes either case. Without a table every name will do, and $kind is `any`.
find_flag() {
	flag=$1
	case $flag in
	'' | *[!A-Za-z0-9_]*) return 1 ;;
	*[A-Z]*) flag=$(printf %s "$flag" | tr '[:upper:]' '[:lower:]') ;;
	esac
	kind=any
	[ -n "$table" ] || return 0
	case $table in
	*"$newline$flag "*)
		kind=${table#*"$newline$flag "}
		kind=${kind%%"$newline"*}
		kind=${kind%% *}
		;;
	*" $flag$newline"*)
		flag=${table%%" $flag$newline"*}
		flag=${flag##*"$newline"}
		kind=${flag#* }
		flag=${flag%% *}
		;;
	*) return 1 ;;
	esac
}

given=' '
is_given() { case $given in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# value_of FLAG: what is in force for it, into $value; empty when nobody has said anything.
value_of() {
	value=
	if is_given "$1"; then eval "value=\$v_$1"; fi
}
# source_of FLAG: where that comes from, into $where.
source_of() { eval "where=\$s_$1"; }

# may_hold_secret FLAG: flags that carry a secret: inline, as JSON or as the text itself, or in the file that they name.
may_hold_secret() {
	case $1 in
	credential | credentials | http_credentials | docker_config | secret_resolver | modules | *_secret_key | *password* | *token*) return 0 ;;
	esac
	return 1
}

# is_secret FLAG VALUE: must the value stay out of the argument list?
is_secret() {
	case $1/$2 in
	*://*@* | zk/*@* | master/*@*) return 0 ;; # zk://user:password@host, and where the scheme was forgotten
	esac
	if may_hold_secret "$1"; then
		case $2 in
		/* | file://*) return 1 ;; # a path, which Mesos opens itself
		*) return 0 ;;
		esac
	fi
	return 1
}

# offer FORM NAME VALUE SOURCE [VARIABLE]: one setting, of rank $rank. FORM is value, on or off; VARIABLE is the one of the
# environment that hands it over already. False when a stronger source has spoken.
offer() {
	find_flag "$2" || refuse "$4: mesos-$role has no flag --$2 ('mesos-$role --help' lists them): rename it, or remove it"
	if is_given "$flag"; then
		eval "other=\$r_$flag where=\$s_$flag"
		[ "$other" != "$rank" ] || refuse "--$flag is given more than once, by $where and by $4: keep one of them"
		return 1
	fi
	form=$1
	case $kind/$form/$3 in
	boolean/value/) form=on ;;
	boolean/value/true | boolean/value/false | boolean/value/1 | boolean/value/0) ;;
	boolean/value/*) refuse "$4: --$flag is true or false, in small letters, and nothing else" ;;
	value/on/* | value/off/*) refuse "$4: --$flag wants a value; only flags that are true or false can be given like this" ;;
	value/value/ | any/value/)
		# From the environment, Mesos takes an empty value as one; that is its own business.
		[ -n "${5-}" ] || refuse "$4 is empty: give the value of --$flag"
		;;
	esac
	given="$given$flag "
	hidden=
	if is_secret "$flag" "$3"; then hidden=yes; fi
	eval "n_$flag=\$2 v_$flag=\$3 f_$flag=\$form s_$flag=\$4 r_$flag=\$rank h_$flag=\$hidden e_$flag=\${5-}"
	case $3 in
	/*"$newline"* | file:*"$newline"*) refuse "$4: the path for --$flag has more than one line" ;;
	esac
}

# replace FLAG VALUE: what is meant by the value that was given.
replace() { eval "v_$1=\$2 n_$1=\$1 f_$1=value e_$1="; }

# withdraw FLAG: as if nobody had given it.
withdraw() {
	is_given "$1" || return 0
	given="${given%%" $1 "*} ${given#*" $1 "}"
	kept=
	for variable in $env_names; do
		case $variable in
		MESOS_*) if find_flag "${variable#MESOS_}" && [ "$flag" = "$1" ]; then continue; fi ;;
		esac
		kept="$kept $variable"
	done
	env_names=$kept
}

# hide: the flag just given is not for the list of processes.
hide() { eval "h_$flag=yes"; }

# upper NAME: into $upper_name.
upper() { upper_name=$(printf %s "$1" | tr '[:lower:]' '[:upper:]'); }

# variables RANK NAMES: the flags among the environment's variables of these names. Mesos takes MESOS_FLAG and MESOS_flag.
variables() {
	rank=$1
	for variable in $2; do
		case $variable in
		MESOS_*) ;;
		*) continue ;;
		esac
		find_flag "${variable#MESOS_}" || continue
		eval "value=\$_env_$variable"
		if is_given "$flag"; then
			eval "other=\$r_$flag twin=\$v_$flag"
			# The same said twice is no contradiction.
			if [ "$other" = "$rank" ] && [ "$value" = "$twin" ]; then continue; fi
		fi
		offer value "${variable#MESOS_}" "$value" "$variable" "$variable" || :
	done
}

# take_back: the variables of flags that were given elsewhere leave $env_names, or Mesos would find the flag twice.
take_back() {
	kept=
	for variable in $env_names; do
		case $variable in
		MESOS_*)
			if find_flag "${variable#MESOS_}" && is_given "$flag"; then
				eval "owner=\$e_$flag"
				[ "$owner" = "$variable" ] || continue
			fi
			;;
		esac
		kept="$kept $variable"
	done
	env_names=$kept
}

# become PROGRAM ARGUMENT…: with the environment that the fragments made, and nothing of this script's own.
become() {
	for name in $env_inherited; do
		case " $env_names " in *" $name "*) ;; *) unset "$name" ;; esac
	done
	for name in $env_names; do eval "export $name=\"\$_env_$name\""; done
	exec "$@"
}
