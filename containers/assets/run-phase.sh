# Runs a phase's script and reports what it used, also when it failed.
#   run-phase.sh SCRIPT REPORT
# The only place inside a container that knows how cgroup v1 and v2 differ is `cgroup`, which
# the compiler wrapper uses as well: `. run-phase.sh` with no argument defines it and does nothing else.

# cgroup WHAT: a number of the container's own control group; nothing where the kernel does not tell.
#   limit  memory limit            peak  most memory ever, page cache included
#   used   memory that cannot be given back (anonymous and shared)
#   kills  processes killed for lack of memory          cpu  CPU time in microseconds
# Kernel documentation: admin-guide/cgroup-v1/memory.rst, admin-guide/cgroup-v2.rst.
cgroup() {
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        case $1 in
            limit) cgroup_number /sys/fs/cgroup/memory.max ;;
            peak) cgroup_number /sys/fs/cgroup/memory.peak ;;
            used) cgroup_sum /sys/fs/cgroup/memory.stat anon shmem ;;
            kills) cgroup_sum /sys/fs/cgroup/memory.events oom_kill ;;
            cpu) cgroup_sum /sys/fs/cgroup/cpu.stat usage_usec ;;
        esac
    else
        case $1 in
            limit) cgroup_number /sys/fs/cgroup/memory/memory.limit_in_bytes ;;
            peak) cgroup_number /sys/fs/cgroup/memory/memory.max_usage_in_bytes ;;
            used) cgroup_sum /sys/fs/cgroup/memory/memory.stat total_rss total_shmem ;;
            kills) cgroup_sum /sys/fs/cgroup/memory/memory.oom_control oom_kill ;;
            cpu)
                cgroup_number /sys/fs/cgroup/cpuacct/cpuacct.usage
                number=${number:+$((number / 1000))} ;;
        esac
    fi
}

# The results are left in $number: a command substitution would fork for every compile.
cgroup_number() {
    number=
    { read -r number <"$1"; } 2>/dev/null || :
    case $number in *[!0-9]*) number= ;; esac
}

cgroup_sum() {
    number=
    [ -r "$1" ] || return 0
    while read -r key value; do
        if [ "$key" = "$2" ] || [ "$key" = "${3:-}" ]; then number=$((${number:-0} + value)); fi
    done <"$1"
}

if [ $# -eq 2 ]; then
    # One stream: the log keeps the order in which things were said.
    exec 2>&1 </dev/null
    umask 022
    mkdir -p "$HOME" /build/out
    killed=/build/out/killed-for-memory
    rm -f "$2" "$killed"
    status=0
    /bin/sh "$1" || status=$?
    {
        echo "exit $status"
        for what in peak kills cpu; do
            cgroup "$what"
            [ -z "$number" ] || echo "$what $number"
        done
        # Lines `together FILE` and `alone FILE`, from the compiler wrapper.
        [ ! -e "$killed" ] || cat "$killed"
    } >"$2.new"
    mv "$2.new" "$2"
    exit "$status"
fi
