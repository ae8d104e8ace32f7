# Runs a phase's script and reports what it used, also when it failed.
#   run-phase.sh SCRIPT REPORT
# The only place inside a container that knows how cgroup v1 and v2 differ is `cgroup`, which
# the compiler wrapper uses as well: `. run-phase.sh` with no argument defines it and does nothing else.

# cgroup WHAT: a number of the container's own control group; nothing where the kernel does not tell.
#   peak      most memory ever, page cache included
#   used      memory that cannot be given back (anonymous and shared)
#   refaults  pages of files read again because they had been thrown out
#   kills     processes killed for lack of memory
#   cpu       CPU time in microseconds
# Kernel documentation: admin-guide/cgroup-v1/memory.rst, admin-guide/cgroup-v2.rst.
cgroups=/sys/fs/cgroup
own_kills=/tmp/.killed-for-memory
cgroup() {
    if [ -e "$cgroups/cgroup.controllers" ]; then
        case $1 in
            peak) cgroup_number "$cgroups/memory.peak" ;;
            used) cgroup_sum "$cgroups/memory.stat" anon shmem ;;
            refaults) cgroup_sum "$cgroups/memory.stat" workingset_refault_file ;;
            kills) cgroup_sum "$cgroups/memory.events" oom_kill ;;
            cpu) cgroup_sum "$cgroups/cpu.stat" usage_usec ;;
        esac
    else
        case $1 in
            peak) cgroup_number "$cgroups/memory/memory.max_usage_in_bytes" ;;
            used) cgroup_sum "$cgroups/memory/memory.stat" total_rss total_shmem ;;
            refaults) cgroup_sum "$cgroups/memory/memory.stat" total_workingset_refault_file ;;
            kills) cgroup_sum "$cgroups/memory/memory.oom_control" oom_kill ;;
            cpu)
                cgroup_number "$cgroups/cpuacct/cpuacct.usage"
                number=${number:+$((number / 1000))} ;;
        esac
    fi
    # Those of `watch_memory` count like the kernel's.
    if [ "$1" = kills ] && [ -r "$own_kills" ]; then
        while read -r _; do number=$((${number:-0} + 1)); done <"$own_kills"
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

# Lines of a report: what this container has used.
figures() {
    for what in peak kills cpu; do
        cgroup "$what"
        [ -z "$number" ] || echo "$what $number"
    done
}

# Without swap, the kernel kills only when there is nothing left to throw out. Shortly before that it throws
# out the programs' own code and reads it again, and a compile that needs a little more than there is
# goes on like this for hours. Then the largest process is killed here, as if the kernel had done it.
watch_memory() {
    interval=2
    # Room for the code of a few compilers.
    little=$((MEMORY_BYTES / 32))
    if [ "$little" -gt 100663296 ]; then little=100663296; fi
    before=
    in_a_row=0
    while sleep "$interval"; do
        cgroup refaults
        refaults=$number
        cgroup used
        # Older kernels do not tell: nothing can be known there.
        if [ -z "$refaults" ] || [ -z "$number" ]; then return 0; fi
        # 5,000 pages a second are 20 MB/s of code, read for nothing.
        if [ -n "$before" ] && [ $((MEMORY_BYTES - number)) -lt "$little" ] &&
            [ $((refaults - before)) -gt $((5000 * interval)) ]; then
            in_a_row=$((in_a_row + 1))
        else
            in_a_row=0
        fi
        before=$refaults
        if [ "$in_a_row" -ge 5 ]; then
            in_a_row=0
            kill_largest
        fi
    done
}

kill_largest() {
    largest=0
    victim=
    for process in /proc/[0-9]*; do
        # proc(5), statm: the second field is the resident set, in pages.
        { read -r _ resident _ <"$process/statm"; } 2>/dev/null || continue
        if [ "$resident" -gt "$largest" ] && [ "${process#/proc/}" -ne 1 ]; then
            largest=$resident
            victim=${process#/proc/}
        fi
    done
    if [ -n "$victim" ]; then
        echo "$victim" >>"$own_kills"
        kill -KILL "$victim"
    fi
}

if [ $# -eq 2 ]; then
    # One stream: the log keeps the order in which things were said.
    exec 2>&1 </dev/null
    umask 022
    mkdir -p "$HOME" /build/out
    killed=/build/out/killed-for-memory
    rm -f "$2" "$killed"
    watch_memory &
    watcher=$!
    status=0
    /bin/sh "$1" || status=$?
    kill "$watcher" 2>/dev/null || :
    {
        echo "exit $status"
        figures
        # Lines `together FILE` and `alone FILE`, from the compiler wrapper.
        [ ! -e "$killed" ] || cat "$killed"
    } >"$2.new"
    mv "$2.new" "$2"
    exit "$status"
fi
