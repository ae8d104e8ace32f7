# What holds the agent's containers: the isolators, by what the kernel of this machine has. Sourced by mesos-init-wrapper, which
# has the agent's settings.
# shellcheck shell=sh
#
# Mesos 1.7 itself knows control groups of version 1. For version 2 there is a module of these packages, the isolator cgroups2.

# ---- Control groups of version 2, and a group in which containers can be held

unified=false
if [ -e "$root/sys/fs/cgroup/cgroup.controllers" ]; then unified=true; fi

# The group that systemd has handed over, when it has.
containers=
if "$unified"; then
	containers=$(systemctl show --property=ControlGroup --value mesos-containers.service 2>/dev/null) || containers=
	containers=${containers:+/sys/fs/cgroup$containers}
	# The controllers that systemd did not take, or that were switched off so that version 1 can have them, are not there.
	controllers=
	[ ! -r "$root$containers/cgroup.controllers" ] || controllers=" $(cat "$root$containers/cgroup.controllers") "
	case $controllers in *' cpu '*) ;; *) containers= ;; esac
	case $controllers in *' memory '*) ;; *) containers= ;; esac
	case $controllers in *' pids '*) ;; *) containers= ;; esac
fi

# The freezer of version 1, by which Mesos' Linux launcher ends containers, is then mounted here and not over the tree of
# version 2. One that is mounted already stays where it is.
if "$unified"; then given_or cgroups_hierarchy /run/mesos/cgroup; fi

# ---- The isolators

value_of isolation
isolation=$value
if [ -z "$isolation" ] && [ -n "$containers" ]; then
	rank=default
	offer value isolation cgroups2 'the default of these packages'
	isolation=cgroups2
elif [ -n "$isolation" ]; then
	source_of isolation
	others='' translated=''
	remaining=$isolation,
	while [ -n "$remaining" ]; do
		name=${remaining%%,*}
		remaining=${remaining#*,}
		case $containers/$name in
		?*/cgroups | ?*/cgroups/cpu | ?*/cgroups/mem | ?*/cgroups/pids)
			translated=${translated:+$translated,}$name
			name=cgroups2
			;;
		?*/cgroups/all | ?*/cgroups/blkio | ?*/cgroups/cpuset | ?*/cgroups/hugetlb | ?*/cgroups/perf_event)
			refuse "$where: $name needs control groups of version 1, and this machine has version 2. Remove it: cgroups2 in its place limits CPU, memory and the number of processes; or boot with version 1 ('Control groups' in /usr/share/doc/mesos-common/README.Debian)"
			;;
		esac
		case ,$others, in *",$name,"*) ;; *) others=${others:+$others,}$name ;; esac
	done
	if [ -n "$translated" ]; then
		note "$where: on this machine, with control groups of version 2, $translated means cgroups2"
		isolation=$others
		replace isolation "$isolation"
	fi
fi

case ,$isolation, in
*,cgroups2,*)
	if ! "$unified"; then
		refuse "$where: cgroups2 needs control groups of version 2, and this machine has version 1. Write cgroups/cpu,cgroups/mem, which is understood with either version"
	elif [ -z "$containers" ] && ! own_modules cgroups2; then
		refuse "$where: cgroups2 needs a control group of its own, with the controllers cpu, memory and pids, and mesos-containers.service does not run or has none. Say 'systemctl start mesos-containers' and 'cat /sys/fs/cgroup/cgroup.controllers'; or leave cgroups2 out"
	fi
	own_modules cgroups2 || load_cgroups2
	note "containers are held by control groups of version 2 (isolation $isolation)${containers:+ in $containers}"
	;;
*)
	if "$unified"; then
		note "containers are not held to their memory and CPUs by control groups (isolation ${isolation:-posix/cpu,posix/mem}); cgroups2 would"
	fi
	;;
esac

# An agent that does not know an isolator says so and ends, and would be started again and again.
if [ -r "$root/usr/lib/mesos/flags/isolators" ] && [ -n "$isolation" ]; then
	remaining=$isolation,
	while [ -n "$remaining" ]; do
		name=${remaining%%,*}
		remaining=${remaining#*,}
		if [ -z "$name" ] || [ "$name" = cgroups2 ] || grep -qxF -e "$name" "$root/usr/lib/mesos/flags/isolators" || own_modules "$name"; then
			continue
		fi
		source_of isolation
		refuse "$where: mesos-agent has no isolator '$name', and --modules names none. There are: $(tr '\n' ' ' <"$root/usr/lib/mesos/flags/isolators")and cgroups2"
	done
fi
