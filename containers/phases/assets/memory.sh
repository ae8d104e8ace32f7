# Memory inside a container: what it has used, what may start, and help when it runs out. For `.`; defines functions.
#
# The only place inside a container that knows how cgroup v1 and v2 differ is `cgroup_place`: the governor gets the
# places from it.
# Kernel documentation: admin-guide/cgroup-v1/memory.rst, admin-guide/cgroup-v2.rst, accounting/psi.rst.

cgroups=/sys/fs/cgroup
own_kills=/tmp/.killed-for-memory

# cgroup_place WHAT: where a number of the container's own control group is, as `FILE` or `FILE KEY…` (a sum).
#   peak      most memory ever, page cache included
#   used      memory that cannot be given back (anonymous and shared)
#   refaults  pages of files read again because they had been thrown out
#   kills     processes killed for lack of memory
#   cpu       CPU time in microseconds
cgroup_place() {
    if [ -e "$cgroups/cgroup.controllers" ]; then
        case $1 in
            peak) place="$cgroups/memory.peak" ;;
            used) place="$cgroups/memory.stat anon shmem" ;;
            refaults) place="$cgroups/memory.stat workingset_refault_file" ;;
            kills) place="$cgroups/memory.events oom_kill" ;;
            cpu) place="$cgroups/cpu.stat usage_usec" ;;
        esac
    else
        case $1 in
            peak) place="$cgroups/memory/memory.max_usage_in_bytes" ;;
            used) place="$cgroups/memory/memory.stat total_rss total_shmem" ;;
            refaults) place="$cgroups/memory/memory.stat total_workingset_refault_file" ;;
            kills) place="$cgroups/memory/memory.oom_control oom_kill" ;;
            cpu) place="$cgroups/cpuacct/cpuacct.usage" ;;
        esac
    fi
}

# cgroup WHAT: that number, in $number (a command substitution would fork); nothing where the kernel does not tell.
cgroup() {
    cgroup_place "$1"
    read_place $place
    case $1:$place in
        # Nanoseconds there.
        cpu:*/cpuacct.usage) number=${number:+$((number / 1000))} ;;
        # Those of `watch_memory` count like the kernel's.
        kills:*)
            if [ -r "$own_kills" ]; then
                while read -r _; do number=$((${number:-0} + 1)); done <"$own_kills"
            fi
            ;;
    esac
}

read_place() {
    number=
    [ -r "$1" ] || return 0
    if [ $# -eq 1 ]; then
        read -r number <"$1" || :
        case $number in *[!0-9]*) number= ;; esac
        return 0
    fi
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

# What the governor leaves: lines `together FILE` and `alone FILE`, and what compiles took.
killed=/build/out/killed-for-memory
compiles=/build/out/compile-memory
# When the phase began, and when each compile did and ended: milliseconds of /proc/uptime.
times=/build/out/compile-times
# What the farm's client leaves: lines `worker FILE` and `here FILE`.
compiled_by=/build/out/compiled-by
# What ccache leaves: each file, and whether the cache had it. An older one knows nothing of this and leaves nothing.
cached=/build/out/compiler-cache

# Before a phase's script: makes the governor, and watches.
begin_phase() {
    rm -f "$killed" "$compiles" "$compiled_by" "$cached"
    read -r up _ </proc/uptime
    echo "${up%.*}${up#*.}0" >"$times"
    [ -n "${CCACHE_DISABLE:-}" ] || export CCACHE_STATSLOG="$cached"
    make_governor
    watch_memory &
    watcher=$!
}

# Makes the governor with the build root's own compiler, unless the phase before has, and tells it where to look.
# Without it nobody keeps compilers from starting, so that no more jobs may be wanted than fit.
make_governor() {
    here=/build/governor
    if [ -z "${MEMORY_PER_JOB:-}" ]; then
        # Nobody is to be governed; the phase before may have left one.
        rm -f "$here/governor" "$here/made-from"
        return 0
    fi
    if [ -x /usr/bin/cc ] && ! { cat "$here/governor.c" "$here/frugal.c" | cmp -s "$here/made-from" -; }; then
        rm -f "$here/governor" "$here/frugal.so"
        if /usr/bin/cc -O2 -shared -fPIC -o "$here/frugal.so" "$here/frugal.c" -ldl &&
            /usr/bin/cc -O2 -o "$here/governor.new" "$here/governor.c"; then
            mv "$here/governor.new" "$here/governor"
            cat "$here/governor.c" "$here/frugal.c" >"$here/made-from"
        fi
    fi
    if [ ! -x "$here/governor" ]; then
        for most in $((MEMORY_BYTES / MEMORY_PER_JOB)) "$(nproc)"; do
            if [ "$most" -lt "$JOBS" ]; then JOBS=$most; fi
        done
        if [ "$JOBS" -lt 1 ]; then JOBS=1; fi
        return 0
    fi
    cgroup_place used
    export GOVERNOR_USED="$place"
    cgroup_place kills
    export GOVERNOR_KILLS="$place"
    # The container's own where the kernel keeps it, and the whole machine's: others may be short of memory too.
    export GOVERNOR_PRESSURE="$cgroups/memory.pressure /proc/pressure/memory"
    export GOVERNOR_OWN_KILLS="$own_kills"
    export GOVERNOR_LOG="/proc/$$/fd/1"
}

# After it.
end_phase() {
    kill "$watcher" 2>/dev/null || :
}

# Lines of a phase's report.
phase_figures() {
    figures
    [ ! -e "$killed" ] || cat "$killed"
}
